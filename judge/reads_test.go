package judge

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestPoliciesReadWhatTheySay compares the sections that a policy names with those that the fields
// it uses are made from: a section that is missing there would let a check pass on unseen evidence.
func TestPoliciesReadWhatTheySay(t *testing.T) {
	p, err := ofTexts()
	if err != nil {
		t.Fatal(err)
	}
	fields := fieldReads()
	for file, m := range p.modules {
		used := inputFields(m)
		if strings.Contains(file, "/lib/") {
			if len(used) > 0 {
				t.Errorf("%s: shared code reads input.%v", file, used)
			}
			continue
		}
		i := slices.IndexFunc(p.Checks, func(c Check) bool { return c.File == file })
		if i < 0 {
			t.Errorf("%s: no check", file)
			continue
		}
		for _, f := range used {
			if _, ok := fields[f]; !ok {
				t.Errorf("%s: input.%s is not in the document", file, f)
			}
		}
		want := neededReads(used)
		got := slices.Clone(p.Checks[i].Reads)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: reads %v, its fields are made from %v", file, got, want)
		}
	}
}

// TestMistypedFieldDoesNotCompile shows that the schema is at work.
func TestMistypedFieldDoesNotCompile(t *testing.T) {
	for _, c := range []struct {
		body string
		ok   bool
	}{
		{"x if input.services[_].port == 22", true},
		{"x if input.services[_].prot == 22", false},
		{"x if input.servicez", false},
		{`x if http.send({"method": "get", "url": "http://localhost"})`, false},
	} {
		m := ast.MustParseModuleWithOpts("package ringfence.a.b\n"+c.body, ast.ParserOptions{RegoVersion: ast.RegoV1})
		k := newCompiler()
		k.Compile(map[string]*ast.Module{"x": m})
		if k.Failed() == c.ok {
			t.Errorf("%s: compiles %v, want %v (%v)", c.body, !k.Failed(), c.ok, k.Errors)
		}
	}
}

// TestUserPoliciesReadWhatTheySay: a policy of the user that does not name what it uses would pass on what was never seen.
func TestUserPoliciesReadWhatTheySay(t *testing.T) {
	module := func(reads, body string) Module {
		return Module{"mine/own/mine.rego", []byte("# METADATA\n# title: t\n# description: d\n# custom:\n#   severity: low\n#   reads: " + reads +
			"\n#   remediation: r\npackage ringfence.own.mine\n\n" + body + "\n")}
	}
	const open = `not_applicable := "none" if count(input.firewall.input) == 0`
	for name, c := range map[string]struct {
		m  Module
		ok bool
	}{
		"all of it":                    {module("[network, nftables]", open), true},
		"more":                         {module("[network, nftables, ssh]", open), true},
		"nothing":                      {module("[]", open), false},
		"a part of it":                 {module("[network]", open), false},
		"a part that is none":          {module("[listeners.nosuchpart]", `not_applicable := "x" if 1 == 2`), false},
		"the whole section":            {module("[listeners, network, nftables, processes, agents, runtimes]", `not_applicable := "x" if count(input.services) == 0`), true},
		"before there were namespaces": {module("[listeners.ip, network, nftables, processes, agents, runtimes]", `not_applicable := "x" if count(input.services) == 0`), true},
		"input handed on":              {module("[ssh]", "_x := input\n\nnot_applicable := \"x\" if count(_x.firewall.input) == 0"), false},
	} {
		_, err := Load(c.m)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	shared := Module{"mine/shared/s.rego", []byte("package ringfence.shared.s\n\nf := input.firewall\n")}
	if _, err := Load(shared); err == nil {
		t.Error("shared code reads input")
	}
}
