//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// lookUp is openat2(2) of a path for an O_PATH descriptor. Where a filter of system calls keeps that away, as the one does that systemd makes for
// DynamicUser= and RestrictSUIDSGID= (it cannot look into the structure that openat2 is given), the path is gone along here. Resolve is 0 or one or
// more of RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS and RESOLVE_NO_SYMLINKS.
func lookUp(at int, path string, resolve uint64) (int, error) {
	fd, err := unix.Openat2(at, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if errors.Is(err, unix.ENOSYS) {
		return goAlong(at, path, resolve)
	}
	return fd, err
}

// way is a path that is gone along: the directories that were entered, each below the one before. With RESOLVE_IN_ROOT none is above the first.
type way struct {
	dirs    []int
	todo    []string
	links   int
	resolve uint64
}

// goAlong opens a path component by component, following no link but by its text.
func goAlong(at int, path string, resolve uint64) (int, error) {
	inRoot := resolve&unix.RESOLVE_IN_ROOT != 0
	start := "."
	if !inRoot && strings.HasPrefix(path, "/") {
		at, start = unix.AT_FDCWD, "/"
	}
	first, err := unix.Openat(at, start, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	w := &way{dirs: []int{first}, todo: components(path), resolve: resolve}
	defer func() { w.leave(0) }()
	for steps := 0; len(w.todo) > 0; steps++ {
		if steps > maxSteps {
			return -1, unix.ELOOP
		}
		name := w.todo[0]
		w.todo = w.todo[1:]
		if name == ".." && inRoot {
			w.leave(max(1, len(w.dirs)-1))
			continue
		}
		fd, err := unix.Openat(w.dirs[len(w.dirs)-1], name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		w.dirs = append(w.dirs, fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return -1, err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			continue
		}
		if err := w.follow(name); err != nil {
			return -1, err
		}
	}
	last := len(w.dirs) - 1
	fd := w.dirs[last]
	w.dirs = w.dirs[:last]
	return fd, nil
}

// follow puts what a link says before what is still to go, and leaves the link. One in /proc is by its text only if it is one of those
// that the kernel makes of text (proc(5)).
func (w *way) follow(name string) error {
	last := len(w.dirs) - 1
	link := w.dirs[last]
	if w.links++; w.links > maxLinks || w.resolve&unix.RESOLVE_NO_SYMLINKS != 0 {
		return unix.ELOOP
	}
	var fsys unix.Statfs_t
	if err := unix.Fstatfs(link, &fsys); err != nil {
		return err
	}
	if fsys.Type == unix.PROC_SUPER_MAGIC && !slices.Contains([]string{"self", "thread-self", "mounts", "net"}, name) {
		return unix.ELOOP
	}
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link, "", text)
	if err != nil {
		return err
	}
	if n == 0 || n == len(text) {
		return unix.ENAMETOOLONG
	}
	target := string(text[:n])
	w.leave(last)
	if strings.HasPrefix(target, "/") {
		if w.resolve&unix.RESOLVE_IN_ROOT == 0 {
			root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			w.leave(0)
			w.dirs = append(w.dirs, root)
		}
		w.leave(1)
	}
	w.todo = append(components(target), w.todo...)
	return nil
}

// leave closes the directories from one on.
func (w *way) leave(from int) {
	for _, fd := range w.dirs[from:] {
		_ = unix.Close(fd)
	}
	w.dirs = w.dirs[:from]
}

// enterBelow opens a directory in another that is no link and in no other mount, as openat2 does.
func enterBelow(at int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := unix.Openat2(at, name, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV})
	if !errors.Is(err, unix.ENOSYS) {
		return fd, err
	}
	if name == ".." || strings.Contains(name, "/") {
		return -1, unix.EXDEV
	}
	if fd, err = unix.Openat(at, name, flags|unix.O_NOFOLLOW, 0); err != nil {
		return -1, err
	}
	var above, here unix.Statx_t
	err = errors.Join(unix.Statx(at, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &above), unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &here))
	if err == nil && (above.Mask&here.Mask&unix.STATX_MNT_ID == 0 || above.Mnt_id != here.Mnt_id) {
		err = unix.EXDEV
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
