package trace

import (
	"net/netip"

	"github.com/ringfence/ringfence/packet"
)

// broadcast4 is the delivery of a broadcast.
func (w *walk) broadcast4() Fate {
	if src := w.skb.src(); !zeronet(src) {
		if why := w.validSource(0); why != "" {
			return w.drop(why)
		}
	}
	w.tag = w.wayBack
	return w.deliver(true)
}

// multicast4 is the delivery to a group, whose source is checked like that of any packet for the host, only that a
// sender without an address may speak to the groups of a link and by IGMP (ip_mc_validate_source).
func (w *walk) multicast4(dst netip.Addr) Fate {
	open, passes := w.openSource()
	if open && !passes {
		return w.drop("martian")
	}
	src := w.skb.src()
	switch {
	case open:
	case isMulticast(src), src == limitedBroadcast:
		return w.drop("martian")
	case isLoopback(src) && !w.flag(w.in.conf.routeLocalnet, "route_localnet of "+w.in.Name):
		return w.drop("martian")
	case zeronet(src) && !dst.IsLinkLocalMulticast() && w.skb.proto != packet.IGMP:
		return w.drop("martian")
	}
	if open || !zeronet(src) {
		if why := w.validSource(0); why != "" {
			return w.drop(why)
		}
	}
	return w.multicast(dst, w.in.conf.mforward4, !dst.IsLinkLocalMulticast())
}

// multicast is delivered where somebody joined the group on the interface (ip_check_mc_rcu, ipv6_chk_mcast_addr). A
// multicast router also takes others, and passes on what it takes.
func (w *walk) multicast(dst netip.Addr, router int, routed bool) Fate {
	joined, why := w.joined(dst)
	if why == "" && routed && router != 0 {
		why = "whether a multicast router passes the group on"
	}
	if why != "" {
		joined = w.choose(2, nil, why) == 0
	}
	if !joined {
		return w.drop("multicast-not-joined")
	}
	w.tag = w.wayBack
	return w.deliver(true)
}

// joined says whether the interface is a member of the group, or why that is not known. Where groups were not
// read, it is of those that every host is in.
func (w *walk) joined(dst netip.Addr) (is bool, why string) {
	known := false
	for _, g := range w.in.groups {
		known = known || g.addr.Is4() == dst.Is4()
		if g.addr != dst {
			continue
		}
		if g.filtered {
			return false, "which senders the host listens to in the group"
		}
		return true, ""
	}
	all := dst == netip.AddrFrom4([4]byte{224, 0, 0, 1}) || dst == netip.MustParseAddr("ff02::1")
	if !known && !all {
		return false, "which multicast groups the host has joined was not read"
	}
	return !known, ""
}
