//go:build linux

package e2e

import (
	"net"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestTranslatedAnswersComeBack: what is translated is answered to who it seems to come from, and conntrack turns the answer round. A connection comes to be
// where that gets to the host, and as far as the rules let it.
func TestTranslatedAnswersComeBack(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	routedScene(t)
	bed.Shell(t, `ip addr add fd01::1/64 dev pw nodad; ip -n w addr add fd01::2/64 dev eth0 nodad; ip -n w route add default via fd01::1
ip addr add fd02::1/64 dev pm nodad; ip -n m addr add fd02::2/64 dev eth0 nodad; ip -n m route add default via fd02::1`)
	defer startServer(t, "m")()
	l, err := net.Listen("tcp", "[::]:443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const (
		far, far6 = "10.2.0.2:443", "[fd02::2]:443"
		published = "10.1.0.1:80"
		table     = "nft -f - <<E\ntable inet t {\n"
		post      = "chain n { type nat hook postrouting priority srcnat; oifname pm "
		pre       = "chain d { type nat hook prerouting priority dstnat; tcp dport 80 "
		forward   = "\n}\nchain f { type filter hook forward priority 0; policy drop; "
		end       = "\n}\n}\nE\n"
		open      = end
		to        = pre + "dnat ip to 10.2.0.2:443"
	)
	for _, c := range []struct{ name, set, back, to, want string }{
		{"masquerade", table + post + "masquerade" + end, "", far, "reachable"},
		{"masquerade, IPv6", table + post + "masquerade" + end, "", far6, "reachable"},
		{"an address of its own", table + post + "snat ip to 10.2.0.1" + end, "", far, "reachable"},
		{"an address of its own elsewhere", table + post + "snat ip to 10.3.0.1" + end, "", far, "reachable"},
		{"nobody's address on the link", table + post + "snat ip to 10.2.0.77" + end, "", far, "unknown"},
		{"nobody's address on the link, IPv6", table + post + "snat ip6 to fd02::77" + end, "", far6, "unknown"},
		{"an address that is routed here", table + post + "snat ip to 10.77.0.1" + end, "", far, "unknown"},
		{"an address that is added", "ip addr add 10.2.0.77/32 dev pm;" + table + post + "snat ip to 10.2.0.77" + end, "ip addr del 10.2.0.77/32 dev pm", far, "reachable"},
		{"a local route", "ip route add local 10.2.0.64/26 dev lo;" + table + post + "snat ip to 10.2.0.77" + end, "ip route del local 10.2.0.64/26 dev lo", far, "reachable"},
		{"answered for", "sysctl -qw net.ipv4.conf.pm.proxy_arp=1; ip route add 10.2.0.77/32 dev pw;" + table + post + "snat ip to 10.2.0.77" + end, "sysctl -qw net.ipv4.conf.pm.proxy_arp=0; ip route del 10.2.0.77/32 dev pw", far, "unknown"},
		{"a proxied neighbour", "ip neigh add proxy 10.2.0.77 dev pm;" + table + post + "snat ip to 10.2.0.77" + end, "ip neigh del proxy 10.2.0.77 dev pm", far, "unknown"},
		{"a prefix on the link", table + post + "snat ip prefix to ip saddr map { 10.1.0.0/25 : 10.2.0.128/25 }" + end, "", far, "unknown"},
		{"a range on the link", table + post + "snat ip to 10.2.0.77-10.2.0.80" + end, "", far, "unknown"},
		{"a range of which it has one", table + post + "snat ip to 10.2.0.1-10.2.0.2" + end, "", far, "unknown"},
		{"a range that it has", "ip addr add 10.2.0.4/24 dev pm; ip addr add 10.2.0.5/24 dev pm;" + table + post + "snat ip to 10.2.0.4-10.2.0.5" + end, "ip addr del 10.2.0.4/24 dev pm; ip addr del 10.2.0.5/24 dev pm", far, "reachable"},
		{"a large range", table + post + "snat ip to 10.2.0.64-10.2.0.250" + end, "", far, "unknown"},
		{"masquerade, answers pass", table + post + "masquerade" + forward + "ct state established accept; iifname pw accept" + end, "", far, "reachable"},
		{"masquerade, only on the way there", table + post + "masquerade" + forward + "iifname pw accept" + end, "", far, "unknown"},
		{"masquerade, answers to the sender", table + post + "masquerade" + forward + "ip saddr 10.1.0.2 accept; ip daddr 10.1.0.2 accept" + end, "", far, "reachable"},
		{"masquerade, answers to itself", table + post + "masquerade" + forward + "ip saddr 10.1.0.2 accept; ip daddr 10.2.0.1 accept" + end, "", far, "unknown"},
		{"masquerade, raw meets its own address", table + post + "masquerade\n}\nchain r { type filter hook prerouting priority raw; iifname pm ip daddr 10.2.0.1 drop" + end, "", far, "unknown"},
		{"masquerade, raw meets the sender", table + post + "masquerade\n}\nchain r { type filter hook prerouting priority raw; iifname pm ip daddr 10.1.0.2 drop" + end, "", far, "reachable"},
		{"published", table + to + open, "", published, "reachable"},
		{"published, answers pass", table + to + forward + "ct state established accept; iifname pw accept" + end, "", published, "reachable"},
		{"published, by its status", table + to + forward + "ct status dnat accept" + end, "", published, "reachable"},
		{"published, only on the way there", table + to + forward + "iifname pw accept" + end, "", published, "unknown"},
		{"published, no answers of the port", table + to + "\n}\nchain f { type filter hook forward priority 0; tcp sport 443 drop" + end, "", published, "unknown"},
		{"published, no answers of the other port", table + to + "\n}\nchain f { type filter hook forward priority 0; tcp sport 80 drop" + end, "", published, "reachable"},
		{"published, turned round at the end", table + to + "\n}\nchain x { type filter hook postrouting priority 200; oifname pw ip saddr 10.2.0.2 drop" + end, "", published, "reachable"},
		{"published, stopped when turned round", table + to + "\n}\nchain x { type filter hook postrouting priority 200; oifname pw tcp sport 80 drop" + end, "", published, "unknown"},
		{"published and masqueraded", table + to + "\n}\n" + post + "masquerade" + forward + "ct state established accept; iifname pw accept" + end, "", published, "reachable"},
		{"published and of nobody's address", table + to + "\n}\n" + post + "snat ip to 10.2.0.77" + end, "", published, "unknown"},
		{"redirected", table + pre + "redirect to :443" + end, "", published, "reachable"},
		{"redirected, no answers", table + pre + "redirect to :443\n}\nchain o { type filter hook output priority 0; policy drop" + end, "", published, "unknown"},
		{"redirected, no answers of the other port", table + pre + "redirect to :443\n}\nchain o { type filter hook output priority 0; tcp sport 80 drop" + end, "", published, "reachable"},
		{"redirected, no answers of the port", table + pre + "redirect to :443\n}\nchain o { type filter hook output priority 0; tcp sport 443 drop" + end, "", published, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed.Shell(t, "nft flush ruleset\n%s", c.set)
			bed.Shell(t, "for n in w m; do ip -n $n neigh flush dev eth0; done")
			truth := verdictOf(gets("w", c.to))
			host, port, _ := net.SplitHostPort(c.to)
			src := map[bool]string{true: "10.1.0.2/32", false: "fd01::2/128"}[net.ParseIP(host).To4() != nil]
			got := asked(t, "--from", "iface:pw", "--src", src, "--to", "addr:"+host, "--dport", port)
			if got != c.want || got == "reachable" && truth != "reachable" {
				t.Errorf("%s, want %s, in truth %s", got, c.want, truth)
			}
			if c.back != "" {
				bed.Shell(t, "%s", c.back)
			}
		})
	}
}
