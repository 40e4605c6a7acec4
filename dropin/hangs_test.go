package dropin

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// withAccounts is a host whose SSH server reads files of ours, with these accounts.
func withAccounts(accounts ...snapshot.SSHAccount) *snapshot.Snapshot {
	for i := range accounts {
		accounts[i].Config = defaultSSHD
	}
	return &snapshot.Snapshot{SSH: snapshot.SSH{
		Servers:  []snapshot.SSHServer{{Kind: "openssh", PID: 7, Config: defaultSSHD, Word: root}},
		Configs:  []snapshot.SSHConfig{{Path: defaultSSHD, DropIns: true}},
		Accounts: accounts,
	}}
}

// TestPasswordsStayWithoutKeys: who logs in by a password alone would be locked out.
func TestPasswordsStayWithoutKeys(t *testing.T) {
	off := finding.Settings{{Name: "PasswordAuthentication", Value: "no"}}
	has := func(key snapshot.Login, logged bool) snapshot.SSHAccount {
		return snapshot.SSHAccount{Name: "a", Key: key, LoggedIn: logged, Why: "it has no key"}
	}
	user := func(key snapshot.Login, logged, admin bool) snapshot.SSHAccount {
		return snapshot.SSHAccount{Name: "mal", UID: 1001, Key: key, LoggedIn: logged, Admin: admin, Why: "it has no key"}
	}
	elsewhere := withAccounts(has(snapshot.Yes, false))
	elsewhere.SSH.Servers[0].Config = "/srv/sshd_config"
	for name, c := range map[string]struct {
		s      *snapshot.Snapshot
		config string
		file   bool
	}{
		"a key":                         {withAccounts(has(snapshot.Yes, false)), "", true},
		"no key":                        {withAccounts(has(snapshot.No, false)), "", false},
		"not told":                      {withAccounts(has("", false)), "", false},
		"nobody was seen":               {withAccounts(), "", false},
		"a key of who does not log in":  {withAccounts(has(snapshot.Yes, false), has(snapshot.No, true)), "", false},
		"one of those who log in":       {withAccounts(has(snapshot.Yes, true), has(snapshot.No, true)), "", true},
		"a user's key alone":            {withAccounts(has(snapshot.No, false), user(snapshot.Yes, false, false)), "", false},
		"a user's, who is logged in":    {withAccounts(has(snapshot.No, false), user(snapshot.Yes, true, false)), "", false},
		"of a user who becomes root":    {withAccounts(has(snapshot.No, false), user(snapshot.Yes, false, true)), "", true},
		"root's, and a user without":    {withAccounts(has(snapshot.Yes, false), user(snapshot.No, false, false)), "", true},
		"nobody becomes root":           {withAccounts(user(snapshot.Yes, false, false)), "", false},
		"a configuration without ours":  {elsewhere, "/srv/sshd_config", false},
		"an old snapshot":               {&snapshot.Snapshot{}, "", false},
		"what locks nobody out is free": {withAccounts(has(snapshot.No, true)), "empty", true},
	} {
		settings := off
		if c.config == "empty" {
			settings, c.config = finding.Settings{{Name: "PermitEmptyPasswords", Value: "no"}}, ""
		}
		files, left := Make(new(finding.Report), c.s, []Manual{{Check: "c", Kind: serviceSSHD, Settings: settings, Resource: c.config}})
		if (len(files) == 1) != c.file || (len(left) == 0) != c.file {
			t.Errorf("%s: files %+v, left %+v", name, files, left)
		}
		if !c.file && (left[0].Kind != "words" || !strings.Contains(left[0].Text, "PasswordAuthentication no")) {
			t.Errorf("%s: %+v", name, left[0])
		}
	}
}

// TestStrictModesKeepsKeysOut: keys that sshd reads only without StrictModes let nobody in once a file turns it on.
func TestStrictModesKeepsKeysOut(t *testing.T) {
	account := func(key snapshot.Login, loose string) snapshot.SSHAccount {
		return snapshot.SSHAccount{Name: "root", Key: key, Loose: loose, LoggedIn: true}
	}
	for name, c := range map[string]struct {
		accounts []snapshot.SSHAccount
		setting  string
		file     bool
	}{
		"a key that others can write":           {[]snapshot.SSHAccount{account(snapshot.Yes, "others can write /k")}, "StrictModes yes", false},
		"nor without passwords":                 {[]snapshot.SSHAccount{account(snapshot.Yes, "others can write /k")}, "PasswordAuthentication no", false},
		"a key that root alone writes":          {[]snapshot.SSHAccount{account(snapshot.Yes, "")}, "StrictModes yes", true},
		"one of two":                            {[]snapshot.SSHAccount{account(snapshot.Yes, "x"), account(snapshot.Yes, "")}, "StrictModes yes", true},
		"limited keys that others can write":    {[]snapshot.SSHAccount{account("", "others can write /k")}, "StrictModes yes", false},
		"logins by passwords do not need files": {[]snapshot.SSHAccount{account(snapshot.No, "")}, "StrictModes yes", true},
		"logins by hosts":                       {[]snapshot.SSHAccount{account(snapshot.No, "")}, "HostbasedAuthentication no", false},
	} {
		key, value, _ := strings.Cut(c.setting, " ")
		files, left := Make(new(finding.Report), withAccounts(c.accounts...), []Manual{{Check: "c", Kind: serviceSSHD, Settings: finding.Settings{{Name: key, Value: value}}}})
		if (len(files) == 1) != c.file || (len(left) == 0) != c.file {
			t.Errorf("%s: files %+v, left %+v", name, files, left)
		}
	}
}

// TestTheFirstValueCounts: what a line above the Include sets, or the command line, no file of ours changes.
func TestTheFirstValueCounts(t *testing.T) {
	for name, c := range map[string]struct {
		earlier, options []string
		is               string
		file             bool
	}{
		"above the Include":       {[]string{"port", "permitemptypasswords"}, nil, "yes", false},
		"on the command line":     {nil, []string{"permitemptypasswords=yes"}, "yes", false},
		"another one above it":    {[]string{"port"}, []string{"port=2222"}, "yes", true},
		"what is wanted is there": {[]string{"permitemptypasswords"}, nil, "no", true},
	} {
		s := withAccounts()
		s.SSH.Configs[0].Earlier, s.SSH.Configs[0].Options = c.earlier, c.options
		s.SSH.Configs[0].Contexts = []snapshot.SSHContext{{Settings: map[string][]string{"permitemptypasswords": {c.is}}}}
		files, left := Make(new(finding.Report), s, []Manual{{Check: "c", Kind: serviceSSHD, Settings: finding.Settings{{Name: "PermitEmptyPasswords", Value: "no"}}}})
		if (len(files) == 1) != c.file || (len(left) == 0) != c.file {
			t.Errorf("%s: files %+v, left %+v", name, files, left)
		}
	}
}

// TestKeysComeFirst: however many accounts there are and whatever they are called, the text ends with what to do before.
func TestKeysComeFirst(t *testing.T) {
	var accounts []snapshot.SSHAccount
	for _, why := range []string{"it has no key", "\x1b[2J" + strings.Repeat("x", 500)} {
		for range 8 {
			accounts = append(accounts, snapshot.SSHAccount{Name: strings.Repeat("é\n", 100), Key: snapshot.No, Why: why})
		}
	}
	_, left := Make(new(finding.Report), withAccounts(accounts...), []Manual{{Check: "c", Kind: serviceSSHD, Settings: finding.Settings{{Name: "PasswordAuthentication", Value: "no"}}}})
	if len(left) != 1 || !left[0].Held {
		t.Fatalf("%+v", left)
	}
	text := left[0].Text
	if !strings.HasSuffix(text, "): give one a key first") || strings.Count(text, "it has no key") != 1 || strings.Count(text, "and 3 more") != 2 || strings.ContainsAny(text, "\x1b\n") {
		t.Errorf("%q", text)
	}
}

// TestEachConfigurationIsNamed: each server's own file is checked before it reads it again, and one that does not include ours is let alone.
func TestEachConfigurationIsNamed(t *testing.T) {
	s := withAccounts(snapshot.SSHAccount{Key: snapshot.Yes})
	s.SSH.Servers = append(s.SSH.Servers, snapshot.SSHServer{Kind: "openssh", PID: 8, Config: "/srv/sshd_config", Word: root})
	work := []Manual{{Check: "c", Kind: serviceSSHD, Settings: finding.Settings{{Name: "PasswordAuthentication", Value: "no"}}}}
	files, _ := Make(new(finding.Report), s, work)
	if len(files) != 1 || len(files[0].PIDs) != 1 || files[0].PIDs[0] != 7 || len(files[0].Configs) != 1 || files[0].Configs[0] != defaultSSHD {
		t.Errorf("%+v", files)
	}
}

// TestSwitchesThatOthersNeed: no file changes what something of the host hangs on.
func TestSwitchesThatOthersNeed(t *testing.T) {
	loopback := ruleset.Rule{Exprs: []ruleset.Expr{
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{127, 0, 0, 1}}},
		{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1}},
	}}
	other := ruleset.Rule{Exprs: []ruleset.Expr{
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{172, 17, 0, 2}}},
		{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1}},
	}}
	xt := ruleset.Rule{Exprs: []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Target: true, Name: "DNAT", Decoded: &ruleset.XtDecoded{NAT: &ruleset.XtNAT{Kind: "dnat", AddrMin: ruleset.Hex{127, 0, 0, 1}}}}}}}
	mapped := ruleset.Rule{Exprs: []ruleset.Expr{{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1}}}}
	nat := func(r ...ruleset.Rule) *ruleset.Ruleset {
		return &ruleset.Ruleset{Tables: []ruleset.Table{{Family: "ip", Chains: []ruleset.Chain{{Name: "x", Rules: r}}}}}
	}
	fromHost := func(sets []ruleset.Set, exprs ...ruleset.Expr) *ruleset.Ruleset {
		return &ruleset.Ruleset{Tables: []ruleset.Table{{Family: "ip", Sets: sets, Chains: []ruleset.Chain{
			{Name: "OUTPUT", Base: &ruleset.Base{Type: "nat", Hook: "output"}, Rules: []ruleset.Rule{{Exprs: exprs}}}, {Name: "DOCKER", Rules: []ruleset.Rule{other}},
		}}}}
	}
	daddr := func(n uint32) ruleset.Expr {
		return ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 16, Len: n, Dreg: 1}}
	}
	is := func(op string, data ...byte) ruleset.Expr {
		return ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: op, Data: data}}
	}
	local := ruleset.Expr{Name: "fib", Fib: &ruleset.Fib{Dreg: 1, Result: ruleset.FibAddrtype, Flags: ruleset.FibDaddr}}
	jump := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Jump, Chain: "DOCKER"}}}
	find := ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Set: "services", Sreg: 1, HasReg: true}}
	services := func(first byte) []ruleset.Set {
		return []ruleset.Set{{Name: "services", Map: true, Elements: []ruleset.Element{{Key: ruleset.Hex{first, 96, 0, 1, 0, 80}, Verdict: jump.Immediate.Verdict}}}}
	}
	localnet := finding.Setting{Name: "net.ipv4.conf.all.route_localnet", Value: "0"}
	forward := func(policy string) *ruleset.Ruleset {
		return &ruleset.Ruleset{Tables: []ruleset.Table{{Family: "ip", Chains: []ruleset.Chain{{Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: policy}}}}}}
	}
	bridge := []snapshot.Link{{Index: 1, Name: "virbr0", Kind: "bridge", Up: true}, {Index: 2, Up: true, Master: 1}, {Index: 3, Up: true, Master: 1}}
	for name, c := range map[string]struct {
		rs      *ruleset.Ruleset
		links   []snapshot.Link
		setting finding.Setting
		file    bool
	}{
		"dnat to loopback":       {nat(loopback), nil, finding.Setting{Name: "net.ipv4.conf.all.route_localnet", Value: "0"}, false},
		"of one interface":       {nat(loopback), nil, finding.Setting{Name: "net.ipv4.conf.eth0.route_localnet", Value: "0"}, false},
		"of iptables":            {nat(xt), nil, finding.Setting{Name: "net.ipv4.conf.all.route_localnet", Value: "0"}, false},
		"by a map":               {nat(mapped), nil, finding.Setting{Name: "net.ipv4.conf.all.route_localnet", Value: "0"}, false},
		"rules were not seen":    {nil, nil, finding.Setting{Name: "net.ipv4.conf.all.route_localnet", Value: "0"}, false},
		"dnat to a container":    {nat(other), nil, finding.Setting{Name: "net.ipv4.conf.all.route_localnet", Value: "0"}, true},
		"published at loopback":  {fromHost(nil, local, is(ruleset.OpEq, 2, 0, 0, 0), jump), nil, localnet, false},
		"but for loopback":       {fromHost(nil, daddr(1), is(ruleset.OpNeq, 127), local, is(ruleset.OpEq, 2, 0, 0, 0), jump), nil, localnet, true},
		"but for one of it":      {fromHost(nil, daddr(4), is(ruleset.OpNeq, 127, 0, 0, 1), jump), nil, localnet, false},
		"at another address":     {fromHost(nil, daddr(4), is(ruleset.OpEq, 10, 0, 0, 1), jump), nil, localnet, true},
		"another value, then":    {fromHost(nil, daddr(4), local, is(ruleset.OpEq, 2, 0, 0, 0), jump), nil, localnet, false},
		"services of a cluster":  {fromHost(services(10), daddr(4), find), nil, localnet, true},
		"one of them at home":    {fromHost(services(127), daddr(4), find), nil, localnet, false},
		"policy drop":            {forward("drop"), bridge, finding.Setting{Name: "net.bridge.bridge-nf-call-iptables", Value: "1"}, false},
		"policy drop, one port":  {forward("drop"), bridge[:2], finding.Setting{Name: "net.bridge.bridge-nf-call-iptables", Value: "1"}, true},
		"policy accept":          {forward("accept"), bridge, finding.Setting{Name: "net.bridge.bridge-nf-call-iptables", Value: "1"}, true},
		"forwarding, containers": {nat(), bridge, finding.Setting{Name: "net.ipv4.ip_forward", Value: "0"}, false},
		"forwarding, alone":      {nat(), nil, finding.Setting{Name: "net.ipv4.ip_forward", Value: "0"}, true},
	} {
		s := &snapshot.Snapshot{}
		s.NFTables.Ruleset, s.Network.Links = c.rs, c.links
		files, left := Make(new(finding.Report), s, []Manual{{Check: "c", Kind: serviceSysctl, Settings: finding.Settings{c.setting}}})
		if (len(files) == 1) != c.file || (len(left) == 0) != c.file {
			t.Errorf("%s: files %+v, left %+v", name, files, left)
		}
	}
}

// TestWhoHasNoKeyIsNamed: who could no longer log in is told with the file that switches passwords off, and with no other.
func TestWhoHasNoKeyIsNamed(t *testing.T) {
	s := withAccounts(snapshot.SSHAccount{Name: "root", Key: snapshot.Yes}, snapshot.SSHAccount{Name: "bob", UID: 1000, Key: snapshot.No}, snapshot.SSHAccount{Name: "eve\n", UID: 1001})
	for value, want := range map[finding.Setting]bool{{Name: "PasswordAuthentication", Value: "no"}: true, {Name: "StrictModes", Value: "yes"}: false} {
		files, _ := Make(new(finding.Report), s, []Manual{{Check: "c", Kind: serviceSSHD, Settings: finding.Settings{value}}})
		if len(files) != 1 {
			t.Fatalf("%+v", files)
		}
		told := files[0].Disruption
		if strings.Contains(told, "bob, eve") != want || strings.Contains(told, "root") || strings.Contains(told, "\n") {
			t.Errorf("%s: %s", value.Name, told)
		}
	}
}
