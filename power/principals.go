package power

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Principals are whom a host can be asked about: what runs in containers, agents and what they started, services of users, and accounts that log in.
// Equal ones are one. They come in the order of their keys.
func Principals(s *snapshot.Snapshot, m *zones.Map) []Principal {
	var list []Principal
	seen := map[string]bool{}
	add := func(p Principal) {
		if k := p.Key + p.State.key(); !seen[k] {
			seen[k] = true
			list = append(list, p)
		}
	}
	for i := range s.Processes.List {
		p := &s.Processes.List[i]
		if id, ok := identify(s, m, p); ok {
			id.State = stateIn(s, m.Container(p), p)
			add(id)
		}
	}
	g := New(s, nil)
	for i := range s.Powers.Accounts {
		if a := &s.Powers.Accounts[i]; a.Login && a.UID != 0 {
			add(Principal{Key: "account " + a.Name, Name: "account " + a.Name, Kind: Account, State: *g.account(a.UID)})
		}
	}
	slices.SortStableFunc(list, func(a, b Principal) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// identify says who a process is, if it is somebody who is asked about: what root itself runs is not.
func identify(s *snapshot.Snapshot, m *zones.Map, p *snapshot.Process) (Principal, bool) {
	zone, _ := m.Process(p)
	agent := m.AgentOf(p)
	switch container := m.Container(p); {
	case container != "":
		name := ""
		if c := containerOf(s, container); c != nil {
			name = c.Name
		}
		name = snapshot.ContainerName(container, name)
		return Principal{Key: "container " + name, Name: "container " + name, Kind: Workload}, true
	case agent != nil:
		key := "agent " + agent.Runtime
		if p.UID > 0 {
			key += fmt.Sprintf(" of uid %d", p.UID)
		}
		return Principal{Key: key, Name: agent.Title, Kind: Agent}, true
	case zone == zones.Workload:
		key := "process " + p.Program()
		if p.UID > 0 {
			key += fmt.Sprintf(" of uid %d", p.UID)
		}
		return Principal{Key: key, Name: key, Kind: Workload}, true
	case p.UID > 0 && !p.RealRoot && p.Unit != "" && !strings.HasPrefix(p.Unit, "user@") && !strings.HasPrefix(p.Unit, "session-"):
		return Principal{Key: "service " + p.Unit, Name: p.Unit, Kind: Service, Meant: rego.Gains().Meant[p.Unit]}, true
	}
	return Principal{}, false
}

func containerOf(s *snapshot.Snapshot, id string) *snapshot.Container {
	i := slices.IndexFunc(s.Runtimes.Containers, func(c snapshot.Container) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &s.Runtimes.Containers[i]
}

// stateIn is what a process is and sees that is in a container, or in none.
func stateIn(s *snapshot.Snapshot, container string, p *snapshot.Process) State {
	init := s.Processes.Init
	same := func(a, b uint64) bool { return a != 0 && a == b }
	st := State{
		UID: p.UID, Groups: append([]int{p.GID}, slices.DeleteFunc(slices.Clone(p.Groups), func(g int) bool { return g == p.GID })...),
		HostPID: same(p.NS.PID, init.PID), OwnUser: !same(p.NS.User, init.User), NoNewPrivs: p.NoNewPrivs, Confined: confinedBy(p),
	}
	slices.Sort(st.Groups[1:])
	st.InNet = same(p.NS.Net, init.Net) || p.NS.Net == 0
	if !st.InNet {
		st.Offline, st.Relayed = connected(s, p.NS.Net)
	}
	st.HostNet = same(p.NS.Net, init.Net) && (p.NetOwner == 0 || p.NetOwner == p.NS.User)
	if !st.OwnUser {
		st.bind(p.CapBnd, p.CapInh)
		if container == "" {
			st.Inherits = snapshot.Caps(p.CapInh) & edgeCaps
		}
		st.Caps = snapshot.Caps(p.CapEff) | snapshot.Caps(p.CapPrm) | snapshot.Caps(p.CapAmb)
		if !p.NoNewPrivs && (p.UID == 0 || container != "" && p.SetUID != "") {
			st.Caps |= snapshot.Caps(p.CapBnd)
		}
	}
	switch st.View = viewOf(s, p.PID); {
	case container != "":
		st.Place, st.Container, st.View = InContainer, container, 0
	case st.View == 0 && same(p.NS.Mnt, init.Mnt):
		st.Place = OnHost
	default:
		st.Place = Apart
	}
	return st
}

// connected says of a network namespace that no interface but loopback is up in it, or that a program carries what it sends (slirp4netns and
// pasta have the other end of a TUN or TAP), or that this was not seen.
func connected(s *snapshot.Snapshot, netns uint64) (offline, relayed bool) {
	e := s.Elsewhere(netns)
	if e == nil || e.Status != snapshot.OK {
		return false, true
	}
	offline = true
	for i := range e.Network.Links {
		l := &e.Network.Links[i]
		if !l.Up || l.Name == "lo" {
			continue
		}
		offline = false
		relayed = relayed || l.Kind == "tun"
	}
	return offline, relayed
}

// knownLabels are profiles of runtimes, which leave to files, sockets and devices what their permissions say.
var knownLabels = []string{"", "unconfined", "docker-default", "containers-default", "cri-containerd.apparmor.d", "lxc-container-default"}

// confinedBy is what confines a process by rules that are not read: a label, or of a service a filter of system calls.
func confinedBy(p *snapshot.Process) string {
	label, mode, _ := strings.Cut(p.LSM, " ")
	if strings.Contains(mode, "complain") || strings.Contains(label, "unconfined_t") || slices.ContainsFunc(knownLabels, func(k string) bool { return k == label || k != "" && strings.HasPrefix(label, k) }) {
		if p.Seccomp == 2 && p.Container == "" {
			return "a filter of system calls"
		}
		return ""
	}
	return "the label " + label
}

// Select asks a graph about all principals, or those of one name or key, and all goals, or one.
func (g *Graph) Select(principals []Principal, from string, to Goal) ([]Answer, error) {
	var list []Answer
	found := from == ""
	for _, p := range principals {
		if from != "" && p.Key != from && p.Name != from {
			continue
		}
		found = true
		for _, a := range g.Ask(p) {
			if to == "" || a.Goal == to {
				list = append(list, a)
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("nobody on the host is called %q: ringfence paths lists whom it asks about", from)
	}
	return list, nil
}
