package ruleset

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Text prints a rule in nft's syntax: nft loads it to the same expressions again, as far as it has a form for
// them. It has none for iptables extensions and for what the package does not know; those, and sets that are too
// long to read, are printed for people alone.
func (r *Rule) Text(t *Table) string {
	p := printer{table: t, regs: map[uint32]operand{}}
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

// operand is what a register holds: how nft writes it, how its values are written, and how many bytes it has.
type operand struct {
	text string
	kind kind
	n    int
	// data is a constant; present says that it is whether there is something.
	data    []byte
	present bool
	bits    int // of a prefix, 0 where it is none
}

type printer struct {
	table *Table
	regs  map[uint32]operand // by word of four bytes
	out   []string
	proto string // tcp, udp, ... once the rule has compared it
	vlan  bool   // the frame has a VLAN tag
}

func (p *printer) word(s string) { p.out = append(p.out, s) }

// at is the word of a register: 1 to 4 are 16 bytes wide, 8 to 23 are 4 bytes wide and overlap them.
func at(reg uint32) uint32 {
	if reg >= 8 {
		return reg - 8
	}
	return (reg - 1) * 4
}

func (p *printer) load(reg uint32, o operand) { p.regs[at(reg)] = o }

func (p *printer) reg(reg uint32) operand {
	if o, ok := p.regs[at(reg)]; ok {
		return o
	}
	return operand{text: fmt.Sprintf("reg%d", reg)}
}

// key is the operands that n bytes from a register on hold, one for each part of a concatenation.
func (p *printer) key(reg uint32, n int) []operand {
	var out []operand
	for w := at(reg); n > 0; {
		o, ok := p.regs[w]
		if !ok || o.n == 0 {
			o = operand{text: fmt.Sprintf("reg%d", w+8), n: n}
		}
		out = append(out, o)
		w += uint32(o.n+3) / 4
		n -= (o.n + 3) &^ 3
	}
	return out
}

func names(ops []operand) string {
	var out []string
	for _, o := range ops {
		out = append(out, o.text)
	}
	return strings.Join(out, " . ")
}

// bounds prints two comparisons that are the bounds of a range, and says whether they are.
func (p *printer) bounds(a, b *Expr) bool {
	if a.Cmp == nil || b.Cmp == nil || a.Cmp.Op != OpGte || b.Cmp.Op != OpLte || a.Cmp.Sreg != b.Cmp.Sreg {
		return false
	}
	o := p.reg(a.Cmp.Sreg)
	p.word(o.text + " " + o.value(a.Cmp.Data) + "-" + o.value(b.Cmp.Data))
	return true
}

func (p *printer) expr(e *Expr) {
	switch {
	case e.Immediate != nil && e.Immediate.Verdict != nil:
		p.word(e.Immediate.Verdict.String())
	case e.Immediate != nil:
		d := e.Immediate.Data
		p.load(e.Immediate.Dreg, operand{text: fmt.Sprintf("0x%x", []byte(d)), data: d, n: len(d)})
	case e.Payload != nil && !e.Payload.Set:
		p.load(e.Payload.Dreg, p.payload(e.Payload))
	case e.Payload != nil:
		p.word(p.payloadSet(e.Payload))
	case e.Meta != nil && !e.Meta.Set:
		p.load(e.Meta.Dreg, metaOperand(e.Meta.Key))
	case e.Meta != nil:
		o := metaOperand(e.Meta.Key)
		if !strings.HasPrefix(o.text, "meta ") {
			o.text = "meta " + o.text
		}
		p.word(o.text + " set " + p.source(e.Meta.Sreg, o))
	case e.Ct != nil && !e.Ct.Set:
		o := ctOperand(e.Ct.Key)
		o.text = strings.Join(strings.Fields("ct "+e.Ct.Dir+" "+o.text), " ")
		p.load(e.Ct.Dreg, o)
	case e.Ct != nil:
		o := ctOperand(e.Ct.Key)
		p.word(strings.Join(strings.Fields("ct "+e.Ct.Dir+" "+o.text), " ") + " set " + p.source(e.Ct.Sreg, o))
	case e.Fib != nil:
		p.load(e.Fib.Dreg, fibOperand(e.Fib))
	case e.Bitwise != nil:
		p.bitwise(e.Bitwise)
	case e.Byteorder != nil:
		p.load(e.Byteorder.Dreg, p.reg(e.Byteorder.Sreg).swapped())
	case e.Cmp != nil:
		p.cmp(e.Cmp)
	case e.Range != nil:
		o := p.reg(e.Range.Sreg)
		op := map[string]string{OpEq: "", OpNeq: "!= "}[e.Range.Op]
		p.word(o.text + " " + op + o.value(e.Range.From) + "-" + o.value(e.Range.To))
	case e.Lookup != nil:
		p.lookup(e.Lookup)
	case e.NAT != nil:
		p.nat(e.NAT)
	case e.Log != nil:
		p.word(e.Log.text())
	case e.Reject != nil:
		p.word(p.rejectText(e.Reject))
	case e.Limit != nil:
		p.word(e.Limit.String())
	case e.Xt != nil:
		p.word(e.Xt.text())
	case e.Extra != nil:
		p.extra(e)
	default:
		p.word(e.Name)
	}
}

// extra prints the rare expressions.
func (p *printer) extra(e *Expr) {
	x := e.Extra
	switch {
	case x.Dynset != nil:
		p.dynset(x.Dynset)
	case x.Generate != nil:
		p.load(x.Generate.Dreg, p.generate(x.Generate))
	case x.Queue != nil:
		p.word(x.Queue.text())
	case x.Objref != nil && x.Objref.Type == ObjectHelper:
		p.word("ct helper set " + strconv.Quote(x.Objref.Name))
	case x.Objref != nil && x.Objref.Set != "":
		p.objectMap(x.Objref)
	case x.Objref != nil && x.Objref.Name != "":
		p.word(fmt.Sprintf("%s name %q", objectNames[x.Objref.Type], x.Objref.Name))
	case x.Offload != "":
		p.word("flow add @" + x.Offload)
	case x.Quota != nil:
		p.word(x.Quota.String())
	case x.Connlimit != nil:
		p.word(x.Connlimit.String())
	case x.Socket != nil && x.Socket.Key < 3:
		p.load(x.Socket.Dreg, []operand{
			{text: "socket transparent", kind: kHost, n: 1}, {text: "socket mark", kind: kMark, n: 4}, {text: "socket wildcard", kind: kHost, n: 1},
		}[x.Socket.Key])
	case x.Rt != nil && x.Rt.Key < 5:
		p.load(x.Rt.Dreg, []operand{
			{text: "rt classid", kind: kHost, n: 4},
			{text: "rt ip nexthop", kind: kAddr, n: 4},
			{text: "rt ip6 nexthop", kind: kAddr, n: 16},
			{text: "rt mtu", kind: kHost, n: 2},
			{text: "rt ipsec", n: 1, present: true},
		}[x.Rt.Key])
	case x.Exthdr != nil:
		p.exthdr(x.Exthdr)
	case x.Osf != nil:
		p.load(x.Osf.Dreg, operand{text: "osf name", kind: kString, n: 16})
	case x.Synproxy != nil:
		p.word(x.Synproxy.text())
	case x.Send != nil:
		p.send(x.Send)
	default:
		p.word(e.Name)
	}
}

// String is the quota in nft's syntax.
func (q *Quota) String() string { return fmt.Sprintf("quota %s%d bytes", over(q.Over), q.Bytes) }

// String is the count of connections in nft's syntax.
func (c *Connlimit) String() string { return fmt.Sprintf("ct count %s%d", over(c.Over), c.Count) }

func over(on bool) string {
	if on {
		return "over "
	}
	return ""
}

// String is the verdict in nft's syntax.
func (v *Verdict) String() string { return strings.TrimSpace(v.Kind + " " + v.Chain) }

// source is what a statement sets: a constant written as the target's values are, or an expression.
func (p *printer) source(reg uint32, target operand) string {
	o := p.reg(reg)
	if o.data != nil {
		return target.value(o.data)
	}
	return o.text
}

func (p *printer) bitwise(b *Bitwise) {
	o := p.reg(b.Sreg)
	if b.Op != "mask" {
		o.text = fmt.Sprintf("%s %s %d", o.text, map[string]string{"lshift": "<<", "rshift": ">>"}[b.Op], b.Shift)
		p.load(b.Dreg, o)
		return
	}
	if bits, ok := prefixBits(b.Mask); ok && o.kind == kAddr && allZeroes(b.Xor) {
		o.bits = bits
		p.load(b.Dreg, o)
		return
	}
	if o.text == "vlan id" || o.text == "frag frag-off" { // the lower bits of the tag, the upper ones of the field
		p.load(b.Dreg, o)
		return
	}
	mask := o.number(b.Mask)
	if o.kind == kFlags && len(b.Mask) == 1 {
		mask = "(" + tcpFlags(b.Mask[0]) + ")"
	}
	o.text += " & " + mask
	if !allZeroes(b.Xor) {
		o.text += " ^ " + o.number(b.Xor)
	}
	if o.kind != kMark && o.kind != kState && o.kind != kStatus && o.kind != kFlags && o.kind != kHost {
		o.kind = kRaw
	}
	o.n = int(b.Len)
	p.load(b.Dreg, o)
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
	o := p.reg(c.Sreg)
	value := o.value(c.Data)
	if o.text == "meta l4proto" && c.Op == OpEq {
		p.proto = value
	}
	if o.text == "ether type" && c.Op == OpEq && len(c.Data) == 2 && binary.BigEndian.Uint16(c.Data) == 0x8100 {
		p.vlan = true
	}
	op := c.Op + " "
	if c.Op == OpEq {
		op = ""
	}
	if o.present {
		p.word(o.text + " " + map[bool]string{true: "missing", false: "exists"}[allZeroes(c.Data) == (c.Op == OpEq)])
		return
	}
	if o.bits > 0 { // a prefix stands behind the address in nft, behind the field in the registers
		value += fmt.Sprintf("/%d", o.bits)
	}
	if name, mask, ok := strings.Cut(o.text, " & "); ok && allZeroes(c.Data) && (o.kind == kState || o.kind == kStatus) {
		if c.Op == OpEq {
			name += " !"
		}
		p.word(name + " " + mask)
		return
	}
	p.word(o.text + " " + op + value)
}

func allZeroes(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
