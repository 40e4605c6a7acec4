//go:build linux && !ringfence_portable

package host

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of one walk: whoever can make directories and links can make a path as long as they like out of them, and lay it
// over a file system that does not answer.
const (
	maxLinks    = 40  // as many as the kernel follows in one path (MAXSYMLINKS, include/linux/namei.h)
	maxSteps    = 512 // components in all, those of links among them
	walkTimeout = 2 * time.Second
)

// errLong is of a path that is longer than a walk.
var errLong = fmt.Errorf("more than %d directories and links on the way", maxSteps)

// errMagic is a link of /proc whose text is not where it leads.
var errMagic = errors.New("a link of /proc that leads elsewhere is not followed")

// walker goes along a path component by component, with O_PATH and O_NOFOLLOW, so that what was asked about a
// directory or link holds for what is opened behind it.
type walker struct {
	root  string      // where absolute paths begin; "" is /
	at    *os.File    // the directory that was reached, O_PATH
	st    unix.Stat_t // of it
	name  string      // its path, without links
	todo  []string    // components to go
	links int
	steps int
	until time.Time // when the walk is given up

	enter  func(w *walker) error                               // may refuse the directory that was reached
	follow func(w *walker, st *unix.Stat_t, name string) error // may refuse a link in it
}

// ending is where a path ends: a name in the directory that was reached, or with the name "." that directory.
type ending struct {
	name string
	st   unix.Stat_t
	none bool // there is no such file yet
}

func components(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" || s == "." })
}

func openPath(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// close closes the directory that was reached.
func (w *walker) close() {
	if w.at != nil {
		w.at.Close()
	}
}

// start goes to the root.
func (w *walker) start() error {
	root, err := openPath(unix.AT_FDCWD, cmp.Or(w.root, "/"))
	if err != nil {
		return err
	}
	return w.reach(root, "/")
}

// reach makes a directory the one that was reached, and asks whether it may be.
func (w *walker) reach(dir *os.File, name string) error {
	w.close()
	w.at, w.name = dir, name
	if err := unix.Fstat(int(dir.Fd()), &w.st); err != nil {
		return err
	}
	return w.enter(w)
}

// step takes the next component, or says that the walk has gone on for long enough.
func (w *walker) step() (string, error) {
	w.steps++
	switch {
	case w.steps+len(w.todo) > maxSteps+1:
		return "", errLong
	case time.Now().After(w.until):
		return "", ErrSlow
	}
	c := w.todo[0]
	w.todo = w.todo[1:]
	return c, nil
}

// walk goes from / to the end of a path, with two descriptors at a time. The caller closes the walker, also after an error.
func (w *walker) walk(path string) (*ending, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	w.todo, w.until = components(abs), time.Now().Add(walkTimeout)
	if err := w.start(); err != nil {
		return nil, err
	}
	for len(w.todo) > 0 {
		c, err := w.step()
		if err != nil {
			return nil, err
		}
		e := &ending{name: c}
		next, err := openPath(int(w.at.Fd()), c)
		if errors.Is(err, unix.ENOENT) && len(w.todo) == 0 {
			e.none = true
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		if err := unix.Fstat(int(next.Fd()), &e.st); err != nil {
			next.Close()
			return nil, err
		}
		switch e.st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			err = w.reach(next, filepath.Join(w.name, c))
		case unix.S_IFLNK:
			next.Close()
			err = w.lead(&e.st, c)
		default:
			next.Close()
			if len(w.todo) == 0 {
				return e, nil
			}
			err = unix.ENOTDIR
		}
		if err != nil {
			return nil, err
		}
	}
	return &ending{name: ".", st: w.st}, nil
}

// lead puts the target of a link in front of what is to go.
func (w *walker) lead(st *unix.Stat_t, c string) error {
	name := filepath.Join(w.name, c)
	if err := w.follow(w, st, name); err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(w.at.Fd()), c, buf)
	if err != nil {
		return err
	}
	target := string(buf[:n])
	w.todo = append(components(target), w.todo...)
	if !strings.HasPrefix(target, "/") {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(w.at.Fd()), &fs); err != nil {
		return err
	}
	if fs.Type == unix.PROC_SUPER_MAGIC {
		return fmt.Errorf("link %s: %w", name, errMagic)
	}
	return w.start()
}
