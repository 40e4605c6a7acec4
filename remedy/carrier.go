package remedy

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// otherPrograms hold a tunnel device too, by what their names begin with: for the machine or sandbox that they run, for who is logged in, or
// only to set it up. What they listen on is something else.
var otherPrograms = []string{
	"qemu-", "kvm", "firecracker", "cloud-hypervisor", "crosvm", "VBox", "vmware-", "slirp4netns", "pasta", "passt", "libvirtd", "virtqemud",
	"sshd", "dropbear", "NetworkManager", "systemd-networkd",
}

// membersBy are programs by which hosts of a cluster know that the others are there, on UDP ports of any number: without it they take over, or are
// fenced. Each further link of Corosync has the next port.
var membersBy = map[string]string{"corosync": "Corosync", "conntrackd": "conntrackd", "heartbeat": "Heartbeat"}

// joins says of a UDP socket by which of them a host is in its cluster, "" for none.
func joins(s *snapshot.Snapshot, k *snapshot.Socket) string {
	if k.Proto != "udp" || k.Port == 0 {
		return ""
	}
	for _, o := range k.Owners {
		if p := process(s, o.PID); p != nil && isProgram(s, o, path.Base(p.Exe)) {
			return membersBy[path.Base(p.Exe)]
		}
	}
	return ""
}

// roams says of a UDP socket that somebody who is root is logged in by it: it outlives the login over SSH that it began with, and whoever is at the other end may change
// its address. Whoever has such a socket and is not root opened a port as he likes.
func roams(s *snapshot.Snapshot, k *snapshot.Socket) string {
	if k.Proto != "udp" || k.Port == 0 {
		return ""
	}
	for _, o := range k.Owners {
		p := process(s, o.PID)
		if p != nil && p.Container == "" && p.ExeWord.Trusted() && path.Base(p.Exe) == "mosh-server" && (p.UID == 0 || becameRoot(s, p.PID)) {
			return "logged in by mosh"
		}
	}
	return ""
}

// becameRoot says of a process that root runs something that it began: behind sudo or su, which ask for a password as root already.
func becameRoot(s *snapshot.Snapshot, pid int) bool {
	for i := range s.Processes.List {
		p := &s.Processes.List[i]
		if p.UID != 0 || p.SetID {
			continue
		}
		for depth := 0; p != nil && p.PPID > 1 && depth < maxDepth; depth++ {
			if p.PPID == pid {
				return true
			}
			p = process(s, p.PPID)
		}
	}
	return false
}

// maxDepth bounds how far back it is asked who began a process.
const maxDepth = 64

// carries says of a listening socket which tunnel it carries, "" for none: one that the kernel holds for a device of its own, and those of a
// process that holds a tunnel device or is a server of tunnels, if root answers for it. Whoever is at the other end may change its
// address: it is kept from anywhere.
func carries(s *snapshot.Snapshot, k *snapshot.Socket) string {
	if k.Proto != "udp" && k.Proto != "tcp" || k.Port == 0 || inTunnel(s, k) {
		return ""
	}
	if len(k.Owners) == 0 {
		return ofKernel(s, k)
	}
	for _, o := range k.Owners {
		p := process(s, o.PID)
		if p == nil || !vouched(s, k) && !commands(s, p) {
			continue
		}
		switch {
		case zones.RunsVPN(p):
		case !endsTunnel(s, p):
			continue
		case k.Proto == "tcp" && holds(s, p.PID, "udp"): // TCP is the carrier where there is no other
			continue
		}
		return "carries the tunnel of " + escape.Line(o.Comm)
	}
	return ""
}

// hears is what clients of VPNs hear from their servers, each by a socket that is connected to it: once the kernel has forgotten the connection, the server's
// packets begin one, and who comes in by the tunnel waits until the client sends something. Name servers only answer.
func hears(s *snapshot.Snapshot) (list []Flow) {
	const names = 53
	for i := range s.Processes.List {
		p := &s.Processes.List[i]
		for _, x := range p.Peers {
			local, lerr := netip.ParseAddrPort(x.Local)
			remote, err := netip.ParseAddrPort(x.Remote)
			if lerr != nil || err != nil || remote.Port() == names || remote.Addr().IsLoopback() || p.NS.Net != s.Network.HostNetns() {
				continue
			}
			k := snapshot.Socket{Proto: "udp", Addr: local.Addr().String(), Port: int(local.Port()), UID: x.UID, Owners: []snapshot.Owner{{PID: p.PID, Comm: p.Comm}}}
			why := carries(s, &k)
			if why == "" {
				continue
			}
			addr := remote.Addr().Unmap().WithZone("")
			f := Flow{Source: netip.PrefixFrom(addr, addr.BitLen()), Proto: k.Proto, Port: k.Port, Why: why}
			if !slices.Contains(list, f) {
				list = append(list, f)
			}
		}
	}
	return list
}

// ofKernel says which tunnel of the kernel a UDP socket carries that no process holds: of the port that a device has, also one that is in another
// network namespace, or of a device whose port is not told with it (WireGuard), which can be in one that is not seen. Who holds such a
// socket cannot be seen, but its uid can, and which ones the kernel's own services have.
func ofKernel(s *snapshot.Snapshot, k *snapshot.Socket) string {
	if k.Proto != "udp" || k.UID != 0 || !onHost(s, k) || k.OwnerState == snapshot.OwnersKernel {
		return ""
	}
	networks := []*snapshot.Network{&s.Network}
	for i := range s.Namespaces {
		networks = append(networks, &s.Namespaces[i].Network)
	}
	for _, network := range networks {
		for i := range network.Links {
			if l := &network.Links[i]; l.UDPPort == k.Port {
				return "carries " + escape.Line(l.Name)
			}
		}
	}
	return "the kernel holds it, as it does for a tunnel"
}

// endsTunnel says of a process that it is the other end of an interface of the host that is no machine's.
func endsTunnel(s *snapshot.Snapshot, p *snapshot.Process) bool {
	if slices.ContainsFunc(otherPrograms, func(m string) bool { return strings.HasPrefix(path.Base(p.Exe), m) }) {
		return false
	}
	return p.NS.Net == s.Network.HostNetns() && slices.ContainsFunc(p.Tunnels, func(name string) bool {
		l := s.Network.LinkNamed(name)
		return l != nil && l.Kind == "tun" && s.Network.BridgeOf(l) == nil && (zones.RunsVPN(p) || !zones.OfWorkloads(name))
	})
}

// commands says of a process that it may change the host's packet filter itself: in a container of root's that shares the host's network.
func commands(s *snapshot.Snapshot, p *snapshot.Process) bool {
	const netAdmin = 1 << 12 // CAP_NET_ADMIN, capabilities(7)
	n, err := strconv.ParseUint(p.CapEff, 16, 64)
	return err == nil && n&netAdmin != 0 && p.NS.Net == s.Network.HostNetns() && p.NS.User != 0 && p.NS.User == s.Processes.Init.User
}

// rules says of a socket that such a process has it.
func rules(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	return slices.ContainsFunc(k.Owners, func(o snapshot.Owner) bool {
		p := process(s, o.PID)
		return p != nil && commands(s, p)
	})
}

// holds says whether a process listens for others with a protocol.
func holds(s *snapshot.Snapshot, pid int, proto string) bool {
	return slices.ContainsFunc(s.Listeners.Sockets, func(k snapshot.Socket) bool {
		addr, err := netip.ParseAddr(k.Addr)
		return k.Proto == proto && err == nil && !addr.IsLoopback() && !inTunnel(s, &k) &&
			slices.ContainsFunc(k.Owners, func(o snapshot.Owner) bool { return o.PID == pid })
	})
}

// inTunnel says of a socket that it is bound to an address of a tunnel: what comes there was carried already.
func inTunnel(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	at, ok := boundAt(k)
	if !ok || !at.IsValid() {
		return false
	}
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		if l.Kind != "tun" && l.Kind != "wireguard" {
			continue
		}
		if slices.ContainsFunc(l.Addrs, func(text string) bool {
			p, err := netip.ParsePrefix(text)
			return err == nil && p.Addr() == at
		}) {
			return true
		}
	}
	return false
}

// ikeDaemons are programs of IKE.
var ikeDaemons = []string{"charon", "charon-systemd", "pluto", "iked", "racoon"}

// negotiates says whether a daemon of IKE listens, on whatever port: what it agrees on comes as ESP or AH.
func negotiates(s *snapshot.Snapshot) bool {
	return slices.ContainsFunc(s.Listeners.Sockets, func(k snapshot.Socket) bool {
		return k.Proto == "udp" && vouched(s, &k) && slices.ContainsFunc(k.Owners, func(o snapshot.Owner) bool {
			p := process(s, o.PID)
			return p != nil && p.ExeWord.Trusted() && slices.Contains(ikeDaemons, path.Base(p.Exe))
		})
	})
}
