//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixBesideWorkloadsOnTheHostItself: a workload in the host's own network namespace gets to a port past every rule about interfaces. The fix closes the
// port to all others, says so, and is kept; nothing is promised to close the finding.
func TestFixBesideWorkloadsOnTheHostItself(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	inside := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", "unshare", "--mount", "--pid", "--fork", "--kill-child", "sleep", "1000")
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inside.Process.Kill(); _ = inside.Wait() }()
	plan, _ := b.fix("--dry-run")
	if !strings.Contains(plan, "closes runtime/docker-api-on-tcp") || !strings.Contains(plan, "not to workloads on the host itself") || !strings.Contains(plan, "sleep") {
		t.Fatalf("the plan does not say who is left: %s", plan)
	}
	if out, code := b.fix("--confirm", "auto"); code > 1 || b.connects("w1", "tcp4", "10.10.0.1:2375") || b.connects("ext", "tcp4", "203.0.113.1:2375") {
		t.Errorf("code %d: %s", code, out)
	}
	if !b.connects("host", "tcp4", "127.0.0.1:2375") {
		t.Error("the host itself is kept out")
	}
}
