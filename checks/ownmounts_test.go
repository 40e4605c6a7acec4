//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
)

// TestOwnMounts: a service that systemd gave mounts of its own does not take them for the host's.
func TestOwnMounts(t *testing.T) {
	for _, c := range []struct{ own, one, want string }{
		{"mnt:[1]", "mnt:[1]", "own"}, {"mnt:[2]", "mnt:[1]", "one"}, {"mnt:[2]", "", "own"},
	} {
		root := t.TempDir()
		for name, target := range map[string]string{"thread-self": c.own, "1": c.one} {
			dir := filepath.Join(root, "proc", name, "ns")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if target != "" {
				if err := os.Symlink(target, filepath.Join(dir, "mnt")); err != nil {
					t.Fatal(err)
				}
			}
		}
		writeFile(t, filepath.Join(root, "proc/thread-self/mountinfo"), "own")
		writeFile(t, filepath.Join(root, "proc/1/mountinfo"), "one")
		b, err := (&Scan{Host: host.At(root)}).ownMounts()
		if err != nil || strings.TrimSpace(string(b)) != c.want {
			t.Errorf("%+v: %q, %v", c, b, err)
		}
	}
}
