//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

type unitStep struct{ unit, prepare, step, mend string }

// unitSteps are what uid 1001 can do to become root where systemd is the init: what opens the way, the step, and what closes it.
var unitSteps = map[string]unitStep{
	"a script of a unit": {
		"ExecStart=/opt/job/run", "chmod 777 /opt/job/run",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/run", "printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt/job/run",
	},
	"a directory of drop-ins": {
		"ExecStart=/bin/true", "mkdir /etc/systemd/system/job.service.d; chown 1001 /etc/systemd/system/job.service.d",
		"printf '[Service]\\nExecStartPost=/bin/sh -c \"id -u >/run/steps/proof\"\\n' >/etc/systemd/system/job.service.d/a.conf",
		"rm -rf /etc/systemd/system/job.service.d; mkdir /etc/systemd/system/job.service.d",
	},
	"variables of a unit": {
		"EnvironmentFile=/etc/job.env\nExecStart=/bin/sh -c id", "touch /etc/job.env; chown 1001 /etc/job.env; mkdir -p /home/agent; chown 1001 /home/agent",
		"printf '#!/bin/sh\\n/usr/bin/id -u >/run/steps/proof\\n' >/home/agent/id; chmod 755 /home/agent/id; echo PATH=/home/agent:/usr/bin >/etc/job.env",
		"chown 0 /etc/job.env; echo >/etc/job.env",
	},
	"a directory of the path of a unit": {
		"Environment=PATH=/opt/job:/usr/bin\nExecStart=/bin/sh -c id", "chmod 777 /opt/job",
		"printf '#!/bin/sh\\n/usr/bin/id -u >/run/steps/proof\\n' >/opt/job/id; chmod 755 /opt/job/id", "rm -f /opt/job/id; chmod 755 /opt/job",
	},
	"a program that a user's unit runs as root": {
		"User=nobody\nExecStartPre=+/opt/job/run\nExecStart=/bin/true", "chmod 777 /opt/job/run",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/run", "printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt/job/run",
	},
	"a directory of modules of a unit": {
		"Environment=PERL5LIB=/opt/job\nExecStart=/usr/bin/perl -MPOSIX -e 1", "chmod 777 /opt/job",
		"echo 'system(\"id -u >/run/steps/proof\"); 1;' >/opt/job/POSIX.pm", "rm -f /opt/job/POSIX.pm; chmod 755 /opt/job",
	},
	"a script in the directory of a unit": {
		"WorkingDirectory=/opt/job\nExecStart=/bin/sh run", "chmod 777 /opt/job/run",
		"echo 'id -u >/run/steps/proof' >/opt/job/run", "echo >/opt/job/run; chmod 755 /opt/job/run",
	},
	"what the shell of a unit runs": {
		`ExecStart=/bin/sh -c "cd /opt/job && exec ./run"`, "chmod 777 /opt/job/run",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/run", "printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt/job/run",
	},
	"a program that a specifier names": {
		"ExecStart=/opt/job/%%p-run", "cp /opt/job/run /opt/job/job-run; chmod 777 /opt/job/job-run",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/job-run", "printf '#!/bin/sh\\n' >/opt/job/job-run; chmod 755 /opt/job/job-run",
	},
	"one of many files of variables": {
		"EnvironmentFile=/opt/job/*.env\nExecStart=/bin/sh -c id", "touch /opt/job/a.env; chown 1001 /opt/job/a.env; mkdir -p /home/agent; chown 1001 /home/agent",
		"printf '#!/bin/sh\\n/usr/bin/id -u >/run/steps/proof\\n' >/home/agent/id; chmod 755 /home/agent/id; echo PATH=/home/agent:/usr/bin >/opt/job/a.env",
		"chown 0 /opt/job/a.env; echo >/opt/job/a.env",
	},
	"what the shell of a unit reads": {
		"StandardInput=file:/opt/job/run\nExecStart=/bin/sh", "chmod 777 /opt/job/run",
		"echo 'id -u >/run/steps/proof' >/opt/job/run", "echo >/opt/job/run; chmod 755 /opt/job/run",
	},
	"what a shell of a unit has in its words": {
		"ExecStart=/bin/sh /opt/job/outer", `echo 'echo "$(/opt/job/run)"' >/opt/job/outer; chmod 777 /opt/job/run`,
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/run", "printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt/job/run",
	},
	"a script without a first line": {
		"ExecStart=/bin/sh /opt/job/outer", "echo /opt/job/run >/opt/job/outer; chmod 777 /opt/job/run",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/run", "printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt/job/run",
	},
	"a generator": {
		"ExecStart=/bin/true", "mkdir -p /etc/systemd/system-generators; chmod 777 /etc/systemd/system-generators",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/etc/systemd/system-generators/a; chmod 755 /etc/systemd/system-generators/a",
		"rm -rf /etc/systemd/system-generators",
	},
}

// unsureSteps are steps that are really taken, and of which it is told that they are not known.
var unsureSteps = map[string]unitStep{
	"a file that is mounted over a program": {
		"BindReadOnlyPaths=/opt/job/run:/usr/bin/true\nExecStart=/usr/bin/true", "chmod 777 /opt/job/run",
		"printf '#!/bin/sh\\nid -u >/run/steps/proof\\n' >/opt/job/run", "printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt/job/run",
	},
	"options of Perl": {
		"Environment=PERL5OPT=-I/opt/job\nExecStart=/usr/bin/perl -MPOSIX -e 1", "chmod 777 /opt/job",
		"echo 'system(\"id -u >/run/steps/proof\"); 1;' >/opt/job/POSIX.pm", "rm -f /opt/job/POSIX.pm; chmod 755 /opt/job",
	},
	"files that a unit finds and runs": {
		"ExecStart=/usr/bin/find /opt/job -name *.sh -exec sh {} +", "chmod 777 /opt/job",
		"echo 'id -u >/run/steps/proof' >/opt/job/a.sh", "rm -f /opt/job/a.sh; chmod 755 /opt/job",
	},
}

// TestStepsUnderSystemd: the steps by units are really taken in a booted system, are told before, and neither once the way is closed.
func TestStepsUnderSystemd(t *testing.T) {
	tar := os.Getenv("RINGFENCE_SYSTEMD_ROOT")
	if tar == "" {
		t.Skip("the machine lacks: the system that make test-systemd boots")
	}
	bed.NeedRoot(t)
	m := newMachine(t, tar)
	m.boot()
	m.run("echo agent:x:1001:1001::/home/agent:/bin/sh >>/etc/passwd; echo agent:x:1001: >>/etc/group; mkdir -m 1777 /run/steps")
	verdict := func() string {
		return m.run("ringfence paths -q --deep --from 'account agent' --to root")
	}
	taken := func(step string) bool {
		_, _ = m.try("rm -f /run/steps/proof; setpriv --reuid 1001 --regid 1001 --clear-groups sh -c '" + strings.ReplaceAll(step, "'", `'\''`) + "'")
		_, _ = m.try("systemctl daemon-reload; systemctl restart job")
		out, _ := m.try("cat /run/steps/proof")
		return strings.TrimSpace(out) == "0"
	}
	all := maps.Clone(unitSteps)
	maps.Copy(all, unsureSteps)
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			m.t = t
			m.run("mkdir -p /opt/job; printf '#!/bin/sh\\n' >/opt/job/run; chmod 755 /opt /opt/job /opt/job/run")
			m.run(fmt.Sprintf("printf '[Service]\\nType=oneshot\\n%s\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/job.service", strings.ReplaceAll(c.unit, "\n", `\n`)))
			m.run("systemctl daemon-reload; systemctl enable --quiet job; " + c.prepare)
			want := "YES"
			if _, unsure := unsureSteps[name]; unsure {
				want = "unknown"
			}
			if said := verdict(); !strings.Contains(said, want) {
				t.Errorf("open: %s", said)
			}
			if !taken(c.step) {
				t.Error("the step is not taken that is said to be possible")
			}
			m.run(c.mend)
			if said := verdict(); !strings.Contains(said, " no: ") {
				t.Errorf("closed: %s", said)
			}
			if taken(c.step) {
				t.Error("the step is taken that is said to be closed")
			}
			m.run("systemctl disable --quiet job; rm -rf /etc/systemd/system/job.service /etc/systemd/system/job.service.d /etc/job.env /opt/job")
		})
	}
	m.t = t
}
