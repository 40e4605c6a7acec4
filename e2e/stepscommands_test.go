//go:build linux

package e2e

import (
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// bySudoRule is a step by one command that sudo lets the agent run as root without a password.
func bySudoRule(goal power.Goal, command, take, later, proof string) step {
	return step{
		goal, power.BySudo, "echo 'agent ALL=(root) NOPASSWD: " + command + "' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent", take, later, proof, "rm /etc/sudoers.d/agent",
	}
}

// TestCommandsOfSudoAreSteps: commands that sudo lets somebody run give what is told of them.
func TestCommandsOfSudoAreSteps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "sudo", "su", "ip", "nft", "chpasswd", "cvtsudoers", "openssl")
	agentScene(t)
	const (
		typed = "echo 'id -u >/run/steps/proof' | "
		reset = "sed -i 's/^root:[^:]*/root:*/' /etc/shadow"
	)
	takeSteps(t, map[string]step{
		"a login of root":             bySudoRule(power.Root, "/usr/bin/su -", typed+"sudo -n su -", "", asRoot),
		"a shell that asks":           bySudoRule(power.Root, "/bin/sh -s", typed+"sudo -n /bin/sh -s", "", asRoot),
		"networks of their own":       bySudoRule(power.Root, "/usr/sbin/ip", "sudo -n ip netns add a; sudo -n ip netns exec a sh -c 'id -u >/run/steps/proof'; sudo -n ip netns delete a", "", asRoot),
		"passwords":                   bySudoRule(power.Root, "/usr/sbin/chpasswd", "echo root:1x2y3z4 | sudo -n chpasswd && echo 0 >/run/steps/proof", reset, asRoot),
		"a table that is edited":      bySudoRule(power.Root, "sudoedit /etc/crontab", "echo '* * * * * root true proof' >/run/steps/new; EDITOR='cp /run/steps/new' sudo -n -e /etc/crontab", "", "grep -q proof /etc/crontab && sed -i /proof/d /etc/crontab"),
		"the text of logs":            bySudoRule(power.Secret, "/usr/bin/tail /var/log/*", "sudo -n tail /var/log/a /etc/shadow >/run/steps/proof", "", "grep -q : /run/steps/proof"),
		"the filter":                  bySudoRule(power.Filter, "/usr/sbin/nft", "sudo -n nft add table inet proof", "", "nft delete table inet proof"),
		"a program that only reads":   {power.Secret, power.ByProgram, "cp /usr/bin/tail /usr/local/bin/tail; chmod 4755 /usr/local/bin/tail", "tail -n 99 /etc/shadow >/run/steps/proof", "", "grep -q ^root: /run/steps/proof", "chmod 755 /usr/local/bin/tail"},
		"a program that may read all": {power.Secret, power.ByProgram, "cp /usr/bin/tail /usr/local/bin/tail; setcap cap_dac_read_search=ep /usr/local/bin/tail", "tail -n 99 /etc/shadow >/run/steps/proof", "", "grep -q ^root: /run/steps/proof", "setcap -r /usr/local/bin/tail"},
	})
	for name, rule := range map[string]string{
		"a program of one content":    "$(openssl dgst -sha256 -r /opt/job/run | sed 's/^/sha256:/; s/ .*//') /opt/job/run",
		"a unit that is there":        "/usr/bin/systemctl restart *",
		"a file of some directory":    "sudoedit /opt/*/run",
		"a program that only reads":   "/usr/bin/tail",
		"a service by its own script": "/usr/sbin/service job *",
	} {
		t.Run("not "+name, func(t *testing.T) {
			bed.Shell(t, "%s", openScript+`echo "agent ALL=(root) NOPASSWD: `+rule+`" >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent`)
			if a := ask(t, power.Root); a.Verdict != power.Unknown || a.Unsearched {
				t.Errorf("%s by %+v, %v", a.Verdict, a.Path, a.Because)
			}
			if taken(t, writeScript+"; sudo -n /opt/job/run", "", asRoot) {
				t.Error("the step is taken")
			}
			bed.Shell(t, "rm -rf /etc/sudoers.d/agent /opt/job")
		})
	}
}
