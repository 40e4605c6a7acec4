package exposure

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
)

// enclosed says of an interface of the namespace that nothing comes in by it but what this namespace sent out itself, or namespaces that
// nothing else leads to: whoever comes from elsewhere has to come in by another interface, and be forwarded.
func (v *view) enclosed(l *snapshot.Link) bool {
	seen := map[uint64]bool{v.seen.Netns: true}
	var todo []uint64
	closed := func(ns uint64, l *snapshot.Link) bool {
		switch l.Kind {
		case "dummy": // what is sent there is dropped (drivers/net/dummy.c)
			return true
		case "veth", "netkit":
			if l.PeerNetns == 0 || l.PeerNetns == v.host.snap.Network.HostNetns() || v.hostsEnd(ns, l) != nil {
				return false
			}
			todo = append(todo, l.PeerNetns)
			return true
		}
		return false
	}
	if l.Kind == "bridge" {
		for i := range v.seen.Network.Links {
			if p := &v.seen.Network.Links[i]; p.Master == l.Index && p.Up && !closed(v.seen.Netns, p) {
				return false
			}
		}
	} else if !closed(v.seen.Netns, l) {
		return false
	}
	for len(todo) > 0 {
		ns := todo[0]
		todo = todo[1:]
		if seen[ns] {
			continue
		}
		seen[ns] = true
		e := v.host.snap.Elsewhere(ns)
		if e == nil || e.Status != snapshot.OK || v.effort.Spend(len(e.Network.Links)) != nil {
			return false
		}
		for i := range e.Network.Links {
			if p := &e.Network.Links[i]; p.Up && !p.Loopback && p.Kind != "bridge" && !closed(ns, p) {
				return false
			}
		}
	}
	return true
}

// aroundAgain is for an enclosed interface: whether the namespace sends out there what came in by one of its others.
func (v *view) aroundAgain(sk *snapshot.Socket, l *snapshot.Link, v4 bool) Answer {
	q := &reach.Question{Proto: sk.Proto, To: reach.Target{Oifs: v.sender(l)}, Family: family(v4)}
	for i := range v.seen.Network.Links {
		if m := &v.seen.Network.Links[i]; m.Up && !m.Loopback && !v.enclosed(m) {
			q.From = append(q.From, packet.Origin{Index: m.Index, From: everywhere})
		}
	}
	if len(q.From) == 0 {
		return Answer{Answer: stopped("its network namespace leads nowhere, or only to namespaces that nothing leads to"), Checked: true}
	}
	if a := v.second(q, v.model.Reach(q)); a.Verdict == packet.Unreachable {
		return a
	}
	return Answer{Answer: unknown("packets get to " + l.Name + " of its network namespace by way of another interface of it, which is not followed")}
}

// sender are the interfaces by which the namespace sends what comes in by an enclosed one.
func (v *view) sender(l *snapshot.Link) []int {
	n := &v.seen.Network
	out := []int{l.Index}
	if l.PeerNetns == v.seen.Netns && n.Link(l.PeerIndex) != nil {
		out = []int{l.PeerIndex}
	}
	if b := bridgeOf(n, out[0]); b != 0 && !slices.Contains(out, b) {
		out = append(out, b)
	}
	return out
}
