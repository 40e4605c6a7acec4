package exposure

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
)

// TestHeadersThatRulesWriteOver: what a rule puts into addresses and ports decides from then on, and a proof about it is confirmed.
func TestHeadersThatRulesWriteOver(t *testing.T) {
	set := func(base string, off uint32, data ...byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: data}},
			{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: off, Len: uint32(len(data)), Sreg: 1, Set: true}},
		}
	}
	copied := []ruleset.Expr{ // ip daddr set ip saddr
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 16, Len: 4, Sreg: 1, Set: true}},
	}
	ttl := []ruleset.Expr{ // ip ttl set 7: two bytes, with the protocol
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: 2, Dreg: 1}},
		{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 2, Op: "mask", Mask: ruleset.Hex{0, 0xff}, Xor: ruleset.Hex{7, 0}}},
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: 2, Sreg: 1, Set: true}},
	}
	ip := meta(ruleset.MetaNfproto, 2)
	for name, c := range map[string]struct {
		rule  []ruleset.Expr
		from  string
		dport int
		want  packet.Verdict
	}{
		"a port leads to another one":        {join(tcpTo(8080), set(ruleset.BaseTransport, 2, 0, 22)), "203.0.113.0/24", 22, packet.Reachable},
		"no other port is left":              {join(tcpTo(22), set(ruleset.BaseTransport, 2, 0, 23)), "203.0.113.0/24", 22, packet.Unreachable},
		"a source that may not":              {join(ip, set(ruleset.BaseNetwork, 12, 198, 51, 100, 9)), "203.0.113.9/32", 22, packet.Unreachable},
		"another host":                       {join(ip, set(ruleset.BaseNetwork, 16, 192, 0, 2, 1)), "203.0.113.0/24", 22, packet.Unreachable},
		"the time to live":                   {join(ip, ttl), "203.0.113.0/24", 22, packet.Reachable},
		"the time to live, and a closed one": {join(ip, ttl), "198.51.100.0/24", 22, packet.Unreachable},
		"what is not constant":               {join(ip, copied), "203.0.113.0/24", 22, packet.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
			rs := table("input", ruleset.Drop, join(ip, payload(ruleset.BaseNetwork, 12, 203, 0, 113), tcpTo(22), accepted))
			rs.Tables[0].Chains = append(rs.Tables[0].Chains, ruleset.Chain{
				Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: ruleset.Accept},
				Rules: []ruleset.Rule{{Handle: 9, Exprs: c.rule}},
			})
			s.NFTables.Ruleset = rs
			a := ask(t, s, &reach.Question{From: at(ext0, c.from), Proto: "tcp", Dport: c.dport, To: reach.Target{Host: true}, Family: 4})
			if a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) || strings.Contains(reasons(a), "not confirmed") {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}
