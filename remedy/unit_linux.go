package remedy

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// systemd says whether the files of the store are those that systemd reads here.
func (s Store) systemd() bool { return s.Root == "" && host.Systemd() && exists(systemctl) }

// reloadSystemd has systemd read the files of the store.
func (s Store) reloadSystemd() error {
	if !s.systemd() {
		return nil
	}
	if out, err := run([]string{systemctl, "daemon-reload"}); err != nil {
		return fmt.Errorf("systemd reads its files again: %s", firstOfLines(out, err))
	}
	return nil
}

// stopUnit ends the unit that was run at boot, which does nothing but that systemd forgets it.
func (s Store) stopUnit() {
	if s.systemd() {
		_, _ = run([]string{systemctl, "stop", unitName})
	}
}

// restart has systemd read its files again. A unit starts again with them; a socket gets its mode and owner at once.
func (f *File) restart(values map[string]string) error {
	if host.Systemd() && exists(systemctl) {
		if out, err := run([]string{systemctl, "daemon-reload"}); err != nil {
			return fmt.Errorf("systemd reads its files again: %s", firstOfLines(out, err))
		}
	}
	for socket, mode := range values {
		if f.Service == serviceSocket {
			if err := setSocketMode(socket, mode); err != nil {
				return err
			}
		}
	}
	if f.Unit == "" {
		return nil
	}
	if out, err := run([]string{systemctl, "restart", f.Unit}); err != nil {
		return fmt.Errorf("restart %s: %s", f.Unit, firstOfLines(out, err))
	}
	// A program that does not get along with its confinement ends soon after its start.
	for range 6 {
		time.Sleep(500 * time.Millisecond)
		if _, err := run([]string{systemctl, "is-active", "--quiet", f.Unit}); err != nil {
			return fmt.Errorf("%s does not stay up with the file", f.Unit)
		}
	}
	return nil
}

// openSocket opens a socket file as such: what it points to, or what took its place, is never changed.
func openSocket(path string) (*os.File, *unix.Stat_t, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	st := new(unix.Stat_t)
	if err := unix.Fstat(fd, st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		f.Close()
		return nil, nil, fmt.Errorf("socket %s: it is none", path)
	}
	return f, st, nil
}

// socketMode is the mode and owner of a socket file: "0660 0:998".
func socketMode(path string) (string, error) {
	f, st, err := openSocket(path)
	if err != nil {
		return "", err
	}
	f.Close()
	return fmt.Sprintf("%04o %d:%d", st.Mode&0o7777, st.Uid, st.Gid), nil
}

func setSocketMode(path, text string) error {
	var mode uint32
	var uid, gid int
	if n, err := fmt.Sscanf(text, "%o %d:%d", &mode, &uid, &gid); err != nil || n != 3 {
		return fmt.Errorf("socket %s: %q is no mode and owner", path, text)
	}
	f, _, err := openSocket(path)
	if err != nil {
		return err
	}
	defer f.Close()
	at := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	// The owner first: who loses the file must not have it with the new mode for a moment.
	if err := os.Chown(at, uid, gid); err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if err := os.Chmod(at, os.FileMode(mode)); err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	return nil
}
