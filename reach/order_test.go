package reach

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestTranslationComesAtItsPriority: chains of prerouting before the priority of the kernel's translation see the address that the
// sender wrote, those after it the translated one (NF_IP_PRI_NAT_DST, include/uapi/linux/netfilter_ipv4.h).
func TestTranslationComesAtItsPriority(t *testing.T) {
	for priority, want := range map[int32]packet.Verdict{-150: packet.Reachable, -50: packet.Unreachable} {
		s := fixtures.Host()
		c := chainOf("prerouting", priority, "filter", ruleset.Accept)
		c.Rules = []ruleset.Rule{fixtures.Rule(&c, toAddr("10.10.0.1"), fixtures.VerdictOf(ruleset.Drop))}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{
			{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}, translating(nil),
		}}
		if a := NewModel(s).Socket(fromMgmt(s), &ssh, true); a.Verdict != want {
			t.Errorf("what is for 10.10.0.1 is dropped at priority %d: %s, want %s: %v %v", priority, a.Verdict, want, a.Witness, a.Because)
		}
	}
}
