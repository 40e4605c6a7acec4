//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// adopt has conntrack know the connections that are open, and who opened them. As long as no rule asked for the state
// of a connection none is tracked, and afterwards the side that happens to send first counts as the one that opened
// it: the baseline would drop what the peer of a connection of the host's own sends, and a denial would take what is
// sent to a closed port for an answer. Connections that are known already stay as they are. Of a family that is tracked
// they are not looked for.
func (p *Plan) adopt(isTracked func(v4 bool) bool) error {
	if !slices.Contains(p.families(), ruleset.FamilyInet) || isTracked(true) && isTracked(false) {
		return nil
	}
	diag, err := host.Local().Netlink(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return fmt.Errorf("list connections: %w", err)
	}
	defer diag.Close()
	track, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer track.Close()
	for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		open, err := connections(diag, proto)
		if err != nil {
			return err
		}
		for i := range open {
			k := &open[i]
			if isTracked(k.local.Addr().Is4()) {
				continue
			}
			from, to := k.local, k.peer
			if k.incoming {
				from, to = to, from
			}
			if _, err := track.Execute(wire.KnowConnection(proto, from, to)); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("have the connection with %s tracked: %w", k.peer, err)
			}
		}
	}
	return nil
}

// nothing is what is tracked where that is not known.
func nothing(bool) bool { return false }
