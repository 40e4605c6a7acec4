package trace

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestHeadersThatSendersAdd: the packets of a region may have options of IP, which lead past a rule for a header without; a single packet is plain.
func TestHeadersThatSendersAdd(t *testing.T) {
	s := fixtures.Host()
	chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	chain.Rules = []ruleset.Rule{fixtures.Rule(&chain, []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 0, Len: 1, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{0x45}}},
	}, fixtures.VerdictOf(ruleset.Drop))}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
	r := &Region{
		Packet: packet.Packet{In: "mgmt0", Proto: "tcp"}, Src: netip.MustParsePrefix("10.10.0.9/32"), Dst: netip.MustParsePrefix("10.10.0.1/32"),
		Sport: Ports{40000, 0}, Dport: Ports{22, 0},
	}
	passed, dropped := 0, 0
	New(s).Region(r, func(e *End) bool {
		if e.Fate.Fate == Drop {
			dropped++
		} else {
			passed++
		}
		return true
	})
	if passed == 0 || dropped == 0 {
		t.Errorf("%d ways are dropped, %d pass", dropped, passed)
	}
	if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Drop {
		t.Errorf("a single packet: %+v", f)
	}
}
