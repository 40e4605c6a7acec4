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

// ttydAsks reads the options of ttyd(1): with -c it asks for a password, with -A for a certificate, with -H it trusts a proxy's word. Since
// 1.7.4 nobody can type without -W; before that only -R forbids it.
func ttydAsks(p *process, _ map[string]string) string {
	const takeValue = "-p --port -i --interface -U --socket-owner -c --credential -H --auth-header -u --uid -g --gid -s --signal -w --cwd -t --client-option " +
		"-T --terminal-type -m --max-clients -P --ping-interval -f --srv-buf-size -I --index -b --base-path -C --ssl-cert -K --ssl-key -A --ssl-ca -d --debug"
	own, asks := ownOptions(p.argv, takeValue)
	switch {
	case asks, anyArgument(own, "-c", "--credential", "-A", "--ssl-ca", "-H", "--auth-header"):
		return loginAsks
	case slices.Contains(own, "-R"), slices.Contains(own, "--readonly"):
		return loginShows
	}
	return loginNone
}

// gottyAsks reads the options of GoTTY: its own file ~/.gotty can only add to them.
func gottyAsks(p *process, env map[string]string) string {
	const takeValue = "-a --address -p --port --path -c --credential -r --random-url-length --tls-crt --tls-key --tls-ca-crt --index --title-format " +
		"--reconnect-time --max-connection --timeout --term --ws-origin --width --height --config"
	own, asks := ownOptions(p.argv, takeValue)
	switch {
	case asks, anyArgument(own, "-c", "--credential", "--tls-ca-crt"), env["GOTTY_CREDENTIAL"] != "":
		return loginAsks
	case slices.Contains(own, "-w"), slices.Contains(own, "--permit-write"), env["GOTTY_PERMIT_WRITE"] != "":
		return loginNone
	}
	return loginShows
}

// shellinaboxAsks reads the services of shellinaboxd(1): LOGIN, SSH and AUTH ask, a user with a group does not. Without any it is LOGIN of root,
// and SSH of others.
func shellinaboxAsks(p *process, _ map[string]string) string {
	for i, a := range p.argv {
		service, long := strings.CutPrefix(a, "--service=")
		if !long && (a == "-s" || a == "--service") && i+1 < len(p.argv) {
			service = p.argv[i+1]
		} else if !long {
			service, long = strings.CutPrefix(a, "-s/")
			if !long {
				continue
			}
		}
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
