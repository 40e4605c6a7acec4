package trace

import (
	"bytes"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// ask is what a rule asks of a field of the headers before it does anything: without one of its numbers it does not match.
type ask struct {
	base   byte // 'n' network header, 't' transport header
	off, n int
	in     Span
}

// asksOf collects what the tests at the front of a rule ask for. A rule that is about none of a region's packets would part them all the same, by one
// test after the other, into ways that go on alike.
func asksOf(ops []op) (list []ask) {
	type loaded struct {
		base      byte
		off, n    int
		bits, reg int
	}
	var l loaded
	for i := range ops {
		o := &ops[i]
		switch o.kind {
		case opPayload:
			l = loaded{o.base, o.off, o.n, 8 * o.n, o.dreg}
		case opMeta:
			l = loaded{}
		case opBitwise:
			bits := leadingOnes(o.data[:o.n])
			if l.n != o.n || l.reg != o.sreg || bits < 0 || anyBit(o.data2[:o.n]) {
				l = loaded{}
			}
			l.bits, l.reg = min(l.bits, bits), o.dreg
		case opCmpEq:
			if l.n > 0 && (l.base == 'n' || l.base == 't') && l.reg == o.sreg && len(o.data) == l.n {
				list = append(list, ask{l.base, l.off, l.n, firstBits(o.data, l.bits)})
			}
		case opCmpNeq, opCmp, opRange:
		default:
			if o.kind != opSlow || !onlyAsks(o.expr) {
				return list
			}
			if l = (loaded{}); o.expr.Xt != nil && o.expr.Xt.Decoded.Ports != nil {
				list = append(list, asksForPorts(o.expr.Xt.Decoded.Ports)...)
			}
		}
	}
	return list
}

// onlyAsks says of an expression that has no form of its own that it looks at the packet, and leaves everything as it is, also what counts.
func onlyAsks(e *ruleset.Expr) bool {
	if e.Xt == nil {
		return e.Ct != nil && !e.Ct.Set || e.Fib != nil
	}
	d := e.Xt.Decoded
	return d != nil && !e.Xt.Target && (d.Continue || d.Ports != nil || d.Multiport != nil || d.State != nil || d.Conntrack != nil || d.Mark != nil ||
		d.Connmark != nil || d.Addrtype != nil || d.ICMP != nil || d.IPRange != nil || d.MAC != nil || d.Pkttype != nil)
}

func asksForPorts(p *ruleset.XtPorts) (list []ask) {
	if !p.InvertSport {
		list = append(list, ask{'t', 0, 2, portSpan(p.Sport[0], p.Sport[1])})
	}
	if !p.InvertDport {
		list = append(list, ask{'t', 2, 2, portSpan(p.Dport[0], p.Dport[1])})
	}
	return list
}

// firstBits is the numbers that have the first bits of one.
func firstBits(of []byte, bits int) Span {
	lo, hi := slices.Clone(of), slices.Clone(of)
	for bit := bits; bit < 8*len(of); bit++ {
		lo[bit/8] &^= 0x80 >> (bit % 8)
		hi[bit/8] |= 0x80 >> (bit % 8)
	}
	return Span{lo, hi}
}

// beside says that no packet of the region on its way has what a rule asks for. Of an open field that is no longer as sent it says nothing.
func (w *walk) beside(asks []ask) bool {
	s := &w.skb
	for i := range asks {
		a := &asks[i]
		at := a.off
		if a.base == 't' {
			if !s.hasPorts() || s.later() {
				continue
			}
			at += s.thoff
		}
		if at+a.n > len(s.nh) {
			continue
		}
		if !anyBit(s.unk[at : at+a.n]) {
			if b := s.nh[at : at+a.n]; bytes.Compare(b, a.in.Lo) < 0 || bytes.Compare(b, a.in.Hi) > 0 {
				return true
			}
			continue
		}
		for _, f := range []byte(fieldNames) {
			if where, n := s.fieldAt(f); where == at && a.n <= n && (a.base == 't') == (f == 'p' || f == 'q') && w.asSent(f) && !w.field(f).left.meets(a.in) {
				return true
			}
		}
	}
	return false
}
