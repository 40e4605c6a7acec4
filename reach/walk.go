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
