//go:build linux && !ringfence_portable

package remedy

import (
	"fmt"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// trialOf and lastingOf are the plan as tables on trial, and as those that stay.
func trialOf(p *Plan, gate time.Duration) change {
	return func(conn *nftables.Conn) error { return p.build(conn, trialTable, gate) }
}

func lastingOf(p *Plan) change {
	return func(conn *nftables.Conn) error { return p.build(conn, Table, 0) }
}

// Apply loads a proven plan on trial, in one transaction that fails where the ruleset is no longer of that
// generation. The kernel checks all of it first without committing. Who opened the connections that are open is found
// out before. On an error something of ours can be loaded that does nothing: withdraw it. The drops stop by themselves after
// gate, whatever becomes of this process. The tables say that they are those of the fix of that id.
func Apply(p *Proof, generation uint32, gate time.Duration, id string) error {
	if len(p.plan.Rules) == 0 {
		return ErrNothing
	}
	isTracked := func(v4 bool) bool { return p.before.NFTables.Ruleset != nil && p.before.NFTables.Ruleset.Conntrack(v4) }
	if time.Since(p.readied) < readyFor { // others changed their rules meanwhile: it is one transaction now, for which the shortest gap will do
		return p.commit(generation, gate, id, isTracked)
	}
	if err := p.plan.adopt(isTracked); err != nil && p.plan.Mode == DefaultDeny && !p.plan.Drain { // draining lets pass what opens nothing
		return fmt.Errorf("keep the host's own connections (--established drain does without this): %w", err)
	}
	if err := tryOut(trialOf(p.plan, gate)); err != nil { // has connections tracked for a moment
		return fmt.Errorf("try the plan out: %w", err)
	}
	generation, err := p.watch(generation, id)
	if err != nil {
		return err
	}
	p.readied = time.Now()
	return p.commit(generation, gate, id, isTracked)
}

// readyFor is how long what was found out of connections is taken to be so: those that begin meanwhile are tracked from their first packet.
const readyFor = 10 * time.Second

// commit loads the plan on trial.
func (p *Proof) commit(generation uint32, gate time.Duration, id string, isTracked func(v4 bool) bool) error {
	if err := commitMarked(generation, onTrial(id), trialOf(p.plan, gate), dropTables(watchTable)); err != nil {
		return fmt.Errorf("load the plan: %w", err)
	}
	_ = p.plan.adopt(isTracked) // what was opened in between
	return nil
}

// onTrial and confirmed are the marks of the tables of a fix.
func onTrial(id string) map[string]string { return map[string]string{trialTable: mark(id, MarkTrial)} }

func confirmed(id string) map[string]string {
	return map[string]string{Table: mark(id, MarkConfirmed)}
}

// Prolong loads the plan on trial again, whose drops then stop after gate from now, in one transaction and without a gap.
func Prolong(p *Plan, gate time.Duration, id string) error {
	if err := commitMarked(0, onTrial(id), trialOf(p, gate)); err != nil {
		return fmt.Errorf("prolong the trial: %w", err)
	}
	return nil
}

// Promote makes the plan on trial the lasting one, in one transaction and without a gap.
func Promote(p *Plan, id string) error {
	if err := commitMarked(0, confirmed(id), lastingOf(p), dropTables(trialTable)); err != nil {
		return fmt.Errorf("keep the plan: %w", err)
	}
	return nil
}

// Reload loads a plan that was confirmed again, in place of whatever of ours is loaded.
func Reload(p *Plan, id string) error {
	_ = p.adopt(nothing) // at worst connections wait, without the plan everything is open
	if err := commitMarked(0, confirmed(id), lastingOf(p), dropTables(trialTable)); err != nil {
		return fmt.Errorf("load the plan: %w", err)
	}
	return nil
}

// Withdraw removes the trial. Nothing else was changed: a table that was confirmed before is still
// there, and so are those that are spared.
func Withdraw(spare ...TableName) error {
	if err := commit(0, dropBut(spare, trialTable, watchTable)); err != nil {
		return fmt.Errorf("remove table %s: %w", trialTable, err)
	}
	return nil
}

// Silence switches the tables on trial off where they cannot be removed: the kernel takes the hooks of a dormant table out
// (nf_tables_updtable).
func Silence(spare ...TableName) error {
	for _, family := range families {
		if family == bridgeFamily && !bridges() || spared(spare, family, trialTable) {
			continue
		}
		if err := commit(0, func(conn *nftables.Conn) error {
			conn.AddTable(&nftables.Table{Name: trialTable, Family: kernelFamilies[family], Flags: unix.NFT_TABLE_F_DORMANT})
			return nil
		}); err != nil {
			return fmt.Errorf("switch table %s off: %w", trialTable, err)
		}
	}
	return nil
}

// Delete removes tables, whoever's they are.
func Delete(list ...TableName) error {
	if err := commit(0, func(conn *nftables.Conn) error {
		for _, t := range list {
			conn.AddTable(&nftables.Table{Name: t.Name, Family: kernelFamilies[t.Family]})
			conn.DelTable(&nftables.Table{Name: t.Name, Family: kernelFamilies[t.Family]})
		}
		return nil
	}); err != nil {
		return fmt.Errorf("remove %v: %w", list, err)
	}
	return nil
}

// Remove removes every table of our names but those that are spared.
func Remove(spare ...TableName) error {
	if err := commit(0, dropBut(spare, tableNames...)); err != nil {
		return fmt.Errorf("remove table %s: %w", Table, err)
	}
	return nil
}
