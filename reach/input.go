package reach

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// admitted stops IPv6 packets at an interface where IPv6 is off, and those for groups of a narrower scope than a link
// (ip6_rcv_core).
func (e *engine) admitted(in []cube, iif *snapshot.Link, v4 bool) []cube {
	if v4 {
		return in
	}
	in = e.beyondInterface(in, iif)
	off, ok := e.sysctl("net/ipv6/conf/" + iif.Name + "/disable_ipv6")
	if !ok {
		e.undecided = append(e.undecided, packet.Cause{Text: "disable_ipv6 of " + iif.Name + " was not read"})
	}
	if off == 0 {
		return in
	}
	for _, c := range in {
		e.stop(c, packet.Cause{Text: "IPv6 is off on " + iif.Name})
	}
	return nil
}

// receive applies what the routing decision refuses on input (ip_route_input_slow,
// fib_validate_source): loopback addresses from outside, a link-local address of another link, and
// sources that reverse path filtering rejects.
func (e *engine) receive(in []cube, iif *snapshot.Link, fib *fib) []cube {
	if iif.Loopback {
		return in
	}
	var anonymous []cube
	if fib.v4 {
		in, anonymous = e.anonymous(in)
	}
	loopback := prefixSet(netip.MustParsePrefix("127.0.0.0/8"))
	name := "route_localnet of " + iif.Name + " is off"
	if !fib.v4 {
		loopback, name = single(num(1)), "::1 is reached over loopback only"
	}
	open := false
	if fib.v4 {
		all, ok1 := e.sysctl("net/ipv4/conf/all/route_localnet")
		own, ok2 := e.sysctl("net/ipv4/conf/" + iif.Name + "/route_localnet")
		open = all != 0 || own != 0
		if !ok1 || !ok2 {
			e.undecided = append(e.undecided, packet.Cause{Text: "route_localnet of " + iif.Name + " was not read"})
		}
	}
	var live []cube
	for i := range in {
		yes, no := in[i].split(fDaddr, loopback)
		live = append(live, no...)
		if open {
			live = append(live, yes...)
			continue
		}
		for _, c := range yes {
			e.stop(c, packet.Cause{Text: name})
		}
	}
	if !fib.v4 {
		return live
	}
	if fib.byIif { // by where it goes: see lateCheck
		return append(live, anonymous...)
	}
	return append(e.reversePath(live, iif, fib, "lo"), anonymous...)
}

// reversePath applies rp_filter: the higher of all and the interface's holds; 1 wants the route
// back to leave through the interface, 2 wants any route. With policy rules the way back is looked up
// also without it, and may not lead to the host itself (fib_validate_source).
func (e *engine) reversePath(in []cube, iif *snapshot.Link, fib *fib, via string) []cube {
	all, ok1 := e.sysctl("net/ipv4/conf/all/rp_filter")
	own, ok2 := e.sysctl("net/ipv4/conf/" + iif.Name + "/rp_filter")
	mode := max(all, own)
	if !ok1 || !ok2 {
		e.undecided = append(e.undecided, packet.Cause{Text: "rp_filter of " + iif.Name + " was not read"})
	}
	if mode == 0 && !fib.policy && !fib.customLocal && !fib.realms {
		return in
	}
	return e.validated(in, iif, fib, mode, via)
}

// lateCheck checks the source of what has its route, where policy rules ask for an interface: the way back is looked up as of what comes in by the one
// that it leaves by, by loopback for what is delivered (fib_validate_source).
func (e *engine) lateCheck(c cube, iif *snapshot.Link, fib *fib, oif int) []cube {
	if s := c.sets[fSaddr]; !fib.v4 || !fib.byIif || iif.Loopback || s.singleton() && s[0].lo == (u128{}) {
		return []cube{c}
	}
	via := "lo"
	if l := e.snap.Network.Link(oif); oif != 0 && l != nil {
		via = l.Name
	}
	return e.reversePath([]cube{c}, iif, fib, via)
}

// backOut is the full check of what would leave by the interface that it came in by, which the kernel makes where it may send a redirect
// (IN_DEV_TX_REDIRECTS), also if rp_filter is off (fib_validate_source).
func (e *engine) backOut(c cube, iif *snapshot.Link, fib *fib) []cube {
	all, ok1 := e.sysctl("net/ipv4/conf/all/send_redirects")
	own, ok2 := e.sysctl("net/ipv4/conf/" + iif.Name + "/send_redirects")
	on := all != 0 || own != 0
	if !fib.v4 || !on && ok1 && ok2 {
		return []cube{c}
	}
	if !on {
		c = c.doubt(packet.Cause{Text: "send_redirects of " + iif.Name + " was not read"})
	}
	return e.validated([]cube{c}, iif, fib, 0, iif.Name)
}

// validated looks the way back up, and stops packets whose source it shows to be false.
func (e *engine) validated(in []cube, iif *snapshot.Link, fib *fib, mode int, via string) []cube {
	byMark, markKnown := e.switchOf(iif.Index, "src_valid_mark")
	acceptLocal, localKnown := e.switchOf(iif.Index, "accept_local")
	if !markKnown {
		e.undecided = append(e.undecided, packet.Cause{Text: "src_valid_mark of " + iif.Name + " was not read"})
	}
	if !localKnown {
		e.undecided = append(e.undecided, packet.Cause{Text: "accept_local of " + iif.Name + " was not read"})
	}
	var live []cube
	for i := range in {
		back := in[i].reverse(byMark)
		back.sets[fSport], back.sets[fDport] = in[i].sets[fDport], in[i].sets[fSport]
		for _, r := range fib.lookup(back, via, true) {
			c := answered(in[i], fSaddr, r.cube)
			c = c.with(fSport, r.cube.sets[fDport])
			c = c.with(fDport, r.cube.sets[fSport])
			ok := mode == 0 && r.part.kind != routeKind["local"] && r.part.kind != routeKind["broadcast"] ||
				(r.part.kind == routeKind["unicast"] || r.part.kind == routeKind["local"] && acceptLocal) && (mode != 1 || slices.Contains(r.part.oifs, iif.Index))
			if ok {
				c.back = e.wayBack(&r.part, iif, fib)
				live = append(live, c)
			} else {
				e.stop(c, packet.Cause{Text: map[bool]string{true: "the source is no single host's", false: "rp_filter of " + iif.Name}[mode == 0]})
			}
		}
	}
	return live
}

// wayBack is what the way back adds to the realm of packets: nothing where it does not lead out by the interface, and that has no address
// (__fib_validate_source).
func (e *engine) wayBack(p *part, iif *snapshot.Link, fib *fib) tag {
	leads := p.kind == routeKind["unicast"] || p.kind == routeKind["local"]
	if !leads || !slices.Contains(p.oifs, iif.Index) && len(linkAddrs(iif, true)) == 0 {
		return tag{}
	}
	return fib.backTag(p)
}

// root is who all packets count as that no process of the host sends (sock_net_uid), and look-ups for other ends than to send.
var root = &packet.Sender{}

// reverse is the flow back to the source.
func (c *cube) reverse(mark bool) cube {
	d := *c
	d.keptAddr, d.keptPort, d.keptSport, d.by = false, false, false, root
	d.sets[fSaddr], d.sets[fDaddr] = c.sets[fDaddr], c.sets[fSaddr]
	if !mark {
		d.sets[fMark] = single(num(0))
	}
	return d
}
