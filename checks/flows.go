//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the connections that are told: namespaces that are asked for theirs, different flows, those of one port, and those that the host opened. Of
// a port that more use than are told apart it is told how many connections the others have: no crowd hides who else uses what.
const (
	maxFlowNamespaces = 256
	maxFlows          = 4096
	maxPortFlows      = 512
	maxOwnFlows       = 512
)

// flowCount counts the connections of each flow, by where they were seen.
type flowCount struct {
	seen map[snapshot.FlowUse]int
	// translated are the connections that rules translated, by how their ends have them.
	translated map[ends]wire.Connection
	// own are the addresses of the host, mine counts the flows that are of those, ports those of others by the port, and more the connections that
	// are in no flow.
	own   map[netip.Addr]bool
	mine  int
	ports map[flowPort]int
	more  map[flowPort]int
}

// flowPort is a port that is used.
type flowPort struct {
	proto string
	port  int
}

func newFlowCount(own map[netip.Addr]bool, translated map[ends]wire.Connection) *flowCount {
	return &flowCount{seen: map[snapshot.FlowUse]int{}, translated: translated, own: own, ports: map[flowPort]int{}, more: map[flowPort]int{}}
}

// ownAddresses are the addresses of a namespace's interfaces.
func ownAddresses(n *snapshot.Network) map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	for i := range n.Links {
		for _, text := range n.Links[i].Addrs {
			if p, err := netip.ParsePrefix(text); err == nil {
				own[p.Addr()] = true
			}
		}
	}
	return own
}

// ends are who opened a connection and what that was sent to.
type ends struct {
	proto    uint8
	from, to netip.AddrPort
}

// maxTranslated bounds the translated connections that sockets are compared with.
const maxTranslated = 65536

// socket adds a connection as a socket has it. Of one that rules translated it is what was sent to before, as the rules of a fix see it.
func (c *flowCount) socket(proto uint8, from, to netip.AddrPort, here bool) {
	if k, ok := c.translated[ends{proto, unmapped(from), unmapped(to)}]; ok {
		c.add(proto, k.From, k.To, snapshot.FlowUse{Translated: k.Status&wire.DstNAT != 0, Here: here})
		return
	}
	c.add(proto, from, to, snapshot.FlowUse{Here: here})
}

// add adds a connection, of which what is known beside its ends is given.
func (c *flowCount) add(proto uint8, from, to netip.AddrPort, u snapshot.FlowUse) {
	name := map[uint8]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_SCTP: "sctp"}[proto]
	peer, addr := from.Addr().Unmap().WithZone(""), to.Addr().Unmap().WithZone("")
	if name == "" || to.Port() == 0 || peer.IsLoopback() || addr.IsLoopback() || addr.IsMulticast() || peer == addr {
		return
	}
	u.Proto, u.Peer, u.Addr, u.Port = name, peer.String(), addr.String(), int(to.Port())
	if _, known := c.seen[u]; !known && !c.admits(peer, flowPort{name, u.Port}) {
		return
	}
	c.seen[u]++
}

// admits says whether a flow more is told apart, and counts it.
func (c *flowCount) admits(peer netip.Addr, at flowPort) bool {
	switch {
	case c.own[peer]:
		if c.mine >= maxOwnFlows {
			return false
		}
		c.mine++
		return true
	case c.ports[at] >= maxPortFlows || len(c.seen)-c.mine >= maxFlows:
		c.more[at]++
		return false
	}
	c.ports[at]++
	return true
}

// flows are the connections that are open: those that conntrack knows and that were answered, and connected sockets of TCP and UDP in the host's
// network namespace and in the others, which are there also where nothing is tracked. What was seen in two places counts once. It is
// nothing that a judgement rests on: who uses what a fix would close is told by it.
func (s *Scan) flows(ctx context.Context, found []foundNetns, tracked *flowCount) []snapshot.FlowUse {
	most, more := map[snapshot.FlowUse]snapshot.FlowUse{}, map[flowPort]int{}
	merge := func(c *flowCount) {
		for u, n := range c.seen {
			k := snapshot.FlowUse{Proto: u.Proto, Peer: u.Peer, Addr: u.Addr, Port: u.Port}
			m := most[k]
			u.Translated, u.Tracked, u.Here = u.Translated || m.Translated, u.Tracked || m.Tracked, u.Here || m.Here // one place knows what another does not
			u.Connections = max(n, m.Connections)
			most[k] = u
		}
		for at, n := range c.more {
			more[at] = max(more[at], n)
		}
	}
	merge(tracked)
	s.Host.Visit(func(enter func(*os.File) error) {
		for i := range found {
			if i == maxFlowNamespaces || ctx.Err() != nil || found[i].err != nil {
				break
			}
			if s.goInto(&found[i], enter) == nil {
				c := newFlowCount(tracked.own, tracked.translated)
				s.socketFlows(c, found[i].Host)
				merge(c)
			}
		}
	})
	var list []snapshot.FlowUse
	for _, u := range most {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b snapshot.FlowUse) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Peer, b.Peer))
	})
	list = list[:min(len(list), 2*maxFlows)]
	for i := range list {
		at := flowPort{list[i].Proto, list[i].Port}
		if !tracked.own[netip.MustParseAddr(list[i].Peer)] {
			list[i].More = more[at]
			delete(more, at)
		}
	}
	return list
}

// tracked adds a connection that conntrack knows.
func (c *flowCount) tracked(k *wire.Connection) {
	if k.Ended || k.Status&wire.SeenReply == 0 {
		return
	}
	c.add(k.Proto, k.From, k.To, snapshot.FlowUse{Translated: k.Status&wire.DstNAT != 0, Tracked: true})
	if k.Status&wire.Translated != 0 && len(c.translated) < maxTranslated {
		c.translated[ends{k.Proto, k.Client, k.Server}] = *k
	}
}

// socketFlows are the connected sockets of TCP and UDP in the thread's network namespace, from who opened them. own says that it is the host's. All
// namespaces share the tables of connections, and to go through them takes longest: that is left where all sockets listen.
func (s *Scan) socketFlows(c *flowCount, own bool) {
	d := diag{s: s}
	defer d.close()
	tcp, udp := s.hashed()
	c.connected(unix.IPPROTO_TCP, wire.StateListen, own, tcp, []uint32{1 << wire.StateListen, 1 << wire.StateEstablished}, func(states uint32, each func([]byte) error) {
		_ = d.tcp(states, false, each)
	})
	c.connected(unix.IPPROTO_UDP, wire.StateClose, own, udp, []uint32{1<<wire.StateClose | 1<<wire.StateEstablished}, func(states uint32, each func([]byte) error) {
		for _, k := range socketKinds[2:4] {
			k.states = states
			_ = d.each(k, each)
		}
	})
}

// connected are the connected sockets of a protocol, which sockets in a state serve. What serves at the local port, or did if that is below those that the
// kernel gives out, was connected to. It asks for some states after the other, until it knows all sockets.
func (c *flowCount) connected(proto, serving uint8, here bool, all int, rounds []uint32, ask func(states uint32, each func([]byte) error)) {
	const firstEphemeral = 32768 // Documentation/networking/ip-sysctl.rst, ip_local_port_range
	type pair struct{ local, peer netip.AddrPort }
	serves := map[uint16]bool{}
	var open []pair
	known := 0
	for _, states := range rounds {
		if known >= all {
			break
		}
		ask(states, func(m []byte) error {
			in, err := wire.ParseInet(m)
			known++
			switch {
			case err != nil:
				return err
			case in.State == serving:
				serves[in.Local.Port()] = true
			case len(open) < maxConnections:
				open = append(open, pair{in.Local, in.Peer})
			}
			return nil
		})
	}
	for _, e := range open {
		if serves[e.local.Port()] || e.local.Port() < firstEphemeral && e.peer.Port() >= firstEphemeral {
			c.socket(proto, e.peer, e.local, here)
		} else {
			c.socket(proto, e.local, e.peer, false)
		}
	}
}
