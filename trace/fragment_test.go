package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestDatagramsHaveTheFirstHeader: a datagram has the header of its first fragment, so that what rules write into that one alone is not known of
// another, whichever field that is.
func TestDatagramsHaveTheFirstHeader(t *testing.T) {
	dport := func(n byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 8}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: []byte{0, n}}},
		}
	}
	put := func(p *ruleset.Payload, data ...byte) []ruleset.Expr {
		p.Set, p.Sreg, p.Len = true, 8, uint32(len(data))
		return append(dport(22), ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 8, Data: data}}, ruleset.Expr{Name: "payload", Payload: p})
	}
	ttl := []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: 1, Dreg: 8}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: []byte{5}}},
		drop,
	}
	for _, c := range []struct {
		name, frag string
		written    []ruleset.Expr
		asked      []ruleset.Expr
		want       Outcome
	}{
		{"the time to live of the first", "first", put(&ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8}, 5), ttl, Drop},
		{"the time to live of the last", "last", put(&ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8}, 5), ttl, Unknown},
		{"the port of the first", "first", put(&ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2}, 0, 80), append(dport(80), drop), Drop},
		{"the port of the last", "last", put(&ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2}, 0, 80), append(dport(80), drop), Unknown},
	} {
		s := fixtures.Host()
		before := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -450, Policy: ruleset.Accept}}
		before.Rules = []ruleset.Rule{{Exprs: c.written}}
		in := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
		in.Rules = []ruleset.Rule{{Exprs: c.asked}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{before, in}}}}
		p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		p.Frag, p.TTL = c.frag, 64
		if c.frag == "last" {
			p.Data = "0000000000000000"
		}
		if f := New(s).Packet(p); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", c.name, f, c.want)
		}
	}
}
