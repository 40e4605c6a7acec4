package reach

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// longSets is rules that part packets by sets of n intervals, k of them, and set another bit of the mark each.
func longSets(k, n int) *snapshot.Snapshot {
	s := fixtures.Host()
	word := func(v uint32) ruleset.Hex { return binary.NativeEndian.AppendUint32(nil, v) }
	at := func(v uint32) ruleset.Hex { return binary.BigEndian.AppendUint32(nil, v) }
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
	t := ruleset.Table{Family: "ip", Name: "t"}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range k {
		set := ruleset.Set{Name: string(rune('a' + i)), KeyLen: 4, Interval: true}
		for p := range n {
			lo := uint32(1)<<24 + uint32(p)*(222<<24/uint32(n))
			hi := lo + 1 + r.Uint32N(220<<24/uint32(n))
			set.Elements = append(set.Elements, ruleset.Element{Key: at(lo)}, ruleset.Element{Key: at(hi), IntervalEnd: true})
		}
		t.Sets = append(t.Sets, set)
		c.Rules = append(c.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
			{Name: "lookup", Lookup: &ruleset.Lookup{Set: set.Name, Sreg: 1}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
			{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: word(^uint32(1 << i)), Xor: word(1 << i)}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		}})
	}
	c.Rules = append(c.Rules, ruleset.Rule{Handle: 99, Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: word(0xdeadbeef)}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
	}})
	t.Chains = []ruleset.Chain{c}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{t}}
	return s
}

// TestLongSetsCostSteps: what is compared is paid for by its length, so that a step takes about as long with all sets.
func TestLongSetsCostSteps(t *testing.T) {
	s := longSets(16, 4000)
	e := &Effort{Whose: "x", Left: 1 << 30, Cases: 15_000}
	if a := NewModel(s).Within(e).Socket(from(s, "mgmt0"), &ssh, true); a.Verdict != packet.Unknown {
		t.Fatalf("%+v", a)
	}
	if steps := 1<<30 - e.Left; steps < 600_000 {
		t.Errorf("%d steps for packets in 4000 intervals, which take as long as three times as many", steps)
	}
}
