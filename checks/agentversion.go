//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// versionInPath is a directory or a program that is named by the version of its program, as installers that keep several of them have it.
var versionInPath = lazily(`/(?:claude/versions|app-server-daemon/releases)/([0-9]+(?:\.[0-9]+)+)(?:-[a-z0-9_]+(?:-[a-z0-9_]+)*)?(?:/|$)`)

// maxDistInfo bounds the names of a pattern that are looked at.
const maxDistInfo = 8

// versionOf is the version of an agent by its package, as the process sees its files. Absent says that nothing is known of where it would be.
func (s *Scan) versionOf(pt *pattern, p *process) snapshot.Fact {
	if m := versionInPath.FindStringSubmatch(strings.TrimSuffix(p.Exe, " (deleted)")); m != nil {
		return present("%s", m[1])
	}
	switch {
	case pt.Package != "":
		return s.npmVersion(pt.Package, p)
	case pt.Python != "":
		return s.pythonVersion(pt.Python, p)
	case pt.Floor != "":
		return snapshot.Fact{State: snapshot.Error, Reason: "no file beside the program tells it"}
	}
	return snapshot.Fact{State: snapshot.Absent}
}

// npmVersion reads package.json of a package in the directory of modules that the process runs from.
func (s *Scan) npmVersion(name string, p *process) snapshot.Fact {
	const modules = "/node_modules/"
	for _, a := range append([]string{p.Exe}, p.argv[:min(len(p.argv), 4)]...) {
		if !path.IsAbs(a) && strings.Contains("/"+a, modules) {
			cwd, _ := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID)) // without one the path is not absolute
			a = path.Join(cwd, a)
		}
		i := strings.LastIndex(a, modules)
		if j := strings.Index(a, modules+name+"/"); j >= 0 {
			i = j
		}
		if i < 0 || !path.IsAbs(a) {
			continue
		}
		if v, ok := s.npmVersionIn(p, name, []string{path.Join(a[:i], modules, name)}); ok {
			return v
		}
	}
	return snapshot.Fact{State: snapshot.Error, Reason: "no package.json of it is where it runs from"}
}

// npmVersionIn is what package.json of a package says in the first of some directories that has it. If an update came since the start, what
// runs is what was there before.
func (s *Scan) npmVersionIn(p *process, name string, dirs []string) (v snapshot.Fact, ok bool) {
	for _, d := range dirs {
		var pkg struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		}
		b, err := s.readAtStart(p, path.Join(d, "package.json"))
		switch {
		case json.Unmarshal(b, &pkg) != nil || pkg.Name != name || pkg.Version == "":
		case err != nil:
			return snapshot.Fact{State: snapshot.Error, Reason: err.Error()}, true
		default:
			return present("%s", pkg.Version), true
		}
	}
	return v, false
}

var distInfo = lazily(`-([0-9][0-9A-Za-z.+]*)(?:-py[0-9.]+)?\.(?:dist|egg)-info$`)

// pythonVersion is the version of a distribution beside an interpreter or a script, or of the user of that, by the name of its directory. Of several
// versions it is not known which one runs.
func (s *Scan) pythonVersion(name string, p *process) snapshot.Fact {
	version := ""
	for _, prefix := range s.pythonPrefixes(p) {
		for _, dir := range []string{"site-packages", "dist-packages"} {
			found, _ := s.globIn(p, path.Join(prefix, "lib/python3*", dir, name+"-*.*-info"))
			for _, f := range found[:min(len(found), maxDistInfo)] {
				m := distInfo.FindStringSubmatch(f)
				if m == nil {
					continue
				}
				st, err := s.statIn(p, f)
				if err == nil {
					err = s.changedAfter(p, f, st)
				}
				switch {
				case err != nil:
					return snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
				case version != "" && version != m[1]:
					return snapshot.Fact{State: snapshot.Error, Reason: "versions " + version + " and " + m[1] + " of it are there"}
				}
				version = m[1]
			}
		}
	}
	if version == "" {
		return snapshot.Fact{State: snapshot.Error, Reason: "no distribution of it is beside its program"}
	}
	return present("%s", version)
}

// pythonPrefixes are where Python has distributions: above its program or a script, and in the home of its user unless it has an environment of
// its own (site in the library of Python).
func (s *Scan) pythonPrefixes(p *process) (list []string) {
	for _, a := range append([]string{p.Exe}, p.argv[:min(len(p.argv), 4)]...) {
		if !path.IsAbs(a) {
			continue
		}
		prefix, _, inside := strings.Cut(a, "/lib/python3")
		if !inside {
			prefix = path.Dir(path.Dir(a))
		}
		if !slices.Contains(list, prefix) {
			list = append(list, prefix)
		}
	}
	if slices.ContainsFunc(list, func(prefix string) bool { return prefix != "/usr" && prefix != "/usr/local" }) {
		return list
	}
	env, _ := s.environ(p)
	if env["PYTHONUSERBASE"] != "" {
		return append(list, env["PYTHONUSERBASE"])
	}
	return append(list, s.homeOf(p, env, "", ".local"))
}

// mappedPackages are the directories of a package of npm by the files that a process maps: libraries of its own, and those of the packages that are
// called by it (@NAME), which are beside it or below it.
func (s *Scan) mappedPackages(p *process, name string) (dirs []string) {
	const modules = "/node_modules/"
	dir, err := s.Host.OpenDir(fmt.Sprintf("/proc/%d", p.PID))
	if err != nil {
		return nil
	}
	defer dir.Close()
	in, err := patient(s, s.party(p), func() (part, error) { return readPart(dir, "maps", maxMaps) })
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(in.b)) {
		_, file, ok := strings.Cut(strings.TrimSpace(line), "/")
		file = "/" + file
		i := strings.Index(file, modules+name+"/")
		if i < 0 {
			i = strings.Index(file, modules+"@"+name+"/")
		}
		if at := path.Join(file[:max(i, 0)], modules, name); ok && i >= 0 && !slices.Contains(dirs, at) && len(dirs) < maxPackageDirs/2 {
			dirs = append(dirs, at)
		}
	}
	return dirs
}

// maxMaps bounds the maps of a process.
const maxMaps = 1 << 20
