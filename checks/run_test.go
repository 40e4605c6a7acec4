//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestOneCollectorTakesNoOtherDown: a hang and a panic become the status of their own section, and
// what a collector writes after its deadline is read by nobody.
func TestOneCollectorTakesNoOtherDown(t *testing.T) {
	scan := newScan(host.At(t.TempDir()))
	late := make(chan struct{})
	for _, c := range []struct {
		name    string
		limit   time.Duration
		status  snapshot.Status
		reason  string
		collect func(context.Context, *Scan, *snapshot.Snapshot) *Outcome
	}{
		{"hangs", 50 * time.Millisecond, snapshot.Error, "no answer within 50ms", func(_ context.Context, _ *Scan, s *snapshot.Snapshot) *Outcome {
			<-late
			s.Host.Name = "late"
			return new(Outcome)
		}},
		{"sees that time is over", 2 * time.Second, snapshot.Partial, "no time for more", func(ctx context.Context, _ *Scan, s *snapshot.Snapshot) *Outcome {
			<-ctx.Done()
			s.Host.Name = "in time"
			o := new(Outcome)
			o.partial("no time for more")
			return o
		}},
		{"panics", time.Minute, snapshot.Error, "collector stopped", func(context.Context, *Scan, *snapshot.Snapshot) *Outcome { panic("index out of range") }},
		{"sees a part", time.Minute, snapshot.Partial, "x", func(context.Context, *Scan, *snapshot.Snapshot) *Outcome {
			o := new(Outcome)
			o.partialIn("p", "x")
			return o
		}},
		{"sees all", time.Minute, snapshot.OK, "", func(context.Context, *Scan, *snapshot.Snapshot) *Outcome { return new(Outcome) }},
	} {
		scratch, cov := run(t.Context(), Collector{Name: c.name, Collect: c.collect}, scan, c.limit)
		if cov.Status != c.status || !strings.Contains(strings.Join(cov.Reasons, " "), c.reason) {
			t.Errorf("%s: %+v", c.name, cov)
		}
		if c.name == "hangs" && scratch != nil {
			t.Error("the snapshot of a hung collector is used")
		}
		if c.name == "sees that time is over" && (scratch == nil || scratch.Host.Name != "in time") {
			t.Error("what a collector has at its deadline is lost")
		}
	}
	close(late)
}

// TestCollectorsOfTheFormat: a snapshot is refused that lacks the coverage of one of them.
func TestCollectorsOfTheFormat(t *testing.T) {
	var names []string
	for _, c := range Collectors() {
		names = append(names, c.Name)
	}
	if want := snapshot.Collectors(); !slices.Equal(names, want) {
		t.Errorf("the collectors are %v, a snapshot has %v", names, want)
	}
}

// TestFixtureHost: over a directory of files everything that needs the kernel says that it was not
// seen, and nothing is a pass.
func TestFixtureHost(t *testing.T) {
	s := Collect(t.Context(), host.At(t.TempDir()), Options{Deadline: time.Second, Now: time.Now, Version: "0"})
	if len(s.Coverage) != len(Collectors()) {
		t.Errorf("%d sections", len(s.Coverage))
	}
	for _, c := range s.Coverage {
		if c.Status == snapshot.OK && (c.Collector == "nftables" || c.Collector == "listeners" || c.Collector == "network" || c.Collector == "processes") {
			t.Errorf("%s is ok over an empty directory", c.Collector)
		}
	}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Load(&b); err != nil {
		t.Errorf("what was collected is refused: %v", err)
	}
}

// TestWhatIsCollectedIsRead: the snapshot of this host, with a namespace into which nothing comes and one with a link, is
// not refused as damaged.
func TestWhatIsCollectedIsRead(t *testing.T) {
	for _, script := range []string{"echo; read x", "ip link add a type veth peer name b && ip link set a up; echo; read x"} {
		c := exec.Command("unshare", "-rn", "sh", "-c", script)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Logf("without %q: %v", script, err)
			continue
		}
		_, _ = out.Read(make([]byte, 1))
		defer func() {
			in.Close()
			_ = c.Wait()
		}()
	}
	s := Collect(t.Context(), host.Local(), Options{Deadline: 20 * time.Second, Now: time.Now, Version: "0"})
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Load(&b); err != nil {
		t.Error(err)
	}
}
