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
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ReadFileIn reads a file as process pid sees it. Links are resolved inside its root
// (openat2 with RESOLVE_IN_ROOT), so a hostile process cannot lead the reader out.
func (h *Host) ReadFileIn(pid int, p string) ([]byte, error) {
	f, err := h.openIn(pid, p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, p)
}

// StatIn is Stat as process pid sees the path.
func (h *Host) StatIn(pid int, p string) (Stat, error) {
	f, err := h.openIn(pid, p, unix.O_PATH)
	if err != nil {
		return Stat{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Stat{}, err
	}
	return toStat(st), nil
}

func (h *Host) openIn(pid int, p string, flags uint64) (*os.File, error) {
	root, err := unix.Open(h.path(fmt.Sprintf("/proc/%d/root", pid)), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root of process", Path: fmt.Sprint(pid), Err: err}
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, strings.TrimPrefix(p, "/"), &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	return os.NewFile(uintptr(fd), p), nil
}

// OpenNetns opens the namespace file at path (such as /proc/PID/ns/net) and checks that it is the
// namespace with that inode: between listing and opening, a process can have gone and its pid been
// taken. Inode 0 accepts any.
func (h *Host) OpenNetns(path string, inode uint64) (*os.File, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && inode != 0 && toStat(st).Ino != inode {
		err = fmt.Errorf("%s: %w", path, errMoved)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
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

// InNetns runs f on a thread of its own in the namespace ns. The thread ends with it, so that no
// other code ever runs in the wrong namespace.
func (h *Host) InNetns(ns *os.File, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Netlink opens a netlink socket of that protocol in the namespace ns, or in our own where ns is
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

// Route opens an rtnetlink handle in the namespace ns, or in our own where ns is nil.
func (h *Host) Route(ns *os.File) (*vnl.Handle, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	if ns == nil {
		return vnl.NewHandle(unix.NETLINK_ROUTE)
	}
	return vnl.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
}

// OpenDevice opens a device file for ioctls.
func (h *Host) OpenDevice(p string) (*os.File, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	return os.OpenFile(p, os.O_RDWR|syscall.O_NOCTTY, 0)
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
