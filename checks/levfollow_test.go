//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestWhatScriptsRun: what a script of root runs, sources or looks up counts as what root runs, as whom it runs it, and nothing else that it names does.
func TestWhatScriptsRun(t *testing.T) {
	unit := func(lines string) string {
		return "644 0:0 /etc/systemd/system/a.service = [Service]\n" + strings.ReplaceAll(lines, "; ", "\n") + "\n"
	}
	cron := func(line string) string { return "644 0:0 /etc/cron.d/x = * * * * * root " + line + "\n" }
	script := func(lines ...string) string {
		return "755 0:0 /srv/run = #!/bin/sh -e\n" + strings.Join(lines, "\n") + "\n"
	}
	program, all := "program /opt/a 0 operator: ", "all 0 at /opt/a"
	for name, c := range map[string]struct {
		files []string
		about string
		want  []string
	}{
		"a program of a script":      {[]string{cron("/srv/run"), script("# /opt/b", "set -e", "/opt/a -x"), "757 0:0 /opt/a", "757 0:0 /opt/b"}, "/opt", []string{program + all}},
		"what it reads":              {[]string{cron("/srv/run"), script("cat /opt/a >>/opt/b"), "757 0:0 /opt/a", "757 0:0 /opt/b"}, "/opt", nil},
		"what it sources":            {[]string{cron("/srv/run"), script(". /opt/a"), "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"by a variable":              {[]string{cron("/srv/run"), script("D=/opt", `"${D}/a" start`), "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"in a directory":             {[]string{cron("cd /opt/d && ./a"), "757 0:0 /opt/d/a"}, "/opt", []string{"program /opt/d/a 0 operator: all 0 at /opt/d/a"}},
		"of a pattern":               {[]string{cron("for f in /opt/d/*.sh; do sh $f; done"), "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 0 operator: all 0 at /opt/d"}},
		"run-parts":                  {[]string{cron("run-parts --report /opt/d"), "755 0:0 /opt/d/", "757 0:0 /opt/d/a"}, "/opt", []string{"program /opt/d/a 0 operator: all 0 at /opt/d/a"}},
		"a star of tar":              {[]string{cron("cd /opt/d && tar cf /b.tar *"), "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 0 operator: all 0 at /opt/d"}},
		"as somebody else":           {[]string{cron("su ann -c '/opt/a'; runuser -u ann -- /opt/b; sudo -u ann /opt/c; su - ann -s /bin/sh -c /opt/d"), "757 0:0 /opt/a", "757 0:0 /opt/b", "757 0:0 /opt/c", "757 0:0 /opt/d"}, "/opt", []string{"program /opt/a 1000 operator: all 0 at /opt/a", "program /opt/b 1000 operator: all 0 at /opt/b", "program /opt/c 1000 operator: all 0 at /opt/c", "program /opt/d 1000 operator: all 0 at /opt/d"}},
		"behind others":              {[]string{cron("nice -n 5 timeout -k 1 60 flock -w 1 /run/lock /opt/a"), "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"a shell in a shell":         {[]string{cron(`flock /run/l -c "/bin/sh -ec 'exec /opt/a'"`), "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"find":                       {[]string{cron("find /var -name x -exec /opt/a {} ';'"), "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"two scripts deep":           {[]string{cron("/srv/run"), script("/srv/b"), "755 0:0 /srv/b = #!/bin/bash\n/opt/a\n", "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"a script of others":         {[]string{cron("/opt/s"), "757 0:0 /opt/s = #!/bin/sh\n/opt/a\n", "755 1000:0 /opt/a"}, "/opt/a", nil},
		"a condition":                {[]string{cron("/srv/run"), script("if test -e /x; then", "/opt/a; fi"), "757 0:0 /opt/a"}, "/opt", []string{program + all + " (under which condition /etc/cron.d/x gets there was not followed)"}},
		"a path of a script":         {[]string{cron("/srv/run"), script("export PATH=/opt/d:/bin", "ls"), "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 0 operator: all 0 at /opt/d"}},
		"a here-document":            {[]string{cron("/srv/run"), script("cat <<E", "/opt/a", "E"), "757 0:0 /opt/a"}, "/opt", nil},
		"a unit's shell":             {[]string{unit(`ExecStart=/bin/sh -c "umask 7 && exec /opt/a $X"`), "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"a script of Python":         {[]string{unit("ExecStart=/usr/bin/python3 -u /opt/d/a --config /opt/c"), "755 0:0 /usr/bin/python3", "757 0:0 /opt/c", "1757 0:0 /opt/d/", "755 0:0 /opt/d/a"}, "/opt", []string{"search /opt/d 0 operator: all 0 at /opt/d", "system /opt/c 0 operator: all 0 at /opt/c (what python3 does by what is there was not followed)"}},
		"modules of a service":       {[]string{unit("Environment=PYTHONPATH=/opt/d LD_PRELOAD=/opt/a; ExecStart=/usr/bin/x"), "757 0:0 /opt/d/", "757 0:0 /opt/a"}, "/opt", []string{program + all, "search /opt/d 0 operator: all 0 at /opt/d"}},
		"variables of a file":        {[]string{unit("EnvironmentFile=/etc/e; ExecStart=/usr/bin/x"), "644 0:0 /etc/e = # x\nLD_LIBRARY_PATH=\"/opt/d\"\n", "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 0 operator: all 0 at /opt/d"}},
		"a specifier":                {[]string{unit("ExecStart=/opt/%p/%N/run"), "757 0:0 /opt/a/a/run"}, "/opt/a/a/run", []string{"program /opt/a/a/run 0 operator: all 0 at /opt/a/a/run"}},
		"an unknown specifier":       {[]string{unit("ExecStart=/opt/d/%m"), "757 0:0 /opt/d/"}, "/opt/d", []string{"search /opt/d 0 operator: all 0 at /opt/d"}},
		"no specifier":               {[]string{unit("ExecStart=/opt/d/a%%p"), "757 0:0 /opt/d/aa", "757 0:0 /opt/d/a%p"}, "/opt/d", []string{"program /opt/d/a%p 0 operator: all 0 at /opt/d/a%p"}},
		"an instance with a blank":   {[]string{"644 0:0 /etc/systemd/system/t@.service = [Service]\nExecStart=/opt/%I\n", "777 0:0 /etc/systemd/system/multi-user.target.wants/t@b\\x20c.service -> ../t@.service", "757 0:0 /opt/b"}, "/opt/b", nil},
		"an instance":                {[]string{"644 0:0 /etc/systemd/system/t@.service = [Service]\nExecStart=/opt/%i\nExecStop=/opt/%I\n", "777 0:0 /etc/systemd/system/multi-user.target.wants/t@b\\x2dc.service -> ../t@.service", "757 0:0 /opt/b\\x2dc", "757 0:0 /opt/b-c"}, "/opt/b", []string{"program /opt/b-c 0 restart: all 0 at /opt/b-c", "program /opt/b\\x2dc 0 restart: all 0 at /opt/b\\x2dc"}},
		"drop-ins of an instance":    {[]string{"644 0:0 /etc/systemd/system/t@.service = [Service]\nExecStart=/bin/true\n", "777 0:0 /etc/systemd/system/multi-user.target.wants/t@b.service -> ../t@.service", "644 0:0 /etc/systemd/system/t@b.service.d/x.conf = [Service]\nExecStartPre=/opt/a\n", "757 0:0 /opt/a"}, "/opt/a", []string{"program /opt/a 0 restart: " + all}},
		"files of variables":         {[]string{unit("EnvironmentFile=-/opt/d/*.env; ExecStart=/usr/bin/x"), "646 0:0 /opt/d/a.env", "646 0:0 /opt/d/b"}, "/opt/d", []string{"unit /opt/d/a.env 0 operator: all 0 at /opt/d/a.env"}},
		"before a socket":            {[]string{"644 0:0 /etc/systemd/system/s.socket = [Socket]\nListenStream=1\nExecStartPre=/opt/a\n", "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"the shell of cron":          {[]string{"644 0:0 /etc/cron.d/x = SHELL=/opt/a\n* * * * * root true\n", "757 0:0 /opt/a"}, "/opt", []string{program + all}},
		"a path of somebody in cron": {[]string{"644 0:0 /etc/cron.d/x = PATH=/opt/d:/bin\n* * * * * ann true\n", "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 1000 operator: all 0 at /opt/d"}},
		"a virtual environment": {
			[]string{unit("ExecStart=/opt/v/bin/python /srv/app.py"), "777 0:0 /opt/v/bin/python -> /usr/bin/python3", "755 0:0 /usr/bin/python3", "644 0:0 /srv/app.py", "646 0:0 /opt/v/pyvenv.cfg", "757 0:0 /opt/v/lib/python3.12/site-packages/"},
			"/opt/v",
			[]string{"program /opt/v/pyvenv.cfg 0 operator: all 0 at /opt/v/pyvenv.cfg", "search /opt/v/lib/python3.12/site-packages 0 operator: all 0 at /opt/v/lib/python3.12/site-packages"},
		},
		"packages of Node.js": {
			[]string{unit("ExecStart=/opt/d/bin/cli"), "755 0:0 /opt/d/bin/cli = #!/usr/bin/env node\n", "757 0:0 /opt/d/node_modules/", "646 0:0 /opt/d/bin/lib/i.js"},
			"/opt/d",
			[]string{"program /opt/d/bin/lib/i.js 0 operator: all 0 at /opt/d/bin/lib/i.js (whether /opt/d/bin/cli loads it was not followed)", "search /opt/d/node_modules 0 operator: all 0 at /opt/d/node_modules"},
		},
		"a module of a package": {
			[]string{unit("ExecStart=/opt/d/run"), "755 0:0 /opt/d/run = #!/usr/bin/python3\nimport p.m\n", "646 0:0 /opt/d/p/m.py", "646 0:0 /opt/d/p/data.txt"},
			"/opt/d/p",
			[]string{"program /opt/d/p/m.py 0 operator: all 0 at /opt/d/p/m.py (whether /opt/d/run loads it was not followed)"},
		},
		"what a script of Perl names": {
			[]string{unit("ExecStart=/opt/d/run"), "755 0:0 /opt/d/run = #!/usr/bin/perl\nsystem('/opt/a'); open F, '/opt/log';\n", "757 0:0 /opt/a", "646 0:0 /opt/log"},
			"/opt",
			[]string{program + all + " (whether /opt/d/run loads it was not followed)"},
		},
		"beside the script":            {[]string{cron("/srv/run"), script(`cd "$(dirname "$0")"`, "./a"), "757 0:0 /srv/a"}, "/srv/a", []string{"program /srv/a 0 operator: all 0 at /srv/a"}},
		"beside the script, by a name": {[]string{cron("/srv/run"), script(`D=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)`, `. "$D/a"`), "757 0:0 /srv/a"}, "/srv/a", []string{"program /srv/a 0 operator: all 0 at /srv/a"}},
		"variables of all services":    {[]string{"644 0:0 /etc/systemd/system.conf.d/x.conf = [Manager]\nDefaultEnvironment=PATH=/opt/d:/usr/bin\n", "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 0 restart: all 0 at /opt/d"}},
		"where a service is":           {[]string{unit("WorkingDirectory=/opt/d; ExecStart=/bin/sh a"), "755 0:0 /opt/d/", "757 0:0 /opt/d/a"}, "/opt", []string{"program /opt/d/a 0 operator: all 0 at /opt/d/a"}},
		"a root of its own":            {[]string{unit("RootDirectory=/opt/d; ExecStart=/opt/a"), "755 0:0 /opt/d/opt/", "757 0:0 /opt/d/opt/a", "757 0:0 /opt/a"}, "/opt", []string{"program /opt/d/opt/a 0 operator: all 0 at /opt/d/opt/a", "program /opt/d/opt/a 0 operator: all 0 at /opt/d/opt/a (what a.service does by what is in its root directory was not followed)"}},
		"a script of logrotate":        {[]string{"644 0:0 /etc/logrotate.d/x = /var/log/x {\n postrotate\n  /opt/a\n endscript\n}\n", "757 0:0 /opt/a"}, "/opt", []string{"program /opt/a 0 timer: " + all}},
		"files of logrotate":           {[]string{"644 0:0 /etc/logrotate.d/x = include /opt/d\n", "757 0:0 /opt/d/"}, "/opt", []string{"system /opt/d 0 timer: all 0 at /opt/d"}},
		"libraries":                    {[]string{"644 0:0 /etc/ld.so.conf = include ld.so.conf.d/*.conf\n", "644 0:0 /etc/ld.so.conf.d/a.conf = /opt/d # x\n", "757 0:0 /opt/d/"}, "/opt", []string{"search /opt/d 0 operator: all 0 at /opt/d"}},
		"a program of the kernel":      {[]string{"644 0:0 /proc/sys/kernel/core_pattern = |/opt/a %P\n", "644 0:0 /proc/sys/kernel/modprobe = /sbin/modprobe\n", "757 0:0 /opt/a"}, "/opt", []string{"program /opt/a 0 none: " + all}},
		"a name of the kernel":         {[]string{"644 0:0 /proc/sys/kernel/core_pattern = /opt/a\n", "757 0:0 /opt/a"}, "/opt", nil},
		"the end of a cgroup":          {[]string{"644 0:0 /sys/fs/cgroup/memory/release_agent = /opt/a\n", "757 0:0 /opt/a"}, "/opt", []string{"program /opt/a 0 none: " + all}},
		"programs of a format":         {[]string{"644 0:0 /proc/sys/fs/binfmt_misc/x = enabled\ninterpreter /opt/a\nflags: F\n", "757 0:0 /opt/a"}, "/opt", []string{program + all + " (whether root runs programs of that format was not looked at)"}},
		"a supervisor":                 {[]string{"644 0:0 /etc/supervisor/conf.d/x.conf = [program:x]\ncommand=/opt/a ; x\n[program:y]\nuser=ann\ncommand=/opt/b\n", "757 0:0 /opt/a", "757 0:0 /opt/b"}, "/opt", []string{"program /opt/a 0 restart: " + all, "program /opt/b 1000 restart: all 0 at /opt/b"}},
		"units of somebody's":          {[]string{"755 1000:1000 /home/ann/", "757 1000:1000 /home/ann/.config/systemd/user/"}, "/home/ann/.config/systemd/user", []string{"login /home/ann/.config/systemd/user 1000 login: all 0 at /home/ann/.config/systemd/user"}},
		"settings of a tool of root":   {[]string{"755 0:0 /root/", "646 0:0 /root/.gitconfig"}, "/root/.gitconfig", []string{"system /root/.gitconfig 0 operator: all 0 at /root/.gitconfig"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := found(t, powerHost(t, append(slices.Clone(c.files), "755 0:0 /bin/sh", "755 0:0 /opt/")...), c.about)
			if d := gocmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// FuzzScripts: no text makes the reader of scripts panic, or go on without an end.
func FuzzScripts(f *testing.F) {
	for _, s := range []string{"cd /a && ./b `c`", "for f in *; do $f; done", "x() { a; }; case $1 in a) b;; esac", "cat <<E\nE\n", `a "b$(c)" 'd`, "A=$A$A$A; B=$A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, _ := shellCommands(s, "/", nil)
		if len(list) > maxShellCommands {
			t.Error("more commands than the bound")
		}
		if len(quotedWords(s)) > maxWords {
			t.Error("more words than the bound")
		}
	})
}
