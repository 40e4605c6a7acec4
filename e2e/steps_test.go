//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// step is what uid 1001, who is the account agent, can do to become root, to change the filter or to read a secret. It is prepared, taken, and mended.
type step struct {
	goal power.Goal
	kind power.EdgeKind
	// prepare opens the way as root, step takes it as the agent, later is what root does then; proof says that it worked.
	prepare, step, later, proof, mend string
}

var steps = map[string]step{
	"a script of cron": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job/run; chmod 777 /opt/job/run; echo '* * * * * root /opt/job/run' >/etc/cron.d/job",
		"echo 'id -u >/run/steps/proof' >>/opt/job/run", "sh /opt/job/run", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/run; echo >/opt/job/run",
	},
	"the directory of a script of cron": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job/run; chmod 777 /opt/job; echo '* * * * * root /opt/job/run' >/etc/cron.d/job",
		"mv /opt/job/run /opt/job/old; echo 'id -u >/run/steps/proof' >/opt/job/run", "sh /opt/job/run", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job; rm -r /opt/job/*; echo >/opt/job/run; chmod 755 /opt/job/run",
	},
	"a script of cron, and the directory that nobody gets through": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 777 /opt/job/run; chmod 755 /opt/job; echo '* * * * * root /opt/job/run' >/etc/cron.d/job",
		"echo 'id -u >/run/steps/proof' >>/opt/job/run", "sh /opt/job/run", "test $(cat /run/steps/proof) = 0", "chmod 700 /opt/job; echo >/opt/job/run",
	},
	"a program that a script of cron runs": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; printf '#!/bin/sh\nD=/opt/job\n$D/run\n' >/opt/job/outer; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job /opt/job/outer; chmod 777 /opt/job/run; " +
			"echo '* * * * * root /opt/job/outer' >/etc/cron.d/job",
		"echo 'id -u >/run/steps/proof' >>/opt/job/run", "sh /opt/job/outer", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/run; echo >/opt/job/run",
	},
	"a directory of run-parts": {
		power.Root, power.ByFile, "mkdir -p /opt/job; chmod 777 /opt/job; echo '* * * * * root run-parts /opt/job' >/etc/cron.d/job",
		"printf '#!/bin/sh\nid -u >/run/steps/proof\n' >/opt/job/a; chmod 755 /opt/job/a", "run-parts /opt/job", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job; rm -f /opt/job/a",
	},
	"a directory whose programs a script runs": {
		power.Root, power.ByFile, "mkdir -p /opt/job; chmod 777 /opt/job; echo '* * * * * root for f in /opt/job/*.sh; do sh $f; done' >/etc/cron.d/job",
		"echo 'id -u >/run/steps/proof' >/opt/job/a.sh", "for f in /opt/job/*.sh; do sh $f; done", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job; rm -f /opt/job/a.sh",
	},
	"names of files that are options of tar": {
		power.Root, power.ByFile, "mkdir -p /opt/job; chmod 777 /opt/job; echo '* * * * * root cd /opt/job && tar cf /run/job.tar *' >/etc/cron.d/job",
		"cd /opt/job && echo 'id -u >/run/steps/proof' >x.sh && touch -- --checkpoint=1 '--checkpoint-action=exec=sh x.sh'", "cd /opt/job && tar cf /run/job.tar *",
		"test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job; rm -rf /opt/job/*",
	},
	"a script of logrotate": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job; chmod 777 /opt/job/run; printf '/opt/job/log {\n postrotate\n  /opt/job/run\n endscript\n}\n' >/etc/logrotate.d/job",
		"echo 'id -u >/run/steps/proof' >>/opt/job/run", "sed -n '/postrotate/,/endscript/{//d;p}' /etc/logrotate.d/job | sh", "test $(cat /run/steps/proof) = 0",
		"chmod 755 /opt/job/run; echo >/opt/job/run",
	},
	"a script that a rule of sudo runs by a shell": {
		power.Root, power.BySudo,
		"mkdir -p /opt/job; touch /opt/job/run; chmod 755 /opt/job; chown 1001 /opt/job/run; echo 'agent ALL=(root) NOPASSWD: /bin/sh /opt/job/run' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent",
		"echo 'id -u >/run/steps/proof' >/opt/job/run; sudo -n /bin/sh /opt/job/run", "", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/agent",
	},
	"a program of a directory that a rule of sudo allows": {
		power.Root, power.BySudo, "mkdir -p /opt/job; chmod 777 /opt/job; echo 'agent ALL=(root) NOPASSWD: /opt/job/*' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent",
		"printf '#!/bin/sh\nid -u >/run/steps/proof\n' >/opt/job/a; chmod 755 /opt/job/a; sudo -n /opt/job/a", "", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/agent",
	},
	"a file of rules of sudo, by a list": {
		power.Root, power.ByFile, "touch /etc/sudoers.d/job; chmod 440 /etc/sudoers.d/job; setfacl -m u:1001:rw /etc/sudoers.d/job",
		"echo 'agent ALL=NOPASSWD: ALL' >/etc/sudoers.d/job; sudo -n sh -c 'id -u >/run/steps/proof'", "", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/job",
	},
	"a file that rules of sudo include": {
		power.Root, power.ByFile, "mkdir -p /opt/job; chmod 755 /opt/job; touch /opt/job/rules; chmod 440 /opt/job/rules; setfacl -m u:1001:rw /opt/job/rules; echo '@includedir /opt/job' >/etc/sudoers.d/job; chmod 440 /etc/sudoers.d/job",
		"echo 'agent ALL=NOPASSWD: ALL' >/opt/job/rules; sudo -n sh -c 'id -u >/run/steps/proof'", "", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/job",
	},
	"hooks of a repository above a directory": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job/sub; chmod 755 /opt/job /opt/job/sub; git init -q /opt/job; chmod -R go-w /opt/job/.git; chmod 777 /opt/job/.git/hooks; echo '* * * * * root cd /opt/job/sub && git gc --auto && git commit --allow-empty -m x' >/etc/cron.d/job",
		"printf '#!/bin/sh\nid -u >/run/steps/proof\n' >/opt/job/.git/hooks/pre-commit; chmod 755 /opt/job/.git/hooks/pre-commit", "cd /opt/job/sub && git commit --allow-empty -m x",
		"test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/.git/hooks; rm -f /opt/job/.git/hooks/*",
	},
	"a file of make that comes before another": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; chmod 755 /opt/job; printf 'all:\n' >/opt/job/makefile; cp /opt/job/makefile /opt/job/Makefile; chmod 666 /opt/job/makefile; echo '* * * * * root make --directory=/opt/job' >/etc/cron.d/job",
		"printf 'all:\n\tid -u >/run/steps/proof\n' >/opt/job/makefile", "make --directory=/opt/job", "test $(cat /run/steps/proof) = 0", "chmod 644 /opt/job/makefile; printf 'all:\n' >/opt/job/makefile",
	},
	"a script of rc.local": {
		power.Root, power.ByFile,
		"mkdir -p /opt/job; printf '#!/bin/sh\n' >/opt/job/run; chmod 755 /opt/job; chmod 777 /opt/job/run; printf '#!/bin/sh\ncd /opt/job\n./run\n' >/etc/rc.local; chmod 755 /etc/rc.local",
		"echo 'id -u >/run/steps/proof' >>/opt/job/run", "/etc/rc.local", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/run; printf '#!/bin/sh\n' >/opt/job/run",
	},
	"a program of the bus": {
		power.Root, power.ByFile,
		"mkdir -p /run/dbus /opt/job /usr/local/share/dbus-1/system-services; printf '#!/bin/sh\n' >/opt/job/run; chmod 777 /opt/job/run; chmod 755 /opt/job; " +
			"printf '[D-BUS Service]\nName=a.Job\nExec=/opt/job/run\nUser=root\n' >/usr/local/share/dbus-1/system-services/a.Job.service; dbus-daemon --system --fork --nopidfile",
		"printf '#!/bin/sh\nid -u >/run/steps/proof\n' >/opt/job/run; " +
			"timeout 2 dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.StartServiceByName string:a.Job uint32:0",
		"", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/job/run; printf '#!/bin/sh\n' >/opt/job/run",
	},
	"a directory of the path of root": {
		power.Root, power.ByFile, "chmod 1777 /usr/local/bin", "echo 'id -u >/run/steps/proof' >/usr/local/bin/ls; chmod 755 /usr/local/bin/ls", "ls", "test $(cat /run/steps/proof) = 0",
		"rm -f /usr/local/bin/ls; chmod 755 /usr/local/bin",
	},
	"a set-id program": {
		power.Root, power.ByProgram, "cp /usr/bin/find /usr/local/bin/find; chmod 4755 /usr/local/bin/find",
		"/usr/local/bin/find /usr/local/bin/find -exec sh -p -c 'id -u >/run/steps/proof' ';'", "", "test $(cat /run/steps/proof) = 0", "chmod 755 /usr/local/bin/find",
	},
	"the capabilities of a program": {
		power.Root, power.ByProgram, "cp /usr/bin/perl /usr/local/bin/perl; setcap cap_setuid+ep /usr/local/bin/perl",
		"/usr/local/bin/perl -e '$< = 0; $> = 0; system(\"id -u >/run/steps/proof\")'", "", "test $(cat /run/steps/proof) = 0", "setcap -r /usr/local/bin/perl",
	},
	"a rule of sudo": {
		power.Root, power.BySudo, "echo 'agent ALL=(root) NOPASSWD: /usr/bin/find' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent",
		"sudo -n /usr/bin/find /opt -maxdepth 0 -exec sh -c 'id -u >/run/steps/proof' ';'", "", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/agent",
	},
	"a rule of sudo with a star": {
		power.Root, power.BySudo, "echo 'agent ALL=(root) NOPASSWD: /usr/bin/tee /etc/motd*' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent",
		"echo 0 | sudo -n /usr/bin/tee /etc/motd /root/proof", "cp /root/proof /run/steps/proof; rm /root/proof", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/agent",
	},
	"the file of accounts": {
		power.Root, power.ByFile, "chmod 666 /etc/passwd", "echo 'toor::0:0::/root:/bin/sh' >>/etc/passwd", "", "getent passwd toor | grep -q ':0:0:'",
		"sed -i /^toor/d /etc/passwd; chmod 644 /etc/passwd",
	},
	"the group of secrets": {
		power.Secret, power.ByFile, "usermod -aG shadow agent", "cat /etc/shadow >/run/steps/proof", "", "grep -q ^root: /run/steps/proof", "gpasswd -d agent shadow",
	},
	"a secret by a list": {
		power.Secret, power.ByFile, "setfacl -m u:1001:r /etc/shadow", "cat /etc/shadow >/run/steps/proof", "", "grep -q ^root: /run/steps/proof", "setfacl -b /etc/shadow",
	},
	"an account without a password": {
		power.Root, power.ByAccount, "sed -i 's/^root:[^:]*:/root::/' /etc/shadow", "su root -c 'id -u >/run/steps/proof'", "", "test $(cat /run/steps/proof) = 0", "sed -i 's/^root::/root:*:/' /etc/shadow",
	},
	"an editor that a rule of sudo allows": {
		power.Root, power.BySudo, "echo 'agent ALL=(root) NOPASSWD: /usr/bin/less /etc/motd' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent",
		"printf '!id -u >/run/steps/proof\\nq\\n' | script -qec 'sudo -n /usr/bin/less /etc/motd' /dev/null", "", "test $(cat /run/steps/proof) = 0", "rm /etc/sudoers.d/agent",
	},
	"a file of the filter": {
		power.Filter, power.ByFile, "touch /etc/nftables.conf; chown 1001 /etc/nftables.conf", "echo 'table inet proof {}' >/etc/nftables.conf",
		"nft -f /etc/nftables.conf", "nft list table inet proof", "nft delete table inet proof; chown 0 /etc/nftables.conf; echo >/etc/nftables.conf",
	},
}

// TestStepsAreTaken: of each way that is found the step is really taken by who is said to have it, and fails once the way is closed, when none is found any
// more.
func TestStepsAreTaken(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "setcap", "setfacl", "sudo", "perl", "nft", "usermod", "gpasswd", "find", "dbus-daemon", "dbus-send", "su", "less", "script", "git", "make")
	agentScene(t)
	takeSteps(t, steps)
}

// agentScene is a host on which the account agent has no way to more than it has: what is changed is changed in here alone.
func agentScene(t *testing.T) {
	t.Helper()
	const work = "/run/changes"
	bed.Shell(t, "mkdir %s; mount -t tmpfs tmpfs %s", work, work)
	for _, d := range []string{"etc", "opt", "usr/local"} {
		up := filepath.Join(work, strings.ReplaceAll(d, "/", "-"))
		bed.Shell(t, "mkdir -p /%s %s-u %s-w; mount -t overlay overlay -o lowerdir=/%s,upperdir=%s-u,workdir=%s-w /%s", d, up, up, d, up, up, d)
	}
	bed.Shell(t, "mkdir -p %s/b-u %s/b-w; mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=%s/b-u,workdir=%s/b-w /usr/bin; "+ // programs that are here alone
		"find /usr/bin -perm /6000 ! -name sudo ! -name su -exec chmod a-s {} +", work, work, work, work)
	bed.Shell(t, "mkdir -m 1777 /run/steps; chmod 755 /opt /usr/local /usr/local/bin; rm -rf /usr/local/bin/* /etc/cron.d/* /etc/dbus-1/system.d/*; "+
		"echo agent:x:1001:1001::/nonexistent:/bin/sh >>/etc/passwd; echo agent:x:1001: >>/etc/group; echo 'agent:*:1::::::' >>/etc/shadow")
}

// takeSteps opens each way, takes the step and closes it: the answer follows.
func takeSteps(t *testing.T, list map[string]step) {
	t.Helper()
	for name, c := range list {
		t.Run(name, func(t *testing.T) {
			bed.Shell(t, "%s", c.prepare)
			a := ask(t, c.goal)
			if a.Verdict != power.Yes || len(a.Path) == 0 || a.Path[0].Kind != c.kind {
				t.Errorf("open: %s by %+v, %v", a.Verdict, a.Path, a.Because)
			}
			if !taken(t, c.step, c.later, c.proof) {
				t.Error("the step is not taken that is said to be possible")
			}
			bed.Shell(t, "%s", c.mend)
			if a := ask(t, c.goal); a.Verdict == power.Yes || !a.Unsearched {
				t.Errorf("closed: %s by %+v, %v", a.Verdict, a.Path, a.Because)
			}
			if taken(t, c.step, c.later, c.proof) {
				t.Error("the step is taken that is said to be closed")
			}
			bed.Shell(t, "rm -rf /opt/job /etc/rc.local /etc/cron.d/job /etc/logrotate.d/job /etc/nftables.conf /usr/local/share/dbus-1 /usr/local/bin/*")
		})
	}
}

// ask is whether the agent gets to a goal.
func ask(t *testing.T, goal power.Goal) power.Answer {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), bed.Program(t), "paths", "-q", "--from", "account agent", "--to", string(goal), "-f", "json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var doc struct{ Answers []power.Answer }
	if err := json.Unmarshal(out, &doc); err != nil || len(doc.Answers) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	return doc.Answers[0]
}

// taken does a step as the agent, then what root does, and says whether it worked.
func taken(t *testing.T, step, later, proof string) bool {
	t.Helper()
	if err := os.Remove("/run/steps/proof"); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	agent := exec.CommandContext(t.Context(), "setpriv", "--reuid", "1001", "--regid", "1001", "--init-groups", "sh", "-c", step)
	out, _ := agent.CombinedOutput() // it fails where it is closed
	if later != "" {
		_ = exec.CommandContext(t.Context(), "sh", "-c", "PATH=/usr/local/bin:/usr/sbin:/usr/bin; "+later).Run()
	}
	err := exec.CommandContext(t.Context(), "sh", "-c", proof).Run()
	t.Logf("%s: %s", step, out)
	return err == nil
}
