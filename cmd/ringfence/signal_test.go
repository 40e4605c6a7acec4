package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangingSSHD runs the arguments where the installed sshd hangs, and a process looks like a server. It works in a
// mount namespace of its own.
const hangingSSHD = `set -e
mount --make-rprivate /
printf '#!/bin/sh\necho $$ >>%s/pids; exec sleep 300\n' "$DIR" >"$DIR/fake"
chmod 755 "$DIR/fake"
if [ -e /usr/sbin/sshd ]; then mount --bind "$DIR/fake" /usr/sbin/sshd
else mount -t tmpfs tmpfs /usr/local/sbin; cp "$DIR/fake" /usr/local/sbin/sshd; fi
mkdir -p /etc/ssh; mount -t tmpfs tmpfs /etc/ssh
echo 'PasswordAuthentication no' >/etc/ssh/sshd_config
exec "$@"`

// TestSignalEndsTheAuditAndItsChildren: whoever ends an audit ends what it started, gets the exit code that a shell
// gives for the signal, and finds no file half written.
func TestSignalEndsTheAuditAndItsChildren(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for a mount namespace")
	}
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		dir := t.TempDir()
		server := exec.Command(copied(t, "/bin/sleep", filepath.Join(dir, "sshd")), "300")
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
		program, err := exec.LookPath("ringfence")
		if err != nil {
			t.Fatal(err)
		}
		report := filepath.Join(dir, "report.json")
		audit := exec.Command("unshare", "-m", "sh", "-c", hangingSSHD, "sh", program, "audit", "-q", "--timeout", "5m", "-o", "json="+report)
		var out bytes.Buffer
		audit.Env, audit.Stderr, audit.Stdout = append(os.Environ(), "DIR="+dir), &out, &out
		if err := audit.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- audit.Wait() }()
		child := hanging(t, filepath.Join(dir, "pids"), ended, &out)
		if err := audit.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			ee := new(exec.ExitError)
			if !errors.As(err, &ee) || ee.ExitCode() != code {
				t.Errorf("%s: %v, want exit code %d: %s", sig, err, code, out.String())
			}
		case <-time.After(10 * time.Second):
			_ = audit.Process.Kill()
			t.Fatalf("%s does not end the audit", sig)
		}
		for n := 0; syscall.Kill(child, 0) == nil; n++ {
			if n > 500 {
				_ = syscall.Kill(child, syscall.SIGKILL)
				t.Fatalf("%s: the audit's child goes on", sig)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*report*")); len(left) > 0 || !strings.Contains(out.String(), "ended by a signal") {
			t.Errorf("%s: left %v, said %s", sig, left, out.String())
		}
	}
}

func copied(t *testing.T, from, to string) string {
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// hanging waits for the child of the audit.
func hanging(t *testing.T, file string, ended chan error, out fmt.Stringer) int {
	for range 1500 {
		select {
		case err := <-ended:
			t.Fatalf("the audit ended: %v %s", err, out)
		case <-time.After(10 * time.Millisecond):
		}
		if b, err := os.ReadFile(file); err == nil && bytes.HasSuffix(b, []byte("\n")) {
			pid, err := strconv.Atoi(strings.Fields(string(b))[0])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("the audit asked no sshd")
	return 0
}
