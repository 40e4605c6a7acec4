package trace

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestRunsOfRules: rules that are looked up decide as rules that are tried one after the other, also where they change what is compared.
func TestRunsOfRules(t *testing.T) {
	s := fixtures.Host()
	rs := linear(200)
	c := &rs.Tables[0].Chains[0]
	for i := range c.Rules {
		addr := binary.BigEndian.AppendUint32(nil, 0x64400000+uint32(i%50)) // four rules for each sender
		c.Rules[i].Exprs[3].Cmp.Data = addr
		port := []byte{0, byte(20 + i%7)}
		c.Rules[i].Exprs[7].Cmp.Data = port
	}
	odd := ruleset.Rule{Handle: 1000, Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "!=", Data: ruleset.Hex{6}}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "drop"}}},
	}}
	c.Rules = append(append(append([]ruleset.Rule{}, c.Rules[:60]...), odd), c.Rules[60:]...)
	s.NFTables.Ruleset = rs
	quick, slow := New(s), New(s)
	runs := 0
	for _, tab := range slow.tables {
		for _, ch := range tab.chains {
			ch.visits = math.MinInt
			for i := range ch.rules {
				if ch.rules[i].run != nil {
					runs++
				}
				ch.rules[i].run = nil
			}
		}
	}
	if runs < 190 {
		t.Fatalf("%d rules are looked up", runs)
	}
	dst := netip.MustParsePrefix(s.Network.LinkNamed("mgmt0").Addrs[0]).Addr()
	fates := map[Outcome]int{}
	for i := range 60 {
		for port := range 8 {
			for _, proto := range []string{"tcp", "udp"} {
				src := netip.AddrFrom4([4]byte{0x64, 0x40, 0, byte(i)})
				p := &packet.Packet{In: "mgmt0", Src: src, Dst: dst, Proto: proto, Sport: 4000, Dport: uint16(20 + port)}
				a, b := quick.Packet(p), slow.Packet(p)
				if fmt.Sprint(a.Fate, a.Rule) != fmt.Sprint(b.Fate, b.Rule) {
					t.Fatalf("%v: %s by %s, want %s by %s", p, a.Fate, a.Rule, b.Fate, b.Rule)
				}
				fates[a.Fate]++
			}
		}
	}
	if fates[Drop] == 0 || fates[Local] == 0 || quick.Evaluated() > slow.Evaluated()/10 {
		t.Errorf("%v, %d rules evaluated, %d without runs", fates, quick.Evaluated(), slow.Evaluated())
	}
}
