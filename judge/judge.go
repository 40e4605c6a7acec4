// Package judge turns a snapshot into a report: it builds the document that the policies see, asks
// the packet model for every listener and zone, compiles and evaluates the policies, and decides
// the status of every check.
//
// A check is unknown before its policy runs when a section that it reads was not seen. A section
// that was partly seen can still prove a failure, never a pass.
package judge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/declared"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/words"
	"github.com/ringfence/ringfence/yamlfile"
	"github.com/ringfence/ringfence/zones"
)

// Config is the user's configuration file; everything in it is optional.
type Config struct {
	Zones  zones.Config   `json:"zones"`
	Checks CheckConfig    `json:"checks"`
	Params map[string]any `json:"params"` // what policies read as data.params
	// Register is what assumptions are held against the host, at which time.
	Register *assume.Register `json:"-"`
	Now      time.Time        `json:"-"`
	// Model is what people declare of the host; nil is nothing.
	Model *declared.Model `json:"-"`
	// Budget is how long the packet model may be asked; what it was not asked by then is unknown. 0 is without end.
	Budget time.Duration `json:"-"`
	// place adds to an error where in the file that is which it is about; nil is without a file.
	place func(error) error
}

// CheckConfig leaves checks out and changes their severity.
type CheckConfig struct {
	Skip     []string          `json:"skip,omitempty"`
	Severity map[string]string `json:"severity,omitempty"`
}

// NoCheck is the error of a check that does not exist, with the one that was probably meant.
func (p *Policies) NoCheck(id string) error {
	var ids []string
	for i := range p.Checks {
		ids = append(ids, p.Checks[i].ID)
		if area, _, _ := strings.Cut(p.Checks[i].ID, "/"); strings.EqualFold(area, id) {
			return fmt.Errorf("no check %q: it is an area, and %s a check of it: ringfence checks list names all", id, p.Checks[i].ID)
		}
	}
	if near := words.Nearest(id, ids); near != "" {
		return fmt.Errorf("no check %q: did you mean %s?", id, near)
	}
	return fmt.Errorf("no check %q: ringfence checks list names them", id)
}

// Validate refuses checks, severities and parameters that do not exist, and parameters of another type. Zones were looked at before.
func (c *Config) Validate(p *Policies) error {
	err := c.wrong(p)
	if err == nil || c.place == nil {
		return err
	}
	return c.place(err)
}

// wrong is the first thing that is wrong with a configuration, with where it stands.
func (c *Config) wrong(p *Policies) error {
	known := map[string]bool{}
	for _, k := range p.Checks {
		known[k.ID] = true
	}
	for i, id := range c.Checks.Skip {
		if !known[id] {
			return yamlfile.At(p.NoCheck(id), "checks", "skip", i)
		}
	}
	for _, id := range sorted(c.Checks.Severity) {
		if !known[id] {
			return yamlfile.At(p.NoCheck(id), "checks", "severity", id)
		}
		if s := c.Checks.Severity[id]; finding.Rank(s) >= len(finding.Severities) {
			return yamlfile.At(fmt.Errorf("%q is no severity: %w", s, words.Wrong(s, finding.Severities)), "checks", "severity", id)
		}
	}
	return p.validParams(c.Params)
}

// Judge judges a snapshot.
func Judge(ctx context.Context, s *snapshot.Snapshot, p *Policies, cfg *Config, version string,
) (*finding.Report, error) {
	digest, err := s.Digest()
	if err != nil {
		return nil, err
	}
	within := ctx
	if cfg.Budget > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, cfg.Budget)
		defer cancel()
	}
	b := build(within, s, cfg.Zones)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	r := begin(s, version)
	r.Snapshot.Digest, r.Exposures = digest, orEmpty(slices.Concat(b.exposures...))
	b.exposures = nil
	r.Containers = b.containersNamed()
	for _, i := range b.zones.Interfaces {
		r.Zones = append(r.Zones, finding.Zone{Name: i.Name, Zone: i.Zone, Reason: i.Reason})
	}
	for _, o := range b.zones.Origins {
		if o.Local {
			r.Zones = append(r.Zones, finding.Zone{Name: "local processes", Zone: o.Zone, Reason: o.Reason})
		}
	}
	listForwards(r, b.doc.Forwards, maxForwards)
	for i := range r.Forwards {
		r.Forwards[i].Conditions = b.doc.conditions[r.Forwards[i].Witness]
	}
	r.Inventory = b.inventory()
	t := b.asker.Tally()
	if b.win != nil {
		t = b.win.Tally()
	}
	r.Answers = &finding.Answers{Reachable: t.Reachable, Unreachable: t.Unreachable, Unknown: t.Unknown, Unconfirmed: t.Unconfirmed}
	ev, err := p.evaluator(b.doc, cfg.Params)
	if err != nil {
		return nil, err
	}
	b.doc.Forwards = nil // the policies have them, and they are large
	defer ev.end()
	r.Results = make([]finding.Result, len(p.Checks))
	for _, builtin := range []bool{true, false} {
		for i := range p.Checks {
			c := p.Checks[i]
			if c.Builtin != builtin {
				continue
			}
			if sev := cfg.Checks.Severity[c.ID]; sev != "" {
				c.Severity = sev
			}
			res := result(&c)
			if slices.Contains(cfg.Checks.Skip, c.ID) {
				res.Status, res.Reason = finding.Waived, leftOut
			} else if !builtin && p.leave != "" {
				res.Status, res.Reason = finding.Unknown, p.leave
			} else if err := decide(ctx, &res, &c, ev, s, b.gaps, cfg.Checks.Severity[c.ID], b.doc.conditions); err != nil {
				return nil, err
			}
			r.Results[i] = res
		}
	}
	if err := assumed(ctx, r, &asking{ctx: ctx, b: b, ev: ev, results: r.Results}, p, cfg); err != nil {
		return nil, err
	}
	if cfg.Model != nil {
		r.Add(cfg.Model.Hold(r, b.flowsMissed(), b.linksMissed()))
	}
	return r, nil
}

// seenBy names who collected a snapshot; nobody where it was made of files.
func seenBy(uid int) string {
	switch {
	case uid == 0:
		return "root"
	case uid < 0:
		return "files"
	}
	return fmt.Sprintf("uid %d", uid)
}

// begin is the part of a report that needs no judgement.
func begin(s *snapshot.Snapshot, version string) *finding.Report {
	r := &finding.Report{
		Schema: finding.Schema, Tool: finding.Tool{Name: "ringfence", Version: version},
		Host: finding.Host{
			Name: s.Host.Name, ID: s.Host.MachineID, OS: strings.TrimSpace(s.Host.OS + " " + s.Host.OSVersion),
			Kernel: s.Host.Kernel, Confined: s.Host.Self.Confined, SeenBy: seenBy(s.Host.Self.UID), BootID: s.Host.BootID,
		},
		Snapshot:  finding.Snapshot{CollectedAt: s.CollectedAt},
		Exposures: []finding.Exposure{}, Zones: []finding.Zone{}, Forwards: []finding.Forward{},
		Coverage: []finding.Coverage{}, Results: []finding.Result{},
	}
	for _, c := range s.Coverage {
		r.Coverage = append(r.Coverage, finding.Coverage{
			Collector: c.Collector, Status: string(c.Status), Reasons: c.Reasons,
		})
	}
	return r
}

// Unjudged is the report where judging itself came to no end: every check that is not left out is unknown for that
// reason. The snapshot is nil where it was not read.
func Unjudged(s *snapshot.Snapshot, checks []Check, cfg *Config, version, reason string) *finding.Report {
	if s == nil {
		s = new(snapshot.Snapshot)
	}
	r := begin(s, version)
	for i := range checks {
		c := checks[i]
		if sev := cfg.Checks.Severity[c.ID]; sev != "" {
			c.Severity = sev
		}
		res := result(&c)
		res.Status, res.Reason = finding.Unknown, reason
		if slices.Contains(cfg.Checks.Skip, c.ID) {
			res.Status, res.Reason = finding.Waived, leftOut
		}
		r.Results = append(r.Results, res)
	}
	return r
}

const leftOut = "left out by the configuration"

func publicForward(f *DocForward) finding.Forward {
	toCauses := func(texts []string) []finding.Cause {
		var out []finding.Cause
		for _, t := range texts {
			out = append(out, finding.Cause{Text: t})
		}
		return out
	}
	return finding.Forward{
		From: f.From, FromZone: f.FromZone, To: f.To, ToZone: f.ToZone, Family: f.Family,
		Verdict: string(f.Any.Verdict), Witness: f.Any.Witness, StoppedBy: toCauses(f.Any.StoppedBy),
		Because: toCauses(f.Any.Because),
	}
}

func result(c *Check) finding.Result {
	return finding.Result{
		ID: c.ID, Severity: c.Severity, Title: c.Title, Description: c.Description,
		Remediation: c.Remediation, References: c.References,
	}
}

// decide evaluates one check. What decides is, in this order: a section that was not seen, a
// finding, an open question, a section that was seen in part, a reason not to apply; then it passes. A policy
// that fails, or is ended by its limits, makes its own check unknown. The error is that of ctx.
func decide(ctx context.Context, res *finding.Result, c *Check, ev *evaluator, s *snapshot.Snapshot, left map[string][]string, override string,
	hangsOn map[string][]finding.Condition,
) error {
	if why := c.otherSystem(s); why != "" {
		res.Status, res.Reason = finding.NotApplicable, why
		return nil
	}
	gaps, unread := missed(s, left, c.Reads)
	if unread != "" {
		res.Status, res.Reason = finding.Unknown, unread
		return nil
	}
	if missing := c.missing(ev.given); len(missing) > 0 {
		res.Status = finding.Unknown
		res.Reason = "the check needs " + strings.Join(missing, ", ") + ", which the configuration does not give (--config)"
		return nil
	}
	a, err := ev.check(ctx, c)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil: // of this policy, and nothing to do with the others
		res.Status, res.Reason = finding.Unknown, "the policy failed: "+reasonOf(err)
		return nil
	}
	res.Findings = findings(c, a, override, hangsOn)
	res.Unknowns = a.Unknown
	switch {
	case len(res.Findings) > 0:
		res.Status, res.Severity = finding.Fail, res.Findings[0].Severity
		if len(gaps) > 0 {
			res.Reason = "there can be more: " + strings.Join(gaps, "; ")
		}
	case len(a.Unknown) > 0:
		res.Status = finding.Unknown
		res.Reason = a.Unknown[0].Resource.Key + ": " + a.Unknown[0].Reason
		if n := len(a.Unknown) - 1; n > 0 {
			res.Reason += fmt.Sprintf(" (and %d more)", n)
		}
	case len(gaps) > 0:
		res.Status, res.Reason = finding.Unknown, strings.Join(gaps, "; ")
	case !c.Builtin && a.NotApplicable == "" && !ev.policies.canFail(c):
		res.Status, res.Reason = finding.Unknown, "the policy has no rule finding: it cannot fail, so that it passes says nothing"
	case a.NotApplicable != "":
		res.Status, res.Reason = finding.NotApplicable, a.NotApplicable
	default:
		res.Status = finding.Pass
	}
	return nil
}

// lacking says in one text what was not seen of sections, "" if all was.
func lacking(s *snapshot.Snapshot, left map[string][]string, reads []string) string {
	gaps, unread := missed(s, left, reads)
	if unread != "" {
		return unread
	}
	return strings.Join(gaps, "; ")
}

// reasonsOf are the reasons of a section that are about a part: those that begin with its name, or all where none does.
func reasonsOf(cov snapshot.Coverage, part string) []string {
	var own []string
	for _, r := range cov.Reasons {
		if strings.HasPrefix(r, part+": ") && len(cov.Parts) > 0 && part != "" {
			own = append(own, r)
		}
	}
	if len(own) == 0 {
		return cov.Reasons
	}
	return own
}

// missed says what was not seen of sections: why one was not read at all, else what is lacking.
func missed(s *snapshot.Snapshot, left map[string][]string, reads []string) (gaps []string, unread string) {
	for _, read := range reads {
		section, part, _ := strings.Cut(read, ".")
		for _, whole := range slices.Sorted(maps.Keys(left)) {
			if read == whole || read == section && strings.HasPrefix(whole, section+".") {
				gaps = append(gaps, left[whole]...)
			}
		}
		cov := s.Section(section)
		switch status := cov.Part(part); status {
		case snapshot.OK, snapshot.Absent:
		case snapshot.Partial:
			if gap := section + " was read in part: " + strings.Join(reasonsOf(cov, part), "; "); !slices.Contains(gaps, gap) { // of two parts it can be the same
				gaps = append(gaps, gap)
			}
		default: // denied, error, and whatever else is none of these
			return nil, section + " was not read: " + strings.Join(cov.Reasons, "; ")
		}
	}
	return gaps, ""
}

// zoneOrder is the zones, the one that is worst to be reached from first.
var zoneOrder = []string{zones.External, zones.Unclassified, zones.Workload, zones.Runtime, zones.Management, zones.Host}

// zonesOf are the zones that a finding names so far.
func zonesOf(f *finding.Finding) []string {
	if len(f.Zones) > 0 || f.Zone == "" {
		return f.Zones
	}
	return []string{f.Zone}
}

// worse says which of two findings about one resource leads: the more severe one, then that of the worse zone.
func worse(a, b *finding.Finding) bool {
	if d := finding.Rank(a.Severity) - finding.Rank(b.Severity); d != 0 {
		return d < 0
	}
	return slices.Index(zoneOrder, a.Zone) < slices.Index(zoneOrder, b.Zone)
}

// nameZones has a finding about several zones name them all, and what is done about it too.
func nameZones(f *finding.Finding) {
	inOrder(f.Zones)
	nameWhom(f.Remediation)
	if f.Zones = slices.Compact(f.Zones); len(f.Zones) < 2 {
		f.Zones = nil
		return
	}
	others := slices.DeleteFunc(slices.Clone(f.Zones), func(z string) bool { return z == f.Zone })
	f.Message += fmt.Sprintf(" (and from the %s)", zoneText(others))
}

// nameWhom has what is done in the same way for several zones name them all, last.
func nameWhom(list []finding.Remediation) {
	for i := range list {
		m := &list[i]
		if inOrder(m.Zones); len(m.Zones) == 0 {
			continue
		}
		m.Zones = slices.Compact(m.Zones)
		m.Text += ": the " + zoneText(m.Zones)
	}
}

// inOrder sorts zones, the one that is worst to be reached from first.
func inOrder(list []string) {
	slices.SortFunc(list, func(a, b string) int { return slices.Index(zoneOrder, a) - slices.Index(zoneOrder, b) })
}

func zoneText(list []string) string {
	if len(list) == 1 {
		return list[0] + " zone"
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1] + " zones"
}

// join makes one finding of two about the same: the worse one leads.
func join(old *finding.Finding, n finding.Finding) {
	zones := append(zonesOf(old), zonesOf(&n)...)
	if worse(&n, old) {
		n, *old = *old, n
	}
	old.Zones = zones
	if also := "so is " + n.Resource.Key; n.Resource.Key != old.Resource.Key && !slices.Contains(old.Evidence, also) {
		old.Evidence = append(old.Evidence, also)
	}
	for _, e := range n.Evidence {
		if !slices.Contains(old.Evidence, e) {
			old.Evidence = append(old.Evidence, e)
		}
	}
	if len(old.Follows) == 0 || len(n.Follows) == 0 || old.Beside != n.Beside {
		old.Follows, old.Beside = nil, ""
	} else {
		for _, s := range n.Follows {
			if !slices.Contains(old.Follows, s) {
				old.Follows = append(old.Follows, s)
			}
		}
	}
	for _, m := range n.Remediation {
		i := slices.IndexFunc(old.Remediation, func(o finding.Remediation) bool {
			return o.Kind == m.Kind && o.Text == m.Text && widens(o.Deny, m.Deny)
		})
		if i < 0 {
			old.Remediation = append(old.Remediation, m)
			continue
		}
		old.Remediation[i].Zones = append(old.Remediation[i].Zones, m.Zones...)
	}
}

// widens says that a flow to close has what another one closes, or has it now: flows that differ in nothing but the family become one of both.
func widens(wide, more *finding.Deny) bool {
	if wide == nil || more == nil {
		return wide == more
	}
	a, b := *wide, *more
	a.Family, b.Family = 0, 0
	if a == b && wide.Family != more.Family {
		wide.Family = 0
	}
	return a == b
}

// findings completes what the policy said; findings about the same resource become one, with the
// higher severity and all of the evidence, and name all zones.
func findings(c *Check, a *answer, override string, hangsOn map[string][]finding.Condition) []finding.Finding {
	var out []finding.Finding
	index := map[string]int{}
	for _, f := range a.Finding {
		n := finding.Finding{
			Resource: f.Resource, Message: f.Message, Severity: f.Severity, Zone: f.Zone,
			Evidence: orEmpty(f.Evidence), Witness: f.Witness, Conditions: hangsOn[f.Witness], Steps: f.Steps, Remediation: orEmpty(f.Remediation), Follows: f.Follows, Beside: f.Beside,
		}
		for j := range n.Remediation {
			if m := &n.Remediation[j]; m.Text == "" {
				m.Text = m.Settings.Text(m.Kind)
			}
		}
		if n.Severity == "" {
			n.Severity = c.Severity
		}
		if override != "" {
			n.Severity = override
		}
		n.Fingerprint = finding.Fingerprint(c.ID, f.Resource)
		i, ok := index[n.Fingerprint]
		if !ok {
			index[n.Fingerprint] = len(out)
			out = append(out, n)
			continue
		}
		join(&out[i], n)
	}
	for i := range out {
		nameZones(&out[i])
	}
	slices.SortStableFunc(out, func(x, y finding.Finding) int {
		if d := finding.Rank(x.Severity) - finding.Rank(y.Severity); d != 0 {
			return d
		}
		return strings.Compare(x.Resource.Key, y.Resource.Key)
	})
	return out
}
