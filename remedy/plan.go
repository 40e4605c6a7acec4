// Package remedy plans what closes the findings of a report and loads it into the kernel.
//
// A plan is one table of our own, inet ringfence, with narrow denials: never another tool's table,
// never a flush. Each rule names the finding that it closes. What a packet filter cannot close is
// written as files of the services, or listed with what to change. Prove shows what a plan does, Apply loads it
// on trial, and a Store keeps what is confirmed.
package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Table is the name of our table, of family inet; trialTable is the one that holds a plan until it
// is confirmed.
const (
	Table      = "ringfence"
	trialTable = "ringfence_trial"
)

// Without returns the snapshot as it would be without our own table, so that a new plan also has
// what an earlier one closes.
func Without(s *snapshot.Snapshot) *snapshot.Snapshot {
	if s.NFTables.Ruleset == nil {
		return s
	}
	rs := *s.NFTables.Ruleset
	rs.Tables = slices.DeleteFunc(slices.Clone(rs.Tables), func(t ruleset.Table) bool {
		return t.Family == ruleset.FamilyInet && (t.Name == Table || t.Name == trialTable)
	})
	clone := *s
	clone.NFTables.Ruleset = &rs
	return &clone
}

// The chains of the table. The first hook that sees where a packet really goes, before any
// translation, is prerouting at mangle - 10: there a published container port is still the port
// that the sender wrote. An input chain would never see it.
const (
	chainIn        = "prerouting"
	chainInput     = "input"
	chainForward   = "forward"
	priorityIn     = -160 // mangle - 10
	priorityFilter = -10  // filter - 10

	setArmed      = "armed"
	commentGate   = "ringfence: the trial stands down when this set is empty"
	commentPolicy = "ringfence: policy drop"
)

// Manual is a finding that no packet filter closes.
type Manual struct {
	Check    string `json:"check"`
	What     string `json:"what"`
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	Resource string `json:"-"` // path of the file that it is about
}

// Plan is what closes the findings of one report.
type Plan struct {
	Schema string   `json:"schema"` // ringfence.plan/v1
	Mode   string   `json:"mode"`   // targeted or default-deny
	Rules  []Rule   `json:"rules"`
	Closes []Target `json:"closes"`
	Manual []Manual `json:"manual"`
	// Files are drop-ins of services, for findings that no packet filter closes.
	Files []File `json:"files"`
	// Keeps is what must go on working, as it was seen or asked for.
	Keeps   []Flow `json:"keeps"`
	Ruleset string `json:"ruleset"` // nft text, "" where no rule is needed
	Diff    string `json:"diff"`    // against our table that is loaded
	Inverse string `json:"inverse"`
	// Disruption is none, or what stops for those who are cut off.
	Disruption string `json:"disruption"`
}

// The modes of a plan.
const (
	Targeted    = "targeted"
	DefaultDeny = "default-deny"
)

// Target is a finding that the rules close.
type Target struct {
	Check       string `json:"check"`
	Fingerprint string `json:"fingerprint"`
	What        string `json:"what"`
	// Except are who keeps access, because it was asked for.
	Except []netip.Prefix `json:"except,omitempty"`
}

// Options of a plan.
type Options struct {
	// AllowFrom keeps access to the ports that are closed.
	AllowFrom []netip.Prefix
	// Keep adds to what must go on working.
	Keep []Flow
	Mode string
	// Drain lets connections that are established end by themselves.
	Drain bool
}

// managementCheck says of a check that what it closes is how the host is administered: that is never closed
// to everybody who could do so.
func managementCheck(id string) bool { return strings.HasPrefix(id, "management/ssh-") }

// Make plans. It never fails: a finding without a safe rule becomes manual work.
func Make(r *finding.Report, s *snapshot.Snapshot, cfg zones.Config, opt Options) *Plan {
	p := &Plan{Schema: "ringfence.plan/v1", Mode: opt.Mode, Rules: []Rule{}, Closes: []Target{}, Manual: []Manual{}, Keeps: []Flow{}}
	if p.Mode == "" {
		p.Mode = Targeted
	}
	m := zones.Classify(s, cfg)
	p.Keeps = append(observed(s), opt.Keep...)
	if p.Mode == DefaultDeny {
		p.Keeps = append(p.Keeps, logins(s, m)...)
	}
	admins := slices.Clone(opt.AllowFrom)
	for _, f := range p.Keeps {
		if f.Source.IsValid() && f.Why == keptSession {
			admins = append(admins, f.Source)
		}
	}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		keep := opt.AllowFrom
		if managementCheck(res.ID) {
			keep = admins
		}
		for j := range res.Findings {
			p.add(res.ID, &res.Findings[j], s, m, keep)
		}
	}
	p.Keeps = slices.DeleteFunc(p.Keeps, func(f Flow) bool {
		return f.Why == keptPublished && slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Closes == publishedCheck && r.Proto == f.Proto && r.Port == f.Port
		})
	})
	if p.Mode == DefaultDeny {
		p.baseline(s, m)
	}
	if !p.uses(chainInput) { // without the baseline there is no policy
		p.Mode = Targeted
	}
	// What stays allowed comes first in each chain.
	slices.SortStableFunc(p.Rules, func(a, b Rule) int {
		return rank(&a) - rank(&b)
	})
	if opt.Drain {
		p.drain()
	}
	p.Files = append(p.files(s), p.dropIns(r, s)...)
	p.Disruption = "none"
	if len(p.Rules) > 0 {
		p.Ruleset, p.Inverse = p.text(), "delete table inet "+Table+"\n"
		p.Disruption = "connections to what is closed end at once"
		if opt.Drain {
			p.Disruption = "no new connections to what is closed"
		}
	}
	return p
}

// rank puts rules of a chain in order: those that keep a flow, those that close one, the baseline's.
func rank(r *Rule) int {
	switch {
	case r.Closes == "":
		return 2
	case r.Accept:
		return 0
	}
	return 1
}

// drain lets established connections pass before anything else in each chain that drops: by their state, and
// of TCP whatever does not open one, since those that are older than the first rule that asks for a state are
// not tracked.
func (p *Plan) drain() {
	var first []Rule
	for i := range specs {
		if p.uses(specs[i].name) {
			for _, kind := range []string{"established", "midstream"} {
				first = append(first, Rule{Chain: specs[i].name, Kind: kind, Accept: true, Comment: "ringfence drain"})
			}
		}
	}
	p.Rules = append(first, p.Rules...)
}

func (p *Plan) add(id string, f *finding.Finding, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix) {
	done := false
	for _, rem := range f.Remediation {
		if rem.Kind != "nft" || rem.Deny == nil {
			continue
		}
		if why := p.deny(id, rem.Deny, s, m, keep); why != "" {
			p.Manual = append(p.Manual, Manual{Check: id, What: f.Message, Kind: "words", Text: why})
		} else {
			done = true
		}
	}
	if done {
		p.Closes = append(p.Closes, Target{id, f.Fingerprint, f.Message, keep})
		return
	}
	for _, rem := range f.Remediation {
		if rem.Deny == nil {
			p.Manual = append(p.Manual, Manual{id, f.Message, rem.Kind, rem.Text, f.Resource.Path})
			return
		}
	}
}

// deny adds the rules that close a flow, or says why it does not.
func (p *Plan) deny(id string, d *finding.Deny, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix) string {
	if managementCheck(id) && d.Zone == zones.External && len(keep) == 0 && !hasZone(m, zones.Management) {
		return "no management zone is configured and nobody is logged in over SSH: closing the port could " +
			"lock everybody out; say who keeps access with --allow-from"
	}
	if n := inUse(s, d); id == publishedCheck && n > 0 {
		return fmt.Sprintf("it is in use, so it is meant (open connections: %d): publish it on an address that only its users reach", n)
	}
	added, beside, upward := false, "", ""
	for _, o := range m.Origins {
		if o.Local || o.Zone != d.Zone && !(d.ToZone != "" && o.Zone == d.ToZone) {
			continue
		}
		if d.ToZone != "" {
			other := d.ToZone
			if o.Zone == d.ToZone {
				other = d.Zone
			}
			// A direction that serves administration stays open: management to workloads is denied only
			// where the finding is about that pair.
			for _, to := range m.Origins {
				if !to.Local && to.Zone == other && to.Interface != o.Interface && o.Zone == d.Zone {
					if bridge := sharedBridge(s, o.Interface, to.Interface); bridge != "" {
						beside += switchedText(o.Interface, to.Interface)
						continue
					}
					// Published ports lead to workloads: they are findings of their own, or meant.
					direct := to.Zone == zones.Workload || to.Zone == zones.Runtime
					p.rule(Rule{Chain: chainForward, Iif: o.Interface, Oif: to.Interface, Direct: direct, Closes: id})
					added = true
				}
			}
			continue
		}
		if l := s.Network.LinkNamed(o.Interface); l != nil && isPort(s, l) {
			upward += fmt.Sprintf("    iifname %s %s dport %d counter drop\n", quote(o.Interface), d.Proto, d.Port)
			continue
		}
		base := Rule{Chain: chainIn, Iif: o.Interface, Proto: d.Proto, Port: d.Port, Closes: id}
		allow := base
		allow.Accept = true
		p.perFamily(allow, append(slices.Clone(keep), shared(m, o)...))
		if bounded(o) {
			p.perFamily(base, o.From)
		} else {
			p.rule(base)
		}
		added = true
	}
	switch {
	case beside != "":
		return bridgeTable("forward", beside)
	case upward != "":
		return bridgeTable("input", upward)
	case !added:
		return "no interface of the zone was found"
	}
	return ""
}

// publishedCheck is about ports that are published for workloads past the input filter.
const publishedCheck = "firewall/published-port-bypasses-input"

// inUse counts the open connections to a published port.
func inUse(s *snapshot.Snapshot, d *finding.Deny) int {
	n := 0
	for _, u := range s.Network.InUse {
		if u.Proto == d.Proto && u.Port == d.Port {
			n += u.Connections
		}
	}
	return n
}

// bridgeTable is the text of a table for frames of bridge ports, which ours, of family inet, cannot tell apart.
func bridgeTable(hook, rules string) string {
	return "a rule of family inet does not see by which port of a bridge a frame comes; load a table of family bridge:\n" +
		"table bridge ringfence {\n  chain " + hook + " {\n    type filter hook " + hook + " priority -210; policy accept;\n" + rules + "  }\n}"
}

func isPort(s *snapshot.Snapshot, l *snapshot.Link) bool {
	m := s.Network.Link(l.Master)
	return l.Master != 0 && m != nil && m.Kind == "bridge"
}

// sharedBridge is the bridge that two interfaces are ports of.
func sharedBridge(s *snapshot.Snapshot, a, b string) string {
	x, y := s.Network.LinkNamed(a), s.Network.LinkNamed(b)
	if x == nil || y == nil || x.Master != y.Master || !isPort(s, x) {
		return ""
	}
	return s.Network.Link(x.Master).Name
}

// switchedText drops frames between two ports, in both directions.
func switchedText(a, b string) string {
	return fmt.Sprintf("    iifname %[1]s oifname %[2]s counter drop\n    iifname %[2]s oifname %[1]s counter drop\n", quote(a), quote(b))
}

func hasZone(m *zones.Map, zone string) bool {
	return slices.ContainsFunc(m.Origins, func(o zones.Origin) bool { return o.Zone == zone && !o.Local })
}

// bounded says that the zone is only some addresses of its interface.
func bounded(o zones.Origin) bool { return strings.HasPrefix(o.Reason, "configured prefixes") }

// shared is the addresses of other zones that arrive on the same interface: they keep their access.
func shared(m *zones.Map, o zones.Origin) []netip.Prefix {
	var list []netip.Prefix
	for _, other := range m.Origins {
		if other.Interface == o.Interface && other.Zone == zones.Management && other.Zone != o.Zone {
			list = append(list, other.From...)
		}
	}
	return list
}

// perFamily adds a rule for the sources of each family.
func (p *Plan) perFamily(r Rule, sources []netip.Prefix) {
	for _, v4 := range []bool{true, false} {
		r.Sources = nil
		for _, s := range sources {
			if s.Addr().Is4() == v4 && !slices.Contains(r.Sources, s.Masked()) {
				r.Sources = append(r.Sources, s.Masked())
			}
		}
		if len(r.Sources) > 0 {
			p.rule(r)
		}
	}
}

func (p *Plan) rule(r Rule) {
	r.Comment = strings.TrimSpace("ringfence " + r.Closes)
	same := func(o Rule) bool {
		return o.Chain == r.Chain && o.Iif == r.Iif && o.Oif == r.Oif && o.Proto == r.Proto && o.Port == r.Port &&
			o.Kind == r.Kind && o.Direct == r.Direct && o.Accept == r.Accept && slices.Equal(o.Sources, r.Sources)
	}
	if !slices.ContainsFunc(p.Rules, same) {
		p.Rules = append(p.Rules, r)
	}
}

// text prints the table in nft's syntax of version 1.0, as one transaction that also replaces an
// earlier table of ours.
func (p *Plan) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\n", Table, Table)
	b.WriteString(p.tableText())
	return b.String()
}

func (p *Plan) tableText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", Table)
	for _, r := range p.setRules() {
		b.WriteString(r.setText())
	}
	for _, c := range specs {
		if !p.uses(c.name) {
			continue
		}
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority %s; policy %s;\n", c.name, c.hook, c.priority, p.policy(c.name))
		for i := range p.Rules {
			if p.Rules[i].Chain == c.name {
				fmt.Fprintf(&b, "\t\t%s\n", p.Rules[i].String())
			}
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// Against is the plan's table as a difference to that of an earlier plan, or of none: lines that go and lines
// that come, in the order of the tables.
func (p *Plan) Against(old *Plan) string {
	lines := func(q *Plan) []string {
		if q == nil || len(q.Rules) == 0 {
			return nil
		}
		return strings.SplitAfter(strings.TrimSuffix(q.tableText(), "\n"), "\n")
	}
	was, is := lines(old), lines(p)
	var b strings.Builder
	mark := func(sign string, list, other []string) {
		for _, l := range list {
			if !slices.Contains(other, l) {
				b.WriteString(sign + strings.TrimSuffix(l, "\n") + "\n")
			}
		}
	}
	mark("-", was, is)
	mark("+", is, was)
	return b.String()
}

// setRules are rules with a set of sources, one for each set.
func (p *Plan) setRules() []*Rule {
	var list []*Rule
	seen := map[string]bool{}
	for i := range p.Rules {
		if r := &p.Rules[i]; len(r.Sources) > inlineSources && !seen[r.setName()] {
			seen[r.setName()] = true
			list = append(list, r)
		}
	}
	return list
}

func (p *Plan) uses(chain string) bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Chain == chain })
}

// policy is what becomes of packets that no rule of a chain decides.
func (p *Plan) policy(chain string) string {
	if p.Mode == DefaultDeny && chain != chainIn {
		return "drop"
	}
	return "accept"
}

// quote writes a string for nft, which knows no escapes: a quote mark in an interface name cannot
// be written, and a wildcard takes its place.
func quote(s string) string {
	if i := strings.IndexAny(s, "\"\n\\*"); i >= 0 {
		s = s[:i] + "*"
	}
	return `"` + s + `"`
}
