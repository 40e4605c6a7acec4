package trace

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// services is rules of iptables for as many addresses from 10.96.0.1 on, each for one port, that jump to a drop.
func services(n int, port uint16) []ruleset.Rule {
	var list []ruleset.Rule
	for i := range n {
		list = append(list, ruleset.Rule{Handle: uint64(i + 1), Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 16, Len: 4, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{10, 96, byte(i / 250), byte(1 + i%250)}}},
			{Name: "match", Xt: &ruleset.Xt{Name: "comment", Decoded: &ruleset.XtDecoded{Continue: true}}},
			{Name: "match", Xt: &ruleset.Xt{Name: "tcp", Decoded: &ruleset.XtDecoded{Ports: &ruleset.XtPorts{Sport: [2]uint16{0, 65535}, Dport: [2]uint16{port, port}}}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
		}})
	}
	return list
}

// TestRulesBesideARegion: rules that are about none of a region's packets do not part it, whatever their first test asks for; those that are about some
// of them do. Without a rule it has two ends, by what the host does with the source.
func TestRulesBesideARegion(t *testing.T) {
	port := func(lo, hi uint16) []Span { return []Span{portSpan(lo, hi)} }
	for name, c := range map[string]struct {
		dport []Span
		ports Ports
		more  []ruleset.Expr // instead of the first rule's comment
		ends  int
	}{
		"another port":                {nil, Ports{2375, 0}, nil, 2},
		"other ports":                 {append(port(0, 79), port(81, 65535)...), Ports{0, 16}, nil, 2},
		"the port":                    {nil, Ports{80, 0}, nil, 22},
		"another port after a number": {nil, Ports{2375, 0}, []ruleset.Expr{{Name: "limit", Limit: &ruleset.Limit{Rate: 1, Per: 1}}}, 6},
	} {
		s := fixtures.Host()
		rules := services(20, 80)
		if c.more != nil {
			rules[0].Exprs = slices.Replace(rules[0].Exprs, 2, 3, c.more...)
		}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{
			{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Accept}, Rules: rules},
		}}}}
		r := &Region{
			Packet: packet.Packet{In: "ext0", Proto: "tcp"}, Src: netip.MustParsePrefix("198.51.100.5/32"), Dst: netip.MustParsePrefix("10.96.0.0/24"),
			Sport: Ports{40000, 0}, Dport: c.ports,
			In: [4][]Span{
				{prefixSpan(netip.MustParsePrefix("198.51.100.5/32"))}, {prefixSpan(netip.MustParsePrefix("10.96.0.0/24"))}, port(40000, 40000), c.dport,
			},
		}
		if c.dport == nil {
			r.In[3] = port(c.ports.First, c.ports.First)
		}
		ends := 0
		if !New(s).Region(r, func(*End) bool { ends++; return true }) || ends != c.ends {
			t.Errorf("%s: %d ends, want %d", name, ends, c.ends)
		}
	}
}

// TestRegionsAskedForOneAddress: a match on the kind of the destination, or on a range of destinations, does not depend on which source a region has.
func TestRegionsAskedForOneAddress(t *testing.T) {
	local := &ruleset.XtDecoded{Addrtype: &ruleset.XtAddrtype{Dest: 1 << 2}}
	among := &ruleset.XtDecoded{IPRange: &ruleset.XtIPRange{Dest: true, DstMin: ruleset.Hex{10, 0, 0, 0}, DstMax: ruleset.Hex{10, 0, 0, 9}}}
	from := &ruleset.XtDecoded{IPRange: &ruleset.XtIPRange{Source: true, SrcMin: ruleset.Hex{10, 0, 0, 0}, SrcMax: ruleset.Hex{10, 0, 0, 9}}}
	for name, c := range map[string]struct {
		match *ruleset.XtDecoded
		ends  int
	}{"a local destination": {local, 1}, "a range of destinations": {among, 1}, "a range of sources": {from, 2}} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{{
			Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Drop},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
				{Name: "match", Xt: &ruleset.Xt{Name: "m", Decoded: c.match}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
			}}},
		}}}}}
		r := &Region{Packet: packet.Packet{In: "ext0", Proto: "udp"}, Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("198.51.100.7/32"), Sport: Ports{4000, 0}, Dport: Ports{80, 0}}
		ends := 0
		New(s).Region(r, func(*End) bool { ends++; return true })
		if ends != c.ends {
			t.Errorf("%s: %d ends, want %d", name, ends, c.ends)
		}
	}
}
