package wfp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/packet"
)

// TestArbitration: what becomes of one packet by what the sublayers say, the heaviest first.
func TestArbitration(t *testing.T) {
	type says struct {
		action Action
		hard   bool
	}
	for name, c := range map[string]struct {
		list []says
		want packet.Verdict
	}{
		"nothing":                         {nil, packet.Reachable},
		"a permit":                        {[]says{{Permit, false}}, packet.Reachable},
		"a block":                         {[]says{{Block, false}}, packet.Unreachable},
		"a block below a permit":          {[]says{{Permit, false}, {Block, false}}, packet.Unreachable},
		"a permit below a block":          {[]says{{Block, false}, {Permit, false}}, packet.Unreachable},
		"a hard permit below a block":     {[]says{{Block, false}, {Permit, true}}, packet.Unreachable},
		"a block below a hard permit":     {[]says{{Permit, true}, {Block, false}}, packet.Reachable},
		"a hard block below a permit":     {[]says{{Permit, true}, {Block, true}}, packet.Reachable},
		"a callout":                       {[]says{{CalloutTerminating, false}}, packet.Unknown},
		"a block below a callout":         {[]says{{CalloutTerminating, false}, {Block, false}}, packet.Unknown},
		"a callout below a block":         {[]says{{Block, false}, {CalloutUnknown, false}}, packet.Unreachable},
		"a callout below a hard permit":   {[]says{{Permit, true}, {CalloutTerminating, false}}, packet.Unknown},
		"a callout that watches":          {[]says{{CalloutInspection, false}}, packet.Reachable},
		"a callout that watches, blocked": {[]says{{CalloutInspection, false}, {Block, false}}, packet.Unreachable},
	} {
		var filters []Filter
		var subs []Sublayer
		for i, s := range c.list {
			key := string(rune('a' + i))
			subs = append(subs, Sublayer{Key: key, Weight: uint16(100 - i)})
			filters = append(filters, Filter{ID: uint64(i), Layer: RecvAccept, V4: true, Sublayer: key, Action: s.action, Hard: s.hard})
		}
		q := &Question{V4: true, From: []Span{SpanOf(netip.MustParsePrefix("192.0.2.0/24"))}, Ports: AllPorts}
		if a := New(filters, subs).Ask(q); a.Verdict != c.want {
			t.Errorf("%s: %s", name, a.Verdict)
		}
	}
}

// TestLayersAddUp: what one layer blocks no other lets through, and a doubt in one leaves the answer open.
func TestLayersAddUp(t *testing.T) {
	q := &Question{V4: true, From: []Span{SpanOf(netip.MustParsePrefix("192.0.2.0/24"))}, Ports: AllPorts}
	at := func(l Layer, a Action) Filter {
		return Filter{Layer: l, V4: true, Action: a, Name: "n", Callout: "driver"}
	}
	for name, c := range map[string]struct {
		list []Filter
		want packet.Verdict
	}{
		"blocked below":       {[]Filter{at(InboundIPPacket, Block), at(RecvAccept, Permit)}, packet.Unreachable},
		"blocked above":       {[]Filter{at(InboundTransport, Permit), at(RecvAccept, Block)}, packet.Unreachable},
		"in doubt below":      {[]Filter{at(InboundIPPacket, CalloutTerminating), at(RecvAccept, Permit)}, packet.Unknown},
		"in doubt, then shut": {[]Filter{at(InboundIPPacket, CalloutTerminating), at(RecvAccept, Block)}, packet.Unreachable},
	} {
		a := New(c.list, nil).Ask(q)
		if a.Verdict != c.want || c.want == packet.Unknown && !strings.Contains(a.Parts[0].Because[0].Text, "driver") {
			t.Errorf("%s: %s, %+v", name, a.Verdict, a.Parts)
		}
	}
}

// TestAlternatives: conditions on one field are alternatives, those on several must all hold.
func TestAlternatives(t *testing.T) {
	port := func(n uint64) Condition {
		return Condition{Field: LocalPort, Match: Equal, Value: Value{Kind: Number, Lo: n, Hi: n}}
	}
	from := func(s string) Condition {
		span := SpanOf(netip.MustParsePrefix(s))
		return Condition{Field: RemoteAddress, Match: InRange, Value: Value{Kind: Address, From: span.From, To: span.To}}
	}
	permit := Filter{ID: 7, Name: "open", Layer: RecvAccept, V4: true, Action: Permit, Weight: 1, Conditions: []Condition{port(22), from("10.1.0.0/16"), port(23), from("10.3.0.0/16")}}
	e := New([]Filter{permit, {ID: 8, Name: "rest", Layer: RecvAccept, V4: true, Action: Block}}, nil)
	for n, want := range map[uint64]packet.Verdict{22: packet.Reachable, 23: packet.Reachable, 24: packet.Unreachable} {
		a := e.Ask(&Question{V4: true, Facts: Facts{LocalPort: {Number: n}}, From: []Span{Every(true)}, Ports: AllPorts})
		if a.Verdict != want || want == packet.Reachable && a.Witness.Addr() != netip.MustParseAddr("10.1.0.2") {
			t.Errorf("%d: %s by %s", n, a.Verdict, a.Witness)
		}
		if want == packet.Reachable && len(a.Parts) != 5 {
			t.Errorf("%d parts", len(a.Parts))
		}
	}
	a := e.Ask(&Question{V4: true, From: []Span{Every(true)}, Ports: AllPorts})
	if a.Verdict != packet.Unknown {
		t.Errorf("without a local port: %s", a.Verdict)
	}
}

// TestTokens: a security descriptor is matched as an access check does, also where the SIDs of the listener are not all known.
func TestTokens(t *testing.T) {
	for sddl, want := range map[string]truth{
		"D:(A;;CC;;;WD)":                       yes,
		"O:LSD:(A;;CC;;;S-1-5-80-7)":           no,
		"D:(D;;CC;;;SY)(A;;CC;;;WD)":           no,
		"D:(A;;CC;;;WD)(D;;CC;;;SY)":           yes,
		"D:(A;;RC;;;WD)":                       no,
		"D:(XA;;CC;;;WD;(@User.a == 1))":       maybe,
		"D:(A;IO;CC;;;WD)":                     no,
		"(A;;CC;;;S-1-5-18)":                   yes,
		"O:LS":                                 yes,
		"D:":                                   no,
		"D:(A;;CC;;;WD":                        maybe,
		"D:(Q;;CC;;;WD)":                       maybe,
		"D:(A;;0x1;;;WD)S:(AU;SA;CC;;;WD)":     yes,
		"D:(A;;GA;;;sy)":                       yes,
		"D:(D;;CC;;;S-1-5-80-7)(A;;CC;;;WD)":   yes,
		"D:(XD;;CC;;;WD;(a))(A;;CC;;;S-1-1-0)": maybe,
		"D:(A;;CC;;;BU)":                       maybe, // it may have that group
		"D:(D;;CC;;;S-1-2-1)(A;;CC;;;WD)":      maybe,
		"D:(A;;CC;;;DA)":                       maybe, // a group of the domain has another SID on each
		"D:(A;;CC;;;RD)":                       no,
		"D:(A;;CC;;;WD)(A;;CC;;;BU)":           yes,
	} {
		c := Condition{Field: User, Match: Equal, Value: Value{Kind: SDDL, Text: sddl}}
		if got, _ := c.holds(Fact{SIDs: []string{"S-1-1-0", "S-1-5-18"}, May: []string{"S-1-5-32-545", "S-1-2-1"}}, true); got != want {
			t.Errorf("%s: %d, want %d", sddl, got, want)
		}
	}
	c := Condition{Field: User, Match: Equal, Value: Value{Kind: SDDL, Text: "D:(A;;CC;;;S-1-5-80-7)"}}
	if got, why := c.holds(Fact{SIDs: []string{"S-1-1-0"}, More: "its services were not read"}, true); got != maybe || why != "its services were not read" {
		t.Errorf("%d, %s", got, why)
	}
}

// TestTies: of filters that weigh the same it is not known which is asked first, where both match.
func TestTies(t *testing.T) {
	about := func(s string) []Condition {
		span := SpanOf(netip.MustParsePrefix(s))
		return []Condition{{Field: RemoteAddress, Match: InRange, Value: Value{Kind: Address, From: span.From, To: span.To}}}
	}
	e := New([]Filter{
		{ID: 1, Layer: RecvAccept, V4: true, Action: Permit, Weight: 5, Conditions: about("10.0.0.0/8")},
		{ID: 2, Layer: RecvAccept, V4: true, Action: Block, Weight: 5, Conditions: about("10.1.0.0/16")},
		{ID: 3, Layer: RecvAccept, V4: true, Action: Block, Weight: 1},
	}, nil)
	for from, want := range map[string]packet.Verdict{"10.1.2.0/24": packet.Unknown, "10.2.0.0/16": packet.Reachable, "11.0.0.0/8": packet.Unreachable} {
		a := e.Ask(&Question{V4: true, From: []Span{SpanOf(netip.MustParsePrefix(from))}, Ports: AllPorts})
		if a.Verdict != want {
			t.Errorf("%s: %s", from, a.Verdict)
		}
	}
}

// TestWithoutManySpans: what a span has besides many others is what is between them, and is found in less than the square of their number.
func TestWithoutManySpans(t *testing.T) {
	address := func(n uint32) netip.Addr { return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n))) }
	const many = 150_000
	var have, other []Span
	for i := range uint32(many) {
		have = append(have, Span{address(8*i + 1), address(8*i + 4)})
		other = append(other, Span{address(8*i + 3), address(8*i + 6)})
	}
	start := time.Now()
	for i, s := range have {
		if got, want := s.Without(other), (Span{s.From, s.From.Next()}); len(got) != 1 || got[0] != want {
			t.Fatalf("%d: %v", i, got)
		}
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Error(took)
	}
	if got := (Span{address(0), address(17)}).Without(other[:2]); len(got) != 3 || got[2].From != address(15) {
		t.Error(got)
	}
}

// TestManyTies: of many filters that weigh the same a part keeps some, and stays unknown: all of each part would take their square.
func TestManyTies(t *testing.T) {
	var filters []Filter
	span := SpanOf(netip.MustParsePrefix("10.0.0.0/8"))
	for i := range 1000 {
		filters = append(filters, Filter{
			ID: uint64(i), Name: fmt.Sprint("filter ", i), Layer: RecvAccept, V4: true, Action: []Action{Permit, Block}[i%2], Weight: 5,
			Conditions: []Condition{{Field: RemoteAddress, Match: InRange, Value: Value{Kind: Address, From: span.From, To: span.To}}},
		})
	}
	a := New(filters, nil).Ask(&Question{V4: true, From: []Span{span}, Ports: AllPorts})
	if a.Verdict != packet.Unknown || len(a.Parts) != 1 || len(a.Parts[0].Because) != maxCauses {
		t.Errorf("%s, %d parts, the first for %d reasons", a.Verdict, len(a.Parts), len(a.Parts[0].Because))
	}
}

// TestManySublayers: filters that each have a sublayer of their own are put in order in less than the square of their number.
func TestManySublayers(t *testing.T) {
	var filters []Filter
	for i := range 120_000 {
		filters = append(filters, Filter{ID: uint64(i), Layer: RecvAccept, V4: true, Action: Block, Sublayer: fmt.Sprintf("{b3cdd441-af90-41ba-a745-%012d}", i)})
	}
	start := time.Now()
	if e := New(filters, nil); len(e.places[place{RecvAccept, true}]) != len(filters) || e.Size() != len(filters) {
		t.Error("sublayers are missing")
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Error(took)
	}
}
