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
	origin  packet.Origin
	v4      bool
	ports   set // that were asked about
	in      *snapshot.Link
	arrived []arrival
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

// leastSweep is the steps that a walk for many ports may always take, and stepsPerRule those that it may for each rule: about what one port
// takes where rules part a question often.
const (
	leastSweep   = 32_000
	stepsPerRule = 32
)

// sweep may take a sixteenth of the steps that a walk for each port would.
func (m *Model) sweep(o packet.Origin, s *snapshot.Socket, v4 bool, ports set) *Sweep {
	return m.walk(o, s, v4, ports, max(leastSweep, max(stepsPerRule, int(ports.size(65536))/16)*m.rules))
}

func (m *Model) walk(o packet.Origin, s *snapshot.Socket, v4 bool, ports set, steps int) *Sweep {
	w := m.walkInOrder(o, s, v4, ports, steps, false)
	if len(w.e.tied) > 0 {
		w.other = m.walkInOrder(o, s, v4, ports, steps, true)
	}
	return w
}

// walkInOrder follows the packets of a question about the socket on all the ports at once.
func (m *Model) walkInOrder(o packet.Origin, s *snapshot.Socket, v4 bool, ports set, steps int, reversed bool) *Sweep {
	w := &Sweep{e: m.newEngine(), socket: *s, origin: o, v4: v4, ports: ports}
	q := &Question{From: []packet.Origin{o}, Proto: s.Proto, To: Target{Host: true}, Sockets: []*snapshot.Socket{&w.socket}, ports: ports}
	if _, ok := protocols[s.Proto]; !ok {
		w.fixed = &Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: s.Proto + " sockets are outside the packet model"}}}
		return w
	}
	e, proto, fixed := m.begin(q, o, v4, reversed, false)
	if fixed != nil {
		w.fixed = fixed
		return w
	}
	w.e = e
	w.e.maxSteps = min(w.e.maxSteps, steps)
	if at, why := m.bound(s, v4); at.empty() && !e.steered(proto) {
		return w.stoppedBy(why)
	}
	starts, in, why := w.e.starts(q, o, v4, proto)
	switch {
	case why != "":
		return w.stoppedBy(why)
	case e.steered(proto):
	case in != nil && !m.hears(s, in), o.Local && !datagrams(s) && !m.hears(s, m.loopback()):
		return w.stoppedBy("the socket is bound to device " + s.Device)
	}
	w.in = in
	w.arrived, w.err = w.e.follow(starts, in, o, m.fibs[v4])
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
	refused := false
	counts := func(s *snapshot.Socket) bool {
		sk := w.socket
		sk.Port = port
		return alike(s, &sk)
	}
	for i := range w.arrived {
		c := &w.arrived[i].cube
		if yes, fixed := w.e.assigned(*c, protocols[w.socket.Proto], counts); fixed {
			hits, refused = append(hits, yes...), refused || len(yes) == 0
			continue
		}
		if !c.sets[fDport].contains(num(uint64(port))) {
			continue
		}
		d := c.with(fDport, at)
		yes, no := w.e.given(&w.socket, d)
		hits, refused = append(hits, yes...), refused || len(no) > 0
	}
	if w.e.steered(protocols[w.socket.Proto]) {
		port = -1 // what was stopped can have been on its way to the port under another number
	}
	a := w.e.answer(hits, w.err, w.in, w.socket.Proto, port)
	if a.Verdict == packet.Unreachable && refused {
		a.StoppedBy = append(a.StoppedBy, notTaken)
	}
	if a.Verdict == packet.Unreachable && len(a.StoppedBy) == 0 {
		a.StoppedBy = []packet.Cause{noRoute}
	}
	rulesFirst(a.StoppedBy)
	return a
}

// notTaken is why a socket does not get what arrives at its port.
var notTaken = packet.Cause{Text: "the socket does not take such packets"}

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
