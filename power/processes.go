package power

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// byProcesses are the processes of the host that run as the same user: what it sees of them, and those that are less restricted.
func (g *Graph) byProcesses(s *State) (list []Edge) {
	if !s.HostPID || s.OwnUser {
		return nil
	}
	init := g.snap.Processes.Init
	seen := map[string]bool{}
	labelled := g.labelled(s)
	for i := range g.snap.Processes.List {
		p := &g.snap.Processes.List[i]
		if p.UID != s.UID && !s.has(capSetuid) || p.NS.User != init.User || p.Container != "" || snapshot.Caps(p.CapPrm)&^s.Caps != 0 {
			continue
		}
		to := stateIn(g.snap, "", p)
		if e := byItsRoot(s, p, &to, labelled); e != nil && !seen[e.To.key()+e.Unknown] {
			seen[e.To.key()+e.Unknown] = true
			list = append(list, *e)
		}
		if p.UID != s.UID || s.Place == InContainer || s.UID == 0 || !freer(s, &to) || seen[to.key()] {
			continue
		}
		seen[to.key()] = true
		list = append(list, Edge{
			Kind: ByProcess, Object: cmp.Or(p.Unit, p.Comm), To: &to, Trigger: snapshot.TriggerNone, Change: "the user of " + cmp.Or(p.Unit, p.Comm),
			Text:    fmt.Sprintf("%s runs as its user with fewer restrictions", cmp.Or(p.Unit, p.Comm)),
			Unknown: fmt.Sprintf("%s runs as its user with fewer restrictions, and whether it can trace it or change its files was not looked at", cmp.Or(p.Unit, p.Comm)),
		})
	}
	return list
}

// byItsRoot is by which process of the host a state gets at files that it does not see, as /proc/PID/root, nil if by none: the kernel asks that user and group
// are the same, that the other has no capability that it lacks, and that it began its program as that user (ptrace(2), PTRACE_MODE_READ_FSCREDS). With
// CAP_SETUID a state has every user, and that still. That its container is labelled makes it unknown.
func byItsRoot(s *State, p *snapshot.Process, its *State, labelled bool) *Edge {
	if p.Undumpable || s.Place == OnHost || s.Place == its.Place && s.View == its.View {
		return nil
	}
	to := *s
	to.Place, to.Container, to.View = its.Place, "", its.View
	e := &Edge{Kind: ByProcess, Object: p.Comm, To: &to, Trigger: snapshot.TriggerNone, Change: "the pid namespace of the host"}
	e.Text = fmt.Sprintf("it sees %s of the host, which runs as its user, and by /proc/PID/root the files of the host", p.Comm)
	if to.UID = p.UID; p.UID != s.UID {
		e.Text = fmt.Sprintf("it sees %s of the host, becomes its user by CAP_SETUID, and by /proc/PID/root sees the files of the host", p.Comm)
	}
	switch own := len(s.Groups) > 0 && s.Groups[0] == p.GID; {
	case own:
	case s.has(capSetgid):
		to.Groups = its.Groups
	case !s.in(p.GID):
		return nil
	default:
		e.Unknown = fmt.Sprintf("whether it can have group %d as its own, as %s of the host has, was not looked at", p.GID, p.Comm)
	}
	if labelled {
		e.Unknown = profileUnread
	}
	return e
}

// profileUnread is why a process of a container may not look into those of the host: profiles of runtimes let it look into its own alone.
const profileUnread = "which processes of the host the profile of its container lets it look into was not followed"

// labelled says of a state that the container in which it is has a profile in force.
func (g *Graph) labelled(s *State) bool {
	return s.Place == InContainer && slices.ContainsFunc(g.snap.Processes.List, func(p snapshot.Process) bool {
		label, mode, _ := strings.Cut(p.LSM, " ")
		return p.Container == s.Container && label != "" && !strings.Contains(label, "unconfined") && !strings.Contains(mode, "complain")
	})
}

// freer says of a state that it can something that another of the same user cannot, in mounts of its own too.
func freer(s, other *State) bool {
	return s.Place != OnHost && other.Place == OnHost || s.NoNewPrivs && !other.NoNewPrivs || s.Confined != "" && other.Confined == "" || gainsGroups(s, other) || s.looser(other)
}
