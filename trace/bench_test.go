package trace

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// linear is a chain of n rules of the form "ip saddr A tcp dport P drop", none of which holds for the
// packets of the benchmark.
func linear(n int) *ruleset.Ruleset {
	c := ruleset.Chain{Name: "input", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: "accept"}}
	for i := range n {
		addr := binary.BigEndian.AppendUint32(nil, 0x64400000+uint32(i))
		c.Rules = append(c.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaNfproto, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{2}}},
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: addr}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{6}}},
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{0, 22}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "drop"}}},
		}})
	}
	return &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
}

// BenchmarkTrace follows packets through linear rules.
func BenchmarkTrace(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := fixtures.Host()
			s.NFTables.Ruleset = linear(n)
			t := New(s)
			p := &packet.Packet{In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: "tcp", Sport: 4000, Dport: 22}
			if f := t.Packet(p); f.Fate != Local {
				b.Fatalf("%+v", f)
			}
			b.ResetTimer()
			for b.Loop() {
				t.Packet(p)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
