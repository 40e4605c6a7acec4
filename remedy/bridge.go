package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// enters is the name of the interface by which the host itself sees what comes in by another: of a port its bridge.
func enters(s *snapshot.Snapshot, name string) string {
	if b := s.Network.BridgeOf(s.Network.LinkNamed(name)); b != nil {
		return b.Name
	}
	return name
}

// portsOf are the ports of a bridge that are up, but for some.
func portsOf(s *snapshot.Snapshot, bridge *snapshot.Link, but []int) (list []*snapshot.Link) {
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; l.Master == bridge.Index && l.Up && !slices.Contains(but, l.Index) {
			list = append(list, l)
		}
	}
	return list
}

// framesOf are the ports of a bridge that an origin is told from others by: only the family bridge sees them. It is
// nil where the host's own interface says it.
func framesOf(s *snapshot.Snapshot, o *zones.Origin) []*snapshot.Link {
	l := s.Network.Link(o.Index)
	switch {
	case s.Network.BridgeOf(l) != nil:
		return []*snapshot.Link{l}
	case l != nil && len(o.Apart) > 0:
		return portsOf(s, l, o.Apart)
	}
	return nil
}

// upward is inward for those behind ports of a bridge.
func (p *Plan) upward(closes Rule, s *snapshot.Snapshot, o *zones.Origin, ports []*snapshot.Link, keep []netip.Prefix) {
	for _, l := range ports {
		targets := hostAddresses(s)
		if len(closes.To) > 0 {
			targets = [][]netip.Prefix{closes.To}
		}
		for _, to := range targets {
			drop := closes
			drop.Chain, drop.Iif, drop.To = chainPort, l.Name, to
			p.inward(drop, o, keep)
		}
	}
}

// between adds what keeps one origin from opening connections to another, or says why it does not. The host tells those who keep theirs
// by their addresses; of ports of a bridge none does.
func (p *Plan) between(id string, s *snapshot.Snapshot, o, to *zones.Origin, keep []netip.Prefix) string {
	in, out := s.Network.Link(o.Index), s.Network.Link(to.Index)
	if in == nil || out == nil {
		return "an interface is gone"
	}
	bridge := s.Network.BridgeOf(in)
	if bridge == nil {
		bridge = in
	}
	ports := framesOf(s, o)
	switch beside := s.Network.BridgeOf(out); {
	case out == bridge || beside == bridge:
		r := Rule{Chain: chainSwitched, Closes: id}
		if r.Iif = in.Name; in == bridge {
			r.Iif, r.NotIif = "", namesOf(s, o.Apart, out)
		}
		if r.Oif = out.Name; out == bridge {
			r.Oif, r.NotOif = "", namesOf(s, to.Apart, in)
		}
		p.opening(r)
		p.through(id, s, ports, bridge)
		return ""
	case beside != nil || len(to.Apart) > 0:
		return fmt.Sprintf("where %s leads depends on who is behind which of its ports, which rules for what comes from %s do not see: "+
			"give them a bridge of their own", out.Name, in.Name)
	case ports != nil:
		p.through(id, s, ports, out)
		return ""
	}
	// Published ports lead to workloads: they are findings of their own, or meant.
	direct := to.Zone == zones.Workload || to.Zone == zones.Runtime
	drop := Rule{Chain: chainForward, Iif: in.Name, Oif: out.Name, Direct: direct, Closes: id}
	p.keepThrough(s, drop)
	p.inward(drop, o, keep)
	return ""
}

// through adds what stops frames that ports of a bridge hand to the host to route them out by an interface, also back
// by the bridge itself. The family bridge knows that by their destination alone.
func (p *Plan) through(id string, s *snapshot.Snapshot, ports []*snapshot.Link, out *snapshot.Link) {
	for _, l := range ports {
		b := s.Network.BridgeOf(l)
		if !forwards(s, b) {
			continue
		}
		for _, list := range behind(s, b, out) {
			p.opening(Rule{Chain: chainUp, Iif: l.Name, To: list, Behind: out.Name, Closes: id})
		}
	}
}

// opening adds a drop of whatever is no answer: connections that are opened the other way go on.
func (p *Plan) opening(r Rule) {
	kinds := []string{"answers"}
	if len(r.To) == 0 || is4(r.To) {
		kinds = append(kinds, "icmp-answers")
	}
	if len(r.To) == 0 || !is4(r.To) {
		kinds = append(kinds, "icmpv6-answers")
	}
	for _, kind := range kinds {
		k := r
		k.Kind, k.Accept = kind, true
		p.rule(k)
	}
	r.Kind = "opening"
	p.rule(r)
}

func namesOf(s *snapshot.Snapshot, links []int, but *snapshot.Link) (names []string) {
	for _, i := range links {
		if l := s.Network.Link(i); l != nil && l != but {
			names = append(names, l.Name)
		}
	}
	return names
}

// forwards says whether the host may route what comes in by a bridge.
func forwards(s *snapshot.Snapshot, bridge *snapshot.Link) bool {
	for _, key := range []string{"net/ipv4/conf/" + bridge.Name + "/forwarding", "net/ipv6/conf/all/forwarding"} {
		if f, ok := s.Network.Sysctls[key]; !ok || maybeOn(f) {
			return true
		}
	}
	return false
}

// hostAddresses are the destinations of what is for the host, also as one of many, a list for each family.
func hostAddresses(s *snapshot.Snapshot) [][]netip.Prefix {
	list := append(slices.Clone(toMany), ownAddresses(s, nil)...)
	for i := range s.Network.Routes {
		if r := &s.Network.Routes[i]; slices.Contains([]string{"local", "anycast", "broadcast"}, r.Type) {
			if p, err := netip.ParsePrefix(r.Dst); err == nil {
				list = append(list, p)
			}
		}
	}
	return byFamily(list)
}

// ownAddresses are the host's: one that was not yet looked for on its link has no route. Link-local ones are of one
// interface, or of all where that is nil.
func ownAddresses(s *snapshot.Snapshot, of *snapshot.Link) (list []netip.Prefix) {
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		for _, text := range l.Addrs {
			p, err := netip.ParsePrefix(text)
			if err != nil || of != nil && l.Index != of.Index && p.Addr().IsLinkLocalUnicast() {
				continue
			}
			list = append(list, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
	}
	return list
}

// toMany are destinations that no route decides about: everybody, groups, and the host that has no address yet.
var toMany = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("255.255.255.255/32"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("ff00::/8"),
}

// behind is the destinations that routes lead to by an interface from another, or back by the same, a list for each
// family: without those that are the host's own or have a longer route by another. Link-local addresses of IPv6 are of
// their own link.
func behind(s *snapshot.Snapshot, in, out *snapshot.Link) [][]netip.Prefix {
	var list []netip.Prefix
	not := append(slices.Clone(toMany), ownAddresses(s, out)...)
	for i := range s.Network.Routes {
		r := &s.Network.Routes[i]
		p, err := netip.ParsePrefix(r.Dst)
		switch by := slices.Contains(r.Oifs, out.Index); {
		case err != nil, p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && (in != out || !by):
		case r.Type == "unicast" && by:
			list = append(list, p)
		case r.Type != "unicast" || p.Bits() > 0:
			not = append(not, p)
		}
	}
	var left []netip.Prefix
	for _, p := range list {
		parts := []netip.Prefix{p}
		for _, q := range not {
			if q.Bits() < p.Bits() {
				continue
			}
			var rest []netip.Prefix
			for _, part := range parts {
				rest = append(rest, without(part, q)...)
			}
			parts = rest
		}
		left = append(left, parts...)
	}
	return byFamily(left)
}

// without is a prefix without a part of it: the other half at each step towards that.
func without(p, part netip.Prefix) []netip.Prefix {
	if !p.Overlaps(part) {
		return []netip.Prefix{p}
	}
	var list []netip.Prefix
	for bits := p.Bits() + 1; bits <= part.Bits(); bits++ {
		b := part.Addr().AsSlice()
		b[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		other, _ := netip.AddrFromSlice(b)
		list = append(list, netip.PrefixFrom(other, bits).Masked())
	}
	return list
}

// byFamily sorts prefixes, each once.
func byFamily(list []netip.Prefix) (out [][]netip.Prefix) {
	for _, v4 := range []bool{true, false} {
		var some []netip.Prefix
		for _, p := range list {
			if p = p.Masked(); p.Addr().Is4() == v4 && !slices.Contains(some, p) {
				some = append(some, p)
			}
		}
		if len(some) > 0 {
			slices.SortFunc(some, netip.Prefix.Compare)
			out = append(out, some)
		}
	}
	return out
}
