//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixBesideDockerd closes the API and a published port of a running dockerd. The container is started again and
// replaced by another, for which dockerd writes its rules anew; what the fix closed stays closed, everything else and
// dockerd's rules are as before.
func TestFixBesideDockerd(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "dockerd", "busybox", "iptables-nft-save")
	ns := newBed(t).name + "host"
	bed.Shell(t, "ip netns del %[1]s; ip netns add %[1]s", ns)
	dir := t.TempDir()
	if out, err := exec.Command("bash", "dockerfix.sh", bed.Program(t), dir, ns).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if why, err := os.ReadFile(filepath.Join(dir, "skip")); err == nil {
		t.Skip(string(why))
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	got := map[string]string{}
	for line := range strings.Lines(read("flows")) {
		f := strings.Fields(line)
		got[f[0]+" "+f[1]] = f[2]
	}
	if c := got["apply code"]; c != "0" && c != "1" {
		t.Fatalf("apply: %s\n%s", c, lastLines(read("apply.log"), 12))
	}
	if c := got["baseline code"]; c != "0" && c != "1" {
		t.Errorf("the baseline: %s\n%s", c, lastLines(read("baseline.log"), 12))
	}
	closed := map[string]bool{"ext-api": true, "ext-published": true}
	for _, when := range []string{"before", "fixed", "restarted", "replaced", "undone", "baseline"} {
		for _, flow := range []string{"ext-api", "ext-published", "mgmt-api", "host-published", "egress"} {
			want := "yes"
			if closed[flow] && when != "before" && when != "undone" && (when != "baseline" || flow == "ext-api") {
				want = "no"
			}
			if got[when+" "+flow] != want {
				t.Errorf("%s, %s: open %q, want %s", when, flow, got[when+" "+flow], want)
			}
		}
	}
	bridges := strings.Fields(read("bridges"))
	if len(bridges) != 2 || bridges[0] == bridges[1] {
		t.Errorf("the networks that began later: %q", bridges)
	}
	for _, when := range []string{"up", "again"} { // a network that began later: what it may use is open, and what is closed is so from its first packet
		for flow, want := range map[string]string{"api": "no", "egress": "yes", "ext-published": "yes"} {
			if got[when+" "+flow] != want {
				t.Errorf("a network of its own, %s, %s: open %q, want %s", when, flow, got[when+" "+flow], want)
			}
		}
	}
	for when, want := range map[string]string{"up": "0", "again": "0", "down": "0"} {
		if c := got[when+" verified"]; c != want {
			t.Errorf("verify, %s: %s\n%s", when, c, read("verify-"+when))
		}
	}
	if plan := read("plan-in-use"); !strings.Contains(plan, "open connections: 1") || strings.Contains(plan, "tcp dport 8080") {
		t.Errorf("a port in use is not left alone:\n%s", plan)
	}
	if a, b := read("docker-before"), read("docker-fixed"); a != b {
		t.Errorf("dockerd's rules changed:\n%s\nbefore\n%s", b, a)
	}
}
