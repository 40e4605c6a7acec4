//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// supervised adds what supervisord runs: the commands of its sections, each as its user, or as the one that it becomes itself (supervisord.org).
func (l *levers) supervised() {
	var sections []map[string]string
	read := map[string]bool{}
	var files []string
	for _, pattern := range []string{"/etc/supervisor/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/conf.d/*.conf", "/etc/supervisord.d/*.ini"} {
		files = append(files, l.glob(pattern)...)
	}
	for ; len(files) > 0; files = files[1:] {
		if read[files[0]] {
			continue
		}
		if read[files[0]] = true; len(read) > maxInDir {
			l.out.partialIn("files", "supervisord has more files than are read")
			break
		}
		text, _ := l.rootText(files[0])
		of := supervisorSections(text)
		sections = append(sections, of...)
		for _, s := range of {
			if s[""] == "include" {
				files = append(files, l.includedBy(path.Dir(files[0]), s["files"])...)
			}
		}
	}
	own := "root"
	for _, s := range sections {
		if s[""] == "supervisord" {
			own = cmp.Or(s["user"], own)
		}
	}
	for _, s := range sections {
		l.supervisedProgram(s, own)
	}
}

// includedBy adds the files that patterns name, from a directory, and the directories that they are in, and says which they are.
func (l *levers) includedBy(dir, patterns string) (files []string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "supervisord", Trigger: snapshot.TriggerRestart}
	for p := range strings.FieldsSeq(strings.ReplaceAll(patterns, "%(here)s", dir)) {
		if p = below(dir, p); p == "" {
			continue
		}
		if i := strings.IndexAny(p, "*?["); i >= 0 {
			as.Path = path.Dir(p[:i] + "x")
			l.add(as)
		}
		for _, as.Path = range l.glob(p) {
			l.add(as)
			files = append(files, as.Path)
		}
	}
	return files
}

// supervisorSections are the sections of a file; the name of each is at "".
func supervisorSections(text string) (list []map[string]string) {
	key, value := "", []string(nil)
	end := func() {
		if key != "" {
			list[len(list)-1][key] = strings.Join(value, " ")
		}
		key, value = "", nil
	}
	for line := range strings.Lines(text) {
		deeper := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		line, _, _ = strings.Cut(line, " ;")
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSpace(line)
		switch i := strings.IndexAny(line, "=:"); {
		case line == "", line[0] == ';', line[0] == '#':
		case line[0] == '[':
			end()
			list = append(list, map[string]string{"": strings.Trim(line, "[] ")})
		case len(list) == 0:
		case deeper && key != "": // goes on with the one above
			value = append(value, line)
		case i > 0:
			end()
			key, value = strings.ToLower(strings.TrimSpace(line[:i])), []string{strings.TrimSpace(line[i+1:])}
		}
	}
	end()
	return list
}

// supervisedProgram adds the command of a section.
func (l *levers) supervisedProgram(s map[string]string, own string) {
	kind, _, _ := strings.Cut(s[""], ":")
	if !slices.Contains([]string{"program", "fcgi-program", "eventlistener"}, kind) {
		return
	}
	lever := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "supervisord", UID: l.s.uidOf(cmp.Or(s["user"], own)), Trigger: snapshot.TriggerRestart}
	at := runsHere{dir: below("/", s["directory"]), vars: map[string]string{}}
	for pair := range strings.SplitSeq(s["environment"], ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && variableName(name) {
			at.vars[name] = strings.Trim(value, `"'`)
			l.variable(name, at.vars[name], lever, at.dir)
		}
	}
	l.words(quotedWords(s["command"]), lever, at)
}
