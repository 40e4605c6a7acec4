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

// sshOn is the host with an SSH server on these ports, and nothing else that listens.
func sshOn(ports ...int) *snapshot.Snapshot {
	s := fixtures.Host()
	s.Processes.List = []snapshot.Process{{PID: 4, Exe: "/usr/sbin/sshd", ExeWord: root}, {PID: 5, UID: 1001, Exe: "/home/mal/sshd", ExeWord: snapshot.WordOf(1001)}}
	s.Listeners.Sockets = nil
	for _, port := range ports {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: port, Owners: []snapshot.Owner{{PID: 4, Comm: "sshd"}}})
	}
	return s
}

// asked is a report in which a policy of the user's asks to close a port to a zone.
func asked(zone string, port int) *finding.Report {
	return &finding.Report{Results: []finding.Result{{ID: "site/no-such-port", Status: finding.Fail, Findings: []finding.Finding{{
		Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: port}}},
	}}}}}
}

// TestPortOfAnSSHServerIsGuarded: whatever check asks for it, the port by which the host is administered is not closed to everybody outside.
// Another port is.
func TestPortOfAnSSHServerIsGuarded(t *testing.T) {
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for name, c := range map[string]struct {
		s      *snapshot.Snapshot
		port   int
		closed bool
	}{
		"port 22":                            {sshOn(22), 22, false},
		"port 2222, where it listens":        {sshOn(2222), 2222, false},
		"port 22, where it listens on 2222":  {sshOn(2222), 22, true},
		"port 2375":                          {sshOn(22, 2222), 2375, true},
		"one of two ports on which it waits": {sshOn(22, 2222), 2222, false},
	} {
		p := Make(asked(zones.External, c.port), c.s, outside, Options{})
		if closed := len(p.Rules) > 0; closed != c.closed || !closed && (len(p.Manual) != 1 || !strings.Contains(p.Manual[0].Text, "lock everybody out")) {
			t.Errorf("%s: %s%+v", name, p.Ruleset, p.Manual)
		}
		allow := Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}}
		if p := Make(asked(zones.External, c.port), c.s, outside, allow); !strings.Contains(p.Ruleset, "203.0.113.7") || !strings.Contains(p.Ruleset, "drop") {
			t.Errorf("%s, with somebody allowed: %s%+v", name, p.Ruleset, p.Manual)
		}
	}
	fake := sshOn()
	fake.Listeners.Sockets = []snapshot.Socket{{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 2222, UID: 1001, Owners: []snapshot.Owner{{PID: 5, Comm: "sshd"}}}}
	if p := Make(asked(zones.External, 2222), fake, outside, Options{}); len(p.Rules) == 0 {
		t.Errorf("a user's program of that name keeps its port open: %+v", p.Manual)
	}
}

// TestWhoAdministersKeepsThePort: who is logged in keeps the port that the login uses, and is told where that is all.
func TestWhoAdministersKeepsThePort(t *testing.T) {
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	s := sshOn()
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "203.0.113.1:2222"}} // who listens there was not seen
	p := Make(asked(zones.External, 2222), s, outside, Options{})
	keeps := slices.ContainsFunc(p.Rules, func(r Rule) bool {
		return r.Accept && r.Port == 2222 && slices.Contains(r.Sources, netip.MustParsePrefix("203.0.113.77/32"))
	})
	if !keeps || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "203.0.113.77") {
		t.Errorf("%s%q", p.Ruleset, p.Warnings)
	}
	if p := Make(asked(zones.External, 2375), s, outside, Options{}); len(p.Warnings) != 0 || strings.Contains(p.Ruleset, "203.0.113.77") {
		t.Errorf("another port: %s%q", p.Ruleset, p.Warnings)
	}
	if p := Make(asked(zones.Management, 22), sshOn(22), extern, Options{}); len(p.Rules) > 0 {
		t.Errorf("closed to those who administer the host: %s", p.Ruleset)
	}
}

// TestBaselineLetsTheNetworkWork: a host that lets in only what it knows still answers its neighbours in both families, gets its address,
// talks to itself and hears what answers it.
func TestBaselineLetsTheNetworkWork(t *testing.T) {
	p := Make(new(finding.Report), sshOn(22), extern, Options{Mode: DefaultDeny})
	for _, kind := range []string{"replies", "expected", "icmp", "icmpv6", "dhcp", "dhcpv6"} {
		if !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Chain == chainInput && r.Kind == kind }) {
			t.Errorf("%s is dropped", kind)
		}
	}
	for _, iif := range []string{"lo", "mgmt0"} {
		if !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Chain == chainInput && r.Iif == iif }) {
			t.Errorf("what comes by %s is dropped", iif)
		}
	}
}
