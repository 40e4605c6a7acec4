package trace

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSynproxy: a connection that synproxy answers gets on if the sender's answer comes to synproxy too, and what that sends to the server is let through.
func TestSynproxy(t *testing.T) {
	flags := func(is byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 13, Len: 1, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{is}}},
		}
	}
	unseen := binary.NativeEndian.AppendUint32(nil, ruleset.CtInvalid|ruleset.CtUntracked)
	proxied := []ruleset.Expr{
		{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtState, Dreg: 1}},
		{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: unseen, Xor: make([]byte, 4)}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "!=", Data: make([]byte, 4)}},
		{Name: "synproxy", Extra: &ruleset.Extra{Synproxy: &ruleset.Synproxy{}}},
	}
	for _, c := range []struct {
		name, loose string
		output      string // policy
		want        Outcome
		fates       []Outcome
	}{
		{"an answer without a connection", "0", ruleset.Accept, Unknown, []Outcome{Local, Drop}},
		{"an answer that begins a connection", "1", ruleset.Accept, Drop, nil},
		{"the server is not spoken to", "0", ruleset.Drop, Drop, nil},
	} {
		s := fixtures.Host()
		s.Network.Sysctls["net/netfilter/nf_conntrack_tcp_loose"] = snapshot.Fact{State: snapshot.Present, Value: c.loose}
		base := func(name, hook string, prio int32, policy string, exprs ...ruleset.Expr) ruleset.Chain {
			return ruleset.Chain{
				Name: name, Base: &ruleset.Base{Type: "filter", Hook: hook, Priority: prio, Policy: policy}, Rules: []ruleset.Rule{{Handle: 9, Exprs: exprs}},
			}
		}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{
			base("r", "prerouting", -300, ruleset.Accept, append(flags(2), ruleset.Expr{Name: "notrack", Plain: true})...),
			base("i", "input", 0, ruleset.Accept, proxied...),
			base("o", "output", 0, c.output),
		}}}}
		f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
		if f.Fate != c.want || len(f.ByTraffic) != len(c.fates) {
			t.Errorf("%s: %+v, want %s %v", c.name, f, c.want, c.fates)
			continue
		}
		for i, want := range c.fates {
			if got := f.ByTraffic[i]; got.Fate.Fate != want || got.If[0].State != packet.AsSent {
				t.Errorf("%s: %+v, want %s", c.name, got, want)
			}
		}
	}
}
