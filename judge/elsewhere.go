package judge

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

// view is another network namespace as the packet models see it, with the effort that questions about it share.
type view struct {
	seen   *snapshot.Elsewhere
	snap   *snapshot.Snapshot
	model  *reach.Model
	host   *reach.Model // the host's own, for questions that lead there
	effort *reach.Effort
	inner  map[innerKey]reach.Answer
	asked  map[socketKey]reach.Answer

	lazyTracer *trace.Tracer
}

// socketKey is what an answer about a socket depends on.
type socketKey struct {
	kind   sweepKey
	port   int
	origin int
}

// innerKey is a socket and the interface of its namespace that packets come in by.
type innerKey struct {
	socketKey
	link int
}

func (b *builder) view(netns uint64, effort *reach.Effort) *view {
	v := &view{effort: effort, host: b.model.Within(effort), inner: map[innerKey]reach.Answer{}, asked: map[socketKey]reach.Answer{}}
	for i := range b.snap.Namespaces {
		if e := &b.snap.Namespaces[i]; e.Netns == netns {
			v.seen = e
			if e.Status == snapshot.OK {
				v.snap = b.snap.From(e)
				v.model = reach.NewModel(v.snap).Within(effort)
			}
		}
	}
	return v
}

func (v *view) tracer() *trace.Tracer {
	if v.lazyTracer == nil {
		v.lazyTracer = trace.New(v.snap)
	}
	return v.lazyTracer
}

// exposeForeign is for a socket of another network namespace: packets have to get through the host to an
// interface of that namespace, and through its own filter to the socket.
func (b *builder) exposeForeign(v *view, sk *snapshot.Socket) (list []finding.Exposure, zones map[string]DocReach) {
	svc := b.service(sk)
	for i := range b.zones.Origins {
		o := &b.zones.Origins[i]
		origin := o.Interface
		if o.Local {
			origin = "local"
		}
		for _, v4 := range families(sk) {
			a := b.askForeign(v, sk, i, v4)
			e := finding.Exposure{
				Service: b.publicService(sk, &svc), Zone: o.Zone, Origin: origin, Family: familyName[v4], Verdict: string(a.Verdict),
				StoppedBy: causes(a.StoppedBy), Because: causes(a.Because),
			}
			if a.Witness != nil {
				e.Witness = "in " + a.Witness.In + " " + a.Witness.String()
			}
			list = append(list, e)
			svc.answer(&e, o.Local, a.Restricted)
		}
	}
	return list, svc.Reach
}

// askForeign asks about equal sockets once.
func (b *builder) askForeign(v *view, sk *snapshot.Socket, origin int, v4 bool) reach.Answer {
	k := socketKey{kind(sk), sk.Port, origin}
	k.kind.v4 = v4
	a, ok := v.asked[k]
	if !ok {
		a = b.foreign(v, sk, &b.zones.Origins[origin], v4)
		v.asked[k] = a
	}
	return a
}

func unknown(why string) reach.Answer {
	return reach.Answer{Verdict: packet.Unknown, Because: []packet.Cause{{Text: why}}}
}

func stopped(why string) reach.Answer {
	return reach.Answer{Verdict: packet.Unreachable, StoppedBy: []packet.Cause{{Text: why}}}
}

// foreign joins the answers for every interface of the namespace.
func (b *builder) foreign(v *view, sk *snapshot.Socket, o *zones.Origin, v4 bool) reach.Answer {
	switch {
	case v.seen == nil:
		return unknown("its network namespace was not read")
	case v.model == nil:
		return unknown("its network namespace was not read: " + v.seen.Reason)
	}
	total := stopped("its network namespace has no interface but loopback that is up")
	for i := range v.seen.Network.Links {
		l := &v.seen.Network.Links[i]
		if l.Loopback || !l.Up {
			continue
		}
		a := v.fromAnywhere(sk, l, v4)
		if a.Verdict != packet.Unreachable {
			a = b.through(v, sk, l, o, v4, &a)
		}
		switch {
		case verdictRank[a.Verdict] > verdictRank[total.Verdict], len(total.StoppedBy) == 1 && total.StoppedBy[0].Table == "" && a.Verdict == total.Verdict:
			total = a
		case a.Verdict == packet.Unreachable && total.Verdict == packet.Unreachable:
			total.StoppedBy = append(total.StoppedBy, a.StoppedBy...)
		}
	}
	return total
}

// fromAnywhere is the namespace's own answer for packets from anywhere, which is the same for all origins.
func (v *view) fromAnywhere(sk *snapshot.Socket, l *snapshot.Link, v4 bool) reach.Answer {
	k := innerKey{socketKey{kind: kind(sk), port: sk.Port}, l.Index}
	k.kind.v4 = v4
	a, ok := v.inner[k]
	if !ok {
		a = v.model.Socket(packet.Origin{Index: l.Index, From: everywhere}, sk, v4)
		v.inner[k] = a
	}
	return a
}

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// through asks whether packets of an origin get to an interface of another namespace, and one of them to the
// socket. inner is the namespace's own answer for packets from anywhere.
func (b *builder) through(v *view, sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, v4 bool, inner *reach.Answer) reach.Answer {
	if err := v.effort.Spend(1); err != nil {
		return unknown(err.Error())
	}
	outer := b.leadsTo(v.seen.Netns, l)
	if outer == nil {
		return unknown("how packets get to " + l.Name + " of its network namespace is not known")
	}
	gate := outer
	if m := b.snap.Network.Link(outer.Master); m != nil && outer.Master != 0 {
		gate = m
	}
	var total reach.Answer
	for _, to := range boundOn(sk, l, v4) {
		var a reach.Answer
		if !o.Local && gate != outer && o.Index != outer.Index && (o.Index == gate.Index || b.bridgeOf(o.Index) == gate.Index) {
			a = b.besides(v, sk, l, o, outer, gate, to)
		} else {
			a = b.forwarded(v, sk, l, o, gate, to, inner)
		}
		if verdictRank[a.Verdict] > verdictRank[total.Verdict] {
			total = a
		}
	}
	if total.Verdict == "" {
		return stopped("the socket's address is on no interface that leads to the host")
	}
	return total
}

// bridgeOf is the index of the bridge that an interface is a port of, or 0.
func (b *builder) bridgeOf(index int) int {
	if m := b.snap.Network.BridgeOf(b.snap.Network.Link(index)); m != nil {
		return m.Index
	}
	return 0
}

// leadsTo is the host's end of an interface of another namespace.
func (b *builder) leadsTo(netns uint64, l *snapshot.Link) *snapshot.Link {
	for i := range b.snap.Network.Links {
		if h := &b.snap.Network.Links[i]; h.PeerNetns == netns && h.PeerIndex == l.Index {
			return h
		}
	}
	return nil
}

// boundOn is the addresses of an interface at which a socket takes packets.
func boundOn(sk *snapshot.Socket, l *snapshot.Link, v4 bool) []netip.Addr {
	at, err := netip.ParseAddr(sk.Addr)
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, text := range l.Addrs {
		p, err := netip.ParsePrefix(text)
		if err == nil && p.Addr().Is4() == v4 && !p.Addr().IsLinkLocalUnicast() && (at.IsUnspecified() || at.Unmap() == p.Addr()) {
			out = append(out, p.Addr())
		}
	}
	return out
}

// forwarded is for packets that the host routes to the namespace.
func (b *builder) forwarded(v *view, sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, gate *snapshot.Link, to netip.Addr, inner *reach.Answer) reach.Answer {
	ask := func(from, except []netip.Prefix) reach.Answer {
		return v.host.Ask(&reach.Question{
			From:  []packet.Origin{{Index: o.Index, Local: o.Local, From: from, Except: except, Apart: o.Apart}},
			Proto: sk.Proto, Dport: sk.Port, To: reach.Target{Oifs: []int{gate.Index}, Final: to},
		})
	}
	a := ask(o.From, o.Except)
	if a.Verdict != packet.Reachable {
		return a
	}
	if b.arrives(v, sk, l, a.Witness) {
		return a
	}
	if !a.Resourced { // what comes from the origin comes with its addresses
		from := o.From
		if o.Local {
			from = b.ownAddresses()
		}
		if own := v.model.Socket(packet.Origin{Index: l.Index, From: from, Except: o.Except}, sk, to.Is4()); own.Verdict != packet.Reachable {
			return own
		}
	}
	if inner.Witness != nil { // the namespace lets only some in: does the host let one of them through?
		if src := inner.Witness.Src; !o.Local && contains(o.From, o.Except, src) {
			if again := ask([]netip.Prefix{netip.PrefixFrom(src, src.BitLen())}, o.Except); again.Verdict == packet.Reachable && b.arrives(v, sk, l, again.Witness) {
				return again
			}
		}
	}
	if inner.Verdict == packet.Unknown {
		return *inner
	}
	return unknown("the host lets packets through to its network namespace, and whether its filter takes one of them was not found out")
}

// ownAddresses are those of the host.
func (b *builder) ownAddresses() []netip.Prefix {
	var out []netip.Prefix
	for i := range b.snap.Network.Links {
		for _, text := range b.snap.Network.Links[i].Addrs {
			if p, err := netip.ParsePrefix(text); err == nil {
				out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
			}
		}
	}
	return out
}

func contains(from, except []netip.Prefix, a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return (len(from) == 0 || slices.ContainsFunc(from, in)) && !slices.ContainsFunc(except, in)
}

// arrives follows a packet through the host and, as it leaves it, into the other namespace.
func (b *builder) arrives(v *view, sk *snapshot.Socket, l *snapshot.Link, w *packet.Packet) bool {
	p, err := packet.Parse(w.In, w.String())
	if err != nil {
		return false
	}
	p.SMAC = w.SMAC
	return b.ends(v, sk, l, b.traced(v, p), p)
}

// ends says whether a packet that the host forwarded or sent gets to the socket.
func (b *builder) ends(v *view, sk *snapshot.Socket, l *snapshot.Link, f trace.Fate, p *packet.Packet) bool {
	to, err := netip.ParseAddrPort(f.To)
	if f.Fate != trace.Forward && f.Fate != trace.Output || err != nil || !f.From.IsValid() {
		return false
	}
	q := *p
	q.In, q.Src, q.Dst, q.Dport, q.SMAC, q.DMAC = l.Name, f.From, to.Addr(), to.Port(), "", ""
	before := v.tracer().Evaluated()
	end := v.tracer().Packet(&q)
	_ = v.effort.Spend((v.tracer().Evaluated() - before) / rulesPerStep)
	return end.Fate == trace.Local && end.Socket != trace.NoSocket && end.Socket != trace.UnknownSocket && int(to.Port()) == sk.Port
}

// rulesPerStep is how many rules for one packet take as long as one step of the model for all packets.
const rulesPerStep = 16

// traced follows a packet through the host, at the cost of the namespace that it may lead to.
func (b *builder) traced(v *view, p *packet.Packet) trace.Fate {
	if b.hostTracer == nil {
		b.hostTracer = trace.New(b.snap)
	}
	before := b.hostTracer.Evaluated()
	f := b.hostTracer.Packet(p)
	_ = v.effort.Spend((b.hostTracer.Evaluated() - before) / rulesPerStep) // the next question hears of it
	return f
}

// besides is for packets from one port of a bridge to another: they are switched.
func (b *builder) besides(v *view, sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, port, bridge *snapshot.Link, to netip.Addr) reach.Answer {
	a := v.host.Ask(&reach.Question{
		From: []packet.Origin{asked(o)}, Proto: sk.Proto, Dport: sk.Port, To: reach.Target{Oifs: []int{port.Index}, Final: to},
	})
	if a.Verdict == packet.Unreachable {
		return a
	}
	own := v.model.Socket(packet.Origin{Index: l.Index, From: o.From, Except: o.Except}, sk, to.Is4())
	if own.Verdict == packet.Unreachable {
		return own
	}
	near, src := network(l, to), netip.Addr{}
	if own.Witness != nil {
		src = own.Witness.Src
	}
	for x := near.Masked().Addr().Next(); near.Contains(x) && !src.IsValid(); x = x.Next() {
		if x != to && !b.snap.Network.Has(x) {
			src = x
		}
	}
	for i := range b.snap.Network.Links {
		other := &b.snap.Network.Links[i]
		if other.Master != bridge.Index || other == port || !other.Up || !src.IsValid() ||
			other.Index != o.Index && (o.Index != bridge.Index || slices.Contains(o.Apart, other.Index)) {
			continue
		}
		w := &packet.Packet{In: other.Name, Proto: sk.Proto, Src: src, Dst: to, Sport: 40000, Dport: uint16(sk.Port)}
		p := *w
		p.DMAC = l.MAC
		if b.ends(v, sk, l, b.traced(v, &p), &p) {
			return reach.Answer{Verdict: packet.Reachable, Witness: w}
		}
	}
	if own.Verdict == packet.Unknown {
		return own
	}
	return unknown("whether packets from another port of " + bridge.Name + " get there was not found out")
}

// network is the network of an address on an interface.
func network(l *snapshot.Link, a netip.Addr) netip.Prefix {
	for _, text := range l.Addrs {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr() == a {
			return p
		}
	}
	return netip.PrefixFrom(a, a.BitLen())
}
