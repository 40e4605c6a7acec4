//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

const (
	// maxUnits bounds how many units the manager is asked about in one scan: each is one run of a program.
	maxUnits = 64
	// unitTimeout and maxUnitAnswer bound one answer of the manager.
	unitTimeout   = 2 * time.Second
	maxUnitAnswer = 64 << 10
)

// units asks the system's manager about units, each once.
type units struct {
	mu    sync.Mutex
	asked map[string]unitAnswer
}

// unitAnswer is the properties of a unit by name, each with all its lines, or why there are none.
type unitAnswer struct {
	values map[string][]string
	err    error
}

// unitProperties are those that say what a unit runs (org.freedesktop.systemd1(5)).
const unitProperties = "Id,MainPID,FragmentPath,DropInPaths,User,UID,ExecStart"

// runs verifies that a process is what its unit runs.
func (s *Scan) runs(ctx context.Context, p *process) snapshot.UnitFact {
	f := snapshot.UnitFact{Unit: p.Unit}
	if p.Unit == "" {
		return snapshot.UnitFact{}
	}
	switch {
	case !host.UnitName(p.Unit):
		f.Why = "its unit has a name that no file is written for"
	case !ownCgroup(p.Cgroup, p.Unit):
		f.Why = "its cgroup is not that of the unit itself"
	case p.Container != "" || s.separate(p):
		f.Why = "it lives apart from the host, in a container or a namespace of its own"
	case !s.Host.Live():
		f.Why = "its unit can be asked about on the live host alone"
	case !host.Systemd() && !s.onlyChild(p):
		f.Why = "systemd does not run here, and which process of the unit is its main one is not known"
	case !host.Systemd():
		show, why := s.unitFiles(p.Unit)
		if f.Why = why; why == "" {
			show["MainPID"] = []string{strconv.Itoa(p.PID)}
			f.Why = s.notMain(p, show)
		}
	default:
		a := s.unit(ctx, p.Unit)
		if a.err != nil {
			f.Why = fmt.Sprintf("systemd was asked about the unit: %v", a.err)
			break
		}
		f.Why = s.notMain(p, a.values)
	}
	f.Verified = f.Why == ""
	return f
}

// ownCgroup says of a cgroup that it is the unit's own below slices of the system: not one that the service or a user made
// below it.
func ownCgroup(cgroup, unit string) bool {
	names := split(cgroup)
	if len(names) < 2 || names[len(names)-1] != unit || names[0] == "user.slice" {
		return false
	}
	for _, n := range names[:len(names)-1] {
		if !strings.HasSuffix(n, ".slice") {
			return false
		}
	}
	return true
}

// unit asks the manager about a unit.
func (s *Scan) unit(ctx context.Context, name string) unitAnswer {
	s.units.mu.Lock()
	defer s.units.mu.Unlock()
	if a, ok := s.units.asked[name]; ok {
		return a
	}
	a := unitAnswer{err: fmt.Errorf("more than %d units", maxUnits)}
	if len(s.units.asked) < maxUnits {
		a.values, a.err = s.showUnit(ctx, name)
	}
	s.units.asked[name] = a
	return a
}

// showUnit runs systemctl, which root alone must be able to write.
func (s *Scan) showUnit(ctx context.Context, name string) (map[string][]string, error) {
	systemctl, err := s.Host.ExecutablePath("systemctl")
	if err != nil {
		return nil, err
	}
	if author, _, err := s.Host.Author(systemctl); err != nil || !author.Root() {
		return nil, fmt.Errorf("%s is not root's alone", systemctl)
	}
	ctx, cancel := context.WithTimeout(ctx, unitTimeout)
	defer cancel()
	cmd := host.Command(ctx, systemctl, "show", "--no-pager", "-p", unitProperties, "--", name)
	out := new(answer)
	cmd.Env, cmd.Stdout = host.Environment(), out
	if err := host.Run(cmd); err != nil {
		return nil, err
	}
	return showLines(out.String()), nil
}

// answer is what a program prints, up to maxUnitAnswer: more is an error, which ends the program.
type answer struct{ strings.Builder }

func (a *answer) Write(b []byte) (int, error) {
	if a.Len()+len(b) > maxUnitAnswer {
		return 0, fmt.Errorf("more than %d bytes", maxUnitAnswer)
	}
	return a.Builder.Write(b)
}

// showLines reads what systemctl show prints: NAME=VALUE, a line each.
func showLines(text string) map[string][]string {
	values := map[string][]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			values[k] = append(values[k], v)
		}
	}
	return values
}

// notMain says why a process is not what a unit runs, given the properties of the unit; "" if it is.
func (s *Scan) notMain(p *process, show map[string][]string) string {
	one := func(key string) string {
		if v := show[key]; len(v) == 1 {
			return v[0]
		}
		return ""
	}
	program, ok := startPath(show["ExecStart"])
	switch {
	case one("Id") != p.Unit:
		return "the unit has another name"
	case one("MainPID") != strconv.Itoa(p.PID) || p.PPID != 1:
		return "it is not the main process of the unit"
	case p.UID != 0 && !s.unitUser(p.UID, one("User"), one("UID")):
		return fmt.Sprintf("it is uid %d's, who is not the unit's user", p.UID)
	case strings.HasPrefix(one("FragmentPath"), "/run/systemd/transient/"):
		return "the unit is a transient one"
	case !ok:
		return "the unit does not start one program by its path"
	}
	for _, file := range append(strings.Fields(one("DropInPaths")), one("FragmentPath")) {
		if a, _, err := s.Host.Author(file); err != nil || !a.Root() {
			return "a file of the unit is not root's alone"
		}
	}
	at, err := s.Host.Stat("/proc/" + strconv.Itoa(p.PID) + "/exe")
	if err != nil {
		return "its program cannot be seen"
	}
	switch a, named, err := s.Host.Author(program); {
	case err != nil || named.Dev != at.Dev || named.Ino != at.Ino:
		return "its program is not the one that the unit starts"
	case !a.Root():
		return "the unit's program can be written by others than root"
	}
	return ""
}

// unitUser says whether a uid is that of the unit's user, by its name or as the manager resolved it.
func (s *Scan) unitUser(uid int, name, resolved string) bool {
	text := strconv.Itoa(uid)
	if name == "" {
		return false
	}
	if name == text || resolved == text {
		return true
	}
	for _, u := range s.users() {
		if u.name == name {
			return u.uid == uid
		}
	}
	return false
}

// startPath is the program of a unit's only ExecStart= as systemctl show prints it: { path=/usr/bin/x ; argv[]=... }.
func startPath(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	rest, ok := strings.CutPrefix(lines[0], "{ path=")
	program, _, more := strings.Cut(rest, " ; argv[]=")
	return program, ok && more && path.IsAbs(program) && path.Clean(program) == program
}
