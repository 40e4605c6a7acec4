package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
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
	bits  int             // of the prefix
	encap *snapshot.Route // that it is, if something is done with packets on it
	// realm is that of each of its hops; realms says that they differ.
	realm  uint32
	realms bool
}

// fib is the routing tables of one family.
type fib struct {
	leaving              map[int]set // see via
	locals, noNeighbours set         // see local and besides
	v4                   bool
	parts                []part
	whole                []part         // also of multicast addresses, for those who look up routes alone
	types                []part         // by the type that "fib type" reports
	byType               map[int][]part // see typesOn
	tables, served       map[int][]part // served are the routes for a type of service
	rules                []snapshot.PolicyRule

	multicast   set
	own         set    // the unicast addresses that are delivered to the host by some table
	taken       set    // all addresses that are: also of many hosts
	sources     set    // those that the host can send from: of interfaces and of the table local
	kinds       []part // whole, of the kinds of its routes alone
	tunnels     bool   // a route takes packets another way (snapshot.Route.Bypasses)
	customLocal bool   // somebody added a route of type local (fib_has_custom_local_routes)
	dissected   bool   // a program reads the protocol and the ports that rules ask for (fib4_rules_early_flow_dissect)
	// realms: they are in use, and every way back is looked up; openRealms: that of a route is not known.
	realms, openRealms bool
	byIif              bool // rules ask for the interface by which packets come in
	policy             bool // rules beyond local, main, default: a lookup depends on more than the address
}

// newFib prepares the routing tables of one family: each as disjoint parts, longest prefix first, and
// the three that the kernel itself makes as one partition of all addresses.
func newFib(n *snapshot.Network, v4 bool) *fib {
	fam := 6
	if v4 {
		fam = 4
	}
	f := &fib{v4: v4, dissected: n.Dissector() != "", tables: map[int][]part{}, served: map[int][]part{}, byType: map[int][]part{}}
	f.readRealms(n)
	for _, r := range n.Rules {
		if r.Family != fam {
			continue
		}
		f.rules = append(f.rules, r)
		plain := r.Action == "lookup" && (r.Table == 255 || r.Table == 254 || r.Table == 253) &&
			r.Src == "" && r.Dst == "" && r.Iif == "" && r.Oif == "" && r.Mark == 0 && r.UIDs == nil && !r.Other && !r.Invert &&
			r.IPProto == 0 && r.Sport == [2]int{} && r.Dport == [2]int{} && r.Tos == 0 && r.SuppressBits == 0 && !r.Realms
		f.policy = f.policy || !plain
		f.byIif = f.byIif || r.Iif != "" && r.Iif != "lo"
	}
	slices.SortStableFunc(f.rules, func(a, b snapshot.PolicyRule) int { return a.Priority - b.Priority })
	f.multicast = prefixSet(netip.MustParsePrefix("ff00::/8"))
	if v4 {
		f.multicast = prefixSet(netip.MustParsePrefix("224.0.0.0/4"))
	}
	byTable := map[int][]snapshot.Route{}
	for _, r := range n.Routes {
		if r.Family == fam {
			byTable[r.Table] = append(byTable[r.Table], r)
			f.tunnels = f.tunnels || r.Bypasses()
			f.servedBy(&r)
			f.customLocal = f.customLocal || r.Type == "local" && r.Protocol != 2 && r.Protocol != 0
		}
	}
	for id, routes := range byTable {
		f.tables[id] = disjoint(routes)
	}
	all := span(num(0), ones(uint(8*fDaddr.width(v4))))
	f.whole = f.partition(all)
	f.parts = append([]part{{addrs: f.multicast, kind: routeKind["multicast"], route: "multicast"}},
		f.partition(all.subtract(f.multicast))...)
	f.types = f.parts
	f.takes(n.Links)
	if v4 {
		f.types = f.types4()
	}
	return f
}

// partition gives each address of a set the route that the kernel's own three tables have for it.
func (f *fib) partition(left set) []part {
	var out []part
	for _, id := range []int{255, 254, 253} {
		var taken set
		for _, p := range f.tables[id] { // the parts of a table have no address in common
			if s := p.addrs.intersect(left); !s.empty() && p.kind != routeKind["throw"] {
				taken = append(taken, s...)
				p.addrs = s
				out = append(out, p)
			}
		}
		left = left.subtract(taken.normal())
	}
	if !left.empty() {
		out = append(out, part{addrs: left, kind: routeKind["unreachable"], route: "no route"})
	}
	return out
}

// disjoint orders the routes of a table by the length of their prefix and cuts each down to the
// addresses that no longer one has.
func disjoint(routes []snapshot.Route) []part {
	type entry struct {
		p netip.Prefix
		r *snapshot.Route
	}
	var es []entry
	for i := range routes {
		if p, err := netip.ParsePrefix(routes[i].Dst); err == nil && routes[i].Type != "multicast" && routes[i].Tos == 0 {
			es = append(es, entry{p, &routes[i]})
		}
	}
	slices.SortStableFunc(es, func(a, b entry) int {
		if d := b.p.Bits() - a.p.Bits(); d != 0 {
			return d
		}
		return a.r.Metric - b.r.Metric
	})
	prefixes := make([]netip.Prefix, len(es))
	for i := range es {
		prefixes[i] = es[i].p.Masked()
	}
	own := remainders(prefixes)
	var out []part
	for i, e := range es {
		if s := own[i]; !s.empty() {
			p := part{addrs: s, kind: routeKind[e.r.Type], oifs: e.r.Oifs, route: e.r.Dst, bits: e.p.Bits(), realm: e.r.Realm, realms: e.r.Realms}
			if e.r.Encap != "" {
				p.encap = e.r
			}
			out = append(out, p)
		}
	}
	return out
}

// remainders is of each prefix the addresses that no longer one has, and of equal ones those of the first alone. Two
// prefixes are one inside the other or have nothing in common, so that the next longer ones are enough to leave out.
func remainders(list []netip.Prefix) []set {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { // as a tree from above: around before inside
		return cmp.Or(list[a].Addr().Compare(list[b].Addr()), list[a].Bits()-list[b].Bits())
	})
	inside := make([]set, len(list))
	around := make([]int, 0, 129)
	own := make([]set, len(list))
	for n, i := range order {
		if n > 0 && list[order[n-1]] == list[i] {
			order[n] = order[n-1] // takes nothing; the next is compared with the first of its kind
			continue
		}
		for len(around) > 0 && !list[around[len(around)-1]].Contains(list[i].Addr()) {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			top := around[len(around)-1]
			inside[top] = append(inside[top], prefixSet(list[i])...)
		}
		around = append(around, i)
		own[i] = set{}
	}
	for i := range list {
		if own[i] != nil {
			own[i] = prefixSet(list[i]).subtract(inside[i].normal())
		}
	}
	return own
}

// routed is packets with the route that they take; part.kind is 0 where that is not known.
type routed struct {
	cube cube
	part part
}

// input parts packets that came in by their routes. Some addresses are decided before any route
// (ip_route_input_slow, ip6_route_input): 255.255.255.255, multicast, and 0.0.0.0, which is no destination but for
// those who have no address. Where here is set, only what is delivered is told apart.
func (f *fib) input(c cube, iif string, here bool) []routed {
	special := []part{{addrs: f.multicast, kind: routeKind["multicast"], route: "multicast"}}
	if f.v4 {
		special = append(special,
			part{addrs: single(num(0xffffffff)), kind: routeKind["broadcast"], route: "broadcast"},
			part{addrs: single(num(0)), kind: routeKind["unreachable"], route: "0.0.0.0"})
	}
	var out []routed
	for _, p := range special {
		in, rest := c.split(fDaddr, p.addrs)
		for _, x := range in {
			if p.route == "0.0.0.0" && x.sets[fSaddr].singleton() && x.sets[fSaddr].contains(num(0)) {
				p.kind = routeKind["broadcast"]
			}
			out = append(out, routed{x, p})
		}
		if len(rest) == 0 {
			return out
		}
		c = rest[0]
	}
	if here && !f.policy && !f.tunnels {
		return append(out, among(f.kinds, c)...)
	}
	return append(out, f.lookup(c, iif, true)...)
}

// among parts packets by their destination.
func among(parts []part, c cube) (out []routed) {
	for _, p := range parts {
		if s := c.sets[fDaddr].intersect(p.addrs); !s.empty() {
			out = append(out, routed{c.with(fDaddr, s), p})
		}
	}
	return out
}

// lookup parts packets by their routes (fib_rules_lookup): the policy rules in order, in each table the
// longest prefix. Without transport the look-up is for addresses alone, and rules that ask for a protocol
// or ports do not match.
func (f *fib) lookup(c cube, iif string, transport bool) []routed {
	if !f.policy {
		return among(f.whole, c)
	}
	var out []routed
	live := []looking{{cube: c}}
	for i := range f.rules {
		r := &f.rules[i]
		var next []looking
		for _, l := range live {
			if l.from > i {
				next = append(next, l)
				continue
			}
			yes, no := f.selects(r, l.cube, iif, transport)
			if r.Invert {
				yes, no = no, yes
			}
			next = append(next, looked(no, 0)...)
			for _, y := range yes {
				done, rest := f.apply(r, y)
				out, next = append(out, done...), append(next, looked(rest, f.after(i))...)
			}
		}
		if live = next; len(live) == 0 {
			break
		}
	}
	for _, l := range live {
		out = append(out, routed{l.cube, part{kind: routeKind["unreachable"], route: "no route"}})
	}
	return out
}

// looking is packets whose route is looked up, and the rule from which on they ask.
type looking struct {
	cube cube
	from int
}

func looked(in []cube, from int) (out []looking) {
	for _, c := range in {
		out = append(out, looking{c, from})
	}
	return out
}

// after is the rule that packets ask next which a rule sends on: with goto the first of the priority that it names.
func (f *fib) after(i int) int {
	if f.rules[i].Action != "goto" {
		return i + 1
	}
	next := i + 1
	for next < len(f.rules) && f.rules[next].Priority < f.rules[i].Goto {
		next++
	}
	return next
}

// selects parts packets by the selectors of a policy rule. What cannot be decided is on both sides,
// with a doubt.
func (f *fib) selects(r *snapshot.PolicyRule, c cube, iif string, transport bool) (yes, no []cube) {
	byTransport := r.IPProto != 0 || r.Sport != [2]int{} || r.Dport != [2]int{}
	if r.Iif != "" && r.Iif != iif || r.Oif != "" || byTransport && !transport {
		return nil, []cube{c}
	}
	unsure := r.Other || byTransport && f.dissected
	if r.UIDs != nil {
		if by := c.by.IDs(); by != nil && (by.UID < r.UIDs.First || by.UID > r.UIDs.Last) {
			return nil, []cube{c}
		}
		unsure = unsure || c.by.IDs() == nil
	}
	ipsec := c.sets[fProto].contains(num(50)) || c.sets[fProto].contains(num(51))
	if ipsec && (r.Sport != [2]int{} || r.Dport != [2]int{}) {
		unsure = true // the SPI is taken for ports (proto_ports_offset)
	}
	mask := r.Mask
	if mask == 0 && r.Mark != 0 {
		mask = 0xffffffff
	}
	if mask != 0 {
		if mark := c.sets[fMark]; !mark.singleton() {
			unsure = true
		} else if uint32(mark[0].lo.lo)&mask != r.Mark&mask {
			return nil, []cube{c}
		}
	}
	if r.IPProto != 0 && !f.dissected && !c.sets[fProto].contains(num(uint64(r.IPProto))) {
		return nil, []cube{c}
	}
	yes = []cube{c}
	narrow := func(fd field, s set) {
		var next []cube
		for _, y := range yes {
			in, out := y.split(fd, s)
			next, no = append(next, in...), append(no, out...)
		}
		yes = next
	}
	if p, err := netip.ParsePrefix(r.Src); err == nil {
		narrow(fSaddr, prefixSet(p))
	}
	if p, err := netip.ParsePrefix(r.Dst); err == nil {
		narrow(fDaddr, prefixSet(p))
	}
	if r.Sport != [2]int{} && !ipsec && !f.dissected {
		narrow(fSport, span(num(uint64(r.Sport[0])), num(uint64(r.Sport[1]))))
	}
	if r.Dport != [2]int{} && !ipsec && !f.dissected {
		narrow(fDport, span(num(uint64(r.Dport[0])), num(uint64(r.Dport[1]))))
	}
	if r.Tos != 0 {
		no = append(no, yes...)
		for i := range yes {
			yes[i] = byService(yes[i], fmt.Sprintf("routing policy rule %d", r.Priority))
		}
	}
	if unsure {
		for i := range yes {
			yes[i] = yes[i].doubt(packet.Cause{Text: fmt.Sprintf("routing policy rule %d", r.Priority)})
			no = append(no, yes[i])
			yes[i].shadow = true
		}
	}
	return yes, no
}

// apply carries a policy rule out for packets that it selects.
func (f *fib) apply(r *snapshot.PolicyRule, c cube) (done []routed, rest []cube) {
	switch r.Action {
	case "lookup":
	case "nop", "goto":
		return nil, []cube{c}
	case "blackhole", "unreachable", "prohibit":
		return []routed{{c, part{kind: routeKind[r.Action], route: "policy rule"}}}, nil
	default:
		return nil, []cube{c.doubt(packet.Cause{Text: fmt.Sprintf("routing policy rule %d: %s", r.Priority, r.Action)})}
	}
	for _, p := range f.served[r.Table] {
		for _, x := range among([]part{p}, c) {
			done = append(done, routed{byService(x.cube, "the route to "+p.route), p})
		}
	}
	rest = []cube{c}
	for _, p := range f.tables[r.Table] {
		if p.kind == routeKind["throw"] || r.SuppressBits > 0 && p.bits < r.SuppressBits && !p.refuses() {
			continue
		}
		if !slices.ContainsFunc(rest, func(l cube) bool { return l.sets[fDaddr].overlaps(p.addrs) }) {
			continue // most routes lead none of them
		}
		var next []cube
		for _, l := range rest {
			in, out := l.split(fDaddr, p.addrs)
			next = append(next, out...)
			for _, x := range in {
				done = append(done, routed{x, p})
			}
		}
		rest = next
	}
	return done, rest
}

// servedBy notes a route that is for packets of a type of service alone.
func (f *fib) servedBy(r *snapshot.Route) {
	p, err := netip.ParsePrefix(r.Dst)
	if err != nil || r.Tos == 0 || r.Type == "multicast" || r.Type == "throw" {
		return
	}
	f.policy = f.policy || len(f.rules) > 0
	f.served[r.Table] = append(f.served[r.Table], part{addrs: prefixSet(p.Masked()), kind: routeKind[r.Type], oifs: r.Oifs, route: r.Dst, bits: p.Bits()})
}

// byService is packets that are led by the type of service, which their sender chooses.
func byService(c cube, by string) cube {
	c = c.doubt(packet.Cause{Text: "the type of service, which " + by + " asks for"})
	c.shadow = true
	return c
}

// refuses says whether a route stops packets. Such a one ends the look-up, whatever routes its rule suppresses (fib_rules_lookup).
func (p *part) refuses() bool {
	return p.kind == routeKind["blackhole"] || p.kind == routeKind["unreachable"] || p.kind == routeKind["prohibit"]
}

// typesOn are the addresses of each type that "fib type" reports, where dev is an interface for that alone (nft_fib4_eval). Hundreds of routes have
// few types: a rule divides packets by those.
func (f *fib) typesOn(dev int) []part {
	if known, ok := f.byType[dev]; ok {
		return known
	}
	var out []part
	for _, p := range f.types {
		kind := p.kind
		if dev != 0 && !slices.Contains(p.oifs, dev) {
			kind = routeKind["unicast"]
		}
		i := slices.IndexFunc(out, func(t part) bool { return t.kind == kind })
		if i < 0 {
			i, out = len(out), append(out, part{kind: kind})
		}
		out[i].addrs = append(out[i].addrs, p.addrs...)
	}
	for i := range out {
		out[i].addrs = out[i].addrs.normal()
	}
	f.byType[dev] = out
	return out
}

// fibResult is what a fib expression loads for the addresses of a part (nft_fib4_eval).
func (m *machine) fibResult(e *ruleset.Fib, p part, dev int) value {
	if e.Result == ruleset.FibAddrtype {
		return constant(host32(uint32(p.kind)))
	}
	oif := 0
	if p.kind == routeKind["unicast"] || p.kind == routeKind["broadcast"] {
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
