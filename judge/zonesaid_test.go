//go:build linux && !ringfence_portable

package judge

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/finding"
)

// TestWordsForSeveralZones: what is to be done by hand names all zones that a finding is about, and is there once.
func TestWordsForSeveralZones(t *testing.T) {
	f := finding.Finding{Zone: "external", Zones: []string{"workload", "external"}, Remediation: []finding.Remediation{
		{Kind: "words", Text: "keep the external zone from it"},
		{Kind: "words", Text: "or else"},
		{Kind: "nft", Text: "drop it from the external zone", Deny: &finding.Deny{Zone: "external"}},
		{Kind: "words", Text: "keep the workload zone from it"},
		{Kind: "words", Text: "ask the workload zone"},
		{Kind: "nft", Text: "drop it from the workload zone", Deny: &finding.Deny{Zone: "workload"}},
		{Kind: "words", Text: "or else"},
	}}
	nameZones(&f)
	var got []string
	for _, m := range f.Remediation {
		got = append(got, m.Text)
	}
	want := []string{
		"keep the external and workload zones from it", "or else", "drop it from the external zone", "ask the workload zone", "drop it from the workload zone", "or else",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
