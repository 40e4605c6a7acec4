//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// maxUnitNames bounds the units whose files are read.
const maxUnitNames = 8_000

// startedBy says by what units are started: links in directories of other units, and those of the same name that start them.
type startedBy struct {
	linked  map[string]bool
	running map[string]bool
	listed  map[leverKey]bool // directories of drop-ins, of which some are of many units
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

// bySystemd says whether systemd is the init: by its directory (sd_booted(3)), or by process 1 where /run is not seen, as below a root directory
// that was given without what is mounted in it.
func (l *levers) bySystemd(procs []*process) bool {
	_, err := l.s.Host.Lstat("/run/systemd/system")
	if err == nil {
		return true
	}
	if !gone(err) {
		l.out.partialIn("files", "whether systemd is the init: %v", err)
	}
	return slices.ContainsFunc(procs, firstIsSystemd)
}

// firstIsSystemd says of a process that it is process 1, and systemd.
func firstIsSystemd(p *process) bool {
	return p.PID == 1 && (path.Base(p.Exe) == "systemd" || p.Exe == "" && p.Comm == "systemd")
}

// systemd adds the units of the system: their files, and what services run.
func (l *levers) systemd(procs []*process) {
	if !l.bySystemd(procs) {
		return
	}
	names := map[string]bool{}
	by := &startedBy{linked: map[string]bool{}, running: map[string]bool{}, listed: map[leverKey]bool{}}
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
		as := settings
		if strings.HasSuffix(dir, "-generators") || strings.HasPrefix(path.Base(dir), "system-s") {
			as.Kind = snapshot.LeverProgram
		}
		l.tree(dir, as)
	}
	settings.By = "every service"
	for _, pattern := range []string{"/etc/systemd/system.conf", "/etc/systemd/system.conf.d/*.conf", "/run/systemd/system.conf.d/*.conf", "/usr/lib/systemd/system.conf.d/*.conf"} {
		l.eachText(pattern, func(text string) {
			for _, key := range []string{"DefaultEnvironment", "ManagerEnvironment"} {
				for _, env := range listOfKey(unitText(nil, []byte(text)), "[Manager]", key) {
					for _, word := range quotedWords(env) {
						name, value, _ := strings.Cut(word, "=")
						l.variable(name, value, settings, "/")
					}
				}
			}
		})
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
	for _, n := range l.namesIn(dir, host.MaxNames, "units") {
		switch path.Ext(n) {
		case ".service", ".socket", ".timer", ".path", ".mount":
			names[n] = true
		case ".wants", ".requires", ".upholds":
			for _, u := range l.namesIn(path.Join(dir, n), host.MaxNames, "units") {
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
	for _, name := range dropInNames(unit) {
		for _, d := range l.s.dropInDirs()[name] {
			if k := (leverKey{path: d, trigger: trigger}); !by.listed[k] {
				by.listed[k] = true
				l.tree(d, lever)
			}
		}
	}
	section := map[string]string{".service": "[Service]", ".socket": "[Socket]", ".mount": "[Mount]"}[path.Ext(unit)]
	if section == "" {
		return
	}
	lines, why := l.s.unitLines(unit)
	switch why {
	case "":
	case unitUnread, unitLong:
		l.out.partialIn("files", "%s: %s", unit, why)
		return
	default:
		return // others than root write it, which is said, or it starts nothing
	}
	l.runsAs(specified(lines, unit), section, unit, trigger)
	for _, instance := range by.instances(unit) {
		lever.By, lever.Trigger = instance, by.trigger(instance)
		for _, d := range l.s.dropInDirs()[instance] {
			l.tree(d, lever)
		}
		of := lines
		for _, file := range l.s.dropIns(instance) {
			if text, ok := l.rootText(file); ok {
				of = unitText(slices.Clone(of), []byte(text))
			}
		}
		l.runsAs(specified(of, instance), section, instance, lever.Trigger)
	}
}

// runsAs adds what a unit runs, as whom it says.
func (l *levers) runsAs(lines []unitLine, section, unit string, trigger snapshot.Trigger) {
	uid := 0
	switch name := lastOfKey(lines, section, "User"); {
	case unitYes(lastOfKey(lines, section, "DynamicUser")), strings.Contains(name, "*"):
		uid = -1 // nobody's account
	case name != "":
		if uid = l.s.uidOf(name); uid < 0 {
			return
		}
	}
	l.runs(lines, section, unit, uid, trigger)
}

// unitYes says of a setting of a unit that it is on (systemd.syntax(7)).
func unitYes(value string) bool {
	return slices.Contains([]string{"1", "yes", "y", "true", "t", "on"}, strings.ToLower(value))
}

// runs adds what a service runs and reads as a user.
func (l *levers) runs(lines []unitLine, section, unit string, uid int, trigger snapshot.Trigger) {
	lever := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: unit, UID: uid, Trigger: trigger, Gives: l.gives(lines, section, uid)}
	at := runsHere{dir: cmp.Or(below("/", strings.TrimPrefix(lastOfKey(lines, section, "WorkingDirectory"), "-")), "/")}
	at.vars = l.environment(lines, section, lever)
	at.in = l.unitSettings(lines, section, lever)
	root := cmp.Or(lastOfKey(lines, section, "RootDirectory"), lastOfKey(lines, section, "RootImage"))
	startOnly := unitYes(lastOfKey(lines, section, "RootDirectoryStartOnly"))
	if root == "" || startOnly { // of paths in another root nothing is known here
		for _, name := range sortedKeys(at.vars) {
			l.variable(name, at.vars[name], lever, at.dir)
		}
		l.variable("PATH", strings.Join(listOfKey(lines, section, "ExecSearchPath"), ":"), lever, at.dir)
	}
	for _, key := range []string{"ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop", "ExecStopPre", "ExecStopPost"} {
		for _, line := range commandsOf(listOfKey(lines, section, key)) {
			command := strings.TrimLeft(line, "-@:+!|")
			as := lever
			prefix := line[:len(line)-len(command)]
			if strings.ContainsAny(prefix, "+!") { // with the powers of the manager
				as.UID, as.Gives = 0, nil
			}
			words := quotedWords(command)
			if strings.Contains(prefix, "@") && len(words) > 1 { // the second is what it is called
				words = slices.Delete(words, 1, 2)
			}
			switch {
			case root == "", startOnly && key != "ExecStart":
				l.words(expanded(words, at.vars), as, at)
			case path.IsAbs(root):
				l.inRoot(path.Clean(root), at.dir, expanded(words, at.vars), as, at)
			}
		}
	}
}

// environment are the variables of a service; the files that they are in are added.
func (l *levers) environment(lines []unitLine, section string, lever snapshot.LeverFile) map[string]string {
	vars := map[string]string{}
	for _, env := range listOfKey(lines, section, "Environment") {
		for _, word := range quotedWords(env) {
			if name, value, ok := strings.Cut(word, "="); ok {
				vars[name] = value
			}
		}
	}
	for _, name := range listOfKey(lines, section, "EnvironmentFile") {
		as := lever
		if as.Kind = snapshot.LeverUnit; as.UID < 0 {
			continue
		}
		for _, as.Path = range l.variableFiles(strings.TrimPrefix(name, "-"), as) {
			l.add(as)
			text, ok := l.rootText(as.Path)
			if !ok {
				continue
			}
			_, set := shellCommands(text, "", nil)
			maps.Copy(vars, set)
		}
	}
	return vars
}

// expanded are words with the variables of a service replaced. Two dollar signs stand for one (systemd.service(5), command lines).
func expanded(words []string, vars map[string]string) []string {
	r := &shellReader{vars: vars}
	for i := range words {
		parts := strings.Split(words[i], "$$")
		for j := range parts {
			parts[j] = r.expand(parts[j])
		}
		words[i] = strings.Join(parts, "$")
	}
	return words
}

// search adds the directories in which somebody's programs or modules are looked for.
func (l *levers) search(dirs, what string, lever snapshot.LeverFile) {
	lever.Kind, lever.By = snapshot.LeverSearch, what+lever.By
	for d := range strings.SplitSeq(dirs, ":") {
		if lever.Path = path.Clean(strings.TrimSuffix(d, "/*")); path.IsAbs(d) && !strings.ContainsAny(d, "%$") {
			l.add(lever)
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
	l.lsb = l.lsbNames(procs)
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
	l.anacrontab("/etc/anacrontab", trigger)
	for _, n := range l.namesIn("/etc/cron.d", maxInDir, "files") {
		l.crontab(path.Join("/etc/cron.d", n), "", trigger)
	}
	for _, dir := range []string{"/var/spool/cron/crontabs", "/var/spool/cron"} {
		for _, u := range l.namesIn(dir, host.MaxNames, "tables") {
			if l.s.uidOf(u) >= 0 {
				l.crontab(path.Join(dir, u), u, trigger)
			}
		}
	}
}

// crontab adds what one table runs; of a user's own table that user runs everything.
func (l *levers) crontab(file, user string, trigger snapshot.Trigger) {
	if l.ignored(file) && user == "" {
		return
	}
	b, err := l.s.Host.ReadFile(file)
	if err != nil {
		if !gone(err) {
			l.out.partialIn("files", "%s: %v", file, err)
		}
		return
	}
	vars := map[string]string{"PATH": "/usr/bin:/bin"} // cron(8)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok && variableName(strings.TrimSpace(name)) {
			name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`)
			vars[name] = value
			continue
		}
		fields := 5
		if line[0] == '@' {
			fields = 1
		}
		who := user
		if f := strings.Fields(line); user == "" && len(f) > fields {
			who = f[fields]
			fields++
		}
		uid := l.s.uidOf(who)
		command := cronCommand(pastFields(line, fields))
		lever := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: file, UID: uid, Trigger: trigger}
		at := runsHere{dir: l.s.accountHome(uid), vars: maps.Clone(vars)} // those above it
		for _, name := range sortedKeys(at.vars) {
			l.variable(name, at.vars[name], lever, at.dir)
		}
		if shell := at.vars["SHELL"]; uid >= 0 && path.IsAbs(shell) {
			l.program(shell, lever, at)
		}
		l.shell(command, lever, at)
	}
}

// cronCommand is the text that a shell gets of a command of cron: a % is the end of a line, and what is after the first its input (crontab(5)).
func cronCommand(text string) string {
	var b strings.Builder
	document := false
	const end = "END OF INPUT"
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '%':
			b.WriteByte('%')
			i++
		case text[i] == '%' && !document:
			document = true
			b.WriteString(" <<'" + end + "'\n")
		case text[i] == '%':
			b.WriteByte('\n')
		default:
			b.WriteByte(text[i])
		}
	}
	if document {
		b.WriteString("\n" + end + "\n")
	}
	return b.String()
}

// pastFields is what comes after the first fields of a line.
func pastFields(line string, n int) string {
	for ; n > 0; n-- {
		i := strings.IndexAny(line, " \t")
		if i < 0 {
			return ""
		}
		line = strings.TrimLeft(line[i:], " \t")
	}
	return line
}

// accountHome is the home of an account, "" if it has none.
func (s *Scan) accountHome(uid int) string {
	for _, u := range s.users() {
		if u.uid == uid && path.IsAbs(u.home) {
			return path.Clean(u.home)
		}
	}
	return ""
}
