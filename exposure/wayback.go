package exposure

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// A connection of TCP comes to be only if the first answer comes back. What gets to its end is followed the other way: where the host surely stops the
// answer, nobody is reached by that packet.

// Questions about what is forwarded to an interface are about packets, of whatever protocol, and not about connections.

// silent is why the answer to a packet does not leave the host, or "" where it may.
func (p *party) silent(q *reach.Question, k *packet.Packet, end *trace.Fate) string {
	if n, err := k.Protocol(); err != nil || n != packet.TCP || q.State != packet.New && q.State != "" || k.DMAC != "" {
		return ""
	}
	if !q.To.Addr.IsValid() && !q.To.Host {
		return ""
	}
	if why := p.strayed(end); why != "" {
		return "no connection comes to be: " + why
	}
	answer, ok := p.answerTo(k, end)
	if !ok {
		return ""
	}
	f := p.answer(answer, end.Begun)
	if end.Begun != nil && f.Fate != trace.Unknown && (!f.Tracked || f.Answers != end.Answers) {
		return "no connection comes to be: the answer " + answer.String() + " is not turned round, as conntrack does not know it for one"
	}
	if end.Tracked && f.Tracked && f.Answers != end.Answers { // another zone knows no such connection (nf_ct_zone_equal)
		answer.Ct = packet.Invalid
		f = p.trace(answer)
	}
	if f.Fate != trace.Drop && f.Fate != trace.Reject {
		return ""
	}
	return "no connection comes to be: the answer " + answer.String() + " is stopped by " + f.Rule
}

// answer follows the first answer of a connection, which is translated or, without one, is not.
func (p *party) answer(k *packet.Packet, b *trace.Begun) trace.Fate {
	if b == nil {
		return p.trace(k)
	}
	return p.paid(func(t *trace.Tracer) trace.Fate { return t.Answer(k, b) })
}

// strayed is why an answer perhaps does not get to the host: a translation gave what was sent a source that is none of the host's. Nobody answers for that on
// the link, unless the host is told to; who leads answers from further away is not known.
func (p *party) strayed(end *trace.Fate) string {
	if !end.Begun.Resourced() || end.Fate != trace.Forward && end.Fate != trace.Output {
		return ""
	}
	for _, a := range append([]netip.Addr{end.From}, end.Sources...) {
		switch {
		case !a.IsValid():
			return "which source a translation gives the packet is not known, nor whether answers to that come back"
		case !p.owns(a) && !p.locallyRouted(a):
			return "answers go to " + a.String() + ", which a translation gives the packet and which is none of the host's addresses; whether they come back is not known"
		}
	}
	return ""
}

// locallyRouted says whether a route makes an address the host's, so that it answers for it (arp_process). Of IPv6 that is not enough (ndisc_recv_ns).
func (p *party) locallyRouted(a netip.Addr) bool {
	return a.Is4() && slices.ContainsFunc(p.snap.Network.Routes, func(r snapshot.Route) bool {
		n, err := netip.ParsePrefix(r.Dst)
		return err == nil && r.Type == "local" && n.Contains(a)
	})
}

// answerTo is the first answer to a packet of a new connection, as who got it sends it. There is none to follow where rules wrote over what was sent.
func (p *party) answerTo(k *packet.Packet, end *trace.Fate) (*packet.Packet, bool) {
	to, port := ending(end.To)
	flags := "SA"
	a := &packet.Packet{In: "local", Src: to, Dst: k.Src, Proto: k.Proto, Sport: uint16(port), Dport: k.Sport, Flags: &flags, Ct: packet.Established}
	if to.IsLinkLocalUnicast() || k.Src.IsLinkLocalUnicast() { // which are of a link
		return nil, false
	}
	b := end.Begun
	if b == nil && (to != k.Dst.Unmap() || port != int(k.Dport)) || b != nil && to.IsLoopback() {
		return nil, false
	}
	switch end.Fate {
	case trace.Local:
		if p.resourcedAtInput() || p.led(port) || !p.owns(to) {
			return nil, false
		}
	case trace.Forward, trace.Output:
		if b != nil {
			a.Dst, a.Dport = end.From, b.Answered()
		}
		if a.In = end.Oif; b == nil && end.From != k.Src.Unmap() || p.snap.Network.LinkNamed(end.Oif) == nil {
			return nil, false
		}
	default:
		return nil, false
	}
	if rs := p.snap.NFTables.Ruleset; !end.Tracked && rs != nil && rs.Conntrack(to.Is4()) {
		a.Ct = "" // nobody knows the connection
	}
	return a, true
}

// led says whether something else than the routes of a packet without a mark may lead the answers from a port: the interface that a socket is bound to
// (ip_route_output_key_hash_rcu takes everybody to be there), or a mark, of the socket or of what it got (inet_request_mark).
func (p *party) led(port int) bool {
	l := p.steered()
	return l.all || l.ports[port]
}

// steered is what led asks for, found once: there are as many answers as sockets.
type steered struct {
	all   bool
	ports map[int]bool
}

func (s *side) steered() *steered {
	if s.lazySteered != nil {
		return s.lazySteered
	}
	rs := s.snap.NFTables.Ruleset
	marks := rs == nil || rs.MarksAsked() || slices.ContainsFunc(s.snap.Network.Rules, func(r snapshot.PolicyRule) bool { return r.Mark != 0 || r.Mask != 0 })
	s.lazySteered = &steered{all: marks && (rs == nil || rs.MarksSet()), ports: map[int]bool{}}
	for i := range s.snap.Listeners.Sockets {
		sk := &s.snap.Listeners.Sockets[i]
		if sk.Proto == "tcp" && (sk.Device != "" || marks && (sk.Mark == nil || *sk.Mark != 0)) {
			s.lazySteered.ports[sk.Port] = true
		}
	}
	return s.lazySteered
}

// owns says whether an address is one of the host's: what a transparent socket answers by is not.
func (p *party) owns(a netip.Addr) bool {
	return a.IsLoopback() || slices.Contains(p.own(), netip.PrefixFrom(a, a.BitLen()))
}

// resourcedAtInput says whether rules may give what the host gets another source.
func (p *party) resourcedAtInput() bool {
	rs := p.snap.NFTables.Ruleset
	return rs != nil && slices.ContainsFunc(rs.Tables, func(t ruleset.Table) bool {
		return slices.ContainsFunc(t.Chains, func(c ruleset.Chain) bool {
			return c.Base != nil && c.Base.Type == "nat" && packet.Hook(c.Base.Hook) == packet.Input && len(c.Rules) > 0
		})
	})
}

// unanswered is the answer where that to the witness is stopped: other senders are tried, those of the networks of the interfaces. If none is answered it is
// unknown and no proof: what else leads an answer back, such as what a socket is bound to later or another router, is not bounded.
func (p *party) unanswered(q *reach.Question, why string) Answer {
	for _, o := range q.From {
		for _, fam := range []int{4, 6} {
			if q.Family != 0 && q.Family != fam || q.To.Addr.IsValid() && q.To.Addr.Is4() != (fam == 4) {
				continue
			}
			other := *q
			other.Family = fam
			other.From = []packet.Origin{p.near(o, fam == 4)}
			if len(other.From[0].From) == 0 {
				continue
			}
			a := p.model.Reach(&other)
			if a.Verdict != packet.Reachable {
				continue
			}
			k := followed(a.Witness, q.State)
			f := p.trace(k)
			end, conditions := arriving(&f, func(f *trace.Fate) bool { return p.arrives(&other, k, f) })
			if end != nil && p.silent(&other, k, end) == "" {
				k.TTL, k.TOS, a.Witness = end.TTL, end.TOS, k
				return Answer{Answer: a, Fate: end, If: conditions, Checked: true}
			}
		}
	}
	return Answer{Answer: unknown(why)}
}

// near is an origin with those of its senders alone that are in the networks of its interface, or have an address of one of the host's.
func (p *party) near(o packet.Origin, v4 bool) packet.Origin {
	if len(o.From) == 0 {
		o.From = everywhere
	}
	at := o.Index
	if b := bridgeOf(&p.snap.Network, o.Index); b != 0 {
		at = b
	}
	var from []netip.Prefix
	for _, n := range p.networks(at, o.Local, v4) {
		for _, f := range o.From {
			switch f, n := f.Masked(), n.Masked(); {
			case n.Contains(f.Addr()) && f.Bits() >= n.Bits():
				from = append(from, f)
			case f.Contains(n.Addr()):
				from = append(from, n)
			}
		}
	}
	o.From = from
	return o
}

// networks are those of an interface, or of the host's own addresses.
func (p *party) networks(at int, own, v4 bool) (list []netip.Prefix) {
	for i := range p.snap.Network.Links {
		l := &p.snap.Network.Links[i]
		if l.Index != at && (!own || l.Loopback) {
			continue
		}
		for _, text := range l.Addrs {
			n, err := netip.ParsePrefix(text)
			if err != nil || n.Addr().Is4() != v4 {
				continue
			}
			if own {
				n = netip.PrefixFrom(n.Addr(), n.Addr().BitLen())
			}
			list = append(list, n)
		}
	}
	return list
}
