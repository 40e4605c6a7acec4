package power

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// allCaps are the capabilities that there are (capability.h).
const allCaps = 1<<41 - 1

// capSetgid and capSetuid are what a program that makes whoever starts it somebody else needs, root or not (setgroups(2), setresuid(2)).
const (
	capSetgid = 6
	capSetuid = 7
)

// bind says of a state what its bounding set lacks. What it inherits besides, root gets by the next program, and a file can give it back.
func (s *State) bind(bounding, inherited string) {
	if bounding == "" || snapshot.Caps(inherited)&^snapshot.Caps(bounding) != 0 {
		s.Unbound = true
		return
	}
	s.Lacks = allCaps &^ snapshot.Caps(bounding)
}

// gives are the capabilities that a program has by its file where a state starts it: those that the bounding set has, and those that are inherited.
func gives(s *State, p *snapshot.GainProgram) uint64 {
	return snapshot.Caps(p.Caps)&^s.Lacks | snapshot.Caps(p.Inherits)&s.Inherits
}

// edgeCaps are the capabilities that edges know.
var edgeCaps = func() (mask uint64) {
	for _, c := range capabilityEdges {
		mask |= 1 << c.number
	}
	return mask
}()

// looser says of another state that its bounding set has what that of this one lacks, or may have it, or that it inherits more.
func (s *State) looser(other *State) bool {
	return s.Lacks&^other.Lacks != 0 || other.Inherits&^s.Inherits != 0 || s.Unbound && !other.Unbound
}

// account is somebody who logs in as a uid, within the bounding set of process 1; of a host that does not run it is taken to be whole.
func account(snap *snapshot.Snapshot, a *snapshot.Account, uid int) *State {
	st := &State{UID: uid, Place: OnHost, HostPID: true, HostNet: true, InNet: true}
	if a != nil {
		st.Groups = append([]int{a.GID}, a.Groups...)
	}
	if bounding := snap.Processes.CapBnd; bounding != "" {
		st.bind(bounding, "")
	}
	return st
}

// switched are the edges of programs that make whoever asks them somebody else: those do not work without the capabilities for it.
func switched(s *State, list []Edge) []Edge {
	why := ""
	switch {
	case s.Unbound:
		why = "which capabilities programs get from it, by its bounding set, is not known"
	case s.Lacks&(1<<capSetgid|1<<capSetuid) != 0:
		why = "what programs that change the user do without " + capNames(s.Lacks&(1<<capSetgid|1<<capSetuid)) + ", which its bounding set lacks, was not followed"
	}
	for i := range list {
		list[i].Unknown = cmp.Or(list[i].Unknown, why)
		if to := list[i].To; to != nil && to.UID != s.UID {
			list[i].To = turned(s, to.UID, to.Groups)
		}
		if list[i].Goal == Root {
			list[i] = asRoot(s, list[i])
		}
	}
	return list
}

// turned is who a program makes of a state: what it sees, what confines it and its bounding set stay.
func turned(s *State, uid int, groups []int) *State {
	to := *s
	to.UID, to.Groups, to.Caps = uid, groups, 0
	return &to
}

// capNames are those of capabilities that edges know.
func capNames(mask uint64) string {
	var names []string
	for _, c := range capabilityEdges {
		if mask&(1<<c.number) != 0 {
			names = append(names, "CAP_"+strings.ToUpper(c.name))
		}
	}
	return strings.Join(names, " and ")
}

// bounded is why it is not known that a program has the capabilities of its file, as far as the bounding set of who starts it has them: the kernel does not
// start one that needs more (capabilities(7), safety checking for capability-dumb binaries).
func bounded(s *State, p *snapshot.GainProgram) string {
	switch caps := snapshot.Caps(p.Caps); {
	case caps == 0:
		return ""
	case s.Unbound:
		return "which capabilities " + p.Path + " gets, by the bounding set of who starts it, is not known"
	case caps&s.Lacks != 0:
		return fmt.Sprintf("whether the kernel starts %s, of whose capabilities the bounding set lacks some, was not followed", p.Path)
	}
	return ""
}

// asRoot is where a set-id program of root leads: to root of the host, or to the uid of root within its mounts and its bounding set.
func asRoot(s *State, e Edge) Edge {
	if s.Place == OnHost || s.Lacks&takeover == 0 && !s.Unbound {
		e.Goal = Root
		return e
	}
	to := *s
	to.UID = 0
	if !s.Unbound {
		to.Caps |= allCaps &^ s.Lacks
	}
	e.Goal, e.To = "", &to
	return e
}
