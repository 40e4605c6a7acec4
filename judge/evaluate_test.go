package judge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

const header = "# METADATA\n# title: T\n# description: D\n# custom: {severity: low, reads: [], remediation: R}\n"

// mine is a policy of a user that reads nothing, ringfence.own.<name>.
func mine(name, rules string) Module { return mineOf("[]", name, rules) }

// mineOf is a policy of a user with what it reads.
func mineOf(reads, name, rules string) Module {
	text := strings.Replace(header, "reads: []", "reads: "+reads, 1)
	return Module{"dir/" + strings.ReplaceAll(name, "_", "-") + ".rego", []byte(text + "package ringfence.own." + name + "\n\n" + rules + "\n")}
}

func judged(t *testing.T, p *Policies) *finding.Report {
	t.Helper()
	return judgedOf(t, p, "base/host.json")
}

// judgedOf judges a snapshot of the fixtures.
func judgedOf(t *testing.T, p *Policies, name string) *finding.Report {
	t.Helper()
	f, err := os.Open("../fixtures/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := snapshot.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Judge(context.Background(), s, p, new(Config), "0.0.0")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func resultOf(t *testing.T, r *finding.Report, id string) finding.Result {
	t.Helper()
	for i := range r.Results {
		if r.Results[i].ID == id {
			return r.Results[i]
		}
	}
	t.Fatalf("no result of %s", id)
	return finding.Result{}
}

// TestFailingPolicyIsItsOwnUnknown has policies that fail in every way beside one that does not.
func TestFailingPolicyIsItsOwnUnknown(t *testing.T) {
	numbers := "[" + strings.Repeat("1,", 999) + "1]"
	cases := map[string]struct{ rules, reason string }{
		"conflict": {`_x := 1 if input.host` + "\n" + `_x := 2 if input.host` + "\n" + `finding contains {"message": sprintf("%d", [_x])}`, "eval_conflict_error"},
		"builtin":  {`finding contains {"message": "m"} if to_number(concat("", ["x", "y"])) == 1`, "eval_builtin_error"},
		"result":   {`finding := "a word"`, "finding: a string, want an array"},
		"key":      {`finding contains {"resource": {"kind": "host", "key": k}, "message": "m"} if k := count([1])`, "finding.resource.key: a number, want a string"},
		"field":    {`finding contains {"resource": r, "message": "m"} if r := json.unmarshal("{\"kex\": 1}")`, `it has a field "kex"`},
		"silent":   {`finding contains {"resource": {"kind": "host", "key": "k"}, "message": concat("", [])}`, "a finding has no message"},
		"severity": {`finding contains {"message": "m", "severity": concat("", ["aw", "ful"])}`, `the severity "awful"`},
		"endless": {
			"_n := " + numbers + "\n" + `finding contains {"message": "m"} if { some a in _n; some b in _n; some c in _n; a + b + c == 4 }`,
			"it took longer than it may (300ms)",
		},
		"lines": {`finding contains {"message": "m", "severity": concat("", ["a\nb` + "\\u001b" + `[2J"])}`, `the severity "a\nb\x1b[2J"`},
	}
	modules := []Module{mine("fine", `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"}`)}
	for name, c := range cases {
		modules = append(modules, mine(name, c.rules))
	}
	p, err := Load(modules...)
	if err != nil {
		t.Fatal(err)
	}
	p.limits.policy = 300 * time.Millisecond
	r := judged(t, p)
	for name, c := range cases {
		res := resultOf(t, r, "own/"+name)
		if res.Status != finding.Unknown || !strings.HasPrefix(res.Reason, "the policy failed: ") || !strings.Contains(res.Reason, c.reason) {
			t.Errorf("%s: %s %q, want unknown because of %q", name, res.Status, res.Reason, c.reason)
		}
		if strings.ContainsAny(res.Reason, "\n\x1b") || len([]rune(res.Reason)) > maxReason+30 {
			t.Errorf("%s: reason %q is not one clean line", name, res.Reason)
		}
	}
	if res := resultOf(t, r, "own/fine"); res.Status != finding.Fail {
		t.Errorf("fine: %s %s", res.Status, res.Reason)
	}
	sameBuiltins(t, r)
}

// sameBuiltins wants the built-in checks to say what they say without any policy of a user.
func sameBuiltins(t *testing.T, r *finding.Report) {
	t.Helper()
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range judged(t, p).Results {
		if got := resultOf(t, r, want.ID); got.Status != want.Status || got.Reason != want.Reason {
			t.Errorf("%s: %s %q, without policies of a user %s %q", want.ID, got.Status, got.Reason, want.Status, want.Reason)
		}
	}
}

// TestPolicyMemoryIsBounded has one that doubles a string until it is ended.
func TestPolicyMemoryIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`_s0 := concat("", [input.host.name, "0123456789abcdef0123456789abcdef"])` + "\n")
	for i := range 22 {
		n, o := string(rune('a'+i)), "0"
		if i > 0 {
			o = string(rune('a' + i - 1))
		}
		b.WriteString("_s" + n + " := concat(\"\", [_s" + o + ", _s" + o + "])\n")
	}
	b.WriteString(`finding contains {"message": "m"} if { some i in [1, 2, 3, 4, 5, 6, 7, 8]; some j in [1, 2, 3, 4, 5, 6, 7, 8]; x := replace(_sv, "0", sprintf("%d%d", [i, j])); count(x) == 1 }`)
	p, err := Load(mine("large", b.String()))
	if err != nil {
		t.Fatal(err)
	}
	p.limits.memory = 64 << 20
	res := resultOf(t, judged(t, p), "own/large")
	if res.Status != finding.Unknown || !strings.Contains(res.Reason, "more memory than it may (64 MiB)") {
		t.Errorf("%s %q", res.Status, res.Reason)
	}
}

// TestFunctionThatDoesNotEndIsLeft has a function that does not ask whether it should end, and takes a quarter of a minute.
func TestFunctionThatDoesNotEndIsLeft(t *testing.T) {
	var b strings.Builder
	b.WriteString(`_s0 := concat("", ["aaaaaaaa", substring(input.host.name, 0, 0)])` + "\n")
	for i := range 23 {
		fmt.Fprintf(&b, "_s%d := concat(\"\", [_s%d, _s%d])\n", i+1, i, i)
	}
	b.WriteString(`finding contains {"message": "m"} if regex.match("^(a|aa|aaa|aaaa)*(b|c)$", _s23)`)
	p, err := Load(mine("stuck", b.String()))
	if err != nil {
		t.Fatal(err)
	}
	p.limits.policy, p.limits.grace = time.Second, 100*time.Millisecond
	start := time.Now()
	res := resultOf(t, judged(t, p), "own/stuck")
	if res.Status != finding.Unknown || !strings.Contains(res.Reason, "it took longer than it may (1s)") {
		t.Errorf("%s %q", res.Status, res.Reason)
	}
	if d := time.Since(start); d > 50*time.Second {
		t.Errorf("it was waited for, %s", d)
	}
}

// TestUserPoliciesTakeNoTimeOfBuiltins has the time of a set be used up by the first policy of the user.
func TestUserPoliciesTakeNoTimeOfBuiltins(t *testing.T) {
	numbers := "[" + strings.Repeat("1,", 999) + "1]"
	endless := "_n := " + numbers + "\n" + `finding contains {"message": "m"} if { some a in _n; some b in _n; some c in _n; a + b + c == 4 }`
	p, err := Load(mine("a", endless), mine("b", `finding contains {"message": "m"}`))
	if err != nil {
		t.Fatal(err)
	}
	p.limits.set = 3 * time.Second
	p.limits.policy = 3 * time.Second
	r := judged(t, p)
	if res := resultOf(t, r, "own/b"); res.Status != finding.Unknown || !strings.Contains(res.Reason, "not evaluated: those before it took 3s") {
		t.Errorf("%s %q", res.Status, res.Reason)
	}
	sameBuiltins(t, r)
}

// TestUserPackages refuses modules that would add to the program's own packages.
func TestUserPackages(t *testing.T) {
	lib := func(pkg string) Module {
		return Module{"dir/no-input-filter.rego", []byte(header + "package " + pkg + "\n\nextra := 1\n")}
	}
	for _, c := range []struct {
		m    Module
		want []string
	}{
		{lib("ringfence.lib"), []string{"dir/no-input-filter.rego", "ringfence.lib", "builtin/lib/lib.rego"}},
		{lib("ringfence.lib.more"), []string{"ringfence.lib.more", "builtin/lib/lib.rego", "ringfence.shared"}},
		{lib(`ringfence["lib"]`), []string{"builtin/lib/lib.rego"}},
		{lib("ringfence.firewall.no_input_filter"), []string{"dir/no-input-filter.rego", "builtin/policies/firewall/no-input-filter.rego"}},
		{lib(`ringfence.firewall["no-input-filter"]`), []string{"the same check", "builtin/policies/firewall/no-input-filter.rego"}},
		{lib("ringfence"), []string{"want ringfence.<area>.<check>"}},
		{lib("ringfence.firewall"), []string{"want ringfence.<area>.<check>"}},
		{lib("params"), []string{"want ringfence.<area>.<check>"}},
		{lib("ringfence.a.no_input_filter.c"), []string{"want ringfence.<area>.<check>"}},
		{Module{"dir/x_test.rego", []byte("package ringfence.lib_test\n\ntest_it := true\n")}, []string{"builtin/lib/lib_test.rego"}},
	} {
		_, err := Load(c.m)
		if !errors.Is(err, ErrPolicy) {
			t.Errorf("%s was loaded (%v)", c.m.Text, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not name %q", err, w)
			}
		}
	}
}

// TestUserPolicyInADirectoryNamedBuiltin is not one of the program's own, whatever its file is called.
func TestUserPolicyInADirectoryNamedBuiltin(t *testing.T) {
	m := mine("fine", `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"}`)
	m.File = "builtin/policies/own/fine.rego"
	p, err := Load(m)
	if err != nil {
		t.Fatal(err)
	}
	p.Leave("left")
	if res := resultOf(t, judged(t, p), "own/fine"); res.Status != finding.Unknown || res.Reason != "left" {
		t.Errorf("%s %q", res.Status, res.Reason)
	}
	m.File = "builtin/lib/lib.rego"
	if _, err := Load(m); err == nil || !strings.Contains(err.Error(), "builtin/lib/lib.rego: read twice") {
		t.Errorf("the file of a built-in module: %v", err)
	}
}

// TestUserPoliciesShare has two policies of a user with code in ringfence.shared, and with replaced data that
// holds for them alone.
func TestUserPoliciesShare(t *testing.T) {
	p, err := Load(
		Module{"dir/words.rego", []byte("package ringfence.shared\n\nword := \"seven\"\n")},
		mine("uses", `import data.ringfence.shared`+"\n\n"+`finding contains {"message": shared.word}`),
		mineOf("[network, nftables]", "replaces", `finding contains {"message": "m"} if data.ringfence.firewall.no_input_filter.finding == {1} with data.ringfence.firewall.no_input_filter.finding as {1}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	r := judged(t, p)
	if res := resultOf(t, r, "own/uses"); res.Status != finding.Fail || res.Findings[0].Message != "seven" {
		t.Errorf("%+v", res)
	}
	if res := resultOf(t, r, "own/replaces"); res.Status != finding.Fail {
		t.Errorf("%s %s", res.Status, res.Reason)
	}
	sameBuiltins(t, r)
}

// TestSchemasReadNoFiles has a file read by a $ref in a schema: in METADATA at compile time, and by a function.
func TestSchemasReadNoFiles(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	ref := `{"$ref": "file://` + secret + `"}`
	annotated := Module{"dir/a.rego", []byte(strings.Replace(header, "# custom", "# schemas:\n#   - input.host: "+ref+"\n# custom", 1) +
		"package ringfence.own.a\n\nfinding contains {\"message\": \"m\"} if input.host.name\n")}
	if _, err := Load(annotated); err == nil || !strings.Contains(err.Error(), "schemas in METADATA are refused") {
		t.Errorf("schemas in METADATA: %v", err)
	}
	called := mine("b", `finding contains {"message": e} if { [_, e] := json.verify_schema(`+ref+`) }`)
	if _, err := Load(called); err == nil || !strings.Contains(err.Error(), "undefined function json.verify_schema") {
		t.Errorf("json.verify_schema: %v", err)
	}
}

// TestBoundedFunctions holds the list against the functions of this version of OPA.
func TestBoundedFunctions(t *testing.T) {
	known := map[string]bool{}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		known[b.Name] = true
	}
	for _, b := range bounded {
		if !known[b] {
			t.Errorf("%s: OPA has no such function", b)
		}
	}
	lacking := []string{
		"http.send", "net.lookup_ip_addr", "opa.runtime", "rego.parse_module", "json.match_schema", "json.verify_schema",
		"numbers.range", "numbers.range_step", "net.cidr_expand", "bits.lsh", "time.clock", "time.now_ns", "yaml.unmarshal",
		"strings.render_template", "graph.reachable_paths", "io.jwt.decode_verify", "providers.aws.sign_req",
	}
	for some := range slices.Chunk(lacking, 8) { // the compiler ends after ten errors
		var modules []Module
		for i, b := range some {
			modules = append(modules, mine(fmt.Sprintf("calls%d", i), `finding contains {"message": "m"} if `+b+`()`))
		}
		_, err := Load(modules...)
		for _, b := range some {
			if !known[b] {
				t.Errorf("%s: OPA has no such function any more", b)
			}
			if !strings.Contains(fmt.Sprintln(err), "undefined function "+b+"\n") {
				t.Errorf("%s: %v", b, err)
			}
		}
	}
}
