//go:build linux

package e2e

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixOfFiftyNetworksIsSmall: the baseline of a host with 50 networks of workloads has few rules, and lets them go out.
func TestFixOfFiftyNetworksIsSmall(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:22", "")
	b.fifty()
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
	if out, code := b.verb("apply", "--mode", "default-deny", "--config", config, "--confirm", "auto"); code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 6))
	}
	rules := bed.Shell(t, "ip netns exec %shost nft list table inet ringfence | grep -cE ' (accept|drop)( comment|$)'", b.name)
	if n, err := strconv.Atoi(strings.TrimSpace(rules)); err != nil || n < 10 || n > 60 {
		t.Errorf("%s rules: want 60 at most", rules)
	}
	if !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("SSH is closed")
	}
	bed.Shell(t, "ip -n %[1]sw1 addr add 10.0.3.9/24 dev v3; ip -n %[1]sw1 route add 203.0.113.9 via 10.0.3.1 dev v3; ip -n %[1]sw1 route add 10.0.4.0/24 via 10.0.3.1 dev v3", b.name)
	b.listenIn("ext", "tcp4", "203.0.113.9:7777", "")
	b.listen("tcp4", "10.0.4.1:7777", "")
	from := &net.Dialer{Timeout: bed.Patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 3, 9)}}
	if !b.dial("w1", from, "tcp4", "203.0.113.9:7777") {
		t.Error("a workload does not get out")
	}
	if from.Timeout = silence; b.dial("w1", from, "tcp4", "10.0.4.1:7777") {
		t.Error("a workload gets to what nobody let it")
	}
}
