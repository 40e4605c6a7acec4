//go:build linux && !ringfence_portable

package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir is an open directory. What is read below it is found from there: for the many files of a
// process that saves the kernel finding the process anew each time, and a pid that is taken again
// meanwhile cannot mix two processes into one.
type Dir struct {
	fd   int
	path string
}

// OpenDir opens a directory.
func (h *Host) OpenDir(p string) (*Dir, error) {
	fd, err := unix.Open(h.path(p), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	return &Dir{fd, p}, nil
}

// OpenList opens a directory whose names are to be listed: one on the way to it or below it can be anybody's, so below it
// Down is the way on.
func (h *Host) OpenList(p string) (*Dir, error) {
	fd, err := unix.Open(h.path(p), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	return &Dir{fd, p}, nil
}

// Down opens a directory in this one, as OpenList does. What is a link, or in another file system, is an error: whoever may
// write here can put one in the place of a directory at any time.
func (d *Dir) Down(name string) (*Dir, error) {
	shown := filepath.Join(d.path, name)
	fd, err := enterBelow(d.fd, name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	return &Dir{fd, shown}, nil
}

// Names is Host.ReadDir for a directory of OpenList or Down.
func (d *Dir) Names() ([]string, error) {
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: d.path, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.path)
	defer f.Close()
	return listNames(f, d.path)
}

// Close closes the directory.
func (d *Dir) Close() { _ = unix.Close(d.fd) }

// ReadFile is Host.ReadFile for a file below the directory, which is one of the kernel's own: it is opened at once.
func (d *Dir) ReadFile(name string) ([]byte, error) {
	shown := filepath.Join(d.path, name)
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	defer unix.Close(fd)
	if err := regular(fd, shown); err != nil {
		return nil, err
	}
	return readFD(fd, shown, MaxFile)
}

// ReadPart is ReadFile for the first limit bytes; more says that there are others.
func (d *Dir) ReadPart(name string, limit int) (b []byte, more bool, err error) {
	shown := filepath.Join(d.path, name)
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	defer unix.Close(fd)
	if err := regular(fd, shown); err != nil {
		return nil, false, err
	}
	if b, err = readUpTo(fd, shown, limit+1); err != nil {
		return nil, false, err
	}
	return b[:min(len(b), limit)], len(b) > limit, nil
}

// Stat is Host.Stat for what is below the directory, links followed: of the link to a process's program, that file.
func (d *Dir) Stat(name string) (Stat, error) {
	var raw unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &raw, 0); err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: filepath.Join(d.path, name), Err: err}
	}
	return fromRaw(&raw), nil
}

// Lstat is Host.Lstat for what is in the directory.
func (d *Dir) Lstat(name string) (Stat, error) {
	var raw unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &raw, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: filepath.Join(d.path, name), Err: err}
	}
	return fromRaw(&raw), nil
}

// Readlink is Host.Readlink for a link below the directory.
func (d *Dir) Readlink(name string) (string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(d.fd, name, buf[:])
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: filepath.Join(d.path, name), Err: err}
	}
	return string(buf[:n]), nil
}

// Links reads the targets of the links in a directory below this one: the descriptors of a process, at most limit of them.
// The second result says that some were refused or left out.
func (d *Dir) Links(name string, limit int) (targets map[string]string, refused bool, err error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, &fs.PathError{Op: "open", Path: filepath.Join(d.path, name), Err: err}
	}
	defer unix.Close(fd)
	targets = map[string]string{}
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return targets, refused, &fs.PathError{Op: "list", Path: filepath.Join(d.path, name), Err: err}
		}
		if n == 0 {
			return targets, refused, nil
		}
		var names []string
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
		for _, l := range names {
			if len(targets) >= limit {
				return targets, true, nil
			}
			var link [512]byte
			n, err := unix.Readlinkat(fd, l, link[:])
			switch {
			case err == nil:
				targets[l] = string(link[:n])
			case err != unix.ENOENT:
				refused = true
			}
		}
	}
}

// OpenHandle opens what a handle of this directory's file system names (open_by_handle_at(2)); that needs CAP_DAC_READ_SEARCH. The caller
// closes the descriptor.
func (d *Dir) OpenHandle(kind int32, handle []byte) (int, error) {
	fd, err := unix.OpenByHandleAt(d.fd, unix.NewFileHandle(kind, handle), unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return -1, &fs.PathError{Op: "open by handle", Path: d.path, Err: err}
	}
	return fd, nil
}

// Above are the inodes of the directories that an open one is in, from that with the inode root on; nil where there are more than most, or the way up
// leaves the file system before.
func Above(dir int, root uint64, most int) []uint64 {
	var st unix.Stat_t
	if unix.Fstat(dir, &st) != nil {
		return nil
	}
	list, dev := []uint64{}, st.Dev
	for at, opened := dir, false; st.Ino != root; opened = true {
		up, err := unix.Openat(at, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if opened {
			unix.Close(at)
		}
		if err != nil {
			return nil
		}
		at = up
		if unix.Fstat(at, &st) != nil || st.Dev != dev || len(list) >= most {
			unix.Close(at)
			return nil
		}
		if list = append(list, st.Ino); st.Ino == root {
			unix.Close(at)
		}
	}
	slices.Reverse(list)
	return list
}
