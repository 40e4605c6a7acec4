//go:build !linux || ringfence_portable

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Output is a place that bytes go to, opened and not yet changed.
//
//   - A new file has mode 0600. A regular file is replaced as a whole by one with its mode.
//   - A device, a FIFO with a reader and a descriptor of this process (/dev/stdout) are written to as they are.
//   - A symbolic link stays and its target is the place. In a directory that others may write to, a file or link of
//     somebody else is refused: whoever put it there chose what this process writes to, or reads what it writes.
type Output struct {
	path, real string
	mode       fs.FileMode // of what is replaced
	stream     bool        // written to as it is
	f          *os.File    // a new file beside its place, or the stream
}

// OpenOutput opens a place to write to. Nothing is changed but that a temporary file is made beside a regular
// one; Commit or Discard removes it.
func OpenOutput(path string) (*Output, error) {
	o := &Output{path: path, mode: 0o600}
	if err := o.open(); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return o, nil
}

func (o *Output) open() error {
	if err := o.place(); err != nil {
		return err
	}
	st, err := os.Stat(o.real)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case st.IsDir():
		return syscall.EISDIR
	case !st.Mode().IsRegular():
		flags := os.O_WRONLY
		if st.Mode()&fs.ModeNamedPipe != 0 {
			flags |= openFlags // one that nobody reads from is an error
		}
		o.stream = true
		o.f, err = os.OpenFile(o.real, flags, 0)
		return err
	default:
		o.mode = st.Mode().Perm()
	}
	o.f, err = os.CreateTemp(filepath.Dir(o.real), ".ringfence-*") // mode 0600, O_EXCL
	return err
}

// place finds where a path leads, and refuses what somebody else chose.
func (o *Output) place() error {
	var err error
	if o.real, err = filepath.Abs(o.path); err != nil {
		return err
	}
	for links := 0; ; links++ {
		st, err := os.Lstat(o.real)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if dir, err := os.Stat(filepath.Dir(o.real)); err != nil {
			return err
		} else if writtenWell(dir) != nil {
			if err := ownedWell(st); err != nil {
				return fmt.Errorf("in a directory that others may write to: %w", err)
			}
		}
		if st.Mode()&fs.ModeSymlink == 0 {
			return nil
		}
		target, err := os.Readlink(o.real)
		if err != nil {
			return err
		}
		if links >= maxLinks {
			return syscall.ELOOP
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(o.real), target)
		}
		o.real = target
	}
}

// Stream says whether bytes arrive as they are written, so that they cannot be taken back.
func (o *Output) Stream() bool { return o.stream }

// Write writes all of b.
func (o *Output) Write(b []byte) error {
	if _, err := o.f.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

// Commit puts what was written in its place. It is the only thing that is left to do, but can fail.
func (o *Output) Commit() error {
	defer o.Discard()
	if o.stream {
		return nil
	}
	temp := o.f.Name()
	err := o.f.Close()
	if err == nil {
		err = os.Chmod(temp, o.mode)
	}
	if err == nil {
		err = os.Rename(temp, o.real)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

// Discard leaves the place as it was, as far as nothing was written to a stream. It can be called more than once.
func (o *Output) Discard() {
	if o.f == nil {
		return
	}
	_ = o.f.Close()
	if !o.stream {
		_ = os.Remove(o.f.Name()) // there is none any more once it was put in its place
	}
	o.f = nil
}
