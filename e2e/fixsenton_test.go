//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixClosesPortsThatAreSentOn: rules redirect other ports to one that is closed. Those are closed with it, but for one that is led elsewhere as well:
// that one the plan tells, and then the finding is left open. Who keeps access by such a port keeps it.
func TestFixClosesPortsThatAreSentOn(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	const also = "10.10.0.1:8375"
	sent := "table inet sent {\nchain p {\ntype nat hook prerouting priority dstnat;\nfib daddr type local tcp dport 8375 redirect to :2375\n"
	b.nft(sent + "}\n}\n")
	open := func(port string) bool { return b.connects("ext", "tcp4", "203.0.113.1:"+port) }
	if !open("2375") || !open("8375") || !b.connects("w1", "tcp4", also) {
		t.Fatal("it is not open")
	}
	out, code := b.fix("--confirm", "auto", "--keep", "tcp/8375@10.10.0.0/24")
	if code > 1 || strings.Contains(out, "left out") || strings.Contains(out, "rules redirect") {
		t.Errorf("code %d: %s", code, out)
	}
	if open("2375") || open("8375") || b.connects("w1", "tcp4", also) {
		t.Error("it is open")
	}
	if !b.connects("mgmt", "tcp4", also) {
		t.Error("who keeps access is kept out")
	}
	if out, code := b.verb("rollback"); code != 0 || !open("8375") {
		t.Fatalf("code %d: %s", code, out)
	}
	b.nft(sent + "ip saddr 192.0.2.0/24 tcp dport 8375 dnat ip to 192.0.2.9\n}\n}\n")
	if out, _ := b.fix("--dry-run"); !strings.Contains(out, "rules redirect tcp/8375 to tcp/2375") || !strings.Contains(out, "left out: runtime/docker-api-on-tcp") {
		t.Errorf("what is led elsewhere too: %s", out)
	}
}
