//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// busServiceDirs are where the system bus looks for who answers to a name (dbus-daemon(1), standard_system_servicedirs).
var busServiceDirs = []string{"/usr/local/share/dbus-1/system-services", "/usr/share/dbus-1/system-services", "/usr/lib/dbus-1/system-services"}

// bus adds what the system bus starts: everybody may ask it to start a name (StartServiceByName), whatever its policy says of messages.
func (l *levers) bus(procs []*process) {
	trigger := snapshot.TriggerRestart
	if slices.ContainsFunc(procs, func(p *process) bool {
		return slices.Contains([]string{"dbus-daemon", "dbus-broker", "dbus-broker-launch"}, p.exeBase())
	}) {
		trigger = snapshot.TriggerNone
	}
	settings := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "D-Bus", Trigger: trigger}
	for _, dir := range busServiceDirs {
		l.tree(dir, settings)
		for _, n := range l.namesIn(dir, maxInDir, "files") {
			if path.Ext(n) == ".service" {
				l.busProgram(path.Join(dir, n), n, trigger)
			}
		}
	}
	for _, file := range []string{"/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.conf"} {
		if _, err := l.s.Host.Lstat(file); err == nil {
			l.add(snapshot.LeverFile{Path: file, Kind: snapshot.LeverSystem, By: "D-Bus", Trigger: snapshot.TriggerRestart})
		}
	}
}

// busProgram adds the program of a name. One with a unit is started as the unit says.
func (l *levers) busProgram(file, name string, trigger snapshot.Trigger) {
	b, err := l.s.Host.ReadFile(file)
	if err != nil {
		if !gone(err) {
			l.out.partialIn("files", "%s: %v", file, err)
		}
		return
	}
	keys := busService(b)
	if uid := l.s.uidOf(keys["User"]); keys["SystemdService"] == "" && uid >= 0 {
		l.words(quotedWords(keys["Exec"]), snapshot.LeverFile{Kind: snapshot.LeverProgram, By: name, UID: uid, Trigger: trigger}, runsHere{dir: "/"})
	}
}

// busService is what a file of a service of the bus says.
func busService(b []byte) map[string]string {
	keys := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, "="); ok {
			keys[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return keys
}
