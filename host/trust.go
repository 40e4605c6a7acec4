package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ErrUntrusted is in the error about a file that somebody else could have written.
var ErrUntrusted = errors.New("not trusted")

// ReadTrusted reads a regular file that Trusted opens, of at most limit bytes.
func ReadTrusted(path string, limit int64) ([]byte, error) {
	f, err := Trusted(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRegular(f, path, limit)
}

func readRegular(f *os.File, path string, limit int64) ([]byte, error) {
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = ErrNotRegular
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(f, limit+1))
	}
	if err == nil && int64(len(b)) > limit {
		err = syscall.EFBIG
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// TreeFile is one file of a tree.
type TreeFile struct {
	Name string // the path below the directory
	Data []byte
}

// TreeLimits bound what ReadTrustedTree reads.
type TreeLimits struct {
	Files, Entries, Depth int   // files that are read; names that are looked at; directories in one another
	File, Total           int64 // bytes of one file, and of all
}

// ReadTrustedTree reads the files whose names end in suffix in a directory and all directories below it, sorted by
// name. The directory is one that Trusted opens, and each file and directory below is checked as it does; a
// symbolic link, device or FIFO of such a name is an error. Files of other names are not looked at.
func ReadTrustedTree(dir, suffix string, lim TreeLimits) ([]TreeFile, error) {
	f, err := Trusted(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("open %s: %w", dir, syscall.ENOTDIR)
	}
	t := &tree{dir: dir, suffix: suffix, left: lim}
	if err := t.read(f, ""); err != nil {
		return nil, err
	}
	slices.SortFunc(t.files, func(a, b TreeFile) int { return strings.Compare(a.Name, b.Name) })
	return t.files, nil
}

type tree struct {
	dir, suffix string
	left        TreeLimits
	files       []TreeFile
}

var errTree = errors.New("more files than are read")

func (t *tree) read(dir *os.File, below string) error {
	if t.left.Depth--; t.left.Depth < 0 {
		return fmt.Errorf("list %s: %w: too many directories in one another", t.dir, errTree)
	}
	defer func() { t.left.Depth++ }()
	for {
		names, err := dir.Readdirnames(256)
		if len(names) == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("list %s: %w", filepath.Join(t.dir, below), errors.Unwrap(err))
			}
			return nil
		}
		if t.left.Entries -= len(names); t.left.Entries < 0 {
			return fmt.Errorf("list %s: %w", t.dir, errTree)
		}
		for _, n := range names {
			if err := t.entry(dir, below, n); err != nil {
				return err
			}
		}
	}
}

func (t *tree) entry(dir *os.File, below, name string) error {
	inside := filepath.Join(below, name)
	shown := filepath.Join(t.dir, inside)
	mode, err := entryMode(dir, name)
	if err != nil {
		return fmt.Errorf("open %s: %w", shown, err)
	}
	switch {
	case !mode.IsDir() && !strings.HasSuffix(name, t.suffix):
		return nil
	case !mode.IsDir() && !mode.IsRegular():
		return fmt.Errorf("open %s: %w", shown, ErrNotRegular)
	}
	f, err := openEntry(dir, name, mode.IsDir(), shown)
	if err != nil {
		return fmt.Errorf("open %s: %w", shown, err)
	}
	defer f.Close()
	if mode.IsDir() {
		return t.read(f, inside)
	}
	if t.left.Files--; t.left.Files < 0 {
		return fmt.Errorf("list %s: %w", t.dir, errTree)
	}
	b, err := readRegular(f, shown, min(t.left.File, t.left.Total))
	if err != nil {
		return err
	}
	t.left.Total -= int64(len(b))
	t.files = append(t.files, TreeFile{inside, b})
	return nil
}
