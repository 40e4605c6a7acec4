//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// named adds what settings of programs of root name: programs that they run, and files that they load.
func (l *levers) named() {
	for _, dir := range []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d"} {
		l.eachText(dir+"/*", l.pam)
	}
	for _, dir := range confDirs("udev/rules.d") {
		l.eachText(dir+"/*.rules", l.udev)
	}
	l.eachText("/etc/apt/apt.conf", l.apt)
	l.eachText("/etc/apt/apt.conf.d/*", l.apt)
	l.eachText("/etc/ld.so.preload", l.preload)
	for _, pattern := range []string{"/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf"} {
		l.eachText(pattern, l.rsyslog)
	}
	l.eachText("/etc/fstab", l.fstab)
	l.jobs()
}

// eachText calls a function with the text of each file of a pattern that root alone decides; whoever else decides of one is listed.
func (l *levers) eachText(pattern string, read func(text string)) {
	for _, file := range l.glob(pattern) {
		if text, ok := l.rootText(file); ok {
			read(text)
		}
	}
}

// rootText is the text of a regular file that root alone decides.
func (l *levers) rootText(file string) (string, bool) {
	a, st, err := l.s.Host.Author(file)
	if err != nil && !host.Absent(err) {
		l.out.partialIn("files", "%s: %v", file, err)
	}
	if err != nil || !st.Mode.IsRegular() || !a.Root() {
		return "", false
	}
	if st.Size > maxScript {
		l.out.partialIn("files", "%s is longer than the settings that are read", file)
		return "", false
	}
	b, err := l.s.Host.ReadFile(file)
	if err != nil {
		l.out.partialIn("files", "%s: %v", file, err)
	}
	return string(b), err == nil
}

// harmlessModules are modules of PAM that let nobody in, and set nothing, by the files that their options name.
var harmlessModules = strings.Fields("pam_mail.so pam_motd.so pam_issue.so pam_lastlog.so pam_lastlog2.so pam_echo.so pam_faillock.so pam_tally2.so pam_pwhistory.so pam_cracklib.so pam_pwquality.so pam_umask.so")

// pam adds the modules of PAM that a file names by their paths, and what pam_exec(8) runs.
func (l *levers) pam(text string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "PAM", Trigger: snapshot.TriggerLogin}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "/") || strings.HasSuffix(w, ".so") })
		if i < 1 {
			continue
		}
		if path.IsAbs(words[i]) {
			as.Path = path.Clean(words[i])
			l.add(as)
		}
		if path.Base(words[i]) == "pam_exec.so" {
			if j := slices.IndexFunc(words[i+1:], path.IsAbs); j >= 0 {
				l.words(words[i+1+j:], as, runsHere{dir: "/"})
			}
		}
		if !slices.Contains(harmlessModules, path.Base(words[i])) {
			paths := pathsIn(strings.Join(words[i+1:], " "))
			if path.Base(words[i]) == "pam_userdb.so" { // its name is without the end
				paths = append(paths, pathsIn(strings.Join(words[i+1:], ".db ")+".db")...)
			}
			l.mentioned(paths, "what "+path.Base(words[i])+" does by what is there was not followed", as)
		}
	}
}

// udevRuns are the keys of udev(7) by which a rule runs a program.
var udevRuns = lazily(`\b(?:RUN(?:\{program\})?|PROGRAM|IMPORT\{program\})\s*[+:]?=+\s*"((?:[^"\\]|\\.)*)"`)

// udevFiles are the keys by which a rule reads a file.
var udevFiles = lazily(`\bIMPORT\{file\}\s*=+\s*"((?:[^"\\]|\\.)*)"`)

func (l *levers) udev(text string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "udev", Trigger: snapshot.TriggerRestart}
	for _, m := range udevFiles.FindAllStringSubmatch(text, maxInDir) {
		l.mentioned(pathsIn(m[1]), "what udev does by what is there was not followed", as)
	}
	for _, m := range udevRuns.FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), maxInDir) {
		words := quotedWords(m[1])
		if len(words) > 0 && !strings.ContainsAny(words[0], "$%") {
			l.words(words, as, runsHere{dir: "/usr/lib/udev"})
		}
	}
}

// aptRuns are the settings of apt.conf(5) by which it runs commands.
var (
	aptRuns = lazily(`(?is)-(?:Invoke(?:-Success|-Stats)?|Install-Pkgs)\s*(?:::)?\s*(\{[^}]*\}|"(?:[^"\\]|\\.)*")`)
	quoted  = lazily(`"((?:[^"\\]|\\.)*)"`)
)

func (l *levers) apt(text string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "apt", Trigger: snapshot.TriggerTimer}
	for _, m := range aptRuns.FindAllStringSubmatch(text, maxInDir) {
		for _, q := range quoted.FindAllStringSubmatch(m[1], maxInDir) {
			l.shell(strings.ReplaceAll(q[1], `\"`, `"`), as, runsHere{dir: "/"})
		}
	}
}

// preload adds the libraries that every program loads (ld.so(8)).
func (l *levers) preload(text string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, p := range strings.FieldsFunc(line, func(r rune) bool { return r == ':' || r == ' ' || r == '\t' || r == '\n' }) {
			l.add(snapshot.LeverFile{Path: p, Kind: snapshot.LeverProgram, By: "the loader", Trigger: snapshot.TriggerNone})
		}
	}
}

// rsyslogRuns are the actions by which rsyslogd(8) runs a program.
var rsyslogRuns = lazily(`(?m)\bbinary="([^"]+)"|\s\^(/[^;\s]+)`)

func (l *levers) rsyslog(text string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "rsyslogd", Trigger: snapshot.TriggerRestart}
	for _, m := range rsyslogRuns.FindAllStringSubmatch(text, maxInDir) {
		l.words(quotedWords(m[1]+m[2]), as, runsHere{dir: "/"})
	}
}

// fstab adds what everybody may mount with its set-id programs (mount(8), the options user and suid).
func (l *levers) fstab(text string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") {
			continue
		}
		suid, anybody := true, false
		for o := range strings.SplitSeq(f[3], ",") {
			switch name, _, _ := strings.Cut(o, "="); name {
			case "user", "users":
				anybody, suid = true, false
			case "owner", "group", "nosuid", "bind", "rbind":
				suid = false
			case "suid":
				suid = true
			}
		}
		who, trigger := "the system mounts", snapshot.TriggerRestart
		if anybody {
			who, trigger = "everybody may mount", snapshot.TriggerNone
		}
		device := l.mountedOf(f[0])
		if suid && anybody && device == "" && !slices.Contains([]string{"tmpfs", "proc", "sysfs", "devpts", "none"}, f[2]) {
			l.list = append(l.list, snapshot.LeverFile{
				Path: path.Clean("/" + f[1]), Kind: snapshot.LeverSystem, By: "mount", Trigger: trigger,
				Unread: fmt.Sprintf("everybody may mount %s there with its set-id programs, and who decides what is in it was not followed", f[0]),
			})
		}
		if suid && device != "" {
			l.add(snapshot.LeverFile{
				Path: device, Kind: snapshot.LeverSystem, By: "mount", Trigger: trigger,
				Unsure: fmt.Sprintf("%s %s with its set-id programs, and who decides what is in it was not followed", who, f[0]),
			})
		}
	}
}

// byDisk are the directories of names by which fstab(5) tells a device.
var byDisk = map[string]string{"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel", "ID": "by-id"}

// mountedOf is the file that a line of fstab mounts, "" if that is none of this host, or not there.
func (l *levers) mountedOf(spec string) string {
	if path.IsAbs(spec) && !strings.HasPrefix(spec, "//") {
		return path.Clean(spec)
	}
	key, value, _ := strings.Cut(spec, "=")
	dir := byDisk[key]
	if dir == "" {
		return ""
	}
	p := path.Join("/dev/disk", dir, strings.ReplaceAll(strings.Trim(value, `"`), "/", `\x2f`))
	if l.w.part(p).err != nil {
		return "" // whoever attaches one that is called so decides
	}
	return p
}

// maxJobs bounds the jobs of at(1) that are read.
const maxJobs = 256

// jobs adds what jobs of at(1) run, each as the user whom its file belongs to.
func (l *levers) jobs() {
	for _, dir := range []string{"/var/spool/cron/atjobs", "/var/spool/at"} {
		for _, n := range l.namesIn(dir, maxJobs, "jobs") {
			file := path.Join(dir, n)
			st, err := l.s.Host.Lstat(file)
			if err != nil || !st.Mode.IsRegular() || st.Perm&0o100 == 0 {
				continue // it is none that waits
			}
			if st.Size > maxScript {
				l.out.partialIn("files", "%s is longer than the jobs that are read", file)
				continue
			}
			b, err := l.s.Host.ReadFile(file)
			if err != nil {
				l.out.partialIn("files", "%s: %v", file, err)
				continue
			}
			text, home := job(string(b))
			l.shell(text, snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "at", UID: st.UID, Trigger: snapshot.TriggerTimer}, runsHere{dir: home})
		}
	}
}

// job is what a job of at(1) runs, which it hands to a shell, and its directory.
func job(text string) (commands, dir string) {
	var b strings.Builder
	end, refused := "", false // within what is done where the directory is not there
	for line := range strings.Lines(text) {
		bare := strings.TrimSpace(line)
		switch {
		case refused:
			refused = bare != "}"
		case end != "" && bare == end:
			return b.String(), dir
		case end != "":
			b.WriteString(line)
		case strings.HasPrefix(bare, "cd ") && strings.HasSuffix(bare, "{"):
			dir, _, _ = strings.Cut(strings.TrimPrefix(bare, "cd "), " ||")
			refused = true
		case strings.Contains(bare, "<< '"):
			_, mark, _ := strings.Cut(bare, "<< '")
			end = strings.TrimSuffix(mark, "'")
			b.Reset()
		default:
			b.WriteString(line)
		}
	}
	return b.String(), dir
}

// sshdPlaces adds what the SSH server believes of who logs in: files of keys and of authorities, and the commands that name keys (sshd_config(5)).
func (l *levers) sshdPlaces() {
	var lines []string
	read := func(text string) { lines = append(lines, strings.Split(text, "\n")...) }
	l.eachText("/etc/ssh/sshd_config.d/*.conf", read)
	l.eachText("/etc/ssh/sshd_config", read)
	strict := true
	for _, line := range lines {
		if f := sshdWords(line); len(f) == 2 && strings.EqualFold(f[0], "StrictModes") {
			strict = strings.EqualFold(f[1], "yes")
			break
		}
	}
	unsure := ""
	if strict {
		unsure = sshdStrict
	}
	l.strictSSH = unsure
	for _, line := range lines {
		f := sshdWords(line)
		if len(f) < 2 {
			continue
		}
		as := snapshot.LeverFile{Kind: snapshot.LeverLogin, By: "the SSH server", Trigger: snapshot.TriggerNone}
		switch strings.ToLower(f[0]) {
		case "authorizedkeysfile", "authorizedprincipalsfile":
			as.Unsure = unsure
			for _, p := range f[1:] {
				l.keyFiles(p, as)
			}
		case "trustedusercakeys":
			if as.Path = path.Clean(f[1]); path.IsAbs(as.Path) { // or none
				l.add(as)
			}
		case "authorizedkeyscommand", "authorizedprincipalscommand":
			if !path.IsAbs(f[1]) {
				continue
			}
			as.Kind, as.Unsure = snapshot.LeverProgram, "sshd runs no command that others than root can write"
			as.Path = path.Clean(f[1])
			l.add(as)
			as.Unsure = ""
			l.follow(as, runsHere{dir: "/"})
		}
	}
}

// sshdStrict is why a file of keys that others write is not known to be read.
const sshdStrict = "the SSH server believes no file of keys that others can write, or a directory on the way to it (StrictModes)"

// sshdWords are the words of a line of sshd_config(5).
func sshdWords(line string) []string {
	line, _, _ = strings.Cut(line, "#")
	return strings.Fields(strings.Replace(strings.ReplaceAll(line, `"`, ""), "=", " ", 1))
}

// keyFiles adds the files of keys of each account that logs in, by a pattern outside of its home.
func (l *levers) keyFiles(pattern string, as snapshot.LeverFile) {
	if !path.IsAbs(pattern) {
		return // below the home: those are listed with it
	}
	for _, u := range l.s.users() {
		if !loginShell(u.shell) {
			continue
		}
		as.UID = u.uid
		as.Path = path.Clean(strings.NewReplacer("%%", "%", "%u", u.name, "%h", u.home, "%U", fmt.Sprint(u.uid)).Replace(pattern))
		l.add(as)
	}
}

// modules adds the directories in which the interpreters of root's programs look for modules.
func (l *levers) modules() {
	for _, pattern := range []string{
		"/usr/lib/python3*", "/usr/lib/python3*/[ds]i[st]*-packages", "/usr/local/lib/python3*", "/usr/local/lib/python3*/[ds]i[st]*-packages",
		"/etc/perl", "/usr/share/perl5", "/usr/share/perl", "/usr/local/share/perl",
	} {
		for _, d := range l.glob(pattern) {
			as := snapshot.LeverFile{Path: d, Kind: snapshot.LeverSearch, By: "modules of interpreters", Trigger: snapshot.TriggerOperator}
			l.add(as)
			l.startOfPython(d, as)
		}
	}
}

// startOfPython adds the files of a directory of modules that Python runs whatever it is started for (site).
func (l *levers) startOfPython(dir string, as snapshot.LeverFile) {
	as.Kind, as.By = snapshot.LeverProgram, "Python"
	for _, name := range []string{"*.pth", "[su]*customize.py"} {
		for _, as.Path = range l.glob(path.Join(dir, name)) {
			l.add(as)
		}
	}
}
