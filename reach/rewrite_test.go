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

// TestRulesThatEndTheWay: a packet to which a rule gives a time to live of one, or takes all that senders usually write from, is not forwarded.
// After the forward hook that is no matter.
func TestRulesThatEndTheWay(t *testing.T) {
	set := func(n byte) []ruleset.Expr { // ip ttl set n, as nft writes it
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: 2, Dreg: 1}},
			{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 2, Op: "mask", Mask: ruleset.Hex{0, 0xff}, Xor: ruleset.Hex{n, 0}}},
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: 2, Sreg: 1, Set: true}},
		}
	}
	xt := func(x ruleset.XtRewrite) []ruleset.Expr {
		return []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Target: true, Name: "TTL", Decoded: &ruleset.XtDecoded{Rewrite: &x}}}}
	}
	for name, c := range map[string]struct {
		hook  string
		rule  []ruleset.Expr
		local bool
		want  packet.Verdict
	}{
		"one":                  {"prerouting", set(1), false, packet.Unknown},
		"one, for the host":    {"prerouting", set(1), true, packet.Unknown},
		"two":                  {"prerouting", set(2), false, packet.Reachable},
		"one, on its way out":  {"forward", set(1), false, packet.Reachable},
		"iptables: one":        {"prerouting", xt(ruleset.XtRewrite{TTL: new(uint8(1))}), false, packet.Unknown},
		"iptables: 64 less":    {"prerouting", xt(ruleset.XtRewrite{By: -64}), false, packet.Unknown},
		"iptables: one more":   {"prerouting", xt(ruleset.XtRewrite{By: 1}), false, packet.Reachable},
		"iptables: 65, always": {"prerouting", xt(ruleset.XtRewrite{TTL: new(uint8(65))}), false, packet.Reachable},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{
			{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: c.hook, Policy: ruleset.Accept}, Rules: []ruleset.Rule{{Handle: 1, Exprs: c.rule}}},
		}}}}
		q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "udp", To: Target{Host: c.local}, Unbound: true, Family: 4}
		if !c.local {
			q.To.Oifs = []int{s.Network.LinkNamed("ext0").Index}
		}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s, want %s: %v %v", name, a.Verdict, c.want, a.Because, a.StoppedBy)
		}
	}
}
