package zones

import (
	"net/netip"
	"regexp"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// tunnelKinds are the kinds of interfaces (IFLA_INFO_KIND) by whose other end one comes in over another network.
var tunnelKinds = []string{"tun", "wireguard", "ppp", "xfrm", "vti", "vti6"}

// givenName is a name that says that somebody meant the interface for administration. One that is named for a BMC leads to that.
var givenName = regexp.MustCompile(`^(vrf-)?(mgmt|mgt|oob)[-_.]?\d*$`)

// deliberate says of an interface that whoever set the host up named it for management.
func deliberate(l *snapshot.Link) bool { return givenName.MatchString(l.Name) }

// vpn says of an interface that it is that of a private network between machines, by its name or kind.
func vpn(l *snapshot.Link) bool { return vpnName.MatchString(l.Name) || l.Kind == "wireguard" }

// byTunnel says of an interface that somebody comes in by the tunnel that it is the end of. Of one that has a default route, only who has a
// private address does: the internet may be behind it too.
func (m *Map) byTunnel(l *snapshot.Link) bool {
	if m.defaultRoute(l.Index) {
		return vpn(l) && m.entered(l, private)
	}
	return (vpn(l) || slices.Contains(tunnelKinds, l.Kind)) && m.entered(l, anybody)
}

// sharedSpace is what carriers and private networks give their members (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func anybody(netip.Addr) bool { return true }

func private(a netip.Addr) bool { return a.IsPrivate() || sharedSpace.Contains(a) }

// entered says whether somebody is logged in over SSH by an interface: at one of its addresses, from an address behind it. To connect is
// open to everybody and shows nothing, nor does a connection of which nothing is known.
func (m *Map) entered(l *snapshot.Link, by func(netip.Addr) bool) bool {
	return slices.ContainsFunc(m.snap.SSH.Sessions, func(ses snapshot.SSHSession) bool {
		local, err := netip.ParseAddrPort(ses.Local)
		remote, rerr := netip.ParseAddrPort(ses.Remote)
		if err != nil || rerr != nil || ses.LoggedIn != snapshot.Yes {
			return false
		}
		at, from := local.Addr().Unmap().WithZone(""), remote.Addr().Unmap().WithZone("")
		return by(from) && m.leads(l.Index, from) && slices.ContainsFunc(l.Addrs, func(text string) bool {
			p, err := netip.ParsePrefix(text)
			return err == nil && p.Addr() == at
		})
	})
}

// leads says whether the longest of the routes to an address, of all tables, is one by an interface.
func (m *Map) leads(index int, to netip.Addr) bool {
	best, here := -1, false
	for by, b := range m.routed {
		prefixes := b.prefixes
		if b.byDefault {
			prefixes = append(slices.Clip(prefixes), netip.PrefixFrom(to, 0))
		}
		for _, p := range prefixes {
			if p.Contains(to) && p.Bits() >= best {
				here = by == index || here && p.Bits() == best
				best = p.Bits()
			}
		}
	}
	return here
}

// Entered says whether somebody who administers the host comes in by the management zone: it was named for that, or somebody is
// logged in by it. An interface that only looks like it, such as a VPN that nobody uses or the network of a BMC, is no way in.
func (m *Map) Entered() bool {
	return slices.ContainsFunc(m.Origins, func(o Origin) bool { return o.Zone == Management && !o.Local && !o.Assumed })
}
