//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Settings of units (systemd.exec(5), systemd.service(5)): those whose files are looked at elsewhere, or by which nothing is run or read as a setting.
var silentSettings = strings.Fields("ExecStart ExecStartPre ExecStartPost ExecCondition ExecReload ExecStop ExecStopPre ExecStopPost Environment EnvironmentFile ExecSearchPath " +
	"WorkingDirectory RootDirectory RootImage ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ReadWriteDirectories ReadOnlyDirectories InaccessibleDirectories " +
	"TemporaryFileSystem PIDFile ListenStream ListenDatagram ListenSequentialPacket ListenFIFO ListenSpecial ListenNetlink ListenMessageQueue ListenUSBFunction Where Symlinks " +
	"DeviceAllow TTYPath NetworkNamespacePath IPCNamespacePath UtmpIdentifier IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax BlockIODeviceWeight Slice")

// unitSettings adds the files that other settings of a unit name, and says what it reads as its standard input. What the manager opens it opens as root.
func (l *levers) unitSettings(lines []unitLine, section string, lever snapshot.LeverFile) (in []string) {
	for _, line := range lines {
		key := line.key
		if line.section != section || slices.Contains(silentSettings, key) || lever.UID < 0 || !strings.Contains(line.value, "/") {
			continue
		}
		as := lever
		kind, file, _ := strings.Cut(line.value, ":")
		switch {
		case key == "StandardInput":
			if kind == "file" && path.IsAbs(file) {
				in = append(in, path.Clean(file))
			}
			continue
		case key == "StandardOutput", key == "StandardError":
			if as.UID = 0; path.IsAbs(file) && slices.Contains([]string{"file", "append", "truncate"}, kind) {
				l.places(path.Clean(file), lever.By, as)
			}
			continue
		case strings.HasPrefix(key, "LoadCredential"), key == "What", key == "RootHash", strings.HasPrefix(key, "Extension"), strings.HasPrefix(key, "Mount"):
			as.UID = 0
		}
		l.mentioned(pathsIn(strings.TrimLeft(line.value, "-+")), "what "+lever.By+" does by "+key+"= was not followed", as)
	}
	return in
}

// anacrontab adds what anacron runs (anacrontab(5)).
func (l *levers) anacrontab(file string, trigger snapshot.Trigger) {
	text, ok := l.rootText(file)
	if !ok {
		return
	}
	at := runsHere{dir: "/", vars: map[string]string{"PATH": "/usr/bin:/bin"}}
	lever := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: file, Trigger: trigger}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok && variableName(strings.TrimSpace(name)) {
			at.vars = maps.Clone(at.vars)
			at.vars[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"'`)
			l.variable(strings.TrimSpace(name), at.vars[strings.TrimSpace(name)], lever, at.dir)
			continue
		}
		l.shell(pastFields(line, 3), lever, at)
	}
}

// userUnitDirs are where the manager of every user has its units (systemd.unit(5)).
var userUnitDirs = []string{"/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/local/share/systemd/user", "/usr/lib/systemd/user", "/usr/share/systemd/user"}

// maxUserUnits bounds the units of users of one directory.
const maxUserUnits = 512

// userUnits adds what the managers of users start: units of all of them, for each who logs in, and those of their own homes.
func (l *levers) userUnits() {
	var logins []user
	for _, u := range l.s.users() {
		if loginShell(u.shell) || u.uid == 0 {
			logins = append(logins, u)
		}
	}
	for _, dir := range userUnitDirs {
		l.userUnitsIn(dir, logins)
	}
	for _, u := range logins {
		if path.IsAbs(u.home) && u.home != "/" {
			for _, d := range []string{".config/systemd/user", ".local/share/systemd/user"} {
				l.userUnitsIn(path.Join(u.home, d), []user{u})
			}
		}
	}
}

// userUnitsIn adds what the units of a directory run, each as some users.
func (l *levers) userUnitsIn(dir string, users []user) {
	for _, n := range l.namesIn(dir, maxUserUnits, "units") {
		if path.Ext(n) != ".service" {
			continue
		}
		lines, ok := l.userUnit(path.Join(dir, n), users)
		for _, u := range users {
			if ok {
				l.runs(lines, "[Service]", n, u.uid, snapshot.TriggerLogin)
			}
		}
	}
}

// userUnit is what the file of a unit says, with its drop-ins, if root or the only user whose it is decides of it.
func (l *levers) userUnit(file string, users []user) (lines []unitLine, ok bool) {
	for _, f := range append([]string{file}, l.glob(file+".d/*.conf")...) {
		for _, u := range users {
			l.add(snapshot.LeverFile{Path: f, Kind: snapshot.LeverUnit, By: path.Base(file), UID: u.uid, Trigger: snapshot.TriggerLogin})
		}
		a, st, err := l.s.Host.Author(f)
		if err != nil || !st.Mode.IsRegular() || a.Others || a.UID != 0 && (len(users) != 1 || users[0].uid != a.UID) {
			continue // whoever decides of it is listed
		}
		if st.Size > maxScript {
			l.out.partialIn("files", "%s is longer than the settings that are read", f)
			continue
		}
		b, err := l.s.Host.ReadFile(f)
		if err != nil {
			l.out.partialIn("files", "%s: %v", f, err)
			continue
		}
		lines, ok = unitText(lines, b), true
	}
	return lines, ok
}
