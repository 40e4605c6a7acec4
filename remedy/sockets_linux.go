//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
)

// States of a socket, as bits.
const (
	// A peer can still send or be sent to.
	connected = 1<<wire.StateEstablished | 1<<wire.StateFinWait1 | 1<<wire.StateFinWait2 | 1<<wire.StateCloseWait
	serving   = 1<<wire.StateClose | 1<<wire.StateListen
)

// socket is an open connection of this network namespace.
type socket struct {
	wire.InetSocket
	local, peer netip.AddrPort // without the form of IPv4 in IPv6
	incoming    bool           // the peer opened it: something serves at its local port, or did
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
		msgs, err := conn.Execute(wire.SocketQuery{Family: family, Protocol: int(proto), States: states}.Message())
		switch {
		case (family == unix.AF_INET6 || proto != unix.IPPROTO_TCP) && slices.ContainsFunc(noSuchKind, func(e error) bool { return errors.Is(err, e) }):
			continue
		case err != nil:
			return nil, fmt.Errorf("list sockets: %w", err)
		}
		for _, m := range msgs {
			k, err := wire.ParseInet(m.Data)
			if err != nil {
				return nil, fmt.Errorf("list sockets: %w", err)
			}
			list = append(list, socket{InetSocket: k, local: unmapped(k.Local), peer: unmapped(k.Peer)})
		}
	}
	return list, nil
}

// noSuchKind is what a kernel says that has no such sockets, or cannot list them.
var noSuchKind = []error{unix.ENOENT, unix.EINVAL, unix.EOPNOTSUPP}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
