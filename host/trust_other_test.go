//go:build unix && (!linux || ringfence_portable)

package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func put(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func makeDir(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func symlink(t *testing.T, target, name string) string {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTrustedByOwnerAndMode: what others could have written, put in place or led elsewhere is refused, with the same words
// as on Linux.
func TestTrustedByOwnerAndMode(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) string { return filepath.Join(append([]string{base}, names...)...) }
	good := put(t, in("good"), 0o644)
	open := makeDir(t, in("open"), 0o777)
	put(t, filepath.Join(open, "f"), 0o644)
	sticky := makeDir(t, in("sticky"), 0o777|os.ModeSticky)
	put(t, filepath.Join(sticky, "f"), 0o644)
	fifo := in("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	inside := makeDir(t, in("dir"), 0o755)
	symlink(t, "dir", in("dirlink"))
	put(t, filepath.Join(inside, "f"), 0o644)
	symlink(t, "../good", filepath.Join(inside, "up"))
	for name, want := range map[string]string{
		good:                                "",
		inside:                              "",
		symlink(t, good, in("link")):        "",
		in("dirlink", "f"):                  "",
		in("dirlink", "up"):                 "",
		filepath.Join(sticky, "f"):          "",
		put(t, in("everybody"), 0o646):      "writable by everybody (mode 0646)",
		filepath.Join(open, "f"):            "directory " + open + ": not trusted: writable by everybody (mode 0777)",
		in("dirlink", "..", "open", "f"):    "writable by everybody",
		symlink(t, open+"/f", in("astray")): "writable by everybody",
		sticky:                              "the directory is writable by others than its owner",
		fifo:                                ErrNotRegular.Error(),
		symlink(t, "loop", in("loop")):      syscall.ELOOP.Error(),
		in("none"):                          "open " + in("none") + ": " + syscall.ENOENT.Error(),
		filepath.Join(good, "f"):            syscall.ENOTDIR.Error(),
	} {
		f, err := Trusted(name)
		if want == "" && err == nil {
			f.Close()
			continue
		}
		if want == "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if strings.Contains(want, "writable") && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v is none about trust", name, err)
		}
	}
}

// TestTrustedOwner: a file, a directory or a link in a sticky directory of somebody else is refused.
func TestTrustedOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root: it gives files away")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	good := put(t, filepath.Join(base, "good"), 0o644)
	file := put(t, filepath.Join(base, "file"), 0o644)
	group := put(t, filepath.Join(base, "group"), 0o664)
	dir := makeDir(t, filepath.Join(base, "dir"), 0o755)
	below := put(t, filepath.Join(dir, "f"), 0o644)
	sticky := makeDir(t, filepath.Join(base, "sticky"), 0o777|os.ModeSticky)
	link := symlink(t, good, filepath.Join(sticky, "link"))
	for _, name := range []string{file, dir, link} {
		if err := os.Lchown(name, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(group, 0, 12345); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		file: "owned by uid 12345, not by root", below: "owned by uid 12345, not by root", link: "owned by uid 12345, not by root",
		group: "writable by group 12345 (mode 0664)",
	} {
		if f, err := Trusted(name); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v, want %q", name, f, err, want)
		}
	}
	if _, err := ReadTrustedTree(base, "file", TreeLimits{9, 99, 9, 99, 99}); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a tree with a file of somebody else: %v", err)
	}
	out, err := OpenOutput(link)
	if !errors.Is(err, ErrUntrusted) {
		t.Errorf("a link of somebody else leads an output: %v %v", out, err)
	}
}

// TestTreeByOwnerAndMode: the files of a directory are read within the limits, and a link among them is an error.
func TestTreeByOwnerAndMode(t *testing.T) {
	dir := t.TempDir()
	makeDir(t, filepath.Join(dir, "a"), 0o755)
	put(t, filepath.Join(dir, "a", "one.rego"), 0o644)
	put(t, filepath.Join(dir, "two.rego"), 0o644)
	put(t, filepath.Join(dir, "other"), 0o666)
	lim := TreeLimits{2, 10, 2, 10, 10}
	files, err := ReadTrustedTree(dir, ".rego", lim)
	if err != nil || len(files) != 2 || files[0].Name != filepath.Join("a", "one.rego") || files[1].Name != "two.rego" {
		t.Fatalf("%v %v", files, err)
	}
	for _, few := range []TreeLimits{{1, 10, 2, 10, 10}, {2, 2, 2, 10, 10}, {2, 10, 1, 10, 10}} {
		if _, err := ReadTrustedTree(dir, ".rego", few); !errors.Is(err, errTree) {
			t.Errorf("%+v: %v", few, err)
		}
	}
	symlink(t, "two.rego", filepath.Join(dir, "three.rego"))
	if _, err := ReadTrustedTree(dir, ".rego", lim); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a link: %v", err)
	}
}

// TestOutputsElsewhere: a file is replaced as a whole and keeps its mode, a link stays, a FIFO that nobody reads from is
// an error, and what is discarded leaves nothing.
func TestOutputsElsewhere(t *testing.T) {
	dir := t.TempDir()
	old := put(t, filepath.Join(dir, "old"), 0o640)
	link := symlink(t, "old", filepath.Join(dir, "link"))
	for name, mode := range map[string]os.FileMode{link: 0o640, filepath.Join(dir, "new"): 0o600} {
		o, err := OpenOutput(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(o.Write([]byte("report")), o.Commit()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		st, serr := os.Stat(name)
		if err != nil || serr != nil || string(b) != "report" || st.Mode() != mode {
			t.Errorf("%s: %q %v %v %v", name, b, st.Mode(), err, serr)
		}
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v %v", st, err)
	}
	o, err := OpenOutput(old)
	if err != nil {
		t.Fatal(err)
	}
	o.Discard()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOutput(fifo); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a FIFO without a reader: %v", err)
	}
	if _, err := OpenOutput(dir); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".ringfence-*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	null, err := OpenOutput(os.DevNull)
	if err != nil || !null.Stream() {
		t.Fatalf("%v %v", null, err)
	}
	if err := errors.Join(null.Write([]byte("x")), null.Commit()); err != nil {
		t.Error(err)
	}
	if _, err := OpenRegular(fifo); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a FIFO is read: %v", err)
	}
	if Local().Live() {
		t.Error("this host is live")
	}
}
