package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// routes is the routes of packets that came in. IPv6 looks up link-local destinations on the interface
// alone (rt6_need_strict): they are its own address, a neighbour's on the same link, or nobody's.
func (e *engine) routes(c cube, in *snapshot.Link, fib *fib) []routed {
	if fib.v4 || in.Loopback {
		return fib.input(c, in.Name, e.here)
	}
	scoped, rest := c.split(fDaddr, linkLocal)
	var out []routed
	for i := range rest {
		out = append(out, fib.input(rest[i], in.Name, e.here)...)
	}
	return append(out, e.onLink(scoped, fDaddr, in)...)
}

var linkLocal = prefixSet(netip.MustParsePrefix("fe80::/10"))

// onLink parts packets with a link-local address in a field by the routes of one interface.
func (e *engine) onLink(scoped []cube, f field, in *snapshot.Link) []routed {
	var out []routed
	parts := []part{{kind: routeKind["local"], oifs: []int{in.Index}}}
	for _, a := range linkAddrs(in, false) {
		if a.Addr().IsLinkLocalUnicast() {
			parts[0].addrs = append(parts[0].addrs, single(addrNumber(a.Addr()))...)
		}
	}
	parts[0].addrs = parts[0].addrs.normal()
	for i := range e.snap.Network.Routes {
		r := &e.snap.Network.Routes[i]
		if r.Family != 6 || r.Type == "multicast" || !slices.Contains(r.Oifs, in.Index) {
			continue
		}
		if p, err := netip.ParsePrefix(r.Dst); err == nil && p.Addr().IsLinkLocalUnicast() {
			parts = append(parts, part{addrs: prefixSet(p), kind: routeKind[r.Type], oifs: []int{in.Index}, route: r.Dst})
		}
	}
	slices.SortStableFunc(parts[1:], func(a, b part) int { // the longest prefix first: the smallest set
		switch wa, wb := a.addrs.weight(), b.addrs.weight(); {
		case wa < wb:
			return -1
		case wa > wb:
			return 1
		}
		return 0
	})
	for _, p := range parts {
		var next []cube
		for i := range scoped {
			in, not := scoped[i].split(f, p.addrs)
			next = append(next, not...)
			for _, x := range in {
				out = append(out, routed{x, p})
			}
		}
		scoped = next
	}
	for _, x := range scoped {
		out = append(out, routed{x, part{kind: routeKind["unreachable"], route: "no route"}})
	}
	return out
}

// forwardable6 stops sources that IPv6 does not forward to another interface (ip6_forward).
func (e *engine) forwardable6(in []cube, oif int) []cube {
	bound := append(slices.Clone(linkLocal), single(num(0))...)
	bound = append(bound, single(num(1))...).normal()
	var out []cube
	for i := range in {
		if in[i].sets[fIif].contains(num(uint64(oif))) { // back where it came from
			out = append(out, in[i])
			continue
		}
		stopped, rest := in[i].split(fSaddr, bound)
		out = append(out, rest...)
		for _, c := range stopped {
			e.stop(c, packet.Cause{Text: "a link-local source is not forwarded"})
		}
	}
	return out
}

// rerouted gives packets of the host whose destination or mark was changed a doubt about their
// interface, unless the change is to where they were going anyway: they are followed there and by the
// routes that they have now.
func (e *engine) rerouted(c cube, fib *fib) []cube {
	if !c.nat && c.sets[fMark].singleton() && c.sets[fMark][0].lo == num(0) {
		return []cube{c}
	}
	oif := int(c.sets[fOif][0].lo.lo)
	l := e.snap.Network.Link(oif)
	same := fib.via(oif)
	if l != nil && l.Loopback {
		same = fib.local()
	}
	if !fib.policy && c.sets[fDaddr].subtract(same).empty() {
		c.toMany = c.toMany && !c.nat
		c.tag.open = c.tag.open || fib.realms
		return []cube{c}
	}
	c = c.doubt(packet.Cause{Text: "a packet of the host is routed again after it was changed"})
	again := c
	again.shadow = true
	return append([]cube{c}, e.outward(again, fib, true)...)
}

// outward gives packets of the host the interfaces that they leave by: those of their routes, or any where
// the process chooses. Packets without a route are stopped, but not those that are followed another way.
func (e *engine) outward(c cube, fib *fib, again bool) []cube {
	chosen := fib.multicast
	if fib.v4 {
		chosen = append(slices.Clone(chosen), single(num(0xffffffff))...).normal()
	} else {
		chosen = append(linkLocal.subtract(e.ownAddrs(false)), chosen...).normal()
	}
	var out []cube
	var encap *snapshot.Route
	var realm tag
	by := func(c cube, oifs []int, toMany bool, why string) {
		c.toMany = toMany
		for k, oif := range oifs {
			c.shadow = c.shadow || k > 0
			d := c.with(fOif, single(num(uint64(oif))))
			d.encap, d.tag = encap, realm
			if len(oifs) > 1 {
				d = d.doubt(packet.Cause{Text: why})
			}
			out = append(out, d)
		}
	}
	var loopback, all []int
	for i := range e.snap.Network.Links {
		l := &e.snap.Network.Links[i]
		all = append(all, l.Index)
		if l.Loopback {
			loopback = append(loopback, l.Index)
		}
	}
	free, routed := c.split(fDaddr, chosen)
	for _, f := range free {
		by(f, all, true, "the process chooses the interface for such a destination")
	}
	if fib.v4 && len(routed) > 0 { // 0.0.0.0 is the host itself (ip_route_output_key_hash_rcu)
		var self []cube
		self, routed = routed[0].split(fDaddr, single(num(0)))
		for _, s := range self {
			by(s, loopback, false, "")
		}
	}
	for i := range routed {
		for _, r := range fib.lookup(routed[i], "lo", true) {
			p := &r.part
			oifs := p.oifs
			encap, realm = p.encap, tag{}
			if p.kind != routeKind["broadcast"] { // which takes none from its route (__mkroute_output)
				realm = fib.tagOf(p, tag{})
			}
			switch p.kind {
			case routeKind["local"], routeKind["anycast"]:
				oifs = loopback
			case routeKind["unicast"], routeKind["broadcast"]:
			default:
				oifs = nil
			}
			if len(oifs) == 0 && !again {
				e.stop(r.cube, packet.Cause{Text: "no route: " + p.route})
			}
			by(r.cube, oifs, p.kind == routeKind["broadcast"] || p.kind == routeKind["anycast"], "several next hops of route "+p.route)
		}
	}
	return out
}

// forwardingOff applies the switches that the kernel asks for a packet that it would forward: for IPv4
// that of the incoming interface (ip_route_input_slow), for IPv6 that of all interfaces, or
// force_forwarding of the incoming one (ip6_forward, Linux 6.17).
func (m *Model) forwardingOff(in *snapshot.Link, v4 bool) (off, unknown bool) {
	e := m.newEngine()
	if v4 {
		own, ok := e.sysctl("net/ipv4/conf/" + in.Name + "/forwarding")
		return ok && own == 0, !ok
	}
	all, ok := e.sysctl("net/ipv6/conf/all/forwarding")
	if !ok || all != 0 {
		return false, !ok
	}
	force, ok := e.sysctl("net/ipv6/conf/" + in.Name + "/force_forwarding")
	return ok && force == 0, !ok
}
