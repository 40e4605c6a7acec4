//go:build linux && !ringfence_portable

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
)

// verify audits again: the trial must be what was planned, every finding that it closes must be gone, no
// new one may be there, and what must go on working still does.
func (x *fixing) verify(ctx context.Context) error {
	snap := x.collect(ctx, x.f.deadline, x.f.quiet)
	if snap.NFTables.Ruleset == nil {
		return fmt.Errorf("the ruleset could not be read back (%s)", strings.Join(snap.Section("nftables").Reasons, "; "))
	}
	if err := x.proof.ReadBackTrial(snap.NFTables.Ruleset); err != nil {
		return err
	}
	if err := x.proof.Closes(ctx, snap); err != nil {
		return err
	}
	if err := x.proof.Keeps(ctx, x.m.snap, snap); err != nil {
		return err
	}
	if err := sameOthers(x.m.snap, snap); err != nil {
		return err
	}
	after, err := x.m.judge(ctx, snap)
	if err != nil {
		return err
	}
	if err := noWorse(x.before, after, x.proof.Plan()); err != nil {
		return err
	}
	x.before = after
	return ctx.Err()
}

// sameOthers says whether anything other than our own tables is another than before.
func sameOthers(before, after *snapshot.Snapshot) error {
	tables := func(s *snapshot.Snapshot) map[string]int {
		m := map[string]int{}
		for _, t := range remedy.Without(s).NFTables.Ruleset.Tables {
			n := 0
			for i := range t.Chains {
				n += 1 + len(t.Chains[i].Rules)
			}
			m[t.Family+" "+t.Name] = n
		}
		return m
	}
	was, is := tables(before), tables(after)
	for name, n := range was {
		if is[name] != n {
			return fmt.Errorf("table %s was changed during the trial", name)
		}
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			return fmt.Errorf("table %s was added during the trial", name)
		}
	}
	return nil
}

// errIncomplete is an audit that could judge less than the one before.
var errIncomplete = errors.New("the audit after the fix is incomplete")

// noWorse compares the findings of two audits.
func noWorse(before, after *finding.Report, plan *remedy.Plan) error {
	old, now := failures(before), failures(after)
	// A finding that is less severe than before was closed as far as a packet filter can: what is left
	// of a runtime API on TCP is open to the host's own processes. One that stays open to those who keep
	// access is closed to all others, which Closes has shown of the host as it is now.
	for _, t := range plan.Closes {
		is := now[t.Fingerprint]
		if len(t.Except) > 0 && old[t.Fingerprint] != nil {
			continue
		}
		if is != nil && finding.Rank(is.Severity) <= finding.Rank(t.Severity) {
			return fmt.Errorf("%s is still open after the fix: %s", t.Check, t.What)
		}
	}
	published := map[string]bool{} // the baseline lets it in, and by it there is a filter that this bypasses
	for i := range after.Results {
		for _, f := range after.Results[i].Findings {
			published[f.Fingerprint] = plan.Mode == remedy.DefaultDeny && after.Results[i].ID == remedy.PublishedCheck
		}
	}
	for fp, is := range now {
		if was := old[fp]; !published[fp] && (was == nil || finding.Rank(is.Severity) < finding.Rank(was.Severity)) {
			return fmt.Errorf("the audit is worse after the fix: %s", is.Message)
		}
	}
	for i := range after.Results {
		is, was := &after.Results[i], &before.Results[i]
		if is.Status == finding.Unknown && was.Status != finding.Unknown && !unclearBefore(was, is) {
			return fmt.Errorf("%w: %s: %s", errIncomplete, is.ID, is.Reason)
		}
	}
	return nil
}

// unclearBefore says whether all that a check could not tell was already so beside its findings, which are gone.
func unclearBefore(was, is *finding.Result) bool {
	return len(is.Unknowns) > 0 && !slices.ContainsFunc(is.Unknowns, func(u finding.Unclear) bool {
		return !slices.ContainsFunc(was.Unknowns, func(w finding.Unclear) bool { return w.Resource == u.Resource })
	})
}

// failures are the findings of a report by fingerprint. What a collector could see is no state of
// the host.
func failures(r *finding.Report) map[string]*finding.Finding {
	m := map[string]*finding.Finding{}
	for i := range r.Results {
		if r.Results[i].Status != finding.Fail || r.Results[i].ID == "coverage/incomplete" {
			continue
		}
		for j := range r.Results[i].Findings {
			f := &r.Results[i].Findings[j]
			m[f.Fingerprint] = f
		}
	}
	return m
}
