//go:build linux && !ringfence_portable

package remedy

import (
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// TestTurnsRound: of connections that were met half way those are turned round that were sent from a service to a
// client, by others than the host, that were answered and that nobody translates.
func TestTurnsRound(t *testing.T) {
	bed.InEmptyNetns(t, func() {
		conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		own := &snapshot.Network{Links: []snapshot.Link{{Addrs: []string{"192.0.2.1/24"}}}}
		for _, c := range []struct {
			proto    byte
			from, to string
			turned   bool
		}{
			{unix.IPPROTO_TCP, "198.51.100.1:443", "192.0.2.9:40000", true},
			{unix.IPPROTO_UDP, "[2001:db8::1]:443", "[2001:db8:1::9]:40000", true},
			{unix.IPPROTO_TCP, "192.0.2.9:40001", "198.51.100.1:443", false},
			{unix.IPPROTO_TCP, "198.51.100.1:443", "192.0.2.1:40002", false},
			{unix.IPPROTO_TCP, "198.51.100.1:40003", "192.0.2.9:50000", false},
		} {
			from, to := netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to)
			if _, err := conn.Execute(wire.KnowConnection(c.proto, from, to)); err != nil {
				t.Errorf("%s: %v", c.from, err)
				continue
			}
			if err := turnRound(from.Addr().Is4(), own); err != nil {
				t.Errorf("%s: %v", c.from, err)
			}
			family := byte(unix.AF_INET6)
			if from.Addr().Is4() {
				family = unix.AF_INET
			}
			list, err := conn.Execute(wire.ListConnections(family, 0))
			if err != nil {
				t.Errorf("%s: %v", c.from, err)
			}
			found := false
			for _, m := range list {
				if e, err := wire.ParseConnection(m.Data); err == nil && e.Proto == c.proto && (e.From == from || e.To == from) {
					found = true
					if got := e.From == to && e.To == from; got != c.turned {
						t.Errorf("%s to %s: turned round %v, want %v", c.from, c.to, got, c.turned)
					}
				}
			}
			if !found {
				t.Errorf("%s to %s is not known", c.from, c.to)
			}
		}
	})
}
