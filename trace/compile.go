package trace

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// table, chain and rule are the ruleset prepared for evaluation.
type table struct {
	src    *ruleset.Table
	chains map[string]*chain
	sets   map[string]*set
}

type chain struct {
	table *table
	src   *ruleset.Chain
	rules []rule
	// blocks are its rules by what they compare, once visits packets have come to it.
	blocks []block
	visits int
}

type rule struct {
	chain *chain
	src   *ruleset.Rule
	ops   []op
	quick []quick
	asks  []ask
	run   *run // that the rule is one of; nil is none
}

// opKind says how an operation is evaluated; the frequent ones have a form of their own.
type opKind uint8

const (
	opSlow opKind = iota // by its expression
	opNothing
	opVerdict
	opPayload
	opMeta
	opCmpEq
	opCmpNeq
	opCmp
	opRange
	opBitwise
	opLookup
	opImmediate
)

// op is one expression. Register numbers are byte offsets into the register file.
type op struct {
	kind        opKind
	base        byte // of a payload: 'l', 'n', 't', 'i'
	sreg, dreg  int
	off, n      int
	key         uint32
	data, data2 []byte
	verdict     verdict
	set         *set
	inner       []op // statements of a dynset
	expr        *ruleset.Expr
}

// verdictKind is what a verdict makes the evaluation do.
type verdictKind uint8

const (
	vContinue verdictKind = iota
	vBreak
	vAccept
	vDrop
	vReject
	vJump
	vGoto
	vReturn
	vQueue
	vStolen
)

type verdict struct {
	kind    verdictKind
	to      *chain
	missing string // the name of a chain that does not exist
	rule    *rule  // that gave it
	queue   *ruleset.QueueTo
}

const regBytes = 64

// regOffset turns a register number into an offset into the register file (nft_parse_register): 1 to
// 4 are 16 bytes wide, 8 to 23 are 4 bytes wide and overlap them.
func regOffset(reg uint32) int {
	switch {
	case reg >= 1 && reg <= 4:
		return int(reg-1) * 16
	case reg >= 8 && reg <= 23:
		return int(reg-8) * 4
	}
	return -1
}

// compile prepares every table, so that a packet only evaluates.
func (t *Tracer) compile() {
	t.hooks = map[hookKey][]hookEntry{}
	rs := t.snap.NFTables.Ruleset
	if rs == nil {
		t.compileHooks()
		return
	}
	for i := range rs.Tables {
		src := &rs.Tables[i]
		tab := &table{src: src, chains: map[string]*chain{}, sets: map[string]*set{}}
		for j := range src.Sets {
			tab.sets[src.Sets[j].Name] = newSet(&src.Sets[j])
		}
		for j := range src.Chains {
			tab.chains[src.Chains[j].Name] = &chain{table: tab, src: &src.Chains[j]}
		}
		for j := range src.Chains {
			c := tab.chains[src.Chains[j].Name]
			c.rules = make([]rule, 0, len(c.src.Rules))
			for k := range c.src.Rules {
				ops := tab.ops(c.src.Rules[k].Exprs)
				if !slices.ContainsFunc(ops, acts) { // it logs at most
					continue
				}
				c.rules = append(c.rules, rule{chain: c, src: &c.src.Rules[k], ops: ops, quick: quickTests(ops), asks: asksOf(ops)})
			}
			c.index()
		}
		for _, s := range tab.sets {
			s.link(tab)
		}
		t.tables = append(t.tables, tab)
	}
	t.compileHooks()
}

// acts says whether an operation can do something to a packet, other than that the rule does not match.
func acts(o op) bool {
	e := o.expr
	switch o.kind {
	case opPayload, opMeta, opCmpEq, opCmpNeq, opCmp, opRange, opBitwise, opImmediate:
		return false
	case opLookup:
		return e.Lookup.HasReg && e.Lookup.Dreg == 0
	case opSlow:
		if x := e.Xt; x != nil {
			return !slices.Contains(idleExtensions, x.Name) || x.Target && !slices.Contains(logTargets, x.Name)
		}
		return e.Limit == nil && e.More().Quota == nil && (e.Ct == nil || e.Ct.Set) && e.Fib == nil
	default:
		return true
	}
}

// logTargets are the targets of iptables that only log; idleExtensions are with them the matches that keep nothing that another rule asks for.
var (
	logTargets     = []string{"LOG", "NFLOG"}
	idleExtensions = []string{"LOG", "NFLOG", "tcp", "udp", "icmp", "icmp6", "multiport", "limit", "conntrack", "state", "addrtype", "comment", "pkttype", "length"}
)

func (tab *table) ops(exprs []ruleset.Expr) []op {
	out := make([]op, 0, len(exprs))
	for i := range exprs {
		if o := tab.op(&exprs[i]); o.kind != opNothing {
			out = append(out, o)
		}
	}
	return out
}

// op compiles one expression. Registers out of range make it slow, where it is refused.
func (tab *table) op(e *ruleset.Expr) op {
	o := op{expr: e}
	switch {
	case e.Plain && e.Name != "notrack", e.Log != nil:
		o.kind = opNothing
	case e.Immediate != nil && e.Immediate.Verdict != nil:
		o.kind, o.verdict = opVerdict, tab.verdict(e.Immediate.Verdict)
	case e.Immediate != nil:
		o.kind, o.dreg, o.data = opImmediate, regOffset(e.Immediate.Dreg), e.Immediate.Data
		o.fits(o.dreg, len(o.data))
	case e.Payload != nil && !e.Payload.Set:
		o.kind, o.dreg = opPayload, regOffset(e.Payload.Dreg)
		o.off, o.n = int(e.Payload.Offset), int(e.Payload.Len)
		o.fits(o.dreg, o.n)
		if o.base = payloadBases[e.Payload.Base]; o.base == 0 {
			o.kind = opSlow
		}
	case e.Meta != nil && !e.Meta.Set:
		o.kind, o.dreg, o.key = opMeta, regOffset(e.Meta.Dreg), e.Meta.Key
		o.fits(o.dreg, metaLen(o.key))
	case e.Cmp != nil:
		o.kind, o.sreg, o.data = opCmp, regOffset(e.Cmp.Sreg), e.Cmp.Data
		switch e.Cmp.Op {
		case ruleset.OpEq:
			o.kind = opCmpEq
		case ruleset.OpNeq:
			o.kind = opCmpNeq
		}
		o.fits(o.sreg, len(o.data))
	case e.Range != nil:
		o.kind, o.sreg, o.data, o.data2 = opRange, regOffset(e.Range.Sreg), e.Range.From, e.Range.To
		o.fits(o.sreg, len(o.data))
		if len(o.data) != len(o.data2) {
			o.kind = opSlow
		}
	case e.Bitwise != nil && e.Bitwise.Op == "mask":
		o.kind, o.sreg, o.dreg = opBitwise, regOffset(e.Bitwise.Sreg), regOffset(e.Bitwise.Dreg)
		o.n, o.data, o.data2 = int(e.Bitwise.Len), e.Bitwise.Mask, e.Bitwise.Xor
		o.fits(o.sreg, o.n)
		o.fits(o.dreg, o.n)
		if len(o.data) < o.n || len(o.data2) < o.n {
			o.kind = opSlow
		}
	case e.Lookup != nil:
		o.kind, o.set, o.sreg = opLookup, tab.sets[e.Lookup.Set], regOffset(e.Lookup.Sreg)
		o.dreg = regOffset(e.Lookup.Dreg)
		if o.set == nil || e.Lookup.HasReg && e.Lookup.Dreg != 0 && o.dreg < 0 {
			o.kind = opSlow
		} else {
			o.n = int(o.set.src.KeyLen)
			o.fits(o.sreg, o.n)
		}
	case e.More().Dynset != nil:
		o.set, o.sreg = tab.sets[e.More().Dynset.Set], regOffset(e.More().Dynset.Key)
		o.inner = tab.ops(e.More().Dynset.Exprs)
	}
	return o
}

// fits makes an operation slow whose bytes do not fit into the register file.
func (o *op) fits(at, n int) {
	if at < 0 || n < 0 || at+n > regBytes {
		o.kind = opSlow
	}
}

// payloadBases are the bases of a payload load as op keeps them.
var payloadBases = map[string]byte{
	ruleset.BaseLink: 'l', ruleset.BaseNetwork: 'n', ruleset.BaseTransport: 't', ruleset.BaseInner: 'i',
}

func (tab *table) verdict(v *ruleset.Verdict) verdict {
	kinds := map[string]verdictKind{
		ruleset.Accept: vAccept, ruleset.Drop: vDrop, ruleset.Jump: vJump, ruleset.Goto: vGoto,
		ruleset.Return: vReturn, ruleset.Continue: vContinue, "break": vBreak, ruleset.Queue: vQueue,
	}
	k, ok := kinds[v.Kind]
	if !ok {
		return verdict{kind: vStolen, missing: "the verdict " + v.Kind + " is not understood"}
	}
	out := verdict{kind: k}
	if k == vJump || k == vGoto {
		if out.to = tab.chains[v.Chain]; out.to == nil {
			out.missing = "chain " + v.Chain + " does not exist"
		}
	}
	return out
}
