//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxAlone bounds the files of which root, or who they are run as, decides alone.
const maxAlone = 4_096

// packagedPlaces are where packages have their files, and where settings are: who has those mounted is told by the mount, whatever is in it.
var packagedPlaces = []string{"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/boot", "/proc", "/sys", "/dev"}

// apart says of a file that it is elsewhere than packages and settings have theirs, and than somebody's home has what is read at a login: it is not told by
// its place that it decides something.
func (l *levers) apart(f *snapshot.LeverFile) bool {
	if f.Kind == snapshot.LeverSecret {
		return true
	}
	if f.Kind == snapshot.LeverSocket || f.Kind == snapshot.LeverDevice || f.Kind == snapshot.LeverLogin || f.Of != "" {
		return false
	}
	if home := l.s.accountHome(f.UID); home != "" && home != "/" {
		rest, in := within(home, f.Path)
		if name, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/"); in && (strings.HasPrefix(name, ".") || name == "bin") {
			return false
		}
	}
	return !slices.ContainsFunc(packagedPlaces, func(dir string) bool { _, in := within(dir, f.Path); return in })
}

// own notes a file of which nobody but root decides, or who it is run as; under the path by which it is known, and where its links lead.
func (l *levers) own(f snapshot.LeverFile, list []snapshot.Permit, real string) {
	if !l.apart(&f) || f.UID < 0 || slices.ContainsFunc(list, func(p snapshot.Permit) bool { return p.Who != snapshot.PermitUser || p.ID != f.UID }) {
		return
	}
	for _, f.Path = range slices.Compact([]string{path.Clean(f.Path), real}) {
		if f.Permits = slices.Clone(list); path.IsAbs(f.Path) && f.Path != "/" {
			l.keep(f)
		}
	}
}

// keep notes of those of one path the one that is surest, and comes first.
func (l *levers) keep(f snapshot.LeverFile) {
	k := leverKeyOf(f)
	k.trigger, k.unsure = "", false
	if k.kind != snapshot.LeverSecret && k.kind != snapshot.LeverFilter {
		k.kind = ""
	}
	i, has := l.aloneAt[k]
	later := func(f *snapshot.LeverFile) int { return slices.Index(snapshot.Triggers, f.Trigger) }
	switch {
	case !has && len(l.alone) >= maxAlone:
		l.out.partialIn("files", "there are more files of which root alone decides than are listed")
	case !has:
		l.aloneAt[k] = len(l.alone)
		l.alone = append(l.alone, f)
	case (l.alone[i].Unsure == "") == (f.Unsure == "") && later(&f) < later(&l.alone[i]), l.alone[i].Unsure != "" && f.Unsure == "":
		l.alone[i] = f
	}
}
