package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// The kernel.

// tables are those of a plan as a kernel would tell them, on trial or lasting.
func tables(p *remedy.Plan, trial bool) []ruleset.Table {
	hooks := map[string]ruleset.Base{
		"prerouting": {Type: "filter", Hook: "prerouting", Priority: -160, Policy: "accept"},
		"input":      {Type: "filter", Hook: "input", Priority: -10, Policy: "accept"},
		"forward":    {Type: "filter", Hook: "forward", Priority: -10, Policy: "accept"},
	}
	t := ruleset.Table{Family: ruleset.FamilyInet, Name: remedy.Table, Sets: p.Sets(ruleset.FamilyInet)}
	if trial {
		t.Name += "_trial"
		t.Sets = append(t.Sets, ruleset.Set{Name: "armed", KeyLen: 1, Elements: []ruleset.Element{{Key: []byte{2}}, {Key: []byte{10}}}})
	}
	for _, name := range []string{"prerouting", "input", "forward"} {
		base := hooks[name]
		if p.Mode == remedy.DefaultDeny && name != "prerouting" && !trial {
			base.Policy = "drop"
		}
		c := ruleset.Chain{Name: name, Base: &base}
		if trial {
			c.Rules = append(c.Rules, ruleset.Rule{Exprs: []ruleset.Expr{
				{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaNfproto, Dreg: 1}},
				{Name: "lookup", Lookup: &ruleset.Lookup{Set: "armed", Sreg: 1, Invert: true}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
			}})
		}
		for i := range p.Rules {
			if p.Rules[i].Chain == name {
				c.Rules = append(c.Rules, ruleset.Rule{Exprs: p.Rules[i].Exprs()})
			}
		}
		if slices.ContainsFunc(p.Rules, func(r remedy.Rule) bool { return r.Chain == name }) {
			t.Chains = append(t.Chains, c)
		}
	}
	return []ruleset.Table{t}
}

// marked are the tables of a plan with the mark of a fix.
func marked(p *remedy.Plan, trial bool, id string) []ruleset.Table {
	list := tables(p, trial)
	phase := "confirmed"
	if trial {
		phase = "trial"
	}
	for i := range list {
		list[i].Comment = "ringfence fix=" + id + " phase=" + phase
	}
	return list
}

// spared is what a removal leaves of tables.
func spared(list []ruleset.Table, spare []remedy.TableName, names ...string) []ruleset.Table {
	return slices.DeleteFunc(slices.Clone(list), func(t ruleset.Table) bool {
		return slices.Contains(names, t.Name) && !slices.Contains(spare, remedy.TableName{Family: t.Family, Name: t.Name})
	})
}

// without are the tables but for those of a name.
func without(list []ruleset.Table, names ...string) []ruleset.Table {
	return slices.DeleteFunc(slices.Clone(list), func(t ruleset.Table) bool { return slices.Contains(names, t.Name) })
}

const trialName = remedy.Table + "_trial"

// commit is a transaction of ours.
func (w *fake) commit(own []ruleset.Table) {
	w.own = own
	w.generation++
	w.changes = append(w.changes, remedy.Change{Table: trialName, PID: 1, Program: "ringfence"})
}

func (w *fake) Try(p *remedy.Proof, generation uint32, gate time.Duration, id string) error {
	if err := w.step("try"); err != nil {
		return err
	}
	if generation != w.generation {
		return fmt.Errorf("load the plan: %w", remedy.ErrChanged)
	}
	w.expires = w.now + int64(gate)
	w.commit(append(without(w.own, trialName), marked(p.Plan(), true, id)...))
	return nil
}

func (w *fake) Promote(p *remedy.Plan, id string) error {
	if err := w.step("promote"); err != nil {
		return err
	}
	w.commit(marked(p, false, id))
	return nil
}

func (w *fake) Prolong(p *remedy.Plan, gate time.Duration, id string) error {
	if err := w.step("prolong"); err != nil {
		return err
	}
	w.expires = w.now + int64(gate)
	w.commit(append(without(w.own, trialName), marked(p, true, id)...))
	return nil
}

func (w *fake) Reload(p *remedy.Plan, id string) error {
	if err := w.step("reload"); err != nil {
		return err
	}
	w.commit(marked(p, false, id))
	return nil
}

func (w *fake) Withdraw(spare ...remedy.TableName) error {
	if err := w.step("withdraw"); err != nil {
		return err
	}
	w.commit(spared(w.own, spare, trialName))
	return nil
}

func (w *fake) Silence(...remedy.TableName) error {
	if err := w.step("silence"); err != nil {
		return err
	}
	own := slices.Clone(w.own)
	for i := range own {
		own[i].Dormant = own[i].Dormant || own[i].Name == trialName
	}
	w.commit(own)
	return nil
}

func (w *fake) Remove(spare ...remedy.TableName) error {
	if err := w.step("remove"); err != nil {
		return err
	}
	w.commit(spared(w.own, spare, remedy.Table, trialName))
	return nil
}

func (w *fake) Delete(list ...remedy.TableName) error {
	if err := w.step("delete"); err != nil {
		return err
	}
	w.commit(slices.DeleteFunc(slices.Clone(w.own), func(t ruleset.Table) bool {
		return slices.Contains(list, remedy.TableName{Family: t.Family, Name: t.Name})
	}))
	return nil
}

// loaded is the live ruleset now: the set of a trial that is over is empty.
func (w *fake) loaded() *ruleset.Ruleset {
	rs := &ruleset.Ruleset{Stable: true, Generation: w.generation, Tables: slices.Concat(w.others, w.own)}
	for i := range rs.Tables {
		if t := &rs.Tables[i]; t.Name == trialName && w.now >= w.expires {
			t.Sets = []ruleset.Set{{Name: "armed", KeyLen: 1}}
		}
	}
	return rs
}

func (w *fake) Read(context.Context) (*ruleset.Ruleset, error) {
	return w.loaded(), w.step("read ruleset")
}

func (w *fake) Ours(ctx context.Context) (*ruleset.Ruleset, error) {
	rs, err := w.Read(ctx)
	if rs != nil {
		some := *rs
		some.Tables = slices.DeleteFunc(slices.Clone(rs.Tables), func(t ruleset.Table) bool { return !slices.Contains(remedy.TableNames(), t.Name) })
		rs = &some
	}
	return rs, err
}

func (w *fake) Changes() (Changes, error) {
	w.changes = nil
	return w, w.step("listen")
}

func (w *fake) Close() {}

func (w *fake) Next(_ context.Context, limit time.Duration) (remedy.Change, bool) {
	if len(w.changes) == 0 {
		w.pass(limit)
	}
	if len(w.changes) == 0 {
		return remedy.Change{}, false
	}
	c := w.changes[0]
	w.changes = w.changes[1:]
	return c, true
}

func (w *fake) Cut(context.Context, *remedy.Plan) (int, error) {
	w.cut++
	return 1, w.step("cut")
}

// foreign is what a program does to tables that are not ours, or to all with flush.
func (w *fake) foreign(program string, flush bool, list ...ruleset.Table) {
	w.others = list
	if flush {
		w.own = nil
		w.changes = append(w.changes, remedy.Change{Table: trialName, PID: 99, Program: program})
	}
	w.generation++
	w.changes = append(w.changes, remedy.Change{PID: 99, Program: program})
}

// chain is a table of somebody else's with one chain.
func chain(name string, base ruleset.Base, rules ...ruleset.Rule) ruleset.Table {
	return ruleset.Table{Family: ruleset.FamilyInet, Name: name, Chains: []ruleset.Chain{{Name: "c", Base: &base, Rules: rules}}}
}

// closed says whether the kernel drops what comes to the API from outside.
func closed(rs *ruleset.Ruleset) bool {
	return slices.ContainsFunc(rs.Tables, func(t ruleset.Table) bool {
		ours := t.Name == remedy.Table || t.Name == trialName && len(t.Sets) > 0 && len(t.Sets[0].Elements) > 0
		return ours && !t.Dormant && len(t.Chains) > 0
	})
}

func (w *fake) closed() bool { return closed(w.loaded()) }
