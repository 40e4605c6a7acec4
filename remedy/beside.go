package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// closing is the listener that a denial is about, and the interfaces that it is closed to.
type closing struct {
	id, proto string
	port      int
	at        netip.Addr // none is all of the host's addresses
	family    int        // 4 or 6 where it takes one alone, else 0
	iifs      []string
}

// target is the address that a denial closes, none for all. It is wide where rules translate what comes in and the listener
// is on loopback: then a packet shows another destination before.
func target(s *snapshot.Snapshot, d *finding.Deny) (at netip.Addr, wide bool, why string) {
	if d.Addr == "" {
		return netip.Addr{}, true, ""
	}
	at, err := netip.ParseAddr(d.Addr)
	if err != nil {
		return at, false, fmt.Sprintf("the address of the listener, %q, is none", escape.Line(d.Addr))
	}
	if at = at.Unmap().WithZone(""); at.IsUnspecified() {
		return netip.Addr{}, true, ""
	}
	return at, at.IsLoopback() && s.NFTables.Ruleset != nil && translates(s.NFTables.Ruleset), ""
}

// boundTo says whether a listener that is bound to a device hears what an origin sends. A device that no origin is behind
// can be above some (a VRF): then all count.
func boundTo(m *zones.Map, device string, o *zones.Origin) bool {
	return device == "" || device == o.Interface || !slices.ContainsFunc(m.Origins, func(x zones.Origin) bool { return x.Interface == device })
}

// addressed says of a rule about the host that it is about one of its addresses alone.
func (r *Rule) addressed() bool {
	return len(r.To) > 0 && (r.Chain == chainIn || r.Chain == chainPort && len(r.To) == 1 && r.To[0].IsSingleIP())
}

// carves says of a rule that it lets pass what comes for some addresses of the host, before a drop that is about more of them.
func (r *Rule) carves(drop *Rule) bool {
	return r.Accept && r.Kind == "" && len(r.Sources) == 0 && len(r.To) > 0 && !drop.Accept && !slices.Equal(r.To, drop.To) &&
		r.Chain == drop.Chain && r.Iif == drop.Iif && r.Proto == drop.Proto && r.Port == drop.Port && (len(drop.To) == 0 || is4(r.To) == is4(drop.To))
}

// carved says whether another rule lets pass first what comes for an address.
func (p *Plan) carved(drop *Rule, a netip.Addr) bool {
	return slices.ContainsFunc(p.each(), func(k Rule) bool { return k.carves(drop) && covers(k.To, a) })
}

func covers(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// boundAt is the address that a socket is bound to, none for all.
func boundAt(k *snapshot.Socket) (netip.Addr, bool) {
	a, err := netip.ParseAddr(k.Addr)
	if err != nil {
		return a, false
	}
	if a = a.Unmap().WithZone(""); a.IsUnspecified() {
		return netip.Addr{}, true
	}
	return a, true
}

// takes says whether a socket takes packets of a family.
func takes(k *snapshot.Socket, v4 bool) bool {
	if a, ok := boundAt(k); ok && a.IsValid() {
		return a.Is4() == v4
	}
	return v4 == (k.Family == 4) || v4 && !k.V6Only
}

// about says whether a closing is about a socket.
func (c *closing) about(k *snapshot.Socket) bool {
	a, ok := boundAt(k)
	if !ok || k.Proto != c.proto || k.Port != c.port || a != c.at {
		return false
	}
	return c.at.IsValid() || c.family == 0 || takes(k, c.family == 4) && !takes(k, c.family != 4)
}

// servant is whose service a socket is: its owner's container, or uid, and program.
func servant(s *snapshot.Snapshot, k *snapshot.Socket) string {
	for _, o := range k.Owners {
		switch p := process(s, o.PID); {
		case p == nil:
		case p.Container != "":
			return "container " + p.Container
		default:
			return fmt.Sprintf("uid %d %s", p.UID, p.Exe)
		}
	}
	if len(k.Owners) > 0 {
		return fmt.Sprintf("uid %d %s", k.UID, k.Owners[0].Comm)
	}
	return fmt.Sprintf("uid %d", k.UID)
}

// served is what listens on the ports of the closings, each once, and whose service it is.
type served struct {
	socket  *snapshot.Socket
	servant string
}

func (p *Plan) served(s *snapshot.Snapshot) (list []served) {
	type port struct {
		proto string
		port  int
	}
	type key struct {
		at     port
		addr   string
		family int
		v6only bool
		whose  string
	}
	closed, seen, host := map[port]bool{}, map[key]bool{}, s.Network.HostNetns()
	for _, c := range p.closings {
		closed[port{c.proto, c.port}] = true
	}
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		at := port{k.Proto, k.Port}
		if !closed[at] || k.Netns != host && k.Netns != 0 {
			continue
		}
		whose := servant(s, k)
		if id := (key{at, k.Addr, k.Family, k.V6Only, whose}); !seen[id] {
			seen[id] = true
			list = append(list, served{k, whose})
		}
	}
	return list
}

// carve keeps what else listens on a port that is closed. A drop for one address leaves others alone by itself; before a wider one,
// what comes for the addresses of another's listener is let pass. What shares its addresses with what is closed ends with it, and
// the plan says so.
func (p *Plan) carve(s *snapshot.Snapshot) {
	all := p.served(s)
	servants := make([]map[string]bool, len(p.closings)) // of what each is about
	for j := range p.closings {
		servants[j] = map[string]bool{}
		for _, k := range all {
			if p.closings[j].about(k.socket) {
				servants[j][k.servant] = true
			}
		}
	}
	for _, k := range all {
		at, ok := boundAt(k.socket)
		if !ok || at.IsLoopback() {
			continue
		}
		closed, kept := false, false
		for j := range p.closings {
			switch c := &p.closings[j]; {
			case k.socket.Proto != c.proto || k.socket.Port != c.port:
			case c.about(k.socket):
				closed = true
			case c.id != PublishedCheck:
				kept = p.beside(s, k, c, servants[j]) || kept
			}
		}
		if !kept || closed || p.Mode != Targeted {
			continue
		}
		for _, a := range p.only(s, k.socket) {
			f := Flow{Addr: a, Proto: k.socket.Proto, Port: k.socket.Port, Why: keptBeside}
			if !slices.Contains(p.Keeps, f) {
				p.Keeps = append(p.Keeps, f)
			}
		}
	}
}

// beside lets pass what comes for a socket that a closing is not about, and says whether it goes on. What the same servants have at
// other addresses is closed with it.
func (p *Plan) beside(s *snapshot.Snapshot, k served, c *closing, servants map[string]bool) bool {
	var list []netip.Prefix
	for _, a := range p.only(s, k.socket) {
		if at, _ := boundAt(k.socket); at.IsValid() || c.at.IsValid() || c.family != 0 && a.Is4() != (c.family == 4) {
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	ends := false
	for _, r := range slices.Clone(p.Rules) {
		if r.Accept || r.Closes != c.id || r.Proto != c.proto || r.Port != c.port || r.addressed() || !slices.Contains(c.iifs, r.Iif) {
			continue
		}
		if slices.ContainsFunc(p.closings, func(o closing) bool { return o.about(k.socket) && slices.Contains(o.iifs, r.Iif) }) {
			continue // it is closed there itself
		}
		if len(servants) == 0 || servants[k.servant] || len(list) == 0 {
			ends = true
			continue
		}
		for _, to := range byFamily(list) {
			if len(r.To) == 0 || is4(r.To) == is4(to) {
				p.rule(Rule{Chain: r.Chain, Iif: r.Iif, Proto: r.Proto, Port: r.Port, To: to, Accept: true, Closes: r.Closes})
			}
		}
	}
	if ends && len(servants) > 0 && !servants[k.servant] {
		w := fmt.Sprintf("with %s/%d what another listens with on the same addresses is closed too (%s)", c.proto, c.port, escape.Line(k.servant))
		if !slices.Contains(p.Warnings, w) {
			p.Warnings = append(p.Warnings, w)
		}
	}
	return !ends
}

// only are the addresses of the host at which a socket is the one that takes a packet, as far as denials are about others.
func (p *Plan) only(s *snapshot.Snapshot, k *snapshot.Socket) (list []netip.Addr) {
	if at, _ := boundAt(k); at.IsValid() {
		return []netip.Addr{at}
	}
	for _, x := range ownAddresses(s, nil) {
		a := x.Addr()
		taken := slices.ContainsFunc(p.closings, func(c closing) bool { return c.proto == k.Proto && c.port == k.Port && c.at == a })
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() && !taken && takes(k, a.Is4()) && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
