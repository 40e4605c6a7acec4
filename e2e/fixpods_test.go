//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestBaselineAndPodsThatBegin: under a baseline a pod that begins later goes out, reaches the others, and does not come in to what is closed. An interface of
// workloads that is none of them is cut, and the verification says so.
func TestBaselineAndPodsThatBegin(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("table inet f {\nchain forward {\ntype filter hook forward priority 0; policy drop;\nct state established,related accept\niifname { \"cali*\", \"ve-*\" } accept\n}\n}")
	bed.Shell(t, "ip -n %[1]shost route add blackhole 10.244.1.0/26 proto bird", b.name)
	b.routedPod("p2", 2)
	b.routedPod("p3", 3)
	b.listen("tcp", "[::]:22", "")
	b.listen("tcp", "[::]:8080", "")
	b.listen("tcp", "[::]:53", "")
	b.listenIn("p2", "tcp4", "0.0.0.0:80", "")
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
	if out, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", "default-deny"); code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 12))
	}
	if out, code := b.verb("verify"); code != 0 {
		t.Errorf("verify: code %d: %s", code, out)
	}
	b.routedPod("p4", 4)
	for _, pod := range []string{"p3", "p4"} {
		if !b.arrives(pod, "ext", "203.0.113.9", bed.Patience) || b.arrives(pod, "mgmt", "10.10.0.9", silence) {
			t.Errorf("%s does not get out, or gets to where the host is administered", pod)
		}
		if !b.opens(pod, "tcp4", "10.244.1.2:80") || !b.opens(pod, "tcp4", "203.0.113.1:53") || b.connects(pod, "tcp4", "203.0.113.1:8080") {
			t.Errorf("%s does not reach another pod or the name server, or reaches what is closed", pod)
		}
	}
	if out, code := b.verb("verify"); code != 0 {
		t.Errorf("with one pod more: verify: code %d: %s", code, out)
	}
	bed.Shell(t, `
ip netns add %[1]sm1
ip -n %[1]shost link add ve-m1 type veth peer name eth0 netns %[1]sm1
ip -n %[1]shost addr add 192.168.77.1/28 dev ve-m1
ip -n %[1]shost link set ve-m1 up
ip -n %[1]sm1 addr add 192.168.77.2/28 dev eth0
ip -n %[1]sm1 link set eth0 up
ip -n %[1]sm1 route add default via 192.168.77.1`, b.name)
	if b.arrives("m1", "ext", "203.0.113.9", silence) {
		t.Error("a machine that nobody knows gets out")
	}
	if out, code := b.verb("verify"); code != 1 || !strings.Contains(out, "ve-m1") {
		t.Errorf("with a machine that is cut: verify: code %d: %s", code, out)
	}
}
