//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxUnitNames bounds the units whose files are read.
const maxUnitNames = 8_000

// startedBy says by what units are started: links in directories of other units, and those of the same name that start them.
type startedBy struct {
	linked  map[string]bool
	running map[string]bool
}

// trigger is when a service is started next.
func (b *startedBy) trigger(unit string) snapshot.Trigger {
	stem := strings.TrimSuffix(unit, ".service")
	switch {
	case b.linked[stem+".timer"]:
		return snapshot.TriggerTimer
	case b.running[unit], b.linked[unit], b.linked[stem+".socket"], b.linked[stem+".path"]:
		return snapshot.TriggerRestart
	}
	return snapshot.TriggerOperator
}

// systemd adds the units of the system: their files, and what services run.
func (l *levers) systemd(procs []*process) {
	if _, err := l.s.Host.Lstat("/run/systemd/system"); err != nil {
		return // another init
	}
	names := map[string]bool{}
	by := &startedBy{linked: map[string]bool{}, running: map[string]bool{}}
	for _, p := range procs {
		by.running[p.Unit] = p.Unit != ""
	}
	for _, dir := range unitDirs {
		l.add(snapshot.LeverFile{Path: dir, Kind: snapshot.LeverUnit, By: "systemd", Trigger: snapshot.TriggerRestart})
		l.unitsIn(dir, names, by)
	}
	if len(names) > maxUnitNames {
		l.out.partialIn("files", "there are more units than are read")
	}
	n := 0
	for _, unit := range sortedKeys(names) {
		if n++; n > maxUnitNames {
			return
		}
		l.unit(unit, by)
	}
	settings := snapshot.LeverFile{Kind: snapshot.LeverUnit, By: "systemd", Trigger: snapshot.TriggerRestart}
	for _, file := range []string{"/etc/systemd/system.conf", "/etc/systemd/user.conf"} {
		settings.Path = file
		l.add(settings)
	}
	for _, dir := range managerDirs {
		l.tree(dir, settings)
	}
}

// managerDirs are what systemd runs and reads besides units. Other settings below /etc/systemd are of daemons that run nothing.
var managerDirs = func() (list []string) {
	for _, root := range []string{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"} {
		for _, n := range []string{"system-generators", "system-environment-generators", "user-generators", "user-environment-generators", "system.conf.d", "user.conf.d"} {
			list = append(list, root+"/"+n)
		}
	}
	return append(list, "/etc/systemd/user", "/usr/lib/systemd/system-sleep", "/usr/lib/systemd/system-shutdown")
}()

// unitsIn notes the names of units in a directory, and those that links there start.
func (l *levers) unitsIn(dir string, names map[string]bool, by *startedBy) {
	list, err := l.s.Host.ReadDir(dir)
	if err != nil {
		if denied(err) {
			l.out.partialIn("files", "%s: %v", dir, err)
		}
		return
	}
	for _, n := range list {
		switch path.Ext(n) {
		case ".service", ".socket", ".timer", ".path", ".mount":
			names[n] = true
		case ".wants", ".requires", ".upholds":
			linked, err := l.s.Host.ReadDir(path.Join(dir, n))
			if err != nil && !gone(err) {
				l.out.partialIn("files", "%s: %v", path.Join(dir, n), err)
			}
			for _, u := range linked {
				by.linked[u] = true
			}
		}
	}
}

// unit adds the files of a unit, and of a service what it runs.
func (l *levers) unit(unit string, by *startedBy) {
	trigger := by.trigger(unit)
	lever := snapshot.LeverFile{Kind: snapshot.LeverUnit, By: unit, Trigger: trigger}
	for _, dir := range unitDirs {
		if file := path.Join(dir, unit); l.w.part(file).err == nil {
			lever.Path = file
			l.add(lever)
			break
		}
	}
	for _, dir := range unitDirs {
		if d := path.Join(dir, unit+".d"); l.w.part(d).err == nil {
			l.tree(d, lever)
		}
	}
	if path.Ext(unit) != ".service" {
		return
	}
	lines, why := l.s.unitLines(unit)
	if why != "" {
		return // others than root write it, which is said, or it starts nothing
	}
	uid := 0
	switch name := lastOfKey(lines, "[Service]", "User"); {
	case lastOfKey(lines, "[Service]", "DynamicUser") == "yes", lastOfKey(lines, "[Service]", "DynamicUser") == "true", strings.Contains(name, "%"):
		uid = -1 // nobody's account
	case name != "":
		if uid = l.s.uidOf(name); uid < 0 {
			return
		}
	}
	l.runs(lines, unit, uid, trigger)
}

// runs adds what a service runs and reads as a user.
func (l *levers) runs(lines []unitLine, unit string, uid int, trigger snapshot.Trigger) {
	lever := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: unit, UID: uid, Trigger: trigger}
	for _, key := range []string{"ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop", "ExecStopPost"} {
		for _, line := range listOfKey(lines, "[Service]", key) {
			command := strings.TrimLeft(line, "-@:+!|")
			as := lever
			if strings.ContainsAny(line[:len(line)-len(command)], "+!") { // with the powers of the manager
				as.UID = 0
			}
			l.command(command, as)
		}
	}
	if uid < 0 {
		return
	}
	for _, file := range listOfKey(lines, "[Service]", "EnvironmentFile") {
		as := lever
		as.Kind, as.Path = snapshot.LeverUnit, strings.TrimPrefix(file, "-")
		if !strings.ContainsAny(as.Path, "%*?[$") {
			l.add(as)
		}
	}
	for _, env := range listOfKey(lines, "[Service]", "Environment") {
		for _, word := range unitWords(env) {
			if dirs, ok := strings.CutPrefix(word, "PATH="); ok {
				l.search(dirs, lever)
			}
		}
	}
}

// search adds the directories in which somebody's programs are looked for.
func (l *levers) search(dirs string, lever snapshot.LeverFile) {
	lever.Kind, lever.By = snapshot.LeverSearch, "programs of "+lever.By
	for d := range strings.SplitSeq(dirs, ":") {
		if lever.Path = d; path.IsAbs(d) {
			l.add(lever)
		}
	}
}

// unitWords are the words of a setting; quotes are left out (systemd.syntax(7)).
func unitWords(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\"'", r) })
}

// interpreter are programs that run the file that an argument names.
var interpreter = regexp.MustCompile(`^(?:sh|bash|dash|zsh|ksh|busybox|env|python[0-9.]*|perl[0-9.]*|ruby[0-9.]*|node|nodejs|php[0-9.]*|java|lua[0-9.]*|npx|bun|deno|sudo|runuser|su|nice|ionice|timeout|flock|chroot|setpriv|systemd-cat|chrt|taskset)$`)

// command adds what a command line runs: its program, and if that runs others, each word that is the path of a file.
func (l *levers) command(line string, lever snapshot.LeverFile) {
	if lever.UID < 0 {
		return
	}
	words := unitWords(line)
	if len(words) > maxWords {
		l.out.partialIn("files", "%s has a command line of more words than are looked at", lever.By)
		words = words[:maxWords]
	}
	for i, w := range words {
		w = strings.TrimRight(strings.TrimLeft(w, "-@:+!|&;({"), ";&|)}")
		if !path.IsAbs(w) || strings.ContainsAny(w, "%$*?") {
			continue
		}
		if lever.Path = path.Clean(w); i == 0 {
			l.add(lever)
		} else if interpreter.MatchString(path.Base(words[0])) {
			if x := l.w.part(lever.Path); x.err == nil && (x.st.Mode.IsRegular() || x.link != "") {
				l.add(lever)
			}
		}
	}
}

// maxWords bounds the words of a command line that are looked at.
const maxWords = 256

// uidOf is the uid of an account by its name or number, or -1.
func (s *Scan) uidOf(name string) int {
	for _, u := range s.users() {
		if u.name == name {
			return u.uid
		}
	}
	if n := atoi(name); n > 0 || name == "0" {
		return n
	}
	return -1
}

// cron adds what cron runs (cron(8), crontab(5)).
func (l *levers) cron(procs []*process) {
	trigger := snapshot.TriggerOperator
	if slices.ContainsFunc(procs, func(p *process) bool {
		return slices.Contains([]string{"cron", "crond", "anacron", "fcron"}, p.exeBase())
	}) {
		trigger = snapshot.TriggerTimer
	}
	settings := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "cron", Trigger: trigger}
	for _, f := range []string{"/etc/crontab", "/etc/anacrontab", "/var/spool/cron/crontabs/root", "/var/spool/cron/root", "/var/spool/cron", "/var/spool/cron/crontabs"} {
		settings.Path = f
		l.add(settings)
	}
	l.tree("/etc/cron.d", settings)
	for _, d := range []string{"/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"} {
		l.tree(d, snapshot.LeverFile{Kind: snapshot.LeverProgram, By: d, Trigger: trigger})
	}
	l.crontab("/etc/crontab", "", trigger)
	names, _ := l.s.Host.ReadDir("/etc/cron.d")
	for _, n := range names[:min(len(names), maxInDir)] {
		l.crontab(path.Join("/etc/cron.d", n), "", trigger)
	}
	for _, dir := range []string{"/var/spool/cron/crontabs", "/var/spool/cron"} {
		users, err := l.s.Host.ReadDir(dir)
		if err != nil && denied(err) {
			l.out.partialIn("files", "%s: %v", dir, err)
		}
		for _, u := range users[:min(len(users), maxInDir)] {
			if l.s.uidOf(u) >= 0 {
				l.crontab(path.Join(dir, u), u, trigger)
			}
		}
	}
}

// crontab adds what one table runs; of a user's own table that user runs everything.
func (l *levers) crontab(file, user string, trigger snapshot.Trigger) {
	b, err := l.s.Host.ReadFile(file)
	if err != nil {
		if !gone(err) {
			l.out.partialIn("files", "%s: %v", file, err)
		}
		return
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "PATH" {
			l.search(strings.Trim(strings.TrimSpace(value), `"'`), snapshot.LeverFile{By: file, Trigger: trigger, UID: max(0, l.s.uidOf(user))})
			continue
		}
		fields := 5
		if line[0] == '@' {
			fields = 1
		}
		f := strings.Fields(line)
		who := user
		if user == "" && len(f) > fields {
			who = f[fields]
			fields++
		}
		if uid := l.s.uidOf(who); uid >= 0 && len(f) > fields {
			l.cronCommand(f[fields:], snapshot.LeverFile{Kind: snapshot.LeverProgram, By: file, UID: uid, Trigger: trigger})
		}
	}
}

// cronCommand adds the files that the command of a table names: a shell runs it.
func (l *levers) cronCommand(words []string, lever snapshot.LeverFile) {
	l.command("sh "+strings.Join(words, " "), lever)
}
