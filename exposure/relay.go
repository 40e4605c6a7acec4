package exposure

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// LeadsTo says whether the owner of a socket passes connections on to another one, in another network namespace.
func LeadsTo(s *snapshot.Snapshot, relay, to *snapshot.Socket) bool {
	r := relay.Relay
	return r != nil && r.Addr != "" && to.Port == r.Port && to.Proto == relay.Proto && takesAt(s, to, r.Addr)
}

// relayed joins to the answers about sockets of other network namespaces those about programs that pass connections on to them: who reaches
// the program's port reaches the socket.
func (a *Asker) relayed(sockets []int, out map[int][]Of) {
	list := a.snap.Listeners.Sockets
	for j := range list {
		if list[j].Relay == nil || list[j].Netns != a.snap.Network.HostNetns() {
			continue
		}
		for _, i := range sockets {
			if sk := &list[i]; LeadsTo(a.snap, &list[j], sk) && a.mayLead(&list[j], sk.Netns) {
				out[i] = joined(out[i], out[j])
			}
		}
	}
}

// mayLead says whether the word of a socket's owner counts for a network namespace: root's does, and that of whose it is.
func (a *Asker) mayLead(relay *snapshot.Socket, netns uint64) bool {
	if relay.UID == 0 {
		return true
	}
	name, _ := OwnerOf(a.snap, netns)
	return name == fmt.Sprintf("uid %d", relay.UID)
}

// takesAt says whether a socket of another network namespace takes what is for an address of that namespace.
func takesAt(s *snapshot.Snapshot, sk *snapshot.Socket, addr string) bool {
	to, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	for i := range s.Namespaces {
		e := &s.Namespaces[i]
		if e.Netns != sk.Netns {
			continue
		}
		for j := range e.Network.Links {
			for _, v4 := range Families(sk) {
				if slices.Contains(boundOn(sk, &e.Network.Links[j], v4), to) {
					return true
				}
			}
		}
	}
	return false
}

// joined keeps for each origin and family the worse of two answers.
func joined(own, relay []Of) []Of {
	for i := range own {
		for j := range relay {
			if r := &relay[j]; r.Origin == own[i].Origin && r.V4 == own[i].V4 && verdictRank[r.Verdict] > verdictRank[own[i].Verdict] {
				own[i].Answer = r.Answer
			}
		}
	}
	return own
}
