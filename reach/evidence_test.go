package reach

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

func chainOf(hook string, priority int32, typ, policy string, rules ...ruleset.Rule) ruleset.Chain {
	return ruleset.Chain{
		Name: "c" + hook, Base: &ruleset.Base{Type: typ, Hook: hook, Priority: priority, Policy: policy}, Rules: rules,
	}
}

func only(s *snapshot.Snapshot, tables ...ruleset.Table) { s.NFTables.Ruleset.Tables = tables }

func compare(load ruleset.Expr, data ruleset.Hex, v string) ruleset.Rule {
	return ruleset.Rule{Exprs: []ruleset.Expr{
		load,
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: data}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: v}}},
	}}
}

// TestAnswersHaveEvidence: each of these once had a certain answer that nothing supported.
func TestAnswersHaveEvidence(t *testing.T) {
	ctMark := ruleset.Expr{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtMark, Dreg: 1}}
	ctState := ruleset.Expr{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtState, Dreg: 1}}
	dport := ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}}
	for name, c := range map[string]struct {
		change func(*snapshot.Snapshot, *Question)
		want   packet.Verdict
		why    string // in a cause
	}{
		"a protocol without a name here": {func(_ *snapshot.Snapshot, q *Question) { q.Proto = "gre" }, packet.Unknown, "protocol"},
		"the network was not read": {func(s *snapshot.Snapshot, _ *Question) {
			section(s, "network").Status = snapshot.Denied
			s.Network = snapshot.Network{}
		}, packet.Unknown, "network was not read"},
		"a chain at egress": {func(s *snapshot.Snapshot, q *Question) {
			c := chainOf("egress", 0, "filter", "drop")
			c.Base.Devices = []string{"ext0"}
			only(s, ruleset.Table{Family: "netdev", Name: "n", Chains: []ruleset.Chain{c}})
			q.To = Target{Oifs: []int{s.Network.LinkNamed("ext0").Index}}
		}, packet.Unreachable, "policy drop"},
		"a chain at egress of a bridge's port": {func(s *snapshot.Snapshot, q *Question) {
			c := chainOf("egress", 0, "filter", "drop")
			c.Base.Devices = []string{"vethw1"}
			only(s, ruleset.Table{Family: "netdev", Name: "n", Chains: []ruleset.Chain{c}})
			q.To = Target{Oifs: []int{s.Network.LinkNamed("docker0").Index}}
		}, packet.Unknown, "the port of docker0 that leads to the neighbour"},
		"the mark of an established connection": {func(s *snapshot.Snapshot, q *Question) {
			only(s, ruleset.Table{Family: "inet", Name: "n", Chains: []ruleset.Chain{
				chainOf("input", 0, "filter", "drop", compare(ctMark, ruleset.Hex{7, 0, 0, 0}, "accept")),
			}})
			q.State = "established"
		}, packet.Unknown, "the mark of the connection"},
		"the priority of conntrack": {func(s *snapshot.Snapshot, _ *Question) {
			only(s, ruleset.Table{Family: "inet", Name: "n", Chains: []ruleset.Chain{
				chainOf("prerouting", -200, "filter", "drop", compare(ctState, ruleset.Hex{8, 0, 0, 0}, "accept")),
			}})
		}, packet.Unknown, "conntrack"},
		"the priority of translation": {func(s *snapshot.Snapshot, _ *Question) {
			to := ruleset.Rule{Exprs: []ruleset.Expr{
				{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{0, 22}}},
				{Name: "redir", NAT: &ruleset.NAT{Kind: "redirect", PortMin: 1, PortMax: 1}},
			}}
			only(s, ruleset.Table{Family: "inet", Name: "n", Chains: []ruleset.Chain{
				chainOf("prerouting", -100, "nat", "accept", to),
			}}, ruleset.Table{Family: "inet", Name: "m", Chains: []ruleset.Chain{
				chainOf("prerouting", -100, "filter", "drop", compare(dport, ruleset.Hex{0, 22}, "accept")),
				chainOf("input", -100, "filter", "drop"),
			}})
			s.NFTables.Ruleset.Tables[1].Chains[1].Base.Policy = "accept"
			s.NFTables.Ruleset.Tables[1].Chains[0].Rules = append(s.NFTables.Ruleset.Tables[1].Chains[0].Rules,
				compare(dport, ruleset.Hex{0, 23}, "accept"))
		}, packet.Reachable, ""},
		"IPv6 is off": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			q.From[0].From = []netip.Prefix{netip.MustParsePrefix("::/0")}
			s.Network.Sysctls["net/ipv6/conf/mgmt0/disable_ipv6"] = snapshot.Fact{State: snapshot.Present, Value: "1"}
		}, packet.Unreachable, "IPv6 is off"},
		"an own address as source": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			q.From[0].From = []netip.Prefix{netip.MustParsePrefix("203.0.113.1/32")}
		}, packet.Unreachable, "no address of the origin"},
		"an own address as source, accepted": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			q.From[0].From = []netip.Prefix{netip.MustParsePrefix("203.0.113.1/32")}
			s.Network.Sysctls["net/ipv4/conf/mgmt0/accept_local"] = snapshot.Fact{State: snapshot.Present, Value: "1"}
		}, packet.Reachable, ""},
		"the host's broadcasts": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			q.From = []packet.Origin{{Local: true}}
			q.Proto, q.Dport = "udp", 9
			q.To = Target{Addr: netip.MustParseAddr("10.10.0.255")}
		}, packet.Reachable, ""},
		"a multicast router": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			s.Network.Routes = keepRoutes(s.Network.Routes, "-")
			s.Network.LinkNamed("mgmt0").Groups = []snapshot.MulticastGroup{{Addr: "224.0.0.1"}}
			for _, of := range []string{"all", "mgmt0"} {
				s.Network.Sysctls["net/ipv4/conf/"+of+"/mc_forwarding"] = snapshot.Fact{State: snapshot.Present, Value: "1"}
			}
			q.To = Target{Oifs: []int{s.Network.LinkNamed("ext0").Index}}
		}, packet.Unknown, "a multicast router"},
		"no multicast router": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			s.Network.Routes = keepRoutes(s.Network.Routes, "-")
			q.To = Target{Oifs: []int{s.Network.LinkNamed("ext0").Index}}
		}, packet.Unreachable, ""},
		"groups not read": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			q.From[0].From = q.From[0].From[:1]
			q.To, q.Proto = Target{Addr: netip.MustParseAddr("239.1.2.3")}, "udp"
		}, packet.Unknown, "multicast groups"},
		"a group that is not joined": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			q.From[0].From = q.From[0].From[:1]
			s.Network.LinkNamed("mgmt0").Groups = []snapshot.MulticastGroup{{Addr: "224.0.0.1"}}
			s.Network.Sysctls["net/ipv4/conf/all/mc_forwarding"] = snapshot.Fact{State: snapshot.Present, Value: "0"}
			q.To, q.Proto = Target{Addr: netip.MustParseAddr("239.1.2.3")}, "udp"
		}, packet.Unreachable, "not joined"},
		"the second of several next hops": {func(s *snapshot.Snapshot, q *Question) {
			only(s)
			s.Network.Routes = append(s.Network.Routes, snapshot.Route{
				Family: 4, Table: 254, Type: "unicast", Dst: "198.51.100.0/24",
				Oifs: []int{s.Network.LinkNamed("ext0").Index, s.Network.LinkNamed("docker0").Index},
			})
			s.Network.Routes = keepRoutes(s.Network.Routes, "198.51.100.0/24")
			q.From = []packet.Origin{{Local: true}}
			q.To = Target{Oifs: []int{s.Network.LinkNamed("docker0").Index}}
		}, packet.Unknown, "next hops"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixtures.Host()
			q := &Question{From: []packet.Origin{from(s, "mgmt0")}, Proto: "tcp", To: Target{Host: true}, Unbound: true}
			q.From[0].From = append(q.From[0].From, netip.MustParsePrefix("::/0"))
			c.change(s, q)
			a := NewModel(s).Reach(q)
			var why []string
			for _, x := range append(a.Because, a.StoppedBy...) {
				why = append(why, x.Text)
			}
			if a.Verdict != c.want || !strings.Contains(strings.Join(why, "\n"), c.why) {
				t.Errorf("%s for %q, want %s for %q", a.Verdict, why, c.want, c.why)
			}
		})
	}
}

// keepRoutes leaves one unicast route and those of the host's own addresses.
func keepRoutes(in []snapshot.Route, dst string) []snapshot.Route {
	var out []snapshot.Route
	for _, r := range in {
		if r.Dst == dst || r.Type != "unicast" {
			out = append(out, r)
		}
	}
	return out
}
