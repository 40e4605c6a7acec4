//go:build linux && !ringfence_portable

package remedy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// grace is how much longer than the time for the confirmation the drops work: the helper takes the trial
// out first, and the kernel only where nobody is left to do it.
const grace = 15 * time.Second

// Begin writes down that a proven plan is going to be loaded on trial, before it is: whatever happens then,
// the next run knows.
func (s Store) Begin(p *Proof, wait time.Duration) (*State, error) {
	boot, netns, now, err := Here()
	if err != nil {
		return nil, err
	}
	st := &State{
		ID: newID(), Phase: PhaseTrial, BootID: boot, Netns: netns, Applied: now,
		Deadline: now + int64(wait), Plan: p.plan, Trial: p.trial, Lasting: p.lasting, Evidence: p.Evidence,
	}
	if old, err := s.Load(); err == nil && old != nil && old.Phase == PhaseConfirmed {
		old.Before = nil
		st.Before = old
	}
	return st, s.Save(st)
}

func newID() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// Load puts the plan of a transaction on trial.
func (st *State) Load(p *Proof, generation uint32) error {
	boot, _, now, err := Here()
	if err != nil || boot != st.BootID {
		return errors.Join(err, errors.New("not of this boot"))
	}
	return Apply(p, generation, time.Duration(st.Deadline-now)+grace)
}

// ErrNotPending says that there is no trial to confirm or to take out.
var ErrNotPending = errors.New("no trial is waiting for its confirmation")

// Confirm makes the trial lasting. It must still be what was loaded, and in time.
func (s Store) Confirm(st *State, rs *ruleset.Ruleset) error {
	if left, ok := st.Pending(); !ok || left <= 0 {
		return ErrNotPending
	}
	if err := compare(rs, trialTable, st.Trial); err != nil {
		return fmt.Errorf("the trial was changed: %w", err)
	}
	if err := Promote(st.Plan); err != nil {
		return err
	}
	kept := *st
	if kept.Phase = PhaseConfirmed; st.Before != nil {
		kept.Files, kept.Before = st.Before.Files, nil
	}
	if err := s.Save(&kept); err != nil { // what nobody knows of is not to stay
		return errors.Join(err, st.restore())
	}
	*st = kept
	return nil
}

// restore loads what was confirmed before, or nothing.
func (st *State) restore() error {
	if st.Before != nil && st.Before.Plan != nil {
		_ = st.Before.Plan.adopt(nothing) // loaded it is worth more than the connections that this would keep
		return commit(0, lastingOf(st.Before.Plan), dropTables(trialTable))
	}
	return Remove()
}

// Rollback takes a trial out: the host is then as before it.
func (s Store) Rollback(st *State) error {
	err := error(nil)
	if st.File != nil {
		err = s.takeBack(st.File)
	} else {
		err = Withdraw()
	}
	if err != nil {
		return err
	}
	if st.Before != nil {
		return s.Save(st.Before)
	}
	return s.Forget()
}

// Reload loads a confirmed plan again, at boot or after somebody removed it.
func (st *State) Reload() error {
	if st.Phase != PhaseConfirmed || st.Plan == nil {
		return errors.New("the last fix is not confirmed")
	}
	_ = st.Plan.adopt(nothing) // at worst connections wait, without the plan everything is open
	if err := commit(0, lastingOf(st.Plan)); err != nil {
		return fmt.Errorf("load the plan: %w", err)
	}
	return nil
}

// Undo takes everything that was confirmed out again, and has it no longer loaded at boot.
func (s Store) Undo(st *State) error {
	var errs []error
	for ; st != nil; st = st.Before {
		if st.File != nil {
			errs = append(errs, s.takeBack(st.File))
		}
		for i := len(st.Files) - 1; i >= 0; i-- {
			errs = append(errs, s.takeBack(&st.Files[i]))
		}
	}
	if err := errors.Join(append(errs, Remove(), s.Unpersist())...); err != nil {
		return err
	}
	return s.Forget()
}

// Kept says whether a transaction was confirmed, by the state that is there now.
func (st *State) Kept(now *State) bool {
	return now != nil && now.Phase == PhaseConfirmed && (now.ID == st.ID ||
		slices.ContainsFunc(now.Files, func(a Applied) bool { return a.ID == st.ID }))
}

// Altered says in what the rules on trial are no longer what was loaded.
func (st *State) Altered(rs *ruleset.Ruleset) error {
	if st.Trial == nil {
		return nil
	}
	return compare(rs, trialTable, st.Trial)
}

// Drift says in what the live ruleset is no longer what was confirmed.
func (st *State) Drift(rs *ruleset.Ruleset) error {
	err := compare(rs, Table, st.Lasting)
	if err != nil && st.Booted != nil && compare(rs, Table, st.Booted) == nil {
		return nil
	}
	return err
}

// Persist notes that the plan is loaded at boot, and as what.
func (st *State) Persist(rehearsed *ruleset.Ruleset) error {
	st.Persisted, st.Booted = true, nil
	if rehearsed == nil {
		return nil
	}
	tables := ours(rehearsed, Table)
	var confirmed []ruleset.Table
	if err := json.Unmarshal(st.Lasting, &confirmed); err != nil {
		return fmt.Errorf("read what was confirmed: %w", err)
	}
	st.Booted = canonical(tables)
	if len(tables) != len(confirmed) {
		return fmt.Errorf("nft makes %d tables of the file, not %d", len(tables), len(confirmed))
	}
	for i := range tables {
		if what := otherText(&tables[i], &confirmed[i]); what != "" {
			return fmt.Errorf("nft makes another table %s %s of the file than the one that was confirmed: %s", tables[i].Family, Table, what)
		}
	}
	return nil
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

// Closes proves on the model of the host as it is now that the plan, which was read back, closes what it is about.
func (p *Proof) Closes(ctx context.Context, now *snapshot.Snapshot) error {
	again := &Proof{plan: p.plan, tables: p.tables}
	return again.closes(ctx, again.after(now))
}

// Keeps compares what must go on working on the host before and after.
func (p *Proof) Keeps(ctx context.Context, before, after *snapshot.Snapshot) error {
	return (&Proof{plan: p.plan, tables: p.tables}).keeps(ctx, before, after)
}
