package reach

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestObjects: an object decides as its kind does: one that counts lets all pass, one that traffic uses up is in doubt, and a map is about the
// packets that it has.
func TestObjects(t *testing.T) {
	named := func(kind uint32, name string) []ruleset.Expr {
		return []ruleset.Expr{{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: kind, Name: name}}}}
	}
	mapped := func(set string) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
			{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Set: set, Sreg: 1}}},
		}
	}
	to := func(name string, kind uint32, key ruleset.Hex, object string) ruleset.Set {
		return ruleset.Set{Name: name, KeyLen: 4, Objects: true, ObjectType: kind, Elements: []ruleset.Element{{Key: key, Object: object}}}
	}
	notrack := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: ruleset.Accept}, Rules: []ruleset.Rule{
		{Exprs: []ruleset.Expr{{Name: "notrack", Plain: true}}},
	}}
	for name, c := range map[string]struct {
		exprs   []ruleset.Expr
		untrack bool
		want    packet.Verdict
	}{
		"a counter":                     {named(ruleset.ObjectCounter, "c"), false, packet.Reachable},
		"a helper":                      {named(ruleset.ObjectHelper, "h"), false, packet.Reachable},
		"a limit":                       {named(ruleset.ObjectLimit, "l"), false, packet.Unknown},
		"none of its name":              {named(ruleset.ObjectLimit, "x"), false, packet.Unknown},
		"synproxy":                      {named(ruleset.ObjectSynproxy, "s"), false, packet.Unknown},
		"no connection is over a count": {named(ruleset.ObjectConnlimit, "none"), false, packet.Unreachable},
		"expectation":                   {named(ruleset.ObjectExpect, "e"), false, packet.Reachable},
		"expectation, no connection":    {named(ruleset.ObjectExpect, "e"), true, packet.Unreachable},
		"a map that has the sender":     {mapped("here"), false, packet.Reachable},
		"a map that has it not":         {mapped("there"), false, packet.Unreachable},
		"a map to limits":               {mapped("limits"), false, packet.Unknown},
	} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}, Rules: []ruleset.Rule{
			{Handle: 1, Exprs: append(c.exprs, ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}})},
		}}
		table := ruleset.Table{
			Family: "inet", Name: "t", Chains: []ruleset.Chain{chain},
			Objects: []ruleset.Object{
				{Name: "l", Type: ruleset.ObjectLimit, Limit: &ruleset.Limit{Rate: 1, Per: 60, Burst: 5}},
				{Name: "none", Type: ruleset.ObjectConnlimit, Connlimit: &ruleset.Connlimit{}},
			},
			Sets: []ruleset.Set{
				to("here", ruleset.ObjectCounter, ruleset.Hex{10, 10, 0, 9}, "c"), to("there", ruleset.ObjectCounter, ruleset.Hex{224, 0, 0, 9}, "c"),
				to("limits", ruleset.ObjectLimit, ruleset.Hex{10, 10, 0, 9}, "l"),
			},
		}
		if c.untrack {
			table.Chains = append(table.Chains, notrack)
		}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{table}}
		q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "tcp", Dport: 22, To: Target{Host: true}, Unbound: true, Family: 4}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s, %v %v, want %s", name, a.Verdict, a.Because, a.StoppedBy, c.want)
		}
	}
}
