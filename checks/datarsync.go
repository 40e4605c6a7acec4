//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
)

// rsyncFile reads rsyncd.conf(5), and what it includes: each module has the settings for all that came before it, and texts that come after it at
// last where nothing was said (loadparm.c of rsync).
type rsyncFile struct {
	d       *dataFiles
	all     map[string]string // the settings for all modules so far
	options map[string]string // those of the command line, which count with the first module
	modules []section
	at      *section // nil: for all modules
}

// rsyncAccess says who is let in by modules: one without auth users asks for nobody's name. The file is read again for each connection.
func rsyncAccess(d *dataFiles) access {
	f := &rsyncFile{d: d, all: map[string]string{}, options: rsyncOptions(d.argv)}
	if err := f.read(cmp.Or(argument(d.argv, "--config"), "/etc/rsyncd.conf"), 0); err != nil {
		return access{err: err}
	}
	a, err := access{login: dataAsks}, error(nil)
	for i := range f.modules {
		v := f.access(&f.modules[i])
		err = cmp.Or(err, v.err)
		a = moreOpen(a, v)
	}
	if a.login != dataNone && err != nil {
		return access{err: err}
	}
	return a
}

// rsyncOptions are the settings for all modules that the command line gives (rsync(1), --dparam).
func rsyncOptions(argv []string) map[string]string {
	set := map[string]string{}
	for _, o := range optionValues(argv, "--dparam", "-M") {
		if key, value, ok := strings.Cut(o, "="); ok {
			setRsync(set, key, value)
		}
	}
	return set
}

// setRsync notes a setting. What is no boolean leaves one as it was.
func setRsync(set map[string]string, key, value string) {
	key, value = settingName(key), strings.TrimSpace(value)
	if key == "readonly" || key == "writeonly" {
		if value = settingName(value); !slices.Contains([]string{"yes", "true", "1", "no", "false", "0"}, value) {
			return
		}
	}
	set[key] = value
}

// read goes through a file as if it stood where it is named.
func (f *rsyncFile) read(file string, depth int) error {
	if !path.IsAbs(file) {
		return errors.New(file + " is no whole path")
	}
	if f.d.n++; f.d.n > maxDataFiles || depth > 4 {
		return errManyFiles
	}
	b, _, err := f.d.s.readNamed(f.d.p, file)
	if err != nil {
		return err
	}
	joined := ""
	for line := range strings.Lines(string(b)) {
		line = joined + strings.TrimRight(line, "\r\n")
		if joined = ""; strings.Trim(line, " \t") == "" || strings.ContainsAny(strings.TrimLeft(line, " \t")[:1], "#;") {
			continue
		}
		if before, more := strings.CutSuffix(line, `\`); more { // a comment has no such end
			joined = before + " "
			continue
		}
		if err := f.line(strings.TrimSpace(line), file, depth); err != nil {
			return err
		}
	}
	return nil
}

func (f *rsyncFile) line(line, file string, depth int) error {
	switch line[0] {
	case '[':
		name, _, ok := strings.Cut(line[1:], "]")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return errors.New(file + " has a line that rsync does not take")
		}
		return f.module(name)
	case '&':
		end := max(0, strings.IndexAny(line, " \t="))
		return f.include(strings.TrimLeft(line[end:], " \t="), strings.ToLower(line[min(1, end):end]), depth)
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return nil // it is passed over
	}
	set := f.all
	if f.at != nil {
		set = f.at.set
	}
	setRsync(set, key, value)
	return nil
}

// module goes on with a module, or with what is for all.
func (f *rsyncFile) module(name string) error {
	if f.at = nil; strings.EqualFold(name, "global") {
		return nil
	}
	if len(f.modules) == 0 {
		maps.Copy(f.all, f.options)
	}
	i := slices.IndexFunc(f.modules, func(m section) bool { return settingName(m.name) == settingName(name) })
	if i < 0 {
		if i = len(f.modules); i >= maxServices {
			return errManyFiles
		}
		f.modules = append(f.modules, section{name: name, set: maps.Clone(f.all)})
	}
	f.at = &f.modules[i]
	return nil
}

// include reads a file, or those of a directory: merge as if they stood there, include with settings for all of their own.
func (f *rsyncFile) include(what, how string, depth int) error {
	suffix := map[string]string{"include": "*.conf", "merge": "*.inc"}[how]
	if suffix == "" || !path.IsAbs(what) {
		return errors.New("&" + how + " " + what + " was not followed")
	}
	st, err := f.d.s.statIn(f.d.p, what)
	if err != nil {
		return err
	}
	files := []string{what}
	if st.IsDir {
		var more bool
		if files, more = f.d.s.globIn(f.d.p, path.Join(what, suffix)); more {
			return errManyFiles
		}
		slices.Sort(files)
	}
	for _, file := range files {
		all := maps.Clone(f.all)
		if how == "include" {
			f.at = nil
		}
		if err := f.read(file, depth+1); err != nil {
			return err
		}
		if how == "include" {
			f.all, f.at = all, nil
		}
	}
	return nil
}

// access is what a module lets everybody do.
func (f *rsyncFile) access(m *section) access {
	get := func(key string) string {
		if v, ok := m.set[key]; ok {
			return v
		}
		return f.all[key]
	}
	reads, writes := !isYes(m.set["writeonly"]), m.set["readonly"] != "" && !isYes(m.set["readonly"])
	asks := get("authusers")
	if strings.Contains(asks, "%") {
		return access{login: dataAsks, err: errors.New("auth users of the module " + m.name + " has a variable")}
	}
	if asks != "" || !reads && !writes {
		return access{login: dataAsks}
	}
	does := strings.Join(slices.DeleteFunc([]string{map[bool]string{true: "reads"}[reads], map[bool]string{true: "writes"}[writes]}, func(s string) bool { return s == "" }), " and ")
	a := access{login: dataNone, gives: does + " the files of " + get("path"), how: "the module " + m.name + " has no auth users"}
	if someHosts(get("hostsallow"), get("hostsdeny")) {
		a.login, a.how = dataSome, a.how+", and some hosts alone"
	}
	return a
}

// someHosts says of the lists of hosts that they let some in alone: who is in none of them is let in where anybody is denied by name, or nobody is
// allowed so (access.c of rsync and of Samba). Samba has a word for everybody besides.
func someHosts(allow, deny string, all ...string) bool {
	everybody := func(list string) bool {
		return slices.ContainsFunc(strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t", r) }), func(h string) bool {
			return strings.Trim(h, "*") == "" || strings.HasSuffix(h, "/0") || strings.HasSuffix(h, "/0.0.0.0") || slices.Contains(all, strings.ToUpper(h))
		})
	}
	return !everybody(allow) && (everybody(deny) || allow != "" && deny == "")
}
