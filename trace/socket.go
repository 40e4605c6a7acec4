package trace

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// socket is a listening or bound socket of the host's own network namespace.
type socket struct {
	*snapshot.Socket
	addr  netip.Addr
	proto uint8
	name  string
}

// portKey is what sockets are looked up by.
type portKey struct {
	proto uint8
	port  int
}

var socketProtos = map[string]uint8{
	"tcp": packet.TCP, "mptcp": packet.TCP, "udp": packet.UDP, "udplite": packet.UDPLite, "sctp": packet.SCTP,
}

func (t *Tracer) readSockets() {
	sec := t.snap.Section("listeners")
	t.unread = sec.Status != snapshot.OK && sec.Part("ip") != snapshot.OK
	own := uint64(0)
	for _, n := range t.snap.Network.Namespaces {
		if n.Host {
			own = n.Inode
		}
	}
	for i := range t.snap.Listeners.Sockets {
		s := &t.snap.Listeners.Sockets[i]
		proto, ok := socketProtos[s.Proto]
		addr, err := netip.ParseAddr(s.Addr)
		if !ok || err != nil || own != 0 && s.Netns != own {
			continue
		}
		t.sockets = append(t.sockets, socket{s, addr.WithZone(""), proto, socketName(s)})
	}
	t.byPort = make(map[portKey][]*socket, len(t.sockets))
	for i := range t.sockets {
		s := &t.sockets[i]
		k := portKey{s.proto, s.Port}
		t.byPort[k] = append(t.byPort[k], s)
	}
	t.readGuards()
}

// SocketNames are the names that a fate can give a socket: those of TCP and Multipath TCP are one where they have one address and port
// (mptcp_subflow_create_socket), and sockets on several devices have one name.
func SocketNames(s *snapshot.Socket) []string {
	names := []string{socketName(s)}
	if s.Proto == "tcp" {
		twin := *s
		twin.Proto = "mptcp"
		names = append(names, socketName(&twin))
	}
	return names
}

func socketName(s *snapshot.Socket) string {
	addr, err := netip.ParseAddr(s.Addr)
	if err != nil {
		return s.Proto + " " + s.Addr
	}
	at := portText(addr.WithZone(""), s.Port)
	if s.Device != "" { // as ss(8) writes it: another socket than one of the same address
		i := strings.LastIndexByte(at, ':')
		at = at[:i] + "%" + s.Device + at[i:]
	}
	return s.Proto + " " + at
}

// socketAt is the socket that takes a packet for an address and port: one bound to that address
// before one bound to any, one bound to the device before others, one of the packet's own family
// before one for both (inet_lhash2_lookup, udp4_lib_lookup2).
func (w *walk) socketAt(dst netip.Addr, port uint16) *socket {
	var best *socket
	score := -1
	for _, s := range w.byPort[portKey{w.skb.proto, int(port)}] {
		if n := w.score(s, dst); n > score {
			best, score = s, n
		}
	}
	return best
}

// others are the sockets besides one that get a datagram for many hosts.
func (w *walk) others(first string) (list []string) {
	dst, port := w.skb.dst(), w.skb.port(2)
	for _, s := range w.byPort[portKey{w.skb.proto, int(port)}] {
		name := s.name
		if w.score(s, dst) < 0 {
			continue
		}
		if !s.hears(dst) {
			name = UnknownSocket
		}
		if name != first && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (w *walk) score(s *socket, dst netip.Addr) int {
	n := 0
	addr := s.addr.Unmap()
	switch {
	case s.Family == 4 && !w.skb.v4:
		return -1
	case addr == dst:
		n += 8
	case !addr.IsUnspecified(), w.skb.v4 && s.Family == 6 && s.V6Only:
		return -1
	}
	if s.Device != "" {
		if w.in == nil || s.Device != w.in.Name {
			return -1
		}
		n += 2
	}
	if (s.Family == 4) == w.skb.v4 {
		n++
	}
	return n
}

// unserved says whether no socket takes the packet, whatever listens: what is for many hosts only those of datagrams
// take, and TCP refuses an IPv4 address in an IPv6 header (tcp_v4_conn_request, tcp_v6_conn_request, sctp_rcv).
func (w *walk) unserved(toMany bool) bool {
	datagram := w.skb.proto == packet.UDP || w.skb.proto == packet.UDPLite
	return !datagram && toMany || w.skb.proto == packet.TCP && w.skb.src().Is4In6()
}

// answers says whether a listener of TCP can answer from the address that a packet of IPv4 is for: its own packets need one of an
// interface or of the table local as their source, unless the socket is transparent (inet_csk_route_req, __ip_dev_find).
func (w *walk) answers(sk *socket) bool {
	if w.skb.proto != packet.TCP || !w.skb.v4 || w.own(w.skb.dst()) {
		return true
	}
	fl := flow{dst: w.skb.dst()}
	if res, ok := w.lookupTable(w.fib4, 255, &fl); ok && res.kind == rtnLocal {
		return true
	}
	if sk.Transparent == nil {
		return w.choose(2, nil, "whether "+sk.name+" is transparent was not read") == 1
	}
	return *sk.Transparent
}

// hears says whether the socket gets what is for an address of many: those of IPv6 are only given the groups of IPv4
// that they joined themselves, which cannot be read (ip_mc_sf_allow, inet6_create).
func (s *socket) hears(dst netip.Addr) bool {
	return s.Family == 4 || !dst.Is4() || !isMulticast(dst)
}

// socketExpr asks for the socket that would take the packet (nft_socket_eval); without one the rule
// ends.
func (w *walk) socketExpr(e *ruleset.SocketKey, r *rule) verdict {
	at := regOffset(e.Dreg)
	if at < 0 {
		return w.abort(r, "a register that does not exist")
	}
	if by := w.p.By.InCgroup(); e.Key == ruleset.SocketCgroup && by != "" && w.local && w.hook == packet.Output && w.skb.taker == nil {
		return w.putCgroup(at, w.snap.Listeners.CgroupAt(by), e)
	}
	sk, v := w.socketHere(r)
	if v != vNext {
		return v
	}
	switch {
	case e.Key == ruleset.SocketCgroup:
		return w.putCgroup(at, w.snap.Listeners.Cgroup(sk.Cgroup), e)
	case e.Key == socketTransparent && sk.Transparent != nil:
		w.regs.put8(at, flagByte(*sk.Transparent))
	case e.Key == socketMark && sk.Mark != nil:
		w.regs.put32(at, *sk.Mark)
	case e.Key == socketWildcard:
		w.regs.put8(at, flagByte(sk.addr.IsUnspecified()))
	default:
		return w.unknownReg(at, 8, "a property of the socket that takes the packet")
	}
	return vNext
}

// The properties of a socket (enum nft_socket_keys).
const (
	socketTransparent = 0
	socketMark        = 1
	socketWildcard    = 2
)

func flagByte(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

// socketHere is the socket that takes the packet as it is now (nft_socket_do_lookup). The rule ends
// where there is none.
func (w *walk) socketHere(r *rule) (*socket, verdict) {
	s := &w.skb
	switch {
	case s.taker != nil:
		return s.taker, vNext
	case w.local && w.hook == packet.Output:
		return nil, w.abort(r, "the socket that sends the packet")
	case s.proto != packet.TCP && s.proto != packet.UDP:
		if s.given == "" || s.given == "new" {
			return nil, vNo
		}
		return nil, w.abort(r, "whether a socket takes the packet")
	case s.given == "established", s.given == "related", w.unread, s.later(): // a later fragment has no ports, and they are read all the same
		if w.choose(2, r, "whether a socket takes the packet") == 0 {
			return nil, vNo
		}
		return nil, w.abort(r, "which socket takes the packet")
	}
	if p := w.snap.Network.LookupProgram(); p != "" { // it is asked for listeners first (__inet_lookup_listener)
		return nil, w.abort(r, lookedUp(p))
	}
	if f := w.openSocket(); f != 0 {
		return nil, w.narrow(f)
	}
	if sk := w.socketAt(s.dst(), s.port(2)); sk != nil {
		return sk, vNext
	}
	return nil, vNo
}

func lookedUp(program string) string {
	return "the program " + program + " chooses the socket (sk_lookup)"
}

// openSocket is the field that has to be narrowed before it is known which socket takes the packets of a region,
// or 0 where they all come to the same.
func (w *walk) openSocket() byte {
	if w.region == nil {
		return 0
	}
	if w.openPort(2) && w.someSocket() {
		return 'q'
	}
	if w.asSent('d') && w.uniform('d') { // a socket's address is a landmark
		return 0
	}
	if !w.open('d') {
		return 0
	}
	for _, sk := range w.byPort[portKey{w.skb.proto, int(w.skb.port(2))}] {
		if a := sk.addr.Unmap(); !a.IsUnspecified() && w.region.Dst.Contains(a) {
			return 'd'
		}
	}
	return 0
}

// tproxy hands the packet to a transparent socket where there is one; else the rule ends
// (nft_tproxy_eval_v4).
func (w *walk) tproxy(n *ruleset.NAT, r *rule) verdict {
	s := &w.skb
	if s.proto != packet.TCP && s.proto != packet.UDP {
		return vNo
	}
	var addr netip.Addr
	if n.AddrMin != 0 {
		a, ok := w.natAddr(&ruleset.NAT{Kind: "dnat", AddrMin: n.AddrMin}, r)
		if !ok {
			return verdict{kind: vStolen}
		}
		addr = a
	}
	port := uint16(0)
	if n.PortMin != 0 {
		at := regOffset(n.PortMin)
		if at < 0 || w.regs.unknown(at, 2) {
			return w.abort(r, "tproxy to a port that is not known")
		}
		port = binary.BigEndian.Uint16(w.regs.v[at:])
	}
	switch took, v := w.giveTo(addr, port, r); {
	case v != vNext:
		return v
	case took:
		return vNext
	}
	return vNo
}

// giveTo gives the packet to the transparent socket at an address and port, where there is one. Left out, the
// address is the first of the incoming interface (nf_tproxy_laddr4) and the port the packet's own.
func (w *walk) giveTo(addr netip.Addr, port uint16, r *rule) (took bool, v verdict) {
	s := &w.skb
	if s.given == "established" || w.unread || s.later() || w.in == nil {
		return false, w.abort(r, "whether a socket takes the packet")
	}
	if p := w.snap.Network.LookupProgram(); p != "" {
		return false, w.abort(r, lookedUp(p))
	}
	if !addr.IsValid() || addr.IsUnspecified() {
		list := w.in.v4
		if !s.v4 {
			list = w.in.v6
		}
		switch {
		case len(list) > 0:
			addr = list[0]
		case w.open('d'):
			return false, w.narrow('d')
		default:
			addr = s.dst()
		}
	}
	if port == 0 {
		if port = s.port(2); w.openPort(2) {
			return false, w.narrow('q')
		}
	}
	sk := w.socketAt(addr, port)
	switch {
	case sk == nil:
		return false, vNext
	case sk.Transparent == nil:
		return false, w.abort(r, "whether the socket "+sk.name+" is transparent was not read")
	case !*sk.Transparent:
		return false, vNext
	}
	s.taker = sk
	return true, vNext
}

// xtSocket is the match of iptables (socket_match, xt_socket.c).
func (w *walk) xtSocket(x *ruleset.XtSocket, r *rule) verdict {
	sk, v := w.socketHere(r)
	switch {
	case v != vNext:
		return v
	case x.Transparent && sk.Transparent == nil:
		return w.maybe(r, "whether the socket "+sk.name+" is transparent was not read")
	}
	transparent := !x.Transparent || *sk.Transparent
	wildcard := !x.NoWildcard && sk.addr.IsUnspecified()
	if x.RestoreMark && !wildcard && transparent {
		if sk.Mark == nil {
			return w.abort(r, "the mark of the socket "+sk.name)
		}
		w.skb.mark = word{v: *sk.Mark}
	}
	return decide(!wildcard && transparent)
}

// xtTProxy is the target of iptables: without a transparent socket the packet is dropped (tproxy_tg4).
func (w *walk) xtTProxy(x *ruleset.XtTProxy, r *rule) verdict {
	addr, _ := netip.AddrFromSlice(w.width(x.Addr))
	took, v := w.giveTo(addr, x.Port, r)
	switch {
	case v != vNext:
		return v
	case !took:
		return verdict{kind: vDrop}
	}
	m := &w.skb.mark
	m.v = m.v&^x.Mask ^ x.Mark
	m.unk &^= x.Mask
	return verdict{kind: vAccept}
}
