package classify

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/wfp"
)

// world makes random filters that are about few values, so that they meet.
type world struct{ *rand.Rand }

func (w *world) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *world) addr(v4 bool) netip.Addr {
	if v4 {
		return netip.AddrFrom4([4]byte{10, 0, byte(w.IntN(2)), byte(w.IntN(8) * 32)})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(w.IntN(8) * 32)})
}

var numbers = map[wfp.Field]uint64{
	wfp.Protocol: 6, wfp.LocalPort: 445, wfp.OriginalProfile: 1, wfp.ArrivalTunnel: 0, wfp.ArrivalType: 6, wfp.ICMPType: 8,
}

var sids = []string{"WD", "SY", "S-1-5-80-1", "S-1-5-80-2", "AN"}

func (w *world) condition(v4 bool) wfp.Condition {
	ordered := []wfp.Match{wfp.Equal, wfp.NotEqual, wfp.Greater, wfp.Less, wfp.GreaterOrEqual, wfp.LessOrEqual, wfp.InRange}
	m := ordered[w.IntN(len(ordered))]
	fields := []wfp.Field{
		wfp.RemoteAddress, wfp.RemoteAddress, wfp.RemotePort, wfp.LocalAddress, wfp.App, wfp.User, wfp.Flags, wfp.QuarantineEpoch,
		wfp.Protocol, wfp.LocalPort, wfp.OriginalProfile, wfp.ArrivalTunnel, wfp.ArrivalType, wfp.ICMPType,
	}
	c := wfp.Condition{Field: fields[w.IntN(len(fields))], Match: m}
	switch c.Field {
	case wfp.RemoteAddress, wfp.LocalAddress:
		a, b := w.addr(v4), w.addr(v4)
		if b.Less(a) {
			a, b = b, a
		}
		if m != wfp.InRange {
			b = a
		}
		c.Value = wfp.Value{Kind: wfp.Address, From: a, To: b}
	case wfp.App:
		c.Match = []wfp.Match{wfp.Equal, wfp.NotEqual, wfp.Prefix, wfp.NotPrefix, wfp.EqualFold}[w.IntN(5)]
		c.Value = wfp.Value{Kind: wfp.Text, Text: w.pick("system", "svchost.exe", "sv")}
	case wfp.User:
		c.Match = []wfp.Match{wfp.Equal, wfp.NotEqual}[w.IntN(2)]
		var text strings.Builder
		text.WriteString(w.pick("D:", "O:LSD:", ""))
		for range 1 + w.IntN(3) {
			fmt.Fprintf(&text, "(%s;;%s;;;%s)", w.pick("A", "A", "D", "XA"), w.pick("CC", "CC", "0x1", "RC"), sids[w.IntN(len(sids))])
		}
		c.Value = wfp.Value{Kind: wfp.SDDL, Text: text.String()}
	case wfp.Flags:
		c.Match = []wfp.Match{wfp.AllSet, wfp.AnySet, wfp.NoneSet, wfp.Equal}[w.IntN(4)]
		c.Value = wfp.Value{Kind: wfp.Number, Lo: uint64(w.IntN(8))}
		c.Value.Hi = c.Value.Lo
	default:
		lo := numbers[c.Field] + uint64(w.IntN(3))
		if c.Field == wfp.RemotePort {
			lo = uint64(1024 * w.IntN(60))
		}
		c.Value = wfp.Value{Kind: wfp.Number, Lo: lo, Hi: lo}
		if m == wfp.InRange {
			c.Value.Hi += uint64(w.IntN(3))
		}
	}
	if w.IntN(40) == 0 {
		c.Value = wfp.Value{Unread: "it is torn"}
	}
	return c
}

func (w *world) filters(v4 bool) ([]wfp.Filter, []wfp.Sublayer) {
	subs := []wfp.Sublayer{{Key: "a", Weight: 2}, {Key: "b", Weight: 100}, {Key: "c", Weight: 65535}}
	actions := []wfp.Action{
		wfp.Permit, wfp.Permit, wfp.Permit, wfp.Permit, wfp.Block, wfp.Block, wfp.Block, wfp.Block, wfp.CalloutInspection,
		wfp.CalloutTerminating, wfp.CalloutUnknown, wfp.Continue,
	}
	var out []wfp.Filter
	for i := range 1 + w.IntN(14) {
		f := wfp.Filter{
			ID: uint64(i), Name: "x", Layer: wfp.Layers()[2-w.IntN(5)/2], V4: v4, Sublayer: subs[w.IntN(3)].Key,
			Weight: uint64(w.IntN(10)), Action: actions[w.IntN(len(actions))], Hard: w.IntN(4) == 0, Boot: w.IntN(20) == 0, Disabled: w.IntN(20) == 0,
		}
		if w.IntN(30) == 0 {
			f.Doubt = "a keyword"
		}
		for range w.IntN(4) {
			f.Conditions = append(f.Conditions, w.condition(v4))
		}
		out = append(out, f)
	}
	return out, subs
}

func (w *world) facts(v4 bool) wfp.Facts {
	f := wfp.Facts{
		wfp.LocalAddress: {Addr: w.addr(v4)}, wfp.App: {Text: w.pick("system", "svchost.exe")},
		wfp.User: {SIDs: []string{"S-1-1-0", w.pick("S-1-5-18", "S-1-5-80-1")}}, wfp.Flags: {Number: uint64(w.IntN(8))},
	}
	for k, n := range numbers {
		f[k] = wfp.Fact{Number: n + uint64(w.IntN(2))}
	}
	if w.IntN(3) == 0 {
		f[wfp.User] = wfp.Fact{SIDs: f[wfp.User].SIDs, More: "its groups were not read", Told: w.pick("", "S-1-5-80-")}
	}
	if w.IntN(3) == 0 {
		u := f[wfp.User]
		u.May = []string{w.pick("S-1-5-80-1", "S-1-5-18", "S-1-5-20")}
		f[wfp.User] = u
	}
	if w.IntN(3) == 0 {
		f[wfp.Flags] = wfp.Fact{Number: f[wfp.Flags].Number, Open: uint64(w.IntN(8)), OpenWhy: "IPsec"}
	}
	if w.IntN(4) == 0 {
		f[wfp.App] = wfp.Fact{Unknown: "the program was not read", Ends: w.pick("", "host.exe", ".EXE")}
	}
	return f
}

// TestAgrees: the set of packets and the single packet have the same fate, for 10,000 random questions; every proof holds.
func TestAgrees(t *testing.T) {
	seen := map[packet.Verdict]int{}
	for seed := range uint64(10_000) {
		w := &world{rand.New(rand.NewPCG(seed, 1))}
		v4 := w.IntN(2) == 0
		filters, subs := w.filters(v4)
		facts := w.facts(v4)
		q := &wfp.Question{V4: v4, Facts: facts, From: []wfp.Span{wfp.Every(v4)}, Ports: wfp.AllPorts}
		if w.IntN(2) == 0 {
			q.From, q.Ports = []wfp.Span{wfp.SpanOf(netip.PrefixFrom(w.addr(v4), 24))}, wfp.PortSpan{From: 1024, To: 65535}
		}
		a := wfp.New(filters, subs).For(facts).Ask(q)
		c := New(filters, subs).For(facts)
		seen[a.Verdict]++
		if _, err := c.Check(q, &a); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, a.Verdict, err)
		}
		for range 20 {
			p := netip.AddrPortFrom(w.addr(v4), uint16(w.IntN(65536)))
			if w.IntN(2) == 0 {
				p = netip.AddrPortFrom(p.Addr().Next(), p.Port())
			}
			var got packet.Verdict
			for _, x := range a.Parts {
				if !p.Addr().Less(x.From) && !x.To.Less(p.Addr()) && p.Port() >= x.Ports.From && p.Port() <= x.Ports.To {
					got = x.Verdict
				}
			}
			if want := c.Verdict(&Packet{p, facts}); asked(q, p) && got != want {
				t.Fatalf("seed %d: %s: sets %q, packet %q", seed, p, got, want)
			}
		}
	}
	for _, v := range []packet.Verdict{packet.Reachable, packet.Unreachable, packet.Unknown} {
		if seen[v] < 500 {
			t.Errorf("%d answers are %s", seen[v], v)
		}
	}
}

// TestCheckRefuses: a proof that is not one is told.
func TestCheckRefuses(t *testing.T) {
	block := wfp.Filter{ID: 1, Layer: wfp.RecvAccept, V4: true, Sublayer: "a", Action: wfp.Block, Conditions: []wfp.Condition{{
		Field: wfp.RemoteAddress, Match: wfp.InRange,
		Value: wfp.Value{Kind: wfp.Address, From: netip.MustParseAddr("10.0.0.0"), To: netip.MustParseAddr("10.0.0.127")},
	}}}
	c := New([]wfp.Filter{block}, nil)
	q := &wfp.Question{V4: true, From: []wfp.Span{wfp.SpanOf(netip.MustParsePrefix("10.0.0.0/24"))}, Ports: wfp.AllPorts}
	part := func(p string) wfp.Part {
		return wfp.Part{Box: wfp.Box{Span: wfp.SpanOf(netip.MustParsePrefix(p)), Ports: wfp.AllPorts}, Verdict: packet.Unreachable}
	}
	for name, parts := range map[string][]wfp.Part{
		"nothing":              nil,
		"a hole":               {part("10.0.0.0/25")},
		"twice the same":       {part("10.0.0.0/25"), part("10.0.0.0/25")},
		"more than was asked":  {part("10.0.0.0/23")},
		"what is not blocked":  {part("10.0.0.0/24")},
		"packets let through":  {part("10.0.0.0/25"), part("10.0.0.128/25")},
		"another part's doubt": {part("10.0.0.0/25"), {Box: part("10.0.0.128/25").Box, Verdict: packet.Unknown}},
	} {
		if _, err := c.Check(q, &wfp.Answer{Verdict: packet.Unreachable, Parts: parts}); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	q.From = []wfp.Span{wfp.SpanOf(netip.MustParsePrefix("10.0.0.0/25"))}
	if _, err := c.Check(q, &wfp.Answer{Verdict: packet.Unreachable, Parts: []wfp.Part{part("10.0.0.64/26"), part("10.0.0.0/26")}}); err != nil {
		t.Errorf("a proof is refused: %v", err)
	}
	for _, w := range []string{"10.0.0.1:5000", "10.0.1.1:5000"} {
		if _, err := c.Check(q, &wfp.Answer{Verdict: packet.Reachable, Witness: netip.MustParseAddrPort(w)}); err == nil {
			t.Errorf("the witness %s passes", w)
		}
	}
	if !slices.Equal(q.From, []wfp.Span{wfp.SpanOf(netip.MustParsePrefix("10.0.0.0/25"))}) {
		t.Error("the question was changed")
	}
}
