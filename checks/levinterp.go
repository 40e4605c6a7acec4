//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// interpreterOptions are options of interpreters (the manuals of each): those whose value is what it runs, those whose value is a directory of
// modules, and others that have a value. codeEnds says of one that its last letter may be joined to others.
type interpreterOptions struct {
	code, search, valued []string
	joined               bool
}

var byInterpreter = map[string]interpreterOptions{
	"python":  {[]string{"-c"}, nil, []string{"-W", "-X", "--check-hash-based-pycs"}, false},
	"perl":    {[]string{"-e", "-E"}, []string{"-I"}, nil, true},
	"ruby":    {[]string{"-e"}, []string{"-I"}, []string{"-r", "-C"}, true},
	"node":    {[]string{"-e", "-p", "-pe", "--eval", "--print"}, nil, []string{"-r", "--require", "--import", "--loader", "--experimental-loader", "--env-file"}, false},
	"php":     {[]string{"-r", "-B", "-R", "-E"}, nil, []string{"-c", "-d", "-z", "-t"}, false},
	"lua":     {[]string{"-e"}, nil, []string{"-l"}, false},
	"java":    {nil, []string{"-cp", "-classpath", "--class-path", "--module-path", "-p"}, []string{"--add-modules", "-m", "--module"}, false},
	"tclsh":   {nil, nil, nil, false},
	"expect":  {[]string{"-c"}, nil, nil, false},
	"Rscript": {[]string{"-e"}, nil, nil, false},
	"bun":     {[]string{"-e", "-p"}, nil, []string{"-r", "--preload"}, false},
	"deno":    {nil, nil, []string{"--import-map", "--config"}, false},
}

// interpreterOf are the options of an interpreter, by its name.
func interpreterOf(name string) interpreterOptions {
	stem := strings.TrimRight(name, "0123456789.")
	if stem == "nodejs" {
		stem = "node"
	}
	return byInterpreter[stem]
}

// interpreted adds the script that an interpreter runs, what it is told besides, and where it looks for modules.
func (l *levers) interpreted(words []string, lever snapshot.LeverFile, at runsHere) {
	file, rest := l.interpreter(words, lever, at)
	python := strings.HasPrefix(path.Base(words[0]), "python")
	if file != "" {
		l.program(file, lever, at)
		if python {
			l.search(path.Dir(file), "modules of ", lever)
		}
		l.beside(words[0], file, lever)
	}
	l.arguments(append([]string{words[0]}, rest...), lever, at)
}

// interpreter adds what the options of an interpreter let it run, and says which script it runs, "" if none is there, and what that is given.
func (l *levers) interpreter(words []string, lever snapshot.LeverFile, at runsHere) (script string, rest []string) {
	name := path.Base(words[0])
	o := interpreterOf(name)
	for i := 1; i < len(words); i++ {
		w := words[i]
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		code := slices.Contains(o.code, w) || o.joined && len(w) > 2 && w[0] == '-' && w[1] != '-' && w[1] != 'I' && w[1] != 'M' && strings.HasSuffix(w, "e")
		switch {
		case code:
			l.code(next, lever, at)
			return "", words[min(i+2, len(words)):]
		case w == "-m" && strings.HasPrefix(name, "python"):
			if at.dir != "" { // the directory that it is in comes first (python(1), -P)
				l.search(at.dir, "modules of ", lever)
				if at.dir != "/" {
					l.project(at.dir, name, lever, 0)
				}
			}
			return "", words[min(i+2, len(words)):]
		case slices.Contains(o.search, w):
			l.search(next, "modules of ", lever)
			i++
		case slices.Contains(o.valued, w):
			l.loadedBy(next, lever, at)
			i++
		case options.MatchString(w):
			l.optionOf(o, w, lever, at)
		default:
			if file := below(at.dir, w); file != "" && !strings.ContainsAny(file, "%$*?") {
				if x := l.w.part(file); x.err == nil && (x.st.Mode.IsRegular() || x.link != "") {
					return file, words[i+1:]
				}
			}
			l.arguments([]string{words[0], w}, lever, at)
		}
	}
	return "", nil
}

// optionOf adds what an option names that has its value with it.
func (l *levers) optionOf(o interpreterOptions, w string, lever snapshot.LeverFile, at runsHere) {
	for _, s := range o.search {
		if value, ok := strings.CutPrefix(w, s); ok && strings.HasPrefix(value, "/") {
			l.search(value, "modules of ", lever)
			return
		}
	}
	l.loadedBy(w, lever, at)
}

// loadedBy adds the files that a value of an option names, which an interpreter loads before it does anything.
func (l *levers) loadedBy(value string, lever snapshot.LeverFile, at runsHere) {
	_, v, ok := strings.Cut(value, "=")
	if !ok {
		v = value
	}
	if strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") {
		v = below(at.dir, v)
	}
	for _, p := range pathsIn(value + " " + v) {
		lever.Path, lever.Kind = p, snapshot.LeverProgram
		if x := l.w.part(p); x.err == nil && x.st.IsDir {
			lever.Kind = snapshot.LeverSearch
		}
		l.add(lever)
	}
}

// code adds what a text of an interpreter names.
func (l *levers) code(text string, lever snapshot.LeverFile, at runsHere) {
	paths, unsure := pathsIn(text), notFollowed(lever.By)
	l.mentioned(paths, unsure, lever)
	l.mayRun(paths, unsure, lever, at)
	if at.dir != "" && at.dir != "/" {
		l.cwd("code", lever, at)
	}
}
