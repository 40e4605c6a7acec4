package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestCarriersOfTunnelsAreKept: a host that lets in only what it knows keeps what carries a tunnel, on whatever port, from anywhere. What a machine's
// program, a user or a container listens on is none, nor is what is bound inside of a tunnel.
func TestCarriersOfTunnelsAreKept(t *testing.T) {
	const hostNet = 7
	mal := snapshot.WordOf(1001)
	tun := snapshot.Link{Index: 50, Name: "tun0", Kind: "tun", Up: true, Addrs: []string{"10.8.0.1/24"}}
	ends := func(p snapshot.Process) *snapshot.Process {
		p.Tunnels = []string{"tun0"}
		return &p
	}
	for name, c := range map[string]struct {
		link    snapshot.Link
		ns      *snapshot.Link // in another network namespace
		process *snapshot.Process
		proto   string
		addr    string
		port    int
		uid     int
		state   snapshot.OwnerState
		kept    bool
	}{
		"OpenVPN on 443/udp":            {link: tun, process: ends(snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root}), proto: "udp", port: 443, kept: true},
		"OpenVPN on 443/tcp":            {link: tun, process: ends(snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root}), proto: "tcp", port: 443, kept: true},
		"OpenVPN as nobody":             {link: tun, process: ends(snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 65534, Unit: "openvpn-server@a.service"}), proto: "udp", port: 443, kept: true},
		"OpenVPN with its own module":   {link: snapshot.Link{Index: 50, Name: "tun0", Kind: "ovpn", Up: true}, process: &snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root}, proto: "udp", port: 443, kept: true},
		"a tunnel that nobody knows":    {link: tun, process: ends(snapshot.Process{Exe: "/opt/vpn/d", ExeWord: root}), proto: "udp", port: 20111, kept: true},
		"strongSwan on another port":    {link: tun, process: &snapshot.Process{Exe: "/usr/lib/ipsec/charon", ExeWord: root}, proto: "udp", port: 4511, kept: true},
		"a container of root's, in all": {link: tun, process: ends(snapshot.Process{Exe: "/usr/bin/x", Container: "c", CapEff: "1000", NS: snapshot.NS{Net: hostNet, User: 2}}), proto: "udp", port: 20111, kept: true},
		"a container":                   {link: tun, process: ends(snapshot.Process{Exe: "/usr/sbin/openvpn", Container: "c", NS: snapshot.NS{Net: hostNet, User: 2}}), proto: "udp", port: 443},
		"a user's":                      {link: tun, process: ends(snapshot.Process{Exe: "/home/mal/openvpn", ExeWord: mal, UID: 1001}), uid: 1001, proto: "udp", port: 443},
		"no tunnel":                     {link: tun, process: &snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root}, proto: "udp", port: 443},
		"a machine": {
			link: snapshot.Link{Index: 50, Name: "tun0", Kind: "tun", Up: true}, process: ends(snapshot.Process{Exe: "/usr/bin/qemu-system-x86_64", ExeWord: root}), proto: "tcp", port: 5900,
		},
		"OpenVPN with a TAP": {
			link: snapshot.Link{Index: 50, Name: "tap0", Kind: "tun", Up: true}, process: &snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, Tunnels: []string{"tap0"}},
			proto: "udp", port: 1195, kept: true,
		},
		"a TAP of nobody that is known": {
			link: snapshot.Link{Index: 50, Name: "tap0", Kind: "tun", Up: true}, process: &snapshot.Process{Exe: "/opt/sandbox", ExeWord: root, Tunnels: []string{"tap0"}},
			proto: "udp", port: 1195,
		},
		"who is logged in":            {link: tun, process: ends(snapshot.Process{Exe: "/usr/sbin/sshd", ExeWord: root}), proto: "tcp", port: 8443},
		"inside of the tunnel":        {link: tun, process: ends(snapshot.Process{Exe: "/usr/sbin/tailscaled", ExeWord: root}), proto: "udp", addr: "10.8.0.1", port: 5252},
		"WireGuard":                   {link: snapshot.Link{Index: 50, Name: "wg0", Kind: "wireguard", Up: true}, proto: "udp", port: 33000, kept: true},
		"VXLAN":                       {link: snapshot.Link{Index: 50, Name: "vx0", Kind: "vxlan", Up: true, UDPPort: 4790}, proto: "udp", port: 4790, kept: true},
		"an overlay":                  {link: tun, ns: &snapshot.Link{Name: "vx0", Kind: "vxlan", UDPPort: 4790}, proto: "udp", port: 4790, kept: true},
		"an overlay that is not seen": {link: tun, proto: "udp", port: 4791, kept: true},
		"the kernel's own service":    {link: tun, proto: "udp", port: 2049, state: snapshot.OwnersKernel},
		"WireGuard elsewhere":         {link: tun, ns: &snapshot.Link{Name: "wg0", Kind: "wireguard", Up: true}, proto: "udp", port: 33000, kept: true},
		"a user's socket in a flight": {link: snapshot.Link{Index: 50, Name: "wg0", Kind: "wireguard", Up: true}, proto: "udp", port: 33000, uid: 1001},
	} {
		s := fixtures.Host()
		s.Network.Namespaces = []snapshot.Netns{{Inode: hostNet, Host: true}}
		s.Processes.Init = snapshot.NS{User: 2, Net: hostNet}
		s.Network.Links = append(slices.Clone(s.Network.Links), c.link)
		if c.ns != nil {
			s.Namespaces = []snapshot.Elsewhere{{Netns: 9, Network: snapshot.Network{Links: []snapshot.Link{*c.ns}}}}
		}
		k := snapshot.Socket{Netns: hostNet, Proto: c.proto, Family: 4, Addr: "0.0.0.0", Port: c.port, UID: c.uid, OwnerState: c.state}
		if c.addr != "" {
			k.Addr = c.addr
		}
		s.Processes.List = nil
		if p := c.process; p != nil {
			p.PID = 77
			p.NS.Net = hostNet
			s.Processes.List = []snapshot.Process{*p}
			k.Owners = []snapshot.Owner{{PID: 77, Comm: "x"}}
		}
		s.Listeners.Sockets = []snapshot.Socket{k}
		p := Make(new(finding.Report), s, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, Options{Mode: DefaultDeny})
		kept := slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Accept && r.Chain == chainInput && r.Proto == c.proto && r.Port == c.port && r.Iif == "" && len(r.Sources) == 0
		})
		if kept != c.kept {
			t.Errorf("%s: kept %v, %+v", name, kept, p.Keeps)
		}
	}
}

// TestIKEBringsESP: what a daemon of IKE agrees on comes without a port, whatever the port of the daemon is.
func TestIKEBringsESP(t *testing.T) {
	s := fixtures.Host()
	s.Processes.List = []snapshot.Process{{PID: 77, Exe: "/usr/lib/ipsec/charon", ExeWord: root}}
	s.Listeners.Sockets = []snapshot.Socket{{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 4511, Owners: []snapshot.Owner{{PID: 77, Comm: "charon"}}}}
	esp := func() bool { return slices.ContainsFunc(underneath(s), func(f Flow) bool { return f.Proto == "esp" }) }
	if !esp() {
		t.Error("ESP is dropped")
	}
	if s.Processes.List[0].ExeWord = snapshot.WordOf(1001); esp() {
		t.Error("a user's program of that name brings ESP")
	}
}

// TestTunnelOfAnotherNamespaceIsKept: a tunnel that was moved into the network namespace of a container is carried by the host all the same. One in the
// namespace of a user is that user's own.
func TestTunnelOfAnotherNamespaceIsKept(t *testing.T) {
	s, uid := fixtures.Host(), 1001
	s.Network.Namespaces = []snapshot.Netns{{Inode: 7, Host: true}, {Inode: 9}}
	s.Namespaces = []snapshot.Elsewhere{{Netns: 9, Network: snapshot.Network{Links: []snapshot.Link{{Index: 3, Name: "gre1", Kind: "gre", Up: true}}}}}
	gre := func() bool { return slices.ContainsFunc(underneath(s), func(f Flow) bool { return f.Proto == "gre" }) }
	if !gre() {
		t.Error("its packets are dropped")
	}
	if s.Network.Namespaces[1].OwnerUID = &uid; gre() {
		t.Error("a user has GRE let in")
	}
}

// TestClusterIsJoined: the ports by which a host is in its cluster are kept whatever their number, if root runs the program that has them.
func TestClusterIsJoined(t *testing.T) {
	root, user := snapshot.Word{By: snapshot.ByRoot}, snapshot.Word{By: snapshot.ByUID, UID: 1001}
	for name, c := range map[string]struct {
		p     snapshot.Process
		proto string
		kept  bool
	}{
		"a second link":               {snapshot.Process{Exe: "/usr/sbin/corosync", ExeWord: root}, "udp", true},
		"conntrackd":                  {snapshot.Process{Exe: "/usr/sbin/conntrackd", ExeWord: root}, "udp", true},
		"a user's":                    {snapshot.Process{Exe: "/home/u/corosync", ExeWord: user, UID: 1001}, "udp", false},
		"a program that others write": {snapshot.Process{Exe: "/usr/sbin/corosync", ExeWord: user}, "udp", false},
		"another program":             {snapshot.Process{Exe: "/usr/sbin/other", ExeWord: root}, "udp", false},
		"what it serves by TCP":       {snapshot.Process{Exe: "/usr/sbin/corosync", ExeWord: root}, "tcp", false},
	} {
		s := fixtures.Host()
		c.p.PID = 4242
		s.Processes.List = append(s.Processes.List, c.p)
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Proto: c.proto, Family: 4, Addr: "10.10.0.1", Port: 5406, Owners: []snapshot.Owner{{PID: 4242, Comm: "p"}}, OwnerState: snapshot.OwnersSeen,
		})
		p := Make(new(finding.Report), s, extern, Options{Mode: DefaultDeny})
		if kept := slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Port == 5406 && f.Proto == c.proto }); kept != c.kept {
			t.Errorf("%s: kept %v: %+v", name, kept, p.Keeps)
		}
	}
}

// TestLoginsByMosh are kept for root, and for who has become root behind one: not for whoever starts it, nor by sudo that still asks who that is.
func TestLoginsByMosh(t *testing.T) {
	sudo := snapshot.Process{PID: 12, PPID: 11, UID: 0, SetID: true, Comm: "sudo"}
	shell := snapshot.Process{PID: 13, PPID: 12, UID: 0, Comm: "bash"}
	for name, c := range map[string]struct {
		uid    int
		by     snapshot.Word
		behind []snapshot.Process
		want   bool
	}{
		"root's":                  {0, snapshot.Word{By: snapshot.ByRoot}, nil, true},
		"a user's":                {1000, snapshot.Word{By: snapshot.ByRoot}, nil, false},
		"sudo asks":               {1000, snapshot.Word{By: snapshot.ByRoot}, []snapshot.Process{sudo}, false},
		"behind sudo":             {1000, snapshot.Word{By: snapshot.ByRoot}, []snapshot.Process{sudo, shell}, true},
		"a program of the user's": {1000, snapshot.Word{By: "uid 1000"}, []snapshot.Process{sudo, shell}, false},
	} {
		s := &snapshot.Snapshot{}
		s.Processes.List = append([]snapshot.Process{
			{PID: 1, Comm: "init"}, {PID: 10, PPID: 1, UID: c.uid, Comm: "mosh-server", Exe: "/usr/bin/mosh-server", ExeWord: c.by}, {PID: 11, PPID: 10, UID: c.uid, Comm: "bash"},
		}, c.behind...)
		s.Listeners.Sockets = []snapshot.Socket{{Proto: "udp", Addr: "203.0.113.1", Port: 60001, UID: c.uid, Owners: []snapshot.Owner{{PID: 10, Comm: "mosh-server"}}}}
		kept := slices.ContainsFunc(observed(s, zones.Classify(s, zones.Config{})), func(f Flow) bool { return f.Proto == "udp" && f.Port == 60001 && !f.Source.IsValid() })
		if kept != c.want {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
}

// TestAnswersOfDHCPv6 are let in from whatever port their server has them from, while a client of the system waits for them.
func TestAnswersOfDHCPv6(t *testing.T) {
	s := &snapshot.Snapshot{}
	s.Processes.List = []snapshot.Process{{PID: 9, Comm: "dhclient", Exe: "/usr/sbin/dhclient", ExeWord: snapshot.Word{By: snapshot.ByRoot}}}
	s.Listeners.Sockets = []snapshot.Socket{{Proto: "udp", Addr: "fe80::1", Port: 546, Family: 6, Owners: []snapshot.Owner{{PID: 9, Comm: "dhclient"}}}}
	if list := observed(s, zones.Classify(s, zones.Config{})); len(list) != 1 || list[0].Port != 546 || list[0].Source.IsValid() {
		t.Error(list)
	}
	s.Processes.List[0].UID, s.Listeners.Sockets[0].UID = 1000, 1000
	if list := observed(s, zones.Classify(s, zones.Config{})); len(list) > 0 {
		t.Error("of a user", list)
	}
}
