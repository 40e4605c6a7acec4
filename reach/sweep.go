package reach

import (
	"errors"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// Socket asks whether a packet of the origin is handed to a listening socket of the host's network
// namespace. A dual-stack socket is asked about in the family that v4 names.
func (m *Model) Socket(o packet.Origin, s *snapshot.Socket, v4 bool) Answer {
	return m.walk(o, s, v4, single(num(uint64(s.Port))), maxSteps).Port(s.Port)
}

// Sweep is the answer for many ports of one kind of socket: thousands of sockets that differ in the
// port alone cost one walk through the rules.
type Sweep struct {
	e       *engine
	socket  snapshot.Socket
	bound   set
	origin  packet.Origin
	v4      bool
	ports   set // that were asked about
	in      *snapshot.Link
	arrived []cube
	err     error
	fixed   *Answer  // the same for every port
	other   *Sweep   // the same with chains of equal priority in the other order, where that can matter
	halves  []*Sweep // of the ports, where they were too many for one walk
}

// Sweep walks the rules for a socket of that protocol, address and device on any of the ports. It is worth it
// for many sockets, and possible for rules that do not split the ports into too many cases: then Port asks about half of
// the ports, in the end about the one.
func (m *Model) Sweep(o packet.Origin, s *snapshot.Socket, v4 bool, ports []int) *Sweep {
	var all set
	for _, p := range ports {
		all = append(all, single(num(uint64(p)))...)
	}
	return m.sweep(o, s, v4, append(set{}, all...).normal())
}

// leastSweep is the steps that a walk for many ports may always take.
const leastSweep = 32_000

// sweep may take a sixteenth of the steps that a walk for each port would.
func (m *Model) sweep(o packet.Origin, s *snapshot.Socket, v4 bool, ports set) *Sweep {
	return m.walk(o, s, v4, ports, max(leastSweep, int(ports.size(65536))*m.rules/16))
}

func (m *Model) walk(o packet.Origin, s *snapshot.Socket, v4 bool, ports set, steps int) *Sweep {
	w := m.walkInOrder(o, s, v4, ports, steps, false)
	if len(w.e.tied) > 0 {
		w.other = m.walkInOrder(o, s, v4, ports, steps, true)
	}
	return w
}

func (m *Model) walkInOrder(o packet.Origin, s *snapshot.Socket, v4 bool, ports set, steps int, reversed bool) *Sweep {
	w := &Sweep{e: m.newEngine(), socket: *s, origin: o, v4: v4, ports: ports}
	w.e.reversed, w.e.notPorts = reversed, o.Apart
	w.e.maxSteps = min(w.e.maxSteps, steps)
	if why := m.refuses(); why != nil {
		w.fixed = &Answer{Verdict: packet.Unknown, Because: why}
		return w
	}
	proto, ok := protocols[s.Proto]
	if !ok {
		w.fixed = &Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: s.Proto + " sockets are outside the packet model"}}}
		return w
	}
	var why string
	if w.bound, why = m.bound(s, v4); w.bound.empty() {
		return w.stoppedBy(why)
	}
	if o.Local {
		return w.fromHost(proto)
	}
	w.in = w.e.enter(o.Index)
	switch {
	case w.in == nil || !w.in.Up:
		return w.stoppedBy("the interface is down")
	case s.Device != "" && s.Device != w.in.Name && !m.isMaster(w.in, s.Device):
		return w.stoppedBy("the socket is bound to device " + s.Device)
	}
	o.Index = w.in.Index
	start := m.packet(v4, proto)
	start.sets[fIif] = single(num(uint64(o.Index)))
	start.sets[fSaddr] = m.sources(o, v4)
	if start.sets[fSaddr].empty() {
		return w.stoppedBy("no address of the zone is on this interface")
	}
	// Without a translation only the socket's own addresses lead to it.
	if !m.translates() {
		start.sets[fDaddr], start.sets[fDport] = w.bound, ports
	}
	for _, d := range w.e.surroundings(o.Index, packet.Ingress) {
		start = start.doubt(d)
	}
	w.e.sources = start.sets[fSaddr]
	w.arrived, w.err = w.e.toHost([]cube{start}, w.in, m.fibs[v4])
	w.e.end()
	return w
}

func (w *Sweep) stoppedBy(why string) *Sweep {
	w.fixed = &Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: why}}}
	return w
}

// Port is the answer for one port.
func (w *Sweep) Port(port int) Answer {
	if !w.ports.singleton() && (!w.ports.contains(num(uint64(port))) || w.tooComplex() || w.other != nil && w.other.tooComplex()) {
		return w.part(port).Port(port)
	}
	a := w.port(port)
	if w.other != nil {
		b := w.other.port(port)
		return w.e.either(&a, &b, w.in, w.socket.Proto)
	}
	return a
}

func (w *Sweep) port(port int) Answer {
	if w.fixed != nil {
		return *w.fixed
	}
	at := single(num(uint64(port)))
	var hits []cube
	for i := range w.arrived {
		c := &w.arrived[i]
		if !c.sets[fDport].contains(num(uint64(port))) {
			continue
		}
		d := *c
		d.sets[fDport] = at
		given, _ := w.e.given(&w.socket, d, w.bound)
		hits = append(hits, given...)
	}
	if w.e.translates() {
		port = -1 // what was stopped can have been on its way to the port under another number
	}
	return w.e.answer(hits, w.err, w.in, w.socket.Proto, port)
}

func (w *Sweep) tooComplex() bool { return errors.Is(w.err, errTooComplex) }

// fewPorts is how many ports are not worth a walk together.
const fewPorts = 4

// part is the walk for a part of the ports with the port in it.
func (w *Sweep) part(port int) *Sweep {
	at := single(num(uint64(port)))
	n := w.ports.size(65536)
	if n <= fewPorts || !w.ports.contains(num(uint64(port))) {
		return w.e.walk(w.origin, &w.socket, w.v4, at, maxSteps)
	}
	if w.halves == nil {
		w.halves = make([]*Sweep, 2)
	}
	low := w.ports.first(n / 2)
	half, i := low, 0
	if !low.contains(num(uint64(port))) {
		half, i = w.ports.subtract(low), 1
	}
	if w.halves[i] == nil {
		w.halves[i] = w.e.sweep(w.origin, &w.socket, w.v4, half)
	}
	return w.halves[i]
}

// first is the n lowest numbers of a set.
func (s set) first(n uint64) set {
	var out set
	for _, i := range s {
		size := i.hi.minus(i.lo).lo + 1
		if size >= n {
			return append(out, interval{i.lo, num(i.lo.lo + n - 1)})
		}
		out, n = append(out, i), n-size
	}
	return out
}

// toHost takes packets from an interface through the hooks to the point where a socket gets them.
func (e *engine) toHost(in []cube, iif *snapshot.Link, fib *fib) ([]cube, error) {
	v4 := fib.v4
	live, err := e.upThrough(in, iif, v4)
	if err != nil {
		return nil, err
	}
	if live, err = e.hook(packet.Ingress, v4, iif.Name, live); err != nil {
		return nil, err
	}
	live = e.admitted(live, iif, v4)
	if live, err = e.hook(packet.Prerouting, v4, "", live); err != nil {
		return nil, err
	}
	live = e.receive(live, iif, fib)
	if !v4 && !iif.Loopback {
		live = e.scoped(live, iif)
	}
	var local []cube
	for i := range live {
		yes, no := live[i].split(fDaddr, append(fib.local(), fib.broadcasts()...).normal())
		local = append(local, yes...)
		for _, c := range no {
			groups, other := c.split(fDaddr, fib.multicast)
			for _, g := range groups {
				local = append(local, e.joined(g, iif)...)
			}
			for _, o := range other {
				e.stop(o, packet.Cause{Text: "the destination is no address of the host"})
			}
		}
	}
	return e.hook(packet.Input, v4, "", local)
}

// scoped stops packets for a link-local address that another link has.
func (e *engine) scoped(in []cube, iif *snapshot.Link) []cube {
	var own set
	for _, a := range linkAddrs(iif, false) {
		if a.Addr().IsLinkLocalUnicast() {
			own = append(own, single(addrNumber(a.Addr()))...)
		}
	}
	other := linkLocal.subtract(own.normal())
	var live []cube
	for i := range in {
		stopped, rest := in[i].split(fDaddr, other)
		live = append(live, rest...)
		for _, c := range stopped {
			e.stop(c, packet.Cause{Text: "the link-local address is on another link"})
		}
	}
	return live
}

// fromHost takes packets of a process on the host over loopback to a socket: output, postrouting,
// then in through lo. The source is the destination itself, as the kernel chooses.
func (w *Sweep) fromHost(proto uint64) *Sweep {
	var link *snapshot.Link
	for i := range w.e.snap.Network.Links {
		if w.e.snap.Network.Links[i].Loopback {
			link = &w.e.snap.Network.Links[i]
		}
	}
	if link == nil || !link.Up {
		return w.stoppedBy("loopback is down")
	}
	if w.socket.Device != "" && w.socket.Device != link.Name {
		return w.stoppedBy("the socket is bound to device " + w.socket.Device)
	}
	w.e.local = true
	// One address of each interval stands for it: 127.0.0.1 and the host's own addresses.
	var live []cube
	for _, i := range w.bound.intersect(w.e.fibs[w.v4].local()) {
		c := w.e.packet(w.v4, proto)
		a := i.lo
		if w.v4 && a == (u128{lo: 0x7f000000}) {
			a = u128{lo: 0x7f000001}
		}
		c.sets[fDaddr], c.sets[fSaddr] = single(a), single(a)
		c.sets[fOif], c.sets[fDport] = single(num(uint64(link.Index))), w.ports
		live = append(live, c)
	}
	for _, hook := range []packet.Hook{packet.Output, packet.Postrouting} {
		if live, w.err = w.e.hook(hook, w.v4, "", live); w.err != nil {
			return w
		}
	}
	for i := range live {
		live[i] = live[i].with(fIif, single(num(uint64(link.Index))))
		live[i].sets[fOif] = single(num(0))
	}
	w.arrived, w.err = w.e.toHost(live, link, w.e.fibs[w.v4])
	w.e.end()
	return w
}
