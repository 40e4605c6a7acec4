package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// served2375 is a host on which others use a port that findings want closed to two zones.
func served2375(t *testing.T) (*snapshot.Snapshot, *finding.Report, zones.Config, string, string) {
	t.Helper()
	s := fixtures.Host()
	var own, peer string
	for i := range s.Network.Links {
		for _, text := range s.Network.Links[i].Addrs {
			if p, err := netip.ParsePrefix(text); err == nil && s.Network.Links[i].Name == "ext0" && p.Addr().Is4() {
				own, peer = p.Addr().String(), neighbour(p, s, 9).String()
			}
		}
	}
	if own == "" {
		t.Fatal("the fixture has no address on ext0")
	}
	s.Network.Flows = []snapshot.FlowUse{
		{Proto: "tcp", Peer: peer, Addr: own, Port: 2375, Connections: 3},
		{Proto: "tcp", Peer: peer, Addr: own, Port: 443, Connections: 1},
		{Proto: "udp", Peer: peer, Addr: own, Port: 2375, Connections: 1},
		{Proto: "tcp", Peer: own, Addr: peer, Port: 2375, Connections: 1},
	}
	r := &finding.Report{Results: []finding.Result{{ID: "runtime/docker-api-on-tcp", Status: finding.Fail, Findings: []finding.Finding{{
		Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.External, Proto: "tcp", Port: 2375}}},
	}}}}}
	return s, r, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.External: {Interfaces: []string{"ext0"}}}, own, peer
}

// TestFlowsInUseAreNamed: who uses what a plan closes is told, with how many connections and what keeps them; nobody else is.
func TestFlowsInUseAreNamed(t *testing.T) {
	s, r, cfg, own, peer := served2375(t)
	p := Make(r, s, cfg, Options{})
	if len(p.Ends) != 1 || p.Ends[0].Peer.String() != peer || p.Ends[0].Addr.String() != own || p.Ends[0].Connections != 3 {
		t.Fatalf("%+v", p.Ends)
	}
	text := p.Describe(func(s string, _ bool) string { return s })
	if !strings.Contains(text, "# ends: "+peer) || !strings.Contains(text, "--keep tcp/2375@"+peer) {
		t.Errorf("%s", text)
	}
}

// TestKeepsOneFlow: --keep, and --allow-from for one port, keep just that; the rest of the port is closed, and of other ports nothing opens.
func TestKeepsOneFlow(t *testing.T) {
	s, r, cfg, _, peer := served2375(t)
	flow := func(text string) []Flow {
		f, err := ParseFlow(text)
		if err != nil {
			t.Fatal(err)
		}
		return []Flow{f}
	}
	for name, o := range map[string]Options{
		"keep": {Keep: flow("tcp/2375@" + peer)}, "allow": {AllowPorts: flow("tcp/2375@" + peer)},
	} {
		p := Make(r, s, cfg, o)
		drops := slices.ContainsFunc(p.Rules, func(r Rule) bool { return !r.Accept && r.Port == 2375 && len(r.Sources) == 0 })
		passes := slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Port == 2375 && len(r.Sources) == 1 })
		if len(p.Ends) != 0 || !drops || !passes || len(p.Closes) != 1 || len(p.Closes[0].Except) != 1 {
			t.Errorf("%s: %+v %+v %s", name, p.Ends, p.Closes, p.Ruleset)
		}
	}
	for _, text := range []string{"tcp/2376@" + peer, "tcp/2375@192.0.2.1/32", "tcp/2375@workload"} {
		if p := Make(r, s, cfg, Options{AllowPorts: flow(text)}); slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && covers(r.Sources, netip.MustParseAddr(peer)) }) || len(p.Ends) != 1 {
			t.Errorf("%s: %+v %s", text, p.Ends, p.Ruleset)
		}
	}
	for _, text := range []string{"tcp/2375", "tcp/2375@external"} {
		if p := Make(r, s, cfg, Options{Keep: flow(text)}); len(p.Rules) != 0 || len(p.Manual) != 1 || p.Manual[0].Reason != dropin.ReasonAsked {
			t.Errorf("%s: %s %+v", text, p.Ruleset, p.Manual)
		}
	}
}

// TestKeepsAFlowThroughTheHost: a flow between two networks of workloads is told, and --keep keeps just that port for just that source; the rest of
// what goes from the one to the other is closed, and what the proof asks for is all but that source.
func TestKeepsAFlowThroughTheHost(t *testing.T) {
	s := fixtures.Host()
	s.Network.Links = append(slices.Clone(s.Network.Links),
		snapshot.Link{Index: 50, Name: "br-0123456789ab", Kind: "bridge", Up: true, Addrs: []string{"172.18.0.1/16"}},
		snapshot.Link{Index: 51, Name: "br-ba9876543210", Kind: "bridge", Up: true, Addrs: []string{"172.19.0.1/16"}})
	for i, dst := range []string{"172.18.0.0/16", "172.19.0.0/16"} {
		s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: dst, Oifs: []int{50 + i}})
	}
	s.Network.Flows = []snapshot.FlowUse{{Proto: "tcp", Peer: "172.18.0.2", Addr: "172.19.0.2", Port: 5432, Connections: 1}}
	r := &finding.Report{Results: []finding.Result{{ID: "firewall/forward-accepts-by-default", Status: finding.Fail, Findings: []finding.Finding{{
		Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.Workload, ToZone: zones.Workload}}},
	}}}}}
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}
	for _, mode := range []string{Targeted, DefaultDeny} {
		p := Make(r, s, cfg, Options{Mode: mode})
		if len(p.Ends) != 1 || !p.Ends[0].Through || !strings.Contains(p.Ends[0].String(), "--keep tcp/5432@172.18.0.2") {
			t.Fatalf("%s: %+v", mode, p.Ends)
		}
		keep, err := ParseFlow("tcp/5432@172.18.0.2")
		if err != nil {
			t.Fatal(err)
		}
		p = Make(r, s, cfg, Options{Mode: mode, Keep: []Flow{keep}})
		var order []string
		for _, r := range p.each() {
			if r.Chain == chainForward && r.Iif == "br-0123456789ab" && r.Oif == "br-ba9876543210" {
				order = append(order, fmt.Sprintf("%v %s %d %v", r.Accept, r.Proto, r.Port, r.Sources))
			}
		}
		if len(p.Ends) != 0 || !slices.Equal(order, []string{"true tcp 5432 [172.18.0.2/32]", "false  0 []"}) && mode == Targeted {
			t.Errorf("%s: %+v %q", mode, p.Ends, order)
		}
		asked, err := p.Closing(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range asked {
			kept := slices.Contains(c.Question.From[0].Except, netip.MustParsePrefix("172.18.0.2/32"))
			if c.Rule.Chain == chainForward && kept != (c.Question.From[0].Index == 50 && c.Question.Proto == "tcp") {
				t.Errorf("%s: %s, %s: %+v", mode, c.Rule, c.Question.Proto, c.Question.From)
			}
		}
	}
}

// TestNetworkOfPodsIsNotCutInTwo: pods of other nodes that are behind the interface of another zone keep what they have of those of this one: that is
// left to people.
func TestNetworkOfPodsIsNotCutInTwo(t *testing.T) {
	s := fixtures.Host()
	mgmt := s.Network.LinkNamed("mgmt0")
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 50, Name: "cali0123456789a", Kind: "veth", PeerNetns: 9, Up: true})
	s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.244.0.5/32", Oifs: []int{50}},
		snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.244.1.0/26", Gateway: "10.10.0.11", Protocol: 12, Oifs: []int{mgmt.Index}})
	r := &finding.Report{Results: []finding.Result{{ID: "firewall/workload-to-management", Status: finding.Fail, Findings: []finding.Finding{{
		Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.Workload, ToZone: zones.Management}}},
	}}}}}
	p := Make(r, s, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, Options{})
	if slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Iif == "cali0123456789a" }) || len(p.Closes) != 0 || len(p.Manual) != 1 || !strings.Contains(p.Manual[0].Text, "cut it in two") {
		t.Errorf("%s%+v%+v", p.Ruleset, p.Closes, p.Manual)
	}
}

// TestKeepsAZone: of a finding about two zones one keeps its access, and the plan knows that it stays open to that.
func TestKeepsAZone(t *testing.T) {
	s, r, cfg, _, _ := served2375(t)
	rem := &r.Results[0].Findings[0].Remediation
	*rem = append(*rem, finding.Remediation{Kind: "nft", Deny: &finding.Deny{Zone: zones.Management, Proto: "tcp", Port: 2375}})
	p := Make(r, s, cfg, Options{AllowPorts: []Flow{{Proto: "tcp", Port: 2375, Zone: zones.Management, Why: keptAsked}}})
	if len(p.Closes) != 1 || len(p.Closes[0].Except) == 0 || slices.ContainsFunc(p.Rules, func(r Rule) bool { return slices.Contains(r.iifs(), "mgmt0") }) {
		t.Errorf("%+v %s", p.Closes, p.Ruleset)
	}
}

// TestDefaultsAreClosedByTheBaseline: whoever asked for the baseline is not told to ask for it.
func TestDefaultsAreClosedByTheBaseline(t *testing.T) {
	s, r, cfg, _, _ := served2375(t)
	r.Results = append(r.Results, finding.Result{ID: "firewall/no-input-filter", Status: finding.Fail, Findings: []finding.Finding{{
		Fingerprint: "g", Remediation: []finding.Remediation{{Kind: "nft", Text: "load an input chain"}},
	}}})
	closes := func(p *Plan) bool {
		return slices.ContainsFunc(p.Closes, func(t Target) bool { return t.Fingerprint == "g" })
	}
	if p := Make(r, s, cfg, Options{Mode: DefaultDeny}); !closes(p) || slices.ContainsFunc(p.Manual, func(w dropin.Manual) bool { return w.Check == "firewall/no-input-filter" }) {
		t.Errorf("%+v %+v", p.Closes, p.Manual)
	}
	if p := Make(r, s, cfg, Options{}); closes(p) {
		t.Errorf("%+v", p.Closes)
	}
	r.Results[len(r.Results)-1].Findings[0].Zone = zones.Management // which it lets in
	p := Make(r, s, cfg, Options{Mode: DefaultDeny})
	if closes(p) || !slices.ContainsFunc(p.Manual, func(w dropin.Manual) bool { return w.Check == "firewall/no-input-filter" && w.Kind == "words" }) {
		t.Errorf("of the management zone: %+v %+v", p.Closes, p.Manual)
	}
}

// TestCrowdIsToldInOneLine: of a port that many use the first ones are told by name and how many connections the others have, and other flows beside them.
func TestCrowdIsToldInOneLine(t *testing.T) {
	var list []End
	peer := netip.MustParseAddr("198.18.0.1")
	for range 100 {
		list = append(list, End{Peer: peer, Proto: "tcp", Addr: netip.MustParseAddr("203.0.113.1"), Port: 443, Connections: 2})
		peer = peer.Next()
	}
	list[0].More = 7000
	list = append(list, End{Peer: peer, Proto: "tcp", Addr: netip.MustParseAddr("203.0.113.1"), Port: 5432, Connections: 1})
	lines := grouped(list)
	if len(lines) != maxPeers+2 || lines[maxPeers] != list[100].String() || !strings.HasPrefix(lines[maxPeers+1], fmt.Sprintf("others use tcp/443 of 203.0.113.1 (open connections: %d)", 7000+2*(100-maxPeers))) {
		t.Errorf("%q", lines)
	}
}

// TestFlowsThroughAreToldAsUntried: the replica copies nobody at both ends of a flow through the host; those that go on are told, others are not.
func TestFlowsThroughAreToldAsUntried(t *testing.T) {
	s, r, cfg, own, _ := served2375(t)
	p := Make(r, s, cfg, Options{})
	if got := p.untried(s); got != "" {
		t.Errorf("without a flow through the host: %s", got)
	}
	for i := range 5 {
		s.Network.Flows = append(s.Network.Flows, snapshot.FlowUse{Proto: "tcp", Peer: fmt.Sprintf("172.17.0.%d", 20+i), Addr: "198.51.100.7", Port: 5432, Connections: 1})
	}
	want := "172.17.0.20 to tcp/5432 of 198.51.100.7, 172.17.0.21 to tcp/5432 of 198.51.100.7, 172.17.0.22 to tcp/5432 of 198.51.100.7, and 2 more"
	if got := p.untried(s); got != want || strings.Contains(got, own) {
		t.Errorf("%s, want %s", got, want)
	}
	p.Ends = []End{{Peer: netip.MustParseAddr("172.17.0.20"), Proto: "tcp", Addr: netip.MustParseAddr("198.51.100.7"), Port: 5432}}
	if got := p.untried(s); !strings.HasPrefix(got, "172.17.0.21") || !strings.HasSuffix(got, "and 1 more") {
		t.Errorf("one that ends: %s", got)
	}
}
