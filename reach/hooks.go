package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// baseChain is a base chain with its table.
type baseChain struct {
	table *ruleset.Table
	chain *ruleset.Chain
}

// where is the place of a chain.
func (bc *baseChain) where() packet.Where {
	return packet.Where{Family: bc.table.Family, Table: bc.table.Name, Chain: bc.chain.Name}
}

// conntrackPriority is where conntrack hooks in (NF_IP_PRI_CONNTRACK).
const conntrackPriority = -200

// The priorities at which the kernel calls all chains of type nat, whatever their own
// (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC; nf_nat_register_fn).
const (
	dstnatPriority = -100
	srcnatPriority = 100
)

// hook runs the base chains of one hook in the order of their priorities.
func (e *engine) hook(hook packet.Hook, v4 bool, dev string, in []cube) ([]cube, error) {
	filters, nats := e.baseChains(hook, v4, dev)
	natPriority := int32(dstnatPriority)
	if hook == packet.Input || hook == packet.Postrouting {
		natPriority = srcnatPriority
	}
	tracked := hook != packet.Prerouting && hook != packet.Output
	live := e.besideHook(hook, v4, in)
	var err error
	for _, bc := range e.order(filters) {
		prio := bc.chain.Base.Priority
		if prio == conntrackPriority && !tracked {
			e.kernelTie(bc, "conntrack")
		}
		if prio == natPriority && nats != nil {
			e.kernelTie(bc, "translation")
		}
		if !tracked && e.before(conntrackPriority, prio) {
			live, tracked = e.track(live), true
		}
		if nats != nil && e.before(natPriority, prio) {
			if live, err = e.translations(hook, nats, live); err != nil {
				return nil, err
			}
			nats = nil
		}
		if live, err = e.baseChain(hook, bc, live); err != nil {
			return nil, err
		}
	}
	if !tracked {
		live = e.track(live)
	}
	return e.translations(hook, nats, live)
}

// baseChain runs one base chain, and returns the packets that go on.
func (e *engine) baseChain(hook packet.Hook, bc baseChain, in []cube) ([]cube, error) {
	m := &machine{engine: e, table: bc.table, hook: hook, prio: bc.chain.Base.Priority}
	var live []cube
	through, err := m.chain(bc.chain, in, &live)
	if err != nil {
		return nil, err
	}
	policy := packet.Cause{Where: bc.where(), Text: "policy " + bc.chain.Base.Policy}
	policy.Policy = true
	live = slices.Grow(live, len(through))
	for _, c := range through {
		if bc.chain.Base.Policy == ruleset.Drop {
			e.stop(c, policy)
		} else {
			live = append(live, c)
		}
	}
	return merge(live), nil
}

// translations runs the chains of type nat: for the first packet of a tracked connection, once for its
// destination and once for its source, until one of them has set up a translation (nf_nat_inet_fn).
func (e *engine) translations(hook packet.Hook, nats []baseChain, in []cube) ([]cube, error) {
	var done []cube
	live := in
	source := hook == packet.Postrouting || hook == packet.Input
	for _, bc := range e.order(nats) {
		pending, skip := partition(live, func(c *cube) bool {
			if source {
				return !c.snat && !c.srcBound && !c.later && !c.notrack
			}
			return !c.nat && !c.dstBound && !c.later && !c.notrack
		})
		done = append(done, skip...)
		var err error
		if live, err = e.baseChain(hook, bc, pending); err != nil {
			return nil, err
		}
	}
	live = append(done, live...)
	for i := range live {
		live[i].srcBound = live[i].srcBound || source
		live[i].dstBound = live[i].dstBound || hook == packet.Prerouting || hook == packet.Output
	}
	return live, nil
}

func partition(in []cube, keep func(*cube) bool) (yes, no []cube) {
	for i := range in {
		if keep(&in[i]) {
			yes = append(yes, in[i])
		} else {
			no = append(no, in[i])
		}
	}
	return yes, no
}

// track is conntrack seeing the packets: as the first of a connection, or in the state that the
// question gives. Chains of type nat see only first packets.
func (e *engine) track(in []cube) []cube {
	out := make([]cube, len(in))
	var wrong []cube
	for i := range in {
		out[i] = in[i]
		if in[i].notrack {
			continue
		}
		out[i] = in[i].with(fCtState, single(num(e.state)))
		if e.state != ruleset.CtNew && e.state != ruleset.CtRelated {
			out[i].later = true
		}
		if e.state == ruleset.CtEstablished || e.state == ruleset.CtRelated {
			out[i].sets[fCtMark] = span(num(0), ones(32))
		}
		if e.state == ruleset.CtNew && !e.local && e.snap.Network.VerifiesChecksums() && in[i].sets[fProto].contains(num(136)) { // udplite_error (see package trace)
			out[i] = out[i].doubt(packet.Cause{Text: "whether conntrack verifies the checksum of UDP-Lite"})
			w := out[i].with(fCtState, single(num(ruleset.CtInvalid)))
			w.later, w.shadow = true, true
			wrong = append(wrong, w)
		}
	}
	return append(out, wrong...)
}

// baseChains are the chains of a hook by priority: those of type nat apart, which the kernel calls from
// one place.
func (m *Model) baseChains(hook packet.Hook, v4 bool, dev string) (filters, nats []baseChain) {
	k := hookKey{hook, v4, dev}
	found, ok := m.hooked[k]
	if !ok {
		found.filters, found.nats = m.findChains(hook, v4, dev)
		m.hooked[k] = found
	}
	return found.filters, found.nats
}

// hookKey is a hook of a family, of an interface where that has its own.
type hookKey struct {
	hook packet.Hook
	v4   bool
	dev  string
}

// hooked are the chains of a hook. They are found once, and never changed in place.
type hooked struct{ filters, nats []baseChain }

func (m *Model) findChains(hook packet.Hook, v4 bool, dev string) (filters, nats []baseChain) {
	var list []baseChain
	rs := m.snap.NFTables.Ruleset
	if rs == nil {
		return nil, nil
	}
	for i := range rs.Tables {
		t := &rs.Tables[i]
		applies := t.Family == ruleset.FamilyInet || t.Family == ruleset.FamilyIP && v4 ||
			t.Family == ruleset.FamilyIP6 && !v4
		if dev != "" {
			applies = t.Family == ruleset.FamilyNetdev || t.Family == ruleset.FamilyInet && hook == packet.Ingress
		}
		if t.Dormant || !applies {
			continue
		}
		// Newer registrations of a priority run first (nf_hook_entries_grow).
		for j := len(t.Chains) - 1; j >= 0; j-- {
			c := &t.Chains[j]
			if c.Base != nil && packet.Hook(c.Base.Hook) == hook &&
				(dev == "" || slices.Contains(c.Base.Devices, dev)) {
				list = append(list, baseChain{t, c})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b baseChain) int {
		return int(a.chain.Base.Priority) - int(b.chain.Base.Priority)
	})
	for _, bc := range list {
		if bc.chain.Base.Type == "nat" && dev == "" {
			if m.tracked[v4] { // else packets pass it by
				nats = append(nats, bc)
			}
		} else {
			filters = append(filters, bc)
		}
	}
	return filters, nats
}

// besideHook puts packets in doubt that a program at the hook can drop (bpf_nf_link_attach). It can do nothing else with them.
func (e *engine) besideHook(hook packet.Hook, v4 bool, in []cube) []cube {
	for _, p := range e.snap.Network.Programs {
		if p.Kind == snapshot.ProgramNetfilter && (p.Hook == "" || p.Hook == string(hook)) && (p.Family == 0 || (p.Family == 4) == v4) && len(in) > 0 {
			in = doubtAll(in, packet.Cause{Text: "the program " + p.String() + " at " + string(hook)})
		}
	}
	return in
}
