//go:build linux

package e2e

import (
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
