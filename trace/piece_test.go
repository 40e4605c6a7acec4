package trace

import (
	"fmt"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestBytesThatSendersChoose: of bytes that the sender writes each fate is told with what they have to be, the same for every rule that takes them; of
// those that others or the rest of the packet decide, the fate is unknown without.
func TestBytesThatSendersChoose(t *testing.T) {
	load := func(base string, off, n uint32, want ...byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Dreg: 1, Base: base, Offset: off, Len: n}}, {Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: want}},
		}
	}
	th := func(off, n uint32, want ...byte) []ruleset.Expr { return load(ruleset.BaseTransport, off, n, want...) }
	doff := []ruleset.Expr{
		th(12, 1)[0], {Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 1, Op: "mask", Mask: ruleset.Hex{0xf0}, Xor: ruleset.Hex{0}}}, th(12, 1, 0x50)[1],
	}
	write := []ruleset.Expr{
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{1, 1}}},
		{Name: "payload", Payload: &ruleset.Payload{Sreg: 1, Base: ruleset.BaseTransport, Offset: 14, Len: 2, Set: true}},
	}
	option := []ruleset.Expr{{Name: "exthdr", Extra: &ruleset.Extra{Exthdr: &ruleset.Exthdr{Dreg: 1, Type: 8, Len: 1, Op: 1, Present: true}}}, th(0, 1, 1)[1]}
	const syn, last, ping = "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn", "tcp 10.10.0.9:40000 > 203.0.113.9:22 syn frag last", "icmp 10.10.0.9 > 10.10.0.1 type 8"
	for name, c := range map[string]struct {
		packet string
		rules  [][]ruleset.Expr // each drops
		fates  int
		if0    string
	}{
		"a window":                {syn, [][]ruleset.Expr{th(14, 2, 1, 2)}, 2, "the number in bytes 14 to 15 of the transport header is 0x0102"},
		"the same asked twice":    {syn, [][]ruleset.Expr{th(14, 2, 1, 2), th(14, 2, 1, 2)}, 2, "the number in bytes 14 to 15 of the transport header is 0x0102"},
		"a checksum":              {ping, [][]ruleset.Expr{th(2, 2, 0, 22)}, 2, "the number in bytes 2 to 3 of the transport header is 0x0016"},
		"the length of a header":  {syn, [][]ruleset.Expr{doff}, 2, "byte 12 of the transport header is 0x50"},
		"shorter than headers":    {syn, [][]ruleset.Expr{th(12, 1, 0x40)}, 0, ""},
		"an identification":       {syn, [][]ruleset.Expr{load(ruleset.BaseNetwork, 4, 2, 0, 7)}, 2, "the number in bytes 4 to 5 of the header of IP is 0x0007"},
		"an address of hardware":  {syn, [][]ruleset.Expr{load(ruleset.BaseLink, 6, 6, 2, 0, 0, 0, 0, 9)}, 2, "the sender's hardware address is 02:00:00:00:00:09"},
		"data of a fragment":      {last, [][]ruleset.Expr{th(2, 2, 0, 22)}, 2, "the number in bytes 2 to 3 of the data of the fragment is 0x0016"},
		"a part of another piece": {syn, [][]ruleset.Expr{th(14, 2, 1, 2), th(14, 1, 1)}, -1, ""},
		"a length":                {"udp 10.10.0.9:40000 > 10.10.0.1:53", [][]ruleset.Expr{th(4, 2, 0, 22)}, -1, ""},
		"options and the length":  {syn, [][]ruleset.Expr{doff, option}, -1, ""},
		"what a rule wrote":       {syn, [][]ruleset.Expr{th(14, 2, 1, 2), write, th(14, 2, 1, 1)}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixtures.Host()
			s.Network.LinkNamed("mgmt0").MAC = "02:00:00:00:00:01"
			chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Accept}}
			for i, exprs := range c.rules {
				if exprs[0].Immediate == nil {
					exprs = append(exprs[:len(exprs):len(exprs)], drop)
				}
				chain.Rules = append(chain.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: exprs})
			}
			s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
			f := New(s).Packet(parsed(t, "mgmt0", c.packet))
			if c.fates < 0 && (f.Fate != Unknown || len(f.ByTraffic) > 0) || c.fates == 0 && f.Fate == Unknown || c.fates > 0 && len(f.ByTraffic) != c.fates {
				t.Fatalf("%+v, want %d fates", f, c.fates)
			}
			for _, told := range f.ByTraffic {
				if is := fmt.Sprint(told.If[0].Text) == c.if0; is != (told.Fate.Fate == Drop) {
					t.Errorf("%s if %q", told.Fate.Fate, told.If[0].Text)
				}
			}
		})
	}
}
