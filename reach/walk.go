package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// follow takes packets from where they start to where they end.
func (e *engine) follow(live []cube, in *snapshot.Link, o packet.Origin, fib *fib) ([]arrival, error) {
	var err error
	if o.Local {
		return e.followLocal(unclassed(live), fib)
	}
	if givesClass(in, e.snap) {
		live = unclassed(live)
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
	live = e.receive(e.letGo(live, in, fib.v4), in, fib)
	return e.route(live, in, fib)
}

// route parts packets by their routes, and takes each part through its hooks.
func (e *engine) route(live []cube, in *snapshot.Link, fib *fib) ([]arrival, error) {
	local, byOif := e.decide(live, in, fib)
	local, err := e.hook(packet.Input, fib.v4, "", local)
	if err != nil {
		return nil, err
	}
	local = e.protected("in", local, in)
	out := make([]arrival, len(local))
	for i := range local {
		out[i].cube = local[i]
	}
	for _, oif := range sortedInts(byOif) {
		cubes := e.forwardable(e.untaken(byOif[oif]))
		if !fib.v4 {
			cubes = e.forwardable6(cubes, oif)
		}
		cubes = e.protected("out", e.protected("fwd", cubes, in), e.snap.Network.Link(oif))
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

// decide parts packets by their routes: those for the host itself, and the others by the interface that they would leave by.
func (e *engine) decide(live []cube, in *snapshot.Link, fib *fib) (local []cube, byOif map[int][]cube) {
	byOif = map[int][]cube{}
	off, unread := e.forwardingOff(in, fib.v4)
	if unread && !e.here {
		e.undecided = append(e.undecided, packet.Cause{Text: "whether " + in.Name + " forwards was not read"})
	}
	for i := range live {
		for _, r := range e.routes(live[i], in, fib) {
			c, p := r.cube, &r.part
			switch {
			case p.kind == routeKind["local"], p.kind == routeKind["broadcast"], p.kind == routeKind["anycast"]:
				for _, c := range e.lateCheck(c, in, fib, 0) {
					c.toMany, c.tag = p.kind != routeKind["local"], fib.tagOf(&part{}, c.back)
					local = append(local, c)
				}
			case p.kind == routeKind["multicast"]:
				for _, c := range e.lateCheck(c, in, fib, 0) {
					c.toMany, c.tag = true, fib.tagOf(&part{}, c.back)
					local = append(local, e.joined(c, in)...)
					e.passedOn(c, in, byOif)
				}
			case p.encap != nil && p.encap.Bypasses() && !off:
				e.open(encapsulated(p))
			case e.here:
				e.stop(c, packet.Cause{Text: "the destination is no address of the host"})
			case off:
				e.stop(c, packet.Cause{Text: "forwarding is off on " + in.Name})
			case p.kind != routeKind["unicast"] || len(p.oifs) == 0:
				e.stop(c, packet.Cause{Text: "no route: " + p.route})
			default:
				e.sendOn(c, p, in, fib, byOif)
			}
		}
	}
	return local, byOif
}

// sendOn puts packets to the interfaces of their route.
func (e *engine) sendOn(c cube, p *part, in *snapshot.Link, fib *fib, byOif map[int][]cube) {
	for k, oif := range p.oifs {
		c.shadow = c.shadow || k > 0
		for _, d := range e.lateCheck(c, in, fib, oif) {
			d = d.with(fOif, single(num(uint64(oif))))
			d.encap, d.tag = p.encap, fib.tagOf(p, d.back)
			d.forwarded()
			if len(p.oifs) > 1 {
				d = d.doubt(packet.Cause{Text: "several next hops of route " + p.route})
			}
			if oif == in.Index {
				d = e.switchedBack(d, in)
				byOif[oif] = append(byOif[oif], e.backOut(d, in, fib)...)
				continue
			}
			byOif[oif] = append(byOif[oif], d)
		}
	}
}

// switchedBack is what br_netfilter gave another destination on the bridge that it came in by: it is not routed but switched, from port to port
// (br_nf_pre_routing_finish). Which ports are on its way is not followed here.
func (e *engine) switchedBack(c cube, in *snapshot.Link) cube {
	if on, unread := e.callsIP(in, c.v4); in.Kind != "bridge" || !on && unread == "" || !c.nat && !c.readdressed() {
		return c
	}
	return c.doubt(packet.Cause{Text: "br_netfilter switches what was given another destination on " + in.Name})
}

// open notes what is not followed at all.
func (e *engine) open(why packet.Cause) {
	if !slices.Contains(e.undecided, why) {
		e.undecided = append(e.undecided, why)
	}
}

// encapsulated is why the way of packets on a route is not followed.
func encapsulated(p *part) packet.Cause {
	return packet.Cause{Text: "what the route to " + p.route + " does with packets (encap " + p.encap.Encap + ")"}
}

// leave takes packets through postrouting and egress of an interface.
func (e *engine) leave(live []cube, oif int, v4 bool) ([]cube, error) {
	for _, d := range e.surroundings(oif, packet.Egress) {
		for i := range live {
			live[i] = live[i].doubt(d)
		}
	}
	for i := range live {
		if r := live[i].encap; r != nil {
			e.open(encapsulated(&part{route: r.Dst, encap: r}))
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
	live = e.resourced(live)
	if live, err = e.hook(packet.Egress, v4, l.Name, live); err != nil {
		return nil, err
	}
	return e.outBy(live, l, v4)
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
// loopback, and copies of those for many hosts by the interface that they leave by.
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
		l := e.snap.Network.Link(oif)
		back, leaving := e.comesBack(e.sent(e.protected("out", byOif[oif], l)), l, fib)
		if l != nil && l.Loopback {
			back, err = e.leave(back, oif, fib.v4)
		} else {
			back, err = e.hook(packet.Postrouting, fib.v4, "", back)
		}
		if err == nil {
			back, err = e.backIn(back, l, fib.v4)
		}
		if err == nil {
			leaving, err = e.leave(leaving, oif, fib.v4)
		}
		if err != nil {
			return nil, err
		}
		for _, c := range back {
			out = append(out, arrival{c, 0})
		}
		for _, c := range leaving {
			out = append(out, arrival{c, oif})
		}
	}
	return out, nil
}

// comesBack parts packets of the host by whether the host gets them back: over loopback all, and of those for many hosts a
// copy (ip_mc_output, ip6_finish_output2), which leaves by the interface as well. That is a doubt: the process can turn it off.
func (e *engine) comesBack(in []cube, l *snapshot.Link, fib *fib) (back, leaving []cube) {
	switch {
	case l != nil && l.Loopback && !l.Up:
		for _, c := range in {
			e.stop(c, packet.Cause{Text: "loopback is down"})
		}
		return nil, nil
	case l != nil && l.Loopback:
		for i := range in {
			groups, rest := in[i].split(fDaddr, fib.multicast)
			back = append(back, rest...)
			for _, g := range groups {
				back = append(back, e.joined(g, l)...)
			}
		}
		return back, nil
	}
	if l != nil && l.Up {
		member, filtered, known := groups(l, fib.v4)
		many := append(append(member, filtered...), fib.broadcasts()...)
		if !known {
			many = append(many, fib.multicast...)
		}
		for i := range in {
			copies, _ := in[i].split(fDaddr, append(set{}, many...).normal())
			for _, c := range copies {
				c = c.doubt(packet.Cause{Text: "the host gets back what it sends to many"})
				c.shadow, c.toMany = true, true
				back = append(back, c)
			}
		}
	}
	if !e.here {
		return back, in
	}
	for _, c := range in {
		e.stop(c, packet.Cause{Text: "the destination is no address of the host"})
	}
	return back, nil
}

// backIn takes packets of the host that come back in by an interface: their route was found on the way out.
func (e *engine) backIn(live []cube, l *snapshot.Link, v4 bool) ([]cube, error) {
	if len(live) == 0 {
		return nil, nil
	}
	for i := range live {
		live[i] = live[i].with(fIif, single(num(uint64(l.Index))))
		live[i].sets[fOif] = single(num(0))
		for _, d := range e.surroundings(l.Index, packet.Ingress) {
			live[i] = live[i].doubt(d)
		}
	}
	live, err := e.hook(packet.Ingress, v4, l.Name, live)
	if err != nil {
		return nil, err
	}
	live = e.admitted(live, l, v4)
	for _, hook := range []packet.Hook{packet.Prerouting, packet.Input} {
		if live, err = e.hook(hook, v4, "", live); err != nil {
			return nil, err
		}
	}
	return live, nil
}
