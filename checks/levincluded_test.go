//go:build linux && !ringfence_portable

package checks

import (
	"slices"
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

// TestMountsOfEverybody: what everybody may mount with its set-id programs, of which the host does not have the file, is unknown.
func TestMountsOfEverybody(t *testing.T) {
	for line, told := range map[string]bool{
		"UUID=1-2 /mnt vfat user,suid": true, "LABEL=x /mnt ext4 noauto,users,exec,suid": true, "srv:/x /mnt nfs user,suid": true, "//srv/x /mnt cifs users,suid": true,
		"UUID=1-2 /mnt vfat user": false, "UUID=1-2 / ext4 errors=remount-ro": false, "srv:/x /mnt nfs defaults": false, "tmpfs /mnt tmpfs user,suid": false, "UUID=3-4 /mnt ext4 user,suid": false,
	} {
		got := found(t, powerHost(t, "644 0:0 /etc/fstab = "+line+" 0 0\n", "777 0:0 /dev/disk/by-uuid/3-4 -> ../../sda1", "600 0:0 /dev/sda1"), "/mnt")
		if (len(got) > 0) != told {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// TestOtherSecrets: credentials of clusters and keys that others read are secrets; those that a system gives to a group are its.
func TestOtherSecrets(t *testing.T) {
	for file, told := range map[string]bool{
		"644 0:0 /etc/rancher/k3s/k3s.yaml": true, "640 0:50 /etc/rancher/k3s/k3s.yaml": true, "600 0:0 /etc/rancher/k3s/k3s.yaml": false, "644 0:0 /etc/kubernetes/admin.conf": true,
		"644 0:0 /root/.ssh/deploy = -----BEGIN OPENSSH PRIVATE KEY-----\nx": true, "644 0:0 /root/.ssh/known_hosts = x": false, "640 0:50 /etc/ssl/private/a.key": false,
		"644 0:0 /etc/ssl/private/a.key": true, "644 0:0 /root/.netrc": true, "644 0:0 /var/backups/shadow.bak": true, "640 0:50 /var/backups/gshadow": true,
	} {
		at := strings.Fields(file)[2]
		if got := found(t, powerHost(t, file), at); slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, "secret") }) != told {
			t.Errorf("%s: %q", file, got)
		}
	}
}

// TestDirectoriesOfLogs: who has the directory of a log that root rotates may lead logrotate elsewhere; one that it passes by is none, and with su it is the user's.
func TestDirectoriesOfLogs(t *testing.T) {
	for name, c := range map[string]struct{ dir, settings, want string }{
		"of ann":                       {"755 1000:0 /opt/d/", "/opt/d/*.log {\n weekly\n}\n", "system /opt/d 0 timer: user 1000 at /opt/d"},
		"in one of ann's":              {"755 0:0 /opt/d/", "\"/opt/d/e/a b.log\" /var/log/x\n{\n weekly\n}\n", ""},
		"of root":                      {"755 0:0 /opt/d/", "/opt/d/*.log {\n weekly\n}\n", ""},
		"of everybody":                 {"777 0:0 /opt/d/", "/opt/d/*.log {\n weekly\n}\n", ""},
		"of a group":                   {"775 0:50 /opt/d/", "/opt/d/*.log {\n weekly\n}\n", ""},
		"of the group of root":         {"775 0:0 /opt/d/", "/opt/d/*.log {\n weekly\n}\n", "system /opt/d 0 timer: group 0 at /opt/d"},
		"of a group, with su":          {"775 0:50 /opt/d/", "/opt/d/*.log {\n su root staff\n}\n", "system /opt/d 0 timer: group 50 at /opt/d"},
		"of a group, with su for all":  {"775 0:50 /opt/d/", "su root staff\n/opt/d/x {\n}\n", "system /opt/d 0 timer: group 50 at /opt/d"},
		"of a group, with su of ann":   {"775 0:50 /opt/d/", "/opt/d/x {\n su ann staff\n}\n", "system /opt/d 1000 timer: group 50 at /opt/d"},
		"where old ones go":            {"755 1000:0 /opt/d/", "/var/log/x {\n olddir /opt/d\n}\n", "system /opt/d 0 timer: user 1000 at /opt/d"},
		"after a script that names it": {"755 1000:0 /opt/d/", "/var/log/x {\n postrotate\n echo /opt/d/x\n endscript\n}\n", ""},
	} {
		got := found(t, powerHost(t, c.dir, "644 0:0 /etc/logrotate.d/x = "+c.settings), "/opt")
		if len(got) != min(len(c.want), 1) || len(got) == 1 && !strings.HasPrefix(got[0], c.want+" (") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
