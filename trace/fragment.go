package trace

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// fragment says which part of a datagram a packet is.
type fragment uint8

const (
	whole fragment = iota
	firstPart
	middlePart
	lastPart
)

func fragmentOf(name string) fragment { return fragment(max(slices.Index(packet.Fragments, name), 0)) }

// later says whether the transport header is in another fragment.
func (f fragment) later() bool { return f > firstPart }

// moreFragments and fragOffset are the fields of IPv4 (IP_MF, IP_OFFSET).
const (
	moreFragments = 0x2000
	fragOffset    = 0x1fff
)

// fragHeader is the length of the fragment header of IPv6, and its number (RFC 8200, 4.5).
const (
	fragHeader = 8
	protoFrag  = 44
)

// splitOff makes a whole datagram the fragment that the question asks about.
func (s *skb) splitOff(p *packet.Packet) {
	if s.fragment == whole {
		return
	}
	if s.later() {
		s.data, _ = hex.DecodeString(p.Data)
		s.dataUnk = make([]byte, len(s.data))
		if len(s.data) == 0 {
			const most = 16 // as far as loads of a few bytes look
			s.data, s.dataUnk = make([]byte, most), bytes.Repeat([]byte{0xff}, most)
		}
	}
	// The offset counts in units of eight bytes. Of a later fragment it is not zero, else it is open.
	var bits, open uint16
	switch s.fragment {
	case firstPart:
		bits = moreFragments
	case middlePart:
		bits, open = moreFragments|1, fragOffset&^1
	default:
		bits, open = 1, fragOffset&^1
	}
	if s.v4 {
		binary.BigEndian.PutUint16(s.nh[6:], bits)
		binary.BigEndian.PutUint16(s.unk[6:], open)
		return
	}
	h := make([]byte, fragHeader)
	h[0] = s.proto
	unk := []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}
	binary.BigEndian.PutUint16(h[2:], bits<<3|bits/moreFragments)
	binary.BigEndian.PutUint16(unk[2:], open<<3)
	s.nh[6] = protoFrag
	s.nh, s.unk = slices.Insert(s.nh, 40, h...), slices.Insert(s.unk, 40, unk...)
	s.thoff += fragHeader
}

// reassemble makes the fragment the datagram that it is a part of. What becomes of one fragment is from
// here on what becomes of them all. The datagram has the marks and the headers of its first fragment (inet_frag_reasm_prepare):
// what rules and programs gave that one is not known of another.
func (w *walk) reassemble() {
	s := &w.skb
	if s.fragment == whole {
		return
	}
	if s.later() && !w.judged && (w.given || w.filteredAlone()) {
		s.mark.unk, s.priority.unk = 0xffffffff, 0xffffffff
		if s.v4 {
			s.unk[1] = 0xff
		} else {
			s.unk[0], s.unk[1] = s.unk[0]|0x0f, s.unk[1]|0xf0
		}
	}
	if s.later() && !w.judged && (w.rewrites || w.filteredAlone() && w.snap.NFTables.Ruleset.Rewrites()) {
		w.abort(nil, "what is written into the first fragment, whose headers the datagram has")
	}
	s.fragment = whole
	if s.v4 {
		s.nh[6], s.nh[7] = 0, 0
		s.unk[6], s.unk[7] = 0x40, 0
		return
	}
	s.nh[6] = s.proto
	s.nh, s.unk = slices.Delete(s.nh, 40, 40+fragHeader), slices.Delete(s.unk, 40, 40+fragHeader)
	s.thoff -= fragHeader
	for i := range w.pieces {
		if p := &w.pieces[i]; p.area == 'n' && p.off >= 40+fragHeader {
			p.off -= fragHeader
		}
	}
}

// defrag is the hook that puts fragments together for conntrack (ipv4_conntrack_defrag, ipv6_defrag).
func (w *walk) defrag(e *hookEntry) verdict {
	s := &w.skb
	accept := verdict{kind: vAccept}
	if s.fragment == whole || s.untrack || s.ct != nil {
		return accept
	}
	if e.legacy != "" && w.choose(2, nil, "whether "+e.legacy+" has fragments put together was not read") == 1 {
		return accept
	}
	if w.sibling != nil {
		return w.meet()
	}
	if !w.complete() {
		w.last = mark{text: "fragment"}
		return verdict{kind: vDrop}
	}
	w.say("waits for the other fragments of its datagram")
	w.reassemble()
	return accept
}

// complete says whether the other fragments of the datagram get as far as this one.
func (w *walk) complete() bool {
	if !w.filteredAlone() && !w.screened {
		return true
	}
	switch w.siblings() {
	case comes:
		return true
	case lost:
		return false
	case chosen:
		return !w.conditional(nil, packet.AsSent, "the other fragments of the datagram get this far", packet.AsSent, "not all fragments of the datagram get this far")
	case unsure:
	}
	return w.choose(2, nil, "whether the other fragments of the datagram get this far") == 0
}

// filteredAlone says whether rules have judged the fragment by itself.
func (w *walk) filteredAlone() bool {
	return slices.ContainsFunc(w.path, func(m mark) bool { return m.rule != nil || m.chain != nil })
}

// transportOf is what a load from the transport header of a later fragment reads: an ordinary one ends the
// rule (nft_payload_eval), but those of one, two or four aligned bytes take another way that does not ask
// (nft_payload_fast_eval, seen in Linux 6.18). Of IPv4 they read the fragment's data as if it were the
// header, of IPv6 the IPv6 header from its first byte on (ipv6_find_hdr leaves the offset at zero).
func (s *skb) transportOf(o *op) (b, unk []byte, ok bool) {
	switch {
	case o.n != 1 && o.n != 2 && o.n != 4 || o.off%o.n != 0:
		return nil, nil, false
	case s.v4:
		return s.data, s.dataUnk, true
	}
	return s.nh, s.unk, true
}

// fragExthdr answers a question about the fragment header of IPv6 (nft_exthdr_ipv6_eval).
func (w *walk) fragExthdr(e *ruleset.Exthdr, at int) verdict {
	s := &w.skb
	if e.Present {
		w.regs.put8(at, 1)
		return vNext
	}
	off, n := int(e.Offset), int(e.Len)
	if off < 0 || n < 0 || off+n > fragHeader {
		return vNo
	}
	w.regs.putUnk(at, s.nh[40+off:40+off+n], s.unk[40+off:40+off+n])
	if w.regs.dirty {
		w.notes[at/4] = note{why: "header bytes that the question leaves open"}
	}
	return vNext
}
