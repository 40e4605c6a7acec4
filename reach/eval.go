package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// regs is the registers of the virtual machine, in words of four bytes (nft_regs): registers 1 to 4
// are 16 bytes each, 8 to 23 four bytes each, and they overlap.
type regs []loaded

// loaded is a value and the word that it begins at.
type loaded struct {
	at uint32
	v  value
}

func word(reg uint32) uint32 {
	if reg >= 8 {
		return reg - 8
	}
	return (reg - 1) * 4
}

func (r regs) set(reg uint32, v value) regs {
	out := make(regs, 0, len(r)+1)
	first := word(reg)
	last := first + uint32(v.len()+3)/4
	for _, old := range r {
		if old.at >= last || old.at+uint32(old.v.len()+3)/4 <= first { // what shares a word with the new value is gone
			out = append(out, old)
		}
	}
	return append(out, loaded{first, v})
}

// at is the value that begins at a word.
func (r regs) at(w uint32) (value, bool) {
	for i := range r {
		if r[i].at == w {
			return r[i].v, true
		}
	}
	return nil, false
}

// read takes n bytes from reg: one value, or several that were put side by side, each padded to
// whole words, as for a concatenation. The fields come back apart.
func (r regs) read(reg uint32, n int) ([]value, bool) {
	var out []value
	for w := word(reg); n > 0; {
		v, ok := r.at(w)
		if !ok || v.len() == 0 {
			return nil, false
		}
		padded := (v.len() + 3) &^ 3
		if v.len() > n {
			if v, ok = v.slice(0, n); !ok {
				return nil, false
			}
		}
		out = append(out, v)
		n -= min(n, padded)
		w += uint32(padded / 4)
	}
	return out, true
}

// state is a set of packets in the middle of a rule.
type state struct {
	cube cube
	regs regs
}

// machine evaluates the rules of one table for one question.
type machine struct {
	*engine
	table *ruleset.Table
	hook  packet.Hook
	prio  int32
	depth int

	sieveOf sieveKey // of rulesOf
	rulesOf sieved   // of the chain that was asked for last
}

// outcome is what became of the packets that a chain was given.
type outcome struct {
	accept  *[]cube // of the base chain
	through []cube  // reached the end of the chain, or returned
}

// chain evaluates a chain over packets: it adds those that are accepted, and returns those that get through. It leaves those that it is given as they are:
// a rule that is about few of them moves none of the others.
func (m *machine) chain(c *ruleset.Chain, in []cube, accept *[]cube) ([]cube, error) {
	out := outcome{accept: accept}
	live, spare, held := make([]*cube, len(in)), []*cube(nil), 0
	for i := range in {
		live[i] = &in[i]
		held += in[i].size()
	}
	idle := m.idle(m.table, c)
	for i := range c.Rules {
		if len(live) == 0 {
			return out.through, nil
		}
		if idle != nil && idle[i] {
			continue
		}
		r := &c.Rules[i]
		first := 0
		for first < len(live) && m.passes(c, i, live[first]) {
			first++
		}
		if first == len(live) { // which costs less than a rule that is evaluated
			if m.charge(len(live)/8 + i&1) {
				return nil, m.over
			}
			continue
		}
		rest := append(spare[:0], live[:first]...)
		for j := first; j < len(live); j++ {
			if j > first && m.passes(c, i, live[j]) {
				rest = append(rest, live[j])
				continue
			}
			next, err := m.rule(c, r, live[j], &out)
			if err != nil {
				return nil, err
			}
			held -= live[j].size()
			for k := range next {
				rest = append(rest, &next[k])
				held += next[k].size()
			}
		}
		live, spare = rest, live
		if err := m.hold(len(live), held); err != nil {
			return nil, err
		}
	}
	out.through = slices.Grow(out.through, len(live))
	for _, c := range live {
		out.through = append(out.through, *c)
	}
	return out.through, nil
}

func (m *machine) cause(c *ruleset.Chain, r *ruleset.Rule) packet.Cause {
	by, ok := m.causes[r]
	if !ok {
		by = causeOf(m.table, c, r)
		m.causes[r] = by
	}
	return by
}

// rule evaluates one rule and returns the packets that go on to the next one.
func (m *machine) rule(c *ruleset.Chain, r *ruleset.Rule, in *cube, out *outcome) ([]cube, error) {
	var rest []cube
	live := []state{{*in, nil}}
	exprs := testsFirst(r.Exprs)
	for i := range exprs {
		e := &exprs[i]
		if m.loads(e, live) {
			if err := m.spendStates(live); err != nil {
				return nil, err
			}
			continue
		}
		var next []state
		for i := range live {
			st := &live[i]
			if e.Immediate != nil && e.Immediate.Verdict != nil {
				after, err := m.verdict(c, r, e.Immediate.Verdict, &st.cube, out)
				if err != nil {
					return nil, err
				}
				rest = more(rest, after)
				continue
			}
			verdict, matched, missed := m.expr(c, r, e, *st)
			rest = more(rest, missed)
			if verdict == nil {
				next = more(next, matched)
				continue
			}
			for j := range matched {
				after, err := m.verdict(c, r, verdict, &matched[j].cube, out)
				if err != nil {
					return nil, err
				}
				rest = more(rest, after)
			}
		}
		live = next
		if err := m.spendStates(live); err != nil {
			return nil, err
		}
		if len(live) == 0 {
			break
		}
	}
	for _, st := range live {
		rest = append(rest, st.cube)
	}
	if m.vmap != nil {
		pending := m.vmap
		m.vmap = nil
		for i := range pending {
			after, err := m.verdict(c, r, pending[i].verdict, &pending[i].cube, out)
			if err != nil {
				return nil, err
			}
			rest = more(rest, after)
		}
	}
	return rest, nil
}

// more adds to a list. The first ones it takes as they are, without a copy.
func more[T any](list, add []T) []T {
	if list == nil {
		return slices.Clip(add)
	}
	return append(list, add...)
}

// testsFirst puts a limit after the tests that follow it: a rule matches where all of them hold, in whatever order, and so a doubt
// is about those packets alone that have what the rule asks for.
func testsFirst(exprs []ruleset.Expr) []ruleset.Expr {
	at := 0
	for at < len(exprs) && exprs[at].Limit == nil {
		at++
	}
	if at == len(exprs) {
		return exprs
	}
	end := at + 1
	for end < len(exprs) && pure(&exprs[end]) {
		end++
	}
	if end == at+1 {
		return exprs
	}
	out := slices.Clone(exprs)
	copy(out[at:], exprs[at+1:end])
	out[end-1] = exprs[at]
	return out
}

// pure says whether an expression does nothing but load and compare.
func pure(e *ruleset.Expr) bool {
	switch {
	case e.Meta != nil:
		return !e.Meta.Set
	case e.Payload != nil:
		return !e.Payload.Set
	case e.Ct != nil:
		return !e.Ct.Set
	case e.Lookup != nil:
		return !e.Lookup.HasReg
	}
	return e.Cmp != nil || e.Range != nil || e.Bitwise != nil || e.Byteorder != nil || e.Fib != nil
}

// verdict carries a verdict out and returns the packets that go on to the next rule.
func (m *machine) verdict(c *ruleset.Chain, r *ruleset.Rule, v *ruleset.Verdict, cb *cube, out *outcome,
) ([]cube, error) {
	by := m.cause(c, r)
	switch v.Kind {
	case ruleset.Accept:
		*out.accept = append(*out.accept, cb.accepted(by))
	case ruleset.Drop:
		m.stop(*cb, by)
	case ruleset.Return:
		out.through = append(out.through, *cb)
	case ruleset.Continue, "break":
		return []cube{*cb}, nil
	case ruleset.Jump, ruleset.Goto:
		target := m.Model.chain(m.table, v.Chain)
		if target == nil || m.depth >= 16 { // NFT_JUMP_STACK_SIZE
			by.Text = "chain " + v.Chain + " is missing or too deep"
			if !slices.Contains(m.undecided, by) {
				m.undecided = append(m.undecided, by)
			}
			return nil, nil
		}
		m.depth++
		through, err := m.chain(target, []cube{*cb}, out.accept)
		m.depth--
		if err != nil {
			return nil, err
		}
		if v.Kind == ruleset.Jump {
			return through, nil
		}
		out.through = more(out.through, through)
	default: // queue: a program decides and can also change the packet
		by.Text += ": decided by a program outside the kernel"
		*out.accept = append(*out.accept, cb.doubt(by))
	}
	return nil, nil
}

// pendingVerdict is what a verdict map decided for a part of the packets.
type pendingVerdict struct {
	verdict *ruleset.Verdict
	cube    cube
}

// expr evaluates one expression: the packets for which the rule goes on, and those for which it
// ends. A verdict ends it for the matched ones.
func (m *machine) expr(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.Expr, st state,
) (*ruleset.Verdict, []state, []cube) {
	if asksForFrame(e) {
		return m.perFrame(c, r, e, st)
	}
	return m.plainExpr(c, r, e, st)
}

// loads carries out an expression that only loads something that all packets have, and says whether it is one.
func (m *machine) loads(e *ruleset.Expr, live []state) bool {
	if asksForFrame(e) {
		return false
	}
	load := func(dreg uint32, v func(st *state) value) bool {
		for i := range live {
			live[i].regs = live[i].regs.set(dreg, v(&live[i]))
		}
		return true
	}
	switch {
	case e.Immediate != nil && e.Immediate.Verdict == nil:
		return load(e.Immediate.Dreg, func(*state) value { return constant(e.Immediate.Data) })
	case e.Payload != nil && !e.Payload.Set && slices.ContainsFunc(live, func(st state) bool { return asksForHead(&st.cube, e.Payload) }):
		return false
	case e.Payload != nil && !e.Payload.Set && e.Payload.Base != ruleset.BaseLink:
		return load(e.Payload.Dreg, func(st *state) value { return m.payload(&st.cube, e.Payload) })
	case e.Meta != nil && !e.Meta.Set && e.Meta.Key != ruleset.MetaRtclassid && (m.local || !ofProcess(e.Meta.Key)):
		return load(e.Meta.Dreg, func(st *state) value { return m.meta(&st.cube, e.Meta.Key) })
	case e.Bitwise != nil:
		for i := range live {
			live[i].regs = m.bitwise(e.Bitwise, live[i].regs)
		}
		return true
	}
	return e.Plain && e.Name != "notrack"
}

func (m *machine) plainExpr(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.Expr, st state) (*ruleset.Verdict, []state, []cube) {
	switch {
	case e.Immediate != nil && e.Immediate.Verdict != nil:
		return e.Immediate.Verdict, []state{st}, nil
	case e.Immediate != nil:
		st.regs = st.regs.set(e.Immediate.Dreg, constant(e.Immediate.Data))
	case e.Payload != nil && e.Payload.Base == ruleset.BaseLink && m.linkless(&st.cube):
		return nil, nil, []cube{st.cube} // no link layer header: the load fails
	case e.Payload != nil && !e.Payload.Set && asksForHead(&st.cube, e.Payload):
		return nil, m.loadHead(c, r, e.Payload, st), nil
	case e.Payload != nil && !e.Payload.Set:
		st.regs = st.regs.set(e.Payload.Dreg, m.payload(&st.cube, e.Payload))
	case e.Payload != nil:
		return nil, m.payloadSet(c, r, e.Payload, st), nil
	case e.Meta != nil && !e.Meta.Set && !m.local && ofProcess(e.Meta.Key):
		return nil, nil, []cube{st.cube} // nobody's socket yet: the load fails
	case e.Meta != nil && !e.Meta.Set && e.Meta.Key == ruleset.MetaRtclassid, e.Extra != nil && e.Extra.Rt != nil:
		v, dreg, ok := m.routing(&st.cube, e)
		if !ok { // no route yet: the load fails
			return nil, nil, []cube{st.cube}
		}
		st.regs = st.regs.set(dreg, v)
	case e.Meta != nil && !e.Meta.Set:
		st.regs = st.regs.set(e.Meta.Dreg, m.meta(&st.cube, e.Meta.Key))
	case e.Meta != nil:
		return nil, m.metaSet(c, r, e, st), nil
	case e.Ct != nil && !e.Ct.Set:
		v, ok := m.ct(&st.cube, e.Ct)
		if !ok { // no conntrack entry: the rule breaks
			return nil, nil, []cube{st.cube}
		}
		st.regs = st.regs.set(e.Ct.Dreg, v)
	case e.Ct != nil:
		return nil, m.ctSet(c, r, e, st), nil
	case e.Fib != nil:
		return nil, m.fib(e.Fib, st), nil
	case e.Bitwise != nil:
		st.regs = m.bitwise(e.Bitwise, st.regs)
	case e.Byteorder != nil:
		if v, ok := st.regs.read(e.Byteorder.Sreg, int(e.Byteorder.Len)); ok && len(v) == 1 {
			st.regs = st.regs.set(e.Byteorder.Dreg, v[0].byteorder(int(e.Byteorder.Size)))
		} else {
			st.regs = st.regs.set(e.Byteorder.Dreg, unknown(int(e.Byteorder.Len), "byteorder"))
		}
	case e.Cmp != nil:
		matched, missed := m.compare(c, r, st, e.Cmp)
		return nil, matched, missed
	case e.Range != nil:
		matched, missed := m.within(c, r, st, e.Range.Sreg, e.Range.From, e.Range.To)
		if e.Range.Op == ruleset.OpNeq {
			matched, missed = swapSides(st, matched, missed)
		}
		return nil, matched, missed
	case e.Lookup != nil:
		matched, missed := m.lookup(c, r, st, e.Lookup)
		return nil, matched, missed
	case e.Reject != nil:
		return &ruleset.Verdict{Kind: ruleset.Drop}, []state{st}, nil
	case e.NAT != nil:
		return m.natExpr(c, r, e.NAT, st)
	case e.Xt != nil:
		return m.xt(c, r, e.Xt, st)
	default:
		return m.rareExpr(c, r, e, st)
	}
	return nil, []state{st}, nil
}

// rareExpr evaluates what few rules have.
func (m *machine) rareExpr(c *ruleset.Chain, r *ruleset.Rule, e *ruleset.Expr, st state) (*ruleset.Verdict, []state, []cube) {
	switch {
	case e.Log != nil, e.Plain && e.Name != "notrack":
	case e.Name == "notrack":
		st = m.notrack(st)
	case e.More().Socket != nil:
		matched, missed := m.socketKey(c, r, e.More().Socket, st)
		return nil, matched, missed
	case e.More().Queue != nil:
		return m.queue(e.More().Queue), []state{st}, nil
	case e.More().Exthdr != nil && e.More().Exthdr.Dreg != 0 && (e.More().Exthdr.Op == ruleset.ExthdrIPv6 || e.More().Exthdr.Op == ruleset.ExthdrIPv4):
		matched, missed := m.exthdr(c, r, e.More().Exthdr, st)
		return nil, matched, missed
	case e.More().Exthdr != nil && e.More().Exthdr.Dreg != 0 && e.More().Exthdr.Op == ruleset.ExthdrTCP && !st.cube.sets[fProto].contains(num(packet.TCP)):
		if !e.More().Exthdr.Present { // nft_exthdr_tcp_eval
			return nil, nil, []cube{st.cube}
		}
		st.regs = st.regs.set(e.More().Exthdr.Dreg, constant([]byte{0}))
	case e.More().Offload != "": // only connections that were seen both ways are offloaded
		return nil, nil, []cube{st.cube}
	case e.More().Dynset != nil && m.certain(e.More().Dynset), e.More().Send != nil && e.More().Send.Kind == "dup":
	case e.More().Generate != nil && e.More().Generate.Modulus == 1:
		st.regs = st.regs.set(e.More().Generate.Dreg, constant(host32(e.More().Generate.Offset)))
	case e.More().Generate != nil && e.More().Generate.Modulus > 0 && e.More().Generate.Modulus <= 16:
		return nil, m.generate(c, r, e.More().Generate, st), nil
	case e.More().Objref != nil:
		matched, missed := m.objref(c, r, e.More().Objref, st)
		return nil, matched, missed
	case e.More().Xfrm != nil && m.unprotected(): // nft_xfrm_eval
		return nil, nil, []cube{st.cube}
	case e.More().Synproxy != nil && !st.cube.sets[fProto].contains(num(packet.TCP)):
		return nil, nil, []cube{st.cube}
	case e.More().Synproxy != nil:
		return m.synproxy(c, r, st)
	default:
		st.regs = nil // it can have loaded something into any of them
		matched, missed := m.either(c, r, st, e.Name+" depends on more than the packet")
		return nil, matched, missed
	}
	return nil, []state{st}, nil
}

// ofProcess says whether a meta key is of the process that sends a packet.
func ofProcess(key uint32) bool {
	return key == ruleset.MetaSkuid || key == ruleset.MetaSkgid || key == ruleset.MetaCgroup
}

// linkless says whether packets have no link layer header here: those of the host itself, and of
// interfaces that have none, such as tunnels.
func (m *machine) linkless(c *cube) bool {
	l := m.snap.Network.Link(int(c.sets[fIif][0].lo.lo))
	if m.outgoing() {
		l = m.sender(c)
		return l == nil || l.Hardware == 65534
	}
	return l == nil || l.Hardware == 65534 || m.hook == packet.Output
}

// notrack takes the packets out of conntrack, unless they are in it (nft_notrack_eval).
func (m *machine) notrack(st state) state {
	if s := st.cube.sets[fCtState]; s.singleton() && s[0].lo == num(ruleset.CtInvalid) {
		st.cube.notrack = true
		st.cube = st.cube.with(fCtState, single(num(ruleset.CtUntracked)))
	}
	return st
}

// certain says whether a dynset surely goes on with the rule: there is room in the set, and no
// statement that could end it.
func (m *machine) certain(d *ruleset.Dynset) bool {
	s := m.table.Set(d.Set)
	return s != nil && !d.Invert && plainOnly(d.Exprs) && (s.Size == 0 || len(s.Elements) < int(s.Size))
}

// generate takes each number in turn, under the doubt whether it is the one.
func (m *machine) generate(c *ruleset.Chain, r *ruleset.Rule, g *ruleset.Generate, st state) []state {
	var out []state
	for n := range g.Modulus {
		st.cube.shadow = st.cube.shadow || n > 0
		one := state{m.doubtful(c, r, st.cube, g.Kind+" chooses by more than the packet"), st.regs}
		one.regs = one.regs.set(g.Dreg, constant(host32(n+g.Offset)))
		out = append(out, one)
	}
	return out
}
