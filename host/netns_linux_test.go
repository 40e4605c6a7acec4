//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNamespacesAreOpenedAlone: a descriptor that was of a namespace can be of any file when it is opened. A FIFO is not waited for.
func TestNamespacesAreOpenedAlone(t *testing.T) {
	fifo, plain := filepath.Join(t.TempDir(), "fifo"), filepath.Join(t.TempDir(), "plain")
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.WriteFile(plain, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	h := Local()
	for path, want := range map[string]error{
		"/proc/self/ns/net": nil, "/proc/self/ns/mnt": ErrNotRegular, fifo: ErrNotRegular, plain: ErrNotRegular, "/dev/null": ErrNotRegular,
	} {
		f, err := h.OpenNetns(path, 0)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil {
			continue
		}
		inode, err := Inode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.OpenNetns(path, inode+1); !errors.Is(err, errMoved) {
			t.Errorf("%s: another one: %v", path, err)
		}
	}
}
