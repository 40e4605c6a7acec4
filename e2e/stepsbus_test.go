//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// busSteps are what an account can ask of services on the system bus whom polkit lets it ask.
var busSteps = map[string]struct{ goal, action, name, step, proof string }{
	"systemd": {
		"root", "org.freedesktop.systemd1.manage-units", "org.freedesktop.systemd1",
		"busctl call -- org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' p.service replace 1 " +
			"ExecStart 'a(sasb)' 1 /bin/sh 3 sh -c 'id -u >/run/steps/proof' false 0; sleep 1",
		"test $(cat /run/steps/proof) = 0",
	},
	"firewalld": {
		"filter", "org.fedoraproject.FirewallD1.config", "org.fedoraproject.FirewallD1",
		"busctl call -- org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone addPort sssi '' 4444 tcp 0", "nft list ruleset | grep -q 4444",
	},
}

// TestStepsOfTheBusUnderSystemd: what polkit lets an account ask is asked and done, and no more where the policy of the bus keeps the account from asking.
func TestStepsOfTheBusUnderSystemd(t *testing.T) {
	tar := os.Getenv("RINGFENCE_SYSTEMD_ROOT")
	if tar == "" {
		t.Skip("the machine lacks: the system that make test-systemd boots")
	}
	bed.NeedRoot(t)
	m := newMachine(t, tar)
	m.boot()
	if out, err := m.try("test -e /usr/lib/polkit-1/polkitd"); err != nil {
		t.Fatalf("the system of make test-systemd has no polkitd: %s", out)
	}
	m.run("echo agent:x:1001:1001::/home/agent:/bin/sh >>/etc/passwd; echo agent:x:1001: >>/etc/group; mkdir -m 1777 /run/steps; systemctl start firewalld polkit")
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	for name, c := range busSteps {
		taken := func() bool {
			_, _ = m.try("rm -f /run/steps/proof; firewall-cmd -q --remove-port 4444/tcp; setpriv --reuid 1001 --regid 1001 --clear-groups sh -c " + quoted(c.step))
			_, err := m.try(c.proof)
			return err == nil
		}
		said := func() string {
			return m.run("ringfence paths -q --deep --from 'account agent' --to " + c.goal)
		}
		t.Run(name, func(t *testing.T) {
			m.t = t
			m.run("echo 'polkit.addRule(function(action, subject) { if (action.id == \"" + c.action + "\" && subject.user == \"agent\") { return polkit.Result.YES; } });' >/etc/polkit-1/rules.d/10-a.rules; " +
				"chmod 755 /etc/polkit-1/rules.d; sleep 1")
			if text := said(); !strings.Contains(text, "YES") || !taken() {
				t.Errorf("open: %s", text)
			}
			m.run("echo '<busconfig><policy user=\"agent\"><deny send_destination=\"" + c.name + "\"/></policy></busconfig>' >/etc/dbus-1/system.d/agent.conf; systemctl reload dbus; sleep 1")
			if text := said(); !strings.Contains(text, " no: ") || taken() {
				t.Errorf("kept by the bus: %s", text)
			}
			m.run("rm /etc/dbus-1/system.d/agent.conf /etc/polkit-1/rules.d/10-a.rules; systemctl reload dbus; sleep 1")
			if text := said(); !strings.Contains(text, " no: ") || taken() {
				t.Errorf("kept by polkit: %s", text)
			}
		})
	}
	m.t = t
}
