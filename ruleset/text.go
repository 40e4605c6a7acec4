package ruleset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Text prints a rule close to nft's syntax, for people who look for it in "nft list ruleset". What
// has no short form is printed by the name of its expression.
func (r *Rule) Text(t *Table) string {
	p := printer{table: t, regs: map[uint32]string{}, present: map[uint32]bool{}}
	for i := 0; i < len(r.Exprs); i++ {
		if i+1 < len(r.Exprs) && p.bounds(&r.Exprs[i], &r.Exprs[i+1]) {
			i++
			continue
		}
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
	// present says of a register that it holds whether a route exists.
	present map[uint32]bool
	proto   string // tcp, udp, ... once the rule has compared it
}

func (p *printer) word(s string) { p.out = append(p.out, s) }

// bounds prints two comparisons that are the bounds of a range, and says whether they are.
func (p *printer) bounds(a, b *Expr) bool {
	if a.Cmp == nil || b.Cmp == nil || a.Cmp.Op != OpGte || b.Cmp.Op != OpLte || a.Cmp.Sreg != b.Cmp.Sreg {
		return false
	}
	name := p.reg(a.Cmp.Sreg)
	p.word(name + " " + p.value(name, a.Cmp.Data) + "-" + p.value(name, b.Cmp.Data))
	return true
}

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
		p.present[e.Payload.Dreg] = false
		p.regs[e.Payload.Dreg] = p.payload(e.Payload)
	case e.Meta != nil && !e.Meta.Set:
		p.present[e.Meta.Dreg] = false
		p.regs[e.Meta.Dreg] = metaName(e.Meta.Key)
	case e.Meta != nil:
		p.word("meta " + strings.TrimPrefix(metaName(e.Meta.Key), "meta ") + " set " +
			p.reg(e.Meta.Sreg))
	case e.Ct != nil && !e.Ct.Set:
		p.regs[e.Ct.Dreg] = strings.Join(strings.Fields("ct "+e.Ct.Dir+" "+ctName(e.Ct.Key)), " ")
	case e.Fib != nil:
		p.regs[e.Fib.Dreg] = fibText(e.Fib)
		p.present[e.Fib.Dreg] = e.Fib.Flags&FibPresent != 0
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
	case e.Log != nil && e.Log.Prefix == "":
		p.word("log")
	case e.Log != nil:
		p.word("log prefix " + strconv.Quote(e.Log.Prefix))
	case e.Reject != nil:
		p.word(rejectText(e.Reject))
	case e.Limit != nil:
		p.word(limitText(e.Limit))
	case e.More().Dynset != nil:
		p.word(fmt.Sprintf("%s @%s { %s }", e.More().Dynset.Op, e.More().Dynset.Set, p.reg(e.More().Dynset.Key)))
	case e.More().Generate != nil:
		g := "numgen " + e.More().Generate.Kind
		if e.More().Generate.Sreg != 0 {
			g = e.More().Generate.Kind + " " + p.reg(e.More().Generate.Sreg)
		}
		p.regs[e.More().Generate.Dreg] = fmt.Sprintf("%s mod %d", g, e.More().Generate.Modulus)
	case e.More().Queue != nil:
		p.word(fmt.Sprintf("queue to %d", e.More().Queue.Num))
	case e.More().Objref != nil && e.More().Objref.Name != "":
		p.word(fmt.Sprintf("%s name %q", objectNames[e.More().Objref.Type], e.More().Objref.Name))
	case e.More().Offload != "":
		p.word("flow add @" + e.More().Offload)
	case e.Ct != nil:
		p.word("ct " + ctName(e.Ct.Key) + " set " + p.reg(e.Ct.Sreg))
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
	mask := fmt.Sprintf("0x%x", []byte(b.Mask))
	switch {
	case strings.HasSuffix(name, " flags") && len(b.Mask) == 1:
		mask = "(" + tcpFlags(b.Mask[0]) + ")"
	case strings.HasSuffix(name, "mark") && len(b.Mask) == 4:
		mask = fmt.Sprintf("0x%x", binary.NativeEndian.Uint32(b.Mask))
	}
	p.regs[b.Dreg] = name + " & " + mask
	if strings.HasSuffix(name, "mark") && !allZeroes(b.Xor) && len(b.Xor) == 4 {
		p.regs[b.Dreg] += fmt.Sprintf(" ^ 0x%x", binary.NativeEndian.Uint32(b.Xor))
	}
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
	if p.present[c.Sreg] { // a look-up of whether there is a route
		p.word(name + " " + map[bool]string{true: "missing", false: "exists"}[allZeroes(c.Data) == (c.Op == OpEq)])
		return
	}
	// A prefix stands behind the address in nft, behind the field in the registers.
	if field, bits, ok := strings.Cut(name, "/"); ok {
		name, value = field, value+"/"+bits
	}
	for field, table := range bitNames {
		if mask, ok := strings.CutPrefix(name, field+" & 0x"); ok && allZeroes(c.Data) {
			word := field + " "
			if c.Op == OpEq {
				word += "! "
			}
			p.word(word + namesOf(mask, table))
			return
		}
	}
	p.word(name + " " + op + value)
}

func allZeroes(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

type bitName struct {
	bit  uint32
	name string
}

// bitNames are the bit fields of conntrack, which the kernel keeps in host order.
var bitNames = map[string][]bitName{
	"ct state": {
		{CtInvalid, "invalid"},
		{CtEstablished, "established"},
		{CtRelated, "related"},
		{CtNew, "new"},
		{CtUntracked, "untracked"},
	},
	"ct status": {
		{1, "expected"},
		{2, "seen-reply"},
		{4, "assured"},
		{8, "confirmed"},
		{16, "snat"},
		{32, "dnat"},
		{512, "dying"},
	},
}

// namesOf names the bits of a mask that is printed as hexadecimal bytes in host order.
func namesOf(mask string, table []bitName) string {
	n, err := strconv.ParseUint(mask, 16, 32)
	if err != nil {
		return mask
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	bits := binary.NativeEndian.Uint32(b[:])
	var names []string
	for _, s := range table {
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
		name = p.elements(p.reg(l.Sreg), s)
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

// maxPrinted bounds the elements of a set that are printed.
const maxPrinted = 12

// elements prints an anonymous set of one field, as far as it is short.
func (p *printer) elements(name string, s *Set) string {
	if len(s.Elements) > maxPrinted || len(s.FieldLens) > 1 || s.Map && s.DataType != 0xffffff00 {
		return fmt.Sprintf("{ %d elements }", len(s.Elements))
	}
	els := slices.Clone(s.Elements)
	slices.SortStableFunc(els, func(a, b Element) int {
		if d := bytes.Compare(a.Key, b.Key); d != 0 || a.IntervalEnd == b.IntervalEnd {
			return d
		}
		if a.IntervalEnd {
			return -1
		}
		return 1
	})
	var words []string
	for i := range els {
		e := &els[i]
		if e.IntervalEnd {
			continue
		}
		w := p.value(name, e.Key)
		if s.Interval && i+1 < len(els) && els[i+1].IntervalEnd {
			if last := predecessor(els[i+1].Key); !bytes.Equal(last, e.Key) {
				w += "-" + p.value(name, last)
			}
		}
		if e.CatchAll {
			w = "*"
		}
		if e.Verdict != nil {
			w += " : " + e.Verdict.String()
		}
		words = append(words, w)
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// predecessor is the key before b.
func predecessor(b []byte) []byte {
	out := bytes.Clone(b)
	for i := len(out) - 1; i >= 0; i-- {
		out[i]--
		if out[i] != 0xff {
			break
		}
	}
	return out
}

func (p *printer) nat(n *NAT) {
	s := n.Kind
	if p.table != nil && p.table.Family == FamilyInet && n.AddrMin != 0 {
		s += map[uint32]string{2: " ip", 10: " ip6"}[n.Family]
	}
	bounds := func(lo, hi uint32, text func(string) string) string {
		a := text(p.reg(lo))
		if b := text(p.reg(hi)); hi != 0 && b != a {
			return a + "-" + b
		}
		return a
	}
	if n.AddrMin != 0 {
		a := bounds(n.AddrMin, n.AddrMax, hexAddr)
		if n.PortMin != 0 && strings.Contains(a, ":") {
			a = "[" + a + "]"
		}
		s += " to " + a
	} else if n.PortMin != 0 {
		s += " to "
	}
	if n.PortMin != 0 {
		s += ":" + bounds(n.PortMin, n.PortMax, hexPort)
	}
	p.word(s)
}

var objectNames = map[uint32]string{
	ObjectCounter: "counter", ObjectQuota: "quota", ObjectHelper: "ct helper set", ObjectLimit: "limit", ObjectConnlimit: "ct count",
	ObjectTimeout: "ct timeout set", ObjectSecmark: "meta secmark set", ObjectExpect: "ct expectation set", ObjectSynproxy: "synproxy",
}

// rejectText names the answer of a reject (enum nft_reject_types, nft_reject_inet_code).
func rejectText(r *Reject) string {
	switch r.Type {
	case 1:
		return "reject with tcp reset"
	case 2:
		names := []string{"no-route", "port-unreachable", "host-unreachable", "admin-prohibited"}
		if r.Code == 1 {
			return "reject"
		}
		if int(r.Code) < len(names) {
			return "reject with icmpx type " + names[r.Code]
		}
	case 0:
		if r.Code == 3 {
			return "reject"
		}
		return fmt.Sprintf("reject with icmp type %d", r.Code)
	}
	return "reject"
}

func limitText(l *Limit) string {
	unit := map[uint64]string{1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}[l.Per]
	over := ""
	if l.Over {
		over = "over "
	}
	if l.Bytes {
		return fmt.Sprintf("limit rate %s%d bytes/%s", over, l.Rate, unit)
	}
	return fmt.Sprintf("limit rate %s%d/%s burst %d packets", over, l.Rate, unit, l.Burst)
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
	case bitNames[name] != nil && len(d) == 4:
		return namesOf(fmt.Sprintf("%x", []byte(d)), bitNames[name])
	case strings.HasPrefix(name, "fib ") && strings.HasSuffix(name, " type") && len(d) == 4:
		if n := binary.NativeEndian.Uint32(d); int(n) < len(routeTypes) && n > 0 {
			return routeTypes[n]
		}
	case strings.HasSuffix(name, " flags") && len(d) == 1:
		return tcpFlags(d[0])
	case name == "icmp type" && len(d) == 1, name == "icmpv6 type" && len(d) == 1:
		return strconv.Itoa(int(d[0]))
	case name == "ct direction" && len(d) == 1:
		return map[byte]string{0: "original", 1: "reply"}[d[0]]
	case strings.HasPrefix(name, "meta mark & ") && len(d) == 4, strings.HasPrefix(name, "ct mark & ") && len(d) == 4:
		return fmt.Sprintf("0x%x", binary.NativeEndian.Uint32(d))
	case (strings.HasSuffix(name, "mark") || name == "iif" || name == "oif") && len(d) == 4:
		return strconv.FormatUint(uint64(binary.NativeEndian.Uint32(d)), 10)
	}
	return fmt.Sprintf("0x%x", d)
}

// routeTypes are the RTN_* that nft knows, by number.
var routeTypes = []string{
	"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
}

func tcpFlags(b byte) string {
	var names []string
	for i, n := range []string{"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"} {
		if b>>i&1 != 0 {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "0x0"
	}
	return strings.Join(names, "|")
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
	th := map[string]string{"ipv6-icmp": "icmpv6"}[p.proto]
	if th == "" {
		th = p.proto
	}
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
