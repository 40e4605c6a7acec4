//go:build linux && !ringfence_portable

package dropin

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// errOtherSocket says that another file is at the path of a socket than the one that the plan is about.
var errOtherSocket = errors.New("it is no longer the socket that was seen")

// openSocket opens a socket file as such: what it points to, or what took its place, is never changed. No name on the
// way may be a link, nobody but root may decide what is there, and it must be the file that the plan is about.
func (f *File) openSocket(path string) (*os.File, *unix.Stat_t, error) {
	if err := host.RootsAlone(path); err != nil {
		return nil, nil, fmt.Errorf("socket %s: %w", path, err)
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("socket %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	st := new(unix.Stat_t)
	if err := unix.Fstat(fd, st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		file.Close()
		return nil, nil, fmt.Errorf("socket %s: it is none", path)
	}
	is := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	if f.SocketFile == "" {
		f.SocketFile = is
	}
	if f.SocketFile != is {
		file.Close()
		return nil, nil, fmt.Errorf("socket %s: %w", path, errOtherSocket)
	}
	return file, st, nil
}

// hasSocket says whether the socket is still the one whose mode was changed: one that was made since then has that of its
// unit.
func (f *File) hasSocket(path string) bool {
	file, _, err := f.openSocket(path)
	if errors.Is(err, errOtherSocket) || errors.Is(err, unix.ENOENT) {
		return false
	}
	if err == nil {
		file.Close()
	}
	return true
}

// socketMode is the mode and owner of a socket file: "0660 0:998".
func (f *File) socketMode(path string) (string, error) {
	file, st, err := f.openSocket(path)
	if err != nil {
		return "", err
	}
	file.Close()
	return fmt.Sprintf("%04o %d:%d", st.Mode&0o7777, st.Uid, st.Gid), nil
}

func (f *File) setSocketMode(path, text string) error {
	var mode uint32
	var uid, gid int
	if n, err := fmt.Sscanf(text, "%o %d:%d", &mode, &uid, &gid); err != nil || n != 3 || mode > 0o777 {
		return fmt.Errorf("socket %s: %q is no mode and owner", path, text)
	}
	file, _, err := f.openSocket(path)
	if err != nil {
		return err
	}
	defer file.Close()
	// The owner first: who loses the file must not have it with the new mode for a moment.
	if err := unix.Fchownat(int(file.Fd()), "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), mode); err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	return nil
}
