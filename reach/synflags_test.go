package reach

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestAttemptsWithOtherFlags: a rule that drops a SYN alone lets one in that has PSH or a flag of ECN too, and the witness has it; a SYN alone is the
// witness if it gets there.
func TestAttemptsWithOtherFlags(t *testing.T) {
	for name, c := range map[string]struct {
		mask, want byte
		flags      string
	}{
		"nothing is masked":       {0xff, 0x02, "SP"},
		"ECN does not count":      {0x3f, 0x02, "SP"},
		"only ECN counts":         {0xc0, 0x00, "SE"},
		"URG does not count":      {0xdf, 0x02, "SP"},
		"PSH and URG do not":      {0xd7, 0x02, "SE"},
		"only the usual ones":     {0x17, 0x02, ""},
		"another kind of packets": {0x17, 0x10, "S"},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{{
			Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
				{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{packet.TCP}}},
				{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 13, Len: 1, Dreg: 1}},
				{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 1, Op: "mask", Mask: ruleset.Hex{c.mask}, Xor: ruleset.Hex{0}}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{c.want}}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
			}}},
		}}}}}
		q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "tcp", Dport: 22, To: Target{Host: true}, Unbound: true, Family: 4}
		switch a := NewModel(s).Reach(q); {
		case c.flags == "":
			if a.Verdict != packet.Unreachable {
				t.Errorf("%s: %s, the witness %v", name, a.Verdict, a.Witness)
			}
		case a.Verdict != packet.Reachable:
			t.Errorf("%s: %s, %v %v", name, a.Verdict, a.Because, a.StoppedBy)
		default:
			got := "S"
			if a.Witness.Flags != nil {
				got = *a.Witness.Flags
			}
			if got != c.flags {
				t.Errorf("%s: the witness has %s, want %s", name, got, c.flags)
			}
		}
	}
}
