package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// takes notes the addresses that the host takes packets for by the tables that rules lead to: a rule can have one of its own
// deliver any address (RTN_LOCAL).
func (f *fib) takes(links []snapshot.Link) {
	tables := map[int]bool{255: true, 254: true, 253: true}
	for i := range f.rules {
		tables[f.rules[i].Table] = true
	}
	many := f.multicast
	if f.v4 {
		many = append(append(slices.Clone(many), single(num(0))...), single(num(0xffffffff))...)
	}
	var own, sources set
	for i := range links {
		for _, a := range linkAddrs(&links[i], f.v4) {
			sources = append(sources, single(addrNumber(a.Addr()))...)
			if a.Addr().IsLinkLocalUnicast() && !f.v4 { // looked up on the interface alone
				own = append(own, single(addrNumber(a.Addr()))...)
			}
		}
	}
	for id := range tables {
		for _, p := range f.tables[id] {
			switch p.kind {
			case routeKind["local"]:
				own = append(own, p.addrs...)
				if id == 255 {
					sources = append(sources, p.addrs...)
				}
			case routeKind["broadcast"], routeKind["anycast"]:
				many = append(many, p.addrs...)
			}
		}
	}
	f.own = slices.Clip(append(set{}, own...).normal())
	f.sources = append(set{}, sources...).normal()
	f.taken = slices.Clip(append(slices.Clone(f.own), many...).normal())
	byKind := map[int]set{}
	for _, p := range f.whole {
		kind := p.kind
		if kind != routeKind["local"] && kind != routeKind["broadcast"] && kind != routeKind["anycast"] {
			kind = routeKind["unreachable"]
		}
		byKind[kind] = append(byKind[kind], p.addrs...)
	}
	for _, kind := range sortedInts(byKind) {
		f.kinds = append(f.kinds, part{addrs: byKind[kind].normal(), kind: kind})
	}
}

// types4 is the addresses by type as the kernel tells them for IPv4: from the table local alone, so
// that all others are unicast, whatever their route (inet_addr_type).
func (f *fib) types4() []part {
	zero := span(num(0), num(0))
	limited := single(num(0xffffffff))
	multicast := prefixSet(netip.MustParsePrefix("224.0.0.0/4"))
	out := []part{{addrs: append(zero, limited...), kind: routeKind["broadcast"]}, {addrs: multicast, kind: routeKind["multicast"]}}
	left := span(num(1), num(0xfffffffe)).subtract(multicast)
	for _, p := range f.tables[255] {
		if p.kind != routeKind["local"] && p.kind != routeKind["broadcast"] {
			continue
		}
		s := p.addrs.intersect(left)
		if s.empty() {
			continue
		}
		left = left.subtract(s)
		p.addrs = s
		out = append(out, p)
	}
	return append(out, part{addrs: left, kind: routeKind["unicast"]})
}

// local is every address that the host delivers to itself.
func (f *fib) local() set {
	if f.locals == nil {
		s, local := set{}, routeKind["local"]
		for _, p := range f.parts {
			if p.kind == local {
				s = append(s, p.addrs...)
			}
		}
		f.locals = s.normal()
	}
	return slices.Clone(f.locals)
}

// besides is the addresses that are no neighbour's: the host's own, and groups.
func (f *fib) besides() set {
	if f.noNeighbours == nil {
		f.noNeighbours = append(f.local(), f.multicast...).normal()
	}
	return f.noNeighbours
}

// broadcasts is every address of IPv4 at which the host takes packets for all of a link. 0.0.0.0 is one for those who
// have no address either (ip_route_input_slow).
func (f *fib) broadcasts() set {
	if !f.v4 {
		return nil
	}
	s := append(single(num(0)), single(num(0xffffffff))...)
	for _, p := range f.parts {
		if p.kind == routeKind["broadcast"] {
			s = append(s, p.addrs...)
		}
	}
	return append(set{}, s...).normal()
}

// via is the unicast addresses whose route leaves through an interface.
func (f *fib) via(oif int) set {
	if f.leaving == nil {
		f.leaving = map[int]set{}
		unicast := routeKind["unicast"]
		for _, p := range f.parts {
			if p.kind != unicast {
				continue
			}
			for i, oif := range p.oifs {
				if !slices.Contains(p.oifs[:i], oif) {
					f.leaving[oif] = append(f.leaving[oif], p.addrs...)
				}
			}
		}
		for oif, s := range f.leaving {
			f.leaving[oif] = s.normal()
		}
	}
	return slices.Clone(f.leaving[oif])
}

// linkAddrs is the addresses of a link with their prefixes.
func linkAddrs(l *snapshot.Link, v4 bool) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range l.Addrs {
		if p, err := netip.ParsePrefix(a); err == nil && p.Addr().Is4() == v4 {
			out = append(out, p)
		}
	}
	return out
}
