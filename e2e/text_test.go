//go:build linux

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
)

// printed are rules whose text nft must load again to the same expressions.
const printed = `
ip saddr 10.0.0.1 tcp dport 22 accept
ip saddr 10.0.0.0/8 drop
ip saddr != 10.1.2.0/24 ip daddr 192.168.1.0/25 accept
ip saddr 10.0.0.1-10.0.0.9 drop
ip6 saddr fd00::1 accept
ip6 daddr fd00::/64 udp dport 53 accept
ip saddr { 10.0.0.1, 10.0.0.2 } accept
tcp dport { 22, 80, 443 } accept
tcp dport { 22, 80-90 } accept
tcp dport != 22 drop
tcp dport 1024-65535 drop
udp sport 53 udp dport 53 accept
udp dport 53 accept
tcp flags syn drop
tcp flags & (fin|syn|rst|ack) == syn drop
meta l4proto tcp accept
meta l4proto { tcp, udp } accept
meta nfproto ipv4 drop
meta mark 0x1 accept
meta mark & 0xff == 0x10 accept
iifname "eth0" accept
iifname "eth*" oifname != "lo" drop
iifname { "eth0", "eth1" } accept
iif lo accept
ct state established,related accept
ct state new drop
ct state invalid drop
ct status dnat accept
ct direction original accept
icmp type echo-request accept
icmpv6 type nd-neighbor-solicit accept
fib daddr type local drop
fib daddr type != local accept
fib saddr . iif oif missing drop
ip saddr @s4 accept
tcp dport @ports drop
tcp dport vmap { 22 : accept, 23 : drop, 80 : jump other }
iifname vmap { "eth0" : accept, "eth1" : drop }
limit rate 5/second burst 10 packets accept
log prefix "x " drop
counter accept
reject
reject with tcp reset
meta l4proto tcp reject with tcp reset
jump other
goto other
return
notrack
update @dyn { ip saddr }
tcp dport 80 comment "a comment"
`

var setNames = regexp.MustCompile("\"set\":\"__(set|map)[0-9]+\"")

// TestTextLoadsAgain prints every rule as text, has nft load it, and compares the expressions.
func TestTextLoadsAgain(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	nft := func(text string) error {
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	const table = `table inet t {
	set s4 { type ipv4_addr; }
	set ports { type inet_service; }
	set dyn { type ipv4_addr; flags dynamic; size 100; }
	chain other { }
	chain c { }
}
`
	load := func(rules []string) *ruleset.Table {
		var b strings.Builder
		b.WriteString("flush ruleset\n" + table)
		for _, r := range rules {
			b.WriteString("add rule inet t c " + r + "\n")
		}
		if err := nft(b.String()); err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		rs, err := checks.ReadRuleset(context.Background(), host.Local())
		if err != nil {
			t.Fatal(err)
		}
		return &rs.Tables[0]
	}
	form := func(tab *ruleset.Table, i int) string {
		r := tab.Chain("c").Rules[i]
		b, err := json.Marshal(r.Exprs)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Exprs { // an anonymous set is what is in it
			if e.Lookup != nil {
				els := tab.Set(e.Lookup.Set).Elements // in the order of the kernel's hash
				slices.SortFunc(els, func(a, b ruleset.Element) int {
					return cmp.Compare(fmt.Sprint(a.Key, a.IntervalEnd), fmt.Sprint(b.Key, b.IntervalEnd))
				})
				list, err := json.Marshal(els)
				if err != nil {
					t.Fatal(err)
				}
				b = append(b, list...)
			}
		}
		return setNames.ReplaceAllString(string(b), `"set":"__"`) + r.Comment
	}
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	first := load(lines)
	texts := make([]string, len(lines))
	for i := range lines {
		texts[i] = first.Chain("c").Rules[i].Text(first)
	}
	var loadable []string
	var index []int
	for i, text := range texts {
		if err := nft("flush ruleset\n" + table + "add rule inet t c " + text + "\n"); err != nil {
			t.Errorf("%s was printed as %s, which nft refuses", lines[i], text)
			continue
		}
		loadable, index = append(loadable, text), append(index, i)
	}
	second := load(loadable)
	for k, i := range index {
		if a, b := form(first, i), form(second, k); a != b {
			t.Errorf("%s was printed as %s\n  was %s\n  is  %s", lines[i], texts[i], a, b)
		}
	}
}
