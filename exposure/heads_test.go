package exposure

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
)

// TestHeadersThatSendersAdd: options of IP and extension headers lead past rules that ask for the first header, and through those that ask for them: that
// is unknown and no proof. Rules for the protocol see through them.
func TestHeadersThatSendersAdd(t *testing.T) {
	load := func(base string, off, n uint32) []ruleset.Expr {
		return []ruleset.Expr{{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: off, Len: n, Dreg: 1}}}
	}
	cmp := func(op string, data ...byte) []ruleset.Expr {
		return []ruleset.Expr{{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: op, Data: data}}}
	}
	exthdr := func(op, typ uint32) []ruleset.Expr {
		x := ruleset.Exthdr{Op: op, Type: typ, Len: 1, Present: true, Dreg: 1}
		return join([]ruleset.Expr{{Name: "exthdr", Extra: &ruleset.Extra{Exthdr: &x}}}, cmp("==", 1))
	}
	low := []ruleset.Expr{{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 1, Op: "mask", Mask: ruleset.Hex{0x0f}, Xor: ruleset.Hex{0}}}}
	low4 := []ruleset.Expr{{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: ruleset.Hex{0, 0, 0xff, 0}, Xor: ruleset.Hex{0, 0, 0, 0}}}}
	tcp, port := meta(ruleset.MetaL4proto, packet.TCP), join(load(ruleset.BaseTransport, 2, 2), cmp("==", 0, 22))
	next := join(load(ruleset.BaseNetwork, 6, 1), cmp("==", packet.TCP))
	for name, c := range map[string]struct {
		family int
		rules  [][]ruleset.Expr
		want   packet.Verdict
	}{
		"the protocol is let through":        {6, [][]ruleset.Expr{join(tcp, port, accepted)}, packet.Reachable},
		"the first header is let through":    {6, [][]ruleset.Expr{join(next, port, accepted)}, packet.Reachable},
		"the first header of another port":   {6, [][]ruleset.Expr{join(next, load(ruleset.BaseTransport, 2, 2), cmp("==", 0, 23), accepted)}, packet.Unreachable},
		"the protocol is stopped":            {6, [][]ruleset.Expr{join(tcp, port, dropped), accepted}, packet.Unreachable},
		"the first header is stopped":        {6, [][]ruleset.Expr{join(next, port, dropped), accepted}, packet.Unknown},
		"another protocol's first header is": {6, [][]ruleset.Expr{join(load(ruleset.BaseNetwork, 6, 1), cmp("==", packet.ICMPv6), accepted)}, packet.Unreachable},
		"all but another protocol's is stopped": {6, [][]ruleset.Expr{
			join(load(ruleset.BaseNetwork, 6, 1), cmp("!=", packet.ICMPv6), dropped), accepted,
		}, packet.Unreachable},
		"what can come first is let through":  {6, [][]ruleset.Expr{join(load(ruleset.BaseNetwork, 6, 1), cmp("==", 60), accepted)}, packet.Unknown},
		"two of the words before the sender":  {6, [][]ruleset.Expr{join(load(ruleset.BaseNetwork, 4, 4), low4, cmp("==", 0, 0, packet.ICMPv6, 0), accepted)}, packet.Unknown},
		"an extension header is let through":  {6, [][]ruleset.Expr{join(exthdr(ruleset.ExthdrIPv6, 60), accepted)}, packet.Unknown},
		"one is stopped, and all others":      {6, [][]ruleset.Expr{join(exthdr(ruleset.ExthdrIPv6, 60), dropped)}, packet.Unreachable},
		"one is stopped, and nothing else":    {6, [][]ruleset.Expr{join(exthdr(ruleset.ExthdrIPv6, 60), dropped), accepted}, packet.Reachable},
		"an option of IP is let through":      {4, [][]ruleset.Expr{join(exthdr(ruleset.ExthdrIPv4, 7), accepted)}, packet.Unknown},
		"a longer header is let through":      {4, [][]ruleset.Expr{join(load(ruleset.BaseNetwork, 0, 1), low, cmp(">", 5), accepted)}, packet.Unknown},
		"a header without options is stopped": {4, [][]ruleset.Expr{join(load(ruleset.BaseNetwork, 0, 1), low, cmp("==", 5), dropped), accepted}, packet.Unknown},
		"the protocol of IPv4 is stopped":     {4, [][]ruleset.Expr{join(load(ruleset.BaseNetwork, 9, 1), cmp("==", packet.TCP), dropped), accepted}, packet.Unreachable},
	} {
		s := host()
		listen(s, s.Network.HostNetns(), "::", 22)
		s.NFTables.Ruleset = table("input", ruleset.Drop, c.rules...)
		s.NFTables.Ruleset.Tables[0].Family = map[int]string{4: "ip", 6: "ip6"}[c.family]
		from := map[int]string{4: "203.0.113.0/24", 6: "2001:db8:1::/64"}[c.family]
		a := ask(t, s, &reach.Question{From: at(ext0, from), Proto: "tcp", Dport: 22, To: reach.Target{Host: true}, Family: c.family})
		if a.Verdict != c.want || strings.Contains(reasons(a), "not confirmed") {
			t.Errorf("%s: %s, %s", name, a.Verdict, reasons(a))
		}
	}
}
