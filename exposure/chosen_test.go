package exposure

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
)

// TestWhatTheSenderChooses: a rule for what a sender writes beside addresses and ports, or for the time, lets packets through on that condition, and
// rules that contradict each other let none.
func TestWhatTheSenderChooses(t *testing.T) {
	load := func(off, n uint32) []ruleset.Expr {
		return []ruleset.Expr{{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: off, Len: n, Dreg: 1}}}
	}
	cmp := func(op string, data ...byte) []ruleset.Expr {
		return []ruleset.Expr{{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: op, Data: data}}}
	}
	swap := []ruleset.Expr{{Name: "byteorder", Byteorder: &ruleset.Byteorder{Sreg: 1, Dreg: 1, Hton: true, Len: 4, Size: 4}}}
	hour := []ruleset.Expr{{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaTimeHour, Dreg: 1}}}
	seconds := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	ttl, length := load(8, 1), load(2, 2)
	mask := func(n byte) []ruleset.Expr {
		return []ruleset.Expr{{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 1, Op: "mask", Mask: ruleset.Hex{n}, Xor: ruleset.Hex{0}}}}
	}
	service, dscp, ecn := load(1, 1), mask(0xfc), mask(3)
	ip := meta(ruleset.MetaNfproto, 2)
	day := meta(ruleset.MetaTimeDay, 1)
	option := func(present bool) []ruleset.Expr {
		x := ruleset.Exthdr{Op: ruleset.ExthdrTCP, Type: 4, Len: 1, Present: true, Dreg: 1}
		want := byte(0)
		if present {
			want = 1
		}
		return join([]ruleset.Expr{{Name: "exthdr", Extra: &ruleset.Extra{Exthdr: &x}}}, cmp("==", want))
	}
	window := []ruleset.Expr{{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 14, Len: 2, Dreg: 1}}}
	few, many := join(load(15, 1), cmp("==", 9)), join(load(15, 1), cmp("==", 8)) // senders
	for name, c := range map[string]struct {
		rules [][]ruleset.Expr
		want  packet.Verdict
		when  string
	}{
		"a time to live":                  {[][]ruleset.Expr{join(ip, ttl, cmp("==", 64), accepted)}, packet.Reachable, "the time to live is 64"},
		"one above another":               {[][]ruleset.Expr{join(ip, ttl, cmp("<", 100), dropped), join(ip, ttl, cmp("<=", 200), accepted)}, packet.Reachable, "the time to live is 100-200"},
		"two that contradict each other":  {[][]ruleset.Expr{join(ip, ttl, cmp("!=", 64), dropped), join(ip, ttl, cmp("==", 5), accepted)}, packet.Unknown, ""},
		"one that decides nothing":        {[][]ruleset.Expr{join(ip, ttl, cmp("==", 64), dropped), accepted}, packet.Reachable, "the time to live is "},
		"none, whatever the time to live": {[][]ruleset.Expr{join(ip, ttl, cmp("==", 64), dropped), dropped}, packet.Unreachable, ""},
		"a length":                        {[][]ruleset.Expr{join(ip, length, cmp(">", 0, 100), accepted)}, packet.Reachable, "the length in the header is 101-65535"},
		"no length of that kind":          {[][]ruleset.Expr{join(ip, length, cmp("<", 0, 30), accepted)}, packet.Unknown, ""},
		"a type of service":               {[][]ruleset.Expr{join(ip, service, dscp, cmp("==", 0x20), accepted)}, packet.Reachable, "the type of service is 32-35"},
		"one that is no other":            {[][]ruleset.Expr{join(ip, service, dscp, cmp("==", 0x20), dropped), join(ip, service, dscp, cmp("<", 0x40), accepted)}, packet.Reachable, "the type of service is 0-31"},
		"a congestion bit":                {[][]ruleset.Expr{join(ip, service, ecn, cmp("==", 2), accepted)}, packet.Reachable, "the type of service is 2 or 6 or 10"},
		"no type of service of that kind": {[][]ruleset.Expr{join(ip, service, dscp, cmp("==", 0x20), dropped), join(ip, service, dscp, cmp("==", 0x20), accepted)}, packet.Unreachable, ""},
		"no type of service, whatever":    {[][]ruleset.Expr{join(ip, service, dscp, cmp("==", 0x20), dropped), dropped}, packet.Unreachable, ""},
		"the time of day":                 {[][]ruleset.Expr{join(hour, swap, cmp(">=", seconds(8*3600)...), cmp("<=", seconds(17*3600)...), accepted)}, packet.Reachable, "08:00:00-17:00:00"},
		"a day":                           {[][]ruleset.Expr{join(day, accepted)}, packet.Reachable, "the day of the week is Monday"},
		"bytes of a header":               {[][]ruleset.Expr{join(window, cmp("==", 1, 2), accepted)}, packet.Reachable, "bytes 14 to 15 of the transport header is 0x0102"},
		"the same, asked for twice":       {[][]ruleset.Expr{join(window, cmp("==", 1, 2), dropped), join(window, cmp("==", 1, 2), accepted)}, packet.Unknown, ""},
		"the fewest conditions":           {[][]ruleset.Expr{join(ip, many, ttl, cmp("==", 64), window, cmp("==", 1, 2), accepted), join(ip, few, ttl, cmp("==", 64), accepted)}, packet.Reachable, "the time to live is 64"},
		"an option":                       {[][]ruleset.Expr{join(option(true), accepted)}, packet.Reachable, "the packet has option 4 of TCP"},
		"an option, there and not there":  {[][]ruleset.Expr{join(option(false), dropped), join(option(false), accepted)}, packet.Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
			s.NFTables.Ruleset = table("input", ruleset.Drop, c.rules...)
			a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.0/24"), Proto: "tcp", Dport: 22, To: reach.Target{Host: true}, Family: 4})
			var when []string
			for _, x := range a.If {
				when = append(when, x.Text)
			}
			if a.Verdict != c.want || !strings.Contains(strings.Join(when, "; "), c.when) || strings.Contains(reasons(a), "not confirmed") {
				t.Errorf("%s if %q, %s", a.Verdict, when, reasons(a))
			}
			if name == "the fewest conditions" && len(when) != 1 {
				t.Errorf("%q", when)
			}
			if a.Verdict == packet.Reachable && strings.Contains(c.when, "time to live is 100") && a.Witness.TTL != 100 {
				t.Errorf("the witness has a time to live of %d", a.Witness.TTL)
			}
		})
	}
}
