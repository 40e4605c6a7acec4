package remedy

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestBaselineTellsWhatElseListens: what a baseline closes is told, also where a finding closes the port to some alone, or there are no ports. What is closed
// to all by findings, is kept, or passes anyway is not.
func TestBaselineTellsWhatElseListens(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}, zones.External: {Interfaces: []string{"ext0"}}}
	deny := func(zone, addr string) finding.Remediation {
		return finding.Remediation{Kind: "nft", Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: 9000, Addr: addr}}
	}
	for name, c := range map[string]struct {
		proto, addr string
		port        int
		denies      []finding.Remediation
		told        string
	}{
		"a service":               {"tcp", "0.0.0.0", 9000, nil, "tcp/9000 (x)"},
		"closed to all":           {"tcp", "0.0.0.0", 9000, []finding.Remediation{deny(zones.External, ""), deny(zones.Workload, "")}, ""},
		"closed to workloads":     {"tcp", "0.0.0.0", 9000, []finding.Remediation{deny(zones.Workload, "")}, "tcp/9000 (x)"},
		"closed at another place": {"tcp", "10.10.0.1", 9000, []finding.Remediation{deny(zones.External, "203.0.113.1"), deny(zones.Workload, "203.0.113.1")}, "tcp/9000 (x)"},
		"on loopback":             {"tcp", "127.0.0.1", 9000, nil, ""},
		"a protocol":              {"raw", "0.0.0.0", 97, nil, "protocol 97 (x)"},
		"OSPF of somebody":        {"raw", "0.0.0.0", 89, nil, "protocol 89 (x)"},
		"ping":                    {"raw", "0.0.0.0", 1, nil, ""},
		"a sender":                {"raw", "0.0.0.0", 255, nil, ""},
	} {
		s := fixtures.Host()
		s.Listeners.Sockets = []snapshot.Socket{{Proto: c.proto, Family: 4, Addr: c.addr, Port: c.port, UID: 1001, Owners: []snapshot.Owner{{PID: 1 << 20, Comm: "x"}}}}
		r := &finding.Report{Results: []finding.Result{{ID: "a/b", Status: finding.Fail, Findings: []finding.Finding{{Fingerprint: "f", Remediation: c.denies}}}}}
		told := strings.Join(Make(r, s, cfg, Options{Mode: DefaultDeny}).Warnings, "\n")
		if c.told != "" && !strings.Contains(told, c.told) || c.told == "" && strings.Contains(told, "(x)") {
			t.Errorf("%s: told %q, want %q", name, told, c.told)
		}
	}
}
