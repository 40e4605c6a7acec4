//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixWithPolicyRouting proves a fix on a host whose routes depend on more than the destination: the replica has
// its rules and tables too.
func TestFixWithPolicyRouting(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:22", "")
	b.nft("flush ruleset\n" + foreign)
	bed.Shell(t, `h="ip -n %shost"
$h route add default via 10.10.0.9 dev mgmt0 table 100; $h rule add from 10.10.0.0/24 lookup 100 priority 1000
$h rule add to 198.18.0.0/15 blackhole priority 1001; $h rule add fwmark 0x55/0xff lookup 111 priority 1002
$h rule add iif docker0 ipproto udp dport 5000-6000 prohibit priority 1003; $h -6 rule add to fd77::/16 unreachable priority 1004
$h rule add lookup main suppress_prefixlength 0 priority 1005
$h route add local default dev lo table 111; $h route add blackhole 198.51.100.0/24; $h route add throw 192.0.2.0/24 table 100`, b.name)
	out, code := b.fix("--confirm", "auto")
	if code != 0 && code != 1 {
		t.Fatalf("code %d: %s", code, lastLines(out, 6))
	}
	if b.connects("w1", "tcp4", "172.17.0.1:2375") || b.connects("ext", "tcp6", "[fd20::1]:2375") {
		t.Error("what was found is open")
	}
	if !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("SSH is closed")
	}
	state, err := os.ReadFile(filepath.Join(b.root(), "var/lib/ringfence/state.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"replica: without policy rule", "replica: without route"} {
		if strings.Contains(string(state), left) {
			t.Errorf("%s:\n%s", left, state)
		}
	}
}

// TestFixWithGatewaysOfTheLink proves a fix on a host whose gateways have link-local addresses, as router advertisements and clouds
// give them, and whose rules keep what they count in sets: the replica has a router behind those addresses, and loads those rules.
func TestFixWithGatewaysOfTheLink(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:22", "")
	b.nft(`flush ruleset
table inet counted {
	set m { type ipv4_addr; size 1000; flags dynamic; }
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 24 meter n { ip saddr limit rate over 10/minute } drop
		tcp dport 24 ct state new add @m { ip saddr ct count over 3 } drop
	}
}
`)
	bed.Shell(t, `h="ip -n %shost"
$h route replace default via 169.254.7.1 dev mgmt0 onlink; $h -6 route replace default via fe80::7 dev mgmt0`, b.name)
	out, code := b.fix("--confirm", "auto", "--allow-from", "198.51.100.7", "--allow-from", "2001:db8:5::7")
	if code != 0 && code != 1 {
		t.Fatalf("code %d: %s", code, lastLines(out, 6))
	}
	if b.connects("ext", "tcp6", "[fd20::1]:2375") {
		t.Error("what was found is open")
	}
	if !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("SSH is closed")
	}
	state, err := os.ReadFile(filepath.Join(b.root(), "var/lib/ringfence/state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state), "replica: without route") {
		t.Errorf("a route was left out:\n%s", state)
	}
}

// TestFixWhereNeighboursAreDropped proves a fix on a host whose filter lets in what it names and forgets neighbour discovery, as many do: by IPv6 only
// who has found the host gets in. What can be tried in the replica is tried with those.
func TestFixWhereNeighboursAreDropped(t *testing.T) {
	for _, mode := range []string{"targeted", "default-deny"} {
		t.Run(mode, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.listen("tcp", "[::]:2375", "")
			b.listen("tcp", "[::]:22", "")
			b.nft(`flush ruleset
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		iif lo accept
		tcp dport { 22, 2375 } accept
	}
}`)
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			out, code := b.verb("apply", "--mode", mode, "--config", config, "--confirm", "auto")
			if code != 0 && code != 1 || !strings.Contains(out, "tried with those who know the host already") {
				t.Fatalf("code %d: %s", code, lastLines(out, 8))
			}
			host := bed.Shell(t, "ip netns exec %[1]shost cat /sys/class/net/ext0/address", b.name)
			peer := bed.Shell(t, "ip netns exec %[1]sext cat /sys/class/net/eth0/address", b.name)
			bed.Shell(t, "ip -n %[1]sext neigh replace fd20::1 lladdr %[2]s dev eth0 nud permanent; ip -n %[1]shost neigh replace fd20::9 lladdr %[3]s dev ext0 nud permanent",
				b.name, strings.TrimSpace(host), strings.TrimSpace(peer))
			if b.connects("ext", "tcp4", "203.0.113.1:2375") || b.connects("ext", "tcp6", "[fd20::1]:2375") {
				t.Error("what was found is open")
			}
			if !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
				t.Error("SSH is closed")
			}
		})
	}
}

// TestFixWithLinkLocalAddressesAlone proves a fix on a host whose interfaces have no other addresses, where the replica's packets need the link that
// an address is of; and keeps who is logged in by one.
func TestFixWithLinkLocalAddressesAlone(t *testing.T) {
	for _, mode := range []string{"targeted", "default-deny"} {
		t.Run(mode, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			bed.Shell(t, `for l in ext0 docker0; do ip -n %[1]shost addr flush dev $l; done; ip -n %[1]shost link del mgmt0
ip -n %[1]shost addr add fe80::1/64 dev ext0 nodad; ip -n %[1]sext addr add fe80::9/64 dev eth0 nodad`, b.name)
			b.listen("tcp", "[::]:2375", "")
			b.listen("tcp", "[::]:22", "")
			out, code := b.verb("apply", "--mode", mode, "--confirm", "auto", "--keep", "tcp/22@fe80::9")
			if code != 0 && code != 1 {
				t.Fatalf("code %d: %s", code, lastLines(out, 6))
			}
			if closed := regexp.MustCompile(`replica: [1-9]\d* connections that the plan is about closed`); !closed.MatchString(b.proof()) {
				t.Errorf("nothing was tried in the replica:\n%s", b.proof())
			}
			if b.connects("ext", "tcp6", "[fe80::1%eth0]:2375") {
				t.Error("what was found is open")
			}
			if !b.opens("ext", "tcp6", "[fe80::1%eth0]:22") {
				t.Error("who has to keep access is locked out")
			}
		})
	}
}

// proof is what the state says that was proven.
func (b *testbed) proof() string {
	b.t.Helper()
	state, err := os.ReadFile(filepath.Join(b.root(), "var/lib/ringfence/state.json"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(state)
}
