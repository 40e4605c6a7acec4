package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestHeadersThatSendersAdd: what an extension header leads past a rule for the first header is no proof.
func TestHeadersThatSendersAdd(t *testing.T) {
	for load, want := range map[ruleset.Payload]packet.Verdict{
		{Base: ruleset.BaseNetwork, Offset: 6, Len: 1, Dreg: 1}: packet.Unknown,
	} {
		s := fixtures.Host()
		only(s, ruleset.Table{Family: "ip6", Name: "n", Chains: []ruleset.Chain{
			chainOf("input", 0, "filter", "accept", compare(ruleset.Expr{Name: "payload", Payload: &load}, ruleset.Hex{packet.TCP}, "drop")),
		}})
		q := &Question{From: []packet.Origin{from(s, "mgmt0")}, Proto: "tcp", To: Target{Host: true}, Unbound: true, Family: 6}
		q.From[0].From = []netip.Prefix{netip.MustParsePrefix("::/0")}
		if a := NewModel(s).Reach(q); a.Verdict != want {
			t.Errorf("%+v: %s by %v %v, want %s", load, a.Verdict, a.StoppedBy, a.Because, want)
		}
	}
}
