package reach

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// taken is packets that get to a socket, as they are sent.
type taken struct {
	v4          bool
	many        bool // they are for many hosts
	daddr, port set
}

// Sent is packets as they are sent. Without addresses, or a port, it is those for any; One is a port of theirs.
type Sent struct {
	Dst       []netip.Prefix
	Port, One int
	// Many says that they are for many hosts.
	Many bool
}

// taken notes which packets get to the socket that the question is about, and whether there can be others.
func (e *engine) taken(a *Answer, hits []cube) {
	a.whole = !a.cut && len(e.general) == 0 && len(e.undecided) == 0 && (len(e.legacy) == 0 || !e.legacyTranslates())
	for i := range hits {
		c := &hits[i]
		a.taken = append(a.taken, taken{c.v4, c.toMany, c.original(fDaddr), c.original(fDport)})
	}
}

// toldPorts bounds the ports that are told one by one.
const toldPorts = 4

// toldPrefixes bounds the prefixes of addresses.
const toldPrefixes = 256

// Beyond is what gets to the socket of a question, or may, and is sent to other addresses than some, or to another port: to those of
// another interface, or by a translation.
func (a *Answer) Beyond(own []netip.Addr, port int) []Sent {
	if a.Verdict != packet.Unreachable && !a.whole {
		return []Sent{{}}
	}
	var at set
	for _, x := range own {
		at = append(at, single(addrNumber(x))...)
	}
	at = at.normal()
	type kind struct {
		port int
		many bool
	}
	rest, one := map[kind]set{}, map[kind]int{}
	var order []kind
	v4 := true
	add := func(t *taken, port, example int, daddr set) {
		k := kind{port, t.many}
		if daddr.empty() {
			return
		}
		if _, ok := rest[k]; !ok {
			order, one[k] = append(order, k), example
		}
		rest[k] = append(rest[k], daddr...)
		v4 = t.v4
	}
	for i := range a.taken {
		t := &a.taken[i]
		straight := single(num(uint64(port)))
		if !t.port.intersect(straight).empty() {
			add(t, port, port, t.daddr.subtract(at))
		}
		switch others := t.port.subtract(straight); {
		case others.size(toldPorts+1) > toldPorts:
			add(t, 0, int(others[0].hi.lo), t.daddr)
		default:
			for _, x := range others {
				for p := x.lo.lo; p <= x.hi.lo; p++ {
					add(t, int(p), int(p), t.daddr)
				}
			}
		}
	}
	var out []Sent
	for _, k := range order {
		s := slices.Clone(rest[k]).normal()
		out = append(out, Sent{s.prefixes(v4), k.port, one[k], k.many})
	}
	return out
}

// prefixes is a set of addresses as prefixes, or none where there are too many.
func (s set) prefixes(v4 bool) (out []netip.Prefix) {
	width := 8 * fDaddr.width(v4)
	for _, x := range s {
		for lo := x.lo; ; {
			free := width // how many bits of lo are free to become one
			switch {
			case lo.lo != 0:
				free = bits.TrailingZeros64(lo.lo)
			case lo.hi != 0:
				free = 64 + bits.TrailingZeros64(lo.hi)
			}
			free = min(free, width)
			for x.hi.less(lo.or(ones(uint(free)))) {
				free--
			}
			if len(out) == toldPrefixes {
				return nil
			}
			out = append(out, netip.PrefixFrom(lo.addr(v4), width-free))
			last := lo.or(ones(uint(free)))
			if last == x.hi {
				break
			}
			lo = last.next()
		}
	}
	return out
}
