package ringfence_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// opens are the functions that open a file or a socket, or start a program, by the package that has them.
var opens = map[string][]string{
	"os":                             {"Create", "CreateTemp", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "ReadDir", "ReadFile", "StartProcess", "WriteFile"},
	"os/exec":                        {"Command", "CommandContext"},
	"net":                            {"Dial", "DialTimeout", "Listen", "ListenPacket"},
	"syscall":                        {"Exec", "ForkExec", "Open", "Openat", "Socket"},
	"golang.org/x/sys/unix":          {"Exec", "Open", "Openat", "Openat2", "Socket"},
	"github.com/mdlayher/netlink":    {"Dial"},
	"github.com/google/nftables":     {"New"},
	"github.com/vishvananda/netlink": {"NewHandle", "NewHandleAt", "LinkList", "AddrList", "RouteList", "RuleList", "NeighList"},
}

// doors are the folders that may open: host is the door, and replica's child makes a copy of a host in namespaces of its own. What is in
// e2e and need are tests, and packaging is run where a release is made.
var doors = []string{"host", "replica", "e2e", "e2e/bed", "e2e/oracle", "need", "packaging"}

// otherDoors are functions elsewhere that open all the same, and why.
var otherDoors = map[string]string{
	"encode":     "google/nftables encodes into a function of ours (WithTestDial), and opens nothing",
	"Lock":       "the lock of a fix is a file that is made where there is none",
	"setSysctl":  "it writes switches of the kernel that a plan names, and what was there before back",
	"liveSSH":    "of Windows the directory of the SSH server alone is opened, and nothing that leads out of it",
	"openSocket": "the mode of a socket is changed through the descriptor that was compared with the plan",
}

// TestOneDoor: what a host has is opened by package host, which bounds it. A collector that opens by itself is one that a FIFO holds up.
func TestOneDoor(t *testing.T) {
	used := map[string]bool{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") || slices.Contains(doors, filepath.ToSlash(filepath.Dir(file))) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		names := imported(f)
		for _, d := range f.Decls {
			function := ""
			if fn, ok := d.(*ast.FuncDecl); ok {
				function = fn.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := sel.X.(*ast.Ident)
				if !ok || !slices.Contains(opens[names[pkg.Name]], sel.Sel.Name) {
					return true
				}
				if otherDoors[function] == "" {
					t.Errorf("%s: %s uses %s.%s: let package host open it", file, function, pkg.Name, sel.Sel.Name)
				}
				used[function] = true
				return true
			})
		}
	}
	for name := range otherDoors {
		if !used[name] {
			t.Errorf("%s opens nothing: take it off the list", name)
		}
	}
}

// engines are what the two engines of the packet model and the checker of proofs are made by, and the folders that may make them: who asks
// package exposure gets answers that were checked twice.
var engines = map[string]struct {
	makes []string
	by    []string
}{
	module + "reach":        {[]string{"NewModel"}, []string{"reach", "exposure"}},
	module + "trace":        {[]string{"New"}, []string{"trace", "certificate", "exposure"}},
	module + "certificate":  {[]string{"NewChecker"}, []string{"certificate", "exposure"}},
	module + "wfp":          {[]string{"New"}, []string{"exposure"}},
	module + "wfp/classify": {[]string{"New"}, []string{"exposure"}},
	module + "wfp/mpssvc":   {[]string{"Compile"}, []string{"exposure"}},
}

// TestOneAsker: questions about packets go through package exposure.
func TestOneAsker(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		names := imported(f)
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok {
					e := engines[names[pkg.Name]]
					if slices.Contains(e.makes, sel.Sel.Name) && !slices.Contains(e.by, filepath.ToSlash(filepath.Dir(file))) {
						t.Errorf("%s uses %s.%s: ask package exposure", file, pkg.Name, sel.Sel.Name)
					}
				}
			}
			return true
		})
	}
}

// imported is the path of each package by the name that a file has for it.
func imported(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, i := range f.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = path
	}
	return names
}
