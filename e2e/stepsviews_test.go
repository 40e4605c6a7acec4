//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// viewSteps are what a service can do that has mounts of its own: what opens the way, the step, and settings of the service that each close it.
var viewSteps = map[string]struct {
	goal, prepare, step, later, proof string
	settings                          []string
}{
	"a program of root": {
		"root", "mkdir -p /opt/job; printf '#!/bin/sh\\n' >/opt/job/run; chmod 777 /opt/job/run",
		"echo 'id -u >/run/steps/proof' >>/opt/job/run", "sh /opt/job/run", "test $(cat /run/steps/proof) = 0",
		[]string{"ProtectSystem=strict", "ReadOnlyPaths=/opt", "InaccessiblePaths=/opt/job", "TemporaryFileSystem=/opt", "InaccessiblePaths=/opt/job/run", "BindReadOnlyPaths=/usr:/opt"},
	},
	"a program of root in /tmp": {
		"root", "mkdir -p /tmp/job; printf '#!/bin/sh\\n' >/tmp/job/run; chmod 777 /tmp/job/run; sed -i s=/opt/job=/tmp/job= /etc/systemd/system/later.service",
		"mkdir -p /tmp/job; echo 'id -u >/run/steps/proof' >>/tmp/job/run", "sh /tmp/job/run", "test $(cat /run/steps/proof) = 0",
		[]string{"PrivateTmp=yes", "TemporaryFileSystem=/tmp"},
	},
	"a secret": {
		"secret", "chmod 644 /etc/shadow", "cat /etc/shadow >/run/steps/proof", "", "grep -q ^root: /run/steps/proof",
		[]string{"InaccessiblePaths=/etc/shadow", "TemporaryFileSystem=/etc"},
	},
	"a set-id program": {
		"root", "cp /usr/bin/find /usr/local/bin/find; chmod 4755 /usr/local/bin/find", "/usr/local/bin/find /usr/local/bin/find -exec sh -p -c 'id -u >/run/steps/proof' ';'",
		"", "test $(cat /run/steps/proof) = 0",
		[]string{"InaccessiblePaths=/usr/local/bin", "NoExecPaths=/usr/local/bin", "TemporaryFileSystem=/usr/local"},
	},
}

// TestStepsOfViewsUnderSystemd: what mounts of a service hide from it or keep from being written is no way, and is really none; without them it is one, and is taken.
// The bus is hidden from all of them: over it, a service perhaps has a manager of its account started (loginctl enable-linger), which has the mounts of the host.
func TestStepsOfViewsUnderSystemd(t *testing.T) {
	tar := os.Getenv("RINGFENCE_SYSTEMD_ROOT")
	if tar == "" {
		t.Skip("the machine lacks: the system that make test-systemd boots")
	}
	bed.NeedRoot(t)
	m := newMachine(t, tar)
	m.boot()
	m.run("echo agent:x:1001:1001::/home/agent:/usr/sbin/nologin >>/etc/passwd; echo agent:x:1001: >>/etc/group; mkdir -m 1777 /run/steps")
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	start := func(settings string) {
		m.run("printf '[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nType=exec\\nUser=agent\\nReadWritePaths=/run/steps\\nPrivateMounts=yes\\nInaccessiblePaths=/run/dbus\\n" + settings + "\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/job.service; " +
			"systemctl daemon-reload; systemctl restart job; systemctl is-active job || systemctl status job")
	}
	for name, c := range viewSteps {
		taken := func() bool {
			_, _ = m.try("rm -f /run/steps/proof; nsenter -m -t $(systemctl show -P MainPID job) setpriv --reuid 1001 --regid 1001 --clear-groups sh -c " + quoted(c.step))
			_, _ = m.try(c.later)
			_, err := m.try(c.proof)
			return err == nil
		}
		t.Run(name, func(t *testing.T) {
			m.t = t
			m.run("printf '[Service]\\nType=oneshot\\nExecStart=/opt/job/run\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/later.service; systemctl enable --quiet later")
			for i, settings := range append([]string{""}, c.settings...) {
				m.run(c.prepare)
				start(settings)
				open := i == 0
				if said := m.run("ringfence paths -q --deep --from job.service --to " + c.goal); strings.Contains(said, "YES") != open || !open && !strings.Contains(said, " no: ") {
					t.Errorf("%q: %s", settings, said)
				}
				if taken() != open {
					t.Errorf("%q: taken is not %v", settings, open)
				}
				m.run("rm -rf /opt/job /tmp/job /usr/local/bin/find; chmod 640 /etc/shadow")
			}
		})
	}
	m.t = t
}
