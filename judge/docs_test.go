package judge

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the generated documents")

// TestDocumentsAreFresh holds the generated documents against their sources.
func TestDocumentsAreFresh(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{
		"../docs/checks.md": checksPage(p),
	} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(got), string(want)); d != "" {
			t.Errorf("%s is stale (make update):\n%s", file, d)
		}
	}
}

// TestNoWordIsBroken: lines of a folded text are joined with a blank, which breaks a name that went over the end of one.
func TestNoWordIsBroken(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if broken := regexp.MustCompile(`\S*[a-z]- [a-z]\S*`).FindAllString(string(checksPage(p)), -1); len(broken) > 0 {
		t.Errorf("broken: %q", broken)
	}
}

func checksPage(p *Policies) []byte {
	var b bytes.Buffer
	b.WriteString("# Checks\n\nGenerated from the metadata of the policies by `make update`.\n")
	area := ""
	for i := range p.Checks {
		c := &p.Checks[i]
		if a, _, _ := strings.Cut(c.ID, "/"); a != area {
			area = a
			fmt.Fprintf(&b, "\n## %s\n", a)
		}
		fmt.Fprintf(&b, "\n### %s\n\n**%s** (%s)\n\n%s\n\nFix: %s\n", c.ID, c.Title, c.Severity,
			strings.TrimSpace(c.Description), strings.TrimSpace(c.Remediation))
		if len(c.Reads) > 0 {
			fmt.Fprintf(&b, "\nReads: %s\n", strings.Join(c.Reads, ", "))
		}
		for _, name := range sorted(c.Params) {
			fmt.Fprintf(&b, "\nParameter `params.%s`: %s\n", name, c.Params[name].explain())
		}
		var refs []string
		for _, r := range []struct {
			name string
			list []string
		}{
			{"CIS", c.References.CIS},
			{"NIST 800-53", c.References.NIST},
			{"ATT&CK", c.References.ATTACK},
			{"", c.References.CWE},
			{"", c.References.CVE},
		} {
			for _, x := range r.list {
				refs = append(refs, strings.TrimSpace(r.name+" "+x))
			}
		}
		fmt.Fprintf(&b, "\nReferences: %s\n", strings.Join(refs, " · "))
	}
	return b.Bytes()
}
