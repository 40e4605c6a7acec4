package remedy

import (
	"math"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestServicesComeAndGo: what others translate to other addresses than the host's may change; what could lead to the host may not.
func TestServicesComeAndGo(t *testing.T) {
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	to := func(addr []byte, kind string) []ruleset.Rule {
		return []ruleset.Rule{{Handle: 9000, Exprs: []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: addr}},
			{Name: "nat", NAT: &ruleset.NAT{Kind: kind, Family: 2, AddrMin: map[bool]uint32{true: 1}[addr != nil]}},
		}}}
	}
	one := func(e ruleset.Expr) []ruleset.Rule { return []ruleset.Rule{{Handle: 9000, Exprs: []ruleset.Expr{e}}} }
	goes := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}
	base := func(hook string, priority int32, kind string, rules []ruleset.Rule) func(*ruleset.Table) {
		return func(t *ruleset.Table) {
			t.Chains = append(t.Chains, ruleset.Chain{Name: "new", Rules: rules, Base: &ruleset.Base{Type: kind, Hook: hook, Priority: priority, Policy: ruleset.Accept}})
		}
	}
	service := func(rules []ruleset.Rule) func(*ruleset.Table) {
		return func(t *ruleset.Table) { t.Chains[1].Rules = rules }
	}
	own := []byte{203, 0, 113, 1}
	away := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: []byte{172, 17, 0, 9}}}
	dnat := ruleset.Expr{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1}}
	byMap := func(dynamic bool, data ...[]byte) func(*ruleset.Table) {
		return func(t *ruleset.Table) {
			of := ruleset.Set{Name: "ends", Map: true, Dynamic: dynamic, KeyLen: 4, DataLen: 4}
			for i, b := range data {
				of.Elements = append(of.Elements, ruleset.Element{Key: []byte{10, 97, 0, byte(i)}, Data: b})
			}
			t.Sets = append(slices.Clone(t.Sets), of)
			t.Chains[1].Rules = []ruleset.Rule{{Handle: 9000, Exprs: []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 16, Len: 4, Dreg: 1}},
				{Name: "lookup", Lookup: &ruleset.Lookup{Set: "ends", Sreg: 1, HasReg: true, Dreg: 1}},
				dnat,
			}}}
		}
	}
	byIptables := func(addr []byte) []ruleset.Rule { // an address of IPv4 is the first bytes of 16
		addr = append(slices.Clone(addr), make([]byte, 12)...)
		return one(ruleset.Expr{Name: "target", Xt: &ruleset.Xt{Target: true, Name: "DNAT", Rev: 2, Decoded: &ruleset.XtDecoded{NAT: &ruleset.XtNAT{Kind: "dnat", AddrMin: addr, AddrMax: addr}}}})
	}
	for name, c := range map[string]struct {
		change func(*ruleset.Table)
		rules  []snapshot.PolicyRule
		want   bool
	}{
		"a service leads elsewhere": {change: service(to([]byte{172, 17, 0, 9}, "dnat")), want: true},
		"a service ends":            {change: func(t *ruleset.Table) { t.Chains[0].Rules = t.Chains[0].Rules[1:] }, want: true},
		"a service marks":           {change: service(one(ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Set: true, Sreg: 1}})), want: true},
		"sources are hidden":        {change: base("postrouting", 100, "nat", one(ruleset.Expr{Name: "masq", NAT: &ruleset.NAT{Kind: "masquerade"}})), want: true},
		"forwarding is let through": {change: base("forward", 0, "filter", one(goes)), want: true},
		"a service leads to us":     {change: service(to(own, "dnat"))},
		"a service leads to loop":   {change: service(to([]byte{127, 0, 0, 1}, "dnat"))},
		"iptables leads elsewhere":  {change: service(byIptables([]byte{172, 17, 0, 9})), want: true},
		"iptables leads to us":      {change: service(byIptables(own))},
		"a service leads to all":    {change: service(to([]byte{255, 255, 255, 255}, "dnat"))},
		"a map leads elsewhere":     {change: byMap(false, []byte{172, 17, 0, 9}), want: true},
		"a map leads to us":         {change: byMap(false, []byte{172, 17, 0, 9}, own)},
		"a map that packets fill":   {change: byMap(true, []byte{172, 17, 0, 9})},
		"an address written over": {change: service([]ruleset.Rule{{Handle: 9000, Exprs: []ruleset.Expr{
			away, {Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 8}}, dnat,
		}}})},
		"a redirect":                 {change: service(one(ruleset.Expr{Name: "redir", NAT: &ruleset.NAT{Kind: "redirect"}}))},
		"an address from the packet": {change: service(to(nil, "dnat"))},
		"a transparent proxy":        {change: base("prerouting", -150, "filter", one(ruleset.Expr{Name: "tproxy", NAT: &ruleset.NAT{Kind: "tproxy"}}))},
		"untracked":                  {change: base("prerouting", -300, "filter", one(ruleset.Expr{Name: "notrack", Plain: true}))},
		"marks lead elsewhere":       {change: service(to([]byte{172, 17, 0, 9}, "dnat")), rules: []snapshot.PolicyRule{{Family: 4, Priority: 5, Mark: 1, Mask: 1, Table: 254, Action: "lookup"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := clustered(3)
			s.Network.XFRM = &snapshot.XFRM{State: snapshot.Present} // without policies
			s.Network.Rules = append(slices.Clone(s.Network.Rules), c.rules...)
			p := provenOnModel(t, policies, s)
			now := *s.NFTables.Ruleset
			now.Tables = slices.Clone(now.Tables)
			now.Tables[0].Chains = slices.Clone(now.Tables[0].Chains)
			c.change(&now.Tables[0])
			if err := p.Covers(&now); (err == nil) != c.want {
				t.Errorf("%v", err)
			}
			if got := leadNowhere(s, &now, math.MinInt64) && p.standsAlone(t.Context(), s) != nil; got != c.want {
				t.Errorf("closed whatever the rules of others are: %v, want %v", got, c.want)
			}
		})
	}
}

// TestManyServicesAreNotFollowed: with thousands of translations to others than the host it is asked what the plan's drops close by themselves; with
// one to the host among them, all are followed.
func TestManyServicesAreNotFollowed(t *testing.T) {
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := clustered(manyRules)
	p := provenOnModel(t, policies, s)
	by, err := p.closes(t.Context(), s)
	if err != nil || by.cubes > manyRules {
		t.Errorf("%v: %d parts", err, by.cubes)
	}
	s.NFTables.Ruleset.Tables[0].Chains[1].Rules[0].Exprs[2].NAT = &ruleset.NAT{Kind: "redirect", PortMin: 2}
	if leadNowhere(s, s.NFTables.Ruleset, math.MinInt64) {
		t.Error("a redirect leads nowhere")
	}
	loaded := p.with(s)
	if (&Plan{Rules: p.plan.Rules}).closedAlone(t.Context(), loaded, nil) {
		t.Error("a redirect is not asked about")
	}
}

// TestManyNetworks: a host of 50 networks with a published port each has as many ways as one with thousands of services; one with a few has not.
func TestManyNetworks(t *testing.T) {
	s := clustered(40)
	s.Network.Links = make([]snapshot.Link, 6)
	if many(s, s.NFTables.Ruleset) {
		t.Error("few rules on few networks are many")
	}
	s.Network.Links = make([]snapshot.Link, 100)
	if !many(s, s.NFTables.Ruleset) {
		t.Error("few rules on many networks are few")
	}
}

// TestDetoursOfOthersStay: what others lead to the host past the plan's drops, and shut out themselves, is shut out by them alone: the proof does
// not outlive their drops.
func TestDetoursOfOthersStay(t *testing.T) {
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	drop := ruleset.Rule{Handle: 9001, Exprs: []ruleset.Expr{{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}}}
	leads := ruleset.Rule{Handle: 9002, Exprs: append(append(l4proto(protoTCP), transport(2, 2), equals(network(7777))),
		ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: network(22)}},
		ruleset.Expr{Name: "redir", NAT: &ruleset.NAT{Kind: "redirect", PortMin: 1}})}
	s := clustered(3)
	s.Network.XFRM = &snapshot.XFRM{State: snapshot.Present}
	nat := &s.NFTables.Ruleset.Tables[0]
	nat.Chains[0].Rules = append(nat.Chains[0].Rules, leads)
	s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, ruleset.Table{Family: ruleset.FamilyInet, Name: "filter", Chains: []ruleset.Chain{
		{Name: "in", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}, Rules: []ruleset.Rule{
			{Handle: 1, Exprs: append(bit(ruleset.CtStatus, dnat, ruleset.OpNeq), drop.Exprs...)},
		}},
	}})
	p := provenOnModel(t, policies, s)
	if !p.sufficient || !p.ground.leans["inet filter"] {
		t.Fatalf("sufficient %v, leans %v", p.sufficient, p.ground.leans)
	}
	now := *s.NFTables.Ruleset
	now.Tables = slices.Clone(now.Tables)
	now.Tables[1].Chains = slices.Clone(now.Tables[1].Chains)
	now.Tables[1].Chains[0].Rules = nil
	if err := p.Covers(&now); err == nil {
		t.Error("a redirect to what is closed is open, and the proof holds")
	}
}

// TestUntrackedAsBefore: what others do before the plan's drops, as they did when it was proven, is no matter.
func TestUntrackedAsBefore(t *testing.T) {
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := clustered(3)
	s.Network.XFRM = &snapshot.XFRM{State: snapshot.Present}
	nat := &s.NFTables.Ruleset.Tables[0]
	nat.Chains = append(nat.Chains, ruleset.Chain{Name: "raw", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: ruleset.Accept}, Rules: []ruleset.Rule{
		{Handle: 9003, Exprs: append(append(l4proto(protoUDP), transport(2, 2), equals(network(53))), ruleset.Expr{Name: "notrack", Plain: true})},
	}})
	p := provenOnModel(t, policies, s)
	for name, c := range map[string]struct {
		change func(*ruleset.Table)
		want   bool
	}{
		"a service ends":  {func(t *ruleset.Table) { t.Chains[0].Rules = t.Chains[0].Rules[1:] }, true},
		"it is not there": {func(t *ruleset.Table) { t.Chains = t.Chains[:len(t.Chains)-1] }, false},
	} {
		now := *s.NFTables.Ruleset
		now.Tables = slices.Clone(now.Tables)
		now.Tables[0].Chains = slices.Clone(now.Tables[0].Chains)
		c.change(&now.Tables[0])
		if err := p.Covers(&now); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
