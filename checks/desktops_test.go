//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"
)

// TestDesktopsThatAskForNothing: TigerVNC 1.12 offered security type 1 (none) for these options, x11vnc 0.9.16 without any.
func TestDesktopsThatAskForNothing(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		argv  string
		want  string // "" is not known
	}{
		"tiger":             {nil, "Xtigervnc :7 -rfbport 5907", loginAsks},
		"tiger, none":       {nil, "Xtigervnc :7 -SecurityTypes None -localhost=0", loginNone},
		"tiger, one of":     {nil, "Xtigervnc :7 SecurityTypes=VncAuth,TLSNone", loginNone},
		"tiger, the last":   {nil, "Xtigervnc :7 -SecurityTypes None -SecurityTypes VncAuth", loginAsks},
		"x11vnc":            {nil, "x11vnc -display :9 -forever", loginNone},
		"x11vnc, a file":    {nil, "x11vnc -display :9 -rfbauth /p", loginAsks},
		"x11vnc, accounts":  {nil, "x11vnc -display :9 -unixpw", loginAsks},
		"x11vnc, its rc":    {map[string]string{"environ": "HOME=/h\x00", "h/.x11vncrc": "# x\n-rfbauth /p\n"}, "x11vnc", loginAsks},
		"x11vnc, another":   {map[string]string{"environ": "HOME=/h\x00", "h/.x11vncrc": "forever\n"}, "x11vnc", loginNone},
		"x11vnc without rc": {map[string]string{"environ": "HOME=/h\x00", "h/.x11vncrc": "-rfbauth /p\n"}, "x11vnc -norc", loginNone},
		"a display":         {nil, "Xvfb :8 -listen tcp", loginAsks},
		"a display, open":   {nil, "Xvfb :8 -listen tcp -ac", loginNone},
	} {
		if got := settingsAt(t, c.files, strings.Fields(c.argv)...)["login"]; got.Value != c.want {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}
