//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAuthor: whoever can write a file, its directory or that of a link to it decides what it says.
func TestAuthor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: it gives files away")
	}
	root := t.TempDir() // the walk begins here: what is above it does not count
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := func(name string, mode os.FileMode, uid int) {
		must(os.Mkdir(filepath.Join(root, name), 0o755))
		must(os.Chown(filepath.Join(root, name), uid, 0))
		must(os.Chmod(filepath.Join(root, name), mode))
	}
	file := func(name string, mode os.FileMode, uid, gid int) {
		must(os.WriteFile(filepath.Join(root, name), []byte("x"), 0o644))
		must(os.Chown(filepath.Join(root, name), uid, gid))
		must(os.Chmod(filepath.Join(root, name), mode))
	}
	must(os.Chmod(root, 0o755))
	dir("etc", 0o755, 0)
	dir("mal", 0o755, 1001)
	dir("open", 0o777, 0)
	dir("tmp", os.ModeSticky|0o777, 0)
	file("etc/good", 0o644, 0, 0)
	file("etc/theirs", 0o644, 1001, 0)
	file("etc/group", 0o664, 0, 44)
	file("etc/rootgroup", 0o664, 0, 0)
	file("mal/roots", 0o644, 0, 0)
	file("mal/vics", 0o644, 1002, 0)
	file("open/roots", 0o600, 0, 0)
	file("tmp/roots", 0o600, 0, 0)
	file("tmp/mals", 0o600, 1001, 0)
	must(os.Symlink("/etc/good", filepath.Join(root, "mal/link")))
	must(os.Symlink("../mal/roots", filepath.Join(root, "etc/link")))
	must(os.Symlink("/etc/good", filepath.Join(root, "etc/fine")))
	must(os.Symlink("loop", filepath.Join(root, "etc/loop")))
	h := At(root)
	for _, c := range []struct {
		path   string
		uid    int
		others bool
	}{
		{"/etc/good", 0, false},
		{"/etc/../etc/good", 0, false},
		{"/etc/fine", 0, false},
		{"/etc/rootgroup", 0, false},
		{"/etc/theirs", 1001, false},
		{"/etc/group", 0, true},
		{"/mal/roots", 1001, false},
		{"/mal/vics", 1001, true},
		{"/open/roots", 0, true},
		{"/tmp/roots", 0, false},
		{"/tmp/mals", 1001, false},
		{"/mal/link", 1001, false},
		{"/etc/link", 1001, false},
	} {
		a, st, err := h.Author(c.path)
		if err != nil || a != (Author{c.uid, c.others}) || !st.Mode.IsRegular() {
			t.Errorf("%s: %+v %+v %v, want uid %d others %v", c.path, a, st, err, c.uid, c.others)
		}
	}
	if _, _, err := h.Author("/etc/loop"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if _, _, err := h.Author("/etc/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// TestReadNamed: what a user names is opened only if it is a file of a disk that the user could read.
func TestReadNamed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: it gives files away")
	}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	path := func(n string) string { return filepath.Join(dir, n) }
	must(os.WriteFile(path("theirs"), []byte("x"), 0o600))
	must(os.Chown(path("theirs"), 1001, 1001))
	must(os.WriteFile(path("roots"), []byte("x"), 0o600))
	must(os.WriteFile(path("public"), []byte("x"), 0o644))
	must(os.WriteFile(path("big"), make([]byte, MaxNamed+1), 0o644))
	must(syscall.Mkfifo(path("fifo"), 0o666))
	must(os.Symlink("/dev/zero", path("zero")))
	who := &Principal{PID: os.Getpid(), UID: 1001, GID: 1001}
	for name, want := range map[string]error{
		path("theirs"): nil, path("public"): nil, path("roots"): ErrNotTheirs, path("big"): syscall.EFBIG,
		path("fifo"): ErrNotRegular, path("zero"): ErrNotRegular, "/dev/null": ErrNotRegular,
		"/proc/kmsg": ErrPseudo, "/proc/self/environ": ErrPseudo, "/sys/kernel/notes": ErrPseudo,
	} {
		_, _, err := Local().ReadNamed(who, name)
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// TestAuthorOfASocket: who may connect to a socket does not decide what is at its path; who can replace it does.
func TestAuthorOfASocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "s")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for mode, want := range map[os.FileMode]bool{0o755: true, 0o777: false} {
		if err := errors.Join(os.Chmod(name, 0o666), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		if a, _, err := Local().Author(name); err != nil || a.Root() != want {
			t.Errorf("in a folder of mode %o: %+v %v", mode, a, err)
		}
	}
}
