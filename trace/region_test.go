package trace

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestRegionMeetsConntrackMatch: a match of iptables on the state of a connection is the same for all packets of a region,
// whatever their ports; one on its first port is not.
func TestRegionMeetsConntrackMatch(t *testing.T) {
	state := &ruleset.XtConntrack{Flags: ruleset.XtCtState, Invert: ruleset.XtCtState, State: ruleset.XtStateDNAT}
	port := &ruleset.XtConntrack{Flags: ruleset.XtCtOrigDport, Ports: [4][2]uint16{1: {100, 200}}}
	for name, c := range map[string]struct {
		match *ruleset.XtConntrack
		split byte
	}{"no translated connection": {state, 0}, "the first port": {port, 'q'}} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
		chain.Rules = []ruleset.Rule{fixtures.Rule(&chain, []ruleset.Expr{
			{Name: "match", Xt: &ruleset.Xt{Name: "conntrack", Rev: 3, Decoded: &ruleset.XtDecoded{Conntrack: c.match}}},
		}, fixtures.VerdictOf(ruleset.Drop))}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
		r := &Region{
			Packet: packet.Packet{In: "mgmt0", Proto: "udp"}, Src: netip.MustParsePrefix("10.10.0.9/32"), Dst: netip.MustParsePrefix("10.10.0.1/32"),
			Sport: Ports{32768, 15},
		}
		if c.split != 0 {
			r.Sport, r.Dport = Ports{4000, 0}, Ports{0, 8}
		}
		ends := 0
		New(s).Region(r, func(e *End) bool {
			if ends++; e.Split != c.split || c.split == 0 && e.Fate.Fate != Drop {
				t.Errorf("%s: ends %+v, want split %q", name, *e, c.split)
			}
			return true
		})
		if want := 1; c.split == 0 && ends != want {
			t.Errorf("%s: %d ends, want %d", name, ends, want)
		}
	}
}

// TestSplitOfAnAddressInWords: an address of IPv6 of which the first bytes are compared has to be narrowed also where those of the first register are
// known, and the second are not.
func TestSplitOfAnAddressInWords(t *testing.T) {
	for name, prefix := range map[string]string{"a /64": "fd00:10:244:1::/64", "a /80": "fd00:10:244:1:2::/80", "a /96": "fd00:10:244:1:2:3::/96"} {
		p := netip.MustParsePrefix(prefix)
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
			Family: "inet", Name: "t",
			Chains: []ruleset.Chain{{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Drop}, Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: uint32(p.Bits() / 8), Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: p.Addr().AsSlice()[:p.Bits()/8]}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
			}}}}},
		}}}
		r := &Region{
			Packet: packet.Packet{In: "ext0", Proto: "tcp"}, Src: netip.MustParsePrefix("fd00:10::/32"), Dst: netip.MustParsePrefix("2001:db8::1/128"),
			Sport: Ports{40000, 0}, Dport: Ports{80, 0},
		}
		ends := 0
		New(s).Region(r, func(e *End) bool {
			if ends++; e.Split != 's' {
				t.Errorf("%s: narrow %q, want the source: %+v", name, e.Split, *e)
			}
			return true
		})
		if ends < 2 {
			t.Errorf("%s: %d ends", name, ends)
		}
	}
}

// TestSplitOfAConcatenation: a concatenation is searched for the port that is open if its interface is known, also where a register held
// something open before.
func TestSplitOfAConcatenation(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
		Family: "inet", Name: "t",
		Sets: []ruleset.Set{{
			Name: "pairs", KeyLen: 20, FieldLens: []uint32{16, 2},
			Elements: []ruleset.Element{{Key: append(append([]byte("mgmt0"), make([]byte, 11)...), 0, 80, 0, 0)}},
		}},
		Chains: []ruleset.Chain{{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}, Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Len: 2, Dreg: 1}},
			{Name: "range", Range: &ruleset.Range{Sreg: 1, Op: ruleset.OpEq, From: ruleset.Hex{1, 0}, To: ruleset.Hex{1, 99}}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaIifname, Dreg: 1}},
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 2}},
			{Name: "lookup", Lookup: &ruleset.Lookup{Set: "pairs", Sreg: 1}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
		}}}}},
	}}}
	r := &Region{
		Packet: packet.Packet{In: "mgmt0", Proto: "tcp"}, Src: netip.MustParsePrefix("10.10.0.9/32"), Dst: netip.MustParsePrefix("10.10.0.1/32"),
		Sport: Ports{256, 2}, Dport: Ports{80, 4}, In: [4][]Span{3: {{[]byte{0, 81}, []byte{0, 90}}}},
	}
	var ends []byte
	New(s).Region(r, func(e *End) bool {
		ends = append(ends, e.Split)
		return true
	})
	if string(ends) != "\x00" {
		t.Errorf("narrow %q, want one end that is known: port 80 is not in the region", ends)
	}
}
