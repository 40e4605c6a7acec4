package certificate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// covers says whether the cubes lie in the question, do not overlap, and leave nothing out: then their
// volumes add up to that of the question.
func covers(q *box, cubes []*box) error {
	total := new(big.Int)
	for i, c := range cubes {
		if c.region.In != q.region.In || c.region.Out != q.region.Out || c.region.V4 != q.region.V4 || c.region.Proto != q.region.Proto ||
			c.region.Type != q.region.Type {
			return fmt.Errorf("cube %d is about other packets than the question", i)
		}
		for d := range dims {
			for _, s := range c.dims[d] {
				if !within(s, q.dims[d]) {
					return fmt.Errorf("cube %d goes beyond the question", i)
				}
			}
		}
		total.Add(total, c.volume())
	}
	if err := apart(cubes); err != nil {
		return err
	}
	if total.Cmp(q.volume()) != 0 {
		return errors.New("the cubes leave a part of the question out")
	}
	return nil
}

// wide is a number of up to 128 bits.
type wide struct{ high, low uint64 }

func (n wide) compare(m wide) int {
	switch {
	case n.high < m.high || n.high == m.high && n.low < m.low:
		return -1
	case n == m:
		return 0
	}
	return 1
}

// interval is the numbers from lo to hi of one dimension of a cube.
type interval struct {
	lo, hi wide
	cube   int
}

// numbers are the intervals of the cubes in each dimension, in order.
func numbers(cubes []*box) (list [dims][]interval) {
	of := func(n *big.Int) wide {
		var b [16]byte
		n.FillBytes(b[:])
		return wide{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	}
	for d := range dims {
		for i, c := range cubes {
			for _, s := range c.dims[d] {
				list[d] = append(list[d], interval{of(s.lo), of(s.hi), i})
			}
		}
		slices.SortFunc(list[d], func(a, b interval) int { return a.lo.compare(b.lo) })
	}
	return list
}

// meetings is how many pairs of intervals meet.
func meetings(sorted []interval) (n int) {
	ends := make([]wide, len(sorted))
	for i := range sorted {
		ends[i] = sorted[i].hi
	}
	slices.SortFunc(ends, wide.compare)
	over := 0
	for i := range sorted {
		for ends[over].compare(sorted[i].lo) < 0 {
			over++
		}
		n += i - over
	}
	return n
}

// apart says which cubes overlap. Those are compared that meet in the dimension in which the fewest do.
func apart(cubes []*box) error {
	all := numbers(cubes)
	best, fewest := 0, 0
	for d := range dims {
		if n := meetings(all[d]); d == 0 || n < fewest {
			best, fewest = d, n
		}
	}
	own := make([][dims][]interval, len(cubes))
	for d := range dims {
		for _, x := range all[d] {
			own[x.cube][d] = append(own[x.cube][d], x)
		}
	}
	var open []interval
	for _, x := range all[best] {
		open = slices.DeleteFunc(open, func(o interval) bool { return o.hi.compare(x.lo) < 0 })
		for _, o := range open {
			if o.cube != x.cube && overlap(&own[o.cube], &own[x.cube]) {
				return fmt.Errorf("cubes %d and %d overlap", min(o.cube, x.cube), max(o.cube, x.cube))
			}
		}
		open = append(open, x)
	}
	return nil
}

func overlap(a, b *[dims][]interval) bool {
	for d := range dims {
		if !meet(a[d], b[d]) {
			return false
		}
	}
	return true
}

// meet says whether intervals of two cubes meet, each in order and apart.
func meet(a, b []interval) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].hi.compare(b[0].lo) < 0:
			a = a[1:]
		case b[0].hi.compare(a[0].lo) < 0:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}
