//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// TestSettingsOfDaemonsAreSteps: what others write in /etc, and no list has, is never told to lead nowhere: the step is really taken.
func TestSettingsOfDaemonsAreSteps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "setfacl", "sudo")
	agentScene(t)
	bed.Shell(t, "mkdir /etc/job.d; printf '#!/bin/sh\n' >/etc/job.d/run; chmod 755 /etc/job.d/run; setfacl -m u:1001:rwx /etc/job.d/run")
	const step = "echo 'id -u >/run/steps/proof' >>/etc/job.d/run"
	if a := ask(t, power.Root); a.Verdict != power.Unknown || a.Unsearched || len(a.Path) == 0 || a.Path[0].Object != "/etc/job.d/run" {
		t.Errorf("open: %s by %+v, %v", a.Verdict, a.Path, a.Because)
	}
	if !taken(t, step, "/etc/job.d/run", "test $(cat /run/steps/proof) = 0") {
		t.Error("the step is not taken")
	}
	bed.Shell(t, "setfacl -b /etc/job.d/run; chmod 755 /etc/job.d/run; echo >/etc/job.d/run")
	if a := ask(t, power.Root); a.Verdict == power.Yes || !a.Unsearched {
		t.Errorf("closed: %s by %+v, %v", a.Verdict, a.Path, a.Because)
	}
	if taken(t, step, "/etc/job.d/run", "test $(cat /run/steps/proof) = 0") {
		t.Error("the step is taken that is said to be closed")
	}
}

// TestModulesAreSteps: who decides of modules that interpreters of root load has what root has.
func TestModulesAreSteps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "sudo", "/usr/bin/python3", "perl")
	agentScene(t)
	takeSteps(t, map[string]step{
		"packages of a virtual environment": {
			power.Root, power.ByFile,
			"mkdir -p /opt/job/bin /opt/job/lib/$(/usr/bin/python3 -c 'import sys; print(\"python%d.%d\" % sys.version_info[:2])')/site-packages; ln -s /usr/bin/python3 /opt/job/bin/python; " +
				"printf 'home = /usr/bin\ninclude-system-site-packages = false\n' >/opt/job/pyvenv.cfg; echo 'import foo' >/opt/job/run.py; chmod 777 /opt/job/lib/*/site-packages; " +
				"echo '* * * * * root /opt/job/bin/python /opt/job/run.py' >/etc/cron.d/job",
			"echo 'import os; os.system(\"id -u >/run/steps/proof\")' >$(echo /opt/job/lib/*/site-packages)/foo.py", "/opt/job/bin/python /opt/job/run.py", "test $(cat /run/steps/proof) = 0",
			"rm -f /opt/job/lib/*/site-packages/*; chmod 755 /opt/job/lib/*/site-packages",
		},
		"a file beside a script": {
			power.Root, power.ByFile,
			"mkdir -p /opt/job; printf '#!/bin/sh\n. \"$(dirname \"$0\")/env\"\n' >/opt/job/run; touch /opt/job/env; chmod 755 /opt/job /opt/job/run; chmod 777 /opt/job/env; echo '* * * * * root /opt/job/run' >/etc/cron.d/job",
			"echo 'id -u >/run/steps/proof' >/opt/job/env", "/opt/job/run", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/env; echo >/opt/job/env",
		},
		"the shell of a table of cron": {
			power.Root, power.ByFile,
			"mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job; chmod 777 /opt/job/run; printf 'SHELL=/opt/job/run\n* * * * * root true\n' >/etc/cron.d/job",
			"echo 'id -u >/run/steps/proof' >>/opt/job/run", "/opt/job/run -c true", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/run; printf '#!/bin/sh\n' >/opt/job/run",
		},
	})
}

// TestProcessesOfRootAreSteps: what others write of what a process of root runs is told, by its program or the script that it was given, and a shell does run what
// is added to its script.
func TestProcessesOfRootAreSteps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "sh", "sleep", "/usr/bin/python3")
	agentScene(t)
	for name, c := range map[string]struct {
		prepare string
		args    []string
		object  string
		runs    bool
	}{
		"a script":  {"echo 'while ! test -e /run/steps/go; do sleep 0.2; done' >/opt/job/run; chmod 666 /opt/job/run", []string{"/bin/sh", "/opt/job/run"}, "/opt/job/run", true},
		"one here":  {"echo 'while ! test -e /run/steps/go; do sleep 0.2; done' >/opt/job/run; chmod 666 /opt/job/run", []string{"/bin/sh", "-c", "cd /opt/job; exec sh run"}, "/opt/job/run", true},
		"a program": {"cp /usr/bin/sleep /opt/job/run; chmod 777 /opt/job", []string{"/opt/job/run", "600"}, "/opt/job/run", false},
		"of Python": {"echo 'import time; time.sleep(600)' >/opt/job/run; chmod 666 /opt/job/run", []string{"/usr/bin/python3", "/opt/job/run"}, "/opt/job/run", false},
		"a mention": {"echo 'import time; time.sleep(600); a = \"/opt/job/a\"' >/opt/job/run; touch /opt/job/a; chmod 666 /opt/job/a", []string{"/usr/bin/python3", "/opt/job/run"}, "", false},
		"its own":   {"echo 'while ! test -e /run/steps/go; do sleep 0.2; done' >/opt/job/run", []string{"/bin/sh", "/opt/job/run"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			bed.Shell(t, "rm -rf /opt/job /run/steps/go; mkdir -m 755 /opt/job; %s", c.prepare)
			daemon := exec.CommandContext(t.Context(), c.args[0], c.args[1:]...)
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			a := ask(t, power.Root)
			if told := !a.Unsearched && len(a.Path) > 0; a.Verdict != power.Unknown || told != (c.object != "") || told && !strings.HasPrefix(c.object, a.Path[0].Object) {
				t.Errorf("%s by %+v, %v", a.Verdict, a.Path, a.Because)
			}
			if got := taken(t, "echo 'id -u >/run/steps/proof' >>/opt/job/run", "touch /run/steps/go; sleep 2", asRoot); got != c.runs {
				t.Errorf("the step is taken is %v", got)
			}
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
		})
	}
}
