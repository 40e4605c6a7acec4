package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSeveralNextHops: what gets through by some of them is reachable where the route takes one of those, and anyhow where it gets through by all.
func TestSeveralNextHops(t *testing.T) {
	for name, c := range map[string]struct {
		out        []string // that the filter lets out by
		want       packet.Verdict
		conditions int
	}{
		"all": {[]string{"ext0", "br0"}, packet.Reachable, 0}, "one": {[]string{"br0"}, packet.Reachable, 1}, "none": {nil, packet.Unreachable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "198.51.100.0/24", Oifs: []int{ext0, br0}})
			var rules [][]ruleset.Expr
			for _, out := range c.out {
				rules = append(rules, join(fixtures.Named(ruleset.MetaOifname, out, ruleset.OpEq), accepted))
			}
			s.NFTables.Ruleset = table("forward", ruleset.Drop, rules...)
			a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 80, To: toAddr("198.51.100.9")})
			if a.Verdict != c.want || len(a.If) != c.conditions {
				t.Errorf("%s, if %v, %s", a.Verdict, a.If, reasons(a))
			}
		})
	}
}

// TestDissectorsOfPorts: where a program reads the ports by which a policy rule goes, packets to each port can take either way. A rule that asks for no
// port is none of its business.
func TestDissectorsOfPorts(t *testing.T) {
	for name, c := range map[string]struct {
		program string
		rule    snapshot.PolicyRule
		port    int
		want    packet.Verdict
	}{
		"no program":               {"", snapshot.PolicyRule{IPProto: 17, Dport: [2]int{443, 443}}, 443, packet.Reachable},
		"no program, another port": {"", snapshot.PolicyRule{IPProto: 17, Dport: [2]int{443, 443}}, 80, packet.Unreachable},
		"a program":                {"reads", snapshot.PolicyRule{IPProto: 17, Dport: [2]int{443, 443}}, 443, packet.Unknown},
		"a program, another port":  {"reads", snapshot.PolicyRule{IPProto: 17, Dport: [2]int{443, 443}}, 80, packet.Unknown},
		"a program, any port":      {"reads", snapshot.PolicyRule{Src: "203.0.113.0/24"}, 443, packet.Reachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			if c.program != "" {
				s.Network.Programs = []snapshot.Program{{Kind: snapshot.ProgramFlowDissector, Name: c.program}}
			}
			c.rule.Family, c.rule.Priority, c.rule.Table, c.rule.Action = 4, 100, 77, "lookup"
			s.Network.Rules = append([]snapshot.PolicyRule{c.rule}, s.Network.Rules...)
			s.Network.Routes = append(s.Network.Routes,
				snapshot.Route{Family: 4, Table: 77, Type: "unicast", Dst: "198.51.100.0/24", Oifs: []int{br0}},
				snapshot.Route{Family: 4, Table: 254, Type: "unreachable", Dst: "198.51.100.0/24"})
			a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "udp", Dport: c.port, To: toAddr("198.51.100.9")})
			want(t, a, c.want, map[bool]string{true: ""}[c.want != packet.Unknown])
		})
	}
}
