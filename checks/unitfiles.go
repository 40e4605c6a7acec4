//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
)

// unitDirs are where units of the system are, the first counts (systemd.unit(5), UNIT FILE LOAD PATH).
var unitDirs = []string{
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

// maxDropIns bounds the files of one unit that are read.
const maxDropIns = 64

// unitFiles is what the files of a unit say, in the words of systemctl show, where the manager itself cannot be asked: it is not the init
// that this process sees. Its main process is then the only one of its cgroup that the init started.
func (s *Scan) unitFiles(name string) (map[string][]string, string) {
	main := ""
	for _, dir := range unitDirs {
		if _, err := s.Host.Lstat(path.Join(dir, name)); err == nil {
			main = path.Join(dir, name)
			break
		}
	}
	if main == "" {
		return nil, "no file of the unit was found"
	}
	files := append([]string{main}, s.dropIns(name)...)
	if len(files) > maxDropIns {
		return nil, "the unit has more files than are read"
	}
	user, starts := "", []string{}
	for _, file := range files {
		if a, _, err := s.Host.Author(file); err != nil || !a.Root() {
			return nil, "a file of the unit is not root's alone"
		}
		b, err := s.Host.ReadFile(file)
		if err != nil {
			return nil, "a file of the unit cannot be read"
		}
		section := ""
		for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", " ")) {
			line = strings.TrimSpace(line)
			key, value, _ := strings.Cut(line, "=")
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			switch {
			case strings.HasPrefix(line, "["):
				section = line
			case section != "[Service]" || line == "" || line[0] == '#' || line[0] == ';':
			case key == "User":
				user = value
			case key == "ExecStart" && value == "":
				starts = nil
			case key == "ExecStart":
				starts = append(starts, value)
			}
		}
	}
	if len(starts) != 1 || strings.ContainsAny(user, "%") {
		return nil, "the unit does not start one program by its path"
	}
	program, rest, _ := strings.Cut(starts[0], " ")
	program = strings.TrimLeft(program, "-@:+!|") // systemd.service(5), special executable prefixes
	if strings.ContainsAny(program, "%\"'\\$") {
		return nil, "the unit does not start one program by its path"
	}
	return map[string][]string{
		"Id": {name}, "User": {user}, "FragmentPath": {main}, "DropInPaths": {strings.Join(files[1:], " ")},
		"ExecStart": {"{ path=" + program + " ; argv[]=" + program + " " + rest + " ; }"},
	}, ""
}

// dropIns are the drop-ins of a unit in the order in which systemd reads them: by their names, one of a name alone.
func (s *Scan) dropIns(unit string) []string {
	byName := map[string]string{}
	for _, dir := range unitDirs {
		names, err := s.Host.ReadDir(path.Join(dir, unit+".d"))
		if err != nil {
			continue
		}
		for _, n := range names {
			if _, ok := byName[n]; !ok && strings.HasSuffix(n, ".conf") {
				byName[n] = path.Join(dir, unit+".d", n)
			}
		}
	}
	var list []string
	for _, n := range sortedKeys(byName) {
		list = append(list, byName[n])
	}
	return list
}

// onlyChild says whether a process is the only one of its cgroup that the init started: no other can be the unit's main process.
func (s *Scan) onlyChild(p *process) bool {
	procs, err := s.processes()
	return err == nil && s.procGap == "" && host.UnitName(p.Unit) && !slices.ContainsFunc(procs, func(o *process) bool {
		return o.PID != p.PID && o.PPID == 1 && o.Cgroup == p.Cgroup
	})
}
