package remedy

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestPlanListsWhatIsOpen: a plan says what it does not know to be closed.
func TestPlanListsWhatIsOpen(t *testing.T) {
	about := finding.Resource{Kind: "service", Key: "tcp 0.0.0.0:22\x1b[2J"}
	r := &finding.Report{Results: []finding.Result{
		{ID: "management/a", Status: finding.Unknown, Severity: "critical", Reason: "x", Unknowns: []finding.Unclear{{Resource: about, Reason: "hangs on a set"}}},
		{ID: "runtime/b", Status: finding.Unknown, Severity: "high", Reason: "runtimes was not read"},
		{ID: "runtime/c", Status: finding.Pass, Severity: "high"},
	}}
	p := Make(r, new(snapshot.Snapshot), zones.Config{}, Options{})
	if len(p.Open) != 2 {
		t.Fatalf("%+v", p.Open)
	}
	text := p.Describe(func(s string, _ bool) string { return strings.ReplaceAll(s, "\x1b", "?") })
	for _, want := range []string{"# management/a (critical): tcp 0.0.0.0:22?[2J: hangs on a set\n", "# runtime/b (high): runtimes was not read\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if p := Make(new(finding.Report), new(snapshot.Snapshot), zones.Config{}, Options{}); p.Open != nil || strings.Contains(p.Describe(func(s string, _ bool) string { return s }), "not decided") {
		t.Errorf("with nothing open: %+v", p.Open)
	}
}
