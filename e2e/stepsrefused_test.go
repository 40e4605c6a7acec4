//go:build linux

package e2e

import (
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// refusedStep writes a file that root's program refuses for whom it belongs to, who may write it, or what it is called.
func refusedStep(prepare, take, later string) step {
	return step{power.Root, power.ByFile, prepare, take, later, "test $(cat /run/steps/proof) = 0", ""}
}

// TestFilesThatAreRefused: a file that sudo, doas or logrotate does not take gives who writes it nothing, and is no way; nor do the rules that are in it.
func TestFilesThatAreRefused(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "setfacl", "sudo", "doas", "logrotate", "cvtsudoers")
	agentScene(t)
	bed.Shell(t, "chmod 4755 /usr/bin/doas; rm -rf /etc/sudoers.d/* /etc/logrotate.d/*; printf 'root ALL=(ALL:ALL) ALL\\n@includedir /etc/sudoers.d\\n' >/etc/sudoers; chmod 440 /etc/sudoers")
	const (
		rule   = "echo 'agent ALL=NOPASSWD: ALL' >/etc/sudoers.d/"
		use    = "sudo -n sh -c 'id -u >/run/steps/proof'"
		rotate = "printf '/run/steps/log {\\n size 1\\n postrotate\\n id -u >/run/steps/proof\\n endscript\\n}\\n' >/etc/logrotate.d/job; "
		run    = "echo x >/run/steps/log; logrotate -f -s /run/state /etc/logrotate.conf"
		doas   = "echo 'permit nopass agent' >/etc/doas.conf; "
		become = "doas -n sh -c 'id -u >/run/steps/proof'"
	)
	for name, c := range map[string]step{
		"rules of sudo that everybody writes":        refusedStep(rule+"job; chmod 666 /etc/sudoers.d/job", rule+"job; "+use, ""),
		"rules of sudo of the agent":                 refusedStep(rule+"job; chmod 440 /etc/sudoers.d/job; chown 1001 /etc/sudoers.d/job", use, ""),
		"rules of sudo that a group writes":          refusedStep(rule+"job; chmod 460 /etc/sudoers.d/job; chgrp 1001 /etc/sudoers.d/job", rule+"job; "+use, ""),
		"rules of sudo with a dot":                   refusedStep(rule+"a.job; chmod 666 /etc/sudoers.d/a.job", use, ""),
		"a directory of rules that everybody writes": refusedStep("chmod 777 /etc/sudoers.d", rule+"job; chmod 440 /etc/sudoers.d/job; "+use, ""),
		"all rules, written by everybody":            refusedStep("cp -p /etc/sudoers /run/sudoers; echo 'agent ALL=NOPASSWD: ALL' >>/etc/sudoers; chmod 666 /etc/sudoers", use, ""),
		"rules of doas that everybody writes":        refusedStep(doas+"chmod 666 /etc/doas.conf", become, ""),
		"rules of doas of the agent":                 refusedStep(doas+"chown 1001 /etc/doas.conf", become, ""),
		"rules of doas by a list":                    refusedStep(doas+"setfacl -m u:1001:rw /etc/doas.conf", become, ""),
		"settings of logrotate of the agent":         refusedStep(rotate+"chown 1001 /etc/logrotate.d/job", "true", run),
		"settings of logrotate of a group":           refusedStep(rotate+"chmod 664 /etc/logrotate.d/job; chgrp 1001 /etc/logrotate.d/job", "true", run),
	} {
		t.Run(name, func(t *testing.T) {
			bed.Shell(t, "%s", c.prepare)
			if a := ask(t, c.goal); a.Verdict == power.Yes || !a.Unsearched {
				t.Errorf("%s by %+v, %v", a.Verdict, a.Path, a.Because)
			}
			if taken(t, c.step, c.later, c.proof) {
				t.Error("the step is taken")
			}
			bed.Shell(t, "rm -rf /etc/sudoers.d/* /etc/logrotate.d/* /etc/doas.conf; chmod 755 /etc/sudoers.d; if [ -e /run/sudoers ]; then mv /run/sudoers /etc/sudoers; fi")
		})
	}
}
