//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// notFollowed is why what a program does by a file is not known to give more.
func notFollowed(name string) string {
	return "what " + name + " does by what is there was not followed"
}

// maxPathsIn bounds the paths of one text.
const maxPathsIn = 64

// pathsIn are the absolute paths that a text names, those of a pattern by its directory. The address of a URL is none, but for one of a file.
func pathsIn(text string) (list []string) {
	const ends = " \t\r\n\"'`:;,|&()<>={}$%*?[]\\"
	for i := 0; i < len(text) && len(list) < maxPathsIn; i++ {
		if text[i] != '/' || !beginsPath(text, i) {
			continue
		}
		end := i
		for end < len(text) && strings.IndexByte(ends, text[end]) < 0 {
			end++
		}
		p := text[i:end]
		if end < len(text) && strings.IndexByte("$%*?[", text[end]) >= 0 {
			p = path.Dir(p + "x")
		}
		if i = end - 1; p != "/" && !slices.Contains(list, path.Clean(p)) {
			list = append(list, path.Clean(p))
		}
	}
	return list
}

// beginsPath says whether the slash at a byte of a text is the first of a path.
func beginsPath(text string, i int) bool {
	switch {
	case i == 0:
		return true
	case strings.HasSuffix(text[:i], "://"):
		return strings.HasSuffix(text[:i], "file://")
	case text[i-1] == ':' && strings.HasPrefix(text[i:], "//"):
		return false
	case strings.IndexByte(" \t\r\n\"'`:;,|&()<>=@+{[!", text[i-1]) >= 0:
		return true
	}
	begin := strings.LastIndexAny(text[:i], " \t\n\"'") + 1 // the value of an option of one letter
	return i-begin == 2 && text[begin] == '-'
}

// mentioned adds files that are named, of which it is not known what they do.
func (l *levers) mentioned(paths []string, unsure string, lever snapshot.LeverFile) {
	lever.Kind = snapshot.LeverSystem
	if lever.Unsure == "" {
		lever.Unsure = unsure
	}
	for _, lever.Path = range paths {
		if l.matters(lever.Path) && (lever.UID != 0 || !l.sure[lever.Path]) {
			l.add(lever)
		}
	}
}

// matters says of a path that is named that somebody could put a file there by which more is done: a directory of everybody's counts by what is in
// it, and what is not there yet where it is somebody's.
func (l *levers) matters(p string) bool {
	if p == "/" || volatile(pathPart{link: p}, "/") || strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/sys/") || strings.HasPrefix(p, "/dev/") && !strings.HasPrefix(p, "/dev/shm/") {
		return false
	}
	switch x := l.w.part(p); {
	case gone(x.err):
		for dir := path.Dir(p); ; dir = path.Dir(dir) { // the nearest that is there
			if d := l.w.part(dir); !gone(d.err) || len(dir) == 1 {
				return d.err == nil && d.st.Perm&0o1000 == 0
			}
		}
	case x.err != nil:
		return unanswered(x.err)
	case x.st.Perm&0o1000 != 0:
		return false
	default:
		return x.link != "" || x.st.Mode.IsRegular() || x.st.IsDir
	}
}

// arguments adds the files that a program is given: it can run what they say. With others it can be told by the names of files, and by what is in the
// directory that it runs in.
func (l *levers) arguments(words []string, lever snapshot.LeverFile, at runsHere) {
	name := path.Base(words[0])
	silent := slices.Contains(harmlessReaders, name) || slices.Contains(builtins, name)
	if name == "sed" && slices.ContainsFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "-f") || strings.HasPrefix(w, "--file") }) {
		silent = false // a script of it runs commands
	}
	if silent && !at.fed && !slices.ContainsFunc(at.out, ofRoot.MatchString) {
		l.wildcards(words, lever, at)
		return
	}
	var paths []string
	for _, w := range words[1:] {
		paths = append(paths, pathsIn(w)...)
		if _, value, ok := strings.Cut(w, "="); ok {
			w = value
		}
		if !options.MatchString(w) && w != "" && at.dir != "/" {
			if i := strings.IndexAny(w, "*?["); i >= 0 {
				w = path.Dir(w[:i] + "x")
			}
			if p := below(at.dir, w); p != "" && l.w.part(p).err == nil {
				paths = append(paths, p)
			}
		}
	}
	l.mentioned(paths, notFollowed(name), lever)
	l.mayRun(paths, notFollowed(name), lever, at)
	if name == "find" && at.fed {
		l.foundIn(words[1:], lever, at)
	}
	if !silent {
		l.commandIn(words, lever, at)
		l.cwd(name, lever, at)
		l.projects(words, lever, at)
	}
}

// mayRun follows the programs among files that are named: whoever is given one can run it.
func (l *levers) mayRun(paths []string, unsure string, lever snapshot.LeverFile, at runsHere) {
	lever.Kind = snapshot.LeverProgram
	if lever.Unsure == "" {
		lever.Unsure = unsure
	}
	for _, lever.Path = range paths {
		if x := l.w.part(lever.Path); x.err == nil && (x.link != "" || x.st.Mode.IsRegular() && x.st.Perm&0o111 != 0) {
			l.follow(lever, at)
		}
	}
}

// commandIn adds what a shell or an interpreter would run that is among the arguments of a program: many run a command that they are given.
func (l *levers) commandIn(words []string, lever snapshot.LeverFile, at runsHere) {
	words = words[:min(len(words), maxWords)]
	i := 1 + slices.IndexFunc(words[1:], func(w string) bool {
		return shellNames.MatchString(path.Base(w)) || interpreting.MatchString(path.Base(w))
	})
	if i == 0 {
		return
	}
	if lever.Unsure == "" {
		lever.Unsure = notFollowed(path.Base(words[0]))
	}
	command := words[i:]
	if n := slices.Index(command, "--"); n == 1 { // the end of options of the program
		command = slices.Delete(slices.Clone(command), 1, 2)
	}
	l.words(command, lever, at.inside())
}

// cwd adds the directory that a program runs in, by which it may be told what to do.
func (l *levers) cwd(name string, lever snapshot.LeverFile, at runsHere) {
	if at.dir == "" || at.dir == "/" {
		return
	}
	l.mentioned([]string{at.dir}, "what "+name+" does by what is in the directory that it runs in was not followed", lever)
}

// wildcards adds the directory in which a pattern begins with a wildcard: the names of files there become options.
func (l *levers) wildcards(words []string, lever snapshot.LeverFile, at runsHere) {
	name := path.Base(words[0])
	if at.dir != "" && slices.Contains(optionsMatter, name) && slices.ContainsFunc(words[1:], func(w string) bool { return w != "" && strings.IndexByte("*?[", w[0]) >= 0 }) {
		l.mentioned([]string{at.dir}, "which options "+name+" gets by the names of files there was not followed", lever)
	}
}

// ofRoot are files that programs of root read or run.
var ofRoot = lazily(`^/(?:etc|usr|root|boot|lib|bin|sbin|var/spool/cron|run/systemd)`)

// optionsMatter are programs that do nothing by what they read, and more by their options; placing are those that write where their arguments say.
var (
	optionsMatter = strings.Fields("chgrp chmod chown cp gzip install ln mv rm sort")
	placing       = strings.Fields("chgrp chmod chown cp gzip install ln mv tee truncate dd sed sort bzip2 xz rsync tar unzip setfacl")
)

// reads adds what a command is given on its standard input: what a shell or an interpreter without a script reads is what it runs.
func (l *levers) reads(words []string, lever snapshot.LeverFile, at runsHere) {
	name := path.Base(words[0])
	shell, interpreter := shellNames.MatchString(name), interpreting.MatchString(name)
	code := (shell || interpreter) && !slices.ContainsFunc(words[1:], func(w string) bool {
		return w != "-" && !options.MatchString(w) || strings.HasSuffix(w, "c") && options.MatchString(w)
	})
	code = code || shell && slices.Contains(words, "-s")
	for _, text := range at.texts {
		if shell && code {
			l.shell(text, lever, at.inside())
		} else if !slices.Contains(harmlessReaders, name) && !slices.Contains(builtins, name) {
			l.mentioned(pathsIn(text), notFollowed(name), lever)
		}
	}
	for _, p := range at.in {
		switch {
		case p == "":
		case code:
			as := lever
			as.Path = p
			if l.add(as); shell {
				l.followAs(as, at.inside(), true)
			}
		case at.fed || runsInput(words) || name == "read" || name == "mapfile" || name == "readarray":
			l.mentioned([]string{p}, notFollowed(cmpName(name, lever)), lever)
		}
	}
}

// cmpName is a command by its name, or whose it is if that says nothing.
func cmpName(name string, lever snapshot.LeverFile) string {
	if slices.Contains(builtins, name) {
		return lever.By
	}
	return name
}

// writes adds the directories in which a command writes files: who writes one puts a link there to a file of root's.
func (l *levers) writes(words []string, lever snapshot.LeverFile, at runsHere) {
	name := path.Base(words[0])
	for _, p := range at.out {
		l.places(p, lever.By, lever)
	}
	if !slices.Contains(placing, name) || name == "sed" && !slices.ContainsFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "-i") || strings.HasPrefix(w, "--in-place") }) {
		return
	}
	for _, w := range words[1:] {
		if _, value, ok := strings.Cut(w, "="); ok {
			w = value
		}
		if options.MatchString(w) || !strings.Contains(w, "/") && at.dir == "/" {
			continue
		}
		p := below(at.dir, w)
		if i := strings.IndexAny(p, "*?["); i >= 0 {
			p = path.Dir(p[:i]+"x") + "/x"
		}
		if p != "" && (strings.Contains(w, "/") || l.w.part(p).err == nil) {
			l.places(p, name, lever)
		}
	}
}

// places adds the directory in which a file is written, or the one that a path is.
func (l *levers) places(p, name string, lever snapshot.LeverFile) {
	if p == "" || p == "/" {
		return
	}
	if x := l.w.part(p); x.err != nil || !x.st.IsDir {
		p = path.Dir(p)
	}
	l.mentioned([]string{p}, "where what "+name+" writes there goes, with links of others in it, was not followed", lever)
}

// Bounds of the files below a directory of which all may be run.
const (
	maxFound      = 5_000
	maxFoundDepth = 6
)

// foundIn adds what is below the directories that find(1) goes through: a command runs what it finds there.
func (l *levers) foundIn(args []string, lever snapshot.LeverFile, at runsHere) {
	if lever.Unsure == "" {
		lever.Unsure = "which files there " + lever.By + " runs was not followed"
	}
	lever.Kind = snapshot.LeverSystem
	left := maxFound
	for _, a := range args {
		if strings.HasPrefix(a, "-") || a == "(" || a == "!" {
			break
		}
		if dir := below(at.dir, a); dir != "" {
			lever.Path = dir
			l.add(lever)
			l.allBelow(dir, lever, &left, 0)
		}
	}
}

// allBelow adds what is in a directory, and in those in it.
func (l *levers) allBelow(dir string, lever snapshot.LeverFile, left *int, depth int) {
	for _, n := range l.namesIn(dir, host.MaxNames, "files") {
		if *left--; *left < 0 || depth == maxFoundDepth {
			l.out.partialIn("files", "%s has more files than are looked at", dir)
			return
		}
		lever.Path = path.Join(dir, n)
		x := l.w.part(lever.Path)
		if x.err != nil || !x.st.IsDir && !x.st.Mode.IsRegular() && x.link == "" {
			continue
		}
		if l.add(lever); x.st.IsDir {
			l.allBelow(lever.Path, lever, left, depth+1)
		}
	}
}

// wrapped adds what a program that runs another one reads besides.
func (l *levers) wrapped(words []string, lever snapshot.LeverFile, at runsHere) {
	for i, w := range words[1:] {
		next := words[min(i+2, len(words)-1)]
		value, joined := strings.CutPrefix(w, "--arg-file=")
		switch {
		case path.Base(words[0]) == "xargs" && (w == "-a" || w == "--arg-file" || joined):
			if !joined {
				value = next
			}
			if p := below(at.dir, value); p != "" {
				l.mentioned([]string{p}, notFollowed("xargs"), lever)
			}
		case path.Base(words[0]) == "env" && (w == "-S" || w == "--split-string"):
			l.words(quotedWords(next), lever, at)
		}
	}
}
