//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// maxConnections bounds the connections that are looked through for flows and for published ports in use.
const maxConnections = 500_000

// inUse counts the open connections to ports that are translated to somebody behind the host, and adds those that are told as flows. Both are
// read from one listing: the kernel walks a table of all network namespaces for it. A kernel without conntrack, or one that we may not ask,
// has none to tell: nothing is judged by it.
func (s *Scan) inUse(c *flowCount) []snapshot.PortUse {
	found := map[snapshot.PortUse]int{}
	count := func(k *wire.Connection) {
		if use, ok := published(k); ok {
			found[use]++
		}
	}
	if !s.connections(0, maxConnections, func(k *wire.Connection) { count(k); c.tracked(k) }) { // those that are translated are listed apart
		clear(found)
		s.connections(wire.DstNAT, maxConnections, count)
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

// connections lists what conntrack knows with all bits of a status. It reports false where there are more than so many.
func (s *Scan) connections(status uint32, most int, each func(*wire.Connection)) bool {
	conn, err := s.Host.Questions(unix.NETLINK_NETFILTER)
	if err != nil {
		return true
	}
	defer conn.Close()
	if _, err = conn.Send(wire.ListConnections(unix.AF_UNSPEC, status)); err != nil {
		return true
	}
	seen := 0
	for m, err := range conn.ReceiveIter() {
		if err != nil {
			break
		}
		if seen++; seen > most {
			return false
		}
		if k, err := wire.ParseConnection(m.Data); err == nil {
			each(&k)
		}
	}
	return true
}

// published is where a translated connection that is open and was answered was first sent to. Older kernels do not filter by status.
func published(c *wire.Connection) (use snapshot.PortUse, ok bool) {
	const both = wire.DstNAT | wire.Assured
	if c.Ended || c.Status&both != both {
		return use, false
	}
	use = snapshot.PortUse{
		Proto: map[uint8]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_SCTP: "sctp"}[c.Proto],
		Addr:  c.To.Addr().String(), Port: int(c.To.Port()),
	}
	return use, use.Proto != "" && use.Port != 0
}
