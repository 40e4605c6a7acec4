//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"path"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// chroot adds what chroot(1) runs.
func (l *levers) chroot(args []string, lever snapshot.LeverFile, at runsHere) {
	x := switcher{}.options(args)
	if len(x.operands) == 0 {
		return
	}
	if who, _, _ := strings.Cut(x.who, ":"); who != "" {
		l.become(&lever, who, "chroot")
	}
	switch root := below(at.dir, x.operands[0]); root {
	case "": // which one is not known
	case "/":
		l.words(x.operands[1:], lever, at)
	default:
		l.inRoot(root, "/", x.operands[1:], lever, at)
	}
}

// inRoot adds what is below the root directory of a command that runs in a directory there. What it does by that is not followed: the paths there are not
// those of the host.
func (l *levers) inRoot(root, dir string, words []string, lever snapshot.LeverFile, at runsHere) {
	if lever.UID < 0 {
		return
	}
	l.rootDir(root, lever)
	_, root, _, err := l.w.writers(root)
	if err != nil || !l.w.part(root).st.IsDir {
		return // an image, or nothing yet
	}
	for len(words) > 0 {
		if name, _, ok := strings.Cut(words[0], "="); ok && variableName(name) {
			words = words[1:]
			continue
		}
		l.rootFile(root, l.inRootPath(root, words[0], at), lever)
		w, ok := wrappers[path.Base(words[0])]
		if !ok {
			break
		}
		words = pastOptions(words[1:], w.valued)
		words = words[min(w.operands, len(words)):]
	}
	if len(words) == 0 || !shellNames.MatchString(path.Base(words[0])) {
		return
	}
	for _, w := range words[1:] {
		switch {
		case !options.MatchString(w):
			l.rootFile(root, below(dir, w), lever)
			return
		case strings.HasSuffix(w, "c"), w == "-o", w == "-O", strings.HasPrefix(w, "--"):
			return
		}
	}
	for _, lever.Path = range at.in { // the manager opens it
		l.add(lever)
	}
}

// rootDir adds a root directory and what is below it.
func (l *levers) rootDir(root string, lever snapshot.LeverFile) {
	k := leverKey{path: root, uid: lever.UID, trigger: lever.Trigger, of: "a root directory"}
	if l.followed[k] {
		return
	}
	l.followed[k] = true
	lever.Path = root
	l.add(lever)
	lever.Unsure = cmp.Or(lever.Unsure, "what "+lever.By+" does by what is in its root directory was not followed")
	left := maxFound
	l.allBelow(root, lever, &left, 0)
}

// inRootPath is the path of a program below a root directory, "" if it is not found.
func (l *levers) inRootPath(root, name string, at runsHere) string {
	if strings.Contains(name, "/") {
		return below("/", name)
	}
	for dir := range strings.SplitSeq(cmp.Or(at.vars["PATH"], usualPath), ":") {
		if p := path.Join(dir, name); path.IsAbs(p) && l.w.part(path.Join(root, p)).err == nil {
			return p
		}
	}
	return ""
}

// rootFile adds a file that is run below a root directory; where links lead out of that, they lead elsewhere from within.
func (l *levers) rootFile(root, p string, lever snapshot.LeverFile) {
	if p == "" || p == "/" {
		return
	}
	lever.Path = path.Join(root, p)
	if _, real, _, err := l.w.writers(lever.Path); err == nil {
		if _, in := within(root, real); in {
			l.add(lever)
		}
	}
}
