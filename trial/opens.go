package trial

import (
	"cmp"
	"slices"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// opensAgain refuses a plan that would take the place of a confirmed one and open what that closes, for a reason that nobody asked for: a login is
// not open now, or a port is in use now.
func (x *Fix) opensAgain() error {
	old, err := x.Store.Load()
	if err != nil {
		return refused("%w", err)
	}
	rs, named := x.Snapshot.NFTables.Ruleset, x.Targeted
	if old == nil || old.Phase != PhaseConfirmed || old.Plan == nil {
		if what, why := opensLoaded(rs, x.proof.Plan(), named); what != "" {
			return refused("rules of ours that there is no state of close what this fix would open: %s (%s); if that is meant to be open, take them out first: %s",
				what, why, x.command("rollback"))
		}
		return nil
	}
	what, why := "", ""
	if old.Drift(rs) == nil {
		what, why = opens(old.Plan, x.proof.Plan(), named)
	}
	if what == "" {
		return nil
	}
	return refused("fix %s, which is confirmed, closes what this one would open: %s (%s). It was made with %s; if that is meant to be open, take it out first: %s",
		old.ID, what, why, x.again(old), x.command("rollback"))
}

// opens is the first thing that a plan closes and another leaves to people, and why that does. What is asked for with --keep
// is meant, and so is a plan without a baseline where the mode was named.
func opens(old, plan *remedy.Plan, named bool) (what, why string) {
	if old.Mode == remedy.DefaultDeny && plan.Mode != remedy.DefaultDeny && !named {
		return unnamed(plan)
	}
	for _, t := range old.Closes {
		if slices.ContainsFunc(plan.Closes, func(n remedy.Target) bool { return n.Closes(&t) }) {
			continue
		}
		for _, m := range plan.Manual {
			if m.Check == t.Check && m.What == t.What && m.Reason != dropin.ReasonAsked {
				return t.Check + ": " + t.What, m.Text
			}
		}
	}
	return "", ""
}

// opensLoaded is the same of what is loaded and has no state, as its rules tell it.
func opensLoaded(rs *ruleset.Ruleset, plan *remedy.Plan, named bool) (what, why string) {
	checks, baseline := remedy.ClosedBy(rs)
	if baseline && plan.Mode != remedy.DefaultDeny && !named {
		return unnamed(plan)
	}
	for _, m := range plan.Manual {
		closes := slices.ContainsFunc(plan.Closes, func(t remedy.Target) bool { return t.Check == m.Check })
		if !closes && m.Reason != dropin.ReasonAsked && slices.Contains(checks, m.Check) {
			return m.Check + ": " + m.What, m.Text
		}
	}
	return "", ""
}

// unnamed is why a plan has no baseline.
func unnamed(plan *remedy.Plan) (what, why string) {
	return "what no rule names", cmp.Or(plan.NoBaseline(), "it closes findings alone (--mode targeted)")
}
