package judge

import (
	"context"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestSentryIsAKernel: the sentry of gVisor is known by root's program and its filter, and not by a name that a workload gives itself.
func TestSentryIsAKernel(t *testing.T) {
	b := build(context.Background(), fixtures.Host(), zones.Config{})
	root := snapshot.Word{By: snapshot.ByRoot}
	for name, c := range map[string]struct {
		exe     string
		word    snapshot.Word
		seccomp int
		want    string
	}{
		"the sentry":                 {"/usr/local/bin/runsc", root, 2, "gVisor"},
		"a program of a user":        {"/home/bob/runsc", snapshot.WordOf(1000), 2, ""},
		"a program of the container": {"/runsc", snapshot.Word{By: snapshot.ByContainer, Container: "x"}, 2, ""},
		"its commands":               {"/usr/local/bin/runsc", root, 0, ""},
		"another program":            {"/usr/local/bin/runc", root, 2, ""},
	} {
		p := &snapshot.Process{Exe: c.exe, ExeWord: c.word, Seccomp: c.seccomp}
		if got := b.workload(p, "").Kernel; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestSetIDProgramsHoldWhatIsTheirs: firejail, su and sudo that wait below an agent have all capabilities by their file; who started them has not.
func TestSetIDProgramsHoldWhatIsTheirs(t *testing.T) {
	b := build(context.Background(), fixtures.Host(), zones.Config{})
	root := snapshot.Word{By: snapshot.ByRoot}
	for name, c := range map[string]struct {
		p    snapshot.Process
		want bool
	}{
		"root's program":      {snapshot.Process{Exe: "/usr/bin/firejail", ExeWord: root, SetID: true}, false},
		"what sudo started":   {snapshot.Process{Exe: "/usr/bin/bash", ExeWord: root}, true},
		"somebody's program":  {snapshot.Process{Exe: "/home/bob/x", ExeWord: snapshot.WordOf(1000), SetID: true}, true},
		"one in a container":  {snapshot.Process{Exe: "/bin/su", ExeWord: root, SetID: true, Container: "abc"}, true},
		"that root started":   {snapshot.Process{Exe: "/usr/bin/su", ExeWord: root}, true},
		"without a file read": {snapshot.Process{SetID: true}, true},
	} {
		c.p.CapPrm, c.p.CapEff = "000001ffffffffff", "000001ffffffffff"
		if mask, _ := b.gains(&c.p); (mask != 0) != c.want {
			t.Errorf("%s: %x", name, mask)
		}
	}
}
