package remedy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Constants of include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	sockDiagByFamily = 20
	sockDestroy      = 21
	diagHeader       = 8 // of struct inet_diag_req_v2, before its socket id
	diagID           = 48
)

// established is the states of TCP in which a peer can still send or be sent to.
const established = 1<<1 | 1<<4 | 1<<5 | 1<<8 // ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT

// ErrNoDestroy is a kernel that cannot end a socket from outside (no INET_DIAG_DESTROY).
var ErrNoDestroy = errors.New("the kernel cannot end connections from outside (no INET_DIAG_DESTROY)")

// Cut ends the established TCP connections to what the plan closes: without it they stall until they time out. It
// returns how many. Connections of a plan that lets them drain are left alone, as are those of who keeps access.
func (p *Plan) Cut(s *snapshot.Snapshot) (int, error) {
	if p.Drain {
		return 0, nil
	}
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return 0, fmt.Errorf("list connections: %w", err)
	}
	defer conn.Close()
	ended := 0
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		msgs, err := conn.Execute(diagMessage(sockDiagByFamily, netlink.Dump, family, make([]byte, diagID)))
		if err != nil {
			return ended, fmt.Errorf("list connections: %w", err)
		}
		for _, m := range msgs {
			if len(m.Data) < 4+diagID || !p.cuts(s, family, m.Data[4:4+diagID]) {
				continue
			}
			_, err := conn.Execute(diagMessage(sockDestroy, netlink.Acknowledge, family, m.Data[4:4+diagID]))
			switch {
			case errors.Is(err, unix.EOPNOTSUPP):
				return ended, ErrNoDestroy
			case err == nil:
				ended++
			case !errors.Is(err, unix.ENOENT): // it ended by itself
				return ended, fmt.Errorf("end a connection: %w", err)
			}
		}
	}
	return ended, nil
}

// diagMessage is a request about TCP sockets: all in the states above, or the one with that id.
func diagMessage(kind netlink.HeaderType, flags netlink.HeaderFlags, family byte, id []byte) netlink.Message {
	b := make([]byte, diagHeader, diagHeader+diagID)
	b[0], b[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], established)
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | flags}, Data: append(b, id...)}
}

// cuts says of a connection, by the id of its socket, that the plan closes it: source port, destination port, source
// and destination of struct inet_diag_sockid, as the host sees them.
func (p *Plan) cuts(s *snapshot.Snapshot, family byte, id []byte) bool {
	local, peer := int(binary.BigEndian.Uint16(id)), binary.BigEndian.Uint16(id[2:])
	remote := netip.AddrFrom16([16]byte(id[20:36])).Unmap()
	if family == unix.AF_INET {
		remote = netip.AddrFrom4([4]byte(id[20:24]))
	}
	if peer == 0 || remote.IsLoopback() || s.Network.Has(remote) {
		return false
	}
	iif := arrives(s, remote)
	port := ""
	if b := s.Network.LinkNamed(iif); b != nil && b.Kind == "bridge" {
		port = portTo(s, b.Index, remote)
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Accept || r.Proto != "tcp" || r.Port != local || !(r.Chain == chainIn && r.Iif == iif || r.Chain == chainPort && r.Iif == port) {
			continue
		}
		from := len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(x netip.Prefix) bool { return x.Contains(remote) })
		if from && !p.allowed(r, remote) {
			return true
		}
	}
	return false
}

// portTo is the port of a bridge that a neighbour is behind, as the bridge has learned it, or "".
func portTo(s *snapshot.Snapshot, bridge int, neighbour netip.Addr) string {
	route, err := host.Local().Route(nil)
	if err != nil {
		return ""
	}
	defer route.Close()
	known, err := route.NeighList(bridge, 0)
	if err != nil {
		return ""
	}
	forwarding, err := route.NeighList(0, unix.AF_BRIDGE)
	if err != nil {
		return ""
	}
	for i := range known {
		if a, ok := netip.AddrFromSlice(known[i].IP); !ok || a.Unmap() != neighbour {
			continue
		}
		for j := range forwarding {
			l := s.Network.Link(forwarding[j].LinkIndex)
			if l != nil && l.Master == bridge && bytes.Equal(forwarding[j].HardwareAddr, known[i].HardwareAddr) {
				return l.Name
			}
		}
	}
	return ""
}
