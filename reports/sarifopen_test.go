package reports

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// sarifOf is a report in SARIF that consumers take, as its results by rule and resource.
func sarifOf(t *testing.T, r *finding.Report) map[string]sarifResult {
	t.Helper()
	var b bytes.Buffer
	if err := writeSARIF(&b, []*finding.Report{r}, Options{}); err != nil {
		t.Fatal(err)
	}
	conformance(t, b.Bytes())
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	results := map[string]sarifResult{}
	for _, res := range log.Runs[0].Results {
		key := res.RuleID + " " + res.Locations[0].Logical[0].Name
		if _, twice := results[key]; twice {
			t.Errorf("%s is told twice", key)
		}
		results[key] = res
	}
	return results
}

// TestUnknownClosesNoAlert has a finding become unknown: its alert goes on under the same identity. A check that could not be evaluated at all, or
// that has found something and not seen all, is a result of its own.
func TestUnknownClosesNoAlert(t *testing.T) {
	socket := finding.Resource{Kind: "socket", Key: "/run/a.sock", Path: "/run/a.sock"}
	result := func(id, status string) finding.Result {
		return finding.Result{ID: id, Status: status, Severity: "high", Title: "T", Description: "D", Remediation: "R"}
	}
	report := func(results ...finding.Result) *finding.Report {
		return &finding.Report{Host: finding.Host{Name: "h", ID: "1"}, Snapshot: finding.Snapshot{CollectedAt: "2026-11-01T00:00:00Z"}, Results: results}
	}
	failed := result("runtime/a", finding.Fail)
	failed.Findings = []finding.Finding{{Resource: socket, Message: "m", Severity: "high", Fingerprint: finding.Fingerprint("runtime/a", socket)}}
	before := sarifOf(t, report(failed))["runtime/a /run/a.sock"]

	unknown := result("runtime/a", finding.Unknown)
	unknown.Unknowns = []finding.Unclear{{Resource: socket, Reason: "its mode was not read"}}
	unread := result("runtime/b", finding.Unknown)
	unread.Reason = "runtimes was not read: permission denied"
	waived := result("runtime/c", finding.Waived)
	waived.Reason = "left out"
	got := sarifOf(t, report(unknown, unread, waived, result("runtime/d", finding.Pass)))
	after, ok := got["runtime/a /run/a.sock"]
	if !ok || after.Fingerprints["primaryLocationLineHash"] != before.Fingerprints["primaryLocationLineHash"] ||
		after.Locations[0].Physical != before.Locations[0].Physical || before.Fingerprints["primaryLocationLineHash"] == "" {
		t.Errorf("before %+v, once it is unknown %+v", before, after)
	}
	if after.Kind != "fail" || after.Level != "warning" || after.Properties["status"] != "unknown" || !strings.Contains(after.Message.Text, "its mode was not read") {
		t.Errorf("%+v", after)
	}
	if res, ok := got["coverage/undecided runtime/b"]; !ok || !strings.Contains(res.Message.Text, "permission denied") || len(got) != 2 {
		t.Errorf("%d results: %+v", len(got), got)
	}

	// A check that is unknown as a whole keeps what a baseline has of it.
	whole := report(unread)
	whole.Results[0].ID = "runtime/a"
	whole.Carried = []finding.Carried{{Check: "runtime/a", Finding: failed.Findings[0]}}
	got = sarifOf(t, whole)
	kept := got["runtime/a /run/a.sock"]
	if len(got) != 2 || kept.Fingerprints["primaryLocationLineHash"] != before.Fingerprints["primaryLocationLineHash"] || kept.Locations[0].Physical != before.Locations[0].Physical ||
		kept.Level != before.Level || kept.Properties["status"] != "unknown" || !strings.HasPrefix(kept.Message.Text, "Not known to be gone (unknown): m") {
		t.Errorf("%+v", got)
	}

	// What failed and left something open is both, and what is known to be wrong is no question.
	both := failed
	both.Reason = "there can be more: runtimes was read in part: x"
	both.Unknowns = []finding.Unclear{{Resource: socket, Reason: "r"}, {Resource: finding.Resource{Kind: "socket", Key: "/run/b.sock"}, Reason: "r"}}
	r := report(both)
	got = sarifOf(t, r)
	if len(got) != 3 || got["runtime/a /run/a.sock"].Properties["status"] != "" || got["runtime/a /run/b.sock"].RuleID == "" || got["coverage/undecided runtime/a"].RuleID == "" {
		t.Errorf("%+v", got)
	}
	if len(r.Open()) != 3 || r.Undecided() != 1 || r.Count().Unknown != 0 {
		t.Errorf("open %v, undecided %d", r.Open(), r.Undecided())
	}
}

// TestCarriedIsInEveryFormat: what was found before, and is not known to be gone, is in each format that readers keep problems by, and open there.
func TestCarriedIsInEveryFormat(t *testing.T) {
	what := finding.Resource{Kind: "socket", Key: "/run/before.sock"}
	r := &finding.Report{
		Host: finding.Host{Name: "h", ID: "1"}, Snapshot: finding.Snapshot{CollectedAt: "2026-11-01T00:00:00Z"},
		Results: []finding.Result{{ID: "runtime/a", Status: finding.Unknown, Severity: "high", Title: "T", Reason: "runtimes was not read"}},
		Carried: []finding.Carried{{Check: "runtime/a", Finding: finding.Finding{Resource: what, Message: "seen before", Severity: "high", Fingerprint: finding.Fingerprint("runtime/a", what)}}},
	}
	for format, want := range map[string]string{
		"table": "high: seen before", "json": `"carried"`, "jsonl": `"row":"carried"`, "sarif": "Not known to be gone", "junit": "Not known to be gone", "markdown": "Not known to be gone",
		"csv": "unknown,high", "gitlab": `"severity": "High"`, "ocsf": `"severity": "High"`, "openreports": "Not known to be gone", "html": "Not known to be gone", "oscal": "Not known to be gone",
	} {
		if out := string(write(t, format, r, Options{})); !strings.Contains(out, want) || !strings.Contains(out, "seen before") {
			t.Errorf("%s: no %q", format, want)
		}
	}
	if ocsf := string(write(t, "ocsf", r, Options{})); !strings.Contains(ocsf, r.Carried[0].Finding.Fingerprint) || strings.Contains(ocsf, `"Fail"`) {
		t.Errorf("as a failure, or without its identity: %s", ocsf)
	}
}
