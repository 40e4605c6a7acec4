package exposure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// sharesHosts says of an interface that it has a part of the frames of one of the host's: macvlan, ipvlan and their taps.
func (v *view) sharesHosts(l *snapshot.Link) bool {
	return slices.Contains([]string{"macvlan", "macvtap", "ipvlan", "ipvtap"}, l.Kind) &&
		l.PeerNetns != 0 && l.PeerNetns == v.host.snap.Network.HostNetns() && v.host.snap.Network.Link(l.PeerIndex) != nil
}

// shared is for an interface that shares one of the host's. What comes in there for it never meets the host's stack: only ingress of the
// interface below is before it (__netif_receive_skb_core, then macvlan_handle_frame or ipvlan_handle_frame). What the host itself sends,
// or forwards, does not come back in by that interface, unless somebody outside sends it back.
func (v *view) shared(sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, v4 bool) Answer {
	below := v.host.snap.Network.Link(l.PeerIndex)
	if o.Local || o.Index != below.Index {
		return v.sentBack(sk, l, below, o, v4)
	}
	own := v.inside(sk, l, o.From, o.Except, v4)
	switch why := v.before(l, below); {
	case own.Verdict == packet.Unreachable:
		return own
	case why != "":
		return Answer{Answer: unknown(why)}
	}
	return own
}

// before is what can stop frames for a sharing interface on their way to it, or tell that it does not get them all.
func (v *view) before(l, below *snapshot.Link) string {
	switch {
	case l.Mode == "source":
		return l.Name + " of its network namespace takes frames of some senders alone, and of which was not read"
	case l.Mode == "l3s" || l.Mode == "":
		return "frames for " + l.Name + " of its network namespace meet filters of the host, in a mode that is not followed"
	case below.TCUnread != "":
		return "whether a program at ingress of " + below.Name + " comes first was not read"
	case below.XDP || len(below.TC) > 0:
		return "a program at ingress of " + below.Name + " comes first"
	case ingressChain(v.host.snap.NFTables.Ruleset, below.Name):
		return "chains at ingress of " + below.Name + " come first"
	case v.host.snap.Section("nftables").Status != snapshot.OK && v.host.snap.Section("nftables").Status != snapshot.Absent:
		return "whether chains at ingress of " + below.Name + " come first was not read"
	}
	return ""
}

// ingressChain says whether a base chain runs at ingress of an interface.
func ingressChain(rs *ruleset.Ruleset, name string) bool {
	if rs == nil {
		return false
	}
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			b := rs.Tables[i].Chains[j].Base
			if b != nil && b.Hook == string(packet.Ingress) && !rs.Tables[i].Dormant && (len(b.Devices) == 0 || slices.Contains(b.Devices, name)) {
				return true
			}
		}
	}
	return false
}

// sentBack is for packets that leave the host by the interface below.
func (v *view) sentBack(sk *snapshot.Socket, l, below *snapshot.Link, o *zones.Origin, v4 bool) Answer {
	q := &reach.Question{From: []packet.Origin{o.Origin}, Proto: sk.Proto, To: reach.Target{Oifs: []int{below.Index}}, Family: family(v4)}
	a := v.host.model.Reach(q)
	if a.Verdict == packet.Unreachable {
		if o.Zone == zones.Workload && v.besideIt(sk, l, v4) {
			return Answer{Answer: unknown(fmt.Sprintf(
				"nothing of this interface gets to %s of its network namespace; other workloads share %s with it, and send to it past the host", l.Name, below.Name,
			))}
		}
		return v.host.second(q, a)
	}
	return Answer{Answer: unknown(fmt.Sprintf(
		"what leaves by %s comes in by %s of its network namespace only if somebody outside sends it back", below.Name, l.Name,
	))}
}

// besideIt says whether another network namespace shares the interface below, exchanges frames with this one without the host
// (macvlan_queue_xmit, ipvlan_queue_xmit), and gets to the socket, or may.
func (v *view) besideIt(sk *snapshot.Socket, l *snapshot.Link, v4 bool) bool {
	var from []netip.Prefix
	for i := range v.host.snap.Namespaces {
		e := &v.host.snap.Namespaces[i]
		for j := range e.Network.Links {
			m := &e.Network.Links[j]
			if e.Netns != v.seen.Netns && m.Up && m.PeerNetns == l.PeerNetns && m.PeerIndex == l.PeerIndex && exchanges(l, m) {
				from = append(from, addressesOf(m)...)
			}
		}
	}
	return len(from) > 0 && v.inside(sk, l, from, nil, v4).Verdict != packet.Unreachable
}

// exchanges says of two interfaces that share a third one whether what one sends gets to the other.
func exchanges(a, b *snapshot.Link) bool {
	mac := func(l *snapshot.Link) bool { return strings.HasPrefix(l.Kind, "mac") }
	switch {
	case mac(a) != mac(b):
		return false
	case mac(a):
		return a.Mode == b.Mode && (a.Mode == "bridge" || a.Mode == "")
	}
	return slices.Contains([]string{"ipvlan", "ipvtap"}, b.Kind)
}
