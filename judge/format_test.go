package judge

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// TestRegoFormat holds every Rego file against the formatter of the language.
func TestRegoFormat(t *testing.T) {
	root := os.DirFS("../rego")
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".rego") {
			return err
		}
		b, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		want, err := format.SourceWithOpts(p, b, format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			return err
		}
		if *update {
			return os.WriteFile("../rego/"+p, want, 0o644)
		}
		if d := cmp.Diff(string(b), string(want)); d != "" {
			t.Errorf("%s is not formatted (make update):\n%s", p, d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
