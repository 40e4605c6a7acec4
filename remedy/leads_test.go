package remedy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// lookup100 is a rule that leads to table 100.
func lookup100(change func(*snapshot.PolicyRule)) snapshot.PolicyRule {
	r := snapshot.PolicyRule{Family: 4, Priority: 50, Table: 100, Action: "lookup"}
	change(&r)
	return r
}

// TestLeads: routes are looked for as the rules say; what a rule asks for that is not known of a flow is taken both ways.
func TestLeads(t *testing.T) {
	const ext, mgmt = 3, 2
	for name, c := range map[string]struct {
		rule     snapshot.PolicyRule
		from, to string
		iif      string
		want     []string
	}{
		"the main table":              {lookup100(func(r *snapshot.PolicyRule) { r.Src = "10.10.0.1/32" }), "203.0.113.1", "198.51.100.7", "", []string{"ext0"}},
		"by its source":               {lookup100(func(r *snapshot.PolicyRule) { r.Src = "10.10.0.1/32" }), "10.10.0.1", "198.51.100.7", "", []string{"mgmt0"}},
		"but for a destination":       {lookup100(func(r *snapshot.PolicyRule) { r.Dst, r.Invert = "198.51.100.0/24", true }), "203.0.113.1", "198.51.100.7", "", []string{"ext0"}},
		"of what comes in":            {lookup100(func(r *snapshot.PolicyRule) { r.Iif = "docker0" }), "172.17.0.2", "198.51.100.7", "docker0", []string{"mgmt0"}},
		"of what comes in elsewhere":  {lookup100(func(r *snapshot.PolicyRule) { r.Iif = "docker0" }), "203.0.113.1", "198.51.100.7", "", []string{"ext0"}},
		"by a mark":                   {lookup100(func(r *snapshot.PolicyRule) { r.Mark = 1 }), "203.0.113.1", "198.51.100.7", "", []string{"mgmt0", "ext0"}},
		"by a user":                   {lookup100(func(r *snapshot.PolicyRule) { r.UIDs = &snapshot.UIDRange{First: 1000, Last: 1999} }), "203.0.113.1", "198.51.100.7", "", []string{"mgmt0", "ext0"}},
		"without its default route":   {lookup100(func(r *snapshot.PolicyRule) { r.SuppressBits = 1 }), "203.0.113.1", "198.51.100.7", "", []string{"ext0"}},
		"to nowhere":                  {lookup100(func(r *snapshot.PolicyRule) { r.Action = "blackhole" }), "203.0.113.1", "198.51.100.7", "", nil},
		"a rule that does nothing":    {lookup100(func(r *snapshot.PolicyRule) { r.Action = "nop" }), "203.0.113.1", "198.51.100.7", "", []string{"ext0"}},
		"a table without such routes": {lookup100(func(r *snapshot.PolicyRule) { r.Table = 101 }), "203.0.113.1", "198.51.100.7", "", []string{"ext0"}},
	} {
		s := fixtures.Host()
		s.Network.Rules = append(slices.Clone(s.Network.Rules), c.rule)
		s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Table: 100, Type: "unicast", Dst: "0.0.0.0/0", Oifs: []int{mgmt}})
		if got := leads(s, netip.MustParseAddr(c.from), netip.MustParseAddr(c.to), c.iif); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	s := fixtures.Host()
	s.Network.Routes[0].Oifs = []int{ext, mgmt}
	if got := leads(s, netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("198.51.100.7"), ""); len(got) != 2 {
		t.Errorf("several next hops: %q", got)
	}
}

// TestFlowsThatRoutesHide: a flow that a plan ends is told wherever its packets come from and end: by a table that only rules lead to, at addresses that
// routes alone make the host's, at a socket that it is diverted to, and out again by the interface that it came in by.
func TestFlowsThatRoutesHide(t *testing.T) {
	s, r, cfg, own, peer := served2375(t)
	away := "198.51.100.7"
	table := func(s *snapshot.Snapshot) {
		s.Network.Rules = append(slices.Clone(s.Network.Rules), lookup100(func(r *snapshot.PolicyRule) { r.Src = own + "/32" }))
		s.Network.Routes = slices.Clone(s.Network.Routes)
		s.Network.Routes[0].Table = 100
	}
	for name, c := range map[string]struct {
		change        func(*snapshot.Snapshot)
		flow          snapshot.FlowUse
		targeted, all bool
	}{
		"by another table":      {table, snapshot.FlowUse{Proto: "tcp", Peer: away, Addr: own, Port: 2375}, true, true},
		"another port":          {table, snapshot.FlowUse{Proto: "tcp", Peer: away, Addr: own, Port: 443}, false, true},
		"a prefix of the host":  {anyIP, snapshot.FlowUse{Proto: "tcp", Peer: peer, Addr: "192.0.2.5", Port: 2375}, true, true},
		"diverted":              {nil, snapshot.FlowUse{Proto: "tcp", Peer: away, Addr: "192.0.2.5", Port: 80, Here: true}, false, true},
		"diverted, a workload":  {nil, snapshot.FlowUse{Proto: "tcp", Peer: "172.17.0.2", Addr: "192.0.2.5", Port: 80, Here: true}, false, true},
		"of a workload":         {nil, snapshot.FlowUse{Proto: "tcp", Peer: "172.17.0.2", Addr: "192.0.2.5", Port: 80}, false, false},
		"by one interface":      {nil, snapshot.FlowUse{Proto: "tcp", Peer: peer, Addr: away, Port: 443, Tracked: true}, false, true},
		"not seen by the host":  {nil, snapshot.FlowUse{Proto: "tcp", Peer: peer, Addr: away, Port: 443}, false, false},
		"from a link-local one": {nil, snapshot.FlowUse{Proto: "tcp", Peer: "fe80::77", Addr: "fe80::f01e:bff:fe47:e3a7", Port: 2375}, true, true},
	} {
		for mode, want := range map[string]bool{Targeted: c.targeted, DefaultDeny: c.all} {
			h := *s
			h.Network.Flows = []snapshot.FlowUse{c.flow}
			if c.change != nil {
				c.change(&h)
			}
			if p := Make(r, &h, cfg, Options{Mode: mode}); len(p.Ends) > 0 != want || p.Mode != mode {
				t.Errorf("%s, %s: told %+v, want %v\n%s", name, p.Mode, p.Ends, want, p.Ruleset)
			}
		}
	}
}

// anyIP makes a prefix the host's own.
func anyIP(s *snapshot.Snapshot) {
	s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Table: 255, Type: "local", Dst: "192.0.2.0/24", Oifs: []int{1}})
}

// TestBaselineTellsWhatItDoesNotRoute: whoever has the host for a router can be idle; that he is cut off is said. Of a host that does not forward, and of
// what is let pass, nothing is.
func TestBaselineTellsWhatItDoesNotRoute(t *testing.T) {
	routes := func(s *snapshot.Snapshot, cfg zones.Config) string {
		for _, w := range Make(&finding.Report{}, s, cfg, Options{Mode: DefaultDeny}).Warnings {
			if strings.Contains(w, "what the host routes") {
				return w
			}
		}
		return ""
	}
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.External: {Interfaces: []string{"ext0"}}}
	if w := routes(fixtures.Host(), cfg); !strings.Contains(w, "mgmt0 to ext0") || strings.Contains(w, "ext0 to docker0") || strings.Contains(w, "docker0 to") {
		t.Errorf("%q", w)
	}
	s := fixtures.Host()
	for key := range s.Network.Sysctls {
		if strings.HasSuffix(key, "/forwarding") {
			s.Network.Sysctls[key] = snapshot.Fact{State: snapshot.Present, Value: "0"}
		}
	}
	if w := routes(s, cfg); w != "" {
		t.Errorf("a host that does not forward: %q", w)
	}
	if w := routes(fixtures.Host(), zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}, zones.External: {Interfaces: []string{"ext0"}}}); strings.Contains(w, "from docker0") {
		t.Errorf("%q", w)
	}
}

// TestBaselineTellsWhoResolvesNames: workloads that could no longer ask the name servers of the host are told of, with what keeps it; no others are.
func TestBaselineTellsWhoResolvesNames(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}, zones.External: {Interfaces: []string{"ext0"}}}
	keep, err := ParseFlow("udp/53@172.17.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	r := &finding.Report{Results: []finding.Result{{ID: "firewall/workload-to-management", Status: finding.Fail, Findings: []finding.Finding{{
		Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.Workload, ToZone: zones.Management}}},
	}}}}}
	for name, c := range map[string]struct {
		server string
		report *finding.Report
		opt    Options
		told   bool
	}{
		"in the management zone":                {"10.10.0.9", r, Options{}, true},
		"kept":                                  {"10.10.0.9", r, Options{Keep: []Flow{keep}}, false},
		"outside":                               {"203.0.113.9", r, Options{}, false},
		"the host itself":                       {"172.17.0.1", r, Options{}, false},
		"nothing is closed":                     {"10.10.0.9", &finding.Report{}, Options{}, false},
		"in the management zone, by a baseline": {"10.10.0.9", &finding.Report{}, Options{Mode: DefaultDeny}, true},
	} {
		s := fixtures.Host()
		s.Network.Resolvers = []string{c.server}
		told := slices.ContainsFunc(Make(c.report, s, cfg, c.opt).Warnings, func(w string) bool {
			return strings.Contains(w, "name servers") && strings.Contains(w, "docker0") && strings.Contains(w, "--keep udp/53@172.17.0.0/16")
		})
		if told != c.told {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

// TestBaselineIsNotForVRFs: what comes in by an interface of a VRF has another name in the rules of the host; a baseline that goes by its own would
// let nobody in.
func TestBaselineIsNotForVRFs(t *testing.T) {
	s := fixtures.Host()
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 60, Name: "vrf-mgmt", Kind: "vrf", Up: true})
	s.Network.LinkNamed("mgmt0").Master = 60
	p := Make(&finding.Report{}, s, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, Options{Mode: DefaultDeny})
	if p.Mode != Targeted || len(p.Rules) != 0 || len(p.Manual) != 1 || !strings.Contains(p.Manual[0].Text, "VRF vrf-mgmt") {
		t.Errorf("%s: %+v\n%s", p.Mode, p.Manual, p.Ruleset)
	}
}
