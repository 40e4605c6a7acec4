package trace

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ringfence/ringfence/ruleset"
)

// element is an element of a set, prepared.
type element struct {
	src     *ruleset.Element
	verdict *verdict
	ops     []op
}

// keyRange is the keys from lo to hi, both included.
type keyRange struct {
	lo, hi []byte
	el     *element
}

// set is a set prepared for look-ups: exact keys in a map, intervals sorted, concatenated
// intervals in the kernel's order, of which the first match counts (nft_set_pipapo.c).
type set struct {
	src      *ruleset.Set
	exact    map[string]*element
	ranges   []keyRange // of one field, sorted and disjoint
	concat   []keyRange
	catchAll *element

	classes []alike // see alikes
	inClass map[*element]int
	ordered []keyRange // see boxes
	known   []spanOf   // see parts
	union   spans
	alike   bool
}

// spanOf is the keys of an element of a set of one field.
type spanOf struct {
	Span
	el *element
}

// parts are the elements by their keys, in order, all keys together, and whether the elements carry nothing. The set has one field.
func (c *set) parts() (list []spanOf, all spans, alike bool) {
	if c.known == nil {
		c.alike = true
		for k, el := range c.exact {
			if len(k) != int(c.src.KeyLen) {
				continue
			}
			c.known = append(c.known, spanOf{Span{[]byte(k), []byte(k)}, el})
		}
		for i := range c.ranges {
			if len(c.ranges[i].lo) != int(c.src.KeyLen) || len(c.ranges[i].hi) != int(c.src.KeyLen) {
				continue
			}
			c.known = append(c.known, spanOf{Span{c.ranges[i].lo, c.ranges[i].hi}, c.ranges[i].el})
		}
		slices.SortFunc(c.known, func(a, b spanOf) int { return bytes.Compare(a.Lo, b.Lo) })
		keys := make([]Span, len(c.known))
		for i, x := range c.known {
			keys[i] = x.Span
			c.alike = c.alike && len(x.el.ops) == 0
		}
		c.union = join(keys)
	}
	return c.known, c.union, c.alike
}

func newSet(s *ruleset.Set) *set {
	c := &set{src: s, exact: make(map[string]*element, len(s.Elements))}
	var bounds []*ruleset.Element
	for i := range s.Elements {
		el := &s.Elements[i]
		switch {
		case el.CatchAll:
			c.catchAll = &element{src: el}
		case s.Interval && len(s.FieldLens) > 1:
			hi := el.KeyEnd
			if hi == nil {
				hi = el.Key
			}
			if len(hi) == len(el.Key) {
				c.concat = append(c.concat, keyRange{el.Key, hi, &element{src: el}})
			}
		case s.Interval && el.KeyEnd != nil:
			c.ranges = append(c.ranges, keyRange{el.Key, el.KeyEnd, &element{src: el}})
		case s.Interval:
			bounds = append(bounds, el)
		default:
			c.exact[string(el.Key)] = &element{src: el}
		}
	}
	c.pair(bounds)
	slices.SortFunc(c.ranges, func(a, b keyRange) int { return bytes.Compare(a.lo, b.lo) })
	return c
}

// pair joins the starts and ends of intervals (nft_set_rbtree.c): an end is the first key after.
func (c *set) pair(bounds []*ruleset.Element) {
	slices.SortStableFunc(bounds, func(a, b *ruleset.Element) int {
		if d := bytes.Compare(a.Key, b.Key); d != 0 {
			return d
		}
		switch {
		case a.IntervalEnd == b.IntervalEnd:
			return 0
		case a.IntervalEnd:
			return -1
		}
		return 1
	})
	var open *ruleset.Element
	for _, el := range bounds {
		if open != nil {
			c.ranges = append(c.ranges, keyRange{open.Key, before(el.Key), &element{src: open}})
			open = nil
		}
		if !el.IntervalEnd {
			open = el
		}
	}
	if open != nil {
		c.ranges = append(c.ranges, keyRange{open.Key, bytes.Repeat([]byte{0xff}, len(open.Key)), &element{src: open}})
	}
}

// before is the key before b.
func before(b []byte) []byte {
	out := slices.Clone(b)
	for i := len(out) - 1; i >= 0; i-- {
		out[i]--
		if out[i] != 0xff {
			break
		}
	}
	return out
}

// link resolves the verdicts and statements of the elements.
func (c *set) link(tab *table) {
	c.each(func(el *element) {
		if el.src.Verdict != nil {
			v := tab.verdict(el.src.Verdict)
			el.verdict = &v
		}
		el.ops = tab.ops(el.src.Exprs)
	})
}

func (c *set) each(f func(*element)) {
	for _, el := range c.exact {
		f(el)
	}
	for _, list := range [][]keyRange{c.ranges, c.concat} {
		for i := range list {
			f(list[i].el)
		}
	}
	if c.catchAll != nil {
		f(c.catchAll)
	}
}

func (c *set) verdicts() []verdict {
	var list []verdict
	c.each(func(el *element) {
		if el.verdict != nil {
			list = append(list, *el.verdict)
		}
	})
	return list
}

// find returns the element of a key, without the catch-all.
func (c *set) find(key []byte) *element {
	if el, ok := c.exact[string(key)]; ok {
		return el
	}
	if n := len(c.ranges); n > 0 {
		i := sort.Search(n, func(i int) bool { return bytes.Compare(c.ranges[i].lo, key) > 0 })
		if i > 0 && bytes.Compare(key, c.ranges[i-1].hi) <= 0 {
			return c.ranges[i-1].el
		}
	}
	for i := range c.concat {
		if c.inFields(&c.concat[i], key, nil) {
			return c.concat[i].el
		}
	}
	return nil
}

// inFields compares a concatenation field by field, each padded to whole words. Where unk is given,
// its bits of the key are free, and the answer is whether the key can be inside.
func (c *set) inFields(kr *keyRange, key, unk []byte) bool {
	at := 0
	for _, l := range c.src.FieldLens {
		n := int(l)
		if at+n > len(key) || at+n > len(kr.lo) {
			return false
		}
		var u []byte
		if unk != nil {
			u = unk[at : at+n]
		}
		if !possible(key[at:at+n], u, kr.lo[at:at+n], kr.hi[at:at+n]) {
			return false
		}
		at += (n + 3) &^ 3
	}
	return true
}

// whole returns the element that holds a key whatever its free bits are; nil where that hangs on them.
func (c *set) whole(key, unk []byte) *element {
	least, most := bounds(key, unk)
	for i := range c.ranges {
		if r := &c.ranges[i]; len(r.lo) == len(key) && bytes.Compare(r.lo, least) <= 0 && bytes.Compare(most, r.hi) <= 0 {
			return r.el
		}
	}
	for i := range c.concat { // the first that matches counts
		if r := &c.concat[i]; c.inFields(r, key, unk) {
			if c.inFields(r, least, nil) && c.inFields(r, most, nil) {
				return r.el
			}
			return nil
		}
	}
	return nil
}

// possible says whether a value, some of whose bits are free, can be from lo to hi.
func possible(v, unk, lo, hi []byte) bool {
	if unk == nil || !anyBit(unk) {
		return bytes.Compare(lo, v) <= 0 && bytes.Compare(v, hi) <= 0
	}
	if bytes.Equal(lo, hi) {
		for i := range v {
			if (v[i]^lo[i])&^unk[i] != 0 {
				return false
			}
		}
		return true
	}
	least, most := bounds(v, unk)
	return bytes.Compare(lo, most) <= 0 && bytes.Compare(least, hi) <= 0
}

// bounds is the least and the greatest value with the free bits chosen.
func bounds(v, unk []byte) (least, most []byte) {
	least, most = slices.Clone(v), slices.Clone(v)
	for i := range v {
		least[i] &^= unk[i]
		most[i] |= unk[i]
	}
	return least, most
}

func anyBit(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return true
		}
	}
	return false
}

// candidates is the elements that a key with free bits can have, at most limit of them, and whether
// it can have none.
func (c *set) candidates(key, unk []byte, limit int) (els []*element, more bool) {
	add := func(el *element) {
		if len(els) < limit {
			els = append(els, el)
		} else {
			more = true
		}
	}
	keys := make([]string, 0, len(c.exact))
	for k := range c.exact {
		if len(k) == len(key) && possible(key, unk, []byte(k), []byte(k)) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys) // the walk must find the same ones in the same order each time
	for _, k := range keys {
		add(c.exact[k])
	}
	for i := range c.ranges {
		if len(c.ranges[i].lo) == len(key) && possible(key, unk, c.ranges[i].lo, c.ranges[i].hi) {
			add(c.ranges[i].el)
		}
	}
	for i := range c.concat {
		if c.inFields(&c.concat[i], key, unk) {
			add(c.concat[i].el)
		}
	}
	return els, more
}
