package trace

import (
	"bytes"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// The type of service of IPv4, or the traffic class of IPv6, is a field that the sender chooses: 'c'. In the header of IPv6 it is across two bytes,
// so that what is left of it is kept as a byte of its own, and what registers have of it is tried for each of its 256 numbers.

// allServices is all that a sender may write.
var allServices = spans{{[]byte{0}, []byte{255}}}

func (s *skb) service() byte {
	if s.v4 {
		return s.nh[1]
	}
	return s.nh[0]<<4 | s.nh[1]>>4
}

func (s *skb) setService(n byte) {
	if s.v4 {
		s.nh[1] = n
		return
	}
	s.nh[0], s.nh[1] = s.nh[0]&0xf0|n>>4, s.nh[1]&0x0f|n<<4
}

// writeService is what targets of iptables do to it (dscp_tg, tos_tg, ecn_tg).
func (s *skb) writeService(x *ruleset.XtService) {
	s.setService(x.Of(s.service()))
	if s.v4 {
		s.unk[1] &^= x.Mask
		return
	}
	s.unk[0], s.unk[1] = s.unk[0]&^(x.Mask>>4), s.unk[1]&^(x.Mask<<4)
}

// writeMarks writes the type of service, and the flags of ECN (ecn_tg, set_ect_tcp): matches of ECN ask for what is written from then on.
func (w *walk) writeMarks(d *ruleset.XtDecoded) {
	const ecn = 0x03
	s := &w.skb
	if d.Service != nil {
		s.writeService(d.Service)
	}
	if f := d.TCPFlags; f != nil && s.proto == packet.TCP && !s.later() {
		if at := s.thoff + 13; at < len(s.nh) {
			s.nh[at], s.unk[at] = f.Of(s.nh[at]), s.unk[at]&^f.Mask
		}
	}
	if d.TCPFlags != nil || d.Service.Mask&ecn != 0 {
		w.said = slices.DeleteFunc(w.said, func(s said) bool { return s.what == ruleset.WrittenECN })
		w.said = append(w.said, said{what: ruleset.WrittenECN})
	}
}

// serviceUnk is the bits of it that are not known.
func (s *skb) serviceUnk() byte {
	if s.v4 {
		return s.unk[1]
	}
	return s.unk[0]<<4 | s.unk[1]>>4
}

// opensService says whether the type of service is open, as sent, and begins to keep what is found out about it.
func (w *walk) opensService() bool {
	x := w.field('c')
	if x.left == nil && w.skb.serviceUnk() == 0xff && !w.skb.tos && (w.region != nil || w.apart(byService)) {
		x.left, x.seen = allServices, nil
		w.representService()
	}
	return len(x.left) > 0 && !w.skb.tos && w.skb.serviceUnk() == 0xff && w.skb.service() == x.seen[0]
}

// representService puts the first number that is left into the header.
func (w *walk) representService() {
	x := w.field('c')
	if x.seen != nil && w.skb.service() != x.seen[0] {
		return // a rule has put something else there
	}
	w.skb.setService(x.left[0].Lo[0])
	x.seen = []byte{x.left[0].Lo[0]}
}

// holdService notes that a load takes the type of service, beside what is known.
func (w *walk) holdService(o *op) {
	at := map[bool]int{true: 1, false: 0}[w.skb.v4]
	if o.off > at || o.off+o.n < 2 || !w.opensService() {
		return
	}
	w.regs.whole[o.dreg/4] = held{f: 'c', n: o.n, bits: o.off}
}

// serviceIn is what a register has for each type of service, where that alone is open.
func (w *walk) serviceIn(at, n int) (of func(byte) []byte, ok bool) {
	h := w.regs.whole[at/4]
	if h.f != 'c' || h.n != n || at%4 != 0 || !w.opensService() {
		return nil, false
	}
	v, u := w.regs.v[at:at+n], w.regs.unk[at:at+n]
	low := 1 - h.bits // the byte that has its lower bits
	for i, x := range u {
		if w.skb.v4 && i != low && x != 0 || !w.skb.v4 && (i > 1 && x != 0 || i == 1 && x&0x0f != 0) {
			return nil, false
		}
	}
	b := make([]byte, n)
	return func(c byte) []byte {
		copy(b, v)
		if w.skb.v4 {
			b[low] = v[low]&^u[low] | c&u[low]
			return b
		}
		b[0], b[1] = v[0]&^u[0]|c>>4&u[0], v[1]&^u[1]|c<<4&u[1]
		return b
	}, true
}

// servicesThat are the types of service that something holds for.
func servicesThat(holds func(byte) bool) (list spans) {
	for n := range 256 {
		if !holds(byte(n)) {
			continue
		}
		if k := len(list); k > 0 && int(list[k-1].Hi[0]) == n-1 {
			list[k-1].Hi = []byte{byte(n)}
			continue
		}
		list = append(list, Span{[]byte{byte(n)}, []byte{byte(n)}})
	}
	return list
}

// lookupService searches a set for each type of service, and goes on with each element that is found.
func (w *walk) lookupService(o *op, r *rule, of func(byte) []byte) verdict {
	var els []*element
	var found [256]*element
	for n := range 256 {
		el := w.search(o.set, bytes.Clone(of(byte(n))))
		found[n] = el
		if !containsElement(els, el) {
			els = append(els, el)
		}
	}
	for _, el := range els[:len(els)-1] {
		if w.part('c', servicesThat(func(n byte) bool { return found[n] == el }), r) {
			return w.found(o, r, el, o.expr.Lookup)
		}
	}
	return w.found(o, r, els[len(els)-1], o.expr.Lookup)
}

func containsElement(list []*element, el *element) bool {
	return slices.Contains(list, el)
}

// xtDSCP compares bits of the type of service.
func (w *walk) xtDSCP(x *ruleset.XtDSCP, r *rule) verdict {
	holds := func(n byte) bool { return n&x.Mask == x.Value }
	switch {
	case w.opensService():
		return decide(w.part('c', servicesThat(holds), r) != x.Invert)
	case !w.skb.tos && (w.skb.service()^x.Value)&x.Mask&^w.skb.serviceUnk() != 0: // what is open does not matter
	case w.skb.tos || w.skb.serviceUnk()&x.Mask != 0:
		return w.maybe(r, "the type of service, which a rule changed")
	}
	return decide(holds(w.skb.service()) != x.Invert)
}

// served says whether a route or a routing policy rule for a type of service is for the packet. Kernels before 6.13 looked at some of its bits alone
// for IPv4.
func (w *walk) served(tos int, of string) bool {
	is := func(n byte) bool { return int(n&0xfc) == tos }
	was := func(n byte) bool { return is(n) }
	if w.skb.v4 {
		was = func(n byte) bool { return int(n&0x1c) == tos }
	}
	if w.opensService() {
		return w.part('c', servicesThat(func(n byte) bool { return is(n) || was(n) }), nil) &&
			(w.part('c', servicesThat(func(n byte) bool { return is(n) && was(n) }), nil) || w.whichBits(of))
	}
	n := w.skb.service()
	if w.skb.tos || w.skb.serviceUnk() != 0 {
		return w.choose(2, nil, "the type of service, which "+of+" asks for") == 1
	}
	return is(n) && was(n) || is(n) != was(n) && w.whichBits(of)
}

// whichBits says whether the kernel is one that takes a type of service for that of a route or a rule.
func (w *walk) whichBits(of string) bool {
	at := w.at
	way := w.choose(2, nil, "which bits of the type of service "+of+" looks at")
	if w.region == nil {
		w.choices[at].states = []state{{packet.AsSent, "not all bits of the type of service are those of " + of}, {packet.AsSent, "the bits of the type of service that the kernel looks at are those of " + of}}
	}
	return way == 1
}

// byService gives a packet of IPv4 that is forwarded the queueing class of its type of service (ip_forward).
func (w *walk) byService() {
	s := &w.skb
	s.priority, s.classed = word{v: serviceClass[s.service()>>3&3]}, false
	if s.tos || s.serviceUnk()&0x18 != 0 {
		s.priority, s.classed = word{unk: 0xffffffff}, true
	}
}

// classOf finds out the queueing class that was left open: of a type of service as sent it is one of four.
func (w *walk) classOf() {
	s := &w.skb
	if !s.classed || !w.opensService() {
		return
	}
	for i, class := range serviceClass {
		if i == len(serviceClass)-1 || w.part('c', servicesThat(func(n byte) bool { return int(n>>3&3) == i }), nil) {
			s.priority, s.classed = word{v: class}, false
			return
		}
	}
}

// sentService is a type of service that the way leaves, as it was sent; nil where that is the usual one, 0.
func (w *walk) sentService() *uint8 {
	left := w.field('c').left
	if len(left) == 0 || left[0].Lo[0] == 0 {
		return nil
	}
	return new(left[0].Lo[0])
}
