//go:build linux

package e2e

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
)

// routedScene is a host that forwards between w at pw and m at pm, without source checks, and has an address of its own besides.
func routedScene(t *testing.T) {
	t.Helper()
	bed.Shell(t, `ip link set lo up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
for n in w m; do ip netns add $n; ip -n $n link set lo up; ip link add p$n type veth peer name eth0 netns $n; ip link set p$n up; ip -n $n link set eth0 up; sysctl -qw net.ipv4.conf.p$n.rp_filter=0; done
ip addr add 10.1.0.1/24 dev pw; ip -n w addr add 10.1.0.2/24 dev eth0; ip -n w route add default via 10.1.0.1
ip addr add 10.2.0.1/24 dev pm; ip -n m addr add 10.2.0.2/24 dev eth0; ip -n m route add default via 10.2.0.1
ip addr add 10.3.0.1/32 dev lo`)
}

// TestAnswersComeBack: a connection whose first packet gets to its end, and whose answer does not come back, is none: for no such question the answer is
// reachable. Where answers come back, nothing is changed.
func TestAnswersComeBack(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	routedScene(t)
	bed.Shell(t, "ip -n w addr add 10.9.0.2/24 dev eth0")
	defer startServer(t, "m")()
	l, err := net.Listen("tcp", "0.0.0.0:443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const (
		own, through = "10.1.0.1", "10.2.0.2"
		near, far    = "10.1.0.2", "10.9.0.2"
		table        = "nft -f - <<E\ntable ip t {\n"
		forward      = "chain f { type filter hook forward priority 0; policy drop; "
		output       = "chain o { type filter hook output priority 0; policy drop; "
		raw          = "chain p { type filter hook prerouting priority raw; "
		end          = "\n}\n}\nE\n"
	)
	for _, c := range []struct{ name, set, back, src, to, want string }{
		{"the host, as usual", table + output + "ct state established,related accept" + end, "", near, own, "reachable"},
		{"the host says nothing", table + output + "udp dport 53 accept" + end, "", near, own, "unknown"},
		{"the host begins connections alone", table + output + "ct state new accept" + end, "", near, own, "unknown"},
		{"no answers of the port", table + "chain o { type filter hook output priority 0; tcp sport 443 drop" + end, "", near, own, "unknown"},
		{"no answers to the sender", table + output + "ip daddr 10.1.0.128/25 accept" + end, "", near, own, "unknown"},
		{"no way back to the sender", "ip route add blackhole 10.9.0.0/24", "ip route del blackhole 10.9.0.0/24", far, "10.3.0.1", "unknown"},
		{"through the host, as usual", table + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "reachable"},
		{"only on the way there", table + forward + "iifname pw accept" + end, "", near, through, "unknown"},
		{"answers meet a drop", table + "chain f { type filter hook forward priority 0; iifname pm tcp sport 443 drop" + end, "", near, through, "unknown"},
		{"answers come in where nothing is forwarded", "sysctl -qw net.ipv4.conf.pm.forwarding=0", "sysctl -qw net.ipv4.conf.pm.forwarding=1", near, through, "unknown"},
		{"no way back through the host", "ip route add unreachable 10.9.0.0/24", "ip route del unreachable 10.9.0.0/24", far, through, "unknown"},
		{"answers of another zone", table + raw + "iifname pw ct zone set 1\n}\n" + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "unknown"},
		{"both of one zone", table + raw + "ct zone set 1\n}\n" + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "reachable"},
		{"a zone of one direction", table + raw + "iifname pw ct original zone set 1\n}\n" + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "reachable"},
		{"a zone of the other direction", table + raw + "iifname pw ct reply zone set 1\n}\n" + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "unknown"},
		{"each its direction", table + raw + "iifname pw ct reply zone set 1; iifname pm ct reply zone set 1\n}\n" + forward + "ct state established accept; iifname pw ct original zone 0 accept" + end, "", near, through, "reachable"},
		{"of iptables", "iptables-nft -t raw -A PREROUTING -i pw -j CT --zone-orig 1; iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables-nft -A FORWARD -i pm -j DROP", "", near, through, "reachable"},
		{"of iptables, another zone", "iptables-nft -t raw -A PREROUTING -i pw -j CT --zone 1; iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables-nft -A FORWARD -i pm -j DROP", "", near, through, "unknown"},
		{"exempt on the way there", table + raw + "iifname pw notrack\n}\n" + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "unknown"},
		{"exempt both ways", table + raw + "notrack\n}\n" + forward + "ct state untracked accept" + end, "", near, through, "reachable"},
		{"answers that begin nothing", table + forward + "iifname pw accept; ct state new accept" + end, "", near, through, "unknown"},
		{"translated", table + "chain n { type nat hook postrouting priority 100; oifname pm masquerade\n}\n" + forward + "ct state established accept; iifname pw accept" + end, "", near, through, "reachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed.Shell(t, "nft flush ruleset\n%s", c.set)
			bed.Shell(t, "ip netns exec w ip route replace default via 10.1.0.1 src %s", c.src)
			want := verdictOf(gets("w", c.to+":443"))
			got := asked(t, "--from", "iface:pw", "--src", c.src+"/32", "--to", "addr:"+c.to, "--dport", "443")
			if got != c.want || (got == "reachable") != (want == "reachable") {
				t.Errorf("%s, want %s, in truth %s", got, c.want, want)
			}
			if c.back != "" {
				bed.Shell(t, "%s", c.back)
			}
		})
	}
}

// TestAnswersThatAreLed: the answers of a socket go where it is bound to, and by its mark, whatever the routes of other packets.
func TestAnswersThatAreLed(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Shell(t, `ip link set lo up; sysctl -qw net.ipv4.conf.all.rp_filter=0
ip netns add w; ip link add pw type veth peer name eth0 netns w; ip link set pw up; ip -n w link set eth0 up; sysctl -qw net.ipv4.conf.pw.rp_filter=0
ip addr add 10.1.0.1/24 dev pw; ip -n w addr add 10.9.0.2/24 dev eth0; ip -n w route add default dev eth0
ip rule add fwmark 7 lookup 100; ip route add default dev pw table 100`)
	for _, c := range []struct {
		name, set string
		option    func(fd int) error
		want      string
	}{
		{"no way back", ":", func(int) error { return nil }, "unknown"},
		{"bound to the interface", ":", func(fd int) error { return unix.BindToDevice(fd, "pw") }, "reachable"},
		{"bound, which counts before a route", "ip route add blackhole 10.9.0.0/24", func(fd int) error { return unix.BindToDevice(fd, "pw") }, "reachable"},
		{"marked", ":", func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, 7) }, "reachable"},
		{"marked as what it got", "sysctl -qw net.ipv4.tcp_fwmark_accept=1; nft 'add table ip t; add chain ip t p { type filter hook prerouting priority mangle; }; add rule ip t p meta mark set 7'", func(int) error { return nil }, "reachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed.Shell(t, "%s", c.set)
			lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) (err error) {
				return errors.Join(rc.Control(func(fd uintptr) { err = c.option(int(fd)) }), err)
			}}
			l, err := lc.Listen(t.Context(), "tcp4", "0.0.0.0:443")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			truth := verdictOf(gets("w", "10.1.0.1:443"))
			got := asked(t, "--from", "iface:pw", "--src", "10.9.0.2/32", "--to", "addr:10.1.0.1", "--dport", "443")
			if got != c.want || (got == "reachable") != (truth == "reachable") {
				t.Errorf("%s, want %s, in truth %s", got, c.want, truth)
			}
		})
	}
}
