//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestWhatSettingsName: a program that settings of root's programs run, and a file that they load or believe, counts as theirs.
func TestWhatSettingsName(t *testing.T) {
	a := "757 0:0 /opt/a"
	program := func(trigger string) []string { return []string{"program /opt/a 0 " + trigger + ": all 0 at /opt/a"} }
	for name, c := range map[string]struct {
		files []string
		want  []string
	}{
		"pam_exec":          {[]string{"644 0:0 /etc/pam.d/su = session [default=ignore] pam_exec.so seteuid log=/opt/l /opt/a x\n", a}, program("login")},
		"a module of PAM":   {[]string{"644 0:0 /etc/pam.d/su = -auth optional /opt/a x=/opt/b\n", a}, program("login")},
		"a rule of udev":    {[]string{"644 0:0 /etc/udev/rules.d/a.rules = ACTION==\"add\", RUN{program}+=\"/opt/a '%k'\"\n", a}, program("restart")},
		"a builtin of udev": {[]string{"644 0:0 /etc/udev/rules.d/a.rules = RUN{builtin}+=\"/opt/a\"\n", a}, nil},
		"a list of apt":     {[]string{"644 0:0 /etc/apt/apt.conf.d/a = DPkg { \n Post-Invoke { \"test -x /bin/x || true\"; \"/opt/a\"; }; };\n", a}, program("timer")},
		"a setting of apt":  {[]string{"644 0:0 /etc/apt/apt.conf.d/a = DPkg::Pre-Install-Pkgs:: \"/opt/a\";\n", a}, program("timer")},
		"a library of all":  {[]string{"644 0:0 /etc/ld.so.preload = /opt/a # x\n", a}, program("none")},
		"rsyslogd":          {[]string{"644 0:0 /etc/rsyslog.d/a.conf = action(type=\"omprog\" binary=\"/opt/a x\")\n", a}, program("restart")},
		"rsyslogd of old":   {[]string{"644 0:0 /etc/rsyslog.conf = *.* ^/opt/a;RSYSLOG\n", a}, program("restart")},
		"a job of at": {[]string{
			"700 0:0 /var/spool/cron/atjobs/a1 = #!/bin/sh\n# atrun uid=0 gid=0\ncd /opt || {\n\t exit 1\n}\n${SHELL:-/bin/sh} << 'marcin1'\n./a\nmarcin1\n", a,
		}, program("timer")},
		"a job of at without a document": {[]string{"700 0:0 /var/spool/cron/atjobs/a1 = #!/bin/sh\ncd /opt || {\n\t echo none >&2\n\t exit 1\n}\n./a\n", a}, program("timer")},
		"a job that ran":                 {[]string{"600 0:0 /var/spool/cron/atjobs/a1 = #!/bin/sh\n/opt/a\n", a}, nil},
		"what everybody mounts": {[]string{"644 0:0 /etc/fstab = /opt/a /mnt ext4 user,exec,suid,loop 0 0\n", a}, []string{
			"system /opt/a 0 none: all 0 at /opt/a (everybody may mount /opt/a with its set-id programs, and who decides what is in it was not followed)",
		}},
		"what everybody mounts without": {[]string{"644 0:0 /etc/fstab = /opt/a /mnt ext4 suid,user,loop 0 0\n", a}, nil},
		"keys elsewhere": {[]string{"644 0:0 /etc/ssh/sshd_config = StrictModes no\nAuthorizedKeysFile /opt/%u\n", "606 0:0 /opt/root"}, []string{
			"login /opt/root 0 none: all 0 at /opt/root",
		}},
		"keys elsewhere, strict": {[]string{"644 0:0 /etc/ssh/sshd_config = AuthorizedKeysFile=/opt/%u\n", "606 0:0 /opt/root"}, []string{
			"login /opt/root 0 none: all 0 at /opt/root (" + sshdStrict + ")",
		}},
		"an authority of keys": {[]string{"644 0:0 /etc/ssh/sshd_config = TrustedUserCAKeys /opt/a\n", a}, []string{"login /opt/a 0 none: all 0 at /opt/a"}},
		"what a command for keys runs": {[]string{
			"644 0:0 /etc/ssh/sshd_config = AuthorizedKeysCommand /srv/k %u\n", "755 0:0 /srv/k = #!/bin/sh\n/opt/a\n", a,
		}, program("none")},
		"a command for keys": {[]string{"644 0:0 /etc/ssh/sshd_config = AuthorizedKeysCommand /opt/a %u\n", a}, []string{
			"program /opt/a 0 none: all 0 at /opt/a (sshd runs no command that others than root can write)",
		}},
		"a repository": {[]string{
			"644 0:0 /etc/cron.d/x = * * * * * root git -C /opt/r pull\n", "755 0:0 /opt/r/.git/", "757 0:0 /opt/r/.git/hooks/", "644 0:0 /opt/r/.git/config",
		}, []string{"program /opt/r/.git/hooks 0 operator: all 0 at /opt/r/.git/hooks"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := gocmp.Diff(c.want, found(t, powerHost(t, c.files...), "/opt")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
