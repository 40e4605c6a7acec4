//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// What a shell for browsers asks of who opens its page, as the setting login: "asks", "none", or "shows" where nobody can type.
const (
	loginAsks  = "asks"
	loginNone  = "none"
	loginShows = "shows"
)

// askers are programs that ask who somebody is before they give a shell.
var askers = []string{"login", "ssh", "su", "sulogin", "autossh", "mosh"}

// shellSettings says what a program asks that gives a shell to browsers.
func shellSettings(asks func(p *process, env map[string]string) string) func(*Scan, *process) map[string]snapshot.Fact {
	return func(s *Scan, p *process) map[string]snapshot.Fact {
		env, err := s.environ(p)
		how := asks(p, env)
		switch {
		case p.cut:
			return unreadSettings(errCutArgs, "login")
		case err != nil && !gone(err) && how != loginAsks:
			return unreadSettings(err, "login")
		}
		return given(map[string]string{"login": how})
	}
}

// ownOptions are the arguments of a terminal server before the program that it runs, and whether that asks.
func ownOptions(argv []string, valued string) (own []string, asks bool) {
	run := afterOptions(argv[min(1, len(argv)):], strings.Fields(valued))
	return argv[:len(argv)-len(run)], len(run) > 0 && slices.Contains(askers, path.Base(run[0]))
}

// ttydGetopt are the options of ttyd(1).
var ttydGetopt = getopt{valued: "piUcHugswTtmPfIbCKAd", first: true, long: map[string]byte{
	"port": 'p', "interface": 'i', "socket-owner": 'U', "credential": 'c', "auth-header": 'H', "uid": 'u', "gid": 'g', "signal": 's', "cwd": 'w', "url-arg": 'a',
	"readonly": 'R', "writable": 'W', "client-option": 't', "terminal-type": 'T', "check-origin": 'O', "max-clients": 'm', "once": 'o', "exit-no-conn": 'q',
	"browser": 'B', "index": 'I', "base-path": 'b', "ping-interval": 'P', "srv-buf-size": 'f', "ipv6": '6', "ssl": 'S', "ssl-cert": 'C', "ssl-key": 'K',
	"ssl-ca": 'A', "debug": 'd', "version": 'v', "help": 'h',
}}

// ttydAsks reads the options of ttyd(1): with -c it asks for a password, and with -S and -A for a certificate. With -H who connects writes the name
// into a header, and -c does not count then. Since 1.7.4 nobody can type without -W; before that only -R forbids it.
func ttydAsks(p *process, _ map[string]string) string {
	letters, vals, run := ttydGetopt.read(p.argv)
	has := func(of string) bool { return strings.Contains(letters, of) }
	switch {
	case len(run) > 0 && slices.Contains(askers, path.Base(run[0])), has("S") && has("A"), !has("H") && last(vals['c']) != "":
		return loginAsks
	case has("R"):
		return loginShows
	}
	return loginNone
}

// gottyAsks reads the options of GoTTY, with one dash or two: its own file ~/.gotty can only add to them. It asks for certificates by TLS alone.
func gottyAsks(p *process, env map[string]string) string {
	const takeValue = "-a --address -p --port --path -c --credential -r --random-url-length --tls-crt --tls-key --tls-ca-crt --index --title-format " +
		"--reconnect-time --max-connection --timeout --term --ws-origin --width --height --config"
	argv := slices.Clone(p.argv)
	for i, a := range argv[min(1, len(argv)):] {
		if len(a) > 2 && a[0] == '-' && a[1] != '-' && a[2] != '=' {
			argv[i+1] = "-" + a
		}
	}
	own, asks := ownOptions(argv, takeValue)
	flag := func(short, long, variable string) bool {
		return hasFlag(own, short) || hasFlag(own, long) || env[variable] != "" && env[variable] != "false"
	}
	switch {
	case asks, anyArgument(own, "-c", "--credential"), env["GOTTY_CREDENTIAL"] != "":
		return loginAsks
	case anyArgument(own, "--tls-ca-crt") && flag("-t", "--tls", "GOTTY_TLS"):
		return loginAsks
	case flag("-w", "--permit-write", "GOTTY_PERMIT_WRITE"):
		return loginNone
	}
	return loginShows
}

// shellinaboxGetopt are the options of shellinaboxd(1).
var shellinaboxGetopt = getopt{valued: "cfgpsu1234567", flags: "dhntqv", long: map[string]byte{
	"background": 'b', "cert": 'c', "cert-dir": 'c', "cert-fd": '1', "css": '2', "cgroup": '3', "debug": 'd', "static-file": 'f', "group": 'g', "help": 'h', "linkify": '4',
	"localhost-only": 'L', "no-beep": 'N', "numeric": 'n', "pidfile": '5', "port": 'p', "service": 's', "disable-ssl": 't', "disable-ssl-menu": 'M',
	"quiet": 'q', "unixdomain-only": '6', "user": 'u', "user-css": '7', "verbose": 'v', "version": 'V', "disable-utmp-logging": 'D', "disable-peer-check": 'P',
}}

// shellinaboxAsks reads the services of shellinaboxd(1): LOGIN, SSH and AUTH ask, a user with a group does not. Without any it is LOGIN of root,
// and SSH of others.
func shellinaboxAsks(p *process, _ map[string]string) string {
	_, vals, _ := shellinaboxGetopt.read(p.argv)
	for _, service := range vals['s'] {
		_, app, _ := strings.Cut(service, ":")
		kind, _, _ := strings.Cut(app, ":")
		if !slices.Contains([]string{"LOGIN", "SSH", "AUTH"}, kind) {
			return loginNone
		}
	}
	return loginAsks
}

// wettyAsks reads the options of WeTTY and its variables: it runs login or ssh, unless it is given another command or what ssh logs in with.
func wettyAsks(p *process, env map[string]string) string {
	command := argument(p.argv, "--command")
	if command == "" {
		command = argument(p.argv, "-c")
	}
	if command == "" {
		command = env["COMMAND"]
	}
	first, _, _ := strings.Cut(command, " ")
	if command != "" && !slices.Contains(askers, path.Base(first)) || env["SSHPASS"] != "" || env["SSHKEY"] != "" ||
		anyArgument(p.argv, "--ssh-pass", "--ssh-key", "--conf") {
		return loginNone
	}
	return loginAsks
}

// anyArgument says whether one of these options has a value.
func anyArgument(argv []string, names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return argument(argv, n) != "" })
}

// netcatGetopt are the options of ncat(1) and of the netcat of Debian (nc(1), netcat-traditional) that have a value.
var netcatGetopt = getopt{valued: "cegGmdiopqsTwx\x01\x02\x03\x04\x05\x06\x09\x0a\x0b", long: map[string]byte{
	"sh-exec": 'c', "exec": 'e', "lua-exec": 1, "listen": 'l', "keep-open": 'k', "allow": 2, "allowfile": 2, "deny": 3, "denyfile": 3, "source-port": 'p',
	"source": 's', "max-conns": 'm', "delay": 'd', "idle-timeout": 'i', "output": 'o', "hex-dump": 'x', "wait": 'w', "proxy": 4, "proxy-type": 5,
	"proxy-auth": 6, "ssl": 7, "udp": 'u', "ssl-verify": 8, "ssl-cert": 9, "ssl-key": 10, "ssl-trustfile": 11,
}}

// netcatStarts is the command that socat, ncat or netcat starts for whom connects to it by TCP, "" for none.
func netcatStarts(exe string, argv []string) string {
	if !strings.HasPrefix(exe, "socat") {
		letters, vals, _ := netcatGetopt.read(argv)
		if !strings.Contains(letters, "l") || strings.Contains(letters, "u") {
			return ""
		}
		command := last(append(vals['e'], vals['c']...))
		return strings.TrimPrefix(command, "exec ")
	}
	if len(argv) < 3 {
		return ""
	}
	for _, pair := range [][2]string{{argv[len(argv)-2], argv[len(argv)-1]}, {argv[len(argv)-1], argv[len(argv)-2]}} {
		if !socatListens.MatchString(pair[0]) || !socatStarts.MatchString(pair[1]) {
			continue
		}
		kind, command, _ := strings.Cut(pair[1], ":")
		command, _, _ = strings.Cut(command, ",")
		if command = strings.Trim(command, `"' `); command == "" && strings.EqualFold(kind, "shell") {
			command = "sh"
		}
		return command
	}
	return ""
}

// onlyShell says of a command that it is a shell that is told nothing to run, so that who connects tells it.
func onlyShell(command string) bool {
	words := slices.DeleteFunc(strings.Fields(command), func(w string) bool { return strings.ContainsAny(w, "<>") })
	if len(words) == 0 || !slices.Contains(shells, path.Base(words[0])) {
		return false
	}
	return !slices.ContainsFunc(words[1:], func(w string) bool {
		return w[0] != '-' || !strings.HasPrefix(w, "--") && strings.Contains(w, "c")
	})
}

// netcatSettings say that such a shell asks nobody, unless addresses decide on who comes.
func netcatSettings(_ *Scan, p *process) map[string]snapshot.Fact {
	_, vals, _ := netcatGetopt.read(p.argv)
	limited := len(vals[2])+len(vals[3]) > 0
	if strings.HasPrefix(p.exeBase(), "socat") {
		limited = slices.ContainsFunc(p.argv, func(a string) bool {
			a = strings.ToLower(a)
			return strings.Contains(a, ",range=") || strings.Contains(a, ",tcpwrap") || strings.Contains(a, ",sourceport=") || strings.Contains(a, ",lowport")
		})
	}
	switch {
	case p.cut:
		return unreadSettings(errCutArgs, "login")
	case limited:
		return unreadSettings(errSomeAddresses, "login")
	}
	return given(map[string]string{"login": loginNone})
}
