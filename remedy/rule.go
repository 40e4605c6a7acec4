package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// Rule is one rule of the plan. A drop is final whatever another table says; an accept here only
// ends our own chain.
type Rule struct {
	Chain string `json:"chain"`         // of our table
	Iif   string `json:"iif,omitempty"` // the interface that packets come in by
	Oif   string `json:"oif,omitempty"` // the interface that they leave by
	// Iifs and Oifs are in place of one name the names of several interfaces. Apart leaves out what would go back by the
	// one that it came in by, Back all but that.
	Iifs  []string `json:"iifs,omitempty"`
	Oifs  []string `json:"oifs,omitempty"`  // interfaces that they leave by
	Apart bool     `json:"apart,omitempty"` // not back by where they came in
	Back  bool     `json:"back,omitempty"`  // only back by where they came in
	// IifKind is the kind of interfaces that begin later: Iif is then what their names begin with, and an asterisk.
	IifKind string `json:"iifKind,omitempty"`
	// NotIif and NotOif are ports of a bridge that the rule is not about, where it names no other; or other interfaces of the kind.
	NotIif []string `json:"notIif,omitempty"`
	NotOif []string `json:"notOif,omitempty"` // of those that they leave by
	// Sources are prefixes of one family that do not overlap; none is any source. So is To of destinations, in the
	// family bridge, which cannot ask whose an address is.
	Sources []netip.Prefix `json:"sources,omitempty"`
	To      []netip.Prefix `json:"to,omitempty"`     // destinations
	Behind  string         `json:"behind,omitempty"` // the interface by which the host routes to them
	Proto   string         `json:"proto,omitempty"`  // of the packets
	Port    int            `json:"port,omitempty"`   // that they go to
	// Direct leaves what somebody translated alone: ports that are published for those behind the host.
	Direct bool `json:"direct,omitempty"`
	// Diverted is also about what was sent to addresses of others: rules redirect it to the host.
	Diverted bool `json:"diverted,omitempty"`
	// Untracked is about packets that somebody exempts from tracking: who opened their connection nobody knows.
	Untracked bool `json:"untracked,omitempty"`
	// Kind is one of the baseline's rules that no finding asks for: replies, expected, established, midstream,
	// published, icmp, icmpv6, dhcp, dhcpv6; or of what is not tracked, as in the family bridge: answers, icmp-answers,
	// icmpv6-answers, resolved (what resolvers answer), opening.
	Kind    string `json:"kind,omitempty"`
	Accept  bool   `json:"accept,omitempty"` // lets them pass; else they are dropped
	Closes  string `json:"closes,omitempty"` // id of the check
	Comment string `json:"comment"`          // what it is for, as nft shows it
}

// match is one condition of a rule, as text and as what the kernel evaluates: the same values that a ruleset is read as.
type match struct {
	text  string
	exprs []ruleset.Expr
}

// String is the rule in nft's syntax.
func (r *Rule) String() string {
	var words []string
	for _, m := range r.matches() {
		words = append(words, m.text)
	}
	verdict := "counter drop"
	if r.Accept {
		verdict = "accept"
	}
	return strings.Join(append(words, verdict, "comment", quote(r.Comment)), " ")
}

// Exprs is the same rule as expressions. Named sets are those of the table.
func (r *Rule) Exprs() []ruleset.Expr {
	var list []ruleset.Expr
	for _, m := range r.matches() {
		list = append(list, m.exprs...)
	}
	if r.Accept {
		return append(list, verdict(ruleset.Accept))
	}
	return append(list, counter(), verdict(ruleset.Drop))
}

// interfaces are the conditions about where a packet comes in and leaves.
func (r *Rule) interfaces() []match {
	if r.Back {
		return []match{r.twice(r.Iifs, false)}
	}
	var list []match
	add := func(word string, key uint32, names, not []string) {
		switch {
		case key == ruleset.MetaIifname && r.IifKind != "":
			list = append(list, match{word + " " + quote(r.Iif), []ruleset.Expr{meta(key), equals([]byte(strings.TrimSuffix(r.Iif, "*")))}},
				match{"meta iifkind " + quote(r.IifKind), []ruleset.Expr{meta(ruleset.MetaIifkind), equals(ifname(r.IifKind))}})
		case len(names) == 1:
			list = append(list, match{word + " " + quote(names[0]), []ruleset.Expr{meta(key), equals(ifname(names[0]))}})
		case len(names) > 1:
			s := namesSet(names)
			list = append(list, match{word + " @" + s.name, []ruleset.Expr{meta(key), lookup(s.name, false)}})
		}
		for _, n := range not {
			list = append(list, match{word + " != " + quote(n), []ruleset.Expr{meta(key), differs(ifname(n))}})
		}
	}
	add("iifname", ruleset.MetaIifname, r.iifs(), r.NotIif)
	add("oifname", ruleset.MetaOifname, r.oifs(), r.NotOif)
	if same := r.same(); len(same) > 0 {
		list = append(list, r.twice(same, true))
	}
	return list
}

// twice asks for one of the names at both ends, or for any other pair.
func (r *Rule) twice(names []string, not bool) match {
	s := twiceSet(names)
	return match{"iifname . oifname " + map[bool]string{true: "!= "}[not] + "@" + s.name, []ruleset.Expr{
		meta(ruleset.MetaIifname), metaInto(ruleset.MetaOifname, 2), lookup(s.name, not),
	}}
}

func (r *Rule) matches() []match {
	list := r.interfaces()
	if len(r.Sources) > 0 {
		list = append(list, r.address("saddr", r.Sources))
	}
	if len(r.To) > 0 {
		list = append(list, r.address("daddr", r.To))
	}
	if r.Untracked {
		list = append(list, match{"ct state untracked", state(ruleset.CtUntracked)})
	}
	if r.family() == bridgeFamily || r.Untracked && r.Kind != "" {
		return append(list, r.stateless()...)
	}
	switch r.Kind {
	case "replies":
		return append(list, match{"ct direction reply", direction(1)})
	case "expected": // what a helper saw to be agreed on
		const expected = 0x1 // IPS_EXPECTED
		return append(list, match{"ct status expected", status(expected, ruleset.OpNeq)})
	case "established":
		return append(list, match{"ct state established,related", state(ruleset.CtEstablished | ruleset.CtRelated)})
	case "midstream":
		return append(list, match{"tcp flags ! syn", append(l4proto(protoTCP),
			transport(13, 1),
			masked([]byte{2}),
			equals([]byte{0}))})
	case "published": // somebody translated it: a port that was published for a workload
		return append(list, match{"ct status dnat", status(dnat, ruleset.OpNeq)})
	case "icmp":
		return append(list, match{"meta l4proto icmp", l4proto(protoICMP)})
	case "icmpv6":
		return append(list, match{"meta l4proto ipv6-icmp", l4proto(protoICMPv6)})
	case "dhcp":
		return append(list, match{"udp sport 67 udp dport 68", append(l4proto(protoUDP), ports(67, 68)...)})
	case "dhcpv6":
		return append(list, match{"udp sport 547 udp dport 546", append(l4proto(protoUDP), ports(547, 546)...)})
	}
	if r.Proto != "" {
		list = append(list, r.port())
	}
	if r.Chain == chainIn && !r.Diverted { // for the host: its addresses, and broadcasts and groups that it hears too
		list = append(list, match{"fib daddr type != unicast", []ruleset.Expr{
			{Name: "fib", Fib: &ruleset.Fib{Dreg: 1, Result: ruleset.FibAddrtype, Flags: ruleset.FibDaddr}},
			differs(native(ruleset.AddrUnicast)),
		}})
	}
	if r.Direct {
		list = append(list, match{"ct status ! dnat", status(dnat, ruleset.OpEq)})
	}
	if !r.Accept && !r.Untracked { // replies to connections of our own that happen to use the port stay
		list = append(list, match{"ct direction original", direction(0)})
	}
	return list
}

// port compares the protocol and the destination port, where it has any.
func (r *Rule) port() match {
	if !portProtos[r.Proto] {
		n := protoNumbers[r.Proto]
		return match{fmt.Sprintf("meta l4proto %d", n), l4proto(n)}
	}
	return match{r.Proto + " dport " + strconv.Itoa(r.Port), append(l4proto(protoNumbers[r.Proto]),
		transport(2, 2),
		equals(network(uint16(r.Port))))}
}

// stateless is the conditions of family bridge about more than interfaces and addresses, and of rules about what is not
// tracked. There are no connections to ask for: what answers one is known by its flags or type. A piece of a datagram
// that does not show them is no answer.
func (r *Rule) stateless() []match {
	const echo4, echo6 = 8, 128
	icmp := func(word, text string, ether uint16, family, proto, echo byte) match {
		asked := etherType(ether, ruleset.OpEq)
		if r.Untracked { // in family inet the word alone asks for the family
			word, asked = "", []ruleset.Expr{meta(ruleset.MetaNfproto), equals([]byte{family})}
		}
		return match{word + text, slices.Concat(asked, l4proto(proto), []ruleset.Expr{
			transport(0, 1),
			differs([]byte{echo}),
		})}
	}
	switch r.Kind {
	case "answers":
		const syn, ack = 2, 0x10
		return []match{{"tcp flags & (syn | ack) != syn", append(l4proto(protoTCP),
			transport(13, 1),
			masked([]byte{syn | ack}),
			differs([]byte{syn}))}}
	case "icmp-answers":
		return []match{icmp("meta protocol ip ", "icmp type != echo-request", ruleset.EtherIPv4, ruleset.NfprotoIPv4, protoICMP, echo4)}
	case "icmpv6-answers": // and neighbour discovery
		return []match{icmp("meta protocol ip6 ", "icmpv6 type != echo-request", ruleset.EtherIPv6, ruleset.NfprotoIPv6, protoICMPv6, echo6)}
	case "resolved":
		return []match{{"udp sport 53", append(l4proto(protoUDP),
			transport(0, 2),
			equals(network(53)))}}
	}
	var list []match
	if r.Proto != "" {
		list = append(list, r.port())
	}
	if r.Kind == "opening" && len(r.To) == 0 && !r.Untracked { // whatever is no look-up of an IPv4 neighbour
		list = append(list, match{"meta protocol != arp", etherType(ruleset.EtherARP, ruleset.OpNeq)})
	}
	return list
}

func etherType(n uint16, op string) []ruleset.Expr {
	return []ruleset.Expr{
		meta(ruleset.MetaProtocol),
		compared(op, network(n)),
	}
}

// state asks for connections in one of the states.
func state(bits uint32) []ruleset.Expr { return bit(ruleset.CtState, bits, ruleset.OpNeq) }

// direction asks for packets of the side that opened the connection (0), or of the other.
func direction(n byte) []ruleset.Expr {
	return []ruleset.Expr{ct(ruleset.CtDirection), equals([]byte{n})}
}

// dnat says that somebody translated the connection's destination (IPS_DST_NAT).
const dnat = 0x20

// status compares a bit of the connection's status with 0.
func status(mask uint32, op string) []ruleset.Expr { return bit(ruleset.CtStatus, mask, op) }

// bit compares some bits of what is known of the connection with 0.
func bit(key, mask uint32, op string) []ruleset.Expr {
	return []ruleset.Expr{
		ct(key), masked(native(mask)), compared(op, make([]byte, 4)),
	}
}

// The protocols that expressions name by themselves (IANA, Protocol Numbers).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// protoNumbers are the protocols that rules are about, portProtos those of them that have ports (IANA, Protocol Numbers).
var (
	protoNumbers = map[string]byte{
		"tcp": protoTCP, "udp": protoUDP, "sctp": 132,
		"igmp": 2, "ipip": 4, "6in4": 41, "gre": 47, "esp": 50,
		"ah": 51, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115,
	}
	portProtos = map[string]bool{"tcp": true, "udp": true, "sctp": true}
)

func l4proto(n byte) []ruleset.Expr {
	return []ruleset.Expr{meta(ruleset.MetaL4proto), equals([]byte{n})}
}

// ports compares the source and the destination port.
func ports(source, destination uint16) []ruleset.Expr {
	both := append(network(source), network(destination)...)
	return []ruleset.Expr{ // one load of both, as nft makes it
		transport(0, 4), equals(both),
	}
}

func ifname(name string) []byte {
	b := make([]byte, ruleset.NameSize)
	copy(b, name)
	return b
}

// inlinePrefixes is how many prefixes a rule is written out for: more go into a set of the table.
const inlinePrefixes = 1

func is4(list []netip.Prefix) bool { return list[0].Addr().Is4() }

// v4 is the family of a rule about addresses.
func (r *Rule) v4() bool { return is4(append(slices.Clone(r.Sources), r.To...)) }

// address compares the source or destination address with one prefix, or with a set.
func (r *Rule) address(field string, prefixes []netip.Prefix) match {
	proto, ether, word, off, n := byte(ruleset.NfprotoIPv6), uint16(ruleset.EtherIPv6), "ip6", uint32(8), uint32(16)
	if is4(prefixes) {
		proto, ether, word, off, n = ruleset.NfprotoIPv4, ruleset.EtherIPv4, "ip", 12, 4
	}
	if field == "daddr" {
		off += n
	}
	load := &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: off, Len: n, Dreg: 1}
	var list []ruleset.Expr
	switch {
	case field == "daddr" && len(r.Sources) > 0: // the family was asked for with the source
	case r.family() == bridgeFamily:
		list = etherType(ether, ruleset.OpEq)
	default:
		list = []ruleset.Expr{meta(ruleset.MetaNfproto), equals([]byte{proto})}
	}
	list = append(list, ruleset.Expr{Name: "payload", Payload: load})
	word += " " + field + " "
	if len(prefixes) > inlinePrefixes {
		name := prefixesSet(prefixes).name
		return match{word + "@" + name, append(list, lookup(name, false))}
	}
	p := prefixes[0].Masked()
	addr := p.Addr().AsSlice()
	if whole := p.Bits() / 8; p.Bits()%8 == 0 && whole > 0 { // as nft does: only the bytes that count
		load.Len, addr = uint32(whole), addr[:whole]
	} else {
		mask := make([]byte, n)
		for i := range p.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		list = append(list, masked(mask))
	}
	return match{word + p.String(), append(list, equals(addr))}
}

// addrRange is addresses of one family, both ends included.
type addrRange struct{ lo, hi netip.Addr }

// ranges joins prefixes to ranges that neither overlap nor touch.
func ranges(list []netip.Prefix) []addrRange {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Masked().Addr().Compare(b.Masked().Addr()) })
	var out []addrRange
	for _, p := range list {
		r := addrRange{p.Masked().Addr(), lastAddr(p)}
		if n := len(out); n > 0 && (r.lo.Compare(out[n-1].hi) <= 0 || r.lo == out[n-1].hi.Next()) {
			if out[n-1].hi.Less(r.hi) {
				out[n-1].hi = r.hi
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
