package judge

import (
	"context"
	"slices"
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

// TestAServiceOfBothFamiliesIsOneFinding: what listens on all addresses of IPv4 and of IPv6 is told of once, with its zones, and closed for both; on
// addresses of its own it is two, and so are two programs.
func TestAServiceOfBothFamiliesIsOneFinding(t *testing.T) {
	var a answer
	add := func(key, zone, severity string, family int) {
		a.Finding = append(a.Finding, toldFinding{
			Resource: finding.Resource{Kind: "service", Key: key}, Message: key, Severity: severity, Zone: zone, Evidence: []string{"by " + key},
			Remediation: []finding.Remediation{{Kind: "nft", Text: "drop tcp port 22 from the " + zone + " zone", Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: 22, Family: family}}},
		})
	}
	add("tcp 0.0.0.0:22 (sshd)", "external", "high", 4)
	add("tcp 0.0.0.0:22 (sshd)", "workload", "medium", 4)
	add("tcp [::]:22 (sshd)", "external", "critical", 6)
	add("tcp [fd00::1]:22 (sshd)", "external", "high", 6)
	add("tcp [::]:22 (dropbear)", "external", "high", 6)
	add("tcp [::]%eth0:22 (sshd)", "external", "high", 6)
	list := findings(&Check{ID: "management/x", Severity: "high"}, &a, "", nil)
	if len(list) != 4 {
		t.Fatalf("%d findings: %+v", len(list), list)
	}
	f := list[0]
	if f.Resource.Key != "tcp [::]:22 (sshd)" || f.Severity != "critical" || !slices.Equal(f.Zones, []string{"external", "workload"}) || !slices.Contains(f.Evidence, "so is tcp 0.0.0.0:22 (sshd)") {
		t.Errorf("%+v", f)
	}
	if len(f.Remediation) != 2 {
		t.Fatalf("%+v", f.Remediation)
	}
	for _, r := range f.Remediation {
		if want := map[string]int{"external": 0, "workload": 4}[r.Deny.Zone]; r.Deny.Family != want {
			t.Errorf("%+v", r.Deny)
		}
	}
}
