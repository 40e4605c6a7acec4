//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what scripts run that scripts run.
const (
	maxScripts     = 4_000
	maxScriptDepth = 8
)

// runsHere is where a command runs: its directory, "" if that is not known, and how many scripts are above it.
type runsHere struct {
	dir   string
	depth int
	// vars are variables that it is started with.
	vars map[string]string
	streams
}

// shell adds what a text runs that a shell reads.
func (l *levers) shell(text string, lever snapshot.LeverFile, at runsHere) {
	if lever.UID < 0 {
		return
	}
	if len(text) > maxScript || lever.UID != 0 && len(text) > maxOwnScript {
		l.out.partialIn("files", "%s runs a script that is longer than those that are followed", lever.By)
		return
	}
	r := &shellReader{dir: at.dir, vars: maps.Clone(at.vars), source: l.sourced}
	r.script(text)
	list, vars := r.list, r.vars
	if len(list) == maxShellCommands {
		l.out.partialIn("files", "%s runs a script of more commands than are looked at", lever.By)
	}
	for _, name := range sortedKeys(vars) {
		if at.vars[name] != vars[name] && loads(name) {
			l.variable(name, vars[name], lever, at.dir)
		}
	}
	for _, c := range list {
		as := lever
		if !c.sure && as.Unsure == "" {
			as.Unsure = "under which condition " + lever.By + " gets there was not followed"
		}
		l.words(c.words, as, runsHere{c.dir, at.depth, at.vars, c.streams})
	}
}

// sourced is the text of a script that another reads, if root alone decides of it.
func (l *levers) sourced(file string) string {
	text, ok := l.sources[file]
	if !ok {
		text = l.sourceText(file)
		l.sources[file] = text
	}
	return text
}

func (l *levers) sourceText(file string) string {
	a, st, err := l.s.Host.Author(file)
	if err != nil || !st.Mode.IsRegular() || st.Size > maxScript || !a.Root() {
		return "" // whoever decides of it is listed
	}
	b, _ := l.s.Host.ReadFile(file)
	return ownPlace.get().ReplaceAllLiteralString(string(b), path.Dir(file))
}

// wrapper is a program that runs the command that its arguments are, after options, those of them that have a value, and operands.
type wrapper struct {
	operands int
	valued   string
}

var wrappers = map[string]wrapper{
	"exec": {0, "a"}, "nohup": {}, "command": {}, "builtin": {}, "setsid": {}, "stdbuf": {0, "ioe"}, "chronic": {}, "systemd-cat": {0, "tp"}, "ionice": {0, "cnPpu"},
	"nice": {0, "n"}, "chrt": {1, "TPD"}, "taskset": {1, ""}, "timeout": {1, "sk"}, "env": {0, "uCS"}, "flock": {1, "wE"}, "dumb-init": {}, "tini": {}, "setarch": {1, ""},
	"linux64": {}, "eatmydata": {}, "numactl": {0, "NmCpi"}, "unbuffer": {}, "xargs": {0, "IinPsLdEa"}, "busybox": {}, "time": {0, "fo"}, "prlimit": {}, "catchsegv": {}, "coproc": {}, "setlock": {1, ""}, "lockfile-run": {},
}

// textRunners are programs whose operands are what a shell runs.
var textRunners = []string{"eval", "trap", "watch"}

// Programs that run the file that an argument names.
var (
	shellNames   = lazily(`^(?:sh|bash|dash|zsh|ksh|ash|mksh|rbash)$`)
	interpreting = lazily(`^(?:python[0-9.]*|perl[0-9.]*|ruby[0-9.]*|node|nodejs|php[0-9.]*|java|lua[0-9.]*|tclsh|expect|Rscript|bun|deno)$`)
	options      = lazily(`^[-+]`)
)

// words adds what one command runs.
func (l *levers) words(words []string, lever snapshot.LeverFile, at runsHere) {
	for n := 0; len(words) > 0 && n < maxWords && lever.UID >= 0; n++ {
		name := path.Base(words[0])
		if assigned, value, ok := strings.Cut(words[0], "="); ok && variableName(assigned) {
			l.variable(assigned, value, lever, at.dir)
			words = words[1:]
			continue
		}
		if s, ok := switchers[name]; ok {
			l.program(words[0], lever, at)
			words = l.switched(s, words, &lever, &at)
			continue
		}
		if slices.Contains(textRunners, name) {
			l.program(words[0], lever, at)
			l.shell(strings.Join(pastOptions(words[1:], "n"), " "), lever, at.inside())
			return
		}
		w, ok := wrappers[name]
		if !ok {
			break
		}
		l.program(words[0], lever, at)
		l.wrapped(words, lever, at)
		if name == "env" {
			at.dir = changedDir(words[1:], at.dir)
		}
		if words = pastOptions(words[1:], w.valued); name == "flock" && len(words) > 2 && words[1] == "-c" {
			l.shell(words[2], lever, at.inside())
			return
		}
		words = words[min(w.operands, len(words)):]
	}
	if len(words) == 0 || lever.UID < 0 {
		return
	}
	l.reads(words, lever, at)
	l.writes(words, lever, at)
	name := path.Base(words[0])
	switch {
	case words[0] == ".", words[0] == "source":
		if len(words) > 1 {
			l.script(words[1], lever, at)
		}
		return
	case name == "alias":
		for _, w := range words[1:] {
			if _, command, ok := strings.Cut(w, "="); ok {
				l.shell(command, lever, at.inside())
			}
		}
		return
	case shellNames.MatchString(name):
		l.shellRun(words, lever, at)
	case interpreting.MatchString(name):
		l.interpreted(words, lever, at)
	default:
		l.others(words, lever, at)
		l.arguments(words, lever, at)
	}
	l.program(words[0], lever, at)
}

// inside is where a script runs that another hands to a shell: what is redirected is not its own.
func (at runsHere) inside() runsHere {
	at.streams = streams{}
	return at
}

// others are programs that run files, or what is in a directory, by their arguments.
func (l *levers) others(words []string, lever snapshot.LeverFile, at runsHere) {
	args := words[1:]
	switch path.Base(words[0]) {
	case "run-parts":
		if i := slices.IndexFunc(args, func(a string) bool { return !options.MatchString(a) }); i >= 0 {
			if dir := below(at.dir, args[i]); dir != "" {
				l.tree(dir, lever)
			}
		}
	case "find":
		for i, a := range args {
			if slices.Contains([]string{"-exec", "-execdir", "-ok", "-okdir"}, a) && i+1 < len(args) {
				l.words(args[i+1:], lever, at.inside())
				if command := args[i+1:]; command[0] == "{}" || runsInput(command) {
					l.foundIn(args, lever, at)
				}
			}
		}
	case "chroot":
		l.chroot(args, lever, at)
	case "tar", "rsync", "zip", "7z": // a * becomes options, by the names of files (tar(1), --checkpoint-action)
		if slices.Contains(args, "*") && at.dir != "" {
			lever.Kind, lever.Path, lever.By = snapshot.LeverSearch, at.dir, "arguments of "+lever.By
			l.add(lever)
		}
	case "start-stop-daemon":
		for i, a := range args {
			name, value, joined := strings.Cut(a, "=")
			if !joined && i+1 < len(args) {
				value = args[i+1]
			}
			switch name {
			case "-c", "--chuid":
				user, _, _ := strings.Cut(value, ":")
				lever.UID = l.s.uidOf(user)
			case "-a", "--startas", "-x", "--exec":
				defer func() { l.program(value, lever, at) }() // as whom may come after
			}
		}
	}
}

// changedDir is where env(1) runs its command.
func changedDir(words []string, dir string) string {
	before := words[:len(words)-len(pastOptions(words, wrappers["env"].valued))]
	for i, w := range before {
		value, joined := strings.CutPrefix(w, "--chdir=")
		switch {
		case joined:
		case w == "-C" || w == "--chdir":
			value = before[min(i+1, len(before)-1)]
		case strings.HasPrefix(w, "-C"):
			value = w[2:]
		default:
			continue
		}
		dir = below(dir, value)
	}
	return dir
}

// longOptions are those of wrappers whose value can be the next word.
var longOptions = strings.Fields("--unset --chdir --split-string --adjustment --signal --kill-after --timeout --conflict-exit-code --class --classdata --input --output --error " +
	"--arg-file --delimiter --max-args --max-procs --max-chars --format --identifier --priority --interval --sched-runtime --sched-period --sched-deadline")

// pastOptions are the words after options; those of valued have a value, and those of longOptions.
func pastOptions(words []string, valued string) []string {
	for len(words) > 0 {
		w := words[0]
		switch {
		case w == "--":
			return words[1:]
		case len(w) < 2 || w[0] != '-':
			return words
		case len(w) == 2 && strings.Contains(valued, w[1:]), slices.Contains(longOptions, w):
			words = words[min(2, len(words)):]
		default:
			words = words[1:]
		}
	}
	return words
}

// shellRun adds what a shell runs: a text, or the file of its first operand.
func (l *levers) shellRun(words []string, lever snapshot.LeverFile, at runsHere) {
	for i, w := range words[1:] {
		switch {
		case options.MatchString(w) && strings.HasSuffix(w, "c") && !strings.HasPrefix(w, "--"):
			if i+2 < len(words) {
				l.shell(words[i+2], lever, at.inside())
				l.arguments(append([]string{words[0]}, words[i+3:]...), lever, at)
			}
			return
		case !options.MatchString(w):
			l.script(w, lever, at)
			l.arguments(append([]string{words[0]}, words[i+2:]...), lever, at)
			return
		case w == "--rcfile" || w == "--init-file" || w == "-O" || w == "-o":
			l.arguments(words[:min(i+3, len(words))], lever, at)
		}
	}
}

// builtins are commands that a shell does itself (sh(1), bash(1)).
var builtins = strings.Fields("alias bg bind break builtin caller cd command compgen complete continue declare dirs disown echo enable eval exec exit export false fc " +
	"fg getopts hash help history if jobs kill let local logout popd printf pushd pwd read readonly return set shift shopt source suspend test then times trap true type " +
	"typeset ulimit umask unalias unset wait while until for case do done else fi esac elif")

// usualPath is where programs of root are looked for that are named without a directory, where nothing else is said.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// inPath is the program that a name without a directory stands for, "" if it is not found.
func (l *levers) inPath(name string, at runsHere) string {
	if !plainName.MatchString(name) || slices.Contains(builtins, name) {
		return ""
	}
	k := [2]string{cmp.Or(at.vars["PATH"], usualPath), name}
	p, ok := l.found[k]
	if !ok {
		p = l.lookIn(k[0], name)
		l.found[k] = p
	}
	return p
}

func (l *levers) lookIn(dirs, name string) string {
	for dir := range strings.SplitSeq(dirs, ":") {
		if p := path.Join(dir, name); path.IsAbs(p) && l.w.part(p).err == nil {
			return p
		}
	}
	return ""
}

var plainName = lazily(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)

// program adds a program, or the directory in which the shell finds those of a pattern, and what it runs if it is a script that root alone decides.
// One without a slash is looked for in the directories of PATH.
func (l *levers) program(p string, lever snapshot.LeverFile, at runsHere) {
	if !strings.Contains(p, "/") {
		p = l.inPath(p, at)
	}
	l.runsFile(below(at.dir, p), lever, at, false)
}

// runsFile adds a program at a path; shell says that a shell is given it.
func (l *levers) runsFile(p string, lever snapshot.LeverFile, at runsHere, shell bool) {
	if p == "" {
		return
	}
	if i := strings.IndexAny(p, "*?["); i >= 0 {
		lever.Kind, lever.Path, lever.By = snapshot.LeverSearch, path.Dir(p[:i]+"x"), "programs of "+lever.By
		l.add(lever)
		return
	}
	lever.Path = p
	l.add(lever)
	l.followAs(lever, at.inside(), shell)
}

// script adds the file that an operand of a shell is: one without a slash too is in the directory of the shell, if it is there.
func (l *levers) script(w string, lever snapshot.LeverFile, at runsHere) {
	if !strings.Contains(w, "/") {
		if x := l.w.part(path.Join(at.dir, w)); at.dir == "" || x.err != nil || x.st.IsDir {
			return
		}
	}
	l.runsFile(below(at.dir, w), lever, at, true)
}

// follow adds what a script runs.
func (l *levers) follow(lever snapshot.LeverFile, at runsHere) { l.followAs(lever, at.inside(), false) }

// followAs adds what a script runs; shell says that a shell is given it, whatever its first line.
func (l *levers) followAs(lever snapshot.LeverFile, at runsHere, shell bool) {
	k := leverKeyOf(lever)
	if shell {
		k.of = "a shell"
	}
	if l.followed[k] {
		return
	}
	if len(l.followed) >= maxScripts || at.depth == maxScriptDepth {
		l.out.partialIn("files", "more scripts are run than are followed")
		return
	}
	l.followed[k], l.scripts[lever.Path] = true, true
	a, st, err := l.s.Host.Author(lever.Path)
	if err != nil || !st.Mode.IsRegular() || a.Others || a.UID != 0 && a.UID != lever.UID {
		return // whoever decides of it is listed
	}
	l.runsProgram(lever, at)
	text, is := l.scriptText(lever.Path, st.Size)
	if !is {
		return
	}
	at.depth++
	text = ownPlace.get().ReplaceAllLiteralString(text, path.Dir(lever.Path))
	first, rest, marked := strings.Cut(text, "\n")
	if marked = marked && strings.HasPrefix(first, "#!"); shell || !marked {
		if !shell && lever.Unsure == "" {
			lever.Unsure = "whether " + lever.By + " has a shell run " + lever.Path + " was not followed"
		}
		l.shell(text, lever, at)
		return
	}
	words := strings.Fields(first[2:])
	if len(words) > 0 && path.Base(words[0]) == "env" {
		words = pastOptions(words[1:], "uC")
	} else if len(words) > 0 {
		interpreter := lever
		interpreter.Path = words[0]
		l.add(interpreter)
	}
	switch {
	case len(words) == 0:
	case shellNames.MatchString(path.Base(words[0])):
		l.shell(rest, lever, at)
	case interpreting.MatchString(path.Base(words[0])):
		l.interpreter(words, lever, at)
		if strings.HasPrefix(path.Base(words[0]), "python") {
			l.search(path.Dir(lever.Path), "modules of ", lever)
		}
		l.beside(words[0], lever.Path, lever)
	default:
		l.arguments(words, lever, at)
	}
}

// head is the first part of a file.
func (l *levers) head(file string) ([]byte, error) {
	d, err := l.s.Host.OpenList(path.Dir(file))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	head, _, err := d.ReadPart(path.Base(file), 512)
	return head, err
}

// scriptText is the text of a file, and whether it is one: it begins as a script does, or has nothing but text in its first part.
func (l *levers) scriptText(file string, size int64) (string, bool) {
	head, err := l.head(file)
	if err != nil && !gone(err) {
		l.out.partialIn("files", "%s: %v", file, err)
	}
	if err != nil || len(head) < 2 || strings.HasPrefix(string(head), "\x7fELF") || !strings.HasPrefix(string(head), "#!") && strings.ContainsRune(string(head), 0) {
		return "", false
	}
	if size > maxScript {
		l.out.partialIn("files", "%s is longer than the scripts that are followed", file)
		return "", false
	}
	b, err := l.s.Host.ReadFile(file)
	return string(b), err == nil
}
