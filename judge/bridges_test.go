package judge

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestBetweenPorts: what ports of a bridge send each other is filtered only where a rule of each pair stops something,
// in that family. A chain that is about others is no filter, and what was not read is neither.
func TestBetweenPorts(t *testing.T) {
	eq := func(data string) ruleset.Expr {
		b := make([]byte, 16)
		copy(b, data)
		return ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Op: "==", Sreg: 1, Data: b}}
	}
	meta := func(key uint32) ruleset.Expr {
		return ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: key, Dreg: 1}}
	}
	drop := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}
	s := fixtures.Host()
	b := build(t.Context(), s, zones.Config{})
	var ports []int
	name := ""
	for _, i := range b.zones.Interfaces {
		if l := s.Network.Link(i.Index); l.Kind == "bridge" && len(b.portsOf(i.Index)) > 1 {
			ports, name = b.portsOf(i.Index), s.Network.Link(b.portsOf(i.Index)[0]).Name
		}
	}
	if len(ports) < 2 {
		t.Fatal("the fixture has no bridge with two ports")
	}
	ipv4 := ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Op: "==", Sreg: 1, Data: []byte{8, 0}}}
	for what, c := range map[string]struct {
		rules      [][]ruleset.Expr
		unread     bool
		ipv4, ipv6 string
	}{
		"no rule":             {nil, false, "open", "open"},
		"a drop of all":       {[][]ruleset.Expr{{drop}}, false, "filtered", "filtered"},
		"a drop of IPv4":      {[][]ruleset.Expr{{meta(ruleset.MetaProtocol), ipv4, drop}}, false, "filtered", "open"},
		"a drop from one":     {[][]ruleset.Expr{{meta(ruleset.MetaIifname), eq(name), drop}}, false, "open", "open"},
		"a drop from another": {[][]ruleset.Expr{{meta(ruleset.MetaIifname), eq("elsewhere"), drop}}, false, "open", "open"},
		"rules not read":      {nil, true, "unknown", "unknown"},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
			Family: ruleset.FamilyBridge, Name: "b", Chains: []ruleset.Chain{{
				Name: "f", Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: ruleset.Accept},
			}},
		}}}
		for _, r := range c.rules {
			chain := &s.NFTables.Ruleset.Tables[0].Chains[0]
			chain.Rules = append(chain.Rules, ruleset.Rule{Exprs: r})
		}
		if c.unread {
			s.NFTables.Ruleset = nil
			for i := range s.Coverage {
				if s.Coverage[i].Collector == "nftables" {
					s.Coverage[i].Status, s.Coverage[i].Reasons = snapshot.Denied, []string{"permission denied"}
				}
			}
		}
		got := build(t.Context(), s, zones.Config{}).between(ports)
		if got["ipv4"] != c.ipv4 || got["ipv6"] != c.ipv6 {
			t.Errorf("%s: %v, want %s and %s", what, got, c.ipv4, c.ipv6)
		}
	}
}
