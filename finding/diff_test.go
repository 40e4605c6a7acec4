package finding_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

var policies *judge.Policies

// judged is the report of the host of the fixtures after a change.
func judged(t *testing.T, change func(*snapshot.Snapshot)) *finding.Report {
	t.Helper()
	if policies == nil {
		var err error
		if policies, err = judge.Load(); err != nil {
			t.Fatal(err)
		}
	}
	s := fixtures.Host()
	if change != nil {
		change(s)
	}
	// A rule that is not in its file is a finding of its own.
	cfg := &judge.Config{Checks: judge.CheckConfig{Skip: []string{"firewall/live-differs-from-file"}}}
	r, err := judge.Judge(t.Context(), s, policies, cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openSSH adds a rule that lets workloads reach the SSH server.
func openSSH(s *snapshot.Snapshot) {
	chain := &s.NFTables.Ruleset.Tables[0].Chains[0]
	i := slices.IndexFunc(chain.Rules, func(r ruleset.Rule) bool { return r.Handle == 8 })
	b, err := json.Marshal(chain.Rules[i])
	if err != nil {
		panic(err)
	}
	name := func(s string) string { return hex.EncodeToString(append([]byte(s), make([]byte, 16-len(s))...)) }
	var n ruleset.Rule
	if err := json.Unmarshal(bytes.Replace(b, []byte(name("mgmt0")), []byte(name("docker0")), 1), &n); err != nil {
		panic(err)
	}
	n.Handle = 99
	chain.Rules = append(chain.Rules, n)
}

// told are the changes as lines.
func told(t *testing.T, before, after *finding.Report) (lines []string, d *finding.Diff) {
	t.Helper()
	d, err := finding.Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Changes {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s", c.Class, c.Check, c.Object, c.Zone))
	}
	return lines, d
}

func TestNothingChanged(t *testing.T) {
	if lines, d := told(t, judged(t, nil), judged(t, nil)); len(lines) != 0 || d.Worse() {
		t.Errorf("%q", lines)
	}
	open := judged(t, openSSH)
	if lines, d := told(t, open, judged(t, openSSH)); len(lines) != 0 || d.Unchanged == 0 {
		t.Errorf("%q", lines)
	}
}

// TestOneRuleOpened: one rule is one line with its witness, and closed again one that says so.
func TestOneRuleOpened(t *testing.T) {
	closed, open := judged(t, nil), judged(t, openSSH)
	lines, d := told(t, closed, open)
	want := "exposure got wider|management/ssh-reachable-from-workload|tcp 0.0.0.0:22 (sshd)|workload"
	if len(lines) != 1 || lines[0] != want || !d.Worse() || !strings.Contains(d.Changes[0].Witness, "docker0") {
		t.Errorf("%q %+v", lines, d.Changes)
	}
	lines, d = told(t, open, closed)
	if want = "fixed|management/ssh-reachable-from-workload|tcp 0.0.0.0:22 (sshd)|workload"; len(lines) != 1 || lines[0] != want || d.Worse() {
		t.Errorf("%q", lines)
	}
}

// TestBlind: what is not seen any more is worse, and nothing is fixed by it.
func TestBlind(t *testing.T) {
	blind := judged(t, func(s *snapshot.Snapshot) {
		openSSH(s)
		for i := range s.Coverage {
			if c := &s.Coverage[i]; c.Collector == "nftables" {
				c.Status, c.Reasons = snapshot.Denied, []string{"needs CAP_NET_ADMIN"}
			}
		}
		s.NFTables.Ruleset = nil
	})
	lines, d := told(t, judged(t, openSSH), blind)
	if !d.Worse() || len(lines) < 3 {
		t.Errorf("%q", lines)
	}
	for _, l := range lines {
		if strings.HasPrefix(l, finding.Fixed) || strings.HasPrefix(l, finding.CoverageMore) {
			t.Errorf("%q", l)
		}
	}
	for _, c := range d.Changes {
		if c.Object == "nftables" && c.Check == "" && c.Message != "nftables was ok and is denied: needs CAP_NET_ADMIN" {
			t.Errorf("%q", c.Message)
		}
	}
	back, d := told(t, blind, judged(t, openSSH))
	if !slices.ContainsFunc(back, func(l string) bool { return strings.HasPrefix(l, finding.Wider) }) || !d.Worse() {
		t.Errorf("what was unknown and is open is not told: %q", back)
	}
}

// small is a report with one finding.
func small(f finding.Finding, zones ...finding.Zone) *finding.Report {
	return &finding.Report{
		Schema: finding.Schema, Host: finding.Host{Name: "h", ID: "i"}, Zones: zones,
		Coverage: []finding.Coverage{{Collector: "network", Status: "ok"}},
		Results:  []finding.Result{{ID: "a/b", Status: finding.Fail, Severity: f.Severity, Findings: []finding.Finding{f}}},
	}
}

func TestTraps(t *testing.T) {
	f := func(key, severity string, zones ...string) finding.Finding {
		return finding.Finding{Resource: finding.Resource{Kind: "k", Key: key}, Severity: severity, Zones: zones, Fingerprint: key, Message: key}
	}
	gone := small(f("x", "high"))
	gone.Results[0] = finding.Result{ID: "a/b", Status: finding.Pass, Severity: "high"}
	skipped := small(f("x", "high"))
	skipped.Results[0] = finding.Result{ID: "a/b", Status: finding.Waived, Severity: "high"}
	half := small(f("y", "high"))
	half.Coverage[0].Status = "partial"
	waived := func(reopened string) *finding.Report {
		w := f("x", "high")
		w.Waiver = &finding.Waiver{Reason: "r", Expires: "2027-01-01", Reopened: reopened}
		return small(w)
	}
	exposed := func(port int, verdict string) *finding.Report {
		r := small(f("x", "high"))
		r.Exposures = []finding.Exposure{{Service: finding.Service{Proto: "udp", Address: "0.0.0.0", Port: port, Owner: "avahi", Namespace: "host"}, Zone: "external", Verdict: verdict}}
		return r
	}
	both := func(list ...finding.Finding) *finding.Report {
		r := small(list[0], finding.Zone{Name: "eth0", Zone: "external"}, finding.Zone{Name: "eth1", Zone: "external"})
		r.Results[0].Findings = list
		return r
	}
	passed := func(status string) *finding.Report {
		r := small(f("x", "high"))
		r.Results = append(r.Results, finding.Result{ID: "c/d", Status: status, Severity: "high"})
		return r
	}
	doubting := func(keys ...string) *finding.Report {
		r := small(f("x", "high"))
		for _, k := range keys {
			r.Results[0].Unknowns = append(r.Results[0].Unknowns, finding.Unclear{Resource: finding.Resource{Kind: "k", Key: k}, Reason: "not read"})
		}
		return r
	}
	// ssh is reachable from zones, which some checks find; no is how the zones do not reach it.
	ssh := func(checks int, no string, zones ...string) *finding.Report {
		svc := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 22, Owner: "sshd", Namespace: "host"}
		r := small(f("x", "high"))
		for n := range checks {
			one := f(svc.Key(), "high", zones...)
			one.Resource.Kind = "service"
			r.Results = append(r.Results, finding.Result{ID: fmt.Sprint("ssh/c", n), Status: finding.Fail, Severity: "high", Findings: []finding.Finding{one}})
		}
		for _, z := range zones {
			r.Exposures = append(r.Exposures, finding.Exposure{Service: svc, Zone: z, Verdict: "reachable"})
		}
		if no != "" {
			r.Exposures = append(r.Exposures, finding.Exposure{Service: svc, Zone: no, Verdict: "unreachable"})
		}
		return r
	}
	for _, c := range []struct {
		name     string
		old, new *finding.Report
		want     []string
	}{
		{"renamed interface", small(f("input from eth0", "high"), finding.Zone{Name: "eth0", Zone: "external"}), small(f("input from enp1s0", "high"), finding.Zone{Name: "enp1s0", Zone: "external"}), nil},
		{"one more interface of a zone", both(f("input from eth1", "high")), both(f("input from eth0", "high"), f("input from eth1", "high")), []string{finding.New}},
		{"a zone that was not there", ssh(1, "", "external"), ssh(1, "", "external", "workload"), []string{finding.Wider}},
		{"a zone that did not reach it", ssh(1, "workload", "external"), ssh(1, "", "external", "workload"), []string{finding.Wider}},
		{"two checks about what was opened", ssh(0, "external"), ssh(2, "", "external"), []string{finding.Wider, finding.New}},
		{"what passed is left out", passed(finding.Pass), passed(finding.Waived), []string{finding.CoverageWorse}},
		{"left out as before", passed(finding.Waived), passed(finding.Waived), nil},
		{"one more doubt of a failed check", doubting("y"), doubting("y", "z"), []string{finding.CoverageWorse}},
		{"the same doubt", doubting("y"), doubting("y"), nil},
		{"another zone's interface", small(f("input from eth0", "high"), finding.Zone{Name: "eth0", Zone: "external"}), small(f("input from docker0", "high"), finding.Zone{Name: "docker0", Zone: "workload"}), []string{finding.New, finding.Fixed}},
		{"severity", small(f("x", "medium")), small(f("x", "critical")), []string{finding.SeverityUp}},
		{"severity down", small(f("x", "critical")), small(f("x", "medium")), nil},
		{"zone", small(f("x", "high", "workload")), small(f("x", "high", "external", "workload")), []string{finding.Wider}},
		{"gone", small(f("x", "high")), gone, []string{finding.Fixed}},
		{"left out", small(f("x", "high")), skipped, []string{finding.CoverageWorse}},
		{"seen worse", small(f("x", "high")), half, []string{finding.New, finding.CoverageWorse, finding.CoverageWorse}},
		{"waived", small(f("x", "high")), waived(""), nil},
		{"waiver over", waived(""), waived("it has expired"), []string{finding.Reopened}},
		{"waiver taken out", waived(""), small(f("x", "high")), []string{finding.Reopened}},
		{"new and waived", gone, waived(""), nil},
		{"ephemeral port", exposed(40000, "reachable"), exposed(50000, "reachable"), nil},
		{"opened", exposed(5353, "unreachable"), exposed(5353, "reachable"), []string{finding.Wider}},
		{"opened from unknown", exposed(5353, "unknown"), exposed(5353, "reachable"), []string{finding.Wider}},
		{"not known any more", exposed(5353, "reachable"), exposed(5353, "unknown"), []string{finding.CoverageWorse}},
		{"closed", exposed(5353, "reachable"), exposed(5353, "unreachable"), []string{finding.Fixed}},
	} {
		lines, _ := told(t, c.old, c.new)
		var got []string
		for _, l := range lines {
			got = append(got, strings.Split(l, "|")[0])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, lines, c.want)
		}
	}
	other := small(f("x", "high"))
	other.Host.ID = "other"
	if _, err := finding.Compare(gone, other); !errors.Is(err, finding.ErrOtherHost) {
		t.Errorf("two hosts: %v", err)
	}
	gone.Tool.Policies = "p"
	if _, d := told(t, gone, small(f("x", "high"))); len(d.Notes) != 1 {
		t.Errorf("other policies: %v", d.Notes)
	}
}

func TestLoad(t *testing.T) {
	whole := small(finding.Finding{Severity: "low", Fingerprint: "f"})
	whole.Actions = []finding.Action{{Text: "t", Severity: "high"}}
	good, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := finding.Load(good); err != nil || len(r.Results) != 1 {
		t.Errorf("%v", err)
	}
	for from, to := range map[string]string{
		`"status":"fail"`: `"status":"well"`, `"severity":"low"`: `"severity":"awful"`, `"fingerprint":"f"`: `"fingerprint":""`, `"id":"a/b"`: `"id":""`,
		`"schema":"ringfence.report/v1"`: `"schema":"ringfence.report/v2"`, `"severity":"high"`: `"severity":"<img src=x>"`,
		`"id":"a/`: `"id":"a\u001b[2J/`, `"fingerprint":`: `"fingerprint":"f\nno findings","was":`,
	} {
		b := bytes.Replace(good, []byte(from), []byte(to), 1)
		if _, err := finding.Load(b); err == nil || !errors.Is(err, finding.ErrReport) {
			t.Errorf("%s for %s: %v", to, from, err)
		}
	}
	for what, list := range map[string]string{"objects": strings.Repeat("{},", 2_000_000), "values": strings.Repeat("0,", 20_000_000)} {
		if _, err := finding.Load([]byte(`{"schema":"ringfence.report/v1","zones":[` + list + `{}]}`)); err == nil || !strings.HasSuffix(err.Error(), "too many values") {
			t.Errorf("%s without end: %v", what, err)
		}
	}
	for _, b := range []string{"", "{", "null", "[]", "{}", "\xff", string(good) + "{}"} {
		if _, err := finding.Load([]byte(b)); err == nil {
			t.Errorf("%q is a report", b)
		}
	}
	if _, err := finding.Load([]byte(`{"schema":"ringfence.snapshot/v1"}`)); !errors.Is(err, finding.ErrSnapshot) {
		t.Errorf("a snapshot: %v", err)
	}
	if _, err := finding.Load(bytes.Replace(good, []byte(`{"schema"`), []byte(`{"later":1,"schema"`), 1)); err != nil {
		t.Errorf("a field of a later version: %v", err)
	}
}

// TestWayOfForwardsThatAreNotListed: a way through the host that opens is told also where the forwards of before are too many to be listed.
func TestWayOfForwardsThatAreNotListed(t *testing.T) {
	zones := []finding.Zone{{Name: "eth0", Zone: "external"}, {Name: "docker0", Zone: "workload"}}
	before, after := small(finding.Finding{Severity: "low", Fingerprint: "f"}, zones...), small(finding.Finding{Severity: "low", Fingerprint: "f"}, zones...)
	before.ForwardsLeftOut = []finding.ForwardsLeftOut{{From: "eth0", Family: "ipv4", Verdict: "unreachable", To: []string{"docker0"}}}
	after.Forwards = []finding.Forward{{From: "eth0", FromZone: "external", To: "docker0", ToZone: "workload", Family: "ipv4", Verdict: "reachable", Witness: "in eth0 tcp"}}
	if lines, _ := told(t, before, after); !slices.Equal(lines, []string{finding.Wider + "||the workload zone|external"}) {
		t.Errorf("%q", lines)
	}
}

// TestFewReasons: of a collector that was refused many files three are told, and how many more there are.
func TestFewReasons(t *testing.T) {
	for want, reasons := range map[string][]string{"a": {"a"}, "a; b; c": {"a", "b", "c"}, "a; b; c (and 2 more)": {"a", "b", "c", "d", "e"}} {
		before, after := small(finding.Finding{}), small(finding.Finding{})
		after.Coverage[0].Status, after.Coverage[0].Reasons = "partial", reasons
		_, d := told(t, before, after)
		if !slices.ContainsFunc(d.Changes, func(c finding.Change) bool { return c.Message == "network was ok and is partial: "+want }) {
			t.Errorf("%q: %+v", want, d.Changes)
		}
	}
}

// TestBothFamiliesOpenedAreOneLine: one rule opens a server that listens at all addresses of IPv4 and of IPv6: that is one change, and one is what closes it.
func TestBothFamiliesOpenedAreOneLine(t *testing.T) {
	report := func(verdict string) *finding.Report {
		r := &finding.Report{Host: finding.Host{Name: "h"}, Results: []finding.Result{{ID: "management/ssh-reachable-from-external", Status: finding.Pass}}}
		for _, a := range []string{"0.0.0.0", "::"} {
			r.Exposures = append(r.Exposures, finding.Exposure{
				Service: finding.Service{Proto: "tcp", Address: a, Port: 22, Owner: "sshd"}, Zone: "external", Verdict: verdict, Witness: "a packet to " + a,
			})
		}
		return r
	}
	const no, yes, unknown = "unreachable", "reachable", "unknown"
	for name, c := range map[string]struct{ before, after, want string }{
		"opened":    {no, yes, "exposure got wider||tcp 0.0.0.0:22 (sshd)|external"},
		"closed":    {yes, no, "fixed||tcp 0.0.0.0:22 (sshd)|external"},
		"not known": {no, unknown, "coverage got worse||tcp 0.0.0.0:22 (sshd)|external"},
		"as it was": {yes, yes, ""},
	} {
		lines, d := told(t, report(c.before), report(c.after))
		if strings.Join(lines, " ") != c.want || c.want != "" && !strings.HasSuffix(d.Changes[0].Message, "; also tcp [::]:22 (sshd)") {
			t.Errorf("%s: %q, %+v", name, lines, d.Changes)
		}
	}
}

// TestProgramOpenedIsOneLine: a finding that is about a program is told with the way to its socket that was opened, and gone with the last one. One of
// several that is closed is told by itself.
func TestProgramOpenedIsOneLine(t *testing.T) {
	report := func(verdicts ...string) *finding.Report {
		r := &finding.Report{Host: finding.Host{Name: "h"}, Results: []finding.Result{{ID: "management/undeclared-listener", Status: finding.Pass}}}
		for i, v := range verdicts {
			r.Exposures = append(r.Exposures, finding.Exposure{
				Service: finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 8000 + i, Owner: "python3"}, Zone: "external", Verdict: v,
			})
		}
		if slices.Contains(verdicts, "reachable") {
			r.Results[0].Status = finding.Fail
			r.Results[0].Findings = []finding.Finding{{
				Resource: finding.Resource{Kind: "service", Key: "python3"}, Message: "it listens", Severity: "low", Zone: "external", Fingerprint: "f",
			}}
		}
		return r
	}
	const no, yes, check = "unreachable", "reachable", "management/undeclared-listener"
	for _, c := range []struct {
		name          string
		before, after []string
		want          []string
	}{
		{"opened", []string{no, no}, []string{yes, no}, []string{"exposure got wider|" + check + "|tcp 0.0.0.0:8000 (python3)|external"}},
		{"closed", []string{yes, no}, []string{no, no}, []string{"fixed|" + check + "|python3|external"}},
		{"a second one", []string{yes, no}, []string{yes, yes}, []string{"exposure got wider|" + check + "|tcp 0.0.0.0:8001 (python3)|external"}},
		{"one of two closed", []string{yes, yes}, []string{yes, no}, []string{"fixed||tcp 0.0.0.0:8001 (python3)|external"}},
		{"nothing", []string{yes, no}, []string{yes, no}, nil},
	} {
		if lines, _ := told(t, report(c.before...), report(c.after...)); !slices.Equal(lines, c.want) {
			t.Errorf("%s: %q, want %q", c.name, lines, c.want)
		}
	}
}
