package judge

import (
	"context"
	"testing"
)

func TestPoliciesCompile(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Checks) < 39 {
		t.Errorf("want at least 39 checks, got %d", len(p.Checks))
	}
}

func TestPolicyUnitTests(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	results, err := p.Test(context.Background())
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
