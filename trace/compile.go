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
}

type rule struct {
	chain *chain
	src   *ruleset.Rule
	ops   []op
	quick []quick
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
			c.rules = make([]rule, len(c.src.Rules))
			for k := range c.src.Rules {
				c.rules[k] = rule{chain: c, src: &c.src.Rules[k]}
				c.rules[k].ops = tab.ops(c.src.Rules[k].Exprs)
				c.rules[k].quick = quickTests(c.rules[k].ops)
			}
		}
		for _, s := range tab.sets {
			s.link(tab)
		}
		t.tables = append(t.tables, tab)
	}
	t.compileHooks()
}

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
		o.base, o.off, o.n = e.Payload.Base[0], int(e.Payload.Offset), int(e.Payload.Len)
		o.fits(o.dreg, o.n)
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

// hookKey is a point in the stack: hook of a family, or of a device in the netdev family.
type hookKey struct {
	hook string
	v4   bool
	kind byte // 'i' ip and inet, 'b' bridge, 'n' netdev and inet ingress
	dev  string
}

// What runs at a hook.
type entryKind uint8

const (
	enChain entryKind = iota
	enConntrack
	enNAT
	enLegacy
	enTies // chains of equal priority whose order matters and is not known
)

// hookEntry is one registration at a hook, in the order of priorities.
type hookEntry struct {
	prio   int32
	kind   entryKind
	chain  *chain
	chains []*chain // of nat, or of ties
	legacy string
	tied   int // of the kernel's own hooks: how many chains after it have its priority
}

// The priorities of the kernel's own hooks (enum nf_ip_hook_priorities).
const (
	prioConntrack = -200
	prioDstNAT    = -100
	prioSrcNAT    = 100
)

// compileHooks sorts the registrations of every hook.
func (t *Tracer) compileHooks() {
	for _, v4 := range []bool{true, false} {
		for _, hook := range []string{"prerouting", "input", "forward", "output", "postrouting"} {
			k := hookKey{hook: hook, v4: v4, kind: 'i'}
			t.hooks[k] = t.entries(k, ruleset.FamilyInet, map[bool]string{true: ruleset.FamilyIP, false: ruleset.FamilyIP6}[v4])
		}
	}
	for _, tab := range t.tables {
		for _, c := range tab.chains {
			b := c.src.Base
			if b == nil || tab.src.Dormant {
				continue
			}
			switch {
			case tab.src.Family == ruleset.FamilyBridge:
				k := hookKey{hook: b.Hook, kind: 'b'}
				t.hooks[k] = t.entries(k, ruleset.FamilyBridge)
				t.bridged = true
			case tab.src.Family == ruleset.FamilyNetdev, b.Hook == "ingress":
				for _, d := range b.Devices {
					k := hookKey{hook: b.Hook, kind: 'n', dev: d}
					t.hooks[k] = t.entries(k, ruleset.FamilyNetdev, ruleset.FamilyInet)
				}
			}
		}
	}
}

func (t *Tracer) entries(k hookKey, families ...string) []hookEntry {
	var chains []*chain
	for _, tab := range t.tables {
		if tab.src.Dormant || !slices.Contains(families, tab.src.Family) {
			continue
		}
		// Newer registrations of a priority run first (nf_hook_entries_grow, Linux 4.14 and later).
		for i := len(tab.src.Chains) - 1; i >= 0; i-- {
			c := tab.chains[tab.src.Chains[i].Name]
			if b := c.src.Base; b != nil && b.Hook == k.hook && (k.kind != 'n' || slices.Contains(b.Devices, k.dev)) {
				chains = append(chains, c)
			}
		}
	}
	slices.SortStableFunc(chains, func(a, b *chain) int {
		return int(a.src.Base.Priority) - int(b.src.Base.Priority)
	})
	var list []hookEntry
	nat := hookEntry{kind: enNAT, prio: prioDstNAT}
	if k.hook == "input" || k.hook == "postrouting" {
		nat.prio = prioSrcNAT
	}
	registered := false
	for _, c := range chains {
		if c.src.Base.Type == "nat" && k.kind == 'i' {
			nat.chains = append(nat.chains, c)
			continue
		}
		list = append(list, hookEntry{prio: c.src.Base.Priority, chain: c})
	}
	if k.kind == 'i' {
		registered = t.natRegistered(k.v4, families)
		if k.v4 {
			t.natOps[0] = registered
		} else {
			t.natOps[1] = registered
		}
	}
	list = groupTies(list)
	add := func(e hookEntry) {
		i := slices.IndexFunc(list, func(x hookEntry) bool { return x.prio >= e.prio })
		if i < 0 {
			i = len(list)
		}
		for j := i; j < len(list) && list[j].prio == e.prio && list[j].kind == enChain && e.kind != enLegacy; j++ {
			e.tied++
		}
		list = slices.Insert(list, i, e)
	}
	if registered {
		add(nat)
	}
	if k.kind == 'i' {
		for _, e := range t.legacyEntries(k) {
			add(e)
		}
		if k.hook == "prerouting" || k.hook == "output" {
			add(hookEntry{kind: enConntrack, prio: prioConntrack})
		}
	}
	return list
}

// natRegistered says whether any base chain of type nat is registered in the family: the kernel then
// has its translation at all four hooks (nf_nat_register_fn).
func (t *Tracer) natRegistered(_ bool, families []string) bool {
	for _, tab := range t.tables {
		if tab.src.Dormant || !slices.Contains(families, tab.src.Family) {
			continue
		}
		for _, c := range tab.chains {
			if c.src.Base != nil && c.src.Base.Type == "nat" {
				return true
			}
		}
	}
	return false
}

// groupTies joins chains of equal priority whose order could matter: of several tables, where one
// changes what another sees, or where some reject and others drop. Their order is that of
// registration, which no listing shows.
func groupTies(list []hookEntry) []hookEntry {
	var out []hookEntry
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].prio == list[i].prio {
			j++
		}
		group := list[i:j]
		if len(group) > 1 && orderMatters(group) {
			e := hookEntry{kind: enTies, prio: list[i].prio}
			for _, g := range group {
				e.chains = append(e.chains, g.chain)
			}
			out = append(out, e)
		} else {
			out = append(out, group...)
		}
		i = j
	}
	return out
}

func orderMatters(group []hookEntry) bool {
	tables := map[*table]bool{}
	changes, rejects := false, false
	for _, g := range group {
		tables[g.chain.table] = true
		c, r := effects(g.chain, map[*chain]bool{})
		changes, rejects = changes || c, rejects || r
	}
	return len(tables) > 1 && (changes || rejects)
}

// effects says whether a chain, with all that it jumps to, changes packets, marks or sets, and
// whether it rejects.
func effects(c *chain, seen map[*chain]bool) (changes, rejects bool) {
	if seen[c] {
		return false, false
	}
	seen[c] = true
	visit := func(v verdict) {
		if v.to != nil {
			a, b := effects(v.to, seen)
			changes, rejects = changes || a, rejects || b
		}
	}
	for i := range c.rules {
		for j := range c.rules[i].ops {
			o := &c.rules[i].ops[j]
			e := o.expr
			switch {
			case o.kind == opVerdict:
				visit(o.verdict)
			case o.kind == opLookup:
				for _, v := range o.set.verdicts() {
					visit(v)
				}
			case e.Reject != nil, e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Reject:
				rejects = true
			case e.Meta != nil && e.Meta.Set && e.Meta.Key == ruleset.MetaNftrace:
			case e.Meta != nil && e.Meta.Set, e.Ct != nil && e.Ct.Set, e.Payload != nil && e.Payload.Set,
				e.More().Dynset != nil, e.Name == "notrack", e.NAT != nil, e.Opaque(),
				e.Xt != nil && e.Xt.Target && (e.Xt.Decoded == nil || !e.Xt.Decoded.Continue):
				changes = true
			}
		}
	}
	return changes, rejects
}
