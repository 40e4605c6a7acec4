package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

func sortIntervals(s set) {
	slices.SortFunc(s, func(a, b interval) int {
		switch {
		case a.lo.less(b.lo):
			return -1
		case b.lo.less(a.lo):
			return 1
		}
		return 0
	})
}

// field is one dimension of a packet and what the kernel knows about it.
type field int

const (
	fSaddr field = iota
	fDaddr
	fProto
	fSport
	fDport
	fICMPType
	fICMPCode
	fTCPFlags
	fMark
	fCtState
	fCtMark
	fIif // interface index, 0 where there is none
	fOif
	fOrigDaddr // of the conntrack entry, once a translation has changed the packet's own
	fOrigDport
	fOrigSaddr
	fOrigSport
	fSmac
	fService // the type of service as sent; of IPv6 the first two bytes of the header, which have the traffic class
	nFields
)

// width is the number of bytes of a field as the kernel loads it.
func (f field) width(v4 bool) int {
	switch f {
	case fSaddr, fDaddr, fOrigDaddr, fOrigSaddr:
		if v4 {
			return 4
		}
		return 16
	case fSport, fDport, fOrigDport, fOrigSport:
		return 2
	case fService:
		if v4 {
			return 1
		}
		return 2
	case fSmac:
		return 6
	case fMark, fCtState, fCtMark, fIif, fOif:
		return 4
	}
	return 1
}

// hostOrder says that the kernel puts the field into a register in its own byte order.
func (f field) hostOrder() bool {
	return f == fMark || f == fCtState || f == fCtMark || f == fIif || f == fOif
}

// cube is a set of packets: every combination of one number from each field's set.
type cube struct {
	course
	sets   [nFields]set
	doubts []packet.Cause // what was assumed on the way here
	trail  []packet.Cause // the rules that accepted on the way here
}

// course is what the kernel has done with packets, and what is assumed of that.
type course struct {
	v4 bool
	// nat: a translation was set up for the connection; notrack: conntrack was told to stay out.
	nat, notrack bool
	// later: conntrack does not take the packet for the first of a connection. dstBound, srcBound: it has
	// decided about translations of the destination or source, also to have none.
	later, dstBound, srcBound bool
	// keptAddr, keptPort: a translation left the address or port as it was, so that it and the original
	// one are the same.
	keptAddr, keptPort bool
	// shadow: the same packets are followed another way too.
	shadow bool
	// heads is what they have beside a plain header.
	heads heads
	// loose: a translation is not known, so that a part of where the packets go now is not a part of what
	// was sent.
	loose bool
	// snat: the source was translated; keptSport: but not its port.
	snat, keptSport bool
	// service is what rules have made of the type of service; tos: that is not known.
	service service
	tos     bool
	// zone is that of conntrack, of the direction in which a connection begins, answers of the other.
	zone, answers uint16
	// wrote is what rules have written over; nil is nothing.
	wrote *written
	// toMany: the route is one of a broadcast, multicast or anycast address.
	toMany bool

	// port is that of the bridge by which it came in, where that matters; beside the one that it is switched to.
	port, beside *snapshot.Link

	// tag is the realm of the route that they have, back what the way back to who sends adds to that.
	tag, back tag

	// class is the queueing class that they have.
	class class

	taker *snapshot.Socket // that tproxy gave them to
	by    *packet.Sender   // whose socket sends them; nil is not known
	encap *snapshot.Route  // by which they leave, if it does something with them
}

func (c *cube) with(f field, s set) cube {
	d := *c
	d.sets[f] = s
	switch {
	case c.keptAddr && (f == fDaddr || f == fOrigDaddr):
		d.sets[fDaddr], d.sets[fOrigDaddr] = s, s
	case c.keptSport && (f == fSport || f == fOrigSport):
		d.sets[fSport], d.sets[fOrigSport] = s, s
	case c.keptPort && (f == fDport || f == fOrigDport):
		d.sets[fDport], d.sets[fOrigDport] = s, s
	}
	return d
}

func (c *cube) doubt(why packet.Cause) cube {
	d := *c
	if !slices.Contains(c.doubts, why) {
		d.doubts = append(slices.Clip(c.doubts), why)
	}
	return d
}

func (c *cube) accepted(by packet.Cause) cube {
	d := *c
	d.trail = append(slices.Clip(c.trail), by)
	return d
}

// split parts a cube by one field: the packets whose number is in s, and the others.
func (c *cube) split(f field, s set) (in, out []cube) {
	if m := c.sets[f].intersect(s); !m.empty() {
		in = []cube{c.with(f, m)}
	}
	if r := c.sets[f].subtract(s); !r.empty() {
		out = []cube{c.with(f, r)}
	}
	return in, out
}

// seg is a part of a register's value: constant bytes, or bytes of a field.
type seg struct {
	data   []byte // constant
	f      field
	off, n int    // bytes off..off+n of the field
	swap   bool   // in the register in host order, lowest byte first
	mask   []byte // value = (bytes & mask) ^ xor
	xor    []byte
	why    string // set: the value is not known, and why
	known  []byte // constant, but only these bits of it: ct status, the fragment field
	among  []byte // one byte that is not known, but for being one of these
}

func (s *seg) len() int {
	if s.data != nil {
		return len(s.data)
	}
	return s.n
}

// preimage is the numbers of the field for which lo <= value <= hi, byte by byte. It is not known
// (ok is false) where the numbers are not an interval and too many to try.
func (s *seg) preimage(c *cube, lo, hi []byte) (set, bool) {
	if known, ok := s.computed(c, lo, hi); ok {
		return known, true
	}
	return s.enumerate(c.sets[s.f], s.f.width(c.v4), lo, hi)
}

// tries is the steps that a preimage takes where the numbers have to be tried.
func (s *seg) tries(c *cube, lo, hi []byte) int {
	if s.mask == nil && s.off == 0 && !s.swap {
		return 0
	}
	if _, ok := s.computed(c, lo, hi); ok {
		return 0
	}
	n := c.sets[s.f].size(mostTries + 1)
	if n > mostTries { // given up at once
		return 1
	}
	return 1 + int(n)/32
}

// mostTries is how many numbers are tried.
const mostTries = 1 << 16

// computed is a preimage that needs no trying.
func (s *seg) computed(c *cube, lo, hi []byte) (set, bool) {
	w := s.f.width(c.v4)
	exact := string(lo) == string(hi)
	if s.mask == nil && s.off == 0 && (!s.swap || exact || s.n == 1) {
		l, h := lo, hi
		if s.swap {
			if s.n != w {
				return nil, false
			}
			l, h = reversed(lo), reversed(hi)
		}
		shift := uint(8 * (w - s.n))
		return span(number(l).shl(shift), number(h).shl(shift).or(ones(shift))), true
	}
	if s.mask != nil && exact && s.off == 0 && !s.swap {
		m, want := number(s.mask), number(lo).xor(number(s.xor))
		if want.and(m.not()) != (u128{}) {
			return nil, true
		}
		if free := ones(uint(8 * s.n)).and(m.not()); free.and(free.next()) == (u128{}) {
			shift := uint(8 * (w - s.n))
			return span(want.shl(shift), want.or(free).shl(shift).or(ones(shift))), true
		}
	}
	return nil, false
}

func reversed(b []byte) []byte {
	r := slices.Clone(b)
	slices.Reverse(r)
	return r
}

// enumerate tries every number that the field can have here.
func (s *seg) enumerate(cur set, w int, lo, hi []byte) (set, bool) {
	if cur.size(mostTries+1) > mostTries {
		return nil, false
	}
	var out set
	for _, i := range cur {
		for n := i.lo; ; n = n.next() {
			v := s.value(n, w)
			if slices.Compare(v, lo) >= 0 && slices.Compare(v, hi) <= 0 {
				out = append(out, interval{n, n})
			}
			if n == i.hi {
				break
			}
		}
	}
	return out.normal(), true
}

// value is what the register holds for the number n of the field.
func (s *seg) value(n u128, w int) []byte {
	b := n.bytesOf(w)
	if s.swap {
		b = reversed(b)
	}
	b = slices.Clone(b[s.off : s.off+s.n])
	for i := range s.mask {
		b[i] = b[i]&s.mask[i] ^ s.xor[i]
	}
	return b
}

// value is what a register holds: segments one after the other.
type value []seg

func unknown(n int, why string) value { return value{{n: n, why: why}} }

func constant(b []byte) value { return value{{data: b}} }

func (v value) len() int {
	n := 0
	for i := range v {
		n += v[i].len()
	}
	return n
}

// doubtful returns why the value is not known.
func (v value) doubtful() string {
	for i := range v {
		if v[i].why != "" {
			return v[i].why
		}
		if v[i].known != nil {
			return "bits that the packet model does not follow"
		}
	}
	return ""
}

// load puts the bytes of a field into a value; a field with one possible number is a constant.
func (c *cube) load(f field, off, n int) value {
	w := f.width(c.v4)
	s := seg{f: f, off: off, n: n, swap: f.hostOrder()}
	if c.sets[f].singleton() {
		return constant(s.value(c.sets[f][0].lo, w))
	}
	return value{s}
}

// slice takes n bytes of a value from off.
func (v value) slice(off, n int) (value, bool) {
	var out value
	for i := range v {
		l := v[i].len()
		if off >= l {
			off -= l
			continue
		}
		if n == 0 {
			break
		}
		s := v[i]
		take := min(l-off, n)
		switch {
		case s.why != "":
			s.n = take
		case s.data != nil:
			s.data = s.data[off : off+take]
			if s.known != nil {
				s.known = s.known[off : off+take]
			}
		default:
			s.off += off
			s.n = take
			if s.mask != nil {
				s.mask, s.xor = s.mask[off:off+take], s.xor[off:off+take]
			}
		}
		out = append(out, s)
		n -= take
		off = 0
	}
	return out, n == 0
}

// bitwise applies (v & mask) ^ xor.
func (v value) bitwise(mask, xor []byte) value {
	out := value{}
	at := 0
	for i := range v {
		s := v[i]
		n := s.len()
		if at+n > len(mask) || at+n > len(xor) {
			return unknown(v.len(), "a mask that is shorter than the value")
		}
		m, x := mask[at:at+n], xor[at:at+n]
		at += n
		switch {
		case s.known != nil:
			s = s.maskKnown(m, x)
		case s.why != "":
			switch {
			case allZero(m):
				s = seg{data: slices.Clone(x)}
			case n != 1 || m[0] != 0xff || x[0] != 0:
				s.among = nil
			}
		case s.data != nil:
			d := make([]byte, n)
			for j := range d {
				d[j] = s.data[j]&m[j] ^ x[j]
			}
			s.data = d
		case s.mask == nil:
			s.mask, s.xor = m, x
		default:
			nm, nx := make([]byte, n), make([]byte, n)
			for j := range nm {
				nm[j], nx[j] = s.mask[j]&m[j], s.xor[j]&m[j]^x[j]
			}
			s.mask, s.xor = nm, nx
		}
		out = append(out, s)
	}
	return out
}

// maskKnown applies a mask to a constant of which some bits are known: those that it takes away are known from then on.
func (s *seg) maskKnown(mask, xor []byte) seg {
	d, known := make([]byte, len(s.data)), make([]byte, len(s.data))
	all := true
	for j := range d {
		d[j], known[j] = s.data[j]&mask[j]^xor[j], s.known[j]|^mask[j]
		all = all && known[j] == 0xff
	}
	if all {
		return seg{data: d}
	}
	return seg{data: d, known: known}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// byteorder swaps units of size bytes.
func (v value) byteorder(size int) value {
	if len(v) != 1 || v[0].len() != size || v[0].known != nil {
		for i := range v {
			if v[i].data == nil || v[i].len()%size != 0 {
				return unknown(v.len(), "a byte order change over several fields")
			}
		}
	}
	out := slices.Clone(v)
	for i := range out {
		s := &out[i]
		switch {
		case s.why != "":
		case s.data != nil:
			d := slices.Clone(s.data)
			for at := 0; at+size <= len(d); at += size {
				slices.Reverse(d[at : at+size])
			}
			s.data = d
			if s.known != nil {
				s.known = slices.Clone(s.known)
				for at := 0; at+size <= len(d); at += size {
					slices.Reverse(s.known[at : at+size])
				}
			}
		case s.off != 0 || s.mask != nil && s.n != size:
			return unknown(v.len(), "a byte order change of a part")
		default:
			s.swap = !s.swap
			if s.mask != nil {
				s.mask, s.xor = reversed(s.mask), reversed(s.xor)
			}
		}
	}
	return out
}
