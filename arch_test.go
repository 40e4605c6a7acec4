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
	"host/wire":     {"snapshot", "ruleset"},                                                // messages become their values
	"checks":        {"host", "host/wire", "snapshot", "ruleset", "rego", "sshd", "packet"}, // packet: what programs are asked about
	"snapshot":      {"ruleset", "escape", "words"},
	"escape":        {},
	"registry":      {}, // files of Windows, which are read on every system
	"winhost":       {"registry", "snapshot", "sshd"},
	"sshd":          {"snapshot"},
	"version":       {},
	"docs":          {},
	"usage":         {"words"},
	"words":         {},
	"exit":          {},
	"assume":        {"finding", "words", "yamlfile"}, // the world is asked by an interface
	"declared":      {"finding", "assume", "escape", "words", "yamlfile"},
	"waiver":        {"finding", "words", "yamlfile"},
	"terminal":      {"escape"},
	"yamlfile":      {"words"},
	"fixing":        {"remedy", "trial", "usage"},
	"authoring":     {"judge"},
	"audit":         {"host", "assume", "declared", "snapshot", "sandbox", "judge", "finding", "remedy", "trial", "version", "exposure", "packet", "trace", "zones", "reports", "escape", "exit", "winhost", "watch"}, // trial: by what a fix was judged
	"signature":     {},
	"packaging":     {},
	"fleet":         {"audit", "exit", "finding", "host", "remedy", "reports", "sandbox", "signature", "snapshot", "usage", "words"},
	"bundle":        {"judge"},
	"manual":        {"exit", "usage", "version"},
	"watch":         {"host", "host/wire", "finding", "snapshot", "escape"},
	"ruleset":       {},
	"packet":        {}, // values alone: what the engines share decides nothing
	"zones":         {"snapshot", "packet", "words"},
	"reach":         {"snapshot", "ruleset", "packet"},
	"trace":         {"snapshot", "ruleset", "packet"},
	"certificate":   {"snapshot", "ruleset", "trace", "packet"}, // whether rules translate
	"wfp":           {"packet"},
	"wfp/classify":  {"wfp", "packet"}, // values of wfp alone: it checks what wfp answers
	"wfp/mpssvc":    {"wfp", "snapshot"},
	"rego":          {},
	"exposure":      {"snapshot", "ruleset", "packet", "zones", "reach", "trace", "certificate", "wfp", "wfp/classify", "wfp/mpssvc", "words"},
	"power":         {"snapshot", "zones", "rego"}, // what is known of programs
	"judge":         {"rego", "assume", "declared", "power", "snapshot", "ruleset", "zones", "packet", "reach", "exposure", "finding", "words", "yamlfile", "wfp/mpssvc"},
	"sandbox":       {"host", "snapshot", "judge", "finding", "reports", "rego", "waiver", "assume", "declared", "words", "remedy", "bundle"}, // remedy: what to do first is what its plans would do
	"finding":       {"words"},
	"reports":       {"finding", "escape", "packet", "trace", "power", "words", "threatmodel"},
	"threatmodel":   {"finding", "escape"}, // a model is made of a report: one that was kept draws the same
	"remedy":        {"host", "host/wire", "snapshot", "ruleset", "packet", "reach", "trace", "exposure", "replica", "finding", "zones", "dropin", "escape", "wfp/mpssvc"},
	"dropin":        {"host", "host/wire", "snapshot", "ruleset", "finding", "escape"}, // asks what a service listens on, and what rules need of the kernel
	"trial":         {"host", "host/wire", "checks", "snapshot", "ruleset", "finding", "remedy", "dropin", "escape"},
	"replica":       {"host", "host/wire", "snapshot", "ruleset"},
	"fixtures":      {"snapshot", "ruleset"},
	"e2e":           {},
	"e2e/bed":       {"need"},
	"need":          {},
	"e2e/oracle":    {},
	"e2e/hostile":   {}, // tests alone
}

// theirs is which third party modules each folder may import.
var theirs = map[string][]string{
	"cmd/ringfence": {"github.com/spf13/cobra"},
	"terminal":      {"golang.org/x/term"},
	"usage":         {"github.com/spf13/cobra", "github.com/spf13/pflag"},
	"fixing":        {"github.com/spf13/cobra"},
	"fleet":         {"github.com/spf13/cobra", "golang.org/x/crypto/ssh"}, // its flags; the key of a host
	"signature":     {"golang.org/x/crypto/ssh"},
	"yamlfile":      {"go.yaml.in/yaml/v3", "sigs.k8s.io/yaml"}, // the first tells where something stands
	"host":          {"github.com/mdlayher/netlink", "github.com/vishvananda", "golang.org/x/sys"},
	"host/wire":     {"github.com/mdlayher/netlink", "golang.org/x/sys"},
	"checks": {
		"github.com/mdlayher/netlink", "github.com/shirou/gopsutil/v3",
		"github.com/titanous/json5", "github.com/vishvananda/netlink", "golang.org/x/sys",
		"sigs.k8s.io/yaml", // agents and daemons keep their settings in it
	},
	"e2e/bed":    {"golang.org/x/sys"},
	"e2e/oracle": {"golang.org/x/sys"},
	"judge":      {"github.com/open-policy-agent/opa"},
	"reports":    {"github.com/olekukonko/tablewriter", "github.com/clipperhouse/displaywidth"},
	"remedy":     {"github.com/google/nftables", "github.com/mdlayher/netlink", "golang.org/x/sys"},
	"dropin":     {"golang.org/x/sys"},
	"trial":      {"golang.org/x/sys"},
	"bundle":     {"github.com/open-policy-agent/opa"},
	"manual":     {"github.com/spf13/cobra", "github.com/spf13/pflag"},
	"watch":      {"github.com/mdlayher/netlink", "golang.org/x/sys"},
	"replica":    {"github.com/mdlayher/netlink", "github.com/vishvananda/netlink", "golang.org/x/sys"},
	"winhost":    {"golang.org/x/sys"},
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

// onLinux begins every file that needs a Linux kernel or its headers, but for those of e2e, whose first line is shorter, or has the tag of "make bench". With the tag
// ringfence_portable the program is built of the other files here too, so that those can be run.
const onLinux = "//go:build linux && !ringfence_portable"

// kernels are the modules that are of use on Linux alone, or are another there.
var kernels = []string{
	"golang.org/x/sys/unix", "github.com/google/nftables", "github.com/mdlayher/netlink", "github.com/vishvananda", "github.com/shirou/gopsutil",
	module + "checks", module + "host/wire", module + "e2e/oracle",
}

// TestSeam: what looks at a host or changes it is built on Linux alone, and nothing else imports what it needs: a
// snapshot is judged everywhere ("make lint" builds for the other systems).
func TestSeam(t *testing.T) {
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		first := ""
		if len(f.Comments) > 0 && f.Comments[0].Pos() < f.Package {
			first = f.Comments[0].List[0].Text
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		if first == onLinux || strings.HasPrefix(first, onLinux+" && ") || strings.HasPrefix(dir, "e2e") && (first == "//go:build linux" || first == "//go:build linux && ringfence_bench") {
			continue
		}
		if dir == "checks" || strings.HasPrefix(dir, "e2e") || strings.Contains(file, "_linux") {
			t.Errorf("%s: want it to begin with %s", file, onLinux)
		}
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if slices.ContainsFunc(kernels, func(k string) bool { return path == k || strings.HasPrefix(path, k+"/") }) {
				t.Errorf("%s imports %s, which other systems do not have: begin it with %s", file, path, onLinux)
			}
		}
	}
}

// TestReportsAreReadApart: reports of others are parsed by the process that has no powers, and compared there.
func TestReportsAreReadApart(t *testing.T) {
	for _, file := range goFiles(t) {
		if dir := filepath.ToSlash(filepath.Dir(file)); dir == "sandbox" || dir == "finding" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"finding." + "Load(", "finding." + "Compare("} {
			if strings.Contains(string(b), call) {
				t.Errorf("%s: %s is for package sandbox", file, call)
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

// TestFuzzTargetsAreRun: each target of the fuzzer is among those that make fuzz runs.
func TestFuzzTargetsAreRun(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range target.FindAllSubmatch(text, -1) {
			name := filepath.ToSlash(filepath.Dir(file)) + ":" + string(m[1])
			if !slices.Contains(strings.Fields(string(makefile)), name) {
				t.Errorf("make fuzz does not run %s", name)
			}
		}
	}
}
