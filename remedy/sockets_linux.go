//go:build linux && !ringfence_portable

package remedy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// Constants of include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	sockDiagByFamily = 20
	sockDestroy      = 21
	diagHeader       = 8 // of struct inet_diag_req_v2, before its socket id
	diagID           = 48
)

// States of a socket, as bits (include/net/tcp_states.h).
const (
	connected = 1<<1 | 1<<4 | 1<<5 | 1<<8 // ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: a peer can still send or be sent to
	serving   = 1<<7 | 1<<10              // CLOSE, as datagram sockets without a peer are, and LISTEN
)

// socket is an open connection of this network namespace.
type socket struct {
	proto       byte
	id          []byte // struct inet_diag_sockid
	family      byte
	local, peer netip.AddrPort
	incoming    bool // the peer opened it: something serves at its local port, or did
}

// connections lists the open ones of a protocol with others than this host itself by a loopback address, of both families.
func connections(conn *netlink.Conn, proto byte) ([]socket, error) {
	serve, err := sockets(conn, proto, serving)
	if err != nil {
		return nil, err
	}
	served := map[uint16]bool{}
	for i := range serve {
		served[serve[i].local.Port()] = true
	}
	list, err := sockets(conn, proto, connected)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(k socket) bool {
		return k.peer.Port() == 0 || k.peer.Addr().IsLoopback() || k.local.Addr().IsUnspecified() || k.local.Addr().Is4() != k.peer.Addr().Is4()
	})
	first := firstEphemeral()
	for i := range list {
		local, peer := list[i].local.Port(), list[i].peer.Port()
		list[i].incoming = served[local] || local < first && peer >= first
	}
	return list, nil
}

// firstEphemeral is the lowest port that the kernel gives to who asks for none in particular.
func firstEphemeral() uint16 {
	low := uint16(32768) // Documentation/networking/ip-sysctl.rst, ip_local_port_range
	if b, err := host.Local().ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &low)
	}
	return low
}

// sockets lists those of a protocol that are in one of the states.
func sockets(conn *netlink.Conn, proto byte, states uint32) ([]socket, error) {
	var list []socket
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		msgs, err := conn.Execute(diagMessage(sockDiagByFamily, netlink.Dump, family, proto, states, make([]byte, diagID)))
		switch {
		case (family == unix.AF_INET6 || proto != unix.IPPROTO_TCP) && slices.ContainsFunc(noSuchKind, func(e error) bool { return errors.Is(err, e) }):
			continue
		case err != nil:
			return nil, fmt.Errorf("list sockets: %w", err)
		}
		for _, m := range msgs {
			if len(m.Data) < 4+diagID {
				continue
			}
			id := m.Data[4 : 4+diagID]
			list = append(list, socket{
				proto: proto, id: id, family: family, local: socketEnd(family, id, 0), peer: socketEnd(family, id, 1),
			})
		}
	}
	return list, nil
}

// noSuchKind is what a kernel says that has no such sockets, or cannot list them.
var noSuchKind = []error{unix.ENOENT, unix.EINVAL, unix.EOPNOTSUPP}

// diagMessage is a request about sockets: all in those states, or the one with that id.
func diagMessage(kind netlink.HeaderType, flags netlink.HeaderFlags, family, proto byte, states uint32, id []byte) netlink.Message {
	b := make([]byte, diagHeader, diagHeader+diagID)
	b[0], b[1] = family, proto
	binary.NativeEndian.PutUint32(b[4:], states)
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | flags}, Data: append(b, id...)}
}

// socketEnd is the address and port of one end of struct inet_diag_sockid: 0 the local one, 1 the peer's.
func socketEnd(family byte, id []byte, end int) netip.AddrPort {
	port := binary.BigEndian.Uint16(id[2*end:])
	field := id[4+16*end:]
	if family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(field[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(field[:16])).Unmap(), port)
}
