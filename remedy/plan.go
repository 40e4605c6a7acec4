// Package remedy plans what closes the findings of a report and loads it into the kernel.
//
// A plan is tables of our own, inet ringfence and bridge ringfence, with narrow denials: never another tool's table,
// never a flush. Each rule names the finding that it closes. What a packet filter cannot close is
// written as files of the services, or listed with what to change. Prove shows what a plan does, Apply loads it
// on trial, and a Store keeps what is confirmed.
package remedy

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Table is the name of our tables; trialTable is that of those that hold a plan until it is confirmed, watchTable of one
// that only has connections tracked before.
const (
	Table      = "ringfence"
	trialTable = "ringfence_trial"
	watchTable = "ringfence_watch"
)

// bridgeFamily is that of the second table, for frames that a bridge hands from port to port or up to the host: only
// there it shows by which port one comes.
const bridgeFamily = ruleset.FamilyBridge

// tableNames are those of our tables.
var tableNames = []string{Table, trialTable, watchTable}

// TableNames are the names of our tables.
func TableNames() []string { return slices.Clone(tableNames) }

// families are those of our tables.
var families = []string{ruleset.FamilyInet, bridgeFamily}

// Without returns the snapshot as it would be without our own tables, so that a new plan also has
// what an earlier one closes.
func Without(s *snapshot.Snapshot) *snapshot.Snapshot { return withoutTables(s, tableNames...) }

func withoutTables(s *snapshot.Snapshot, names ...string) *snapshot.Snapshot {
	if s.NFTables.Ruleset == nil {
		return s
	}
	rs := *s.NFTables.Ruleset
	rs.Tables = slices.DeleteFunc(slices.Clone(rs.Tables), func(t ruleset.Table) bool {
		return slices.Contains(families, t.Family) && slices.Contains(names, t.Name) && isOurs(&t)
	})
	if len(rs.Tables) == len(s.NFTables.Ruleset.Tables) {
		return s // which was judged already, it may be
	}
	clone := *s
	clone.NFTables.Ruleset = &rs
	return &clone
}

// The chains of the tables. The first hook that sees where a packet really goes, before any
// translation, is prerouting at mangle - 10: there a published container port is still the port
// that the sender wrote. An input chain would never see it.
const (
	chainIn       = "prerouting"
	chainInput    = "input"
	chainForward  = "forward"
	chainPort     = "bridge-prerouting" // of the family bridge: frames as they come in by a port
	chainUp       = "bridge-input"      // frames for the host, also those that it routes
	chainSwitched = "bridge-forward"    // frames from port to port

	setArmed      = "armed"
	commentGate   = "ringfence: the trial stands down when this set is empty"
	commentPolicy = "ringfence: policy drop"
	commentWatch  = "ringfence: connections are tracked for a moment"
)

// chainSpec is a base chain of one of our tables.
type chainSpec struct {
	family, name, hook, priority string
	number                       int32 // the priority as the kernel has it
}

// numberIn is mangle - 10.
const numberIn = -160

// specs are the chains that a plan can have, in the order of the hooks.
var specs = []chainSpec{
	{ruleset.FamilyInet, chainIn, "prerouting", "mangle - 10", numberIn},
	{ruleset.FamilyInet, chainInput, "input", "filter - 10", -10},
	{ruleset.FamilyInet, chainForward, "forward", "filter - 10", -10},
	{bridgeFamily, chainPort, "prerouting", "filter - 10", -210},
	{bridgeFamily, chainUp, "input", "filter - 10", -210},
	{bridgeFamily, chainSwitched, "forward", "filter - 10", -210},
}

// family is that of the rule's table.
func (r *Rule) family() string {
	i := slices.IndexFunc(specs, func(c chainSpec) bool { return c.name == r.Chain })
	return specs[i].family
}

// families are those of the plan's tables.
func (p *Plan) families() []string {
	return slices.DeleteFunc(slices.Clone(families), func(f string) bool {
		return !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.family() == f })
	})
}

// Tables names the plan's tables.
func (p *Plan) Tables() string {
	var names []string
	for _, f := range p.families() {
		names = append(names, "table "+f+" "+Table)
	}
	return strings.Join(names, " and ")
}

// Plan is what closes the findings of one report.
type Plan struct {
	Schema string          `json:"schema"` // ringfence.plan/v1
	Mode   string          `json:"mode"`   // targeted or default-deny
	Drain  bool            `json:"drain"`  // connections to what is closed end by themselves
	Rules  []Rule          `json:"rules"`  // what is loaded
	Closes []Target        `json:"closes"` // findings that the rules close
	Manual []dropin.Manual `json:"manual"` // what people have to change
	// Files are drop-ins of services, for findings that no packet filter closes.
	Files []dropin.File `json:"files"`
	// Keeps is what must go on working, as it was seen or asked for.
	Keeps   []Flow `json:"keeps"`   // what goes on working
	Ruleset string `json:"ruleset"` // nft text, "" where no rule is needed
	Diff    string `json:"diff"`    // against our table that is loaded
	Inverse string `json:"inverse"` // nft text that takes the rules out
	// Disruption is none, or what stops for those who are cut off.
	Disruption string `json:"disruption"`
	// Ends are flows in use that the rules would end.
	Ends []End `json:"ends,omitempty"`
	// Open are questions that the report left open: what they are about can need closing too.
	Open []finding.Open `json:"open,omitempty"`
	// Warnings are what to think of before it is loaded.
	Warnings []string `json:"warnings"`
	// Zones is the configuration of zones that it was made with, and Known are the interfaces that there were.
	Zones zones.Config `json:"zones,omitempty"`
	Known []Known      `json:"known,omitempty"` // the interfaces that it was made with
	// ByName says what becomes of it when interfaces get other names.
	ByName string `json:"byName,omitempty"`
	// Shared are the checks that one rule closes something for, where there are several.
	Shared [][]string `json:"shared,omitempty"`
	// Unread is why the rules that are loaded are not known: then neither is what could be closed.
	Unread string `json:"unread,omitempty"`
	// Windows is what closes findings on a Windows host; there are no other rules there.
	Windows *WindowsPlan `json:"windows,omitempty"`

	// allows are who keeps access to one port.
	allows []Flow
	// closings are the listeners that the denials are about.
	closings []closing
	// byWorkloads says that nobody is known to administer the host but who is logged in from a workload.
	byWorkloads bool
	// cutsLogins says that rules close an SSH server of the host to those outside.
	cutsLogins bool
	// have are the rules that there are and the check that each is for, and denied what came of each denial.
	have   map[string]string
	denied map[denial]refusal
	// singles are the rules with one interface at each end, where some have several.
	singles []Rule
	// onWay are the rules about what goes through the host by where it comes in, while nothing changes them.
	onWay *entered
	// unwritable are names of interfaces that a rule was needed for and cannot be written.
	unwritable []string
	// openLater is what stays open to or of networks of workloads that begin later.
	openLater []string
}

// The modes of a plan.
const (
	Targeted    = "targeted"
	DefaultDeny = "default-deny"
)

// NoBaseline is why a plan that was to let in only what is known does not; "" where it does, or was not to.
func (p *Plan) NoBaseline() string {
	if i := slices.IndexFunc(p.Manual, func(m dropin.Manual) bool { return m.Reason == dropin.ReasonBaseline }); i >= 0 {
		return p.Manual[i].Text
	}
	return ""
}

// Target is a finding that the rules close.
type Target struct {
	Check       string `json:"check"`       // that found it
	Fingerprint string `json:"fingerprint"` // of the finding
	What        string `json:"what"`        // is wrong
	// Severity is that of the finding without the plan, and without what an earlier one closes.
	Severity string `json:"severity"`
	// Denies are what its rules are about.
	Denies []finding.Deny `json:"denies,omitempty"`
	// Rest are what the finding is about as well, and no rule closes: what is left to do says why.
	Rest []finding.Deny `json:"rest,omitempty"`
	// Except are who keeps access, because it was asked for.
	Except []netip.Prefix `json:"except,omitempty"`
	// Local names the processes of a zone that run in the host's own network namespace, and get there all the same: rules are about what comes in.
	Local string `json:"local,omitempty"`
}

// Options of a plan.
type Options struct {
	// AllowFrom keeps access to the ports that are closed.
	AllowFrom []netip.Prefix
	// AllowPorts keep access to one port each, and need not work now.
	AllowPorts []Flow
	// Keep adds to what must go on working.
	Keep []Flow
	Mode string
	// Drain lets connections that are established end by themselves.
	Drain bool
}

// forwardsUntracked says of a family that the host forwards it, or may, and that no rule has its connections tracked.
func forwardsUntracked(s *snapshot.Snapshot, v4 bool) bool {
	family := "net/ipv6/conf/"
	if v4 {
		family = "net/ipv4/conf/"
	}
	for key, f := range s.Network.Sysctls {
		if strings.HasPrefix(key, family) && strings.HasSuffix(key, "/forwarding") && maybeOn(f) {
			return s.NFTables.Ruleset != nil && !s.NFTables.Ruleset.Conntrack(v4)
		}
	}
	return false
}

// maybeOn says of a switch that it is not known to be off.
func maybeOn(f snapshot.Fact) bool {
	return f.State != snapshot.Absent && (f.State != snapshot.Present || f.Value != "0")
}

// Make plans. It never fails: a finding without a safe rule becomes manual work.
func Make(r *finding.Report, s *snapshot.Snapshot, cfg zones.Config, opt Options) *Plan {
	if s.OnWindows() {
		return makeWindows(r, s, cfg, opt, true)
	}
	p := &Plan{Schema: "ringfence.plan/v1", Mode: opt.Mode, Drain: opt.Drain, Rules: []Rule{}, Closes: []Target{}, Manual: []dropin.Manual{}, Keeps: []Flow{}, Warnings: []string{}}
	if p.Mode == "" {
		p.Mode = Targeted
	}
	s = inOrder(s)
	if s.NFTables.Ruleset == nil {
		p.Unread = strings.Join(append(s.Section("nftables").Reasons, "no ruleset")[:max(1, len(s.Section("nftables").Reasons))], "; ")
	}
	m := zones.Classify(s, cfg)
	p.Zones, p.Known = cfg, origins(m)
	p.Keeps, p.allows = append(observed(s, m), expand(opt.Keep, m)...), expand(opt.AllowPorts, m)
	if p.Mode == DefaultDeny {
		p.Keeps = append(p.Keeps, logins(s, m)...)
	}
	admins := slices.Clone(opt.AllowFrom)
	for _, f := range p.Keeps {
		if f.Source.IsValid() && f.Why == keptSession && !slices.Contains(admins, f.Source) {
			admins = append(admins, f.Source)
		}
	}
	p.byWorkloads = len(opt.AllowFrom) == 0 && !p.administered(s, m)
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		for j := range res.Findings {
			keep := opt.AllowFrom
			if slices.ContainsFunc(res.Findings[j].Remediation, func(rem finding.Remediation) bool { return p.administers(rem.Deny, s) }) {
				keep = admins
			}
			p.add(res.ID, &res.Findings[j], s, m, keep)
		}
	}
	p.Keeps = slices.DeleteFunc(p.Keeps, func(f Flow) bool {
		return f.Why == keptPublished && slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Closes == PublishedCheck && r.Proto == f.Proto && r.Port == f.Port
		})
	})
	p.carve(s)
	p.laterToo(s, m)
	if untracks(s) {
		p.untracked()
	}
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
	p.warn(s, m, opt)
	for _, t := range Strangers(s.NFTables.Ruleset) {
		if t.Name == Table {
			p.Warnings = append(p.Warnings, t.String()+" is somebody else's, and this ruleset would replace it: look at it first")
		}
	}
	if opt.Drain {
		p.drain()
	}
	p.onWay = byEntry(p.each()) // which nothing changes until they are folded
	p.Ends, p.ByName = p.ends(s), p.byName()
	p.closesNames(s, m)
	p.onWay = nil
	p.defaults(r)
	p.fold()
	p.Files, p.Manual = dropin.Make(r, s, p.Manual)
	p.Open = r.Open()
	p.Disruption = "none"
	if len(p.Rules) > 0 {
		p.Ruleset, p.Inverse = p.text(), p.inverse()
		p.Disruption = "connections to what is closed end at once"
		if opt.Drain {
			p.Disruption = "no new connections to what is closed"
		}
		if p.uses(chainForward) && (forwardsUntracked(s, true) || forwardsUntracked(s, false)) {
			p.Disruption += p.halfWay(s)
		}
		if slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Untracked && !r.Accept && r.Kind != "" }) || p.Mode == DefaultDeny && untracks(s) {
			p.Disruption += "; of what rules exempt from connection tracking (notrack), datagrams from the closed side stop also where they answer"
		}
		if p.uses(chainSwitched) || p.uses(chainUp) {
			p.Disruption += "; between ports of a bridge open TCP connections go on, datagrams from the closed side stop also where they answer"
		}
	}
	return p
}

// byDefault are the checks about what becomes of packets that no rule names.
var byDefault = []string{"firewall/input-accepts-by-default", "firewall/no-input-filter", "firewall/ipv6-unfiltered"}

// defaults moves to what the plan closes what its policy does; and where there is none although it was asked for, nobody is told to ask
// for it again.
func (p *Plan) defaults(r *finding.Report) {
	dropping := p.policy(chainInput) == "drop"
	if !dropping && !slices.ContainsFunc(p.Manual, func(w dropin.Manual) bool { return w.Check == "default-deny" }) {
		return
	}
	p.Manual = slices.DeleteFunc(p.Manual, func(w dropin.Manual) bool { return w.Kind == "nft" && slices.Contains(byDefault, w.Check) })
	for i := range r.Results {
		res := &r.Results[i]
		if !dropping || res.Status != finding.Fail || !slices.Contains(byDefault, res.ID) {
			continue
		}
		for j := range res.Findings {
			f := &res.Findings[j]
			if f.Zone == zones.Management {
				p.Manual = append(p.Manual, dropin.Manual{Check: res.ID, What: f.Message, Kind: "words", Text: "the baseline lets in the management zone"})
				continue
			}
			if !slices.ContainsFunc(p.Closes, func(t Target) bool { return t.Fingerprint == f.Fingerprint }) {
				p.Closes = append(p.Closes, Target{Check: res.ID, Fingerprint: f.Fingerprint, What: f.Message, Severity: f.Severity})
			}
		}
	}
}

// warn says that only who is logged in over SSH keeps access, by the address of this moment.
func (p *Plan) warn(s *snapshot.Snapshot, m *zones.Map, opt Options) {
	for _, f := range slices.Concat(p.Keeps, p.allows) {
		if why := f.amiss(s); why != "" {
			p.Warnings = append(p.Warnings, why)
		}
	}
	if p.Mode != DefaultDeny && !p.cutsLogins || m.Entered() || len(opt.AllowFrom) > 0 {
		return
	}
	var who []string
	for _, f := range p.Keeps {
		if f.asksLogin(s) {
			return
		}
		if f.Why == keptSession && !slices.Contains(who, f.Source.Addr().String()) {
			who = append(who, f.Source.Addr().String())
		}
	}
	if len(who) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("only who is logged in over SSH now keeps that access: %s. When such an address changes, "+
			"a new login fails: name the networks of administrators with --allow-from, or as the management zone", strings.Join(who, ", ")))
	}
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
// not tracked. The family bridge has no states.
func (p *Plan) drain() {
	var first []Rule
	for i := range specs {
		if specs[i].family == ruleset.FamilyInet && p.uses(specs[i].name) {
			for _, kind := range []string{"established", "midstream"} {
				first = append(first, Rule{Chain: specs[i].name, Kind: kind, Accept: true, Comment: "ringfence drain"})
			}
		}
	}
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Chain == chainPort && r.Proto == "tcp" && !r.Accept {
			first = append(first, Rule{Chain: chainPort, Iif: r.Iif, Kind: "answers", Accept: true, Comment: "ringfence drain"})
		}
	}
	p.Rules = append(first, p.Rules...)
}

// untracks says whether rules of others exempt packets from connection tracking.
func untracks(s *snapshot.Snapshot) bool {
	rs := s.NFTables.Ruleset
	return rs != nil && (rs.Untracks(true) || rs.Untracks(false))
}

// untracked adds for each drop one of what other rules exempt from tracking: of those packets nobody knows who opened
// their connection.
func (p *Plan) untracked() {
	for _, r := range slices.Clone(p.Rules) {
		if r.Accept || r.family() == bridgeFamily {
			continue
		}
		if r.Untracked = true; r.Chain == chainForward {
			p.opening(r)
		} else {
			p.rule(r)
		}
	}
}

// perFamily adds a rule for the sources of each family.
func (p *Plan) perFamily(r Rule, sources []netip.Prefix) {
	for _, v4 := range []bool{true, false} {
		r.Sources = nil
		for _, s := range sources {
			if s.Addr().Is4() == v4 && (len(r.To) == 0 || is4(r.To) == v4) && !slices.Contains(r.Sources, s.Masked()) {
				r.Sources = append(r.Sources, s.Masked())
			}
		}
		if len(r.Sources) > 0 {
			p.rule(r)
		}
	}
}

func (p *Plan) rule(r Rule) {
	in := r.Iif
	if r.ofLater() != nil {
		in = ""
	}
	for _, name := range slices.Concat([]string{in, r.Oif, r.Behind}, r.NotIif, r.NotOif) {
		if name != "" && !plainInterface(name) {
			p.unwritable = append(p.unwritable, name)
			return
		}
	}
	r.Comment = comment("ringfence " + r.Closes)
	k := r
	k.Closes, k.Comment = "", ""
	same := k.key()
	switch first, ok := p.have[same]; {
	case !ok:
		if p.have == nil {
			p.have = map[string]string{}
		}
		p.have[same] = r.Closes
		p.Rules = append(p.Rules, r)
	case first != r.Closes:
		if pair := []string{first, r.Closes}; !slices.ContainsFunc(p.Shared, func(s []string) bool { return slices.Equal(s, pair) }) {
			p.Shared = append(p.Shared, pair)
		}
	}
}

// key is all that a rule says: two rules have one key if they are equal.
func (r *Rule) key() string {
	var b []byte
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	number := func(n int) { b = binary.AppendVarint(b, int64(n)) }
	for _, s := range []string{r.Chain, r.Iif, r.Oif, r.IifKind, r.Behind, r.Proto, r.Kind, r.Closes, r.Comment} {
		text(s)
	}
	for _, list := range [][]string{r.Iifs, r.Oifs, r.NotIif, r.NotOif} {
		number(len(list))
		for _, s := range list {
			text(s)
		}
	}
	for _, list := range [][]netip.Prefix{r.Sources, r.To} {
		number(len(list))
		for _, p := range list {
			text(p.String())
		}
	}
	number(r.Port)
	for _, is := range []bool{r.Apart, r.Back, r.Direct, r.Diverted, r.Untracked, r.Accept} {
		b = strconv.AppendBool(b, is)
	}
	return string(b)
}

// about says whether two rules are about the same packets but for their sources.
func (r *Rule) about(o *Rule) bool {
	return o.Chain == r.Chain && o.Iif == r.Iif && o.Oif == r.Oif && o.Proto == r.Proto && o.Port == r.Port &&
		slices.Equal(o.NotIif, r.NotIif) && slices.Equal(o.NotOif, r.NotOif) && slices.Equal(o.To, r.To)
}
