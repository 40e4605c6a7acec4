package exposure

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/certificate"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// side is one network namespace as the second opinion sees it.
type side struct {
	snap  *snapshot.Snapshot
	tally *Tally

	lazyTracer  *trace.Tracer
	lazyChecker *certificate.Checker
	lazyEnds    map[end]*snapshot.Link
	lazyOwn     []netip.Prefix
	lazySteered *steered
}

// end is an interface of a network namespace.
type end struct {
	netns uint64
	index int
}

// own are the addresses of the namespace itself.
func (s *side) own() []netip.Prefix {
	if s.lazyOwn == nil {
		s.lazyOwn = []netip.Prefix{}
		for i := range s.snap.Network.Links {
			s.lazyOwn = append(s.lazyOwn, addressesOf(&s.snap.Network.Links[i])...)
		}
	}
	return s.lazyOwn
}

// otherEnds are the interfaces by what is at the other end of each: the first of those that say the same.
func (s *side) otherEnds() map[end]*snapshot.Link {
	if s.lazyEnds == nil {
		s.lazyEnds = map[end]*snapshot.Link{}
		for i := range s.snap.Network.Links {
			l := &s.snap.Network.Links[i]
			if k := (end{l.PeerNetns, l.PeerIndex}); s.lazyEnds[k] == nil {
				s.lazyEnds[k] = l
			}
		}
	}
	return s.lazyEnds
}

func (s *side) tracer() *trace.Tracer {
	if s.lazyTracer == nil {
		s.lazyTracer = trace.New(s.snap)
	}
	return s.lazyTracer
}

func (s *side) checker() *certificate.Checker {
	if s.lazyChecker == nil {
		s.lazyChecker = certificate.NewChecker(s.snap)
	}
	return s.lazyChecker
}

// party is who pays for questions about a network namespace.
type party struct {
	*side
	model  *reach.Model
	effort *reach.Effort
}

// rulesPerStep is how many rules for one packet take as long as one step of the model for all packets.
const rulesPerStep = 16

// pay takes the cost of a second look from the effort.
func (p *party) pay(rules int) error { return p.effort.Spend(rules/rulesPerStep + 1) }

// trace follows a packet.
func (p *party) trace(k *packet.Packet) trace.Fate {
	return p.paid(func(t *trace.Tracer) trace.Fate { return t.Packet(k) })
}

// paid is what the tracer finds, at the party's cost.
func (p *party) paid(follow func(*trace.Tracer) trace.Fate) trace.Fate {
	t := p.tracer()
	before := t.Evaluated()
	f := follow(t)
	_ = p.pay(t.Evaluated() - before) // the next question hears of it
	return f
}

// Ask answers a question about the host's own network namespace, for all its origins and families together.
func (p *party) Ask(q *reach.Question) Answer { return p.count(p.second(q, p.model.Reach(q))) }

// count notes how an answer came out.
func (p *party) count(a Answer) Answer {
	switch a.Verdict {
	case packet.Reachable:
		p.tally.Reachable++
	case packet.Unreachable:
		p.tally.Unreachable++
	default:
		p.tally.Unknown++
	}
	return a
}

// second looks a second time at an answer of the model.
func (p *party) second(q *reach.Question, a reach.Answer) Answer {
	switch a.Verdict {
	case packet.Reachable:
		return p.confirm(q, a)
	case packet.Unknown:
		return p.try(q, a)
	case packet.Unreachable: // whose proof is checked
	}
	if err := p.certify(q, a.Certificate); err != nil {
		return p.unconfirmed("the proof was not confirmed: " + err.Error())
	}
	return Answer{Answer: a, Checked: true}
}

// unconfirmed is the answer where the second look bears the model's answer not out.
func (p *party) unconfirmed(why string) Answer {
	p.tally.Unconfirmed++
	return Answer{Answer: unknown(why)}
}

func unknown(why string) reach.Answer {
	return reach.Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: why}}}
}

func stopped(why string) reach.Answer {
	return reach.Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: why}}}
}

// confirm follows the witness.
func (p *party) confirm(q *reach.Question, a reach.Answer) Answer {
	k := followed(a.Witness, q.State)
	f := p.trace(k)
	end, conditions := arriving(&f, func(f *trace.Fate) bool { return p.arrives(q, k, f) })
	if end == nil && a.Witness.TOS != nil {
		k.TOS = a.Witness.TOS
		f = p.trace(k)
		end, conditions = arriving(&f, func(f *trace.Fate) bool { return p.arrives(q, k, f) })
	}
	if end == nil {
		return p.unconfirmed(fmt.Sprintf("the witness %s was not confirmed: %s %s %s", k, f.Fate, f.Rule, f.Why))
	}
	if why := p.silent(q, k, end); why != "" {
		return p.unanswered(q, why)
	}
	k.TTL, k.TOS = end.TTL, cmp.Or(end.TOS, k.TOS)
	a.Witness = k
	return Answer{Answer: a, Fate: end, If: conditions, Checked: true}
}

// arriving is the fate that arrives: the packet's, or one of those that it has by the traffic before, with its conditions; nil where none does. Where it
// arrives in all of them there is no condition.
func arriving(f *trace.Fate, arrives func(*trace.Fate) bool) (*trace.Fate, []packet.Condition) {
	if arrives(f) {
		return f, nil
	}
	if len(f.ByTraffic) > 1 && !slices.ContainsFunc(f.ByTraffic, func(c trace.Conditional) bool { return !arrives(&c.Fate) }) {
		return &f.ByTraffic[0].Fate, nil
	}
	for i := range f.ByTraffic {
		if c := &f.ByTraffic[i]; arrives(&c.Fate) {
			return &c.Fate, c.If
		}
	}
	return nil, nil
}

// try follows packets of which the model does not know whether they arrive. What arrives and is not answered is told among the reasons.
func (p *party) try(q *reach.Question, a reach.Answer) Answer {
	var conditional *Answer
	unanswered := ""
	for i := range a.Doubtful {
		k := followed(&a.Doubtful[i], q.State)
		f := p.trace(k)
		end, conditions := arriving(&f, func(f *trace.Fate) bool { return p.arrives(q, k, f) })
		if end == nil || conditional != nil && len(conditions) >= len(conditional.If) || slices.ContainsFunc(conditions, entered) {
			continue
		}
		if why := p.silent(q, k, end); why != "" {
			unanswered = cmp.Or(unanswered, why)
			continue
		}
		found := Answer{Answer: a, Fate: end, If: conditions, Checked: true}
		k.TTL, k.TOS = end.TTL, end.TOS
		found.Verdict, found.Witness, found.Because = packet.Reachable, k, nil
		if len(conditions) == 0 {
			return found
		}
		conditional = &found
	}
	if conditional != nil {
		return *conditional
	}
	if unanswered != "" {
		a.Because = append(slices.Clone(a.Because), packet.Cause{Text: unanswered})
	}
	return Answer{Answer: a}
}

// entered says of a condition that rules have to have put something into a set before: whether the sender can have that done is not known.
func entered(c packet.Condition) bool { return c.State == packet.Entered }

// followed is a witness as the tracer follows it. Of another state than new it is no connection attempt.
func followed(w *packet.Packet, state packet.State) *packet.Packet {
	k := *w
	k.TOS = nil // the walk says with which it arrives
	if state != packet.New && state != "" {
		ack := "A"
		k.Ct, k.Flags = state, &ack
	}
	return &k
}

// socketProtocols are those whose packets a listening socket takes: TCP, UDP, SCTP, UDP-Lite.
var socketProtocols = []int{6, 17, 132, 136}

// arrives says whether a fate is what the question asks for.
func (p *party) arrives(q *reach.Question, k *packet.Packet, f *trace.Fate) bool {
	to, port := ending(f.To)
	if q.Dport != 0 && !q.To.Addr.IsValid() && port != q.Dport && !p.handed(q, f) {
		return false
	}
	switch f.Fate {
	case trace.Local:
		return !q.Through && (q.To.Addr.IsValid() || q.To.Host && delivered(&q.To, to)) && taken(q, k, f)
	case trace.Forward, trace.Output:
		if q.To.Addr.IsValid() {
			return true
		}
		return p.leaves(q, f.Oif) && (len(q.To.Final) == 0 || slices.ContainsFunc(q.To.Final, func(p netip.Prefix) bool { return p.Contains(to) })) &&
			!(q.Direct && (to != k.Dst.Unmap() || port != int(k.Dport)))
	default:
		return false
	}
}

// handed says whether tproxy handed a packet to a socket at the port of a question about the host.
func (p *party) handed(q *reach.Question, f *trace.Fate) bool {
	return f.Fate == trace.Local && slices.ContainsFunc(p.takers(q), func(name string) bool { return slices.Contains(f.Takers(), name) })
}

// takers are the names of the transparent sockets at the port of a question about the host: tproxy hands them what is for others.
func (p *party) takers(q *reach.Question) (names []string) {
	if q.Dport == 0 || !q.To.Host || len(q.Sockets) > 0 || q.To.Addr.IsValid() {
		return nil
	}
	for i := range p.snap.Listeners.Sockets {
		if sk := &p.snap.Listeners.Sockets[i]; sk.Port == q.Dport && sk.Proto == q.Proto && (sk.Transparent == nil || *sk.Transparent) {
			names = append(names, trace.SocketNames(sk)...)
		}
	}
	return names
}

// leaves says whether an interface is a target, or a bridge with a port that is one: there the sender chooses the neighbour.
func (p *party) leaves(q *reach.Question, name string) bool {
	l := p.snap.Network.LinkNamed(name)
	return l != nil && slices.ContainsFunc(q.To.Oifs, func(oif int) bool {
		return oif == l.Index || bridgeOf(&p.snap.Network, oif) == l.Index
	})
}

// ending is the address and port of a fate.
func ending(to string) (netip.Addr, int) {
	if ap, err := netip.ParseAddrPort(to); err == nil {
		return ap.Addr(), int(ap.Port())
	}
	a, _ := netip.ParseAddr(to)
	return a, 0
}

// delivered says whether an address is among those of a Host that count.
func delivered(t *reach.Target, a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return (len(t.At) == 0 || slices.ContainsFunc(t.At, in)) && !slices.ContainsFunc(t.But, in)
}

// taken says whether a socket that counts takes the packet.
func taken(q *reach.Question, k *packet.Packet, f *trace.Fate) bool {
	n, err := k.Protocol()
	switch {
	case q.Unbound || err == nil && !slices.Contains(socketProtocols, int(n)):
		return true
	case len(q.Sockets) > 0:
		return slices.ContainsFunc(q.Sockets, func(sk *snapshot.Socket) bool {
			return slices.ContainsFunc(trace.SocketNames(sk), func(name string) bool { return slices.Contains(f.Takers(), name) })
		})
	}
	return f.Socket != trace.NoSocket && f.Socket != trace.UnknownSocket
}

// certify checks the certificates of an unreachable answer.
func (p *party) certify(q *reach.Question, list []packet.Certificate) error {
	k := p.checker()
	left := proofSteps
	k.Spend = func(rules int) error {
		if left -= rules/rulesPerStep + 1; left < 0 {
			return certificate.ErrTooLarge
		}
		return p.pay(rules)
	}
	return k.CheckAll(p.asked(q), list)
}

// proofSteps bounds the check of one proof: rules that write what others ask for can part a region without end.
const proofSteps = 400_000

// asked is the question in the words of the checker.
func (p *party) asked(q *reach.Question) *certificate.Question {
	name := func(index int) string {
		if l := p.snap.Network.Link(index); l != nil {
			return l.Name
		}
		return ""
	}
	c := &certificate.Question{
		Target: certificate.Target{
			Host: q.To.Host, At: q.To.At, But: q.To.But, Addr: q.To.Addr, Final: q.To.Final,
			Through: q.Through, Direct: q.Direct, Unbound: q.Unbound,
		},
		Proto4: protocolNumber(q.Proto, true), Proto6: protocolNumber(q.Proto, false), Family: q.Family, State: q.State,
	}
	if q.Dport != 0 {
		c.Ports, c.Takers = []int{q.Dport}, p.takers(q)
	}
	for _, sk := range q.Sockets {
		c.Ports, c.Sockets = append(c.Ports, sk.Port), append(c.Sockets, trace.SocketNames(sk)...)
	}
	for _, oif := range q.To.Oifs {
		c.Oifs = append(c.Oifs, name(oif))
		if b := bridgeOf(&p.snap.Network, oif); b != 0 {
			c.Oifs = append(c.Oifs, name(b))
		}
	}
	for _, o := range q.From {
		from := certificate.Origin{In: "local", From: o.From, By: o.By}
		if !o.Local {
			from.In = name(o.Index)
			for _, port := range o.Apart {
				from.Apart = append(from.Apart, name(port))
			}
		}
		c.From = append(c.From, from)
	}
	return c
}

// protocolNumber is that of a question's protocol, below 0 where the family has none: icmp is ICMPv6 there.
func protocolNumber(name string, v4 bool) int {
	switch {
	case name == "icmp" && !v4:
		name = "icmpv6"
	case name == "icmpv6" && v4:
		return -1
	}
	k := packet.Packet{Proto: name}
	if n, err := k.Protocol(); err == nil {
		return int(n)
	}
	return -1
}

// proven asks the model for a proof of what it said to be unreachable, and checks it. An error says why there is none.
func (p *party) proven(q *reach.Question, ask func(*reach.Question) reach.Answer) error {
	if err := p.effort.Spend(0); err != nil {
		return err
	}
	switch a := ask(q); a.Verdict {
	case packet.Unreachable:
		return p.certify(q, a.Certificate)
	case packet.Reachable:
		return errContradicted
	default:
		return because(&a)
	}
}

// errContradicted is why the model's answer does not count: asked for a proof, it finds a way.
var errContradicted = errors.New("asked for a proof, the packet model finds a way")

// because is the reasons of an unknown answer as an error.
func because(a *reach.Answer) error {
	var texts []string
	for i, c := range a.Because {
		if i == 3 {
			texts = append(texts, fmt.Sprintf("and %d more", len(a.Because)-3))
			break
		}
		texts = append(texts, c.Text)
	}
	return errors.New(strings.Join(texts, "; "))
}
