package reach

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Question asks which packets get from somewhere to somewhere.
type Question struct {
	From []packet.Origin
	// Proto is tcp, udp, sctp, icmp (an echo request, in IPv6 of ICMPv6) or a number.
	Proto string
	To    Target
	// Dport is the port at the end of the way, or with a target address the one that the sender writes.
	// 0 is any.
	Dport int
	// Unbound also counts packets for ports of the host where no socket listens.
	Unbound bool
	// State is the conntrack state of the packets; empty is new.
	State packet.State
	// Through counts only packets that are forwarded, of a target address: ports of the host that are
	// published for somebody behind it.
	Through bool
	// Direct counts only packets that leave for where they were sent: not those of published ports.
	Direct bool
	// Family is 4 or 6 for packets of that one alone.
	Family int
	// Sockets are those of a Host that count, at their own ports; none is all that listen.
	Sockets []*snapshot.Socket
}

// Target is where a question leads: to the host's own sockets, out by interfaces, or wherever packets
// for one address end.
type Target struct {
	Host bool
	Oifs []int
	Addr netip.Addr
	// Final counts only packets that leave for this address, whatever the sender wrote.
	Final netip.Addr
	// At counts of a Host only packets that are delivered for these addresses, But leaves those for others out; none is all.
	At, But []netip.Prefix
}

// delivered is the addresses of a Host that a target is about, all if it names none.
func (t *Target) delivered(v4 bool) (set, bool) {
	list := func(prefixes []netip.Prefix) (s set) {
		for _, p := range prefixes {
			if p.Addr().Is4() == v4 {
				s = append(s, prefixSet(p)...)
			}
		}
		return s.normal()
	}
	at := span(num(0), ones(uint(8*fDaddr.width(v4))))
	if len(t.At) > 0 {
		at = list(t.At)
	}
	return at.subtract(list(t.But)), len(t.At)+len(t.But) > 0
}

// Reach answers for both families, and gives the proof of an unreachable answer.
func (m *Model) Reach(q *Question) Answer { return m.ask(q, q.families(), true) }

// Ask is Reach without the proof.
func (m *Model) Ask(q *Question) Answer { return m.ask(q, q.families(), false) }

func (q *Question) families() []bool {
	if q.Family != 0 {
		return []bool{q.Family == 4}
	}
	for _, a := range []netip.Addr{q.To.Addr, q.To.Final} {
		if a.IsValid() {
			return []bool{a.Is4()}
		}
	}
	return []bool{true, false}
}

// ask asks for each origin and family.
func (m *Model) ask(q *Question, families []bool, proof bool) Answer {
	return m.askEach(q, families, proof, func(o packet.Origin, v4 bool) Answer {
		e, in, a := m.askOne(q, o, v4, false, proof)
		if len(a.tied) > 0 {
			_, _, b := m.askOne(q, o, v4, true, false)
			a = e.either(&a, &b, in, q.Proto)
		}
		return a
	})
}

// askEach joins the answers of all origins and families, with those about ports of bridges: one that reaches is enough.
func (m *Model) askEach(q *Question, families []bool, proof bool, one func(packet.Origin, bool) Answer) Answer {
	total := Answer{Verdict: packet.Unreachable}
	for _, o := range q.From {
		hops := m.newEngine().hops(q, o)
		for _, v4 := range families {
			a := one(o, v4)
			total.join(&a)
			for _, h := range hops {
				e, a := m.askHop(q, o, h, v4, false, proof)
				if len(a.tied) > 0 {
					_, b := m.askHop(q, o, h, v4, true, false)
					a = e.either(&a, &b, e.snap.Network.BridgeOf(h.from), q.Proto)
				}
				total.join(&a)
			}
		}
	}
	// Rules and policies first: what the stack does by itself explains less.
	slices.SortStableFunc(total.StoppedBy, func(a, b packet.Cause) int {
		switch {
		case (a.Table == "") == (b.Table == ""):
			return 0
		case a.Table == "":
			return 1
		}
		return -1
	})
	return total
}

// join adds the answer for another part of the question.
func (a *Answer) join(b *Answer) {
	rank := map[packet.Verdict]int{packet.Unreachable: 0, packet.Unknown: 1, packet.Reachable: 2}
	proof, resourced := append(a.Certificate, b.Certificate...), a.Resourced || b.Resourced
	switch {
	case rank[b.Verdict] > rank[a.Verdict]:
		*a = *b
	case b.Verdict == a.Verdict:
		for _, l := range []struct{ to, from *[]packet.Cause }{{&a.StoppedBy, &b.StoppedBy}, {&a.Because, &b.Because}} {
			for _, c := range *l.from {
				if !slices.Contains(*l.to, c) && a.Verdict != packet.Reachable {
					*l.to = append(*l.to, c)
				}
			}
		}
		a.Doubtful = append(a.Doubtful, b.Doubtful...)
	}
	a.Resourced = resourced
	a.Certificate = proof
	if a.Verdict != packet.Unreachable {
		a.Certificate = nil
	}
}

// arrival is packets at the end of their way: at the host itself where oif is 0.
type arrival struct {
	cube cube
	oif  int
}

// ctStates are the states of a question as bits of ct state.
var ctStates = map[packet.State]uint64{
	"": ruleset.CtNew, packet.New: ruleset.CtNew, packet.Established: ruleset.CtEstablished, packet.Related: ruleset.CtRelated,
	packet.Invalid: ruleset.CtInvalid, packet.Untracked: ruleset.CtUntracked,
}

// protoNumber is the number of a question's protocol; none where the family has no such packets.
func protoNumber(name string, v4 bool) (n uint64, none bool, err error) {
	if n, ok := protocols[name]; ok {
		return n, false, nil
	}
	switch {
	case name == "icmp" && v4:
		return 1, false, nil
	case name == "icmp" || name == "icmpv6":
		return 58, v4, nil
	}
	if n, err = strconv.ParseUint(name, 10, 8); err != nil {
		return 0, false, fmt.Errorf("protocol %q: want tcp, udp, sctp, udplite, icmp, icmpv6 or a number", name)
	}
	return n, false, nil
}

// askOne also returns the engine that found the answer, where it had packets to follow, and the interface
// that they come in by.
func (m *Model) askOne(q *Question, o packet.Origin, v4, reversed, proof bool) (*engine, *snapshot.Link, Answer) {
	e, proto, fixed := m.begin(q, o, v4, reversed, proof)
	if fixed != nil {
		return nil, nil, *fixed
	}
	q = q.routed(e)
	starts, in, why := e.starts(q, o, v4, proto)
	if why != "" {
		return nil, in, m.noPackets(o, v4, why)
	}
	arrived, err := e.follow(starts, in, o, m.fibs[v4])
	var hits []cube
	for i := range arrived {
		hits = append(hits, e.hits(q, &arrived[i], proto)...)
	}
	a := e.answer(hits, err, in, q.Proto, -1)
	a.tied = e.tied
	e.describe(&a, hits)
	if a.Verdict == packet.Unreachable && len(a.StoppedBy) == 0 {
		a.StoppedBy = []packet.Cause{noRoute}
	}
	if a.Verdict == packet.Unreachable && proof {
		a.Certificate = []packet.Certificate{e.certificate(e.question, in, e.proof)}
	}
	return e, in, a
}

// noRoute is why nothing gets there where nothing was stopped.
var noRoute = packet.Cause{Text: "no route leads there"}

// begin is the engine for one origin and family of a question and the number of its protocol, or the answer where there
// is nothing to follow.
func (m *Model) begin(q *Question, o packet.Origin, v4, reversed, proof bool) (*engine, uint64, *Answer) {
	e := m.newEngine()
	e.reversed, e.keep, e.state, e.local, e.notPorts = reversed, proof, ctStates[q.State], o.Local, o.Apart
	if why := m.refuses(); why != nil {
		return nil, 0, &Answer{Verdict: packet.Unknown, Because: why}
	}
	proto, none, err := protoNumber(q.Proto, v4)
	switch {
	case err != nil:
		return nil, 0, &Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: err.Error()}}}
	case none:
		a := m.noPackets(o, v4, "there are no such packets in this family")
		return nil, 0, &a
	}
	return e, proto, nil
}

// noPackets is the answer where a question has no packets.
func (m *Model) noPackets(o packet.Origin, v4 bool, why string) Answer {
	return Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: why}}, Certificate: []packet.Certificate{{
		Question: packet.Region{In: m.linkName(o), V4: v4, Empty: true}, Cubes: []packet.Cube{{By: packet.Cause{Text: why}}},
	}}}
}

// describe tells the ports of what arrived, and whether it leaves with another source.
func (e *engine) describe(a *Answer, hits []cube) {
	for i := range hits {
		a.Resourced = a.Resourced || hits[i].snat
		a.Ports = append(a.Ports, ranges(hits[i].original(fDport))...)
	}
	slices.Sort(a.Ports)
	a.Ports = slices.Compact(a.Ports)
}

func ranges(s set) []string {
	var out []string
	for _, i := range s {
		r := strconv.FormatUint(i.lo.lo, 10)
		if i.lo != i.hi {
			r += "-" + strconv.FormatUint(i.hi.lo, 10)
		}
		out = append(out, r)
	}
	return out
}

func (m *Model) linkName(o packet.Origin) string {
	if l := m.snap.Network.Link(o.Index); l != nil && !o.Local {
		return l.Name
	}
	return "local"
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
	} else if !e.translates() {
		e.slice(&c, q, v4)
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
		c.sets[fDport] = portsOf(q.Sockets)
	}
	e.sliced[fDaddr], e.sliced[fDport] = c.sets[fDaddr], c.sets[fDport]
	c.sets[fDaddr] = e.destinations(q, v4)
	if q.Dport != 0 {
		c.sets[fDport] = single(num(uint64(q.Dport)))
	}
}

// portsOf are those of sockets.
func portsOf(sockets []*snapshot.Socket) (s set) {
	for _, sk := range sockets {
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

// destinations is the addresses that lead to the target where nothing is translated.
func (e *engine) destinations(q *Question, v4 bool) set {
	fib := e.fibs[v4]
	if len(q.Sockets) > 0 {
		var s set
		for _, sk := range q.Sockets {
			at, _ := e.Model.bound(sk, v4)
			s = append(s, at...)
		}
		return append(set{}, s...).normal()
	}
	if q.To.Host {
		s := slices.Clone(fib.multicast)
		if v4 {
			s = append(s, single(num(0xffffffff))...)
		}
		for _, p := range fib.parts {
			if p.kind == routeKind["local"] || p.kind == routeKind["anycast"] || p.kind == routeKind["broadcast"] {
				s = append(s, p.addrs...)
			}
		}
		return s.normal()
	}
	if fib.policy { // routes depend on more than the destination
		return span(num(0), ones(uint(8*fDaddr.width(v4))))
	}
	var s set
	for _, oif := range q.To.Oifs {
		s = append(s, fib.via(oif)...)
	}
	if !v4 {
		s = append(s, linkLocal...)
	}
	if !e.local && e.multicastRouter(nil, v4) {
		s = append(s, fib.multicast...)
	}
	return append(set{}, s...).normal()
}

// localStarts is packets of the host's processes: over loopback to itself, and out by the routes.
func (e *engine) localStarts(c cube, o packet.Origin, v4 bool) ([]cube, *snapshot.Link, string) {
	fib := e.fibs[v4]
	own := e.ownAddrs(v4)
	for _, p := range o.From {
		if p.Addr().Is4() == v4 {
			own = own.intersect(prefixSet(p))
		}
	}
	if own.empty() {
		return nil, nil, "the host has no address of this family"
	}
	c.sets[fSaddr] = own
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

// hits is the packets of an arrival that the question asks for.
func (e *engine) hits(q *Question, a *arrival, proto uint64) []cube {
	c := &a.cube
	if q.Dport != 0 && !q.To.Addr.IsValid() {
		in, out := c.split(fDport, single(num(uint64(q.Dport))))
		for _, o := range out {
			e.stop(o, packet.Cause{Text: "arrives at another port"})
		}
		if len(in) == 0 {
			return nil
		}
		c = &in[0]
	}
	switch {
	case a.oif == 0 && q.Through:
		e.stop(*c, packet.Cause{Text: "is delivered to the host itself"})
	case a.oif == 0 && (q.To.Host || q.To.Addr.IsValid()):
		at, some := q.To.delivered(c.v4)
		if !some {
			return e.bound(q, *c, proto)
		}
		var hits []cube
		in, out := c.split(fDaddr, at)
		for _, i := range in {
			hits = append(hits, e.bound(q, i, proto)...)
		}
		for _, o := range out {
			e.stop(o, packet.Cause{Text: "is delivered for another address of the host"})
		}
		return hits
	case a.oif == 0:
		e.stop(*c, packet.Cause{Text: "is delivered to the host itself"})
	case q.Direct && c.nat:
		e.stop(*c, packet.Cause{Text: "leads there by a translation"})
	case q.To.Final.IsValid() && slices.Contains(q.To.Oifs, a.oif):
		in, out := c.split(fDaddr, single(addrNumber(q.To.Final)))
		for _, o := range out {
			e.stop(o, packet.Cause{Text: "leaves for another address"})
		}
		return in
	case q.To.Addr.IsValid() || slices.Contains(q.To.Oifs, a.oif):
		return []cube{*c}
	default:
		name := fmt.Sprint(a.oif)
		if l := e.snap.Network.Link(a.oif); l != nil {
			name = l.Name
		}
		e.stop(*c, packet.Cause{Text: "leaves by " + name})
	}
	return nil
}

// bound keeps packets that a socket listens for.
func (e *engine) bound(q *Question, c cube, proto uint64) []cube {
	if q.Unbound || proto != 6 && proto != 17 && proto != 132 && proto != 136 {
		return []cube{c}
	}
	in := ""
	if l := e.snap.Network.Link(int(c.sets[fIif][0].lo.lo)); l != nil {
		in = l.Name
	}
	live := []cube{c}
	var hits []cube
	for s := range q.sockets(e.snap) {
		if protocols[s.Proto] != proto || !e.ownNetns(s) || s.Device != "" && s.Device != in {
			continue
		}
		addrs, _ := e.Model.bound(s, c.v4)
		if addrs.empty() {
			continue
		}
		var rest []cube
		for _, l := range live {
			at, other := l.split(fDport, single(num(uint64(s.Port))))
			rest = append(rest, other...)
			for _, x := range at {
				yes, no := e.given(s, x, addrs)
				hits, rest = append(hits, yes...), append(rest, no...)
			}
		}
		live = rest
	}
	why := packet.Cause{Text: "no socket listens there"}
	if len(q.Sockets) > 0 {
		why.Text = "is for another socket"
	} else if sec := e.snap.Section("listeners"); sec.Part("ip") != snapshot.OK && sec.Status != snapshot.OK {
		why = packet.Cause{Text: "which sockets listen was not read"}
		for i := range live {
			hits = append(hits, live[i].doubt(why))
		}
		return hits
	}
	for _, l := range live {
		e.stop(l, why)
	}
	return hits
}

// sockets are those that the question can be about.
func (q *Question) sockets(s *snapshot.Snapshot) iter.Seq[*snapshot.Socket] {
	return func(yield func(*snapshot.Socket) bool) {
		for _, sk := range q.Sockets {
			if !yield(sk) {
				return
			}
		}
		for i := range s.Listeners.Sockets {
			if len(q.Sockets) > 0 || !yield(&s.Listeners.Sockets[i]) {
				return
			}
		}
	}
}

// ownNetns says whether a socket is in the host's own network namespace.
func (m *Model) ownNetns(s *snapshot.Socket) bool {
	for _, n := range m.snap.Network.Namespaces {
		if n.Host {
			return s.Netns == n.Inode
		}
	}
	return true
}
