package exposure

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// LeadsTo says whether the owner of a socket passes connections on to another one: in its own network namespace or, by an address that is not
// loopback, from that of the socket into another one.
func LeadsTo(s *snapshot.Snapshot, relay, to *snapshot.Socket) bool {
	r := relay.Relay
	if r == nil || r.Addr == "" || to.Port != r.Port || to.Proto != relay.Proto {
		return false
	}
	at, err := netip.ParseAddr(r.Addr)
	if err != nil || to.Netns != cmp.Or(r.Netns, relay.Netns) && (r.Netns != 0 || at.IsLoopback()) {
		return false
	}
	return takesAt(s, to, at)
}

// mayLeadTo says of the owner of a socket that it passes connections on in the network namespace of another socket, to where it does not tell.
func mayLeadTo(relay, to *snapshot.Socket) bool {
	r := relay.Relay
	return r.Addr == "" && r.Netns != 0 && r.Netns == to.Netns && relay.Proto == to.Proto
}

// relayed joins to the answers about sockets those about programs that pass connections on to them: who reaches the program's port reaches
// the socket.
func (a *Asker) relayed(sockets []int, out map[int][]Of) {
	list := a.snap.Listeners.Sockets
	for j := range list {
		if list[j].Relay == nil || list[j].Netns != a.snap.Network.HostNetns() {
			continue
		}
		for _, i := range sockets {
			sk := &list[i]
			switch {
			case i == j || !a.mayLead(&list[j], sk):
			case LeadsTo(a.snap, &list[j], sk):
				out[i] = joined(out[i], out[j])
			case mayLeadTo(&list[j], sk):
				out[i] = joined(out[i], inDoubt(out[j], &list[j]))
			}
		}
	}
}

// inDoubt are the answers about a relay for a socket that it may lead to.
func inDoubt(list []Of, relay *snapshot.Socket) []Of {
	out := slices.Clone(list)
	for i := range out {
		if out[i].Verdict != packet.Unreachable {
			why := fmt.Sprintf("%s at port %d does not tell where in its network namespace it passes connections on", relay.Relay.Program, relay.Port)
			out[i].Answer = Answer{Answer: unknown(why)}
		}
	}
	return out
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

// joined keeps for each origin and family the worse of two answers. What a relay takes in a family that the socket is not of gets there too.
func joined(own, relay []Of) []Of {
	out := slices.Clone(own)
	for j := range relay {
		r := &relay[j]
		i := slices.IndexFunc(own, func(o Of) bool { return o.Origin == r.Origin && o.V4 == r.V4 })
		switch {
		case i < 0 && r.Verdict != packet.Unreachable:
			out = append(out, *r)
		case i >= 0 && verdictRank[r.Verdict] > verdictRank[out[i].Verdict]:
			out[i].Answer = r.Answer
		}
	}
	return out
}
