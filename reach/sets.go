package reach

import (
	"bytes"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// hit is the packets that an element of a set matches.
type hit struct {
	cube cube
	el   *ruleset.Element
}

// compiled is a set with one field as intervals of its keys, with the element of each.
type compiled struct {
	ranges   []keyRange
	catchAll *ruleset.Element
	exact    map[string]*ruleset.Element // of a set without ranges: by their keys
	acts     bool                        // elements have statements of their own
	fields   map[fieldKey]set            // the keys as numbers of a field, once they were asked for
}

// fieldKey is a field in the register as it is loaded.
type fieldKey struct {
	f      field
	off, n int
	v4     bool
}

// numbers is the keys as numbers of a field, where that does not depend on the packets: of a field that is loaded as it
// is.
func (c *compiled) numbers(e *engine, s *seg, cb *cube) (set, bool) {
	k := fieldKey{s.f, s.off, s.n, cb.v4}
	plain := s.mask == nil && !s.swap && s.off == 0
	if all, ok := c.fields[k]; ok && plain {
		return all, true
	}
	var all set
	for i := range c.ranges {
		kr := &c.ranges[i]
		lo, hi := kr.lo[:min(len(kr.lo), s.n)], kr.hi[:min(len(kr.hi), s.n)]
		pre, ok := s.preimage(cb, lo, hi)
		if e.charge(s.tries(cb, lo, hi)) || !ok {
			return nil, false
		}
		all = append(all, pre...)
	}
	all = all.normal()
	if plain {
		if c.fields == nil {
			c.fields = map[fieldKey]set{}
		}
		c.fields[k] = all
	}
	return all, true
}

type keyRange struct {
	lo, hi []byte
	el     *ruleset.Element
}

// compile pairs the starts and ends of an interval set; in a plain set each key stands for itself.
func (e *engine) compile(s *ruleset.Set) *compiled {
	if c, ok := e.compiledSets[s]; ok {
		return c
	}
	c := &compiled{acts: hasStatements(s), exact: map[string]*ruleset.Element{}}
	e.compiledSets[s] = c
	els := make([]*ruleset.Element, 0, len(s.Elements))
	c.ranges = make([]keyRange, 0, len(s.Elements))
	for i := range s.Elements {
		el := &s.Elements[i]
		switch {
		case el.CatchAll || len(el.Key) == 0:
			c.catchAll = el
		case !s.Interval || el.KeyEnd != nil:
			end := el.KeyEnd
			if end == nil {
				end = el.Key
			}
			c.ranges = append(c.ranges, keyRange{el.Key, end, el})
			if c.exact[string(el.Key)] == nil {
				c.exact[string(el.Key)] = el
			}
		default:
			els = append(els, el)
		}
	}
	slices.SortFunc(els, func(a, b *ruleset.Element) int {
		if d := bytes.Compare(a.Key, b.Key); d != 0 {
			return d
		}
		if a.IntervalEnd != b.IntervalEnd {
			if a.IntervalEnd {
				return -1
			}
			return 1
		}
		return 0
	})
	var open *ruleset.Element
	for _, el := range els {
		if open != nil {
			hi := number(el.Key).prev().bytesOf(len(el.Key))
			c.ranges = append(c.ranges, keyRange{open.Key, hi, open})
			open = nil
		}
		if !el.IntervalEnd {
			open = el
		}
	}
	if open != nil {
		c.ranges = append(c.ranges, keyRange{open.Key, bytes.Repeat([]byte{0xff}, len(open.Key)), open})
	}
	if s.Interval {
		c.exact = nil
	}
	return c
}

// keyOf is the key that constants make, each padded to whole words.
func keyOf(vs []value) (string, bool) {
	var key []byte
	for _, v := range vs {
		if len(v) != 1 || v[0].data == nil || v[0].known != nil || v[0].why != "" {
			return "", false
		}
		if key = append(key, v[0].data...); len(vs) > 1 {
			key = append(key, make([]byte, -len(v[0].data)&3)...)
		}
	}
	return string(key), true
}

// search parts the packets by the elements of a set. A plain set of one field without data is
// searched as one set of numbers, so that its size does not matter.
func (m *machine) search(s *ruleset.Set, cb cube, vs []value) (hits []hit, rest []cube, why string) {
	c := m.compile(s)
	if len(vs) == 1 && len(vs[0]) == 1 && vs[0][0].among != nil {
		if hits, rest, ok := c.listed(&vs[0][0], cb); ok {
			return hits, rest, ""
		}
	}
	for _, v := range vs {
		if w := v.doubtful(); w != "" {
			return nil, nil, w
		}
	}
	if !s.Map && !s.Objects && len(vs) == 1 && len(vs[0]) == 1 && vs[0][0].data == nil && c.catchAll == nil &&
		!c.acts {
		sg := &vs[0][0]
		all, ok := c.numbers(m.engine, sg, &cb)
		if !ok {
			return nil, nil, "a mask that leaves too many cases"
		}
		if m.parts(&cb, sg.f, all) {
			return nil, nil, errTooComplex.Error()
		}
		in, out := cb.split(sg.f, all)
		for _, i := range in {
			hits = append(hits, hit{i, &ruleset.Element{}})
		}
		return hits, out, ""
	}
	if key, constant := keyOf(vs); constant && c.exact != nil { // however many elements there are
		el := c.exact[key]
		if el == nil {
			el = c.catchAll
		}
		if el == nil {
			return nil, []cube{cb}, ""
		}
		return []hit{{cb, el}}, nil, ""
	}
	if len(vs) > 1 || len(vs[0]) == 1 {
		hits, rest, ok := m.boxes(c, cb, vs)
		switch {
		case m.over != nil:
			return nil, nil, m.over.Error()
		case ok:
			return hits, rest, ""
		}
	}
	rest = []cube{cb}
	for i := range c.ranges {
		kr := &c.ranges[i]
		var next []cube
		for _, r := range rest {
			in, out, why := m.splitAll(r, vs, kr.lo, kr.hi, len(vs) > 1 || bytes.Equal(kr.lo, kr.hi) || len(vs[0]) == 1)
			if why != "" {
				return nil, nil, why
			}
			for _, cb := range in {
				hits = append(hits, hit{cb, kr.el})
			}
			next = append(next, out...)
		}
		if rest = next; len(rest) == 0 {
			break
		}
		if m.charge(1+len(rest)/8) || len(rest) > m.maxCases/4 {
			return nil, nil, "a set that splits the question into too many cases"
		}
	}
	if c.catchAll != nil {
		for _, r := range rest {
			hits = append(hits, hit{r, c.catchAll})
		}
		rest = nil
	}
	return hits, rest, ""
}

func hasStatements(s *ruleset.Set) bool {
	for i := range s.Elements {
		if len(s.Elements[i].Exprs) > 0 {
			return true
		}
	}
	return false
}
