package trace

import "slices"

// A packet that is asked about is plain: a header of IP without options, or without extension headers. Those of a region are all that a sender may write,
// so that a proof holds for those with options or extension headers too, where rules ask for the first header, or for what is in it.
const headText = "whether the packet has options of IP, or extension headers of IPv6"

// headAt is the byte that says whether the header of IP is a plain one, and its bits that do.
func (s *skb) headAt() (at int, bits byte) {
	if s.v4 {
		return 0, 0x0f
	}
	return 6, 0xff
}

// openHead leaves it open.
func (s *skb) openHead() {
	if at, bits := s.headAt(); s.fragment == whole {
		s.unk[at] |= bits
	}
}

// extended says whether the packets of a region have more than a plain header, on this way.
func (w *walk) extended(r *rule) bool {
	at, bits := w.skb.headAt()
	switch {
	case w.region == nil || w.skb.unk[at]&bits == 0:
		return false
	case !w.headed && w.choose(2, r, headText) == 0:
		w.skb.unk[at] &^= bits
		return false
	}
	w.headed = true
	return true
}

// firstHeader is the number of the first header of what has extension headers, one of those that the stack looks behind for the transport
// (ipv6_ext_hdr). It stays the same for all rules.
func (w *walk) firstHeader(r *rule) byte {
	if w.first == 0 {
		w.first = 1 + w.choose(len(firstHeaders), r, headText)
	}
	return firstHeaders[w.first-1]
}

var firstHeaders = []byte{0, 43, 44, 51, 60}

// beyondPlain is a question about an option or an extension header, which plain packets do not have.
func (w *walk) beyondPlain(r *rule, at, n int, present bool) verdict {
	switch {
	case !w.extended(r):
		if present {
			w.regs.put8(at, 0)
			return vNext
		}
		return vNo
	case !present && w.choose(2, r, headText) == 0:
		return vNo
	}
	return w.unknownReg(at, n, headText)
}

// xtHeads is a match for extension headers.
func (w *walk) xtHeads(name string, r *rule) (verdict, bool) {
	if !slices.Contains(extensionHeaders, name) || name == "frag" && w.skb.fragment != whole {
		return verdict{}, false
	}
	if w.extended(r) {
		return w.maybe(r, headText), true
	}
	return vNo, true
}
