package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// follow takes packets from where they start to where they end.
func (e *engine) follow(live []cube, in *snapshot.Link, o Origin, fib *fib) ([]arrival, error) {
	var err error
	if o.Local {
		return e.followLocal(live, fib)
	}
	if live, err = e.hook("ingress", fib.v4, in.Name, live); err != nil {
		return nil, err
	}
	if live, err = e.hook("prerouting", fib.v4, "", live); err != nil {
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
		e.undecided = append(e.undecided, Cause{Text: "whether " + in.Name + " forwards was not read"})
	}
	for i := range live {
		for _, r := range e.routes(live[i], in, fib) {
			c, p := r.cube, &r.part
			switch {
			case p.kind == routeKind["local"], p.kind == routeKind["broadcast"], p.kind == routeKind["anycast"]:
				local = append(local, c)
			case p.kind == routeKind["multicast"]:
				local = append(local, c.doubt(Cause{Text: "which multicast groups the host has joined was not read"}))
			case off:
				e.stop(c, Cause{Text: "forwarding is off on " + in.Name})
			case p.kind != routeKind["unicast"] || len(p.oifs) == 0:
				e.stop(c, Cause{Text: "no route: " + p.route})
			default:
				for k, oif := range p.oifs {
					c.shadow = c.shadow || k > 0
					d := c.with(fOif, single(num(uint64(oif))))
					if len(p.oifs) > 1 {
						d = d.doubt(Cause{Text: "several next hops of route " + p.route})
					}
					byOif[oif] = append(byOif[oif], d)
				}
			}
		}
	}
	local, err := e.hook("input", fib.v4, "", local)
	if err != nil {
		return nil, err
	}
	var out []arrival
	for _, c := range local {
		out = append(out, arrival{c, 0})
	}
	for _, oif := range sortedInts(byOif) {
		cubes := byOif[oif]
		if !fib.v4 {
			cubes = e.forwardable6(cubes)
		}
		for _, d := range e.surroundings(oif) {
			for i := range cubes {
				cubes[i] = cubes[i].doubt(d)
			}
		}
		for _, hook := range []string{"forward", "postrouting"} {
			if cubes, err = e.hook(hook, fib.v4, "", cubes); err != nil {
				return nil, err
			}
		}
		if l := e.snap.Network.Link(oif); l != nil {
			if cubes, err = e.hook("egress", fib.v4, l.Name, cubes); err != nil {
				return nil, err
			}
		}
		for _, c := range cubes {
			out = append(out, arrival{c, oif})
		}
	}
	return out, nil
}

// routes is the routes of packets that came in. IPv6 looks up link-local destinations on the interface
// alone (rt6_need_strict): they are its own address, a neighbour's on the same link, or nobody's.
func (e *engine) routes(c cube, in *snapshot.Link, fib *fib) []routed {
	if fib.v4 || in.Loopback {
		return fib.input(c, in.Name)
	}
	scoped, rest := c.split(fDaddr, prefixSet(netip.MustParsePrefix("fe80::/10")))
	var out []routed
	for i := range rest {
		out = append(out, fib.input(rest[i], in.Name)...)
	}
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
			in, not := scoped[i].split(fDaddr, p.addrs)
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

// forwardable6 stops sources that IPv6 never forwards (ip6_forward).
func (e *engine) forwardable6(in []cube) []cube {
	bound := append(prefixSet(netip.MustParsePrefix("fe80::/10")), single(num(0))...)
	bound = append(bound, single(num(1))...).normal()
	var out []cube
	for i := range in {
		stopped, rest := in[i].split(fSaddr, bound)
		out = append(out, rest...)
		for _, c := range stopped {
			e.stop(c, Cause{Text: "a link-local source is not forwarded"})
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
	live, err := e.hook("output", fib.v4, "", live)
	if err != nil {
		return nil, err
	}
	for i := range live {
		live[i] = e.rerouted(live[i], fib)
	}
	if live, err = e.hook("postrouting", fib.v4, "", live); err != nil {
		return nil, err
	}
	for _, c := range live {
		oif := int(c.sets[fOif][0].lo.lo)
		l := e.snap.Network.Link(oif)
		if l == nil || !l.Loopback {
			out = append(out, arrival{c, oif})
			continue
		}
		c.sets[fOif], c.sets[fIif] = single(num(0)), single(num(uint64(oif)))
		in, err := e.hook("prerouting", fib.v4, "", []cube{c})
		if err != nil {
			return nil, err
		}
		if in, err = e.hook("input", fib.v4, "", in); err != nil {
			return nil, err
		}
		for _, c := range in {
			out = append(out, arrival{c, 0})
		}
	}
	return out, nil
}

// rerouted gives packets of the host whose destination or mark was changed a doubt about their
// interface, unless the change is to where they were going anyway.
func (e *engine) rerouted(c cube, fib *fib) cube {
	if !c.nat && c.sets[fMark].singleton() && c.sets[fMark][0].lo == num(0) {
		return c
	}
	oif := int(c.sets[fOif][0].lo.lo)
	l := e.snap.Network.Link(oif)
	same := fib.via(oif)
	if l != nil && l.Loopback {
		same = fib.local()
	}
	if !fib.policy && c.sets[fDaddr].subtract(same).empty() {
		return c
	}
	return c.doubt(Cause{Text: "a packet of the host is routed again after it was changed"})
}
