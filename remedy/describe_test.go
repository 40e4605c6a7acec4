package remedy

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// TestPlanTextIsARuleset: the text of a plan is loaded as it is, so whatever is no rule is a comment.
func TestPlanTextIsARuleset(t *testing.T) {
	p := &Plan{
		Ruleset: "table inet ringfence {\n\tchain x {\n\t}\n}\n", Inverse: "delete table inet ringfence\n", Diff: "-a\n+b\n",
		Files:    []dropin.File{{Service: "sshd", Path: "/etc/x", Content: "PasswordAuthentication no\n\nPort 22\n", Validate: []string{"a", "b"}}},
		Manual:   []dropin.Manual{{Check: "c", What: "w", Kind: "words", Text: "one\ntwo"}},
		Warnings: []string{"w"},
	}
	text := p.Describe(func(s string, _ bool) string { return s })
	rules := strings.ReplaceAll(p.Ruleset, "\t", "    ")
	if strings.Count(text, rules) != 1 {
		t.Fatalf("%s", text)
	}
	for l := range strings.Lines(strings.Replace(text, rules, "", 1)) {
		if strings.TrimSpace(l) != "" && !strings.HasPrefix(l, "#") {
			t.Errorf("no comment: %q", l)
		}
	}
}

// TestUnreadRulesAreNoPlan: where the rules that are loaded are not known, nobody is told that there is nothing to close.
func TestUnreadRulesAreNoPlan(t *testing.T) {
	p := &Plan{Unread: "not permitted"}
	if text := p.Describe(func(s string, _ bool) string { return s }); strings.Contains(text, "nothing that") || !strings.Contains(text, "not permitted") {
		t.Errorf("%s", text)
	}
	if p := Make(new(finding.Report), new(snapshot.Snapshot), nil, Options{}); p.Unread == "" {
		t.Errorf("%+v", p)
	}
}
