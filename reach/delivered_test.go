package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestDeliveredForSomeAddresses: a question about some addresses of the host is not answered by what arrives for the others, and its
// certificate covers all of it.
func TestDeliveredForSomeAddresses(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	own := netip.MustParsePrefix("203.0.113.1/32")
	every := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	from := []packet.Origin{{Index: s.Network.LinkNamed("ext0").Index, From: every}}
	for name, c := range map[string]struct {
		to   Target
		want packet.Verdict
	}{
		"all":              {Target{Host: true}, packet.Reachable},
		"one":              {Target{Host: true, At: []netip.Prefix{own}}, packet.Reachable},
		"one it lacks":     {Target{Host: true, At: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}, packet.Unreachable},
		"all but one":      {Target{Host: true, But: []netip.Prefix{own}}, packet.Reachable},
		"one but that":     {Target{Host: true, At: []netip.Prefix{own}, But: []netip.Prefix{own}}, packet.Unreachable},
		"none of a family": {Target{Host: true, But: every}, packet.Unreachable},
	} {
		a := NewModel(s).Reach(&Question{From: from, Proto: "tcp", Dport: 22, To: c.to, Unbound: true})
		if a.Verdict != c.want || a.Verdict == packet.Unreachable && len(a.Certificate) == 0 {
			t.Errorf("%s: %s, %d certificates", name, a.Verdict, len(a.Certificate))
		}
		if c.want == packet.Reachable && len(c.to.At) > 0 && (a.Witness == nil || a.Witness.Dst != own.Addr()) {
			t.Errorf("%s: %v", name, a.Witness)
		}
	}
}
