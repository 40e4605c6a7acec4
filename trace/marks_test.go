package trace

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestLandmarksThatPartNumbers compares the search among landmarks with one that looks at each of them: those that have some of the
// numbers and not all.
func TestLandmarksThatPartNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	near := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, 0, byte(random.IntN(3)), byte(random.IntN(256))})
	}
	parted := 0
	for range 3000 {
		s := new(snapshot.Snapshot)
		for range random.IntN(12) {
			s.Network.Routes = append(s.Network.Routes, snapshot.Route{
				Family: 4, Table: 254, Type: "unicast", Dst: netip.PrefixFrom(near(), []int{0, 5, 8, 22, 23, 24, 28, 31, 32}[random.IntN(9)]).Masked().String(),
			})
		}
		var list []Span
		for range 1 + random.IntN(4) {
			a, b := near(), near()
			if b.Less(a) {
				a, b = b, a
			}
			list = append(list, Span{a.AsSlice(), b.AsSlice()})
		}
		if random.IntN(4) == 0 {
			list = []Span{prefixSpan(netip.PrefixFrom(near(), random.IntN(33)))}
		}
		left := join(list)
		tracer := New(s)
		tracer.walk.Tracer, tracer.walk.skb.v4 = tracer, true
		var got, want []string
		tracer.walk.partedBy(left, func(m Span) bool {
			got = append(got, string(m.Lo)+string(m.Hi))
			return true
		})
		for _, p := range tracer.landmarks(true) {
			m := spans{prefixSpan(p)}
			if len(left.and(m)) > 0 && len(left.without(m)) > 0 {
				want = append(want, string(m[0].Lo)+string(m[0].Hi))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Fatalf("routes %v, numbers %v:\ngot  %q\nwant %q", s.Network.Routes, left, got, want)
		}
		if len(want) > 0 {
			parted++
		}
	}
	if parted < 1000 {
		t.Errorf("only %d were parted at all", parted)
	}
	if marks, ends := New(new(snapshot.Snapshot)).spansOfMarks(true); len(marks) != len(ends) || !slices.IsSortedFunc(ends, bytes.Compare) {
		t.Errorf("%d landmarks, %d ends", len(marks), len(ends))
	}
}
