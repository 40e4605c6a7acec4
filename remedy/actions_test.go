package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/snapshot"
)

// openHost is a host without a packet filter, on which a switch of the kernel is off.
func openHost(t *testing.T) (*snapshot.Snapshot, *finding.Report) {
	t.Helper()
	s := fixtures.Host()
	s.NFTables.Ruleset.Tables = nil
	s.Network.Sysctls["kernel/randomize_va_space"] = snapshot.Fact{State: snapshot.Present, Value: "0"}
	p, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	r, err := judge.Judge(t.Context(), s, p, new(judge.Config), "")
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// TestActionsAreWhatPlansDo: what is said that a command closes, its plan closes, and nothing that has a remedy is left out or there twice.
func TestActionsAreWhatPlansDo(t *testing.T) {
	s, r := openHost(t)
	list := Actions(r, s, nil)
	wants := map[string]Options{
		commandFix: {}, commandFix + withNetwork: {AllowFrom: someNetwork}, commandDefault: {Mode: DefaultDeny},
		commandDefault + withNetwork: {Mode: DefaultDeny, AllowFrom: someNetwork},
	}
	seen := map[string]string{}
	plans := 0
	for i, a := range list {
		if i > 0 && finding.Rank(a.Severity) < finding.Rank(list[i-1].Severity) {
			t.Errorf("%q is after what is less urgent", a.Text)
		}
		for _, id := range a.Closes {
			if seen[id] != "" {
				t.Errorf("%s is closed by %q and %q", id, seen[id], a.Text)
			}
			seen[id] = a.Text
		}
		opt, ok := wants[a.Command]
		if !ok {
			continue
		}
		plans++
		closed := Make(r, s, nil, opt).targets()
		for _, id := range a.Closes {
			if !slices.Contains(closed, id) {
				t.Errorf("%s does not close %s", a.Command, r.Counting()[id].Message)
			}
		}
	}
	if plans < 2 {
		t.Errorf("%d plans in %+v", plans, list)
	}
	for id, f := range r.Counting() {
		if len(f.Remediation) > 0 && seen[id] == "" {
			t.Errorf("nothing is said about %s", f.Message)
		}
	}
	s.Host.Self.UID = 1000
	for _, a := range Actions(r, s, nil) {
		if len(a.Command) > 9 && a.Command[:9] == "ringfence" {
			t.Errorf("%s: a user needs sudo", a.Command)
		}
	}
}

// TestNobodyIsToldToLockThemselvesOut: settings that a plan holds back are told with what they would break.
func TestNobodyIsToldToLockThemselvesOut(t *testing.T) {
	const why = "PasswordAuthentication no: not set by a file, since nobody has a key: give one a key first"
	settings := []finding.Remediation{{Kind: "sshd", Text: "PasswordAuthentication no"}}
	r := &finding.Report{Results: []finding.Result{{ID: "ssh/password-authentication", Status: finding.Fail, Severity: "high", Findings: []finding.Finding{
		{Message: "SSH accepts passwords", Severity: "high", Fingerprint: "a", Remediation: settings},
	}}}}
	for want, plan := range map[string]*Plan{settings[0].Text: {}, why: {Manual: []dropin.Manual{{What: "SSH accepts passwords", Text: why, Held: true}}}} {
		var texts []string
		byHand(r, plan, map[string]bool{}, func(command, text string, closes, _ []string) { texts = append(texts, command, text, closes[0]) })
		if !slices.Equal(texts, []string{"", want, "a"}) {
			t.Errorf("%q, want %s", texts, want)
		}
	}
}

// TestWordsThatNameZones: a policy that names the zone in its words, and not beside them, has a finding ended by what is to be done about each.
func TestWordsThatNameZones(t *testing.T) {
	words := func(text string) finding.Remediation { return finding.Remediation{Kind: "words", Text: text} }
	keep, same, or := words("keep the external zone away"), words("keep the workload zone away"), words("or else")
	for name, c := range map[string]struct {
		zones []string
		list  []finding.Remediation
		want  string
	}{
		"both":               {[]string{"external", "workload"}, []finding.Remediation{keep, or, same}, keep.Text + "; " + same.Text},
		"one":                {nil, []finding.Remediation{keep, or}, keep.Text},
		"another zone":       {[]string{"external", "management"}, []finding.Remediation{keep, same}, keep.Text},
		"something else":     {[]string{"external", "workload"}, []finding.Remediation{keep, or}, keep.Text},
		"no zone in its own": {[]string{"external", "workload"}, []finding.Remediation{or, keep, same}, or.Text},
	} {
		f := &finding.Finding{Zone: "external", Zones: c.zones, Remediation: c.list}
		if got := new(hands).whole(f).Text; got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestWorkloadsOfTheHostsNetworkAreLeft: what rules close to all but workloads in the host's own network namespace is ended by the rules and by taking
// those out of it, not by a rule about the port. What something else closes whole is left to that.
func TestWorkloadsOfTheHostsNetworkAreLeft(t *testing.T) {
	deny := finding.Remediation{Kind: "nft", Text: "drop tcp port 22 from the workload zone", Deny: &finding.Deny{Zone: "workload", Proto: "tcp", Port: 22}}
	whole := finding.Remediation{Kind: "config", Text: "take it from the daemon"}
	of := map[string]*finding.Finding{
		"a": {Remediation: []finding.Remediation{deny}}, "b": {Remediation: []finding.Remediation{whole, deny}}, "c": {Remediation: []finding.Remediation{deny}},
		"d": {Remediation: []finding.Remediation{deny}},
	}
	const local = "runs in the host's network namespace: a (runs what a model writes), b (y), c (z), d (w)"
	p := &Plan{Closes: []Target{{Fingerprint: "a", Local: local}, {Fingerprint: "b", Local: local}, {Fingerprint: "c"}, {Fingerprint: "d", Local: local, Rest: []finding.Deny{*deny.Deny}}, {Fingerprint: "waived", Local: local}}}
	w := withinHost{counts: of, taken: map[string]bool{}}
	if got := w.left(p); !slices.Equal(got, []string{"a"}) || w.who != "a, b, c and 1 more" || !w.taken["a"] {
		t.Errorf("%v %+v", got, w)
	}
	if got := w.left(p); len(got) != 0 || !slices.Equal(w.closes, []string{"a"}) {
		t.Errorf("twice: %v %v", got, w.closes)
	}
}

// TestBaselineWhereNobodyIsLoggedIn: who logs in is named with the port, since without them the baseline is refused.
func TestBaselineWhereNobodyIsLoggedIn(t *testing.T) {
	s, r := openHost(t)
	s.SSH.Sessions = nil
	if p := Make(r, s, nil, Options{Mode: DefaultDeny, AllowFrom: someNetwork}); p.Mode == DefaultDeny {
		t.Fatal("the baseline is made without --keep: this tests nothing")
	}
	list := Actions(r, s, nil)
	i := slices.IndexFunc(list, func(a finding.Action) bool { return a.Command == commandDefault+" --keep tcp/22@NETWORK" })
	if i < 0 {
		t.Fatalf("no command makes the baseline: %+v", list)
	}
	opt, err := ParseOptions(nil, []string{"tcp/22@192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	opt.Mode = DefaultDeny
	closed := Make(r, s, nil, opt).targets()
	for _, id := range list[i].Closes {
		if !slices.Contains(closed, id) {
			t.Errorf("it does not close %s", r.Counting()[id].Message)
		}
	}
}

// TestActionsJoinObjects: one thing to do about several objects is one action, which names some of them.
func TestActionsJoinObjects(t *testing.T) {
	r := &finding.Report{Results: []finding.Result{{ID: "a/b", Status: finding.Fail}}}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		key := "container " + name
		r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{
			Resource: finding.Resource{Key: key}, Severity: "high", Fingerprint: name, Remediation: []finding.Remediation{{Kind: "config", Text: "recreate " + key}},
		})
	}
	r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{
		Severity: "critical", Fingerprint: "f", Resource: finding.Resource{Key: "x"}, Remediation: []finding.Remediation{{Kind: "command", Text: "gpasswd -d x docker"}},
	}, finding.Finding{
		Severity: "critical", Fingerprint: "g", Resource: finding.Resource{Key: "y"}, Waiver: &finding.Waiver{Reason: "r"},
		Remediation: []finding.Remediation{{Kind: "command", Text: "gpasswd -d y docker"}},
	})
	list := Actions(r, fixtures.Host(), nil)
	if len(list) != 2 || list[0].Command != "gpasswd -d x docker" || len(list[1].Closes) != 5 ||
		list[1].Text != "recreate container a; so too container b, container c, container d and 1 more" {
		t.Errorf("%+v", list)
	}
}

// TestActionsAreTheSameByTheirText: what is to be done in the same words is one thing, also if the words happen to have the key of an object.
func TestActionsAreTheSameByTheirText(t *testing.T) {
	r := &finding.Report{Results: []finding.Result{{ID: "a/b", Status: finding.Fail}}}
	for _, key := range []string{"input", "eth0", "forward"} {
		r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{
			Resource: finding.Resource{Key: key}, Severity: "high", Fingerprint: key, Remediation: []finding.Remediation{{Kind: "words", Text: "load an input chain"}},
		})
	}
	if list := Actions(r, fixtures.Host(), nil); len(list) != 1 || list[0].Text != "load an input chain" || len(list[0].Closes) != 3 {
		t.Errorf("%+v", list)
	}
}
