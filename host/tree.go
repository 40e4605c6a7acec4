package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// WriteTree writes files by their paths below a directory, which it makes. No link below it leads out of it.
func WriteTree(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, text := range files {
		err := root.MkdirAll(filepath.Dir(name), 0o750)
		if err == nil {
			err = root.WriteFile(name, []byte(text), 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteNewTree is WriteTree where none of the files exists.
func WriteNewTree(dir string, files map[string]string) error {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return fmt.Errorf("%s: %w", dir, syscall.ENOTDIR)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, name)
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("%s exists: write into another directory, or remove it", file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return WriteTree(dir, files)
}
