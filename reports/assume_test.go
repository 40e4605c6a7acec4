package reports

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/defenseunicorns/go-oscal/src/pkg/validation"

	"github.com/ringfence/ringfence/finding"
)

// assuming is a report with an assumption of each validity, and a check that rests on each.
func assuming() *finding.Report {
	r := &finding.Report{
		Schema: finding.Schema, Host: finding.Host{Name: "web1", ID: "m1"}, Snapshot: finding.Snapshot{Digest: "sha256:abc", CollectedAt: "2027-01-01T00:00:00Z"}, Tool: finding.Tool{Version: "1.0.0"},
	}
	rests := map[string][]string{}
	for _, v := range validities {
		a := finding.Assumption{ID: "is-" + v, Statement: "It is " + v + ".", Validity: v, Severity: "high", Owner: "us@example.org", IfFalse: []string{"threat of " + v}, Claims: []finding.Claim{{
			Says: "so", Validity: v, Grounds: []finding.Ground{{Kind: "fact", What: "f", Validity: v, Evidence: []string{"evidence of " + v}}},
		}}}
		if v != finding.Confirmed {
			a.Because = []string{"f: evidence of " + v}
		}
		r.Assumptions = append(r.Assumptions, a)
		r.Results = append(r.Results, finding.Result{ID: "own/" + v, Status: finding.Pass, Severity: "low", Title: "T"})
		rests["own/"+v] = []string{a.ID}
	}
	r.Hold(rests)
	return r
}

// TestPassUnderAnAssumption: every format says under what a check passes, and counts none as passed whose assumption does not hold.
func TestPassUnderAnAssumption(t *testing.T) {
	r := assuming()
	if c := r.Count(); c.Pass != 1 || c.Unknown != 2 {
		t.Fatalf("%+v", c)
	}
	for _, f := range Formats() {
		if slices.Contains([]string{"svg", "mermaid", "dot"}, f.Name) {
			continue // a picture tells of no check that it passes
		}
		out := string(write(t, f.Name, r, Options{}))
		if !strings.Contains(out, "is-confirmed") {
			t.Errorf("%s does not say under what a check passes:\n%s", f.Name, out)
		}
		for _, v := range []string{finding.Rejected, finding.Unconfirmed} {
			if !strings.Contains(out, "passes only if is-"+v) && f.Name != "prometheus" {
				t.Errorf("%s does not say why own/%s does not pass:\n%s", f.Name, v, out)
			}
		}
	}
	prom := string(write(t, "prometheus", r, Options{}))
	for _, line := range []string{
		`ringfence_checks{status="pass"} 1`, `ringfence_check_unknown{check="own/rejected"} 1`, `ringfence_check_under_assumption{check="own/confirmed",assumption="is-confirmed"} 1`,
		`ringfence_check_under_assumption{check="own/rejected",assumption="is-rejected"} 0`, `ringfence_assumption{assumption="is-unconfirmed",validity="unconfirmed"} 1`,
	} {
		if !strings.Contains(prom, line+"\n") {
			t.Errorf("prometheus lacks %s", line)
		}
	}
}

// TestAssumptionsAsText: three groups, what is refuted first, with what comes back.
func TestAssumptionsAsText(t *testing.T) {
	text := AssumptionsText(assuming(), true)
	at := -1
	for _, want := range []string{
		"REJECTED  1", "is-rejected: It is rejected.", "us@example.org", "f: evidence of rejected", "comes back: threat of rejected", "checks that pass only while it holds: own/rejected",
		"UNCONFIRMED  1", "CONFIRMED  1", "confirmed: so", "evidence of confirmed",
	} {
		next := strings.Index(text, want)
		if next <= at {
			t.Errorf("%q is not there, or not in its place:\n%s", want, text)
		}
		at = next
	}
	if strings.Contains(text, "comes back: threat of confirmed") {
		t.Error("a threat comes back although the assumption holds")
	}
}

// TestOSCAL: the assessment results are those that go-oscal takes, the same for the same host, and what is unconfirmed is not satisfied.
func TestOSCAL(t *testing.T) {
	r := assuming()
	worse := worst()
	worse.Assumptions = r.Assumptions
	worse.Assumptions[0].Statement, worse.Assumptions[0].IfFalse = hostile[0], hostile
	worse.Assumptions[1].Claims[0].Grounds[0].Evidence = append(hostile, formulas...)
	worse.Snapshot = finding.Snapshot{Digest: hostile[0], CollectedAt: "never"}
	for name, report := range map[string]*finding.Report{"report": assuming(), "hostile": worse, "none": {}} {
		out := write(t, "oscal", report, Options{})
		v, err := validation.NewValidator(out)
		if err == nil {
			err = v.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if again := write(t, "oscal", report, Options{}); !bytes.Equal(out, again) {
			t.Errorf("%s: two runs differ", name)
		}
	}
	var doc oscalDocument
	if err := json.Unmarshal(write(t, "oscal", assuming(), Options{}), &doc); err != nil {
		t.Fatal(err)
	}
	got := doc.Results.Results[0]
	for i, want := range []oscalStatus{{"not-satisfied", "fail"}, {"not-satisfied", "other"}, {"satisfied", "pass"}} {
		f := got.Findings[i]
		if f.Target.Status != want || (len(f.Risks) == 1) != (i == 0) || len(f.Observations) != 1 {
			t.Errorf("%+v, want %+v", f, want)
		}
	}
	later := assuming()
	later.Snapshot.CollectedAt, later.Assumptions[0].Validity = "2027-02-01T00:00:00Z", finding.Confirmed
	var after oscalDocument
	if err := json.Unmarshal(write(t, "oscal", later, Options{}), &after); err != nil || after.Results.Results[0].Findings[0].UUID != got.Findings[0].UUID {
		t.Errorf("%v: a finding has another UUID a day later", err)
	}
	wrong := bytes.Replace(write(t, "oscal", assuming(), Options{}), []byte(`"satisfied"`), []byte(`"fine"`), 1)
	if v, err := validation.NewValidator(wrong); err == nil && v.Validate() == nil {
		t.Error("the validator takes a state that is none")
	}
}
