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
