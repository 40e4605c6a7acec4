//go:build linux && !ringfence_portable

package checks

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the settings that are gone through.
const (
	maxSettings     = 20_000
	maxSettingDepth = 12
)

// restUnsure is why what somebody writes in /etc is not known to give more.
const restUnsure = "what root's programs do by what others write there was not followed"

// runNothing are files and directories by which nobody runs anything, and those that are listed whole.
var runNothing = []string{
	"/etc/systemd", "/etc/motd", "/etc/issue", "/etc/issue.net", "/etc/hostname", "/etc/machine-id", "/etc/localtime", "/etc/timezone", "/etc/adjtime", "/etc/mtab",
}

// rest adds what others write in /etc, and in the state of cloud-init, that nothing else has listed: root's programs read their settings there, and no
// list of them is whole.
func (l *levers) rest() {
	listed := map[string]bool{}
	for i := range l.list {
		if f := &l.list[i]; f.Unsure == "" && f.Kind != snapshot.LeverSecret {
			listed[f.Path] = true
		}
	}
	f := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "what reads its settings", Trigger: snapshot.TriggerOperator, Unsure: restUnsure}
	left := maxSettings
	l.settings("/etc", f, listed, &left, 0)
	f.By = "cloud-init"
	l.settings("/var/lib/cloud", f, listed, &left, 0)
}

// settings adds what is in a directory, and in those in it.
func (l *levers) settings(dir string, f snapshot.LeverFile, listed map[string]bool, left *int, depth int) {
	names, err := l.s.Host.ReadDir(dir)
	if err != nil && !gone(err) {
		l.out.partialIn("files", "%s: %v", dir, err)
	}
	for _, n := range names {
		if *left--; *left < 0 || depth == maxSettingDepth {
			l.out.partialIn("files", "%s has more settings than are looked at", dir)
			return
		}
		f.Path = path.Join(dir, n)
		x := l.w.part(f.Path)
		if x.err != nil || listed[f.Path] || volatile(x, dir) || slices.Contains(runNothing, f.Path) || l.ignored(f.Path) || !l.runsPart(dir, n) {
			continue
		}
		if x.st.Mode.IsRegular() || x.st.IsDir || x.st.Mode&fs.ModeSymlink != 0 {
			l.add(f)
		}
		if x.st.IsDir {
			l.settings(f.Path, f, listed, left, depth+1)
		}
	}
}

// volatile says of a link that it leads to what a program of the system keeps of its own state, and not to where others keep theirs.
func volatile(x pathPart, dir string) bool {
	to := below(dir, x.link)
	within := func(d string) bool { return to == d || strings.HasPrefix(to, d+"/") }
	return slices.ContainsFunc([]string{"/run", "/var/run", "/proc", "/dev", "/sys"}, within) &&
		!slices.ContainsFunc([]string{"/run/user", "/var/run/user", "/run/lock", "/var/run/lock", "/run/shm", "/var/run/shm", "/dev/shm", "/dev/mqueue"}, within)
}
