//go:build linux && !ringfence_portable

package judge

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/finding"
)

// TestWordsForSeveralZones: what is done by hand in the same way for several zones is there once and names them all, by what the policy says that it is about:
// names of the host in its text say nothing of zones.
func TestWordsForSeveralZones(t *testing.T) {
	told := func(zone string, more ...finding.Remediation) toldFinding {
		return toldFinding{
			Resource: finding.Resource{Kind: "service", Key: "web"}, Message: "it is open", Severity: "low", Zone: zone,
			Remediation: append([]finding.Remediation{
				{Kind: "words", Text: "keep others from the external zone", Zones: []string{zone}}, // which is the name of a network
				{Kind: "words", Text: "or else"},
				{Kind: "nft", Text: "drop it from the " + zone + " zone", Deny: &finding.Deny{Zone: zone}},
			}, more...),
		}
	}
	texts := func(list ...toldFinding) []string {
		got := findings(&Check{ID: "x"}, &answer{Finding: list}, "", nil)
		if len(got) != 1 {
			t.Fatalf("%d findings", len(got))
		}
		var texts []string
		for _, m := range got[0].Remediation {
			texts = append(texts, m.Text)
		}
		return texts
	}
	for name, c := range map[string]struct {
		list []toldFinding
		want []string
	}{
		"one zone": {
			[]toldFinding{told("external")},
			[]string{"keep others from the external zone: the external zone", "or else", "drop it from the external zone"},
		},
		"two zones": {
			[]toldFinding{told("workload", finding.Remediation{Kind: "words", Text: "ask them", Zones: []string{"workload"}}), told("external")},
			[]string{
				"keep others from the external zone: the external and workload zones", "or else", "drop it from the external zone", "drop it from the workload zone",
				"ask them: the workload zone",
			},
		},
	} {
		want := slices.Sorted(slices.Values(c.want))
		if d := cmp.Diff(want, slices.Sorted(slices.Values(texts(c.list...)))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
