package ruleset

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Text prints a rule close to nft's syntax, for people who look for it in "nft list ruleset". What
// has no short form is printed by the name of its expression.
func (r *Rule) Text(t *Table) string {
	p := printer{table: t, regs: map[uint32]string{}}
	for i := range r.Exprs {
		p.expr(&r.Exprs[i])
	}
	if r.Comment != "" {
		p.word("comment " + strconv.Quote(r.Comment))
	}
	return strings.Join(p.out, " ")
}

type printer struct {
	table *Table
	regs  map[uint32]string // what each register holds, as nft would write it
	out   []string
	proto string // tcp, udp, ... once the rule has compared it
}

func (p *printer) word(s string) { p.out = append(p.out, s) }

func (p *printer) reg(n uint32) string {
	if s, ok := p.regs[n]; ok {
		return s
	}
	return fmt.Sprintf("reg%d", n)
}

func (p *printer) expr(e *Expr) {
	switch {
	case e.Immediate != nil && e.Immediate.Verdict != nil:
		p.word(e.Immediate.Verdict.String())
	case e.Immediate != nil:
		p.regs[e.Immediate.Dreg] = "0x" + fmt.Sprintf("%x", []byte(e.Immediate.Data))
	case e.Payload != nil && !e.Payload.Set:
		p.regs[e.Payload.Dreg] = p.payload(e.Payload)
	case e.Meta != nil && !e.Meta.Set:
		p.regs[e.Meta.Dreg] = metaName(e.Meta.Key)
	case e.Meta != nil:
		p.word("meta " + strings.TrimPrefix(metaName(e.Meta.Key), "meta ") + " set " +
			p.reg(e.Meta.Sreg))
	case e.Ct != nil && !e.Ct.Set:
		p.regs[e.Ct.Dreg] = strings.TrimSpace("ct " + e.Ct.Dir + " " + ctName(e.Ct.Key))
	case e.Fib != nil:
		p.regs[e.Fib.Dreg] = fibText(e.Fib)
	case e.Bitwise != nil:
		p.bitwise(e.Bitwise)
	case e.Byteorder != nil:
		p.regs[e.Byteorder.Dreg] = p.reg(e.Byteorder.Sreg)
	case e.Cmp != nil:
		p.cmp(e.Cmp)
	case e.Range != nil:
		name := p.reg(e.Range.Sreg)
		op := map[string]string{OpEq: "", OpNeq: "!= "}[e.Range.Op]
		p.word(name + " " + op + p.value(name, e.Range.From) + "-" + p.value(name, e.Range.To))
	case e.Lookup != nil:
		p.lookup(e.Lookup)
	case e.NAT != nil:
		p.nat(e.NAT)
	case e.Log != nil:
		p.word("log prefix " + strconv.Quote(e.Log.Prefix))
	case e.Xt != nil:
		p.word("xt " + e.Name + " " + strconv.Quote(e.Xt.Name))
	default:
		p.word(e.Name)
	}
}

// String is the verdict in nft's syntax.
func (v *Verdict) String() string { return strings.TrimSpace(v.Kind + " " + v.Chain) }

func (p *printer) bitwise(b *Bitwise) {
	name := p.reg(b.Sreg)
	if b.Op != "mask" {
		p.regs[b.Dreg] = fmt.Sprintf("%s %s %d", name, b.Op, b.Shift)
		return
	}
	if bits, ok := prefixBits(b.Mask); ok && strings.HasSuffix(name, "addr") {
		p.regs[b.Dreg] = fmt.Sprintf("%s/%d", name, bits)
		return
	}
	p.regs[b.Dreg] = fmt.Sprintf("%s & 0x%x", name, []byte(b.Mask))
}

func prefixBits(mask []byte) (int, bool) {
	n, ended := 0, false
	for _, b := range mask {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && ended {
				return 0, false
			}
			if one {
				n++
			}
			ended = ended || !one
		}
	}
	return n, true
}

func (p *printer) cmp(c *Cmp) {
	name := p.reg(c.Sreg)
	value := p.value(name, c.Data)
	if name == "meta l4proto" && c.Op == OpEq {
		p.proto = value
	}
	op := c.Op + " "
	if c.Op == OpEq {
		op = ""
	}
	// A prefix stands behind the address in nft, behind the field in the registers.
	if field, bits, ok := strings.Cut(name, "/"); ok {
		name, value = field, value+"/"+bits
	}
	if strings.HasPrefix(name, "ct state & ") && c.Op == OpNeq {
		mask := strings.TrimPrefix(name, "ct state & 0x")
		p.word("ct state " + stateNames(mask))
		return
	}
	p.word(name + " " + op + value)
}

func stateNames(mask string) string {
	n, err := strconv.ParseUint(mask, 16, 32)
	if err != nil {
		return mask
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	bits := binary.NativeEndian.Uint32(b[:])
	var names []string
	for _, s := range []struct {
		bit  uint32
		name string
	}{
		{CtInvalid, "invalid"},
		{CtEstablished, "established"},
		{CtRelated, "related"},
		{CtNew, "new"},
		{CtUntracked, "untracked"},
	} {
		if bits&s.bit != 0 {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, ",")
}

func (p *printer) lookup(l *Lookup) {
	op := ""
	if l.Invert {
		op = "!= "
	}
	name := "@" + l.Set
	if s := p.table.Set(l.Set); s != nil && s.Anonymous {
		name = fmt.Sprintf("{ %d elements }", len(s.Elements))
	}
	switch {
	case l.HasReg && l.Dreg == 0:
		p.word(p.reg(l.Sreg) + " vmap " + name)
	case l.HasReg:
		p.regs[l.Dreg] = p.reg(l.Sreg) + " map " + name
	default:
		p.word(p.reg(l.Sreg) + " " + op + name)
	}
}

func (p *printer) nat(n *NAT) {
	s := n.Kind
	if n.AddrMin != 0 {
		s += " to " + hexAddr(p.reg(n.AddrMin))
	}
	if n.PortMin != 0 {
		s += " :" + hexPort(p.reg(n.PortMin))
	}
	p.word(s)
}

func hexAddr(s string) string {
	var h Hex
	if h.UnmarshalText([]byte(strings.TrimPrefix(s, "0x"))) == nil {
		if a, ok := netip.AddrFromSlice(h); ok {
			return a.String()
		}
	}
	return s
}

func hexPort(s string) string {
	if n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return s
}

// value prints data the way the field in the register is written.
func (p *printer) value(name string, d []byte) string {
	switch {
	case strings.Contains(name, "ifname"):
		n := text(d)
		if len(d) < 16 {
			n += "*"
		}
		return strconv.Quote(n)
	case strings.Contains(name, "addr") && !strings.Contains(name, "type"):
		full := d
		if len(d) < 4 {
			full = append(append([]byte{}, d...), make([]byte, 4-len(d))...)
		} else if len(d) > 4 && len(d) < 16 {
			full = append(append([]byte{}, d...), make([]byte, 16-len(d))...)
		}
		if a, ok := netip.AddrFromSlice(full); ok {
			if len(full) != len(d) {
				return fmt.Sprintf("%s/%d", a, len(d)*8)
			}
			return a.String()
		}
	case strings.HasSuffix(name, "port") && len(d) == 2:
		return strconv.Itoa(int(binary.BigEndian.Uint16(d)))
	case name == "meta l4proto" || strings.HasSuffix(name, "protocol"):
		if s, ok := protoNames[u32(d)]; ok && len(d) == 1 {
			return s
		}
	case name == "meta nfproto" && len(d) == 1:
		return map[byte]string{2: "ipv4", 10: "ipv6"}[d[0]]
	case (strings.HasSuffix(name, "mark") || name == "iif" || name == "oif") && len(d) == 4:
		return strconv.FormatUint(uint64(binary.NativeEndian.Uint32(d)), 10)
	}
	return fmt.Sprintf("0x%x", d)
}

var protoNames = map[uint32]string{
	1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 50: "esp", 51: "ah", 58: "ipv6-icmp", 132: "sctp",
	136: "udplite",
}

func (p *printer) payload(l *Payload) string {
	type key struct {
		base     string
		off, len uint32
	}
	v6 := p.table.Family == FamilyIP6 || l.Len > 4
	if l.Base == BaseNetwork && !v6 {
		switch {
		case l.Offset == 12 && l.Len <= 4:
			return "ip saddr"
		case l.Offset == 16 && l.Len <= 4:
			return "ip daddr"
		case l.Offset == 9 && l.Len == 1:
			return "ip protocol"
		}
	}
	if l.Base == BaseNetwork && v6 {
		switch {
		case l.Offset == 8 && l.Len <= 16:
			return "ip6 saddr"
		case l.Offset == 24 && l.Len <= 16:
			return "ip6 daddr"
		}
	}
	th := p.proto
	if th == "" || strings.HasPrefix(th, "0x") {
		th = "th"
	}
	switch (key{l.Base, l.Offset, l.Len}) {
	case key{BaseTransport, 0, 2}:
		return th + " sport"
	case key{BaseTransport, 2, 2}:
		return th + " dport"
	case key{BaseTransport, 0, 1}:
		return th + " type"
	case key{BaseTransport, 1, 1}:
		return th + " code"
	case key{BaseTransport, 13, 1}:
		return th + " flags"
	}
	short := map[string]string{BaseLink: "ll", BaseNetwork: "nh", BaseTransport: "th", BaseInner: "ih"}
	return fmt.Sprintf("@%s,%d,%d", short[l.Base], l.Offset*8, l.Len*8)
}

func metaName(k uint32) string {
	names := map[uint32]string{
		MetaLen: "meta length", MetaProtocol: "meta protocol", MetaMark: "meta mark",
		MetaIif: "iif", MetaOif: "oif", MetaIifname: "iifname", MetaOifname: "oifname",
		MetaIiftype: "iiftype", MetaOiftype: "oiftype", MetaSkuid: "meta skuid",
		MetaSkgid: "meta skgid", MetaNfproto: "meta nfproto", MetaL4proto: "meta l4proto",
		MetaPkttype: "meta pkttype", MetaIifgroup: "iifgroup", MetaOifgroup: "oifgroup",
	}
	if s, ok := names[k]; ok {
		return s
	}
	return fmt.Sprintf("meta key-%d", k)
}

func ctName(k uint32) string {
	names := map[uint32]string{
		CtState: "state", CtDirection: "direction", CtStatus: "status", CtMark: "mark",
		CtL3proto: "l3proto", CtSrc: "saddr", CtDst: "daddr", CtProtocol: "protocol",
		CtProtoSrc: "proto-src", CtProtoDst: "proto-dst", CtZone: "zone", CtSrcIP: "ip saddr",
		CtDstIP: "ip daddr", CtSrcIP6: "ip6 saddr", CtDstIP6: "ip6 daddr",
	}
	if s, ok := names[k]; ok {
		return s
	}
	return fmt.Sprintf("key-%d", k)
}

func fibText(f *Fib) string {
	var keys []string
	for _, k := range []struct {
		bit  uint32
		name string
	}{{FibSaddr, "saddr"}, {FibDaddr, "daddr"}, {FibMark, "mark"}, {FibIif, "iif"}, {FibOifFlag, "oif"}} {
		if f.Flags&k.bit != 0 {
			keys = append(keys, k.name)
		}
	}
	result := map[uint32]string{FibOif: "oif", FibOifname: "oifname", FibAddrtype: "type"}[f.Result]
	return "fib " + strings.Join(keys, " . ") + " " + result
}
