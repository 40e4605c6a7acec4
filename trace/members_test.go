package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestTwoQuestionsAboutOneSet: what is in a set for one rule is in it for the next. Who is dropped where it is in, and where it is not, is dropped.
func TestTwoQuestionsAboutOneSet(t *testing.T) {
	info := ruleset.Hex{3, 0, 1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	put := ruleset.Chain{Name: "k", Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Name: "SET", Target: true, Rev: 2, Info: info}}}}}}
	ipset := func(invert, source bool) []ruleset.Expr {
		x := &ruleset.XtSet{Index: 3, Dim: 1, Source: [3]bool{source}, Invert: invert}
		return []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "set", Decoded: &ruleset.XtDecoded{Set: x}}}, drop}
	}
	lookup := func(base string, off, n uint32) func(invert, source bool) []ruleset.Expr {
		return func(invert, source bool) []ruleset.Expr {
			at := off
			if !source {
				at += n
			}
			return []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: at, Len: n, Dreg: 1}},
				{Name: "lookup", Lookup: &ruleset.Lookup{Sreg: 1, Set: "m", Invert: invert}},
				drop,
			}
		}
	}
	for name, ask := range map[string]func(invert, source bool) []ruleset.Expr{
		"ipset": ipset, "a set of addresses": lookup(ruleset.BaseNetwork, 12, 4), "a set of hardware addresses": lookup(ruleset.BaseLink, 6, 6),
	} {
		for _, same := range []bool{true, false} {
			if !same && name == "a set of hardware addresses" { // the other one is not of the sender
				continue
			}
			s := fixtures.Host()
			s.Network.LinkNamed("mgmt0").MAC = "02:00:00:00:00:01"
			chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
			chain.Rules = []ruleset.Rule{{Handle: 1, Exprs: ask(false, true)}, {Handle: 2, Exprs: ask(true, same)}}
			s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, IPSets: []ruleset.IPSet{{Index: 3, Name: "s", Type: "hash:ip", Family: 2}}, Tables: []ruleset.Table{{
				Family: "ip", Name: "t", Chains: []ruleset.Chain{chain, put}, Sets: []ruleset.Set{{Name: "m", KeyLen: map[bool]uint32{true: 4, false: 6}[name == "a set of addresses"], Dynamic: true}},
			}}}
			f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
			local := f.Fate == Local
			for _, told := range f.ByTraffic {
				local = local || told.Fate.Fate == Local && len(told.If) > 0 && told.If[0].State != packet.ByChance
			}
			if local == same {
				t.Errorf("%s, of the same address %v: let in %v: %+v", name, same, local, f)
			}
		}
	}
}
