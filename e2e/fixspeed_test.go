//go:build linux && ringfence_bench

package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixSpeed prints what a fix costs from the plan to its end, and what it costs to verify it, with the time that it may take on two idle
// processors. It is more than its processor time, since the replica waits for what must not come.
func TestFixSpeed(t *testing.T) {
	for _, c := range []struct {
		name string
		may  time.Duration
		make func(*testbed)
	}{
		{"plain", 3 * time.Second, func(*testbed) {}},
		{"50 networks", 8 * time.Second, (*testbed).fifty},
		{"2000 services by iptables", 10 * time.Second, func(b *testbed) { b.restore((&services{n: 2000}).iptables()) }},
		{"2000 services by nft", 10 * time.Second, func(b *testbed) { b.nft((&services{n: 2000}).nft()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.listen("tcp", "[::]:22", "")
			b.listen("tcp", "[::]:2375", "")
			c.make(b)
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			for _, verb := range [][]string{
				{"plan"}, {"apply", "--dry-run", "--config", config}, {"apply", "--config", config, "--confirm", "auto"}, {"verify"}, {"apply", "--config", config, "--confirm", "auto"},
			} {
				args := []string{"nsenter", "--net=/run/netns/" + b.name + "host", bed.Program(t), "fix"}
				args = append(args, verb...)
				if verb[0] != "plan" {
					args = append(args, "--root", b.root())
				}
				cmd := exec.Command(args[0], args[1:]...)
				begin := time.Now()
				out, err := cmd.CombinedOutput()
				wall := time.Since(begin)
				st := cmd.ProcessState
				t.Logf("%-28s %8s CPU %8s wall, may take %s", strings.Join(verb, " ")[:min(28, len(strings.Join(verb, " ")))],
					(st.UserTime() + st.SystemTime()).Round(time.Millisecond), wall.Round(time.Millisecond), c.may)
				if err != nil {
					t.Errorf("%v: %s", err, lastLines(string(out), 6))
				}
			}
		})
	}
}
