package remedy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestLaterNetworks: a denial to workloads is one to the networks that Docker makes later too, with who keeps access; other bridges of such names that are
// there are left alone, and the port of an SSH server is left to all that begins later.
func TestLaterNetworks(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}, zones.External: {Interfaces: []string{"br-lan"}}}
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 91, Name: "br-lan", Kind: "bridge", Up: true, Addrs: []string{"192.168.9.1/24"}})
	s.Listeners.Sockets = append(slices.Clone(s.Listeners.Sockets), snapshot.Socket{Proto: "tcp", Addr: "::", Port: 22, Family: 6})
	make := func(d finding.Deny) *Plan {
		report := &finding.Report{Results: []finding.Result{{ID: "c", Status: finding.Fail, Findings: []finding.Finding{{
			Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &d}},
		}}}}}
		return Make(report, s, cfg, Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("172.17.0.9/32")}})
	}
	p := make(finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 2375})
	for _, line := range []string{
		`iifname "br-*" meta iifkind "bridge" iifname != "br-lan" ip saddr 172.17.0.9/32 tcp dport 2375 fib daddr type != unicast accept`,
		`iifname "br-*" meta iifkind "bridge" iifname != "br-lan" tcp dport 2375 fib daddr type != unicast ct direction original counter drop`,
	} {
		if !strings.Contains(p.Ruleset, line) {
			t.Errorf("it has no %s:\n%s", line, p.Ruleset)
		}
	}
	proof := &Proof{plan: p, before: Without(s), tables: loadedTables(p)}
	if err := proof.closesLater(t.Context(), s); err != nil || !slices.ContainsFunc(proof.Evidence, func(e string) bool { return strings.Contains(e, "begin later") }) {
		t.Errorf("%v, %q", err, proof.Evidence)
	}
	if err := proof.onlyIntended(t.Context(), s); err != nil {
		t.Error(err)
	}
	i := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.ofLater() != nil && !r.Accept })
	p.Rules[i].IifKind = "veth" // what is loaded is for bridges still
	p.Rules[i].Iif = "veth*"
	if err := proof.closesLater(t.Context(), s); err == nil {
		t.Error("what nothing drops is closed")
	}
	if p := make(finding.Deny{Zone: zones.Workload, ToZone: zones.Management}); !strings.Contains(p.Ruleset, `iifname "br-*" meta iifkind "bridge" iifname != "br-lan" oifname "mgmt0"`) {
		t.Errorf("on to another zone:\n%s", p.Ruleset)
	}
	if p := make(finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 22}); len(p.Rules) == 0 || strings.Contains(p.Ruleset, "br-*") {
		t.Errorf("SSH:\n%s", p.Ruleset)
	}
	for i := range s.Network.Links { // nobody names a bridge so but libvirt
		if s.Network.Links[i].Name == "docker0" {
			s.Network.Links[i].Name = "virbr0"
		}
	}
	cfg[zones.Workload] = zones.Zone{Interfaces: []string{"virbr0"}}
	if p := make(finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 22}); !strings.Contains(p.Ruleset, `iifname "virbr*" meta iifkind "bridge" tcp dport 22`) {
		t.Errorf("SSH from libvirt's:\n%s", p.Ruleset)
	}
	if p := make(finding.Deny{Zone: zones.External, Proto: "tcp", Port: 2375}); len(p.Rules) == 0 || strings.Contains(p.Ruleset, "br-*") {
		t.Errorf("another zone:\n%s", p.Ruleset)
	}
}

// TestLaterSaysWhatStaysOpen: a plan that covers networks that begin later names what of them it leaves open: SSH, which others that are named so come in
// by, and ways into them.
func TestLaterSaysWhatStaysOpen(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}}
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Listeners.Sockets = append(slices.Clone(s.Listeners.Sockets), snapshot.Socket{Proto: "tcp", Addr: "::", Port: 22, Family: 6})
	docker := finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 2375}
	for name, c := range map[string]struct {
		more finding.Deny
		want string
	}{
		"a port":       {docker, ""},
		"SSH":          {finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 22}, "(br-*), to or of which stays open tcp/22 from br-* "},
		"ways into it": {finding.Deny{Zone: zones.External, ToZone: zones.Workload}, "(br-*), to or of which stays open what goes on to br-* "},
	} {
		report := &finding.Report{Results: []finding.Result{{ID: "c", Status: finding.Fail, Findings: []finding.Finding{{
			Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &docker}, {Kind: "nft", Deny: &c.more}},
		}}}}}
		got := Make(report, s, cfg, Options{}).ByName
		if !strings.Contains(got, "(br-*)") || c.want != "" && !strings.Contains(got, c.want) || c.want == "" && strings.Contains(got, "stays open") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestLaterPodsBesidePorts: pairs that are ports of a bridge are not what a rule about pairs of pods is about, and are not named by it.
func TestLaterPodsBesidePorts(t *testing.T) {
	s := fixtures.Host()
	bridge := s.Network.LinkNamed("docker0").Index
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 91, Name: "veth91", Kind: "veth", Up: true, Master: bridge},
		snapshot.Link{Index: 92, Name: "veth92", Kind: "veth", Up: true}, snapshot.Link{Index: 93, Name: "veth93", Kind: "veth", Up: true})
	i := slices.IndexFunc(laters, func(k later) bool { return k.prefix == "veth" })
	if got := laters[i].but(s, map[string]bool{"veth92": true}, ""); slices.Contains(got, "veth91") || slices.Contains(got, "veth92") || !slices.Contains(got, "veth93") {
		t.Errorf("%q", got)
	}
}

// TestLaterBridgeOfAnotherZone: a bridge that is named as Docker names its own, and is none, is told when it is there.
func TestLaterBridgeOfAnotherZone(t *testing.T) {
	p := &Plan{Known: []Known{{"docker0", zones.Workload}}, Rules: []Rule{{Chain: chainIn, Iif: "br-*", IifKind: "bridge", Proto: "tcp", Port: 2375}}}
	s := fixtures.Host()
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 91, Name: "br-lan", Kind: "bridge", Up: true, Addrs: []string{"192.168.9.1/24"}})
	m := zones.Classify(s, zones.Config{zones.External: {Interfaces: []string{"br-lan"}}})
	if err := p.cutsOther(s, m); err == nil || !strings.Contains(err.Error(), "br-lan") {
		t.Errorf("%v", err)
	}
	p.Rules[0].NotIif = []string{"br-lan"}
	if err := p.cutsOther(s, m); err != nil {
		t.Error(err)
	}
}
