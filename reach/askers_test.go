package reach

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// marked is a table whose chain sets the mark of packets.
func marked(name, hook string, mark byte, rest ...ruleset.Rule) ruleset.Table {
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: hook, Policy: ruleset.Accept}}
	c.Rules = append(rest, fixtures.Rule(&c, []ruleset.Expr{
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{mark, 0, 0, 0}}},
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
	}))
	return ruleset.Table{Family: "inet", Name: name, Chains: []ruleset.Chain{c}}
}

// translating is a table that gives packets of a kind the host's own address.
func translating(match []ruleset.Expr) ruleset.Table {
	c := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "nat", Hook: "prerouting", Priority: -100, Policy: ruleset.Accept}}
	c.Rules = []ruleset.Rule{fixtures.Rule(&c, match, []ruleset.Expr{
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{10, 10, 0, 1}}},
		{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1}},
	})}
	return ruleset.Table{Family: "ip", Name: "n", Chains: []ruleset.Chain{c}}
}

func fromMgmt(s *snapshot.Snapshot) packet.Origin {
	return packet.Origin{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}
}

// TestOrderOfForwardChainsIsNoDoubtAboutTheHost: what chains of the forward hook leave open says nothing about packets for
// the host itself.
func TestOrderOfForwardChainsIsNoDoubtAboutTheHost(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{
		translating(fixtures.Named(ruleset.MetaIifname, "ext0", ruleset.OpEq)), marked("a", "forward", 1), marked("b", "forward", 2), marked("c", "forward", 3),
	}}
	a := NewModel(s).Reach(&Question{From: []packet.Origin{fromMgmt(s)}, Proto: "tcp", Dport: 47, To: Target{Host: true}, Unbound: true})
	if a.Verdict != packet.Reachable {
		t.Errorf("%s, want reachable: %v", a.Verdict, a.Because)
	}
	through := NewModel(s).Reach(&Question{From: []packet.Origin{fromMgmt(s)}, Proto: "tcp", To: Target{Oifs: []int{s.Network.LinkNamed("ext0").Index}}})
	if through.Verdict != packet.Unknown {
		t.Errorf("through the host: %s, want unknown", through.Verdict)
	}
}

// TestDoubtAboutAnOrderNamesPackets: where the answers in the two orders of a pair of chains differ, there are packets that the
// second look can follow.
func TestDoubtAboutAnOrderNamesPackets(t *testing.T) {
	s := fixtures.Host()
	drop := ruleset.Rule{Handle: 5, Exprs: append([]ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: ruleset.Hex{1, 0, 0, 0}}},
	}, fixtures.VerdictOf(ruleset.Drop)...)}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{marked("a", "input", 1), marked("b", "input", 2, drop)}}
	a := NewModel(s).Reach(&Question{From: []packet.Origin{fromMgmt(s)}, Proto: "tcp", Dport: 47, To: Target{Host: true}, Unbound: true})
	if a.Verdict != packet.Unknown || len(a.Doubtful) == 0 {
		t.Errorf("%s with %d doubtful packets, want unknown with some: %v", a.Verdict, len(a.Doubtful), a.Because)
	}
}

// TestWitnessOfATranslatedAddressKeepsThePort: a translation of the address alone leaves the port, by which the audit asks.
func TestWitnessOfATranslatedAddressKeepsThePort(t *testing.T) {
	s := fixtures.Host()
	listening(s, snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 5353}, snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 22})
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{translating(nil)}}
	for how, a := range waysToAsk(NewModel(s), fromMgmt(s), &s.Listeners.Sockets[0], true) {
		if a.Verdict != packet.Reachable || a.Witness.Dport != 5353 {
			t.Errorf("%s: %s by %v, want reachable by a packet to port 5353", how, a.Verdict, a.Witness)
		}
	}
}
