package judge

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestProgramsWithoutAFile: what an update replaced has nothing to tell.
func TestProgramsWithoutAFile(t *testing.T) {
	for exe, want := range map[string]string{
		"/memfd:x (deleted)":                                "memory",
		"/dev/shm/.x (deleted)":                             "removed",
		"/tmp/a (deleted)":                                  "removed",
		"/run/user/1000/a (deleted)":                        "removed",
		"/usr/sbin/nginx (deleted)":                         "",
		"/home/me/.local/share/claude/versions/2 (deleted)": "",
		"/tmp/a": "",
		"":       "",
	} {
		if got := lacksFile(exe); got != want {
			t.Errorf("%s: got %q, want %q", exe, got, want)
		}
	}
}

// TestProgramsThatRuntimesBecome: the name of a program in memory is anybody's; it counts below a runtime of root's.
func TestProgramsThatRuntimesBecome(t *testing.T) {
	const cloned = "/memfd:runc_cloned:/proc/self/exe (deleted)"
	root := snapshot.WordOf(0)
	for name, c := range map[string]struct {
		list []snapshot.Process // the first is the one that is asked about
		want bool
	}{
		"of containerd":         {[]snapshot.Process{{PID: 9, PPID: 8, Exe: cloned}, {PID: 8, Exe: "/usr/bin/containerd-shim-runc-v2", ExeWord: root}}, true},
		"of runc in memory":     {[]snapshot.Process{{PID: 9, PPID: 8, Exe: cloned}, {PID: 8, PPID: 7, Exe: cloned}, {PID: 7, Exe: "/usr/bin/dockerd", ExeWord: root}}, true},
		"of nobody":             {[]snapshot.Process{{PID: 9, PPID: 1, Exe: cloned}}, false},
		"of a shell":            {[]snapshot.Process{{PID: 9, PPID: 8, Exe: cloned}, {PID: 8, Exe: "/bin/sh", ExeWord: root}}, false},
		"of what it calls runc": {[]snapshot.Process{{PID: 9, PPID: 8, Exe: cloned}, {PID: 8, Exe: "/tmp/runc", ExeWord: snapshot.WordOf(1000)}}, false},
		"of a user's runtime":   {[]snapshot.Process{{PID: 9, PPID: 8, Exe: cloned, UID: 1000}, {PID: 8, Exe: "/usr/bin/conmon", ExeWord: root, UID: 1000}}, false},
		"of one in a container": {[]snapshot.Process{{PID: 9, PPID: 8, Exe: cloned}, {PID: 8, Exe: "/usr/bin/runc", ExeWord: root, Container: "c1"}}, false},
		"of itself":             {[]snapshot.Process{{PID: 9, PPID: 9, Exe: cloned}}, false},
	} {
		b := &builder{byPID: map[int]*snapshot.Process{}}
		for i := range c.list {
			b.byPID[c.list[i].PID] = &c.list[i]
		}
		if got := b.passes(&c.list[0]); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAContainerInMemory: the first process of a container has a runtime above itself for good, so that its name clears nothing.
func TestAContainerInMemory(t *testing.T) {
	for container, want := range map[string]string{"": "", "c1": "passing"} {
		s := fixtures.Host()
		shim := snapshot.Process{PID: 98, Comm: "containerd-shim", Exe: "/usr/bin/containerd-shim-runc-v2", ExeWord: snapshot.WordOf(0), NS: s.Processes.Init}
		s.Processes.List = append(s.Processes.List, shim, snapshot.Process{
			PID: 99, PPID: 98, Comm: "x", Exe: "/memfd:runc_cloned:/proc/self/exe (deleted)", Container: container, NS: s.Processes.Init,
		})
		b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
		b.programs()
		var got strings.Builder
		for _, d := range b.doc.Programs {
			got.WriteString(d.Lacks)
		}
		if got.String() != want {
			t.Errorf("in container %q: %q, want %q", container, got.String(), want)
		}
	}
}
