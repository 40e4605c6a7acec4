package trace

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestFatesByTraffic: a packet whose fate hangs on nothing but the traffic before has one for each way that this can have gone, with its
// conditions alone; one whose fate hangs on more has none.
func TestFatesByTraffic(t *testing.T) {
	limit := func(over bool) ruleset.Expr {
		return ruleset.Expr{Name: "limit", Limit: &ruleset.Limit{Rate: 10, Per: 60, Burst: 5, Over: over}}
	}
	quota := ruleset.Expr{Name: "quota", Extra: &ruleset.Extra{Quota: &ruleset.Quota{Bytes: 1000}}}
	twice, none := limit(false), ruleset.Expr{Name: "quota", Extra: &ruleset.Extra{Quota: &ruleset.Quota{Bytes: 20}}}
	object := func(kind uint32, name string) ruleset.Expr {
		return ruleset.Expr{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: kind, Name: name}}}
	}
	objects := []ruleset.Object{{Name: "l", Type: ruleset.ObjectLimit, Limit: limit(false).Limit}}
	maps := []ruleset.Set{mapTo("m", 9), mapTo("n", 8)}
	byMap := func(name string) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
			{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Set: name, Sreg: 1}}},
		}
	}
	open := ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "rateest"}}
	log := ruleset.Expr{Name: "log", Log: &ruleset.Log{}}
	numgen := []ruleset.Expr{
		{Name: "numgen", Extra: &ruleset.Extra{Generate: &ruleset.Generate{Kind: "random", Dreg: 1, Modulus: 2}}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{1, 0, 0, 0}}},
	}
	type rule struct {
		exprs   []ruleset.Expr
		verdict string
	}
	mark := ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}}
	for name, c := range map[string]struct {
		rules []rule
		want  []string // fate: states, of each fate; none is one fate
	}{
		"a limit":                  {[]rule{{[]ruleset.Expr{limit(false)}, ruleset.Accept}}, []string{"local: at rest", "drop: used up"}},
		"a limit over":             {[]rule{{[]ruleset.Expr{limit(true)}, ruleset.Drop}, {nil, ruleset.Accept}}, []string{"local: at rest", "drop: used up"}},
		"one that decides nothing": {[]rule{{[]ruleset.Expr{limit(false), log}, ""}, {[]ruleset.Expr{quota}, ruleset.Accept}}, []string{"local: at rest", "drop: used up"}},
		"many that decide nothing": {append(slices.Repeat([]rule{{[]ruleset.Expr{limit(false), log}, ""}}, 24), rule{[]ruleset.Expr{quota}, ruleset.Accept}), []string{"local: at rest", "drop: used up"}},
		"either of two":            {[]rule{{[]ruleset.Expr{limit(false)}, ruleset.Accept}, {[]ruleset.Expr{quota}, ruleset.Accept}}, []string{"local: at rest", "drop: used up, used up"}},
		"both of two":              {[]rule{{[]ruleset.Expr{limit(false), quota}, ruleset.Accept}}, []string{"local: at rest, at rest", "drop: at rest, used up"}},
		"not by the first alone": {
			[]rule{{[]ruleset.Expr{limit(true)}, ruleset.Accept}, {[]ruleset.Expr{quota, limit(false)}, ruleset.Accept}},
			[]string{"local: at rest, at rest, at rest", "drop: at rest, at rest, used up"},
		},
		"one that the packet uses twice": {[]rule{{[]ruleset.Expr{twice, mark}, ""}, {[]ruleset.Expr{twice}, ruleset.Accept}}, nil},
		"one that has room for nothing":  {[]rule{{[]ruleset.Expr{none}, ruleset.Accept}}, nil},
		"by chance":                      {[]rule{{numgen, ruleset.Accept}}, []string{"drop: by chance", "local: by chance"}},
		"more than the traffic":          {[]rule{{[]ruleset.Expr{limit(false), open}, ruleset.Accept}}, nil},
		"more, that changes nothing":     {[]rule{{[]ruleset.Expr{open, log}, ""}, {[]ruleset.Expr{limit(false)}, ruleset.Accept}}, []string{"local: at rest", "drop: used up"}},
		"more, on the way to a limit":    {[]rule{{[]ruleset.Expr{open, limit(false)}, ruleset.Accept}}, nil},
		"an object":                      {[]rule{{[]ruleset.Expr{object(ruleset.ObjectLimit, "l")}, ruleset.Accept}}, []string{"local: at rest", "drop: used up"}},
		"an object of a map":             {[]rule{{byMap("m"), ruleset.Accept}}, []string{"local: at rest", "drop: used up"}},
		"none of a map":                  {[]rule{{byMap("n"), ruleset.Accept}}, nil},
		"one object twice":               {[]rule{{[]ruleset.Expr{object(ruleset.ObjectLimit, "l")}, ""}, {[]ruleset.Expr{object(ruleset.ObjectLimit, "l")}, ruleset.Accept}}, nil},
		"one that was not read":          {[]rule{{[]ruleset.Expr{object(ruleset.ObjectLimit, "k")}, ruleset.Accept}}, nil},
		"one that only counts":           {[]rule{{[]ruleset.Expr{object(ruleset.ObjectCounter, "c")}, ruleset.Accept}}, nil},
		"none":                           {[]rule{{nil, ruleset.Accept}}, nil},
	} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		for i, r := range c.rules {
			x := ruleset.Rule{Handle: uint64(i + 1), Exprs: r.exprs}
			if r.verdict != "" {
				x.Exprs = append(slices.Clip(x.Exprs), ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: r.verdict}}})
			}
			chain.Rules = append(chain.Rules, x)
		}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{chain}, Objects: objects, Sets: maps}}}
		p, err := packet.Parse("mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		if err != nil {
			t.Fatal(err)
		}
		f := New(s).Packet(p)
		var got []string
		for _, x := range f.ByTraffic {
			var states []string
			for _, k := range x.If {
				states = append(states, string(k.State))
			}
			got = append(got, string(x.Fate.Fate)+": "+strings.Join(states, ", "))
		}
		if !slices.Equal(got, c.want) || (c.want != nil) != (f.Fate == Unknown && len(f.ByTraffic) > 0) {
			t.Errorf("%s: %s %q, want %q", name, f.Fate, got, c.want)
		}
	}
}

// mapTo is a map of one address of 10.10.0.0/24 to the limit l.
func mapTo(name string, host byte) ruleset.Set {
	return ruleset.Set{Name: name, KeyLen: 4, Objects: true, ObjectType: ruleset.ObjectLimit, Elements: []ruleset.Element{{Key: ruleset.Hex{10, 10, 0, host}, Object: "l"}}}
}

// TestRecentKnowsThePacketItself: the entry that a rule makes for a packet counts for the rules after it.
func TestRecentKnowsThePacketItself(t *testing.T) {
	recent := func(op, hits byte, list string) ruleset.Expr {
		info := make(ruleset.Hex, 232)
		info[4], info[8] = hits, op
		copy(info[10:], list)
		return ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "recent", Rev: 1, Info: info}}
	}
	const set, check, remove = 2, 1, 8
	for name, c := range map[string]struct {
		before []ruleset.Expr
		asked  ruleset.Expr
		want   Outcome
	}{
		"entered":            {[]ruleset.Expr{recent(set, 0, "a")}, recent(check, 0, "a"), Drop},
		"entered once of 2":  {[]ruleset.Expr{recent(set, 0, "a")}, recent(check, 2, "a"), Unknown},
		"entered twice of 2": {[]ruleset.Expr{recent(set, 0, "a"), recent(set, 0, "a")}, recent(check, 2, "a"), Drop},
		"another list":       {[]ruleset.Expr{recent(set, 0, "b")}, recent(check, 0, "a"), Unknown},
		"entered and gone":   {[]ruleset.Expr{recent(set, 0, "a"), recent(remove, 0, "a")}, recent(check, 0, "a"), Unknown},
		"not entered":        {nil, recent(check, 0, "a"), Unknown},
	} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
		for _, e := range c.before {
			chain.Rules = append(chain.Rules, ruleset.Rule{Exprs: []ruleset.Expr{e}})
		}
		chain.Rules = append(chain.Rules, ruleset.Rule{Exprs: []ruleset.Expr{
			c.asked, {Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
		}})
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
		p, err := packet.Parse("mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		if err != nil {
			t.Fatal(err)
		}
		if f := New(s).Packet(p); f.Fate != c.want || f.Fate == Unknown && f.ByTraffic[0].Fate.Fate != Local {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}

// TestListsDoNotContradictThemselves: what one rule has found out of a list of recent is so for the next rule that asks, and no fate is told of
// that is only so if it is not.
func TestListsDoNotContradictThemselves(t *testing.T) {
	const check, update = 1, 4
	recent := func(op, hits, seconds, side byte) ruleset.Expr {
		info := make(ruleset.Hex, 232)
		info[0], info[4], info[8], info[9], info[210] = seconds, hits, op, 1, side
		info[10] = 'a'
		return ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "recent", Rev: 1, Info: info}}
	}
	for name, c := range map[string]struct {
		drop, accept ruleset.Expr // if not listed
		want         Outcome
	}{
		"the same":              {recent(check, 4, 60, 0), recent(check, 4, 60, 0), Drop},
		"fewer and older":       {recent(check, 4, 60, 0), recent(check, 3, 90, 0), Drop},
		"more":                  {recent(check, 4, 60, 0), recent(check, 5, 60, 0), Unknown},
		"only newer":            {recent(check, 4, 60, 0), recent(check, 4, 30, 0), Unknown},
		"of the other side":     {recent(check, 4, 60, 0), recent(check, 4, 60, 1), Unknown},
		"one is put in between": {recent(update, 4, 60, 0), recent(check, 4, 60, 0), Drop},
	} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		for i, e := range []ruleset.Expr{c.drop, c.accept} {
			chain.Rules = append(chain.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
				e, {Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: []string{ruleset.Drop, ruleset.Accept}[i]}}},
			}})
		}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
		p, err := packet.Parse("mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		if err != nil {
			t.Fatal(err)
		}
		if f := New(s).Packet(p); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}

// TestPacketsShareAHashlimit: two rules with a hashlimit of one name use up the same.
func TestPacketsShareAHashlimit(t *testing.T) {
	for second, want := range map[string]int{"b": 2, "a": 0} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		for i, name := range []string{"a", second} {
			info := make(ruleset.Hex, 320)
			copy(info, name)
			x := ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "hashlimit", Rev: 3, Info: info}}}}
			if i == 1 {
				x.Exprs = append(x.Exprs, ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}})
			}
			chain.Rules = append(chain.Rules, x)
		}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
		p, err := packet.Parse("mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		if err != nil {
			t.Fatal(err)
		}
		if f := New(s).Packet(p); f.Fate != Unknown || len(f.ByTraffic) != want {
			t.Errorf("%s: %+v, want %d fates", second, f, want)
		}
	}
}

// TestKeysThatTrafficPutsIn: a key that the sender chooses can have been put into a set before, also where nothing is in it now.
func TestKeysThatTrafficPutsIn(t *testing.T) {
	for name, c := range map[string]struct {
		dynamic  bool
		elements []ruleset.Element
		states   []packet.Traffic // of what is let in
	}{
		"nothing, for good":   {false, nil, nil},
		"nothing yet":         {true, nil, []packet.Traffic{packet.Entered}},
		"another, for good":   {false, []ruleset.Element{{Key: ruleset.Hex{2, 0, 0, 0, 0, 9}}}, []packet.Traffic{packet.AsSent}},
		"another than so far": {true, []ruleset.Element{{Key: ruleset.Hex{2, 0, 0, 0, 0, 9}}}, []packet.Traffic{packet.AtRest, packet.AsSent}},
	} {
		s := fixtures.Host()
		s.Network.LinkNamed("mgmt0").MAC = "02:00:00:00:00:01"
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		chain.Rules = []ruleset.Rule{{Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseLink, Offset: 6, Len: 6, Dreg: 1}},
			{Name: "lookup", Lookup: &ruleset.Lookup{Sreg: 1, Set: "m"}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
		}}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
			Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}, Sets: []ruleset.Set{{Name: "m", KeyLen: 6, Dynamic: c.dynamic, Elements: c.elements}},
		}}}
		f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
		var states []packet.Traffic
		for _, told := range f.ByTraffic {
			if told.Fate.Fate == Local {
				for _, x := range told.If {
					states = append(states, x.State)
				}
			}
		}
		if !slices.Equal(states, c.states) || (f.Fate == Drop) != (c.states == nil) {
			t.Errorf("%s: %+v, let in %v, want %v", name, f, states, c.states)
		}
	}
}

// TestConditionsOfOneRule: a rule that parts numbers twice has two conditions, of which none rules the other out; a fate is told with all that
// others do not have.
func TestConditionsOfOneRule(t *testing.T) {
	chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Drop}}
	rule := func(base string, off, n uint32, test ruleset.Expr, kind string) {
		chain.Rules = append(chain.Rules, ruleset.Rule{Handle: uint64(len(chain.Rules) + 1), Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: off, Len: n, Dreg: 1}},
			test,
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: kind}}},
		}})
	}
	rule(ruleset.BaseNetwork, 1, 1, ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Sreg: 1, Set: "s", Invert: true}}, ruleset.Accept)
	rule(ruleset.BaseTransport, 4, 4, ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpGt, Data: ruleset.Hex{0, 0, 0, 9}}}, ruleset.Drop)
	rule(ruleset.BaseTransport, 4, 4, ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpNeq, Data: ruleset.Hex{0, 0, 0, 0}}}, ruleset.Accept)
	s := fixtures.Host()
	set := ruleset.Set{Name: "s", KeyLen: 1, Elements: []ruleset.Element{{Key: ruleset.Hex{240}}, {Key: ruleset.Hex{255}}}}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}, Sets: []ruleset.Set{set}}}}
	f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
	if len(f.ByTraffic) != 2 {
		t.Fatalf("%+v, want two fates", f)
	}
	for _, told := range f.ByTraffic {
		asks := slices.ContainsFunc(told.If, func(c packet.Condition) bool { return strings.Contains(c.Text, "bytes 4 to 7") })
		if told.Fate.Fate == Drop && !asks {
			t.Errorf("%s if %v, whatever the sequence number is", told.Fate.Fate, told.If)
		}
	}
}
