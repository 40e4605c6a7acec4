//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// put writes to a place as a command does.
func put(path, text string) error {
	o, err := OpenOutput(path)
	if err != nil {
		return err
	}
	if err := o.Write([]byte(text)); err != nil {
		o.Discard()
		return err
	}
	return o.Commit()
}

func wantFile(t *testing.T, path, text string, mode os.FileMode, uid, gid uint32) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != text {
		t.Errorf("%s: %q %v, want %q", path, b, err, text)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode != unix.S_IFREG|uint32(mode) || st.Uid != uid || st.Gid != gid {
		t.Errorf("%s: mode %o of %d:%d, want %o of %d:%d", path, st.Mode, st.Uid, st.Gid, mode, uid, gid)
	}
}

// clean wants no temporary file to be left.
func clean(t *testing.T, dir string) {
	t.Helper()
	if left, err := filepath.Glob(dir + "/.ringfence-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestOutputOfRegularFiles(t *testing.T) {
	dir, make := place(t)
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	if err := put(dir+"/new", "1"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir+"/new", "1", 0o600, uid, gid)
	old := make("old", 0o640, -1, -1)
	if err := put(old, "2"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, old, "2", 0o640, uid, gid)
	link(t, "old", dir+"/link")
	link(t, dir+"/fresh", dir+"/dangling")
	if err := errors.Join(put(dir+"/link", "3"), put(dir+"/dangling", "4")); err != nil {
		t.Fatal(err)
	}
	wantFile(t, old, "3", 0o640, uid, gid)
	wantFile(t, dir+"/fresh", "4", 0o600, uid, gid)
	if to, err := os.Readlink(dir + "/link"); err != nil || to != "old" {
		t.Errorf("the link is %q %v", to, err)
	}
	if err := os.Link(old, dir+"/second"); err != nil {
		t.Fatal(err)
	}
	if err := put(old, "5"); !errors.Is(err, ErrLinks) {
		t.Errorf("two hard links: %v", err)
	}
	if err := put(dir, "6"); !errors.Is(err, unix.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
	if err := put(dir+"/no/such", "6"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no directory: %v", err)
	}
	o, err := OpenOutput(old[:len(old)-3] + "new")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	o.Discard()
	wantFile(t, dir+"/new", "1", 0o600, uid, gid)
	clean(t, dir)
}

// TestOutputKeepsOwners has, as root, files and links of others.
func TestOutputKeepsOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("giving files to others needs root")
	}
	dir, make := place(t)
	make("home", os.ModeDir|0o755, 1001, 1001)
	theirs := make("home/report", 0o644, 1001, 1002)
	if err := put(theirs, "1"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, theirs, "1", 0o644, 1001, 1002)
	make("sticky", os.ModeDir|0o777|os.ModeSticky, 0, 0)
	if err := put(dir+"/sticky/new", "2"); err != nil {
		t.Fatal(err)
	}
	planted := make("sticky/planted", 0o666, 1001, 1001)
	if err := put(planted, "3"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a file of somebody else in a sticky directory: %v", err)
	}
	wantFile(t, planted, "x", 0o666, 1001, 1001)
	if err := errors.Join(unix.Mkfifo(dir+"/sticky/fifo", 0o666), os.Chown(dir+"/sticky/fifo", 1001, 1001)); err != nil {
		t.Fatal(err)
	}
	if err := put(dir+"/sticky/fifo", "3"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a FIFO of somebody else in a sticky directory: %v", err)
	}
	victim := make("victim", 0o600, 0, 0)
	for _, at := range []string{"sticky/link", "home/link"} {
		l := link(t, victim, dir+"/"+at)
		if err := os.Lchown(l, 1001, 1001); err != nil {
			t.Fatal(err)
		}
		if err := put(l, "4"); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "link "+l) {
			t.Errorf("a link of somebody else: %v", err)
		}
	}
	wantFile(t, victim, "x", 0o600, 0, 0)
	clean(t, dir+"/sticky")
	clean(t, dir)
}

func TestOutputOfDevicesAndFIFOs(t *testing.T) {
	dir, _ := place(t)
	if os.Geteuid() == 0 {
		if err := unix.Mknod(dir+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
			t.Logf("no devices here: %v", err)
		} else if err := put(dir+"/null", "1"); err != nil && !errors.Is(err, unix.EACCES) { // nodev
			t.Errorf("a device: %v", err)
		} else if st, err := os.Lstat(dir + "/null"); err != nil || st.Mode()&os.ModeCharDevice == 0 {
			t.Errorf("the device is replaced: %v %v", st, err)
		}
	}
	if err := put("/dev/null", "1"); err != nil {
		t.Errorf("/dev/null: %v", err)
	}
	fifo := dir + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := put(fifo, "1"); err == nil || !strings.Contains(err.Error(), "a FIFO that nobody reads from") || time.Since(start) > 2*fifoWait {
		t.Errorf("no reader: %v after %s", err, time.Since(start))
	}
	text := strings.Repeat("0123456789", 50_000) // more than a pipe holds
	got := make(chan string, 1)
	go func() {
		f, err := os.Open(fifo)
		if err != nil {
			got <- err.Error()
			return
		}
		defer f.Close()
		b, _ := io.ReadAll(f)
		got <- string(b)
	}()
	if err := put(fifo, text); err != nil {
		t.Error(err)
	}
	if s := <-got; s != text {
		t.Errorf("the reader got %d bytes, want %d", len(s), len(text))
	}
	if st, err := os.Lstat(fifo); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the FIFO is replaced: %v", err)
	}
}

// TestOutputIsNoNewDevice: a name that no device has makes no file among the devices.
func TestOutputIsNoNewDevice(t *testing.T) {
	for _, path := range []string{"/dev/ringfence-nul", "/dev/../dev/ringfence-nul"} {
		o, err := OpenOutput(path)
		if err == nil {
			o.Discard()
		}
		if !errors.Is(err, errNoDevice) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestOutputToOwnDescriptor writes behind what is in a file already, as the shell's > does for /dev/stdout.
func TestOutputToOwnDescriptor(t *testing.T) {
	dir, _ := place(t)
	f, err := os.Create(dir + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("first "); err != nil {
		t.Fatal(err)
	}
	l := link(t, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), dir+"/stdout")
	if err := put(l, "second"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(dir + "/out"); err != nil || string(b) != "first second" {
		t.Errorf("%q %v", b, err)
	}
	if err := put("/proc/self/root/tmp", "x"); !errors.Is(err, errMagic) {
		t.Errorf("another link of /proc: %v", err)
	}
	if _, err := Trusted("/proc/self/root/etc/passwd"); !errors.Is(err, errMagic) {
		t.Errorf("trusted through a link of /proc: %v", err)
	}
}
