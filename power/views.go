package power

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// within says whether a path is a directory or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// nearest is the place of those that are above a path that is nearest to it, -1 if there is none.
func nearest(n int, at func(int) string, p string) int {
	best := -1
	for i := range n {
		if within(p, at(i)) && (best < 0 || len(at(i)) >= len(at(best))) {
			best = i
		}
	}
	return best
}

// view is what a state sees, nil if that is not known.
func view(s *snapshot.Snapshot, st *State) *snapshot.View {
	if st.View < 1 || st.View > len(s.Powers.Views) || s.Powers.Views[st.View-1].Unread != "" {
		return nil
	}
	return &s.Powers.Views[st.View-1]
}

// viewOf is which view a process has, counted from one on; 0 is none.
func viewOf(s *snapshot.Snapshot, pid int) int {
	return 1 + slices.IndexFunc(s.Powers.Views, func(v snapshot.View) bool {
		_, ok := slices.BinarySearch(v.PIDs, pid)
		return ok
	})
}

// What a state does with a file that it sees.
func toWrite(m *snapshot.ViewMount) bool { return !m.RO }
func toRun(m *snapshot.ViewMount) bool   { return !m.NoSUID && !m.NoExec }
func toReach(*snapshot.ViewMount) bool   { return true } // a socket is connected to on a file system that is read-only too

// sees says whether a state gets at a path of the host by a mount that lets it do what it wants to, and why that is not known.
func sees(s *snapshot.Snapshot, st *State, p string, wants func(*snapshot.ViewMount) bool) (ok bool, unsure string) {
	return seesBy(s, st, p, wants, false)
}

// seesBy is sees; where the directories of the host on the way keep the state out, it has to have the path elsewhere.
func seesBy(s *snapshot.Snapshot, st *State, p string, wants func(*snapshot.ViewMount) bool, keptOut bool) (ok bool, unsure string) {
	if st.Place != Apart {
		return st.Place == OnHost, ""
	}
	v := view(s, st)
	if v == nil {
		return true, "what it sees of " + p + " in a mount namespace of its own is not known"
	}
	points := s.Powers.Points
	under := nearest(len(points), func(i int) string { return points[i] }, p)
	if under < 0 {
		return true, "where the host has file systems mounted is not known"
	}
	for i := range v.Mounts {
		m := &v.Mounts[i]
		if m.Of == "" || m.Under != points[under] || !within(p, m.Of) || !wants(m) {
			continue
		}
		at := path.Join(m.At, strings.TrimPrefix(p, strings.TrimSuffix(m.Of, "/")))
		if mountAt(v, at) != i {
			continue
		}
		if at == p && straight(v, p) {
			if keptOut {
				continue
			}
			return true, ""
		}
		ok, unsure = true, "it has "+p+" at "+at+", and whether it gets there was not looked at"
	}
	return ok, unsure
}

// mountAt is the mount of a view that a path is in.
func mountAt(v *snapshot.View, p string) int {
	return nearest(len(v.Mounts), func(i int) string { return v.Mounts[i].At }, p)
}

// straight says of a path that every directory on the way is that of the host.
func straight(v *snapshot.View, p string) bool {
	for ; ; p = path.Dir(p) {
		i := mountAt(v, p)
		if i < 0 || v.Mounts[i].Of == "" || path.Join(v.Mounts[i].Of, strings.TrimPrefix(p, strings.TrimSuffix(v.Mounts[i].At, "/"))) != p {
			return false
		}
		if p == "/" || !strings.HasPrefix(p, "/") {
			return true
		}
	}
}

// ownPrograms says of a state that it may have programs that the host does not see, with other powers than its own.
func ownPrograms(s *snapshot.Snapshot, st *State) bool {
	v := view(s, st)
	return st.Place == Apart && v != nil && slices.ContainsFunc(v.Mounts, func(m snapshot.ViewMount) bool { return m.Own })
}

// decisive says whether a state may write any place of the host that decides what root does, "" if it does, and why that is not known.
func decisive(s *snapshot.Snapshot, st *State) (ok bool, unsure string) {
	for _, p := range rootPlaces {
		if strings.HasPrefix(p, "/proc/") {
			continue
		}
		switch can, why := sees(s, st, p, toWrite); {
		case can && why == "":
			return true, ""
		case can:
			ok, unsure = true, why
		}
	}
	return ok, unsure
}

// Paths by which a state asks daemons of the host.
const (
	busSocket = "/run/dbus/system_bus_socket"
)
