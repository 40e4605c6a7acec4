//go:build linux

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/need"
)

// TestServicesOfGuests: ports that passt and QEMU pass on to a guest are what the guest has there, whatever their number, and no more than the guest is got
// by them.
func TestServicesOfGuests(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "passt")
	b := newBed(t)
	dir := t.TempDir()
	b.start(dir, "passt", "-f", "--runas", "0", "-s", filepath.Join(dir, "guest"), "-t", "15985:5985,8080:80", "-u", "10623:623")
	b.waitFor("t", ":15985")
	b.waitFor("u", ":10623")
	want := map[string]string{
		"management/winrm-reachable": "tcp [::]:15985 (WinRM of a guest of passt",
		"management/ipmi-reachable":  "udp 0.0.0.0:10623 (IPMI of a guest of passt",
	}
	t.Run("qemu", func(t *testing.T) {
		qemu := need.Program(t, "qemu-system-x86_64")
		b.start(dir, qemu, "-M", "none", "-display", "none", "-nodefaults", "-S", "-netdev", "user,id=n,hostfwd=tcp::2222-:22,hostfwd=tcp::13389-:3389")
		b.waitFor("t", ":13389")
		want["management/ssh-reachable-from-workload"] = "tcp 0.0.0.0:2222 (SSH of a guest of qemu"
		want["management/remote-desktop-reachable"] = "tcp 0.0.0.0:13389 (RDP of a guest of qemu"
	})
	report, _ := b.audit()
	for check, key := range want {
		if k := keysOf(report, check); !slices.ContainsFunc(k, func(s string) bool { return strings.HasPrefix(s, key) }) {
			t.Errorf("%s: %q, want %s", check, k, key)
		}
	}
	for _, r := range report.Results {
		for _, f := range r.Findings {
			if want[r.ID] != "" && strings.HasPrefix(f.Resource.Key, want[r.ID]) && (f.Severity != "medium" && f.Severity != "high") {
				t.Errorf("%s of a guest is %s", r.ID, f.Severity)
			}
		}
	}
}
