//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// strict is a program that takes no file that others than root own or may write, or that has another name than those that it looks for.
type strict struct {
	name  string
	group bool        // the group 0 may write it
	dirs  bool        // of directories too
	names *lazyRegexp // nil is any
}

// The programs, each tried: sudo says who owns a file or writes it and goes on without it, cron and logrotate do so in their logs, doas ends.
var (
	strictSudo   = strict{"sudo", true, true, lazily(`^[^.]*[^.~]$`)}
	strictDoas   = strict{"doas", false, false, nil}
	strictCron   = strict{"cron", false, false, lazily(`^[A-Za-z0-9_-]+$`)}
	strictRotate = strict{"logrotate", false, false, nil}
)

// strictOf is the program that takes a file, nil if it takes any.
func (l *levers) strictOf(p string) *strict {
	switch dir := path.Dir(p); {
	case p == "/etc/sudoers", p == "/etc/sudoers.d", dir == "/etc/sudoers.d", l.included[p]:
		return &strictSudo
	case p == "/etc/doas.conf":
		return &strictDoas
	case p == "/etc/logrotate.conf", p == "/etc/logrotate.d", dir == "/etc/logrotate.d":
		return &strictRotate
	case p == "/etc/crontab", p == "/etc/cron.d", dir == "/etc/cron.d", strings.HasPrefix(p, "/var/spool/cron/crontabs"):
		if l.debianCron() {
			return &strictCron
		}
	}
	return nil
}

// debianCron says that cron is the one of Debian, whose package has the program. Others have their own rules, and some the same name (cronie).
func (l *levers) debianCron() bool {
	if l.debian == nil {
		l.debian = new(l.findDebianCron())
	}
	return *l.debian
}

func (l *levers) findDebianCron() bool {
	const program = "/usr/sbin/cron"
	b, err := l.s.Host.ReadFile("/var/lib/dpkg/info/cron.list")
	if err != nil || !slices.Contains(strings.Split(string(b), "\n"), program) {
		return false
	}
	x := l.w.part(program)
	return x.err == nil && x.st.Mode.IsRegular()
}

// lsbOption is the one by which cron of Debian takes tables whose names have dots (cron(8)).
var lsbOption = lazily(`(?m)^[^#\n]*\s?-[a-zA-Z]*l`)

// lsbNames says whether cron has that option, by its process or its settings.
func (l *levers) lsbNames(procs []*process) bool {
	b, err := l.s.Host.ReadFile("/etc/default/cron")
	return err != nil && !gone(err) || lsbOption.Match(b) || slices.ContainsFunc(procs, func(p *process) bool {
		return p.exeBase() == "cron" && len(p.argv) > 1 && lsbOption.MatchString(strings.Join(p.argv[1:], " "))
	})
}

// refuses says of a file, or a directory, that it takes it in no case as it is.
func (s *strict) refuses(st host.Stat) bool {
	switch {
	case st.IsDir && !s.dirs:
		return false
	case st.UID != 0, st.Perm&0o002 != 0:
		return true
	}
	return st.Perm&0o020 != 0 && (!s.group || st.GID != 0)
}

// ignored says of a file that the program that it is for does not read it.
func (l *levers) ignored(p string) bool {
	s := l.strictOf(p)
	if s == nil {
		return false
	}
	if dir := path.Dir(p); s.names != nil && !(l.lsb && dir == "/etc/cron.d") && (dir == "/etc/sudoers.d" || dir == "/etc/cron.d") && !s.names.MatchString(path.Base(p)) {
		return true
	}
	st, err := l.s.Host.Stat(p)
	return err == nil && s.refuses(st)
}

// leaves splits the permits of a file: those who write what is read, and those who can put a file there that the program refuses, as it is theirs.
func (l *levers) leaves(f *snapshot.LeverFile, list []snapshot.Permit, real string) (read, put []snapshot.Permit, why string) {
	s := l.strictOf(f.Path)
	if s == nil {
		return list, nil, ""
	}
	x := l.w.part(real)
	for _, p := range list {
		switch {
		case p.At != real || x.err != nil:
			put = append(put, p)
		case s.refuses(x.st):
		case x.st.IsDir:
			put = append(put, p)
		default:
			read = append(read, p)
		}
	}
	return read, put, s.name + " takes no file that is another's than root's, and whether one of root's can be put there was not followed"
}

// partOfNames are the names of programs that run-parts(8) of Debian runs.
var partOfNames = lazily(`^[A-Za-z0-9_-]+$`)

// runsPart says of a file of a directory whose programs run-parts runs that it does so by its name. Other programs of that name have their own rules.
func (l *levers) runsPart(dir, name string) bool {
	if !slices.Contains([]string{"/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"}, dir) || partOfNames.MatchString(name) {
		return true
	}
	_, real, exists, err := l.w.writers("/usr/bin/run-parts")
	return err != nil || !exists || path.Base(real) != "run-parts" || errors.Is(l.object(real).err, host.ErrNotObject)
}

// sudoers is the text of the rules of sudo without the files that it refuses, and whether there are any; nil where all are taken.
func (s *Scan) sudoers() (text []byte, all bool) {
	r := &sudoersReader{s: s, host: s.nodeName()}
	r.read("/etc/sudoers", 0)
	if !r.refused || r.unread {
		return nil, true
	}
	return []byte(r.text.String()), false
}

// sudoIncludes adds the files and directories that rules of sudo include.
func (l *levers) sudoIncludes() {
	lever := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "sudo", Trigger: snapshot.TriggerNone}
	r := &sudoersReader{s: l.s, host: l.s.nodeName(), names: func(p string) {
		l.included[p] = true
		lever.Path = p
		l.add(lever)
	}}
	r.read("/etc/sudoers", 0)
}

type sudoersReader struct {
	s               *Scan
	host            string
	text            strings.Builder
	files           int
	refused, unread bool
	// names is called with each file and directory that is read, if somebody is to hear of them.
	names func(p string)
}

// Bounds of the files of sudo (sudoers(5): 128 in one another).
const (
	maxSudoersDepth = 16
	maxSudoersFiles = 1_024
)

var included = lazily(`^\s*[@#](include|includedir)\s+"?((?:[^"\s\\]|\\.)+)"?\s*$`)

func (r *sudoersReader) read(file string, depth int) {
	r.named(file)
	st, err := r.s.Host.Stat(file)
	if r.files++; depth > maxSudoersDepth || r.files > maxSudoersFiles || err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.unread = true
		return
	}
	switch {
	case err != nil:
		return
	case strictSudo.refuses(st):
		r.refused = true
		return
	}
	b, err := r.s.Host.ReadFile(file)
	if err != nil {
		r.unread = true
		return
	}
	continued := false
	for line := range strings.Lines(string(b)) {
		m := included.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		goes := strings.HasSuffix(strings.TrimRight(line, "\r\n"), `\`)
		if m == nil || continued {
			r.text.WriteString(line)
			continued = goes
			continue
		}
		short, _, _ := strings.Cut(r.host, ".")
		at := strings.ReplaceAll(strings.ReplaceAll(m[2], `\ `, " "), "%h", short)
		if !path.IsAbs(at) {
			at = path.Join(path.Dir(file), at)
		}
		if m[1] == "include" {
			r.read(at, depth+1)
		} else {
			r.dir(at, depth+1)
		}
	}
	r.text.WriteString("\n")
}

func (r *sudoersReader) named(p string) {
	if r.names != nil {
		r.names(p)
	}
}

func (r *sudoersReader) dir(dir string, depth int) {
	r.named(dir)
	st, err := r.s.Host.Stat(dir)
	if err == nil && strictSudo.refuses(st) {
		r.refused = true
		return
	}
	names, err := r.s.Host.ReadDir(dir)
	if err != nil && !gone(err) {
		r.unread = true
	}
	slices.Sort(names)
	for _, n := range names {
		if strictSudo.names.MatchString(n) {
			r.read(path.Join(dir, n), depth)
		}
	}
}
