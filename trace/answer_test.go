package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestAnswersAreTurnedRound: an answer of a translated connection is for the host until destinations are translated, and from who got it until sources are.
func TestAnswersAreTurnedRound(t *testing.T) {
	imm := func(reg uint32, b ...byte) ruleset.Expr {
		return ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: reg, Data: b}}
	}
	from := func(off uint32, b ...byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: off, Len: 4, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: b}},
		}
	}
	base := func(name, typ, hook string, prio int32, exprs ...ruleset.Expr) ruleset.Chain {
		return ruleset.Chain{Name: name, Base: &ruleset.Base{Type: typ, Hook: hook, Priority: prio, Policy: ruleset.Accept}, Rules: []ruleset.Rule{{Handle: 9, Exprs: exprs}}}
	}
	drop := func(name, hook string, prio int32, off uint32, b ...byte) ruleset.Chain {
		return base(name, "filter", hook, prio, append(from(off, b...), fixtures.VerdictOf(ruleset.Drop)...)...)
	}
	for name, c := range map[string]struct {
		chain ruleset.Chain
		want  Outcome
	}{
		"nothing stops it":                      {drop("x", "forward", 0, 12, 192, 0, 2, 1), Forward},
		"for the host at first":                 {drop("x", "prerouting", -300, 16, 10, 0, 0, 1), Drop},
		"for the sender behind that":            {drop("x", "prerouting", -50, 16, 203, 0, 113, 9), Drop},
		"not for the sender at first":           {drop("x", "prerouting", -300, 16, 203, 0, 113, 9), Forward},
		"from who got it":                       {drop("x", "forward", 0, 12, 10, 0, 0, 2), Drop},
		"from where it was sent to, at the end": {drop("x", "postrouting", 200, 12, 203, 0, 113, 1), Drop},
		"not from who got it, at the end":       {drop("x", "postrouting", 200, 12, 10, 0, 0, 2), Forward},
	} {
		s := fixtures.Networks(1, 2)
		s.Listeners.Sockets = nil
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{
			base("d", "nat", "prerouting", -100, imm(1, 10, 0, 0, 2), imm(2, 0, 80), ruleset.Expr{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, PortMin: 2}}),
			base("n", "nat", "postrouting", 100, imm(1, 10, 0, 0, 1), ruleset.Expr{Name: "nat", NAT: &ruleset.NAT{Kind: "snat", Family: 2, AddrMin: 1}}),
			c.chain,
		}}}}
		tr := New(s)
		f := tr.Packet(parsed(t, "ext0", "tcp 203.0.113.9:40000 > 203.0.113.1:8080 syn"))
		if f.Fate != Forward || !f.Begun.Resourced() || f.From.String() != "10.0.0.1" || f.To != "10.0.0.2:80" {
			t.Fatalf("%s: %+v %+v", name, f, f.Begun)
		}
		k := parsed(t, "br0", "tcp 10.0.0.2:80 > 10.0.0.1:40000")
		flags := "SA"
		k.Flags, k.Ct = &flags, packet.Established
		a := tr.Answer(k, f.Begun)
		if a.Fate != c.want {
			t.Errorf("%s: %+v", name, a)
		}
		if a.Fate == Forward && (a.From.String() != "203.0.113.1" || a.To != "203.0.113.9:40000" || a.Oif != "ext0") {
			t.Errorf("%s: the answer leaves as %s > %s by %s", name, a.From, a.To, a.Oif)
		}
		if f := tr.Packet(k); f.Fate != Local && f.Fate != Unknown && c.want == Forward {
			t.Errorf("%s: without its connection it ends %s", name, f.Fate)
		}
	}
}
