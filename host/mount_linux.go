//go:build linux && !ringfence_portable

package host

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Tree is a mount namespace seen from a root: what is mounted there, and what is at its paths.
type Tree struct {
	proc, root int
	until      time.Time // when the look is given up
}

// late says that the look has taken its time: one that nobody waits for any more ends by that.
func (t *Tree) late() bool { return time.Now().After(t.until) }

// Mountinfo is mountinfo of proc(5): every mount that can be reached from the root.
func (t *Tree) Mountinfo() ([]byte, error) {
	if t.late() {
		return nil, &fs.PathError{Op: "open", Path: "mountinfo", Err: ErrSlow}
	}
	fd, err := unix.Openat(t.proc, "mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: "mountinfo", Err: err}
	}
	defer unix.Close(fd)
	return readFD(fd, "mountinfo", MaxFile)
}

// Stat looks at a path below the root, links resolved inside it. Nothing is opened. After the time of the look it is ErrSlow.
func (t *Tree) Stat(p string) (Stat, error) {
	if t.late() {
		return Stat{}, &fs.PathError{Op: "look up", Path: p, Err: ErrSlow}
	}
	fd, err := lookUp(t.root, "./"+p, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return Stat{}, &fs.PathError{Op: "look up", Path: p, Err: err}
	}
	defer unix.Close(fd)
	var raw unix.Stat_t
	if err := unix.Fstat(fd, &raw); err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: p, Err: err}
	}
	return fromRaw(&raw), nil
}

// OpenNamespace is Host.OpenNamespace below the root, at a mount point as mountinfo names it: that has no links on the way
// (d_path, fs/d_path.c), and where there are some something else was mounted over it.
func (t *Tree) OpenNamespace(p string) (*os.File, error) {
	if t.late() {
		return nil, &fs.PathError{Op: "look up", Path: p, Err: ErrSlow}
	}
	fd, err := lookUp(t.root, "./"+p, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, &fs.PathError{Op: "look up", Path: p, Err: err}
	}
	var fsys unix.Statfs_t
	err = unix.Fstatfs(fd, &fsys)
	if err == nil && fsys.Type != unix.NSFS_MAGIC {
		err = ErrNotRegular
	}
	n := -1
	if err == nil { // this thread has no /proc of the host: by the host's own
		n, err = unix.Openat(t.proc, fmt.Sprintf("fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	_ = unix.Close(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	return os.NewFile(uintptr(n), p), nil
}

// TreeTimeout bounds the look into one mount namespace: what is mounted there can have a hostile server.
const TreeTimeout = 5 * time.Second

// InMntns runs f with the mount namespace of a process, seen from the namespace's own root: the root of a process is its
// own choice (chroot(2)). It runs on a thread of its own, which ends with it. After the limit the answer is ErrSlow, and f
// goes on alone until its Tree refuses it: what it finds goes by its result and nothing else.
func InMntns[T any](h *Host, pid int, inode uint64, limit time.Duration, f func(*Tree) (T, error)) (T, error) {
	until := time.Now().Add(limit - limit/8) // before the limit: what was found by then still gets back
	return inTime(limit, func() (v T, err error) {
		runtime.LockOSThread() // and never unlocked: the thread is in another namespace for good
		err = h.enterMntns(pid, inode, func(proc, root int) (err error) {
			v, err = f(&Tree{proc, root, until})
			return err
		})
		return v, err
	})
}

func (h *Host) enterMntns(pid int, inode uint64, f func(proc, root int) error) error {
	proc, err := unix.Open(h.path("/proc"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /proc: %w", err)
	}
	defer unix.Close(proc)
	ns, err := unix.Openat(proc, strconv.Itoa(pid)+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("mount namespace of process %d: %w", pid, err)
	}
	defer unix.Close(ns)
	var st unix.Stat_t
	if err := unix.Fstat(ns, &st); err != nil {
		return fmt.Errorf("mount namespace of process %d: %w", pid, err)
	}
	if st.Ino != inode {
		return fmt.Errorf("mount namespace of process %d: %w", pid, errMoved)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	defer unix.Close(root)
	self, err := unix.Openat(proc, "thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	defer unix.Close(self)
	return f(self, root)
}

// InRoot is InMntns from the root of the process itself, without entering its namespace.
func InRoot[T any](h *Host, pid int, limit time.Duration, f func(*Tree) (T, error)) (T, error) {
	until := time.Now().Add(limit - limit/8) // before the limit: what was found by then still gets back
	return inTime(limit, func() (v T, err error) {
		dir := h.path("/proc/" + strconv.Itoa(pid))
		proc, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return v, &fs.PathError{Op: "open", Path: dir, Err: err}
		}
		defer unix.Close(proc)
		root, err := unix.Openat(proc, "root", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return v, &fs.PathError{Op: "open root of process", Path: strconv.Itoa(pid), Err: err}
		}
		defer unix.Close(root)
		return f(&Tree{proc, root, until})
	})
}

// inTime runs f beside the caller and waits so long for its results, which nobody else sees: after that they are nothing
// and ErrSlow.
func inTime[T any](limit time.Duration, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-done:
		return a.v, a.err
	case <-timer.C:
		var none T
		return none, ErrSlow
	}
}

// RootID tells the roots of processes apart: the mount and the directory.
type RootID struct {
	Mount, Dev, Ino uint64
}

// RootOf is the root of a process.
func (h *Host) RootOf(pid int) (RootID, error) {
	var st unix.Statx_t
	p := fmt.Sprintf("/proc/%d/root", pid)
	if err := unix.Statx(unix.AT_FDCWD, h.path(p), 0, unix.STATX_INO|unix.STATX_MNT_ID, &st); err != nil {
		return RootID{}, &fs.PathError{Op: "stat", Path: p, Err: err}
	}
	return RootID{st.Mnt_id, unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino}, nil
}
