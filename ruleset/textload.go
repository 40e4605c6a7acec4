package ruleset

import (
	"fmt"
	"strings"
)

// payload names the bytes of a header, where they are a field that rules are often about; others are written by
// their place in it.
func (p *printer) payload(l *Payload) operand {
	n := int(l.Len)
	v6 := p.table.Family == FamilyIP6 || l.Len > 4
	switch {
	case l.Base == BaseNetwork && !v6 && l.Offset == 12 && n <= 4:
		return operand{text: "ip saddr", kind: kAddr, n: n}
	case l.Base == BaseNetwork && !v6 && l.Offset == 16 && n <= 4:
		return operand{text: "ip daddr", kind: kAddr, n: n}
	case l.Base == BaseNetwork && !v6 && l.Offset == 9 && n == 1:
		return operand{text: "ip protocol", kind: kProto, n: n}
	case l.Base == BaseNetwork && v6 && l.Offset == 8 && n <= 16:
		return operand{text: "ip6 saddr", kind: kAddr, n: n}
	case l.Base == BaseNetwork && v6 && l.Offset == 24 && n <= 16:
		return operand{text: "ip6 daddr", kind: kAddr, n: n}
	case l.Base == BaseLink && l.Offset == 0 && n == 6:
		return operand{text: "ether daddr", kind: kMAC, n: n}
	case l.Base == BaseLink && l.Offset == 6 && n == 6:
		return operand{text: "ether saddr", kind: kMAC, n: n}
	case l.Base == BaseLink && l.Offset == 12 && n == 2:
		return operand{text: "ether type", kind: kEther, n: n}
	case l.Base == BaseLink && l.Offset == 14 && n == 2 && p.vlan:
		return operand{text: "vlan id", kind: kNumber, n: n}
	case l.Base == BaseLink && l.Offset == 16 && n == 2 && p.vlan:
		return operand{text: "vlan type", kind: kEther, n: n}
	case l.Base == BaseTransport:
		if o, ok := p.transport(l.Offset, n); ok {
			return o
		}
	}
	short := map[string]string{BaseLink: "ll", BaseNetwork: "nh", BaseTransport: "th", BaseInner: "ih"}
	return operand{text: fmt.Sprintf("@%s,%d,%d", short[l.Base], l.Offset*8, l.Len*8), n: n}
}

func (p *printer) transport(off uint32, n int) (operand, bool) {
	th := map[string]string{"ipv6-icmp": "icmpv6"}[p.proto]
	if th == "" {
		th = p.proto
	}
	switch th {
	case "tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6":
	default:
		th = "th"
	}
	icmp := strings.HasPrefix(th, "icmp")
	switch {
	case off == 0 && n == 2 && !icmp:
		return operand{text: th + " sport", kind: kNumber, n: n}, true
	case off == 2 && n == 2 && !icmp:
		return operand{text: th + " dport", kind: kNumber, n: n}, true
	case off == 0 && n == 1 && icmp:
		return operand{text: th + " type", kind: kNumber, n: n}, true
	case off == 1 && n == 1 && icmp:
		return operand{text: th + " code", kind: kNumber, n: n}, true
	case off == 13 && n == 1 && th == "tcp":
		return operand{text: "tcp flags", kind: kFlags, n: n}, true
	}
	return operand{}, false
}

// payloadSet prints what writes into the packet. The type of service shares its bytes with other fields.
func (p *printer) payloadSet(l *Payload) string {
	o := p.payload(l)
	src := p.reg(l.Sreg)
	for _, f := range []struct{ mask, name string }{{"0xff03", "ip dscp"}, {"0xf03f", "ip6 dscp"}} {
		if rest, ok := strings.CutPrefix(src.text, o.text+" & "+f.mask); ok && l.Base == BaseNetwork && l.Offset == 0 && l.Len == 2 {
			var xor uint32
			_, _ = fmt.Sscanf(rest, " ^ 0x%x", &xor)
			if f.name == "ip6 dscp" {
				return fmt.Sprintf("%s set %d", f.name, xor>>6)
			}
			return fmt.Sprintf("%s set %d", f.name, xor>>2)
		}
	}
	return o.text + " set " + p.source(l.Sreg, o)
}

var metaOperands = map[uint32]operand{
	MetaLen: {text: "meta length", kind: kHost, n: 4}, MetaProtocol: {text: "meta protocol", kind: kEther, n: 2},
	MetaPriority: {text: "meta priority", kind: kClass, n: 4}, MetaMark: {text: "meta mark", kind: kMark, n: 4},
	MetaIif: {text: "iif", kind: kHost, n: 4}, MetaOif: {text: "oif", kind: kHost, n: 4},
	MetaIifname: {text: "iifname", kind: kIfname, n: 16}, MetaOifname: {text: "oifname", kind: kIfname, n: 16},
	MetaIiftype: {text: "meta iiftype", kind: kHardware, n: 2}, MetaOiftype: {text: "meta oiftype", kind: kHardware, n: 2},
	MetaSkuid: {text: "meta skuid", kind: kHost, n: 4}, MetaSkgid: {text: "meta skgid", kind: kHost, n: 4},
	MetaNftrace: {text: "meta nftrace", kind: kHost, n: 1}, MetaRtclassid: {text: "meta rtclassid", kind: kHost, n: 4},
	MetaNfproto: {text: "meta nfproto", kind: kNfproto, n: 1}, MetaL4proto: {text: "meta l4proto", kind: kProto, n: 1},
	MetaBriIifname: {text: "meta ibrname", kind: kIfname, n: 16}, MetaBriOifname: {text: "meta obrname", kind: kIfname, n: 16},
	MetaPkttype: {text: "meta pkttype", kind: kPkttype, n: 1}, MetaCPU: {text: "meta cpu", kind: kHost, n: 4},
	MetaIifgroup: {text: "meta iifgroup", kind: kHost, n: 4}, MetaOifgroup: {text: "meta oifgroup", kind: kHost, n: 4},
	MetaCgroup: {text: "meta cgroup", kind: kHost, n: 4}, MetaPrandom: {text: "meta random", kind: kHost, n: 4},
	MetaSecpath: {text: "meta ipsec", n: 1, present: true}, MetaIifkind: {text: "meta iifkind", kind: kString, n: 16},
	MetaOifkind: {text: "meta oifkind", kind: kString, n: 16}, MetaTimeDay: {text: "meta day", kind: kDay, n: 1},
	MetaTimeHour: {text: "meta hour", kind: kHour, n: 4}, MetaSdif: {text: "meta sdif", kind: kHost, n: 4},
	MetaSdifname: {text: "meta sdifname", kind: kIfname, n: 16},
}

func metaOperand(k uint32) operand {
	if o, ok := metaOperands[k]; ok {
		return o
	}
	return operand{text: fmt.Sprintf("meta key-%d", k), n: 4}
}

var ctOperands = map[uint32]operand{
	CtState: {text: "state", kind: kState, n: 4}, CtDirection: {text: "direction", kind: kDirection, n: 1},
	CtStatus: {text: "status", kind: kStatus, n: 4}, CtMark: {text: "mark", kind: kMark, n: 4},
	CtExpiration: {text: "expiration", kind: kMillis, n: 4}, CtHelper: {text: "helper", kind: kString, n: 16},
	CtL3proto: {text: "l3proto", kind: kNfproto, n: 1}, CtSrc: {text: "saddr", kind: kAddr, n: 16}, CtDst: {text: "daddr", kind: kAddr, n: 16},
	CtProtocol: {text: "protocol", kind: kProto, n: 1}, CtProtoSrc: {text: "proto-src", kind: kNumber, n: 2},
	CtProtoDst: {text: "proto-dst", kind: kNumber, n: 2}, CtPkts: {text: "packets", kind: kHost, n: 8}, CtBytes: {text: "bytes", kind: kHost, n: 8},
	CtAvgpkt: {text: "avgpkt", kind: kHost, n: 8}, CtZone: {text: "zone", kind: kHost, n: 2}, CtID: {text: "id", kind: kHost, n: 4},
	CtSrcIP: {text: "ip saddr", kind: kAddr, n: 4}, CtDstIP: {text: "ip daddr", kind: kAddr, n: 4},
	CtSrcIP6: {text: "ip6 saddr", kind: kAddr, n: 16}, CtDstIP6: {text: "ip6 daddr", kind: kAddr, n: 16},
}

func ctOperand(k uint32) operand {
	if o, ok := ctOperands[k]; ok {
		return o
	}
	return operand{text: fmt.Sprintf("key-%d", k), n: 4}
}

func fibOperand(f *Fib) operand {
	var keys []string
	for _, k := range []struct {
		bit  uint32
		name string
	}{{FibSaddr, "saddr"}, {FibDaddr, "daddr"}, {FibMark, "mark"}, {FibIif, "iif"}, {FibOifFlag, "oif"}} {
		if f.Flags&k.bit != 0 {
			keys = append(keys, k.name)
		}
	}
	o := map[uint32]operand{
		FibOif: {text: "oif", kind: kHost, n: 4}, FibOifname: {text: "oifname", kind: kIfname, n: 16}, FibAddrtype: {text: "type", kind: kRouteType, n: 4},
	}[f.Result]
	o.text = "fib " + strings.Join(keys, " . ") + " " + o.text
	o.present = f.Flags&FibPresent != 0
	return o
}

func (p *printer) generate(g *Generate) operand {
	text := "numgen " + g.Kind
	switch {
	case g.Sreg != 0:
		text = g.Kind + " " + names(p.key(g.Sreg, int(g.Len)))
	case g.Kind == "symhash":
		text = g.Kind
	}
	text = fmt.Sprintf("%s mod %d", text, g.Modulus)
	if g.HasSeed {
		text += fmt.Sprintf(" seed 0x%x", g.Seed)
	}
	if g.Offset != 0 {
		text += fmt.Sprintf(" offset %d", g.Offset)
	}
	return operand{text: text, kind: kHost, n: 4}
}

// Headers and options by their numbers, as nft names them.
var (
	extensionNames = map[uint32]string{0: "hbh", 43: "rt", 44: "frag", 60: "dst", 135: "mh"}
	tcpOptions     = map[uint32]string{2: "maxseg", 3: "window", 4: "sack-perm", 5: "sack", 8: "timestamp"}
	ipOptions      = map[uint32]string{131: "lsrr", 137: "ssrr", 7: "rr", 148: "ra"}
)

// exthdr prints the extension headers and options that nft has names for.
func (p *printer) exthdr(e *Exthdr) {
	name, prefix := "", ""
	switch e.Op {
	case ExthdrIPv6:
		name, prefix = extensionNames[e.Type], "exthdr "
	case ExthdrTCP:
		name, prefix = tcpOptions[e.Type], "tcp option "
	case ExthdrIPv4:
		name, prefix = ipOptions[e.Type], "ip option "
	}
	field := ""
	switch {
	case e.Op == ExthdrTCP && e.Type == 2 && e.Offset == 2 && e.Len == 2:
		field = " size"
	case e.Op == ExthdrIPv6 && e.Type == 44 && e.Offset == 2 && e.Len == 2:
		p.load(e.Dreg, operand{text: "frag frag-off", kind: kFragOff, n: 2})
		return
	case e.Op == ExthdrTCP && !e.Present:
		name, field = fmt.Sprintf("@%d,%d,%d", e.Type, e.Offset*8, e.Len*8), ""
	}
	switch {
	case name == "":
		name = fmt.Sprint(e.Type)
	case e.Present:
		p.load(e.Dreg, operand{text: prefix + name, n: 1, present: true})
		return
	case e.Sreg != 0:
		o := operand{text: prefix + name + field, kind: kNumber, n: int(e.Len)}
		p.word(o.text + " set " + p.source(e.Sreg, o))
		return
	}
	p.load(e.Dreg, operand{text: prefix + name + field, kind: kNumber, n: int(e.Len)})
}
