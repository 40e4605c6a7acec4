package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

const (
	// debounce is how long after an event a full read waits for those that come with it.
	debounce = 300 * time.Millisecond
	// Pause is the least time between two full reads; after a long one it is that many times as long.
	Pause      = 5 * time.Second
	pauseTimes = 20
	// DefaultInterval is how often a full read is made where nothing is heard.
	DefaultInterval = 5 * time.Minute
	// waiting is how many events wait to be looked at; more are lost, which is an event too.
	waiting = 1024
	// kept is how many different events of one kind are told between two reads: the last ones.
	kept = 32
)

// Reading is a full read.
type Reading struct {
	Report   *finding.Report
	Snapshot *snapshot.Snapshot
	Text     []byte // the report as JSON
}

// World is what a watch needs.
type World interface {
	// Listen begins to tell of events, until ctx ends, and says what it cannot hear. Nothing that tell does takes long.
	Listen(ctx context.Context, tell func(Event)) (deaf []string)
	// Read looks at the whole host and judges it.
	Read(ctx context.Context) (*Reading, error)
	// Compare says what changed from one read to another.
	Compare(ctx context.Context, before, after *Reading) (*finding.Diff, error)
}

// Options of a watch.
type Options struct {
	Interval time.Duration       // at the latest after it a full read is made
	Quiet    bool                // full reads that show no change are not told
	Reads    map[string][]string // by check, the sections of the snapshot that it reads
}

// watch is one that runs.
type watch struct {
	World
	opt    Options
	events chan Event
	full   chan struct{} // something did not fit into events
	heard  []Event       // since the read before began
	lost   bool          // so were some of them
	last   *Reading
	deaf   []string
}

// Run watches until ctx ends, or tell or a read fails. It tells all that a full read showed at once, and of
// the first one that there was one.
func Run(ctx context.Context, w World, opt Options, tell func([]*Line) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r := &watch{World: w, opt: opt, events: make(chan Event, waiting), full: make(chan struct{}, 1)}
	r.deaf = w.Listen(ctx, r.tell) // first, so that nothing falls between
	err := r.loop(ctx, tell)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tell takes an event in. It never waits.
func (w *watch) tell(e Event) {
	select {
	case w.events <- e:
	default:
		select {
		case w.full <- struct{}{}:
		default:
		}
	}
}

func (w *watch) loop(ctx context.Context, tell func([]*Line) error) error {
	pause, err := w.read(ctx, tell)
	for err == nil {
		if err = w.wait(ctx, pause); err == nil {
			pause, err = w.read(ctx, tell)
		}
	}
	return err
}

// wait returns when a full read is due: after the pause, once something was heard, at the latest after the interval.
func (w *watch) wait(ctx context.Context, pause time.Duration) error {
	begun := time.Now()
	due := begun.Add(max(w.opt.Interval, pause))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	sooner := func() {
		at := begun.Add(pause)
		if settled := time.Now().Add(debounce); settled.After(at) {
			at = settled
		}
		if at.Before(due) {
			due = at
			timer.Reset(time.Until(due))
		}
	}
	if len(w.heard) > 0 || w.lost { // while the last read was made: it may not have seen them
		sooner()
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case e := <-w.events:
			w.hear(e)
			sooner()
		case <-w.full:
			w.lost = true
			sooner()
		}
	}
}

// hear keeps an event; the same again is counted.
func (w *watch) hear(e Event) {
	if e.Kind == Lost {
		w.lost = true
		return
	}
	e.Count, e.Time = 1, time.Now().UTC().Format(time.RFC3339)
	of, oldest := 0, -1
	for i := range w.heard {
		h := &w.heard[i]
		if h.Kind != e.Kind {
			continue
		}
		if of++; oldest < 0 {
			oldest = i
		}
		if h.What == e.What && h.PID == e.PID && h.Program == e.Program {
			h.Count++
			return
		}
	}
	if of >= kept { // the state that is seen is that after the last
		w.heard, w.lost = slices.Delete(w.heard, oldest, oldest+1), true
	}
	w.heard = append(w.heard, e)
}

// drain takes in what waits, without waiting for more.
func (w *watch) drain() {
	for {
		select {
		case e := <-w.events:
			w.hear(e)
		case <-w.full:
			w.lost = true
		default:
			return
		}
	}
}

// read makes a full read and tells what changed. It returns how long the pause after it has to be.
func (w *watch) read(ctx context.Context, tell func([]*Line) error) (time.Duration, error) {
	w.drain()
	heard, lost := w.heard, w.lost
	w.heard, w.lost = nil, false
	begun := time.Now()
	now, err := w.Read(ctx)
	if err != nil {
		return 0, err
	}
	w.drain() // what came meanwhile can be in this read or not: it is told with this one and is a reason for the next
	heard, lost = append(slices.Clone(heard), w.heard...), lost || w.lost
	before := w.last
	w.last = now
	line := w.line(now, begun)
	if before == nil {
		line.Row, line.Deaf = RowBegin, w.deaf
		return w.pause(begun), tell([]*Line{line})
	}
	d, err := w.Compare(ctx, before, now)
	if err != nil {
		return 0, fmt.Errorf("compare two reads: %w", err)
	}
	line.Since = before.Report.Snapshot.CollectedAt
	heard = append(heard, sockets(before.Snapshot, now.Snapshot, line.Time)...)
	var lines []*Line
	for i := range d.Changes {
		change := *line
		change.Row, change.Change, change.Lost = RowChange, &d.Changes[i], lost
		change.Causes = w.causes(&d.Changes[i], heard)
		lines = append(lines, &change)
	}
	if len(lines) == 0 && !w.opt.Quiet {
		line.Row, line.Lost = RowRead, lost
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		err = tell(lines)
	}
	return w.pause(begun), err
}

// pause is how long no full read is made after one that began then.
func (w *watch) pause(begun time.Time) time.Duration {
	return max(Pause, min(pauseTimes*time.Since(begun), w.opt.Interval))
}

func (w *watch) line(now *Reading, begun time.Time) *Line {
	r := now.Report
	l := &Line{
		Schema: Schema, Host: r.Host.Name, HostID: r.Host.ID, BootID: r.Host.BootID, Time: begun.UTC().Format(time.RFC3339), Unknown: r.Undecided(),
	}
	for _, n := range r.Count().Findings {
		l.Findings += n
	}
	return l
}
