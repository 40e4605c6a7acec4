package remedy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// ErrChanged says that the ruleset is no longer of the generation that a plan was made for.
var ErrChanged = errors.New("the ruleset was changed meanwhile")

// Tables are the plan's tables as the kernel told them in the replica, on trial and lasting: what the functions below compare with.
func (p *Proof) Tables() (trial, lasting json.RawMessage) { return p.trial, p.lasting }

// ReadBackTrial compares what is loaded with what the plan is as the kernel read it in the replica.
func (p *Proof) ReadBackTrial(rs *ruleset.Ruleset) error { return OnTrial(rs, p.trial) }

// Loaded says whether the plan is what is loaded already.
func (p *Proof) Loaded(rs *ruleset.Ruleset) bool { return Lasting(rs, p.lasting) == nil }

// OnTrial says in what the loaded tables on trial are others than those of a proof.
func OnTrial(rs *ruleset.Ruleset, want json.RawMessage) error { return compare(rs, trialTable, want) }

// Lasting says in what the loaded tables that stay are others than the wanted ones.
func Lasting(rs *ruleset.Ruleset, want json.RawMessage) error { return compare(rs, Table, want) }

// WithoutTrial is the snapshot as it would be without the tables on trial.
func WithoutTrial(s *snapshot.Snapshot) *snapshot.Snapshot {
	return withoutTables(s, trialTable, watchTable)
}

// Opens says of packets whether rules of the plan that name their port let them pass: the plan then answers for what listens there.
func (p *Plan) Opens(d *finding.Deny) bool {
	return d.Port != 0 && slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Proto == d.Proto && r.Port == d.Port })
}

// Rehearsed compares the lasting tables with what nft made of the plan's text, in another namespace: nft can put the same rules into
// other expressions. It returns the tables as nft makes them.
func Rehearsed(rs *ruleset.Ruleset, lasting json.RawMessage) (json.RawMessage, error) {
	tables := ours(rs, Table)
	var confirmed []ruleset.Table
	if err := json.Unmarshal(lasting, &confirmed); err != nil {
		return nil, fmt.Errorf("read what was confirmed: %w", err)
	}
	if len(tables) != len(confirmed) {
		return nil, fmt.Errorf("nft makes %d tables of the file, not %d", len(tables), len(confirmed))
	}
	for i := range tables {
		if what := otherText(&tables[i], &confirmed[i]); what != "" {
			return nil, fmt.Errorf("nft makes another table %s %s of the file than the one that was confirmed: %s", tables[i].Family, Table, what)
		}
	}
	return canonical(tables), nil
}

// otherText says in what a table is another than the wanted one: its chains, the rules of each in nft's syntax, the
// elements of its sets.
func otherText(got, want *ruleset.Table) string {
	if got.Family != want.Family || len(got.Chains) != len(want.Chains) || len(got.Sets) != len(want.Sets) {
		return "it has other chains or sets"
	}
	for i := range want.Chains {
		w := &want.Chains[i]
		g := got.Chain(w.Name)
		if g == nil || len(g.Rules) != len(w.Rules) || !reflect.DeepEqual(g.Base, w.Base) {
			return "chain " + w.Name
		}
		for j := range w.Rules {
			if a, b := g.Rules[j].Text(got), w.Rules[j].Text(want); a != b {
				return fmt.Sprintf("rule %d of chain %s is %s, not %s", j+1, w.Name, a, b)
			}
		}
	}
	for i := range want.Sets {
		w := &want.Sets[i]
		j := slices.IndexFunc(got.Sets, func(s ruleset.Set) bool { return s.Name == w.Name })
		if j < 0 || !slices.EqualFunc(intervals(&got.Sets[j]), intervals(w), func(x, y ruleset.Element) bool {
			return x.IntervalEnd == y.IntervalEnd && bytes.Equal(x.Key, y.Key)
		}) {
			return "set " + w.Name
		}
	}
	return ""
}

// intervals are the elements of a set in their order, without the end that nft puts before the first start.
func intervals(s *ruleset.Set) []ruleset.Element {
	list := slices.SortedFunc(slices.Values(s.Elements), byKey)
	for len(list) > 0 && list[0].IntervalEnd {
		list = list[1:]
	}
	return list
}

// Change is a change of nftables, and the process that the kernel names for it.
type Change struct {
	Table   string // of ours; "" is any of somebody else's
	PID     int
	Program string
}

// String names the process.
func (c Change) String() string {
	if c.Program == "" {
		return "by a process that the kernel does not name"
	}
	return fmt.Sprintf("by process %d (%s)", c.PID, c.Program)
}
