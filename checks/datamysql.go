//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// mysqlAccess reads skip-grant-tables of the arguments and of the files that MariaDB and MySQL read (my.cnf). Without it accounts decide, which are
// in the database.
func mysqlAccess(d *dataFiles) access {
	m := mysqlOptions{d: d, whole: true, suffix: d.env["MYSQL_GROUP_SUFFIX"]}
	files := []string{"/etc/my.cnf", "/etc/mysql/my.cnf"}
	if v := d.env["MYSQL_HOME"]; v != "" {
		files = append(files, path.Join(v, "my.cnf"))
	}
	extra, own := "", true
	for _, a := range d.argv[min(1, len(d.argv)):] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "--defaults-extra-file":
			extra = value
		case "--defaults-file":
			files, own = []string{value}, false
		case "--no-defaults":
			files, own = nil, false
		case "--defaults-group-suffix":
			m.suffix = value
		}
	}
	if extra != "" {
		files = append(files, extra)
	}
	if home := d.env["HOME"]; own && home != "" {
		files = append(files, path.Join(home, ".my.cnf"))
	}
	for _, f := range files {
		if err := m.read(f, 0); err != nil {
			return access{err: err}
		}
	}
	for _, a := range d.argv[min(1, len(d.argv)):] {
		if option, ok := strings.CutPrefix(a, "--"); ok {
			m.option(option)
		}
	}
	if m.open && m.whole {
		return access{login: dataNone, gives: "reads and writes all of its data", how: "skip-grant-tables"}
	}
	return access{err: errors.New("its accounts are in its database, which is not read")}
}

// mysqlOptions is whether options of MariaDB or MySQL come to skip-grant-tables, the last of which counts.
type mysqlOptions struct {
	d      *dataFiles
	suffix string // of the groups that it reads besides
	open   bool
	whole  bool // no group for a version tells of it
}

// read applies a file of options, with those that it includes where it does (my_default.c).
func (m *mysqlOptions) read(file string, depth int) error {
	text, err := m.d.optional(file)
	if err != nil {
		return err
	}
	ours, hangs := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		files, more := []string{strings.TrimSpace(rest)}, depth > 8
		switch {
		case name == "!includedir":
			files, more = m.directory(strings.TrimSpace(rest))
		case name != "!include":
			files = nil
		}
		if more {
			return errManyFiles
		}
		for _, f := range files {
			if err := m.read(f, depth+1); err != nil {
				return err
			}
		}
		switch {
		case line == "" || strings.ContainsRune("#;!", rune(line[0])):
		case line[0] == '[':
			group, _, _ := strings.Cut(line[1:], "]")
			ours, hangs = m.group(strings.TrimSpace(group))
		case ours && m.option(mysqlLine(line)):
			m.whole = m.whole && !hangs
		}
	}
	return nil
}

// directory are the files of a directory that it includes, also those that are hidden.
func (m *mysqlOptions) directory(dir string) (files []string, more bool) {
	for _, pattern := range []string{".*.cnf", "*.cnf"} {
		list, cut := m.d.s.globIn(m.d.p, path.Join(dir, pattern))
		files, more = append(files, list...), more || cut
	}
	slices.Sort(files)
	return slices.Compact(files), more || len(files) > maxDataFiles
}

// mysqlGroups are the groups of options that a server reads, whatever its version.
var mysqlGroups = []string{"server", "mysqld", "mariadb", "mariadbd", "galera", "client-server"}

// group says of a group whether the server reads it, and whether that hangs on its version.
func (m *mysqlOptions) group(name string) (ours, hangs bool) {
	name = strings.ToLower(name)
	for _, n := range []string{name, strings.TrimSuffix(name, strings.ToLower(m.suffix))} {
		base, _, of := strings.Cut(n, "-")
		switch {
		case slices.Contains(mysqlGroups, n):
			return true, false
		case of && slices.Contains(mysqlGroups, base):
			ours, hangs = true, true
		}
	}
	return ours, hangs
}

// mysqlLine is an option of a file as it is on a command line: without a comment, blanks and quotes.
func mysqlLine(line string) string {
	name, value, valued := strings.Cut(line, "=")
	if !valued {
		name, _, _ = strings.Cut(name, "#")
		return strings.TrimSpace(name)
	}
	value = strings.TrimSpace(value)
	if q := value; q != "" && (q[0] == '"' || q[0] == '\'') && strings.IndexByte(q[1:], q[0]) >= 0 {
		value = q[1 : 1+strings.IndexByte(q[1:], q[0])]
	} else {
		value, _, _ = strings.Cut(value, "#")
	}
	return strings.TrimSpace(name) + "=" + strings.TrimSpace(value)
}

// option applies an option, and says whether it is the one that counts. It can be shorter as long as it is no other one, and begin with a word that
// turns it round (my_getopt.c).
func (m *mysqlOptions) option(option string) bool {
	name, value, valued := strings.Cut(option, "=")
	name = strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "loose-")
	name, off := strings.CutPrefix(strings.Replace(name, "skip-skip-", "disable-skip-", 1), "disable-")
	name = strings.TrimPrefix(name, "enable-")
	if !strings.HasPrefix(name, "skip-g") || !strings.HasPrefix("skip-grant-tables", name) {
		return false
	}
	m.open = !off && (!valued || slices.Contains([]string{"1", "on", "true"}, strings.ToLower(strings.TrimSpace(value))))
	return true
}
