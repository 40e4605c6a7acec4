package exposure

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// LeadsTo says whether the owner of a socket passes connections on to another one: in its own network namespace or, by an address that is not
// loopback, from that of the socket into another one. One that chooses what it passes on does not count.
func LeadsTo(s *snapshot.Snapshot, relay, to *snapshot.Socket) bool {
	return relay.Relay != nil && !relay.Relay.Chooses && leads(s, relay, to)
}

// leads says whether a relay names a socket, whatever it asks before it passes something on.
func leads(s *snapshot.Snapshot, relay, to *snapshot.Socket) bool {
	r := relay.Relay
	if to.Proto != relay.Proto {
		return false
	}
	for _, e := range r.Ends() {
		if to.Port != e.Port {
			continue
		}
		at, err := netip.ParseAddr(e.Addr)
		if err != nil || to.Netns != cmp.Or(r.Netns, relay.Netns) && (r.Netns != 0 || at.IsLoopback()) {
			continue
		}
		if takesAt(s, to, at) {
			return true
		}
	}
	return false
}

// mayLeadTo says of the owner of a socket that it passes connections on in the network namespace of another socket, to where it does not tell.
func mayLeadTo(relay, to *snapshot.Socket) bool {
	r := relay.Relay
	return r.Addr == "" && r.Netns != 0 && r.Netns == to.Netns && relay.Proto == to.Proto
}

// ends are sockets that programs pass connections on to.
type ends struct {
	of  map[int][]int // by the sockets of those programs
	led map[int]bool  // they, and those programs' own
}

// socketAt is a port of a network namespace.
type socketAt struct {
	netns uint64
	port  int
}

// ends finds among some sockets those that programs pass connections on to, or may: by the address, so that not each is held against each.
func (a *Asker) ends(sockets []int) ends {
	list, out := a.snap.Listeners.Sockets, ends{map[int][]int{}, map[int]bool{}}
	at, in := map[socketAt][]int{}, map[uint64][]int{}
	for _, i := range sockets {
		k := socketAt{list[i].Netns, list[i].Port}
		at[k], in[k.netns] = append(at[k], i), append(in[k.netns], i)
		out.led[i] = list[i].Relay != nil
	}
	var homes map[netip.Addr][]uint64
	for j := range list {
		r := list[j].Relay
		if r == nil {
			continue
		}
		if homes == nil {
			homes = a.homes()
		}
		to := map[int]bool{}
		for _, e := range r.Ends() {
			addr, err := netip.ParseAddr(e.Addr)
			if err != nil {
				continue
			}
			for _, ns := range homes[addr] {
				for _, i := range at[socketAt{ns, e.Port}] {
					to[i] = to[i] || leads(a.snap, &list[j], &list[i])
				}
			}
		}
		for _, i := range in[r.Netns] {
			to[i] = to[i] || mayLeadTo(&list[j], &list[i])
		}
		for _, i := range slices.Sorted(maps.Keys(to)) {
			if to[i] {
				out.of[j], out.led[i] = append(out.of[j], i), true
			}
		}
	}
	return out
}

// homes are the network namespaces that have an address.
func (a *Asker) homes() map[netip.Addr][]uint64 {
	out := map[netip.Addr][]uint64{}
	add := func(ns uint64, n *snapshot.Network) {
		for i := range n.Links {
			for _, p := range addressesOf(&n.Links[i]) {
				if list := out[p.Addr()]; len(list) == 0 || list[len(list)-1] != ns {
					out[p.Addr()] = append(list, ns)
				}
			}
		}
	}
	add(a.snap.Network.HostNetns(), &a.snap.Network)
	for i := range a.snap.Namespaces {
		add(a.snap.Namespaces[i].Netns, &a.snap.Namespaces[i].Network)
	}
	return out
}

// relayed joins to the answers about sockets those about programs that pass connections on to them: who reaches the program's port reaches
// the socket. A program that passes on to another such one leads on from there.
func (a *Asker) relayed(to ends, out map[int][]Of) {
	list := a.snap.Listeners.Sockets
	var relays []int
	for j := range list {
		if list[j].Relay != nil && list[j].Netns == a.snap.Network.HostNetns() {
			relays = append(relays, j)
		}
	}
	for range len(relays) { // no way is longer
		var changed []int
		for _, j := range relays {
			for _, i := range to.of[j] {
				if i != j && a.relay(j, i, out) && list[i].Relay != nil {
					changed = append(changed, i)
				}
			}
		}
		if len(changed) == 0 {
			return
		}
		relays = changed
	}
}

// relay joins the answers about a relay to those about one socket, and says whether that changed any.
func (a *Asker) relay(j, i int, out map[int][]Of) (changed bool) {
	from, to := &a.snap.Listeners.Sockets[j], &a.snap.Listeners.Sockets[i]
	switch counts := a.mayLead(from, to); {
	case counts && LeadsTo(a.snap, from, to):
		out[i], changed = joined(out[i], by(from, out[j]))
	case (counts || from.Netns == to.Netns) && leads(a.snap, from, to):
		why := "%s at port %d passes on to it what it chooses, or from whom it chooses"
		if !counts {
			why = "%s at port %d is not root's, and says that it passes connections on to it"
		}
		out[i], changed = joined(out[i], inDoubt(by(from, out[j]), fmt.Sprintf(why, from.Relay.Program, from.Port)))
	case counts && mayLeadTo(from, to):
		why := fmt.Sprintf("%s at port %d does not tell where in its network namespace it passes connections on", from.Relay.Program, from.Port)
		out[i], changed = joined(out[i], inDoubt(by(from, out[j]), why))
	}
	return changed
}

// by are the answers about a relay as those of a socket that it leads to: the packets go to the relay, or to the first one in a row.
func by(relay *snapshot.Socket, list []Of) []Of {
	out := slices.Clone(list)
	for i := range out {
		if out[i].By == nil {
			out[i].By = relay
		}
	}
	return out
}

// inDoubt are the answers about a relay for a socket that it may lead to.
func inDoubt(list []Of, why string) []Of {
	for i := range list {
		if list[i].Verdict != packet.Unreachable {
			list[i].Answer = Answer{Answer: unknown(why), By: list[i].By}
		}
	}
	return list
}

// mayLead says whether the word of a socket's owner counts for another socket: root's does, and that of whose it is.
func (a *Asker) mayLead(relay, to *snapshot.Socket) bool {
	if relay.UID == 0 || relay.UID == to.UID && to.Netns == relay.Netns {
		return true
	}
	name, _ := OwnerOf(a.snap, to.Netns)
	return name == fmt.Sprintf("uid %d", relay.UID)
}

// takesAt says whether a socket takes what is for an address of its network namespace.
func takesAt(s *snapshot.Snapshot, sk *snapshot.Socket, to netip.Addr) bool {
	network := &s.Network
	if sk.Netns != s.Network.HostNetns() {
		e := s.Elsewhere(sk.Netns)
		if e == nil {
			return false
		}
		network = &e.Network
	}
	for j := range network.Links {
		for _, v4 := range Families(sk) {
			if slices.Contains(boundOn(sk, &network.Links[j], v4), to) {
				return true
			}
		}
	}
	return false
}

// joined keeps for each origin and family the worse of two answers, and says whether that is another one for any. What a relay takes in a family
// that the socket is not of gets there too.
func joined(own, relay []Of) (out []Of, changed bool) {
	out = slices.Clone(own)
	for j := range relay {
		r := &relay[j]
		i := slices.IndexFunc(own, func(o Of) bool { return o.Origin == r.Origin && o.V4 == r.V4 })
		switch {
		case i < 0 && r.Verdict != packet.Unreachable:
			out, changed = append(out, *r), true
		case i >= 0 && verdictRank[r.Verdict] > verdictRank[out[i].Verdict]:
			out[i].Answer, changed = r.Answer, true
		}
	}
	return out, changed
}
