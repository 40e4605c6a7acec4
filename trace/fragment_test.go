package trace

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestDatagramsHaveTheFirstHeader: a datagram has the header of its first fragment, so that what rules write into that one alone is so for
// another too, whichever field that is.
func TestDatagramsHaveTheFirstHeader(t *testing.T) {
	dport := func(n byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 8}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: []byte{0, n}}},
		}
	}
	put := func(p *ruleset.Payload, data ...byte) []ruleset.Expr {
		p.Set, p.Sreg, p.Len = true, 8, uint32(len(data))
		return append(dport(22), ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 8, Data: data}}, ruleset.Expr{Name: "payload", Payload: p})
	}
	ttl := []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8, Len: 1, Dreg: 8}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: []byte{5}}},
		drop,
	}
	for _, c := range []struct {
		name, frag string
		written    []ruleset.Expr
		asked      []ruleset.Expr
		want       Outcome
	}{
		{"the time to live of the first", "first", put(&ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8}, 5), ttl, Drop},
		{"the time to live of the last", "last", put(&ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 8}, 5), ttl, Drop},
		{"the port of the first", "first", put(&ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2}, 0, 80), append(dport(80), drop), Drop},
		{"the port of the last", "last", put(&ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2}, 0, 80), append(dport(80), drop), Drop},
	} {
		s := fixtures.Host()
		before := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -450, Policy: ruleset.Accept}}
		before.Rules = []ruleset.Rule{{Exprs: c.written}}
		in := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
		in.Rules = []ruleset.Rule{{Exprs: c.asked}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{before, in}}}}
		p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		p.Frag, p.TTL = c.frag, 64
		if c.frag == "last" {
			p.Data = "0000000000000000"
		}
		if f := New(s).Packet(p); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", c.name, f, c.want)
		}
	}
}

// TestFragmentsThatDoNotCome: a fragment whose datagram lacks another one goes no further than to where they are put together; what becomes of one
// that rules take by its data, its sender decides.
func TestFragmentsThatDoNotCome(t *testing.T) {
	load := func(base string, off uint32, mask, want []byte) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: off, Len: 2, Dreg: 8}},
			{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 8, Dreg: 8, Len: 2, Op: "mask", Mask: mask, Xor: []byte{0, 0}}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: want}},
			drop,
		}
	}
	port := load(ruleset.BaseTransport, 2, []byte{0xff, 0xff}, []byte{0, 22})
	offset := load(ruleset.BaseNetwork, 6, []byte{0x1f, 0xff}, []byte{0, 0}) // of the first
	later := slices.Concat(offset[:2], []ruleset.Expr{
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "!=", Data: []byte{0, 0}}}, {Name: "limit", Limit: &ruleset.Limit{Rate: 10, Per: 60, Burst: 5, Over: true}}, drop,
	})
	for _, c := range []struct {
		name, frag, to string
		rule           []ruleset.Expr
		want           Outcome
		fates          int
	}{
		{"the last, where the first is dropped", "last", "10.10.0.1:22", offset, Drop, 0},
		{"what is forwarded is not put together", "last", "203.0.113.9:22", offset, Forward, 0},
		{"the first, where data of the others may be dropped", "first", "10.10.0.1:80", port, Unknown, 2},
		{"the first, where not the sender decides about the others", "first", "10.10.0.1:80", later, Unknown, 0},
	} {
		s := fixtures.Host()
		before := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -450, Policy: ruleset.Accept}}
		before.Rules = []ruleset.Rule{{Exprs: c.rule}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{before}}}}
		p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > "+c.to+" syn")
		p.Frag = c.frag
		if f := New(s).Packet(p); f.Fate != c.want || len(f.ByTraffic) != c.fates {
			t.Errorf("%s: %+v, want %s and %d fates", c.name, f, c.want, c.fates)
		}
	}
}

// TestProgramsThatStopOtherFragments: a fragment that programs let pass waits for those that they do not.
func TestProgramsThatStopOtherFragments(t *testing.T) {
	for _, c := range []struct {
		name  string
		stops func(b []byte) bool // by the header of IP
		frag  string
		want  Outcome
		fates int
	}{
		{"nothing", func([]byte) bool { return false }, "first", Local, 0},
		{"later ones", func(b []byte) bool { return b[6]&0x1f != 0 || b[7] != 0 }, "first", Drop, 0},
		{"the first", func(b []byte) bool { return b[6]&0x1f == 0 && b[7] == 0 }, "last", Drop, 0},
		{"those of some data", func(b []byte) bool { return b[7] != 0 && b[20] > 100 }, "first", Unknown, 0},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		l := s.Network.LinkNamed("mgmt0")
		l.Programs, l.TC = at(snapshot.PlaceTCXIngress), []string{snapshot.PlaceTCXIngress}
		tr := New(s)
		tr.Ask(answers{1: func(_ packet.Attached, f *packet.Frame) (packet.Ran, error) {
			r := packet.Ran{Verdict: tcNext, Data: f.Data, Mark: f.Mark, Priority: f.Priority}
			if c.stops(f.Data[14:]) {
				r.Verdict = tcShot
			}
			return r, nil
		}})
		p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		p.Frag = c.frag
		if f := tr.Packet(p); f.Fate != c.want || len(f.ByTraffic) != c.fates {
			t.Errorf("%s: %+v, want %s", c.name, f, c.want)
		}
	}
}

// TestPiecesOfFragmentsOfIPv6: a number that the sender writes is the same before and after fragments are put together, where it moves to the front.
func TestPiecesOfFragmentsOfIPv6(t *testing.T) {
	seq := func(op string) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 4, Len: 4, Dreg: 8}}, {Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: op, Data: []byte{0, 0, 0, 1}}}, drop,
		}
	}
	tracked := []ruleset.Expr{{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtState, Dreg: 8}}}
	s := fixtures.Networks(1, 1)
	before := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -450, Policy: ruleset.Accept}}
	before.Rules = []ruleset.Rule{{Handle: 1, Exprs: seq("==")}}
	in := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	in.Rules = []ruleset.Rule{{Handle: 2, Exprs: tracked}, {Handle: 3, Exprs: seq("!=")}}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{before, in}}}}
	p := parsed(t, "ext0", "tcp [2001:db8::9]:40000 > [2001:db8::1]:22 syn")
	p.Frag = "first"
	if f := New(s).Packet(p); f.Fate != Drop {
		t.Errorf("%+v, want %s whatever the number is", f, Drop)
	}
}
