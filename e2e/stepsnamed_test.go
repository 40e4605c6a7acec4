//go:build linux

package e2e

import (
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// What steps by a script have in common: it is open to everybody, the agent writes it, and it is closed.
const (
	openScript  = "mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job; chmod 777 /opt/job/run; "
	writeScript = "printf '#!/bin/sh\nid -u >/run/steps/proof\n' >/opt/job/run"
	closeScript = "chmod 755 /opt/job/run; printf '#!/bin/sh\n' >/opt/job/run"
	asRoot      = "test $(cat /run/steps/proof) = 0"
)

// namedSteps are ways by what settings of root's programs name.
var namedSteps = map[string]step{
	"a program of pam_exec": {
		power.Root, power.ByFile, openScript + "echo 'session optional pam_exec.so quiet /opt/job/run' >>/etc/pam.d/su", writeScript, "su -c true agent", asRoot, closeScript,
	},
	"a rule of udev": {
		power.Root, power.ByFile, openScript + `mkdir -p /etc/udev/rules.d; echo 'ACTION=="add", RUN+="/opt/job/run %k"' >/etc/udev/rules.d/99-job.rules`, writeScript,
		`$(sed 's/.*RUN+="\([^ ]*\) .*/\1/' /etc/udev/rules.d/99-job.rules)`, asRoot, closeScript,
	},
	"a hook of apt": {
		power.Root, power.ByFile, openScript + `rm -rf /etc/apt/sources.list*; echo 'APT::Update::Pre-Invoke {"/opt/job/run";};' >/etc/apt/apt.conf.d/99job`, writeScript, "apt-get update", asRoot, closeScript,
	},
	"a job of at": {
		power.Root, power.ByFile, openScript + "mkdir -p /var/spool/cron/atjobs; printf '#!/bin/sh\n# atrun uid=0 gid=0\ncd /root || {\n exit 1\n}\n/opt/job/run\n' >/var/spool/cron/atjobs/a1; chmod 700 /var/spool/cron/atjobs/a1",
		writeScript, "sh /var/spool/cron/atjobs/a1", asRoot, closeScript,
	},
	"a file that Python runs as it starts": {
		power.Root, power.ByFile, "d=/usr/local/lib/python3.11/dist-packages; mkdir -p $d; touch $d/job.pth; chmod 777 $d/job.pth",
		`echo 'import os; os.system("id -u >/run/steps/proof")' >/usr/local/lib/python3.11/dist-packages/job.pth`, "/usr/bin/python3 -c pass", asRoot, "rm -r /usr/local/lib/python3.11",
	},
	"a hook of a repository": {
		power.Root, power.ByFile, "mkdir -p /opt/job; cd /opt/job; git init -q .; touch a; git add a; git -c user.name=a -c user.email=a@a commit -qm a; mkdir -p .git/hooks; chmod 777 .git/hooks; " +
			"echo '* * * * * root cd /opt/job && git checkout -q .' >/etc/cron.d/job",
		"printf '#!/bin/sh\nid -u >/run/steps/proof\n' >/opt/job/.git/hooks/post-checkout; chmod 755 /opt/job/.git/hooks/post-checkout", "cd /opt/job && git checkout -q .", asRoot,
		"chmod 755 /opt/job/.git/hooks; rm -f /opt/job/.git/hooks/*",
	},
	"the shell of root": {
		power.Root, power.ByFile, openScript + `sed -i 's=^root:\(.*\):[^:]*$=root:\1:/opt/job/run=' /etc/passwd`, writeScript, "su - root", asRoot,
		`sed -i 's=^root:\(.*\):[^:]*$=root:\1:/bin/bash=' /etc/passwd; ` + closeScript,
	},
}

// TestStepsByWhatSettingsName: a program that PAM, udev, apt, at, Python, git or a login runs is a way where others write it, is taken, and is none once it is closed.
func TestStepsByWhatSettingsName(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "su", "git", "apt-get", "/usr/bin/python3")
	agentScene(t)
	bed.Shell(t, "mount -t tmpfs -o mode=755 tmpfs /var/spool; mkdir /var/spool/cron")
	takeSteps(t, namedSteps)
}
