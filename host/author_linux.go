//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Author says who can decide what is found at a path: its owner, and who can write it or any directory on the way to it,
// those of symbolic links included.
type Author struct {
	// UID is the one that can, besides root; 0 is root alone.
	UID int
	// Others says that more than one can: a group or everybody may write it, or several uids.
	Others bool
}

// Root says that root alone decides.
func (a Author) Root() bool { return a.UID == 0 && !a.Others }

func (a *Author) add(uid int) {
	switch {
	case uid == 0 || uid == a.UID:
	case a.UID == 0:
		a.UID = uid
	default:
		a.Others = true
	}
}

// Author finds out who decides what is at a path of the host. It opens nothing but with O_PATH, which has no effect
// on what is opened. The way there can lead through file systems whose servers are hostile: one that is longer than 512
// components, those of links among them, is an error, and so is one that takes longer than two seconds.
func (h *Host) Author(p string) (Author, Stat, error) {
	type answer struct {
		a  Author
		st Stat
	}
	got, err := inTime(walkTimeout, func() (answer, error) {
		a, st, err := h.author(p)
		return answer{a, st}, err
	})
	if errors.Is(err, ErrSlow) {
		err = &fs.PathError{Op: "look up", Path: p, Err: ErrSlow}
	}
	return got.a, got.st, err
}

func (h *Host) author(p string) (Author, Stat, error) {
	fail := func(err error) (Author, Stat, error) {
		return Author{}, Stat{}, &fs.PathError{Op: "look up", Path: p, Err: err}
	}
	if !filepath.IsAbs(p) {
		return fail(unix.EINVAL)
	}
	var a Author
	w := &walker{
		root:   h.base(p),
		enter:  func(w *walker) error { a.note(&w.st, int(w.at.Fd())); return nil },
		follow: func(_ *walker, st *unix.Stat_t, _ string) error { a.add(int(st.Uid)); return nil },
	}
	defer w.close()
	end, err := w.walk(p)
	switch {
	case err != nil:
		return fail(err)
	case end.none:
		return fail(unix.ENOENT)
	case end.name == ".":
		return a, fromRaw(&end.st), nil
	}
	f, err := openPath(int(w.at.Fd()), end.name)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), &end.st); err != nil {
		return fail(err)
	}
	a.note(&end.st, int(f.Fd()))
	return a, fromRaw(&end.st), nil
}

// StatPlain is Stat of a path that has no links on the way, as the kernel names the program of a process: a link is ELOOP.
func (h *Host) StatPlain(p string) (Stat, error) {
	fd, err := lookUp(unix.AT_FDCWD, h.path(p), unix.RESOLVE_NO_SYMLINKS)
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

// note adds who can write what was reached. In a sticky directory nobody replaces what belongs to somebody else;
// whose the entry is shows by itself. The mode of a socket is who may connect, not who decides what is there.
func (a *Author) note(st *unix.Stat_t, fd int) {
	a.add(int(st.Uid))
	sticky := st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0
	socket := st.Mode&unix.S_IFMT == unix.S_IFSOCK
	if !sticky && !socket && writtenWell(st, fd) != nil {
		a.Others = true
	}
}

func fromRaw(raw *unix.Stat_t) Stat {
	st := Stat{
		Perm: raw.Mode & 0o7777, UID: int(raw.Uid), GID: int(raw.Gid), Dev: raw.Dev, Ino: raw.Ino, Rdev: raw.Rdev,
		Size: raw.Size, Mode: fs.FileMode(raw.Mode & 0o777), Changed: time.Unix(raw.Ctim.Unix()),
	}
	switch raw.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		st.Mode |= fs.ModeDir
		st.IsDir = true
	case unix.S_IFLNK:
		st.Mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		st.Mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		st.Mode |= fs.ModeSocket
	case unix.S_IFCHR:
		st.Mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		st.Mode |= fs.ModeDevice
	}
	return st
}

// Principal is who names a file that is read for what it says about them: a process with its ids.
type Principal struct {
	PID, UID, GID int
	Groups        []int
}

func (p *Principal) mayRead(st *Stat) bool {
	switch {
	case p.UID == 0:
		return true
	case st.UID == p.UID:
		return st.Perm&0o400 != 0
	case st.GID == p.GID:
		return st.Perm&0o040 != 0
	}
	if slices.Contains(p.Groups, st.GID) {
		return st.Perm&0o040 != 0
	}
	return st.Perm&0o004 != 0
}

// ErrNotTheirs is returned for a file that its namer may not read.
var ErrNotTheirs = errors.New("whoever names it may not read it")

// ErrPseudo is returned for a file of a file system that the kernel makes up: to open one can have an effect.
var ErrPseudo = errors.New("no file of a disk")

// ErrSlow is returned when a file system does not answer.
var ErrSlow = errors.New("no answer from its file system")

// MaxNamed bounds a file that somebody on the host names, such as a configuration.
const MaxNamed = 1 << 20

// namedTimeout bounds how long one such file may take: it can be on a file system whose server is hostile.
const namedTimeout = 2 * time.Second

// ReadNamed reads a file whose path somebody on the host chose, as that process sees it. It is opened only if it is a
// regular file of a disk that the process itself could read: a device, a FIFO, /proc/kmsg or another user's file in its
// place is an error, and stays untouched.
func (h *Host) ReadNamed(who *Principal, p string) ([]byte, Stat, error) {
	type answer struct {
		b  []byte
		st Stat
	}
	got, err := inTime(namedTimeout, func() (answer, error) {
		b, st, err := h.readNamed(who, p)
		return answer{b, st}, err
	})
	if errors.Is(err, ErrSlow) {
		err = &fs.PathError{Op: "read", Path: p, Err: ErrSlow}
	}
	return got.b, got.st, err
}

func (h *Host) readNamed(who *Principal, p string) ([]byte, Stat, error) {
	fail := func(op string, err error) ([]byte, Stat, error) {
		return nil, Stat{}, &fs.PathError{Op: op, Path: p, Err: err}
	}
	fd, err := h.lookIn(who.PID, p)
	if err != nil {
		return nil, Stat{}, err
	}
	defer unix.Close(fd)
	var raw unix.Stat_t
	if err := unix.Fstat(fd, &raw); err != nil {
		return fail("stat", err)
	}
	st := fromRaw(&raw)
	var fsys unix.Statfs_t
	if err := unix.Fstatfs(fd, &fsys); err != nil {
		return fail("stat", err)
	}
	switch {
	case !st.Mode.IsRegular():
		return fail("read", ErrNotRegular)
	case pseudo[fsys.Type]:
		return fail("read", ErrPseudo)
	case !who.mayRead(&st):
		return fail("read", ErrNotTheirs)
	case st.Size > MaxNamed:
		return fail("read", unix.EFBIG)
	}
	b, err := reopen(fd, p, MaxNamed)
	return b, st, err
}

// pseudo are the file systems whose files are the kernel's (include/uapi/linux/magic.h).
var pseudo = map[int64]bool{
	unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true,
	unix.SECURITYFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true, unix.BPF_FS_MAGIC: true,
	unix.PSTOREFS_MAGIC: true, unix.EFIVARFS_MAGIC: true, unix.SELINUX_MAGIC: true, unix.SMACK_MAGIC: true,
	unix.BINFMTFS_MAGIC: true, unix.DEVPTS_SUPER_MAGIC: true, unix.NSFS_MAGIC: true, unix.HUGETLBFS_MAGIC: true,
	unix.PIPEFS_MAGIC: true, unix.SOCKFS_MAGIC: true, unix.ANON_INODE_FS_MAGIC: true,
}
