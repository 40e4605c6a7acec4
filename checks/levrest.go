//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the settings that are gone through.
const (
	maxSettings     = 20_000
	maxSettingDepth = 12
)

// restUnsure is why what somebody writes in /etc is not known to give more.
const restUnsure = "what root's programs do by what others write there was not followed"

// runNothing are files and directories by which nobody runs anything, and those that are listed whole.
var runNothing = []string{
	"/etc/systemd", "/etc/motd", "/etc/issue", "/etc/issue.net", "/etc/hostname", "/etc/machine-id", "/etc/localtime", "/etc/timezone", "/etc/adjtime", "/etc/mtab",
}

// rest adds what others write in /etc, and in the state of cloud-init, that nothing else has listed: root's programs read their settings there, and no
// list of them is whole.
func (l *levers) rest() {
	listed, told := map[string]bool{}, map[string]bool{}
	for i := range l.list {
		told[l.list[i].Path] = true
		if f := &l.list[i]; f.Unsure == "" && f.Kind != snapshot.LeverSecret {
			listed[f.Path] = true
		}
	}
	f := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "what reads its settings", Trigger: snapshot.TriggerOperator, Unsure: restUnsure}
	left := maxSettings
	l.settings("/etc", f, listed, told, &left, 0)
	l.settings("/usr/local/etc", f, listed, told, &left, 0)
	f.By = "cloud-init"
	l.settings("/var/lib/cloud", f, listed, told, &left, 0)
	f.By = "what makes of the host what files there say"
	for _, f.Path = range []string{"/srv/salt", "/srv/pillar", "/var/lib/puppet", "/opt/puppetlabs/puppet"} {
		if l.w.part(f.Path).err == nil {
			l.add(f)
			l.settings(f.Path, f, listed, told, &left, 0)
		}
	}
}

// settings adds what is in a directory, and in those in it.
func (l *levers) settings(dir string, f snapshot.LeverFile, listed, told map[string]bool, left *int, depth int) {
	for _, n := range l.namesIn(dir, host.MaxNames, "settings") {
		if *left--; *left < 0 || depth == maxSettingDepth {
			l.out.partialIn("files", "%s has more settings than are looked at", dir)
			return
		}
		f.Path = path.Join(dir, n)
		x := l.w.part(f.Path)
		if x.err != nil || listed[f.Path] || volatile(x, dir) || slices.Contains(runNothing, f.Path) || l.ignored(f.Path) || !l.runsPart(dir, n) {
			continue
		}
		if x.st.Mode.IsRegular() || x.st.IsDir || x.st.Mode&fs.ModeSymlink != 0 {
			l.add(f)
		}
		if x.st.IsDir {
			l.settings(f.Path, f, listed, told, left, depth+1)
		} else if x.st.Mode.IsRegular() {
			l.scriptOfEtc(f, x)
			l.names(f, x.st.Size, told)
		}
	}
}

// maxNaming bounds the files of settings of which it is looked at what they name.
const maxNaming = 1 << 20

// quiet are files and directories of which no program of root runs what they name, and those that are read elsewhere.
var quiet = []string{
	"/etc/apparmor.d", "/etc/selinux", "/etc/ssl/certs", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/fonts", "/etc/passwd", "/etc/passwd-", "/etc/shadow", "/etc/shadow-",
	"/etc/group", "/etc/group-", "/etc/gshadow", "/etc/gshadow-", "/etc/shells", "/etc/subuid", "/etc/subgid", "/etc/logrotate.d", "/etc/logrotate.conf", "/etc/crontab", "/etc/anacrontab",
	"/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/init.d", "/etc/ld.so.cache", "/etc/exports", "/etc/mime.types", "/etc/services",
	"/etc/sudoers", "/etc/sudoers.d", "/etc/udev/rules.d", "/etc/fstab", "/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/doas.conf", "/etc/ssh/ssh_config",
}

// runsWhat are words of a line of settings that say that a program does more by the file that it names than to keep its data there.
var runsWhat = lazily(`(?i)include|source|import|plugin|module|load|exec|command|script|hook|program|run\b|helper|action|daemon|wrapper|handler|filter|pipe|install|monitor|^[\w-]*(?:up|down)\b`)

// states are settings of programs that make of a host what files say, wherever those are.
var states = lazily(`^/etc/(?:salt|puppet|puppetlabs|chef|cinc|ansible|cfengine3)/`)

// names adds the files that a file of settings of root names, if others than root decide of them: a program is named so, or what its line says is run.
func (l *levers) names(f snapshot.LeverFile, size int64, told map[string]bool) {
	if size == 0 || slices.ContainsFunc(quiet, func(q string) bool { return f.Path == q || strings.HasPrefix(f.Path, q+"/") }) {
		return
	}
	head, err := l.head(f.Path)
	if err == nil && bytes.IndexByte(head, 0) >= 0 {
		return
	}
	if size > maxNaming {
		l.out.partialIn("files", "%s is longer than the settings that are read", f.Path)
		return
	}
	b, err := l.s.Host.ReadFile(f.Path)
	if err != nil && !gone(err) {
		l.out.partialIn("files", "%s: %v", f.Path, err)
	}
	if err != nil || bytes.IndexByte(b, 0) >= 0 {
		return
	}
	why := "what root's programs do by what is there, which " + f.Path + " names, was not followed"
	copies := strings.HasSuffix(path.Dir(f.Path), "tmpfiles.d")
	all := states.MatchString(f.Path)
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if bytes.IndexByte(line, '/') < 0 || line[0] == '#' || line[0] == ';' || bytes.HasPrefix(line, []byte("//")) {
			continue
		}
		if copies && line[0] != 'C' { // the others make, change and take away what they name (tmpfiles.d(5))
			continue
		}
		if bytes.Contains(line, []byte("sh")) && runsWhat.Match(line) { // a shell is handed what is run: the words are looked for last, they take longest
			l.handedOver(string(line), why, f)
		}
		for _, p := range pathsIn(string(line)) {
			if told[p] || !l.othersDecide(p) {
				continue
			}
			x := l.w.part(p)
			runs := x.err == nil && (x.link != "" || x.st.Mode.IsRegular() && (x.st.Perm&0o111 != 0 || moduleNames.MatchString(p)))
			if runs || all || copies || runsWhat.Match(line) {
				f.Unsure = why
				l.mentioned([]string{p}, why, f)
			}
		}
	}
}

// othersDecide says of a path whether somebody else than root may decide of it: it or a directory on the way is another's, may be written by others, or is a link.
func (l *levers) othersDecide(p string) bool {
	for ; p != "/"; p = path.Dir(p) {
		if x := l.w.part(p); x.err != nil && !gone(x.err) || x.err == nil && (x.st.UID != 0 || x.st.Perm&0o022 != 0 || x.link != "") {
			return true
		}
	}
	return false
}

// volatile says of a link that it leads to what a program of the system keeps of its own state, and not to where others keep theirs.
func volatile(x pathPart, dir string) bool {
	to := below(dir, x.link)
	within := func(d string) bool { return to == d || strings.HasPrefix(to, d+"/") }
	return slices.ContainsFunc([]string{"/run", "/var/run", "/proc", "/dev", "/sys"}, within) &&
		!slices.ContainsFunc([]string{"/run/user", "/var/run/user", "/run/lock", "/var/run/lock", "/run/shm", "/var/run/shm", "/dev/shm", "/dev/mqueue"}, within)
}
