// Package host is the only door to the machine: files below a root, /proc, sockets, netlink and
// network namespaces. A Host is the real one or one over a directory of fixture files.
//
// It promises that a read is bounded in size, that it opens regular files only (a FIFO or a device
// in the place of a file is an error), and that reading in another process's root is never led out
// of it by a link. It decides nothing about what it reads.
package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// MaxFile bounds every file that is read.
const MaxFile = 8 << 20

// ErrNotLive is returned by what only the real machine has.
var ErrNotLive = errors.New("not a live host")

// ErrNotRegular is returned for a FIFO, socket or device where a file was wanted.
var ErrNotRegular = errors.New("not a regular file")

// Host gives access to one machine.
type Host struct {
	root string
	live bool
}

// Local is the machine that the program runs on.
func Local() *Host { return &Host{root: "/", live: true} }

// At is a host over a directory that holds copies of its files.
func At(root string) *Host { return &Host{root: root} }

// Live says whether the kernel can be asked.
func (h *Host) Live() bool { return h.live }

func (h *Host) path(p string) string { return filepath.Join(h.root, p) }

// ReadFile reads a regular file of at most MaxFile bytes. A longer one is an error.
func (h *Host) ReadFile(p string) ([]byte, error) { return readFile(h.path(p), p) }

// readFile reads by system calls alone: package os asks the poller about every file, and a host with
// ten thousand processes has fifty thousand of them.
func readFile(real, shown string) ([]byte, error) {
	fd, err := syscall.Open(real, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	defer syscall.Close(fd)
	return readFD(fd, shown)
}

func readFD(fd int, shown string) ([]byte, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: shown, Err: err}
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, &fs.PathError{Op: "read", Path: shown, Err: ErrNotRegular}
	}
	b := make([]byte, 0, max(2048, min(int(st.Size)+1, MaxFile+1)))
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := syscall.Read(fd, b[len(b):cap(b)])
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: shown, Err: err}
		case n == 0:
			return b, nil
		}
		if b = b[:len(b)+n]; len(b) > MaxFile {
			return nil, &fs.PathError{Op: "read", Path: shown, Err: syscall.EFBIG}
		}
	}
}

func readAll(f *os.File, shown string) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: shown, Err: ErrNotRegular}
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: shown, Err: errors.Unwrap(err)}
	}
	if len(b) > MaxFile {
		return nil, &fs.PathError{Op: "read", Path: shown, Err: syscall.EFBIG}
	}
	return b, nil
}

// ReadDir lists the names in a directory, sorted, at most 100,000 of them.
func (h *Host) ReadDir(p string) ([]string, error) {
	d, err := os.Open(h.path(p))
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: errors.Unwrap(err)}
	}
	defer d.Close()
	names, err := d.Readdirnames(100_000)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &fs.PathError{Op: "list", Path: p, Err: errors.Unwrap(err)}
	}
	sort.Strings(names)
	return names, nil
}

// Glob lists the paths that match, sorted.
func (h *Host) Glob(pattern string) []string {
	m, err := filepath.Glob(h.path(pattern))
	if err != nil {
		return nil
	}
	for i := range m {
		m[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(m[i], h.root), "/")
	}
	return m
}

// Readlink reads a symbolic link.
func (h *Host) Readlink(p string) (string, error) { return os.Readlink(h.path(p)) }

// Stat is what stat(2) says about a path, links followed.
type Stat struct {
	Mode  fs.FileMode
	Perm  uint32 // the lower twelve bits of st_mode
	UID   int
	GID   int
	Dev   uint64
	Ino   uint64
	Rdev  uint64
	IsDir bool
}

// Stat follows links. It never opens, so it works on sockets and devices.
func (h *Host) Stat(p string) (Stat, error) {
	st, err := os.Stat(h.path(p))
	if err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: p, Err: errors.Unwrap(err)}
	}
	return toStat(st), nil
}

func toStat(st fs.FileInfo) Stat {
	s := Stat{Mode: st.Mode(), IsDir: st.IsDir()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.Perm, s.UID, s.GID = sys.Mode&0o7777, int(sys.Uid), int(sys.Gid)
		s.Dev, s.Ino, s.Rdev = sys.Dev, sys.Ino, sys.Rdev
	}
	return s
}

// PIDs lists the processes.
func (h *Host) PIDs() ([]int, error) {
	names, err := h.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	sort.Ints(pids)
	return pids, nil
}
