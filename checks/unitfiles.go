//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/sshd"
)

// unitDirs are where units of the system are, the first counts (systemd.unit(5), UNIT FILE LOAD PATH).
var unitDirs = []string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
	"/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
}

// maxDropIns bounds the files of one unit that are read.
const maxDropIns = 64

// unitFiles is what the files of a unit say, in the words of systemctl show, where the manager itself cannot be asked: it is not the init
// that this process sees. Its main process is then the only one of its cgroup that the init started.
func (s *Scan) unitFiles(name string) (map[string][]string, string) {
	lines, files, why := s.readUnit(name)
	if why != "" {
		return nil, why
	}
	user := lastOfKey(lines, "[Service]", "User")
	starts := listOfKey(lines, "[Service]", "ExecStart")
	if len(starts) != 1 || strings.ContainsAny(user, "%") {
		return nil, "the unit does not start one program by its path"
	}
	program, rest, _ := strings.Cut(starts[0], " ")
	program = strings.TrimLeft(program, "-@:+!|") // systemd.service(5), special executable prefixes
	if strings.ContainsAny(program, "%\"'\\$") {
		return nil, "the unit does not start one program by its path"
	}
	return map[string][]string{
		"Id": {name}, "User": {user}, "FragmentPath": {files[0]}, "DropInPaths": {strings.Join(files[1:], " ")},
		"ExecStart": {"{ path=" + program + " ; argv[]=" + program + " " + rest + " ; }"},
	}, ""
}

// unitLine is a setting of a unit.
type unitLine struct{ section, key, value string }

// unitLines are the settings of a unit in the order in which systemd reads them, or why they are not known.
func (s *Scan) unitLines(name string) (lines []unitLine, why string) {
	lines, _, why = s.readUnit(name)
	return lines, why
}

// readUnit reads the file of a unit and its drop-ins, which root alone may be able to write.
func (s *Scan) readUnit(name string) (lines []unitLine, files []string, why string) {
	for _, dir := range unitDirs {
		if _, err := s.Host.Lstat(path.Join(dir, name)); err == nil {
			files = append(files, path.Join(dir, name))
			break
		}
	}
	if len(files) == 0 {
		return nil, nil, unitAbsent
	}
	if s.masked(files[0]) {
		return nil, nil, unitMasked
	}
	if files = append(files, s.dropIns(dropInNames(name)...)...); len(files) > maxDropIns {
		return nil, nil, unitLong
	}
	for _, file := range files {
		a, _, err := s.Host.Author(file)
		if err == nil && !a.Root() || err != nil && gone(err) { // a link to what is not there
			return nil, nil, "a file of the unit is not root's alone"
		}
		b, rerr := s.Host.ReadFile(file)
		if cmp.Or(err, rerr) != nil {
			return nil, nil, unitUnread
		}
		lines = unitText(lines, b)
	}
	return lines, files, ""
}

// unitText adds the settings of one file of a unit.
func unitText(lines []unitLine, b []byte) []unitLine {
	section := ""
	for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = line
		case line == "" || line[0] == '#' || line[0] == ';':
		default:
			lines = append(lines, unitLine{section, strings.TrimSpace(key), strings.TrimSpace(value)})
		}
	}
	return lines
}

// unitAbsent is why a unit has no settings that are known.
const unitAbsent = "no file of the unit was found"

// Why the settings of a unit are not known though it has files.
const (
	unitUnread = "a file of the unit cannot be read"
	unitLong   = "the unit has more files than are read"
)

// unitMasked is why a unit has no settings that nobody can start.
const unitMasked = "the unit is masked"

// masked says of a file of a unit that it is taken away by a link to nothing (systemd.unit(5)).
func (s *Scan) masked(file string) bool {
	to, err := s.Host.Readlink(file)
	return err == nil && to == "/dev/null"
}

// listOfKey is the values of a setting that is a list: an empty one takes away those before it.
func listOfKey(lines []unitLine, section, key string) (list []string) {
	for _, l := range lines {
		switch {
		case l.section != section || l.key != key:
		case l.value == "":
			list = nil
		default:
			list = append(list, l.value)
		}
	}
	return list
}

// lastOfKey is the value of a setting of which the last counts.
func lastOfKey(lines []unitLine, section, key string) (value string) {
	for _, l := range lines {
		if l.section == section && l.key == key {
			value = l.value
		}
	}
	return value
}

// dropInNames are the names of directories of drop-ins that count for a unit, without .d: its own, those of names that begin so and end in a dash,
// and that of its type (systemd.unit(5)).
func dropInNames(unit string) []string {
	ext := path.Ext(unit)
	prefix, _, _ := strings.Cut(strings.TrimSuffix(unit, ext), "@")
	list := []string{unit}
	for i := strings.LastIndexByte(prefix, '-'); i > 0; i = strings.LastIndexByte(prefix[:i], '-') {
		list = append(list, prefix[:i+1]+ext)
	}
	return append(list, strings.TrimPrefix(ext, "."))
}

// dropInDirs are the directories of drop-ins that are there, by their names without .d, in the order of unitDirs.
func (s *Scan) dropInDirs() map[string][]string {
	s.dropInOnce.Do(func() {
		s.dropInOf = map[string][]string{}
		for _, dir := range unitDirs {
			names, _ := s.Host.ReadDir(dir) // of units in one that is not read nothing is known
			for _, n := range names {
				if of, ok := strings.CutSuffix(n, ".d"); ok {
					s.dropInOf[of] = append(s.dropInOf[of], path.Join(dir, n))
				}
			}
		}
	})
	return s.dropInOf
}

// dropIns are the drop-ins of directories of these names, in the order in which systemd reads them: by their names, one of a name alone, which is that
// of the first directory, and of a type the last; one that is masked takes those of its name away.
func (s *Scan) dropIns(of ...string) []string {
	var dirs []string
	for _, name := range of {
		dirs = append(dirs, s.dropInDirs()[name]...)
	}
	slices.SortStableFunc(dirs, func(a, b string) int {
		at := func(d string) int {
			if !strings.Contains(strings.TrimSuffix(path.Base(d), ".d"), ".") {
				return len(unitDirs) // of a type
			}
			return slices.Index(unitDirs, path.Dir(d))
		}
		return cmp.Compare(at(a), at(b))
	})
	byName := map[string]string{}
	for _, dir := range dirs {
		names, _ := s.Host.ReadDir(dir)
		for _, n := range names {
			if _, ok := byName[n]; !ok && strings.HasSuffix(n, ".conf") {
				byName[n] = path.Join(dir, n)
			}
		}
	}
	var list []string
	for _, n := range sortedKeys(byName) {
		if !s.masked(byName[n]) {
			list = append(list, byName[n])
		}
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

// startsWith is the program and the arguments of a service, with variables of its environment in their places.
func (s *Scan) startsWith(service string) (argv []string, why string) {
	lines, why := s.unitLines(service)
	if why != "" {
		return nil, why
	}
	return commandOf(lines, s.Host.ReadFile)
}

// commandOf is the program and the arguments of a service by its settings; read reads the files of its environment.
func commandOf(lines []unitLine, read func(file string) ([]byte, error)) (argv []string, why string) {
	starts := listOfKey(lines, "[Service]", "ExecStart")
	if len(starts) == 0 {
		return nil, "it starts nothing"
	}
	env := map[string]string{}
	for _, l := range listOfKey(lines, "[Service]", "Environment") {
		for _, w := range sshd.Words(l) {
			if k, v, ok := strings.Cut(w, "="); ok {
				env[k] = v
			}
		}
	}
	for _, file := range listOfKey(lines, "[Service]", "EnvironmentFile") {
		b, err := read(strings.TrimPrefix(file, "-"))
		if err != nil {
			if !gone(err) {
				why = "a file of its environment cannot be read"
			}
			continue
		}
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && k != "" && k[0] != '#' {
				env[k] = strings.Join(sshd.Words(v), " ")
			}
		}
	}
	for _, w := range sshd.Words(starts[len(starts)-1]) {
		name, plain := strings.CutPrefix(w, "$")
		switch {
		case plain && name != "" && name[0] != '{': // a word of its own is split (systemd.service(5), COMMAND LINES)
			argv = append(argv, strings.Fields(env[name])...)
		default:
			for k, v := range env {
				w = strings.ReplaceAll(w, "${"+k+"}", v)
			}
			argv = append(argv, w)
		}
	}
	if len(argv) > 0 {
		program := strings.TrimLeft(argv[0], "-@:+!|")
		if strings.Contains(strings.TrimSuffix(argv[0], program), "@") && len(argv) > 1 { // the next word is its name
			argv = slices.Delete(argv, 1, 2)
		}
		argv[0] = program
	}
	return argv, why
}
