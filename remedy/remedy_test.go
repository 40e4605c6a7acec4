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

func TestParseFlow(t *testing.T) {
	for text, want := range map[string]string{
		"tcp/22": "tcp/22 from anywhere", "udp/53@10.0.0.0/8": "udp/53 from 10.0.0.0/8", "tcp/8443@192.0.2.7": "tcp/8443 from 192.0.2.7/32",
		"vrrp": "vrrp from anywhere", "esp@192.0.2.7": "esp from 192.0.2.7/32", "sctp/1@fd00::/8": "sctp/1 from fd00::/8", "tcp/1@::ffff:10.0.0.1": "tcp/1 from 10.0.0.1/32",
	} {
		f, err := ParseFlow(text)
		if err != nil || !strings.HasPrefix(f.String(), want+" ") {
			t.Errorf("%s: %v %v", text, f, err)
		}
	}
	for _, bad := range []string{"", "tcp", "tcp/", "tcp/0", "tcp/70000", "icmp/1", "vrrp/1", "112", "udp@10.0.0.1", "tcp/22@", "tcp/22@x", "tcp/22@10.0.0.0/40", "tcp/22@2001:db8::1%eth0"} {
		if f, err := ParseFlow(bad); err == nil {
			t.Errorf("%q is read as %v", bad, f)
		}
	}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// TestRanges: the kernel refuses intervals that overlap, and joins none that touch.
func TestRanges(t *testing.T) {
	for _, c := range []struct {
		in   []netip.Prefix
		want string
	}{
		{prefixes("10.0.0.0/8", "10.1.0.0/16"), "10.0.0.0-10.255.255.255"},
		{prefixes("10.0.0.2/32", "10.0.0.0/31"), "10.0.0.0-10.0.0.2"},
		{prefixes("10.0.0.4/32", "10.0.0.1/32"), "10.0.0.1, 10.0.0.4"},
		{prefixes("255.255.255.254/31", "0.0.0.0/32"), "0.0.0.0, 255.255.255.254-255.255.255.255"},
		{prefixes("fd00::/8", "::/1"), "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff, fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	} {
		if text := prefixesSet(c.in).text(); !strings.Contains(text, "{ "+c.want+" }") {
			t.Errorf("%v: %s", c.in, text)
		}
	}
}

// TestHarmlessTables: a table that does more than let pass or drop is never proven.
func TestHarmlessTables(t *testing.T) {
	drop := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}
	table := func(es ...ruleset.Expr) *ruleset.Table {
		return &ruleset.Table{Chains: []ruleset.Chain{{Name: "c", Rules: []ruleset.Rule{{Exprs: es}}}}}
	}
	if err := harmless(table(ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark}}, drop)); err != nil {
		t.Error(err)
	}
	for name, e := range map[string]ruleset.Expr{
		"a mark":        {Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Set: true}},
		"a translation": {Name: "nat", NAT: &ruleset.NAT{Kind: "dnat"}},
		"a jump":        {Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Jump}}},
		"a map":         {Name: "lookup", Lookup: &ruleset.Lookup{HasReg: true}},
		"the unknown":   {Name: "teleport", Raw: ruleset.Hex{1}},
		"a rejection":   {Name: "reject", Reject: &ruleset.Reject{}},
	} {
		if harmless(table(e)) == nil {
			t.Errorf("%s passes as harmless", name)
		}
	}
}

func TestAgainst(t *testing.T) {
	old := &Plan{Mode: Targeted, Rules: []Rule{{Chain: chainIn, Iif: "a", Proto: "tcp", Port: 1}, {Chain: chainIn, Iif: "b", Proto: "tcp", Port: 2}}}
	now := &Plan{Mode: Targeted, Rules: old.Rules[1:]}
	d := now.Against(old)
	if strings.Count(d, "\n") != 1 || !strings.HasPrefix(d, "-\t\tiifname \"a\"") {
		t.Errorf("%q", d)
	}
	if d := old.Against(nil); !strings.HasPrefix(d, "+table inet ringfence") || slices.ContainsFunc(strings.Split(strings.TrimSpace(d), "\n"), func(l string) bool { return l[0] != '+' }) {
		t.Errorf("%q", d)
	}
}

// TestWhoKeepsAccess: a login over SSH keeps the port that it uses, and nothing else that is closed. What was asked
// for keeps all of it.
func TestWhoKeepsAccess(t *testing.T) {
	s := fixtures.Host()
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "203.0.113.1:22", LoggedIn: snapshot.Yes}}
	deny := func(id string, port int) finding.Result {
		return finding.Result{ID: id, Status: finding.Fail, Findings: []finding.Finding{{
			Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zones.External, Proto: "tcp", Port: port}}},
		}}}
	}
	r := &finding.Report{Results: []finding.Result{deny("management/ssh-reachable-from-external", 22), deny("runtime/docker-api-on-tcp", 2375)}}
	allowed := func(p *Plan, src string, port int) bool {
		return slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Port == port && slices.Contains(r.Sources, netip.MustParsePrefix(src))
		})
	}
	p := Make(r, s, zones.Config{}, Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("203.0.113.78/32")}})
	for _, c := range []struct {
		src  string
		port int
		want bool
	}{
		{"203.0.113.77/32", 22, true}, {"203.0.113.77/32", 2375, false}, {"203.0.113.78/32", 22, true}, {"203.0.113.78/32", 2375, true},
	} {
		if got := allowed(p, c.src, c.port); got != c.want {
			t.Errorf("%s to port %d: %v, want %v\n%s", c.src, c.port, got, c.want, p.Ruleset)
		}
	}
	if len(p.Closes) != 2 || len(p.Closes[1].Except) != 1 {
		t.Errorf("%+v", p.Closes)
	}
	// Who has nothing but the address of a login is told so.
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for _, c := range []struct {
		opt  Options
		cfg  zones.Config
		want int
	}{
		{Options{}, outside, 1},
		{Options{Mode: DefaultDeny, Keep: []Flow{{Proto: "tcp", Port: 443, Why: keptAsked}}}, outside, 1},
		{Options{Keep: []Flow{{Proto: "tcp", Port: 22, Why: keptAsked}}}, outside, 0},
		{Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("203.0.113.78/32")}}, outside, 0},
		{Options{}, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, 0},
	} {
		told := Make(r, s, c.cfg, c.opt).Warnings
		if n := slices.IndexFunc(told, func(w string) bool { return strings.Contains(w, "203.0.113.77") }); (n >= 0) != (c.want > 0) || c.opt.Mode == "" && len(told) != c.want {
			t.Errorf("%+v: warnings %q", c.opt, told)
		}
	}
}

// TestBaselineLocksNobodyOut: the policy drop comes only where somebody can still log in.
func TestBaselineLocksNobodyOut(t *testing.T) {
	s := fixtures.Host()
	outside := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for flow, loaded := range map[string]bool{"": false, "tcp/443": false, "udp/22": false, "tcp/22@192.0.2.7": true} {
		opt := Options{Mode: DefaultDeny}
		if flow != "" {
			f, err := ParseFlow(flow)
			if err != nil {
				t.Fatal(err)
			}
			opt.Keep = []Flow{f}
		}
		p := Make(new(finding.Report), s, outside, opt)
		if got := strings.Contains(p.Ruleset, "policy drop"); got != loaded {
			t.Errorf("--keep %q: policy drop %v, want %v", flow, got, loaded)
		}
	}
	if p := Make(new(finding.Report), s, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, Options{Mode: DefaultDeny}); p.Mode != DefaultDeny {
		t.Error("with a management zone there is no baseline")
	}
}

// TestBaselineServesWorkloads: machines behind a bridge get their addresses from the host.
func TestBaselineServesWorkloads(t *testing.T) {
	s := fixtures.Host()
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}}
	dhcp := func() bool {
		p := Make(new(finding.Report), s, cfg, Options{Mode: DefaultDeny})
		return slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Chain == chainInput && slices.Contains(r.iifs(), "docker0") && r.Proto == "udp" && r.Port == 67
		})
	}
	if dhcp() {
		t.Error("DHCP is let in, but nobody serves it")
	}
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 67, Device: "docker0"})
	if !dhcp() {
		t.Error("DHCP of the workloads is closed")
	}
}
