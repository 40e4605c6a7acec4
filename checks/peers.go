//go:build linux && !ringfence_portable

package checks

import (
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// maxPeers bounds how many connected sockets of a process are kept.
const maxPeers = 16

// connectedUDP are the UDP sockets of the host's network that are connected, by the processes that have them.
func (s *Scan) connectedUDP(out *Outcome) map[int][]snapshot.Peer {
	found := map[int][]snapshot.Peer{}
	if !s.Host.Live() {
		return found
	}
	inodes, _ := s.socketOwners()
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		kind := socketKind{proto: "udp", family: family, protocol: unix.IPPROTO_UDP, states: 1 << wire.StateEstablished}
		err := s.diagEach(kind, func(m []byte) error {
			in, err := wire.ParseInet(m)
			if err != nil {
				return err
			}
			k := snapshot.Peer{Local: unmapped(in.Local).String(), Remote: onLink(unmapped(in.Peer), in.Device).String(), UID: int(in.UID)}
			for _, pid := range inodes[uint64(in.Inode)] {
				if len(found[pid]) < maxPeers {
					found[pid] = append(found[pid], k)
				}
			}
			return nil
		})
		if err == nil {
			continue
		}
		if state, why := diagState(kind, err); state == snapshot.Denied || state == snapshot.Error {
			out.partialIn("peers", "connected UDP sockets: %s", why)
		}
	}
	return found
}
