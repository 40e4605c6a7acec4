package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
)

// verifyAgain audits, and again where a process that ended while it was read made an audit incomplete.
func (x *Fix) verifyAgain(ctx context.Context) (err error) {
	for range attempts {
		if err = x.verify(ctx); !errors.Is(err, errIncomplete) {
			break
		}
	}
	return err
}

// verify audits the host with the trial: that must be what was planned, every finding that it closes must be gone, and what must go on
// working still does, with the tables of others as they are now; and the audit is no worse by it.
func (x *Fix) verify(ctx context.Context) error {
	snap, err := x.Sight.See(ctx)
	if err != nil {
		return err
	}
	if snap.NFTables.Ruleset == nil {
		return fmt.Errorf("the ruleset could not be read back (%s)", strings.Join(snap.Section("nftables").Reasons, "; "))
	}
	if err := x.proof.ReadBackTrial(snap.NFTables.Ruleset); err != nil {
		return err
	}
	if err := x.Sight.Proven(ctx, x.proof.Claim(), snap); err != nil {
		return err
	}
	after, err := x.Host.Judge(ctx, snap)
	if err != nil {
		return err
	}
	c := &comparison{before: x.Before, after: after, plan: x.proof.Plan(), about: x.about("nftables"), blind: x.blind(snap), began: x.proof.Plan().Began(snap)}
	if err := c.closed(); err != nil {
		return err
	}
	x.tellBegan(c)
	without := sync.OnceValues(func() (*finding.Report, error) { return x.Host.Judge(ctx, remedy.WithoutTrial(snap)) })
	if err := c.causes(without); err != nil {
		return err
	}
	if err := x.complete(c, snap, without); err != nil {
		return err
	}
	x.after, x.generation, x.network = after, snap.NFTables.Ruleset.Generation, remedy.NetworkDigest(snap)
	return ctx.Err()
}

// causes says of what is worse that the trial made it so: without it, it is not, or rules of the trial let it pass. What began
// on the host meanwhile is as bad without it, and no reason to open again what is closed.
func (c *comparison) causes(without func() (*finding.Report, error)) error {
	worse := c.worse(failures(c.before, c.about))
	if len(worse) == 0 {
		return nil
	}
	bare, err := without()
	if err != nil {
		return err
	}
	byTrial := c.worse(failures(bare, c.about))
	for _, f := range worse {
		if slices.ContainsFunc(byTrial, func(g *finding.Finding) bool { return g.Fingerprint == f.Fingerprint }) || opened(c.plan, f) {
			return fmt.Errorf("the audit is worse after the fix: %s", f.Message)
		}
	}
	return nil
}

// opened says of a finding that it is about a port that rules of the plan let pass.
func opened(p *remedy.Plan, f *finding.Finding) bool {
	return slices.ContainsFunc(f.Remediation, func(r finding.Remediation) bool { return r.Deny != nil && p.Opens(r.Deny) })
}

// about says of a check whether it reads one of these sections of a snapshot: another cannot be worse by what is changed in them.
func (x *Fix) about(sections ...string) func(check string) bool {
	return func(check string) bool {
		return slices.ContainsFunc(x.Host.Reads(check), func(read string) bool {
			section, _, _ := strings.Cut(read, ".")
			return slices.Contains(sections, section)
		})
	}
}

// errIncomplete is an audit that could judge less than the one before.
var errIncomplete = errors.New("the audit after the fix is incomplete")

// comparison is of two audits, in the checks that the fix is about.
type comparison struct {
	before, after *finding.Report
	plan          *remedy.Plan
	about         func(check string) bool
	// blind says of a check that what it reads was not all seen, and was seen no better before.
	blind func(check string) bool
	// began are interfaces of workloads that the plan was not made with, and passed whether one of its findings was passed over for them.
	began  []string
	passed bool
}

// mostBegan bounds how many of them are named.
const mostBegan = 3

// tellBegan says once that something began meanwhile to which not all is closed.
func (x *Fix) tellBegan(c *comparison) {
	if !c.passed || x.toldBegan {
		return
	}
	x.toldBegan = true
	x.People.Say("fix: since it was planned, workloads began on the host (%s): to what comes in by that, or goes out by it, the findings are as before until it is applied again\n",
		strings.Join(c.began[:min(len(c.began), mostBegan)], ", "))
}

// closed wants every finding to be gone that the plan closes. One that is less severe than before was closed as far as a packet
// filter can: what is left of a runtime API on TCP is open to the host's own processes. One that stays open to those who keep
// access is closed to all others, which the model has shown of the host as it is now, and so is one that workloads in the host's own network namespace
// still get to. Without an audit before, all of these are passed over. One about
// workloads can be open to those that began since the plan was made: to all that it was made with it is closed, which the model has shown as well.
func (c *comparison) closed() error {
	every := func(string) bool { return true }
	old, now := failures(c.before, every), failures(c.after, every)
	for _, t := range c.plan.Closes {
		is := now[t.Fingerprint]
		if len(t.Except) > 0 && (old[t.Fingerprint] != nil || len(c.before.Results) == 0) {
			if zone := c.otherwise(&t, is); zone != "" {
				return fmt.Errorf("%s is open to the zone %s, which it was not about: %s", t.Check, zone, t.What)
			}
			continue
		}
		if is != nil && finding.Rank(is.Severity) <= finding.Rank(t.Severity) {
			if t.Left(is) {
				continue
			}
			if len(c.began) > 0 && t.OfWorkloads() {
				c.passed = true
				continue
			}
			return fmt.Errorf("%s is still open after the fix: %s", t.Check, t.What)
		}
	}
	return nil
}

// otherwise is a zone that a finding is about now and was not when it was closed: an interface that has another name can be of another zone. Who
// keeps access is of those that it was about, or of one that was left to people.
func (c *comparison) otherwise(t *remedy.Target, is *finding.Finding) string {
	if is == nil || len(t.Denies) == 0 || slices.ContainsFunc(c.plan.Manual, func(m dropin.Manual) bool { return m.Check == t.Check && m.What == t.What }) {
		return ""
	}
	for _, r := range is.Remediation {
		if r.Deny != nil && !slices.ContainsFunc(t.Denies, func(d finding.Deny) bool { return d.Zone == r.Deny.Zone && d.ToZone == r.Deny.ToZone }) {
			return r.Deny.Zone
		}
	}
	return ""
}

// worse are the findings after the fix that are not among others, or less severe there, or not of that zone. A port that is published
// for a workload is one of the baseline's: by that there is a filter that it bypasses.
func (c *comparison) worse(than map[string]*finding.Finding) (list []*finding.Finding) {
	for i := range c.after.Results {
		r := &c.after.Results[i]
		if r.Status != finding.Fail || !c.about(r.ID) || c.plan.Mode == remedy.DefaultDeny && r.ID == remedy.PublishedCheck {
			continue
		}
		for j := range r.Findings {
			is := &r.Findings[j]
			was := than[is.Fingerprint]
			if was == nil || finding.Rank(is.Severity) < finding.Rank(was.Severity) || otherZone(is, was) {
				list = append(list, is)
			}
		}
	}
	return list
}

// otherZone says whether a finding is also about packets from a zone that another is not about.
func otherZone(is, than *finding.Finding) bool {
	return slices.ContainsFunc(is.Remediation, func(r finding.Remediation) bool {
		return r.Deny != nil && r.Deny.Zone != than.Zone && !slices.ContainsFunc(than.Remediation, func(o finding.Remediation) bool {
			return o.Deny != nil && o.Deny.Zone == r.Deny.Zone
		})
	})
}

// blind says of a check that sections that it reads were seen in part, with no gap that was not there before the fix. With such gaps a
// check can find something, and cannot pass: once what it found is closed it is unknown, which no fix can change.
func (x *Fix) blind(now *snapshot.Snapshot) func(check string) bool {
	return func(check string) bool {
		gaps := false
		for _, read := range x.Host.Reads(check) {
			section, part, _ := strings.Cut(read, ".")
			is, was := now.Section(section), x.Snapshot.Section(section)
			if is.Part(part) == snapshot.OK || is.Part(part) == snapshot.Absent {
				continue
			}
			if is.Part(part) != snapshot.Partial || was.Part(part) != snapshot.Partial || hasOther(is.Reasons, was.Reasons) {
				return false
			}
			gaps = true
		}
		return gaps
	}
}

// hasOther says whether a list has something that another has not.
func hasOther(list, than []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(than, s) })
}

// undecided are the checks that are not decided and were before. One that had failures, which are gone, is as undecided as it would
// have been before without them.
func (c *comparison) undecided() (list []*finding.Result) {
	for i := range c.after.Results {
		is, was := &c.after.Results[i], &c.before.Results[i]
		if c.about(is.ID) && is.Status == finding.Unknown && was.Status != finding.Unknown && !unclearBefore(was, is) &&
			(was.Status != finding.Fail || !c.blind(is.ID)) {
			list = append(list, is)
		}
	}
	return list
}

// complete wants every check to be decided that was decided before, unless the trial has no part in that: what ended or began on the host while
// it was read leaves a check as undecided without the trial. One whose findings the plan closes must have them without the trial.
func (x *Fix) complete(c *comparison, snap *snapshot.Snapshot, without func() (*finding.Report, error)) error {
	for _, is := range c.undecided() {
		bare, err := without()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(bare.Results, func(r finding.Result) bool { return r.ID == is.ID })
		closes := slices.ContainsFunc(c.plan.Closes, func(t remedy.Target) bool { return t.Check == is.ID })
		switch {
		case i >= 0 && bare.Results[i].Status == finding.Unknown && !closes:
		case i >= 0 && bare.Results[i].Status == finding.Fail && (unclearBefore(&bare.Results[i], is) || x.gap(is.ID, snap)):
		default:
			return fmt.Errorf("%w: %s: %s", errIncomplete, is.ID, is.Reason)
		}
		x.People.Say("fix: %s cannot be told now, for a reason that is there without the fix too: %s\n", is.ID, is.Reason)
	}
	return nil
}

// gap says of a check that something that it reads was seen in part, and that is not the ruleset.
func (x *Fix) gap(check string, s *snapshot.Snapshot) bool {
	return slices.ContainsFunc(x.Host.Reads(check), func(read string) bool {
		section, part, _ := strings.Cut(read, ".")
		return section != "nftables" && s.Section(section).Part(part) == snapshot.Partial
	})
}

// undecided are the checks of what a plan closes that a report could not decide or does not have, each with the reason.
func undecided(p *remedy.Plan, r *finding.Report) map[string]string {
	why := map[string]string{}
	for _, t := range p.Closes {
		i := slices.IndexFunc(r.Results, func(res finding.Result) bool { return res.ID == t.Check })
		switch {
		case i < 0:
			why[t.Check] = "it is no longer judged"
		case r.Results[i].Status == finding.Unknown:
			why[t.Check] = r.Results[i].Reason
		}
	}
	return why
}

// unclearBefore says whether all that a check could not tell was already so beside its findings, which are gone.
func unclearBefore(was, is *finding.Result) bool {
	return len(is.Unknowns) > 0 && !slices.ContainsFunc(is.Unknowns, func(u finding.Unclear) bool {
		return !slices.ContainsFunc(was.Unknowns, func(w finding.Unclear) bool { return w.Resource == u.Resource })
	})
}

// failures are the findings of a report by fingerprint, of the checks that are asked for.
func failures(r *finding.Report, about func(string) bool) map[string]*finding.Finding {
	m := map[string]*finding.Finding{}
	for i := range r.Results {
		if r.Results[i].Status != finding.Fail || !about(r.Results[i].ID) {
			continue
		}
		for j := range r.Results[i].Findings {
			f := &r.Results[i].Findings[j]
			m[f.Fingerprint] = f
		}
	}
	return m
}
