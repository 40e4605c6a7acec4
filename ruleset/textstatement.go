package ruleset

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (p *printer) lookup(l *Lookup) {
	op := ""
	if l.Invert {
		op = "!= "
	}
	s := p.table.Set(l.Set)
	name := "@" + l.Set
	ops := []operand{p.reg(l.Sreg)}
	if s != nil {
		ops = p.key(l.Sreg, int(s.KeyLen))
	}
	if s != nil && s.Anonymous {
		name = elements(ops, s)
	}
	key := names(ops)
	switch {
	case l.HasReg && l.Dreg == 0:
		p.word(key + " vmap " + name)
	case l.HasReg:
		o := operand{text: key + " map " + name}
		if s != nil {
			o.n = int(s.DataLen)
			if data := ofType(s.DataType, o.n); len(data) == 1 {
				o.kind = data[0].kind
			}
		}
		p.load(l.Dreg, o)
	default:
		p.word(key + " " + op + name)
	}
}

// objectMap prints a statement whose object a map chooses.
func (p *printer) objectMap(o *Objref) {
	s := p.table.Set(o.Set)
	if s == nil || objectNames[s.ObjectType] == "" {
		p.word("objref @" + o.Set)
		return
	}
	key, name := p.key(o.Sreg, int(s.KeyLen)), "@"+o.Set
	if s.Anonymous {
		name = elements(key, s)
	}
	p.word(objectNames[s.ObjectType] + " name " + names(key) + " map " + name)
}

// maxPrinted bounds the elements of a set that are printed.
const maxPrinted = 24

// elements prints an anonymous set, as far as it is short.
func elements(key []operand, s *Set) string {
	if len(s.Elements) > maxPrinted {
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
		w := concat(key, e.Key, e.KeyEnd)
		switch {
		case e.CatchAll:
			w = "*"
		case s.Interval && len(key) == 1 && i+1 < len(els) && els[i+1].IntervalEnd:
			w = span(key[0], e.Key, predecessor(els[i+1].Key))
		case s.Interval && len(key) == 1 && e.KeyEnd == nil: // up to the last value there is
			w = span(key[0], e.Key, bytes.Repeat([]byte{0xff}, len(e.Key)))
		}
		switch {
		case e.Verdict != nil:
			w += " : " + e.Verdict.String()
		case s.Objects:
			w += " : " + strconv.Quote(e.Object)
		case s.Map:
			w += " : " + mapped(s, e.Data)
		}
		words = append(words, w)
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// mapped prints the data of a map's element. Twice the length of its type is a range.
func mapped(s *Set, data []byte) string {
	ops := ofType(s.DataType, int(s.DataLen))
	if len(ops) == 1 && ops[0].kind == kAddr && (len(data) == 8 || len(data) == 32) {
		return span(ops[0], data[:len(data)/2], data[len(data)/2:])
	}
	return concat(ops, data, nil)
}

// concat prints the parts of a key one after the other; with an end, each as a range.
func concat(ops []operand, key, end []byte) string {
	if len(ops) == 1 && len(key) <= ops[0].n+3 {
		n := min(ops[0].n, len(key))
		if end != nil {
			return span(ops[0], key[:n], end[:min(n, len(end))])
		}
		return ops[0].value(key[:n])
	}
	var parts []string
	for _, o := range ops {
		if len(key) < o.n {
			return fmt.Sprintf("0x%x", key)
		}
		if end != nil && len(end) >= o.n {
			parts = append(parts, span(o, key[:o.n], end[:o.n]))
		} else {
			parts = append(parts, o.value(key[:o.n]))
		}
		step := (o.n + 3) &^ 3
		key = key[min(step, len(key)):]
		end = end[min(step, len(end)):]
	}
	return strings.Join(parts, " . ")
}

// span prints a range of values, of addresses as a prefix where it is one.
func span(o operand, lo, hi []byte) string {
	if bytes.Equal(lo, hi) {
		return o.value(lo)
	}
	if o.kind == kAddr && len(lo) == len(hi) {
		mask := make([]byte, len(lo))
		whole := true
		for i := range lo {
			mask[i] = ^(lo[i] ^ hi[i])
			whole = whole && lo[i]&^mask[i] == 0 && hi[i]|mask[i] == 0xff
		}
		if bits, ok := prefixBits(mask); ok && whole {
			return fmt.Sprintf("%s/%d", o.value(lo), bits)
		}
	}
	return o.value(lo) + "-" + o.value(hi)
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

func (p *printer) dynset(d *Dynset) {
	ops := []operand{p.reg(d.Key)}
	s := p.table.Set(d.Set)
	if s != nil {
		ops = p.key(d.Key, int(s.KeyLen))
	}
	text := names(ops)
	if d.TimeoutMs != 0 {
		text += " timeout " + (time.Duration(d.TimeoutMs) * time.Millisecond).String()
	}
	inner := printer{table: p.table, regs: map[uint32]operand{}}
	for i := range d.Exprs {
		inner.expr(&d.Exprs[i])
	}
	text = strings.Join(append([]string{text}, inner.out...), " ")
	if d.Data != 0 && s != nil {
		data := p.reg(d.Data)
		if data.data != nil {
			data.text = mapped(s, data.data)
		}
		text += " : " + data.text
	}
	p.word(fmt.Sprintf("%s @%s { %s }", d.Op, d.Set, text))
}

// natFlags are the flags of a translation that nft has words for (NF_NAT_RANGE_*).
var natFlags = []bitName{{1 << 2, "random"}, {1 << 4, "fully-random"}, {1 << 3, "persistent"}}

func (p *printer) nat(n *NAT) {
	s := n.Kind
	addr := p.reg(n.AddrMin)
	inside := func(reg uint32) bool { // of a map, whose data is several registers
		return reg != 0 && addr.data == nil && at(reg) > at(n.AddrMin) && int(at(reg)-at(n.AddrMin))*4 < addr.n
	}
	if n.AddrMin != 0 && (p.table.Family == FamilyInet || inside(n.PortMin) || n.Flags&(1<<6) != 0) {
		s += map[uint32]string{2: " ip", 10: " ip6"}[n.Family]
	}
	bounds := func(lo, hi uint32, kind kind) string {
		write := func(reg uint32) string {
			o := p.reg(reg)
			if o.data == nil {
				return o.text
			}
			return operand{kind: kind}.value(o.data)
		}
		a := write(lo)
		if b := write(hi); hi != 0 && b != a {
			return a + "-" + b
		}
		return a
	}
	switch {
	case n.AddrMin != 0 && inside(n.PortMin):
		s += " addr . port to " + addr.text
	case n.AddrMin != 0 && inside(n.AddrMax):
		if n.Flags&(1<<6) != 0 {
			s += " prefix"
		}
		s += " to " + addr.text
	case n.AddrMin != 0:
		a := bounds(n.AddrMin, n.AddrMax, kAddr)
		if n.PortMin != 0 && strings.Contains(a, ":") {
			a = "[" + a + "]"
		}
		if n.Flags&(1<<6) != 0 && addr.data != nil {
			a = span(operand{kind: kAddr}, addr.data, p.reg(n.AddrMax).data)
			s += " prefix"
		}
		s += " to " + a
	case n.PortMin != 0:
		s += " to "
	}
	if n.PortMin != 0 && !inside(n.PortMin) {
		s += ":" + bounds(n.PortMin, n.PortMax, kNumber)
	}
	var flags []string
	for _, f := range natFlags {
		if n.Flags&f.bit != 0 {
			flags = append(flags, f.name)
		}
	}
	if len(flags) > 0 {
		s += " " + strings.Join(flags, ",")
	}
	p.word(s)
}

// send prints dup and fwd.
func (p *printer) send(x *Send) {
	dev := p.reg(x.Dev)
	name := dev.text
	if dev.data != nil {
		name = operand{text: "oif", kind: kHost}.value(dev.data)
	}
	switch addr := p.reg(x.Addr); {
	case x.Addr != 0 && addr.data != nil:
		s := x.Kind + map[uint32]string{2: " ip", 10: " ip6"}[x.Nfp] + " to " + addrText(addr.data)
		if x.Dev != 0 {
			s += " device " + name
		}
		p.word(s)
	case x.Addr != 0:
		p.word(x.Kind + " to " + addr.text)
	default:
		p.word(x.Kind + " to " + name)
	}
}

var objectNames = map[uint32]string{
	ObjectCounter: "counter", ObjectQuota: "quota", ObjectLimit: "limit", ObjectConnlimit: "ct count",
	ObjectTimeout: "ct timeout set", ObjectSecmark: "meta secmark set", ObjectExpect: "ct expectation set", ObjectSynproxy: "synproxy",
}

// rejectText names the answer of a reject (enum nft_reject_types, nft_reject_inet_code).
func (p *printer) rejectText(r *Reject) string {
	v6 := p.table.Family == FamilyIP6 || slices.Contains(p.out, "meta nfproto ipv6") || slices.Contains(p.out, "meta protocol ip6")
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
		if v6 {
			return fmt.Sprintf("reject with icmpv6 type %d", r.Code)
		}
		if r.Code == 3 && p.table.Family == FamilyIP {
			return "reject"
		}
		return fmt.Sprintf("reject with icmp type %d", r.Code)
	}
	return "reject"
}

// String is the limit in nft's syntax.
func (l *Limit) String() string {
	unit := map[uint64]string{1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}[l.Per]
	if l.Bytes {
		s := fmt.Sprintf("limit rate %s%d bytes/%s", over(l.Over), l.Rate, unit)
		if l.Burst > 0 {
			s += fmt.Sprintf(" burst %d bytes", l.Burst)
		}
		return s
	}
	return fmt.Sprintf("limit rate %s%d/%s burst %d packets", over(l.Over), l.Rate, unit, l.Burst)
}

// logLevels are those of syslog, by number.
var logLevels = []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}

func (l *Log) text() string {
	s := "log"
	if l.Prefix != "" {
		s += " prefix " + strconv.Quote(l.Prefix)
	}
	switch {
	case l.ToGroup:
		s += fmt.Sprintf(" group %d", l.Group)
		if l.Snaplen != 0 {
			s += fmt.Sprintf(" snaplen %d", l.Snaplen)
		}
		if l.Queue != 0 {
			s += fmt.Sprintf(" queue-threshold %d", l.Queue)
		}
	case l.Level != nil && *l.Level != 4 && int(*l.Level) < len(logLevels):
		s += " level " + logLevels[*l.Level]
	}
	if l.Flags == 0x1f {
		return s + " flags all"
	}
	for _, f := range []bitName{{1, "tcp sequence"}, {2, "tcp options"}, {4, "ip options"}, {8, "skuid"}, {32, "ether"}} {
		if l.Flags&f.bit != 0 {
			s += " flags " + f.name
		}
	}
	return s
}

func (q *QueueTo) text() string {
	var flags []string
	if q.Bypass {
		flags = append(flags, "bypass")
	}
	if q.Fanout {
		flags = append(flags, "fanout")
	}
	s := "queue "
	if len(flags) > 0 {
		s += "flags " + strings.Join(flags, ",") + " "
	}
	s += fmt.Sprintf("to %d", q.Num)
	if q.Total > 1 {
		s += fmt.Sprintf("-%d", q.Num+q.Total-1)
	}
	return s
}

func (x *Synproxy) text() string {
	s := "synproxy"
	if x.Flags&1 != 0 {
		s += fmt.Sprintf(" mss %d", x.MSS)
	}
	if x.Flags&2 != 0 {
		s += fmt.Sprintf(" wscale %d", x.Wscale)
	}
	if x.Flags&8 != 0 {
		s += " timestamp"
	}
	if x.Flags&4 != 0 {
		s += " sack-perm"
	}
	return s
}
