//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what processes see that have mounts of their own.
const (
	maxViews      = 512
	maxViewMounts = 1_024
)

// viewKey tells places to look from apart: a mount namespace, and a root in it.
type viewKey struct {
	mnt  uint64
	root host.RootID
}

// views are what processes see that have mounts or a root of their own, and where the host has file systems mounted.
func (s *Scan) views(procs []*process) (views []snapshot.View, points []string) {
	own, err := s.ownMounts()
	if err != nil || !s.Host.Live() {
		return nil, nil
	}
	hosts := newHostMounts(uncovered(parseMountinfo(own)))
	for _, m := range hosts.list {
		points = append(points, m.point)
	}
	slices.Sort(points)
	init := s.initNS().Mnt
	seen := map[viewKey]int{}
	for _, p := range procs {
		if p.Container != "" || p.NS.Mnt == 0 || init == 0 {
			continue
		}
		at, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/root", p.PID))
		if err != nil || p.NS.Mnt == init && at == "/" {
			continue
		}
		root, err := s.Host.RootOf(p.PID)
		if err != nil {
			continue
		}
		k := viewKey{p.NS.Mnt, root}
		i, ok := seen[k]
		if !ok {
			if len(views) == maxViews {
				continue // what it sees is not known
			}
			i = placed(&views, s.view(p, at, hosts))
			seen[k] = i
		}
		views[i].PIDs = append(views[i].PIDs, p.PID)
	}
	for i := range views {
		slices.Sort(views[i].PIDs)
	}
	return views, points
}

// placed is where a view is in a list; one that is there is not added.
func placed(views *[]snapshot.View, v snapshot.View) int {
	i := slices.IndexFunc(*views, func(w snapshot.View) bool { return w.Unread == v.Unread && reflect.DeepEqual(w.Mounts, v.Mounts) })
	if i < 0 {
		*views = append(*views, v)
		i = len(*views) - 1
	}
	return i
}

// view is what one process sees whose root directory is at a path, as this process sees that.
func (s *Scan) view(p *process, root string, hosts *hostMounts) snapshot.View {
	if p.NS.Mnt == s.initNS().Mnt {
		return rooted(root, hosts)
	}
	b, err := s.Host.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.PID))
	if err != nil {
		return snapshot.View{Unread: err.Error()}
	}
	mounts := uncovered(parseMountinfo(b))
	if !slices.ContainsFunc(mounts, func(m mountEntry) bool { return m.point == "/" }) {
		return snapshot.View{Unread: "its root directory is not where a file system is mounted"}
	}
	return viewOf(mounts, hosts)
}

// viewOf tells of mounts what of the host they show. What is below /proc and /sys decides nothing here.
func viewOf(mounts []mountEntry, hosts *hostMounts) (v snapshot.View) {
	for i := range mounts {
		m := &mounts[i]
		if strings.HasPrefix(m.point, "/proc/") || strings.HasPrefix(m.point, "/sys/") {
			continue
		}
		if len(v.Mounts) == maxViewMounts {
			return snapshot.View{Unread: "it has more mounts than are looked at"}
		}
		x := snapshot.ViewMount{At: m.point, RO: m.readOnly(), NoSUID: hasOption(m.options, "nosuid"), NoExec: hasOption(m.options, "noexec")}
		x.Of, x.Under = shown(m, hosts)
		x.Own = x.Of == "" && !x.NoSUID && !x.NoExec && m.fs != "tmpfs" && m.fs != "ramfs" && !slices.Contains(elsewhere, m.fs)
		v.Mounts = append(v.Mounts, x)
	}
	return v
}

// shown is the path by which the host has the root of a mount, and the mount of the host that it is in; its own point if that is one.
func shown(m *mountEntry, hosts *hostMounts) (of, under string) {
	for _, h := range hosts.of[m.dev] {
		rest, ok := within(h.root, m.root)
		if !ok {
			continue
		}
		at := path.Join(h.point, rest)
		if hosts.covering(at) != h {
			continue
		}
		if of == "" || at == m.point {
			of, under = at, h.point
		}
	}
	return of, under
}

// rooted is what a process sees that has the mounts of the host and a root directory of its own.
func rooted(root string, hosts *hostMounts) (v snapshot.View) {
	root, deleted := strings.CutSuffix(root, " (deleted)")
	c := hosts.covering(root)
	if c == nil || deleted {
		return snapshot.View{Unread: "its root directory was not found"}
	}
	add := func(at, of string, h *mountEntry) {
		v.Mounts = append(v.Mounts, snapshot.ViewMount{At: at, Of: of, Under: h.point, RO: h.readOnly(), NoSUID: hasOption(h.options, "nosuid"), NoExec: hasOption(h.options, "noexec")})
	}
	add("/", root, c)
	for i := range hosts.list {
		h := &hosts.list[i]
		if rest, ok := within(root, h.point); ok && rest != "" && len(v.Mounts) < maxViewMounts && !strings.HasPrefix(rest, "/proc/") && !strings.HasPrefix(rest, "/sys/") {
			add(rest, h.point, h)
		}
	}
	return v
}

// uncovered are the mounts that a path leads to: of those at one point the last, and none below a point over which another was mounted later.
func uncovered(mounts []mountEntry) (list []mountEntry) {
	on, ids := map[string]map[string]*mountEntry{}, map[string]bool{} // what is mounted on a mount, by its point
	for i := range mounts {
		m := &mounts[i]
		if on[m.parent] == nil {
			on[m.parent] = map[string]*mountEntry{}
		}
		on[m.parent][m.point] = m
		ids[m.id] = true
	}
	first := slices.IndexFunc(mounts, func(m mountEntry) bool { return m.point == "/" && !ids[m.parent] || m.id == m.parent })
	if first < 0 {
		return nil
	}
	for i := range mounts {
		if led(&mounts[first], mounts[i].point, on) == &mounts[i] {
			list = append(list, mounts[i])
		}
	}
	return list
}

// led is the mount to which a path leads from one: in each the point nearest to its root is the next.
func led(at *mountEntry, p string, on map[string]map[string]*mountEntry) *mountEntry {
	var way []string // the path and what is above it, the nearest to the root first
	for q := path.Clean(p); len(way) < maxComponents; q = path.Dir(q) {
		if way = append(way, q); q == "/" || q == "." {
			break
		}
	}
	slices.Reverse(way)
	for range maxComponents {
		i := slices.IndexFunc(way, func(q string) bool {
			c := on[at.id][q]
			return c != nil && c != at && len(q) >= len(at.point)
		})
		if i < 0 {
			break
		}
		at = on[at.id][way[i]]
	}
	return at
}

// hostMounts are the mounts of the host that nothing covers, by what they are of and by where they are.
type hostMounts struct {
	list []mountEntry
	of   map[uint64][]*mountEntry
	at   map[string]*mountEntry
}

func newHostMounts(list []mountEntry) *hostMounts {
	h := &hostMounts{list: list, of: map[uint64][]*mountEntry{}, at: map[string]*mountEntry{}}
	for i := range list {
		m := &list[i]
		h.of[m.dev] = append(h.of[m.dev], m)
		h.at[m.point] = m
	}
	return h
}

// covering is the mount that a path is in.
func (h *hostMounts) covering(p string) *mountEntry {
	for ; ; p = path.Dir(p) {
		if m := h.at[p]; m != nil || p == "/" || p == "." {
			return m
		}
	}
}
