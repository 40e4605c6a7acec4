package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

var root = snapshot.Word{By: snapshot.ByRoot}

// TestNamesOfProcessesKeepNothingOpen: what a user or a container listens with under the name of a program of the host is neither
// published, nor infrastructure, nor the SSH server. The program itself is.
func TestNamesOfProcessesKeepNothingOpen(t *testing.T) {
	mal := snapshot.WordOf(1001)
	for name, c := range map[string]struct {
		proto   string
		port    int
		process snapshot.Process
		kept    bool
	}{
		"docker-proxy":               {"tcp", 8080, snapshot.Process{Exe: "/usr/bin/docker-proxy", ExeWord: root}, true},
		"a user's docker-proxy":      {"tcp", 8080, snapshot.Process{Exe: "/home/mal/docker-proxy", ExeWord: mal, UID: 1001}, false},
		"a user runs docker-proxy":   {"tcp", 8080, snapshot.Process{Exe: "/usr/bin/docker-proxy", ExeWord: root, UID: 1001}, false},
		"a container's docker-proxy": {"tcp", 8080, snapshot.Process{Exe: "/usr/bin/docker-proxy", Container: "c"}, false},
		"nobody's word":              {"tcp", 8080, snapshot.Process{Exe: "/usr/bin/docker-proxy"}, false},
		"another name":               {"tcp", 8080, snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root}, false},
		"sshd":                       {"tcp", 2222, snapshot.Process{Exe: "/usr/sbin/sshd", ExeWord: root}, true},
		"a user's sshd":              {"tcp", 2222, snapshot.Process{Exe: "/home/mal/sshd", ExeWord: mal, UID: 1001}, false},
		"a user's port 22":           {"tcp", 22, snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root, UID: 1001}, false},
		"etcd":                       {"tcp", 2379, snapshot.Process{Exe: "/usr/bin/etcd", ExeWord: root, UID: 105, Unit: "etcd.service"}, true},
		"etcd in a pod":              {"tcp", 2379, snapshot.Process{Exe: "/etcd", Container: "c", ContainerWord: root, Pod: "p"}, true},
		"a user's etcd":              {"tcp", 2379, snapshot.Process{Exe: "/usr/bin/etcd", ExeWord: root, UID: 1001}, false},
		"a user's manager":           {"tcp", 2379, snapshot.Process{Exe: "/usr/bin/etcd", ExeWord: root, UID: 1001, Unit: "user@1001.service"}, false},
		"a container's etcd":         {"tcp", 2379, snapshot.Process{Exe: "/etcd", Container: "c", ContainerWord: root}, false},
		"an agent's etcd":            {"tcp", 2379, snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root, UID: 1001, Unit: "agent.service"}, false},
		"an agent's OpenVPN":         {"udp", 8443, snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 1001, Unit: "agent.service"}, false},
		"a service's OpenVPN":        {"udp", 8443, snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 1001, Unit: "openvpn@a.service"}, true},
		"a user's WireGuard":         {"udp", 51820, snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root, UID: 1001}, false},
	} {
		s := fixtures.Host()
		c.process.PID = 77
		s.Processes.List = []snapshot.Process{{PID: 5, UID: 1001, Unit: "agent.service"}, c.process}
		s.Agents.Instances = []snapshot.Agent{{PID: 5, Kind: "cli", Unit: "agent.service"}}
		s.Listeners.Sockets = []snapshot.Socket{{Proto: c.proto, Family: 4, Addr: "0.0.0.0", Port: c.port, UID: c.process.UID, Owners: []snapshot.Owner{{PID: 77, Comm: "sshd"}}}}
		cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}
		p := Make(new(finding.Report), s, cfg, Options{Mode: DefaultDeny})
		got := slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Proto == c.proto && f.Port == c.port })
		if got != c.kept {
			t.Errorf("%s: kept %v: %+v", name, got, p.Keeps)
		}
	}
}

// TestSocketsThatRootOpened: a daemon that became another user, without a unit of systemd to tell whose it is (openvpn --user nobody), has the socket that root
// opened. A user's program, or a container's, has none of root's.
func TestSocketsThatRootOpened(t *testing.T) {
	for name, c := range map[string]struct {
		process snapshot.Process
		opened  int
		kept    bool
	}{
		"a daemon that became nobody": {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 65534}, 0, true},
		"opened by the user":          {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 65534}, 65534, false},
		"a user's program":            {snapshot.Process{Exe: "/home/mal/openvpn", ExeWord: snapshot.WordOf(1001), UID: 1001}, 0, false},
		"a container's":               {snapshot.Process{Exe: "/usr/sbin/openvpn", ExeWord: root, UID: 65534, Container: "c"}, 0, false},
	} {
		s := fixtures.Host()
		c.process.PID = 77
		s.Processes.List = []snapshot.Process{c.process}
		s.Listeners.Sockets = []snapshot.Socket{{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 5353, UID: c.opened, Owners: []snapshot.Owner{{PID: 77, Comm: "openvpn"}}}}
		p := Make(new(finding.Report), s, zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, Options{Mode: DefaultDeny})
		if got := slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Proto == "udp" && f.Port == 5353 }); got != c.kept {
			t.Errorf("%s: kept %v: %+v", name, got, p.Keeps)
		}
	}
}

// TestRawSocketsOfOthersKeepNothingOpen: a protocol without ports is kept for a daemon that root answers for. To listen for one needs CAP_NET_RAW
// alone, which containers have; those in a network of their own are not the host's.
func TestRawSocketsOfOthersKeepNothingOpen(t *testing.T) {
	const hostNet = 7
	for name, c := range map[string]struct {
		process snapshot.Process
		netns   uint64
		kept    bool
	}{
		"keepalived":               {snapshot.Process{Exe: "/usr/sbin/keepalived", ExeWord: root}, hostNet, true},
		"a service":                {snapshot.Process{Exe: "/usr/sbin/bird", ExeWord: root, UID: 105, Unit: "bird.service"}, hostNet, true},
		"a container of root's":    {snapshot.Process{Exe: "/bird", Container: "c", CapEff: "3000", NS: snapshot.NS{Net: hostNet, User: 2}}, hostNet, true},
		"a container":              {snapshot.Process{Exe: "/bird", Container: "c", CapEff: "2000", NS: snapshot.NS{Net: hostNet, User: 2}}, hostNet, false},
		"a user's":                 {snapshot.Process{Exe: "/usr/bin/python3", ExeWord: root, UID: 1001}, hostNet, false},
		"root's in a network else": {snapshot.Process{Exe: "/usr/sbin/keepalived", ExeWord: root}, 9, false},
	} {
		s := fixtures.Host()
		s.Network.Namespaces = []snapshot.Netns{{Inode: hostNet, Host: true}}
		s.Processes.Init = snapshot.NS{User: 2, Net: hostNet}
		c.process.PID = 77
		s.Processes.List = []snapshot.Process{c.process}
		s.Listeners.Sockets = []snapshot.Socket{{Proto: "raw", Family: 4, Addr: "0.0.0.0", Port: 112, Netns: c.netns, UID: c.process.UID, Owners: []snapshot.Owner{{PID: 77, Comm: "bird"}}}}
		if kept := slices.ContainsFunc(underneath(s), func(f Flow) bool { return f.Proto == "vrrp" }); kept != c.kept {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
}
