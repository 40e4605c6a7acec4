package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestListsInEachOther: lists of ipset that have each other, which the kernel never has and a file may, end in an unknown fate.
func TestListsInEachOther(t *testing.T) {
	s := fixtures.Host()
	chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	match := ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "set", Decoded: &ruleset.XtDecoded{Set: &ruleset.XtSet{Index: 3, Dim: 1}}}}
	chain.Rules = []ruleset.Rule{{Exprs: []ruleset.Expr{match, drop}}}
	s.NFTables.Ruleset = &ruleset.Ruleset{
		Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}},
		IPSets: []ruleset.IPSet{
			{Index: 3, Name: "a", Type: "list:set", Elements: []ruleset.IPSetElement{{Set: "b"}}},
			{Index: -1, Name: "b", Type: "list:set", Elements: []ruleset.IPSetElement{{Set: "a"}}},
		},
	}
	if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown {
		t.Errorf("%+v", f)
	}
}
