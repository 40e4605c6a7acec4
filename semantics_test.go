package ringfence_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule is one row of docs/semantics.md.
type rule struct{ name, kernel, reach, trace, mutants, tests string }

func semantics(t *testing.T) (list []rule) {
	t.Helper()
	b, err := os.ReadFile("docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| rule") {
			continue
		}
		if len(cells) != 6 {
			t.Fatalf("%d cells, want 6: %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		list = append(list, rule{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	return list
}

var quoted = regexp.MustCompile("`([^`]+)`")

func names(cell string) (list []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestSemantics: the table of the kernel's rules names what there is, and all of it: places in both engines, mutants, tests, and
// every function of the kernel that a comment of the engines cites.
func TestSemantics(t *testing.T) {
	rules := semantics(t)
	tests, mutants := map[string]bool{}, mutantFiles(t)
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			for name := range declared(t, file) {
				tests[name] = true
			}
		}
	}
	cited, have, rowOf := citations(t), map[string]bool{}, map[string]string{}
	for _, r := range rules {
		for engine, cell := range map[string]string{"reach": r.reach, "trace": r.trace} {
			for place := range strings.SplitSeq(cell, "; ") {
				file, list, _ := strings.Cut(place, ": ")
				if cell == "-" {
					continue
				}
				in := declared(t, filepath.Join(engine, file))
				for _, name := range names(list) {
					if !in[name] {
						t.Errorf("%s: %s/%s has no %s", r.name, engine, file, name)
					}
				}
			}
		}
		for _, name := range names(r.kernel) {
			have[name] = true
		}
		for mutant := range strings.SplitSeq(r.mutants, "; ") {
			if mutant == "-" {
				continue
			}
			if mutants[mutant] == "" || rowOf[mutant] != "" {
				t.Errorf("%s: the mutant %q does not exist, or is in another row", r.name, mutant)
			}
			rowOf[mutant] = r.name
		}
		for _, name := range names(r.tests) {
			if !tests[name] {
				t.Errorf("%s: there is no %s", r.name, name)
			}
		}
		if len(names(r.kernel)) == 0 || len(names(r.tests)) == 0 || r.reach == "-" && r.trace == "-" {
			t.Errorf("%s: the kernel, a place or a test is missing", r.name)
		}
	}
	for mutant := range mutants {
		if rowOf[mutant] == "" {
			t.Errorf("the mutant %q has no row", mutant)
		}
	}
	for name, file := range cited {
		if !have[name] {
			t.Errorf("%s cites %s, which has no row", file, name)
		}
	}
}

// declared is the functions, types, constants and variables of a file.
func declared(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	list := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			list[d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					list[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						list[n.Name] = true
					}
				}
			}
		}
	}
	return list
}

// mutantFiles are the mutants of the engines by name, whose place stands once in its file.
func mutantFiles(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "e2e/model/mutants_test.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if !ok || len(c.Elts) != 4 {
			return true
		}
		var texts []string
		for _, e := range c.Elts {
			if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, s)
			}
		}
		if len(texts) != 4 || !strings.HasSuffix(texts[1], ".go") {
			return true
		}
		b, err := os.ReadFile(texts[1])
		if err != nil || strings.Count(string(b), texts[2]) != 1 {
			t.Errorf("mutant %q: %q stands %d times in %s (%v)", texts[0], texts[2], strings.Count(string(b), texts[2]), texts[1], err)
		}
		list[texts[0]] = texts[1]
		return false
	})
	if len(list) < 40 {
		t.Fatalf("%d mutants were found", len(list))
	}
	return list
}

// kernelName is how the kernel's functions and constants look in a comment; switches are files of /proc/sys, which look alike.
var (
	kernelFile = regexp.MustCompile(`\b[a-z0-9_/]+\.[ch]\b`)
	kernelName = regexp.MustCompile(`\b[A-Za-z_][A-Za-z0-9]*_[A-Za-z0-9_]+\b`)
	switches   = []string{
		"rp_filter", "route_localnet", "accept_local", "src_valid_mark", "br_netfilter", "mc_forwarding", "disable_ipv6", "force_forwarding", "disable_policy", "send_redirects",
	}
)

// citations are the names of the kernel in comments of both engines.
func citations(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	for _, file := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(file))
		if dir != "reach" && dir != "trace" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Comments {
			for _, name := range kernelName.FindAllString(kernelFile.ReplaceAllString(c.Text(), ""), -1) {
				if !slices.Contains(switches, name) {
					list[name] = file
				}
			}
		}
	}
	return list
}
