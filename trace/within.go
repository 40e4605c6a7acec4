package trace

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Span is the numbers from Lo to Hi, both included, as bytes in network order: addresses or ports.
type Span struct{ Lo, Hi []byte }

// spans are sorted and apart.
type spans []Span

// The fields of a region, as the names by which ends ask to narrow them: 's' and 'd' the addresses, 'p' and 'q' the ports.
const fieldNames = "sdpq"

// fieldAt is where a field stands in the headers, and its size.
func (s *skb) fieldAt(f byte) (at, n int) {
	size := 4
	if !s.v4 {
		size = 16
	}
	switch f {
	case 't':
		return map[bool]int{true: 8, false: 7}[s.v4], 1
	case 'l':
		return map[bool]int{true: 2, false: 4}[s.v4], 2
	case 's':
		return s.addrAt(), size
	case 'd':
		return s.addrAt() + size, size
	case 'p':
		return s.thoff, 2
	}
	return s.thoff + 2, 2
}

// within is what a way has found out about a field of the region: the numbers that are left on it. Its bytes in the header are one of them.
type within struct {
	left spans
	seen []byte // those bytes, as long as no rule has changed them
	// parted is whether a landmark parts the numbers, once that was asked.
	asked, parted bool
}

// setOut begins a way with all that the region has.
func (w *walk) setOut() {
	for i, f := range []byte(fieldNames) {
		w.inFields[i] = within{}
		if list := w.region.In[i]; len(list) > 0 && (i < 2 || w.skb.hasPorts()) {
			w.inFields[i].left = list
			w.represent(f)
		}
	}
}

func (w *walk) field(f byte) *within {
	if f >= firstPiece {
		return &w.pieces[f-firstPiece].within
	}
	return &w.inFields[strings.IndexByte(fieldNames+chosenNames, f)]
}

// represent puts the first number that is left into the header.
func (w *walk) represent(f byte) {
	x := w.field(f)
	x.asked = false
	switch {
	case ofClock(f):
		return
	case f == 'c':
		w.representService()
		return
	}
	b, _ := w.bytesOf(f)
	if b == nil || x.seen != nil && !bytes.Equal(b, x.seen) {
		return // a rule has put something else there
	}
	copy(b, x.left[0].Lo)
	x.seen = slices.Clone(x.left[0].Lo)
}

// sent loads into a register what the sender wrote into a field, whatever the header has by now. It reports false where the region leaves
// nothing of it open.
func (w *walk) sent(f byte, at int) bool {
	if w.region == nil {
		return false
	}
	x := w.field(f)
	if len(x.left) == 0 {
		return false
	}
	lo, hi := w.region.In[bytes.IndexByte([]byte(fieldNames), f)][0].Lo, w.region.In[bytes.IndexByte([]byte(fieldNames), f)]
	unk := differing(lo, hi[len(hi)-1].Hi)
	if !anyBit(unk) {
		return false
	}
	w.regs.putUnk(at, x.left[0].Lo, unk)
	w.regs.whole[at/4] = held{f: f, n: len(lo), bits: 8 * len(lo), sent: true}
	w.notes[at/4] = note{why: splitField(f)}
	return true
}

// differing is the bits from the first in which two numbers differ.
func differing(a, b []byte) []byte {
	out := make([]byte, len(a))
	open := false
	for i := range a {
		x := a[i] ^ b[i]
		switch {
		case open:
			x = 0xff
		case x != 0:
			open = true
			for x&(x+1) != 0 {
				x |= x >> 1
			}
		}
		out[i] = x
	}
	return out
}

// asSent says whether a field of the packet is still what the sender wrote, of which some is left open.
func (w *walk) asSent(f byte) bool {
	if w.region == nil && strings.IndexByte(fieldNames, f) >= 0 {
		return false
	}
	x := w.field(f)
	b, unk := w.bytesOf(f)
	return len(x.left) > 0 && anyBit(unk) && bytes.Equal(b, x.seen)
}

// exactly is why a way goes on with a part of its region: nothing is left open by that.
const exactly = "a part of the region"

// part says whether the numbers of a field are among some. Where only a part is, the walk goes on with each part of them.
func (w *walk) part(f byte, among spans, r *rule) bool {
	x := w.field(f)
	inside := x.left.and(among)
	if len(inside) == 0 {
		return false
	}
	outside := x.left.without(among)
	if len(outside) == 0 {
		return true
	}
	w.cut(f, inside)
	is := w.oneOf(f, r, []spans{outside, inside}) == 1
	x.left = outside
	if is {
		x.left = inside
	}
	w.represent(f)
	return is
}

// cut notes by which numbers a field of the region was parted.
func (w *walk) cut(f byte, by spans) {
	if i := strings.IndexByte(fieldNames, f); i >= 0 {
		w.cuts[i] = append(w.cuts[i], by...)
	}
}

// Cuts is the field by whose numbers the ways of the last region were parted most, and these numbers; 0 where none was.
func (t *Tracer) Cuts() (f byte, parts []Span) {
	for i, list := range t.walk.cuts {
		if all := join(slices.Clone(list)); len(all) > len(parts) {
			f, parts = fieldNames[i], all
		}
	}
	return f, parts
}

// and is the numbers that are in both.
func (s spans) and(t spans) (out spans) {
	if len(s) == 0 || len(t) == 0 {
		return nil
	}
	for i, j := s.from(t[0].Lo), t.from(s[0].Lo); i < len(s) && j < len(t); {
		lo, hi := later(s[i].Lo, t[j].Lo), s[i].Hi
		if bytes.Compare(t[j].Hi, hi) < 0 {
			hi = t[j].Hi
		}
		if bytes.Compare(lo, hi) <= 0 {
			out = append(out, Span{lo, hi})
		}
		if bytes.Compare(s[i].Hi, t[j].Hi) < 0 {
			i++
		} else {
			j++
		}
	}
	return out
}

// from is where the spans are that end at a number or after it.
func (s spans) from(n []byte) int {
	return firstFrom(len(s), func(i int) bool { return bytes.Compare(s[i].Hi, n) >= 0 })
}

// meets says whether there is a number in both: t has all numbers that begin with those from its first to its last.
func (s spans) meets(t Span) bool {
	n := len(t.Lo)
	i := firstFrom(len(s), func(i int) bool { return bytes.Compare(s[i].Hi[:n], t.Lo) >= 0 })
	return i < len(s) && bytes.Compare(s[i].Lo[:n], t.Hi) <= 0
}

// without is the numbers that are in s alone.
func (s spans) without(t spans) (out spans) {
	j := 0
	for _, x := range s {
		lo, done := x.Lo, false
		j += firstFrom(len(t)-j, func(i int) bool { return bytes.Compare(t[j+i].Hi, lo) >= 0 })
		for k := j; k < len(t) && bytes.Compare(t[k].Lo, x.Hi) <= 0; k++ {
			if bytes.Compare(t[k].Lo, lo) > 0 {
				out = append(out, Span{lo, before(t[k].Lo)})
			}
			if bytes.Compare(t[k].Hi, x.Hi) >= 0 {
				done = true
				break
			}
			lo = after(t[k].Hi)
		}
		if !done {
			out = append(out, Span{lo, x.Hi})
		}
	}
	return out
}

func later(a, b []byte) []byte {
	if bytes.Compare(a, b) >= 0 {
		return a
	}
	return b
}

// after is the number after b.
func after(b []byte) []byte {
	out := slices.Clone(b)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i]++; out[i] != 0 {
			break
		}
	}
	return out
}

// join makes spans that are in any order, and may overlap, sorted and apart.
func join(list []Span) spans {
	slices.SortFunc(list, func(a, b Span) int { return bytes.Compare(a.Lo, b.Lo) })
	var out spans
	for _, s := range list {
		if n := len(out); n > 0 && bytes.Compare(s.Lo, out[n-1].Hi) <= 0 {
			out[n-1].Hi = later(out[n-1].Hi, s.Hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

// portSpan is the ports from one to another.
func portSpan(lo, hi uint16) Span {
	return Span{[]byte{byte(lo >> 8), byte(lo)}, []byte{byte(hi >> 8), byte(hi)}}
}

func hasPort(list []Span, port int) bool {
	p := []byte{byte(port >> 8), byte(port)}
	return slices.ContainsFunc(list, func(s Span) bool { return bytes.Compare(s.Lo, p) <= 0 && bytes.Compare(p, s.Hi) <= 0 })
}

// prefixSpan is the addresses of a prefix.
func prefixSpan(p netip.Prefix) Span {
	p = p.Masked()
	return Span{p.Addr().AsSlice(), lastOf(p).AsSlice()}
}

// landmarksIn are the widest landmarks that have some of the numbers and not all.
func (w *walk) landmarksIn(left spans) (list []Span) {
	w.partedBy(left, func(m Span) bool {
		if len(list) == 0 || bytes.Compare(m.Lo, list[len(list)-1].Hi) > 0 { // not inside the last one
			list = append(list, m)
		}
		return true
	})
	return list
}

// partedBy calls each for landmarks that have some of the numbers and not all, until that returns false.
func (w *walk) partedBy(left spans, each func(Span) bool) {
	known := w.spansOfMarks(w.skb.v4)
	marks, ends := known.spans, known.ends
	first, last := left[0].Lo, left[len(left)-1].Hi
	at, _ := slices.BinarySearchFunc(ends, first, bytes.Compare) // all before end before the numbers begin
	if len(left) == 1 && onePrefix(left[0]) {                    // those that begin before have all of it, or nothing
		at, _ = slices.BinarySearchFunc(marks, first, func(m Span, b []byte) int { return bytes.Compare(m.Lo, b) })
	}
	for i := at; i < len(marks) && bytes.Compare(marks[i].Lo, last) <= 0; i++ {
		m := marks[i]
		if bytes.Compare(m.Hi, first) < 0 || bytes.Compare(m.Lo, first) <= 0 && bytes.Compare(m.Hi, last) >= 0 {
			continue // none of them, or all
		}
		if by := known.members[i]; by != nil && !w.meets(by) {
			continue // a group that nothing on the way has joined
		}
		j, _ := slices.BinarySearchFunc(left, m.Lo, func(s Span, b []byte) int { return bytes.Compare(s.Hi, b) })
		if j < len(left) && bytes.Compare(left[j].Lo, m.Hi) <= 0 && !each(m) {
			return
		}
	}
}

// onePrefix says whether a span is all numbers with the same first bits.
func onePrefix(s Span) bool {
	for i := range s.Lo {
		if x := s.Lo[i] ^ s.Hi[i]; x != 0 {
			if x&(x+1) != 0 || s.Lo[i]&x != 0 {
				return false
			}
			for k := i + 1; k < len(s.Lo); k++ {
				if s.Lo[k] != 0 || s.Hi[k] != 0xff {
					return false
				}
			}
			return true
		}
	}
	return true
}

// parted says whether a landmark has some of the numbers of a field and not all.
func (w *walk) parted(f byte) bool {
	x := w.field(f)
	if !x.asked {
		x.asked, x.parted = true, false
		w.partedBy(x.left, func(Span) bool { x.parted = true; return false })
	}
	return x.parted
}

// Apart parts spans by others, both in order and apart: what is in each of these, and the rest.
func Apart(list, by []Span) (in [][]Span, rest []Span) {
	at := 0
	for _, c := range by {
		for at < len(list) && bytes.Compare(list[at].Hi, c.Lo) < 0 {
			at++
		}
		end := at
		for end < len(list) && bytes.Compare(list[end].Lo, c.Hi) <= 0 {
			end++
		}
		if inside := spans(list[at:end]).and(spans{c}); len(inside) > 0 {
			in = append(in, inside)
		}
	}
	return in, spans(list).without(by)
}

// spansOfMarks is the landmarks in the order of their first address, the wider before the narrower, and for each the last address of it and
// all before it. What has all addresses is left out: it parts nothing.
func (t *Tracer) spansOfMarks(v4 bool) *landmarks {
	m := &t.marks[0]
	if v4 {
		m = &t.marks[1]
	}
	if m.spans == nil {
		m.spans = spans{}
		list := slices.DeleteFunc(slices.Clone(t.landmarks(v4)), func(p netip.Prefix) bool { return p.Bits() == 0 })
		slices.SortFunc(list, func(a, b netip.Prefix) int {
			return cmp.Or(a.Masked().Addr().Compare(b.Masked().Addr()), a.Bits()-b.Bits())
		})
		for i, p := range slices.CompactFunc(list, func(a, b netip.Prefix) bool { return a.Masked() == b.Masked() }) {
			s := prefixSpan(p)
			m.spans, m.members = append(m.spans, s), append(m.members, t.members[p])
			if i > 0 {
				s.Hi = later(s.Hi, m.ends[i-1])
			}
			m.ends = append(m.ends, s.Hi)
		}
	}
	return m
}
