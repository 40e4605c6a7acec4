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

// mixed is a chain of n rules for ranges, networks, sets and ports by turns, none of which holds for the packets of the benchmark.
func mixed(n int) *ruleset.Ruleset {
	rs := linear(n)
	t := &rs.Tables[0]
	c := &t.Chains[0]
	load := func(base string, off, n uint32) ruleset.Expr {
		return ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: off, Len: n, Dreg: 1}}
	}
	for i := range c.Rules {
		addr := func(host byte) ruleset.Hex { return ruleset.Hex{100, byte(i >> 8), byte(i), host} }
		saddr, dport := load(ruleset.BaseNetwork, 12, 4), load(ruleset.BaseTransport, 2, 2)
		x := c.Rules[i].Exprs
		var test []ruleset.Expr
		switch i % 4 {
		case 0:
			test = []ruleset.Expr{saddr, {Name: "range", Range: &ruleset.Range{Sreg: 1, Op: ruleset.OpEq, From: addr(9), To: addr(99)}}}
		case 1:
			test = []ruleset.Expr{
				saddr,
				{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: ruleset.Hex{255, 255, 255, 128}, Xor: ruleset.Hex{0, 0, 0, 0}}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: addr(128)}},
			}
		case 2:
			name := fmt.Sprintf("__set%d", i)
			t.Sets = append(t.Sets, ruleset.Set{Name: name, Constant: true, Anonymous: true, KeyLen: 4, Elements: []ruleset.Element{{Key: addr(1)}, {Key: addr(200)}}})
			test = []ruleset.Expr{saddr, {Name: "lookup", Lookup: &ruleset.Lookup{Set: name, Sreg: 1}}}
		default:
			port := binary.BigEndian.AppendUint16(nil, uint16(1000+i))
			test = []ruleset.Expr{dport, {Name: "range", Range: &ruleset.Range{Sreg: 1, Op: ruleset.OpEq, From: port, To: binary.BigEndian.AppendUint16(nil, uint16(1003+i))}}}
		}
		c.Rules[i].Exprs = append(append(append([]ruleset.Expr{}, x[4:6]...), test...), x[len(x)-1])
	}
	return rs
}

// BenchmarkTraceMixed follows packets through rules for ranges, networks and sets.
func BenchmarkTraceMixed(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { follow(b, mixed(n)) })
	}
}

// BenchmarkTrace follows packets through linear rules.
func BenchmarkTrace(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { follow(b, linear(n)) })
	}
}

// follow measures how many packets are followed that a ruleset delivers.
func follow(b *testing.B, rs *ruleset.Ruleset) {
	s := fixtures.Host()
	s.NFTables.Ruleset = rs
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
}
