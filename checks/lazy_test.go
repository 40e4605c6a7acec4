//go:build linux && !ringfence_portable

package checks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLazyExpressionsCompile: a regular expression that is compiled later is one, whether a host asks for it or not.
func TestLazyExpressionsCompile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "lazily" {
				return true
			}
			n++
			text, ok := constant(call.Args[0])
			if !ok {
				t.Errorf("%s: an expression is not made of texts alone: it is compiled at once", file)
			} else if _, err := regexp.Compile(text); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			return true
		})
	}
	if n < 90 {
		t.Errorf("%d expressions were found", n)
	}
	if l := lazily("a+"); l.re != nil || !l.MatchString("caat") || l.re == nil {
		t.Error("it is not compiled when it is asked first")
	}
}

// constant is a text in the source, also one of several parts.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, aok := constant(e.X)
		b, bok := constant(e.Y)
		return a + b, aok && bok && e.Op == token.ADD
	}
	return "", false
}
