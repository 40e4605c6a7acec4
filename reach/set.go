package reach

import (
	"math/bits"
	"net/netip"
)

// u128 is an unsigned number of 128 bits: wide enough for an IPv6 address.
type u128 struct{ hi, lo uint64 }

func num(n uint64) u128 { return u128{lo: n} }

func (a u128) less(b u128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a u128) next() u128 {
	lo, carry := bits.Add64(a.lo, 1, 0)
	return u128{a.hi + carry, lo}
}

func (a u128) prev() u128 {
	lo, borrow := bits.Sub64(a.lo, 1, 0)
	return u128{a.hi - borrow, lo}
}

func (a u128) minus(b u128) u128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, borrow)
	return u128{hi, lo}
}

func (a u128) and(b u128) u128 { return u128{a.hi & b.hi, a.lo & b.lo} }
func (a u128) or(b u128) u128  { return u128{a.hi | b.hi, a.lo | b.lo} }
func (a u128) xor(b u128) u128 { return u128{a.hi ^ b.hi, a.lo ^ b.lo} }
func (a u128) not() u128       { return u128{^a.hi, ^a.lo} }

func (a u128) shl(n uint) u128 {
	switch {
	case n == 0:
		return a
	case n >= 128:
		return u128{}
	case n >= 64:
		return u128{a.lo << (n - 64), 0}
	}
	return u128{a.hi<<n | a.lo>>(64-n), a.lo << n}
}

func (a u128) shr(n uint) u128 {
	switch {
	case n == 0:
		return a
	case n >= 128:
		return u128{}
	case n >= 64:
		return u128{0, a.hi >> (n - 64)}
	}
	return u128{a.hi >> n, a.lo>>n | a.hi<<(64-n)}
}

// ones is the largest number of n bits.
func ones(n uint) u128 {
	if n >= 128 {
		return u128{^uint64(0), ^uint64(0)}
	}
	return num(1).shl(n).prev()
}

// number reads big-endian bytes, at most 16 of them.
func number(b []byte) u128 {
	var n u128
	for _, c := range b {
		n = n.shl(8).or(num(uint64(c)))
	}
	return n
}

// bytesOf writes the lower n bytes of a, big-endian.
func (a u128) bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		b[i] = byte(a.lo)
		a = a.shr(8)
	}
	return b
}

func addrNumber(a netip.Addr) u128 { return number(a.AsSlice()) }

func (a u128) addr(v4 bool) netip.Addr {
	n := 16
	if v4 {
		n = 4
	}
	ip, _ := netip.AddrFromSlice(a.bytesOf(n))
	return ip
}

// interval holds all numbers from lo to hi, both included.
type interval struct{ lo, hi u128 }

// set is a set of numbers: sorted intervals that neither overlap nor touch. Sets are never changed
// in place, so they are shared freely.
type set []interval

func single(n u128) set       { return set{{n, n}} }
func span(lo, hi u128) set    { return set{{lo, hi}} }
func (s set) empty() bool     { return len(s) == 0 }
func (s set) singleton() bool { return len(s) == 1 && s[0].lo == s[0].hi }

func (s set) contains(n u128) bool {
	for _, i := range s {
		if !n.less(i.lo) && !i.hi.less(n) {
			return true
		}
	}
	return false
}

// size counts the numbers, up to limit.
func (s set) size(limit uint64) uint64 {
	var n uint64
	for _, i := range s {
		d := i.hi.minus(i.lo)
		if d.hi != 0 || d.lo >= limit || n+d.lo+1 > limit {
			return limit
		}
		n += d.lo + 1
	}
	return n
}

// weight is about how many numbers the set has.
func (s set) weight() float64 {
	w := 0.0
	for _, i := range s {
		d := i.hi.minus(i.lo)
		w += float64(d.hi)*(1<<64) + float64(d.lo) + 1
	}
	return w
}

func (s set) intersect(t set) set {
	var out set
	for i, j := 0, 0; i < len(s) && j < len(t); {
		lo, hi := s[i].lo, s[i].hi
		if lo.less(t[j].lo) {
			lo = t[j].lo
		}
		if t[j].hi.less(hi) {
			hi = t[j].hi
		}
		if !hi.less(lo) {
			out = append(out, interval{lo, hi})
		}
		if s[i].hi.less(t[j].hi) {
			i++
		} else {
			j++
		}
	}
	return out
}

func (s set) subtract(t set) set {
	var out set
	j := 0
	for _, i := range s {
		lo, done := i.lo, false
		for j < len(t) && t[j].hi.less(lo) {
			j++
		}
		for k := j; k < len(t) && !i.hi.less(t[k].lo); k++ {
			if lo.less(t[k].lo) {
				out = append(out, interval{lo, t[k].lo.prev()})
			}
			if !t[k].hi.less(i.hi) {
				done = true
				break
			}
			lo = t[k].hi.next()
		}
		if !done {
			out = append(out, interval{lo, i.hi})
		}
	}
	return out
}

// normal sorts and joins intervals.
func (s set) normal() set {
	if len(s) < 2 {
		return s
	}
	sortIntervals(s)
	out := s[:1]
	for _, i := range s[1:] {
		last := &out[len(out)-1]
		touch := last.hi.next()
		if touch == (u128{}) || !touch.less(i.lo) { // the highest number has no next
			if last.hi.less(i.hi) {
				last.hi = i.hi
			}
			continue
		}
		out = append(out, i)
	}
	return out
}

func prefixSet(p netip.Prefix) set {
	p = p.Masked()
	lo := addrNumber(p.Addr())
	return span(lo, lo.or(ones(uint(p.Addr().BitLen()-p.Bits()))))
}
