package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestCovers: which changes of others a proof outlives.
func TestCovers(t *testing.T) {
	drop := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}
	accept := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}
	jump := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Jump, Chain: "more"}}}
	find := ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Set: "s", Sreg: 1}}
	notrack := ruleset.Expr{Name: "notrack", Plain: true}
	marks := ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "socket"}}
	nat := ruleset.Expr{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat"}}
	rules := func(list ...[]ruleset.Expr) (out []ruleset.Rule) {
		for i, e := range list {
			out = append(out, ruleset.Rule{Handle: uint64(i + 1), Exprs: e})
		}
		return out
	}
	type exprs = []ruleset.Expr
	table := func(kind string, set []byte, more []ruleset.Rule, own ...exprs) *ruleset.Ruleset {
		s := ruleset.Set{Name: "s", KeyLen: 1}
		for _, k := range set {
			s.Elements = append(s.Elements, ruleset.Element{Key: []byte{k}, ExpiresMs: uint64(k)})
		}
		return &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: ruleset.FamilyInet, Name: "o", Sets: []ruleset.Set{s}, Chains: []ruleset.Chain{
			{Name: "base", Base: &ruleset.Base{Type: kind, Hook: "prerouting", Policy: ruleset.Accept}, Rules: rules(own...)}, {Name: "more", Rules: more},
		}}}}
	}
	none := &ruleset.Ruleset{Stable: true}
	limited := func(most uint32, own exprs) *ruleset.Ruleset {
		rs := table("filter", nil, nil, own)
		rs.Tables[0].Objects = []ruleset.Object{{Name: "l", Type: ruleset.ObjectConnlimit, Connlimit: &ruleset.Connlimit{Count: most, Over: true}}}
		return rs
	}
	byObject := exprs{{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: ruleset.ObjectConnlimit, Name: "l"}}}, drop}
	for name, c := range map[string]struct {
		before, after *ruleset.Ruleset
		leans, want   bool
	}{
		"nothing":                         {table("filter", nil, nil, exprs{drop}), table("filter", nil, nil, exprs{drop}), true, true},
		"a rule more":                     {table("filter", nil, nil), table("filter", nil, nil, exprs{accept}), false, true},
		"a rule more of what is leant on": {table("filter", nil, nil), table("filter", nil, nil, exprs{accept}), true, false},
		"a ban more":                      {table("filter", []byte{1}, nil, exprs{find, drop}), table("filter", []byte{1, 2}, nil, exprs{find, drop}), true, true},
		"a ban less":                      {table("filter", []byte{1, 2}, nil, exprs{find, drop}), table("filter", []byte{1}, nil, exprs{find, drop}), false, true},
		"a ban less of what is leant on":  {table("filter", []byte{1, 2}, nil, exprs{find, drop}), table("filter", []byte{1}, nil, exprs{find, drop}), true, false},
		"one more who passes":             {table("filter", []byte{1}, nil, exprs{find, accept}, exprs{drop}), table("filter", []byte{1, 2}, nil, exprs{find, accept}, exprs{drop}), true, false},
		"a table more":                    {none, table("filter", nil, nil, exprs{drop}), true, false},
		"a table less":                    {table("filter", nil, nil, exprs{drop}), none, false, true},
		"notrack":                         {table("filter", nil, nil), table("filter", nil, nil, exprs{notrack}), false, false},
		"a mark of a socket":              {table("filter", nil, nil), table("filter", nil, nil, exprs{marks}), false, false},
		"notrack no more":                 {table("filter", nil, nil, exprs{notrack}), table("filter", nil, nil), false, false},
		"who is not tracked":              {table("filter", []byte{1}, nil, exprs{find, notrack}), table("filter", nil, nil, exprs{find, notrack}), false, false},
		"a way to notrack":                {table("filter", nil, rules(exprs{notrack})), table("filter", nil, rules(exprs{notrack}), exprs{jump}), false, false},
		"where no packet gets":            {table("nat", nil, nil), table("nat", nil, rules(exprs{nat})), true, true},
		"an object lets pass more":        {limited(0, byObject), limited(9, byObject), true, false},
		"an object that no rule names":    {limited(0, exprs{drop}), limited(9, exprs{drop}), true, true},
		"a translation":                   {table("nat", nil, nil, exprs{jump}), table("nat", nil, rules(exprs{nat}), exprs{jump}), false, false},
	} {
		p := &Proof{ground: &ground{rules: c.before, leans: map[string]bool{"inet o": c.leans}}}
		if err := p.Covers(c.after); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := table("filter", []byte{2, 1}, nil, exprs{find, drop})
	slices.Reverse(again.Tables[0].Sets[0].Elements)
	again.Tables[0].Sets[0].Elements[0].ExpiresMs = 7
	if err := (&Proof{ground: &ground{rules: table("filter", []byte{2, 1}, nil, exprs{find, drop}), leans: map[string]bool{"inet o": true}}}).Covers(again); err != nil {
		t.Errorf("another order and less time: %v", err)
	}
}

// TestStandsWhateverStarts: processes and network namespaces that start meanwhile are not what a proof stands on; an address is.
func TestStandsWhateverStarts(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	p := &Proof{ground: groundOf(s, nil)}
	now := *s
	now.Network.Namespaces = append(slices.Clone(s.Network.Namespaces), snapshot.Netns{Inode: 7, Processes: 1})
	now.Network.Namespaces[0].Processes++
	if !p.stands(&now) {
		t.Error("a process and a namespace more unprove it")
	}
	now.Network.Links = slices.Clone(s.Network.Links)
	now.Network.Links[0].Addrs = append(slices.Clone(s.Network.Links[0].Addrs), "192.0.2.1/24")
	if p.stands(&now) {
		t.Error("an address more does not unprove it")
	}
}
