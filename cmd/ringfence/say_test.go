package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOneWayToTheTerminal wants everything that is printed to go through say.go, where it is cleaned. A report that
// was asked for as data by another process of this program, and the lines of trace --batch, are JSON for programs.
func TestOneWayToTheTerminal(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{ // standard streams that are handed on
		"live.go run":    true,
		"trace.go Batch": true, "main.go run": true, "live.go Moves": true, "look.go Of": true, "run.go Columns": true,
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "say.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name, stream := "", false
			switch fun := call.Fun.(type) {
			case *ast.SelectorExpr:
				name, stream = fun.Sel.Name, isStream(fun.X)
			case *ast.Ident:
				name = fun.Name
			}
			for _, a := range call.Args {
				stream = stream || isStream(a)
			}
			if stream {
				seen++
				if !allowed[file+" "+name] {
					t.Errorf("%s: %s gets a standard stream: use say or tell", file, name)
				}
			}
			return true
		})
	}
	if seen < len(allowed) {
		t.Errorf("%d uses of a standard stream: the list of those that are allowed is too long", seen)
	}
}

func isStream(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "stdout" || s.Sel.Name == "stderr" || s.Sel.Name == "Stdout" || s.Sel.Name == "Stderr")
}

func TestSayCleans(t *testing.T) {
	var out, errs bytes.Buffer
	e := &env{stdout: &out, stderr: &errs}
	e.say("a %s\nb %s c %d %s\n", "x\x1b[2J\ny", errors.New("e\u202ef"), 7, time.Second)
	if got, want := errs.String(), "a x\\x1b[2J\\ny\nb e\\u202ef c 7 1s\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := errors.Join(e.tell("%s\n", "\x07"), e.tellText("l1\nl2\x9b\n")); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "\\x07\nl1\nl2\\x9b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
