//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// place makes files of a test below a directory of its own, which is trusted.
func place(t *testing.T) (string, func(path string, mode os.FileMode, uid, gid int) string) {
	t.Helper()
	old := unix.Umask(0o022) // what a group could write is not trusted
	t.Cleanup(func() { unix.Umask(old) })
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir, func(path string, mode os.FileMode, uid, gid int) string {
		t.Helper()
		p := filepath.Join(dir, path)
		var err error
		if mode.IsDir() {
			err = os.Mkdir(p, 0o700)
		} else {
			err = os.WriteFile(p, []byte("x"), 0o600)
		}
		if err == nil && (uid >= 0 || gid >= 0) {
			err = os.Chown(p, uid, gid)
		}
		if err == nil {
			err = os.Chmod(p, mode&^os.ModeDir)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func link(t *testing.T, target, at string) string {
	t.Helper()
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
	return at
}

func wantTrust(t *testing.T, path, want string) {
	t.Helper()
	f, err := Trusted(path)
	if err == nil {
		f.Close()
	}
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: refused: %v", path, err)
	case want != "" && (!errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want a refusal with %q", path, err, want)
	}
}

// TestTrustedModes needs no privilege: what the owner of everything lets others do.
func TestTrustedModes(t *testing.T) {
	dir, make := place(t)
	wantTrust(t, make("own", 0o600, -1, -1), "")
	wantTrust(t, make("readable", 0o644, -1, -1), "")
	wantTrust(t, make("all", 0o666, -1, -1), "writable by everybody (mode 0666)")
	open := make("open", os.ModeDir|0o777, -1, -1)
	make("open/c", 0o600, -1, -1)
	wantTrust(t, open+"/c", "directory "+open+": not trusted: writable by everybody")
	sticky := make("sticky", os.ModeDir|0o777|os.ModeSticky, -1, -1)
	make("sticky/c", 0o600, -1, -1)
	wantTrust(t, sticky+"/c", "")
	wantTrust(t, sticky, "writable by others")
	make("sub", os.ModeDir|0o755, -1, -1)
	make("sub/c", 0o600, -1, -1)
	wantTrust(t, dir+"/sub", "")
	wantTrust(t, link(t, "sub/../sub/c", dir+"/link"), "")
	wantTrust(t, link(t, dir+"/open/c", dir+"/out"), "writable by everybody")
	wantTrust(t, link(t, dir+"/own", dir+"/open/back"), "writable by everybody")
}

// TestTrustedOwners has files of others, as root.
func TestTrustedOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("giving files to others needs root")
	}
	dir, make := place(t)
	wantTrust(t, make("mal", 0o600, 1001, 1001), "owned by uid 1001, not by root")
	wantTrust(t, make("group", 0o660, 0, 1001), "writable by group 1001 (mode 0660)")
	wantTrust(t, make("rootgroup", 0o660, 0, 0), "")
	make("home", os.ModeDir|0o755, 1001, 1001)
	make("home/c", 0o600, 0, 0)
	wantTrust(t, dir+"/home/c", "home: not trusted: owned by uid 1001")
	make("sticky", os.ModeDir|0o777|os.ModeSticky, 0, 0)
	make("sticky/c", 0o600, 0, 0)
	planted := link(t, "c", dir+"/sticky/planted")
	if err := os.Lchown(planted, 1001, 1001); err != nil {
		t.Fatal(err)
	}
	wantTrust(t, planted, "link "+planted+": not trusted: owned by uid 1001")
	acl := make("acl", 0o600, 0, 0) // user:1001:rw-, mask rw-: struct posix_acl_xattr_entry
	entry := func(tag, perm uint16, id uint32) string {
		return fmt.Sprintf("%c%c%c%c%c%c%c%c", tag, 0, perm, 0, id&0xff, id>>8&0xff, id>>16&0xff, id>>24&0xff)
	}
	b := []byte{2, 0, 0, 0}
	for _, e := range []string{
		entry(1, 6, 0xffffffff), entry(2, 6, 1001), entry(4, 0, 0xffffffff), entry(0x10, 6, 0xffffffff), entry(0x20, 0, 0xffffffff),
	} {
		for _, r := range e {
			b = append(b, byte(r))
		}
	}
	if err := unix.Setxattr(acl, "system.posix_acl_access", b, 0); err != nil {
		if errors.Is(err, unix.ENOTSUP) {
			t.Skip("the file system lacks: access control lists")
		}
		t.Fatal(err)
	}
	wantTrust(t, acl, "an access control list may let others write")
	under := make("acldir", os.ModeDir|0o755, 0, 0)
	make("acldir/c", 0o600, 0, 0)
	if err := unix.Setxattr(under, "system.posix_acl_access", b, 0); err != nil {
		t.Fatal(err)
	}
	wantTrust(t, under+"/c", "directory "+under+": not trusted: an access control list")
}

// TestTrustedOpensNoDevice has a FIFO without a writer, which would be waited for, a device and a loop.
func TestTrustedOpensNoDevice(t *testing.T) {
	dir, _ := place(t)
	if err := unix.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	link(t, "loop", dir+"/loop")
	for path, want := range map[string]error{
		dir + "/fifo": ErrNotRegular, "/dev/null": ErrNotRegular, dir + "/loop": unix.ELOOP, dir + "/none": unix.ENOENT,
		dir + "/fifo/x": unix.ENOTDIR,
	} {
		if _, err := Trusted(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	for _, path := range []string{dir + "/fifo", "/dev/zero"} {
		if _, err := OpenRegular(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTrustedTree(t *testing.T) {
	dir, make := place(t)
	lim := TreeLimits{Files: 3, Entries: 20, Depth: 3, File: 10, Total: 25}
	make("a.rego", 0o600, -1, -1)
	make("README", 0o666, -1, -1)
	make("sub", os.ModeDir|0o755, -1, -1)
	make("sub/b.rego", 0o600, -1, -1)
	files, err := ReadTrustedTree(dir, ".rego", lim)
	if err != nil || len(files) != 2 || files[0].Name != "a.rego" || files[1].Name != "sub/b.rego" || string(files[1].Data) != "x" {
		t.Fatalf("%v %v", files, err)
	}
	for name, c := range map[string]struct {
		do   func(dir string) error
		want error
	}{
		"link": {func(d string) error { return os.Symlink("/etc/passwd", d+"/x.rego") }, ErrNotRegular},
		"fifo": {func(d string) error { return unix.Mkfifo(d+"/x.rego", 0o600) }, ErrNotRegular},
		"writable": {func(d string) error {
			return errors.Join(os.WriteFile(d+"/x.rego", nil, 0o600), os.Chmod(d+"/x.rego", 0o666))
		}, ErrUntrusted},
		"open":      {func(d string) error { return errors.Join(os.Mkdir(d+"/y", 0o700), os.Chmod(d+"/y", 0o777)) }, ErrUntrusted},
		"large":     {func(d string) error { return os.WriteFile(d+"/x.rego", []byte("01234567890"), 0o600) }, unix.EFBIG},
		"deep":      {func(d string) error { return os.MkdirAll(d+"/1/2/3", 0o700) }, errTree},
		"directory": {func(d string) error { return errors.Join(os.RemoveAll(d), os.WriteFile(d, nil, 0o600)) }, unix.ENOTDIR},
		"files": {func(d string) error {
			var errs []error
			for i := range 4 {
				errs = append(errs, os.WriteFile(fmt.Sprintf("%s/%d.rego", d, i), nil, 0o600))
			}
			return errors.Join(errs...)
		}, errTree},
		"total": {func(d string) error {
			var errs []error
			for i := range 3 {
				errs = append(errs, os.WriteFile(fmt.Sprintf("%s/%d.rego", d, i), []byte("0123456789"), 0o600))
			}
			return errors.Join(errs...)
		}, unix.EFBIG},
		"entries": {func(d string) error {
			var errs []error
			for i := range 21 {
				errs = append(errs, os.WriteFile(fmt.Sprintf("%s/%d", d, i), nil, 0o600))
			}
			return errors.Join(errs...)
		}, errTree},
	} {
		d := make("tree-"+name, os.ModeDir|0o755, -1, -1)
		if err := c.do(d); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadTrustedTree(d, ".rego", lim); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
