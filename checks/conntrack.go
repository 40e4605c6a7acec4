//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// maxConnections bounds the connections that are looked through for published ports in use.
const maxConnections = 500_000

// publishedInUse counts the open connections to ports that are translated to somebody behind the host. A kernel
// without conntrack, or one that we may not ask, has none to tell: nothing is judged by it.
func (s *Scan) publishedInUse() []snapshot.PortUse {
	conn, err := s.Host.Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if _, err = conn.Send(wire.ListConnections(unix.AF_UNSPEC, wire.DstNAT)); err != nil {
		return nil
	}
	found := map[snapshot.PortUse]int{}
	seen := 0
	for m, err := range conn.ReceiveIter() {
		if seen++; err != nil || seen > maxConnections {
			break
		}
		if use, ok := published(m.Data); ok {
			found[use]++
		}
	}
	var out []snapshot.PortUse
	for use, n := range found {
		use.Connections = n
		out = append(out, use)
	}
	slices.SortFunc(out, func(a, b snapshot.PortUse) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Addr, b.Addr))
	})
	return out
}

// published is where a translated connection that is open and was answered was first sent to. Older kernels do not filter by status.
func published(b []byte) (use snapshot.PortUse, ok bool) {
	const both = wire.DstNAT | wire.Assured
	c, err := wire.ParseConnection(b)
	if err != nil || c.Ended || c.Status&both != both {
		return use, false
	}
	use = snapshot.PortUse{
		Proto: map[uint8]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_SCTP: "sctp"}[c.Proto],
		Addr:  c.To.Addr().String(), Port: int(c.To.Port()),
	}
	return use, use.Proto != "" && use.Port != 0
}
