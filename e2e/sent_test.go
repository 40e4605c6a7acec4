//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/need"
)

// TestMatchesOfWhatSendersWrite: iptables matches of what a sender chooses, of the clock, of groups of interfaces and of IPsec are answered as the kernel
// decides them for an ordinary connection. Where another sender gets through the answer is that, and who does not never is.
func TestMatchesOfWhatSendersWrite(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "iptables-nft")
	servedScene(t)
	mac := strings.TrimSpace(bed.Shell(t, "ip netns exec e cat /sys/class/net/eth0/address"))
	const in, ssh = "-A INPUT -p tcp --dport 22 ", " -j ACCEPT"
	for _, c := range []struct {
		rules  string // the last after a semicolon
		others bool   // who sends otherwise gets through
		unsure bool   // only that is known of no ordinary sender
	}{
		{in + "-m mac --mac-source " + mac + ssh, false, false},
		{in + "-m mac ! --mac-source " + mac + ssh, true, false},
		{in + "-m ttl --ttl-eq 64" + ssh, false, false},
		{in + "-m ttl --ttl-gt 64" + ssh, true, false},
		{in + "-m ttl ! --ttl-eq 64 -j DROP;" + in + ssh, false, false},
		{"-t mangle -A PREROUTING -j TTL --ttl-set 7;" + in + "-m ttl --ttl-eq 7" + ssh, false, false},
		{"-t mangle -A PREROUTING -j TTL --ttl-set 7;" + in + "-m ttl --ttl-eq 64" + ssh, false, true},
		{in + "-m dscp --dscp 0" + ssh, false, false},
		{in + "-m dscp --dscp-class CS1" + ssh, true, false},
		{in + "-m tos --tos 0x10/0x3f" + ssh, true, false},
		{in + "-m length --length 40:100" + ssh, false, false},
		{in + "-m length ! --length 40:100" + ssh, true, false},
		{in + "-m length --length 0:19" + ssh, false, true},
		{in + "--tcp-option 2" + ssh, false, false},
		{in + "! --tcp-option 2" + ssh, true, false},
		{"-t mangle -A PREROUTING -p tcp --dport 22 -j TCPOPTSTRIP --strip-options 2;" + in + "--tcp-option 2" + ssh, false, true},
		{"-t mangle -A PREROUTING -p tcp --dport 22 -j TCPOPTSTRIP --strip-options 2;" + in + "! --tcp-option 2" + ssh, false, false},
		{in + "-m tcpmss --mss 1:65000" + ssh, false, false},
		{in + "-m string --string GET --algo bm -j DROP;" + in + ssh, false, false},
		{in + "-m string --string GET --algo bm" + ssh, true, false},
		{in + "-m string --string GET --algo bm -j DROP;" + in + "-m string --string POST --algo kmp -j DROP;" + in + "-m string --string sip --algo bm --icase -j DROP;" + in + ssh, false, false},
		{in + "-m string --string GET --algo bm -j DROP;" + in + "-m string --string GETX --algo bm" + ssh, false, true},
		{in + "-m string --string GETX --algo bm -j DROP;" + in + "-m string --string GET --algo bm" + ssh, true, false},
		{in + "-m time --timestart 00:00 --timestop 23:59:59" + ssh, false, false},
		{in + "-m time --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun" + ssh, false, false},
		{in + "-m time --timestart 22:00 --timestop 06:00" + ssh, true, false},
		{in + "-m devgroup --src-group 0" + ssh, false, false},
		{in + "-m devgroup --src-group 3" + ssh, false, false},
		{in + "-m devgroup ! --src-group 3" + ssh, false, false},
		{in + "-m policy --dir in --pol none" + ssh, false, false},
		{in + "-m policy --dir in --pol ipsec" + ssh, false, false},
		{"-t raw -A PREROUTING -p tcp --dport 22 -j CT --zone 5;" + in + "-m conntrack --ctstate NEW" + ssh, false, false},
		{"-t raw -A PREROUTING -p tcp --dport 22 -j CT --notrack;" + in + "-m conntrack --ctstate NEW" + ssh, false, false},
	} {
		t.Run(c.rules, func(t *testing.T) {
			bed.Shell(t, "nft flush ruleset; iptables-nft -P INPUT DROP; iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
			for rule := range strings.SplitSeq(c.rules, ";") {
				out, err := exec.Command("sh", "-c", "iptables-nft "+rule).CombinedOutput()
				need.Kernel(t, rule, out, err)
			}
			want := verdictOf(gets("e", "203.0.113.1:22"))
			if c.others {
				want = "reachable"
			}
			if got := asked(t, "--from", "iface:ext0", "--src", "203.0.113.9/32", "--to", "addr:203.0.113.1", "--dport", "22"); got != want && (!c.unsure || got != "unknown") {
				t.Errorf("%s, in truth %s", got, want)
			}
		})
	}
}

// TestZonesOfConntrack: a rule that asks for the zone is told what rules before conntrack have set.
func TestZonesOfConntrack(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	servedScene(t)
	for _, set := range []string{"ct zone set 5", "ct original zone set 5", "ip saddr 10.10.0.9 ct zone set 5", "notrack"} {
		for _, asks := range []string{"ct zone 5", "ct zone 0", "ct original zone 5", "ct zone != 5"} {
			bed.Shell(t, "nft -f - <<'E'\n%s\nE", fmt.Sprintf("flush ruleset\ntable inet f {\nchain p { type filter hook prerouting priority -300; iif ext0 %s\n}\nchain i { type filter hook input priority 0; policy drop; ct state established accept; %s tcp dport 22 accept\n}\n}", set, asks))
			want := verdictOf(gets("e", "203.0.113.1:22"))
			if got := asked(t, "--from", "iface:ext0", "--src", "203.0.113.9/32", "--to", "addr:203.0.113.1", "--dport", "22"); got != want {
				t.Errorf("%s, then %s: %s, in truth %s", set, asks, got, want)
			}
		}
	}
}

// TestNothingIsProtected: where there is no policy of IPsec no packet is protected by it, whatever rule asks.
func TestNothingIsProtected(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	servedScene(t)
	for _, asks := range []string{"meta secpath missing", "meta secpath exists", "ipsec in reqid 1", "ipsec in reqid != 1"} {
		bed.Shell(t, "nft -f - <<'E'\n%s\nE", fmt.Sprintf("flush ruleset\ntable inet f {\nchain i { type filter hook input priority 0; policy drop; ct state established accept; %s tcp dport 22 accept\n}\n}", asks))
		if got, want := askedFor(t, "203.0.113.1:22"), verdictOf(gets("e", "203.0.113.1:22")); got != want {
			t.Errorf("%s: %s, in truth %s", asks, got, want)
		}
	}
}

// TestTranslatedOnABridge: with br_netfilter, what a rule gives another destination on the bridge that it came in by is switched there and not routed:
// isolated ports and the sender's own are not on its way.
func TestTranslatedOnABridge(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Shell(t, `for n in w x; do ip netns add $n; ip -n $n link set lo up; ip link add veth$n type veth peer name eth0 netns $n; ip -n $n link set eth0 up; done
ip link set lo up; ip link add docker0 type bridge; ip link set vethw master docker0; ip link set vethx master docker0
ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up; ip link set vethw up; ip link set vethx up
ip -n w addr add 172.17.0.2/16 dev eth0; ip -n x addr add 172.17.0.3/16 dev eth0; ip -n w route add default via 172.17.0.1; ip -n x route add default via 172.17.0.1
ip link add ext0 type veth peer name ext1
ip addr add 203.0.113.1/24 dev ext0; ip link set ext0 up
sysctl -qw net.ipv4.ip_forward=1
nft -f - <<E
table ip nat {
chain p { type nat hook prerouting priority -100; ip daddr 203.0.113.1 tcp dport 8080 dnat to 172.17.0.2:80
}
chain s { type nat hook postrouting priority 100; oifname docker0 masquerade
}
}
E`)
	server := exec.Command("ip", "netns", "exec", "w", "python3", "-m", "http.server", "80")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	bed.Until(func() bool { return gets("w", "127.0.0.1:80") })
	for _, calls := range []string{"0", "1"} {
		out, err := exec.Command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables="+calls).CombinedOutput()
		need.Kernel(t, "bridge-nf-call-iptables", out, err)
		for _, isolated := range []string{"off", "on"} {
			bed.Shell(t, "for p in vethw vethx; do ip link set $p type bridge_slave isolated %s; done", isolated)
			for _, c := range []struct{ ns, iface, src string }{
				{"x", "vethx", "172.17.0.3"}, {"x", "docker0", "172.17.0.3"}, {"w", "vethw", "172.17.0.2"},
			} {
				want := verdictOf(gets(c.ns, "203.0.113.1:8080"))
				got := asked(t, "--from", "iface:"+c.iface, "--src", c.src+"/32", "--to", "addr:203.0.113.1", "--dport", "8080")
				if got != want && (got != "unknown" || want == "reachable") {
					t.Errorf("call-iptables %s, isolated %s, from %s: %s, in truth %s", calls, isolated, c.iface, got, want)
				}
			}
		}
	}
}
