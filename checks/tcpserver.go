//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// tcpServers listen at the address and the port that their arguments name, and start the program behind these when somebody connects. Each has
// the letters of its options with a value.
var tcpServers = map[string]string{"tcpserver": "cxBbglutIykQ", "tcpsvd": "cCbulixt"}

var (
	socatListens = lazily(`(?i)^(tcp[46]?)-(?:l|listen):([^,:]+)(.*)$`)
	socatBind    = lazily(`(?i),bind=(\[[^\]]*\]|[^,:]+)`)
	socatStarts  = lazily(`(?i)^(?:exec|system|shell):`)
)

// tcpService is what a process starts for whom connects by its arguments alone: tcpserver(1) of ucspi-tcp, tcpsvd(8) of ipsvd and BusyBox, and
// socat(1) with EXEC or SYSTEM. The first word of an SSH server begins its command; launchers may be before it.
func tcpService(p, parent *process) (kind string, v service, ok bool) {
	argv := p.argv
	if kind = p.exeBase(); kind == "busybox" && len(argv) > 0 {
		if path.Base(argv[0]) == "busybox" {
			argv = argv[1:]
		}
		if len(argv) > 0 {
			kind = path.Base(argv[0])
		}
	}
	if p.setID || len(argv) < 2 || p.Leader != 0 || parent != nil && parent != p && parent.exeBase() == p.exeBase() && slices.Equal(parent.argv, p.argv) {
		return "", v, false // a child of socat serves one connection
	}
	var rest []string
	switch valued, is := tcpServers[kind]; {
	case is:
		rest = afterLetters(argv[1:], valued)
		if len(rest) < 3 {
			return "", v, false
		}
		v = service{name: rest[1], stream: true}
		if host := rest[0]; host == "localhost" {
			v.addrs = []string{"127.0.0.1"}
		} else if host != "0" && host != "" {
			v.addrs = []string{host}
		}
		rest = rest[2:]
	case kind == "socat" || kind == "socat1":
		in, out := argv[max(0, len(argv)-2)], argv[len(argv)-1]
		m := socatListens.FindStringSubmatch(in)
		if m == nil || !socatStarts.MatchString(out) {
			return "", v, false
		}
		v = service{name: m[2], stream: true}
		if b := socatBind.FindStringSubmatch(m[3]); b != nil {
			v.addrs = []string{b[1]}
		} else if strings.HasSuffix(m[1], "4") {
			v.addrs = []string{"0.0.0.0"}
		}
		_, command, _ := strings.Cut(out, ":")
		rest = strings.Fields(strings.Map(func(r rune) rune {
			if strings.ContainsRune(`,"'()`, r) {
				return ' '
			}
			return r
		}, command))
	default:
		return "", v, false
	}
	i := slices.IndexFunc(rest, func(a string) bool { return serverPrograms[path.Base(a)] != "" })
	if i < 0 {
		return "", v, false
	}
	v.argv = rest[i:]
	return kind, v, true
}

// afterLetters is what follows options of one letter, of which some have a value (getopt(3)).
func afterLetters(args []string, valued string) []string {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return args[i+1:]
		}
		if len(a) < 2 || a[0] != '-' {
			return args[i:]
		}
		if j := strings.IndexAny(a[1:], valued); j >= 0 && j+2 == len(a) {
			i++
		}
	}
	return nil
}

// givenToAll is what tinysshnoneauthd(8) runs for everybody, as the user that it runs as: it asks nobody, and does not start without -e.
func givenToAll(argv []string) string {
	if len(argv) == 0 || path.Base(argv[0]) != "tinysshnoneauthd" {
		return ""
	}
	for i := 1; i < len(argv) && strings.HasPrefix(argv[i], "-"); i++ {
		j := strings.IndexAny(argv[i][1:], "ex")
		switch {
		case j < 0:
		case argv[i][1+j] == 'x' && j+2 == len(argv[i]): // -x NAME=COMMAND, of subsystems
			i++
		case argv[i][1+j] == 'e' && j+2 < len(argv[i]):
			return argv[i][2+j:]
		case argv[i][1+j] == 'e' && i+1 < len(argv):
			return argv[i+1]
		}
	}
	return ""
}

// givesShell says of such a command that it is a shell.
func givesShell(command string) bool {
	f := strings.Fields(command)
	return len(f) > 0 && slices.Contains(shells, path.Base(f[0])) && !slices.Contains(f, "-c")
}

// noneSettings are those of a server that asks nobody, in the words of sshd_config(5).
func noneSettings(word snapshot.Word) map[string][]string {
	root := "no"
	if word.Trusted() {
		root = "yes"
	}
	return map[string][]string{
		"permitrootlogin": {root}, "passwordauthentication": {"yes"}, "kbdinteractiveauthentication": {"no"}, "usepam": {"no"},
		"permitemptypasswords": {"yes"}, "pubkeyauthentication": {"no"}, "authenticationmethods": {"none"},
	}
}

// loginsOfAll is who gets in where nobody is asked: everybody, as the user of the program.
func (s *Scan) loginsOfAll(word snapshot.Word) *snapshot.SSHLogins {
	if word.Trusted() {
		return &snapshot.SSHLogins{Root: snapshot.Yes, Empty: []string{"root"}}
	}
	name := word.String()
	for _, u := range s.users() {
		if word.By == snapshot.ByUID && u.uid == word.UID {
			name = u.name
		}
	}
	return &snapshot.SSHLogins{Root: snapshot.No, Users: []string{name}, Empty: []string{name}}
}
