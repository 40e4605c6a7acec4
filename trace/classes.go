package trace

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/ringfence/ringfence/ruleset"
)

// alike is the keys of elements that say the same.
type alike struct {
	keys spans
	el   *element
}

// says is what an element does with a packet, beside that it matches.
func (el *element) says() string {
	text := string(el.src.Data) + el.src.Object
	if v := el.src.Verdict; v != nil {
		text += v.Kind + " " + v.Chain
	}
	if len(el.ops) > 0 {
		text += fmt.Sprintf("%p", el)
	}
	return text
}

// alikes are the elements of a set of one field by what they say: a map of a hundred thousand networks to some marks has as many classes as marks.
func (c *set) alikes() []alike {
	if c.classes == nil {
		list, _, _ := c.parts()
		byText := map[string]int{}
		c.inClass = make(map[*element]int, len(list))
		c.classes = []alike{}
		for _, x := range list {
			text := x.el.says()
			i, ok := byText[text]
			if !ok {
				i = len(c.classes)
				byText[text] = i
				c.classes = append(c.classes, alike{el: x.el})
			}
			c.classes[i].keys = append(c.classes[i].keys, x.Span)
			c.inClass[x.el] = i
		}
		for i := range c.classes {
			c.classes[i].keys = join(c.classes[i].keys)
		}
	}
	return c.classes
}

// classesOf are the classes that some of a field's numbers are of, and whether some are of none.
func (c *set) classesOf(left spans) (list []int, more bool) {
	c.alikes()
	seen := make([]bool, len(c.classes))
	j := 0
	for _, x := range left {
		lo, covered := x.Lo, false
		j += firstFrom(len(c.known)-j, func(i int) bool { return bytes.Compare(c.known[j+i].Hi, lo) >= 0 })
		for k := j; k < len(c.known) && bytes.Compare(c.known[k].Lo, x.Hi) <= 0; k++ {
			if bytes.Compare(c.known[k].Lo, lo) > 0 {
				more = true
			}
			if i := c.inClass[c.known[k].el]; !seen[i] {
				seen[i] = true
				list = append(list, i)
			}
			if bytes.Compare(c.known[k].Hi, x.Hi) >= 0 {
				covered = true
				break
			}
			lo = after(c.known[k].Hi)
		}
		more = more || !covered
	}
	return list, more
}

// firstFrom is the first of n numbers, in whose order it begins to hold, that something holds for; n if it holds for none. It costs little where
// that one is near.
func firstFrom(n int, holds func(int) bool) int {
	far := 1
	for far < n && !holds(far) {
		far *= 2
	}
	low := far / 2
	return low + sort.Search(min(far, n)-low, func(i int) bool { return holds(low + i) })
}

// keysPerRule is how many keys of a set are looked at in the time of one rule.
const keysPerRule = 64

// sorted is what classesOf found of some numbers, and those of no class: each way of a region asks for them again, and most regions.
type sorted struct {
	of   *set
	left spans
	list []int
	more bool
	rest spans
}

// fewSpans is how many spans are compared with those that were asked for before.
const fewSpans = 16

// about says whether these are the numbers.
func (s *sorted) about(c *set, left spans) bool {
	if s.of != c || len(s.left) != len(left) {
		return false
	}
	return &s.left[0] == &left[0] || len(left) <= fewSpans && slices.EqualFunc(s.left, left, func(a, b Span) bool {
		return bytes.Equal(a.Lo, b.Lo) && bytes.Equal(a.Hi, b.Hi)
	})
}

// classesIn is classesOf, which it asks once for the same numbers.
func (w *walk) classesIn(c *set, left spans) *sorted {
	if s := &w.sorted; !s.about(c, left) {
		*s = sorted{of: c, left: left}
		s.list, s.more = c.classesOf(left)
		w.evaluated += (len(c.known) + len(left)) / keysPerRule
	}
	return &w.sorted
}

// among goes on with each class of a set's elements that the numbers of a field are of, and with those of none.
func (w *walk) among(f byte, classes []alike, c *set, r *rule) *element {
	x := w.field(f)
	found := w.classesIn(c, x.left)
	list := found.list
	n := len(list)
	if found.more {
		n++
	}
	way := 0
	if n > 1 {
		parts := make([]spans, n)
		for k, i := range list {
			parts[k] = classes[i].keys
		}
		if found.more {
			if found.rest == nil {
				found.rest = x.left.without(c.union)
			}
			parts[n-1] = found.rest
		}
		way = w.oneOf(f, r, parts)
	}
	if way == len(list) {
		if found.rest == nil {
			found.rest = x.left.without(c.union)
		}
		x.left = found.rest
		w.represent(f)
		return c.catchAll
	}
	keys := classes[list[way]].keys
	if n > 1 {
		x.left = x.left.and(keys)
		w.cut(f, x.left)
		w.represent(f)
	}
	return classes[list[way]].el
}

// boxes are the elements of a concatenation in the order in which they count.
func (c *set) boxes() []keyRange {
	if c.ordered == nil {
		c.ordered = []keyRange{}
		for k, el := range c.exact {
			c.ordered = append(c.ordered, keyRange{[]byte(k), []byte(k), el})
		}
		slices.SortFunc(c.ordered, func(a, b keyRange) int { return bytes.Compare(a.lo, b.lo) })
		c.ordered = append(c.ordered, c.concat...)
	}
	return c.ordered
}

// maxFieldClasses bounds the classes of one field that a packet is followed by.
const maxFieldClasses = 64

// maxOverlapping bounds the intervals that are held against each other, of a set in which the first that matches counts.
const maxOverlapping = 512

// lookupFields searches a concatenation of which one field is open, and still as sent: the elements that have the other fields are looked at as the
// numbers of that one. Where two are open the first is narrowed to what any element has.
func (w *walk) lookupFields(o *op, r *rule, l *ruleset.Lookup) (verdict, bool) {
	lens := w.fieldLens(o)
	if len(lens) < 2 {
		return verdict{}, false
	}
	var openAt, openLen int
	var open, last byte
	others := false
	at := 0
	for _, size := range lens {
		padded := (size + 3) &^ 3
		if at+size > o.n || padded > size && w.regs.unknown(o.sreg+at+size, min(padded, o.n-at)-size) {
			return verdict{}, false
		}
		if w.regs.unknown(o.sreg+at, size) {
			h, ok := w.holds(o.sreg+at, size)
			switch {
			case !ok || h.bits != 8*size || h.host:
				return verdict{}, false
			case open == 0:
				open, openAt, openLen = h.f, at, size
			default:
				others, last = true, h.f
			}
		}
		at += padded
	}
	if open == 0 {
		return verdict{}, false
	}
	classes, union := o.set.having(w, o, openAt, openLen, w.field(open).left)
	switch {
	case len(union) == 0 || !w.part(open, union, r):
		return w.found(o, r, o.set.catchAll, l), true
	case w.region == nil && (others || len(classes) > maxFieldClasses):
		return verdict{}, false
	case len(classes) > maxFieldClasses && len(o.set.concat) == 0: // with fewer numbers of the field there are fewer
		return w.abort(r, splitField(open)), true
	case len(classes) > maxFieldClasses:
		return verdict{}, false
	case others: // of what is left, some elements
		els := []*element{o.set.catchAll}
		for i := range classes {
			els = append(els, classes[i].el)
		}
		return w.found(o, r, els[w.choose(len(els), r, splitField(last))], l), true
	}
	for i := range classes {
		if w.part(open, classes[i].keys, r) {
			return w.found(o, r, classes[i].el, l), true
		}
	}
	return w.found(o, r, o.set.catchAll, l), true
}

// fieldLens are the sizes of the fields of a concatenation. The kernel tells them of one that has intervals alone; keys of another are compared as
// a whole, so that each field of the packet that is loaded for it is one.
func (w *walk) fieldLens(o *op) (lens []int) {
	if c := o.set.src; len(c.FieldLens) > 0 || c.Interval {
		for _, n := range c.FieldLens {
			lens = append(lens, int(n))
		}
		return lens
	}
	for at := 0; at < o.n; {
		n := min(4, o.n-at)
		if h := w.regs.whole[(o.sreg+at)/4]; h.f != 0 && h.n > 0 {
			n = h.n
		}
		lens = append(lens, n)
		at += (n + 3) &^ 3
	}
	return lens
}

// having is the numbers of one field that elements have whose other fields can be those of the key, by what the elements say: the first that has
// a number counts. Of elements that have none of the numbers that are left it need not tell.
func (c *set) having(w *walk, o *op, at, size int, left spans) (classes []alike, union spans) {
	key, unk := w.regs.v[o.sreg:o.sreg+o.n], w.regs.unk[o.sreg:o.sreg+o.n]
	byText := map[string]int{}
	var taken []Span
	overlapping := len(c.concat) > 0
	boxes := c.boxes()
	if !overlapping {
		boxes = near(boxes, key, unk, at, left)
	}
	w.evaluated += len(boxes) / keysPerRule
	for i := range boxes {
		b := &boxes[i]
		switch {
		case len(b.lo) < at+size, overlapping && !c.inFields(b, key, unk), !overlapping && (len(b.lo) != len(key) || !possible(key, unk, b.lo, b.lo)):
			continue
		}
		x := spans{{b.lo[at : at+size], b.hi[at : at+size]}}
		text := b.el.says()
		k, ok := byText[text]
		if !ok {
			k = len(classes)
			byText[text] = k
			classes = append(classes, alike{el: b.el})
		}
		if overlapping && len(classes) > 1 {
			if len(taken) > maxOverlapping {
				return make([]alike, maxFieldClasses+1), spans{{bytes.Repeat([]byte{0}, size), bytes.Repeat([]byte{0xff}, size)}}
			}
			x = x.without(join(slices.Clone(taken)))
		}
		classes[k].keys = append(classes[k].keys, x...)
		taken = append(taken, Span{b.lo[at : at+size], b.hi[at : at+size]})
	}
	for i := range classes {
		classes[i].keys = join(classes[i].keys)
	}
	return classes, join(taken)
}

// near are those of single keys, in order, that begin as what is known of one, or where the field that is left open comes first with a number of
// it that is left.
func near(boxes []keyRange, key, unk []byte, at int, left spans) (list []keyRange) {
	between := func(lo, hi []byte) []keyRange {
		first, _ := slices.BinarySearchFunc(boxes, lo, func(b keyRange, k []byte) int { return bytes.Compare(b.lo[:min(len(k), len(b.lo))], k) })
		rest := boxes[first:]
		end, _ := slices.BinarySearchFunc(rest, hi, func(b keyRange, k []byte) int {
			if bytes.Compare(b.lo[:min(len(k), len(b.lo))], k) <= 0 {
				return -1
			}
			return 1
		})
		return rest[:end]
	}
	if at > 0 {
		known := 0
		for known < len(unk) && unk[known] == 0 {
			known++
		}
		return between(key[:known], key[:known])
	}
	for _, x := range left {
		list = append(list, between(x.Lo, x.Hi)...)
	}
	return list
}
