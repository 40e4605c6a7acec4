package trace

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// xtSent evaluates iptables matches of what the sender writes beside addresses and ports, of the clock, of interfaces and of IPsec.
func (w *walk) xtSent(d *ruleset.XtDecoded, r *rule) verdict {
	switch {
	case d.Length != nil:
		return w.xtLength(d.Length, r)
	case d.Time != nil:
		return w.xtTime(d.Time, r)
	case d.Devgroup != nil:
		return decide(d.Devgroup.Matches(groupOf(w.in), groupOf(w.out)))
	case d.Policy != nil && unprotected(w.snap):
		return decide(d.Policy.None)
	case d.Policy != nil:
		return w.maybe(r, "how IPsec protects the packet")
	case d.Written != nil:
		return w.written(d.Written, r)
	}
	return vNext // comment
}

func groupOf(l *link) uint32 {
	if l == nil {
		return 0
	}
	return l.Group
}

// unprotected says that no packet of the namespace is protected by IPsec: there are no policies.
func unprotected(s *snapshot.Snapshot) bool {
	x := s.Network.XFRM
	return x != nil && (x.State == snapshot.Present || x.State == snapshot.Absent) && len(x.Policies)+len(x.Blocked) == 0
}

// inField says whether a number of the header is among some; of one that the sender chooses each way says how it has to be.
func (w *walk) inField(f byte, among spans, r *rule) verdict {
	at, n := w.skb.fieldAt(f)
	switch {
	case w.opens(f), w.asSent(f):
		return decide(w.part(f, among, r))
	case anyBit(w.skb.unk[at : at+n]):
		return w.maybe(r, fieldTexts[f]+" of the packet")
	}
	is := spans{{slices.Clone(w.skb.nh[at : at+n]), slices.Clone(w.skb.nh[at : at+n])}}
	return decide(len(is.and(among)) > 0)
}

func (w *walk) xtTTL(p *ruleset.XtTTL, r *rule) verdict {
	of := func(lo, hi int) spans {
		if lo > hi {
			return nil
		}
		return spans{{[]byte{byte(lo)}, []byte{byte(hi)}}}
	}
	n := int(p.Value)
	return w.inField('t', map[string]spans{"==": of(n, n), "!=": append(of(0, n-1), of(n+1, 255)...), "<": of(0, n-1), ">": of(n+1, 255)}[p.Op], r)
}

// xtLength compares the length of the packet (length_mt, length_mt6): that of IPv6 is without the header in it.
func (w *walk) xtLength(p *ruleset.XtLength, r *rule) verdict {
	if w.skb.later() {
		return w.maybe(r, "the length of the packet")
	}
	header := 0
	if !w.skb.v4 {
		header = 40
	}
	of := func(lo, hi int) spans {
		if lo, hi = max(lo-header, 0), hi-header; lo > hi {
			return nil
		}
		return spans{{binary.BigEndian.AppendUint16(nil, uint16(lo)), binary.BigEndian.AppendUint16(nil, uint16(hi))}}
	}
	among := of(int(p.Min), int(p.Max))
	if p.Invert {
		among = append(of(0, int(p.Min)-1), of(int(p.Max)+1, 0xffff)...)
	}
	return w.inField('l', among, r)
}

// xtTime compares what the clock shows when the packet comes (time_mt).
func (w *walk) xtTime(t *ruleset.XtTime, r *rule) verdict {
	if !t.Known {
		return w.maybe(r, clockText)
	}
	seconds := func(lo, hi uint32) Span {
		return Span{binary.BigEndian.AppendUint32(nil, lo), binary.BigEndian.AppendUint32(nil, hi)}
	}
	hours := spans{seconds(t.Start, t.Stop)}
	if t.Start > t.Stop { // past midnight, on the day on which it is
		hours = spans{seconds(0, t.Stop), seconds(t.Start, 24*60*60-1)}
	}
	var days spans
	for n := range byte(7) {
		if t.Days>>n&1 != 0 {
			days = append(days, Span{[]byte{n}, []byte{n}})
		}
	}
	for _, c := range []struct {
		f     byte
		all   spans
		among spans
	}{{'w', allDays, join(days)}, {'h', allSeconds, hours}} {
		if x := w.field(c.f); x.left == nil {
			x.left = c.all
		}
		if !w.part(c.f, c.among, r) {
			return vNo
		}
	}
	return vNext
}

// written says whether the packet has what only a sender decides: the same for each match that asks for the same. Of two that ask for other things of one
// kind it is known how they go together if they are texts.
func (w *walk) written(x *ruleset.XtWritten, r *rule) verdict {
	if x.Option != 0 && !w.option(ruleset.ExthdrTCP, uint32(x.Option), r) {
		return decide(x.Without)
	}
	end := len(w.skb.nh)
	if w.skb.later() {
		end = w.skb.thoff
	}
	if t := x.Text(); t != nil && t.In(w.skb.nh[:end], w.skb.unk[:end]) && !w.extended(r) {
		return decide(!t.Inverts)
	}
	others := false
	for _, s := range w.said {
		switch {
		case s.what != x.What:
		case bytes.Equal(s.by, x.By):
			return decide(s.is)
		default:
			others = true
		}
	}
	if others && !(w.together(x, false) && w.together(x, true)) {
		return w.maybe(r, x.What+" of the packet")
	}
	at := w.at
	is := w.choose(2, r, x.What+" of the packet") == 1
	if w.region == nil && w.apart(viewsOf[x.What]) {
		w.choices[at].states = writtenStates(x)
	}
	w.said = append(w.said, said{x.What, x.By, is})
	return decide(is)
}

// writtenStates are the conditions of a packet that is not as a match asks, and of one that is.
func writtenStates(x *ruleset.XtWritten) []state {
	not, is := x.What+" of the packet: not as the rule asks", x.What+" of the packet: as the rule asks"
	if t := x.Text(); t != nil {
		if not, is = "the packet does not have the text "+t.Shown, "the packet has the text "+t.Shown; t.Inverts {
			not, is = is, not
		}
	}
	return []state{{packet.AsSent, not}, {packet.AsSent, is}}
}

// together says whether there surely is a packet that has, or has not, the text of a match, and is as the way has taken it for other ones. One
// without any text is, and one with a text that none of those is in that it must not have.
func (w *walk) together(x *ruleset.XtWritten, is bool) bool {
	type text struct {
		*ruleset.XtText
		there bool
	}
	of := func(x *ruleset.XtWritten, is bool) text {
		t := x.Text()
		if t == nil {
			return text{}
		}
		return text{t, is != t.Inverts}
	}
	texts := []text{of(x, is)}
	for _, s := range w.said {
		if s.what == x.What {
			texts = append(texts, of(&ruleset.XtWritten{What: s.what, By: s.by}, s.is))
		}
	}
	for _, t := range texts {
		switch {
		case t.XtText == nil:
			return false
		case !t.there:
			continue
		case t.Bounded:
			return false
		}
		for _, other := range texts {
			if other.XtText == nil || other.there && other.Bounded || !other.there && bytes.Contains(t.Text, other.Text) {
				return false
			}
		}
	}
	return true
}

// said is what a way takes for what the sender wrote.
type said struct {
	what string
	by   []byte
	is   bool
}

const segmentSize = 2 // an option of TCP

// xtRewrite writes over what the sender wrote (ttl_tg, hl_tg6, tcpoptstrip_tg4, tcpmss_mangle_packet).
func (w *walk) xtRewrite(x *ruleset.XtRewrite) {
	at, _ := w.skb.fieldAt('t')
	switch {
	case x.TTL != nil:
		w.skb.nh[at], w.skb.unk[at] = *x.TTL, 0
	case x.By != 0 && w.skb.unk[at] == 0:
		w.skb.nh[at] = byte(min(max(int(w.skb.nh[at])+x.By, 0), 255))
	case x.By != 0: // what was found out of it before is of another number
		w.field('t').left, w.skb.unk[at] = spans{}, 0xff
	}
	has := func(kind uint8, yes bool) {
		w.options = slices.DeleteFunc(w.options, func(o option) bool { return o.op == ruleset.ExthdrTCP && o.kind == uint32(kind) })
		w.options = append(w.options, option{ruleset.ExthdrTCP, uint32(kind), yes})
	}
	for _, kind := range x.Strip {
		has(kind, false)
	}
	if x.MSS && w.skb.proto == packet.TCP {
		has(segmentSize, true)
		w.said = append(w.said, said{what: ruleset.WrittenMSS})
	}
}
