package trace

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// The types of routes (RTN_*, include/uapi/linux/rtnetlink.h).
const (
	rtnUnicast     = 1
	rtnLocal       = 2
	rtnBroadcast   = 3
	rtnAnycast     = 4
	rtnMulticast   = 5
	rtnBlackhole   = 6
	rtnUnreachable = 7
	rtnProhibit    = 8
	rtnThrow       = 9
)

var routeKinds = map[string]int{
	"unicast": rtnUnicast, "local": rtnLocal, "broadcast": rtnBroadcast, "anycast": rtnAnycast,
	"multicast": rtnMulticast, "blackhole": rtnBlackhole, "unreachable": rtnUnreachable,
	"prohibit": rtnProhibit, "throw": rtnThrow,
}

// The routing tables that the kernel makes (RT_TABLE_*).
const (
	tableDefault = 253
	tableMain    = 254
	tableLocal   = 255
)

// route is one entry of a table.
type route struct {
	src  *snapshot.Route
	kind int
	gw   netip.Addr
	bits int
}

// routing is one table: routes by the length and the bits of their prefix.
type routing struct {
	lengths []int // that occur, longest first
	byDst   map[netip.Prefix][]route
}

// policy is one routing policy rule, prepared.
type policy struct {
	snapshot.PolicyRule
	src, dst netip.Prefix
}

// fib is the tables and rules of one family.
type fib struct {
	v4          bool
	tables      map[int]*routing
	rules       []policy
	customLocal bool // somebody added a route of type local (fib_has_custom_local_routes)
	customRules bool
	bySource    bool // a policy rule asks for the source
}

func (t *Tracer) newFib(family int) *fib {
	f := &fib{v4: family == 4, tables: map[int]*routing{}}
	n := &t.snap.Network
	for i := range n.Routes {
		r := &n.Routes[i]
		p, err := netip.ParsePrefix(r.Dst)
		if r.Family != family || err != nil {
			continue
		}
		p = p.Masked()
		tab := f.tables[r.Table]
		if tab == nil {
			tab = &routing{byDst: map[netip.Prefix][]route{}}
			f.tables[r.Table] = tab
		}
		gw, _ := netip.ParseAddr(r.Gateway)
		tab.byDst[p] = append(tab.byDst[p], route{src: r, kind: routeKinds[r.Type], gw: gw, bits: p.Bits()})
		if !slices.Contains(tab.lengths, p.Bits()) {
			tab.lengths = append(tab.lengths, p.Bits())
		}
		f.customLocal = f.customLocal || r.Type == "local" && r.Protocol != 2 && r.Protocol != 0
	}
	for _, tab := range f.tables {
		slices.Sort(tab.lengths)
		slices.Reverse(tab.lengths)
		for _, list := range tab.byDst {
			slices.SortStableFunc(list, func(a, b route) int {
				return cmp.Or(b.src.Tos-a.src.Tos, a.src.Metric-b.src.Metric)
			})
		}
	}
	for i := range n.Rules {
		r := policy{PolicyRule: n.Rules[i]}
		if r.Family != family {
			continue
		}
		r.src, _ = netip.ParsePrefix(r.Src)
		r.dst, _ = netip.ParsePrefix(r.Dst)
		f.rules = append(f.rules, r)
		f.bySource = f.bySource || r.src.IsValid()
		f.customRules = f.customRules || r.PolicyRule != kernelRule(&r.PolicyRule)
	}
	slices.SortStableFunc(f.rules, func(a, b policy) int { return a.Priority - b.Priority })
	return f
}

// kernelRule is the rule that the kernel itself makes where r stands (fib_default_rules_init): one that
// is anything else was configured (fib_has_custom_rules).
func kernelRule(r *snapshot.PolicyRule) snapshot.PolicyRule {
	priority := map[int]int{tableLocal: 0, tableMain: 32766, tableDefault: 32767}[r.Table]
	return snapshot.PolicyRule{Family: r.Family, Priority: priority, Table: r.Table, Action: "lookup"}
}

// flow is what a route is looked up for (struct flowi4, flowi6).
type flow struct {
	src, dst     netip.Addr
	iif          *link // nil: the packet comes from the host
	oif          int   // only routes by this interface
	mark         word
	proto        uint8
	sport, dport uint16
	ours         bool // a process of the host sends it; all else counts as root's (sock_net_uid)
}

// by says whether who sends is among some users.
func (fl *flow) by(sender *packet.Sender, among *snapshot.UIDRange) bool {
	uid := uint32(0)
	if fl.ours {
		uid = sender.UID
	}
	return among.First <= uid && uid <= among.Last
}

// result is a route that was found.
type result struct {
	kind int
	oif  *link
	via  netip.Addr // next hop; the destination where the route has no gateway
	r    *route
}

var noRoute = result{kind: rtnUnreachable}

// lookup finds the route of a flow (fib_rules_lookup): the rules in order, in each table the longest
// prefix.
func (w *walk) lookupRoute(f *fib, fl *flow) result {
	for i := 0; i < len(f.rules); i++ {
		p := &f.rules[i]
		m := w.ruleMatches(p, fl)
		if w.stuck != nil {
			return noRoute
		}
		if m == p.Invert {
			continue
		}
		switch p.Action {
		case "lookup":
		case "goto":
			for i+1 < len(f.rules) && f.rules[i+1].Priority < p.Goto {
				i++
			}
			continue
		case "nop":
			continue
		case "blackhole", "unreachable", "prohibit":
			return result{kind: routeKinds[p.Action]}
		default:
			w.abort(nil, "a routing policy rule with action "+p.Action)
			return noRoute
		}
		if res, ok := w.lookupTable(f, p.Table, fl); ok {
			// A route that stops packets is not suppressed (fib_rules_lookup).
			stops := res.kind == rtnBlackhole || res.kind == rtnUnreachable || res.kind == rtnProhibit
			if p.SuppressBits > 0 && res.r != nil && res.r.bits <= p.SuppressBits-1 && !stops {
				continue
			}
			return res
		}
	}
	if len(f.rules) == 0 { // not read, or the kernel's own three
		for _, tab := range []int{tableLocal, tableMain, tableDefault} {
			if res, ok := w.lookupTable(f, tab, fl); ok {
				return res
			}
		}
	}
	return noRoute
}

// ruleMatches says whether the selectors of a policy rule hold (fib4_rule_match).
func (w *walk) ruleMatches(p *policy, fl *flow) bool {
	if p.Other {
		w.abort(nil, "a routing policy rule with a selector that is not understood")
		return false
	}
	iif := "lo"
	if fl.iif != nil {
		iif = fl.iif.Name
	}
	oif := ""
	if l := w.links[fl.oif]; l != nil {
		oif = l.Name
	}
	// Of what the host sends itself nothing is dissected.
	dissected := (p.IPProto != 0 || p.Sport != [2]int{} || p.Dport != [2]int{}) && !fl.ours && w.snap.Network.Dissector() != ""
	switch {
	case p.UIDs != nil && (!fl.ours || w.p.By.IDs() != nil) && !fl.by(w.p.By, p.UIDs):
		return false
	case p.Iif != "" && p.Iif != iif, p.Oif != "" && p.Oif != oif:
		return false
	case p.src.IsValid() && fl.src == w.skb.src() && !w.uniform('s'):
		return w.choose(2, nil, splitField('s')) == 1
	case p.src.IsValid() && !p.src.Contains(fl.src), p.dst.IsValid() && !p.dst.Contains(fl.dst):
		return false
	case dissected:
	case p.IPProto != 0 && p.IPProto != int(fl.proto):
		return false
	case (p.Sport != [2]int{} || p.Dport != [2]int{}) && (fl.proto == 50 || fl.proto == 51): // proto_ports_offset
		return w.choose(2, nil, "the SPI of the packet, which a routing policy rule takes for ports") == 1
	case p.Sport != [2]int{} && (int(fl.sport) < p.Sport[0] || int(fl.sport) > p.Sport[1]),
		p.Dport != [2]int{} && (int(fl.dport) < p.Dport[0] || int(fl.dport) > p.Dport[1]):
		return false
	}
	mask := p.Mask
	if mask == 0 && p.Mark != 0 {
		mask = 0xffffffff
	}
	if (fl.mark.v^p.Mark)&mask&^fl.mark.unk != 0 {
		return false
	}
	if fl.mark.unk&mask != 0 {
		return w.choose(2, nil, "the packet's mark, which a routing policy rule asks for") == 1
	}
	if p.UIDs != nil && fl.ours && w.p.By.IDs() == nil {
		return w.choose(2, nil, "who sends, whom a routing policy rule asks for") == 1
	}
	if p.Tos != 0 && !w.served(p.Tos, "a routing policy rule") {
		return false
	}
	return !dissected || w.choose(2, nil, "the program "+w.snap.Network.Dissector()+" reads the protocol and the ports that a routing policy rule asks for") == 1
}

// lookupTable finds the best route of one table. A throw route ends the search in it.
func (w *walk) lookupTable(f *fib, id int, fl *flow) (result, bool) {
	tab := f.tables[id]
	if tab == nil {
		return result{}, false
	}
	for _, n := range tab.lengths {
		p, err := fl.dst.Prefix(n)
		if err != nil {
			continue
		}
		list := tab.byDst[p]
		for i := range list {
			r := &list[i]
			if r.src.Tos != 0 && !w.served(r.src.Tos, "a route") {
				continue
			}
			switch r.kind {
			case rtnThrow:
				return result{}, false
			case rtnBlackhole, rtnUnreachable, rtnProhibit:
				return result{kind: r.kind, r: r}, true
			}
			if res, ok := w.hop(f, r, fl); ok {
				return res, true
			}
		}
	}
	return result{}, false
}

// hop picks the next hop of a route; of several by a hash, so each of them in turn.
func (w *walk) hop(f *fib, r *route, fl *flow) (result, bool) {
	if r.src.Flags&1 != 0 { // RTNH_F_DEAD
		return result{}, false
	}
	var few [4]int
	oifs := few[:0]
	for _, o := range r.src.Oifs {
		l := w.links[o]
		// IPv6 keeps the routes of a link-local address apart by interface.
		if l == nil || fl.oif != 0 && o != fl.oif && !(f.v4 && r.kind == rtnLocal && l.Loopback) {
			continue
		}
		oifs = append(oifs, o)
	}
	if len(oifs) == 0 {
		return result{}, false
	}
	o := oifs[0]
	if len(oifs) > 1 {
		o = w.oneHop(oifs, r, fl)
	}
	via := fl.dst
	if r.gw.IsValid() {
		via = r.gw
	}
	return result{kind: r.kind, oif: w.links[o], via: via, r: r}, true
}

// hopping is a next hop that a route has taken on the way.
type hopping struct {
	r   *route
	dst netip.Addr
	oif int
}

// oneHop is one of several next hops, of the packet itself the same whenever it is asked for (fib_select_path). Which it is nobody chooses: the hash
// has a seed.
func (w *walk) oneHop(oifs []int, r *route, fl *flow) int {
	for _, h := range w.hoppings {
		if h.r == r && h.dst == fl.dst && slices.Contains(oifs, h.oif) {
			return h.oif
		}
	}
	at := w.at
	o := oifs[w.choose(len(oifs), nil, "which of several next hops the route to "+r.src.Dst+" takes")]
	if w.region == nil && fl.dst == w.skb.dst() {
		w.choices[at].states = nil
		for _, oif := range oifs {
			name := strconv.Itoa(oif)
			if l := w.links[oif]; l != nil {
				name = l.Name
			}
			w.choices[at].states = append(w.choices[at].states, state{packet.ByChance, "the route to " + r.src.Dst + " takes its next hop over " + name})
		}
	}
	w.hoppings = append(w.hoppings, hopping{r, fl.dst, o})
	return o
}

func (w *walk) fib() *fib {
	if w.skb.v4 {
		return w.fib4
	}
	return w.fib6
}

// flow is the flow of the packet as it is now.
func (w *walk) flow() flow {
	s := &w.skb
	fl := flow{src: s.src(), dst: s.dst(), iif: w.in, mark: s.mark, proto: s.proto}
	if s.fragment == whole { // the flow dissector does not look for ports in fragments
		fl.sport, fl.dport = s.port(0), s.port(2)
	}
	return fl
}

// fibExpr is the fib expression (nft_fib_ipv4.c, nft_fib_ipv6.c).
func (w *walk) fibExpr(e *ruleset.Fib, r *rule) verdict {
	at := regOffset(e.Dreg)
	size := 4
	if e.Result == ruleset.FibOifname && e.Flags&ruleset.FibPresent == 0 {
		size = 16
	}
	if at < 0 || at+size > regBytes {
		return w.abort(r, "a register that does not exist")
	}
	asked, other := byte('s'), byte('d')
	if e.Flags&ruleset.FibDaddr != 0 {
		asked, other = other, asked
	}
	switch { // the other address only counts for policy rules
	case !w.uniform(asked):
		return w.unknownReg(at, size, splitField(asked))
	case w.fib().bySource && !w.uniform(other):
		return w.unknownReg(at, size, splitField(other))
	}
	addr := w.skb.src()
	if e.Flags&ruleset.FibDaddr != 0 {
		addr = w.skb.dst()
	}
	if addr.Is6() && isLinkLocal(addr) && w.hook == packet.Output {
		return w.unknownReg(at, size, "the interface that a link-local address of the host's own packet belongs to")
	}
	var dev *link
	switch {
	case e.Flags&ruleset.FibIif != 0:
		dev = w.in
	case e.Flags&ruleset.FibOifFlag != 0:
		dev = w.out
	}
	if e.Result == ruleset.FibAddrtype {
		kind := 0
		if w.skb.v4 {
			kind = w.addrType4(addr, dev)
		} else {
			kind = w.addrType6(e, addr, dev)
		}
		w.regs.put32(at, uint32(kind))
		return vNext
	}
	found := w.fibDevice(e, addr, dev)
	switch {
	case e.Flags&ruleset.FibPresent != 0:
		w.regs.put8(at, map[bool]uint8{true: 1}[found != nil])
	case e.Result == ruleset.FibOif:
		n := 0
		if found != nil {
			n = found.Index
		}
		w.regs.put32(at, uint32(n))
	case found != nil:
		w.regs.put(at, found.name[:])
	default:
		w.regs.put(at, make([]byte, 16))
	}
	return vNext
}

// fibDevice is the interface of the route to an address; with dev only if the route can use that.
func (w *walk) fibDevice(e *ruleset.Fib, addr netip.Addr, dev *link) *link {
	s := &w.skb
	if (w.hook == packet.Prerouting || w.hook == packet.Input || w.hook == packet.Ingress) && w.in != nil && w.in.Loopback {
		return w.in // nft_fib_can_skip
	}
	if w.hook != packet.Output && w.fromNobody() && (s.v4 || s.proto == packet.ICMPv6) {
		return w.in
	}
	fl := flow{dst: addr, src: s.src()}
	if e.Flags&ruleset.FibDaddr == 0 {
		fl.src = backFrom(s.dst())
	}
	if e.Flags&ruleset.FibMark != 0 {
		fl.mark = s.mark
	}
	if !s.v4 && scope6(addr) == 2 {
		fl.oif = w.scope(dev)
	}
	f := w.fib()
	res := w.lookupRoute(f, &fl)
	if res.oif == nil || res.kind == rtnLocal || res.kind == rtnAnycast && !s.v4 {
		return nil
	}
	if dev == nil {
		return res.oif
	}
	if slices.Contains(res.r.src.Oifs, dev.Index) {
		return dev
	}
	return nil
}

// fromNobody says whether the packet is of a sender without an address to others on its link, whose way back is not
// looked up (nft_fib4_eval, nft_fib_v6_skip_icmpv6).
func (w *walk) fromNobody() bool {
	src, dst := w.skb.src(), w.skb.dst()
	if w.skb.v4 {
		return zeronet(src) && (dst == limitedBroadcast || dst.IsLinkLocalMulticast())
	}
	return src.IsUnspecified() && scope6(dst) == 2
}

// backFrom is the source of the way back from an address: none, where that is of many hosts (get_saddr,
// rpfilter_get_saddr).
func backFrom(a netip.Addr) netip.Addr {
	if a.Is4() && (isMulticast(a) || a == limitedBroadcast) {
		return netip.IPv4Unspecified()
	}
	return a
}

// scope is the interface on which a fib expression looks up a link-local address: the one that it names,
// else where the packet is now (nft_fib6_flowi_init). 0 is any.
func (w *walk) scope(dev *link) int {
	if dev == nil {
		dev = w.in
		if w.hook == packet.Postrouting || w.hook == packet.Egress {
			dev = w.out
		}
	}
	if dev == nil {
		return 0
	}
	return dev.Index
}

// addrType4 is the type of an IPv4 address, which the kernel reads from the table local alone
// (inet_dev_addr_type).
func (w *walk) addrType4(addr netip.Addr, dev *link) int {
	switch {
	case zeronet(addr) || addr == limitedBroadcast:
		return rtnBroadcast
	case isMulticast(addr):
		return rtnMulticast
	}
	res, ok := w.lookupTable(w.fib4, tableLocal, &flow{dst: addr})
	if !ok || dev != nil && res.oif != dev {
		return rtnUnicast
	}
	if res.kind == rtnBlackhole || res.kind == rtnUnreachable || res.kind == rtnProhibit {
		return rtnUnicast
	}
	return res.kind
}

// addrType6 is the type of an IPv6 address by its route.
func (w *walk) addrType6(e *ruleset.Fib, addr netip.Addr, dev *link) int {
	if isMulticast(addr) {
		return rtnMulticast
	}
	if dev != nil && slices.Contains(dev.v6, addr) {
		return rtnLocal
	}
	fl := flow{dst: addr}
	if isLinkLocal(addr) {
		fl.oif = w.scope(dev)
	}
	if e.Flags&ruleset.FibMark != 0 {
		fl.mark = w.skb.mark
	}
	res := w.lookupRoute(w.fib6, &fl)
	switch res.kind {
	case rtnLocal:
		if dev != nil {
			return rtnUnicast
		}
	case rtnMulticast:
		return rtnUnicast
	}
	return res.kind
}
