//go:build linux

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// TestRulesLoadAgain loads what ordinary hosts have among their rules as the kernel tells it into a network namespace of its own, as a replica does. What
// the kernel here cannot do is passed over.
func TestRulesLoadAgain(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.NeedRoot(t)
	chain := func(hook, priority, rules string) string {
		return "table inet t { set m { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }\nset n { type ipv4_addr; size 65535; flags dynamic; }\n" +
			"chain c { type filter hook " + hook + " priority " + priority + "; policy accept; " + rules + "\n}\n}\n"
	}
	for name, text := range map[string]string{
		"segment size by the route": chain("forward", "mangle", "tcp flags syn tcp option maxseg size set rt mtu"),
		"segment size":              chain("forward", "mangle", "tcp flags syn tcp option maxseg size set 1360"),
		"option exists":             chain("input", "0", "tcp option sack-perm exists drop"),
		"option is read":            chain("input", "0", "tcp option maxseg size 1-500 drop"),
		"option is taken out":       chain("prerouting", "mangle", "tcp dport 9 reset tcp option timestamp"),
		"header of IPv6":            chain("input", "0", "exthdr frag exists drop\nrt type 0 drop"),
		"system by its packets":     chain("input", "0", `osf name "Linux" drop`),
		"with its version":          chain("input", "0", `osf version "Linux:4.20" drop`),
		"meter":                     chain("input", "0", "tcp dport 24 meter n2 { ip saddr limit rate over 10/minute } drop"),
		"added and counted":         chain("input", "0", "tcp dport 24 ct state new add @n { ip saddr ct count over 3 } drop"),
		"added with a timeout":      chain("input", "0", "tcp dport 24 add @m { ip saddr timeout 10s } drop\ntcp dport 25 update @m { ip saddr limit rate over 6/minute } drop"),
		"counts":                    chain("input", "0", "tcp dport 9 quota over 10 mbytes drop\nlimit rate over 10/second burst 5 packets drop\nct count over 20 drop"),
		"picked":                    chain("input", "0", "numgen random mod 3 0 drop\njhash ip saddr . tcp dport mod 2 0 drop\nsymhash mod 2 0 drop"),
		"logs":                      chain("input", "0", "log prefix \"a\" level debug flags all\nlog prefix \"b\" group 3 snaplen 128 queue-threshold 10"),
		"routes":                    chain("output", "0", "rt ip nexthop 198.51.100.1 drop\nmeta skuid 1000 drop"),
		"sockets":                   chain("prerouting", "mangle", "socket transparent 1 mark set 1\nsocket wildcard 0 drop"),
		"connections":               chain("prerouting", "0", "ct mark set mark\nct original ip saddr 198.51.100.1 drop\nct bytes > 1000000 drop\nfib saddr . iif oif missing drop\nct zone set 5"),
		"written":                   chain("postrouting", "mangle", "ip dscp set cs1\nip ttl set 64\nmeta priority set 1:2"),
		"time of day":               chain("input", "0", "meta hour \"01:00\"-\"02:00\" drop\nmeta day \"Sunday\" drop"),
		"synproxy":                  chain("input", "0", "tcp dport 8081 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm"),
		"refused":                   chain("input", "0", "meta l4proto tcp reject with tcp reset\nreject with icmpx type admin-prohibited"),
		"read as bytes":             chain("input", "0", "th dport 9 drop\n@th,16,16 9 drop\n@nh,8,8 5 drop\nip saddr & 0.0.0.255 == 250 drop"),
		"IPsec":                     chain("input", "0", "meta ipsec exists drop\nipsec in reqid 1 accept"),
		"queued":                    chain("input", "0", "tcp dport 9 queue num 1-3 bypass,fanout"),
		"copied":                    "table ip t { chain c { type filter hook prerouting priority mangle; dup to 198.51.100.9 device \"lo\"\n}\n}\n",
		"handed on":                 "table netdev t { chain c { type filter hook ingress device lo priority 0; ip daddr 198.51.100.9 fwd to \"lo\"\n}\n}\n",
		"objects": "table inet t { counter c { }\nquota q { over 10 mbytes }\nlimit l { rate 10/second }\nct helper h { type \"ftp\" protocol tcp; }\n" +
			"chain c { type filter hook prerouting priority 0; tcp dport 9 counter name \"c\" quota name \"q\" limit name \"l\" drop\ntcp dport 21 ct helper set \"h\"\n}\n}\n",
		"timeouts": "table inet t { ct timeout o { protocol tcp; l3proto ip; policy = { established : 600 }; }\nct expectation e { protocol tcp; dport 9876; timeout 1m; size 12; l3proto ip; }\n" +
			"chain c { type filter hook prerouting priority 0; tcp dport 21 ct timeout set \"o\"\ntcp dport 22 ct expectation set \"e\"\n}\n}\n",
		"sets": "table inet t { set a { type ipv4_addr; counter; elements = { 198.51.100.1 } ; }\nset b { type ipv4_addr; flags timeout; elements = { 198.51.100.4 timeout 1h } ; }\n" +
			"set d { type ipv4_addr . inet_service; flags interval; elements = { 198.51.100.0/24 . 1-9 } ; }\nset e { type ipv4_addr; flags interval; auto-merge; elements = { 198.51.100.0/24 } ; }\n" +
			"map f { type ipv4_addr : verdict; elements = { 198.51.100.1 : drop, * : accept } ; }\n" +
			"chain c { type filter hook input priority 0; ip saddr @a drop\nip saddr @b drop\nip saddr . tcp dport @d drop\nip saddr @e drop\nip saddr vmap @f\n}\n}\n",
		"translations": "table ip t { map m { type inet_service : ipv4_addr . inet_service; elements = { 8080 : 172.17.0.2 . 80 } ; }\n" +
			"chain c { type nat hook prerouting priority dstnat; dnat ip to tcp dport map @m\ntcp dport 81 redirect to :8081-8090 random\n}\n" +
			"chain d { type nat hook postrouting priority srcnat; meta l4proto tcp oifname \"x\" masquerade to :1000-2000 fully-random,persistent\nsnat ip prefix to ip saddr map { 10.0.0.0/24 : 192.0.2.0/24 }\n}\n" +
			"chain e { type filter hook prerouting priority mangle; tcp dport 82 tproxy to 127.0.0.1:9999 meta mark set 1\n}\n}\n",
	} {
		t.Run(name, func(t *testing.T) { loadsAgain(t, text) })
	}
}

func loadsAgain(t *testing.T, text string) {
	var told []ruleset.Message
	bed.InEmptyNetns(t, func() {
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("not known here: %s", out)
			return
		}
		var err error
		if told, err = checks.DumpRuleset(context.Background(), host.Local()); err != nil {
			t.Error(err)
		}
	})
	var batch []netlink.Message
	for i := range told {
		attrs, ok := told[i].Again(uint32(i + 1))
		if !ok {
			t.Fatalf("message %d is not loaded again", i+1)
		}
		batch = append(batch, wire.NewNFTables(told[i].Kind, told[i].Family, attrs))
	}
	bed.InEmptyNetns(t, func() {
		b, err := wire.Batch(wire.Transaction(batch), 0)
		if err == nil {
			err = host.SendBatch(unix.NETLINK_NETFILTER, b, wire.BatchAnswer)
		}
		if err != nil {
			t.Error(err)
		}
	})
}
