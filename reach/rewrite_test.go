package reach

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestWhatIsWrittenOver: a constant in the place of a port leads there, and the witness has what the sender writes.
func TestWhatIsWrittenOver(t *testing.T) {
	s := fixtures.Host()
	port := func(n byte, then ...ruleset.Expr) ruleset.Rule {
		return ruleset.Rule{Handle: uint64(n), Exprs: append([]ruleset.Expr{
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{packet.TCP}}},
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{0, n}}},
		}, then...)}
	}
	write := []ruleset.Expr{
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{0, 22}}},
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Sreg: 1, Set: true}},
	}
	accept := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}
	drop := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{
		{
			Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: ruleset.Accept},
			Rules: []ruleset.Rule{port(22, drop), port(80, write...)},
		},
		{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}, Rules: []ruleset.Rule{port(22, accept)}},
	}}}}
	q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "tcp", Dport: 22, To: Target{Host: true}, Unbound: true, Family: 4}
	if a := NewModel(s).Reach(q); a.Verdict != packet.Reachable || a.Witness.Dport != 80 {
		t.Errorf("%s, %v %v, the witness %v", a.Verdict, a.Because, a.StoppedBy, a.Witness)
	}
}
