//go:build linux

package e2e

import (
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestRealms: rules that ask for the realm of a route let connections come to be, or not, as reach says: by whom a route leads to, by who sends, and by
// iptables as by nft.
func TestRealms(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Shell(t, `ip link set lo up; sysctl -qw net.ipv4.ip_forward=1
for n in w m; do ip netns add $n; ip -n $n link set lo up; ip link add p$n type veth peer name eth0 netns $n; ip link set p$n up; ip -n $n link set eth0 up; done
ip addr add 10.1.0.1/24 dev pw; ip -n w addr add 10.1.0.2/24 dev eth0; ip -n w route add default via 10.1.0.1
ip addr add 10.2.0.1/24 dev pm; ip -n m addr add 10.2.0.2/24 dev eth0; ip -n m route add default via 10.2.0.1
ip -n w addr add 10.9.0.2/24 dev eth0; ip route add 10.9.0.0/24 dev pw realm 7
ip route change 10.2.0.0/24 dev pm src 10.2.0.1 realm 9`)
	defer startServer(t, "m")()
	const (
		from  = "ip netns exec w ip route replace default via 10.1.0.1 src "
		chain = "nft -f - <<E\nflush ruleset\ntable ip t {\nchain f { type filter hook forward priority 0; policy accept; ct state established accept\n"
		end   = "\n}\n}\nE\n"
	)
	for _, c := range []struct{ name, set, src string }{
		{"whom it leads to", chain + "rt classid 9 drop" + end, "10.1.0.2"},
		{"and who sends", chain + "rt classid 0x70009 drop" + end, "10.9.0.2"},
		{"another sender", chain + "rt classid 0x70009 drop" + end, "10.1.0.2"},
		{"no realm", chain + "rt classid 0 drop" + end, "10.1.0.2"},
		{"iptables", "nft flush ruleset; iptables-nft -A FORWARD -m realm --realm 9 -m conntrack --ctstate NEW -j DROP", "10.1.0.2"},
		{"iptables, half of it", "nft flush ruleset; iptables-nft -A FORWARD -m realm --realm 9/0xffff -m conntrack --ctstate NEW -j DROP", "10.9.0.2"},
		{"iptables, the other way", "nft flush ruleset; iptables-nft -A FORWARD -m realm ! --realm 9 -m conntrack --ctstate NEW -j DROP", "10.1.0.2"},
		{"several hops of one realm", "ip route change 10.9.0.0/24 nexthop dev pw realm 8 nexthop dev pm realm 8\n" + chain + "rt classid 0x80009 drop" + end, "10.9.0.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed.Shell(t, "%s", c.set)
			bed.Shell(t, "%s", from+c.src)
			want := verdictOf(gets("w", "10.2.0.2:443"))
			if got := asked(t, "--from", "iface:pw", "--src", c.src+"/32", "--to", "addr:10.2.0.2", "--dport", "443"); got != want {
				t.Errorf("%s, in truth %s", got, want)
			}
		})
	}
}
