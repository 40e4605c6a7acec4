package judge

import (
	"context"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
)

// A state of a section that nobody knows is no state in which it was seen.
func TestUnknownStatusIsNoPass(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*snapshot.Snapshot{fixtures.Host(), fixtures.WindowsHost()} {
		for i := range s.Coverage {
			s.Coverage[i].Status = "timeout"
		}
		r, err := Judge(t.Context(), s, p, new(Config), "0")
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Checks {
			res := &r.Results[i]
			want := finding.Unknown
			if strings.HasPrefix(res.ID, "windows/") != s.OnWindows() {
				want = finding.NotApplicable // it is about the other system
			}
			if len(p.Checks[i].Reads) > 0 && (res.Status != want || want == finding.Unknown && !strings.Contains(res.Reason, "was not read")) {
				t.Errorf("%s: %s %s", res.ID, res.Status, res.Reason)
			}
		}
	}
}

func TestPoliciesCompile(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Checks) < 39 {
		t.Errorf("want at least 39 checks, got %d", len(p.Checks))
	}
}

// TestBuiltinsAreSound: the compiler refuses nothing in the built-in policies, the types of the document included, and the stages that a run
// leaves out change nothing in them. Those of the user it checks.
func TestBuiltinsAreSound(t *testing.T) {
	p, err := ofTexts()
	if err != nil {
		t.Fatal(err)
	}
	c := newCompiler()
	if c.Compile(p.modules); c.Failed() {
		t.Error(c.Errors)
	}
	for file, m := range p.compiler.Modules {
		if got, want := m.String(), c.Modules[file].String(); got != want {
			t.Errorf("%s is compiled to\n%s\nwhere every stage makes it\n%s", file, got, want)
		}
	}
	if _, err := Load(Module{"x.rego", []byte("# METADATA\n# title: x\npackage ringfence.area.check\n\nx := input.noSuchField\n")}); err == nil {
		t.Error("a policy of the user that has wrong types is compiled")
	}
	if _, err := Load(Module{"x.rego", []byte("# METADATA\n# title: x\npackage ringfence.area.check\n\nimport data.ringfence.lib\n\nx := 1\n")}); err == nil ||
		!strings.Contains(err.Error(), "unused") {
		t.Errorf("a policy of the user with an import that it does not use: %v", err)
	}
}

func TestPolicyUnitTests(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	results, _, err := p.Test(context.Background(), TestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 3*len(p.Checks)-20 {
		t.Errorf("%d tests for %d checks", len(results), len(p.Checks))
	}
	for _, r := range results {
		if !r.Pass {
			t.Errorf("%s failed %s", r.Name, r.Output)
		}
	}
}
