package judge

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestAPortIsNotAService: what a port is known for counts, unless a program of root's own has it that is known to be something else; and a
// daemon has sockets beside its interface.
func TestAPortIsNotAService(t *testing.T) {
	root, mal := snapshot.Word{By: snapshot.ByRoot}, snapshot.WordOf(1001)
	read := func(pid int, api ...string) []snapshot.DaemonTLS {
		return []snapshot.DaemonTLS{{
			PID: pid, Word: root, API: api, APIRead: &snapshot.Fact{State: snapshot.Present, Value: "true"},
			Verify: snapshot.Fact{State: snapshot.Present, Value: "false"},
		}}
	}
	unread := []snapshot.DaemonTLS{{
		PID: 77, Word: root, APIRead: &snapshot.Fact{State: snapshot.Error}, Verify: snapshot.Fact{State: snapshot.Error},
	}}
	two := append(read(77, ":16509"), read(77, ":16514")...)
	two[1].Verify.Value = "true"
	proxy, handed := read(77, ":9999"), read(77)
	proxy[0].Leads, handed[0].Leads = "/run/docker.sock", "/run/docker.sock"
	for name, c := range map[string]struct {
		proto string
		port  int
		p     snapshot.Process
		tls   []snapshot.DaemonTLS
		class string
		asks  string
	}{
		"rpc.statd on a reserved port":   {"udp", 664, snapshot.Process{Comm: "rpc.statd", Exe: "/usr/sbin/rpc.statd", ExeWord: root}, nil, "other", "unknown"},
		"rpc.statd over TCP":             {"tcp", 664, snapshot.Process{Comm: "rpc.statd", Exe: "/usr/sbin/rpc.statd", ExeWord: root}, nil, "other", "unknown"},
		"a simulator of a controller":    {"udp", 623, snapshot.Process{Comm: "ipmi_sim", Exe: "/usr/bin/ipmi_sim", ExeWord: root}, nil, "ipmi", "unknown"},
		"the controller of machines":     {"udp", 6230, snapshot.Process{Comm: "vbmcd", Exe: "/usr/bin/python3.11", ExeWord: root}, nil, "ipmi", "unknown"},
		"one by its unit":                {"udp", 6231, snapshot.Process{Comm: "python3", Exe: "/usr/bin/python3.11", ExeWord: root, Unit: "virtualbmc.service"}, nil, "ipmi", "unknown"},
		"by that of an instance":         {"udp", 9001, snapshot.Process{Comm: "python3", Exe: "/usr/bin/python3.11", ExeWord: root, Unit: "ipmi_sim@web.service"}, nil, "ipmi", "unknown"},
		"a unit beside it":               {"udp", 6231, snapshot.Process{Comm: "python3", Exe: "/usr/bin/python3.11", ExeWord: root, Unit: "virtualbmc-web.socket"}, nil, "other", "unknown"},
		"a unit's TCP is none":           {"tcp", 6231, snapshot.Process{Comm: "python3", Exe: "/usr/bin/python3.11", ExeWord: root, Unit: "virtualbmc.service"}, nil, "other", "unknown"},
		"over TCP it is none":            {"tcp", 6230, snapshot.Process{Comm: "vbmcd", Exe: "/usr/bin/python3.11", ExeWord: root}, nil, "other", "unknown"},
		"a script may be one":            {"udp", 623, snapshot.Process{Comm: "python3", Exe: "/usr/bin/python3.11", ExeWord: root}, nil, "ipmi", "unknown"},
		"a name that somebody gave":      {"udp", 623, snapshot.Process{Comm: "rpc.statd", Exe: "/usr/sbin/rpc.statd", ExeWord: mal}, nil, "ipmi", "unknown"},
		"what is not installed":          {"udp", 623, snapshot.Process{Comm: "x", Exe: "/root/x", ExeWord: root}, nil, "ipmi", "unknown"},
		"metrics of dockerd":             {"tcp", 9323, snapshot.Process{Comm: "dockerd", Exe: "/usr/sbin/dockerd", ExeWord: root}, read(77), "other", "unknown"},
		"the swarm of dockerd":           {"tcp", 2377, snapshot.Process{Comm: "dockerd", Exe: "/usr/sbin/dockerd", ExeWord: root}, read(77, ":2375"), "other", "unknown"},
		"the interface of dockerd":       {"tcp", 2375, snapshot.Process{Comm: "dockerd", Exe: "/usr/sbin/dockerd", ExeWord: root}, read(77, ":2375"), "runtime-api", "false"},
		"on a port of its own":           {"tcp", 4243, snapshot.Process{Comm: "dockerd", Exe: "/usr/sbin/dockerd", ExeWord: root}, read(77, "0.0.0.0:4243"), "runtime-api", "false"},
		"streams of containerd":          {"tcp", 43833, snapshot.Process{Comm: "containerd", Exe: "/usr/bin/containerd", ExeWord: root}, read(77), "other", "unknown"},
		"containerd that was not read":   {"tcp", 43833, snapshot.Process{Comm: "containerd", Exe: "/usr/bin/containerd", ExeWord: root}, unread, "runtime-api", "unknown"},
		"libvirt without encryption":     {"tcp", 16509, snapshot.Process{Comm: "libvirtd", Exe: "/usr/sbin/libvirtd", ExeWord: root}, two, "runtime-api", "false"},
		"libvirt with certificates":      {"tcp", 16514, snapshot.Process{Comm: "libvirtd", Exe: "/usr/sbin/libvirtd", ExeWord: root}, two, "runtime-api", "true"},
		"a proxy of a socket":            {"tcp", 9999, snapshot.Process{Comm: "socat", Exe: "/usr/bin/socat1", ExeWord: root}, proxy, "runtime-api", "false"},
		"another port of it":             {"tcp", 9998, snapshot.Process{Comm: "socat", Exe: "/usr/bin/socat1", ExeWord: root}, proxy, "other", "unknown"},
		"a proxy that was handed ports":  {"tcp", 9998, snapshot.Process{Comm: "systemd-socket-", Exe: "/usr/lib/systemd/systemd-socket-proxyd", ExeWord: root}, handed, "runtime-api", "unknown"},
		"what the kubelet lets be read":  {"tcp", 10255, snapshot.Process{Comm: "kubelet", Exe: "/usr/bin/kubelet", ExeWord: root}, read(77, ":10250"), "other", "unknown"},
		"a user's daemon clears nothing": {"tcp", 9323, snapshot.Process{Comm: "dockerd", Exe: "/usr/sbin/dockerd", ExeWord: root, UID: 1001}, read(77), "runtime-api", "unknown"},
	} {
		s := fixtures.Host()
		c.p.PID, c.p.NS = 77, s.Processes.Init
		s.Processes.List = append(s.Processes.List, c.p)
		s.Runtimes.TLS = c.tls
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: c.proto, Family: 4, Addr: "0.0.0.0", Port: c.port, UID: c.p.UID, OwnerState: snapshot.OwnersSeen,
			Owners: []snapshot.Owner{{PID: 77, Comm: c.p.Comm}},
		})
		b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
		sk := &s.Listeners.Sockets[len(s.Listeners.Sockets)-1]
		svc := b.service(sk)
		if svc.Class != c.class || svc.TLSVerify != c.asks {
			t.Errorf("%s: %s %s, want %s %s", name, svc.Class, svc.TLSVerify, c.class, c.asks)
		}
	}
}

// TestSocketUnitsOfSSH: where systemd listens for an SSH server the port can be any.
func TestSocketUnitsOfSSH(t *testing.T) {
	s := fixtures.Host()
	host := s.Network.HostNetns()
	s.SSH.Servers = []snapshot.SSHServer{{Kind: "openssh", Activated: true, Listen: []string{"0.0.0.0:2222", "[::]:2022", "7022", "/run/x"}}}
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
	for _, c := range []struct {
		addr  string
		port  int
		pid   int
		class string
	}{
		{"0.0.0.0", 2222, 1, "ssh"},
		{"10.0.0.1", 2222, 1, "other"},
		{"::", 2022, 1, "ssh"},
		{"::", 7022, 1, "ssh"},
		{"::", 7022, 500, "other"},
	} {
		sk := &snapshot.Socket{
			Netns: host, Proto: "tcp", Addr: c.addr, Port: c.port, OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: c.pid, Comm: "systemd"}},
		}
		if got := b.service(sk).Class; got != c.class {
			t.Errorf("%s port %d of %d is %s, want %s", c.addr, c.port, c.pid, got, c.class)
		}
	}
}

// TestWhatAProcessCanGet: the capabilities of a container's process are those that it and its children can get; an agent's are its own.
func TestWhatAProcessCanGet(t *testing.T) {
	const full, ambient = "000001ffffffffff", "0000000000290004"
	for name, c := range map[string]struct {
		p            snapshot.Process
		full, latent bool
		caps         int
	}{
		"by a program that runs as root": {snapshot.Process{UID: 1000, CapBnd: full, CapEff: "0", SetUID: "/usr/bin/sudo", Container: "c"}, true, false, 41},
		"if there is one":                {snapshot.Process{UID: 1000, CapBnd: full, CapEff: "0", Container: "c"}, false, true, 0},
		"not with no_new_privs":          {snapshot.Process{UID: 1000, CapBnd: full, CapEff: "0", SetUID: "/usr/bin/sudo", NoNewPrivs: true, Container: "c"}, false, false, 0},
		"root that dropped them":         {snapshot.Process{UID: 0, CapBnd: full, CapEff: "0", Container: "c"}, true, false, 41},
		"root with no_new_privs":         {snapshot.Process{UID: 0, CapBnd: full, CapEff: "0", NoNewPrivs: true, Container: "c"}, false, false, 0},
		"what is only allowed":           {snapshot.Process{UID: 1000, CapBnd: full, CapPrm: "0000000000200000", NoNewPrivs: true, Container: "c"}, false, false, 1},
		"a process of the host":          {snapshot.Process{UID: 1000, CapBnd: full, CapEff: ambient, CapAmb: ambient, SetUID: "/usr/bin/sudo"}, false, false, 4},
	} {
		s := fixtures.Host()
		s.Processes.CapBnd = full
		c.p.NS = s.Processes.Init
		w := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{}).workload(&c.p, "")
		if w.FullCaps != c.full || w.Latent != c.latent || len(w.Caps) != c.caps || slices.Contains(w.LatentCaps, "sys_admin") != c.latent {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

// TestProcessesOfAContainerThatDiffer: one that has given up what it could get does not stand for another one that has not.
func TestProcessesOfAContainerThatDiffer(t *testing.T) {
	s := fixtures.Host()
	s.Processes.CapBnd = "000001ffffffffff"
	for pid, bounding := range map[int]string{900: "0", 901: s.Processes.CapBnd} {
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: pid, PPID: 1, UID: 1000, Comm: "x", CapEff: "0", CapBnd: bounding, Container: "c", NS: s.Processes.Init})
	}
	slices.SortFunc(s.Processes.List, func(a, b snapshot.Process) int { return a.PID - b.PID })
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
	b.workloads()
	if !slices.ContainsFunc(b.doc.Workloads, func(w DocWorkload) bool { return w.Container != "" && w.Latent }) {
		t.Errorf("%+v", b.doc.Workloads)
	}
}

// TestWhatSystemdHoldsForARuntime: a port of a socket unit that starts a runtime is its interface, while the runtime does not run too; other ports of
// systemd are not.
func TestWhatSystemdHoldsForARuntime(t *testing.T) {
	s := fixtures.Host()
	s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 1, Comm: "systemd", Exe: "/usr/lib/systemd/systemd", ExeWord: snapshot.Word{By: snapshot.ByRoot}, NS: s.Processes.Init})
	s.Runtimes.TLS = []snapshot.DaemonTLS{{
		PID: 1, Source: "podman.socket", Word: snapshot.Word{By: snapshot.ByRoot}, API: []string{":8888"},
		APIRead: &snapshot.Fact{State: snapshot.Present, Value: "true"}, Verify: snapshot.Fact{State: snapshot.Present, Value: "false"},
	}}
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
	for port, want := range map[int]string{8888: classRuntime, 8889: "other"} {
		sk := snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 6, Addr: "::", Port: port, OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: 1, Comm: "systemd"}},
		}
		svc := b.service(&sk)
		if svc.Class != want || want == classRuntime && (svc.TLSVerify != "false" || svc.Gives != rootOnHost) {
			t.Errorf("port %d: %s %s %s", port, svc.Class, svc.TLSVerify, svc.Gives)
		}
		sk.Owners[0].PID = 900
		if got := b.service(&sk).Class; got != "other" {
			t.Errorf("port %d of another: %s", port, got)
		}
	}
}

// TestAKubeletIsToldOfOnce: the interface of a kubelet whose settings were looked at is judged by these alone, and its other ports are not it; without
// them, and for what an account calls one, the check of runtimes tells of it.
func TestAKubeletIsToldOfOnce(t *testing.T) {
	root, mal := snapshot.Word{By: snapshot.ByRoot}, snapshot.WordOf(1001)
	for name, c := range map[string]struct {
		port   int
		server []snapshot.ManagedServer
		word   snapshot.Word
		class  string
	}{
		"its interface":         {10250, []snapshot.ManagedServer{{Name: "kubelet", PID: 77, Word: root}}, root, classKubelet},
		"its health":            {10248, []snapshot.ManagedServer{{Name: "kubelet", PID: 77, Word: root}}, root, "other"},
		"not looked at":         {10250, nil, root, classRuntime},
		"what an account calls": {10250, []snapshot.ManagedServer{{Name: "kubelet", PID: 77, Word: mal}}, mal, classRuntime},
		"another server of it":  {10250, []snapshot.ManagedServer{{Name: "kube-apiserver", PID: 77, Word: root}}, root, classRuntime},
	} {
		s := fixtures.Host()
		p := snapshot.Process{PID: 77, Comm: "kubelet", Exe: "/usr/bin/kubelet", ExeWord: c.word, NS: s.Processes.Init}
		s.Processes.List = append(s.Processes.List, p)
		s.Management.Servers = c.server
		s.Runtimes.TLS = []snapshot.DaemonTLS{{
			PID: 77, Word: root, API: []string{":10250"}, APIRead: &snapshot.Fact{State: snapshot.Present, Value: "true"},
			Verify: snapshot.Fact{State: snapshot.Present, Value: "false"},
		}}
		sk := snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: c.port, OwnerState: snapshot.OwnersSeen,
			Owners: []snapshot.Owner{{PID: 77, Comm: "kubelet"}},
		}
		s.Listeners.Sockets = append(s.Listeners.Sockets, sk)
		b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
		svc := b.service(&s.Listeners.Sockets[len(s.Listeners.Sockets)-1])
		if svc.Class != c.class {
			t.Errorf("%s is %s, want %s", name, svc.Class, c.class)
		}
		b.doc.Services = []DocService{*svc}
		if api := len(b.apis()) > 0; api != (c.class != "other") {
			t.Errorf("%s gives the host: %v", name, api)
		}
	}
}
