//go:build linux

package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestEntriesOfBridges: what is written into a bridge's table for a neighbour's address leads his frames to the host, or to another port; so are those for the
// host itself led. Where that may be so it is unknown, as is who is behind a port that nobody is connected with.
func TestEntriesOfBridges(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "bridge")
	bed.Shell(t, `ip link set lo up; ip link add br0 address 02:00:00:00:00:10 type bridge; ip link set br0 up
for n in a b c; do ip netns add $n; ip -n $n link set lo up; ip link add p$n type veth peer name eth0 netns $n; ip link set p$n master br0; ip link set p$n up; done
ip -n a link set eth0 address 02:00:00:00:00:0a; ip -n b link set eth0 address 02:00:00:00:00:0b
for n in a b c; do ip -n $n link set eth0 up; done
ip addr add 172.18.0.1/24 dev br0
ip -n a addr add 172.18.0.2/24 dev eth0; ip -n b addr add 172.18.0.3/24 dev eth0`)
	defer startServer(t, "b")()
	l, err := net.Listen("tcp4", "172.18.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !bed.Until(func() bool { return gets("a", "172.18.0.3:443") }) {
		t.Fatal("neighbours do not reach each other")
	}
	const b = "bridge fdb replace 02:00:00:00:00:0b dev "
	for _, c := range []struct {
		name, set, back string
		unknown         string // where that may be the answer; with - it is not asked for, as he could be behind another port
	}{
		{"as usual", "true", "true", ""},
		{"for the host, at his port", b + "pb master permanent", "bridge fdb del 02:00:00:00:00:0b dev pb master", "ab hb"},
		{"for the host, at another port", b + "pc master permanent", "bridge fdb del 02:00:00:00:00:0b dev pc master", "ab hb"},
		{"for the host, at the bridge", b + "br0 self local", "bridge fdb del 02:00:00:00:00:0b dev br0 self", "ab hb"},
		{"static at his port", b + "pb master static", "bridge fdb del 02:00:00:00:00:0b dev pb master", ""},
		{"static at another port", b + "pc master static", "bridge fdb del 02:00:00:00:00:0b dev pb master", ""},
		{"static at another port, and he is not learned", "bridge link set dev pb learning off; " + b + "pc master static", "bridge link set dev pb learning on; bridge fdb del 02:00:00:00:00:0b dev pc master", "ab hb"},
		{"sticky at another port", b + "pc master static sticky", "bridge fdb del 02:00:00:00:00:0b dev pc master", "ab hb"},
		{"the bridge's own address at a port", "bridge fdb replace 02:00:00:00:00:10 dev pc master static", "bridge fdb del 02:00:00:00:00:10 dev pc master; ip link set br0 address 02:00:00:00:00:11; ip link set br0 address 02:00:00:00:00:10", "ah hb"},
		{"nobody is connected", "ip -n b link set eth0 down", "ip -n b link set eth0 up", "ab -hb"},
		{"nobody is connected with another port", "ip -n c link set eth0 down", "ip -n c link set eth0 up", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed.Shell(t, "ip link set br0 type bridge fdb_flush; %s", c.set)
			for _, q := range []struct{ way, from, ns, to string }{
				{"ab", "iface:pa", "a", "172.18.0.3"}, {"ah", "iface:pa", "a", "172.18.0.1"}, {"hb", "host", "", "172.18.0.3"},
			} {
				if strings.Contains(c.unknown, "-"+q.way) {
					continue
				}
				bed.Shell(t, "ip neigh flush dev br0; for n in a b; do ip -n $n neigh flush dev eth0; done")
				question := []string{"--from", q.from, "--to", "addr:" + q.to, "--dport", "443"}
				if q.ns != "" {
					question = append(question, "--src", "172.18.0.2/32")
				}
				want := verdictOf(connects(q.ns, net.JoinHostPort(q.to, "443")))
				may := strings.Contains(c.unknown, q.way)
				got := asked(t, question...)
				if got != want && (got != "unknown" || !may) {
					t.Errorf("%s: %s, in truth %s", q.way, got, want)
				}
			}
			bed.Shell(t, "%s", c.back)
		})
	}
}
