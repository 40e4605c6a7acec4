//go:build linux && !ringfence_portable

package host

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Trusted opens a regular file or a directory that nobody but root and the caller can have put there or changed:
// the owner is root or the effective user, group and others may not write (a group may whose id is 0), and so it
// is for every directory from / down. A directory that others write to but that is sticky, as /tmp, lets pass
// what belongs to root or the caller, since nobody else can rename or remove that. A symbolic link is followed
// where the directory that holds it is trusted, and its target is checked likewise. The file that is returned is
// the one that was checked, whatever happens to the path meanwhile; O_NONBLOCK is set, and no device or FIFO is
// ever opened.
//
// Where a file has a POSIX access control list the group bits of its mode are the mask, so an entry that lets
// somebody write shows there (acl(5)): lists are looked for only where those bits would pass, with group 0. Errors
// about trust wrap ErrUntrusted.
func Trusted(path string) (*os.File, error) {
	uid, loose := uint32(os.Geteuid()), false
	w := &walker{
		enter: func(w *walker) error {
			var err error
			if loose, err = passable(&w.st, int(w.at.Fd()), uid); err != nil {
				return fmt.Errorf("directory %s: %w", w.name, err)
			}
			return nil
		},
		follow: func(_ *walker, st *unix.Stat_t, _ string) error {
			if loose {
				return ownedWell(st, uid)
			}
			return nil
		},
	}
	defer w.close()
	end, err := w.walk(path)
	var f *os.File
	switch {
	case err != nil:
	case end.none:
		err = unix.ENOENT
	case end.name == "." && loose:
		err = fmt.Errorf("%w: the directory is writable by others than its owner", ErrUntrusted)
	case end.name == ".":
		f, err = openChecked(int(w.at.Fd()), ".", unix.O_DIRECTORY, path, uid)
	case end.st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = ErrNotRegular
	default:
		f, err = openChecked(int(w.at.Fd()), end.name, 0, path, uid)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return f, nil
}

// passable says whether a directory may be on the way. It is loose where others may write to it but it is sticky:
// then what is in it has to belong to root or the caller.
func passable(st *unix.Stat_t, fd int, uid uint32) (loose bool, err error) {
	if err := ownedWell(st, uid); err != nil {
		return false, err
	}
	if err := writtenWell(st, fd); err != nil {
		if st.Mode&unix.S_ISVTX == 0 {
			return false, err
		}
		return true, nil
	}
	return false, nil
}

// OpenRegular opens a file for reading if it is a regular one, whoever it belongs to: a FIFO or a device in its
// place is an error that wraps ErrNotRegular, and never waited for.
func OpenRegular(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return f, nil
}

// openChecked opens for reading, and checks what it opened. The type is asked before, since opening a device can do
// something, and after.
func openChecked(at int, c string, flags int, name string, uid uint32) (*os.File, error) {
	fd, err := unix.Openat(at, c, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if t := st.Mode & unix.S_IFMT; err == nil && t != unix.S_IFREG && t != unix.S_IFDIR {
		err = ErrNotRegular
	}
	if err == nil {
		err = ownedWell(&st, uid)
	}
	if err == nil {
		err = writtenWell(&st, fd)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func ownedWell(st *unix.Stat_t, uid uint32) error {
	if st.Uid != 0 && st.Uid != uid {
		who := "root"
		if uid != 0 {
			who = fmt.Sprintf("root or uid %d", uid)
		}
		return fmt.Errorf("%w: owned by uid %d, not by %s", ErrUntrusted, st.Uid, who)
	}
	return nil
}

func writtenWell(st *unix.Stat_t, fd int) error {
	switch {
	case st.Mode&0o002 != 0:
		return fmt.Errorf("%w: writable by everybody (mode %04o)", ErrUntrusted, st.Mode&0o7777)
	case st.Mode&0o020 != 0 && st.Gid != 0:
		return fmt.Errorf("%w: writable by group %d (mode %04o)", ErrUntrusted, st.Gid, st.Mode&0o7777)
	case st.Mode&0o020 != 0 && listed(fd):
		return fmt.Errorf("%w: an access control list may let others write (mode %04o)", ErrUntrusted, st.Mode&0o7777)
	}
	return nil
}

// listed says whether a file has an access control list, or may have one. It is asked by way of /proc, since
// fgetxattr(2) refuses a descriptor of O_PATH.
func listed(fd int) bool {
	_, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), "system.posix_acl_access", nil)
	return err != unix.ENODATA && err != unix.ENOTSUP
}

// entryMode is the type of what is in an open directory, links not followed.
func entryMode(dir *os.File, name string) (fs.FileMode, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	return fromRaw(&st).Mode, nil
}

// openEntry opens a file or directory of an open directory, checked as Trusted does.
func openEntry(dir *os.File, name string, isDir bool, shown string) (*os.File, error) {
	flags := 0
	if isDir {
		flags = unix.O_DIRECTORY
	}
	return openChecked(int(dir.Fd()), name, flags, shown, uint32(os.Geteuid()))
}
