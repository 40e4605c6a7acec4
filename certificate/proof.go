// Package certificate re-checks the certificate of an unreachable answer.
//
// A certificate is cubes: parts of the question that are each stopped somewhere. The checker computes
// that they are disjoint and cover the question, by their volumes, and follows every cube through the
// host with package trace, as regions of packets whose lower address and port bits are open. It shares
// no code with package reach, which wrote the certificate: a mistake would have to be made twice.
package certificate

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// Target is what no packet may reach. What is left empty excludes nothing.
type Target struct {
	Host bool
	// At counts of a Host only what is delivered for these addresses, But leaves those for others out.
	At, But []netip.Prefix
	// Sockets are names, as package trace gives them, of the sockets of a Host that count.
	Sockets []string
	// Takers are names of sockets at the ports of a Host: what they are handed counts, whatever its port.
	Takers  []string
	Oifs    []string
	Addr    netip.Addr     // wherever packets for this address end
	Final   []netip.Prefix // counts of Oifs only what leaves for these addresses
	Through bool           // counts only what is forwarded
	Direct  bool           // counts only what leaves for where it was sent
	Ports   []int          // at the end of the way, with Addr as it was sent
	Unbound bool           // also where no socket listens
}

// maxRegions bounds the work on one certificate, maxOfCube that on one of its cubes.
const (
	maxRegions = 200_000
	maxOfCube  = 20_000
)

// ErrTooLarge is a certificate that cannot be checked within bounds.
var ErrTooLarge = errors.New("the certificate takes too many steps to check")

// Checker checks certificates about one host.
type Checker struct {
	snap   *snapshot.Snapshot
	tracer *trace.Tracer
	// Spend is told how many rules were evaluated for a part of a certificate; an error ends the check. It may be nil.
	Spend func(rules int) error
	asked int // flags of TCP beside SYN that rules ask for
}

// NewChecker prepares a checker.
func NewChecker(s *snapshot.Snapshot) *Checker {
	return &Checker{snap: s, tracer: trace.New(s), asked: askedFlags(s.NFTables.Ruleset)}
}

// Check returns nil where the certificate proves that nothing of its own question reaches the target;
// CheckAll compares that with what was asked. One that says that its question has no packets holds here.
func (k *Checker) Check(t *Target, c *packet.Certificate) error {
	return k.check(&checker{Checker: k, target: t}, c)
}

func (k *Checker) check(w *checker, c *packet.Certificate) error {
	if c.Question.Empty {
		return nil
	}
	q, err := parse(&c.Question)
	if err != nil {
		return fmt.Errorf("question: %w", err)
	}
	cubes := make([]*box, len(c.Cubes))
	for i := range c.Cubes {
		if cubes[i], err = parse(&c.Cubes[i].Region); err != nil {
			return fmt.Errorf("cube %d: %w", i, err)
		}
	}
	if err := covers(q, cubes); err != nil {
		return err
	}
	for i, b := range cubes {
		if err := w.stopped(b); err != nil {
			return fmt.Errorf("cube %d: %w", i, err)
		}
	}
	return nil
}

// span is the numbers from lo to hi.
type span struct{ lo, hi *big.Int }

func (s span) overlaps(t span) bool { return s.lo.Cmp(t.hi) <= 0 && t.lo.Cmp(s.hi) <= 0 }
func (s span) inside(t span) bool   { return s.lo.Cmp(t.lo) >= 0 && s.hi.Cmp(t.hi) <= 0 }

// The dimensions of a box.
const (
	dimSrc = iota
	dimDst
	dimSport
	dimDport
	dimSMAC
	dimFlags // by rank
	dims
)

type box struct {
	region *packet.Region
	dims   [dims][]span
}

// within says whether one of the spans, which are in order and apart, holds another.
func within(s span, list []span) bool {
	at, _ := slices.BinarySearchFunc(list, s.lo, func(x span, lo *big.Int) int { return x.hi.Cmp(lo) })
	return at < len(list) && s.inside(list[at])
}

func (b *box) volume() *big.Int {
	v := big.NewInt(1)
	for d := range dims {
		n := new(big.Int)
		for _, s := range b.dims[d] {
			n.Add(n, new(big.Int).Add(new(big.Int).Sub(s.hi, s.lo), big.NewInt(1)))
		}
		v.Mul(v, n)
	}
	return v
}

func parse(r *packet.Region) (*box, error) {
	b := &box{region: r}
	var err error
	addr := func(s string) (*big.Int, error) {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Is4() != r.V4 {
			return nil, fmt.Errorf("address %q", s)
		}
		return new(big.Int).SetBytes(a.AsSlice()), nil
	}
	port := func(s string) (*big.Int, error) {
		n, err := strconv.ParseUint(s, 10, 16)
		return new(big.Int).SetUint64(n), err
	}
	mac := func(s string) (*big.Int, error) {
		m, err := net.ParseMAC(s)
		if err == nil && len(m) != 6 {
			err = fmt.Errorf("address %q", s)
		}
		return new(big.Int).SetBytes(m), err
	}
	for d, f := range map[int]struct {
		texts []string
		value func(string) (*big.Int, error)
	}{dimSrc: {r.Src, addr}, dimDst: {r.Dst, addr}, dimSport: {r.Sport, port}, dimDport: {r.Dport, port}, dimSMAC: {r.SMAC, mac}} {
		if b.dims[d], err = spans(f.texts, f.value); err != nil {
			return nil, err
		}
		if len(b.dims[d]) == 0 { // without that dimension
			if d == dimSrc || d == dimDst {
				return nil, errors.New("addresses are missing")
			}
			b.dims[d] = []span{{new(big.Int), new(big.Int)}}
		}
	}
	if b.dims[dimFlags], err = flagSpans(r.Flags, r.FlagSets); err != nil {
		return nil, err
	}
	return b, nil
}

// spans reads ranges, which must be in order and apart: the volume would count others twice.
func spans(texts []string, value func(string) (*big.Int, error)) ([]span, error) {
	var out []span
	for _, s := range texts {
		lo, hi, ok := strings.Cut(s, "-")
		if !ok {
			return nil, fmt.Errorf("range %q: want first-last", s)
		}
		a, err := value(lo)
		if err != nil {
			return nil, fmt.Errorf("range %q: %w", s, err)
		}
		b, err := value(hi)
		if err != nil {
			return nil, fmt.Errorf("range %q: %w", s, err)
		}
		if a.Cmp(b) > 0 || len(out) > 0 && out[len(out)-1].hi.Cmp(a) >= 0 {
			return nil, fmt.Errorf("range %q is not in order", s)
		}
		out = append(out, span{a, b})
	}
	return out, nil
}
