//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/host"
)

// TestContainersWithoutSpecification: what one process of a container does to itself confines none of the others, and does not stand for it.
func TestContainersWithoutSpecification(t *testing.T) {
	s := newScan(host.At(t.TempDir()))
	of := func(pid, ppid int, user uint64, seccomp int) *process {
		p := &process{argv: []string{"x"}}
		p.PID, p.PPID, p.Container, p.Runtime, p.Seccomp, p.NoNewPrivs = pid, ppid, "box", "lxc", seccomp, seccomp == 2
		p.NS.User = user
		return p
	}
	init := s.initNS().User
	byPID := map[int]*process{1: {}}
	list := []*process{of(50, 60, init+1, 2), of(60, 1, init, 0), of(70, 60, init+1, 2)}
	for _, p := range list {
		byPID[p.PID] = p
	}
	if c := s.withoutSpec("box", firstOf(list, byPID), list); c.PID != 60 || c.UserNS || c.Seccomp || c.NoNewPrivs {
		t.Errorf("a process that confines itself clears its container: %+v", c)
	}
	list = list[:1]
	if c := s.withoutSpec("box", firstOf(list, byPID), list); c.PID != 50 || !c.UserNS || !c.Seccomp || !c.NoNewPrivs {
		t.Errorf("a container that is confined: %+v", c)
	}
}
