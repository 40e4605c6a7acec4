package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestDeliveredForSomeAddresses: a question about some addresses of the host is not answered by what arrives for the others, and its
// certificate covers all of it.
func TestDeliveredForSomeAddresses(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	own := netip.MustParsePrefix("203.0.113.1/32")
	every := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	from := []Origin{{Iif: s.Network.LinkNamed("ext0").Index, From: every}}
	for name, c := range map[string]struct {
		to   Target
		want string
	}{
		"all":              {Target{Host: true}, Reachable},
		"one":              {Target{Host: true, At: []netip.Prefix{own}}, Reachable},
		"one it lacks":     {Target{Host: true, At: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}, Unreachable},
		"all but one":      {Target{Host: true, But: []netip.Prefix{own}}, Reachable},
		"one but that":     {Target{Host: true, At: []netip.Prefix{own}, But: []netip.Prefix{own}}, Unreachable},
		"none of a family": {Target{Host: true, But: every}, Unreachable},
	} {
		a := NewModel(s).Reach(&Question{From: from, Proto: "tcp", Dport: 22, To: c.to, Unbound: true})
		if a.Verdict != c.want || a.Verdict == Unreachable && len(a.Certificate) == 0 {
			t.Errorf("%s: %s, %d certificates", name, a.Verdict, len(a.Certificate))
		}
		if c.want == Reachable && len(c.to.At) > 0 && (a.Witness == nil || a.Witness.Dst != own.Addr().String()) {
			t.Errorf("%s: %v", name, a.Witness)
		}
	}
}
