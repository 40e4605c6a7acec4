//go:build linux && !ringfence_portable

package watch

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostFiles and mostDirs bound the paths and directories that are listened to. What decides about the host comes first.
	mostFiles = 50_000
	mostDirs  = 1_000
	// changes are the events of inotify(7) by which a file or a directory is another than before. To read makes none of them.
	changes = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_MODIFY
)

// first are directories of what root runs and reads: they are listened to before others.
var first = []string{"/etc/", "/run/", "/usr/", "/lib/", "/root/", "/var/lib/"}

// files listens to the files that a full read looked at.
type files struct {
	fd int

	mu    sync.Mutex
	noted map[string]bool  // paths
	dirs  map[string]int   // watched directories and their descriptors
	paths map[int][]string // and the other way round: by links one directory can have several paths
}

func newFiles() *files {
	return &files{fd: -1, noted: map[string]bool{}, dirs: map[string]int{}, paths: map[int][]string{}}
}

// note notes that a path is looked at. Those of the kernel change without an event of files.
func (f *files) note(path string) {
	for _, kernels := range []string{"/proc", "/sys", "/dev"} {
		if rest, ok := strings.CutPrefix(path, kernels); ok && (rest == "" || rest[0] == '/') {
			return
		}
	}
	path = filepath.Clean("/" + path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.noted) < mostFiles {
		f.noted[path] = true
	}
}

// listen begins to tell of changes, until ctx ends.
func (f *files) listen(ctx context.Context, tell func(Event)) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	f.fd = fd
	in := os.NewFile(uintptr(fd), "inotify") // read by the poller
	context.AfterFunc(ctx, func() { _ = in.Close() })
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := in.Read(b)
			if err != nil {
				return
			}
			f.hear(b[:n], tell)
		}
	}()
	return nil
}

// hear reads events (struct inotify_event).
func (f *files) hear(b []byte, tell func(Event)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(b) >= unix.SizeofInotifyEvent {
		wd, mask := int(int32(binary.NativeEndian.Uint32(b))), binary.NativeEndian.Uint32(b[4:])
		n := int(binary.NativeEndian.Uint32(b[12:]))
		b = b[unix.SizeofInotifyEvent:]
		if n > len(b) {
			return
		}
		name := strings.TrimRight(string(b[:n]), "\x00")
		b = b[n:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			tell(Event{Kind: Lost, What: "events of files"})
		}
		for _, dir := range f.paths[wd] {
			switch {
			case mask&unix.IN_IGNORED != 0:
				delete(f.dirs, dir)
				tell(Event{Kind: File, What: dir + " is gone"})
			case f.noted[filepath.Join(dir, name)], name != "" && f.noted[dir] && mask&(unix.IN_MODIFY|unix.IN_CLOSE_WRITE|unix.IN_ATTRIB) == 0:
				tell(Event{Kind: File, What: filepath.Join(dir, name) + " changed"})
			default:
			}
		}
		if mask&unix.IN_IGNORED != 0 {
			delete(f.paths, wd)
		}
	}
}

// seen listens to what was noted in a full read that began then. What changed since and before it was listened to is told now.
func (f *files) seen(began time.Time, tell func(Event)) {
	if f.fd < 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	want := map[string][]string{}
	for p := range f.noted {
		dir := filepath.Dir(p)
		want[dir] = append(want[dir], p)
		want[p] = append(want[p], p) // if it is a directory itself
	}
	list := make([]string, 0, len(want))
	for dir := range want {
		list = append(list, dir)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(order(a)-order(b), cmp.Compare(a, b)) })
	for _, dir := range list {
		was, has := f.dirs[dir]
		if !has && len(f.dirs) >= mostDirs {
			continue
		}
		wd, err := unix.InotifyAddWatch(f.fd, dir, changes|unix.IN_ONLYDIR)
		if err != nil { // a file, or not there: its directory tells when it comes
			continue
		}
		if has && wd == was {
			continue
		}
		if has { // another directory was put in its place
			f.leave(was, dir)
		}
		f.dirs[dir], f.paths[wd] = wd, append(f.paths[wd], dir)
		for _, p := range want[dir] {
			var st unix.Stat_t
			if err := unix.Lstat(p, &st); err == nil && !time.Unix(st.Ctim.Unix()).Before(began) {
				tell(Event{Kind: File, What: p + " changed"})
			}
		}
	}
}

// leave ends to listen to a directory by a path that leads to another now.
func (f *files) leave(wd int, dir string) {
	f.paths[wd] = slices.DeleteFunc(f.paths[wd], func(p string) bool { return p == dir })
	if len(f.paths[wd]) == 0 {
		delete(f.paths, wd)
		_, _ = unix.InotifyRmWatch(f.fd, uint32(wd)) // it can be gone
	}
}

func order(dir string) int {
	for i, p := range first {
		if strings.HasPrefix(dir+"/", p) {
			return i
		}
	}
	return len(first)
}
