//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProgramsOfSupervisord: what supervisord runs is told, wherever its settings are, as the user that it runs it as.
func TestProgramsOfSupervisord(t *testing.T) {
	conf := func(text string) string { return "644 0:0 /etc/supervisor/supervisord.conf = " + text + "\n" }
	passedOver(t, "/opt", map[string]passedCase{
		"a program":            {[]string{conf("[program:x]\ncommand=/opt/a x ; y"), anns}, true},
		"another sign":         {[]string{conf("[program:x]\nCommand: /opt/a"), anns}, true},
		"a listener":           {[]string{conf("[supervisord]\nuser=root\n[eventlistener:x]\ncommand=/opt/a"), anns}, true},
		"a variable":           {[]string{conf("[program:x]\ncommand=/usr/bin/x\nenvironment=A=\"b\",LD_PRELOAD=\"/opt/a\""), anns}, true},
		"a directory of files": {[]string{conf("[include]\nfiles = /opt/d/*.conf"), annsDir}, true},
		"a file":               {[]string{conf("[include]\nfiles = /opt/a"), anns}, true},
		"files of root":        {[]string{conf("[include]\nfiles = x\n  %(here)s/../../srv/*.conf"), "644 0:0 /srv/x.conf = [program:x]\ncommand=/opt/a\n", anns}, true},
		"a file beside it":     {[]string{conf("[include]\nfiles = more/*"), "644 0:0 /etc/supervisor/more/x = [program:x]\ncommand=/opt/a\n", anns}, true},
	})
	for _, text := range []string{
		"[supervisord]\nuser=ann\n[program:x]\ncommand=/opt/a", "[program:x]\ncommand=/opt/a\nuser = ann ; hers", "[supervisord]\nuser=ann\n[program:x]\nuser=ann\ncommand=/opt/a",
	} {
		if got, want := found(t, powerHost(t, conf(text), anns), "/opt"), []string{"program /opt/a 1000 restart: all 0 at /opt/a"}; !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestLongSettingsAreGoneThroughOnce: values that go on for as long as a file can be, commands with open quotes and many shares take no time that grows with the square.
func TestLongSettingsAreGoneThroughOnce(t *testing.T) {
	var shares strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&shares, "[%06x]\n", i)
	}
	for name, read := range map[string]func() int{
		"supervisord": func() int {
			return len(supervisorSections("[program:a]\ncommand = a\n" + strings.Repeat(" x\n", 600_000))[0]["command"])
		},
		"commands of a unit": func() int { return len(commandsOf([]string{"'" + strings.Repeat(" ; ", 340_000)})[0]) },
		"shares":             func() int { return len(sections(shares.String())) },
	} {
		began := time.Now()
		if n := read(); n < 130_000 || time.Since(began) > 30*time.Second {
			t.Errorf("%s: %d after %s", name, n, time.Since(began))
		}
	}
}
