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

// TestFirstHeadersInSets: a set with none of the numbers that can come first has no packet of another protocol, and one with some of them may have.
func TestFirstHeadersInSets(t *testing.T) {
	for name, c := range map[string]struct {
		numbers []byte
		want    packet.Verdict
	}{
		"of other protocols":   {[]byte{packet.UDP, packet.ICMPv6}, packet.Unreachable},
		"of extension headers": {[]byte{packet.UDP, 43}, packet.Unknown},
		"of the protocol":      {[]byte{packet.TCP, packet.ICMPv6}, packet.Reachable},
	} {
		s := fixtures.Host()
		set := ruleset.Set{Name: "n", KeyLen: 1}
		for _, b := range c.numbers {
			set.Elements = append(set.Elements, ruleset.Element{Key: ruleset.Hex{b}})
		}
		load := ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 6, Len: 1, Dreg: 1}}
		chain := chainOf("input", 0, "filter", "drop", ruleset.Rule{Exprs: []ruleset.Expr{
			load, {Name: "lookup", Lookup: &ruleset.Lookup{Set: "n", Sreg: 1}}, verdict(ruleset.Verdict{Kind: "accept"}).Exprs[0],
		}})
		only(s, ruleset.Table{Family: "ip6", Name: "n", Sets: []ruleset.Set{set}, Chains: []ruleset.Chain{chain}})
		q := &Question{From: []packet.Origin{from(s, "mgmt0")}, Proto: "tcp", To: Target{Host: true}, Unbound: true, Family: 6}
		q.From[0].From = []netip.Prefix{netip.MustParsePrefix("::/0")}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s by %v %v", name, a.Verdict, a.StoppedBy, a.Because)
		}
	}
}
