package reach

import (
	"fmt"
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
	// Tell has the answer tell what is sent that gets there (Answer.Beyond); about a single socket it always does.
	Tell bool
	// Sockets are those of a Host that count, at their own ports; none is all that listen.
	Sockets []*snapshot.Socket

	ports set // of the sockets, in place of their own
}

// Reach answers for both families, and gives the proof of an unreachable answer.
func (m *Model) Reach(q *Question) Answer { return m.ask(q, q.families(), true) }

// Ask is Reach without the proof.
func (m *Model) Ask(q *Question) Answer { return m.ask(q, q.families(), false) }

func (q *Question) families() []bool {
	if q.Family != 0 {
		return []bool{q.Family == 4}
	}
	switch {
	case q.To.Addr.IsValid():
		return []bool{q.To.Addr.Is4()}
	case len(q.To.Final) > 0:
		return []bool{q.To.Final[0].Addr().Is4()}
	}
	return []bool{true, false}
}

// ask asks for each origin and family.
func (m *Model) ask(q *Question, families []bool, proof bool) Answer {
	return m.askEach(q, families, proof, func(o packet.Origin, v4 bool) Answer { return m.forwarded(q, o, v4, proof) })
}

// Shut says whether the answer to a question is unreachable. It asks only until something gets there, or may.
func (m *Model) Shut(q *Question) bool {
	for _, o := range q.From {
		for _, v4 := range q.families() {
			for _, h := range m.newEngine().hops(q, o) {
				if a := m.beside(q, o, h, v4, false); a.Verdict != packet.Unreachable {
					return false
				}
			}
			if a := m.forwarded(q, o, v4, false); a.Verdict != packet.Unreachable {
				return false
			}
		}
	}
	return true
}

// forwarded is the answer for packets of one origin and family that the host itself gets.
func (m *Model) forwarded(q *Question, o packet.Origin, v4, proof bool) Answer {
	e, in, a := m.askOne(q, o, v4, false, proof)
	if len(a.tied) > 0 {
		_, _, b := m.askOne(q, o, v4, true, false)
		whole, list := a.whole && b.whole, slices.Concat(a.taken, b.taken)
		a = e.either(&a, &b, in, q.Proto)
		a.whole, a.taken = whole, list
	}
	return a
}

// beside is the answer for frames of one origin and family from one port of a bridge to others.
func (m *Model) beside(q *Question, o packet.Origin, h hop, v4, proof bool) Answer {
	e, a := m.askHop(q, o, h, v4, false, proof)
	if len(a.tied) > 0 {
		_, b := m.askHop(q, o, h, v4, true, false)
		a = e.either(&a, &b, e.snap.Network.BridgeOf(h.from), q.Proto)
	}
	return a
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
				a := m.beside(q, o, h, v4, proof)
				total.join(&a)
			}
		}
	}
	rulesFirst(total.StoppedBy)
	return total
}

// rulesFirst puts rules and policies before what the stack does by itself, which explains less.
func rulesFirst(causes []packet.Cause) {
	slices.SortStableFunc(causes, func(a, b packet.Cause) int {
		switch {
		case (a.Table == "") == (b.Table == ""):
			return 0
		case a.Table == "":
			return 1
		}
		return -1
	})
}

var verdictRank = map[packet.Verdict]int{packet.Unreachable: 0, packet.Unknown: 1, packet.Reachable: 2}

// join adds the answer for another part of the question.
func (a *Answer) join(b *Answer) {
	proof, resourced := append(a.Certificate, b.Certificate...), a.Resourced || b.Resourced
	switch {
	case verdictRank[b.Verdict] > verdictRank[a.Verdict]:
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
	if q.Tell || len(q.Sockets) == 1 {
		e.taken(&a, hits)
	}
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
	e.by = o.By
	e.here = len(q.Sockets) > 0 || q.To.Host && len(q.To.Oifs) == 0 && !q.To.Addr.IsValid()
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

// Forward asks whether a packet of the origin is forwarded out of other interfaces, or switched to ports of its own
// bridge, to a port there or, where port is 0, to any.
func (m *Model) Forward(o packet.Origin, oifs []int, proto string, port int, v4 bool) Answer {
	families := []bool{v4}
	return m.ask(&Question{From: []packet.Origin{o}, Proto: proto, To: Target{Oifs: oifs}, Dport: port}, families, false)
}

// protocols are the transport protocols that a question can be about.
var protocols = map[string]uint64{"tcp": 6, "udp": 17, "udplite": 136, "sctp": 132, "mptcp": 6}
