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

// TestFlagsOfECN: iptables takes the flags of ECN from connection attempts; rules after that see none of them, and rules before do.
func TestFlagsOfECN(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	const removes = "-A PREROUTING -p tcp -j ECN --ecn-tcp-remove\n"
	const syn, both, cwr = 0x02, 0xc2, 0x82
	port := uint16(4000)
	for name, c := range map[string]struct {
		nft, iptables string
		flags         uint8
		kernel        string
		trace         trace.Outcome
		reach         packet.Verdict
	}{
		"rules after see none": {
			nft: "chain i { type filter hook input priority 0; policy drop; tcp flags & (ecn | cwr) != 0 accept; }", iptables: removes,
			flags: both, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"one of them": {
			nft: "chain i { type filter hook input priority 0; policy drop; tcp flags & (ecn | cwr) == 0 accept; }", iptables: removes,
			flags: cwr, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"rules before see them": {
			nft:      "chain p { type filter hook prerouting priority -160; policy drop; tcp flags & (ecn | cwr) == (ecn | cwr) accept; }",
			iptables: removes, flags: both, kernel: "local", trace: trace.Local, reach: packet.Unknown,
		},
		"both": {
			nft: `chain p { type filter hook prerouting priority -160; policy drop; tcp flags & (ecn | cwr) == (ecn | cwr) accept; }
			chain i { type filter hook input priority 0; tcp flags & (ecn | cwr) == 0 drop; }`,
			iptables: removes, flags: both, kernel: "drop", trace: trace.Drop, reach: packet.Unreachable,
		},
		"none are removed": {
			nft:   "chain i { type filter hook input priority 0; policy drop; tcp flags & (ecn | cwr) != 0 accept; }",
			flags: both, kernel: "local", trace: trace.Local, reach: packet.Reachable,
		},
		"a match after it": {
			iptables: removes + "-A PREROUTING -p tcp -m ecn --ecn-tcp-ece -j ACCEPT\n-A PREROUTING -j DROP\n",
			flags:    both, kernel: "drop", trace: trace.Unknown, reach: packet.Unknown,
		},
		"a match after the bits of IP are removed": {
			iptables: "-A PREROUTING -p tcp -j TOS --set-tos 0x00/0xff\n-A PREROUTING -p tcp -m ecn ! --ecn-ip-ect 0 -j DROP\n",
			flags:    syn, kernel: "local", trace: trace.Unknown, reach: packet.Unknown,
		},
	} {
		if err := b.o.Load("table inet t { " + c.nft + "\n}"); err != nil {
			t.Fatal(err)
		}
		if c.iptables != "" {
			b.restore(t, "*mangle\n:PREROUTING ACCEPT [0:0]\n"+c.iptables+"COMMIT\n")
		}
		if err := b.o.Forget(); err != nil {
			t.Fatal(err)
		}
		port++
		p := &oracle.Packet{
			In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: 6, Sport: port, Dport: 22, Flags: c.flags,
		}
		kernel := b.fate(name, p)
		got := b.tracer().Packet(question(p))
		a := b.reached("tcp", reach.Target{Host: true, Addr: p.Dst})
		if kernel.Fate != c.kernel || got.Fate != c.trace || a.Verdict != c.reach {
			t.Errorf("%s: kernel %s, trace %s %s, reach %s %v; want %s, %s, %s", name, kernel.Fate, got.Fate, got.Why, a.Verdict, a.Because, c.kernel, c.trace, c.reach)
		}
	}
}
