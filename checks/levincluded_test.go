//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"
)

// TestFilesThatSudoIncludes: what the rules of sudo include is what sudo takes, wherever it is, and who can put a file there is not passed over.
func TestFilesThatSudoIncludes(t *testing.T) {
	const list = " + u:1000:rw"
	for name, c := range map[string]struct {
		files []string
		at    string
		sure  bool
	}{
		"a file, by a list":     {[]string{"440 0:0 /etc/sudoers = @include /opt/d/a\n", "440 0:0 /opt/d/a" + list}, "/opt/d/a", true},
		"of the group of root":  {[]string{"440 0:0 /etc/sudoers = @include /opt/d/a\n", "460 0:0 /opt/d/a"}, "/opt/d/a", true},
		"a file of a directory": {[]string{"440 0:0 /etc/sudoers = #includedir /opt/d\n", "460 0:0 /opt/d/a"}, "/opt/d/a", true},
		"in one another":        {[]string{"440 0:0 /etc/sudoers = @includedir /etc/sudoers.d\n", "440 0:0 /etc/sudoers.d/x = @include ../../opt/d/a\n", "460 0:0 /opt/d/a"}, "/opt/d/a", true},
		"a directory":           {[]string{"440 0:0 /etc/sudoers = @includedir /opt/d\n", "775 0:50 /opt/", "755 0:0 /opt/d/"}, "/opt/d", false},
		"nothing yet":           {[]string{"440 0:0 /etc/sudoers = @include /opt/d/a\n", "775 0:50 /opt/d/"}, "/opt/d/a", false},
	} {
		got := found(t, powerHost(t, c.files...), c.at)
		if len(got) == 0 || strings.Contains(got[0], "(") == c.sure {
			t.Errorf("%s: %q", name, got)
		}
	}
	got := found(t, powerHost(t, "440 0:0 /etc/sudoers = @includedir /opt/d\n", "460 0:0 /opt/d/a.b", "442 0:0 /opt/d/b", "440 0:0 /opt/d/c"), "/opt")
	if len(got) > 0 {
		t.Errorf("of what sudo does not take: %q", got)
	}
}
