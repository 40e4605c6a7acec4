//go:build linux

package model

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/trace"
)

// TestQueueingClass: rules ask for the class that a packet comes with, that rules before gave it, or that its type of service has where it is forwarded, and for the type of service that rules wrote.
func TestQueueingClass(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	const host, beyond = "10.10.0.1", "192.168.5.5"
	for name, c := range map[string]struct {
		nft, iptables string
		to, kernel    string
		trace         trace.Outcome
		reach         packet.Verdict
	}{
		"none": {
			nft: "chain i { type filter hook input priority 0; meta priority 0 accept; drop; }", to: host, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"of a rule": {
			nft: "chain p { type filter hook prerouting priority 0; meta priority set 0x10010; }; chain i { type filter hook input priority 0; meta priority 0x10010 drop; }",
			to:  host, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"of a rule, forwarded": {
			nft: "chain p { type filter hook prerouting priority 0; meta priority set 0x10010; }; chain f { type filter hook forward priority 0; meta priority 0x10010 drop; }",
			to:  beyond, kernel: "forward", trace: trace.Forward, reach: packet.Reachable,
		},
		"of a rule after that": {
			nft: "chain f { type filter hook forward priority 0; meta priority set 0x10010; }; chain o { type filter hook postrouting priority 0; meta priority 0x10010 drop; }",
			to:  beyond, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"of the type of service": {
			nft: "chain p { type filter hook prerouting priority 0; ip dscp set af11; }; chain f { type filter hook forward priority 0; meta priority 0 drop; }",
			to:  beyond, kernel: "forward", trace: trace.Forward, reach: packet.Reachable,
		},
		"of an interactive type of service": {
			nft: "chain p { type filter hook prerouting priority 0; ip dscp set af12; }; chain f { type filter hook forward priority 0; meta priority != 6 drop; }",
			to:  beyond, kernel: "forward", trace: trace.Forward, reach: packet.Reachable,
		},
		"of expedited forwarding": {
			nft: "chain p { type filter hook prerouting priority 0; ip dscp set ef; }; chain f { type filter hook forward priority 0; meta priority != 4 drop; }",
			to:  beyond, kernel: "forward", trace: trace.Forward, reach: packet.Reachable,
		},
		"of a type of service with the same class": {
			nft: "chain p { type filter hook prerouting priority 0; ip dscp set cs1; }; chain f { type filter hook forward priority 0; meta priority 0 drop; }",
			to:  beyond, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"of iptables": {
			nft:      "chain o { type filter hook postrouting priority 0; meta priority 0x10010 drop; }",
			iptables: "*mangle\n-A FORWARD -j CLASSIFY --set-class 1:10\nCOMMIT\n", to: beyond, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"a type of service of iptables": {
			nft:      "chain i { type filter hook input priority 0; ip dscp 0 drop; }",
			iptables: "*mangle\n-A PREROUTING -j DSCP --set-dscp 46\nCOMMIT\n", to: host, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"both of iptables": {
			iptables: "*mangle\n-A PREROUTING -j DSCP --set-dscp 46\n-A INPUT -m dscp --dscp 46 -j DROP\nCOMMIT\n",
			to:       host, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"written by both": {
			nft:      "chain i { type filter hook input priority 0; ip dscp ef accept; drop; }",
			iptables: "*mangle\n-A PREROUTING -j TOS --set-tos 0x40\n-A PREROUTING -j TOS --xor-tos 0xf8\nCOMMIT\n",
			to:       host, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"bits beside it": {
			iptables: "*mangle\n-A PREROUTING -j DSCP --set-dscp 46\n-A INPUT -m tos --tos 0x10/0x3f -j DROP\n-A INPUT -m tos --tos 0xb8/0xfc -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n",
			to:       host, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"congestion": {
			nft:      "chain i { type filter hook input priority 0; ip ecn != ect1 drop; }",
			iptables: "*mangle\n-A PREROUTING -j TOS --set-tos 1/3\nCOMMIT\n",
			to:       host, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"of IPv6": {
			nft: "chain p { type filter hook prerouting priority 0; ip6 dscp set cs5; }; chain i { type filter hook input priority 0; ip6 dscp cs5 accept; drop; }",
			to:  "fd10::1", kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"of IPv6 by a map": {
			nft: "chain p { type filter hook prerouting priority 0; ip6 dscp set cs5; }; chain i { type filter hook input priority 0; ip6 dscp vmap { cs5: drop, cs6: accept }; }",
			to:  "fd10::1", kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
	} {
		if err := b.o.Load("table inet f { " + c.nft + "; }\n"); err != nil {
			t.Fatal(err)
		}
		if c.iptables != "" {
			b.restore(t, c.iptables)
		}
		if err := b.o.Forget(); err != nil {
			t.Fatal(err)
		}
		p := &oracle.Packet{
			In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr(c.to), Proto: 17, Sport: 4000, Dport: 7,
		}
		if p.Dst.Is6() {
			p.Src = netip.MustParseAddr("fd10::9")
		}
		kernel := b.fate(name, p)
		got := b.tracer().Packet(question(p))
		a := b.reached("udp", reach.Target{Host: c.to != beyond, Addr: p.Dst})
		if kernel.Fate != c.kernel || got.Fate != c.trace || a.Verdict != c.reach {
			t.Errorf("%s: kernel %s, trace %s %s, reach %s %v; want %s, %s, %s", name, kernel.Fate, got.Fate, got.Why, a.Verdict, a.Because, c.kernel, c.trace, c.reach)
		}
	}
}

// reached asks the model for whom a machine of the management network gets to by a protocol.
func (b *bedOracle) reached(proto string, to reach.Target) reach.Answer {
	m, s := b.model()
	return m.Reach(&reach.Question{
		From:  []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: []netip.Prefix{netip.MustParsePrefix("10.10.0.9/32"), netip.MustParsePrefix("fd10::9/128")}}},
		Proto: proto, Unbound: true, To: to,
	})
}
