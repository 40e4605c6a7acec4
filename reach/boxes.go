package reach

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// box is an element of a set as numbers of the fields that its key has, of those that the packets can have.
type box struct {
	sets []set
	el   *ruleset.Element
	// after is what tells boxes apart from each field on: the numbers of that and the later ones, and what the element says.
	after []string
}

// boxes parts packets by the elements of a set at once: its cost is that of sorting them, whatever they say. Numbers of a field that the same
// elements have, as far as the later fields and what they say are concerned, stay together. It reports false where keys are not fields.
func (m *machine) boxes(c *compiled, cb cube, vs []value) (hits []hit, rest []cube, ok bool) {
	fields, list, ok := m.boxesOf(c, &cb, vs)
	if !ok {
		return nil, nil, false
	}
	w := boxWalk{m: m, fields: fields}
	w.part(list, 0, cb)
	if c.catchAll != nil {
		for _, r := range w.rest {
			w.hits = append(w.hits, hit{r, c.catchAll})
		}
		w.rest = nil
	}
	return w.hits, w.rest, true
}

// boxesOf are the elements that any of the packets can have, in the order of the set.
func (m *machine) boxesOf(c *compiled, cb *cube, vs []value) (fields []field, list []box, ok bool) {
	for _, v := range vs {
		for i := range v {
			s := &v[i]
			switch {
			case s.data != nil:
				continue
			case slices.Contains(fields, s.f):
				return nil, nil, false
			}
			fields = append(fields, s.f)
		}
	}
	for i := range c.ranges {
		if i%intervalsPerStep == 0 && m.charge(1) {
			return fields, nil, true // the next spend gives the reason
		}
		b, some, ok := m.boxOf(&c.ranges[i], cb, vs)
		if !ok {
			return nil, nil, false
		}
		if some {
			list = append(list, b)
		}
	}
	return fields, list, true
}

func (m *machine) boxOf(kr *keyRange, cb *cube, vs []value) (b box, some, ok bool) {
	b.el = kr.el
	at := 0
	for _, v := range vs {
		for i := range v {
			s := &v[i]
			n := s.len()
			if at+n > len(kr.lo) || at+n > len(kr.hi) {
				return b, false, false
			}
			lo, hi := kr.lo[at:at+n], kr.hi[at:at+n]
			at += n
			if s.data != nil {
				if bytes.Compare(s.data, lo) < 0 || bytes.Compare(s.data, hi) > 0 {
					return b, false, true
				}
				continue
			}
			if m.charge(s.tries(cb, lo, hi)) {
				return b, false, false
			}
			pre, ok := s.preimage(cb, lo, hi)
			if !ok {
				return b, false, false
			}
			has := pre.intersect(cb.sets[s.f])
			if has.empty() {
				return b, false, true
			}
			b.sets = append(b.sets, has)
		}
		if at%4 != 0 && len(vs) > 1 {
			at += 4 - at%4
		}
	}
	says := string(b.el.Data) + b.el.Object
	if v := b.el.Verdict; v != nil {
		says += v.Kind + " " + v.Chain
	}
	if len(b.el.Exprs) > 0 && !plainOnly(b.el.Exprs) {
		says += fmt.Sprintf("%p", b.el)
	}
	b.after = make([]string, len(b.sets)+1)
	b.after[len(b.sets)] = says
	for i := len(b.sets) - 1; i > 0; i-- {
		text := binary.AppendUvarint(nil, uint64(len(b.sets[i])))
		for _, x := range b.sets[i] {
			for _, n := range []u128{x.lo, x.hi} {
				text = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(text, n.hi), n.lo)
			}
		}
		b.after[i] = string(text) + b.after[i+1]
	}
	return b, true, true
}

// boxWalk parts packets field by field.
type boxWalk struct {
	m      *machine
	fields []field
	hits   []hit
	rest   []cube
}

// group is numbers of a field that elements have that are alike in all that follows.
type group struct {
	numbers set
	list    []box
}

func (w *boxWalk) part(list []box, k int, cb cube) {
	switch {
	case len(list) == 0:
		w.rest = append(w.rest, cb)
		return
	case k == len(w.fields):
		w.hits = append(w.hits, hit{cb, list[0].el})
		return
	}
	f := w.fields[k]
	groups, taken := w.groups(list, k)
	if w.m.over == nil && len(w.hits)+len(groups) > w.m.maxCases/casesPerHit {
		w.m.over = errTooComplex
	}
	if w.m.over != nil {
		return
	}
	if left := cb.sets[f].subtract(taken); !left.empty() {
		w.rest = append(w.rest, cb.with(f, left))
	}
	for _, g := range groups {
		if w.m.charge(1 + len(g.numbers)/intervalsPerStep) {
			return
		}
		w.part(g.list, k+1, cb.with(f, g.numbers))
	}
}

// casesPerHit bounds the parts that one look-up makes: each goes through the rest of the rules by itself.
const casesPerHit = 16

// edge is a number from which on an element has, or no longer has, a field.
type edge struct {
	at   u128
	box  int
	open bool
}

// groups sweeps over the numbers of a field.
func (w *boxWalk) groups(list []box, k int) (groups []*group, taken set) {
	var edges []edge
	var last u128
	ends := false // at the highest number there is no edge after it
	for i := range list {
		for _, x := range list[i].sets[k] {
			edges = append(edges, edge{x.lo, i, true})
			if next := x.hi.next(); next == (u128{}) {
				ends, last = true, x.hi
			} else {
				edges = append(edges, edge{next, i, false})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		switch {
		case a.at.less(b.at):
			return -1
		case b.at.less(a.at):
			return 1
		}
		return 0
	})
	byKey := map[string]*group{}
	var active []int
	var key []byte
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			place, _ := slices.BinarySearch(active, edges[i].box)
			if edges[i].open {
				active = slices.Insert(active, place, edges[i].box)
			} else {
				active = slices.Delete(active, place, place+1)
			}
		}
		if len(active) == 0 || i == len(edges) && !ends {
			continue
		}
		until := last
		if i < len(edges) {
			until = edges[i].at.prev()
		}
		if w.m.charge(1 + len(active)/16) {
			return nil, nil
		}
		key = key[:0]
		seen := map[string]bool{}
		var alike []box
		for _, b := range active {
			after := list[b].after[k+1]
			if len(active) > 1 {
				if seen[after] {
					continue
				}
				seen[after] = true
			}
			key = append(binary.AppendUvarint(key, uint64(len(after))), after...)
			alike = append(alike, list[b])
			if k+1 == len(list[b].sets) { // the first one counts
				break
			}
		}
		g := byKey[string(key)]
		if g == nil {
			g = &group{list: alike}
			byKey[string(key)] = g
			groups = append(groups, g)
		}
		g.numbers, taken = append(g.numbers, interval{at, until}), append(taken, interval{at, until})
	}
	for _, g := range groups {
		g.numbers = g.numbers.normal()
	}
	return groups, taken.normal()
}
