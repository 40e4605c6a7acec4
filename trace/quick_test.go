package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestNumbersThatMasksExclude: what a mask leaves of a number is never one that has other bits, so that a test for all others always holds.
func TestNumbersThatMasksExclude(t *testing.T) {
	for op, want := range map[string]Outcome{ruleset.OpNeq: Drop, ruleset.OpEq: Local} {
		for _, before := range []int{0, 100} { // a long chain is searched another way
			chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
			rule := func(op string, mask, data byte) {
				chain.Rules = append(chain.Rules, ruleset.Rule{Handle: uint64(len(chain.Rules) + 1), Exprs: []ruleset.Expr{
					{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 13, Len: 1, Dreg: 8}},
					{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 8, Dreg: 8, Len: 1, Op: "mask", Mask: ruleset.Hex{mask}, Xor: ruleset.Hex{0}}},
					{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: op, Data: ruleset.Hex{data}}},
					drop,
				}})
			}
			for i := range before {
				rule(ruleset.OpEq, 0xff, 0x80|byte(i))
			}
			rule(op, 2, 3)
			s := fixtures.Host()
			s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
			if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != want {
				t.Errorf("%s behind %d rules: %+v, want %s", op, before, f, want)
			}
		}
	}
}
