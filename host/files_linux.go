//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// canAsk says that this system's kernel is one that can be asked.
const canAsk = true

// At is a host over a directory that holds copies of its files.
func At(root string) *Host { return &Host{root: root} }

func (h *Host) path(p string) string {
	base := h.base(p)
	if base == "/" && strings.HasPrefix(p, "/") {
		return filepath.Clean(p) // most of a host's paths are clean: nothing is allocated
	}
	return filepath.Join(base, p)
}

// ReadFile reads a regular file of at most MaxFile bytes. A longer one is an error.
func (h *Host) ReadFile(p string) ([]byte, error) { return readFile(h.path(p), p) }

// readFile reads by system calls alone: package os asks the poller about every file, and a host with
// ten thousand processes has fifty thousand of them.
func readFile(real, shown string) ([]byte, error) {
	if strings.HasPrefix(real, "/proc/thread-self/") { // the thread that opens it has to live until it is read
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	const pathOnly = 0x200000 // O_PATH: what is opened does not notice
	fd, err := syscall.Open(real, pathOnly|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	defer syscall.Close(fd)
	return reopen(fd, shown, MaxFile)
}

// reopen reads what an O_PATH descriptor refers to, if it is a regular file: to open a device or a FIFO can have an
// effect, so its type is looked at first.
func reopen(fd int, shown string, limit int) ([]byte, error) {
	if err := regular(fd, shown); err != nil {
		return nil, err
	}
	in, err := syscall.Open("/proc/self/fd/"+strconv.Itoa(fd), syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	defer syscall.Close(in)
	return readFD(in, shown, limit)
}

func regular(fd int, shown string) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: shown, Err: err}
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return &fs.PathError{Op: "read", Path: shown, Err: ErrNotRegular}
	}
	return nil
}

// readFD reads to the end, or says that there is more than the limit.
func readFD(fd int, shown string, limit int) ([]byte, error) {
	b, err := readUpTo(fd, shown, limit+1)
	if err == nil && len(b) > limit {
		return nil, &fs.PathError{Op: "read", Path: shown, Err: syscall.EFBIG}
	}
	return b, err
}

// firstRead is what is read of a file at first: most of the kernel's own are shorter.
const firstRead = 2048

// readUpTo reads to the end, or as many bytes.
func readUpTo(fd int, shown string, most int) ([]byte, error) {
	b := make([]byte, 0, min(firstRead, most))
	for len(b) < most {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(len(b), most-len(b)))
		}
		n, err := syscall.Read(fd, b[len(b):min(cap(b), most)])
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: shown, Err: err}
		case n == 0:
			return b, nil
		}
		b = b[:len(b)+n]
	}
	return b, nil
}

// MaxNames bounds the names of one directory.
const MaxNames = 100_000

// ErrTooMany is returned for a directory with more names, together with those that were read.
var ErrTooMany = errors.New("more than 100,000 names")

// ReadDir lists the names in a directory, sorted, at most MaxNames of them.
func (h *Host) ReadDir(p string) ([]string, error) {
	d, err := os.OpenFile(h.path(p), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: errors.Unwrap(err)}
	}
	defer d.Close()
	return listNames(d, p)
}

func listNames(d *os.File, p string) ([]string, error) {
	names, err := d.Readdirnames(MaxNames)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &fs.PathError{Op: "list", Path: p, Err: errors.Unwrap(err)}
	}
	more, err := d.Readdirnames(1)
	sort.Strings(names)
	switch {
	case len(more) > 0:
		return names, &fs.PathError{Op: "list", Path: p, Err: ErrTooMany}
	case err != nil && !errors.Is(err, io.EOF):
		return names, &fs.PathError{Op: "list", Path: p, Err: errors.Unwrap(err)}
	}
	return names, nil
}

// MaxMatches bounds what one pattern finds.
const MaxMatches = 20_000

// Glob lists the paths that match, sorted, at most MaxMatches of them; in a directory it looks at MaxNames names at
// most. more says that there may be others: also where a directory could not be listed, or a path not looked up, for
// another reason than that it is not there.
func (h *Host) Glob(pattern string) (paths []string, more bool) {
	return glob(pattern, h.ReadDir, func(p string) error { _, err := os.Lstat(h.path(p)); return err })
}

// Absent says that an error means that there is nothing: a path that leads into a circle leads nobody anywhere.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ESRCH)
}

func glob(pattern string, list func(string) ([]string, error), look func(string) error) (paths []string, more bool) {
	paths = []string{"/"}
	for part := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		var next []string
		for _, dir := range paths {
			if !strings.ContainsAny(part, "*?[\\") {
				next = append(next, filepath.Join(dir, part))
				continue
			}
			names, err := list(dir)
			more = more || err != nil && !Absent(err)
			for _, n := range names {
				if ok, _ := filepath.Match(part, n); ok {
					next = append(next, filepath.Join(dir, n))
				}
			}
			if len(next) > MaxMatches {
				next, more = next[:MaxMatches], true
				break
			}
		}
		paths = next
	}
	paths = slices.DeleteFunc(paths, func(p string) bool {
		err := look(p)
		more = more || err != nil && !Absent(err)
		return err != nil
	})
	return paths, more
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
	Size  int64
	IsDir bool
	// Changed is when the content, the mode, the owner or a name of it changed last (st_ctime).
	Changed time.Time
}

// Stat follows links. It never opens, so it works on sockets and devices.
func (h *Host) Stat(p string) (Stat, error) {
	st, err := os.Stat(h.path(p))
	if err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: p, Err: errors.Unwrap(err)}
	}
	return toStat(st), nil
}

// Lstat is Stat of a path itself, where it is a link.
func (h *Host) Lstat(p string) (Stat, error) {
	st, err := os.Lstat(h.path(p))
	if err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: p, Err: errors.Unwrap(err)}
	}
	return toStat(st), nil
}

func toStat(st fs.FileInfo) Stat {
	s := Stat{Mode: st.Mode(), IsDir: st.IsDir(), Size: st.Size()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.Perm, s.UID, s.GID = sys.Mode&0o7777, int(sys.Uid), int(sys.Gid)
		s.Dev, s.Ino, s.Rdev = sys.Dev, sys.Ino, sys.Rdev
		s.Changed = time.Unix(sys.Ctim.Unix())
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
