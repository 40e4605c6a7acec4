package trace

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// piece is bytes that the sender writes as it likes, which a rule takes as one number: of a header, of the data of a later fragment, or its own
// hardware address. What rules find out about them is kept like what they find out about a field.
type piece struct {
	within
	area   byte // 'n' from the header of IP on, 'd' the data of a later fragment, 'l' the header of the link layer
	off, n int
	sum    bool // it has a checksum, or what a translation changes as well
	over   bool // a rule wrote there
}

// firstPiece is the name of the first piece: the fields have letters.
const (
	firstPiece = 0x80
	mostPieces = 16
)

// doffAt is the length of the header of TCP, which options make longer.
const doffAt = 12

// pieceOf is the piece that a load takes, where it takes nothing else: no part of one that another rule takes, and nothing that says how the rest
// of the packet has to be.
func (w *walk) pieceOf(area byte, off, n int, b, unk []byte) (f byte, ok bool) {
	for i := range w.pieces {
		p := &w.pieces[i]
		if p.area == area && off < p.off+p.n && p.off < off+n {
			return firstPiece + byte(i), p.off == off && p.n == n && w.asSent(firstPiece+byte(i))
		}
	}
	free, sum := w.chosenBytes(area, off, n)
	if !free || len(w.pieces) == mostPieces || sum && w.skb.altered {
		return 0, false
	}
	p := piece{area: area, off: off, n: n, sum: sum}
	if slices.ContainsFunc(unk, func(x byte) bool { return x != 0xff }) {
		for v := 0; n == 1 && v < 256; v++ {
			if v := byte(v); v&^unk[0] == b[0]&^unk[0] && w.allows(&p, v) {
				p.left = append(p.left, Span{[]byte{v}, []byte{v}})
			}
		}
	} else {
		p.left = spans{{make([]byte, n), slices.Repeat([]byte{0xff}, n)}}
	}
	if len(p.left) == 0 {
		return 0, false
	}
	if !w.apart(w.viewOf(&p)) {
		return 0, false
	}
	w.pieces = append(w.pieces, p)
	f = firstPiece + byte(len(w.pieces)-1)
	w.represent(f)
	return f, true
}

// allows says whether the one byte of a piece can be that.
func (w *walk) allows(p *piece, v byte) bool {
	return !w.isDoff(p) || v>>4 >= 5
}

func (w *walk) isDoff(p *piece) bool {
	return p.area == 'n' && w.skb.proto == packet.TCP && !w.skb.later() && p.off <= w.skb.thoff+doffAt && w.skb.thoff+doffAt < p.off+p.n
}

// viewOf is what a piece says of the packet.
func (w *walk) viewOf(p *piece) view {
	at := map[uint8]int{packet.TCP: 16, packet.ICMP: 2, packet.ICMPv6: 2}[w.skb.proto] + w.skb.thoff
	switch {
	case w.isDoff(p):
		return byOffset
	case p.sum && p.off < at+2 && at < p.off+p.n:
		return byChecksum
	}
	return byPiece
}

// chosenBytes says whether the sender writes bytes without a care for others, and whether a translation changes them. For what the host itself sends
// the kernel writes the identification and, later, the checksum.
func (w *walk) chosenBytes(area byte, off, n int) (free, sum bool) {
	s := &w.skb
	in := func(lo, hi int) bool { return lo <= off && off+n <= hi }
	switch {
	case area == 'l':
		return in(6, 12), false
	case area == 'd':
		return true, false
	case off < s.thoff:
		return !w.local && s.v4 && in(4, 6) || !w.local && !s.v4 && s.later() && in(2, 4), false // the identification, and the lower part of the flow label
	case s.later():
		return false, false
	}
	off -= s.thoff
	switch s.proto {
	case packet.TCP:
		return in(4, doffAt) || in(14, 16) || in(18, 20) || !w.local && in(14, 20) || in(doffAt, doffAt+1) && len(w.options) == 0, off+n > 16 && off < 18
	case packet.ICMP, packet.ICMPv6:
		echo := s.nh[s.thoff] == 8
		if !s.v4 {
			echo = s.nh[s.thoff] == 128
		}
		return in(2, 4) || echo && in(2, 8), true // by its data the checksum is any number
	}
	return false, false
}

// holdPiece notes that a load takes a piece, where it takes no field.
func (w *walk) holdPiece(o *op, area byte, off int, b, unk []byte) {
	if w.region != nil || w.regs.whole[o.dreg/4].f != 0 {
		return
	}
	if f, ok := w.pieceOf(area, off, o.n, b, unk); ok {
		w.regs.whole[o.dreg/4] = held{f: f, n: o.n, bits: 8 * o.n}
	}
}

// bytesOf is where a field or a piece stands on the packet, and which bits of it are open.
func (w *walk) bytesOf(f byte) (b, unk []byte) {
	s := &w.skb
	b, unk = s.nh, s.unk
	at, n := 0, 0
	if f < firstPiece {
		at, n = s.fieldAt(f)
	} else {
		p := &w.pieces[f-firstPiece]
		at, n = p.off, p.n
		switch {
		case p.over || p.sum && s.altered:
			return nil, nil
		case p.area == 'd':
			b, unk = s.data, s.dataUnk
		case p.area == 'l':
			b, unk = s.link, s.linkUnk
		}
	}
	if at+n > len(b) || at+n > len(unk) {
		return nil, nil
	}
	return b[at : at+n], unk[at : at+n]
}

// overwritten says of pieces that a rule writes over some of their bytes.
func (w *walk) overwritten(link bool, off, n int) {
	area := byte('n')
	if w.skb.altered = w.skb.altered || !link; link {
		area = 'l'
	}
	for i := range w.pieces {
		if p := &w.pieces[i]; p.area == area && off < p.off+p.n && p.off < off+n {
			p.over = true
		}
	}
}

// text is what a piece is called in a condition.
func (p *piece) text(s *skb) string {
	off, of := p.off, "the header of IP"
	switch {
	case p.area == 'l' && p.n == 6:
		return "the sender's hardware address"
	case p.area == 'l':
		of = "the header of the link layer"
	case p.area == 'd':
		of = "the data of the fragment"
	case off >= s.thoff:
		off, of = off-s.thoff, "the transport header"
	}
	if p.n == 1 {
		return fmt.Sprintf("byte %d of %s", off, of)
	}
	return fmt.Sprintf("the number in bytes %d to %d of %s", off, off+p.n-1, of)
}

// fieldText is what a field or a piece is called in a condition.
func (w *walk) fieldText(f byte) string {
	if f >= firstPiece {
		return w.pieces[f-firstPiece].text(&w.skb)
	}
	return fieldTexts[f]
}

// areaOf is what a load takes bytes of, and from which of them on.
func (s *skb) areaOf(o *op) (area byte, at int) {
	switch {
	case o.base == 'l':
		return 'l', o.off
	case o.base == 'n', o.base == 't' && s.later() && !s.v4:
		return 'n', o.off
	case s.later():
		return 'd', o.off
	}
	return 'n', o.off + s.thoff
}
