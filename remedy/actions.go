package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// The commands that close findings. NETWORK is for a person to replace.
const (
	commandFix     = "ringfence audit --fix"
	commandPlan    = "ringfence fix plan" // of a Windows host
	commandDefault = "ringfence fix apply --mode default-deny"
	commandFiles   = "ringfence fix apply --layer service"
	withNetwork    = " --allow-from NETWORK"
)

// someNetwork stands for the network of administrators where only the plan that would be made is asked about (RFC 5737).
var someNetwork = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}

// adder adds an action by what it closes, and what it ends in part.
type adder func(command, text string, closes, shares []string)

// Actions are what to do about the findings of a report, the most urgent first. A command is one whose plan closes what is said of it: the
// plans are made here. What no plan closes is to be done by hand.
func Actions(r *finding.Report, s *snapshot.Snapshot, cfg zones.Config) []finding.Action {
	open := r.Counting()
	sudo := ""
	if s.Host.Self.UID != 0 && !s.OnWindows() {
		sudo = "sudo "
	}
	var list []finding.Action
	taken := map[string]bool{}
	add := func(command, text string, closes, shares []string) {
		a := finding.Action{Text: text, Severity: "info", Closes: []string{}}
		if strings.HasPrefix(command, "ringfence ") {
			a.Command = sudo + command
		} else {
			a.Command = command
		}
		for _, id := range closes {
			if f := open[id]; f != nil && !taken[id] {
				taken[id] = true
				a.Closes = append(a.Closes, id)
				if finding.Rank(f.Severity) < finding.Rank(a.Severity) {
					a.Severity = f.Severity
				}
			}
		}
		for _, id := range shares {
			a.Shares = append(a.Shares, id)
			if finding.Rank(open[id].Severity) < finding.Rank(a.Severity) {
				a.Severity = open[id].Severity
			}
		}
		if len(a.Closes)+len(a.Shares) > 0 {
			list = append(list, a)
		}
	}
	if len(open) == 0 {
		return list
	}
	if s.OnWindows() {
		plan := makeWindows(r, s, cfg, Options{}, false)
		add(commandPlan, "the commands that make block rules for what is open", plan.targets(), nil)
		if slices.ContainsFunc(left(r, taken), func(f *finding.Finding) bool { return f.Remediation[0].Deny != nil }) {
			add(commandPlan+withNetwork, "the commands that make block rules for what is open, but NETWORK keeps its access", makeWindows(r, s, cfg, Options{AllowFrom: someNetwork}, false).targets(), nil)
		}
		byHand(r, new(Plan), taken, add)
		return finding.Ordered(list, open)
	}
	plan := Make(r, s, cfg, Options{})
	inside := withinHost{counts: open, taken: taken}
	add(commandFix, "load rules that drop what is open", plan.targets(), inside.left(plan))
	add(commandFiles, "put files of services in place", plan.byFiles(r), nil)
	if slices.ContainsFunc(left(r, taken), func(f *finding.Finding) bool { return f.Remediation[0].Deny != nil }) {
		named := Make(r, s, cfg, Options{AllowFrom: someNetwork})
		add(commandFix+withNetwork, "load rules that drop what is open, but NETWORK keeps its access", named.targets(), inside.left(named))
	}
	if len(inside.closes) > 0 {
		add("", "give what runs in the network namespace of the host one of its own, since no rule keeps it out: "+inside.who, nil, inside.closes)
	}
	if slices.ContainsFunc(left(r, taken), func(f *finding.Finding) bool { return f.Remediation[0].Kind == "nft" }) {
		defaultDeny(r, s, cfg, add)
	}
	byHand(r, plan, taken, add)
	return finding.Ordered(list, open)
}

// defaultDeny adds the baseline. Where nobody is known to come in, a network of administrators is named; where nobody is logged in either, who logs in
// by which port: without them there is no baseline.
func defaultDeny(r *finding.Report, s *snapshot.Snapshot, cfg zones.Config, add adder) {
	const text = "let in only what is known"
	if zones.Classify(s, cfg).Entered() {
		add(commandDefault, text, Make(r, s, cfg, Options{Mode: DefaultDeny}).targets(), nil)
		return
	}
	if p := Make(r, s, cfg, Options{Mode: DefaultDeny, AllowFrom: someNetwork}); p.Mode == DefaultDeny {
		add(commandDefault+withNetwork, text, p.targets(), nil)
		return
	}
	opt, command, ports := Options{Mode: DefaultDeny}, commandDefault, []int{}
	for i := range s.Listeners.Sockets {
		if k := &s.Listeners.Sockets[i]; servesSSH(s, k) && !slices.Contains(ports, k.Port) {
			ports = append(ports, k.Port)
		}
	}
	slices.Sort(ports)
	for _, port := range ports {
		opt.Keep = append(opt.Keep, Flow{Proto: "tcp", Port: port, Source: someNetwork[0], Why: keptAsked})
		command += fmt.Sprintf(" --keep tcp/%d@NETWORK", port)
	}
	if p := Make(r, s, cfg, opt); p.Mode == DefaultDeny {
		add(command, text, p.targets(), nil)
	}
}

// targets are the fingerprints of what the rules close to everybody, and whole.
func (p *Plan) targets() (list []string) {
	for i := range p.Closes {
		if p.Closes[i].Local == "" && len(p.Closes[i].Rest) == 0 {
			list = append(list, p.Closes[i].Fingerprint)
		}
	}
	return list
}

// withinHost collects what rules close to all but the workloads in the host's own network namespace: it ends with them.
type withinHost struct {
	counts map[string]*finding.Finding
	taken  map[string]bool
	closes []string // fingerprints
	who    string   // some of these workloads
}

// left are the fingerprints of what a plan leaves to them. They are taken then.
func (b *withinHost) left(p *Plan) (list []string) {
	for i := range p.Closes {
		t := &p.Closes[i]
		f := b.counts[t.Fingerprint]
		if t.Local == "" || len(t.Rest) > 0 || f == nil || b.taken[t.Fingerprint] || f.Remediation[0].Deny == nil { // what closes it whole is first
			continue
		}
		b.taken[t.Fingerprint] = true
		list = append(list, t.Fingerprint)
		b.who = someNames(t.Local)
	}
	b.closes = append(b.closes, list...)
	return list
}

// someNames are names of workloads that a zone gives as its reason: "runs there: a (why), b (why)".
func someNames(reason string) string {
	_, list, _ := strings.Cut(reason, ": ")
	var names []string
	for part := range strings.SplitSeq(list, "), ") {
		name, _, _ := strings.Cut(part, " (")
		names = append(names, name)
	}
	if n := len(names) - maxOthers; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxOthers], ", "), n)
	}
	return strings.Join(names, ", ")
}

// byFiles are the fingerprints of what files close that the program puts in place.
func (p *Plan) byFiles(r *finding.Report) (list []string) {
	var checks []string
	for i := range p.Files {
		if p.Files[i].ByHand == "" {
			checks = append(checks, p.Files[i].Closes...)
		}
	}
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail || !slices.Contains(checks, res.ID) {
			continue
		}
		for j := range res.Findings {
			f := &res.Findings[j]
			hand := false
			for k := range p.Manual {
				hand = hand || p.Manual[k].Check == res.ID && p.Manual[k].What == f.Message
			}
			if !hand {
				list = append(list, f.Fingerprint)
			}
		}
	}
	return list
}

// left are the findings with a remediation that nothing closes yet.
func left(r *finding.Report, taken map[string]bool) (list []*finding.Finding) {
	for i := range r.Results {
		if r.Results[i].Status != finding.Fail {
			continue
		}
		for j := range r.Results[i].Findings {
			if f := &r.Results[i].Findings[j]; !taken[f.Fingerprint] && len(f.Remediation) > 0 && !f.Waiver.Holds() {
				list = append(list, f)
			}
		}
	}
	return list
}
