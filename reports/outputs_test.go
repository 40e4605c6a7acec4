package reports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/reports"
)

// TestOutputsThatWouldLoseSomething: what is read is not written over, by whatever path, no file is written twice, and what seems to be two outputs is none.
func TestOutputsThatWouldLoseSomething(t *testing.T) {
	dir := t.TempDir()
	in, link := filepath.Join(dir, "in.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(in, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in, link); err != nil {
		t.Skipf("the file system lacks: symbolic links: %v", err)
	}
	for _, c := range []struct {
		outs []string
		err  string
	}{
		{[]string{"json=" + in}, "would be lost"},
		{[]string{"csv=" + dir + "/./in.json"}, "would be lost"},
		{[]string{"csv=" + link}, "would be lost"},
		{[]string{"json=a", "csv=./a"}, "written already"},
		{[]string{"json=a,csv=b"}, "each file has its own --output"},
		{[]string{"json=  "}, "want FORMAT=FILE"},
		{[]string{"json=-"}, "said by --format"},
		{[]string{"json=a,b", "csv=a=b", "junit=" + dir + "/other"}, ""},
	} {
		_, err := reports.Outputs("table", c.outs, in)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %v, want %s", c.outs, err, c.err)
		}
	}
}
