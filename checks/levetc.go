//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// confDirs are the directories in which programs of the system have settings of a name (systemd.unit(5), modprobe.d(5), udev(7)).
func confDirs(name string) []string {
	return []string{"/etc/" + name, "/run/" + name, "/usr/local/lib/" + name, "/usr/lib/" + name}
}

// spreadPlaces are settings by which the system runs or writes something, that are in each of these directories.
var spreadPlaces = []place{
	{"tmpfiles.d", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-tmpfiles", true},
	{"sysusers.d", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-sysusers", true},
	{"binfmt.d", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-binfmt", true},
	{"sysctl.d", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-sysctl", true},
	{"udev/rules.d", snapshot.LeverSystem, snapshot.TriggerRestart, "udev", true},
	{"modprobe.d", snapshot.LeverSystem, snapshot.TriggerRestart, "modprobe", true},
	{"modules-load.d", snapshot.LeverSystem, snapshot.TriggerRestart, "systemd-modules-load", true},
}

// spread are places in each of those directories.
func spread(list []place) (all []place) {
	for _, p := range list {
		for _, p.path = range confDirs(p.path) {
			all = append(all, p)
		}
	}
	return all
}

// etc adds what settings of the system run by a shell, and what those elsewhere than in /etc name.
func (l *levers) etc() {
	for _, name := range []string{"tmpfiles.d", "binfmt.d"} {
		for _, dir := range confDirs(name)[1:] {
			for _, file := range l.glob(dir + "/*.conf") {
				l.names(snapshot.LeverFile{Path: file, Kind: snapshot.LeverSystem, By: "what reads its settings", Trigger: snapshot.TriggerRestart}, 1, nil)
			}
		}
	}
	for _, dir := range confDirs("modprobe.d") {
		l.eachText(dir+"/*.conf", l.modprobe)
	}
	for _, pattern := range []string{"/etc/network/interfaces", "/etc/network/interfaces.d/*"} {
		l.eachText(pattern, l.interfaces)
	}
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*"} {
		l.eachText(pattern, l.aptSources)
	}
	for _, file := range []string{"/etc/dhcpcd.enter-hook", "/etc/dhcpcd.exit-hook"} { // a shell reads them
		l.followAs(snapshot.LeverFile{Path: file, Kind: snapshot.LeverProgram, By: "dhcpcd", Trigger: snapshot.TriggerTimer}, runsHere{dir: "/"}, true)
	}
	l.eachText("/var/lib/binfmts/*", func(text string) { // update-binfmts(8) gives them to the kernel when the host starts
		for line := range strings.Lines(text) {
			if program := strings.TrimSpace(line); path.IsAbs(program) {
				l.words([]string{program}, ofFormat, runsHere{dir: "/"})
			}
		}
	})
	l.incron()
}

// modprobe adds what modprobe.d(5) has a shell run in place of loading or removing a module.
func (l *levers) modprobe(text string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "modprobe", Trigger: snapshot.TriggerRestart, Unsure: "whether that module is loaded or removed was not looked at"}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if f := strings.Fields(line); len(f) > 2 && (f[0] == "install" || f[0] == "remove") {
			l.shell(pastFields(strings.TrimSpace(line), 2), as, runsHere{dir: "/"})
		}
	}
}

// ifupRuns are the keys by which interfaces(5) has a shell run something.
var ifupRuns = strings.Fields("up down pre-up post-up pre-down post-down")

func (l *levers) interfaces(text string) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "ifupdown", Trigger: snapshot.TriggerRestart, Unsure: "whether ifupdown is told to start or stop that interface was not looked at"}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if f := strings.Fields(line); len(f) > 1 && slices.Contains(ifupRuns, f[0]) {
			l.shell(pastFields(line, 1), as, runsHere{dir: "/"})
		}
	}
}

// aptSources adds the directories that apt has packages from, and the keys by which it believes them (sources.list(5)).
func (l *levers) aptSources(text string) {
	as := snapshot.LeverFile{By: "apt", Trigger: snapshot.TriggerOperator}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		for _, scheme := range []string{"file:", "copy:"} {
			line = strings.ReplaceAll(line, scheme+"/", " /")
		}
		l.mentioned(pathsIn(line), "whether apt believes what is there was not followed", as)
	}
}

// incron adds what tables of incron(8) run, each as the user of its name (incrontab(5)).
func (l *levers) incron() {
	const dir = "/var/spool/incron"
	for _, n := range l.namesIn(dir, host.MaxNames, "tables") {
		uid := l.s.uidOf(n)
		as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "incron", UID: uid, Trigger: snapshot.TriggerNone, Unsure: "whether incron runs was not looked at"}
		text, ok := l.rootText(path.Join(dir, n))
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); ok && uid >= 0 && line != "" && line[0] != '#' {
				l.shell(pastFields(line, 2), as, runsHere{dir: "/"})
			}
		}
	}
}

// handed is a text that settings have a shell run.
var handed = lazily(`\b(?:ba|da|k|z)?sh\s+-[a-z]*c\s+(?:\\?"((?:[^"\\]|\\.)*)"|'([^']*)')`)

// handedOver adds what a line of settings has a shell run.
func (l *levers) handedOver(line, unsure string, lever snapshot.LeverFile) {
	for _, m := range handed.FindAllStringSubmatch(line, maxInDir) {
		lever.Kind, lever.Unsure = snapshot.LeverProgram, unsure
		l.shell(m[1]+m[2], lever, runsHere{dir: "/"})
	}
}

// scriptOfEtc adds what a script in /etc runs that nothing was seen to run: many programs run what they find in directories of their settings.
func (l *levers) scriptOfEtc(f snapshot.LeverFile, x pathPart) {
	if x.st.Perm&0o111 == 0 || l.scripts[f.Path] {
		return
	}
	f.Kind, f.By, f.Trigger, f.Unsure = snapshot.LeverProgram, f.Path, snapshot.TriggerOperator, "whether root runs "+f.Path+" was not followed"
	l.follow(f, runsHere{dir: "/"})
}
