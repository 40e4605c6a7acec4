package remedy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
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

// TestPlanIsWritten: the ruleset, what undoes it also where it is not loaded, and each file, by its path below the directory and never outside.
func TestPlanIsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plan")
	p := &Plan{Ruleset: "r", Inverse: "delete table inet a\ndelete table bridge a\n", Files: []dropin.File{{Path: "/etc/sysctl.d/x.conf", Content: "c"}, {Path: "/../../y", Content: "d"}}}
	if err := host.WriteTree(dir, p.Tree()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ruleset.nft": "r", "undo.nft": "table inet a\ndelete table inet a\ntable bridge a\ndelete table bridge a\n", "etc/sysctl.d/x.conf": "c"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "../../y")); err == nil {
		t.Error("a file was written outside")
	}
}
