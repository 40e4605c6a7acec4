package judge

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestServersHaveTheirSockets: a server that manages has the sockets of its processes, one that systemd or inetd holds the socket of is
// known by the port, and what an account of people calls a server is theirs.
func TestServersHaveTheirSockets(t *testing.T) {
	s := fixtures.Host()
	root := snapshot.Word{By: snapshot.ByRoot}
	proc := func(pid, uid int, comm string, word snapshot.Word) {
		p := s.Processes.List[0]
		p.PID, p.UID, p.Comm, p.Exe, p.ExeWord, p.Unit = pid, uid, comm, "/usr/bin/"+comm, word, ""
		s.Processes.List = append(s.Processes.List, p)
	}
	sock := func(pid, port int, comm string) {
		k := s.Listeners.Sockets[0]
		k.Port, k.Inode, k.Owners = port, uint64(port), []snapshot.Owner{{PID: pid, Comm: comm}}
		s.Listeners.Sockets = append(s.Listeners.Sockets, k)
	}
	proc(60, 0, "etcd", root)
	sock(60, 2379, "etcd")
	sock(60, 2380, "etcd")
	proc(61, 1000, "ttyd", snapshot.WordOf(1000))
	sock(61, 7681, "ttyd")
	proc(1, 0, "systemd", root)
	sock(1, 23, "systemd")
	sock(1, 9090, "systemd")
	sock(1, 9443, "systemd")
	proc(62, 0, "prometheus", root)
	sock(62, 9091, "prometheus")
	proc(63, 0, "node", root)
	sock(63, 3000, "node")
	sock(63, 9230, "node")
	proc(64, 0, "node", root)
	sock(64, 9229, "node") // by a signal: on loopback
	s.Listeners.Sockets[len(s.Listeners.Sockets)-1].Addr = "127.0.0.1"
	s.Management.Servers = []snapshot.ManagedServer{
		{Name: "Node inspector", Role: snapshot.RoleDebug, PID: 63, Word: root, Ports: []int{9230}},
		{Name: "etcd", Role: snapshot.RoleCluster, PID: 60, Word: root, Settings: map[string]snapshot.Fact{"clientCertAuth": {State: snapshot.Present, Value: "true"}}},
		{Name: "ttyd", Role: snapshot.RoleShell, PID: 61, Word: snapshot.WordOf(1000)},
		{Name: "Webmin", Role: snapshot.RoleConsole, Unit: "webmin.socket", Word: root, Listen: []string{"9443"}},
	}
	b := build(context.Background(), s, zones.Config{})
	var got []string
	for _, m := range b.doc.Managed {
		var line strings.Builder
		line.WriteString(m.Key + " " + m.Role)
		for _, svc := range m.Services {
			line.WriteString(" " + svc.Key)
		}
		if m.Lesser {
			line.WriteString(" (lesser)")
		}
		got = append(got, line.String())
	}
	slices.Sort(got)
	want := []string{
		"Node inspector debug tcp 0.0.0.0:9230 (node)", "Node inspector debug tcp 127.0.0.1:9229 (node)",
		"Cockpit console tcp 0.0.0.0:9090 (systemd)", "Webmin console tcp 0.0.0.0:9443 (systemd)", "etcd cluster tcp 0.0.0.0:2379 (etcd) tcp 0.0.0.0:2380 (etcd)",
		"telnet cleartext tcp 0.0.0.0:23 (systemd)", "ttyd shell tcp 0.0.0.0:7681 (ttyd) (lesser)",
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestTheKernelsServerHasItsSockets: what the kernel serves has the sockets of its ports that no process has, in the network of the host.
func TestTheKernelsServerHasItsSockets(t *testing.T) {
	s := fixtures.Host()
	for i, c := range []struct {
		port  int
		state snapshot.OwnerState
		netns uint64
	}{
		{2049, snapshot.OwnersKernel, s.Network.HostNetns()},
		{2050, snapshot.OwnersKernel, s.Network.HostNetns()},
		{2049, snapshot.OwnersUnknown, s.Network.HostNetns()},
		{2049, snapshot.OwnersKernel, 1},
	} {
		k := s.Listeners.Sockets[0]
		k.Port, k.Inode, k.Owners, k.OwnerState, k.Netns = c.port, uint64(9000+i), nil, c.state, c.netns
		s.Listeners.Sockets = append(s.Listeners.Sockets, k)
	}
	s.Management.Servers = []snapshot.ManagedServer{
		{Name: "NFS", Role: snapshot.RoleData, Kernel: true, Ports: []int{2049}, Settings: map[string]snapshot.Fact{"login": {State: snapshot.Present, Value: "none"}}},
		{Name: "no process", Role: snapshot.RoleData},
	}
	b := build(context.Background(), s, zones.Config{})
	for _, m := range b.doc.Managed {
		switch {
		case m.Name == "NFS" && (len(m.Services) != 1 || m.Services[0].Port != 2049 || m.Services[0].Owner != "kernel" || m.Lesser || !m.Host):
			t.Errorf("NFS has %+v", m)
		case m.Name == "no process" && len(m.Services) != 0:
			t.Errorf("what has no process has %+v", m.Services)
		}
	}
}
