package remedy

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestInterfaceThatARulesetCannotName leaves the finding to people: no rule about a pattern or another interface takes its place.
func TestInterfaceThatARulesetCannotName(t *testing.T) {
	for _, name := range []string{`e"; accept`, "ext*", `ext\`, "ext\n0", "ext\x1b"} {
		s := fixtures.Host()
		s.Network.LinkNamed("ext0").Name = name
		r := &finding.Report{Results: []finding.Result{{ID: "runtime/docker-api-on-tcp", Status: finding.Fail, Findings: []finding.Finding{{
			Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.External, Proto: "tcp", Port: 2375}}},
		}}}}}
		cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.External: {Interfaces: []string{name}}}
		for _, mode := range []string{Targeted, DefaultDeny} {
			p := Make(r, s, cfg, Options{Mode: mode})
			if len(p.Rules) != 0 || p.Mode != Targeted || len(p.Closes) != 0 || len(p.Manual) == 0 || strings.ContainsAny(p.Manual[0].Text, "\n\x1b") {
				t.Errorf("%q, %s: %s%+v", name, mode, p.Ruleset, p.Manual)
			}
		}
	}
}

// TestIdsOfPoliciesStayInTheirComment: a policy of the administrator's can put anything into an id.
func TestIdsOfPoliciesStayInTheirComment(t *testing.T) {
	id := "site/x\" accept\nPermitRootLogin yes\\" + strings.Repeat("y", 300)
	r := &finding.Report{Results: []finding.Result{{ID: id, Status: finding.Fail, Findings: []finding.Finding{
		{Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.External, Proto: "tcp", Port: 2375}}}},
		{Remediation: []finding.Remediation{{Kind: "sshd", Text: "PermitEmptyPasswords no"}}},
	}}}}
	s := fixtures.Host()
	s.SSH.Configs = []snapshot.SSHConfig{{Path: "/etc/ssh/sshd_config", DropIns: true}}
	p := Make(r, s, zones.Config{zones.External: {Interfaces: []string{"ext0"}}}, Options{})
	if len(p.Rules) != 1 || len(p.Files) != 1 {
		t.Fatalf("%+v %+v", p.Rules, p.Files)
	}
	text := p.Rules[0].String()
	if strings.Count(text, `"`) != 4 || strings.Contains(text, "\n") || len(p.Rules[0].Comment) > escape.MaxLine {
		t.Errorf("%s", text)
	}
	if lines := strings.Split(p.Files[0].Content, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "# ") || lines[1] != "PermitEmptyPasswords no" {
		t.Errorf("%q", p.Files[0].Content)
	}
}
