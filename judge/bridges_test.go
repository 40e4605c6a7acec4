package judge

import (
	"fmt"
	"slices"
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

// TestPortsAlikeAreAskedOnce: as long as neither rules nor the bridge tell ports apart, many cost what two do. Those that are isolated from each other are
// apart.
func TestPortsAlikeAreAskedOnce(t *testing.T) {
	between := func(ports, isolated int) (state map[string]string, steps int) {
		s := fixtures.Host()
		at := slices.IndexFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Kind == "bridge" && l.Up })
		if at < 0 {
			t.Fatal("the fixture has no bridge")
		}
		bridge := s.Network.Links[at].Index
		var list []int
		for i := range ports {
			list = append(list, 900+i)
			s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 900 + i, Name: fmt.Sprint("p", i), Kind: "veth", Hardware: 1, Up: true, Master: bridge, Isolated: i < isolated})
		}
		drop := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: ruleset.FamilyBridge, Name: "b", Chains: []ruleset.Chain{{
			Name: "f", Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: ruleset.Accept}, Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{drop}}},
		}}}}}
		b := build(t.Context(), s, zones.Config{})
		before := b.asker.Effort().Left
		state = b.between(list)
		return state, before - b.asker.Effort().Left
	}
	two, few := between(2, 0)
	many, steps := between(12, 0)
	if two["ipv4"] != "filtered" || many["ipv4"] != "filtered" || few == 0 || steps > 2*few {
		t.Errorf("12 ports are %v in %d steps, two %v in %d", many, steps, two, few)
	}
	if apart, _ := between(3, 2); apart["ipv4"] != "open" {
		t.Errorf("ports that no rule keeps apart are %v", apart)
	}
}

// TestWhatIsStoppedIsAskedOnce: where something of a family is stopped nothing more of it is asked, which costs most where TCP is translated to many services.
func TestWhatIsStoppedIsAskedOnce(t *testing.T) {
	steps := func(only ...ruleset.Expr) int {
		s := fixtures.Host()
		at := slices.IndexFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Kind == "bridge" && l.Up })
		for i := range 2 {
			s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 900 + i, Name: fmt.Sprint("p", i), Kind: "veth", Hardware: 1, Up: true, Master: s.Network.Links[at].Index})
		}
		drop := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: ruleset.FamilyBridge, Name: "b", Chains: []ruleset.Chain{{
			Name: "f", Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: ruleset.Accept}, Rules: []ruleset.Rule{{Exprs: append(only, drop)}},
		}}}}}
		b := build(t.Context(), s, zones.Config{})
		before := b.asker.Effort().Left
		if state := b.between([]int{900, 901}); state["ipv4"] != "filtered" {
			t.Errorf("stopped ports are %v", state)
		}
		return before - b.asker.Effort().Left
	}
	all := steps()
	tcp := steps(
		ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
		ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{6}}},
	)
	if all == 0 || 2*all > tcp {
		t.Errorf("to stop all takes %d steps, to stop TCP alone %d", all, tcp)
	}
}
