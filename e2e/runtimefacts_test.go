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

// TestRuntimesAsTheyAre audits real daemons and containers that are easily misread: metrics, streams and a swarm are no interface, an
// interface is where the daemon has it, a user of a container becomes root by a program, and one container without a specification leaves
// nothing else open.
func TestRuntimesAsTheyAre(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "dockerd", "containerd", "podman", "busybox", "setpriv", "ss")
	const ns = "rffacts"
	bed.Shell(t, "ip netns add %s", ns)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "bash", "runtimefacts.sh", bed.Program(t), dir, ns).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "skip")); err == nil {
		t.Skip(string(b))
	}
	if b, err := os.ReadFile(filepath.Join(dir, "failed")); err == nil {
		t.Fatalf("did not start: %s", b)
	}
	listeners, err := os.ReadFile(filepath.Join(dir, "listeners"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{":2377", ":9323", "containerd"} {
		if !strings.Contains(string(listeners), want) {
			t.Errorf("%s does not listen: %s", want, listeners)
		}
	}
	var report finding.Report
	readJSON(t, filepath.Join(dir, "report.json"), &report)
	results := map[string]*finding.Result{}
	for i := range report.Results {
		results[report.Results[i].ID] = &report.Results[i]
	}
	for _, id := range []string{
		"runtime/docker-api-on-tcp", "runtime/privileged-group-members", "runtime/socket-accessible-to-others", "runtime/socket-mounted-in-workload",
		"capability/host-takeover-capability-in-workload",
	} {
		if r := results[id]; r.Status == finding.Unknown {
			t.Errorf("%s is unknown: %s", id, r.Reason)
		}
	}
	if r := results["runtime/docker-api-on-tcp"]; r.Status != "pass" {
		t.Errorf("sockets beside the interface: %s %v", r.Status, keysOf(&report, r.ID))
	}
	for _, c := range []struct {
		check, key string
		want       bool
	}{
		{"runtime/socket-accessible-to-others", "/srv/docker-alt.sock", true},
		{"runtime/socket-mounted-in-workload", "/srv/docker-alt.sock in container althold", true},
		{"runtime/socket-mounted-in-workload", "/run/docker.sock in container cannot", false},
		{"capability/privileged-container", "container becomes", true},
		{"capability/privileged-container", "container without", false},
		{"capability/host-takeover-capability-in-workload", "agent openclaw of uid 65534", true},
	} {
		has := false
		for _, k := range keysOf(&report, c.check) {
			has = has || k == c.key
		}
		if has != c.want {
			t.Errorf("%s about %s: %v, want %v (%v)", c.check, c.key, has, c.want, keysOf(&report, c.check))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "acl")); err == nil && !slices.Contains(keysOf(&report, "runtime/socket-accessible-to-others"), "/run/docker.sock") {
		t.Error("who an access control list names is not seen")
	}
	open := false
	for _, u := range results["capability/privileged-container"].Unknowns {
		open = open || u.Resource.Key == "container without"
	}
	if !open {
		t.Errorf("a bounding set without a program to get it by: %+v", results["capability/privileged-container"].Unknowns)
	}
	for _, z := range report.Zones {
		if strings.Contains(z.Reason, "user namespace") {
			t.Errorf("a hardened service is a workload: %s", z.Reason)
		}
	}
}
