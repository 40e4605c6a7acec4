package host

import (
	"strings"
	"testing"
)

// TestUnitName takes the names that systemd takes, and nothing that a path, a shell or an option could be made of.
func TestUnitName(t *testing.T) {
	for _, good := range []string{"docker.service", "docker.socket", "app-a\\x2db.service", "getty@tty1.service", "dbus-org.freedesktop.login1.service", strings.Repeat("a", 247) + ".service"} {
		if !UnitName(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", ".service", "docker", "docker.timer", "-x.service", ".x.service", "@x.service", "getty@.service", "../x.service", "a/b.service", "a b.service",
		"a\nb.service", "a;b.service", "a%i.service", "a$b.service", "a'b.service", "a\x1b.service", "ä.service", strings.Repeat("a", 248) + ".service",
	} {
		if UnitName(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}
