package trace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

func dropAll(family, hook, device string) ruleset.Table {
	b := &ruleset.Base{Type: "filter", Hook: hook, Policy: "drop"}
	if device != "" {
		b.Devices = []string{device}
	}
	return ruleset.Table{Family: family, Name: "late", Chains: []ruleset.Chain{{Name: "c", Base: b}}}
}

func addTable(s *snapshot.Snapshot, t ruleset.Table) {
	s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, t)
}

// TestMissingFactsAreUnknown: each fact can turn the fate, and a fate without it would be a guess.
func TestMissingFactsAreUnknown(t *testing.T) {
	const ssh = "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"
	const loose = "net/netfilter/nf_conntrack_tcp_loose"
	for name, c := range map[string]struct {
		change   func(*snapshot.Snapshot)
		in, text string
		fate     Outcome
		socket   string
	}{
		"groups not read": {func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = nil
		}, "mgmt0", "udp 10.10.0.9:1 > 239.1.2.3:53", Unknown, ""},
		"a multicast router": {func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = nil
			s.Network.LinkNamed("mgmt0").Groups = []snapshot.MulticastGroup{{Addr: "239.1.2.3"}}
			for _, of := range []string{"all", "mgmt0"} {
				s.Network.Sysctls["net/ipv4/conf/"+of+"/mc_forwarding"] = snapshot.Fact{State: snapshot.Present, Value: "1"}
			}
		}, "mgmt0", "udp 10.10.0.9:1 > 239.1.2.3:53", Unknown, ""},
		"iptables-legacy not read": {func(s *snapshot.Snapshot) {
			s.NFTables.Legacy["iptables"] = snapshot.Fact{State: snapshot.Denied}
		}, "mgmt0", ssh, Unknown, ""},
		"sockets not read": {func(s *snapshot.Snapshot) {
			s.Listeners.Sockets = nil
			for i := range s.Coverage {
				if s.Coverage[i].Collector == "listeners" {
					s.Coverage[i].Status = snapshot.Denied
				}
			}
		}, "mgmt0", ssh, Local, UnknownSocket},
		"loose tracking not read": {func(s *snapshot.Snapshot) {
			onlyNew(s)
			s.Network.Sysctls[loose] = snapshot.Fact{State: snapshot.Denied}
		}, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 ack", Unknown, ""},
		"conntrack not loaded yet": {func(s *snapshot.Snapshot) {
			onlyNew(s)
			s.Network.Sysctls[loose] = snapshot.Fact{State: snapshot.Absent}
		}, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 ack", Local, "tcp 0.0.0.0:22"},
		"XDP on the port of a bridge": {func(s *snapshot.Snapshot) {
			s.Network.LinkNamed("vethw2").XDP = true
		}, "docker0", "udp 172.17.0.2:1 > 172.17.0.1:53", Unknown, ""},
		"a chain at one port of a bridge": {func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = []ruleset.Table{dropAll("netdev", "ingress", "vethw2")}
		}, "docker0", "udp 172.17.0.2:1 > 172.17.0.1:53", Unknown, ""},
		"a chain at both ports of a bridge": {func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = []ruleset.Table{dropAll("netdev", "ingress", "vethw1")}
			addTable(s, dropAll("netdev", "ingress", "vethw2"))
		}, "docker0", "udp 172.17.0.2:1 > 172.17.0.1:53", Drop, ""},
		"a chain under a VLAN": {func(s *snapshot.Snapshot) {
			l := s.Network.LinkNamed("mgmt0")
			l.Kind, l.PeerIndex, l.PeerNetns = "vlan", s.Network.LinkNamed("ext0").Index, 0
			addTable(s, dropAll("netdev", "ingress", "ext0"))
		}, "mgmt0", ssh, Unknown, ""},
		"a chain under a VLAN, as the collector tells it": {func(s *snapshot.Snapshot) {
			l := s.Network.LinkNamed("mgmt0")
			l.Kind, l.PeerIndex, l.PeerNetns = "vlan", s.Network.LinkNamed("ext0").Index, s.Network.HostNetns()
			addTable(s, dropAll("netdev", "ingress", "ext0"))
		}, "mgmt0", ssh, Unknown, ""},
		"XDP where the packet only leaves": {func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = nil
			s.Network.LinkNamed("mgmt0").XDP = true
		}, "ext0", "udp 203.0.113.9:1 > 10.10.0.9:53", Forward, ""},
		"egress": {func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = []ruleset.Table{dropAll("netdev", "egress", "mgmt0")}
		}, "ext0", "udp 203.0.113.9:1 > 10.10.0.9:53", Drop, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixtures.Host()
			if s.NFTables.Legacy == nil {
				s.NFTables.Legacy = map[string]snapshot.Fact{}
			}
			c.change(s)
			f := New(s).Packet(parsed(t, c.in, c.text))
			if f.Fate != c.fate || f.Socket != c.socket {
				t.Errorf("%+v, want %s at %q", f, c.fate, c.socket)
			}
		})
	}
}

// onlyNew drops what conntrack takes for invalid.
func onlyNew(s *snapshot.Snapshot) {
	addTable(s, ruleset.Table{Family: "inet", Name: "n", Chains: []ruleset.Chain{{
		Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Priority: -5, Policy: "drop"},
		Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{
			{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtState, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{8, 0, 0, 0}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "accept"}}},
		}}},
	}}})
}

// TestAllNextHopsAreFollowed: of forty next hops only the last one's chain lets the packet out.
func TestAllNextHopsAreFollowed(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset.Tables = nil
	var oifs []int
	for i := range 40 {
		name := fmt.Sprintf("hop%d", i)
		s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 100 + i, Name: name, Kind: "device", Up: true})
		oifs = append(oifs, 100+i)
		if i < 39 {
			addTable(s, dropAll("netdev", "egress", name))
		}
	}
	s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "198.51.100.0/24", Oifs: oifs})
	f := New(s).Packet(parsed(t, "ext0", "udp 203.0.113.9:1 > 198.51.100.9:53"))
	if f.Fate != Unknown || len(f.ByTraffic) != 2 || f.ByTraffic[1].Fate.Fate != Forward || !strings.Contains(f.ByTraffic[1].If[0].Text, "hop39") {
		t.Errorf("%+v", f)
	}
}

// TestAnyAddedPolicyRuleIsCustom: with one, IPv4 no longer refuses the host's own address as a source
// before the look-up (fib_validate_source), which finds it all the same.
func TestAnyAddedPolicyRuleIsCustom(t *testing.T) {
	for _, r := range []snapshot.PolicyRule{
		{Action: "blackhole", IPProto: 99},
		{Action: "lookup", Table: 254, SuppressBits: 1},
		{Action: "lookup", Table: 254, Sport: [2]int{1, 2}},
	} {
		r.Family, r.Priority = 4, 100
		s := fixtures.Host()
		if New(s).fib4.customRules {
			t.Fatal("the kernel's own rules are custom")
		}
		s.Network.Rules = append(s.Network.Rules, r)
		if !New(s).fib4.customRules {
			t.Errorf("%+v is not seen", r)
		}
	}
}

// TestSetThatTakesAnUnknownKey: a later look-up of the set cannot be answered from the snapshot.
func TestSetThatTakesAnUnknownKey(t *testing.T) {
	s := fixtures.Host()
	set := ruleset.Set{Name: "s", KeyLen: 4, Dynamic: true}
	load := ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaLen, Dreg: 1}}
	s.NFTables.Ruleset.Tables = []ruleset.Table{{
		Family: "inet", Name: "n", Sets: []ruleset.Set{set},
		Chains: []ruleset.Chain{{
			Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: "accept"},
			Rules: []ruleset.Rule{
				{Exprs: []ruleset.Expr{load, {Name: "dynset", Extra: &ruleset.Extra{Dynset: &ruleset.Dynset{Set: "s", Key: 1}}}}},
				{Exprs: []ruleset.Expr{
					{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{0, 0, 0, 60}}},
					{Name: "lookup", Lookup: &ruleset.Lookup{Set: "s", Sreg: 1}},
					{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "drop"}}},
				}},
			},
		}},
	}}
	if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown {
		t.Errorf("%+v", f)
	}
}
