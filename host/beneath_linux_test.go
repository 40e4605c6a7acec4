//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGoingAlongIsOpenat2: what is found without openat2 is what the kernel finds with it, also by links that want to lead out.
func TestGoingAlongIsOpenat2(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a/b", "c", "out"} {
		if err := os.MkdirAll(filepath.Join(dir, "root", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"secret": "outside", "root/a/b/f": "f", "root/secret": "inside"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"up": "../../secret", "abs": "/secret", "dir": "/a/b", "rel": "a/b/../b", "loop": "loop2", "loop2": "loop", "gone": "nothing", "c/deep": "../../../../a/./b",
		"proc": "/proc", "empty/": "",
	} {
		if target != "" {
			if err := os.Symlink(target, filepath.Join(dir, "root", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	root, err := unix.Open(filepath.Join(dir, "root"), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	real, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(real)
	paths := []string{
		".", "./a/b/f", "./up", "./abs", "./dir/f", "./rel/f", "./loop", "./gone", "./c/deep/f", "./../../secret", "./a/../../a/b", "./a/b/f/x", "./dir/../secret", "./none/..",
		"./proc/self", "./proc/self/status", "./proc/self/exe", "./proc/self/fd/0", "./proc/self/root/etc", "./proc/mounts", "./proc/net/tcp", "./etc/passwd", "./bin/sh", "/etc/os-release",
	}
	for _, at := range []int{root, real} {
		for _, resolve := range []uint64{unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS, unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS, unix.RESOLVE_NO_SYMLINKS} {
			for _, p := range paths {
				if resolve == unix.RESOLVE_NO_SYMLINKS && at == root && len(p) > 4 && p[:4] == "./.." {
					continue // without a root the way up is the kernel's
				}
				want, wantErr := unix.Openat2(at, p, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
				got, gotErr := goAlong(at, p, resolve)
				if !errors.Is(gotErr, wantErr) {
					t.Errorf("%s (%x): %v, want %v", p, resolve, gotErr, wantErr)
				}
				if wantErr != nil || gotErr != nil {
					continue
				}
				var a, b unix.Stat_t
				if err := errors.Join(unix.Fstat(want, &a), unix.Fstat(got, &b)); err != nil || a.Dev != b.Dev || a.Ino != b.Ino {
					t.Errorf("%s (%x): another file, %v", p, resolve, err)
				}
				_, _ = unix.Close(want), unix.Close(got)
			}
		}
	}
}

// TestEnterBelow: a directory is entered, a link and another mount are not.
func TestEnterBelow(t *testing.T) {
	d, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(d)
	if fd, err := enterBelow(d, "etc"); err != nil {
		t.Error(err)
	} else {
		_ = unix.Close(fd)
	}
	if _, err := enterBelow(d, "proc"); err == nil {
		t.Error("another mount was entered")
	}
	if _, err := enterBelow(d, ".."); err == nil {
		t.Error("the directory above was entered")
	}
}
