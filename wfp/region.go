package wfp

import (
	"cmp"
	"net/netip"
	"slices"
)

// Span is addresses of one family, both ends included.
type Span struct {
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
}

// PortSpan is ports, both ends included.
type PortSpan struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// Box is remote addresses and remote ports: every address with every port.
type Box struct {
	Span
	Ports PortSpan `json:"ports"`
}

// AllPorts are the ports that somebody can send from.
var AllPorts = PortSpan{0, 65535}

// Every is all addresses of a family.
func Every(v4 bool) Span {
	if v4 {
		return Span{netip.AddrFrom4([4]byte{}), netip.AddrFrom4([4]byte{255, 255, 255, 255})}
	}
	var last [16]byte
	for i := range last {
		last[i] = 0xff
	}
	return Span{netip.IPv6Unspecified(), netip.AddrFrom16(last)}
}

// SpanOf is the addresses of a prefix.
func SpanOf(p netip.Prefix) Span {
	p = p.Masked()
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	to, _ := netip.AddrFromSlice(b)
	return Span{p.Addr(), to}
}

// V4 says of which family the addresses are.
func (s Span) V4() bool { return s.From.Is4() }

// Union is spans of one family, sorted and apart.
func Union(list []Span) []Span {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Span) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	out := []Span{}
	for _, s := range list {
		if n := len(out); n > 0 && (out[n-1].To.Compare(s.From) >= 0 || out[n-1].To.Next() == s.From) {
			if out[n-1].To.Less(s.To) {
				out[n-1].To = s.To
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// Without is what is in none of some spans that are sorted and apart.
func (s Span) Without(list []Span) []Span {
	var out []Span
	from, open := s.From, true
	first, _ := slices.BinarySearchFunc(list, s.From, func(x Span, a netip.Addr) int { return x.To.Compare(a) })
	for _, x := range list[first:] {
		if s.To.Less(x.From) {
			break
		}
		if from.Less(x.From) {
			out = append(out, Span{from, x.From.Prev()})
		}
		if !x.To.Less(s.To) {
			open = false
			break
		}
		from = x.To.Next()
	}
	if open && !s.To.Less(from) {
		out = append(out, Span{from, s.To})
	}
	return out
}

func portUnion(list []PortSpan) []PortSpan {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b PortSpan) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	out := []PortSpan{}
	for _, s := range list {
		if n := len(out); n > 0 && int(out[n-1].To)+1 >= int(s.From) {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// portsWithout is the ports that are in none of some spans.
func portsWithout(list []PortSpan) []PortSpan {
	var out []PortSpan
	from := 0
	for _, x := range portUnion(list) {
		if from < int(x.From) {
			out = append(out, PortSpan{uint16(from), x.From - 1})
		}
		from = int(x.To) + 1
	}
	if from <= 65535 {
		out = append(out, PortSpan{uint16(from), 65535})
	}
	return out
}

// Overlap is what is in both spans; false where nothing is.
func (s Span) Overlap(x Span) (Span, bool) {
	if s.From.Less(x.From) {
		s.From = x.From
	}
	if x.To.Less(s.To) {
		s.To = x.To
	}
	return s, !s.To.Less(s.From)
}

// overlap is what is in both boxes; false where nothing is.
func (b Box) overlap(x Box) (Box, bool) {
	span, ok := b.Span.Overlap(x.Span)
	ports := PortSpan{max(b.Ports.From, x.Ports.From), min(b.Ports.To, x.Ports.To)}
	return Box{span, ports}, ok && ports.From <= ports.To
}
