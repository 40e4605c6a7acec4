// Package need says what a test does where a program or a feature of the kernel is missing.
package need

import (
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"testing"
)

// brought are programs that a machine has or has not: "make deps" installs no compiler, and nothing that tests with a target of their own need alone.
var brought = []string{"gcc", "git", "qemu-system-x86_64", "ansible-playbook", "/usr/lib/wine/wine64"}

// Program is the path of a program that a test needs. "make deps" installs it on Linux, where a test without it fails; on other systems, and where
// nothing installs it, the test is skipped.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case slices.Contains(brought, name):
		t.Skipf("the machine lacks the program %s", name)
	case runtime.GOOS != "linux":
		t.Skipf("the machine lacks the program %s, and make deps installs it on Linux alone", name)
	default:
		t.Fatalf("needs the program %s: make deps installs it", name)
	}
	return path
}

// lacking is how nft, iptables, ip and sysctl tell that the kernel has not what was asked for.
var lacking = regexp.MustCompile(`No such file or directory|[Nn]ot supported|missing kernel module|Unknown device type|No such device`)

// Kernel skips a test if a command ended with an error since the kernel lacks what it asked for, as its output tells; any other error fails the test.
func Kernel(t testing.TB, out []byte, err error) {
	t.Helper()
	switch {
	case err == nil:
	case lacking.Match(out):
		t.Skipf("the kernel lacks: %s", out)
	default:
		t.Fatalf("%v: %s", err, out)
	}
}
