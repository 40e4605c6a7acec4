//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the sockets of daemons: the network namespaces whose lists are read, and the sockets.
const (
	maxSocketSpaces = 64
	maxNamedSockets = 4_096
)

// namedSocket is one of /proc/net/unix that has a name.
type namedSocket struct {
	name  string // a path, or @NAME
	inode uint64
}

// namedSockets are those of a list of the kernel that somebody can speak to: they listen, or are of datagrams.
func namedSockets(list []byte) (socks []namedSocket) {
	for line := range bytes.Lines(list) {
		f := strings.Fields(string(line))
		if len(f) < 8 || f[3] != "00010000" && (f[4] != "0002" || len(f) == 8 && ofKernel(f[7])) { // __SO_ACCEPTCON, SOCK_DGRAM
			continue
		}
		inode, err := strconv.ParseUint(f[6], 10, 64)
		if name := strings.Join(f[7:], " "); err == nil && (path.IsAbs(name) || strings.HasPrefix(name, "@")) {
			socks = append(socks, namedSocket{name, inode})
		}
	}
	return socks
}

// ofKernel says of a name that the kernel gave it to a socket that sends (unix(7), autobind): answers come to it, and who is to be asked has a name that
// others know.
func ofKernel(name string) bool {
	digits, ok := strings.CutPrefix(name, "@")
	return ok && len(digits) == 5 && strings.Trim(digits, "0123456789abcdef") == ""
}

// firstPerson is the lowest uid of those that people have (login.defs(5), UID_MIN); the last ones are nobody's.
const (
	firstPerson = 1_000
	nobodys     = 65_534
)

// sockets adds the sockets of the host's daemons that run as root, and of what people run: others speak to them, and what they do for whom is theirs.
func (l *levers) sockets(procs []*process) {
	if !l.s.Host.Live() {
		return
	}
	owners, denied := l.s.socketOwners()
	if denied > 0 {
		l.out.partialIn("files", "whose the sockets of %d processes are was not seen", denied)
	}
	init := l.s.initNS()
	heard, systemd := map[int]*process{}, slices.ContainsFunc(procs, firstIsSystemd)
	spaces := map[uint64]int{init.Net: 0}
	for _, p := range procs {
		if p.UID != 0 && (p.UID < firstPerson || p.UID >= nobodys) || p.Container != "" || p.NS.User != init.User || p.Leader != 0 {
			continue
		}
		heard[p.PID] = p
		if p.UID != 0 {
			continue
		}
		if p.NS.Mnt == init.Mnt || p.NS.Net == init.Net {
			spaces[p.NS.Net] = p.PID
		}
	}
	if len(spaces) > maxSocketSpaces {
		l.out.partialIn("files", "daemons of root are in more network namespaces than are looked at")
	}
	left := maxNamedSockets
	for _, n := range slices.Sorted(maps.Keys(spaces))[:min(len(spaces), maxSocketSpaces)] {
		if spaces[n] == 0 {
			continue
		}
		b, err := l.s.Host.ReadFile("/proc/" + strconv.Itoa(spaces[n]) + "/net/unix")
		if err != nil {
			if !gone(err) {
				l.out.partialIn("files", "the sockets of daemons: %v", err)
			}
			continue
		}
		for _, k := range namedSockets(b) {
			answer := answering(owners[k.inode], systemd)
			i := slices.IndexFunc(answer, func(pid int) bool { return heard[pid] != nil })
			if i < 0 || k.name[0] == '@' && n != init.Net {
				continue
			}
			if left--; left < 0 {
				l.out.partialIn("files", "daemons have more sockets than are looked at")
				return
			}
			l.socket(k.name, heard[answer[i]])
		}
	}
}

// answering are those of a socket's holders that answer who connects: systemd holds those of its units beside the services that it
// gave them to (systemd.socket(5)), and takes no connection of theirs.
func answering(holders []int, systemd bool) []int {
	others := slices.DeleteFunc(slices.Clone(holders), func(pid int) bool { return pid == 1 })
	if len(others) == 0 || !systemd {
		return holders
	}
	return others
}

// packagedPrograms are where programs of packages are.
var packagedPrograms = []string{"/usr/", "/lib/", "/sbin/", "/bin/"}

// daemonName is the name of a daemon that a package installed, by the file that the host has there; a path where it is another's. What was replaced while
// it runs was the host's if the process has its mounts: in others whoever made those put the file there.
func daemonName(p *process, init snapshot.NS) string {
	exe, replaced := strings.CutSuffix(p.Exe, " (deleted)")
	packaged := !strings.HasPrefix(exe, "/usr/local/") && slices.ContainsFunc(packagedPrograms, func(dir string) bool { return strings.HasPrefix(exe, dir) })
	if packaged && (p.ExeWord.Trusted() || replaced && p.NS.Mnt == init.Mnt) {
		return path.Base(exe)
	}
	return cmp.Or(exe, "a program that was not seen")
}

// printsToFiles says whether the scheduler of CUPS lets a printer be a file, which it then writes as root (cups-files.conf(5), FileDevice),
// or may let it: by settings elsewhere, or that were not read.
func (l *levers) printsToFiles(p *process) bool {
	if p.cut || p.NS.Mnt != l.s.initNS().Mnt || slices.ContainsFunc(p.argv, func(a string) bool { return strings.HasPrefix(a, "-") && strings.ContainsAny(a, "cs") }) {
		return true
	}
	b, err := l.s.Host.ReadFile("/etc/cups/cups-files.conf")
	if err != nil {
		return !gone(err)
	}
	for line := range bytes.Lines(b) {
		if f := strings.Fields(strings.ToLower(string(line))); len(f) > 1 && f[0] == "filedevice" && f[1] != "no" && f[1] != "off" && f[1] != "false" {
			return true
		}
	}
	return false
}

// socket adds one socket of a daemon. One that is root's alone is in a container for root of that, if it is mounted there.
func (l *levers) socket(name string, p *process) {
	program := daemonName(p, l.s.initNS())
	if unixDaemons[program] != "" && name[0] != '@' {
		return // what they do is known, and who connects to them is told with the runtimes
	}
	if program == "cupsd" && l.printsToFiles(p) {
		program = p.Exe
	}
	f := snapshot.LeverFile{Path: name, Kind: snapshot.LeverSocket, By: program, UID: p.UID, Trigger: snapshot.TriggerNone, Unsure: "what " + program + " does for who connects to " + name + " was not followed"}
	if name[0] == '@' {
		f.Permits = []snapshot.Permit{{Who: snapshot.PermitAll, At: name}}
		l.list = append(l.list, f)
		return
	}
	f.Path = path.Clean(name)
	_, real, exists, err := l.w.writers(f.Path)
	if err == nil && exists {
		x := l.w.part(real)
		f.Permits = permitsOf(real, x.st, x.group, x.st.Perm&0o002 != 0, x.acl)
		f.Gates, err = l.w.gates(f.Permits)
	}
	switch {
	case err != nil:
		f.Unread = err.Error()
	case !exists:
		return // nobody gets there by its name
	}
	l.list = append(l.list, f)
}
