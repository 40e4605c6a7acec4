//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
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

// x11vncSettings reads the options of x11vnc(1), which asks for nothing unless it is told a password; ~/.x11vncrc can have more of them.
func x11vncSettings(s *Scan, p *process) map[string]snapshot.Fact {
	asks := slices.ContainsFunc(p.argv, func(a string) bool {
		a = strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		return slices.Contains([]string{"rfbauth", "passwd", "passwdfile", "usepw", "accept", "sslverify"}, a) || strings.HasPrefix(a, "unixpw")
	})
	switch {
	case asks:
		return given(map[string]string{"login": loginAsks})
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
