package remedy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/nftables"

	"github.com/ringfence/ringfence/ruleset"
)

// ErrNothing says that a plan has no rule.
var ErrNothing = errors.New("the plan has no rule to load")

// trialOf and lastingOf are the plan as a table on trial, and as the one that stays.
func trialOf(p *Plan, gate time.Duration) change {
	return func(conn *nftables.Conn) error { return p.build(conn, trialTable, gate) }
}

func lastingOf(p *Plan) change {
	return func(conn *nftables.Conn) error { return p.build(conn, Table, 0) }
}

// Apply loads a proven plan on trial, in one transaction that fails where the ruleset is no longer of that
// generation. The kernel checks all of it first without committing. The drops stop by themselves after
// gate, whatever becomes of this process.
func Apply(p *Proof, generation uint32, gate time.Duration) error {
	if len(p.plan.Rules) == 0 {
		return ErrNothing
	}
	if err := tryOut(trialOf(p.plan, gate)); err != nil {
		return fmt.Errorf("try the plan out: %w", err)
	}
	if err := commit(generation, trialOf(p.plan, gate)); err != nil {
		return fmt.Errorf("load the plan: %w", err)
	}
	return nil
}

// Promote makes the plan on trial the lasting one, in one transaction and without a gap.
func Promote(p *Plan) error {
	if err := commit(0, lastingOf(p), dropTable(trialTable)); err != nil {
		return fmt.Errorf("keep the plan: %w", err)
	}
	return nil
}

// Withdraw removes the trial. Nothing else was changed: a table that was confirmed before is still
// there.
func Withdraw() error {
	if err := commit(0, dropTable(trialTable)); err != nil {
		return fmt.Errorf("remove table inet %s: %w", trialTable, err)
	}
	return nil
}

// Remove removes every table of ours.
func Remove() error {
	if err := commit(0, dropTable(trialTable), dropTable(Table)); err != nil {
		return fmt.Errorf("remove table inet %s: %w", Table, err)
	}
	return nil
}

// canonical is a table without what differs from one loading of it to the next: handles, the order of
// elements, times that run down.
func canonical(t *ruleset.Table) []byte {
	c := *t
	c.Name, c.Handle, c.Owner = "", 0, 0
	c.Chains = slices.Clone(t.Chains)
	for i := range c.Chains {
		c.Chains[i].Handle = 0
		c.Chains[i].Rules = slices.Clone(c.Chains[i].Rules)
		for j := range c.Chains[i].Rules {
			c.Chains[i].Rules[j].Handle = 0
		}
	}
	c.Sets = slices.Clone(t.Sets)
	for i := range c.Sets {
		c.Sets[i].Elements = slices.Clone(c.Sets[i].Elements)
		for j := range c.Sets[i].Elements {
			c.Sets[i].Elements[j].ExpiresMs, c.Sets[i].Elements[j].TimeoutMs = 0, 0
		}
		slices.SortFunc(c.Sets[i].Elements, func(a, b ruleset.Element) int {
			if d := bytes.Compare(a.Key, b.Key); d != 0 {
				return d
			}
			if a.IntervalEnd == b.IntervalEnd {
				return 0
			}
			return map[bool]int{true: -1, false: 1}[a.IntervalEnd]
		})
	}
	b, err := json.Marshal(&c)
	if err != nil { // the types are our own
		panic(err)
	}
	return b
}

// ours finds a table of ours.
func ours(rs *ruleset.Ruleset, name string) *ruleset.Table {
	if rs == nil {
		return nil
	}
	for i := range rs.Tables {
		if t := &rs.Tables[i]; t.Name == name && t.Family == ruleset.FamilyInet {
			return t
		}
	}
	return nil
}

// ReadBackTrial compares what is loaded with what the plan is as the kernel read it in the replica.
func (p *Proof) ReadBackTrial(rs *ruleset.Ruleset) error { return compare(rs, trialTable, p.trial) }

// compare says in what the loaded table differs from the wanted one.
func compare(rs *ruleset.Ruleset, name string, want []byte) error {
	t := ours(rs, name)
	if t == nil {
		return fmt.Errorf("table inet %s is not there", name)
	}
	if t.Dormant {
		return fmt.Errorf("table inet %s is dormant", name)
	}
	var compact bytes.Buffer // the state file is indented
	if err := json.Compact(&compact, want); err != nil {
		return fmt.Errorf("what was planned is not readable: %w", err)
	}
	if got := canonical(t); !bytes.Equal(got, compact.Bytes()) {
		var g, w ruleset.Table
		if json.Unmarshal(got, &g) == nil && json.Unmarshal(want, &w) == nil {
			return fmt.Errorf("table inet %s is not as planned: %s", name, difference(&g, &w))
		}
		return fmt.Errorf("table inet %s is not as planned", name)
	}
	return nil
}

func difference(got, want *ruleset.Table) string {
	for i := range want.Chains {
		w := &want.Chains[i]
		g := got.Chain(w.Name)
		switch {
		case g == nil:
			return "chain " + w.Name + " is missing"
		case g.Base == nil || w.Base == nil || g.Base.Policy != w.Base.Policy || g.Base.Priority != w.Base.Priority:
			return "chain " + w.Name + " has another hook, priority or policy"
		case len(g.Rules) != len(w.Rules):
			return fmt.Sprintf("chain %s has %d rules, not %d", w.Name, len(g.Rules), len(w.Rules))
		}
		for j := range w.Rules {
			a, _ := json.Marshal(g.Rules[j])
			b, _ := json.Marshal(w.Rules[j])
			if !bytes.Equal(a, b) {
				return fmt.Sprintf("rule %d of chain %s is another", j+1, w.Name)
			}
		}
	}
	if len(got.Chains) != len(want.Chains) {
		return "it has other chains"
	}
	return "its sets differ"
}

// Loaded says whether the plan is the table that is loaded already.
func (p *Proof) Loaded(rs *ruleset.Ruleset) bool { return compare(rs, Table, p.lasting) == nil }
