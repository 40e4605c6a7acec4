package reports

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// pageReport has what the page is about: causes of several objects, two zones of one service, evidence, an action of each kind.
func pageReport() *finding.Report {
	deny := func(zone string) []finding.Remediation {
		return []finding.Remediation{{Kind: "nft", Text: "drop it", Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: 22}}}
	}
	web := func(name, fp string) finding.Finding {
		return finding.Finding{
			Resource: finding.Resource{Kind: "workload", Key: name}, Message: name + " can gain privileges", Severity: "medium", Fingerprint: fp,
			Evidence: []string{name + ": NoNewPrivs 0"}, Remediation: []finding.Remediation{{Kind: "config", Text: "run " + name + " otherwise"}},
		}
	}
	ssh := func(zone, fp string) finding.Finding {
		return finding.Finding{
			Resource: finding.Resource{Kind: "service", Key: "tcp :22"}, Message: "sshd answers the " + zone + " zone", Severity: "critical", Zone: zone,
			Evidence: []string{"one", "two", "three", "four"}, Remediation: deny(zone), Fingerprint: fp,
		}
	}
	result := func(id, severity string, list ...finding.Finding) finding.Result {
		return finding.Result{ID: id, Status: finding.Fail, Severity: severity, Title: "T", Description: "D", Remediation: "R", Findings: list}
	}
	low := web("container low", "f6f6f6f6")
	low.Severity, low.Message = "low", "of little weight"
	return &finding.Report{
		Schema: finding.Schema, Host: finding.Host{Name: "h", OS: "os", Kernel: "k", SeenBy: "root"},
		Results: []finding.Result{
			result("capability/no-new-privs-off", "medium", web("container a", "f1f1f1f1"), web("container b", "f2f2f2f2"), web("container c", "f3f3f3f3")),
			result("host/low", "low", low),
			result("management/ssh-reachable-from-external", "critical", ssh("external", "f4f4f4f4")),
			result("management/ssh-reachable-from-workload", "critical", ssh("workload", "f5f5f5f5")),
			{ID: "ssh/a", Status: finding.Unknown, Severity: "high", Reason: "ssh was not read"},
			{ID: "ssh/b", Status: finding.Unknown, Severity: "high", Reason: "ssh was not read"},
		},
		Actions: []finding.Action{
			{Command: "ringfence audit --fix --allow-from NETWORK", Text: "load rules", Severity: "critical", Closes: []string{"f4f4f4f4", "f5f5f5f5"}},
			{Text: "run container a otherwise; so too container b, container c", Severity: "medium", Closes: []string{"f1f1f1f1", "f2f2f2f2", "f3f3f3f3"}},
			{Text: "never mind", Severity: "low", Closes: []string{"f6f6f6f6"}},
		},
	}
}

const wantPage = `h · os · kernel k · root                       2 critical, 3 medium, 1 low
0 passed · 0 not applicable · 2 unknown

DO FIRST                                                            closes
 1  ringfence audit --fix --allow-from NETWORK                  2 critical
 2  run container a otherwise; so too container b, container c    3 medium

CRITICAL  2
 1  sshd answers the external zone; also from the workload zone
      one; two; three; four                management/ssh-reachable-from-*

MEDIUM  3
 2  container a can gain privileges; also container b, container c
      container a: NoNewPrivs 0                capability/no-new-privs-off

LOW  1 finding in 1 check (-v shows them)

UNKNOWN  2, which neither passed nor failed
 ssh was not read                                             ssh/a, ssh/b
`

func TestPage(t *testing.T) {
	if got := string(write(t, "table", pageReport(), Options{Width: 74})); got != wantPage {
		t.Errorf("%s", got)
	}
}

func TestPageParts(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       Options
		has     []string
		without []string
	}{
		{"summary", Options{Summary: true}, []string{"DO FIRST", "2 critical"}, []string{"CRITICAL", "UNKNOWN", "sshd"}},
		{"verbose", Options{Verbose: true}, []string{"   four", "of little weight", "   container c: NoNewPrivs 0"}, []string{"and 2 more"}},
		{"severity", Options{Severity: "critical"}, []string{"CRITICAL  2"}, []string{"MEDIUM", "LOW"}},
		{"severity low", Options{Severity: "low"}, []string{"of little weight"}, []string{"-v shows"}},
	} {
		out := string(write(t, "table", pageReport(), c.o))
		for _, s := range c.has {
			if !strings.Contains(out, s) {
				t.Errorf("%s: no %q in\n%s", c.name, s, out)
			}
		}
		for _, s := range c.without {
			if strings.Contains(out, s) {
				t.Errorf("%s: %q in\n%s", c.name, s, out)
			}
		}
	}
}

// TestPageWithoutPrivilege: who may not see is told what would show more, and root is not told to be root.
func TestPageWithoutPrivilege(t *testing.T) {
	r := pageReport()
	r.Coverage = []finding.Coverage{{Collector: "nftables", Status: "denied", Reasons: []string{"needs CAP_NET_ADMIN"}}}
	if out := string(write(t, "table", r, Options{})); strings.Contains(out, "sudo") {
		t.Errorf("root is told to be root:\n%s", out)
	}
	r.Host.SeenBy = "uid 1000"
	out := strings.Split(string(write(t, "table", r, Options{})), "\n")
	if i := slices.Index(out, "  sudo ringfence audit"); i < 0 || i > 6 || !strings.Contains(out[1], "not seen whole: nftables denied") {
		t.Errorf("nothing is said at the beginning:\n%s", strings.Join(out, "\n"))
	}
}

func TestWaivedIsMarked(t *testing.T) {
	r := pageReport()
	r.Results[0].Findings[1].Waiver = &finding.Waiver{Reason: "needed", Owner: "sre", Expires: "2027-01-01"}
	r.Results[0].Findings[2].Waiver = &finding.Waiver{Reason: "was needed", Expires: "2025-01-01", Reopened: "it has expired"}
	out := string(write(t, "table", r, Options{Width: 100}))
	for _, s := range []string{"MEDIUM  2", "WAIVED\n container b can gain privileges", "   needed (sre), until 2027-01-01", " · 1 waived"} {
		if !strings.Contains(out, s) {
			t.Errorf("no %q in\n%s", s, out)
		}
	}
}

func TestExplain(t *testing.T) {
	r := pageReport()
	for which, want := range map[string]string{
		"f4f4f4":                                 "  seen: four\n",
		"f5f5f5f5":                               "closed by (load rules):\nringfence audit --fix --allow-from NETWORK\n",
		"capability/no-new-privs-off":            "about: workload container c\n",
		"ssh/a":                                  "why: ssh was not read\n",
		"management/ssh-reachable-from-workload": "zones: workload\n",
	} {
		if got, err := Explain(r, which, 0); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v\n%s", which, err, got)
		}
	}
	narrow, err := Explain(r, "f5f5f5f5", 40)
	for line := range strings.Lines(narrow) {
		if typed := strings.HasPrefix(line, "ringfence "); err != nil || !typed && len([]rune(line)) > 41 && strings.Contains(line, " ") && !strings.Contains(line, "fingerprint") {
			t.Errorf("%v: wider than the terminal: %q", err, line)
		}
	}
	if !strings.Contains(narrow, "\nringfence audit --fix --allow-from NETWORK\n") {
		t.Errorf("a command is broken:\n%s", narrow)
	}
	r.Results[0].Findings[0].Fingerprint = "f4f4f4f5"
	for which, want := range map[string]string{
		"f4f4f4": "2 findings begin with", "f4f4": "no check and no finding", "ssh/": "it is an area, and ssh/a a check of it", "SSH": "it is an area", "model/undeclared-flow": "audit --model FILE makes it", "waiver/expired": "audit --waivers FILE makes it", "capability/no-new-priv-off": "did you mean capability/no-new-privs-off?",
	} {
		if _, err := Explain(r, which, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", which, err, want)
		}
	}
}
