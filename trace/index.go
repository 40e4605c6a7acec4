package trace

import (
	"cmp"
	"slices"
)

// leastRun is how many rules are worth to be looked up: to try fewer is as quick.
const leastRun = 16

// spot is what a rule compares for equality at its front.
type spot struct {
	from, n byte
	off     uint16
	mask    uint64
}

// run is rules of a chain, one after the other, that match only packets with one value each at the same spot: those for a packet are looked
// up, as in a hash, and the others passed over.
type run struct {
	spot
	end     int // the rule after the last
	rules   int
	byValue map[uint64][]int32
}

// after is the first rule from at on that the packet can match, as far as the run tells.
func (w *walk) after(r *run, at int) int {
	v, unk, ok := w.quickly(r.from, int(r.off), int(r.n))
	if !ok || unk&r.mask != 0 {
		return at
	}
	list := r.byValue[v&r.mask]
	i, _ := slices.BinarySearch(list, int32(at))
	if i == len(list) {
		return r.end
	}
	return int(list[i])
}

// tellsApart says that few rules are left of a run for each value: a look-up there is quicker than one of what several spots have.
func (r *run) tellsApart() bool { return r != nil && r.rules <= 4*len(r.byValue) }

// open is a run that may go on.
type openRun struct {
	run
	first int
}

// index finds the runs of a chain. A rule that is in several belongs to the one that tells most apart.
func (c *chain) index() {
	open := map[spot]*openRun{}
	var found []*openRun
	end := func(s spot, at int) {
		o := open[s]
		delete(open, s)
		if o.end = at; at-o.first >= leastRun && len(o.byValue) >= leastRun {
			o.rules = at - o.first
			found = append(found, o)
		}
	}
	for i := range c.rules {
		has := map[spot]bool{}
		for _, q := range c.rules[i].quick {
			s := spot{q.from, q.n, q.off, q.mask}
			if q.neg || has[s] {
				continue
			}
			has[s] = true
			o := open[s]
			if o == nil {
				o = &openRun{run{spot: s, byValue: map[uint64][]int32{}}, i}
				open[s] = o
			}
			o.byValue[q.value&q.mask] = append(o.byValue[q.value&q.mask], int32(i))
		}
		for s := range open {
			if !has[s] {
				end(s, i)
			}
		}
	}
	for s := range open {
		end(s, len(c.rules))
	}
	slices.SortFunc(found, func(a, b *openRun) int {
		return cmp.Or(len(b.byValue)-len(a.byValue), a.first-b.first, int(a.from)-int(b.from), int(a.off)-int(b.off), int(a.n)-int(b.n),
			cmp.Compare(a.mask, b.mask))
	})
	for _, o := range found {
		for i := o.first; i < o.end; i++ {
			if c.rules[i].run == nil {
				c.rules[i].run = &o.run
			}
		}
	}
}
