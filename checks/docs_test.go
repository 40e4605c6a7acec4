//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the generated document")

// TestCollectorsPageIsFresh holds docs/collectors.md against the list of collectors, of which each says everything of itself.
func TestCollectorsPageIsFresh(t *testing.T) {
	const file = "../docs/collectors.md"
	var b bytes.Buffer
	b.WriteString("# Collectors\n\nGenerated from the list in `checks/checks.go` by `make update`.\n\n" +
		"A collector sees one subject and writes one section of the snapshot. It does not judge: the [checks](checks.md) do, which read the " +
		"sections.\nWithout the privilege named, a section is partial or denied, and what reads it is unknown. Whose word a fact is: see " +
		"[architecture](architecture.md#whose-word-it-is).\n\n" +
		"| section | subject | where it comes from | whose word | needs |\n|---|---|---|---|---|\n")
	for _, c := range Collectors() {
		if c.Doc == "" || c.Reads == "" || c.Word == "" || c.Needs == "" {
			t.Errorf("%s does not say what it sees, where, whose word that is, and what it needs", c.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.Name, c.Doc, c.Reads, c.Word, c.Needs)
	}
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b.String(), string(got)); d != "" {
		t.Errorf("%s is stale (make update):\n%s", file, d)
	}
}
