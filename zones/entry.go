package zones

import (
	"net/netip"
	"path"
	"regexp"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// tunnelKinds are the kinds of interfaces (IFLA_INFO_KIND) by whose other end one comes in over another network.
var tunnelKinds = []string{"tun", "wireguard", "ppp", "xfrm", "vti", "vti6"}

// Tunnel says of an interface that it is the end of a tunnel, or that of a private network between machines.
func Tunnel(l *snapshot.Link) bool {
	return vpn(l) || slices.Contains(tunnelKinds, l.Kind) && !OfWorkloads(l.Name)
}

// vpn says of an interface that it is that of a private network between machines, by its name or kind.
func vpn(l *snapshot.Link) bool { return vpnName.MatchString(l.Name) || l.Kind == "wireguard" }

// vpnPrograms are servers and clients of private networks, by the base names of their programs. IKE daemons, and an OpenVPN that has its device
// made by the kernel, hold no tunnel device themselves.
var vpnPrograms = []string{
	"openvpn", "charon", "charon-systemd", "pluto", "iked", "racoon", "zerotier-one", "tailscaled", "nebula", "tincd", "ocserv", "ocserv-main", "wireguard-go",
	"boringtun", "boringtun-cli", "vpnserver", "xl2tpd", "pptpd", "accel-pppd", "netbird", "fastd", "supernode", "edge",
}

// RunsVPN says of a process that it is a server or client of a private network whose program root alone can write.
func RunsVPN(p *snapshot.Process) bool {
	return p.ExeWord.Trusted() && slices.Contains(vpnPrograms, path.Base(p.Exe))
}

// OfSystem says of a process that whoever administers the host has it run: root, or a service of the system by a program of root's. The
// manager of a user is none: below it that user decides.
func OfSystem(p *snapshot.Process) bool {
	byUser, _ := path.Match("user@*.service", p.Unit)
	return p.Container == "" && (p.UID == 0 || p.Unit != "" && p.ExeWord.Trusted() && !byUser)
}

// endsVPN says of an interface that its other end is such a process of the system: a TAP of OpenVPN is named as that of a machine is. What a user
// or an agent starts on a TAP of its own makes it nothing else.
func (m *Map) endsVPN(l *snapshot.Link) bool {
	return l.Kind == "tun" && slices.ContainsFunc(m.snap.Processes.List, func(p snapshot.Process) bool {
		return p.NS.Net == m.snap.Network.HostNetns() && slices.Contains(p.Tunnels, l.Name) && RunsVPN(&p) && OfSystem(&p) && !m.RunsForWorkload(&p)
	})
}

// RunsForWorkload says of a process that it is not root's and is of the workload zone, or in the unit of an agent that is.
func (m *Map) RunsForWorkload(p *snapshot.Process) bool {
	if p.UID == 0 {
		return false
	}
	if zone, _ := m.Process(p); zone == Workload {
		return true
	}
	return p.Unit != "" && slices.ContainsFunc(m.snap.Agents.Instances, func(a snapshot.Agent) bool {
		agent := m.byPID[a.PID]
		if a.Unit != p.Unit || agent == nil {
			return false
		}
		zone, _ := m.Process(agent)
		return zone == Workload
	})
}

// nicName is the names that hardware gets (systemd.net-naming-scheme(7)), and that runtimes give to no interface of a workload.
var nicName = regexp.MustCompile(`^(eth\d+|en[opsx][0-9a-z]+)$`)

// uplink says of one end of a pair that the other is outside of what is looked at, as that of a host that is itself a container.
func uplink(l *snapshot.Link) bool { return l.PeerNetns == 0 && nicName.MatchString(l.Name) }

// byTunnel says of an interface that somebody comes in by the tunnel that it is the end of. Of one that has a default route, only who has a
// private address does: the internet may be behind it too.
func (m *Map) byTunnel(l *snapshot.Link) bool {
	if m.defaultRoute(l.Index) {
		return vpn(l) && m.entered(l, private)
	}
	return (vpn(l) || m.endsVPN(l) || slices.Contains(tunnelKinds, l.Kind) && !m.ofUser(l)) && m.entered(l, anybody)
}

// ofUser says of a TUN or TAP that its other end is a process of the host that is not the system's: who comes in by it is whom that process plays.
func (m *Map) ofUser(l *snapshot.Link) bool {
	held, other := false, false
	for i := range m.snap.Processes.List {
		p := &m.snap.Processes.List[i]
		if l.Kind != "tun" || p.NS.Net != m.snap.Network.HostNetns() || !slices.Contains(p.Tunnels, l.Name) {
			continue
		}
		held = true
		other = other || p.Container != "" || OfSystem(p) && !m.RunsForWorkload(p)
	}
	return held && !other
}

// sharedSpace is what carriers and private networks give their members (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func anybody(netip.Addr) bool { return true }

func private(a netip.Addr) bool { return a.IsPrivate() || sharedSpace.Contains(a) }

// entered says whether somebody is logged in over SSH by an interface: from an address behind it, at one of its own or, where no default route
// leads there, at any of the host's. To connect is open to everybody and shows nothing, nor does a connection of which nothing is known.
func (m *Map) entered(l *snapshot.Link, by func(netip.Addr) bool) bool {
	return slices.ContainsFunc(m.snap.SSH.Sessions, func(ses snapshot.SSHSession) bool {
		local, err := netip.ParseAddrPort(ses.Local)
		remote, rerr := netip.ParseAddrPort(ses.Remote)
		if err != nil || rerr != nil || ses.LoggedIn != snapshot.Yes {
			return false
		}
		at, from := local.Addr().Unmap().WithZone(""), remote.Addr().Unmap().WithZone("")
		return by(from) && m.leads(l.Index, from) && (!m.defaultRoute(l.Index) || slices.ContainsFunc(l.Addrs, func(text string) bool {
			p, err := netip.ParsePrefix(text)
			return err == nil && p.Addr() == at
		}))
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

// Entered says whether somebody who administers the host comes in by the management zone: the configuration names it, or somebody is logged in
// by it. An interface that only looks like it is no way in: a VPN that nobody uses, the network of a BMC, one with a name such as mgmt0.
func (m *Map) Entered() bool {
	return slices.ContainsFunc(m.Origins, func(o Origin) bool { return o.Zone == Management && !o.Local && !o.Assumed })
}
