//go:build linux && !ringfence_portable

package host

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// Object reads what the loader goes by in a program or a library of the host. ErrNotObject says that it is none.
func (h *Host) Object(p string) (Object, error) {
	const pathOnly = 0x200000 // O_PATH: what is opened does not notice
	fd, err := syscall.Open(h.path(p), pathOnly|syscall.O_CLOEXEC, 0)
	if err != nil {
		return Object{}, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	defer syscall.Close(fd)
	if err := regular(fd, p); err != nil {
		return Object{}, err
	}
	in, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return Object{}, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	defer in.Close()
	o, err := readObject(in)
	if err != nil {
		return Object{}, &fs.PathError{Op: "read", Path: p, Err: err}
	}
	return o, nil
}
