//go:build linux

package e2e

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestPortsThatKeepFrames: by what ports of a bridge are given, by their states and by br_netfilter for a single bridge, connections between neighbours and
// with the host come to be or do not. What the bridge's own table decides is unknown, the rest is as it is.
func TestPortsThatKeepFrames(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "bridge")
	bed.Shell(t, `ip link set lo up; ip link add br0 type bridge; ip link set br0 up
for n in a b; do ip netns add $n; ip -n $n link set lo up; ip link add p$n type veth peer name eth0 netns $n; ip link set p$n master br0; ip link set p$n up; ip -n $n link set eth0 up; done
ip addr add 172.18.0.1/24 dev br0; ip addr add fd18::1/64 dev br0 nodad
ip -n a addr add 172.18.0.2/24 dev eth0; ip -n a addr add fd18::2/64 dev eth0 nodad
ip -n b addr add 172.18.0.3/24 dev eth0; ip -n b addr add fd18::3/64 dev eth0 nodad`)
	hasFilter := exec.Command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0").Run() == nil
	defer startServer(t, "b")()
	l, err := net.Listen("tcp", "[::]:443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !bed.Until(func() bool { return gets("a", "[fd18::3]:443") }) {
		t.Fatal("neighbours do not reach each other")
	}
	const drops = "nft -f - <<E\ntable ip t {\nchain f { type filter hook forward priority 0; policy drop;\n}\n}\nE\n"
	for _, c := range []struct {
		name, set, back string
		unknown         string // where that may be the answer
	}{
		{"as usual", "true", "true", ""},
		{"unknown addresses are not flooded", "bridge link set dev pb flood off", "bridge link set dev pb flood on", ""},
		{"nobody is noted", "bridge link set dev pb learning off", "bridge link set dev pb learning on", ""},
		{"only what is written in the table", "bridge link set dev pb flood off learning off", "bridge link set dev pb flood on learning on", "ab hb"},
		{"only what is written in the table, of answers", "bridge link set dev pa flood off learning off", "bridge link set dev pa flood on learning on", "ab ah hb"},
		{"no broadcasts", "bridge link set dev pb bcast_flood off", "bridge link set dev pb bcast_flood on", "ab"},
		{"no multicast", "bridge link set dev pb mcast_flood off", "bridge link set dev pb mcast_flood on", "ab"},
		{"no requests of the sender's own", "bridge link set dev pa bcast_flood off mcast_flood off", "bridge link set dev pa bcast_flood on mcast_flood on", ""},
		{"neighbours are answered for", "bridge link set dev pb neigh_suppress on", "bridge link set dev pb neigh_suppress off", ""},
		{"disabled", "bridge link set dev pb state 0", "bridge link set dev pb state 3", "hb"},
		{"listening", "bridge link set dev pb state 1", "bridge link set dev pb state 3", "ab hb"},
		{"learning", "bridge link set dev pa state 2", "bridge link set dev pa state 3", "ab ah hb"},
		{"isolated", "for p in pa pb; do bridge link set dev $p isolated on; done", "for p in pa pb; do bridge link set dev $p isolated off; done", ""},
		{"rules for this bridge alone", drops + "ip link set br0 type bridge nf_call_iptables 1", "nft flush ruleset; ip link set br0 type bridge nf_call_iptables 0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.set, "nf_call") && !hasFilter {
				t.Skip("the kernel lacks: br_netfilter (CONFIG_BRIDGE_NETFILTER)")
			}
			bed.Shell(t, "%s", c.set)
			for _, q := range []struct{ way, from, ns, to4, to6 string }{
				{"ab", "iface:pa", "a", "172.18.0.3", "fd18::3"}, {"ah", "iface:pa", "a", "172.18.0.1", "fd18::1"}, {"hb", "host", "", "172.18.0.3", "fd18::3"},
			} {
				for _, to := range []string{q.to4, q.to6} {
					bed.Shell(t, "ip link set br0 type bridge fdb_flush; ip neigh flush dev br0; for n in a b; do ip -n $n neigh flush dev eth0; done")
					question := []string{"--from", q.from, "--to", "addr:" + to, "--dport", "443"}
					if q.ns != "" {
						question = append(question, "--src", map[bool]string{true: "fd18::2/128", false: "172.18.0.2/32"}[strings.Contains(to, ":")])
					}
					want := verdictOf(connects(q.ns, net.JoinHostPort(to, "443")))
					got := asked(t, question...)
					if got != want && (got != "unknown" || !slices.Contains(strings.Fields(c.unknown), q.way)) {
						t.Errorf("%s to %s: %s, in truth %s", q.way, to, got, want)
					}
				}
			}
			bed.Shell(t, "%s", c.back)
		})
	}
}

// connects says whether a connection comes to be, from a network namespace or, without one, from here.
func connects(ns, to string) bool {
	if ns != "" {
		return gets(ns, to)
	}
	host, port, _ := net.SplitHostPort(to)
	return exec.Command("python3", "-c", "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5)", host, port).Run() == nil
}
