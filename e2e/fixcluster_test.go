//go:build linux

package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// routedPod gives the host of a bed a pod as Calico does: a pair of interfaces without a bridge, a route to the one address, and a gateway that
// nobody has, for which the host answers.
func (b *testbed) routedPod(name string, n int) {
	b.t.Helper()
	bed.Shell(b.t, `
ip netns add %[1]s%[2]s
ip -n %[1]shost link add cali000000000%[3]d type veth peer name eth0 netns %[1]s%[2]s
ip -n %[1]shost link set cali000000000%[3]d up
ip -n %[1]shost route add 10.244.1.%[3]d/32 dev cali000000000%[3]d scope link
nsenter --net=/run/netns/%[1]shost sysctl -qw net.ipv4.conf.cali000000000%[3]d.proxy_arp=1 net.ipv4.neigh.cali000000000%[3]d.proxy_delay=0
ip -n %[1]s%[2]s link set lo up
ip -n %[1]s%[2]s addr add 10.244.1.%[3]d/32 dev eth0
ip -n %[1]s%[2]s link set eth0 up
ip -n %[1]s%[2]s route add 169.254.1.1 dev eth0 scope link
ip -n %[1]s%[2]s route add default via 169.254.1.1
`, b.name, name, n)
}

// overlay gives the host of a bed two pods on the bridge cni0, and a VXLAN to those of another node, as flannel does. Of that node nothing is there.
func (b *testbed) overlay() {
	b.t.Helper()
	bed.Shell(b.t, `
ip -n %[1]shost link add cni0 type bridge
ip -n %[1]shost addr add 10.244.1.1/24 dev cni0
ip -n %[1]shost link set cni0 up
for n in 2 3; do
	ip netns add %[1]sp$n
	ip -n %[1]shost link add veth000$n type veth peer name eth0 netns %[1]sp$n
	ip -n %[1]shost link set veth000$n master cni0 up
	ip -n %[1]sp$n addr add 10.244.1.$n/24 dev eth0
	ip -n %[1]sp$n link set eth0 up
	ip -n %[1]sp$n route add default via 10.244.1.1
done
ip -n %[1]shost link add flannel.1 type vxlan id 1 dev ext0 local 203.0.113.1 remote 203.0.113.9 dstport 8472
ip -n %[1]shost addr add 10.244.1.0/32 dev flannel.1
ip -n %[1]shost link set flannel.1 up
ip -n %[1]shost route add 10.244.2.0/24 dev flannel.1
`, b.name)
}

// TestFixBesideClusterNetworks makes a fix on nodes whose pods are routed one by one, or are on a bridge beside an overlay: pods go on
// reaching each other, what is closed is closed to all of them, and to a pod that comes later. What others send on to that fails the verification.
func TestFixBesideClusterNetworks(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(b *testbed)
		later func(b *testbed) // a pod more
	}{
		"routed": {
			make:  func(b *testbed) { b.routedPod("p2", 2); b.routedPod("p3", 3) },
			later: func(b *testbed) { b.routedPod("p4", 4) },
		},
		"overlay": {make: (*testbed).overlay},
	} {
		t.Run(name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			if name == "overlay" && exec.Command("ip", "-n", b.name+"host", "link", "add", "try", "type", "vxlan", "id", "9", "dstport", "4789").Run() != nil {
				t.Skip("the kernel lacks: CONFIG_VXLAN")
			}
			_ = exec.Command("ip", "-n", b.name+"host", "link", "del", "try").Run()
			c.make(b)
			b.listen("tcp", "[::]:2375", "")
			b.listen("tcp", "[::]:8080", "")
			for _, ns := range []string{"p2", "p3"} {
				b.listenIn(ns, "tcp4", "0.0.0.0:80", "")
			}
			goesOn := []flow{{"p2", "tcp4", "10.244.1.3:80", true}, {"p3", "tcp4", "10.244.1.2:80", true}, {"p2", "tcp4", "203.0.113.1:8080", true}}
			denied := func(open bool) []flow {
				return []flow{{"p2", "tcp4", "203.0.113.1:2375", open}, {"p3", "tcp4", "10.10.0.1:2375", open}, {"ext", "tcp4", "203.0.113.1:2375", open}}
			}
			b.flows("before", slices.Concat(goesOn, denied(true)))
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			if out, code := b.verb("apply", "--config", config, "--confirm", "auto"); code != 0 {
				t.Fatalf("code %d: %s", code, lastLines(out, 12))
			}
			b.flows("after the fix", slices.Concat(goesOn, denied(false)))
			if out, code := b.verb("verify"); code != 0 {
				t.Errorf("verify: code %d: %s", code, out)
			}
			if c.later != nil {
				c.later(b)
				if b.connects("p4", "tcp4", "203.0.113.1:2375") || !b.opens("p4", "tcp4", "203.0.113.1:8080") {
					t.Error("what is closed to pods is open to one that began later, or what is open closed")
				}
				if out, code := b.verb("verify"); code != 1 || !strings.Contains(out, "what is sent on from ext0") || strings.Contains(out, "tcp/2375") {
					t.Errorf("with one pod more, to which others still get, verify: code %d: %s", code, out)
				}
			}
			if out, code := b.verb("rollback"); code != 0 {
				t.Errorf("rollback: code %d: %s", code, out)
			}
			b.flows("rolled back", slices.Concat(goesOn, denied(true)))
		})
	}
}
