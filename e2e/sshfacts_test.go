//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// TestSSHAsServersHaveIt audits real servers: options of the command line, the context of one user, two factors, lists of users, comments
// that sshd itself was not there to read, a file that was changed and not read again, two servers of one path, and one without a file.
func TestSSHAsServersHaveIt(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "/usr/sbin/sshd", "ssh-keygen", "ss")
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "bash", "sshfacts.sh", bed.Program(t), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "failed")); err == nil {
		t.Fatalf("nothing listens on port %s", b)
	}
	const password, root = "ssh/password-authentication", "ssh/root-login-with-password"
	for _, c := range []struct {
		scene, check, status string
		keys                 []string // ends of the keys of what is found
	}{
		{"options", password, "fail", []string{"-o permitrootlogin=yes for everybody"}},
		{"options", root, "fail", []string{"-o permitrootlogin=yes for everybody"}},
		{"match", password, "fail", []string{"Match User alice"}},
		{"match", root, "pass", nil},
		{"factors", password, "pass", nil},
		{"allowed", password, "fail", []string{"for everybody"}},
		{"allowed", root, "pass", nil},
		{"comments", password, "fail", []string{"for everybody"}},
		{"comments", root, "fail", []string{"for everybody"}},
		{"changed", password, "unknown", nil},
		{"reloaded", password, "pass", nil},
		{"reloaded", root, "pass", nil},
		{"two", password, "fail", []string{"/etc/ssh/sshd_config for everybody"}},
		{"two", root, "fail", []string{"/etc/ssh/sshd_config for everybody"}},
		{"dropbear", root, "", []string{}},
	} {
		file := filepath.Join(dir, c.scene+".json")
		if _, err := os.Stat(file); err != nil && c.scene == "dropbear" {
			continue // the program is not here
		}
		var report finding.Report
		readJSON(t, file, &report)
		for _, r := range report.Results {
			if r.ID != c.check {
				continue
			}
			keys := keysOf(&report, c.check)
			if c.scene == "dropbear" {
				if slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, "dropbear") }) {
					t.Errorf("dropbear -g lets root in by a password: %q", keys)
				}
				continue
			}
			right := len(keys) == len(c.keys) && r.Status == c.status
			for i, k := range keys {
				right = right && strings.HasSuffix(k, c.keys[i])
			}
			if !right {
				t.Errorf("%s: %s is %s %q %s, want %s %q", c.scene, c.check, r.Status, keys, r.Reason, c.status, c.keys)
			}
		}
	}
}
