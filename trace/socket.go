package trace

import (
	"net/netip"

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

var socketProtos = map[string]uint8{
	"tcp": protoTCP, "mptcp": protoTCP, "udp": protoUDP, "udplite": protoUDPLite, "sctp": protoSCTP,
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
		t.sockets = append(t.sockets, socket{s, addr.WithZone(""), proto, s.Proto + " " + portText(addr.WithZone(""), s.Port)})
	}
}

// socketAt is the socket that takes a packet for an address and port: one bound to that address
// before one bound to any, one bound to the device before others, one of the packet's own family
// before one for both (inet_lhash2_lookup, udp4_lib_lookup2).
func (w *walk) socketAt(dst netip.Addr, port uint16) *socket {
	var best *socket
	score := -1
	for i := range w.sockets {
		s := &w.sockets[i]
		if s.proto != w.skb.proto || s.Port != int(port) {
			continue
		}
		if n := w.score(s, dst); n > score {
			best, score = s, n
		}
	}
	return best
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

// socketExpr asks for the socket that would take the packet (nft_socket_eval); without one the rule
// ends.
func (w *walk) socketExpr(e *ruleset.SocketKey, r *rule) verdict {
	at := regOffset(e.Dreg)
	if at < 0 {
		return w.abort(r, "a register that does not exist")
	}
	s := &w.skb
	if w.region != nil && (w.open('d') || w.openPort(2)) {
		return w.maybe(r, splitField('q'))
	}
	if s.proto != protoTCP && s.proto != protoUDP || w.socketAt(s.dst(), s.port(2)) == nil {
		if w.skb.given == "established" || w.unread {
			return w.maybe(r, "whether a socket takes the packet")
		}
		return vNo
	}
	return w.unknownReg(at, 8, "a property of the socket that takes the packet")
}
