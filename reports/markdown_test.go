package reports

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// TestMarkdownTellsWhatIsAcceptedAndWhy: what is waived is told with who accepted it, and a reason of several checks once, with all of them.
func TestMarkdownTellsWhatIsAcceptedAndWhy(t *testing.T) {
	r := pageReport()
	r.Results[0].Findings[1].Waiver = &finding.Waiver{Reason: "needed", Owner: "sre", Expires: "2027-01-01"}
	for _, id := range []string{"kernel/a", "kernel/b"} {
		r.Results = append(r.Results, finding.Result{ID: id, Severity: "low", Status: finding.Unknown, Reason: "nothing was read"})
	}
	text := string(write(t, "markdown", r, Options{}))
	for _, want := range []string{
		"### Waived\n\n| finding | check | why |\n|---|---|---|\n| `" + r.Results[0].Findings[1].Message + "` | `" + r.Results[0].ID + "` | `needed (sre), until 2027-01-01` |\n",
		"| `kernel/a`, `kernel/b` | `nothing was read` |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
