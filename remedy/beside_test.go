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

// listening is the host with listeners of port 2375: uid and address of each.
func listening(list ...struct {
	uid  int
	addr string
},
) *snapshot.Snapshot {
	s := fixtures.Host()
	for i, l := range list {
		pid := 700 + i
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: pid, UID: l.uid, Exe: "/usr/bin/python3", ExeWord: root})
		a := netip.MustParseAddr(l.addr)
		k := snapshot.Socket{Netns: s.Network.HostNetns(), Proto: "tcp", Family: 6, Addr: l.addr, Port: 2375, UID: l.uid, OwnerState: "seen", Owners: []snapshot.Owner{{PID: pid, Comm: "x"}}}
		if a.Is4() {
			k.Family = 4
		} else {
			k.V6Only = true
		}
		s.Listeners.Sockets = append(s.Listeners.Sockets, k)
	}
	return s
}

type listener = struct {
	uid  int
	addr string
}

func denying(d finding.Deny) *finding.Report {
	d.Zone, d.Proto, d.Port = zones.External, "tcp", 2375
	return &finding.Report{Results: []finding.Result{{ID: "runtime/docker-api-on-tcp", Status: finding.Fail, Findings: []finding.Finding{{
		Remediation: []finding.Remediation{{Kind: "nft", Deny: &d}},
	}}}}}
}

var extern = zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.External: {Interfaces: []string{"ext0"}}}

func keptAt(p *Plan) (list []string) {
	for _, f := range p.Keeps {
		if f.Why == keptBeside {
			list = append(list, f.Addr.String())
		}
	}
	slices.Sort(list)
	return list
}

// TestDenialIsAboutItsAddress: what a user listens with at one address closes no port of root's at the others.
func TestDenialIsAboutItsAddress(t *testing.T) {
	for _, uid := range []int{1001, 0} {
		s := listening(listener{0, "0.0.0.0"}, listener{uid, "203.0.113.1"})
		p := Make(denying(finding.Deny{Addr: "203.0.113.1", Family: 4}), s, extern, Options{})
		if len(p.Rules) != 1 || !strings.HasPrefix(p.Rules[0].String(), `iifname "ext0" ip daddr 203.0.113.1/32 tcp dport 2375 `) || len(p.Closes) != 1 {
			t.Errorf("uid %d: %s", uid, p.Ruleset)
		}
		if got := keptAt(p); !slices.Equal(got, []string{"10.10.0.1", "172.17.0.1"}) {
			t.Errorf("uid %d: kept at %v", uid, got)
		}
	}
	s := listening(listener{0, "0.0.0.0"}, listener{1001, "203.0.113.1"})
	allowed := Make(denying(finding.Deny{Addr: "203.0.113.1"}), s, extern, Options{AllowFrom: prefixes("192.0.2.0/24", "2001:db8::/32")})
	if len(allowed.Rules) != 2 || !allowed.Rules[0].Accept || !slices.Equal(allowed.Rules[0].To, prefixes("203.0.113.1/32")) {
		t.Errorf("who keeps access: %s", allowed.Ruleset)
	}
	if p := Make(denying(finding.Deny{Addr: "ext0; accept"}), s, extern, Options{}); len(p.Rules) != 0 || len(p.Manual) != 1 {
		t.Errorf("no address: %s %+v", p.Ruleset, p.Manual)
	}
}

// TestOthersListenBesideAWildcard: what another owner has at an address of its own is let pass before the drop, what the same
// owner has there is closed with it, and what cannot be told apart is said.
func TestOthersListenBesideAWildcard(t *testing.T) {
	for name, c := range map[string]struct {
		other listener
		deny  finding.Deny
		first string // the rule before the drop
		warns int
	}{
		"another owner":  {listener{1001, "203.0.113.1"}, finding.Deny{Family: 4}, "ip daddr 203.0.113.1/32", 0},
		"IPv6":           {listener{1001, "2001:db8::1"}, finding.Deny{Family: 4}, "ip6 daddr 2001:db8::1/128", 0},
		"the same owner": {listener{0, "203.0.113.1"}, finding.Deny{Family: 4}, "", 0},
		"on loopback":    {listener{1001, "127.0.0.2"}, finding.Deny{Family: 4}, "", 0},
		"everywhere":     {listener{1001, "0.0.0.0"}, finding.Deny{Family: 4}, "", 0},
		"no address":     {listener{1001, "::"}, finding.Deny{Family: 4}, "", 1},
	} {
		p := Make(denying(c.deny), listening(listener{0, "0.0.0.0"}, c.other), extern, Options{})
		accepts := slices.DeleteFunc(slices.Clone(p.Rules), func(r Rule) bool { return !r.Accept })
		switch {
		case len(p.Rules) == 0 || p.Rules[len(p.Rules)-1].Accept || len(p.Warnings) != c.warns:
			t.Errorf("%s: %s%q", name, p.Ruleset, p.Warnings)
		case (c.first != "") != (len(accepts) == 1), c.first != "" && !strings.Contains(p.Rules[0].String(), c.first):
			t.Errorf("%s: %s", name, p.Ruleset)
		}
	}
}

// TestOtherFamilyIsAnothersService: the same port of the other family, of another owner, is let pass at the host's addresses of it.
func TestOtherFamilyIsAnothersService(t *testing.T) {
	s := listening(listener{1001, "0.0.0.0"}, listener{0, "::"})
	s.Network.LinkNamed("ext0").Addrs = append(s.Network.LinkNamed("ext0").Addrs, "2001:db8::1/64")
	p := Make(denying(finding.Deny{Family: 4}), s, extern, Options{})
	if len(p.Rules) != 2 || !p.Rules[0].Accept || !slices.Equal(p.Rules[0].To, prefixes("2001:db8::1/128")) {
		t.Errorf("%s", p.Ruleset)
	}
	if got := keptAt(p); !slices.Equal(got, []string{"2001:db8::1"}) {
		t.Errorf("kept at %v", got)
	}
}

// TestLoopbackBehindATranslation: a packet to loopback shows another destination before it is translated, so all are closed but those of
// others.
func TestLoopbackBehindATranslation(t *testing.T) {
	s := listening(listener{0, "0.0.0.0"}, listener{1001, "127.0.0.2"})
	deny := denying(finding.Deny{Addr: "127.0.0.2", Family: 4})
	if p := Make(deny, s, extern, Options{}); len(p.Rules) != 1 || !slices.Equal(p.Rules[0].To, prefixes("127.0.0.2/32")) {
		t.Errorf("without a translation: %s", p.Ruleset)
	}
	s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, ruleset.Table{Family: "ip", Name: "nat", Chains: []ruleset.Chain{{Name: "pre", Base: &ruleset.Base{Type: "nat", Hook: "prerouting"}}}})
	p := Make(deny, s, extern, Options{})
	if len(p.Rules) != 2 || !p.Rules[0].Accept || !covers(p.Rules[0].To, netip.MustParseAddr("203.0.113.1")) || covers(p.Rules[0].To, netip.MustParseAddr("127.0.0.2")) {
		t.Errorf("with one: %s", p.Ruleset)
	}
}

// TestBoundDevice: what is bound to a device is closed on that one.
func TestBoundDevice(t *testing.T) {
	cfg := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for device, want := range map[string]int{"": 2, "ext0": 1, "vrf7": 2} {
		if p := Make(denying(finding.Deny{Device: device}), listening(listener{0, "0.0.0.0"}), cfg, Options{}); len(p.each()) != want {
			t.Errorf("%q: %s", device, p.Ruleset)
		}
	}
}
