//go:build !linux || ringfence_portable

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Trusted opens a regular file or a directory that nobody but root and the caller can have put there or changed: the
// owner is root or the effective user, group and others may not write (a group may whose id is 0), and so it is for
// every directory from / down. A directory that others write to but that is sticky, as /tmp, lets pass what belongs
// to root or the caller. A symbolic link is followed where the directory that holds it is trusted, and its target is
// checked likewise.
//
// Nobody else can change the path between the look and the opening, since everything on it was found to be root's or
// the caller's; that it is still the same file is checked all the same. Access control lists are not looked at. Where
// OwnersKnown is false, whose a file is cannot be told, and only its type is checked. Errors about trust wrap
// ErrUntrusted.
func Trusted(path string) (*os.File, error) {
	real, seen, err := walk(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f, err := openChecked(real, seen)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return f, nil
}

// OpenRegular opens a file for reading if it is a regular one, whoever it belongs to: a FIFO or a device in its
// place is an error that wraps ErrNotRegular, and never waited for.
func OpenRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("open %s: %w", path, ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	if st, err = f.Stat(); err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("open %s: %w", path, ErrNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// maxLinks is how many symbolic links are followed in one path, as Linux does.
const maxLinks = 40

var errTaken = errors.New("another file has taken its place")

// lstat is os.Lstat, whose error is without the path: that is in the error of who asked.
func lstat(name string) (fs.FileInfo, error) {
	st, err := os.Lstat(name)
	if pe := new(fs.PathError); errors.As(err, &pe) {
		err = pe.Err
	}
	return st, err
}

// walk goes along a path component by component, and finds where it ends without links, and what is there.
func walk(path string) (string, fs.FileInfo, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	root := filepath.VolumeName(abs) + string(filepath.Separator)
	todo, links := components(abs), 0
	at, st, loose, err := enter(root)
	for err == nil && len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		name := filepath.Join(at, c)
		if st, err = lstat(name); err != nil {
			break
		}
		if loose {
			if err = ownedWell(st); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
				break
			}
		}
		switch {
		case st.Mode()&fs.ModeSymlink != 0:
			var target string
			if target, err = os.Readlink(name); err != nil {
				break
			}
			if links++; links > maxLinks {
				return "", nil, syscall.ELOOP
			}
			todo = append(components(target), todo...)
			if filepath.IsAbs(target) {
				root = filepath.VolumeName(target) + string(filepath.Separator)
				at, st, loose, err = enter(root)
			}
		case st.IsDir():
			at, st, loose, err = enter(name)
		case len(todo) > 0:
			err = syscall.ENOTDIR
		case !st.Mode().IsRegular():
			err = ErrNotRegular
		default:
			return name, st, nil
		}
	}
	if err == nil && loose {
		err = fmt.Errorf("%w: the directory is writable by others than its owner", ErrUntrusted)
	}
	return at, st, err
}

// components are the names of a path behind its root. One that leads up is a name as well: the directory that it leads
// to is looked at as every other.
func components(path string) []string {
	path = filepath.ToSlash(strings.TrimPrefix(path, filepath.VolumeName(path)))
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" || s == "." })
}

// enter looks at a directory. It is loose where others may write to it but it is sticky.
func enter(name string) (at string, st fs.FileInfo, loose bool, err error) {
	if st, err = lstat(name); err != nil {
		return "", nil, false, err
	}
	if err = ownedWell(st); err == nil {
		if err = writtenWell(st); err != nil && st.Mode()&fs.ModeSticky != 0 {
			loose, err = true, nil
		}
	}
	if err != nil {
		err = fmt.Errorf("directory %s: %w", name, err)
	}
	return name, st, loose, err
}

// openChecked opens what was seen at a path, and checks what it opened.
func openChecked(name string, seen fs.FileInfo) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case !os.SameFile(st, seen):
		err = errTaken
	case !st.Mode().IsRegular() && !st.IsDir():
		err = ErrNotRegular
	default:
		if err = ownedWell(st); err == nil {
			err = writtenWell(st)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func ownedWell(st fs.FileInfo) error {
	uid, _, known := ownerOf(st)
	if me := os.Geteuid(); known && uid != 0 && uid != me {
		who := "root"
		if me != 0 {
			who = fmt.Sprintf("root or uid %d", me)
		}
		return fmt.Errorf("%w: owned by uid %d, not by %s", ErrUntrusted, uid, who)
	}
	return nil
}

func writtenWell(st fs.FileInfo) error {
	_, gid, known := ownerOf(st)
	switch mode := st.Mode().Perm(); {
	case !known:
	case mode&0o002 != 0:
		return fmt.Errorf("%w: writable by everybody (mode %04o)", ErrUntrusted, mode)
	case mode&0o020 != 0 && gid != 0:
		return fmt.Errorf("%w: writable by group %d (mode %04o)", ErrUntrusted, gid, mode)
	}
	return nil
}

// entryMode is the type of what is in an open directory, links not followed.
func entryMode(dir *os.File, name string) (fs.FileMode, error) {
	st, err := lstat(filepath.Join(dir.Name(), name))
	if err != nil {
		return 0, err
	}
	return st.Mode(), nil
}

// openEntry opens a file or directory of an open directory, checked as Trusted does.
func openEntry(dir *os.File, name string, isDir bool, _ string) (*os.File, error) {
	name = filepath.Join(dir.Name(), name)
	st, err := lstat(name)
	if err == nil && st.IsDir() != isDir {
		err = errTaken
	}
	if err != nil {
		return nil, err
	}
	return openChecked(name, st)
}
