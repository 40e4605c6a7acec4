package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
)

// statistic is the match of that name in a mode.
func statistic(mode byte) ruleset.Expr {
	return ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "statistic", Info: []byte{mode, 0, 0, 0, 0, 0, 0, 0x40}}}
}

// TestWhatCounts: what decides by turns, rates or lists counts, in a rule or an element, what decides by chance does not.
func TestWhatCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		expr ruleset.Expr
		want bool
	}{
		{"a limit", ruleset.Expr{Limit: &ruleset.Limit{}}, true},
		{"statistic by chance", statistic(0), false},
		{"statistic by turns", statistic(1), true},
		{"statistic cut off", ruleset.Expr{Xt: &ruleset.Xt{Name: "statistic"}}, true},
		{"numgen by turns", ruleset.Expr{Extra: &ruleset.Extra{Generate: &ruleset.Generate{Kind: "inc"}}}, true},
		{"numgen by chance", ruleset.Expr{Extra: &ruleset.Extra{Generate: &ruleset.Generate{Kind: "random"}}}, false},
		{"a counter", ruleset.Expr{Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: ruleset.ObjectCounter}}}, false},
		{"a named quota", ruleset.Expr{Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: 2}}}, true},
		{"recent", ruleset.Expr{Xt: &ruleset.Xt{Name: "recent"}}, true},
		{"a comparison", ruleset.Expr{Cmp: &ruleset.Cmp{}}, false},
	} {
		in := ruleset.Table{Chains: []ruleset.Chain{{Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{{Cmp: &ruleset.Cmp{}}, c.expr}}}}}}
		at := ruleset.Table{Sets: []ruleset.Set{{Elements: []ruleset.Element{{}, {Exprs: []ruleset.Expr{c.expr}}}}}}
		for where, table := range map[string]ruleset.Table{"rule": in, "element": at} {
			if got := len(counting(&ruleset.Ruleset{Tables: []ruleset.Table{table}})) > 0; got != c.want {
				t.Errorf("%s in a %s: want %v, got %v", c.name, where, c.want, got)
			}
		}
	}
}

// TestWhatIsLoadedAnew: tables that count, and those behind them at the same place of a hook, which would else run before them from then on.
func TestWhatIsLoadedAnew(t *testing.T) {
	table := func(name, hook string, at int32, exprs ...ruleset.Expr) ruleset.Table {
		return ruleset.Table{Name: name, Chains: []ruleset.Chain{{Base: &ruleset.Base{Hook: hook, Priority: at}, Rules: []ruleset.Rule{{Exprs: exprs}}}}}
	}
	var got []string
	for _, r := range renewed(&ruleset.Ruleset{Tables: []ruleset.Table{
		table("first", "input", 0), table("counts", "input", 0, ruleset.Expr{Limit: &ruleset.Limit{}}), table("nat", "prerouting", -100, statistic(0)),
		table("behind", "input", 0), table("other", "input", 10),
	}}) {
		got = append(got, r.Name)
	}
	if want := []string{"counts", "behind"}; !slices.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
}
