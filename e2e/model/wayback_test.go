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

// TestWayBackByInterface: a policy rule for an interface is asked for the way back of what leaves by that interface.
func TestWayBackByInterface(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, detour+`
ip rule add iif tun1 to 198.51.100.0/24 lookup 104 priority 905; ip route add 198.51.100.0/24 dev mgmt0 table 104
ip rule add iif mgmt0 ipproto udp dport 9 lookup 103 priority 906
`)
	if err := b.o.Load("table inet f { chain f { type filter hook forward priority 0; policy accept; }; }\n"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		src, kernel string
		trace       trace.Outcome
		reach       packet.Verdict
	}{
		{"198.51.100.7", "forward", trace.Forward, packet.Reachable}, // the way back leads to mgmt0 only as of tun1
		{"8.8.8.8", "drop", trace.Drop, packet.Unreachable},          // it leads to tun1 only as of tun1
	} {
		p := &oracle.Packet{In: "mgmt0", Src: netip.MustParseAddr(c.src), Dst: netip.MustParseAddr("1.0.0.2"), Proto: 17, Sport: 40000, Dport: 9}
		kernel := b.fate(c.src, p)
		got := b.tracer().Packet(question(p))
		m, s := b.model()
		a := m.Reach(&reach.Question{
			From:  []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: []netip.Prefix{netip.PrefixFrom(p.Src, 32)}}},
			Proto: "udp", Unbound: true, To: reach.Target{Oifs: []int{s.Network.LinkNamed("tun1").Index}},
		})
		if kernel.Fate != c.kernel || got.Fate != c.trace || a.Verdict != c.reach {
			t.Errorf("from %s: kernel %s, trace %s %s, reach %s %v %v; want %s", c.src, kernel.Fate, got.Fate, got.Rule, a.Verdict, a.Witness, a.StoppedBy, c.kernel)
		}
	}
}
