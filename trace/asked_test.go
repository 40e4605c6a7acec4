package trace

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// answers runs programs by their numbers.
type answers map[uint32]func(at packet.Attached, f *packet.Frame) (packet.Ran, error)

func (a answers) Run(at packet.Attached, id uint32, _ string, f *packet.Frame) (packet.Ran, error) {
	return a[id](at, f)
}

func verdicts(n uint32) func(packet.Attached, *packet.Frame) (packet.Ran, error) {
	return func(_ packet.Attached, f *packet.Frame) (packet.Ran, error) {
		return packet.Ran{Verdict: n, Data: f.Data, Mark: f.Mark, Priority: f.Priority}, nil
	}
}

// TestAskedPrograms: what programs answer decides, in their order; what cannot be told by their answers is unknown.
func TestAskedPrograms(t *testing.T) {
	next := uint32(tcNext)
	with := func(f func(f *packet.Frame, r *packet.Ran)) func(packet.Attached, *packet.Frame) (packet.Ran, error) {
		return func(_ packet.Attached, frame *packet.Frame) (packet.Ran, error) {
			r := packet.Ran{Verdict: next, Data: append([]byte(nil), frame.Data...), Mark: frame.Mark, Priority: frame.Priority}
			f(frame, &r)
			return r, nil
		}
	}
	for _, c := range []struct {
		name  string
		list  []snapshot.LinkProgram
		by    answers
		want  Outcome
		why   string
		first string // a rule by the mark that it gives
	}{
		{name: "passes", list: at(snapshot.PlaceTCXIngress), by: answers{1: verdicts(next)}, want: Local},
		{name: "drops", list: at(snapshot.PlaceTCXIngress), by: answers{1: verdicts(tcShot)}, want: Drop},
		{name: "XDP passes", list: at(snapshot.PlaceXDP), by: answers{1: verdicts(xdpPass)}, want: Local},
		{name: "XDP aborts", list: at(snapshot.PlaceXDP), by: answers{1: verdicts(0)}, want: Drop},
		{name: "XDP sends back", list: at(snapshot.PlaceXDP), by: answers{1: verdicts(xdpTX)}, want: Unknown, why: "another way"},
		{name: "redirects", list: at(snapshot.PlaceTCXIngress), by: answers{1: verdicts(tcRedirect)}, want: Unknown, why: "another way"},
		{name: "tcx lets pass before a filter drops", list: at(snapshot.PlaceTCXIngress, snapshot.PlaceTCIngress), by: answers{1: verdicts(tcOK), 2: verdicts(tcShot)}, want: Local},
		{name: "tcx goes on to a filter that drops", list: at(snapshot.PlaceTCXIngress, snapshot.PlaceTCIngress), by: answers{1: verdicts(next), 2: verdicts(tcShot)}, want: Drop},
		{name: "a filter steals", list: at(snapshot.PlaceTCIngress), by: answers{1: verdicts(tcStolen)}, want: Drop},
		{name: "tcx has no such answer", list: at(snapshot.PlaceTCXIngress), by: answers{1: verdicts(tcStolen)}, want: Local},
		{name: "a filter of another protocol", list: []snapshot.LinkProgram{{Place: snapshot.PlaceTCIngress, ID: 1, Protocol: 0x86dd}}, by: answers{1: verdicts(tcShot)}, want: Local},
		{name: "is not run", list: at(snapshot.PlaceTCXIngress), by: answers{1: func(packet.Attached, *packet.Frame) (packet.Ran, error) {
			return packet.Ran{}, errors.New("it writes into a map")
		}}, want: Unknown, why: "the program p1 at tcx ingress of mgmt0 is not asked: it writes into a map"},
		{name: "by the time to live", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(f *packet.Frame, r *packet.Ran) {
			if f.Data[22] > 64 {
				r.Verdict = tcShot
			}
		})}, want: Unknown, why: "leaves open"},
		{name: "drops the answer", list: at(snapshot.PlaceTCXEgress), by: answers{1: with(func(f *packet.Frame, r *packet.Ran) {
			if binary.BigEndian.Uint16(f.Data[34:]) == 22 && f.Data[47] == 18 && netip.AddrFrom4([4]byte(f.Data[30:34])) == netip.MustParseAddr("10.10.0.9") {
				r.Verdict = tcShot
			}
		})}, want: Unknown, why: "lets no answer pass"},
		{name: "lets the answer pass", list: at(snapshot.PlaceTCXEgress), by: answers{1: with(func(f *packet.Frame, r *packet.Ran) {
			if f.Data[47] != 18 {
				r.Verdict = tcShot
			}
		})}, want: Local},
		{name: "marks", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(_ *packet.Frame, r *packet.Ran) { r.Mark = 7 })}, want: Drop, first: "mark"},
		{name: "marks nothing", list: at(snapshot.PlaceTCXIngress), by: answers{1: verdicts(next)}, want: Local, first: "mark"},
		{name: "another port", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(_ *packet.Frame, r *packet.Ran) {
			binary.BigEndian.PutUint16(r.Data[36:], 9999)
			resum(r.Data)
		})}, want: Drop},
		{name: "a wrong checksum", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(_ *packet.Frame, r *packet.Ran) { r.Data[26] ^= 1 })}, want: Drop},
		{name: "a wrong checksum behind the header", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(_ *packet.Frame, r *packet.Ran) { r.Data[36] ^= 1 })}, want: Unknown, why: "another packet"},
		{name: "longer", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(_ *packet.Frame, r *packet.Ran) { r.Data = append(r.Data, 0) })}, want: Unknown, why: "another packet"},
		{name: "for another station", list: at(snapshot.PlaceTCXIngress), by: answers{1: with(func(_ *packet.Frame, r *packet.Ran) { r.Data[5] ^= 1 })}, want: Unknown, why: "another packet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fixtures.Host()
			l := s.Network.LinkNamed("mgmt0")
			l.Programs = c.list
			for _, p := range c.list {
				if l.XDP = p.Place == snapshot.PlaceXDP; !l.XDP {
					l.TC = append(l.TC, p.Place)
				}
			}
			if c.first == "mark" {
				first(s, markIs(7)...)
			}
			tr := New(s)
			if f := tr.Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown {
				t.Errorf("nobody was asked: %+v", f)
			}
			tr.Ask(c.by)
			f := tr.Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
			if f.Fate != c.want || !strings.Contains(f.Why, c.why) {
				t.Errorf("%+v, want %s %q", f, c.want, c.why)
			}
		})
	}
}

// at are programs at places, with the numbers from one on.
func at(places ...string) (list []snapshot.LinkProgram) {
	for i, p := range places {
		list = append(list, snapshot.LinkProgram{Place: p, ID: uint32(i + 1), Name: "p" + string(rune('1'+i))})
	}
	return list
}

// resum makes the checksums of a frame of TCP right.
func resum(b []byte) {
	s := skb{v4: true, proto: packet.TCP, thoff: 20}
	s.sum(b[14:])
}

// TestProgramsThatAreNotToldAreNotAsked: beside one that can be asked there is one that cannot.
func TestProgramsThatAreNotToldAreNotAsked(t *testing.T) {
	s := fixtures.Host()
	l := s.Network.LinkNamed("mgmt0")
	l.TC, l.Programs = []string{"tcx ingress p1", "clsact flower"}, at(snapshot.PlaceTCXIngress)
	tr := New(s)
	tr.Ask(answers{1: verdicts(tcNext)})
	if f := tr.Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown {
		t.Errorf("%+v", f)
	}
}

// markIs drops what has a mark.
func markIs(n uint32) []ruleset.Expr {
	return []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 8}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: binary.NativeEndian.AppendUint32(nil, n)}},
		drop,
	}
}

func serviceIs(n byte) []ruleset.Expr {
	return []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 1, Len: 1, Dreg: 8}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 8, Op: "==", Data: []byte{n}}},
		drop,
	}
}

// TestMarksOfFragments: a datagram has the marks and the type of service of its first fragment, which is followed
// for its sake: those that a program gives another one do not count (inet_frag_reasm_prepare).
func TestMarksOfFragments(t *testing.T) {
	for _, c := range []struct {
		name, frag string
		writes     bool
		rule       []ruleset.Expr
		want       Outcome
		bytes      bool
	}{
		{"the first", "first", true, markIs(7), Drop, false},
		{"the last", "last", true, markIs(7), Drop, false},
		{"a program that gives none", "last", false, markIs(7), Local, false},
		{"the type of service of the first", "first", true, serviceIs(32), Drop, false},
		{"the type of service of the last", "last", true, serviceIs(32), Drop, false},
		{"a type of service that nothing changes", "last", false, serviceIs(32), Drop, false},
		{"the last, where a program writes over bytes", "last", false, markIs(7), Local, true},
		{"the first, where it does", "first", false, markIs(7), Local, true},
	} {
		s := fixtures.Host()
		l := s.Network.LinkNamed("mgmt0")
		l.Programs, l.TC = at(snapshot.PlaceTCXIngress), []string{snapshot.PlaceTCXIngress}
		first(s, c.rule...)
		tr := New(s)
		tr.Ask(answers{1: func(_ packet.Attached, f *packet.Frame) (packet.Ran, error) {
			r := packet.Ran{Verdict: tcNext, Data: f.Data, Mark: f.Mark, Priority: f.Priority}
			if c.writes {
				r.Mark, r.Reads.Writes = 7, true
			}
			r.Reads.Bytes = c.bytes
			return r, nil
		}})
		p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		p.Frag, p.TOS = c.frag, new(uint8(32))
		if f := tr.Packet(p); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", c.name, f, c.want)
		}
	}
}
