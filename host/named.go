package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of the files that a directory or a pattern of the command line stands for.
const (
	maxNamed      = 100_000
	maxNamedDepth = 8
)

// ErrNoFile is in the error about a directory or pattern that stands for no file.
var ErrNoFile = errors.New("no file of that kind")

// Named are the files that an argument of the command line stands for, in the order of their names: a file itself, what is in and below a
// directory and has a name that fits, or what a pattern of the shell has. Links to directories are not followed. What it is is not looked at.
func Named(arg string, fits func(name string) bool) ([]string, error) {
	st, err := os.Stat(arg)
	switch {
	case err == nil && st.IsDir():
		return below(arg, fits)
	case err == nil || !strings.ContainsAny(arg, "*?["):
		return []string{arg}, nil // what is wrong with it is told when it is opened
	}
	files, err := filepath.Glob(arg)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", arg, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("pattern %q: %w", arg, ErrNoFile)
	}
	return files, nil
}

// below are the files in and below a directory.
func below(dir string, fits func(string) bool) (files []string, err error) {
	seen := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxNamed {
			return fmt.Errorf("%s: more than %d names", dir, maxNamed)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.Count(filepath.ToSlash(rel), "/") >= maxNamedDepth {
				return fmt.Errorf("%s: more than %d directories in one another", dir, maxNamedDepth)
			}
			return nil
		}
		if fits(d.Name()) {
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: %w", dir, ErrNoFile)
	}
	return files, err
}

// IsOne says whether an argument of the command line stands for one file: it is no directory, and no pattern.
func IsOne(arg string) bool {
	st, err := os.Stat(arg)
	return err == nil && !st.IsDir() || err != nil && !strings.ContainsAny(arg, "*?[")
}
