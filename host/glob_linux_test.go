//go:build linux && !ringfence_portable

package host

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGlobSaysWhatItCouldNotRead: only what is not there is left out in silence.
func TestGlobSaysWhatItCouldNotRead(t *testing.T) {
	for _, c := range []struct {
		list, look error
		more       bool
	}{
		{nil, nil, false},
		{nil, syscall.ENOENT, false},
		{syscall.ENOENT, nil, false},
		{syscall.ENOTDIR, nil, false},
		{syscall.ELOOP, syscall.ELOOP, false},
		{syscall.EMFILE, nil, true},
		{syscall.EACCES, nil, true},
		{nil, syscall.EMFILE, true},
		{nil, syscall.EACCES, true},
		{ErrTooMany, nil, true},
	} {
		_, more := glob("/run/*/x", func(string) ([]string, error) { return []string{"a"}, c.list }, func(string) error { return c.look })
		if more != c.more {
			t.Errorf("list %v, look %v: more is %v", c.list, c.look, more)
		}
	}
}

// TestGlobWithoutDescriptors: a host that has none left for us is not one without files.
func TestGlobWithoutDescriptors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	paths, more := At(dir).Glob("/*")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if len(paths) > 0 || !more {
		t.Errorf("%v, more is %v", paths, more)
	}
	if paths, more := At(dir).Glob("/*"); !slices.Equal(paths, []string{"/x"}) || more {
		t.Errorf("%v, more is %v", paths, more)
	}
}
