package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// synFlags are the flags with which a sender asks for a connection: SYN, and beside it PSH, URG, ECE and CWR as it likes, for which no listener
// looks (tcp_rcv_state_process).
var synFlags = func() (s set) {
	const syn, others = 0x02, 0xe8
	for n := uint64(syn); n < 256; n++ {
		if n&^others == syn {
			s = append(s, interval{num(n), num(n)})
		}
	}
	return s
}()

// packet is all first packets of a protocol: a SYN for TCP, any ports.
func (m *Model) packet(v4 bool, proto uint64) cube {
	c := cube{course: course{v4: v4, by: root}}
	c.sets[fProto] = single(num(proto))
	c.sets[fSport] = span(num(1), num(65535))
	c.sets[fDport] = span(num(0), num(65535))
	if proto != 6 && proto != 17 && proto != 33 && proto != 132 && proto != 136 { // no ports
		c.sets[fSport], c.sets[fDport] = single(num(0)), single(num(0))
	}
	c.sets[fICMPType], c.sets[fICMPCode] = span(num(0), num(255)), span(num(0), num(255))
	c.sets[fTCPFlags] = synFlags
	c.sets[fMark], c.sets[fCtMark] = single(num(0)), single(num(0))
	c.sets[fCtState] = single(num(ruleset.CtInvalid)) // until conntrack has seen it
	c.sets[fIif], c.sets[fOif] = single(num(0)), single(num(0))
	c.sets[fDaddr] = span(num(0), ones(uint(8*fDaddr.width(v4))))
	c.sets[fSaddr] = c.sets[fDaddr]
	c.sets[fSmac], c.sets[fService] = span(num(0), ones(48)), services(v4)
	return c
}

// ofState is packets as those of the question's state begin: no connection attempt but an ACK where it is not new,
// and an echo request.
func (e *engine) ofState(c cube, proto uint64, v4 bool) cube {
	if e.state != ruleset.CtNew && proto == 6 {
		c.sets[fTCPFlags] = single(num(0x10))
	}
	if proto == 1 || proto == 58 {
		echo := uint64(8)
		if !v4 {
			echo = 128
		}
		c.sets[fICMPType], c.sets[fICMPCode] = single(num(echo)), single(num(0))
	}
	return c
}

// starts is the packets that the question is about, as they begin their way.
func (e *engine) starts(q *Question, o packet.Origin, v4 bool, proto uint64) (list []cube, in *snapshot.Link, why string) {
	c := e.ofState(e.packet(v4, proto), proto, v4)
	if q.To.Addr.IsValid() {
		c.sets[fDaddr] = single(addrNumber(q.To.Addr))
		if q.Dport != 0 {
			c.sets[fDport] = single(num(uint64(q.Dport)))
		}
	} else if !e.translates() && (len(q.Sockets) == 0 || e.chooser(proto) == "") {
		e.slice(&c, q, v4)
	} else {
		e.narrow(&c, q, v4)
	}
	if o.Local {
		return e.localStarts(c, o, v4)
	}
	in = e.enter(o.Index)
	switch {
	case in == nil:
		return nil, nil, "the interface does not exist"
	case !in.Up:
		return nil, in, "the interface is down"
	}
	o.Index = in.Index
	c.sets[fIif] = single(num(uint64(o.Index)))
	c.sets[fSaddr] = e.Model.sources(o, v4)
	if c.sets[fSaddr].empty() {
		return nil, in, "no address of the origin is behind this interface"
	}
	for _, d := range e.surroundings(o.Index, packet.Ingress) {
		c = c.doubt(d)
	}
	e.sources = c.sets[fSaddr]
	e.aside(&c)
	if c.sets[fDaddr].empty() || c.sets[fDport].empty() {
		return nil, in, ""
	}
	return []cube{c}, in, ""
}

// slice leaves out packets that cannot get to the target because nothing is translated: those for
// other addresses and ports.
func (e *engine) slice(c *cube, q *Question, v4 bool) {
	if len(q.Sockets) > 0 { // nothing gets to their ports from others
		c.sets[fDport] = q.socketPorts()
	}
	e.sliced[fDaddr], e.sliced[fDport] = c.sets[fDaddr], c.sets[fDport]
	c.sets[fDaddr] = e.destinations(q, v4)
	if q.Dport != 0 {
		c.sets[fDport] = single(num(uint64(q.Dport)))
	}
}

// narrow leaves out of a question what no translation brings to its target: packets for other ports of the host than those that it is about,
// where none leads to them, and of what has to leave for where it was sent what no route of the target's interfaces is for.
func (e *engine) narrow(c *cube, q *Question, v4 bool) {
	switch {
	case e.state != ruleset.CtNew, // what was translated before goes on so
		len(q.Sockets) > 0 && e.chooser(c.sets[fProto][0].lo.lo) != "": // a program finds a socket for any port
		return
	}
	if q.Direct && !q.To.Host && len(q.To.Oifs) > 0 && !e.local {
		c.sets[fDaddr] = e.routedBy(q.To.Oifs, v4)
	}
	ports := q.socketPorts()
	if q.Dport != 0 {
		ports = single(num(uint64(q.Dport)))
	}
	if !q.To.Host || len(q.To.Oifs) > 0 || q.Through || len(ports) == 0 || ports.weight() > maxNarrowed {
		return
	}
	var list []int
	for _, i := range ports {
		for p := i.lo.lo; p <= i.hi.lo; p++ {
			list = append(list, int(p))
		}
	}
	from := e.snap.NFTables.Ruleset.RedirectsTo(list, func(a netip.Addr) bool { return e.fibs[a.Is4()].taken.contains(addrNumber(a)) })
	if !from.OtherPorts {
		c.sets[fDport] = ports
	}
	if !from.OtherPorts && !from.OtherAddrs && !e.fibs[v4].policy && !e.local {
		c.sets[fDaddr] = e.fibs[v4].taken
	}
}

// maxNarrowed bounds the ports of which it is asked whether a translation leads to them.
const maxNarrowed = 1000

// routedBy are the destinations of all routes out by some interfaces, whichever of them would be taken.
func (e *engine) routedBy(oifs []int, v4 bool) set {
	s := append(set{}, e.fibs[v4].multicast...)
	if !v4 {
		s = append(s, linkLocal...)
	}
	for i := range e.snap.Network.Routes {
		r := &e.snap.Network.Routes[i]
		p, err := netip.ParsePrefix(r.Dst)
		if err == nil && p.Addr().Is4() == v4 && slices.ContainsFunc(r.Oifs, func(i int) bool { return slices.Contains(oifs, i) }) {
			s = append(s, prefixSet(p)...)
		}
	}
	return s.normal()
}

// socketPorts are those of the question's sockets.
func (q *Question) socketPorts() (s set) {
	if q.ports != nil {
		return q.ports
	}
	for _, sk := range q.Sockets {
		s = append(s, single(num(uint64(sk.Port)))...)
	}
	return s.normal()
}

// aside notes the whole question, and what was left out of it as stopped.
func (e *engine) aside(c *cube) {
	e.question = *c
	if e.sliced[fDaddr] == nil {
		return
	}
	e.question.sets[fDaddr], e.question.sets[fDport] = e.sliced[fDaddr], e.sliced[fDport]
	if rest := e.sliced[fDaddr].subtract(c.sets[fDaddr]); !rest.empty() {
		d := e.question.with(fDaddr, rest)
		e.leftOut(d, packet.Cause{Text: "no route leads from there to the target"})
	}
	if rest := e.sliced[fDport].subtract(c.sets[fDport]); !rest.empty() && !c.sets[fDaddr].empty() {
		e.leftOut(c.with(fDport, rest), packet.Cause{Text: "goes to another port"})
	}
}

// leftOut notes packets of the question that need no walk.
func (e *engine) leftOut(c cube, by packet.Cause) {
	if e.keep {
		e.proof = append(e.proof, stoppedBy{c, by})
	}
}

// localStarts is packets of the host's processes: over loopback to itself, and out by the routes.
func (e *engine) localStarts(c cube, o packet.Origin, v4 bool) ([]cube, *snapshot.Link, string) {
	fib := e.fibs[v4]
	own := e.ownAddrs(v4)
	if len(o.From) > 0 {
		var from set
		for _, p := range o.From {
			if p.Addr().Is4() == v4 {
				from = append(from, prefixSet(p)...)
			}
		}
		own = own.intersect(from.normal())
	}
	if own.empty() {
		return nil, nil, "the host has no address of this family"
	}
	c.sets[fSaddr], c.by = own, e.by
	c = e.directed(c)
	e.aside(&c)
	if c.sets[fDaddr].empty() {
		return nil, nil, ""
	}
	return e.outward(c, fib, false), nil, ""
}

func (e *engine) ownAddrs(v4 bool) set {
	var s set
	for i := range e.snap.Network.Links {
		for _, p := range linkAddrs(&e.snap.Network.Links[i], v4) {
			s = append(s, single(addrNumber(p.Addr()))...)
		}
	}
	return append(set{}, s...).normal()
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
		if on, known := m.switchOf(o.Index, "accept_local"); known && !on {
			out = append(out, m.fibs[v4].local()...)
		}
		out = append(out, single(num(0xffffffff))...)
		if on, known := m.switchOf(o.Index, "route_localnet"); known && !on {
			out = append(out, prefixSet(netip.MustParsePrefix("127.0.0.0/8"))...)
		}
	} else {
		out = append(out, single(num(1))...)
	}
	return in.normal().subtract(out.normal())
}

// switchOf says whether a switch of IPv4 is on for an interface, by itself or for all, and whether that is known.
func (m *Model) switchOf(iif int, name string) (on, known bool) {
	e := m.newEngine()
	all, known := e.sysctl("net/ipv4/conf/all/" + name)
	if l := m.snap.Network.Link(iif); l != nil {
		own, ok := e.sysctl("net/ipv4/conf/" + l.Name + "/" + name)
		all, known = max(all, own), known && ok
	}
	return all != 0, known || all != 0
}

// steered says whether packets can get to other sockets than those at the destination that the sender wrote.
func (m *Model) steered(proto uint64) bool { return m.translates() || m.chooser(proto) != "" }

// translates says whether any chain before routing can change where a packet goes.
func (m *Model) translates() bool {
	if m.translating == nil {
		yes := m.snap.NFTables.Ruleset.Translates()
		m.translating = &yes
	}
	return *m.translating
}
