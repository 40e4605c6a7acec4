package reach

import (
	"bytes"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// need is what a packet must have in a field for a rule to match.
type need struct {
	f field
	s set
}

// sieveKey names the needs of the rules of a chain: the bytes of a packet mean another field in each family and protocol.
type sieveKey struct {
	chain *ruleset.Chain
	v4    bool
	proto uint64
}

// sieved are the needs of each rule of a chain; nil where they were not asked for.
type sieved [][]need

// passes says that none of the packets has what a rule of a chain asks for. A rule that is about other packets would
// part them all the same, by one field after the other, into parts that go on alike: without this, long rulesets
// make more and more parts of a question.
func (m *machine) passes(chain *ruleset.Chain, rule int, c *cube) bool {
	if !c.sets[fProto].singleton() {
		return false
	}
	k := sieveKey{chain, c.v4, c.sets[fProto][0].lo.lo}
	if k != m.sieveOf || m.rulesOf == nil {
		m.sieveOf, m.rulesOf = k, m.sieves[k]
		if m.rulesOf == nil {
			m.rulesOf = make(sieved, len(chain.Rules))
			m.sieves[k] = m.rulesOf
		}
	}
	needs := m.rulesOf[rule]
	if needs == nil {
		needs = m.needs(&chain.Rules[rule], k)
		m.rulesOf[rule] = needs
	}
	for i := range needs {
		m.steps += min(len(c.sets[needs[i].f]), len(needs[i].s)) / intervalsPerStep // the next charge asks for them
		if !c.sets[needs[i].f].overlaps(needs[i].s) {
			return true
		}
	}
	return false
}

// overlaps says whether two sets have a number in common.
func (s set) overlaps(t set) bool {
	if len(s) > len(t) {
		s, t = t, s
	}
	if len(t) > 16*len(s) { // a few numbers against a long list
		for _, i := range s {
			at, _ := slices.BinarySearchFunc(t, i.lo, func(x interval, n u128) int {
				switch {
				case x.hi.less(n):
					return -1
				case x.lo == n:
					return 0
				}
				return 1
			})
			if at < len(t) && !i.hi.less(t[at].lo) {
				return true
			}
		}
		return false
	}
	for i, j := 0, 0; i < len(s) && j < len(t); {
		switch {
		case s[i].hi.less(t[j].lo):
			i++
		case t[j].hi.less(s[i].lo):
			j++
		default:
			return true
		}
	}
	return false
}

// sieve collects needs.
type sieve struct {
	*machine
	wide  cube             // packets of the family and protocol with anything in their fields
	regs  regs             // what is loaded
	names map[uint32]field // registers that hold the name of an interface
	needs []need
}

func (m *machine) needs(r *ruleset.Rule, k sieveKey) []need {
	w := m.sieve
	if w == nil || w.wide.v4 != k.v4 || w.wide.sets[fProto][0].lo.lo != k.proto {
		w = newSieve(m.Model, k)
		m.sieve = w
	}
	w.machine, w.needs = m, []need{}
	clear(w.names)
	w.regs = w.regs[:0]
	for i := range r.Exprs {
		if !w.expr(&r.Exprs[i]) {
			break
		}
	}
	return w.needs
}

func newSieve(m *Model, k sieveKey) *sieve {
	w := &sieve{wide: m.packet(k.v4, k.proto), names: map[uint32]field{}}
	w.wide.sets[fMark], w.wide.sets[fIif], w.wide.sets[fOif] = span(num(0), ones(32)), span(num(0), ones(31)), span(num(0), ones(31))
	w.wide.sets[fTCPFlags] = span(num(0), num(255))
	var states set
	for bit := uint64(1); bit <= ruleset.CtUntracked; bit <<= 1 {
		states = append(states, single(num(bit))...)
	}
	w.wide.sets[fCtState] = states
	return w
}

func (w *sieve) need(f field, s set) {
	if f == fService { // rules write over it
		return
	}
	w.needs = append(w.needs, need{f, s})
}

// expr takes in one expression. It reports false at the first that does more than to look at the packet.
func (w *sieve) expr(e *ruleset.Expr) bool {
	switch {
	case e.Payload != nil && !e.Payload.Set:
		v := unknown(int(e.Payload.Len), "not followed here")
		if e.Payload.Base != ruleset.BaseLink && !asksForHead(&w.wide, e.Payload) {
			v = w.payload(&w.wide, e.Payload)
		}
		w.put(e.Payload.Dreg, v)
	case e.Meta != nil && !e.Meta.Set:
		w.meta(e.Meta)
	case e.Ct != nil && !e.Ct.Set:
		v := unknown(16, "not followed here")
		if e.Ct.Key == ruleset.CtState && w.table.Family != ruleset.FamilyBridge {
			v = w.wide.load(fCtState, 0, 4)
		}
		w.put(e.Ct.Dreg, v)
	case e.Bitwise != nil:
		v := unknown(int(e.Bitwise.Len), "not followed here")
		if vs, ok := w.regs.read(e.Bitwise.Sreg, int(e.Bitwise.Len)); ok && len(vs) == 1 && e.Bitwise.Op == "mask" {
			v = vs[0].bitwise(e.Bitwise.Mask, e.Bitwise.Xor)
		}
		w.put(e.Bitwise.Dreg, v)
	case e.Cmp != nil:
		w.cmp(e.Cmp)
	case e.Range != nil && e.Range.Op == ruleset.OpEq:
		w.between(e.Range.Sreg, e.Range.From, e.Range.To, false)
	case e.Range != nil:
		w.between(e.Range.Sreg, e.Range.From, e.Range.To, true)
	case e.Lookup != nil:
		return w.lookup(e.Lookup)
	case e.Xt != nil && !e.Xt.Target:
		w.xtMatch(e.Xt.Decoded)
	case e.Plain && e.Name != "notrack", e.Log != nil, e.Limit != nil, e.More().Quota != nil, e.More().Connlimit != nil:
	default:
		return false
	}
	return true
}

func (w *sieve) put(reg uint32, v value) {
	delete(w.names, word(reg))
	w.regs = w.regs.set(reg, v)
}

func (w *sieve) meta(e *ruleset.Meta) {
	v := unknown(16, "not followed here")
	switch e.Key {
	case ruleset.MetaL4proto, ruleset.MetaNfproto, ruleset.MetaMark:
		v = w.machine.meta(&w.wide, e.Key)
	case ruleset.MetaIif:
		v = w.wide.load(fIif, 0, 4)
	case ruleset.MetaOif:
		v = w.wide.load(fOif, 0, 4)
	}
	if w.outgoing() && e.Key == ruleset.MetaIif {
		v = unknown(4, "not followed here")
	}
	w.put(e.Dreg, v)
	switch {
	case e.Key == ruleset.MetaIifname && !w.outgoing():
		w.names[word(e.Dreg)] = fIif
	case e.Key == ruleset.MetaOifname:
		w.names[word(e.Dreg)] = fOif
	}
}

// named is the interfaces, by index, whose name begins with data.
func (w *sieve) named(data []byte) set {
	s := set{}
	if bytes.HasPrefix(make([]byte, 16), data) {
		s = append(s, single(num(0))...)
	}
	for i := range w.snap.Network.Links {
		if l := &w.snap.Network.Links[i]; bytes.HasPrefix(ifname(l.Name), data) {
			s = append(s, single(num(uint64(l.Index)))...)
		}
	}
	return s.normal()
}

func (w *sieve) cmp(e *ruleset.Cmp) {
	if f, ok := w.names[word(e.Sreg)]; ok {
		switch s := w.named(e.Data); e.Op {
		case ruleset.OpEq:
			w.need(f, s)
		case ruleset.OpNeq:
			w.need(f, w.wide.sets[f].subtract(s))
		}
		return
	}
	n := len(e.Data)
	lowest, highest := make([]byte, n), bytes.Repeat([]byte{0xff}, n)
	switch e.Op {
	case ruleset.OpEq:
		w.between(e.Sreg, e.Data, e.Data, false)
	case ruleset.OpNeq:
		w.between(e.Sreg, e.Data, e.Data, true)
	case ruleset.OpLte:
		w.between(e.Sreg, lowest, e.Data, false)
	case ruleset.OpGte:
		w.between(e.Sreg, e.Data, highest, false)
	case ruleset.OpLt:
		w.between(e.Sreg, e.Data, highest, true)
	case ruleset.OpGt:
		w.between(e.Sreg, lowest, e.Data, true)
	}
}

// between needs lo <= register <= hi, or that not.
func (w *sieve) between(reg uint32, lo, hi []byte, not bool) {
	vs, ok := w.regs.read(reg, len(lo))
	if !ok || len(vs) != 1 || len(vs[0]) != 1 || vs[0].doubtful() != "" || len(hi) != len(lo) {
		return
	}
	s := &vs[0][0]
	if s.data != nil {
		if len(s.data) == len(lo) && (bytes.Compare(s.data, lo) < 0 || bytes.Compare(s.data, hi) > 0) != not {
			w.need(fProto, nil) // never
		}
		return
	}
	if s.n != len(lo) {
		return
	}
	if w.charge(s.tries(&w.wide, lo, hi)) {
		return
	}
	pre, ok := s.preimage(&w.wide, lo, hi)
	switch {
	case !ok:
	case not:
		w.need(s.f, w.wide.sets[s.f].subtract(pre))
	default:
		w.need(s.f, pre)
	}
}

// lookup needs a key of the set in each of the fields. It reports false where a map gives a value that the
// rule goes on with.
func (w *sieve) lookup(e *ruleset.Lookup) bool {
	s := w.table.Set(e.Set)
	if s == nil || s.Dynamic || e.Invert {
		return !e.HasReg
	}
	c := w.compile(s)
	if c.catchAll != nil {
		return !e.HasReg
	}
	if f, ok := w.names[word(e.Sreg)]; ok && s.KeyLen == 16 {
		var all set
		for i := range c.ranges {
			all = append(all, w.named(bytes.TrimRight(c.ranges[i].lo, "\x00"))...) // at least these
		}
		w.need(f, all.normal())
		return !e.HasReg
	}
	vs, ok := w.regs.read(e.Sreg, int(s.KeyLen))
	if !ok {
		return !e.HasReg
	}
	at := 0
	for _, v := range vs {
		if len(v) == 1 && v[0].data == nil && v.doubtful() == "" {
			w.anyOf(&v[0], c, at, len(vs) == 1)
		}
		at += (v.len() + 3) &^ 3
	}
	return !e.HasReg
}

// anyOf needs one of the set's keys in one field, whose bytes begin at an offset of the key.
func (w *sieve) anyOf(s *seg, c *compiled, at int, alone bool) {
	if alone {
		if all, ok := c.numbers(w.engine, s, &w.wide); ok && (len(c.ranges) == 0 || len(c.ranges[0].lo) >= s.n) {
			w.need(s.f, all)
		}
		return
	}
	all := set{}
	for i := range c.ranges {
		lo, hi := c.ranges[i].lo, c.ranges[i].hi
		if at+s.n > len(lo) || at+s.n > len(hi) {
			return
		}
		if w.charge(s.tries(&w.wide, lo[at:at+s.n], hi[at:at+s.n])) {
			return
		}
		pre, ok := s.preimage(&w.wide, lo[at:at+s.n], hi[at:at+s.n])
		if !ok {
			return
		}
		all = append(all, pre...)
	}
	w.need(s.f, all.normal())
}

func portSpan(p [2]uint16) set { return span(num(uint64(p[0])), num(uint64(p[1]))) }

// xtMatch takes in what the frequent matches of iptables ask for.
func (w *sieve) xtMatch(d *ruleset.XtDecoded) {
	ports := w.wide.sets[fSport].size(2) > 1
	switch {
	case d == nil:
	case d.Ports != nil && ports:
		if !d.Ports.InvertSport {
			w.need(fSport, portSpan(d.Ports.Sport))
		}
		if !d.Ports.InvertDport {
			w.need(fDport, portSpan(d.Ports.Dport))
		}
	case d.Multiport != nil && ports && !d.Multiport.Invert && d.Multiport.Which != "either":
		var all set
		for _, r := range d.Multiport.Ranges {
			all = append(all, portSpan(r)...)
		}
		w.need(map[string]field{"source": fSport, "destination": fDport}[d.Multiport.Which], all.normal())
	case d.State != nil && !d.State.Invert:
		var all set
		for bit := uint64(1); bit <= ruleset.CtUntracked; bit <<= 1 {
			if uint64(d.State.Mask)&bit != 0 {
				all = append(all, single(num(bit))...)
			}
		}
		w.need(fCtState, all)
	}
}
