package zones

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestManagementIsWhatSomebodyComesInBy: a private network that nobody is logged in by, one that carries everything, and the network of a BMC
// are no way in. One that somebody is logged in by is, whatever its kind, and so is what is named for it.
func TestManagementIsWhatSomebodyComesInBy(t *testing.T) {
	login := func(local, remote string, state snapshot.Login) []snapshot.SSHSession {
		return []snapshot.SSHSession{{Local: local, Remote: remote, LoggedIn: state}}
	}
	wg := snapshot.Link{Name: "wg0", Kind: "wireguard", Addrs: []string{"10.66.0.5/24"}}
	for name, c := range map[string]struct {
		link    snapshot.Link
		logins  []snapshot.SSHSession
		routed  bool // it has a default route too
		zone    string
		entered bool
	}{
		"WireGuard, nobody":               {link: wg, zone: Management},
		"WireGuard, a login":              {link: wg, logins: login("10.66.0.5:22", "10.66.0.9:5000", snapshot.Yes), zone: Management, entered: true},
		"WireGuard, a connection":         {link: wg, logins: login("10.66.0.5:22", "10.66.0.9:5000", snapshot.No), zone: Management},
		"WireGuard, who knows":            {link: wg, logins: login("10.66.0.5:22", "10.66.0.9:5000", ""), zone: Management},
		"WireGuard, a login by the other": {link: wg, logins: login("203.0.113.1:22", "198.51.100.7:5000", snapshot.Yes), zone: Management},
		"another address of the host":     {link: wg, logins: login("203.0.113.1:22", "10.66.0.9:5000", snapshot.Yes), zone: Management, entered: true},
		"its address, from the other":     {link: wg, logins: login("10.66.0.5:22", "198.51.100.7:5000", snapshot.Yes), zone: Management},
		"WireGuard for everything":        {link: wg, routed: true, zone: External},
		"the same, a member's login":      {link: wg, routed: true, logins: login("10.66.0.5:22", "10.66.0.9:5000", snapshot.Yes), zone: Management, entered: true},
		"the same, a stranger's login":    {link: wg, routed: true, logins: login("10.66.0.5:22", "198.51.100.7:5000", snapshot.Yes), zone: External},
		"OpenVPN, nobody":                 {link: snapshot.Link{Name: "tun0", Kind: "tun", Addrs: []string{"10.8.0.1/24"}}, zone: Unclassified},
		"OpenVPN, a login": {
			link:   snapshot.Link{Name: "tun0", Kind: "tun", Addrs: []string{"10.8.0.1/24"}},
			logins: login("10.8.0.1:22", "10.8.0.6:5000", snapshot.Yes), zone: Management, entered: true,
		},
		"a tunnel of IPv6, a login": {
			link:   snapshot.Link{Name: "zt5u4", Kind: "tun", Addrs: []string{"fd00:99::1/64"}},
			logins: login("[fd00:99::1]:22", "[fd00:99::2]:5000", snapshot.Yes), zone: Management, entered: true,
		},
		"an uplink, a login":   {link: snapshot.Link{Name: "eth1", Kind: "device", Addrs: []string{"10.55.0.1/24"}}, logins: login("10.55.0.1:22", "10.55.0.9:5000", snapshot.Yes), zone: Unclassified},
		"a BMC":                {link: snapshot.Link{Name: "usb0", Kind: "device", Driver: "cdc_ether", Addrs: []string{"169.254.1.2/24"}}, zone: Management},
		"named for a BMC":      {link: snapshot.Link{Name: "idrac", Kind: "device", Addrs: []string{"10.55.0.1/24"}}, zone: Management},
		"named for management": {link: snapshot.Link{Name: "mgmt1", Kind: "device", Addrs: []string{"10.55.0.1/24"}}, zone: Management},
		"named for management, a login": {
			link:   snapshot.Link{Name: "mgmt1", Kind: "device", Addrs: []string{"10.55.0.1/24"}},
			logins: login("10.55.0.1:22", "10.55.0.9:5000", snapshot.Yes), zone: Management, entered: true,
		},
	} {
		routes := []snapshot.Route{defaultRoute(2)}
		if c.routed {
			routes = append(routes, defaultRoute(3))
		}
		s := host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"203.0.113.1/24"}}, c.link}, routes...)
		s.SSH.Sessions = c.logins
		m := Classify(s, nil)
		if zone := zoneOf(m, c.link.Name); zone != c.zone || m.Entered() != c.entered {
			t.Errorf("%s: %s, somebody comes in %v; want %s, %v", name, zone, m.Entered(), c.zone, c.entered)
		}
		if m := Classify(s, Config{Management: {Interfaces: []string{c.link.Name}}}); !m.Entered() {
			t.Errorf("%s: named by the operator, and no way in", name)
		}
	}
}

// TestHostThatIsAContainer: of a pair whose other end is outside of what is seen, the name says whether it is the network of the host or of a workload.
func TestHostThatIsAContainer(t *testing.T) {
	for name, c := range map[string]struct {
		link snapshot.Link
		zone string
	}{
		"a second network":      {snapshot.Link{Name: "eth1", Kind: "veth", Addrs: []string{"10.20.0.1/24"}}, Unclassified},
		"the same, predicted":   {snapshot.Link{Name: "enp2s0", Kind: "veth", Addrs: []string{"10.20.0.1/24"}}, Unclassified},
		"of a sandbox":          {snapshot.Link{Name: "sb0", Kind: "veth", Addrs: []string{"10.20.0.1/24"}}, Workload},
		"seen in a container":   {snapshot.Link{Name: "eth1", Kind: "veth", PeerNetns: 9, Addrs: []string{"10.20.0.1/24"}}, Workload},
		"of a Docker container": {snapshot.Link{Name: "veth1a2b3c4", Kind: "veth"}, Workload},
	} {
		m := Classify(host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"203.0.113.1/24"}}, c.link}, defaultRoute(2)), nil)
		if zone := zoneOf(m, c.link.Name); zone != c.zone {
			t.Errorf("%s: %s, want %s", name, zone, c.zone)
		}
	}
}

// TestTAPOfAVPN: an interface that is named as those of machines are is a VPN's if its program is the other end.
func TestTAPOfAVPN(t *testing.T) {
	root := snapshot.Word{By: snapshot.ByRoot}
	for name, c := range map[string]struct {
		process snapshot.Process
		login   bool
		zone    string
	}{
		"a machine":             {snapshot.Process{Exe: "/usr/bin/qemu-system-x86_64", ExeWord: root}, true, Workload},
		"OpenVPN, nobody":       {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root}, false, Unclassified},
		"OpenVPN, a login":      {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root}, true, Management},
		"a user's of that name": {snapshot.Process{Exe: "/home/mal/openvpn", ExeWord: snapshot.WordOf(1001)}, true, Workload},
		"as nobody":             {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 65534, Unit: "openvpn@a.service"}, true, Management},
		"a user runs it":        {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 1001}, true, Workload},
		"in a user's unit":      {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 1001, Unit: "user@1001.service", UserUnit: "v.service"}, true, Workload},
		"beside an agent":       {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 1001, Unit: "agent.service"}, true, Workload},
	} {
		s := host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"203.0.113.1/24"}}, {Name: "tap0", Kind: "tun", Addrs: []string{"10.8.0.1/24"}}}, defaultRoute(2))
		c.process.NS.Net, c.process.Tunnels = s.Network.HostNetns(), []string{"tap0"}
		s.Processes.List = []snapshot.Process{{PID: 5, UID: 1001, Unit: "agent.service"}, c.process}
		s.Agents.Instances = []snapshot.Agent{{PID: 5, Kind: "cli", Unit: "agent.service"}}
		if c.login {
			s.SSH.Sessions = []snapshot.SSHSession{{Local: "10.8.0.1:22", Remote: "10.8.0.2:5000", LoggedIn: snapshot.Yes}}
		}
		m := Classify(s, nil)
		if zone := zoneOf(m, "tap0"); zone != c.zone || m.Entered() != (c.zone == Management) {
			t.Errorf("%s: %s, somebody comes in %v", name, zone, m.Entered())
		}
	}
}

// TestTUNOfAUser: who plays the other end of an interface can log in by it from any address. That makes the interface no way of administrators,
// unless it is a service of the system that plays it.
func TestTUNOfAUser(t *testing.T) {
	root := snapshot.Word{By: snapshot.ByRoot}
	for name, c := range map[string]struct {
		process snapshot.Process
		zone    string
	}{
		"nobody is seen":       {snapshot.Process{}, Management},
		"root's":               {snapshot.Process{Exe: "/opt/vpn", ExeWord: root, Tunnels: []string{"tun5"}}, Management},
		"a service's":          {snapshot.Process{Exe: "/opt/vpn", ExeWord: root, UID: 105, Unit: "vpn.service", Tunnels: []string{"tun5"}}, Management},
		"a container of all":   {snapshot.Process{Exe: "/vpn", Container: "c", Tunnels: []string{"tun5"}}, Management},
		"a user's":             {snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root, UID: 1001, Tunnels: []string{"tun5"}}, Unclassified},
		"an agent's":           {snapshot.Process{PID: 5, Exe: "/usr/bin/node", ExeWord: root, UID: 1001, Unit: "agent.service", Tunnels: []string{"tun5"}}, Unclassified},
		"of the agent's unit":  {snapshot.Process{PID: 6, Exe: "/usr/bin/node", ExeWord: root, UID: 1001, Unit: "agent.service", Tunnels: []string{"tun5"}}, Unclassified},
		"a user's, of another": {snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root, UID: 1001, Tunnels: []string{"tun6"}}, Management},
	} {
		s := host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"203.0.113.1/24"}}, {Name: "tun5", Kind: "tun", Addrs: []string{"10.8.0.1/24"}}}, defaultRoute(2))
		c.process.NS.Net = s.Network.HostNetns()
		s.Processes.List = []snapshot.Process{c.process, {PID: 5, UID: 1001, Unit: "agent.service"}}
		s.Agents.Instances = []snapshot.Agent{{PID: 5, Kind: "cli", Unit: "agent.service"}}
		s.SSH.Sessions = []snapshot.SSHSession{{Local: "10.8.0.1:22", Remote: "10.8.0.2:5000", LoggedIn: snapshot.Yes}}
		m := Classify(s, nil)
		if zone := zoneOf(m, "tun5"); zone != c.zone || m.Entered() != (c.zone == Management) {
			t.Errorf("%s: %s, somebody comes in %v", name, zone, m.Entered())
		}
	}
}
