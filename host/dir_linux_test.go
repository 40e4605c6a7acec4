//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
)

// TestDownFollowsNothing: a link in the place of a directory is an error, and so is another file system.
func TestDownFollowsNothing(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.Mkdir(root+"/d", 0o755), os.Symlink("d", root+"/l"), os.WriteFile(root+"/d/f", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	dir, err := At(root).OpenList("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := dir.Down("l"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	below, err := dir.Down("d")
	if err != nil {
		t.Fatal(err)
	}
	defer below.Close()
	if names, err := below.Names(); err != nil || !slices.Equal(names, []string{"f"}) {
		t.Errorf("%v %v", names, err)
	}
	if _, err := below.Down(".."); !errors.Is(err, syscall.EXDEV) {
		t.Errorf("up: %v", err)
	}
	top, err := Local().OpenList("/")
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	if _, err := top.Down("proc"); !errors.Is(err, syscall.EXDEV) {
		t.Errorf("another file system: %v", err)
	}
}
