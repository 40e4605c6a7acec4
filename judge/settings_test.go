package judge

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// TestSettingsOfAPolicy: a policy gives settings as a list or as an object; their text is what they are, unless it has one of its own.
func TestSettingsOfAPolicy(t *testing.T) {
	rule := func(remediation string) string {
		return `finding contains {"message": "m", "remediation": [` + remediation + `]}`
	}
	p, err := Load(
		mine("list", rule(`{"kind": "sshd", "settings": [{"name": "B", "value": "no"}, {"name": "A", "value": "no"}]}`)),
		mine("object", rule(`{"kind": "sysctl", "settings": {"kernel.b": 2, "kernel.a": "1"}}`)),
		mine("worded", rule(`{"kind": "sysctl", "text": "in words and more", "settings": {"kernel.a": "1"}}`)),
		mine("text", rule(`{"kind": "sysctl", "text": "kernel.a = 1 and kernel.b = 2"}`)),
		mine("none", rule(`{"kind": "sysctl", "settings": "kernel.a = 1"}`)),
	)
	if err != nil {
		t.Fatal(err)
	}
	r := judged(t, p)
	for name, want := range map[string]finding.Remediation{
		"list":   {Kind: "sshd", Text: "B no\nA no", Settings: finding.Settings{{Name: "B", Value: "no"}, {Name: "A", Value: "no"}}},
		"object": {Kind: "sysctl", Text: "kernel.a = 1\nkernel.b = 2", Settings: finding.Settings{{Name: "kernel.a", Value: "1"}, {Name: "kernel.b", Value: "2"}}},
		"worded": {Kind: "sysctl", Text: "in words and more", Settings: finding.Settings{{Name: "kernel.a", Value: "1"}}},
		"text":   {Kind: "sysctl", Text: "kernel.a = 1 and kernel.b = 2"},
	} {
		res := resultOf(t, r, "own/"+name)
		if len(res.Findings) != 1 || len(res.Findings[0].Remediation) != 1 {
			t.Errorf("%s: %s %q %v", name, res.Status, res.Reason, res.Findings)
			continue
		}
		got := res.Findings[0].Remediation[0]
		if got.Kind != want.Kind || got.Text != want.Text || !slices.Equal(got.Settings, want.Settings) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if res := resultOf(t, r, "own/none"); res.Status != finding.Unknown {
		t.Errorf("settings that are none: %s", res.Status)
	}
}

// TestBuiltinSettingsAreValues: no built-in policy leaves settings to be read out of its text.
func TestBuiltinSettingsAreValues(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	r := judgedOf(t, p, "recorded/failing-host.json")
	seen := map[string]int{"sysctl": 0, "sshd": 0}
	for i := range r.Results {
		for _, f := range r.Results[i].Findings {
			for _, m := range f.Remediation {
				if _, ok := seen[m.Kind]; !ok {
					continue
				}
				if seen[m.Kind]++; len(m.Settings) == 0 || m.Text != m.Settings.Text(m.Kind) {
					t.Errorf("%s: %+v", r.Results[i].ID, m)
				}
			}
		}
	}
	for kind, n := range seen {
		if n == 0 {
			t.Errorf("no finding asks for settings of %s", kind)
		}
	}
}
