//go:build linux && !ringfence_portable

package checks

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// maxConnected bounds how many connections are looked at for what sends sessions on.
const maxConnected = 1 << 16

// relayed notes of sessions to which other port of the host the same end is connected, of another host: what sends on in its sender's name what comes in
// there has the same end twice. So has, now and then, whoever opens two connections.
func relayed(sessions []snapshot.SSHSession, connected map[netip.AddrPort][]netip.AddrPort) {
	for i := range sessions {
		k := &sessions[i]
		local, lerr := netip.ParseAddrPort(k.Local)
		remote, err := netip.ParseAddrPort(k.Remote)
		if lerr != nil || err != nil || remote.Addr().IsLoopback() {
			continue
		}
		at := slices.IndexFunc(connected[remote], func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() && a.Port() != local.Port() })
		if at >= 0 {
			k.Through = connected[remote][at].String()
		}
	}
}
