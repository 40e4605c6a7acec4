package reach

import (
	"net/netip"

	"github.com/ringfence/ringfence/snapshot"
)

// atPort is where sockets compete for packets.
type atPort struct {
	proto uint64
	port  int
}

// maxRivals is how many sockets of one port are compared with another one. Where there are more, all are taken to get the
// packets, and who really does shows when a witness is followed.
const maxRivals = 64

// sharing are the sockets of the host's own network namespace at a port.
func (m *Model) sharing(proto uint64, port int) []*snapshot.Socket {
	if len(m.byPort) == 0 {
		for i := range m.snap.Listeners.Sockets {
			s := &m.snap.Listeners.Sockets[i]
			if n, ok := protocols[s.Proto]; ok && m.ownNetns(s) {
				k := atPort{n, s.Port}
				m.byPort[k] = append(m.byPort[k], s)
			}
		}
	}
	return m.byPort[atPort{proto, port}]
}

// rivals are the sockets at a port that are compared with each other.
func (m *Model) rivals(proto uint64, port int) []*snapshot.Socket {
	if list := m.sharing(proto, port); len(list) <= maxRivals {
		return list
	}
	return nil
}

// outranks says whether the kernel gives a packet that both sockets match to s rather than to o: one that is bound to the
// address comes before one that is not, then one that is bound to a device, then one of the packet's own family
// (inet_lhash2_lookup, udp4_lib_lookup2).
func outranks(s, o *snapshot.Socket, v4 bool) bool {
	rank := func(k *snapshot.Socket) (n int) {
		if a, err := netip.ParseAddr(k.Addr); err == nil && !a.IsUnspecified() {
			n += 8
		}
		if k.Device != "" {
			n += 2
		}
		if (k.Family == 4) == v4 {
			n++
		}
		return n
	}
	return rank(s) > rank(o)
}

// contested parts packets for a socket, of one port, by whether the kernel gives them to it or to another one. What is for
// many hosts every socket gets.
func (e *engine) contested(s *snapshot.Socket, yes, no []cube) (kept, others []cube) {
	for _, c := range yes {
		live := []cube{c}
		for _, r := range e.rivals(protocols[s.Proto], int(c.sets[fDport][0].lo.lo)) {
			if c.toMany || !outranks(r, s, c.v4) || !e.hears(r, e.snap.Network.Link(int(c.sets[fIif][0].lo.lo))) {
				continue
			}
			at, _ := e.Model.bound(r, c.v4)
			var rest []cube
			for _, l := range live {
				in, out := l.split(fDaddr, at)
				rest, no = append(rest, out...), append(no, in...)
			}
			live = rest
		}
		kept = append(kept, live...)
	}
	return kept, no
}
