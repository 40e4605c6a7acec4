//go:build linux

package e2e

import (
	"net"
	"os/exec"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// connectsWith says whether a connection comes to be whose packets have an option of IP or an extension header; "" is none.
func connectsWith(ns, to, head string) bool {
	return exec.Command("ip", "netns", "exec", ns, "/usr/bin/python3", "-c", `
import socket, sys
to, head = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
s.settimeout(1)
if head == "route": s.setsockopt(socket.IPPROTO_IP, 4, bytes([7, 11, 4]) + bytes(9))
if head == "hop": s.setsockopt(socket.IPPROTO_IPV6, 54, bytes([0, 0, 5, 2, 0, 0, 1, 0]))
if head == "destination": s.setsockopt(socket.IPPROTO_IPV6, 59, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
s.connect((to, 443))`, to, head).Run() == nil
}

// TestHeadersLeadPastRules: who adds an option of IP or an extension header gets past rules for the first header and through rules for what he adds. No
// answer says that he does not, and a rule for the protocol is a proof.
func TestHeadersLeadPastRules(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Shell(t, `ip link set lo up; ip netns add a; ip link add ea type veth peer name eth0 netns a; ip link set ea up; ip -n a link set eth0 up
ip addr add 10.1.0.1/24 dev ea; ip addr add fd01::1/64 dev ea nodad; ip -n a addr add 10.1.0.2/24 dev eth0; ip -n a addr add fd01::2/64 dev eth0 nodad`)
	l, err := net.Listen("tcp", "[::]:443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const v4, v6 = "10.1.0.1", "fd01::1"
	if !bed.Until(func() bool { return connectsWith("a", v6, "") }) {
		t.Fatal("nobody is connected")
	}
	for _, c := range []struct{ policy, rules, to, head string }{
		{"accept", "ip6 nexthdr tcp tcp dport 443 drop", v6, "hop"},
		{"accept", "ip6 nexthdr tcp tcp dport 443 drop", v6, "destination"},
		{"drop", "exthdr dst exists accept", v6, "destination"},
		{"accept", "ip hdrlength 5 tcp dport 443 drop", v4, "route"},
		{"drop", "ip option rr exists accept", v4, "route"},
		{"accept", "tcp dport 443 drop", v6, "hop"},
		{"accept", "tcp dport 443 drop", v4, "route"},
		{"drop", "tcp dport 443 accept", v6, "hop"},
	} {
		bed.Shell(t, "nft -f - <<E\nflush ruleset\ntable inet t {\nchain i { type filter hook input priority 0; policy %s;\nicmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n%s\n}\n}\nE\n", c.policy, c.rules)
		plain, added := connectsWith("a", c.to, ""), connectsWith("a", c.to, c.head)
		got := asked(t, "--from", "iface:ea", "--to", "addr:"+c.to, "--dport", "443")
		if want := verdictOf(plain); got != want && (got != "unknown" || plain == added) {
			t.Errorf("%s, policy %s: %s, in truth %v, with headers %v", c.rules, c.policy, got, plain, added)
		}
		if added && got == "unreachable" {
			t.Errorf("%s, policy %s: %s, and who adds a header gets there", c.rules, c.policy, got)
		}
	}
}
