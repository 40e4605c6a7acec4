//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/need"
)

// TestRulesThatDependOnMore: rules that go by what a connection has carried, by words and options that its sender writes, by hashes, numbers and
// processors, and by a program that nobody runs, are answered as the kernel decides, or as one that some packets get by.
func TestRulesThatDependOnMore(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	servedScene(t)
	const is, some, unsure = "", "reachable", "unsure" // what an ordinary connection meets, or that some packets get through; unsure may be unknown
	for _, c := range []struct{ tool, rules, want string }{
		{"nft", "ct packets 1 accept", is},
		{"nft", "ct packets > 1 accept", is},
		{"nft", "ct original packets < 2 accept", is},
		{"nft", "ct reply packets 0 accept", is},
		{"nft", "ct bytes > 100000 accept", is},
		{"nft", "ct bytes < 100000 accept", is},
		{"nft", "ct original bytes > 100000 drop; tcp dport 22 accept", is},
		{"nft", "ct reply bytes > 0 accept", is},
		{"nft", "ct bytes < 100 accept", some},
		{"nft", "ct avgpkt > 100 accept", some},
		{"nft", "ct avgpkt > 70000 accept", is},
		{"nft", "meta length < 100 accept", some},
		{"nft", "meta length > 200000 accept", is},
		{"nft", "meta cpu 0 accept", some},
		{"nft", "meta cpu 0 drop; meta cpu 0 accept", unsure},
		{"nft", "meta random < 2000000000 accept", some},
		{"nft", "numgen random mod 2 0 accept", some},
		{"nft", "numgen inc mod 100 < 50 accept", some},
		{"nft", "numgen random mod 100 vmap { 0-49 : accept, 50-99 : drop }", some},
		{"nft", "jhash ip saddr mod 2 seed 0xdeadbeef 0 accept; jhash ip saddr mod 2 seed 0xdeadbeef 1 accept", is},
		{"nft", "jhash ip saddr mod 2 seed 0xdeadbeef 0 drop; jhash ip saddr mod 2 seed 0xdeadbeef 0 accept", unsure},
		{"nft", "jhash ip saddr . tcp sport mod 7 vmap { 0 : accept, 1 : drop }", some},
		{"nft", "symhash mod 2 0 accept; symhash mod 2 1 accept", is},
		{"nft", "symhash mod 64 < 32 accept", some},
		{"nft", "osf name \"Linux\" accept", some},
		{"nft", "osf name \"unknown\" drop; osf name \"unknown\" accept", unsure},
		{"nft", "ct state new queue num 5", is},
		{"nft", "ct state new queue flags bypass to 5", is},
		{"iptables", "-p tcp --dport 22 -j NFQUEUE --queue-num 3", is},
		{"iptables", "-p tcp --dport 22 -j NFQUEUE --queue-num 3 --queue-bypass", is},
		{"iptables", "-p tcp --dport 22 -j NFQUEUE --queue-balance 3:6", is},
		{"iptables", "-p tcp --dport 22 -j NFQUEUE --queue-balance 3:6 --queue-bypass --queue-cpu-fanout", is},
		{"iptables", "-m connlabel --label 5 -j ACCEPT", is},
		{"iptables", "-m connlabel ! --label 5 -j ACCEPT", is},
		{"iptables", "-m connlabel --label 5 --set -j ACCEPT", is},
		{"iptables", "-m connlabel --label 6 --set;-m connlabel --label 6 -j ACCEPT", is},
		{"iptables", "-m connlabel --label 6 --set;-m connlabel --label 5 -j ACCEPT", unsure},
		{"iptables", "-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0xdeadbeef -j ACCEPT", some},
		{"iptables", "-m cluster --cluster-total-nodes 1 --cluster-local-node 1 --cluster-hash-seed 0xdeadbeef -j ACCEPT", some},
		{"iptables", "-m cpu --cpu 0 -j DROP;-m cpu --cpu 0 -j ACCEPT", unsure},
		{"iptables", "-m cpu --cpu 0 -j ACCEPT", some},
		{"iptables", `-m u32 --u32 "6&0xFF=6" -j ACCEPT`, is},
		{"iptables", `-m u32 --u32 "6&0xFF=17" -j ACCEPT`, unsure},
		{"iptables", `-m u32 ! --u32 "6&0xFF=17" -j ACCEPT`, is},
		{"iptables", `-m u32 --u32 "4&0x1FFF=0 && 0>>22&0x3C@0&0xFFFF=22" -j ACCEPT`, is},
		{"iptables", `-m u32 --u32 "0>>22&0x3C@0&0xFFFF=23:80" -j ACCEPT`, unsure},
		{"iptables", `-m u32 --u32 "12=0xCB007109" -j ACCEPT`, is},
		{"iptables", `-m u32 --u32 "12=0xCB007108,0xCB00710A" -j ACCEPT`, unsure},
		{"iptables", `-m u32 --u32 "0>>22&0x3C@12>>26&0x3C@0=0x47455420" -j ACCEPT`, some},
		{"iptables", `-m u32 --u32 "0>>22&0x3C@12>>26&0x3C@0=0x47455420" -j DROP;-p tcp --dport 22 -j ACCEPT`, is},
		{"iptables", `-m osf --genre Linux --ttl 0 -p tcp -j ACCEPT`, some},
		{"iptables", `-m osf --genre Linux --ttl 0 -p tcp -j DROP;-p tcp --dport 22 -j ACCEPT`, is},
	} {
		t.Run(c.rules, func(t *testing.T) {
			bed.Shell(t, "nft flush ruleset")
			var cmd *exec.Cmd
			switch c.tool {
			case "nft":
				cmd = exec.Command("nft", "-f", "-")
				cmd.Stdin = strings.NewReader(bed.Spread("table inet f {\nchain i { type filter hook input priority 0; policy drop; ct state established accept; " + c.rules + "\n}\n}"))
			default:
				bed.Need(t, "iptables-nft-restore")
				cmd = exec.Command("iptables-nft-restore")
				cmd.Stdin = strings.NewReader("*filter\n:INPUT DROP\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A INPUT " + strings.ReplaceAll(c.rules, ";", "\n-A INPUT ") + "\nCOMMIT\n")
			}
			out, err := cmd.CombinedOutput()
			need.Kernel(t, c.rules, out, err)
			want := c.want
			if want == is || want == unsure {
				want = verdictOf(gets("e", "203.0.113.1:22"))
			}
			if got := askedFor(t, "203.0.113.1:22"); got != want && (got != "unknown" || c.want != unsure) {
				t.Errorf("%s, in truth %s", got, want)
			}
		})
	}
}
