package reports_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/reports"
)

// TestReasonsThatBeginAlikeAreOneLine: reasons that are the same where a line ends are told once, with the checks of all; -v tells each.
func TestReasonsThatBeginAlikeAreOneLine(t *testing.T) {
	const long = "processes was read in part: 5 processes could not be read whole (needs CAP_SYS_PTRACE, or another security module refuses)"
	r := &finding.Report{Schema: finding.Schema, Results: []finding.Result{
		{ID: "a/b", Status: finding.Unknown, Severity: "low", Reason: long},
		{ID: "a/c", Status: finding.Unknown, Severity: "low", Reason: "something else"},
		{ID: "a/d", Status: finding.Unknown, Severity: "low", Reason: long + "; and files too"},
	}}
	table, err := reports.Named("table")
	if err != nil {
		t.Fatal(err)
	}
	for verbose, want := range map[bool]int{false: 1, true: 2} {
		var b bytes.Buffer
		if err := table.Write(&b, []*finding.Report{r}, reports.Options{Width: 100, Verbose: verbose}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "5 processes could not be read whole"); n != want {
			t.Errorf("verbose %t: %d times, want %d\n%s", verbose, n, want, &b)
		}
		if !verbose && !strings.Contains(b.String(), "\n   a/b, a/d\n") && !strings.Contains(b.String(), "  a/b, a/d\n") {
			t.Errorf("its checks are not together:\n%s", &b)
		}
	}
}
