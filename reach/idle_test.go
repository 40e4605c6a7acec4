package reach

import (
	"fmt"
	"testing"
	"time"

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

// TestChainsThatLeadToMany: each chain is looked at once, however many others lead to it. Looked at anew for each, these took three seconds.
func TestChainsThatLeadToMany(t *testing.T) {
	const chains, jumps = 5000, 300
	tab := ruleset.Table{Family: "ip", Name: "t"}
	for i := range chains {
		c := ruleset.Chain{Name: fmt.Sprint(i)}
		for j := range jumps {
			rule := verdict(ruleset.Verdict{Kind: "continue"})
			if to := i + 1 + j*(chains/jumps); to < chains && i < chains/2 {
				rule = verdict(ruleset.Verdict{Kind: "jump", Chain: fmt.Sprint(to)})
			}
			c.Rules = append(c.Rules, rule)
		}
		tab.Chains = append(tab.Chains, c)
	}
	s := fixtures.Host()
	only(s, tab)
	m, begun := NewModel(s), time.Now()
	there := &s.NFTables.Ruleset.Tables[0]
	for i := range there.Chains {
		if m.idle(there, &there.Chains[i]) == nil {
			t.Fatalf("chain %d does nothing", i)
		}
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}
