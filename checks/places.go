//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// specPlaces are where runtimes keep the OCI specification of a container: the directory above the
// file is the container's id unless up says how many levels higher it is.
var specPlaces = []struct {
	runtime, pattern string
	up               int
}{
	{"containerd", "/run/containerd/io.containerd.runtime.v2.task/*/*/config.json", 0},
	{"docker", "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*/config.json", 0},
	{"podman", "/var/lib/containers/storage/*-containers/*/userdata/config.json", 1},
	{"podman", "/home/*/.local/share/containers/storage/*-containers/*/userdata/config.json", 1},
	{"cri-o", "/run/containers/storage/*-containers/*/userdata/config.json", 1},
}

// statePlaces are where the low level runtimes keep a container's state, which names its bundle.
var statePlaces = []struct{ runtime, pattern string }{
	{"runc", "/run/runc/*/state.json"},
	{"runc", "/run/user/*/runc/*/state.json"},
	{"crun", "/run/crun/*/status"},
	{"crun", "/run/user/*/crun/*/status"},
}

// userPlaces are the beginnings of patterns for the directories of users.
var userPlaces = []string{"/home/*", "/run/user/*"}

// readPlaces reads what is in the places of users, or in those of root alone.
func (s *Scan) readPlaces(ctx context.Context, f *containerFinder, users bool) {
	other := func(pattern string) bool {
		return users != slices.ContainsFunc(userPlaces, func(u string) bool { return strings.HasPrefix(pattern, u) })
	}
	for _, pl := range specPlaces {
		if other(pl.pattern) {
			continue
		}
		s.globEach(ctx, pl.pattern, f, func(spec string) {
			dir := path.Dir(spec)
			id := path.Base(dir)
			if pl.up == 1 {
				id = path.Base(path.Dir(dir))
			}
			runtime := pl.runtime
			if strings.Contains(spec, "/moby/") {
				runtime = "docker"
			}
			f.add(runtime, id, spec, snapshot.Word{By: snapshot.ByRoot}, s.pidIn(path.Join(dir, "init.pid"))+s.pidIn(path.Join(dir, "pidfile")))
		})
	}
	for _, pl := range statePlaces {
		if !other(pl.pattern) {
			s.globEach(ctx, pl.pattern, f, func(file string) { f.state(pl.runtime, file) })
		}
	}
}

// readBundles reads the specifications that the monitors of containers name: wherever a runtime keeps them, a shim of containerd works in
// the directory of one and those beside it, and conmon is told its own.
func (s *Scan) readBundles(ctx context.Context, f *containerFinder) {
	procs, _ := s.processes()
	seen := map[string]bool{}
	for _, p := range procs {
		if ctx.Err() != nil || p.Leader != 0 || s.separate(p) && p.Container != "" {
			continue
		}
		runtime, pattern := "", ""
		switch base := p.exeBase(); {
		case strings.HasPrefix(base, "containerd-shim") && p.UID == 0 && p.ExeWord.Trusted():
			if cwd, err := s.Host.Readlink("/proc/" + strconv.Itoa(p.PID) + "/cwd"); err == nil {
				runtime, pattern = "containerd", path.Join(path.Dir(cwd), "*/config.json")
			}
		case base == "conmon":
			if b := argument(p.argv, "-b"); path.IsAbs(b) {
				runtime, pattern = "podman", path.Join(b, "config.json")
			}
		}
		if pattern == "" || seen[pattern] || len(seen) >= maxSpecs {
			continue
		}
		seen[pattern] = true
		f.under, f.whose = snapshot.WordOf(p.UID), uidParty(s.account(p.UID))
		files, _ := s.Host.Glob(pattern)
		for _, spec := range files {
			id := path.Base(path.Dir(spec))
			if runtime == "podman" {
				id = cmp.Or(argument(p.argv, "-c"), path.Base(path.Dir(path.Dir(spec))))
			}
			if strings.Contains(spec, "/moby/") {
				runtime = "docker"
			}
			f.addOnce(runtime, id, spec, f.under)
		}
	}
	f.under, f.whose = snapshot.Word{By: snapshot.ByRoot}, uidParty(0)
}

// addOnce adds a specification that was not read by its place.
func (f *containerFinder) addOnce(runtime, id, spec string, named snapshot.Word) {
	for _, c := range f.found {
		if c.Spec == spec || slices.Contains(c.Others, spec) {
			return
		}
	}
	f.add(runtime, id, spec, named, 0)
}

// globEach does something with each file that matches; a pattern with the directories of users is looked up for each user apart, so
// that none uses up what the others are found by.
func (s *Scan) globEach(ctx context.Context, pattern string, f *containerFinder, do func(file string)) {
	heads := []userDir{{word: snapshot.Word{By: snapshot.ByRoot}}}
	for _, users := range userPlaces {
		if rest, ok := strings.CutPrefix(pattern, users); ok {
			heads, pattern = s.userDirs(users), rest
		}
	}
	type matches struct {
		files []string
		more  bool
	}
	for _, head := range heads {
		f.under, f.whose = head.word, uidParty(s.account(head.word.UID))
		if ctx.Err() != nil {
			f.out.partial("there was no time to read %s; most of it was taken by %s", head.path+pattern, f.clock.slowest())
			break
		}
		if !f.clock.has(f.whose) {
			f.trouble("", "*", head.path+pattern, head.word, errTime)
			continue
		}
		start := time.Now()
		m, err := patient(s, f.whose, func() (m matches, err error) {
			m.files, m.more = s.Host.Glob(head.path + pattern)
			return m, nil
		})
		f.clock.charge(f.whose, start)
		if m.more {
			err = errors.New("not every name was read")
		}
		if err != nil {
			f.trouble("", "*", head.path+pattern, head.word, err)
		}
		for _, file := range m.files {
			do(file)
		}
	}
	f.under, f.whose = snapshot.Word{By: snapshot.ByRoot}, uidParty(0)
}

// userDir is a directory of a user, and whose.
type userDir struct {
	path string
	word snapshot.Word
}

// userDirs are the directories that match, and the homes of accounts that are elsewhere. Whose one is tells the account or the
// name, not the directory: that can be on a file system that does not answer.
func (s *Scan) userDirs(pattern string) []userDir {
	uids := map[string]int{}
	for _, u := range s.users() {
		if path.IsAbs(u.home) && path.Clean(u.home) != "/" {
			if _, ok := uids[path.Clean(u.home)]; !ok {
				uids[path.Clean(u.home)] = u.uid
			}
		}
	}
	paths, _ := s.Host.Glob(pattern)
	if pattern == "/home/*" {
		for home := range uids {
			if !slices.Contains(paths, home) {
				paths = append(paths, home)
			}
		}
		slices.Sort(paths)
	}
	var dirs []userDir
	for _, p := range paths {
		uid, known := uids[p]
		if n, err := strconv.Atoi(path.Base(p)); err == nil && pattern == "/run/user/*" {
			uid, known = n, true
		}
		d := userDir{path: p, word: snapshot.WordOf(uid)}
		if !known {
			d.word = s.pathWord(p)
		}
		dirs = append(dirs, d)
	}
	return dirs
}
