//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// StatIn is Stat as process pid sees the path.
func (h *Host) StatIn(pid int, p string) (Stat, error) {
	fd, err := h.lookIn(pid, p)
	if err != nil {
		return Stat{}, err
	}
	defer unix.Close(fd)
	var raw unix.Stat_t
	if err := unix.Fstat(fd, &raw); err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: p, Err: err}
	}
	return fromRaw(&raw), nil
}

// Inodes is how many inodes of the file system at a path are in use (statfs(2)); of one that does not count them, 0.
func (h *Host) Inodes(p string) uint64 {
	var fsys unix.Statfs_t
	if err := unix.Statfs(h.path(p), &fsys); err != nil {
		return 0
	}
	return fsys.Files - fsys.Ffree
}

// ReadDirIn is ReadDir as process pid sees the path.
func (h *Host) ReadDirIn(pid int, p string) ([]string, error) {
	fd, err := h.lookIn(pid, p)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	d, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	f := os.NewFile(uintptr(d), p)
	defer f.Close()
	return listNames(f, p)
}

// GlobIn is Glob as process pid sees the paths.
func (h *Host) GlobIn(pid int, pattern string) (paths []string, more bool) {
	return glob(pattern, func(dir string) ([]string, error) { return h.ReadDirIn(pid, dir) },
		func(p string) error { _, err := h.StatIn(pid, p); return err })
}

// lookIn gives an O_PATH descriptor of what process pid sees at a path; 0 is this one.
func (h *Host) lookIn(pid int, p string) (int, error) {
	var at string
	if pid == 0 {
		at = h.base(p)
	} else {
		at = h.path(fmt.Sprintf("/proc/%d/root", pid))
	}
	root, err := unix.Open(at, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open root of process", Path: fmt.Sprint(pid), Err: err}
	}
	defer unix.Close(root)
	fd, err := lookUp(root, "./"+strings.TrimPrefix(p, "/"), unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	return fd, nil
}

// OpenNetns opens the network namespace at a path, as OpenNS does; any other namespace is ErrNotRegular. Inode 0 accepts any network namespace.
func (h *Host) OpenNetns(path string, inode uint64) (*os.File, error) {
	f, err := h.OpenNS(path, inode)
	if err != nil {
		return nil, err
	}
	if kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET { // ioctl_ns(2)
		f.Close()
		return nil, &fs.PathError{Op: "open network namespace", Path: path, Err: ErrNotRegular}
	}
	return f, nil
}

// OpenNS opens the namespace at a path (such as /proc/PID/ns/mnt) and checks that it is the one with that inode: between listing and opening, a
// process can have gone and its pid been taken. Inode 0 accepts any. What is no namespace is not opened: a descriptor of a process (/proc/PID/fd/N)
// can be another file meanwhile, a FIFO or a device. Then the error is ErrNotRegular.
func (h *Host) OpenNS(path string, inode uint64) (*os.File, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f, err := namespaceAt(fd, path)
	if err != nil {
		return nil, err
	}
	found, err := Inode(f)
	if err == nil && inode != 0 && found != inode {
		err = fmt.Errorf("%s: %w", path, errMoved)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Inode is the number of an open file, by which a namespace is known.
func Inode(f *os.File) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, fmt.Errorf("stat: %w", err)
	}
	return st.Ino, nil
}

// OpenNamespace opens a file that a namespace is mounted on; of anything else it is an error, and that is not opened.
func (h *Host) OpenNamespace(p string) (*os.File, error) {
	fd, err := h.lookIn(0, p)
	if err != nil {
		return nil, err
	}
	return namespaceAt(fd, p)
}

// namespaceAt opens what an O_PATH descriptor refers to, and closes that.
func namespaceAt(fd int, shown string) (*os.File, error) {
	defer unix.Close(fd)
	var fsys unix.Statfs_t
	if err := unix.Fstatfs(fd, &fsys); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: shown, Err: err}
	}
	if fsys.Type != unix.NSFS_MAGIC {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: ErrNotRegular}
	}
	n, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: shown, Err: err}
	}
	return os.NewFile(uintptr(n), shown), nil
}

// SocketNamespaces asks sockets of a process, by its descriptors, for the network namespace that they were made in.
// found gets a file of each that is not known. The sockets themselves are not touched: a second descriptor is made, asked
// and closed.
func (h *Host) SocketNamespaces(pid int, fds []int, known func(uint64) bool, found func(*os.File)) error {
	if !h.live || len(fds) == 0 {
		return nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err == unix.EINVAL || err == unix.ENOENT { // it is a thread with a table of its own (PIDFD_THREAD, Linux 6.9)
		pidfd, err = unix.PidfdOpen(pid, unix.O_EXCL)
	}
	if err != nil {
		return fmt.Errorf("open process: %w", err)
	}
	defer unix.Close(pidfd)
	for _, n := range fds {
		sock, err := unix.PidfdGetfd(pidfd, n, 0)
		if err != nil {
			if err == unix.EBADF { // it was closed meanwhile
				continue
			}
			return fmt.Errorf("share a socket of a process: %w", err)
		}
		ns, err := unix.IoctlRetInt(sock, unix.SIOCGSKNS)
		_ = unix.Close(sock)
		if err != nil {
			continue // no socket any more
		}
		f := os.NewFile(uintptr(ns), "net")
		if inode, err := Inode(f); err != nil || known(inode) {
			f.Close()
			continue
		}
		found(f)
	}
	return nil
}

var errMoved = errors.New("another namespace has taken its place")

// UserOwner is the inode of the user namespace that owns the namespace in f (NS_GET_USERNS,
// ioctl_ns(2)).
func UserOwner(f *os.File) (uint64, error) {
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return 0, fmt.Errorf("owner of namespace: %w", err)
	}
	owner := os.NewFile(uintptr(fd), "userns")
	defer owner.Close()
	st, err := owner.Stat()
	if err != nil {
		return 0, err
	}
	return toStat(st).Ino, nil
}

// Owner is who owns a namespace.
type Owner struct {
	UserNS uint64 // inode of the user namespace that owns it
	// UID is the user who made the outermost user namespace around it, below our own; nil where our own owns it.
	UID *int
}

// OwnerOf finds out who owns the namespace in f (NS_GET_USERNS, NS_GET_PARENT, NS_GET_OWNER_UID of ioctl_ns(2)). Users
// within a user namespace are those of whoever made it: with the ids of subuid(5) there are many.
func OwnerOf(f *os.File) (Owner, error) {
	var o Owner
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &own); err != nil {
		return o, fmt.Errorf("owner of namespace: %w", err)
	}
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	for depth := 0; ; depth++ {
		if err != nil {
			return o, fmt.Errorf("owner of namespace: %w", err)
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		if depth == 0 {
			o.UserNS = st.Ino
		}
		if err != nil || st.Ino == own.Ino || depth > maxUserNS {
			_ = unix.Close(fd)
			return o, err
		}
		if uid, err := unix.IoctlGetUint32(fd, unix.NS_GET_OWNER_UID); err == nil {
			n := int(uid)
			o.UID = &n
		}
		parent, perr := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		_ = unix.Close(fd)
		if perr == unix.EPERM { // it is not within our own
			return Owner{UserNS: o.UserNS}, nil
		}
		fd, err = parent, perr
	}
}

// maxUserNS is how deep user namespaces nest at most (kernel/user_namespace.c).
const maxUserNS = 33

// Visit runs f on a thread of its own, which goes into network namespaces by enter, one after the other, and stays in the last one until the
// next. It begins in our own. The thread ends with f, so that no other code ever runs in the wrong namespace: what f begins besides, as a
// goroutine, runs in our own. A panic of f is one of the caller.
func (h *Host) Visit(f func(enter func(ns *os.File) error)) {
	var failed any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { failed = recover() }()
		runtime.LockOSThread()
		f(func(ns *os.File) error {
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace: %w", err)
			}
			return nil
		})
	}()
	<-done
	if failed != nil {
		panic(failed)
	}
}

// Netlink opens a netlink socket of that protocol in the namespace ns, or in that of the thread where ns is
// nil. Its receive buffer is large: the kernel sizes dump messages by it.
func (h *Host) Netlink(protocol int, ns *os.File) (*netlink.Conn, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	cfg := &netlink.Config{MessageBufferSize: 64 << 10}
	if ns != nil {
		cfg.NetNS = int(ns.Fd())
	}
	c, err := netlink.Dial(protocol, cfg)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return c, nil
}

// HasSockets tries whether the kernel has sockets of a family, type and protocol; the error is the kernel's (socket(2)).
func HasSockets(family, typ, protocol int) error {
	fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, protocol)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// maxAnswer bounds one datagram of the kernel's answer to a batch: an error quotes the message that it is about.
const maxAnswer = 1 << 18

// SendBatch hands messages to the kernel in one write, in the network namespace of this thread, and each datagram of the answer to f. The
// kernel works on the messages within the call, so that all of its answer is there then. f's error ends the reading.
func SendBatch(protocol int, messages []byte, f func(answer []byte) error) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	for _, opt := range []int{unix.SO_SNDBUFFORCE, unix.SO_RCVBUFFORCE} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, len(messages)+1<<20); err != nil {
			return fmt.Errorf("netlink buffer of %d bytes: %w", len(messages), err)
		}
	}
	if err := unix.Sendto(fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send to the kernel: %w", err)
	}
	buf := make([]byte, maxAnswer)
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read the kernel's answer: %w", err)
		}
		if err := f(buf[:n]); err != nil {
			return err
		}
	}
}

// Route opens an rtnetlink handle in the network namespace of the thread.
func (h *Host) Route() (*vnl.Handle, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	return vnl.NewHandle(unix.NETLINK_ROUTE)
}

// OpenDevice opens a device file for ioctls.
func (h *Host) OpenDevice(p string) (*os.File, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	return os.OpenFile(h.path(p), os.O_RDWR|syscall.O_NOCTTY, 0)
}

// ExecutablePath resolves a program to a fixed system directory. PATH is not asked: as root, it
// could name anybody's program.
func (h *Host) ExecutablePath(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin"} {
		p := filepath.Join(dir, name)
		st, err := os.Stat(h.path(p))
		if err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0 &&
			st.Mode().Perm()&0o022 == 0 {
			return h.path(p), nil
		}
	}
	return "", &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
}
