package trace

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestRegionsAskedForSeveralPorts: a match for several ports parts a region by them, and not at all one that has none of them, or those alone: to narrow it
// to each of 65,536 ports was more than a certificate may take.
func TestRegionsAskedForSeveralPorts(t *testing.T) {
	all := []Span{portSpan(0, 65535)}
	several := [][2]uint16{{443, 443}, {2222, 2230}}
	for name, c := range map[string]struct {
		match ruleset.XtMultiport
		dport Ports
		in    []Span
		drops int // ends at the rule
		asks  int // ends that ask for a narrower region
	}{
		"ports among all":      {ruleset.XtMultiport{Which: "destination", Ranges: several}, Ports{0, 16}, all, 1, 0},
		"all but some":         {ruleset.XtMultiport{Which: "destination", Ranges: several, Invert: true}, Ports{0, 16}, all, 1, 0},
		"by their bits":        {ruleset.XtMultiport{Which: "destination", Ranges: several}, Ports{0, 16}, nil, 0, 2},
		"none of them":         {ruleset.XtMultiport{Which: "destination", Ranges: several}, Ports{0x8000, 15}, nil, 0, 0},
		"those alone":          {ruleset.XtMultiport{Which: "destination", Ranges: several}, Ports{2224, 2}, nil, 1, 0},
		"ports of the sender":  {ruleset.XtMultiport{Which: "source", Ranges: several}, Ports{0, 16}, all, 0, 0},
		"ports of either side": {ruleset.XtMultiport{Which: "either", Ranges: several}, Ports{0, 16}, nil, 0, 2},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{{
			Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Accept},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
				{Name: "match", Xt: &ruleset.Xt{Name: "multiport", Decoded: &ruleset.XtDecoded{Multiport: &c.match}}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
			}}},
		}}}}}
		sender, host := netip.MustParsePrefix("198.51.100.5/32"), netip.MustParsePrefix("203.0.113.1/32")
		r := &Region{Packet: packet.Packet{In: "ext0", Proto: "tcp"}, Src: sender, Dst: host, Sport: Ports{40000, 0}, Dport: c.dport}
		if c.in != nil {
			r.In = [4][]Span{{prefixSpan(sender)}, {prefixSpan(host)}, {portSpan(40000, 40000)}, c.in}
		}
		drops, asks := 0, 0
		New(s).Region(r, func(e *End) bool {
			switch {
			case e.Fate.Fate == Drop && e.Split == 0:
				drops++
			case e.Split == 'q':
				asks++
			}
			return true
		})
		if drops != c.drops || asks != c.asks {
			t.Errorf("%s: %d drops, want %d, %d questions, want %d", name, drops, c.drops, asks, c.asks)
		}
	}
}
