package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// follow takes packets from where they start to where they end.
func (e *engine) follow(live []cube, in *snapshot.Link, o packet.Origin, fib *fib) ([]arrival, error) {
	var err error
	if o.Local {
		return e.followLocal(live, fib)
	}
	if live, err = e.upThrough(live, in, fib.v4); err != nil {
		return nil, err
	}
	if live, err = e.hook(packet.Ingress, fib.v4, in.Name, live); err != nil {
		return nil, err
	}
	live = e.admitted(live, in, fib.v4)
	if live, err = e.hook(packet.Prerouting, fib.v4, "", live); err != nil {
		return nil, err
	}
	live = e.receive(live, in, fib)
	return e.route(live, in, fib)
}

// route parts packets by their routes, and takes each part through its hooks.
func (e *engine) route(live []cube, in *snapshot.Link, fib *fib) ([]arrival, error) {
	byOif := map[int][]cube{}
	var local []cube
	off, unread := e.forwardingOff(in, fib.v4)
	if unread {
		e.undecided = append(e.undecided, packet.Cause{Text: "whether " + in.Name + " forwards was not read"})
	}
	for i := range live {
		for _, r := range e.routes(live[i], in, fib) {
			c, p := r.cube, &r.part
			switch {
			case p.kind == routeKind["local"], p.kind == routeKind["broadcast"], p.kind == routeKind["anycast"]:
				local = append(local, c)
			case p.kind == routeKind["multicast"]:
				local = append(local, e.joined(c, in)...)
				e.passedOn(c, in, byOif)
			case off:
				e.stop(c, packet.Cause{Text: "forwarding is off on " + in.Name})
			case p.kind != routeKind["unicast"] || len(p.oifs) == 0:
				e.stop(c, packet.Cause{Text: "no route: " + p.route})
			default:
				for k, oif := range p.oifs {
					c.shadow = c.shadow || k > 0
					d := c.with(fOif, single(num(uint64(oif))))
					if len(p.oifs) > 1 {
						d = d.doubt(packet.Cause{Text: "several next hops of route " + p.route})
					}
					byOif[oif] = append(byOif[oif], d)
				}
			}
		}
	}
	local, err := e.hook(packet.Input, fib.v4, "", local)
	if err != nil {
		return nil, err
	}
	var out []arrival
	for _, c := range local {
		out = append(out, arrival{c, 0})
	}
	for _, oif := range sortedInts(byOif) {
		cubes := e.forwardable(byOif[oif])
		if !fib.v4 {
			cubes = e.forwardable6(cubes, oif)
		}
		if cubes, err = e.hook(packet.Forward, fib.v4, "", cubes); err != nil {
			return nil, err
		}
		if cubes, err = e.leave(cubes, oif, fib.v4); err != nil {
			return nil, err
		}
		for _, c := range cubes {
			out = append(out, arrival{c, oif})
		}
	}
	return out, nil
}

// leave takes packets through postrouting and egress of an interface.
func (e *engine) leave(live []cube, oif int, v4 bool) ([]cube, error) {
	for _, d := range e.surroundings(oif, packet.Egress) {
		for i := range live {
			live[i] = live[i].doubt(d)
		}
	}
	live, err := e.hook(packet.Postrouting, v4, "", live)
	if err != nil {
		return nil, err
	}
	l := e.snap.Network.Link(oif)
	if l == nil {
		return live, nil
	}
	if live, err = e.hook(packet.Egress, v4, l.Name, live); err != nil {
		return nil, err
	}
	return e.outBy(live, l, v4)
}

// routes is the routes of packets that came in. IPv6 looks up link-local destinations on the interface
// alone (rt6_need_strict): they are its own address, a neighbour's on the same link, or nobody's.
func (e *engine) routes(c cube, in *snapshot.Link, fib *fib) []routed {
	if fib.v4 || in.Loopback {
		return fib.input(c, in.Name)
	}
	scoped, rest := c.split(fDaddr, linkLocal)
	var out []routed
	for i := range rest {
		out = append(out, fib.input(rest[i], in.Name)...)
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
	for _, r := range e.snap.Network.Routes {
		p, err := netip.ParsePrefix(r.Dst)
		if err == nil && r.Family == 6 && p.Addr().IsLinkLocalUnicast() && slices.Contains(r.Oifs, in.Index) && r.Type != "multicast" {
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

func sortedInts[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// followLocal takes packets of the host through output: those for the host itself come back in over
// loopback.
func (e *engine) followLocal(live []cube, fib *fib) ([]arrival, error) {
	var out []arrival
	live, err := e.hook(packet.Output, fib.v4, "", live)
	if err != nil {
		return nil, err
	}
	byOif := map[int][]cube{}
	for i := range live {
		for _, c := range e.rerouted(live[i], fib) {
			oif := int(c.sets[fOif][0].lo.lo)
			byOif[oif] = append(byOif[oif], c)
		}
	}
	for _, oif := range sortedInts(byOif) {
		cubes, err := e.leave(byOif[oif], oif, fib.v4)
		if err != nil {
			return nil, err
		}
		where := oif
		if l := e.snap.Network.Link(oif); l != nil && l.Loopback {
			where = 0
			if cubes, err = e.overLoopback(cubes, l, fib.v4); err != nil {
				return nil, err
			}
		}
		for _, c := range cubes {
			out = append(out, arrival{c, where})
		}
	}
	return out, nil
}

// overLoopback takes packets of the host for itself back in.
func (e *engine) overLoopback(live []cube, lo *snapshot.Link, v4 bool) ([]cube, error) {
	for i := range live {
		live[i] = live[i].with(fIif, single(num(uint64(lo.Index))))
		live[i].sets[fOif] = single(num(0))
		for _, d := range e.surroundings(lo.Index, packet.Ingress) {
			live[i] = live[i].doubt(d)
		}
	}
	live, err := e.hook(packet.Ingress, v4, lo.Name, live)
	if err != nil {
		return nil, err
	}
	live = e.admitted(live, lo, v4)
	for _, hook := range []packet.Hook{packet.Prerouting, packet.Input} {
		if live, err = e.hook(hook, v4, "", live); err != nil {
			return nil, err
		}
	}
	return live, nil
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
	by := func(c cube, oifs []int, why string) {
		for k, oif := range oifs {
			c.shadow = c.shadow || k > 0
			d := c.with(fOif, single(num(uint64(oif))))
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
		by(f, all, "the process chooses the interface for such a destination")
	}
	if fib.v4 && len(routed) > 0 { // 0.0.0.0 is the host itself (ip_route_output_key_hash_rcu)
		var self []cube
		self, routed = routed[0].split(fDaddr, single(num(0)))
		for _, s := range self {
			by(s, loopback, "")
		}
	}
	for i := range routed {
		for _, r := range fib.lookup(routed[i], "lo", true) {
			p := &r.part
			oifs := p.oifs
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
			by(r.cube, oifs, "several next hops of route "+p.route)
		}
	}
	return out
}
