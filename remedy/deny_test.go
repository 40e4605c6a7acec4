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

// TestPartOfAFinding: a finding about two zones of which rules close one is not said to be closed, and what is left of it is that of the other zone.
func TestPartOfAFinding(t *testing.T) {
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}, zones.Workload: {Interfaces: []string{"docker0"}}}
	r := asked(zones.External, 22)
	f := &r.Results[0].Findings[0]
	f.Fingerprint, f.Severity, f.Zone, f.Zones = "f", "high", zones.External, []string{zones.External, zones.Workload}
	f.Remediation[0].Text = "drop tcp port 22 from the external zone"
	f.Remediation = append(f.Remediation, finding.Remediation{
		Kind: "nft", Text: "drop tcp port 22 from the workload zone", Deny: &finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 22},
	})
	s := sshOn(22)
	p := Make(r, s, outside, Options{})
	if len(p.Closes) != 1 || len(p.Rules) == 0 || len(p.Closes[0].Rest) != 1 || len(p.targets()) != 0 || !strings.Contains(p.Describe(func(text string, _ bool) string { return text }), "but not tcp/22 to the external zone") {
		t.Fatalf("%+v %s", p.Closes, p.Describe(func(text string, _ bool) string { return text }))
	}
	left, more := *f, *f
	left.Zones, left.Remediation = nil, f.Remediation[:1]
	if c := &p.Closes[0]; !c.Left(&left) || c.Left(&more) || new(Target).Left(&left) {
		t.Error("what may be left of it is not what is not closed")
	}
	if p := Make(r, s, outside, Options{AllowFrom: someNetwork}); len(p.targets()) != 1 || len(p.Closes[0].Rest) != 0 {
		t.Errorf("%+v", p.Closes)
	}
	for _, a := range Actions(r, s, outside) {
		if slices.Contains(a.Closes, "f") && a.Command != commandFix+withNetwork {
			t.Errorf("%q closes a part of it: %+v", a.Command, a)
		}
	}
	if got := new(hands).whole(f).Text; got != "drop tcp port 22 from the external zone; drop tcp port 22 from the workload zone" {
		t.Error(got)
	}
}

// TestPartOfAZone: a finding about two ports to one zone, of which rules close one, is left where the other is open, and not where that one is.
func TestPartOfAZone(t *testing.T) {
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	r := asked(zones.External, 22)
	f := &r.Results[0].Findings[0]
	f.Fingerprint, f.Severity, f.Zone = "f", "high", zones.External
	f.Remediation = append(f.Remediation, asked(zones.External, 2375).Results[0].Findings[0].Remediation...)
	p := Make(r, sshOn(22), outside, Options{})
	if len(p.Closes) != 1 || len(p.Closes[0].Rest) != 1 || len(p.Closes[0].Denies) != 1 {
		t.Fatalf("%+v", p.Closes)
	}
	if text := p.Describe(func(text string, _ bool) string { return text }); !strings.Contains(text, "but not tcp/22 to the external zone") {
		t.Error(text)
	}
	four := *f.Remediation[0].Deny
	four.Family = 4
	for name, c := range map[string]struct {
		open []*finding.Deny
		want bool
	}{
		"the one that is left":            {[]*finding.Deny{f.Remediation[0].Deny}, true},
		"the same in one family":          {[]*finding.Deny{&four}, true},
		"the one that is closed":          {[]*finding.Deny{f.Remediation[1].Deny}, false},
		"both":                            {[]*finding.Deny{f.Remediation[0].Deny, f.Remediation[1].Deny}, false},
		"it does not say what is open":    {nil, true},
		"one that it was not about":       {[]*finding.Deny{{Zone: zones.External, Proto: "tcp", Port: 23}}, false},
		"the one that is left, by itself": {[]*finding.Deny{{Zone: zones.External, Proto: "tcp", Port: 22, Addr: "203.0.113.1"}}, true},
	} {
		is := finding.Finding{Zone: zones.External}
		for _, d := range c.open {
			is.Remediation = append(is.Remediation, finding.Remediation{Kind: "nft", Deny: d})
		}
		if got := p.Closes[0].Left(&is); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhoAdministersKeepsThePort: who is logged in keeps the port that the login uses, and is told where that is all.
func TestWhoAdministersKeepsThePort(t *testing.T) {
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	s := sshOn()
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "203.0.113.1:2222", LoggedIn: snapshot.Yes}} // who listens there was not seen
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 2222, UID: 1001})
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

// TestLoginOfAServerThatIsGone: somebody is logged in by a port where nothing listens any more, since the server was started again with another. That goes on,
// and the next login is kept at the port of now; where there is none it is no reason to close the host to all others.
func TestLoginOfAServerThatIsGone(t *testing.T) {
	from := netip.MustParsePrefix("203.0.113.77/32")
	for name, c := range map[string]struct {
		s      *snapshot.Snapshot
		keeps  []int
		closes bool
	}{
		"another port": {sshOn(22), []int{22, 2222}, true},
		"two of them":  {sshOn(22, 2200), []int{22, 2200, 2222}, true},
		"the same":     {sshOn(22, 2222), []int{2222}, true},
		"none":         {sshOn(), []int{2222}, false},
	} {
		c.s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "203.0.113.1:2222", LoggedIn: snapshot.Yes}}
		p := Make(new(finding.Report), c.s, zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}, Options{Mode: DefaultDeny})
		var keeps []int
		for _, f := range p.Keeps {
			if f.Source == from {
				keeps = append(keeps, f.Port)
			}
		}
		slices.Sort(keeps)
		if !slices.Equal(keeps, c.keeps) || p.administered(c.s, zones.Classify(c.s, p.Zones)) != c.closes || (len(p.Rules) > 0) != c.closes {
			t.Errorf("%s: keeps %v, %+v, %s", name, keeps, p.Manual, p.Ruleset)
		}
		if c.closes && !slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Chain == chainInput && r.Port == c.keeps[0] && slices.Contains(r.Sources, from)
		}) {
			t.Errorf("%s: the next login is not let in: %s", name, p.Ruleset)
		}
	}
}

// TestStrictTrackingIsTold: where conntrack takes up no connection half way the plan says what becomes of those through the host.
func TestStrictTrackingIsTold(t *testing.T) {
	for _, c := range []struct{ mode, loose, says string }{
		{DefaultDeny, "0", "of TCP all that are open end"},
		{Targeted, "0", "of TCP those that are open to what is closed go on"},
		{DefaultDeny, "1", ""},
		{Targeted, "", ""},
	} {
		s := sshOn(22)
		s.NFTables.Ruleset = new(ruleset.Ruleset)
		if c.loose != "" {
			s.Network.Sysctls[snapshot.LoosePickup] = snapshot.Fact{State: snapshot.Present, Value: c.loose}
		}
		r := &finding.Report{Results: []finding.Result{{ID: "c", Status: finding.Fail, Findings: []finding.Finding{{
			Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.External, ToZone: zones.Workload}}},
		}}}}}
		p := Make(r, s, extern, Options{Mode: c.mode, Keep: []Flow{{Proto: "tcp", Port: 22, Why: keptAsked}}})
		if p.Mode != c.mode || !strings.Contains(p.Disruption, "were not tracked so far") || strings.Contains(p.Disruption, "of TCP") != (c.says != "") || !strings.Contains(p.Disruption, c.says) {
			t.Errorf("%+v: %s: %q", c, p.Mode, p.Disruption)
		}
	}
}

// TestUnknownLoginKeepsAndClosesNothing: a connection to SSH of which nobody can tell whether somebody logged in by it keeps its address no access,
// and is no reason to close the port to all others.
func TestUnknownLoginKeepsAndClosesNothing(t *testing.T) {
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for name, c := range map[string]struct {
		state snapshot.Login
		rules bool
	}{"logged in": {snapshot.Yes, true}, "cannot be told": {"", false}, "not logged in": {snapshot.No, false}} {
		s := sshOn(22)
		s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "203.0.113.1:22", LoggedIn: c.state}}
		for _, mode := range []string{Targeted, DefaultDeny} {
			p := Make(asked(zones.External, 22), s, outside, Options{Mode: mode})
			keeps := slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Why == keptSession })
			if len(p.Rules) > 0 != c.rules || keeps != c.rules || !c.rules && !strings.Contains(p.Manual[0].Text, "lock everybody out") {
				t.Errorf("%s, %s: %s%+v %+v", name, mode, p.Ruleset, p.Keeps, p.Manual)
			}
		}
		s.Listeners.Sockets = nil // nor is it known whose port it is
		if p := Make(asked(zones.External, 22), s, outside, Options{}); c.state == "" && len(p.Rules) > 0 {
			t.Errorf("%s: %s", name, p.Ruleset)
		}
	}
}

// TestZoneWithinAnotherIsClosed: workloads behind the interface of the management zone, such as pods of other nodes behind a private network, are closed
// off although they are inside a prefix that leads there; the rest of it keeps its access.
func TestZoneWithinAnotherIsClosed(t *testing.T) {
	s := sshOn(22)
	mgmt := s.Network.LinkNamed("mgmt0")
	s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.40.0.0/13", Oifs: []int{mgmt.Index}})
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")}}}
	p := Make(asked(zones.Workload, 22), s, cfg, Options{})
	for addr, want := range map[string]bool{"10.42.1.9": false, "10.42.2.9": true, "10.42.0.9": true, "10.47.0.1": true} {
		if got := slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Iif == "mgmt0" && covers(r.Sources, netip.MustParseAddr(addr))
		}); got != want {
			t.Errorf("%s passes: %v\n%s", addr, got, p.Ruleset)
		}
	}
}

// TestBaselineTellsZonesOfAnInterfaceApart: what the management zone may, workloads behind its interface may not.
func TestBaselineTellsZonesOfAnInterfaceApart(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Prefixes: []netip.Prefix{netip.MustParsePrefix("10.10.0.128/25")}}}
	p := Make(new(finding.Report), sshOn(22), cfg, Options{Mode: DefaultDeny})
	for addr, want := range map[string]bool{"10.10.0.9": true, "10.10.0.200": false} {
		if got := slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Chain == chainInput && r.Iif == "mgmt0" && r.Proto == "" && (len(r.Sources) == 0 || covers(r.Sources, netip.MustParseAddr(addr)))
		}); got != want {
			t.Errorf("%s passes: %v\n%s", addr, got, p.Ruleset)
		}
	}
}

// TestManagementKeepsItsLogins: all of the addresses that are its own behind an interface.
func TestManagementKeepsItsLogins(t *testing.T) {
	cfg := zones.Config{zones.Management: {Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/25"), netip.MustParsePrefix("198.51.100.192/26")}}}
	p := Make(new(finding.Report), sshOn(22), cfg, Options{Mode: DefaultDeny})
	for _, want := range []string{"198.51.100.0/25", "198.51.100.192/26"} {
		if !slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Why == keptManaging && f.Source.IsValid() && f.Source.String() == want }) {
			t.Errorf("%s: %+v", want, p.Keeps)
		}
	}
}

// TestBaselineKeepsNetworksWhole: members of a private network, machines of libvirt's networks and pods reach each other past a policy that drops, and
// what somebody translated is let in, to the host too. Where IPVS passes services on there is no baseline.
func TestBaselineKeepsNetworksWhole(t *testing.T) {
	s := sshOn(22)
	s.Network.Links = append(slices.Clone(s.Network.Links),
		snapshot.Link{Index: 50, Name: "wg0", Kind: "wireguard", Up: true, Addrs: []string{"10.66.0.1/24"}},
		snapshot.Link{Index: 51, Name: "virbr5", Kind: "bridge", Up: true, Addrs: []string{"192.168.5.1/24"}},
		snapshot.Link{Index: 52, Name: "virbr6", Kind: "bridge", Up: true, Addrs: []string{"192.168.6.1/24"}})
	for i, dst := range []string{"10.66.0.0/24", "192.168.5.0/24", "192.168.6.0/24"} {
		s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: dst, Oifs: []int{50 + i}})
	}
	p := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny})
	machine := func(text string) netip.Addr { return netip.MustParseAddr(text) }
	for name, want := range map[string]func(r *Rule) bool{
		"members of a VPN": func(r *Rule) bool { return r.Iif == "wg0" && r.Oif == "wg0" },
		"machines": func(r *Rule) bool {
			return slices.Equal(r.iifs(), []string{"virbr5", "virbr6"}) && covers(r.Sources, machine("192.168.5.9")) && covers(r.To, machine("192.168.6.9"))
		},
	} {
		if !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Chain == chainForward && want(&r) }) {
			t.Errorf("%s are cut off:\n%s", name, p.Ruleset)
		}
	}
	for _, chain := range []string{chainInput, chainForward} {
		if !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Chain == chain && r.Kind == "published" }) {
			t.Errorf("%s: what is translated is dropped", chain)
		}
	}
	s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 60, Name: "kube-ipvs0", Kind: "dummy"})
	if p := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny}); len(p.Rules) > 0 || !strings.Contains(p.Manual[0].Text, "IPVS") {
		t.Errorf("IPVS: %s%+v", p.Ruleset, p.Manual)
	}
}

// TestAddressesMakeNoMember: who is behind another interface and writes the address of a pod or a machine does not get to the others. A pod that
// begins later does, and so do those of other nodes behind the interface that leads there.
func TestAddressesMakeNoMember(t *testing.T) {
	s := sshOn(22)
	s.Network.Links = append(slices.Clone(s.Network.Links),
		snapshot.Link{Index: 50, Name: "cni0", Kind: "bridge", Up: true, Addrs: []string{"10.244.0.1/24"}},
		snapshot.Link{Index: 51, Name: "virbr5", Kind: "bridge", Up: true, Addrs: []string{"192.168.5.1/24"}},
		snapshot.Link{Index: 52, Name: "eth7", Kind: "device", Up: true, Addrs: []string{"10.9.0.1/24"}})
	s.Network.Routes = append(slices.Clone(s.Network.Routes),
		snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.244.0.0/24", Oifs: []int{50}},
		snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "192.168.5.0/24", Oifs: []int{51}},
		snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.9.0.0/24", Oifs: []int{52}},
		snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.244.1.0/24", Gateway: "10.9.0.2", Oifs: []int{52}})
	p := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny})
	for name, c := range map[string]struct {
		iif, peer, to string
		passes        bool
	}{
		"pod to pod":                    {"cni0", "10.244.0.5", "10.244.0.6", true},
		"of another node":               {"eth7", "10.244.1.5", "10.244.0.6", true},
		"a pod that begins later":       {"cali0123456789a", "10.244.0.5", "10.244.0.6", true},
		"a pod's address from outside":  {"ext0", "10.244.0.5", "10.244.0.6", false},
		"from a container":              {"docker0", "10.244.0.5", "10.244.0.6", false},
		"machine to machine":            {"virbr5", "192.168.5.8", "192.168.5.9", true},
		"a machine's, from outside":     {"ext0", "192.168.5.8", "192.168.5.9", false},
		"a machine's, from a container": {"docker0", "192.168.5.8", "192.168.5.9", false},
	} {
		k := use{proto: "udp", port: 53, peer: netip.MustParseAddr(c.peer), addr: netip.MustParseAddr(c.to), iif: c.iif}
		oif := arrives(s, k.addr)
		if passes := !p.leavesOut(chainForward, &k, oif); passes != c.passes {
			t.Errorf("%s: passes %v\n%s", name, passes, p.Ruleset)
		}
	}
}

// TestBaselineListsWhatElseListens: nothing ends unsaid that others could use.
func TestBaselineListsWhatElseListens(t *testing.T) {
	s := sshOn(22)
	s.Listeners.Sockets = append(s.Listeners.Sockets,
		snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 8080, UID: 1001, Owners: []snapshot.Owner{{PID: 5, Comm: "pasta"}}},
		snapshot.Socket{Proto: "tcp", Family: 4, Addr: "127.0.0.1", Port: 8081, Owners: []snapshot.Owner{{PID: 4, Comm: "x"}}})
	p := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny})
	text := strings.Join(p.Warnings, "\n")
	if !strings.Contains(text, "tcp/8080 (pasta)") || strings.Contains(text, "tcp/8081") || strings.Contains(text, "tcp/22 ") {
		t.Errorf("%s", text)
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
		if !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Accept && r.Chain == chainInput && slices.Contains(r.iifs(), iif) }) {
			t.Errorf("what comes by %s is dropped", iif)
		}
	}
}

// TestLoginFromAWorkload: who is logged in from a container keeps that, and is no reason to close the host to everybody outside: it can be the
// container itself. Somebody else who is logged in, or named, is.
func TestLoginFromAWorkload(t *testing.T) {
	cfg := zones.Config{zones.Workload: {Interfaces: []string{"docker0"}}, zones.External: {Interfaces: []string{"ext0", "mgmt0"}}}
	r := &finding.Report{Results: []finding.Result{{ID: "management/ssh", Status: finding.Fail, Findings: []finding.Finding{{
		Fingerprint: "f", Remediation: []finding.Remediation{
			{Kind: "nft", Deny: &finding.Deny{Zone: zones.External, Proto: "tcp", Port: 22}}, {Kind: "nft", Deny: &finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 22}},
		},
	}}}}}
	container := snapshot.SSHSession{Remote: "172.17.0.2:40000", Local: "172.17.0.1:22", LoggedIn: snapshot.Yes}
	admin := snapshot.SSHSession{Remote: "10.10.0.9:40000", Local: "10.10.0.1:22", LoggedIn: snapshot.Yes}
	for name, c := range map[string]struct {
		sessions []snapshot.SSHSession
		opt      Options
		closes   bool
	}{
		"alone":            {[]snapshot.SSHSession{container}, Options{}, false},
		"and an admin":     {[]snapshot.SSHSession{container, admin}, Options{}, true},
		"and one is named": {[]snapshot.SSHSession{container}, Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, true},
	} {
		s := sshOn(22)
		s.NFTables.Ruleset, s.SSH.Sessions = &ruleset.Ruleset{Stable: true}, c.sessions
		p := Make(r, s, cfg, c.opt)
		outside := slices.ContainsFunc(p.each(), func(r Rule) bool { return !r.Accept && r.Iif == "ext0" && r.Port == 22 })
		inside := slices.ContainsFunc(p.each(), func(r Rule) bool { return !r.Accept && r.Iif == "docker0" && r.Port == 22 })
		kept := slices.ContainsFunc(p.each(), func(r Rule) bool {
			return r.Accept && r.Iif == "docker0" && covers(r.Sources, netip.MustParseAddr("172.17.0.2"))
		})
		if outside != c.closes || !inside || !kept {
			t.Errorf("%s: closes outside %v, inside %v, keeps %v: %+v", name, outside, inside, kept, p.Manual)
		}
		deny := Make(&finding.Report{}, s, cfg, Options{Mode: DefaultDeny, AllowFrom: c.opt.AllowFrom})
		if got := deny.Mode == DefaultDeny; got != c.closes && name != "and one is named" {
			t.Errorf("%s: default-deny %v", name, got)
		}
	}
}
