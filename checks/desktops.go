//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// desktopSettings is whether a remote desktop asks for nothing, as the setting login.
func desktopSettings(open func(argv []string) bool) func(*Scan, *process) map[string]snapshot.Fact {
	return func(_ *Scan, p *process) map[string]snapshot.Fact {
		switch {
		case open(p.argv):
			return given(map[string]string{"login": loginNone})
		case p.cut:
			return unreadSettings(errCutArgs, "login")
		}
		return given(map[string]string{"login": loginAsks})
	}
}

// x11vncSettings reads the options of x11vnc(1), which asks for nothing unless it is told a password; ~/.x11vncrc can have more of them. It writes
// blanks over a password of its arguments and over what is told of it.
func x11vncSettings(s *Scan, p *process) map[string]snapshot.Fact {
	asks := slices.ContainsFunc(p.argv, func(a string) bool {
		a = strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		return slices.Contains([]string{"rfbauth", "passwd", "passwdfile", "usepw", "accept", "sslverify"}, a) || strings.HasPrefix(a, "unixpw")
	})
	switch {
	case asks:
		return given(map[string]string{"login": loginAsks})
	case p.argLen > len(strings.Join(p.argv, "\x00"))+1:
		return unreadSettings(errBlanks, "login")
	case anyArgument(p.argv, "-allow", "--allow"):
		return unreadSettings(errSomeAddresses, "login")
	case p.cut:
		return unreadSettings(errCutArgs, "login")
	case slices.Contains(p.argv, "-norc"):
		return given(map[string]string{"login": loginNone})
	}
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return unreadSettings(err, "login")
	}
	file := path.Join((&agentFiles{s: s, p: p, env: env}).home(), ".x11vncrc")
	if v := argument(p.argv, "-rc"); v != "" {
		file = v
	}
	text, err := s.readAtStart(p, file)
	switch {
	case gone(err):
		return given(map[string]string{"login": loginNone})
	case err != nil:
		return unreadSettings(err, "login")
	}
	for _, l := range keyLines(string(text)) {
		if slices.Contains([]string{"rfbauth", "passwd", "passwdfile", "usepw", "accept", "sslverify", "unixpw"}, strings.TrimLeft(l[0], "-")) {
			return given(map[string]string{"login": loginAsks})
		}
	}
	return given(map[string]string{"login": loginNone})
}

var errBlanks = errors.New("it wrote blanks over its arguments, as it does over a password")

var errSomeAddresses = errors.New("it lets some addresses in alone, and which zones these are of is not worked out")

// tigerOpen says whether TigerVNC lets a client choose a kind of security that has no password (Xvnc(1), SecurityTypes).
func tigerOpen(argv []string) (open bool) {
	for i, a := range argv {
		name, value, given := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !strings.EqualFold(name, "SecurityTypes") {
			continue
		}
		if !given && i+1 < len(argv) {
			value = argv[i+1]
		}
		open = slices.ContainsFunc(strings.Split(value, ","), func(t string) bool {
			return slices.Contains([]string{"none", "tlsnone", "x509none"}, strings.ToLower(strings.TrimSpace(t)))
		})
	}
	return open
}

// displayOpen says of an X server that it lets every client in (Xserver(1), -ac).
func displayOpen(argv []string) bool { return slices.Contains(argv, "-ac") }

// displaysOf are a server, and the X server that one of VNC is besides if that lets every client in (-ac) and has a port for them.
func displaysOf(v snapshot.ManagedServer, p *process) []snapshot.ManagedServer {
	tcp := slices.Contains(optionValues(p.argv, "-listen"), "tcp")
	if v.Name != "TigerVNC" && v.Name != "Xvnc" || !tcp || !displayOpen(p.argv) {
		return []snapshot.ManagedServer{v}
	}
	display := 0
	for _, a := range p.argv {
		if n, err := strconv.Atoi(strings.TrimPrefix(a, ":")); err == nil && strings.HasPrefix(a, ":") {
			display = n
		}
	}
	x := v
	x.Name, x.Ports, x.Settings = "X server", []int{6000 + display}, given(map[string]string{"login": loginNone})
	port := 5900 + display
	for i, a := range p.argv {
		name, value, valued := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if strings.EqualFold(name, "rfbport") && !valued && i+1 < len(p.argv) {
			value = p.argv[i+1]
		}
		if strings.EqualFold(name, "rfbport") {
			port = atoiOr(value, port)
		}
	}
	v.Ports = []int{port}
	return []snapshot.ManagedServer{v, x}
}
