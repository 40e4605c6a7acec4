//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/host"
	"golang.org/x/sys/unix"
)

// TestLinksInSharedMemory: a directory of /dev/shm that becomes a link while it is looked at leads nowhere else.
func TestLinksInSharedMemory(t *testing.T) {
	root := t.TempDir()
	shm := filepath.Join(root, shmDir)
	err := errors.Join(os.MkdirAll(shm+"/d", 0o700), os.Mkdir(root+"/private", 0o700), os.WriteFile(root+"/private/secret", nil, 0o600),
		os.WriteFile(shm+"/d/segment", nil, 0o600), os.Symlink(root+"/private", shm+"/l"))
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, shm+"/d", unix.AT_FDCWD, shm+"/l", unix.RENAME_EXCHANGE); err != nil {
				ended <- err
				return
			}
		}
	}()
	found := false
	for range 3000 {
		out := new(Outcome)
		for _, g := range newScan(host.At(root)).sharedMemory(t.Context(), nil, out) {
			if filepath.Base(g.Name) == "secret" {
				t.Fatalf("%s is of another directory", g.Name)
			}
			found = true
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !found {
		t.Error("no segment was found at all")
	}
}
