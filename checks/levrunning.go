//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// runsNow is why what a process runs is not known to be run once more.
const runsNow = "whether that process of root is started once more, or still reads its script, was not looked at"

// maxRunning bounds the processes of root whose programs are looked at.
const maxRunning = 4_000

// running adds the programs of processes of root in the mounts of the host, and the scripts that shells and interpreters among them were given: whoever
// started them starts them again, and a shell reads its script as it goes. What people run in their sessions is theirs to end.
func (l *levers) running(procs []*process) {
	init, seen := l.s.initNS(), map[string]bool{}
	for _, p := range procs {
		if p.UID != 0 || p.Container != "" || p.Leader != 0 || p.setID || p.NS.Mnt != init.Mnt || p.NS.User != init.User || !path.IsAbs(p.Exe) ||
			ofSession(p.Unit) || p.PID == os.Getpid() {
			continue
		}
		exe := strings.TrimSuffix(p.Exe, " (deleted)") // another one may be there by now
		words, script := []string{exe}, ""
		switch name := path.Base(exe); {
		case len(p.argv) < 2:
		case shellNames.MatchString(name):
			words = append(words, p.argv[1:]...)
		case interpreting.MatchString(name) && !options.MatchString(p.argv[1]): // what others' texts mention besides is not what they run
			script = p.argv[1]
		}
		if k := strings.Join(words, "\x00") + "\x00" + script; seen[k] {
			continue
		} else if seen[k] = true; len(seen) > maxRunning {
			l.out.partialIn("files", "root runs more programs than are looked at")
			return
		}
		dir, err := l.s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
		if err != nil {
			dir = "" // it ended
		}
		as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "process " + p.Comm, Trigger: snapshot.TriggerRestart, Unsure: runsNow}
		l.words(words, as, runsHere{dir: dir})
		if as.Path = below(dir, script); script != "" && as.Path != "" {
			l.add(as)
		}
	}
}

// ofSession says of a unit that it has what people run who are logged in: their sessions, and below the managers of their accounts their terminals.
func ofSession(unit string) bool {
	return strings.HasPrefix(unit, "session-") || strings.HasPrefix(unit, "user@") && unit != "user@0.service"
}
