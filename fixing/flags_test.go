package fixing

import (
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
)

// TestRootIsWhereTheCallIs: a relative directory is below the working directory, not below /.
func TestRootIsWhereTheCallIs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	c, root := new(cobra.Command), ""
	Root(c, &root)
	if err := c.Flags().Parse([]string{"--root", "below/../state"}); err != nil || root != filepath.Join(dir, "state") {
		t.Errorf("root %q, %v", root, err)
	}
	if c.Flags().Lookup("root").DefValue != "" {
		t.Error("without the flag it is not /")
	}
}
