package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Bounds of a directory that a command names: files, and directories in one another.
const (
	maxDirFiles = 1000
	maxDirDepth = 4
)

var errManyFiles = errors.New("more than 1,000 files, or directories too deep in one another")

// OpenDir opens the regular files of a directory and of those in it, for reading, whoever they belong to. Links, devices and FIFOs are passed
// over, and none is waited for. Who calls it closes them.
func OpenDir(dir string) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			CloseAll(files)
			files = nil
		}
	}()
	return openBelow(dir, nil, maxDirDepth)
}

// CloseAll closes files that were opened for reading.
func CloseAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written
	}
}

func openBelow(dir string, files []*os.File, depth int) ([]*os.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return files, err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case depth <= 0 || len(files) >= maxDirFiles:
			return files, fmt.Errorf("open %s: %w", dir, errManyFiles)
		case e.IsDir():
			if files, err = openBelow(name, files, depth-1); err != nil {
				return files, err
			}
			continue
		case !e.Type().IsRegular():
			continue
		}
		f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return files, err
		}
		if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() { // it became another meanwhile
			_ = f.Close()
			continue
		}
		files = append(files, f)
	}
	return files, nil
}
