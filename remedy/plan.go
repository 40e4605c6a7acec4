// Package remedy plans what closes the findings of a report and loads it into the kernel.
//
// A plan is one table of our own, inet ringfence, with narrow denials: never another tool's table,
// never a flush. Each rule names the finding that it closes. What a packet filter cannot close is
// listed with the file or command to change. Loading is in apply_linux.go.
package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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

// Loaded says whether the plan is the table that is loaded already.
func (p *Plan) Loaded(rs *ruleset.Ruleset) bool { return rs != nil && p.readBack(rs, Table) == nil }

// The chains of the table. The first hook that sees where a packet really goes, before any
// translation, is prerouting at mangle - 10: there a published container port is still the port
// that the sender wrote. An input chain would never see it.
const (
	chainIn      = "prerouting"
	chainForward = "forward"
	priorityIn   = -160 // mangle - 10
	priorityFwd  = -10  // filter - 10
)

// Rule is one rule of the plan. A drop is final whatever another table says; an accept here only
// ends our own chain.
type Rule struct {
	Chain   string       `json:"chain"`
	Iif     string       `json:"iif"`
	Oif     string       `json:"oif,omitempty"`
	Source  netip.Prefix `json:"source,omitzero"`
	Proto   string       `json:"proto,omitempty"`
	Port    int          `json:"port,omitempty"`
	Accept  bool         `json:"accept,omitempty"`
	Closes  string       `json:"closes"` // id of the check
	Comment string       `json:"comment"`
}

// Manual is a finding that no packet filter closes.
type Manual struct {
	Check string `json:"check"`
	What  string `json:"what"`
	Kind  string `json:"kind"`
	Text  string `json:"text"`
}

// Plan is what closes the findings of one report.
type Plan struct {
	Schema  string   `json:"schema"` // ringfence.plan/v1
	Rules   []Rule   `json:"rules"`
	Closes  []Target `json:"closes"`
	Manual  []Manual `json:"manual"`
	Ruleset string   `json:"ruleset"` // nft text, "" where no rule is needed
	Inverse string   `json:"inverse"`
}

// Target is a finding that the rules close.
type Target struct {
	Check       string `json:"check"`
	Fingerprint string `json:"fingerprint"`
	What        string `json:"what"`
}

// Options of a plan.
type Options struct {
	// AllowFrom keeps access to the ports that are closed.
	AllowFrom []netip.Prefix
}

// managementPorts are never closed to everybody who could administer the host.
func managementCheck(id string) bool { return strings.HasPrefix(id, "management/ssh-") }

// Make plans. It never fails: a finding without a safe rule becomes manual work.
func Make(r *finding.Report, s *snapshot.Snapshot, cfg zones.Config, opt Options) *Plan {
	p := &Plan{Schema: "ringfence.plan/v1", Rules: []Rule{}, Closes: []Target{}, Manual: []Manual{}}
	m := zones.Classify(s, cfg)
	keep := slices.Clone(opt.AllowFrom)
	for _, ses := range s.SSH.Sessions {
		if a, err := netip.ParseAddrPort(ses.Remote); err == nil && !a.Addr().IsLoopback() {
			addr := a.Addr().Unmap().WithZone("")
			keep = append(keep, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		for j := range res.Findings {
			p.add(res.ID, &res.Findings[j], m, keep)
		}
	}
	// What stays allowed comes first in each chain.
	slices.SortStableFunc(p.Rules, func(a, b Rule) int {
		if a.Accept != b.Accept {
			if a.Accept {
				return -1
			}
			return 1
		}
		return 0
	})
	if len(p.Rules) > 0 {
		p.Ruleset, p.Inverse = p.text(), "delete table inet "+Table+"\n"
	}
	return p
}

func (p *Plan) add(id string, f *finding.Finding, m *zones.Map, keep []netip.Prefix) {
	done := false
	for _, rem := range f.Remediation {
		if rem.Kind != "nft" || rem.Deny == nil {
			continue
		}
		if why := p.deny(id, rem.Deny, m, keep); why != "" {
			p.Manual = append(p.Manual, Manual{id, f.Message, "words", why})
		} else {
			done = true
		}
	}
	if done {
		p.Closes = append(p.Closes, Target{id, f.Fingerprint, f.Message})
		return
	}
	for _, rem := range f.Remediation {
		if rem.Deny == nil {
			p.Manual = append(p.Manual, Manual{id, f.Message, rem.Kind, rem.Text})
			return
		}
	}
}

// deny adds the rules that close a flow, or says why it does not.
func (p *Plan) deny(id string, d *finding.Deny, m *zones.Map, keep []netip.Prefix) string {
	if managementCheck(id) && d.Zone == zones.External && len(keep) == 0 && !hasZone(m, zones.Management) {
		return "no management zone is configured and nobody is logged in over SSH: closing the port could " +
			"lock everybody out; say who keeps access with --allow-from"
	}
	added := false
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
					p.rule(Rule{Chain: chainForward, Iif: o.Interface, Oif: to.Interface, Closes: id})
					added = true
				}
			}
			continue
		}
		base := Rule{Chain: chainIn, Iif: o.Interface, Proto: d.Proto, Port: d.Port, Closes: id}
		for _, k := range append(slices.Clone(keep), shared(m, o)...) {
			r := base
			r.Source, r.Accept = k, true
			p.rule(r)
		}
		if bounded(o) {
			for _, src := range o.From {
				r := base
				r.Source = src
				p.rule(r)
			}
		} else {
			p.rule(base)
		}
		added = true
	}
	if !added {
		return "no interface of the zone was found"
	}
	return ""
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

func (p *Plan) rule(r Rule) {
	r.Comment = "ringfence " + r.Closes
	same := func(o Rule) bool {
		o.Closes, o.Comment = r.Closes, r.Comment
		return o == r
	}
	if !slices.ContainsFunc(p.Rules, same) {
		p.Rules = append(p.Rules, r)
	}
}

// text prints the table in nft's syntax of version 1.0, as one transaction that also replaces an
// earlier table of ours.
func (p *Plan) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\ntable inet %s {\n", Table, Table, Table)
	for _, c := range []struct {
		name, hook, priority string
	}{{chainIn, "prerouting", "mangle - 10"}, {chainForward, "forward", "filter - 10"}} {
		if !p.uses(c.name) {
			continue
		}
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority %s; policy accept;\n", c.name, c.hook, c.priority)
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

func (p *Plan) uses(chain string) bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Chain == chain })
}

// String is the rule in nft's syntax.
func (r *Rule) String() string {
	words := []string{"iifname", quote(r.Iif)}
	if r.Oif != "" {
		words = append(words, "oifname", quote(r.Oif))
	}
	if r.Source.IsValid() {
		fam := "ip6"
		if r.Source.Addr().Is4() {
			fam = "ip"
		}
		words = append(words, fam, "saddr", r.Source.Masked().String())
	}
	if r.Proto != "" {
		words = append(words, r.Proto, "dport", strconv.Itoa(r.Port))
	}
	if r.Chain == chainIn {
		words = append(words, "fib daddr type local")
	}
	if r.Accept {
		words = append(words, "accept")
	} else {
		// Replies to connections of our own that happen to use the port stay.
		words = append(words, "ct direction original counter drop")
	}
	return strings.Join(append(words, "comment", quote(r.Comment)), " ")
}

// quote writes a string for nft, which knows no escapes: a quote mark in an interface name cannot
// be written, and a wildcard takes its place.
func quote(s string) string {
	if i := strings.IndexAny(s, "\"\n\\*"); i >= 0 {
		s = s[:i] + "*"
	}
	return `"` + s + `"`
}
