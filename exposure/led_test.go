package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesThatLeadOn: a rule that suppresses short routes suppresses none that stops packets, one with goto goes on at the priority that it names, and one
// for a type of service leads those who write it.
func TestRulesThatLeadOn(t *testing.T) {
	blackhole := snapshot.Route{Family: 4, Table: 50, Type: "blackhole", Dst: "0.0.0.0/0"}
	stops := snapshot.Route{Family: 4, Table: 254, Type: "blackhole", Dst: "10.0.0.9/32"}
	for name, c := range map[string]struct {
		rules  []snapshot.PolicyRule
		routes []snapshot.Route
		want   packet.Verdict
	}{
		"nothing":                        {nil, nil, packet.Reachable},
		"a blackhole":                    {[]snapshot.PolicyRule{{Priority: 50, Action: "lookup", Table: 50}}, []snapshot.Route{blackhole}, packet.Unreachable},
		"a blackhole is not suppressed":  {[]snapshot.PolicyRule{{Priority: 50, Action: "lookup", Table: 50, SuppressBits: 1}}, []snapshot.Route{blackhole}, packet.Unreachable},
		"a short route is":               {[]snapshot.PolicyRule{{Priority: 50, Action: "lookup", Table: 50, SuppressBits: 1}}, []snapshot.Route{{Family: 4, Table: 50, Type: "unicast", Dst: "0.0.0.0/0", Oifs: []int{ext0}}}, packet.Reachable},
		"a rule that is jumped over":     {[]snapshot.PolicyRule{{Priority: 50, Action: "goto", Goto: 60}, {Priority: 55, Action: "blackhole"}, {Priority: 60, Action: "nop"}}, nil, packet.Reachable},
		"one that is not":                {[]snapshot.PolicyRule{{Priority: 50, Action: "goto", Goto: 55}, {Priority: 55, Action: "blackhole"}, {Priority: 60, Action: "nop"}}, nil, packet.Unreachable},
		"others jump":                    {[]snapshot.PolicyRule{{Priority: 50, Action: "goto", Goto: 60, Src: "10.1.1.1/32"}, {Priority: 55, Action: "blackhole"}, {Priority: 60, Action: "nop"}}, nil, packet.Unreachable},
		"a route for a type of service":  {nil, []snapshot.Route{stops, {Family: 4, Table: 254, Type: "unicast", Dst: "10.0.0.9/32", Tos: 0x10, Oifs: []int{br0}}}, packet.Reachable},
		"a rule for a type of service":   {[]snapshot.PolicyRule{{Priority: 50, Action: "lookup", Table: 50, Tos: 0x10}}, []snapshot.Route{stops, {Family: 4, Table: 50, Type: "unicast", Dst: "10.0.0.0/24", Oifs: []int{br0}}}, packet.Reachable},
		"a route that stops one":         {nil, []snapshot.Route{{Family: 4, Table: 254, Type: "blackhole", Dst: "10.0.0.9/32", Tos: 0x10}}, packet.Reachable},
		"one that stops it":              {[]snapshot.PolicyRule{{Priority: 50, Action: "blackhole", Tos: 0x10}}, nil, packet.Reachable},
		"no way for any type of service": {[]snapshot.PolicyRule{{Priority: 50, Action: "blackhole", Tos: 0x10}}, []snapshot.Route{stops}, packet.Unreachable},
	} {
		s := host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		for i := range c.rules {
			c.rules[i].Family = 4
		}
		s.Network.Rules = append(c.rules, snapshot.PolicyRule{Family: 4, Action: "lookup", Table: 255}, snapshot.PolicyRule{Family: 4, Priority: 32766, Action: "lookup", Table: 254})
		s.Network.Routes = append(s.Network.Routes, c.routes...)
		a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.0/24"), Proto: "tcp", Dport: 22, To: reach.Target{Oifs: []int{br0}, Final: prefixes("10.0.0.9/32")}, Family: 4})
		if a.Verdict != c.want {
			t.Errorf("%s: %s, %s", name, a.Verdict, reasons(a))
		}
	}
}
