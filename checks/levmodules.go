//go:build linux && !ringfence_portable

package checks

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the modules beside a script.
const (
	maxModules     = 25_000
	maxModuleDepth = 24
)

var (
	// moduleNames are files that interpreters load.
	moduleNames = lazily(`\.(?:py|pyc|pth|js|mjs|cjs|node|so|pl|pm|rb|php|lua|tcl|jar)$`)
	// ownPlace is how a script of the shell says where it is itself.
	ownPlace = lazily(`\$\((?:cd (?:-P )?(?:-- )?"?)?\$?\(?dirname (?:-- )?"?(?:\$\((?:readlink -f|realpath) )?"?(?:\$0|\$\{0\}|\$\{?BASH_SOURCE(?:\[0\])?\}?)"?\)?"?\)?"?(?: (?:&&|;) pwd(?: -P)?)?\)|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}`)
)

// beside adds what an interpreter loads for a script besides it: modules beside the script and of where it is installed, and what the script names.
func (l *levers) beside(interpreter, file string, lever snapshot.LeverFile) {
	l.environmentOf(interpreter, lever)
	left := maxModules
	as := lever
	as.Kind = snapshot.LeverProgram
	if as.Unsure == "" {
		as.Unsure = "whether " + file + " loads it was not followed"
	}
	dir := path.Dir(file)
	for d := dir; d != "/"; d = path.Dir(d) { // as Node.js looks for packages
		if at := path.Join(d, "node_modules"); l.w.part(at).err == nil {
			l.search(at, "modules of ", lever)
			l.modulesIn(at, as, &left, 0)
		}
	}
	if !slices.Contains([]string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/tmp", "/var/tmp", "/"}, dir) {
		l.modulesIn(dir, as, &left, 0)
	}
	a, st, err := l.s.Host.Author(file)
	if err != nil || !st.Mode.IsRegular() || st.Size > maxScript || a.Others || a.UID != 0 && a.UID != lever.UID {
		return // whoever decides of it is listed
	}
	b, _ := l.s.Host.ReadFile(file)
	for _, p := range namedPaths(string(b), maxWords) {
		as.Path = path.Clean(p)
		switch x := l.w.part(as.Path); {
		case x.err != nil, x.st.Perm&0o1000 != 0, strings.HasPrefix(as.Path, "/proc/"), strings.HasPrefix(as.Path, "/dev/"):
		case x.st.IsDir, x.st.Mode&fs.ModeSymlink != 0, x.st.Mode.IsRegular() && (x.st.Perm&0o111 != 0 || moduleNames.MatchString(as.Path)):
			l.add(as)
		}
	}
}

// namedPaths are the first absolute paths, of two names and more, that a script names.
func namedPaths(text string, most int) (list []string) {
	for i := 1; i < len(text) && len(list) < most; i++ {
		if text[i] != '/' || strings.IndexByte("\"'`(/ ", text[i-1]) < 0 {
			continue
		}
		end, names := i, 0
		for end < len(text) && text[end] == '/' {
			n := 0
			for end+1+n < len(text) && inName(text[end+1+n]) {
				n++
			}
			if n == 0 {
				break
			}
			end, names = end+1+n, names+1
		}
		if names > 1 {
			list = append(list, text[i:end])
			i = end
		}
	}
	return list
}

func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.+-", c) >= 0
}

// modulesIn adds the directories and the modules in a directory, and below it where that is not of packages of the system.
func (l *levers) modulesIn(dir string, f snapshot.LeverFile, left *int, depth int) {
	packaged := strings.HasPrefix(dir, "/usr/") && !strings.HasPrefix(dir, "/usr/local/")
	for _, n := range l.namesIn(dir, host.MaxNames, "modules") {
		if *left--; *left < 0 || depth == maxModuleDepth {
			l.out.partialIn("files", "%s has more modules than are looked at", dir)
			return
		}
		f.Path = path.Join(dir, n)
		switch x := l.w.part(f.Path); {
		case x.err != nil:
		case x.st.IsDir:
			if n == "__pycache__" || n[0] != '.' || n == ".bin" {
				if l.add(f); packaged {
					continue // what a package has below is not looked at
				}
				l.modulesIn(f.Path, f, left, depth+1)
			}
		case moduleNames.MatchString(n), x.link != "":
			l.add(f)
		}
	}
}

// environmentOf adds the settings and the modules of the virtual environment that an interpreter of Python is in (venv).
func (l *levers) environmentOf(interpreter string, lever snapshot.LeverFile) {
	if !path.IsAbs(interpreter) || !strings.HasPrefix(path.Base(interpreter), "py") {
		return
	}
	root := path.Dir(path.Dir(interpreter))
	settings := path.Join(root, "pyvenv.cfg")
	if l.w.part(settings).err != nil {
		return
	}
	as := lever
	as.Kind, as.Path = snapshot.LeverProgram, settings
	l.add(as)
	left := maxModules
	for _, d := range l.glob(root + "/lib/python3*/site-packages") {
		l.search(d, "modules of ", lever)
		l.startOfPython(d, lever)
		if as.Unsure == "" {
			as.Unsure = "whether " + lever.By + " loads it was not followed"
		}
		l.modulesIn(d, as, &left, 0)
	}
}

// harmlessReaders are programs that do nothing by what is in the files that their arguments name.
var harmlessReaders = strings.Fields("[ [[ basename cat chgrp chmod cmp cut date df diff dirname du egrep fgrep file find grep gzip head id logger ls md5sum mkdir " +
	"mktemp mountpoint rm rmdir run-parts sed sha256sum sleep sort stat sync tail tee test touch tr truncate uniq wc")
