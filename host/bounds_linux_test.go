//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// maze makes as many links as the kernel follows, each at the end of a path of n directories, and gives the first one.
func maze(t *testing.T, root string, links, n int) string {
	t.Helper()
	dir := "/z" + strings.Repeat("/d", n-1)
	err := os.MkdirAll(filepath.Join(root, dir), 0o755)
	for i := range links {
		err = errors.Join(err, os.Symlink(fmt.Sprintf("%s/l%d", dir, i+1), filepath.Join(root, dir, fmt.Sprintf("l%d", i))))
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(root, dir, fmt.Sprintf("l%d", links)), nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/l0"
}

// TestAuthorIsBounded: a path that links make as long as somebody likes is given up early, with an error.
func TestAuthorIsBounded(t *testing.T) {
	root := t.TempDir()
	p := maze(t, root, 30, 100)
	if _, err := At(root).StatIn(0, p); err != nil {
		t.Fatalf("the kernel does not follow it: %v", err)
	}
	if _, _, err := At(root).Author(p); !errors.Is(err, errLong) {
		t.Errorf("3,000 components: %v", err)
	}
	root = t.TempDir()
	if _, _, err := At(root).Author(maze(t, root, 4, 100)); err != nil {
		t.Errorf("500 components: %v", err)
	}
}

// TestWalkHoldsTwo: however deep a path is, and however often it goes up and down, a walk needs few descriptors.
func TestWalkHoldsTwo(t *testing.T) {
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, strings.Repeat("d/", 100)), 0o755); err != nil {
		t.Fatal(err)
	}
	before, most := open(), 0
	w := &walker{root: root, enter: func(*walker) error { most = max(most, open()); return nil }}
	_, err := w.walk("/" + strings.Repeat("d/", 100) + strings.Repeat("../d/", 100))
	w.close()
	if err != nil || most > before+2 || most <= before {
		t.Errorf("%d descriptors before, %d on the way: %v", before, most, err)
	}
}

// TestStatPlain: a path with a link is not that of a program, and no maze is followed.
func TestStatPlain(t *testing.T) {
	root := t.TempDir()
	p := maze(t, root, 1, 3)
	if _, err := At(root).StatPlain(p); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	if st, err := At(root).StatPlain(filepath.Dir(p) + "/l1"); err != nil || !st.Mode.IsRegular() {
		t.Errorf("%+v %v", st, err)
	}
}

// TestLookIsGivenUp: what a look finds after its time reaches nobody, and its tree gives it nothing more.
func TestLookIsGivenUp(t *testing.T) {
	refused := make(chan error, 1)
	n, err := InRoot(Local(), os.Getpid(), 20*time.Millisecond, func(tree *Tree) (int, error) {
		for {
			if _, err := tree.Stat("/"); err != nil {
				time.Sleep(40 * time.Millisecond)
				refused <- err
				return 7, nil
			}
		}
	})
	if n != 0 || !errors.Is(err, ErrSlow) {
		t.Errorf("%d, %v", n, err)
	}
	if err := <-refused; !errors.Is(err, ErrSlow) {
		t.Errorf("the tree: %v", err)
	}
	if n, err := InRoot(Local(), os.Getpid(), time.Minute, func(*Tree) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Errorf("in time: %d, %v", n, err)
	}
}
