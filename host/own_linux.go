//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRoots says that somebody besides root could have written what is at a path, or can put something else there.
var ErrNotRoots = errors.New("others than root can write it or a directory on the way to it")

// RootsAlone says of a path that nobody else decides what is there: root alone, or whoever runs this. Only then what was
// looked at is still there when it is used.
func RootsAlone(name string) error {
	a, _, err := Local().Author(name)
	switch {
	case err != nil:
		return err
	case a.Root(), !a.Others && a.UID == os.Geteuid():
		return nil
	}
	return fmt.Errorf("%s: %w", name, ErrNotRoots)
}

// nearest is the path itself, or the first above it that is there.
func nearest(name string) (string, error) {
	for {
		_, err := os.Lstat(name)
		if err == nil || name == "/" || !errors.Is(err, fs.ErrNotExist) {
			return name, err
		}
		name = filepath.Dir(name)
	}
}

// MakeDir makes a directory and those above it, never inside one that others than root can write.
func MakeDir(dir string, mode os.FileMode) error {
	at, err := nearest(dir)
	if err == nil {
		err = RootsAlone(at)
	}
	if err == nil {
		err = os.MkdirAll(dir, mode)
	}
	if err == nil {
		err = RootsAlone(dir)
	}
	return err
}

// ReadOwn reads a file that root alone can write. The error is fs.ErrNotExist where there is none.
func ReadOwn(name string, limit int64) ([]byte, error) {
	at, err := nearest(name)
	if err == nil {
		err = RootsAlone(at)
	}
	if err != nil {
		return nil, err
	}
	st, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", name, ErrNotRegular)
	case st.Size() > limit:
		return nil, fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return os.ReadFile(name)
}

// WriteOwn writes a file beside its place, and moves it there. What is at the place now is replaced, also a link, and
// never written through.
func WriteOwn(name string, b []byte, mode os.FileMode) error {
	if err := RootsAlone(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".ringfence-*") // O_EXCL
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
