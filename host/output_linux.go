//go:build linux && !ringfence_portable

package host

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// fifoWait is how long a FIFO is waited for that nobody reads from.
	fifoWait = 5 * time.Second
	// fifoStall is how long a reader of a FIFO may take none of the bytes.
	fifoStall = 60 * time.Second
)

// Output is a place that bytes go to, opened and not yet changed.
//
//   - A new file has mode 0600. A regular file is replaced as a whole by one with its owner, group and mode; its
//     access control list and other extended attributes are not kept. One with several hard links is refused,
//     since the other names would keep the old bytes.
//   - A device, a FIFO with a reader and a descriptor of this process (/dev/stdout) are written to as they are.
//   - A symbolic link stays and its target is the place. One that belongs to neither root nor the caller is
//     refused, as is a file of somebody else in a directory that others may write to: whoever put it there chose
//     what this process writes to, or reads what it writes (fs.protected_symlinks, fs.protected_regular and
//     fs.protected_fifos in proc_sys_fs(5), here for every directory and independent of those settings).
type Output struct {
	path   string
	dir    *walker
	name   string
	old    *unix.Stat_t // the regular file that is replaced
	temp   string       // the name of the new one until Commit
	stream bool         // written to as it is
	f      *os.File
}

// ErrLinks is returned for a file with several hard links.
var ErrLinks = errors.New("the file has several hard links, which replacing it would part: remove it first")

// errNoDevice is of a name that no device has: a file would be in memory until the next boot, and was not what was meant.
var errNoDevice = errors.New("there is no such device, and a file does not belong there: /dev/null and /dev/stdout are written to as they are")

// OpenOutput opens a place to write to. Nothing is changed but that a temporary file is made beside a regular
// one; Commit or Discard removes it.
func OpenOutput(path string) (*Output, error) {
	o := &Output{path: path}
	if err := o.open(); err != nil {
		o.Discard()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return o, nil
}

func (o *Output) open() error {
	uid := uint32(os.Geteuid())
	o.dir = &walker{
		enter:  func(*walker) error { return nil },
		follow: func(_ *walker, st *unix.Stat_t, _ string) error { return ownedWell(st, uid) },
	}
	own := -1
	follow := o.dir.follow
	o.dir.follow = func(w *walker, st *unix.Stat_t, name string) error {
		if n, ok := ownDescriptor(w.name, name); ok && len(w.todo) == 0 {
			own = n
			return errMagic
		}
		return follow(w, st, name)
	}
	end, err := o.dir.walk(o.path)
	if own >= 0 {
		return o.duplicate(own)
	}
	if err != nil {
		return err
	}
	o.name = end.name
	switch t := end.st.Mode & unix.S_IFMT; {
	case end.none && o.dir.name == "/dev":
		return errNoDevice
	case end.none:
		return o.create()
	case t == unix.S_IFDIR:
		return unix.EISDIR
	case o.dir.st.Mode&0o022 != 0 && end.st.Uid != o.dir.st.Uid && ownedWell(&end.st, uid) != nil:
		return fmt.Errorf("in a directory that others may write to: %w", ownedWell(&end.st, uid))
	case t != unix.S_IFREG:
		return o.connect(&end.st)
	case end.st.Nlink > 1:
		return ErrLinks
	}
	o.old = &end.st
	return o.create()
}

// ownDescriptor says whether a link is one of this process's descriptors in /proc, and which.
func ownDescriptor(dir, name string) (int, bool) {
	self := fmt.Sprintf("/proc/%d/fd", os.Getpid())
	if dir != self {
		return 0, false
	}
	n, err := strconv.Atoi(name[len(self)+1:])
	return n, err == nil
}

func (o *Output) duplicate(fd int) error {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	o.f, o.stream = os.NewFile(uintptr(n), o.path), true
	return nil
}

// create makes the new file beside its place, under a name that is not taken.
func (o *Output) create() error {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	temp := ".ringfence-" + hex.EncodeToString(random[:])
	fd, err := unix.Openat(int(o.dir.at.Fd()), temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	o.temp, o.f = temp, os.NewFile(uintptr(fd), o.path)
	if err := unix.Fchmod(fd, 0o600); err != nil || o.old == nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Uid != o.old.Uid || st.Gid != o.old.Gid {
		if err := unix.Fchown(fd, int(o.old.Uid), int(o.old.Gid)); err != nil {
			return fmt.Errorf("keep its owner %d:%d: %w", o.old.Uid, o.old.Gid, err)
		}
	}
	return nil
}

// connect opens what is no regular file, if it is still what was seen.
func (o *Output) connect(seen *unix.Stat_t) error {
	fifo := seen.Mode&unix.S_IFMT == unix.S_IFIFO
	var fd int
	var err error
	for end := time.Now().Add(fifoWait); ; time.Sleep(20 * time.Millisecond) {
		fd, err = unix.Openat(int(o.dir.at.Fd()), o.name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if !fifo || !errors.Is(err, unix.ENXIO) {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("a FIFO that nobody reads from, waited %s", fifoWait)
		}
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Dev != seen.Dev || st.Ino != seen.Ino || st.Mode&unix.S_IFMT != seen.Mode&unix.S_IFMT) {
		err = errors.New("another file has taken its place")
	}
	if err == nil && !fifo {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	o.f, o.stream = os.NewFile(uintptr(fd), o.path), true
	return nil
}

// Stream says whether bytes arrive as they are written, so that they cannot be taken back.
func (o *Output) Stream() bool { return o.stream }

// Write writes all of b.
func (o *Output) Write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), 64<<10)
		if o.stream { // an error says that the file is not one that can be waited for
			_ = o.f.SetWriteDeadline(time.Now().Add(fifoStall))
		}
		if _, err := o.f.Write(b[:n]); err != nil {
			return fmt.Errorf("write %s: %w", o.path, errors.Unwrap(err))
		}
		b = b[n:]
	}
	return nil
}

// Commit puts what was written in its place. It is the only thing that is left to do, but can fail.
func (o *Output) Commit() error {
	defer o.Discard()
	if o.stream {
		return nil
	}
	if err := o.commit(); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

func (o *Output) commit() error {
	fd, dir := int(o.f.Fd()), int(o.dir.at.Fd())
	if o.old != nil { // not before: a reader could see half of it
		if err := unix.Fchmod(fd, o.old.Mode&0o777); err != nil {
			return err
		}
	}
	if err := unix.Renameat(dir, o.temp, dir, o.name); err != nil {
		return err
	}
	o.temp = ""
	var want, got unix.Stat_t
	err := unix.Fstat(fd, &want)
	if err == nil {
		err = unix.Fstatat(dir, o.name, &got, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil && (want.Dev != got.Dev || want.Ino != got.Ino) {
		err = errors.New("another file has taken its place")
	}
	return err
}

// Discard leaves the place as it was, as far as nothing was written to a stream. It can be called more than once.
func (o *Output) Discard() {
	if o.temp != "" {
		_ = unix.Unlinkat(int(o.dir.at.Fd()), o.temp, 0)
		o.temp = ""
	}
	if o.f != nil {
		o.f.Close()
		o.f = nil
	}
	if o.dir != nil {
		o.dir.close()
		o.dir = nil
	}
}
