package watch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// fake is a host whose state is a number: a read sees it, and two reads differ by it.
type fake struct {
	tell  func(Event)
	state int
	takes time.Duration // of a read
	reads []time.Time
	while func() // in the middle of a read
	fail  error
}

func (f *fake) Listen(_ context.Context, tell func(Event)) []string {
	f.tell = tell
	return []string{"changes of files (none)"}
}

func (f *fake) Read(context.Context) (*Reading, error) {
	f.reads = append(f.reads, time.Now())
	state := f.state
	time.Sleep(f.takes)
	if f.while != nil {
		f.while()
	}
	return &Reading{
		Report:   &finding.Report{Host: finding.Host{Name: "h"}, Snapshot: finding.Snapshot{CollectedAt: fmt.Sprint(state)}},
		Snapshot: new(snapshot.Snapshot),
	}, f.fail
}

func (f *fake) Compare(_ context.Context, before, after *Reading) (*finding.Diff, error) {
	d := new(finding.Diff)
	if before.Report.Snapshot.CollectedAt != after.Report.Snapshot.CollectedAt {
		d.Changes = []finding.Change{{Class: finding.New, Check: "a/b", Severity: "high", Object: "k", Message: "it is " + after.Report.Snapshot.CollectedAt}}
	}
	return d, nil
}

// begun is a watch in a bubble of time, and what it told.
func begun(t *testing.T, f *fake, opt Options) (stop func() []*Line) {
	t.Helper()
	opt.Reads = map[string][]string{"a/b": {"nftables.ruleset"}}
	if opt.Interval == 0 {
		opt.Interval = DefaultInterval
	}
	ctx, cancel := context.WithCancel(t.Context())
	var told []*Line
	ended := make(chan error)
	go func() {
		ended <- Run(ctx, f, opt, func(lines []*Line) error { told = append(told, lines...); return nil })
	}()
	synctest.Wait()
	return func() []*Line {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		return told
	}
}

func change(lines []*Line) (list []*Line) {
	for _, l := range lines {
		if l.Row == RowChange {
			list = append(list, l)
		}
	}
	return list
}

// TestEventsTriggerAFullRead: an event makes a full read once those that come with it were waited for, and the change names what happened
// in between and can have to do with it.
func TestEventsTriggerAFullRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		stop := begun(t, f, Options{})
		time.Sleep(time.Minute)
		uid := 0
		f.state = 1
		f.tell(Event{Kind: Ruleset, What: "ruleset generation 118", PID: 4711, Program: "nft", UID: &uid})
		f.tell(Event{Kind: Ruleset, What: "ruleset generation 118", PID: 4711, Program: "nft", UID: &uid})
		f.tell(Event{Kind: Process, What: "a process began", PID: 1, Program: "x"}) // a/b is not made from it
		at := time.Now()
		time.Sleep(time.Second)
		told := stop()
		if len(f.reads) != 2 || f.reads[1].Sub(at) != debounce {
			t.Errorf("read at %v, the event was at %v", f.reads, at)
		}
		if told[0].Row != RowBegin || len(told[0].Deaf) != 1 {
			t.Errorf("begins with %+v", told[0])
		}
		got := change(told)
		if len(got) != 1 || len(got[0].Causes) != 1 || got[0].Causes[0].Count != 2 || got[0].Lost {
			t.Fatalf("%+v", got)
		}
		want := "  NEW FINDING: it is 1 (high a/b)\n    since ruleset generation 118 by pid 4711 (uid 0), which calls itself nft, 2 times\n"
		if text := Text(got); !strings.HasSuffix(text, want) {
			t.Errorf("%q", text)
		}
	})
}

// TestLostEventIsMadeGood: without any event the host is looked at after the interval, and what changed is told without a cause.
func TestLostEventIsMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		stop := begun(t, f, Options{Interval: time.Minute})
		f.state = 1
		time.Sleep(61 * time.Second)
		got := change(stop())
		if len(f.reads) != 2 || len(got) != 1 || len(got[0].Causes) != 0 || !strings.Contains(Text(got), "nothing was heard of that can have done it") {
			t.Errorf("%d reads, %+v", len(f.reads), got)
		}
	})
}

// TestFloodOfEvents: whoever makes events without end gets one read after the other with the pause between them, longer after a long
// read, and the watch ends when it is told to.
func TestFloodOfEvents(t *testing.T) {
	for takes, most := range map[time.Duration]int{time.Millisecond: 14, time.Second: 4} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{takes: takes}
			stop := begun(t, f, Options{})
			for i := range 60_000 {
				f.tell(Event{Kind: Ruleset, What: fmt.Sprint("ruleset generation ", i), PID: i, Program: "nft"})
				if i == 59_000 {
					f.state = 1
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(30 * time.Second) // what is left of it
			got := change(stop())
			if n := len(f.reads); n < 3 || n > most {
				t.Errorf("%s: %d reads in a minute of events", takes, n)
			}
			if len(got) != 1 || !got[0].Lost || len(got[0].Causes) != kept {
				t.Fatalf("%s: %+v", takes, got)
			}
			if text := Text(got); strings.Count(text, "\n") != 4+mostCauses || !strings.Contains(text, "since 26 other events") {
				t.Errorf("%s", text)
			}
		})
	}
}

// TestReadsDoNotFeedThemselves: after an event during a read there is one more read, and no third.
func TestReadsDoNotFeedThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		once := true
		f.while = func() {
			if once {
				once = false
				f.state = 1
				f.tell(Event{Kind: Ruleset, What: "ruleset generation 2", PID: 7, Program: "nft"})
			}
		}
		stop := begun(t, f, Options{})
		time.Sleep(4 * time.Minute)
		got := change(stop())
		if len(f.reads) != 2 || len(got) != 1 || len(got[0].Causes) != 1 || got[0].Causes[0].PID != 7 {
			t.Errorf("%d reads, %+v", len(f.reads), got)
		}
	})
}

// TestLostIsTold: what a source lost makes a full read, and the change says that another process can have done it.
func TestLostIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		stop := begun(t, f, Options{})
		time.Sleep(time.Minute)
		f.state = 1
		f.tell(Event{Kind: Lost})
		time.Sleep(time.Second)
		got := change(stop())
		if len(got) != 1 || !got[0].Lost || !strings.Contains(Text(got), "events were lost: another process can have done it") {
			t.Errorf("%+v", got)
		}
	})
}

// TestWatchEnds: an error of a read, or of whoever is told, ends it.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		if err := Run(t.Context(), &fake{fail: broken}, Options{Interval: time.Minute}, func([]*Line) error { return nil }); !errors.Is(err, broken) {
			t.Errorf("a read: %v", err)
		}
		if err := Run(t.Context(), new(fake), Options{Interval: time.Minute}, func([]*Line) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("nobody reads: %v", err)
		}
	})
}

// TestOpenedSockets: a socket that listens now names the process that has it.
func TestOpenedSockets(t *testing.T) {
	was, now := new(snapshot.Snapshot), new(snapshot.Snapshot)
	now.Host.Self.NS.Net = 1
	old := snapshot.Socket{Netns: 1, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 22}
	was.Listeners.Sockets = []snapshot.Socket{old, {Netns: 1, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 25}}
	now.Listeners.Sockets = []snapshot.Socket{
		old,
		{Netns: 1, Proto: "tcp", Family: 6, Addr: "::", Port: 8080, UID: 1000, Owners: []snapshot.Owner{{PID: 9, Comm: "python3"}}},
		{Netns: 7, Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 53},
		{Netns: 1, Proto: "unix", Path: "/run/x"},
		{Netns: 1, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 25, UID: 1001}, // another user has it now
	}
	var got []string
	for _, e := range sockets(was, now, "t") {
		got = append(got, e.String())
	}
	want := []string{
		"tcp [::]:8080 opened by pid 9 (uid 1000), which calls itself python3", "udp 0.0.0.0:53 opened in network namespace 7 by uid 0",
		"tcp 0.0.0.0:25 opened by uid 1001",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

// TestText: checks that are unknown for one reason are one line.
func TestText(t *testing.T) {
	line := func(c finding.Change) *Line {
		return &Line{Row: RowChange, Host: "h", Time: "T", Since: "S", Change: &c, Causes: []Event{{What: "address changed"}}}
	}
	got := Text([]*Line{
		line(finding.Change{Class: finding.CoverageWorse, Check: "a/b", Object: "a/b", Message: "it was pass and is unknown: r"}),
		line(finding.Change{Class: finding.CoverageWorse, Check: "a/c", Object: "a/c", Message: "it was pass and is unknown: r"}),
		line(finding.Change{Class: finding.Wider, Object: "tcp 0.0.0.0:22", Message: "m", Zone: "external", Witness: "w"}),
	})
	want := `T h: changed since S: 0 findings, 0 checks unknown now
  EXPOSURE GOT WIDER: m
    packet: w
  COVERAGE GOT WORSE: it was pass and is unknown: r (a/b, a/c)
    since address changed
`
	if got != want {
		t.Errorf("%s", got)
	}
	forged := line(finding.Change{Class: finding.New, Object: "k", Message: "m\nT h: fixed", Witness: "w\nx"})
	forged.Host, forged.Causes = "h\nx", []Event{{What: "/home/a/x\nT h: fixed changed", PID: 1, Program: "a\nb\x1b"}}
	if got := Text([]*Line{forged}); strings.Count(got, "\n") != 4 || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}
