//go:build linux && !ringfence_portable

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// hangingSSHD audits a host whose sshd hangs when it is asked for its configuration, and sends the audit a signal then. It
// works in mount and pid namespaces of its own, and prints the exit code of the audit and what became of sshd.
const hangingSSHD = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/x /run/out
printf '#!/bin/sh\necho $$ >/run/x/new; mv /run/x/new /run/x/pid; exec sleep 300\n' >/run/x/fake
chmod 755 /run/x/fake
if [ -e /usr/sbin/sshd ]; then mount --bind /run/x/fake /usr/sbin/sshd
else mount -t tmpfs -o mode=755 tmpfs /usr/local/sbin; cp /run/x/fake /usr/local/sbin/sshd; fi
mkdir -p /etc/ssh; mount -t tmpfs -o mode=755 tmpfs /etc/ssh
echo 'PasswordAuthentication no' >/etc/ssh/sshd_config
cp /bin/sleep /run/x/sshd; /run/x/sshd 300 &
"$PROGRAM" audit -q --timeout 5m -o json=/run/out/report.json >/run/x/said 2>&1 & audit=$!
n=0; while [ ! -e /run/x/pid ]; do n=$((n+1)); [ $n -lt 200 ] || { echo 'sshd was not asked:'; cat /run/x/said; exit 1; }; sleep 0.1; done
hung=$(cat /run/x/pid)
kill -$SIGNAL $audit
code=0; wait $audit || code=$?
echo "code $code, left $(ls -A /run/out | wc -l) files, said $(cat /run/x/said)"
n=0; while [ -e /proc/$hung ] && ! grep -q ') Z ' /proc/$hung/stat; do n=$((n+1)); [ $n -lt 50 ] || { echo 'sshd goes on'; exit 1; }; sleep 0.1; done
echo 'sshd ended'`

// TestSignalEndsTheAuditAndItsChildren: whoever ends an audit ends what it started, gets the exit code that a shell
// gives for the signal, and finds no file half written.
func TestSignalEndsTheAuditAndItsChildren(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, for a mount namespace")
	}
	program, err := exec.LookPath("ringfence")
	if err != nil {
		t.Fatal(err)
	}
	for signal, want := range map[string]string{
		"TERM": "code 143, left 0 files, said ringfence: ended by a signal: terminated",
		"INT":  "code 130, left 0 files, said ringfence: ended by a signal: interrupt",
	} {
		cmd := exec.Command("unshare", "-mpf", "--mount-proc", "--kill-child", "sh", "-c", hangingSSHD)
		cmd.Env = append(os.Environ(), "PROGRAM="+program, "SIGNAL="+signal)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "sshd ended") {
			t.Errorf("SIG%s: %v\n%s\nwant %s", signal, err, out, want)
		}
	}
}
