//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// maxRoots bounds the roots that are looked at in one mount namespace besides its own: a process may have any, and make as
// many as its user may start processes.
const maxRoots = 64

// mountView is one place to look at the mounts from.
type mountView struct {
	p    *process
	ns   bool // from the root of the namespace, not of the process
	look func(limit time.Duration, f func(*host.Tree) ([]hit, error)) ([]hit, error)
}

// findMounts finds the control sockets in other mount namespaces: the mounts there that show the
// same part of the same file system, confirmed by device and inode. Nothing is opened: opening a
// socket fails, which would be misread as absence. A mount namespace is looked at from its own root, and from that of
// each process in it: what a first process left by chroot(2) its children still have.
func (s *Scan) findMounts(sec *snapshot.Runtimes, files []socketFile, out *Outcome) {
	own, err := s.ownMounts()
	if err != nil {
		out.partial("mounts: %v", err)
		return
	}
	inFS := placesIn(parseMountinfo(own), files)
	views, err := s.mountViews(sec.Sockets, out)
	if err != nil {
		out.fail("list processes", err)
		return
	}
	for _, v := range views {
		if v.ns && !s.Host.Live() {
			continue
		}
		whose := s.lookedAt(v.p)
		hits, err := spending(&s.mountTime, whose, func(limit time.Duration) ([]hit, error) {
			return v.look(limit, func(t *host.Tree) ([]hit, error) { return visible(files, inFS, t) })
		})
		switch {
		case err == nil:
			for _, h := range hits {
				if h.err != nil {
					out.partial("mounts of %s: %v", s.placeName(v.p), h.err)
					continue
				}
				add(&sec.Sockets[h.file], snapshot.Mount{Mntns: v.p.NS.Mnt, PID: v.p.PID, Container: v.p.Container, Path: h.path})
			}
		case errors.Is(err, errSpent), errors.Is(err, host.ErrSlow):
			out.partial("mounts of %s: %v", whose, err)
		case gone(err), v.ns && denied(err): // then the roots of its processes are what can be seen
		default:
			out.partial("mounts of %s: %v", s.placeName(v.p), err)
		}
	}
}

// placeName says where a process is, without a number that changes.
func (s *Scan) placeName(p *process) string {
	if p.Container != "" {
		return fmt.Sprintf("container %.24s", p.Container)
	}
	return fmt.Sprintf("a process of uid %d (%s)", p.UID, p.Comm)
}

// placesIn is where each file is inside its file system, by the mounts of the host.
func placesIn(mounts []mountEntry, files []socketFile) []string {
	at := make([]string, len(files))
	for i, f := range files {
		best := ""
		if at[i] = f.place; f.place != "" {
			continue
		}
		for _, m := range mounts {
			if rest, ok := within(m.point, f.path); ok && len(m.point) >= len(best) && m.dev == f.dev {
				best, at[i] = m.point, path.Join(m.root, rest)
			}
		}
	}
	return at
}

// mountViews are the places to look from: each mount namespace of a process that lives apart, and each root in it. Where no
// process may use any of the sockets it does not matter what is mounted: users make such namespaces as they like.
func (s *Scan) mountViews(sockets []snapshot.ControlSocket, out *Outcome) ([]mountView, error) {
	procs, err := s.processes()
	if err != nil {
		return nil, err
	}
	self := s.namespaces("thread-self").Mnt
	used := map[uint64]bool{}
	for _, p := range procs {
		used[p.NS.Mnt] = used[p.NS.Mnt] || slices.ContainsFunc(sockets, func(k snapshot.ControlSocket) bool { return k.MayWrite(&p.Process) })
	}
	roots := map[uint64]map[host.RootID]bool{}
	var views []mountView
	for _, p := range procs {
		if p.NS.Mnt == 0 || p.NS.Mnt == self || !used[p.NS.Mnt] || !s.separate(p) {
			continue
		}
		known, ok := roots[p.NS.Mnt]
		if !ok {
			known = map[host.RootID]bool{}
			roots[p.NS.Mnt] = known
			views = append(views, mountView{p, true, func(limit time.Duration, f func(*host.Tree) ([]hit, error)) ([]hit, error) {
				return host.InMntns(s.Host, p.PID, p.NS.Mnt, limit, f)
			}})
		}
		id, err := s.Host.RootOf(p.PID)
		if err != nil {
			if !gone(err) {
				out.partial("root of %s: %v", s.placeName(p), err)
			}
			continue
		}
		if known[id] {
			continue
		}
		if len(known) >= maxRoots {
			out.partial("mounts of %s: more than %d roots in one mount namespace", s.placeName(p), maxRoots)
			continue
		}
		known[id] = true
		views = append(views, mountView{p, false, func(limit time.Duration, f func(*host.Tree) ([]hit, error)) ([]hit, error) {
			return host.InRoot(s.Host, p.PID, limit, f)
		}})
	}
	return views, nil
}

// hit is a control socket that is visible at a path, or an error on the way there.
type hit struct {
	file int
	path string
	err  error
}

// maxHits bounds the places at which the control sockets are visible in one mount namespace.
const maxHits = 256

// visible lists the control sockets that are visible from a place.
func visible(files []socketFile, inFS []string, t *host.Tree) ([]hit, error) {
	b, err := t.Mountinfo()
	if err != nil {
		return nil, err
	}
	var hits []hit
	for _, m := range parseMountinfo(b) {
		for i, f := range files {
			rest, ok := within(m.root, inFS[i])
			if !ok || m.dev != f.dev || inFS[i] == "" {
				continue
			}
			at := path.Join(m.point, rest)
			st, err := t.Stat(at)
			switch {
			case errors.Is(err, host.ErrSlow), len(hits) >= maxHits:
				return append(hits, hit{err: fmt.Errorf("%w, or more than %d places", host.ErrSlow, maxHits)}), nil
			case err == nil && st.Dev == f.dev && st.Ino == f.ino:
				hits = append(hits, hit{file: i, path: at})
			case err != nil && !gone(err):
				hits = append(hits, hit{err: err})
			}
		}
	}
	return hits, nil
}

// add notes a mount once.
func add(sock *snapshot.ControlSocket, m snapshot.Mount) {
	if !slices.ContainsFunc(sock.Mounts, func(o snapshot.Mount) bool {
		return o.Mntns == m.Mntns && o.Container == m.Container && o.Path == m.Path
	}) {
		sock.Mounts = append(sock.Mounts, m)
	}
}

// specMounts adds what the specifications of running containers mount: what was mounted there before its first process
// hid it is still named.
func (s *Scan) specMounts(sec *snapshot.Runtimes) {
	procs, _ := s.processes()
	inside := map[string]*process{}
	for _, p := range procs {
		if inside[p.Container] == nil {
			inside[p.Container] = p
		}
	}
	for _, c := range sec.Containers {
		p := inside[c.ID]
		if !c.Running || p == nil || c.ID == "" {
			continue
		}
		for _, m := range c.Mounts {
			for i := range sec.Sockets {
				sock := &sec.Sockets[i]
				if sock.Container != "" {
					continue // its path is not one of the host
				}
				source := path.Clean(m.Source)
				if rest, ok := strings.CutPrefix(source, "/var/run/"); ok { // a link to /run (FHS 3.0, 3.15)
					source = "/run/" + rest
				}
				rest, ok := within(source, sock.Path)
				if !ok || slices.ContainsFunc(sock.Mounts, func(o snapshot.Mount) bool { return o.Container == c.ID }) {
					continue
				}
				add(sock, snapshot.Mount{Mntns: p.NS.Mnt, PID: p.PID, Container: c.ID, Path: path.Join(m.Dest, rest), Named: true})
			}
		}
	}
}
