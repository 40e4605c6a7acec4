package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestQuestionsAboutTheSameBytes: of answers to questions that look at the same bytes in other ways, no fate is told that no packet has.
func TestQuestionsAboutTheSameBytes(t *testing.T) {
	load := func(base string, off uint32, want ...byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Dreg: 1, Base: base, Offset: off, Len: uint32(len(want))}}, {Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpNeq, Data: want}},
		}
	}
	size := func(then ruleset.Expr) []ruleset.Expr {
		return []ruleset.Expr{{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaLen, Dreg: 1}}, then}
	}
	is := func(n byte) ruleset.Expr {
		return ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{n, 0, 0, 0}}}
	}
	outside := ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Sreg: 1, Set: "m", Invert: true}}
	words := []ruleset.Expr{u32(false, 4, nil, 7<<16, 7<<16)}
	length, seq, window, sum := load(ruleset.BaseNetwork, 2, 0, 28), load(ruleset.BaseTransport, 4, 0, 0, 0, 1), load(ruleset.BaseTransport, 14, 0, 1), load(ruleset.BaseTransport, 2, 0xff, 0xff)
	const syn, ping = "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn", "icmp 10.10.0.9 > 10.10.0.1 type 8"
	for name, c := range map[string]struct {
		packet string
		rules  [2][]ruleset.Expr // the second in another table; each drops
		told   bool              // fates by what is sent
	}{
		"lengths of packet and header":   {syn, [2][]ruleset.Expr{size(is(60)), load(ruleset.BaseNetwork, 2, 0, 60)}, false},
		"length, and that of a header":   {syn, [2][]ruleset.Expr{load(ruleset.BaseNetwork, 2, 0, 40), load(ruleset.BaseTransport, 12, 0xf0)}, false},
		"length and checksum":            {ping, [2][]ruleset.Expr{length, sum}, false},
		"sets of one name in two tables": {syn, [2][]ruleset.Expr{size(outside), size(outside)}, false},
		"any bytes and some of them":     {syn, [2][]ruleset.Expr{words, load(ruleset.BaseNetwork, 4, 0, 9)}, false},
		"bytes that have nothing to do":  {syn, [2][]ruleset.Expr{seq, window}, true},
		"length and bytes":               {syn, [2][]ruleset.Expr{load(ruleset.BaseNetwork, 2, 0, 40), seq}, true},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		for i, exprs := range c.rules {
			chain := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: int32(i), Policy: ruleset.Accept}}
			chain.Rules = []ruleset.Rule{{Handle: 1, Exprs: append(exprs[:len(exprs):len(exprs)], drop)}}
			s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, ruleset.Table{
				Family: "ip", Name: string(rune('a' + i)), Chains: []ruleset.Chain{chain},
				Sets: []ruleset.Set{{Name: "m", KeyLen: 4, Elements: []ruleset.Element{{Key: ruleset.Hex{byte(60 + i), 0, 0, 0}}}}},
			})
		}
		f := New(s).Packet(parsed(t, "mgmt0", c.packet))
		if told := len(f.ByTraffic) > 0; f.Fate != Unknown || told != c.told {
			t.Errorf("%s: %+v, want fates by what is sent: %v", name, f, c.told)
		}
	}
}
