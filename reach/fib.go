package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// The numbers of address types (RTN_*, include/uapi/linux/rtnetlink.h).
var routeKind = map[string]int{
	"unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6,
	"unreachable": 7, "prohibit": 8, "throw": 9,
}

// part is the addresses that one route decides.
type part struct {
	addrs set
	kind  int // RTN_*
	oifs  []int
	route string
}

// fib is the routing tables of one family.
type fib struct {
	v4     bool
	parts  []part
	policy bool // rules beyond local, main, default: a lookup depends on more than the address
}

// newFib orders the routes of the tables local, main and default by the length of their prefix.
func newFib(n *snapshot.Network, v4 bool) *fib {
	fam := 6
	if v4 {
		fam = 4
	}
	f := &fib{v4: v4}
	for _, r := range n.Rules {
		if r.Family != fam {
			continue
		}
		plain := r.Action == "lookup" && (r.Table == 255 || r.Table == 254 || r.Table == 253) &&
			r.Src == "" && r.Dst == "" && r.Iif == "" && r.Oif == "" && r.Mark == 0 && !r.Other && !r.Invert &&
			r.IPProto == 0 && r.Sport == [2]int{} && r.Dport == [2]int{} && r.Tos == 0 && r.SuppressBits == 0
		f.policy = f.policy || !plain
	}
	type entry struct {
		table int
		p     netip.Prefix
		r     snapshot.Route
	}
	var es []entry
	for _, r := range n.Routes {
		if r.Family != fam || r.Table != 255 && r.Table != 254 && r.Table != 253 {
			continue
		}
		if p, err := netip.ParsePrefix(r.Dst); err == nil {
			es = append(es, entry{r.Table, p, r})
		}
	}
	slices.SortStableFunc(es, func(a, b entry) int {
		if d := b.table - a.table; d != 0 {
			return d
		}
		if d := b.p.Bits() - a.p.Bits(); d != 0 {
			return d
		}
		return a.r.Metric - b.r.Metric
	})
	left := span(num(0), ones(uint(8*fDaddr.width(v4))))
	multicast := prefixSet(netip.MustParsePrefix("ff00::/8"))
	if v4 {
		multicast = prefixSet(netip.MustParsePrefix("224.0.0.0/4"))
	}
	f.parts = append(f.parts, part{multicast, routeKind["multicast"], nil, "multicast"})
	left = left.subtract(multicast)
	for _, e := range es {
		s := prefixSet(e.p).intersect(left)
		if s.empty() || e.r.Type == "multicast" {
			continue
		}
		left = left.subtract(s)
		f.parts = append(f.parts, part{s, routeKind[e.r.Type], e.r.Oifs, e.r.Dst})
	}
	if !left.empty() {
		f.parts = append(f.parts, part{left, routeKind["unreachable"], nil, "no route"})
	}
	return f
}

func (f *fib) partition() []part { return f.parts }

// local is every address that the host delivers to itself.
func (f *fib) local() set {
	var s set
	for _, p := range f.parts {
		if p.kind == routeKind["local"] {
			s = append(s, p.addrs...)
		}
	}
	return append(set{}, s...).normal()
}

// via is the unicast addresses whose route leaves through an interface.
func (f *fib) via(oif int) set {
	var s set
	for _, p := range f.parts {
		if p.kind == routeKind["unicast"] && slices.Contains(p.oifs, oif) {
			s = append(s, p.addrs...)
		}
	}
	return append(set{}, s...).normal()
}

func (f *fib) routed() set {
	var s set
	for _, p := range f.parts {
		if p.kind == routeKind["unicast"] {
			s = append(s, p.addrs...)
		}
	}
	return append(set{}, s...).normal()
}

// fibResult is what a fib expression loads for the addresses of a part (nft_fib4_eval).
func (m *machine) fibResult(e *ruleset.Fib, p part, dev int) value {
	if e.Result == ruleset.FibAddrtype {
		if dev != 0 && p.kind == routeKind["local"] && !slices.Contains(p.oifs, dev) {
			return unknown(4, "fib type limited to an interface")
		}
		return constant(host32(uint32(p.kind)))
	}
	oif := 0
	if p.kind == routeKind["unicast"] || p.kind == routeKind["local"] {
		for _, o := range p.oifs {
			if dev == 0 || o == dev {
				oif = o
				break
			}
		}
	}
	if e.Flags&ruleset.FibPresent != 0 {
		return constant([]byte{map[bool]byte{true: 1}[oif != 0]})
	}
	if e.Result == ruleset.FibOif {
		return constant(host32(uint32(oif)))
	}
	if l := m.snap.Network.Link(oif); l != nil {
		return constant(ifname(l.Name))
	}
	return constant(ifname(""))
}

// linkAddrs is the addresses of a link with their prefixes.
func linkAddrs(l *snapshot.Link, v4 bool) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range l.Addrs {
		if p, err := netip.ParsePrefix(a); err == nil && p.Addr().Is4() == v4 {
			out = append(out, p)
		}
	}
	return out
}

// sysctl is the value of a switch, and whether it is known. An absent one is off.
func (e *engine) sysctl(key string) (int, bool) {
	f, ok := e.snap.Network.Sysctls[key]
	switch {
	case !ok || f.State == snapshot.Absent:
		return 0, ok
	case f.State != snapshot.Present:
		return 0, false
	}
	n := 0
	for _, c := range strings.TrimSpace(f.Value) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
