package ringfence_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write NOTICE anew")

// systems are those that the program is built for.
var systems = []string{"linux", "darwin", "windows"}

// licenceFile names the files of a module that say under what terms it is.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// TestNoticeIsFresh: NOTICE has the terms of every module that is in the program, on any system, as its own files say them.
func TestNoticeIsFresh(t *testing.T) {
	want := notice(t)
	if *update {
		if err := os.WriteFile("NOTICE", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("NOTICE")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("NOTICE is stale (%v): make update", err)
	}
}

func notice(t *testing.T) []byte {
	t.Helper()
	users := map[string][]string{} // the modules of each text
	for module, dir := range modules(t) {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			if f.IsDir() || !licenceFile.MatchString(f.Name()) {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", "\n"))
			users[text], found = append(users[text], module), true
		}
		if !found {
			t.Errorf("%s says nothing of its terms", module)
		}
	}
	var b bytes.Buffer
	b.WriteString("ringfence contains the Go standard library and the modules below. Each text is that of the modules named above it.\n")
	texts := slices.SortedFunc(maps.Keys(users), func(a, b string) int {
		slices.Sort(users[a])
		slices.Sort(users[b])
		return cmp.Or(cmp.Compare(users[a][0], users[b][0]), cmp.Compare(a, b))
	})
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n", strings.Repeat("=", 79), strings.Join(slices.Compact(users[text]), "\n"), strings.Repeat("-", 79))
		fmt.Fprintf(&b, "%s\n", text)
	}
	return b.Bytes()
}

// modules are the folders of those that packages of the program are in, by name and version.
func modules(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	goDir := ""
	for _, goos := range systems {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/ringfence")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			module, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
			if ok {
				list[module] = dir
			}
			if strings.HasPrefix(module, "golang.org/x/sys ") {
				goDir = dir
			}
		}
	}
	list["Go standard library"] = goDir // by the same authors under the same terms; a toolchain need not bring their text
	return list
}
