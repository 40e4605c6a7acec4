package certificate

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
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
	by     *packet.Sender
	done   int
}

// stopped proves that no packet of a cube reaches the target, by whichever port of a bridge it comes in. It begins with a
// region that may be larger than the cube, and narrows it where that does not end well, only as far as it has to.
func (k *checker) stopped(b *box) error {
	if len(b.dims[dimSrc]) == 0 || len(b.dims[dimDst]) == 0 {
		return nil // no packet
	}
	entries := []string{b.region.In}
	if b.region.Out == "" {
		entries = k.tracer.Entries(b.region.In, k.apart)
	}
	for _, in := range entries {
		for _, flags := range k.flagsToFollow(b) {
			err := k.narrowing(b, in, flags, true)
			if errors.Is(err, ErrTooLarge) {
				err = k.narrowing(b, in, flags, false)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *checker) narrowing(b *box, in string, flags int, endFirst bool) error {
	r := k.whole(b, flags)
	r.Packet.In, r.EndFirst = in, endFirst
	queue := []bounds{b.spans()}
	for n := 0; len(queue) > 0; n++ {
		r.In = queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if k.done++; k.done > maxRegions || n > maxOfCube {
			return ErrTooLarge
		}
		hull(&r)
		before := k.tracer.Evaluated()
		bad, split, parts := k.follow(&r)
		if k.Spend != nil {
			if err := k.Spend(k.tracer.Evaluated() - before); err != nil {
				return err
			}
		}
		if bad == nil {
			continue
		}
		more := len(queue)
		queue = narrow(queue, &r, split, parts)
		if more == len(queue) && bad.Fate.Why == manyWays {
			return ErrTooLarge
		}
		if more == len(queue) {
			return fmt.Errorf("%s is not stopped: %s %s %s", &r.Packet, bad.Fate.Fate, bad.Rule, bad.Why)
		}
	}
	return nil
}

// bounds are what a region is bounded to, in the order of its fields: what parts of a cube differ in.
type bounds [4][]trace.Span

// manyWays is why a region has no end: what takes a packet apart by chance or by what is not known does so too often.
const manyWays = "too many ways"

// whole is the region of all addresses and ports, with some flags of TCP.
func (k *checker) whole(b *box, tcpFlags int) trace.Region {
	r := b.region
	proto := strconv.Itoa(r.Proto)
	typ, flags := uint8(r.Type), flagLetters(tcpFlags)
	any4 := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if r.V4 {
		any4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	out := trace.Region{
		Packet: packet.Packet{In: r.In, Proto: proto, Type: &typ, Flags: &flags}, Src: any4, Dst: any4,
	}
	out.By = k.by
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
	for i, c := range packet.FlagLetters {
		if bits>>i&1 != 0 {
			s.WriteString(string(c))
		}
	}
	return s.String()
}

// follow returns an end of the region that is not a proof, the field to narrow, and the numbers of it that are worth to be told
// apart.
func (k *checker) follow(r *trace.Region) (bad *trace.End, split byte, parts []trace.Span) {
	complete := k.tracer.Region(r, func(e *trace.End) bool {
		if !k.reached(e) {
			return true
		}
		if bad == nil || split == 0 {
			end := *e
			bad, split, parts = &end, e.Split, k.tracer.Parts(e.Split)
			switch {
			case k.target.someOf(e): // away from the target's ports nothing else has to be told apart
				split, parts = 'q', k.target.ports()
			case split == 0 && e.DstIn == nil && k.target.addressed():
				split = 'd'
			}
		}
		return split == 0
	})
	if !complete && bad == nil {
		bad = &trace.End{Fate: trace.Fate{Fate: trace.Unknown, Why: manyWays}}
		if split, parts = k.tracer.Cuts(); split == 0 {
			split = widest(r)
		}
	}
	return bad, split, parts
}

// widest is the field of a region that has most to be parted; 0 where each is a single number.
func widest(r *trace.Region) byte {
	name, most := byte(0), 1
	for i, f := range fields {
		for _, s := range r.In[i] {
			x := number(s)
			if n := new(big.Int).Sub(x.hi, x.lo).BitLen() + 1 + len(r.In[i]); n > most && (x.lo.Cmp(x.hi) < 0 || len(r.In[i]) > 1) {
				name, most = f.name, n
			}
		}
	}
	return name
}

// reached says whether an end may be the target.
func (k *checker) reached(e *trace.End) bool {
	t := k.target
	switch e.Fate.Fate {
	case trace.Drop, trace.Reject:
		return false
	case trace.Local:
		return !t.Through && (t.Addr.IsValid() || t.Host && t.delivered(e)) && t.port(e) && t.socket(e)
	case trace.Forward, trace.Output:
		return t.port(e) && (t.Addr.IsValid() || slices.Contains(t.Oifs, e.Oif)) && !(t.Direct && e.Translated) &&
			(len(t.Final) == 0 || slices.ContainsFunc(t.Final, func(p netip.Prefix) bool { return leads(e, p) }))
	default: // not known
		return true
	}
}

// someOf says of an end that only some of its ports can count.
func (t *Target) someOf(e *trace.End) bool {
	if len(t.Ports) == 0 || t.Addr.IsValid() || !e.Ports || e.DportIn == nil || e.Fate.Fate == trace.Unknown {
		return false
	}
	var want []span
	for _, p := range t.Ports {
		want = append(want, span{big.NewInt(int64(p)), big.NewInt(int64(p))})
	}
	return slices.ContainsFunc(e.DportIn, func(s trace.Span) bool { return !covered(number(s), want) })
}

// addressed says whether it counts for which address packets end.
func (t *Target) addressed() bool { return len(t.At)+len(t.But)+len(t.Final) > 0 }

// delivered says whether what is delivered at an end can count.
func (t *Target) delivered(e *trace.End) bool {
	if len(t.At) > 0 && !slices.ContainsFunc(t.At, func(p netip.Prefix) bool { return leads(e, p) }) {
		return false
	}
	if e.DstIn == nil {
		return !slices.ContainsFunc(t.But, func(p netip.Prefix) bool { return p.Bits() <= e.Dst.Bits() && p.Overlaps(e.Dst) })
	}
	var but []span
	for _, p := range t.But {
		if p.Addr().BitLen() == 8*len(e.DstIn[0].Lo) {
			but = append(but, prefixSpan(p))
		}
	}
	return slices.ContainsFunc(e.DstIn, func(s trace.Span) bool { return !covered(number(s), but) })
}

// leads says whether an end can have destinations of a prefix.
func leads(e *trace.End, p netip.Prefix) bool {
	if e.DstIn == nil {
		return p.Overlaps(e.Dst)
	}
	want := prefixSpan(p)
	return slices.ContainsFunc(e.DstIn, func(s trace.Span) bool {
		return p.Addr().BitLen() == 8*len(s.Lo) && number(s).overlaps(want)
	})
}

// port says whether one of the destination ports at an end can count. Those with a target address are the sender's, which the
// certificate's question bounds. A socket of the target counts whatever the port: tproxy hands it packets for others.
func (t *Target) port(e *trace.End) bool {
	return slices.Contains(t.Sockets, e.Socket) || e.Fate.Fate == trace.Local && slices.Contains(t.Takers, e.Socket) || len(t.Ports) == 0 || t.Addr.IsValid() || !e.Ports || slices.ContainsFunc(t.Ports, func(p int) bool {
		if e.DportIn != nil {
			n := big.NewInt(int64(p))
			return slices.ContainsFunc(e.DportIn, func(s trace.Span) bool { return number(s).overlaps(span{n, n}) })
		}
		return p >= int(e.PortLow) && p <= int(e.PortHigh)
	})
}

// ports are those of the target as spans.
func (t *Target) ports() (out []trace.Span) {
	for _, p := range slices.Sorted(slices.Values(t.Ports)) {
		out = append(out, spanOf(span{big.NewInt(int64(p)), big.NewInt(int64(p))}, 2))
	}
	return out
}

// socket says whether the socket that takes the packets can count.
func (t *Target) socket(e *trace.End) bool {
	switch {
	case t.Unbound || !e.Ports:
		return true
	case e.Socket == trace.NoSocket:
		return false
	case len(t.Sockets) == 0:
		return true
	}
	return slices.ContainsFunc(e.Takers(), func(name string) bool {
		return name == trace.SomeSocket || name == trace.UnknownSocket || slices.Contains(t.Sockets, name)
	})
}

// number is a span of the tracer as numbers.
func number(s trace.Span) span { return span{new(big.Int).SetBytes(s.Lo), new(big.Int).SetBytes(s.Hi)} }

// spanOf is numbers of so many bytes as a span of the tracer.
func spanOf(s span, n int) trace.Span {
	return trace.Span{Lo: s.lo.FillBytes(make([]byte, n)), Hi: s.hi.FillBytes(make([]byte, n))}
}

type fieldDim struct {
	name byte
	dim  int
}

// fields are the dimensions of a box that a region has, in its order, by the names of the tracer.
var fields = []fieldDim{{'s', dimSrc}, {'d', dimDst}, {'p', dimSport}, {'q', dimDport}}

// spans is a box as the bounds of a region.
func (b *box) spans() (out bounds) {
	for i, f := range fields {
		n := 2
		switch {
		case i < 2 && b.region.V4:
			n = 4
		case i < 2:
			n = 16
		case len(b.region.Sport) == 0: // without ports
			continue
		}
		for _, s := range b.dims[f.dim] {
			out[i] = append(out[i], spanOf(s, n))
		}
	}
	return out
}

// hull gives a region the smallest prefixes and blocks of ports that hold what it is bounded to.
func hull(r *trace.Region) {
	for i := range fields {
		list := r.In[i]
		if len(list) == 0 {
			continue
		}
		first, free := block(list[0].Lo, list[len(list)-1].Hi)
		if i < 2 {
			a, _ := netip.AddrFromSlice(first[:len(list[0].Lo)])
			p := netip.PrefixFrom(a, a.BitLen()-free)
			if i == 0 {
				r.Src = p
			} else {
				r.Dst = p
			}
			continue
		}
		p := trace.Ports{First: uint16(first[0])<<8 | uint16(first[1]), Free: free}
		if i == 2 {
			r.Sport = p
		} else {
			r.Dport = p
		}
	}
}

// block is the smallest block of numbers, all with the same upper bits, that holds two of them: its first number, and how many bits are open
// in it: those from the first in which the two differ.
func block(lo, hi []byte) (first [16]byte, free int) {
	copy(first[:], lo)
	for i := range lo {
		if x := lo[i] ^ hi[i]; x != 0 {
			free = bits.Len8(x) + 8*(len(lo)-1-i)
			first[i] &= 0xff << bits.Len8(x)
			clear(first[i+1:])
			break
		}
	}
	return first, free
}

// narrow takes a region apart in the field that the end asks for, by the numbers that it names, else in halves, and adds the parts to a
// queue. It adds none where that is a single number.
func narrow(queue []bounds, r *trace.Region, split byte, parts []trace.Span) []bounds {
	i := slices.IndexFunc(fields, func(f fieldDim) bool { return f.name == split })
	if i < 0 || len(r.In[i]) == 0 {
		return queue
	}
	add := func(list []trace.Span) {
		b := bounds(r.In)
		b[i] = list
		queue = append(queue, b)
	}
	if in, rest := trace.Apart(r.In[i], parts); len(in) > 1 || len(in) == 1 && len(rest) > 0 {
		if len(rest) > 0 {
			add(rest)
		}
		for _, list := range in {
			add(list)
		}
		return queue
	}
	list := r.In[i]
	if len(list) > 1 {
		add(list[:len(list)/2])
		add(list[len(list)/2:])
		return queue
	}
	s, n := number(list[0]), len(list[0].Lo)
	if s.lo.Cmp(s.hi) == 0 {
		return queue
	}
	// The middle is where the first bit differs: prefixes stay whole.
	free := new(big.Int).Xor(s.lo, s.hi).BitLen()
	middle := new(big.Int).Lsh(new(big.Int).Rsh(s.hi, uint(free-1)), uint(free-1))
	add([]trace.Span{spanOf(span{s.lo, new(big.Int).Sub(middle, big.NewInt(1))}, n)})
	add([]trace.Span{spanOf(span{middle, s.hi}, n)})
	return queue
}
