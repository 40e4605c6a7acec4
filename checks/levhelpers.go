//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxRotations bounds the files of logrotate that are read.
const maxRotations = 512

// logrotate adds the files that its settings include, and what their scripts run: as root, whatever su says (logrotate(8)).
func (l *levers) logrotate() {
	lever := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "logrotate", Trigger: snapshot.TriggerTimer}
	seen := map[string]bool{}
	var read func(file string)
	include := func(p string) {
		lever.Path = p
		l.add(lever)
		for _, n := range l.namesIn(p, maxInDir, "files") {
			lever.Path = path.Join(p, n)
			l.add(lever)
			read(lever.Path)
		}
		read(p)
	}
	read = func(file string) {
		text, ok := l.rootText(file)
		if !ok || seen[file] {
			return
		}
		if len(seen) == maxRotations {
			l.out.partialIn("files", "logrotate has more files than are read")
			return
		}
		seen[file] = true
		l.rotation(text, include)
	}
	read("/etc/logrotate.conf")
	include("/etc/logrotate.d")
}

// rotation adds what one file of logrotate runs, and calls include with what it reads.
func (l *levers) rotation(text string, include func(string)) {
	as := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "logrotate", Trigger: snapshot.TriggerTimer, Unsure: "whether there is a log to rotate was not looked at"}
	var script strings.Builder
	inside, logs := false, rotatedLogs{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if !inside {
			l.rotates(&logs, line)
		}
		switch {
		case inside && len(words) == 1 && words[0] == "endscript":
			as.Unsure = ""
			l.shell(script.String(), as, runsHere{dir: "/"})
			script.Reset()
			inside = false
		case inside:
			script.WriteString(line)
		case len(words) == 0:
		case len(words) == 1 && slices.Contains([]string{"prerotate", "postrotate", "firstaction", "lastaction", "preremove"}, words[0]):
			inside = true
		case words[0] == "include" && len(words) == 2 && path.IsAbs(words[1]):
			include(path.Clean(words[1]))
		case slices.Contains([]string{"compresscmd", "uncompresscmd"}, words[0]) && len(words) == 2 && path.IsAbs(words[1]):
			as.Path = path.Clean(words[1])
			l.add(as)
		}
	}
}

// sudoCommands adds the programs that rules of sudo let others run.
func (l *levers) sudoCommands(rules []snapshot.SudoRule) {
	for i := range rules {
		r := &rules[i]
		uid := 0
		if len(r.As) > 0 && !slices.ContainsFunc(r.As, func(name string) bool { return name == "ALL" || name == "root" || name == "#0" }) {
			uid = l.s.uidOf(strings.TrimPrefix(r.As[0], "#"))
		}
		lever := snapshot.LeverFile{Kind: snapshot.LeverProgram, By: "sudo", UID: uid, Trigger: snapshot.TriggerOperator}
		if r.Partly == oneContent {
			lever.Unsure = "sudo runs a program of one content alone"
		}
		for _, c := range r.Commands {
			if words := strings.Fields(c.Text); !c.Not && uid >= 0 && len(words) > 0 && path.IsAbs(words[0]) {
				if strings.HasSuffix(words[0], "/") {
					words[0] += "*" // every program of a directory
				}
				l.words(words, lever, runsHere{})
			}
		}
	}
}

// kernelHelpers are where the kernel has the programs that it starts as root: with a | before it, or alone (proc_sys_kernel(5), core(5), cgroups(7)).
var kernelHelpers = []struct {
	pattern, by string
	trigger     snapshot.Trigger
}{
	{"/proc/sys/kernel/core_pattern", "the kernel, for what crashes", snapshot.TriggerNone},
	{"/proc/sys/kernel/modprobe", "the kernel, for modules", snapshot.TriggerNone},
	{"/proc/sys/kernel/hotplug", "the kernel, for devices", snapshot.TriggerNone},
	{"/proc/sys/kernel/poweroff_cmd", "the kernel, to end", snapshot.TriggerOperator},
	{"/sys/kernel/uevent_helper", "the kernel, for devices", snapshot.TriggerNone},
	{"/sys/fs/cgroup/*/release_agent", "the kernel, for cgroups that end", snapshot.TriggerNone},
}

// kernel adds the programs that the kernel starts, as long as their paths are those of this host and not of one around it: they are looked up in
// the mount namespace that the kernel began with.
func (l *levers) kernel() {
	if l.s.Host.Live() && !slices.Contains(firstMounts, l.s.namespaces("1").Mnt) {
		return
	}
	for _, h := range kernelHelpers {
		for _, file := range l.glob(h.pattern) {
			l.add(snapshot.LeverFile{Path: file, Kind: snapshot.LeverSystem, By: h.by, Trigger: h.trigger})
			b, err := l.s.Host.ReadFile(file)
			if err != nil {
				if !gone(err) {
					l.out.partialIn("files", "%s: %v", file, err)
				}
				continue
			}
			text := strings.TrimSpace(string(b))
			if strings.HasSuffix(file, "core_pattern") && !strings.HasPrefix(text, "|") {
				continue // the name of a file
			}
			l.words(strings.Fields(strings.TrimPrefix(text, "|")), snapshot.LeverFile{Kind: snapshot.LeverProgram, By: h.by, Trigger: h.trigger}, runsHere{dir: "/"})
		}
	}
	for _, file := range l.glob("/proc/sys/fs/binfmt_misc/*") {
		b, err := l.s.Host.ReadFile(file)
		if err != nil {
			continue // the one that takes new formats cannot be read
		}
		for line := range strings.Lines(string(b)) {
			if program, ok := strings.CutPrefix(strings.TrimSpace(line), "interpreter "); ok {
				l.words([]string{program}, ofFormat, runsHere{dir: "/"})
			}
		}
	}
}

// ofFormat is the interpreter of a format of programs (binfmt_misc.rst).
var ofFormat = snapshot.LeverFile{
	Kind: snapshot.LeverProgram, By: "the kernel, for programs of a format", Trigger: snapshot.TriggerOperator, Unsure: "whether root runs programs of that format was not looked at",
}
