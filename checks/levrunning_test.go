//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWhatProcessesOfRootRun: what others decide of by which a process of root runs is told, also where its program was replaced, and not what people run
// as root who are logged in.
func TestWhatProcessesOfRootRun(t *testing.T) {
	s := powerHost(t, "755 1000:1000 /opt/a", "755 1000:1000 /home/ann/", "755 0:0 /usr/bin/x")
	for name, c := range map[string]struct {
		exe, unit string
		want      bool
	}{
		"a program":             {"/opt/a", "a.service", true},
		"one that was replaced": {"/opt/a (deleted)", "a.service", true},
		"of root":               {"/usr/bin/x", "a.service", false},
		"of a session":          {"/opt/a", "session-3.scope", false},
		"of a terminal":         {"/opt/a", "user@1000.service", false},
		"of root's manager":     {"/opt/a", "user@0.service", true},
	} {
		l := s.newLevers(t.Context(), new(Outcome))
		p := &process{}
		p.PID, p.Exe, p.Unit = 7, c.exe, c.unit
		l.running([]*process{p})
		if got := len(l.list) > 0; got != c.want {
			t.Errorf("%s: %+v", name, l.list)
		}
		for _, f := range l.list {
			if f.Unsure == "" || f.Trigger != snapshot.TriggerRestart {
				t.Errorf("%s: %+v is told as sure", name, f)
			}
		}
	}
}
