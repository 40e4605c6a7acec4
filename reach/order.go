package reach

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// before says whether the kernel's own hook runs before a chain: where both have one priority, that
// depends on which was registered first, and this run takes one of the two.
func (e *engine) before(own, prio int32) bool { return own < prio || own == prio && !e.reversed }

// kernelTie notes a chain that has the priority of one of the kernel's own hooks.
func (e *engine) kernelTie(bc baseChain, what string) {
	if len(bc.chain.Rules) > 0 {
		e.tie(packet.Cause{
			Where: bc.where(),
			Text:  fmt.Sprintf("equal priority %d as the kernel's %s: the order is not known", bc.chain.Base.Priority, what),
		}, true)
	}
}

// tie notes chains of equal priority. Both orders of one pair are followed; those of several pairs, and
// of more than two chains, are not all orders.
func (e *engine) tie(c packet.Cause, pair bool) {
	switch {
	case slices.Contains(e.tied, c) || slices.Contains(e.undecided, c):
	case pair && len(e.tied) == 0:
		e.tied = append(e.tied, c)
	default:
		e.undecided = append(e.undecided, c)
	}
}

// maxMeeting bounds the parts of two answers that are held against each other.
const maxMeeting = 300

// either is the answer that holds in both orders of a pair, where there is one. A packet that gets through has to do so
// in both.
func (e *engine) either(a, b *Answer, in *snapshot.Link, proto string) Answer {
	if a.Verdict == b.Verdict && a.Verdict != packet.Reachable {
		return *a
	}
	for i := range a.sure {
		for j := range b.sure {
			if c, ok := a.sure[i].meet(&b.sure[j]); ok {
				out := *a
				out.Witness, out.Path = e.witness(&c, in, proto), a.sure[i].trail
				return out
			}
		}
	}
	out := Answer{Verdict: packet.Unknown, Because: e.tied, Doubtful: slices.Concat(a.Doubtful, b.Doubtful)}
	for _, w := range []*packet.Packet{a.Witness, b.Witness} { // for it the order may not matter
		if w != nil {
			out.Doubtful = append(out.Doubtful, *w)
		}
	}
	return out
}

// meet is the packets of two cubes as they were sent.
func (c *cube) meet(d *cube) (cube, bool) {
	x, y := c.sent(), d.sent()
	if x.port != y.port || x.beside != y.beside {
		return x, false
	}
	for _, f := range sentFields {
		if x.sets[f] = x.sets[f].intersect(y.sets[f]); x.sets[f].empty() && !y.sets[f].empty() {
			return x, false
		}
	}
	return x, true
}

// order puts chains of equal priority into the order of this run: as listed, or of a pair the other way
// around.
func (e *engine) order(chains []baseChain) []baseChain {
	if e.reversed {
		chains = slices.Clone(chains)
		for i := 0; i < len(chains); {
			j := i
			for j < len(chains) && chains[j].chain.Base.Priority == chains[i].chain.Base.Priority {
				j++
			}
			if j-i == 2 && chains[i].table != chains[i+1].table {
				chains[i], chains[i+1] = chains[i+1], chains[i]
			}
			i = j
		}
	}
	e.ties(chains)
	return chains
}

// ties notes chains of equal priority in several tables, where one changes what another can see: their
// order is that of registration, which no listing shows. Chains that only accept and drop commute. A
// pair is run in both orders, and is a doubt where the answers differ; more are a doubt at once.
func (e *engine) ties(chains []baseChain) {
	for i := 0; i < len(chains); {
		j, tables, change := i, map[*ruleset.Table]bool{}, false
		for j < len(chains) && chains[j].chain.Base.Priority == chains[i].chain.Base.Priority {
			tables[chains[j].table] = true
			nat := chains[j].chain.Base.Type == "nat" && len(chains[j].chain.Rules) > 0
			change = change || nat || changes(chains[j])
			j++
		}
		if len(tables) > 1 && change {
			a, b := chains[i], chains[i+1]
			if b.table.Name < a.table.Name { // the same text in both orders
				a, b = b, a
			}
			tie := packet.Cause{
				Where: b.where(),
				Text: fmt.Sprintf("equal priority %d as %s %s %s: the order is not known",
					b.chain.Base.Priority, a.table.Family, a.table.Name, a.chain.Name),
			}
			e.tie(tie, j-i == 2)
		}
		i = j
	}
}

// changes says whether a table sets marks, translates or takes packets out of conntrack.
func changes(bc baseChain) bool {
	if bc.chain.Base.Type == "nat" {
		return false // judged by the caller
	}
	for i := range bc.table.Chains {
		c := &bc.table.Chains[i]
		if c.Base != nil && c.Name != bc.chain.Name {
			continue
		}
		for j := range c.Rules {
			for k := range c.Rules[j].Exprs {
				x := &c.Rules[j].Exprs[k]
				if x.Writes() || x.Name == "notrack" || x.Opaque() || x.More().Dynset != nil ||
					x.Xt != nil && x.Xt.Target && (x.Xt.Decoded == nil || !x.Xt.Decoded.Continue && !x.Xt.Decoded.Reject) {
					return true
				}
			}
		}
	}
	return false
}
