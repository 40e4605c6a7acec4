package trace

import (
	"encoding/binary"

	"github.com/ringfence/ringfence/packet"
)

// fills are the ways in which a frame is filled in where the question leaves it open.
const fills = 3

// fill is what open bits are, how much longer a header of TCP is, and how much the packet carries.
var fillings = [fills]struct {
	bits             byte
	options, payload int
}{{}, {0xff, 12, 0}, {0xa5, 20, 64}}

// frame is the packet as a program of an interface meets it.
func (w *walk) frame(l *link, k int) *packet.Frame {
	s := &w.skb
	link, open := s.link, s.linkUnk
	if link == nil {
		link = make([]byte, 14)
		binary.BigEndian.PutUint16(link[12:], s.etherType())
		open = make([]byte, 14)
	}
	fill := &fillings[k]
	out := make([]byte, 0, 14+len(s.nh)+fill.options+fill.payload+len(s.data))
	put := func(b, unk []byte) {
		for i := range b {
			v := b[i]
			if k > 0 {
				v = v&^unk[i] | fill.bits&unk[i]
			}
			out = append(out, v)
		}
	}
	put(link, open)
	if open[6] != 0 { // an address of one station
		out[6] = 2
	}
	if open[0] != 0 {
		out[0] = 2
	}
	if s.later() {
		put(s.nh[:s.thoff], s.unk[:s.thoff])
		put(s.data, s.dataUnk)
	} else {
		put(s.nh, s.unk)
		out = s.carry(out, fill.options, fill.payload)
	}
	s.sum(out[14:])
	f := &packet.Frame{Data: out, Mark: s.mark.v, Priority: s.priority.v, Index: l.Index}
	if f.From = l.Index; w.camein != nil && w.camein != l {
		f.From = w.camein.Index
	} else if w.camein == nil {
		f.From = 0
	}
	return f
}

// carry adds options of TCP and what a packet carries.
func (s *skb) carry(out []byte, options, payload int) []byte {
	if at := 14 + s.thoff + 12; s.proto == packet.TCP {
		if s.unk[s.thoff+12]&0xf0 == 0 {
			options = 0
		} else {
			out[at] = byte(20+options)/4<<4 | out[at]&0x0f
		}
		for range options {
			out = append(out, 1) // NOP
		}
	}
	return append(out, make([]byte, payload)...)
}

// sum writes the lengths and checksums of a packet that begins with its header of IP.
func (s *skb) sum(b []byte) {
	pseudo := uint32(s.proto) + uint32(len(b)-s.thoff)
	if s.v4 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		clear(b[10:12])
		binary.BigEndian.PutUint16(b[10:], ^fold(b[:20], 0))
		pseudo += uint32(fold(b[12:20], 0))
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		pseudo += uint32(fold(b[8:40], 0))
	}
	if s.fragment != whole {
		return
	}
	t := b[s.thoff:]
	at := map[uint8]int{packet.TCP: 16, packet.UDP: 6, packet.ICMP: 2, packet.ICMPv6: 2}[s.proto]
	if at == 0 || len(t) < at+2 {
		return
	}
	if s.proto == packet.UDP {
		binary.BigEndian.PutUint16(t[4:], uint16(len(t)))
	}
	if s.proto == packet.ICMP {
		pseudo = 0
	}
	clear(t[at : at+2])
	binary.BigEndian.PutUint16(t[at:], ^fold(t, pseudo))
}

// fold is the sum of a header (RFC 1071).
func fold(b []byte, sum uint32) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// answered makes of a frame one that answers it, with what it carries. Checksums stay right: addresses and ports change places.
func answered(f *packet.Frame) {
	b := f.Data
	swap := func(a, c, n int) {
		for i := range n {
			b[a+i], b[c+i] = b[c+i], b[a+i]
		}
	}
	swap(0, 6, 6)
	f.Mark, f.Priority, f.From = 0, 0, 0
	at, proto := 34, b[23]
	if binary.BigEndian.Uint16(b[12:]) == 0x86dd {
		at, proto = 54, b[20]
		swap(22, 38, 16)
	} else {
		swap(26, 30, 4)
	}
	swap(at, at+2, 2)
	if proto != packet.TCP {
		return
	}
	const syn, ack = 2, 16
	old := binary.BigEndian.Uint16(b[at+12:])
	b[at+13] = b[at+13]&syn | ack
	now := binary.BigEndian.Uint16(b[at+12:])
	sum := binary.BigEndian.Uint16(b[at+16:])
	binary.BigEndian.PutUint16(b[at+16:], ^fold(nil, uint32(^sum)+uint32(^old)+uint32(now)))
}
