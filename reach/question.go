package reach

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// protocols are the transport protocols that a question can be about.
var protocols = map[string]uint64{"tcp": 6, "udp": 17, "udplite": 136, "sctp": 132, "mptcp": 6}

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

// packet is all first packets of a protocol: a SYN for TCP, any ports.
func (m *Model) packet(v4 bool, proto uint64) cube {
	c := cube{v4: v4}
	c.sets[fProto] = single(num(proto))
	c.sets[fSport] = span(num(1), num(65535))
	c.sets[fDport] = span(num(0), num(65535))
	if proto != 6 && proto != 17 && proto != 33 && proto != 132 && proto != 136 { // no ports
		c.sets[fSport], c.sets[fDport] = single(num(0)), single(num(0))
	}
	c.sets[fICMPType], c.sets[fICMPCode] = span(num(0), num(255)), span(num(0), num(255))
	c.sets[fTCPFlags] = single(num(2))
	c.sets[fMark], c.sets[fCtMark] = single(num(0)), single(num(0))
	c.sets[fCtState] = single(num(ruleset.CtInvalid)) // until conntrack has seen it
	c.sets[fIif], c.sets[fOif] = single(num(0)), single(num(0))
	c.sets[fDaddr] = span(num(0), ones(uint(8*fDaddr.width(v4))))
	c.sets[fSaddr] = c.sets[fDaddr]
	c.sets[fSmac] = span(num(0), ones(48))
	return c
}

// bound is the addresses at which packets reach the socket. The kernel takes a packet for any of the host's
// own on any interface (weak host model), so the interface of the address does not matter, but for link-local
// addresses. Sockets of datagrams also get what is for many hosts.
func (m *Model) bound(s *snapshot.Socket, v4 bool) (set, string) {
	addr, err := netip.ParseAddr(s.Addr)
	if err != nil {
		return nil, "the socket's address is not readable"
	}
	if v4 && s.Family == 6 && s.V6Only {
		return nil, "the socket takes IPv6 only"
	}
	if !v4 && s.Family == 4 {
		return nil, "the socket takes IPv4 only"
	}
	if v4 && s.Family == 6 && addr.IsUnspecified() {
		addr = netip.IPv4Unspecified()
	}
	addr = addr.Unmap()
	if addr.Is4() != v4 {
		return nil, "the socket's address is of the other family"
	}
	own := m.fibs[v4].local()
	if s.Proto == "udp" || s.Proto == "udplite" {
		own = append(own, m.fibs[v4].toMany()...).normal()
	}
	if addr.IsUnspecified() {
		return own, "the host has no address of this family"
	}
	s4 := single(addrNumber(addr))
	return s4.intersect(own), "the host does not have the socket's address"
}

// switchOf is a switch of IPv4 for all interfaces and for one.
func (m *Model) switchOf(iif int, name string) (all, own int) {
	e := m.newEngine()
	all, _ = e.sysctl("net/ipv4/conf/all/" + name)
	if l := m.snap.Network.Link(iif); l != nil {
		own, _ = e.sysctl("net/ipv4/conf/" + l.Name + "/" + name)
	}
	return all, own
}

func (m *Model) isMaster(l *snapshot.Link, name string) bool {
	master := m.snap.Network.Link(l.Master)
	return master != nil && master.Name == name
}

// sources is the origin's addresses, without those that are refused as a source (ip_route_input_slow,
// fib_validate_source, ip6_rcv_core): IPv4 takes the host's own only with accept_local.
func (m *Model) sources(o packet.Origin, v4 bool) set {
	var in, out set
	for _, p := range o.From {
		if p.Addr().Is4() == v4 {
			in = append(in, prefixSet(p)...)
		}
	}
	for _, p := range o.Except {
		if p.Addr().Is4() == v4 {
			out = append(out, prefixSet(p)...)
		}
	}
	out = append(out, m.fibs[v4].multicast...)
	if v4 {
		if all, own := m.switchOf(o.Index, "accept_local"); all == 0 && own == 0 {
			out = append(out, m.fibs[v4].local()...)
		}
		out = append(out, single(num(0xffffffff))...)
		if all, own := m.switchOf(o.Index, "route_localnet"); all == 0 && own == 0 {
			out = append(out, prefixSet(netip.MustParsePrefix("127.0.0.0/8"))...)
		}
	} else {
		out = append(out, single(num(1))...)
	}
	return in.normal().subtract(out.normal())
}

// translates says whether any chain before routing can change where a packet goes.
func (m *Model) translates() bool {
	if m.translating == nil {
		yes := m.snap.NFTables.Ruleset.Translates()
		m.translating = &yes
	}
	return *m.translating
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

// admitted stops IPv6 packets at an interface where IPv6 is off, and those for groups of a narrower scope than a link
// (ip6_rcv_core).
func (e *engine) admitted(in []cube, iif *snapshot.Link, v4 bool) []cube {
	if v4 {
		return in
	}
	in = e.beyondInterface(in, iif)
	off, ok := e.sysctl("net/ipv6/conf/" + iif.Name + "/disable_ipv6")
	if !ok {
		e.undecided = append(e.undecided, packet.Cause{Text: "disable_ipv6 of " + iif.Name + " was not read"})
	}
	if off == 0 {
		return in
	}
	for _, c := range in {
		e.stop(c, packet.Cause{Text: "IPv6 is off on " + iif.Name})
	}
	return nil
}

// receive applies what the routing decision refuses on input (ip_route_input_slow,
// fib_validate_source): loopback addresses from outside, a link-local address of another link, and
// sources that reverse path filtering rejects.
func (e *engine) receive(in []cube, iif *snapshot.Link, fib *fib) []cube {
	if iif.Loopback {
		return in
	}
	var anonymous []cube
	if fib.v4 {
		in, anonymous = e.anonymous(in)
	}
	loopback := prefixSet(netip.MustParsePrefix("127.0.0.0/8"))
	name := "route_localnet of " + iif.Name + " is off"
	if !fib.v4 {
		loopback, name = single(num(1)), "::1 is reached over loopback only"
	}
	open := false
	if fib.v4 {
		all, ok1 := e.sysctl("net/ipv4/conf/all/route_localnet")
		own, ok2 := e.sysctl("net/ipv4/conf/" + iif.Name + "/route_localnet")
		open = all != 0 || own != 0
		if !ok1 || !ok2 {
			e.undecided = append(e.undecided, packet.Cause{Text: "route_localnet of " + iif.Name + " was not read"})
		}
	}
	var live []cube
	for i := range in {
		yes, no := in[i].split(fDaddr, loopback)
		live = append(live, no...)
		if open {
			live = append(live, yes...)
			continue
		}
		for _, c := range yes {
			e.stop(c, packet.Cause{Text: name})
		}
	}
	if !fib.v4 {
		return live
	}
	return append(e.reversePath(live, iif, fib), anonymous...)
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

// reversePath applies rp_filter: the higher of all and the interface's holds; 1 wants the route
// back to leave through the interface, 2 wants any route. With policy rules the way back is looked up
// also without it, and may not lead to the host itself (fib_validate_source).
func (e *engine) reversePath(in []cube, iif *snapshot.Link, fib *fib) []cube {
	all, ok1 := e.sysctl("net/ipv4/conf/all/rp_filter")
	own, ok2 := e.sysctl("net/ipv4/conf/" + iif.Name + "/rp_filter")
	mode := max(all, own)
	if !ok1 || !ok2 {
		e.undecided = append(e.undecided, packet.Cause{Text: "rp_filter of " + iif.Name + " was not read"})
	}
	if mode == 0 && !fib.policy {
		return in
	}
	allMark, ownMark := e.switchOf(iif.Index, "src_valid_mark")
	allOwn, ownOwn := e.switchOf(iif.Index, "accept_local")
	acceptLocal := allOwn != 0 || ownOwn != 0
	var live []cube
	for i := range in {
		back := in[i].reverse(allMark != 0 || ownMark != 0)
		back.sets[fSport], back.sets[fDport] = in[i].sets[fDport], in[i].sets[fSport]
		for _, r := range fib.lookup(back, "lo", true) {
			c := answered(in[i], fSaddr, r.cube)
			c = c.with(fSport, r.cube.sets[fDport])
			c = c.with(fDport, r.cube.sets[fSport])
			ok := mode == 0 && r.part.kind != routeKind["local"] && r.part.kind != routeKind["broadcast"] ||
				(r.part.kind == routeKind["unicast"] || r.part.kind == routeKind["local"] && acceptLocal) && (mode != 1 || slices.Contains(r.part.oifs, iif.Index))
			if ok {
				live = append(live, c)
			} else {
				e.stop(c, packet.Cause{Text: "rp_filter of " + iif.Name})
			}
		}
	}
	return live
}

// reverse is the flow back to the source.
func (c *cube) reverse(mark bool) cube {
	d := *c
	d.keptAddr, d.keptPort, d.keptSport = false, false, false
	d.sets[fSaddr], d.sets[fDaddr] = c.sets[fDaddr], c.sets[fSaddr]
	if !mark {
		d.sets[fMark] = single(num(0))
	}
	return d
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

// Forward asks whether a packet of the origin is forwarded out of other interfaces, or switched to ports of its own
// bridge, to a port there or, where port is 0, to any.
func (m *Model) Forward(o packet.Origin, oifs []int, proto string, port int, v4 bool) Answer {
	families := []bool{v4}
	return m.ask(&Question{From: []packet.Origin{o}, Proto: proto, To: Target{Oifs: oifs}, Dport: port}, families, false)
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
