package trace

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// hookKey is a point in the stack: hook of a family, or of a device in the netdev family.
type hookKey struct {
	hook packet.Hook
	v4   bool
	kind byte // 'i' ip and inet, 'b' bridge, 'n' netdev and inet ingress
	dev  string
}

// What runs at a hook.
type entryKind uint8

const (
	enChain entryKind = iota
	enDefrag
	enBridgeIP // the IP hooks of bridged packets (br_netfilter)
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
	prioDefrag    = -400
	prioBridgeIP  = 0 // NF_BR_PRI_BRNF
	prioConntrack = -200
	prioDstNAT    = -100
	prioSrcNAT    = 100
)

// compileHooks sorts the registrations of every hook.
func (t *Tracer) compileHooks() {
	for _, v4 := range []bool{true, false} {
		for _, hook := range []packet.Hook{packet.Prerouting, packet.Input, packet.Forward, packet.Output, packet.Postrouting} {
			k := hookKey{hook: hook, v4: v4, kind: 'i'}
			t.hooks[k] = t.entries(k, ruleset.FamilyInet, map[bool]string{true: ruleset.FamilyIP, false: ruleset.FamilyIP6}[v4])
		}
	}
	bridge := hookKey{hook: packet.Prerouting, kind: 'b'}
	t.hooks[bridge] = t.entries(bridge, ruleset.FamilyBridge)
	for _, tab := range t.tables {
		for _, c := range tab.chains {
			b := c.src.Base
			if b == nil || tab.src.Dormant {
				continue
			}
			switch {
			case tab.src.Family == ruleset.FamilyBridge:
				k := hookKey{hook: packet.Hook(b.Hook), kind: 'b'}
				t.hooks[k] = t.entries(k, ruleset.FamilyBridge)
				t.bridged = true
			case tab.src.Family == ruleset.FamilyNetdev, packet.Hook(b.Hook) == packet.Ingress:
				for _, d := range b.Devices {
					k := hookKey{hook: packet.Hook(b.Hook), kind: 'n', dev: d}
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
			if b := c.src.Base; b != nil && packet.Hook(b.Hook) == k.hook && (k.kind != 'n' || slices.Contains(b.Devices, k.dev)) {
				chains = append(chains, c)
			}
		}
	}
	slices.SortStableFunc(chains, func(a, b *chain) int {
		return int(a.src.Base.Priority) - int(b.src.Base.Priority)
	})
	var list []hookEntry
	nat := hookEntry{kind: enNAT, prio: prioDstNAT}
	if k.hook == packet.Input || k.hook == packet.Postrouting {
		nat.prio = prioSrcNAT
	}
	for _, c := range chains {
		if c.src.Base.Type == "nat" && k.kind == 'i' {
			nat.chains = append(nat.chains, c)
			continue
		}
		list = append(list, hookEntry{prio: c.src.Base.Priority, chain: c})
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
	if k.kind == 'i' && t.natRegistered(families) {
		add(nat)
	}
	if k.kind == 'b' && k.hook == packet.Prerouting {
		add(hookEntry{kind: enBridgeIP, prio: prioBridgeIP})
	}
	if k.kind == 'i' {
		for _, e := range t.legacyEntries(k) {
			add(e)
		}
		if k.hook == packet.Prerouting || k.hook == packet.Output {
			t.connections(slices.Contains(families, ruleset.FamilyIP), t.legacyEntries(k), add)
		}
	}
	return list
}

// connections adds what tracks connections and puts fragments together, where a rule has the kernel do so. Of
// iptables-legacy, whose rules are not read, it may.
func (t *Tracer) connections(v4 bool, legacy []hookEntry, add func(hookEntry)) {
	may := ""
	if len(legacy) > 0 {
		may = legacy[0].legacy
	}
	rs := t.snap.NFTables.Ruleset
	for _, e := range []struct {
		hookEntry
		on bool
	}{
		{hookEntry{kind: enConntrack, prio: prioConntrack}, rs != nil && rs.Conntrack(v4)},
		{hookEntry{kind: enDefrag, prio: prioDefrag}, rs != nil && rs.Defrag(v4)},
	} {
		if !e.on {
			e.legacy = may
		}
		if e.on || may != "" {
			add(e.hookEntry)
		}
	}
}

// natRegistered says whether any base chain of type nat is registered in the family: the kernel then
// has its translation at all four hooks (nf_nat_register_fn).
func (t *Tracer) natRegistered(families []string) bool {
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
			case e.Writes(), e.More().Dynset != nil, e.Name == "notrack", e.NAT != nil, e.Opaque(),
				e.Xt != nil && e.Xt.Target && (e.Xt.Decoded == nil || !e.Xt.Decoded.Continue):
				changes = true
			}
		}
	}
	return changes, rejects
}
