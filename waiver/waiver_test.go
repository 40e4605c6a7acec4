package waiver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
)

var now = time.Date(2026, 11, 29, 23, 30, 0, 0, time.UTC)

var checks = []string{"agent/runs-as-root", "firewall/ipv6-unfiltered", "management/ssh-reachable-from-workload", "ssh/empty-passwords"}

// report has a finding about a socket, one about something else, and a check that was not decided.
func report() *finding.Report {
	svc := finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: 22, Owner: "sshd", Namespace: "host"}
	return &finding.Report{
		Host:      finding.Host{Name: "ci-7", ID: "abc"},
		Exposures: []finding.Exposure{{Service: svc, Zone: "workload", Verdict: "reachable"}},
		Results: []finding.Result{
			{ID: "agent/runs-as-root", Status: finding.Pass, Severity: "high"},
			{ID: "management/ssh-reachable-from-workload", Status: finding.Fail, Severity: "critical", Findings: []finding.Finding{
				{Resource: finding.Resource{Kind: "service", Key: svc.Key()}, Severity: "critical", Zone: "workload", Fingerprint: strings.Repeat("a", 64)},
				{Resource: finding.Resource{Kind: "file", Key: "/etc/x/y"}, Severity: "low", Fingerprint: strings.Repeat("b", 64)},
			}},
			{ID: "ssh/empty-passwords", Status: finding.Unknown, Severity: "high", Reason: "not read", Unknowns: []finding.Unclear{{Resource: finding.Resource{Key: "sshd"}, Reason: "not read"}}},
		},
	}
}

const head = "waivers:\n  - {finding: management/ssh-reachable-from-workload, object: \"tcp 0.0.0.0:22 *\", reason: r, owner: o, "

// TestTable has what can become of a waiver, one row each.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		name, text string
		change     func(*finding.Report)
		err        string
		reopened   string   // of the first finding; "-" is no waiver, "" one that holds
		problems   []string // checks of the waivers that fail
	}{
		{name: "valid", text: head + "expires: 2027-03-31, while: {zones: [workload], severity: critical, owner: sshd}}"},
		{name: "until the end of the day", text: head + "expires: 2026-11-29}"},
		{name: "expired yesterday", text: head + "expires: 2026-11-28}", reopened: "it has expired", problems: []string{"waiver/expired"}},
		{name: "midnight in another zone", text: head + "expires: \"2026-11-30T00:00:00+02:00\"}", reopened: "it has expired", problems: []string{"waiver/expired"}},
		{name: "wrong host", text: head + "expires: 2027-03-31, host: \"web-*\"}", reopened: "-"},
		{name: "right host", text: head + "expires: 2027-03-31, host: \"ci-*\"}"},
		{name: "host by its id", text: head + "expires: 2027-03-31, host: abc}"},
		{name: "severity up", text: head + "expires: 2027-03-31, while: {severity: high}}", reopened: "its severity is critical, and high was accepted"},
		{name: "zone added", text: head + "expires: 2027-03-31, while: {zones: [workload]}}", reopened: "it is open to the external zone too", change: func(r *finding.Report) {
			r.Results[1].Findings[0].Zones = []string{"external", "workload"}
		}},
		{name: "owner changed", text: strings.Replace(head, "tcp 0.0.0.0:22 *", "tcp 0.0.0.0:22*", 1) + "expires: 2027-03-31, while: {owner: sshd}}", reopened: "nc has it, and sshd was accepted", change: func(r *finding.Report) {
			r.Exposures[0].Service.Owner = "nc"
			r.Results[1].Findings[0].Resource.Key = r.Exposures[0].Service.Key()
		}},
		{name: "owner not known", text: head + "expires: 2027-03-31, while: {owner: sshd}}", reopened: "it is not known who has it, and sshd was accepted", change: func(r *finding.Report) {
			r.Exposures = nil
		}},
		{name: "by fingerprint", text: "waivers:\n  - {finding: aaaaaaaaaaaa, reason: r, owner: o, expires: 2027-03-31}"},
		{name: "stale", text: "waivers:\n  - {finding: agent/runs-as-root, reason: r, owner: o, expires: 2027-03-31}", reopened: "-", problems: []string{"waiver/stale"}},
		{name: "unknown is not stale, nor waived", text: "waivers:\n  - {finding: ssh/empty-passwords, reason: r, owner: o, expires: 2027-03-31}", reopened: "-"},
		{name: "two for one", text: head + "expires: 2027-03-31}\n  - {finding: aaaaaaaaaaaa, reason: r, owner: o, expires: 2027-03-31}", problems: []string{"waiver/duplicate"}},
		{name: "no owner", text: strings.Replace(head, "owner: o, ", "", 1) + "expires: 2027-03-31}", problems: []string{"waiver/without-owner"}},
		{name: "bad YAML", text: "waivers: [", err: "w.yaml:1:10: did not find expected node content"},
		{name: "a key too many", text: head + "expires: 2027-03-31, expiry: x}", err: `unknown key "expiry": want expires,`},
		{name: "no expiry", text: strings.TrimSuffix(head, ", ") + "}", err: "no expires: a waiver ends"},
		{name: "no reason", text: strings.Replace(head, "reason: r, ", "", 1) + "expires: 2027-03-31}", err: "no reason"},
		{name: "too far ahead", text: head + "expires: 2027-12-31}", err: "more than 365 days ahead"},
		{name: "no date", text: head + "expires: next week}", err: "want a day such as 2027-03-31"},
		{name: "no such day", text: head + "expires: 2027-02-30}", err: "want a day such as 2027-03-31"},
		{name: "no such check", text: "waivers:\n  - {finding: ssh/empty-pasword, reason: r, expires: 2027-03-31}", err: `no check "ssh/empty-pasword": did you mean ssh/empty-passwords?`},
		{name: "while without a word", text: head + "expires: 2027-03-31, while: {}}", err: "while says nothing: want zones,"},
		{name: "no zone", text: head + "expires: 2027-03-31, while: {zones: []}}", err: "while.zones names no zone: want external,"},
		{name: "no such zone", text: head + "expires: 2027-03-31, while: {zones: [moon]}}", err: `while.zones "moon": want external,`},
		{name: "no such severity", text: head + "expires: 2027-03-31, while: {severity: hgih}}", err: "did you mean high?"},
		{name: "unknown with what it cannot have", text: "accept_unknown:\n  - {finding: ssh/empty-passwords, reason: r, expires: 2027-03-31, while: {zones: [workload]}}", err: "while is of findings"},
		{name: "unknown by fingerprint", text: "accept_unknown:\n  - {finding: aaaaaaaaaaaa, reason: r, expires: 2027-03-31}", err: "what is unknown has no fingerprint"},
	} {
		l, err := Parse("w.yaml", []byte(c.text), checks, now)
		if c.err != "" || err != nil {
			if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		r := report()
		if c.change != nil {
			c.change(r)
		}
		l.Apply(r, []byte(c.text), now)
		w := r.Results[1].Findings[0].Waiver
		if (w == nil) != (c.reopened == "-") || w != nil && w.Reopened != c.reopened {
			t.Errorf("%s: %+v, want %q", c.name, w, c.reopened)
		}
		var problems []string
		for _, res := range r.Results {
			if strings.HasPrefix(res.ID, "waiver/") && res.Status == finding.Fail {
				problems = append(problems, res.ID)
			}
		}
		if !slices.Equal(problems, c.problems) {
			t.Errorf("%s: %v, want %v", c.name, problems, c.problems)
		}
		if holds := w.Holds(); (r.Worst() == "critical") == holds || holds && (r.Count().Waived != 1 || r.Results[1].Severity != "low" || r.Waivers.Applied != 1) {
			t.Errorf("%s: worst %s, %d waived, severity %s", c.name, r.Worst(), r.Count().Waived, r.Results[1].Severity)
		}
		if r.Results[2].Status != finding.Unknown || r.Count().Unknown != 1 {
			t.Errorf("%s: what is unknown is not", c.name)
		}
	}
}

// TestAllAccepted: a check whose findings are all accepted is waived, but not if more of it is unknown.
func TestAllAccepted(t *testing.T) {
	text := []byte("waivers:\n  - {finding: management/ssh-reachable-from-workload, reason: r, owner: o, expires: 2027-03-31}")
	l, err := Parse("w", text, checks, now)
	if err != nil {
		t.Fatal(err)
	}
	r := report()
	l.Apply(r, text, now)
	if r.Results[1].Status != finding.Waived || r.Worst() != "" || r.Count().Waived != 2 {
		t.Errorf("%+v", r.Results[1])
	}
	r = report()
	r.Results[1].Unknowns = []finding.Unclear{{Resource: finding.Resource{Key: "k"}, Reason: "w"}}
	l.Apply(r, text, now)
	if r.Results[1].Status != finding.Unknown || r.Results[1].Reason != "k: w" {
		t.Errorf("%+v", r.Results[1])
	}
	r = report()
	r.Results[1].Reason = "there can be more: network was read in part"
	l.Apply(r, text, now)
	if c := r.Count(); r.Results[1].Status != finding.Unknown || r.Results[1].Reason != "there can be more: network was read in part" || r.Undecided() != 2 || c.Waived != 2 {
		t.Errorf("%+v %+v", r.Results[1], c)
	}
}

func TestUnknownIsAcceptedApart(t *testing.T) {
	for text, want := range map[string]string{
		"{finding: ssh/empty-passwords, reason: r, owner: o, expires: 2027-03-31}":                   "1 []",
		"{finding: ssh/empty-passwords, object: \"ssh*\", reason: r, owner: o, expires: 2027-03-31}": "1 []",
		"{finding: ssh/empty-passwords, object: other, reason: r, owner: o, expires: 2027-03-31}":    "0 [waiver/stale]",
		"{finding: agent/runs-as-root, host: \"web-*\", reason: r, owner: o, expires: 2027-03-31}":   "0 []", // one file is for many hosts
		"{finding: ssh/empty-passwords, reason: r, owner: o, expires: 2026-11-01}":                   "0 [waiver/expired]",
		"{finding: agent/runs-as-root, reason: r, expires: 2027-03-31}":                              "0 [waiver/stale waiver/without-owner]",
	} {
		l, err := Parse("w", []byte("accept_unknown:\n  - "+text), checks, now)
		if err != nil {
			t.Fatal(err)
		}
		r := report()
		l.Apply(r, nil, now)
		problems := []string{}
		for _, res := range r.Results {
			if strings.HasPrefix(res.ID, "waiver/") && res.Status == finding.Fail {
				problems = append(problems, res.ID)
			}
		}
		if got := fmt.Sprint(r.Count().Accepted, " ", problems); got != want || r.Count().Unknown != 1 {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"a*c", "abbc", true},
		{"a*c", "abbd", false},
		{"?b", "ab", true},
		{"?b", "b", false},
		{"/run/*", "/run/a/b", true},
		{"*a*b*", "xxaxxbxx", true},
		{"tcp 0.0.0.0:22*", "tcp 0.0.0.0:2222 (x)", true},
		{strings.Repeat("*a", 50), strings.Repeat("a", 40), false},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.s, got)
		}
	}
}

// TestOneProblemIsToldOnce: a finding about a waiver is there once, with all that it says.
func TestOneProblemIsToldOnce(t *testing.T) {
	text := []byte("waivers:\n  - {finding: management/ssh-reachable-from-workload, reason: r, expires: 2027-03-31}\n" +
		"  - {finding: management/ssh-reachable-from-workload, reason: s, owner: o, expires: 2027-03-31}\n" +
		"accept_unknown:\n  - {finding: management/ssh-reachable-from-workload, reason: t, expires: 2027-03-31}\n")
	l, err := Parse("w", text, checks, now)
	if err != nil {
		t.Fatal(err)
	}
	r := report()
	l.Apply(r, text, now)
	seen := map[string]bool{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if seen[f.Fingerprint] {
				t.Errorf("%s has %s twice: %s", res.ID, f.Fingerprint, f.Message)
			}
			seen[f.Fingerprint] = true
			if strings.HasPrefix(res.ID, "waiver/") && res.ID != "waiver/stale" && len(f.Evidence) != 2 {
				t.Errorf("%s: %q", res.ID, f.Evidence)
			}
		}
	}
}
