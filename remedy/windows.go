package remedy

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp/mpssvc"
	"github.com/ringfence/ringfence/zones"
)

// WindowsPlan is what closes findings on a Windows host: block rules of its firewall, which win over all that allow. The program loads none of
// them itself.
type WindowsPlan struct {
	Rules []WindowsRule `json:"rules"` // what blocks
	// PowerShell and Netsh are two scripts that make the same rules, each with what undoes it. Netsh has no rules for one interface: Partly names
	// those that it leaves out.
	PowerShell string   `json:"powershell"`
	UndoShell  string   `json:"undoPowershell"`   // takes them out again, for PowerShell
	Netsh      string   `json:"netsh"`            // makes the rules, for netsh
	UndoNetsh  string   `json:"undoNetsh"`        // takes them out again, for netsh
	Partly     []string `json:"partly,omitempty"` // rules that netsh leaves out
	// Closed are the answers of the model that the rules change, each to unreachable, and Same those that they leave as they are.
	Closed int `json:"closed"`
	Same   int `json:"same"` // answers that stay as they are
}

// WindowsRule blocks what comes in for a port.
type WindowsRule struct {
	// ID is what the rule is called in the registry, which no other rule is.
	ID     string `json:"id"`
	Name   string `json:"name"`            // that people see
	Closes string `json:"closes"`          // the check
	Zone   string `json:"zone"`            // that it keeps out
	Proto  string `json:"proto"`           // of the packets
	Port   int    `json:"port"`            // that they go to
	Local  string `json:"local,omitempty"` // address of the host, "" for all of them
	// Remote are ranges of addresses of one family; Interface is the adapter that it is for, "" for all of them.
	Remote    []string `json:"remote"`
	Interface string   `json:"interface,omitempty"` // the adapter
	// Text is the rule as the registry will have it.
	Text string `json:"text"`

	guid string
	luid uint64
	v4   bool
}

// group is the group of our rules, by which they are found again.
const group = "ringfence"

// administering are the checks about servers by which a Windows host is administered from afar.
var administering = []string{"windows/winrm-reachable", "windows/rdp-reachable", "windows/ssh-reachable"}

// makeWindows plans for a Windows host, and counts the answers that the plan leaves as they are if it is to be shown.
func makeWindows(r *finding.Report, s *snapshot.Snapshot, cfg zones.Config, opt Options, shown bool) *Plan {
	p := &Plan{
		Schema: "ringfence.plan/v1", Mode: Targeted, Rules: []Rule{}, Closes: []Target{}, Manual: []dropin.Manual{}, Files: []dropin.File{}, Keeps: []Flow{},
		Warnings: []string{}, Disruption: "none", Zones: cfg, Open: r.Open(), Windows: &WindowsPlan{Rules: []WindowsRule{}},
	}
	m := zones.Classify(s, cfg)
	asker := exposure.NewWindows(s)
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		for j := range res.Findings {
			p.closeOnWindows(asker, res.ID, &res.Findings[j], s, m, opt)
		}
	}
	p.Windows.write()
	if shown {
		p.Windows.count(asker, s, m)
	}
	if len(p.Windows.Rules) > 0 {
		p.Disruption = "connections that are open and match a rule end when Windows asks its filters again"
		p.localRules(s)
	}
	return p
}

// localRules warns where a policy makes that rules of the host count for nothing.
func (p *Plan) localRules(s *snapshot.Snapshot) {
	for _, x := range mpssvc.EffectiveSettings(&s.Windows.Firewall) {
		switch {
		case !x.Merge:
			p.Warnings = append(p.Warnings, fmt.Sprintf("on the %s profile rules of the host count for nothing (AllowLocalPolicyMerge is 0): make them in the policy instead", x.Profile))
		case x.NoUserPorts:
			p.Warnings = append(p.Warnings, fmt.Sprintf("on the %s profile rules of the host for ports may count for nothing (AllowUserPrefMerge of GloballyOpenPorts is 0): make them in the policy instead", x.Profile))
		}
	}
}

// closeOnWindows adds the rules for a finding, if the model says that they close it and nothing else.
func (p *Plan) closeOnWindows(asker *exposure.Windows, id string, f *finding.Finding, s *snapshot.Snapshot, m *zones.Map, opt Options) {
	manual := func(kind, text string) {
		p.Manual = append(p.Manual, dropin.Manual{Check: id, What: f.Message, Kind: kind, Text: text, Resource: f.Resource.Path})
	}
	whole := true
	target := Target{Check: id, Fingerprint: f.Fingerprint, What: f.Message, Severity: f.Severity, Except: opt.AllowFrom}
	for i := range f.Remediation {
		rem := &f.Remediation[i]
		if rem.Kind != "winfw" || rem.Deny == nil {
			manual(rem.Kind, rem.Text)
			continue
		}
		if slices.Contains(administering, id) && rem.Deny.Zone == zones.External && len(opt.AllowFrom) == 0 && !m.Entered() {
			manual("words", "no management zone is configured: closing the port could lock everybody out; say who keeps access with --allow-from")
			whole = false
			continue
		}
		rules := blocks(id, rem.Deny, s, m, opt.AllowFrom)
		if why := proven(asker, s, m, rem.Deny, rules, opt.AllowFrom); why != "" {
			manual("words", "no rule is proposed: "+why)
			whole = false
			continue
		}
		p.Windows.Rules = append(p.Windows.Rules, rules...)
		target.Denies = append(target.Denies, *rem.Deny)
	}
	if whole && len(target.Denies) > 0 {
		p.Closes = append(p.Closes, target)
	}
}

// blocks are the rules of a denial, one for each origin and family.
func blocks(id string, d *finding.Deny, s *snapshot.Snapshot, m *zones.Map, keep []netip.Prefix) (list []WindowsRule) {
	for i := range m.Origins {
		o := &m.Origins[i]
		if o.Local || o.Zone != d.Zone {
			continue
		}
		whole := o.Whole()
		for _, v4 := range []bool{true, false} {
			from := exposure.Sources(&whole, v4, append(slices.Clone(keep), loopback...))
			if len(from) == 0 || d.Family == 4 && !v4 || d.Family == 6 && v4 {
				continue
			}
			r := WindowsRule{Closes: id, Zone: d.Zone, Proto: d.Proto, Port: d.Port, Local: d.Addr, Remote: from, v4: v4}
			if alike(m, o, v4) && o.Index > 0 {
				a := &s.Windows.Adapters.List[o.Index-1]
				r.Interface, r.guid, r.luid = a.Name, a.GUID, a.LUID
			}
			r.Name = fmt.Sprintf("ringfence: %s %d from %s (%s)", d.Proto, d.Port, plainName(cmp.Or(o.Interface, d.Zone)), map[bool]string{true: "IPv4", false: "IPv6"}[v4])
			r.Text = r.text()
			r.ID = fmt.Sprintf("%s-%.8x", group, sha256.Sum256([]byte(r.Text)))
			list = append(list, r)
		}
	}
	return list
}

// loopback is never filtered, and of no rule.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// alike says of an origin that others have addresses of it too, so that they are told apart by the interface alone.
func alike(m *zones.Map, o *zones.Origin, v4 bool) bool {
	own := o.Whole()
	return slices.ContainsFunc(m.Origins, func(x zones.Origin) bool {
		other := x.Whole()
		return !x.Local && x.Index != o.Index && exposure.Overlap(&other, &own, v4)
	})
}

// protocols of IP by name.
var windowsProtocols = map[string]int{"tcp": 6, "udp": 17}

// text is the rule in the grammar of the registry (MS-GPFAS 2.2.2.19).
func (r *WindowsRule) text() string {
	var t strings.Builder
	fmt.Fprintf(&t, "v2.10|Action=Block|Active=TRUE|Dir=In|Protocol=%d|LPort=%d|", windowsProtocols[r.Proto], r.Port)
	local, remote := "LA6", "RA6"
	if r.v4 {
		local, remote = "LA4", "RA4"
	}
	if r.Local != "" {
		t.WriteString(local + "=" + r.Local + "|")
	}
	for _, a := range r.Remote {
		t.WriteString(remote + "=" + a + "|")
	}
	if r.guid != "" {
		t.WriteString("IF=" + r.guid + "|")
	}
	return t.String() + "Name=" + r.Name + "|EmbedCtxt=" + group + "|"
}

// proven asks the model: what the denial is about is unreachable with the rules, and every other answer is as it was. The rules name a protocol and a
// port, so that no answer about another one can change.
func proven(asker *exposure.Windows, s *snapshot.Snapshot, m *zones.Map, d *finding.Deny, rules []WindowsRule, keep []netip.Prefix) (why string) {
	if len(rules) == 0 {
		return "nothing comes from that zone that a rule could name"
	}
	for i := range rules {
		if rules[i].Interface != "" && (rules[i].guid == "" || rules[i].luid == 0 && s.Windows.Filters.Read.State == snapshot.Present) {
			return "it is for the interface " + rules[i].Interface + " alone, whose GUID and LUID were not read (Get-NetAdapter)"
		}
	}
	if why := idle(&s.Windows, rules); why != "" {
		return why
	}
	var about []int
	for i := range s.Windows.Listeners.List {
		if l := &s.Windows.Listeners.List[i]; l.Proto == d.Proto && l.Port == d.Port {
			about = append(about, i)
		}
	}
	origins := inParts(m, d.Zone, keep)
	before, after := answersOf(asker, origins, about), answersOf(exposure.NewWindows(with(s, rules)), origins, about)
	for k, b := range before {
		a := after[k]
		l := &s.Windows.Listeners.List[k.listener]
		o := &origins[k.origin]
		meant := o.Zone == d.Zone && !o.Local && !o.kept && (d.Family == 0 || d.Family == l.Family) && (d.Addr == "" || d.Addr == l.Addr)
		switch {
		case meant && a != packet.Unreachable:
			return fmt.Sprintf("by the model %s %d stays %s from %s with the rule", l.Proto, l.Port, a, cmp.Or(o.Interface, o.Zone))
		case !meant && a != b:
			return fmt.Sprintf("by the model it would change who reaches %s %s port %d from %s", l.Proto, l.Addr, l.Port, cmp.Or(o.Interface, o.Zone))
		}
	}
	return ""
}

// count counts the answers about all listeners that the rules change, and those that they do not.
func (w *WindowsPlan) count(asker *exposure.Windows, s *snapshot.Snapshot, m *zones.Map) {
	if len(w.Rules) == 0 {
		return
	}
	all := make([]int, len(s.Windows.Listeners.List))
	for i := range all {
		all[i] = i
	}
	origins := inParts(m, "", nil)
	before, after := answersOf(asker, origins, all), answersOf(exposure.NewWindows(with(s, w.Rules)), origins, all)
	for k, b := range before {
		if b == after[k] {
			w.Same++
		} else {
			w.Closed++
		}
	}
}

// partOrigin is an origin, or the part of one that keeps its access.
type partOrigin struct {
	zones.Origin
	kept bool
}

// inParts are the origins of a host, those of a zone in two where some of it keeps access.
func inParts(m *zones.Map, zone string, keep []netip.Prefix) (list []partOrigin) {
	for i := range m.Origins {
		o := m.Origins[i]
		if o.Zone != zone || o.Local || len(keep) == 0 {
			list = append(list, partOrigin{Origin: o})
			continue
		}
		rest, kept := o, o
		kept.Maybe = nil
		rest.Except = append(slices.Clone(o.Except), keep...)
		if kept.From = exposure.Intersect(o.From, keep); len(kept.From) > 0 {
			list = append(list, partOrigin{Origin: kept, kept: true})
		}
		list = append(list, partOrigin{Origin: rest})
	}
	return list
}

// answerKey is a question: a listener, an origin and a family, by their places.
type answerKey struct {
	listener, origin int
	v4               bool
}

func answersOf(asker *exposure.Windows, origins []partOrigin, about []int) map[answerKey]packet.Verdict {
	plain := make([]zones.Origin, len(origins))
	for i := range origins {
		plain[i] = origins[i].Origin
	}
	out := map[answerKey]packet.Verdict{}
	for i, list := range asker.Listeners(about, plain) {
		for _, a := range list {
			out[answerKey{i, a.Origin, a.V4}] = a.Verdict
		}
	}
	return out
}

// with is the snapshot with rules: in the local store, and as the filters that the firewall makes of block rules where those of the engine
// were read.
func with(s *snapshot.Snapshot, rules []WindowsRule) *snapshot.Snapshot {
	v := *s
	v.Windows.Firewall.Stores = slices.Clone(s.Windows.Firewall.Stores)
	for i := range v.Windows.Firewall.Stores {
		st := &v.Windows.Firewall.Stores[i]
		if st.Store != snapshot.StoreLocal {
			continue
		}
		st.Rules = slices.Clone(st.Rules)
		for j := range rules {
			st.Rules = append(st.Rules, snapshot.FirewallRule{ID: fmt.Sprintf("ringfence-%d", j), Text: rules[j].Text})
		}
	}
	if s.Windows.Filters.Read.State == snapshot.Present {
		v.Windows.Filters.Filters = slices.Clone(s.Windows.Filters.Filters)
		in := map[bool][]uint64{true: taking(&s.Windows, true), false: taking(&s.Windows, false)}
		for j := range rules {
			if f, ok := rules[j].filter(uint64(j), in[rules[j].v4]); ok {
				v.Windows.Filters.Filters = append(v.Windows.Filters.Filters, f)
			}
		}
	}
	return &v
}

// blockClass is the class of block rules among the filters of the firewall: above rules that allow, below what permits loopback.
const blockClass = 0xa000000000000000

// everyProfile is how many profiles there are: a rule that counts in all of them asks for none.
const everyProfile = 3

// filter is the filter that the firewall makes of the rule for some profiles. It reports false of none.
func (r *WindowsRule) filter(n uint64, profiles []uint64) (snapshot.WFPFilter, bool) {
	number := func(field, typ string, v uint64) snapshot.WFPCondition {
		return snapshot.WFPCondition{Field: "FWPM_CONDITION_" + field, Match: "FWP_MATCH_EQUAL", Type: typ, Kind: snapshot.WFPNumber, Low: v, High: v}
	}
	f := snapshot.WFPFilter{
		ID: 1<<62 + n, Name: r.Name, Provider: "FWPM_PROVIDER_MPSSVC_WF", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6", Sublayer: firewallSublayer,
		EffectiveWeight: blockClass, Action: "FWP_ACTION_BLOCK",
		Conditions: []snapshot.WFPCondition{
			number("IP_PROTOCOL", "FWP_UINT8", uint64(windowsProtocols[r.Proto])), number("IP_LOCAL_PORT", "FWP_UINT16", uint64(r.Port)),
		},
	}
	if r.v4 {
		f.Layer = "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
	}
	address := func(field, first, last string) {
		f.Conditions = append(f.Conditions, snapshot.WFPCondition{
			Field: "FWPM_CONDITION_" + field, Match: "FWP_MATCH_RANGE", Type: "FWP_UINT32", Kind: snapshot.WFPAddress, First: first, Last: last,
		})
	}
	if r.Local != "" {
		address("IP_LOCAL_ADDRESS", r.Local, r.Local)
	}
	for _, span := range r.Remote {
		first, last, ok := strings.Cut(span, "-")
		if !ok {
			last = first
		}
		address("IP_REMOTE_ADDRESS", first, last)
	}
	if r.luid != 0 && r.Interface != "" {
		f.Conditions = append(f.Conditions, number("IP_ARRIVAL_INTERFACE", "FWP_UINT64", r.luid))
	}
	if len(profiles) < everyProfile {
		for _, p := range profiles {
			f.Conditions = append(f.Conditions, number("ORIGINAL_PROFILE_ID", "FWP_UINT32", p))
		}
	}
	return f, len(profiles) > 0
}
