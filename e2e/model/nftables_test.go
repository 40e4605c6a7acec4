//go:build linux

package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// everything has as many expressions and statements as nft and the kernel here accept, one rule a
// line: what the kernel refuses is left out.
const everything = `
meta length 100 accept
meta mark 0x1 accept
meta mark & 0xff == 0x1 accept
meta mark set meta mark | 0x10
meta skuid 1000-2000 accept
iif lo accept
iifname "eth*" accept
oifname != "lo" accept
meta cpu 1 accept
meta l4proto { tcp, udp } accept
meta pkttype broadcast drop
ip saddr 10.0.0.0/8 ip daddr 192.168.1.1 accept
ip saddr != { 10.0.0.1, 10.0.0.2 } drop
ip6 saddr fe80::/10 accept
ip dscp set cs1
ip ttl < 5 drop
ip frag-off & 0x1fff != 0 drop
tcp dport 1-1024 accept
tcp dport { 22, 80-90 } accept
tcp flags & (syn | ack) == syn accept
tcp option maxseg size set 1400
udp length > 100 accept
icmp type echo-request accept
icmpv6 type { nd-neighbor-solicit, nd-router-advert } accept
ct state new,established accept
ct state vmap { new : accept, invalid : drop }
ct status dnat accept
ct direction original accept
ct mark set 0x2
ct original ip saddr 1.2.3.4 accept
ct count over 10 drop
ct zone 3 accept
fib saddr . iif oif missing drop
fib daddr type local accept
limit rate 5/second burst 10 packets accept
quota over 1 mbytes drop
counter name c
counter packets 0 bytes 0
log prefix "hi " level info
log group 3
reject with tcp reset
reject with icmpx type port-unreachable
numgen inc mod 2 0 accept
jhash ip saddr mod 4 1 accept
ip saddr . tcp dport @s accept
tcp dport vmap @vm
add @dyn { ip saddr limit rate 1/second } accept
update @dyn { ip saddr timeout 10s }
meta nftrace set 1
socket transparent 1 accept
rt classid 1 accept
exthdr frag exists drop
dup to 10.0.0.1
notrack
synproxy mss 1460 wscale 7 timestamp sack-perm
osf name "Linux" accept
meta time < "2026-01-01" drop
tcp dport 80 tproxy to :50080
ipsec in reqid 1 accept
goto other
jump other
return
accept
drop
`

var exprLine = regexp.MustCompile(`(?m)^  \[ [a-z]`)

// TestNoExpressionIsLost compares, rule by rule, the number of expressions that were read with the
// number that nft prints of the kernel's own messages.
func TestNoExpressionIsLost(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	const ns = "rfnf"
	bed.Shell(t, "ip netns add %s", ns)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	nft := func(text string) error {
		cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		return cmd.Run()
	}
	if err := nft(`table inet t {
	counter c { }
	set s { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 1-5 } }
	map vm { type inet_service : verdict; elements = { 22 : accept, 23 : jump other } }
	set dyn { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
	chain other { }
	chain c { type filter hook prerouting priority -300; policy accept; }
}`); err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for line := range strings.Lines(everything) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if nft("add rule inet t c "+line+"\n") == nil {
			loaded++
		}
	}
	bed.Need(t, "iptables-nft")
	for _, r := range []string{
		"-m conntrack --ctstate NEW -j ACCEPT", "-p tcp -m multiport --dports 1,2,3:5 -j DROP", "-m addrtype --dst-type LOCAL -j RETURN",
		"-m comment --comment x -j LOG", "-p icmp --icmp-type 8 -j REJECT", "-m mark --mark 1 -j ACCEPT", "-m limit --limit 1/s -j ACCEPT",
		"-m string --string x --algo bm -j DROP", "-m recent --set -j ACCEPT", "-m owner --uid-owner 1 -j ACCEPT",
	} {
		if exec.Command("ip", append([]string{"netns", "exec", ns, "iptables-nft", "-A", "INPUT"}, strings.Fields(r)...)...).Run() == nil {
			loaded++
		}
	}
	var out bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", ns, bed.Program(t), "collect")
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	var s snapshot.Snapshot
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	got, opaque := 0, 0
	for _, tab := range s.NFTables.Ruleset.Tables {
		for _, c := range tab.Chains {
			for _, r := range c.Rules {
				got += len(r.Exprs)
				for i := range r.Exprs {
					if r.Exprs[i].Opaque() {
						opaque++
					}
				}
			}
		}
	}
	text, err := exec.Command("ip", "netns", "exec", ns, "nft", "--debug=netlink", "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if want := len(exprLine.FindAll(text, -1)); got != want || s.NFTables.Ruleset.Rules() != loaded || loaded < 50 {
		t.Errorf("%d rules of %d, %d expressions of %d", s.NFTables.Ruleset.Rules(), loaded, got, want)
	}
	t.Logf("%d rules, %d expressions, %d of them opaque", loaded, got, opaque)
}

// TestChangingRulesetIsNotTorn reads beside a writer: each reading is one generation's, or says that
// it is not.
func TestChangingRulesetIsNotTorn(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	readings := 150
	if os.Getenv("RINGFENCE_DIFFERENTIAL") != "" {
		readings = 3000
	}
	var sets []string
	for _, name := range []string{"a", "b"} {
		var b strings.Builder
		b.WriteString("flush ruleset\ntable inet t {\n chain c {\n")
		for i := range 300 {
			fmt.Fprintf(&b, "  tcp dport %d counter comment %q\n", i+1, name)
		}
		b.WriteString(" }\n}\n")
		sets = append(sets, b.String())
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(i%7) * time.Millisecond):
			}
			cmd := exec.Command("nft", "-f", "-")
			cmd.Stdin = strings.NewReader(sets[i%2])
			_ = cmd.Run()
		}
	}()
	defer func() { close(stop); <-done }()
	stable, generations := 0, map[uint32]bool{}
	deadline := time.Now().Add(time.Minute)
	for n := 0; n < readings || len(generations) < 3 && time.Now().Before(deadline); n++ { // who changes it may begin late
		rs, err := checks.ReadRuleset(t.Context(), host.Local())
		if err != nil {
			t.Fatal(err)
		}
		generations[rs.Generation] = true
		if !rs.Stable {
			continue
		}
		stable++
		seen := map[string]int{}
		for _, tab := range rs.Tables {
			for _, c := range tab.Chains {
				for _, r := range c.Rules {
					seen[r.Comment]++
				}
			}
		}
		if len(seen) > 1 || len(seen) == 1 && seen["a"]+seen["b"] != 300 {
			t.Errorf("a torn reading: %v", seen)
		}
	}
	t.Logf("%d readings, %d stable, of %d generations", readings, stable, len(generations))
	if stable == 0 || len(generations) < 3 {
		t.Errorf("%d readings were stable, of %d generations", stable, len(generations))
	}
}
