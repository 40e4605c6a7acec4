package trace

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/packet"
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
	if m := New(new(snapshot.Snapshot)).spansOfMarks(true); len(m.spans) != len(m.ends) || len(m.spans) != len(m.members) || !slices.IsSortedFunc(m.ends, bytes.Compare) {
		t.Errorf("%d landmarks, %d ends", len(m.spans), len(m.ends))
	}
}

// TestGroupsOfOtherLinks: groups that only links have joined which a packet cannot come in by are no landmarks for it, and it ends alike for
// all of them; a group of its own link, of the bridge, or that is a landmark besides is one.
func TestGroupsOfOtherLinks(t *testing.T) {
	s := new(snapshot.Snapshot)
	s.Coverage = []snapshot.Coverage{{Collector: "network", Status: snapshot.OK}, {Collector: "nftables", Status: snapshot.OK}, {Collector: "listeners", Status: snapshot.OK}}
	s.Network.Sysctls = map[string]snapshot.Fact{}
	group := func(n int) string { return netip.AddrFrom16([16]byte{0xff, 2, 13: 0xff, 15: byte(n)}).String() }
	for i, l := range []snapshot.Link{
		{Name: "br0", Kind: "bridge"}, {Name: "p1", Master: 1}, {Name: "p2", Master: 1}, {Name: "eth0"}, {Name: "eth1"},
	} {
		l.Index, l.Up, l.Hardware = i+1, true, 1
		l.Groups = []snapshot.MulticastGroup{{Addr: group(i)}, {Addr: group(10 + i), Filtered: true}, {Addr: group(20)}}
		s.Network.Links = append(s.Network.Links, l)
		for _, family := range []string{"ipv4", "ipv6"} {
			for _, k := range []string{"forwarding", "disable_ipv6", "mc_forwarding", "rp_filter"} {
				s.Network.Sysctls["net/"+family+"/conf/all/"+k] = snapshot.Fact{State: snapshot.Present, Value: "0"}
				s.Network.Sysctls["net/"+family+"/conf/"+l.Name+"/"+k] = snapshot.Fact{State: snapshot.Present, Value: "0"}
			}
		}
	}
	s.Network.Routes = []snapshot.Route{{Family: 6, Table: 255, Type: "multicast", Dst: group(4) + "/128", Oifs: []int{5}}}
	s.Index()
	all := []Span{prefixSpan(netip.MustParsePrefix("ff02::ff:0/112"))}
	for in, want := range map[string]int{"eth0": 4, "br0": 8, "p1": 6, "eth1": 3} {
		tracer := New(s)
		fates := map[string]string{} // of what is no landmark
		follow := func(to string) string {
			f := tracer.Packet(&packet.Packet{In: in, Proto: "tcp", Src: netip.MustParseAddr("2001:db8::2"), Dst: netip.MustParseAddr(to), Dport: 80})
			return string(f.Fate) + f.Rule + f.Why
		}
		rest := follow(group(99))
		marks := tracer.walk.landmarksIn(all)
		if len(marks) != want {
			t.Errorf("%s: %d landmarks, not %d", in, len(marks), want)
		}
		for i := range 21 {
			at := netip.MustParseAddr(group(i)).AsSlice()
			if !slices.ContainsFunc(marks, func(m Span) bool { return bytes.Equal(m.Lo, at) }) {
				fates[group(i)] = follow(group(i))
			}
		}
		for g, f := range fates {
			if f != rest {
				t.Errorf("%s: %s ends as %s, others as %s", in, g, f, rest)
			}
		}
	}
}
