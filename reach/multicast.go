package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// linkGroups are never routed (ipv4_is_local_multicast), anonymousTo is what also senders without an address speak
// to, interfaceGroups are those of the scopes 0 and 1, linkScoped and siteScoped are all
// addresses of IPv6 of one link and of a site.
var (
	linkGroups      = prefixSet(netip.MustParsePrefix("224.0.0.0/24"))
	anonymousTo     = append(append(single(num(0)), linkGroups...), single(num(0xffffffff))...).normal()
	mappedAddrs     = prefixSet(netip.MustParsePrefix("::ffff:0:0/96"))
	interfaceGroups = groupsOfScope(0, 15)
	linkScoped      = append(groupsOfScope(2, 16), linkLocal...).normal()
	siteScoped      = append(groupsOfScope(5, 16), prefixSet(netip.MustParsePrefix("fec0::/10"))...).normal()
)

// groupsOfScope is the groups of IPv6 of a scope, and of those that differ from it after so many bits.
func groupsOfScope(scope byte, bits int) set {
	var s set
	for flags := range byte(16) {
		s = append(s, prefixSet(netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff, flags<<4 | scope}), bits))...)
	}
	return s.normal()
}

// joined keeps packets for the multicast groups that the host has joined on the interface (ip_check_mc_rcu,
// ipv6_chk_mcast_addr). Where that depends on more, it is a doubt.
func (e *engine) joined(c cube, in *snapshot.Link) []cube {
	member, filtered, known := groups(in, c.v4)
	if !known {
		return []cube{c.doubt(packet.Cause{Text: "which multicast groups the host has joined was not read"})}
	}
	live, rest := c.split(fDaddr, append(set{}, member...).normal())
	for _, r := range rest {
		some, none := r.split(fDaddr, append(set{}, filtered...).normal())
		for _, s := range some {
			live = append(live, s.doubt(packet.Cause{Text: "which senders the host listens to in the group"}))
		}
		for _, n := range none {
			live = append(live, e.unjoined(n, in)...)
		}
	}
	return live
}

// groups are those that the host has joined on an interface, apart those of some senders alone, and whether that was read.
func groups(in *snapshot.Link, v4 bool) (member, filtered set, known bool) {
	for _, g := range in.Groups {
		a, err := netip.ParseAddr(g.Addr)
		if err != nil || a.Is4() != v4 {
			continue
		}
		known = true
		if g.Filtered {
			filtered = append(filtered, single(addrNumber(a))...)
		} else {
			member = append(member, single(addrNumber(a))...)
		}
	}
	return member, filtered, known
}

// unjoined stops packets for groups that the host is not in, but where a multicast router may take them
// (ip_route_input_rcu, ip6_mc_input).
func (e *engine) unjoined(c cube, in *snapshot.Link) []cube {
	on := e.multicastRouter(in, c.v4)
	var live []cube
	local, routed := c.split(fDaddr, linkGroups)
	if !c.v4 {
		local, routed = nil, []cube{c}
	}
	for _, r := range routed {
		if on {
			live = append(live, r.doubt(packet.Cause{Text: "whether a multicast router passes the group on"}))
		} else {
			local = append(local, r)
		}
	}
	for _, l := range local {
		e.stop(l, packet.Cause{Text: "the host has not joined the multicast group on " + in.Name})
	}
	return live
}

// passedOn adds groups that a multicast router may send out by any other interface.
func (e *engine) passedOn(c cube, in *snapshot.Link, byOif map[int][]cube) {
	if !e.multicastRouter(in, c.v4) {
		return
	}
	c = c.doubt(packet.Cause{Text: "whether a multicast router passes the group on"})
	c.shadow, c.tag.open = true, e.fibs[c.v4].realms
	for i := range e.snap.Network.Links {
		if l := &e.snap.Network.Links[i]; l.Up && !l.Loopback && l.Index != in.Index {
			byOif[l.Index] = append(byOif[l.Index], c.with(fOif, single(num(uint64(l.Index)))))
		}
	}
}

// multicastRouter says whether one takes packets from an interface, or from any where in is nil, or that was not read.
func (e *engine) multicastRouter(in *snapshot.Link, v4 bool) bool {
	family := "ipv6"
	if v4 {
		family = "ipv4"
	}
	all, ok := e.sysctl("net/" + family + "/conf/all/mc_forwarding")
	if !ok || !v4 || in == nil {
		return all != 0 || !ok
	}
	own, ok := e.sysctl("net/ipv4/conf/" + in.Name + "/mc_forwarding")
	return all != 0 && (own != 0 || !ok)
}

// anonymous parts packets of IPv4 from 0.0.0.0, which is a sender for all of a link alone, and whose way back is not
// looked up (ip_route_input_slow, ip_mc_validate_source).
func (e *engine) anonymous(in []cube) (named, nameless []cube) {
	for i := range in {
		from, rest := in[i].split(fSaddr, single(num(0)))
		named = append(named, rest...)
		for _, c := range from {
			to := anonymousTo
			if c.sets[fProto].contains(num(2)) { // IGMP
				to = append(slices.Clone(to), e.fibs[true].multicast...).normal()
			}
			yes, no := c.split(fDaddr, to)
			nameless = append(nameless, yes...)
			for _, n := range no {
				e.stop(n, packet.Cause{Text: "0.0.0.0 is no sender for one host"})
			}
		}
	}
	return named, nameless
}

// beyondInterface stops packets for groups that do not reach beyond an interface.
func (e *engine) beyondInterface(in []cube, iif *snapshot.Link) []cube {
	if iif.Loopback {
		return in
	}
	var live []cube
	for i := range in {
		stopped, rest := in[i].split(fDaddr, interfaceGroups)
		live = append(live, rest...)
		for _, c := range stopped {
			e.stop(c, packet.Cause{Text: "the multicast group is of one interface"})
		}
	}
	return live
}

// withoutLookup parts packets for which a fib expression finds the interface that they came in by without a look-up:
// for the groups of a link, and of senders without an address to others on their link (nft_fib4_eval,
// nft_fib_v6_skip_icmpv6). The routes of other groups of IPv6 are not followed.
func (m *machine) withoutLookup(f field, c cube) (here, groups, live []cube) {
	if m.hook == packet.Output || m.hook == packet.Postrouting || m.hook == packet.Egress {
		return nil, nil, []cube{c}
	}
	if !c.v4 && f == fDaddr {
		here, live = c.split(fDaddr, linkScoped)
		var rest []cube
		for i := range live {
			var g []cube
			g, rest = live[i].split(fDaddr, m.fibs[false].multicast)
			groups = append(groups, g...)
		}
		return here, groups, rest
	}
	nobody, live := c.split(fSaddr, single(num(0)))
	for i := range nobody {
		to := linkScoped
		if c.v4 {
			to = anonymousTo.subtract(single(num(0)))
		} else if !c.sets[fProto].contains(num(58)) {
			to = nil
		}
		yes, no := nobody[i].split(fDaddr, to)
		here, live = append(here, yes...), append(live, no...)
	}
	return here, nil, live
}
