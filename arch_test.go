package ringfence_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ringfence/ringfence/"

// ours is which of our packages each folder may import (docs/architecture.md gives the reasons).
// Tests may import anything.
var ours = map[string][]string{
	"cmd/ringfence": {"*"},
	"host":          {},
	"checks":        {"host", "snapshot", "ruleset", "rego"},
	"snapshot":      {"ruleset", "escape"},
	"escape":        {},
	"ruleset":       {},
	"zones":         {"snapshot"},
	"reach":         {"snapshot", "ruleset", "zones"},
	"trace":         {"snapshot", "ruleset"},
	"proof":         {"snapshot", "trace"},
	"rego":          {},
	"judge":         {"rego", "snapshot", "ruleset", "zones", "reach", "trace", "finding"},
	"finding":       {},
	"reports":       {"finding", "escape"},
	"remedy":        {"host", "snapshot", "ruleset", "reach", "trace", "replica", "finding", "zones"},
	"replica":       {"snapshot", "ruleset"},
	"fixtures":      {"snapshot", "ruleset"},
	"e2e":           {},
	"e2e/oracle":    {},
	"e2e/hostile":   {}, // tests alone
}

// theirs is which third party modules each folder may import.
var theirs = map[string][]string{
	"cmd/ringfence": {"github.com/spf13/cobra", "golang.org/x/term", "sigs.k8s.io/yaml"},
	"host":          {"github.com/mdlayher/netlink", "github.com/vishvananda", "golang.org/x/sys"},
	"checks": {
		"github.com/google/nftables", "github.com/mdlayher/netlink", "github.com/shirou/gopsutil/v3",
		"github.com/titanous/json5", "github.com/vishvananda/netlink", "golang.org/x/sys",
	},
	"e2e/oracle": {"golang.org/x/sys"},
	"judge":      {"github.com/open-policy-agent/opa"},
	"reports":    {"github.com/olekukonko/tablewriter", "github.com/clipperhouse/displaywidth"},
	"remedy":     {"github.com/google/nftables", "github.com/mdlayher/netlink", "golang.org/x/sys"},
	"replica":    {"github.com/mdlayher/netlink", "github.com/vishvananda/netlink", "golang.org/x/sys"},
}

func TestImports(t *testing.T) {
	for _, file := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(file))
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		allowed, ok := ours[dir]
		if !ok {
			t.Errorf("%s: the folder is not in the table", file)
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if own, is := strings.CutPrefix(path, module); is {
				if !slices.Contains(allowed, own) && !slices.Contains(allowed, "*") {
					t.Errorf("%s imports %s", file, own)
				}
				continue
			}
			if !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
				continue // the standard library
			}
			if !slices.ContainsFunc(theirs[dir], func(p string) bool { return strings.HasPrefix(path, p) }) {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

// TestNoGrabBags refuses folders that are named for nothing.
func TestNoGrabBags(t *testing.T) {
	bad := regexp.MustCompile(`(^|/)(util|utils|common|helpers|internal|pkg|misc)(/|$)`)
	for _, file := range goFiles(t) {
		if bad.MatchString(filepath.ToSlash(filepath.Dir(file))) {
			t.Errorf("%s: name the folder for what is in it", file)
		}
	}
}

// TestNoInit refuses functions that run because a package is imported.
func TestNoInit(t *testing.T) {
	for _, file := range goFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+"init()") {
			t.Errorf("%s has an init function", file)
		}
	}
}

func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && p != "." {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".go") && filepath.Dir(p) != "." {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
