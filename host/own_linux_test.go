//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestNothingIsWrittenThroughALink: a link in the place of a file is replaced, what it points to stays.
func TestNothingIsWrittenThroughALink(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: the files are root's")
	}
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("old"), 0o644), os.Symlink(target, link), WriteOwn(link, []byte("new"), 0o600)); err != nil {
		t.Fatal(err)
	}
	st, err := os.Lstat(link)
	was, rerr := os.ReadFile(target)
	if err != nil || rerr != nil || !st.Mode().IsRegular() || string(was) != "old" {
		t.Errorf("%v %v %q", st.Mode(), err, was)
	}
}
