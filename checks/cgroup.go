//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// identity is what the cgroup of a process says about it. The name of a cgroup is the word of whoever owns the
// directory that it is in: below a cgroup that was given to a user, names are what that user likes.
type identity struct {
	unit     string // of the system's manager
	userUnit string // of a user's manager, or of whoever else names cgroups there
	// container is the id in the name, word whose name it is.
	container, runtime, pod string
	word                    snapshot.Word
}

var cgroupRules = []struct {
	re      *lazyRegexp
	runtime string
}{
	{lazily(`^cri-containerd-([0-9a-f]{64})`), "containerd"},
	{lazily(`^crio-([0-9a-f]{64})`), "cri-o"},
	{lazily(`^libpod-(?:payload-)?([0-9a-f]{64})`), "podman"},
	{lazily(`^libpod_parent/(?:[^/]*/)?([0-9a-f]{64})`), "podman"},
	{lazily(`^nerdctl-([0-9a-f]{64})`), "containerd"},
	{lazily(`^docker[-/]([0-9a-f]{64})`), "docker"},
	{lazily(`^kubepods[^/]*/(?:[^/]+/)*?([0-9a-f]{64})(?:/|$)`), "kubernetes"},
	{lazily(`^lxc(?:\.payload)?[./]([^/]+)`), "lxc"},
	{lazily(`^systemd-nspawn@([^/]+)\.service`), "nspawn"},
	{lazily(`^machine-qemu\\x2d([^/]+)\.scope`), "libvirt"},
	{lazily(`^machine-([^/\\]+)\.scope`), "nspawn"},
	{lazily(`^kata_overhead/([^/]+)`), "kata"},
	{lazily(`^firecracker/([^/]+)`), "firecracker"},
	{lazily(`^ecs/[^/]+/([^/]+)`), "ecs"},
	{lazily(`^nomad[^/]*/(?:[^/]+/)*?[^/]*?([0-9a-f]{8}-[0-9a-f-]{27})`), "nomad"},
}

var (
	podRule  = lazily(`pod([0-9a-f]{8}[-_][0-9a-f_-]{27})`)
	unitRule = lazily(`\.(?:service|socket)$`)
)

// identify reads a cgroup path from its root down. owners are the uids that own the directories on the way: owners[0] of the
// root, owners[i] of the i-th name; where they are not known, as in a fixture, nil, and every name is nobody's word. What
// is inside a container's cgroup is named by the container, and says nothing.
func identify(p string, owners []int) identity {
	id := identity{}
	names := split(p)
	for i, name := range names {
		word := nameWord(owners, i)
		if word.Trusted() || owners == nil {
			if id.unit == "" && unitRule.MatchString(name) {
				id.unit = name
			}
		} else if unitRule.MatchString(name) {
			id.userUnit = name
		}
		if m := podRule.FindStringSubmatch(name); m != nil && id.pod == "" {
			id.pod = strings.ReplaceAll(m[1], "_", "-")
		}
		if strings.HasPrefix(name, "libpod-conmon-") || strings.HasPrefix(name, "lxc.monitor") { // beside the container
			return id
		}
		rest := strings.Join(names[i:], "/")
		for _, r := range cgroupRules {
			m := r.re.FindStringSubmatch(rest)
			if m == nil {
				continue
			}
			if pod := podRule.FindStringSubmatch(m[0]); pod != nil && id.pod == "" {
				id.pod = strings.ReplaceAll(pod[1], "_", "-")
			}
			last := i + strings.Count(strings.TrimSuffix(m[0], "/"), "/") // the name that the id is in
			id.container, id.runtime, id.word = m[1], r.runtime, nameWord(owners, last)
			return id
		}
	}
	return id
}

// nameWord is whose word the i-th name of a path is: the first owner above it who is not root.
func nameWord(owners []int, i int) snapshot.Word {
	if len(owners) <= i {
		return snapshot.Word{}
	}
	for _, uid := range owners[:i+1] {
		if uid < 0 {
			return snapshot.Word{}
		}
		if uid != 0 {
			return snapshot.WordOf(uid)
		}
	}
	return snapshot.Word{By: snapshot.ByRoot}
}

// containerID is the id of a container as the snapshot has it: what a uid calls a container of its own is another one than
// root's of the same id.
func containerID(id string, word snapshot.Word) string {
	if id != "" && word.By == snapshot.ByUID {
		return fmt.Sprintf("uid%d:%s", word.UID, id)
	}
	return id
}

func split(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(n string) bool { return n == "" || n == "." })
}

// cgroupLine is a line of /proc/PID/cgroup.
type cgroupLine struct{ controllers, path string }

// cgroupLines lists them, those that the system's manager names first: the unified hierarchy and systemd's own.
func cgroupLines(b []byte) []cgroupLine {
	var named, others []cgroupLine
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(parts) != 3 || parts[2] == "" || parts[2] == "/":
		case parts[1] == "" || parts[1] == "name=systemd":
			named = append(named, cgroupLine{parts[1], parts[2]})
		default:
			others = append(others, cgroupLine{parts[1], parts[2]})
		}
	}
	return append(named, others...)
}

func cgroupPath(b []byte) string {
	if lines := cgroupLines(b); len(lines) > 0 {
		return lines[0].path
	}
	return "/"
}

// unifiedPath is the cgroup of the unified hierarchy, "" without one.
func unifiedPath(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return p
		}
	}
	return ""
}

// cgroups finds out who owns cgroups, each once.
type cgroups struct {
	mounts []mountEntry
	owners map[string][]int       // by controllers and path
	places map[string]cgroupPlace // by the text of /proc/PID/cgroup: most processes have that of others
}

// Bounds of the texts that are kept: whoever was given a cgroup makes as many below it as they like.
const (
	maxPlaces    = 4096
	maxPlaceText = 4096
)

// cgroupPlace is what /proc/PID/cgroup says of a process.
type cgroupPlace struct {
	path, unified string
	id            identity
}

// placeOf reads a /proc/PID/cgroup, each once.
func (c *cgroups) placeOf(s *Scan, b []byte) cgroupPlace {
	if p, ok := c.places[string(b)]; ok {
		return p
	}
	p := cgroupPlace{cgroupPath(b), unifiedPath(b), c.identify(s, b)}
	if len(c.places) < maxPlaces && len(b) <= maxPlaceText {
		c.places[string(b)] = p
	}
	return p
}

func (s *Scan) newCgroups() *cgroups {
	c := &cgroups{owners: map[string][]int{}, places: map[string]cgroupPlace{}}
	if b, err := s.ownMounts(); err == nil {
		c.mounts = slices.DeleteFunc(parseMountinfo(b), func(m mountEntry) bool { return m.fs != "cgroup" && m.fs != "cgroup2" })
	}
	return c
}

// identify is what the cgroups of a process say, given its /proc/PID/cgroup: the unit as its manager has it, and a container by
// whatever hierarchy names one, root's names before those of users.
func (c *cgroups) identify(s *Scan, b []byte) identity {
	var all identity
	for i, line := range cgroupLines(b) {
		key := line.controllers + ":" + line.path
		owners, ok := c.owners[key]
		if !ok {
			owners = c.ownersOf(s, line.controllers, line.path)
			c.owners[key] = owners
		}
		id := identify(line.path, owners)
		if i == 0 {
			all = id
			continue
		}
		if id.container != "" && (all.container == "" || id.word.Trusted() && !all.word.Trusted()) {
			all.container, all.runtime, all.pod, all.word = id.container, id.runtime, id.pod, id.word
		}
	}
	return all
}

// ownersOf asks for the owner of each directory on the way to a cgroup. What cannot be asked for belongs to nobody: uid -1.
func (c *cgroups) ownersOf(s *Scan, controllers, p string) []int {
	if !s.Host.Live() {
		return nil
	}
	names := split(p)
	owners := make([]int, 1, len(names)+1)
	for _, m := range c.mounts {
		rest, ok := within(m.root, p)
		if !ok || controllers == "" != (m.fs == "cgroup2") {
			continue
		}
		if first, _, _ := strings.Cut(controllers, ","); first != "" && !hasOption(m.super, first) {
			continue
		}
		above := len(names) - len(split(rest)) // names above the mount: the mount shows their last one alone
		for range above {
			owners = append(owners, 0)
		}
		at := m.point
		for _, n := range split(rest) {
			at = path.Join(at, n)
			uid := -1
			if st, err := s.Host.Stat(at); err == nil {
				uid = st.UID
			}
			owners = append(owners, uid)
		}
		return owners
	}
	for range names {
		owners = append(owners, -1)
	}
	return owners
}
