package exposure

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

// leaving is whether packets of an origin leave by an interface, as they are to be when they do.
func leaving(o packet.Origin, proto string, v4 bool, oif int, to reach.Sent) *reach.Question {
	return &reach.Question{
		From: []packet.Origin{o}, Proto: proto, Dport: to.Port, To: reach.Target{Oifs: []int{oif}, Final: to.Dst}, Family: family(v4),
	}
}

// forwarded is for packets that the host routes to the namespace.
func (v *view) forwarded(sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, gate *snapshot.Link, v4 bool, to reach.Sent, inner *Answer) Answer {
	ask := func(from, except []netip.Prefix) Answer {
		narrow := packet.Origin{Index: o.Index, Local: o.Local, From: from, Except: except, Apart: o.Apart}
		q := leaving(narrow, sk.Proto, v4, gate.Index, to)
		return v.host.second(q, v.host.model.Reach(q))
	}
	a, known := v.asker.toGate(v, o, gate.Index, sk.Proto, v4, to)
	if !known {
		a = ask(o.From, o.Except)
	}
	if a.Verdict != packet.Reachable {
		return a
	}
	if conditions, ok := v.ends(sk, l, a.Witness, a.Fate); ok {
		return a.and(conditions)
	}
	if !a.Resourced { // what comes from the origin comes with its addresses
		from := o.From
		if o.Local {
			from = v.host.own()
		}
		if own := v.inside(sk, l, from, o.Except, v4); own.Verdict != packet.Reachable {
			return own
		}
	}
	for _, src := range v.likelySources(o, gate, v4, inner) {
		again := ask([]netip.Prefix{netip.PrefixFrom(src, src.BitLen())}, o.Except)
		if again.Verdict != packet.Reachable {
			continue
		}
		if conditions, ok := v.ends(sk, l, again.Witness, again.Fate); ok {
			return again.and(conditions)
		}
	}
	if inner.Verdict == packet.Unknown {
		return *inner
	}
	return Answer{Answer: unknown("the host lets packets through to its network namespace, and whether its filter takes one of them was not found out")}
}

// likelySources are senders whose packets may get to the socket where those of the first witness do not: of a namespace that lets only
// some in one of them, of the host its addresses on the interface that leads there.
func (v *view) likelySources(o *zones.Origin, gate *snapshot.Link, v4 bool, inner *Answer) (list []netip.Addr) {
	if o.Local {
		for _, text := range gate.Addrs {
			if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() == v4 && !p.Addr().IsLinkLocalUnicast() {
				list = append(list, p.Addr())
			}
		}
		return list[:min(len(list), maxSources)]
	}
	if inner.Witness != nil && contains(o.From, o.Except, inner.Witness.Src) {
		list = append(list, inner.Witness.Src)
	}
	return list
}

// maxSources bounds the senders that are tried.
const maxSources = 4

// addressesOf are those of an interface.
func addressesOf(l *snapshot.Link) (out []netip.Prefix) {
	for _, text := range l.Addrs {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
	}
	return out
}

func contains(from, except []netip.Prefix, a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return (len(from) == 0 || slices.ContainsFunc(from, in)) && !slices.ContainsFunc(except, in)
}

// and adds conditions to an answer.
func (a Answer) and(conditions []packet.Condition) Answer {
	a.If = append(slices.Clip(a.If), conditions...)
	return a
}

// ends follows a packet that left the host into the namespace, and says whether it gets to the socket, and on which conditions.
func (v *view) ends(sk *snapshot.Socket, l *snapshot.Link, k *packet.Packet, f *trace.Fate) ([]packet.Condition, bool) {
	to, port := ending(f.To)
	if f.Fate != trace.Forward && f.Fate != trace.Output || !to.IsValid() || !f.From.IsValid() {
		return nil, false
	}
	q := *k
	q.In, q.Src, q.Dst, q.Dport, q.SMAC, q.DMAC, q.Out = l.Name, f.From, to, uint16(port), "", "", ""
	end := v.trace(&q)
	at, conditions := arriving(&end, func(f *trace.Fate) bool {
		return f.Fate == trace.Local && slices.Contains(trace.SocketNames(sk), f.Socket)
	})
	return conditions, at != nil
}

// besides is for packets from one port of a bridge to another: they are switched.
func (v *view) besides(sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, port, bridge *snapshot.Link, v4 bool, to reach.Sent) Answer {
	network := &v.host.snap.Network
	k := &packet.Packet{Proto: sk.Proto, Dst: some(l, v4, to.Dst), Sport: 40000, Dport: uint16(cmp.Or(to.Port, to.One)), DMAC: l.MAC, Out: port.Name}
	if to.Many || overlap(to.Dst, v.host.own()) { // frames for these are not followed from port to port: what stops all others stops them
		to.Dst = nil
	}
	q := leaving(o.Origin, sk.Proto, v4, port.Index, to)
	if v.host.model.Shut(q) {
		return v.host.second(q, v.host.model.Reach(q))
	}
	own := v.inside(sk, l, o.From, o.Except, v4)
	if own.Verdict == packet.Unreachable {
		return own
	}
	k.Src = v.neighbour(l, v4, k.Dst, &own)
	for i := range network.Links {
		other := &network.Links[i]
		if other.Master != bridge.Index || other == port || !other.Up || !k.Src.IsValid() || !k.Dst.IsValid() || to.Many ||
			other.Index != o.Index && (o.Index != bridge.Index || slices.Contains(o.Apart, other.Index)) {
			continue
		}
		from := *k
		from.In = other.Name
		f := v.host.trace(&from)
		var behind []packet.Condition
		end, conditions := arriving(&f, func(f *trace.Fate) (ok bool) {
			behind, ok = v.ends(sk, l, &from, f)
			return ok
		})
		if end != nil {
			found := Answer{Answer: reach.Answer{Verdict: packet.Reachable, Witness: &from}, Fate: end, If: conditions, Checked: true}
			return found.and(behind)
		}
	}
	if own.Verdict == packet.Unknown {
		return own
	}
	if a, ok := v.byHost(sk, l, o, bridge, k.Src, v4, to); ok {
		return a
	}
	return Answer{Answer: unknown("whether packets from another port of " + bridge.Name + " get there was not found out")}
}

// byHost is for a sender that has no port of a bridge yet, as the next container will: the host routes what it sends back to the bridge. A
// translation does not count there: the answer goes straight to the neighbour, which does not know its address.
func (v *view) byHost(sk *snapshot.Socket, l *snapshot.Link, o *zones.Origin, bridge *snapshot.Link, src netip.Addr, v4 bool, to reach.Sent) (Answer, bool) {
	if o.Index != bridge.Index || !src.IsValid() {
		return Answer{}, false
	}
	narrow := packet.Origin{Index: bridge.Index, From: []netip.Prefix{netip.PrefixFrom(src, src.BitLen())}, Apart: o.Apart}
	q := leaving(narrow, sk.Proto, v4, bridge.Index, to)
	q.Direct = true
	a := v.host.second(q, v.host.model.Reach(q))
	if a.Verdict != packet.Reachable {
		return Answer{}, false
	}
	conditions, ok := v.ends(sk, l, a.Witness, a.Fate)
	return a.and(conditions), ok
}

// some is one of some addresses: that of the interface, if it is among them.
func some(l *snapshot.Link, v4 bool, list []netip.Prefix) netip.Addr {
	for _, text := range l.Addrs {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() == v4 && contains(list, nil, p.Addr()) {
			return p.Addr()
		}
	}
	if len(list) > 0 {
		return list[0].Addr()
	}
	return netip.Addr{}
}

// neighbour is an address of somebody beside an interface of the namespace who sends to it: one that its filter takes, or any other of
// the network.
func (v *view) neighbour(l *snapshot.Link, v4 bool, to netip.Addr, own *Answer) netip.Addr {
	if own.Witness != nil {
		return own.Witness.Src
	}
	for _, text := range l.Addrs {
		near, err := netip.ParsePrefix(text)
		if err != nil || near.Addr().Is4() != v4 {
			continue
		}
		for x := near.Masked().Addr().Next(); near.Contains(x); x = x.Next() {
			if x != near.Addr() && !v.host.snap.Network.Has(x) && x != to {
				return x
			}
		}
	}
	return netip.Addr{}
}

// overlap says whether prefixes of two lists have an address in common.
func overlap(a, b []netip.Prefix) bool {
	return slices.ContainsFunc(a, func(p netip.Prefix) bool { return slices.ContainsFunc(b, p.Overlaps) })
}
