package reach

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// Target is where a question leads: to the host's own sockets, out by interfaces, or wherever packets
// for one address end.
type Target struct {
	Host bool
	Oifs []int
	Addr netip.Addr
	// Final counts only packets that leave for these addresses, whatever the sender wrote; none is all.
	Final []netip.Prefix
	// At counts of a Host only packets that are delivered for these addresses, But leaves those for others out; none is all.
	At, But []netip.Prefix
}

// delivered is the addresses of a Host that a target is about, all if it names none.
func (t *Target) delivered(v4 bool) (set, bool) {
	at := span(num(0), ones(uint(8*fDaddr.width(v4))))
	if len(t.At) > 0 {
		at = prefixesSet(t.At, v4)
	}
	return at.subtract(prefixesSet(t.But, v4)), len(t.At)+len(t.But) > 0
}

// prefixesSet is the addresses of one family in a list of prefixes.
func prefixesSet(list []netip.Prefix, v4 bool) (s set) {
	for _, p := range list {
		if p.Addr().Is4() == v4 {
			s = append(s, prefixSet(p)...)
		}
	}
	return s.normal()
}

// destinations is the addresses that lead to the target where nothing is translated.
func (e *engine) destinations(q *Question, v4 bool) set {
	fib := e.fibs[v4]
	if len(q.Sockets) > 0 {
		var s set
		for _, sk := range q.Sockets {
			at, _ := e.Model.bound(sk, v4)
			s = append(s, at...)
		}
		return append(set{}, s...).normal()
	}
	if q.To.Host {
		return fib.taken
	}
	if fib.policy { // routes depend on more than the destination
		return span(num(0), ones(uint(8*fDaddr.width(v4))))
	}
	var s set
	for _, oif := range q.To.Oifs {
		s = append(s, fib.via(oif)...)
	}
	if !v4 {
		s = append(s, linkLocal...)
	}
	if !e.local && e.multicastRouter(nil, v4) {
		s = append(s, fib.multicast...)
	}
	return append(set{}, s...).normal()
}

// hits is the packets of an arrival that the question asks for.
func (e *engine) hits(q *Question, a *arrival, proto uint64) []cube {
	c := &a.cube
	handed := c.taker != nil && c.taker.Port == q.Dport // tproxy gave them to the socket at that port
	if q.Dport != 0 && !q.To.Addr.IsValid() && !handed {
		in := e.only(c, fDport, single(num(uint64(q.Dport))), "arrives at another port")
		if len(in) == 0 {
			return nil
		}
		c = &in[0]
	}
	switch {
	case a.oif == 0 && q.Through:
		e.stop(*c, packet.Cause{Text: "is delivered to the host itself"})
	case a.oif == 0 && (q.To.Host || q.To.Addr.IsValid()):
		at, some := q.To.delivered(c.v4)
		if !some {
			return e.bound(q, *c, proto)
		}
		var hits []cube
		in, out := c.split(fDaddr, at)
		for _, i := range in {
			hits = append(hits, e.bound(q, i, proto)...)
		}
		for _, o := range out {
			e.stop(o, packet.Cause{Text: "is delivered for another address of the host"})
		}
		return hits
	case a.oif == 0:
		e.stop(*c, packet.Cause{Text: "is delivered to the host itself"})
	case q.Direct && (c.nat || c.readdressed()):
		e.stop(*c, packet.Cause{Text: "leads there by a translation"})
	case len(q.To.Final) > 0 && slices.Contains(q.To.Oifs, a.oif):
		return e.only(c, fDaddr, prefixesSet(q.To.Final, c.v4), "leaves for another address")
	case q.To.Addr.IsValid() || slices.Contains(q.To.Oifs, a.oif):
		return []cube{*c}
	default:
		name := fmt.Sprint(a.oif)
		if l := e.snap.Network.Link(a.oif); l != nil {
			name = l.Name
		}
		e.stop(*c, packet.Cause{Text: "leaves by " + name})
	}
	return nil
}

// only keeps the packets whose number of a field is in s; it stops the others.
func (e *engine) only(c *cube, f field, s set, why string) (in []cube) {
	if m := c.sets[f].intersect(s); !m.empty() {
		in = []cube{c.with(f, m)}
	}
	if e.silent {
		return in
	}
	if r := c.sets[f].subtract(s); !r.empty() {
		e.stop(c.with(f, r), packet.Cause{Text: why})
	}
	return in
}

// bound keeps packets that a socket listens for.
func (e *engine) bound(q *Question, c cube, proto uint64) []cube {
	if q.Unbound || proto != 6 && proto != 17 && proto != 132 && proto != 136 {
		return []cube{c}
	}
	counts := func(s *snapshot.Socket) bool {
		return len(q.Sockets) == 0 || slices.ContainsFunc(q.Sockets, func(sk *snapshot.Socket) bool { return alike(s, sk) })
	}
	if hits, fixed := e.assigned(c, proto, counts); fixed {
		if len(hits) == 0 {
			e.stop(c, packet.Cause{Text: "is for another socket"})
		}
		return hits
	}
	live := []cube{c}
	var hits []cube
	for s := range q.sockets(e.snap) {
		if protocols[s.Proto] != proto || len(q.Sockets) == 0 && !e.ownNetns(s) {
			continue
		}
		var rest []cube
		for _, l := range live {
			at, other := l.split(fDport, single(num(uint64(s.Port))))
			rest = append(rest, other...)
			for _, x := range at {
				yes, no := e.given(s, x)
				hits, rest = append(hits, yes...), append(rest, no...)
			}
		}
		live = rest
	}
	why := packet.Cause{Text: "no socket listens there"}
	if len(q.Sockets) > 0 {
		why.Text = "is for another socket"
	} else if sec := e.snap.Section("listeners"); sec.Part("ip") != snapshot.OK && sec.Status != snapshot.OK {
		why = packet.Cause{Text: "which sockets listen was not read"}
		for i := range live {
			hits = append(hits, live[i].doubt(why))
		}
		return hits
	}
	for _, l := range live {
		e.stop(l, why)
	}
	return hits
}

// assigned keeps packets for sockets that count, if something else than their destination says which socket they are for: what tproxy gave them
// to, or a program.
func (e *engine) assigned(c cube, proto uint64, counts func(*snapshot.Socket) bool) (hits []cube, fixed bool) {
	name := e.chooser(proto)
	switch {
	case c.taker != nil && (!counts(c.taker) || c.toMany && !datagrams(c.taker)):
		return nil, true
	case c.taker != nil && proto == 6 && !c.v4:
		_, hits = c.split(fSaddr, mappedAddrs)
		hits, _ = e.gated(c.taker, hits)
		return hits, true
	case c.taker != nil:
		hits, _ = e.gated(c.taker, []cube{c})
		return hits, true
	case name != "":
		return []cube{c.doubt(packet.Cause{Text: "the program " + name + " chooses the socket (sk_lookup)"})}, true
	}
	return nil, false
}

// alike says whether two sockets listen at one place: those that share it are one. One of MPTCP and the one of TCP that it listens by have one
// inode (mptcp_subflow_create_socket).
func alike(a, b *snapshot.Socket) bool {
	return a.Inode != 0 && a.Inode == b.Inode && a.Port == b.Port || a.Proto == b.Proto && a.Addr == b.Addr && a.Port == b.Port && a.Device == b.Device && a.Family == b.Family && a.V6Only == b.V6Only
}

// chooser is a program that can give what is delivered to any socket, or to none: of TCP and UDP.
func (m *Model) chooser(proto uint64) string {
	if proto != 6 && proto != 17 {
		return ""
	}
	return m.snap.Network.LookupProgram()
}

// sockets are those that the question can be about.
func (q *Question) sockets(s *snapshot.Snapshot) iter.Seq[*snapshot.Socket] {
	return func(yield func(*snapshot.Socket) bool) {
		for _, sk := range q.Sockets {
			if !yield(sk) {
				return
			}
		}
		for i := range s.Listeners.Sockets {
			if len(q.Sockets) > 0 || !yield(&s.Listeners.Sockets[i]) {
				return
			}
		}
	}
}

// ownNetns says whether a socket is in the host's own network namespace.
func (m *Model) ownNetns(s *snapshot.Socket) bool {
	for _, n := range m.snap.Network.Namespaces {
		if n.Host {
			return s.Netns == n.Inode
		}
	}
	return true
}

// bound is the addresses at which packets reach the socket. The kernel takes a packet for any of the host's
// own on any interface (weak host model), so the interface of the address does not matter, but for link-local
// addresses. Sockets of datagrams also get what is for many hosts.
func (m *Model) bound(s *snapshot.Socket, v4 bool) (set, string) {
	addr, err := netip.ParseAddr(s.Addr)
	if err != nil {
		return nil, "the socket's address is not readable"
	}
	if v4 && s.Family == 6 && s.V6Only {
		return nil, "the socket takes IPv6 only"
	}
	if !v4 && s.Family == 4 {
		return nil, "the socket takes IPv4 only"
	}
	if v4 && s.Family == 6 && addr.IsUnspecified() {
		addr = netip.IPv4Unspecified()
	}
	addr = addr.Unmap()
	if addr.Is4() != v4 {
		return nil, "the socket's address is of the other family"
	}
	own := m.fibs[v4].own
	if datagrams(s) {
		own = m.fibs[v4].taken
	}
	if addr.IsUnspecified() {
		return own, "the host has no address of this family"
	}
	s4 := single(addrNumber(addr))
	return s4.intersect(own), "the host does not have the socket's address"
}

// datagrams says whether a socket's protocol has no connections, so that it also gets what is for many hosts.
func datagrams(s *snapshot.Socket) bool { return s.Proto == "udp" || s.Proto == "udplite" }

// hears says whether a socket gets what comes in by an interface: one that is bound to a device only what comes in by that,
// or by an interface of that VRF (inet_sk_bound_dev_eq).
func (m *Model) hears(s *snapshot.Socket, l *snapshot.Link) bool {
	if s.Device == "" || l != nil && l.Name == s.Device {
		return true
	}
	if l == nil {
		return false
	}
	master := m.snap.Network.Link(l.Master)
	return master != nil && master.Name == s.Device
}

// loopback is the interface by which the host sends to itself, or nil.
func (m *Model) loopback() *snapshot.Link {
	for i := range m.snap.Network.Links {
		if l := &m.snap.Network.Links[i]; l.Loopback {
			return l
		}
	}
	return nil
}

// answering parts packets for a listener of TCP by whether it can answer from the address that they are for: that has to be one of
// an interface or of the table local, unless the socket is transparent (inet_csk_route_req, __ip_dev_find).
func (e *engine) answering(s *snapshot.Socket, c cube, no []cube) (yes, refused []cube) {
	yes, other := c.split(fDaddr, e.fibs[true].sources)
	for _, o := range other {
		switch {
		case s.Transparent == nil:
			yes = append(yes, o.doubt(packet.Cause{Text: "whether the socket is transparent was not read"}))
		case *s.Transparent:
			yes = append(yes, o)
		default:
			no = append(no, o)
		}
	}
	return yes, no
}

// given parts packets for a socket's port by whether the socket gets them, whatever it is bound to and whoever filters that.
func (e *engine) given(s *snapshot.Socket, c cube) (yes, no []cube) {
	yes, no = e.taking(s, c)
	yes, refused := e.gated(s, yes)
	return yes, append(no, refused...)
}

// taking parts packets for a socket's port by whether the socket takes them. Those for many hosts only sockets of datagrams
// get (tcp_v4_conn_request, tcp_v6_conn_request, sctp_rcv). TCP refuses an IPv4 address in an IPv6 header
// (tcp_v6_conn_request), and sockets of IPv6 are only given the groups of IPv4 that they joined themselves
// (ip_mc_sf_allow, inet6_create).
func (e *engine) taking(s *snapshot.Socket, c cube) (yes, no []cube) {
	at, _ := e.Model.bound(s, c.v4)
	if c.toMany && !datagrams(s) || !e.hears(s, e.snap.Network.Link(int(c.sets[fIif][0].lo.lo))) {
		return nil, []cube{c}
	}
	if yes, no = c.split(fDaddr, at); len(yes) == 0 {
		return yes, no
	}
	if yes, no = e.contested(s, yes, no); len(yes) == 0 {
		return yes, no
	}
	switch {
	case protocols[s.Proto] == 6 && c.v4:
		return e.answering(s, yes[0], no)
	case protocols[s.Proto] == 6:
		mapped, rest := yes[0].split(fSaddr, mappedAddrs)
		return rest, append(no, mapped...)
	case datagrams(s) && c.v4 && s.Family == 6:
		groups, rest := yes[0].split(fDaddr, e.fibs[true].multicast)
		for _, g := range groups {
			rest = append(rest, g.doubt(packet.Cause{Text: "whether the socket has joined the group itself"}))
		}
		return rest, no
	}
	return yes, no
}
