//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"
)

// TestRootsOfPrograms: what a program does in a root directory of its own is told by the files there, and never by those of the host of the same paths.
func TestRootsOfPrograms(t *testing.T) {
	jail := func(start string) []string {
		return []string{
			start, "755 0:0 /srv/j/", "755 0:0 /srv/j/bin/x = #!/bin/sh\n/opt/a\n", "755 0:0 /srv/j/bin/sh", "757 0:0 /opt/a", "757 0:0 /opt/j/bin/a", "755 0:0 /opt/j/",
			"777 0:0 /srv/j/bin/y -> /opt/a",
		}
	}
	for _, start := range []string{
		unitOf("RootDirectory=/srv/j; ExecStart=/bin/x"), unitOf("RootDirectory=/srv/j; ExecStart=/bin/sh -c /opt/a"), unitOf("RootDirectory=/srv/j; ExecStart=/bin/y"),
		unitOf("RootDirectory=/srv/j; ExecStart=/bin/env /opt/a"), unitOf("RootDirectory=/srv/j; ExecStart=/bin/x; Environment=LD_PRELOAD=/opt/a"),
		cronOf("chroot /srv/j /bin/x"), cronOf("chroot /srv/j sh -c '/opt/a x'"), cronOf("chroot /srv/j /opt/a"),
		cronOf("chroot --userspec=ann /opt/j /bin/a"), cronOf("chroot --userspec ann:ann /opt/j /bin/a"),
	} {
		if got := found(t, powerHost(t, jail(start)...), "/opt"); slices.ContainsFunc(got, func(f string) bool {
			return strings.Contains(f, " 0 ") && !strings.Contains(f, "(") && !strings.Contains(f, " 1000 ")
		}) {
			t.Errorf("%s: %q", start, got)
		}
	}
	in := func(start string, sure bool) passedCase {
		return passedCase{[]string{start, "755 0:0 /opt/j/", "757 0:0 /opt/j/bin/a", "755 0:0 /opt/j/bin/sh"}, sure}
	}
	passedOver(t, "/opt/j", map[string]passedCase{
		"unit":          in(unitOf("RootDirectory=/opt/j; ExecStart=/bin/a"), true),
		"unit's shell":  in(unitOf("RootDirectory=/opt/j; ExecStart=/bin/sh -e /bin/a"), true),
		"unit's env":    in(unitOf("RootDirectory=/opt/j; ExecStart=/bin/env A=b /bin/a"), true),
		"by its name":   in(unitOf("RootDirectory=/opt/j; ExecStart=a"), true),
		"chroot":        in(cronOf("chroot /opt/j /bin/a"), true),
		"of a variable": in(cronOf("chroot --userspec=root --skip-chdir /opt/j /bin/sh /bin/a"), true),
		"by name":       in(cronOf("chroot -- /opt/j a x"), true),
		"in a shell":    in(cronOf("chroot /opt/j sh -c '/bin/a x'"), false),
		"by a link":     {[]string{cronOf("chroot /srv/l /bin/a"), "777 0:0 /srv/l -> /opt/j", "755 0:0 /opt/j/", "757 0:0 /opt/j/bin/a"}, true},
		"before its":    in(unitOf("RootDirectory=/srv/j; RootDirectoryStartOnly=yes; ExecStart=/bin/x; ExecStartPre=/opt/j/bin/a"), true),
		"its variable":  in(unitOf("RootDirectory=/opt/j; Environment=LD_PRELOAD=/bin/a; ExecStart=/bin/x"), false),
		"its input":     {[]string{unitOf("RootDirectory=/srv/j; StandardInput=file:/opt/j/bin/a; ExecStart=/bin/sh"), "755 0:0 /srv/j/bin/sh", "757 0:0 /opt/j/bin/a"}, true},
		"an image":      in(unitOf("RootImage=/opt/j/bin/a; ExecStart=/bin/sh"), true),
		"the host's":    in(cronOf("chroot / /opt/j/bin/a"), true),
	})
}

// TestDynamicUsers: who has no account has nothing that others could get, however it is said.
func TestDynamicUsers(t *testing.T) {
	for _, v := range []string{"yes", "true", "1", "on", "Y", "t"} {
		if got := found(t, powerHost(t, unitOf("DynamicUser="+v+"; ExecStart=/opt/a"), anns), "/opt"); len(got) > 0 {
			t.Errorf("DynamicUser=%s: %q", v, got)
		}
	}
	for _, v := range []string{"no", "off", ""} {
		if got := found(t, powerHost(t, unitOf("DynamicUser="+v+"; ExecStart=/opt/a"), anns), "/opt"); len(got) == 0 {
			t.Errorf("DynamicUser=%s: nothing", v)
		}
	}
}
