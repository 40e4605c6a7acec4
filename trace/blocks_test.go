package trace

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestBlocksOfRules: rules of which only those are evaluated that may match decide as rules that are tried one after the other: for ranges, networks, sets
// and maps, negated and in order, for packets that rules mark and write over, whole ones and fragments.
func TestBlocksOfRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := fixtures.Host()
	var sets []ruleset.Set
	var rules []ruleset.Rule
	for i := range 700 {
		var exprs []ruleset.Expr
		for range 4 + r.IntN(3) {
			exprs = append(exprs, someTest(r, &sets)...)
		}
		kinds := []string{ruleset.Drop, ruleset.Accept, ruleset.Return}
		switch n := r.IntN(8); {
		case n < 3:
			exprs = append(exprs, ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: kinds[n]}}})
		case n == 3: // the port is written over
			exprs = append(exprs, ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{0, byte(r.IntN(64))}}},
				ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Sreg: 1, Set: true}})
		default: // goes on
		}
		rules = append(rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: exprs})
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Sets: sets, Chains: []ruleset.Chain{
		{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: "accept"}, Rules: rules},
	}}}}
	quick, slow := New(s), New(s)
	for _, tab := range slow.tables {
		for _, c := range tab.chains {
			c.visits = math.MinInt
			for i := range c.rules {
				c.rules[i].run, c.rules[i].quick = nil, nil
			}
		}
	}
	fates := map[string]int{}
	for range 4000 {
		p := &packet.Packet{
			In: "mgmt0", Src: netip.AddrFrom4([4]byte{10, 10, byte(r.IntN(4)), byte(r.IntN(64))}), Dst: netip.MustParseAddr("10.10.0.1"),
			Proto: []string{"tcp", "udp"}[r.IntN(2)], Sport: uint16(r.IntN(64)), Dport: uint16(r.IntN(64)),
		}
		a, b := quick.Packet(p), slow.Packet(p)
		if b.Fate == Unknown { // a test before one that does not hold is open: more ways than are followed
			continue
		}
		if fmt.Sprint(a.Fate, a.Rule, a.To) != fmt.Sprint(b.Fate, b.Rule, b.To) {
			t.Fatalf("%v: %s by %s, want %s by %s", p, a.Fate, a.Rule, b.Fate, b.Rule)
		}
		fates[a.Rule]++
	}
	if len(fates) < 10 || quick.Evaluated() > slow.Evaluated()/3 {
		t.Errorf("%d fates, %d rules evaluated, %d one after the other", len(fates), quick.Evaluated(), slow.Evaluated())
	}
}

// someTest loads something and asks for it.
func someTest(r *rand.Rand, sets *[]ruleset.Set) []ruleset.Expr {
	addr := func() ruleset.Hex { return ruleset.Hex{10, 10, byte(r.IntN(4)), byte(r.IntN(64))} }
	value, load := addr, ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}}
	switch r.IntN(4) {
	case 0:
		value = func() ruleset.Hex { return ruleset.Hex{0, byte(r.IntN(64))} }
		load.Payload = &ruleset.Payload{Base: ruleset.BaseTransport, Offset: uint32(2 * r.IntN(2)), Len: 2, Dreg: 1}
	case 1:
		value = func() ruleset.Hex { return ruleset.Hex{[]byte{6, 17, 1}[r.IntN(3)]} }
		load = ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}}
	}
	out := []ruleset.Expr{load}
	ops := []string{ruleset.OpEq, ruleset.OpNeq, ruleset.OpLt, ruleset.OpLte, ruleset.OpGt, ruleset.OpGte}
	from, to := value(), value()
	if string(from) > string(to) {
		from, to = to, from
	}
	switch r.IntN(4) {
	case 0:
		return append(out, ruleset.Expr{Name: "range", Range: &ruleset.Range{Sreg: 1, Op: ops[r.IntN(2)], From: from, To: to}})
	case 1:
		name := fmt.Sprintf("s%d", len(*sets))
		set := ruleset.Set{Name: name, Constant: true, KeyLen: uint32(len(from)), Elements: []ruleset.Element{{Key: from}}}
		if string(from) != string(to) {
			set.Elements = append(set.Elements, ruleset.Element{Key: to})
		}
		*sets = append(*sets, set)
		return append(out, ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Set: name, Sreg: 1, Invert: r.IntN(3) == 0}})
	case 2:
		mask := make(ruleset.Hex, len(from))
		all := ^uint32(0) << r.IntN(8*len(from))
		copy(mask, binary.BigEndian.AppendUint32(nil, all<<(32-8*len(from))))
		for i := range mask {
			from[i] &= mask[i]
		}
		out = append(out, ruleset.Expr{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: uint32(len(from)), Op: "mask", Mask: mask, Xor: make(ruleset.Hex, len(from))}})
		return append(out, ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ops[r.IntN(2)], Data: from}})
	}
	return append(out, ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ops[r.IntN(6)], Data: from}})
}
