package trace

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// A block is up to blockRules rules of a chain, one after the other. For each spot that enough of them compare, it has the numbers there parted where
// their tests part them, and the rules that may match in each part: those of all spots together may match a packet, the others certainly do not.
type block struct {
	columns []column
	all     ruleBits
}

const (
	blockRules = 256
	// leastTests is how many rules have to compare a spot for it to be worth a look.
	leastTests = 8
	// leastChain is how many rules a chain has for that, and leastVisits how often packets come to it before.
	leastChain, leastVisits = 32, 4
	// mostRanges bounds those of one test: of a larger set its rule is not asked for.
	mostRanges = 64
)

// ruleBits is a set of the rules of a block.
type ruleBits [blockRules / 64]uint64

func (b *ruleBits) add(i int) { b[i/64] |= 1 << (i % 64) }

// next is the first rule of the set from i on, or blockRules.
func (b *ruleBits) next(i int) int {
	for ; i < blockRules; i = (i/64 + 1) * 64 {
		if rest := b[i/64] >> (i % 64); rest != 0 {
			return i + bits.TrailingZeros64(rest)
		}
	}
	return blockRules
}

// column is what the rules of a block ask of one spot: the first 8 bytes from there, the first of them the highest. Part i begins with starts[i].
type column struct {
	from   byte
	off, n int
	starts []uint64
	rules  []ruleBits
}

// among is numbers from the first to the last.
type among struct{ lo, hi uint64 }

// front is a test at the front of a rule, and the numbers for which it may hold.
type front struct {
	from   byte
	off, n int
	among  []among
}

// place is where a front reads.
type place struct {
	from byte
	off  int
}

// candidates is the rules of the block that may match the packet as it is now.
func (b *block) candidates(w *walk) ruleBits {
	out := b.all
	for i := range b.columns {
		c := &b.columns[i]
		v, unk, ok := w.quickly(c.from, c.off, c.n)
		if !ok || unk != 0 {
			continue
		}
		v = bits.ReverseBytes64(v)
		lo, hi := 0, len(c.starts) // the last that begins no later
		for lo+1 < hi {
			if mid := (lo + hi) / 2; c.starts[mid] <= v {
				lo = mid
			} else {
				hi = mid
			}
		}
		for k, word := range &c.rules[lo] {
			out[k] &= word
		}
	}
	return out
}

// sifted is the rules of a block that may match, as long as no rule has changed the packet.
type sifted struct {
	c     *chain
	block int
	rules ruleBits
}

// sift is the first rule of a chain from at on that may match.
func (w *walk) sift(s *sifted, c *chain, at int) int {
	for at < len(c.rules) {
		n := at / blockRules
		if s.c != c || s.block != n {
			s.c, s.block, s.rules = c, n, c.blocks[n].candidates(w)
		}
		if next := s.rules.next(at % blockRules); next < blockRules {
			return n*blockRules + next
		}
		at = (n + 1) * blockRules
	}
	return at
}

// sifts says whether the chain has its blocks: once packets have come to it some times.
func (c *chain) sifts() bool {
	if c.blocks != nil || len(c.rules) < leastChain {
		return c.blocks != nil
	}
	if c.visits++; c.visits < leastVisits {
		return false
	}
	for first := 0; first < len(c.rules); first += blockRules {
		c.blocks = append(c.blocks, newBlock(c.rules[first:min(first+blockRules, len(c.rules))]))
	}
	return true
}

func newBlock(rules []rule) (b block) {
	tests := map[place]map[int]front{}
	for i := range rules {
		b.all.add(i)
		for _, f := range fronts(rules[i].ops) {
			at := place{f.from, f.off}
			if tests[at] == nil {
				tests[at] = map[int]front{}
			}
			if old, ok := tests[at][i]; ok { // both have to hold
				f.among, f.n = both(old.among, f.among), max(old.n, f.n)
			}
			tests[at][i] = f
		}
	}
	for at, of := range tests {
		if len(of) >= leastTests {
			b.columns = append(b.columns, newColumn(at, of, b.all))
		}
	}
	slices.SortFunc(b.columns, func(x, y column) int { return len(y.starts) - len(x.starts) })
	return b
}

func newColumn(at place, of map[int]front, all ruleBits) column {
	c := column{from: at.from, off: at.off, starts: []uint64{0}}
	for i, f := range of {
		c.n = max(c.n, f.n)
		all[i/64] &^= 1 << (i % 64)
		for _, r := range f.among {
			if c.starts = append(c.starts, r.lo); r.hi != math.MaxUint64 {
				c.starts = append(c.starts, r.hi+1)
			}
		}
	}
	slices.Sort(c.starts)
	c.starts = slices.Compact(c.starts)
	c.rules = make([]ruleBits, len(c.starts))
	for k := range c.rules {
		c.rules[k] = all // those that do not ask
	}
	for i, f := range of {
		for _, r := range f.among {
			k, _ := slices.BinarySearch(c.starts, r.lo)
			for ; k < len(c.starts) && c.starts[k] <= r.hi; k++ {
				c.rules[k].add(i)
			}
		}
	}
	return c
}

// fronts translates the leading loads and tests of a rule. What it leaves out may hold.
func fronts(ops []op) (out []front) {
	for i := 0; i+1 < len(ops); i++ {
		load := &ops[i]
		f := front{}
		switch {
		case load.kind == opPayload && (load.base == 'n' || load.base == 't') && load.off <= 60:
			f.from, f.off, f.n = load.base, load.off, load.n
		case load.kind == opMeta && quickMeta[load.key] != 0:
			f.from, f.n = quickMeta[load.key], metaLen(load.key)
		default:
			return out
		}
		i++
		var mask []byte
		if o := &ops[i]; o.kind == opBitwise && o.sreg == load.dreg && o.dreg == load.dreg && i+1 < len(ops) {
			if mask = o.data[:o.n]; anyBit(o.data2[:o.n]) {
				return out
			}
			i++
		}
		test := &ops[i]
		if test.sreg != load.dreg {
			return out
		}
		list, is, ok := test.holdsAmong()
		if !ok {
			return out
		}
		if f.asked(list, is, mask) {
			out = append(out, f)
		}
	}
	return out
}

// holdsAmong is the values that a test is about, and whether it holds for them or for all others; false is another operation.
func (o *op) holdsAmong() (list spans, is, ok bool) {
	switch o.kind {
	case opCmpEq, opCmpNeq:
		return spans{{o.data, o.data}}, o.kind == opCmpEq, true
	case opCmp, opRange:
		list, is = o.among()
		return list, is, true
	case opLookup:
		s := o.set
		if s.src.Dynamic || s.catchAll != nil || len(s.src.FieldLens) > 1 || len(s.concat) > 0 {
			return nil, false, false
		}
		_, list, _ = s.parts()
		return list, !o.expr.Lookup.Invert, true
	default:
	}
	return nil, false, false
}

// asked notes the numbers for which the test may hold; false is that all are.
func (f *front) asked(list spans, is bool, mask []byte) bool {
	if len(list) > mostRanges {
		return false
	}
	for _, s := range list {
		n := len(s.Lo)
		if n == 0 || n > f.n || n < f.n && f.from != 'i' && f.from != 'o' && f.from != 'p' && f.from != 'f' || n > 8 && !is {
			return false
		}
		lo, hi := slices.Clone(s.Lo), slices.Clone(s.Hi)
		if mask != nil {
			ones := leadingOnes(mask)
			if len(mask) != n || ones < 0 || string(s.Lo) != string(s.Hi) {
				return false
			}
			for k := range lo {
				if lo[k]&^mask[k] != 0 { // never so: the test decides without the packet
					return false
				}
				hi[k] = lo[k] | ^mask[k]
			}
		}
		f.among = append(f.among, among{highest(lo, 0), highest(hi, 0xff)})
		f.n = min(n, 8)
	}
	if len(list) == 0 {
		f.n = min(f.n, 8)
	}
	if !is {
		f.among = others(f.among)
	}
	return true
}

// highest is the first 8 bytes as a number, the first of them the highest; missing ones are as given.
func highest(b []byte, missing byte) uint64 {
	buf := [8]byte{missing, missing, missing, missing, missing, missing, missing, missing}
	copy(buf[:], b)
	return binary.BigEndian.Uint64(buf[:])
}

// others is the numbers that are in none of some ranges, which are in order and apart.
func others(list []among) (out []among) {
	next := uint64(0)
	for _, r := range list {
		if r.lo > next {
			out = append(out, among{next, r.lo - 1})
		}
		if r.hi == math.MaxUint64 {
			return out
		}
		next = r.hi + 1
	}
	return append(out, among{next, math.MaxUint64})
}

// both is the numbers that are in two lists of ranges.
func both(a, b []among) (out []among) {
	for _, x := range a {
		for _, y := range b {
			if lo, hi := max(x.lo, y.lo), min(x.hi, y.hi); lo <= hi {
				out = append(out, among{lo, hi})
			}
		}
	}
	return out
}
