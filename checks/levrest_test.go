//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestLongSettings: what a long file of settings names is not passed over without a word; what is no text is none.
func TestLongSettings(t *testing.T) {
	long := strings.Repeat("# nothing\n", 10<<10)
	passedOver(t, "/opt", map[string]passedCase{"long": {[]string{"644 0:0 /etc/x.conf = include /opt/a\n" + long, anns}, false}})
	for text, want := range map[string]bool{strings.Repeat(long, 11): true, "\x00" + strings.Repeat(long, 11): false, long: false} {
		out := collectPowers(t.Context(), powerHost(t, "644 0:0 /etc/x.conf = "+text), new(snapshot.Snapshot))
		if told := slices.ContainsFunc(out.reasons, func(r string) bool { return strings.Contains(r, "/etc/x.conf is longer") }); told != want {
			t.Errorf("%d bytes that begin with %q: told is %v: %v", len(text), text[:2], told, out.reasons)
		}
	}
}

// TestLongFilesThatRun: no file that says what is run is passed over without a word for its length.
func TestLongFilesThatRun(t *testing.T) {
	long := strings.Repeat("# nothing\n", maxScript/10+1)
	for file, before := range map[string][]string{
		"644 0:0 /etc/logrotate.d/x":               nil,
		"700 0:0 /var/spool/cron/atjobs/a1":        nil,
		"644 0:0 /etc/systemd/user/x.service":      nil,
		"644 0:0 /srv/variables":                   {unitOf("EnvironmentFile=/srv/variables; ExecStart=/usr/bin/x")},
		"644 0:0 /etc/supervisor/supervisord.conf": nil,
	} {
		_, name, _ := strings.Cut(file, "0:0 ")
		out := collectPowers(t.Context(), powerHost(t, append(before, file+" = "+long)...), new(snapshot.Snapshot))
		if !slices.ContainsFunc(out.reasons, func(r string) bool { return strings.Contains(r, name+" is longer") }) {
			t.Errorf("%s: %v", name, out.reasons)
		}
	}
}
