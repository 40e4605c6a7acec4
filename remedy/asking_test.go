package remedy

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestClientsLoseNothing: the baseline warns of what else listens, and a client's socket is none of that: answers pass. A program that only has the name
// of one, a port that such a program serves by, and answers that nothing tracks are told. A name server that answers by UDP alone looks as if it asked: that
// is told as what it may be.
func TestClientsLoseNothing(t *testing.T) {
	root, user := snapshot.Word{By: snapshot.ByRoot}, snapshot.Word{By: snapshot.ByUID, UID: 1001}
	for name, c := range map[string]struct {
		exe  string
		word snapshot.Word
		port int
		tcp  bool // it listens there too
		told bool
		may  bool // it is told as what may be a client's
	}{
		"a lease":                       {"/usr/sbin/dhclient", root, 68, false, false, false},
		"a lease of IPv6":               {"/lib/systemd/systemd-networkd", root, 546, false, false, false},
		"another program on its port":   {"/usr/sbin/other", root, 68, false, true, false},
		"a lease's program elsewhere":   {"/usr/sbin/dhclient", root, 6800, false, true, false},
		"a question for a name":         {"/usr/sbin/dnsmasq", root, 34159, false, false, true},
		"a user's program of that name": {"/home/u/dnsmasq", user, 34159, false, true, false},
		"names that are served":         {"/usr/sbin/dnsmasq", root, 5300, true, true, false},
		"names by UDP alone":            {"/usr/sbin/unbound", root, 5300, false, false, true},
		"boots that are served":         {"/usr/sbin/dnsmasq", root, 4011, false, true, false},
		"what BFD sends by":             {"/usr/sbin/bird", root, 45139, false, false, false},
		"a port of BIRD's own":          {"/usr/sbin/bird", root, 6697, false, true, false},
		"names below 1024":              {"/usr/sbin/named", root, 853, false, true, false},
	} {
		for _, untracked := range []bool{false, true} {
			s := fixtures.Host()
			s.SSH.Sessions = []snapshot.SSHSession{{Remote: "10.10.0.9:50000", Local: "10.10.0.1:22", LoggedIn: snapshot.Yes}}
			s.NFTables.Ruleset = new(ruleset.Ruleset)
			if untracked {
				s.NFTables.Ruleset.Tables = []ruleset.Table{{Family: ruleset.FamilyIP, Name: "raw", Chains: []ruleset.Chain{{
					Name: "PREROUTING", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: ruleset.Accept},
					Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "notrack", Plain: true}}}},
				}}}}
			}
			p := snapshot.Process{PID: 4242, Exe: c.exe, ExeWord: c.word, Comm: "p"}
			s.Processes.List = append(s.Processes.List, p)
			k := snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: c.port, Owners: []snapshot.Owner{{PID: 4242, Comm: "p"}}, OwnerState: snapshot.OwnersSeen}
			if s.Listeners.Sockets = append(s.Listeners.Sockets, k); c.tcp {
				k.Proto = "tcp"
				s.Listeners.Sockets = append(s.Listeners.Sockets, k)
			}
			plan := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny})
			if plan.Mode != DefaultDeny {
				t.Fatalf("no baseline: %+v", plan.Manual)
			}
			says := func(what string) bool {
				return slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, what) && strings.Contains(w, "(p)") })
			}
			if want := c.told || untracked && c.may; says("the baseline closes what else listens: ") != want {
				t.Errorf("%s, untracked %v: told %v: %q", name, untracked, !want, plan.Warnings)
			}
			if want := c.may && !untracked; says("a name server listens at by UDP, or only asks by: udp/") != want {
				t.Errorf("%s, untracked %v: told as what may be a client's %v: %q", name, untracked, !want, plan.Warnings)
			}
		}
	}
}

// TestServicesOfANetworkAreNotCalledClosed: a name server at the bridge of workloads is let in to by those, and nobody else is expected there. One at all
// addresses, and another port of it, is closed to others.
func TestServicesOfANetworkAreNotCalledClosed(t *testing.T) {
	for name, c := range map[string]struct {
		socket snapshot.Socket
		told   bool
	}{
		"at the bridge's address":   {snapshot.Socket{Proto: "udp", Family: 4, Addr: "172.17.0.1", Port: 53}, false},
		"by TCP":                    {snapshot.Socket{Proto: "tcp", Family: 4, Addr: "172.17.0.1", Port: 53}, false},
		"at the bridge":             {snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 67, Device: "docker0"}, false},
		"everywhere":                {snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 53}, true},
		"another port":              {snapshot.Socket{Proto: "udp", Family: 4, Addr: "172.17.0.1", Port: 5399}, true},
		"an address of others":      {snapshot.Socket{Proto: "udp", Family: 4, Addr: "203.0.113.1", Port: 53}, true},
		"an address of nobody":      {snapshot.Socket{Proto: "udp", Family: 4, Addr: "198.51.100.7", Port: 53}, true},
		"an interface of nobody":    {snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 53, Device: "gone0"}, true},
		"at the management address": {snapshot.Socket{Proto: "tcp", Family: 4, Addr: "10.10.0.1", Port: 9090}, true},
	} {
		s := fixtures.Host()
		s.SSH.Sessions = []snapshot.SSHSession{{Remote: "10.10.0.9:50000", Local: "10.10.0.1:22", LoggedIn: snapshot.Yes}}
		s.NFTables.Ruleset = new(ruleset.Ruleset)
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 4242, Exe: "/usr/sbin/dnsmasq", ExeWord: snapshot.Word{By: snapshot.ByRoot}, Comm: "p"})
		k := c.socket
		k.Owners, k.OwnerState = []snapshot.Owner{{PID: 4242, Comm: "p"}}, snapshot.OwnersSeen
		s.Listeners.Sockets = append(s.Listeners.Sockets, k)
		plan := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny})
		if plan.Mode != DefaultDeny {
			t.Fatalf("no baseline: %+v", plan.Manual)
		}
		if told := slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, "(p)") }); told != c.told {
			t.Errorf("%s: told %v: %q", name, told, plan.Warnings)
		}
	}
}
