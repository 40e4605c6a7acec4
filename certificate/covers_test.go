package certificate

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
)

// cut is a question parted at random into boxes, over and over by one dimension.
func cut(r *rand.Rand, parts int) (*box, []*box) {
	whole := func() *box {
		b := &box{region: new(packet.Region)}
		for d := range dims {
			b.dims[d] = []span{{big.NewInt(0), big.NewInt(255)}}
		}
		return b
	}
	list := []*box{whole()}
	for len(list) < parts {
		i, d := r.IntN(len(list)), r.IntN(dims)
		spans := list[i].dims[d]
		s := spans[r.IntN(len(spans))]
		if s.lo.Cmp(s.hi) == 0 {
			continue
		}
		at := new(big.Int).Add(s.lo, big.NewInt(r.Int64N(new(big.Int).Sub(s.hi, s.lo).Int64())))
		low, high := *list[i], *list[i]
		low.dims[d], high.dims[d] = nil, nil
		next := new(big.Int).Add(at, big.NewInt(1))
		for _, x := range spans {
			switch {
			case x == s:
				low.dims[d], high.dims[d] = append(low.dims[d], span{x.lo, at}), append(high.dims[d], span{next, x.hi})
			case r.IntN(2) == 0:
				low.dims[d] = append(low.dims[d], x)
			default:
				high.dims[d] = append(high.dims[d], x)
			}
		}
		list[i] = &low
		list = append(list, &high)
	}
	return whole(), list
}

// slowly says whether any number of every dimension is in two boxes, one pair of intervals after the other.
func slowly(a, b *box) bool {
	for d := range dims {
		meets := false
		for _, s := range a.dims[d] {
			for _, t := range b.dims[d] {
				meets = meets || s.lo.Cmp(t.hi) <= 0 && t.lo.Cmp(s.hi) <= 0
			}
		}
		if !meets {
			return false
		}
	}
	return true
}

// TestOverlapsAreFound: the parts of a question cover it; one that is moved, or taken twice, is found as by comparing each with each.
func TestOverlapsAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for n := range 300 {
		q, list := cut(r, 1+n%40)
		if err := covers(q, list); err != nil {
			t.Fatalf("%d: parts of a whole: %v", n, err)
		}
		i, d := r.IntN(len(list)), r.IntN(dims)
		moved := *list[i]
		lo := r.Int64N(256)
		moved.dims[d] = []span{{big.NewInt(lo), big.NewInt(lo + r.Int64N(256-lo))}}
		list[i] = &moved
		want := ""
		for j := range list {
			for k := range list[:j] {
				if want == "" && slowly(list[j], list[k]) {
					want = "overlap"
				}
			}
		}
		if want != "" {
			found++
		}
		if err := apart(list); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Fatalf("%d: %v, want %q", n, err, want)
		}
	}
	if found < 100 {
		t.Errorf("only %d overlaps were tried", found)
	}
}

// BenchmarkCovers is 2,000 parts by destination, and as many by port.
func BenchmarkCovers(b *testing.B) {
	for _, d := range []int{dimDst, dimDport} {
		b.Run(fmt.Sprint(d), func(b *testing.B) {
			q, _ := cut(rand.New(rand.NewPCG(1, 2)), 1)
			q.dims[d] = []span{{big.NewInt(0), big.NewInt(1<<32 - 1)}}
			var list []*box
			for i := range int64(2000) {
				part := *q
				part.dims[d] = []span{{big.NewInt(i << 21), big.NewInt((i+1)<<21 - 1)}}
				list = append(list, &part)
			}
			last := *q
			last.dims[d] = []span{{big.NewInt(2000 << 21), q.dims[d][0].hi}}
			list = append(list, &last)
			for b.Loop() {
				if err := covers(q, list); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
