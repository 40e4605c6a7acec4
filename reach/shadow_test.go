package reach

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// everyPair is what comparing each rule with each before it finds.
func everyPair(rs *ruleset.Ruleset) (list []Shadow) {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			var all []shape
			for k := range c.Rules {
				all = append(all, shapeOf(t, &c.Rules[k]))
				for l := range k {
					if all[l].ends && all[l].covers(&all[k]) {
						list = append(list, Shadow{causeOf(t, c, &c.Rules[k]), causeOf(t, c, &c.Rules[l]), all[k].verdict != "" && all[k].verdict != all[l].verdict})
						break
					}
				}
			}
		}
	}
	return list
}

// TestShadowsAreThoseOfEveryPair: leading each rule to the few that can cover it misses none.
func TestShadowsAreThoseOfEveryPair(t *testing.T) {
	found := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := fixtures.Networks(2, 1)
		rs := randomRules(r, s)
		for i := range rs.Tables {
			rs.Tables[i].Sets = append(rs.Tables[i].Sets, ruleset.Set{Name: "none", KeyLen: 2, Constant: true})
			for j := range rs.Tables[i].Chains {
				c := &rs.Tables[i].Chains[j]
				for range r.IntN(3) {
					c.Rules = append(c.Rules, c.Rules[:min(len(c.Rules), 1)]...)
				}
				if r.IntN(3) == 0 {
					c.Rules = append(c.Rules, fixtures.Rule(c, []ruleset.Expr{
						{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
						{Name: "lookup", Lookup: &ruleset.Lookup{Set: "none", Sreg: 1}},
					}, fixtures.VerdictOf(ruleset.Drop)))
				}
			}
		}
		want := everyPair(rs)
		got, left := Shadows(rs, nil)
		if fmt.Sprint(got) != fmt.Sprint(want) || left != nil {
			t.Fatalf("seed %d:\ngot  %v %v\nwant %v", seed, got, left, want)
		}
		found += len(want)
	}
	if found < 100 {
		t.Errorf("%d rules are covered: too few to compare", found)
	}
}

// portRules is n rules of a port each, by one of which the last is covered.
func portRules(n int) *ruleset.Ruleset {
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	for i := range n {
		at := i % (n - 1)
		c.Rules = append(c.Rules, fixtures.Rule(&c, []ruleset.Expr{
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{6}}},
			{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 0, Len: 4, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{1, byte(at >> 16), byte(at >> 8), byte(at)}}},
		}, fixtures.VerdictOf(ruleset.Drop)))
	}
	return &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
}

// TestShadowsInALongChain: the rules after the first thousands are compared too.
func TestShadowsInALongChain(t *testing.T) {
	list, left := Shadows(portRules(20_000), nil)
	if len(list) != 1 || left != nil || list[0].Rule.Rule != 200_000 || list[0].By.Rule != 10 {
		t.Errorf("%v %v, want that the last rule is covered by the first", list, left)
	}
}

// TestShadowsSayWhatTheyDidNotCompare: beyond the bound of a chain, of all, or of the effort, the rules that are left are told.
func TestShadowsSayWhatTheyDidNotCompare(t *testing.T) {
	rs := portRules(300)
	for i := range rs.Tables[0].Chains[0].Rules { // without a single value that leads to the few
		rs.Tables[0].Chains[0].Rules[i].Exprs = append(rs.Tables[0].Chains[0].Rules[i].Exprs[:0:0],
			ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
			ruleset.Expr{Name: "range", Range: &ruleset.Range{Op: ruleset.OpEq, Sreg: 1, From: []byte{byte(i >> 8), byte(i)}, To: []byte{byte(i>>8) + 8, byte(i)}}},
			ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}})
	}
	more := *rs
	more.Tables = append(more.Tables, rs.Tables[0])
	for what, c := range map[string]struct {
		ofChain, ofAll, chains int
		effort                 *Effort
	}{
		"of a chain": {1000, 1 << 30, 2, nil}, "of all": {1 << 30, 50_000, 1, nil}, "effort": {1 << 30, 1 << 30, 2, &Effort{Whose: "x"}},
		"enough": {1 << 30, 1 << 30, 0, nil},
	} {
		_, left := shadows(&more, c.effort, c.ofChain, c.ofAll)
		if len(left) != c.chains {
			t.Errorf("%s: %v", what, left)
		}
		for _, u := range left {
			if u.Rules < 1 || u.Rules > 299 || u.Reason == "" || u.Chain.Chain != "c" {
				t.Errorf("%s: %+v", what, u)
			}
		}
	}
}
