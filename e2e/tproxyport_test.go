//go:build linux

package e2e

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestPortsOfTransparentSockets: who asks for the port of a socket that tproxy hands packets for another port is told that it is reached, also where what is
// sent to that port itself is dropped.
func TestPortsOfTransparentSockets(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Shell(t, `ip link set lo up; sysctl -qw net.ipv4.conf.all.rp_filter=0
ip netns add w; ip link add pw type veth peer name eth0 netns w; ip link set pw up; ip -n w link set eth0 up; ip -n w link set lo up
ip addr add 10.1.0.1/24 dev pw; ip -n w addr add 10.1.0.2/24 dev eth0; sysctl -qw net.ipv4.conf.pw.rp_filter=0`)
	listenTransparent(t)
	for _, c := range []struct{ name, rule, input, port, sent, want string }{
		{"handed to it", "tcp dport 443 tproxy to :15001 accept", "tcp dport 15001 drop", "15001", "443", "reachable"},
		{"as sent", "tcp dport 443 tproxy to :15001 accept", "tcp dport 15001 drop", "443", "443", "reachable"},
		{"handed to it, and dropped", "tcp dport 443 tproxy to :15001 accept", "tcp dport { 443, 15001 } drop", "15001", "443", "unreachable"},
		{"nothing is handed to it", "udp dport 443 tproxy to :15001 accept", "tcp dport 15001 drop", "15001", "443", "unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed.Shell(t, `nft -f - <<E
flush ruleset
table ip m {
chain p { type filter hook prerouting priority mangle; %s
}
chain i { type filter hook input priority 0; %s
}
}
E`, c.rule, c.input)
			truth := verdictOf(gets("w", "10.1.0.1:"+c.sent))
			got := asked(t, "--from", "iface:pw", "--src", "10.1.0.2/32", "--to", "host", "--dport", c.port)
			if got != c.want || got != truth {
				t.Errorf("%s, want %s, in truth %s", got, c.want, truth)
			}
		})
	}
}

// listenTransparent listens on port 15001 for packets to anybody.
func listenTransparent(t *testing.T) {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1) }); e != nil {
			return e
		}
		return err
	}}
	l, err := lc.Listen(t.Context(), "tcp4", "0.0.0.0:15001")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}
