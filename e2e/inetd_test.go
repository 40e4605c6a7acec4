//go:build linux

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// TestServerOfInetd has the real inetd listen for sshd on another port, and asks who reaches it: what holds the socket is inetd, and what answers
// is an SSH server with options of its own.
func TestServerOfInetd(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "/usr/sbin/inetd", "/usr/sbin/sshd", "ss")
	program := bed.Program(t)
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	write(t, conf, "2222 stream tcp nowait root /usr/sbin/sshd sshd -i -o PasswordAuthentication=yes -o UsePAM=no\n")
	bed.Shell(t, `ip link add ext0 type veth peer name far0; ip addr add 198.51.100.1/24 dev ext0; ip link set ext0 up; ip link set far0 up`)
	cmd := exec.Command("/usr/sbin/inetd", "-i", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if !bed.Until(func() bool {
		out, err := exec.Command("ss", "-Hltn").Output()
		return err == nil && strings.Contains(string(out), ":2222 ")
	}) {
		t.Fatal("inetd does not listen")
	}
	res := auditOf(t, program, "management/ssh-reachable-from-external")
	if res.Status != finding.Fail || !strings.Contains(res.Findings[0].Resource.Key, ":2222 (inetd)") {
		t.Errorf("%s %q %+v", res.Status, res.Reason, res.Findings)
	}
	res = auditOf(t, program, "ssh/password-authentication")
	if res.Status != finding.Fail || !strings.Contains(res.Findings[0].Resource.Key, "passwordauthentication=yes") {
		t.Errorf("%s %q %+v", res.Status, res.Reason, res.Findings)
	}
}
