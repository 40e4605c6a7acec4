package certificate

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/trace"
)

// checker follows cubes through the host.
type checker struct {
	*Checker
	target *Target
	state  packet.State // of conntrack; empty is new
	apart  []string     // ports of bridges that are another origin's
	done   int
}

// stopped proves that no packet of a cube reaches the target, by whichever port of a bridge it comes in. It begins with a
// region that may be larger than the cube, and narrows it where that does not end well, only as far as it has to.
func (k *checker) stopped(b *box) error {
	entries := []string{b.region.In}
	if b.region.Out == "" {
		entries = k.tracer.Entries(b.region.In, k.apart)
	}
	for _, in := range entries {
		err := k.narrowing(b, in, true)
		if errors.Is(err, ErrTooLarge) {
			err = k.narrowing(b, in, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) narrowing(b *box, in string, endFirst bool) error {
	start := k.whole(b)
	start.In, start.EndFirst = in, endFirst
	queue := []trace.Region{start}
	for n := 0; len(queue) > 0; n++ {
		r := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !tighten(&r, b) {
			continue
		}
		if k.done++; k.done > maxRegions || n > maxOfCube {
			return ErrTooLarge
		}
		before := k.tracer.Evaluated()
		bad, split := k.follow(&r)
		if k.Spend != nil {
			if err := k.Spend(k.tracer.Evaluated() - before); err != nil {
				return err
			}
		}
		if bad == nil {
			continue
		}
		parts := k.narrow(&r, b, split)
		if parts == nil && bad.Fate.Why == manyWays {
			return ErrTooLarge
		}
		if parts == nil {
			return fmt.Errorf("%s is not stopped: %s %s %s", &r.Packet, bad.Fate.Fate, bad.Rule, bad.Why)
		}
		queue = append(queue, parts...)
	}
	return nil
}

// manyWays is why a region has no end: what takes a packet apart by chance or by what is not known does so too often.
const manyWays = "too many ways"

// whole is the region of all addresses and ports.
func (k *checker) whole(b *box) trace.Region {
	r := b.region
	proto := strconv.Itoa(r.Proto)
	typ, flags := uint8(r.Type), flagLetters(r.Flags)
	any4 := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if r.V4 {
		any4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	out := trace.Region{
		Packet: packet.Packet{In: r.In, Proto: proto, Type: &typ, Flags: &flags}, Src: any4, Dst: any4,
	}
	if r.Out != "" {
		out.Out, out.DMAC = r.Out, neighbour
	}
	if k.state != packet.New {
		out.Ct = k.state
	}
	if len(r.Sport) > 0 {
		out.Sport.Free, out.Dport.Free = 16, 16
	}
	return out
}

// neighbour stands for the address of somebody behind a port of a bridge: which one is open in a region that leads there.
const neighbour = "02:00:00:00:00:fe"

func flagLetters(bits int) string {
	var s strings.Builder
	for i, c := range "FSRPAU" {
		if bits>>i&1 != 0 {
			s.WriteString(string(c))
		}
	}
	return s.String()
}

// follow returns an end of the region that is not a proof, and the field to narrow.
func (k *checker) follow(r *trace.Region) (bad *trace.End, split byte) {
	complete := k.tracer.Region(r, func(e *trace.End) bool {
		if !k.reached(r, e) {
			return true
		}
		if bad == nil || split == 0 {
			end := *e
			bad, split = &end, e.Split
			switch {
			case k.target.someOf(e) && r.Dport.Free > 0: // away from the target's ports nothing else has to be told apart
				split = 'q'
			case split == 0 && !r.Dst.IsSingleIP() && !e.Dst.IsSingleIP() && k.target.addressed():
				split = 'd'
			}
		}
		return split == 0
	})
	if !complete && bad == nil {
		bad = &trace.End{Fate: trace.Fate{Fate: trace.Unknown, Why: manyWays}}
	}
	return bad, split
}

// reached says whether an end may be the target.
func (k *checker) reached(r *trace.Region, e *trace.End) bool {
	t := k.target
	switch e.Fate.Fate {
	case trace.Drop, trace.Reject:
		return false
	case trace.Local:
		return !t.Through && (t.Addr.IsValid() || t.Host && t.delivered(r, e.Dst)) && t.port(e) && t.socket(e)
	case trace.Forward, trace.Output:
		return t.port(e) && (t.Addr.IsValid() || slices.Contains(t.Oifs, e.Oif)) && !(t.Direct && e.Translated) &&
			(!t.Final.IsValid() || e.Dst.Contains(t.Final) && !without(r, e.Dst, netip.PrefixFrom(t.Final, t.Final.BitLen())))
	default: // not known
		return true
	}
}

// someOf says of an end that only some of its ports can count.
func (t *Target) someOf(e *trace.End) bool {
	return len(t.Ports) > 0 && !t.Addr.IsValid() && e.Ports && e.PortLow < e.PortHigh && e.Fate.Fate != trace.Unknown
}

// addressed says whether it counts for which address packets end.
func (t *Target) addressed() bool { return len(t.At)+len(t.But) > 0 || t.Final.IsValid() }

// delivered says whether what is delivered for addresses of a prefix can count.
func (t *Target) delivered(r *trace.Region, dst netip.Prefix) bool {
	return (len(t.At) == 0 || slices.ContainsFunc(t.At, func(p netip.Prefix) bool { return p.Overlaps(dst) && !without(r, dst, p) })) &&
		!slices.ContainsFunc(t.But, func(p netip.Prefix) bool { return p.Bits() <= dst.Bits() && p.Overlaps(dst) })
}

// without says of addresses at the end of a way that they are none of a prefix, because they are still those of the region, which has it left
// out.
func without(r *trace.Region, dst, p netip.Prefix) bool {
	return dst == r.Dst.Masked() && leftOut(p, r.DstBut)
}

func leftOut(p netip.Prefix, but []netip.Prefix) bool {
	return slices.ContainsFunc(but, func(b netip.Prefix) bool { return b.Bits() <= p.Bits() && b.Contains(p.Addr()) })
}

// port says whether one of the destination ports at an end can count. Those with a target address are the sender's, which the
// certificate's question bounds.
func (t *Target) port(e *trace.End) bool {
	return len(t.Ports) == 0 || t.Addr.IsValid() || !e.Ports ||
		slices.ContainsFunc(t.Ports, func(p int) bool { return p >= int(e.PortLow) && p <= int(e.PortHigh) })
}

// socket says whether the socket that takes the packets can count.
func (t *Target) socket(e *trace.End) bool {
	switch {
	case t.Unbound || !e.Ports:
		return true
	case e.Socket == trace.NoSocket:
		return false
	case len(t.Sockets) == 0 || e.Socket == trace.SomeSocket || e.Socket == trace.UnknownSocket:
		return true
	}
	return slices.Contains(t.Sockets, e.Socket)
}

// span is the numbers of a region in one dimension.
func regionSpan(r *trace.Region, d int) span {
	switch d {
	case dimSrc, dimDst:
		p := r.Src
		if d == dimDst {
			p = r.Dst
		}
		return prefixSpan(p)
	case dimSport, dimDport:
		p := r.Sport
		if d == dimDport {
			p = r.Dport
		}
		lo := big.NewInt(int64(p.First))
		return span{lo, big.NewInt(int64(p.First) + 1<<p.Free - 1)}
	}
	return span{new(big.Int), new(big.Int).SetUint64(1<<48 - 1)}
}

// tighten shrinks a region to the smallest that holds what it has of the cube, and reports whether that
// is anything.
func tighten(r *trace.Region, b *box) bool {
	for _, d := range []int{dimSrc, dimDst, dimSport, dimDport} {
		whole := regionSpan(r, d)
		var hull *span
		for _, s := range b.dims[d] {
			if !s.overlaps(whole) || gone(r, d, span{bigMax(s.lo, whole.lo), bigMin(s.hi, whole.hi)}) {
				continue
			}
			if hull == nil {
				hull = &span{bigMax(s.lo, whole.lo), nil}
			}
			hull.hi = bigMin(s.hi, whole.hi)
		}
		if hull == nil {
			return false
		}
		// The bits in which the first and the last differ stay open.
		free := new(big.Int).Xor(hull.lo, hull.hi).BitLen()
		first := new(big.Int).Lsh(new(big.Int).Rsh(hull.lo, uint(free)), uint(free))
		setSpan(r, d, first, free)
	}
	return true
}

// gone says whether a region has left out all of a span.
func gone(r *trace.Region, d int, s span) bool {
	if d != dimSrc && d != dimDst {
		return false
	}
	_, but := addresses(r, d)
	return slices.ContainsFunc(but, func(p netip.Prefix) bool { return s.inside(prefixSpan(p)) })
}

func setSpan(r *trace.Region, d int, first *big.Int, free int) {
	switch d {
	case dimSrc, dimDst:
		buf := make([]byte, r.Src.Addr().BitLen()/8)
		a, _ := netip.AddrFromSlice(first.FillBytes(buf))
		_, but := addresses(r, d)
		*r = with(r, d, netip.PrefixFrom(a, a.BitLen()-free), but)
	default:
		p := trace.Ports{First: uint16(first.Uint64()), Free: free}
		if d == dimSport {
			r.Sport = p
		} else {
			r.Dport = p
		}
	}
}

func bigMax(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

func bigMin(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

var fieldDims = map[byte]int{'s': dimSrc, 'd': dimDst, 'p': dimSport, 'q': dimDport}

// mostParts bounds the parts into which the landmarks of the stack take a region apart at once.
const mostParts = 4096

// narrow takes a region apart: in the field that the end asks for, else in one that goes beyond the cube. Addresses are first parted by what the
// stack decides by, then in halves.
func (k *checker) narrow(r *trace.Region, b *box, split byte) []trace.Region {
	if d, ok := fieldDims[split]; ok {
		if parts := k.parted(r, d); parts != nil {
			return parts
		}
	}
	for _, d := range []int{dimDst, dimDport, dimSrc, dimSport} {
		if !inside(r, b, d) {
			if parts := k.parted(r, d); parts != nil {
				return parts
			}
		}
	}
	return nil
}

// inside says whether a region stays within the cube in one dimension.
func inside(r *trace.Region, b *box, d int) bool {
	have := slices.Clone(b.dims[d])
	if d == dimSrc || d == dimDst {
		_, but := addresses(r, d)
		for _, p := range but {
			have = append(have, prefixSpan(p))
		}
	}
	return covered(regionSpan(r, d), have)
}

// addresses are those of a region in one dimension.
func addresses(r *trace.Region, d int) (p netip.Prefix, but []netip.Prefix) {
	if d == dimSrc {
		return r.Src, r.SrcBut
	}
	return r.Dst, r.DstBut
}

// parted takes a region apart in one dimension; nil where it is a single number there.
func (k *checker) parted(r *trace.Region, d int) []trace.Region {
	if d != dimSrc && d != dimDst {
		return halves(r, d)
	}
	p, but := addresses(r, d)
	marks := k.tracer.Landmarks(p, but)
	if len(marks) == 0 || len(marks) > mostParts {
		return halves(r, d)
	}
	parts := []trace.Region{with(r, d, p, append(slices.Clone(but), marks...))}
	for _, m := range marks {
		parts = append(parts, with(r, d, m, but))
	}
	return parts
}

// with is a region with other addresses in one dimension. What is left out of them counts as far as it lies in them.
func with(r *trace.Region, d int, p netip.Prefix, but []netip.Prefix) trace.Region {
	out := *r
	but = slices.DeleteFunc(slices.Clone(but), func(b netip.Prefix) bool { return !p.Overlaps(b) })
	if d == dimSrc {
		out.Src, out.SrcBut = p, but
	} else {
		out.Dst, out.DstBut = p, but
	}
	return out
}

func halves(r *trace.Region, d int) []trace.Region {
	low, high := *r, *r
	switch d {
	case dimSrc, dimDst:
		p, but := addresses(r, d)
		if p.IsSingleIP() {
			return nil
		}
		a, b := halvePrefix(p)
		return []trace.Region{with(r, d, a, but), with(r, d, b, but)}
	default:
		p := r.Sport
		if d == dimDport {
			p = r.Dport
		}
		if p.Free == 0 {
			return nil
		}
		a, b := trace.Ports{First: p.First, Free: p.Free - 1}, trace.Ports{First: p.First + 1<<(p.Free-1), Free: p.Free - 1}
		if d == dimSport {
			low.Sport, high.Sport = a, b
		} else {
			low.Dport, high.Dport = a, b
		}
	}
	return []trace.Region{low, high}
}

func halvePrefix(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits()
	b := p.Addr().AsSlice()
	b[bits/8] |= 0x80 >> (bits % 8)
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(p.Addr(), bits+1), netip.PrefixFrom(a, bits+1)
}
