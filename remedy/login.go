package remedy

import (
	"net/netip"

	"github.com/ringfence/ringfence/snapshot"
)

// sessionKept is what a login is kept by: the port that its server has it at, and the one that it came in by, if something sends it on from there.
func sessionKept(s *snapshot.Snapshot, ses *snapshot.SSHSession) (list []Flow) {
	remote, err := netip.ParseAddrPort(ses.Remote)
	if err != nil || remote.Addr().IsLoopback() || ses.LoggedIn != snapshot.Yes { // to connect is open to everybody; of whom nothing is known keeps nothing, and justifies nothing
		return nil
	}
	addr := remote.Addr().Unmap().WithZone("")
	for _, text := range []string{ses.Local, ses.Through} {
		local, err := netip.ParseAddrPort(text)
		if err != nil {
			continue
		}
		f := Flow{
			Source: netip.PrefixFrom(addr, addr.BitLen()), Addr: local.Addr().Unmap().WithZone(""), Proto: "tcp", Port: int(local.Port()),
			Iif: arrives(s, addr), Why: keptSession,
		}
		for _, f.Iif = range loginsBy(s, remote.Addr(), &f) {
			list = append(list, comesAgain(s, f)...)
		}
	}
	return list
}
