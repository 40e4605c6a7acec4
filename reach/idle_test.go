package reach

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestRulesThatOnlyLog: limits of what is logged part no packets, however many there are, also in a chain of their own; those of rules that do something do.
func TestRulesThatOnlyLog(t *testing.T) {
	expr := func(e ruleset.Expr) ruleset.Rule {
		return ruleset.Rule{Exprs: []ruleset.Expr{{Name: "limit", Limit: &ruleset.Limit{Rate: 5, Per: 60, Burst: 5}}, e}}
	}
	log := expr(ruleset.Expr{Name: "log", Log: &ruleset.Log{}})
	to := func(kind, chain string) ruleset.Rule {
		return expr(verdict(ruleset.Verdict{Kind: kind, Chain: chain}).Exprs[0])
	}
	mark := expr(ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}})
	for name, c := range map[string]struct {
		first ruleset.Rule
		want  packet.Verdict
	}{
		"a log":                          {log, packet.Reachable},
		"a target of iptables that logs": {expr(ruleset.Expr{Name: "target", Xt: &ruleset.Xt{Target: true, Name: "LOG"}}), packet.Reachable},
		"a chain of logs":                {to("jump", "logs"), packet.Reachable},
		"a chain that drops":             {to("jump", "drops"), packet.Unknown},
		"a chain of no return":           {to("goto", "logs"), packet.Unknown},
		"a chain that jumps to itself":   {to("jump", "itself"), packet.Unknown},
		"a chain that is not there":      {to("jump", "none"), packet.Unknown},
		"a target that nobody knows":     {expr(ruleset.Expr{Name: "target", Xt: &ruleset.Xt{Target: true, Name: "SOMETHING"}}), packet.Unknown},
		"a list that others ask":         {expr(ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "recent"}}), packet.Unknown},
		"a mark":                         {mark, packet.Unknown},
	} {
		s := fixtures.Host()
		accept := verdict(ruleset.Verdict{Kind: "accept"})
		input := chainOf("input", 0, "filter", "drop")
		for range 24 {
			input.Rules = append(input.Rules, c.first)
		}
		input.Rules = append(input.Rules, accept)
		only(s, ruleset.Table{Family: "inet", Name: "n", Chains: []ruleset.Chain{
			input,
			{Name: "logs", Rules: []ruleset.Rule{log, to("return", ""), to("jump", "more")}},
			{Name: "more", Rules: []ruleset.Rule{log}},
			{Name: "itself", Rules: []ruleset.Rule{log, to("jump", "itself")}},
			{Name: "drops", Rules: []ruleset.Rule{log, verdict(ruleset.Verdict{Kind: "drop"})}},
		}})
		q := &Question{From: []packet.Origin{from(s, "mgmt0")}, Proto: "tcp", To: Target{Host: true}, Unbound: true, Family: 4}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s by %v %v", name, a.Verdict, a.StoppedBy, len(a.Because))
		}
	}
}
