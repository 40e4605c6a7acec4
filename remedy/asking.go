package remedy

import (
	"path"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// leases are programs that get addresses for the host, and leasePorts where they wait for answers: the baseline lets those in (dhcp, dhcpv6).
var (
	leases = []string{
		"dhclient", "dhcpcd", "udhcpc", "udhcpc6", "dhcp6c", "odhcp6c", "systemd-networkd", "NetworkManager", "connmand", "wickedd-dhcp4", "wickedd-dhcp6", "busybox",
	}
	leasePorts = []int{68, 546}
)

// resolvesNames are name servers that ask others, each question from a port of its own that they take by chance. What they serve by they mostly serve by TCP
// too, but for the ports in servesBesides: leases and boots of dnsmasq, and names on the link.
var (
	resolvesNames = []string{"dnsmasq", "unbound", "named", "pdns_recursor", "kresd", "systemd-resolved"}
	servesBesides = []int{1067, 4011, 5353, 5355}
)

// sendsAlone are programs that send by a port which the kernel gives them (ip_local_port_range in ip(7)), and are answered at another: BFD (RFC 5881).
var sendsAlone = []string{"bird", "bird6", "bfdd"}

// firstGiven is the first of those ports.
const firstGiven = 32768

// onlyAsks says of a UDP socket that it is by its program a client's: what comes to it are answers, which the baseline lets pass. Answers to what is not
// tracked it does not know.
func onlyAsks(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	switch {
	case k.Proto != "udp":
		return false
	case slices.Contains(leasePorts, k.Port):
		return ofPrograms(s, k, leases)
	}
	return k.Port >= firstGiven && ofPrograms(s, k, sendsAlone)
}

// mayAsk says of a UDP socket of a name server that it may be one of those by which it asks others. What it serves by UDP alone looks the same.
func mayAsk(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	if k.Proto != "udp" || k.Port < 1024 || slices.Contains(servesBesides, k.Port) || untracks(s) || !ofPrograms(s, k, resolvesNames) {
		return false
	}
	return !slices.ContainsFunc(s.Listeners.Sockets, func(t snapshot.Socket) bool { return t.Proto == "tcp" && t.Port == k.Port && onHost(s, &t) })
}

// ofPrograms says of a socket that whoever administers the host has it there, and that each of its owners is one of these programs, which root alone
// can write.
func ofPrograms(s *snapshot.Snapshot, k *snapshot.Socket, names []string) bool {
	return len(k.Owners) > 0 && vouched(s, k) && !slices.ContainsFunc(k.Owners, func(o snapshot.Owner) bool {
		p := process(s, o.PID)
		return p == nil || !p.ExeWord.Trusted() || !slices.Contains(names, path.Base(p.Exe))
	})
}
