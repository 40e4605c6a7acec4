//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestDisplaysOfVNC: a server of VNC that has a port for clients of X, and lets each of them in, asks nobody there, whatever VNC asks.
func TestDisplaysOfVNC(t *testing.T) {
	for line, want := range map[string]string{
		"Xtigervnc :1":                                    "TigerVNC [] asks; ",
		"Xtigervnc :1 -ac":                                "TigerVNC [] asks; ",
		"Xtigervnc :1 -listen tcp":                        "TigerVNC [] asks; ",
		"Xtigervnc :1 -listen tcp -ac":                    "TigerVNC [5901] asks; X server [6001] none; ",
		"Xtigervnc :2 -rfbport 5999 -ac -listen tcp":      "TigerVNC [5999] asks; X server [6002] none; ",
		"Xtigervnc -RfbPort=5998 :2 -ac -listen tcp":      "TigerVNC [5998] asks; X server [6002] none; ",
		"Xvfb :2 -ac -listen tcp":                         "Xvfb [] none; ",
		"Xtigervnc :1 -listen tcp -ac SecurityTypes=None": "TigerVNC [5901] none; X server [6001] none; ",
	} {
		p := &process{argv: strings.Fields(line)}
		p.PID, p.Exe = 77, "/usr/bin/"+p.argv[0]
		v, _ := managed(p)
		v.Settings = settingsOf[v.Name](scanWithProcess(t, nil), p)
		var got strings.Builder
		for _, d := range displaysOf(v, p) {
			fmt.Fprintf(&got, "%s %v %s; ", d.Name, d.Ports, d.Settings["login"].Value)
		}
		if got.String() != want {
			t.Errorf("%s: %q, want %q", line, got.String(), want)
		}
	}
}

// TestPasswordsThatX11vncHides: it writes blanks over a password of its arguments, so that blanks at their end are no sign that it asks nobody.
func TestPasswordsThatX11vncHides(t *testing.T) {
	for _, c := range []struct {
		line   string
		blanks int
		want   snapshot.Status
	}{{"x11vnc -display :3", 0, snapshot.Present}, {"x11vnc -display :3", 16, snapshot.Error}, {"x11vnc -display :3 -allow 192.0.2.", 0, snapshot.Error}} {
		p := &process{argv: strings.Fields(c.line), argLen: len(c.line) + 1 + c.blanks}
		p.PID, p.Exe = 77, "/usr/bin/x11vnc"
		if f := x11vncSettings(scanWithProcess(t, nil), p)["login"]; f.State != c.want {
			t.Errorf("%s and %d blanks: %+v", c.line, c.blanks, f)
		}
	}
}
