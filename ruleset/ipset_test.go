package ruleset

import "testing"

// TestSetsThatRulesChange: the target SET puts packets into sets and takes them out, of a list into its members; where it cannot be read, of all.
// What is put into one with forceadd takes others out, what is taken out of one with exceptions can be one.
func TestSetsThatRulesChange(t *testing.T) {
	// Of revision 2: it puts into the set of the first number and takes out of that of the second.
	target := func(put, taken uint16) Hex {
		b := make([]byte, 16)
		ne.PutUint16(b, put)
		ne.PutUint16(b[4:], taken)
		return b
	}
	const none = 0xffff
	for name, c := range map[string]struct {
		rev         uint32
		info        Hex
		puts, takes string // the first letters of sets
	}{
		"into one":                   {2, target(1, none), "al", ""},
		"out of one":                 {2, target(none, 1), "", "al"},
		"into a list":                {2, target(2, none), "aml", ""},
		"into one with forceadd":     {2, target(4, none), "f", "f"},
		"into one with exceptions":   {2, target(5, none), "e", "e"},
		"out of one with exceptions": {2, target(none, 5), "e", "e"},
		"into none":                  {3, target(none, none), "", ""},
		"into one not read":          {2, target(9, none), "abmlfe", "abmlfe"},
		"an older revision":          {0, target(1, none), "abmlfe", "abmlfe"},
		"what is not readable":       {2, nil, "abmlfe", "abmlfe"},
	} {
		r := &Ruleset{
			Tables: []Table{{Chains: []Chain{{Rules: []Rule{{Exprs: []Expr{{Xt: &Xt{Name: "SET", Target: true, Rev: c.rev, Info: c.info}}}}}}}}},
			IPSets: []IPSet{
				{Index: 1, Name: "a", Type: "hash:ip"},
				{Index: 7, Name: "b", Type: "hash:ip"},
				{Index: -1, Name: "m", Type: "hash:ip"},
				{Index: 2, Name: "l", Type: "list:set", Elements: []IPSetElement{{Set: "a"}, {Set: "m"}}},
				{Index: 4, Name: "f", Type: "hash:ip", Evicts: true},
				{Index: 5, Name: "e", Type: "hash:net", Elements: []IPSetElement{{NoMatch: true}}},
			},
		}
		puts, takes := "", ""
		changes := r.IPSetChanges()
		for i := range r.IPSets {
			if s := &r.IPSets[i]; changes.Of(s, false) {
				puts += s.Name
			}
			if s := &r.IPSets[i]; changes.Of(s, true) {
				takes += s.Name
			}
		}
		if puts != c.puts || takes != c.takes {
			t.Errorf("%s: puts into %q and takes out of %q, want %q and %q", name, puts, takes, c.puts, c.takes)
		}
	}
}
