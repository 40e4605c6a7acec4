package judge

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// fieldReads maps the fields of the document to the sections that they are made from.
func fieldReads() map[string][]string {
	m := map[string][]string{}
	for f := range DocumentType.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m[name] = strings.Fields(f.Tag.Get("reads"))
	}
	return m
}

// inputFields are the fields of the document that a module refers to.
func inputFields(m *ast.Module) []string {
	seen := map[string]bool{}
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if len(r) < 2 || !r[0].Equal(ast.InputRootDocument) {
			return false
		}
		if s, ok := r[1].Value.(ast.String); ok {
			seen[string(s)] = true
		} else {
			seen["*"] = true
		}
		return false
	})
	return sorted(seen)
}

// TestPoliciesReadWhatTheySay compares the sections that a policy names with those that the fields
// it uses are made from: a section that is missing there would let a check pass on unseen evidence.
func TestPoliciesReadWhatTheySay(t *testing.T) {
	p, err := Load()
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
		var want []string
		for _, f := range used {
			sections, ok := fields[f]
			if !ok {
				t.Errorf("%s: input.%s is not in the document", file, f)
			}
			for _, s := range sections {
				if !slices.Contains(want, s) {
					want = append(want, s)
				}
			}
		}
		got := slices.Clone(p.Checks[i].Reads)
		slices.Sort(want)
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
