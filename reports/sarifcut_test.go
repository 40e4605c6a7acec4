package reports

import (
	"fmt"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// TestOpenQuestionsAreNotCutOff: where there are more results than are shown, an open question of a severe check stays, since its alert would else be
// closed as fixed, and findings of less weight go.
func TestOpenQuestionsAreNotCutOff(t *testing.T) {
	r := finding.Report{Results: []finding.Result{
		{ID: "a/many", Severity: "medium", Status: finding.Fail},
		{ID: "a/open", Severity: "high", Status: finding.Unknown, Reason: "r", Unknowns: []finding.Unclear{{Resource: finding.Resource{Kind: "k", Key: "x"}, Reason: "r"}}},
	}}
	for i := range maxResults + 10 {
		key := fmt.Sprintf("o%d", i)
		r.Results[0].Findings = append(r.Results[0].Findings, finding.Finding{Resource: finding.Resource{Kind: "k", Key: key}, Severity: "medium", Fingerprint: key, Message: "m"})
	}
	run := sarifRunOf(&r)
	if len(run.Results) != maxResults || run.Results[0].RuleID != "a/open" || run.Results[1].RuleID != "a/many" {
		t.Errorf("%d results, which begin with %s and %s", len(run.Results), run.Results[0].RuleID, run.Results[1].RuleID)
	}
}
