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
// of one, a port that such a program serves by, and answers that nothing tracks are told.
func TestClientsLoseNothing(t *testing.T) {
	root, user := snapshot.Word{By: snapshot.ByRoot}, snapshot.Word{By: snapshot.ByUID, UID: 1001}
	for name, c := range map[string]struct {
		exe  string
		word snapshot.Word
		port int
		tcp  bool // it listens there too
		told bool
	}{
		"a lease":                       {"/usr/sbin/dhclient", root, 68, false, false},
		"a lease of IPv6":               {"/lib/systemd/systemd-networkd", root, 546, false, false},
		"another program on its port":   {"/usr/sbin/other", root, 68, false, true},
		"a lease's program elsewhere":   {"/usr/sbin/dhclient", root, 6800, false, true},
		"a question for a name":         {"/usr/sbin/dnsmasq", root, 34159, false, false},
		"a user's program of that name": {"/home/u/dnsmasq", user, 34159, false, true},
		"names that are served":         {"/usr/sbin/dnsmasq", root, 5300, true, true},
		"boots that are served":         {"/usr/sbin/dnsmasq", root, 4011, false, true},
		"what BFD sends by":             {"/usr/sbin/bird", root, 45139, false, false},
		"a port of BIRD's own":          {"/usr/sbin/bird", root, 6697, false, true},
		"names below 1024":              {"/usr/sbin/named", root, 853, false, true},
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
			told := slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, "udp/") && strings.Contains(w, "(p)") })
			if want := c.told || untracked && c.exe == "/usr/sbin/dnsmasq"; told != want {
				t.Errorf("%s, untracked %v: told %v: %q", name, untracked, told, plan.Warnings)
			}
		}
	}
}
