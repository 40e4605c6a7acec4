//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the way to one file: its components, those of links among them, and the links.
const (
	maxComponents = 256
	maxLinks      = 40 // MAXSYMLINKS
)

// maxStats bounds the files and directories that are looked at for their permissions.
const maxStats = 60_000

// nullDevice is /dev/null: what is written to it is never read. It is mounted over files that are to be empty.
var nullDevice = unix.Mkdev(1, 3)

var errManyStats = errors.New("more files are on the way than are looked at")

// permitWalker finds out who besides root decides what is at a path: who can write it, or rename something into its place in a directory
// on the way. A directory is looked at once.
type permitWalker struct {
	host   *host.Host
	member func(gid, uid int) bool
	mounts []mountEntry

	mu     sync.Mutex
	seen   map[string]pathPart
	looked int
}

// pathPart is one component of a path.
type pathPart struct {
	st   host.Stat
	link string
	acl  []host.ACLEntry
	// group says whether the group of the file may write it; with an access control list its bits in the mode are a mask.
	group bool
	// readers and searchers are who the list lets read it or get through it, with the group.
	readers, searchers           []host.ACLEntry
	groupReads, groupGetsThrough bool
	ro                           bool
	err                          error
}

func (s *Scan) newPermitWalker() *permitWalker {
	w := &permitWalker{host: s.Host, member: s.inGroup, seen: map[string]pathPart{}}
	if b, err := s.ownMounts(); err == nil && s.Host.Live() {
		w.mounts = parseMountinfo(b)
	}
	return w
}

// part looks at a path itself.
func (w *permitWalker) part(p string) pathPart {
	w.mu.Lock()
	known, ok := w.seen[p]
	full := w.looked >= maxStats
	if !ok && !full {
		w.looked++
	}
	w.mu.Unlock()
	if ok {
		return known
	}
	if full {
		return pathPart{err: errManyStats}
	}
	var x pathPart
	if x.st, x.err = w.host.Lstat(p); x.err == nil {
		switch {
		case x.st.Mode&fs.ModeSymlink != 0:
			x.link, x.err = w.host.Readlink(p)
		case x.st.Mode&fs.ModeDevice == 0:
			x.permissions(w.host, p)
		default:
			x.group, x.groupReads = x.st.Perm&0o020 != 0, x.st.Perm&0o040 != 0
		}
		x.ro = w.readOnly(p)
	}
	w.mu.Lock()
	w.seen[p] = x
	w.mu.Unlock()
	return x
}

// permissions reads what a file or a directory lets whom do, by its mode and its list.
func (d *pathPart) permissions(h *host.Host, p string) {
	d.group, d.groupReads, d.groupGetsThrough = d.st.Perm&0o020 != 0, d.st.Perm&0o040 != 0, d.st.Perm&0o010 != 0
	for _, a := range []struct {
		what  uint16
		list  *[]host.ACLEntry
		group *bool
	}{{host.ACLWrite, &d.acl, &d.group}, {host.ACLRead, &d.readers, &d.groupReads}, {host.ACLSearch, &d.searchers, &d.groupGetsThrough}} {
		entries, group, has, err := h.ACL(p, a.what)
		if d.err = err; err != nil || !has {
			return
		}
		*a.list, *a.group = entries, group
	}
}

// readOnly says of a path that the file system that it is in is mounted so that nobody writes it.
func (w *permitWalker) readOnly(p string) bool {
	m := covering(w.mounts, p)
	return m != nil && m.readOnly()
}

// writers are those besides root who decide what is at a path, whether or not something is there yet, and what is there: the path with
// its links followed.
func (w *permitWalker) writers(p string) (list []snapshot.Permit, real string, exists bool, err error) {
	var rest []string
	push := func(q string) { rest = append(strings.Split(strings.Trim(path.Clean(q), "/"), "/"), rest...) }
	push(p)
	dir := "/"
	root := w.part("/")
	if root.err != nil {
		return nil, "", false, root.err
	}
	above := root
	links := 0
	for n := 0; len(rest) > 0; n++ {
		name := rest[0]
		rest = rest[1:]
		if n == maxComponents || links > maxLinks {
			return nil, "", false, unix.ELOOP
		}
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			dir = path.Dir(dir)
			above = w.part(dir)
			continue
		}
		at := path.Join(dir, name)
		x := w.part(at)
		list = append(list, above.renamers(dir, x)...)
		switch {
		case errors.Is(x.err, fs.ErrNotExist):
			return compactPermits(list), path.Join(append([]string{at}, rest...)...), false, nil
		case x.err != nil:
			return nil, "", false, x.err
		case x.link != "":
			links++
			push(x.link)
			if path.IsAbs(x.link) {
				dir, above = "/", root
			}
			continue
		}
		if len(rest) == 0 && x.st.Rdev != nullDevice {
			list = append(list, x.changers(at)...)
		}
		dir, above = at, x
	}
	return compactPermits(list), dir, true, nil
}

// renamers are those who can put something else into the place of a name in a directory: who can write it, and with the sticky bit whom the
// directory or the file belongs to (inode(7)).
func (d pathPart) renamers(dir string, child pathPart) []snapshot.Permit {
	if d.ro {
		return nil
	}
	list := d.changers(dir)
	if d.st.Perm&0o1000 == 0 || errors.Is(child.err, fs.ErrNotExist) {
		return list
	}
	var owners []snapshot.Permit
	for _, uid := range []int{d.st.UID, child.st.UID} {
		if p := (snapshot.Permit{Who: snapshot.PermitUser, ID: uid, At: dir}); uid != 0 && (uid == d.st.UID || slices.ContainsFunc(list, func(q snapshot.Permit) bool {
			return q.Who != snapshot.PermitUser || q.ID == uid
		})) {
			owners = append(owners, p)
		}
	}
	return owners
}

// changers are those besides root who can write a file or a directory. Whom it belongs to can always give it to themselves.
func (d pathPart) changers(at string) []snapshot.Permit {
	if d.ro {
		return nil
	}
	return permitsOf(at, d.st, d.group, d.st.Perm&0o002 != 0, d.acl)
}

// permitsOf are those besides root who own a file, or whom it lets do something.
func permitsOf(at string, st host.Stat, group, all bool, acl []host.ACLEntry) (list []snapshot.Permit) {
	add := func(who snapshot.PermitKind, id int) { list = append(list, snapshot.Permit{Who: who, ID: id, At: at}) }
	if st.UID != 0 {
		add(snapshot.PermitUser, st.UID)
	}
	if group {
		add(snapshot.PermitGroup, st.GID)
	}
	if all {
		add(snapshot.PermitAll, 0)
	}
	for _, e := range acl {
		if e.Group {
			add(snapshot.PermitGroup, e.ID)
		} else if e.ID != 0 {
			add(snapshot.PermitUser, e.ID)
		}
	}
	return list
}

// readers are those besides root whom a file lets read it.
func (w *permitWalker) readers(p string) (list []snapshot.Permit, exists bool, err error) {
	_, real, exists, err := w.writers(p)
	if err != nil || !exists {
		return nil, exists, err
	}
	x := w.part(real)
	return compactPermits(permitsOf(real, x.st, x.groupReads, x.st.Perm&0o004 != 0, x.readers)), true, nil
}

// throughReaders are the readers of a file, or of a directory, whom all directories on the way let get to it.
func (w *permitWalker) throughReaders(p string) ([]snapshot.Permit, error) {
	list, _, err := w.readers(p)
	if err != nil {
		return nil, err
	}
	var through []snapshot.Permit
	for _, q := range list {
		got, err := w.passed([]snapshot.Permit{q}, w.directory(q.At))
		if err != nil {
			return nil, err
		}
		through = append(through, got...)
	}
	return compactPermits(through), nil
}

// directory is what has to be got through to use a path: the directory that it is in, or itself.
func (w *permitWalker) directory(at string) string {
	if w.part(at).st.IsDir {
		return at
	}
	return path.Dir(at)
}

// passed are those of a list who get through a directory and all that are above it. Of everybody those are left whom a directory lets through.
func (w *permitWalker) passed(list []snapshot.Permit, dir string) ([]snapshot.Permit, error) {
	for ; len(list) > 0; dir = path.Dir(dir) {
		d := w.part(dir)
		if d.err != nil {
			return nil, d.err
		}
		if d.st.Perm&0o001 == 0 {
			var left []snapshot.Permit
			for _, q := range list {
				for _, t := range permitsOf(dir, d.st, d.groupGetsThrough, false, d.searchers) {
					switch {
					case q.Who == snapshot.PermitAll:
						left = append(left, snapshot.Permit{Who: t.Who, ID: t.ID, At: q.At})
					case q.Who == t.Who && q.ID == t.ID, q.Who == snapshot.PermitUser && t.Who == snapshot.PermitGroup && w.member(t.ID, q.ID):
						left = append(left, q)
					}
				}
			}
			list = compactPermits(left)
		}
		if dir == "/" {
			break
		}
	}
	return list, nil
}

// gates are the directories on the way to the places of permits that not everybody gets through. Whom one belongs to can open it.
func (w *permitWalker) gates(list []snapshot.Permit) (gates []snapshot.Gate, err error) {
	seen := map[string]bool{}
	for _, p := range list {
		for dir := p.At; !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			switch d := w.part(dir); {
			case d.err != nil:
				return nil, d.err
			case d.st.IsDir && d.st.Perm&0o001 == 0:
				gates = append(gates, snapshot.Gate{At: dir, Permits: permitsOf(dir, d.st, d.groupGetsThrough, false, d.searchers)})
			}
		}
	}
	return gates, nil
}

// compactPermits keeps the first of each.
func compactPermits(list []snapshot.Permit) (out []snapshot.Permit) {
	for _, p := range list {
		if !slices.ContainsFunc(out, func(q snapshot.Permit) bool { return q == p }) {
			out = append(out, p)
		}
	}
	return out
}
