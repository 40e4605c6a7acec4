//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// sshdCommand is what the command line of sshd says.
type sshdCommand struct {
	config  string   // of -f, or what packages compile in
	named   bool     // it is of -f
	options []string // of -o and -p, as NAME=VALUE
	why     string   // it is not known as a whole
}

// sshdOptions are the options of sshd; a colon follows those that have a value (sshd.c, main).
const sshdOptions = "46C:DE:GQRTVb:c:deg:f:h:ik:o:p:qrtu:"

// sshdArguments reads the command line of a server. One that listens has put it into its title, as one text without quotes, which ends
// where its arguments and its environment ended (openbsd-compat/setproctitle.c).
func sshdArguments(argv []string, cut bool) sshdCommand {
	args, title := argv, false
	why := ""
	if cut {
		why = "it has more arguments than are read"
	}
	if len(argv) > 0 && strings.HasPrefix(argv[0], "sshd: ") {
		text, _, listens := strings.Cut(strings.TrimPrefix(strings.Join(argv, " "), "sshd: "), " [listener]")
		if strings.Contains(text, `\`) { // a tab is written as two characters (strnvis)
			return sshdCommand{config: defaultSSHDConfig, why: "its title has characters that stand for others"}
		}
		args, title = strings.Fields(text), true
		if !listens { // cut off, or of one connection
			why = "its title does not tell its whole command line"
		}
	}
	c := readOptions(args, title)
	if c.why == "" {
		c.why = why
	}
	return c
}

// readOptions reads arguments as getopt(3) does. A title has no quotes: words that are no options belong to the value before them, as sshd
// takes no other arguments.
func readOptions(args []string, title bool) sshdCommand {
	c := sshdCommand{config: defaultSSHDConfig}
	for i := 1; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' || a == "--" {
			if title && a != "--" {
				c.why = "its title has a word that belongs to no option"
			}
			break
		}
		for j := 1; j < len(a); j++ {
			at := strings.IndexByte(sshdOptions, a[j])
			if at < 0 || a[j] == ':' {
				c.why = "its command line has an option that is not known"
				return c
			}
			if at+1 == len(sshdOptions) || sshdOptions[at+1] != ':' {
				continue
			}
			value := a[j+1:]
			if value == "" {
				if i++; i == len(args) {
					c.why = "its command line ends within an option"
					return c
				}
				value = args[i]
			}
			if title && a[j] == 'o' {
				for i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
					i++
					value += " " + args[i]
				}
			}
			c.note(a[j], value)
			break
		}
	}
	return c
}

func (c *sshdCommand) note(option byte, value string) {
	switch option {
	case 'f':
		c.config, c.named = value, true
	case 'p':
		c.options = append(c.options, "port="+value)
	case 'o':
		if key, args := sshd.Directive(value); key != "" {
			c.options = append(c.options, key+"="+strings.Join(args, " "))
		}
	}
}

// packageDirs are where packages have sshd.
var packageDirs = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/lib/ssh", "/usr/libexec"}

// by is a command line as a program has it: which file it reads without -f is compiled in, and known of packages alone.
func (c sshdCommand) by(exe string) sshdCommand {
	if c.why == "" && !c.named && path.IsAbs(exe) && !slices.Contains(packageDirs, path.Dir(exe)) {
		c.why = exe + " is of no package, and which configuration is compiled into it is not known"
	}
	return c
}

// keptOptions are the options whose values can be shown: those that the checks read. Of the others the name is kept.
func keptOptions(options []string) []string {
	var list []string
	for _, o := range options {
		key, _, _ := strings.Cut(o, "=")
		if !sshd.Judged(key) && !slices.Contains([]string{"port", "listenaddress", "authenticationmethods", "allowusers", "allowgroups", "denyusers", "denygroups"}, key) {
			o = key
		}
		list = append(list, o)
	}
	return list
}

// dropbearOptions are those of dropbear(8) that have a value.
const dropbearOptions = "bcrGpPTWKIVAD"

// dropbearSettings is what the command line of Dropbear says, in the words of sshd_config(5): it has no file (svr-runopts.c).
func dropbearSettings(argv []string) map[string][]string {
	m := map[string][]string{
		"permitrootlogin": {"yes"}, "passwordauthentication": {"yes"}, "kbdinteractiveauthentication": {"no"}, "usepam": {"no"},
		"permitemptypasswords": {"no"}, "pubkeyauthentication": {"yes"},
	}
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if len(a) < 2 || a[0] != '-' {
			continue
		}
	letters:
		for j := 1; j < len(a); j++ {
			switch a[j] {
			case 's':
				m["passwordauthentication"] = []string{"no"}
			case 'w':
				m["permitrootlogin"] = []string{"no"}
			case 'g':
				m["permitrootlogin"] = []string{"prohibit-password"}
			case 't':
				m["authenticationmethods"] = []string{"publickey,password"}
			case 'B':
				m["permitemptypasswords"] = []string{"yes"}
			case 'G':
				value := a[j+1:]
				if value == "" && i+1 < len(argv) {
					value = argv[i+1]
				}
				m["allowgroups"] = []string{value}
			}
			if strings.IndexByte(dropbearOptions, a[j]) >= 0 {
				if j+1 == len(a) {
					i++
				}
				break letters
			}
		}
	}
	return m
}

// tinySettings are those of tinysshd(8): it takes keys alone.
func tinySettings() map[string][]string {
	return map[string][]string{
		"permitrootlogin": {"prohibit-password"}, "passwordauthentication": {"no"}, "kbdinteractiveauthentication": {"no"}, "usepam": {"no"},
		"permitemptypasswords": {"no"}, "pubkeyauthentication": {"yes"},
	}
}

// sshSocket is a socket unit that starts an SSH server.
type sshSocket struct {
	unit    string
	service string // that it starts
	kind    string
	listen  []string
	argv    []string // of the service
	command sshdCommand
	holder  *process // that listens, if it is not systemd
}

// socketDirs are where links say that a unit is started (systemd.unit(5)); some systems have them beside the units.
var socketDirs = []string{
	"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/run/systemd/generator.early", "/run/systemd/generator.late",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

// maxSocketUnits bounds the socket units that are looked at.
const maxSocketUnits = 512

// sshSockets are the socket units that are started at boot and start an SSH server: then systemd listens, and the server is told by its
// service how it is configured.
func (s *Scan) sshSockets(out *Outcome) (list []sshSocket) {
	for _, unit := range s.socketUnits(out) {
		if sock, ok := s.sshSocket(unit, out); ok {
			list = append(list, sock)
		}
	}
	return list
}

// socketUnits are the socket units that are enabled: that a directory of what a unit wants or requires leads to.
func (s *Scan) socketUnits(out *Outcome) (units []string) {
	for _, dir := range socketDirs {
		for _, pattern := range []string{"/*.wants/*.socket", "/*.requires/*.socket"} {
			links, more := s.Host.Glob(dir + pattern)
			for _, link := range links {
				if unit := path.Base(link); len(units) > maxSocketUnits {
					more = true
				} else if !slices.Contains(units, unit) {
					units = append(units, unit)
				}
			}
			if more {
				out.partialIn("servers", "not every socket unit was looked at")
			}
		}
	}
	return units
}

// socketService is the unit that a socket unit starts (systemd.socket(5), Service= and Accept=).
func socketService(unit string, lines []unitLine) string {
	stem := strings.TrimSuffix(unit, ".socket")
	accept := unitYes(lastOfKey(lines, "[Socket]", "Accept"))
	switch name := lastOfKey(lines, "[Socket]", "Service"); {
	case name != "":
		return name
	case accept:
		return stem + "@.service"
	}
	return stem + ".service"
}

// accepted says of a unit of the system that it is one connection of a socket unit: such a unit is named by the socket (systemd.socket(5),
// Accept=), and its server is told there.
func accepted(unit string, sockets []sshSocket) bool {
	return slices.ContainsFunc(sockets, func(k sshSocket) bool {
		before, after, template := strings.Cut(k.service, "@.")
		return template && strings.HasPrefix(unit, before+"@") && strings.HasSuffix(unit, "."+after)
	})
}

// sshSocket looks at one socket unit.
func (s *Scan) sshSocket(unit string, out *Outcome) (sshSocket, bool) {
	sock := sshSocket{unit: unit}
	ssh := unit == "ssh.socket" || unit == "sshd.socket"
	lines, why := s.unitLines(unit)
	if why != "" {
		if ssh = ssh && why != unitMasked; ssh {
			sock.kind, sock.command = "openssh", sshdCommand{config: defaultSSHDConfig, why: unit + ": " + why}
			out.partialIn("servers", "%s: %s", unit, why)
		}
		return sock, ssh
	}
	sock.service = socketService(unit, lines)
	for _, key := range []string{"ListenStream", "ListenDatagram"} {
		sock.listen = append(sock.listen, listOfKey(lines, "[Socket]", key)...)
	}
	argv, why := s.startsWith(sock.service)
	if len(argv) > 0 {
		sock.kind = serverPrograms[path.Base(argv[0])]
	}
	switch {
	case sock.kind == "" && !(ssh && why != ""):
		return sock, false
	case sock.kind == "":
		sock.kind = "openssh"
	}
	sock.argv, sock.command = argv, sshdCommand{config: sock.kind + commandLine}
	if sock.kind == "openssh" {
		sock.command = sshdArguments(argv, false).by(argv[0])
	}
	if why != "" {
		sock.command.why = sock.service + ": " + why
	}
	if slices.ContainsFunc(sock.listen, func(l string) bool { return strings.Contains(l, "%") && l[0] != '/' }) {
		out.partialIn("servers", "%s listens on what its unit does not tell by itself", unit)
	}
	return sock, true
}

// listensAs describes a server of a socket unit, or of a super server.
func (s *Scan) listensAs(k *sshSocket) snapshot.SSHServer {
	v := snapshot.SSHServer{
		Kind: k.kind, Unit: k.unit, Activated: true, Config: k.command.config, Mntns: s.initNS().Mnt, Word: snapshot.Word{By: snapshot.ByRoot},
		Options: keptOptions(k.command.options), Listen: k.listen, Unread: k.command.why,
	}
	if p := k.holder; p != nil {
		v.Holder, v.Container, v.Mntns, v.Word = p.PID, p.Container, p.NS.Mnt, s.serverWord(p)
	}
	return v
}
