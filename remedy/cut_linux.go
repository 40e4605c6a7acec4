//go:build linux && !ringfence_portable

package remedy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// ErrNoDestroy is a kernel that cannot end a socket from outside (no INET_DIAG_DESTROY).
var ErrNoDestroy = errors.New("the kernel cannot end connections from outside (no INET_DIAG_DESTROY)")

// Cut ends the established TCP connections to what the plan closes: without it they stall until they time out. It
// returns how many. Connections of a plan that lets them drain are left alone, as are those of who keeps access.
func Cut(p *Plan, s *snapshot.Snapshot) (int, error) {
	if p.Drain {
		return 0, nil
	}
	conn, err := host.Local().Netlink(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return 0, fmt.Errorf("list connections: %w", err)
	}
	defer conn.Close()
	open, err := connections(conn, unix.IPPROTO_TCP)
	if err != nil {
		return 0, err
	}
	ended, meant := 0, translated()
	for i := range open {
		k := &open[i]
		if !p.cuts(s, k, meant[[2]netip.AddrPort{k.peer, k.local}]) {
			continue
		}
		_, err := conn.Execute(k.Destroy(unix.IPPROTO_TCP, connected))
		switch {
		case errors.Is(err, unix.EOPNOTSUPP):
			return ended, ErrNoDestroy
		case err == nil:
			ended++
		case !errors.Is(err, unix.ENOENT): // it ended by itself
			return ended, fmt.Errorf("end a connection: %w", err)
		}
	}
	return ended, nil
}

// translated are the TCP connections whose destination rules translated, by how the host's sockets have them: their client and the
// address of the host that answers. Of a kernel without conntrack there are none.
func translated() map[[2]netip.AddrPort]*wire.Connection {
	conn, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil
	}
	defer conn.Close()
	list, err := conn.Execute(wire.ListConnections(unix.AF_UNSPEC, wire.DstNAT))
	if err != nil {
		return nil
	}
	found := map[[2]netip.AddrPort]*wire.Connection{}
	for _, m := range list {
		if c, err := wire.ParseConnection(m.Data); err == nil && c.Proto == unix.IPPROTO_TCP && c.Status&wire.DstNAT != 0 {
			found[[2]netip.AddrPort{c.Client, c.Server}] = &c
		}
	}
	return found
}

// cuts says of a connection that the plan closes it. Where rules translated it, the plan is about what was sent to before.
func (p *Plan) cuts(s *snapshot.Snapshot, k *socket, before *wire.Connection) bool {
	if before != nil {
		translated := *k
		translated.peer, translated.local = before.From, before.To
		k = &translated
	}
	remote := k.peer.Addr()
	if !k.incoming || s.Network.Has(remote) {
		return false
	}
	iif := arrives(s, remote)
	port := ""
	if b := s.Network.LinkNamed(iif); b != nil && b.Kind == "bridge" {
		port = portTo(s, b.Index, remote)
	}
	rules := p.each()
	for i := range rules {
		r := &rules[i]
		if local := k.local.Addr().Unmap(); r.addressed() && !covers(r.To, local) || p.carved(r, local) {
			continue
		}
		if r.Accept || r.Proto != "tcp" || r.Port != int(k.local.Port()) || !(r.Chain == chainIn && r.Iif == iif || r.Chain == chainPort && r.Iif == port) {
			continue
		}
		from := len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(x netip.Prefix) bool { return x.Contains(remote) })
		if from && !p.allowed(r, remote) {
			return true
		}
	}
	return before == nil && iif != "" && p.policy(chainInput) == "drop" && !slices.ContainsFunc(rules, func(r Rule) bool {
		return r.Accept && r.Chain == chainInput && r.Kind == "" && (r.Iif == "" || r.Iif == iif) &&
			(r.Proto == "" || r.Proto == "tcp" && r.Port == int(k.local.Port())) &&
			(len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(x netip.Prefix) bool { return x.Contains(remote) }))
	})
}

// portTo is the port of a bridge that a neighbour is behind, as the bridge has learned it, or "".
func portTo(s *snapshot.Snapshot, bridge int, neighbour netip.Addr) string {
	route, err := host.Local().Route()
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
