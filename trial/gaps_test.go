package trial

import (
	"errors"
	"testing"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// untracking is a table that has packets of one port not tracked.
func untracking(priority int32) ruleset.Table {
	return ruleset.Table{Family: ruleset.FamilyInet, Name: "others", Chains: []ruleset.Chain{{
		Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: priority, Policy: ruleset.Accept},
		Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: []byte{132}}},
			{Name: "notrack", Plain: true},
		}}},
	}}}
}

// TestFixAmongChanges: others change the ruleset at every try to load. Where they only drop more, or what they change is nothing that was
// proven, it is loaded all the same; where it could be, it is proven again, and not planned.
func TestFixAmongChanges(t *testing.T) {
	bans := func(n int) ruleset.Table {
		set := ruleset.Set{Name: "b", KeyLen: 4}
		for i := range n {
			set.Elements = append(set.Elements, ruleset.Element{Key: []byte{192, 0, 2, byte(i)}})
		}
		return ruleset.Table{Family: ruleset.FamilyInet, Name: "bans", Sets: []ruleset.Set{set}, Chains: []ruleset.Chain{{
			Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Priority: -1, Policy: ruleset.Accept},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
				{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaNfproto, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: []byte{2}}},
				{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
				{Name: "lookup", Lookup: &ruleset.Lookup{Set: "b", Sreg: 1}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
			}}},
		}}}
	}
	for name, c := range map[string]struct {
		others func(n int) ruleset.Table
		times  int // that it is changed
	}{
		"bans": {bans, 20},
		"a chain that no packet gets to": {func(n int) ruleset.Table {
			t := untracking(-400)
			t.Chains[0].Base, t.Chains[0].Rules[0].Handle = nil, uint64(n)
			t.Chains[0].Rules[0].Exprs[1].Cmp.Data = []byte{byte(n)}
			return t
		}, 20},
		"what changes packets": {func(n int) ruleset.Table { return untracking(int32(-400 - n)) }, 3},
	} {
		w, n := newFake(t), 0
		w.others = []ruleset.Table{c.others(0)}
		w.at["try"] = func() {
			if n++; n <= c.times {
				w.others = []ruleset.Table{c.others(n)}
				w.generation++
			}
		}
		if _, err, _ := w.fix(Options{By: Auto}); err != nil || count(w.steps, "prove") != 1 || !w.closed() {
			t.Errorf("%s: %v, proven %d times", name, err, count(w.steps, "prove"))
		}
	}
}

// TestProofOfAnotherRuleset: the replica has what is loaded when it is built. Where that is another ruleset than the one that was planned for, as between two steps
// of a reload, a failed proof says nothing, and it is planned again; where it is the same, the proof failed.
func TestProofOfAnotherRuleset(t *testing.T) {
	for name, c := range map[string]struct {
		changed, fails int // how often
		proven         int
		kept           bool
	}{
		"it is changed once":         {1, 1, 2, true},
		"it is changed all the time": {9, 9, 3, false},
		"it is as it was":            {0, 9, 1, false},
	} {
		w, n := newFake(t), 0
		w.at["prove"] = func() {
			if n++; n <= c.changed {
				w.generation++
			}
		}
		w.fail = func(_ int, name string) error {
			if name == "prove" && n <= c.fails {
				return errors.New("it is not as the host")
			}
			return nil
		}
		_, err, _ := w.fix(Options{By: Auto})
		if got := count(w.steps, "prove"); (err == nil) != c.kept || w.closed() != c.kept || got != c.proven {
			t.Errorf("%s: %v, proven %d times", name, err, got)
		}
		if !c.kept {
			w.wantRefused(err, "it is not as the host")
		}
	}
}

// TestChangesThatLeaveSomething: where others changed the ruleset, and what was there for the trial could not be taken out, it is not planned again: what is left
// is not known.
func TestChangesThatLeaveSomething(t *testing.T) {
	for _, step := range []string{"withdraw", "forget"} {
		w, tried := newFake(t), false
		w.at["try"] = func() { w.generation++ }
		w.fail = func(_ int, name string) error {
			switch tried = tried || name == "try"; {
			case name == "try":
				return remedy.ErrChanged
			case tried && name == step:
				return errors.New("it stays")
			}
			return nil
		}
		_, err, _ := w.fix(Options{By: Auto})
		if got := count(w.steps, "plan"); !isUnclear(err) || got != 1 {
			t.Errorf("%s: %v, planned %d times", step, err, got)
		}
	}
}
