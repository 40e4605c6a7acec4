package reports

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// TestDiffSaysOnceWhatManyChecksLack: a reason that several checks have is one line, with their names below it. What is about an object of its own is not.
func TestDiffSaysOnceWhatManyChecksLack(t *testing.T) {
	const worse = "coverage got worse"
	d := finding.Diff{Changes: []finding.Change{
		{Class: "new finding", Check: "a/x", Severity: "high", Message: "same"},
		{Class: "new finding", Check: "a/y", Severity: "high", Message: "same", Witness: "w"},
		{Class: worse, Message: "files was ok and is partial"},
		{Class: worse, Check: "a/b", Message: "it was pass and is unknown: r"},
		{Class: worse, Check: "a/c", Message: "it was pass and is unknown: other"},
		{Class: worse, Check: "a/d", Message: "it was pass and is unknown: r"},
		{Class: worse, Check: "a/e", Severity: "low", Message: "it was pass and is unknown: r"},
	}}
	got := DiffText(&d)
	want := `NEW FINDING
  same (high a/x)
  same (high a/y)
    w
COVERAGE GOT WORSE
  files was ok and is partial
  it was pass and is unknown: r
    2 checks: a/b, a/d
  it was pass and is unknown: other (a/c)
  it was pass and is unknown: r (low a/e)
`
	if !strings.Contains(got, want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
