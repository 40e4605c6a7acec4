package trace

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// ipsec is one policy, prepared.
type ipsec struct {
	*snapshot.XFRMPolicy
	src, dst netip.Prefix
}

// readPolicies prepares the IPsec policies of packets that have no interface of IPsec.
func (t *Tracer) readPolicies() {
	x := t.snap.Network.XFRM
	if x == nil {
		return
	}
	for i := range x.Policies {
		p := ipsec{XFRMPolicy: &x.Policies[i]}
		if p.IfID != 0 {
			continue
		}
		p.src, _ = netip.ParsePrefix(p.Src)
		p.dst, _ = netip.ParsePrefix(p.Dst)
		t.policies = append(t.policies, p)
	}
}

// protects says whether IPsec lets a plain packet pass in a direction (__xfrm_policy_check, __xfrm_route_forward): the first policy that
// matches decides, then the default. An empty text lets it pass.
func (w *walk) protects(dir string, l *link) string {
	x := w.snap.Network.XFRM
	if x == nil || l == nil || l.Loopback || l.Kind == "xfrm" || l.Kind == "vti" || l.Kind == "vti6" {
		return ""
	}
	if x.State != snapshot.Present && x.State != snapshot.Absent {
		w.abort(nil, "IPsec policies were not read: "+x.Reason)
		return ""
	}
	blocked := slices.Contains(x.Blocked, dir)
	if !blocked && !slices.ContainsFunc(w.policies, func(p ipsec) bool { return p.Dir == dir && p.Needs() }) || dir != "out" && w.exempt(dir, l) {
		return ""
	}
	if c := w.skb.ct; c != nil && c.status.v&(ipsDstNAT|ipsSrcNAT) != 0 {
		w.abort(nil, "which IPsec policy a packet with a translation matches")
		return ""
	}
	for i := range w.policies {
		p := &w.policies[i]
		if p.Dir != dir || !w.policyMatches(p) || w.stuck != nil {
			continue
		}
		switch {
		case !p.Needs():
			return ""
		case w.local, dir == "out" && !p.Block:
			w.abort(nil, p.String())
			return ""
		}
		return "ipsec"
	}
	if blocked && w.stuck == nil {
		if w.local {
			w.abort(nil, "no IPsec policy matches, and the default blocks")
			return ""
		}
		return "ipsec"
	}
	return ""
}

// exempt says whether the policies of an interface are off (disable_policy). What IPv6 delivers goes by the interface that has the address
// (addrconf_f6i_alloc), as that was when its switch was last written.
func (w *walk) exempt(dir string, l *link) bool {
	family := "ipv6"
	if w.skb.v4 {
		family = "ipv4"
	}
	off := func(name string) int { return w.value("net/" + family + "/conf/" + name + "/disable_policy") }
	if w.skb.v4 || dir == "fwd" {
		return w.flag(off("all"), "disable_policy of all") || w.flag(off(l.Name), "disable_policy of "+l.Name)
	}
	for _, name := range append([]string{"all"}, slices.Sorted(maps.Keys(w.names))...) {
		if off(name) != 0 {
			return w.choose(2, nil, "disable_policy of "+name) == 1
		}
	}
	return false
}

// policyMatches says whether the selector of a policy holds (xfrm_selector_match).
func (w *walk) policyMatches(p *ipsec) bool {
	s := &w.skb
	if p.Family != 0 && (p.Family == 4) != s.v4 || p.Proto != 0 && p.Proto != int(s.proto) {
		return false
	}
	for _, part := range []struct {
		f    byte
		p    netip.Prefix
		addr netip.Addr
	}{{'s', p.src, s.src()}, {'d', p.dst, s.dst()}} {
		switch {
		case !part.p.IsValid() || part.p.Bits() == 0:
		case !w.uniform(part.f):
			if w.choose(2, nil, splitField(part.f)) == 0 {
				return false
			}
		case !part.p.Contains(part.addr):
			return false
		}
	}
	ported := s.proto == packet.TCP || s.proto == packet.UDP || s.proto == packet.SCTP || s.proto == packet.UDPLite
	for _, part := range []struct {
		at         int
		port, mask uint16
		f          byte
	}{{0, p.Sport, p.SportMask, 'p'}, {2, p.Dport, p.DportMask, 'q'}} {
		switch {
		case part.mask == 0:
		case !ported || s.fragment != whole:
			return w.choose(2, nil, "whether the packet matches: "+p.String()) == 1
		case w.openPort(part.at):
			if w.choose(2, nil, splitField(part.f)) == 0 {
				return false
			}
		case (s.port(part.at)^part.port)&part.mask != 0:
			return false
		}
	}
	switch {
	case (s.mark.v^p.Mark)&p.Mask&^s.mark.unk != 0:
		return false
	case s.mark.unk&p.Mask != 0 || p.Ifindex != 0:
		return w.choose(2, nil, "whether the packet matches: "+p.String()) == 1
	}
	return true
}
