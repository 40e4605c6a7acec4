package zones

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

func host(links []snapshot.Link, routes ...snapshot.Route) *snapshot.Snapshot {
	lo := snapshot.Link{Index: 1, Name: "lo", Loopback: true, Up: true, Addrs: []string{"127.0.0.1/8", "::1/128"}}
	for i := range links {
		links[i].Index, links[i].Up = i+2, true
		for _, a := range links[i].Addrs {
			p := netip.MustParsePrefix(a)
			fam := 6
			if p.Addr().Is4() {
				fam = 4
			}
			routes = append(routes, snapshot.Route{
				Family: fam, Table: 254, Type: "unicast", Dst: p.Masked().String(), Oifs: []int{i + 2},
			})
		}
	}
	return &snapshot.Snapshot{Network: snapshot.Network{
		Links: append([]snapshot.Link{lo}, links...), Routes: routes,
		Namespaces: []snapshot.Netns{{Inode: 7, Host: true}},
	}}
}

func defaultRoute(oif int) snapshot.Route {
	return snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "0.0.0.0/0", Oifs: []int{oif}}
}

func zoneOf(m *Map, name string) string {
	for _, i := range m.Interfaces {
		if i.Name == name {
			return i.Zone
		}
	}
	return ""
}

func TestThreeInterfaces(t *testing.T) {
	s := host([]snapshot.Link{
		{Name: "mgmt0", Kind: "device", Addrs: []string{"10.10.0.1/24"}},
		{Name: "docker0", Kind: "bridge", Addrs: []string{"172.17.0.1/16"}},
		{Name: "eth0", Kind: "device", Addrs: []string{"203.0.113.1/24"}},
		{Name: "veth1a2b", Kind: "veth", Master: 3, PeerNetns: 9},
		{Name: "ifb0", Kind: "ifb"},
		{Name: "eth5", Kind: "device", Addrs: []string{"10.55.0.1/24"}},
		{Name: "tailscale0", Kind: "tun", Addrs: []string{"100.64.0.1/32"}},
		{Name: "idrac", Kind: "device", Driver: "cdc_ether", Addrs: []string{"169.254.1.2/24"}},
	}, defaultRoute(4))
	m := Classify(s, nil)
	for name, want := range map[string]string{
		"lo": Host, "mgmt0": Management, "docker0": Workload, "eth0": External, "veth1a2b": Workload,
		"eth5": Unclassified, "tailscale0": Management, "idrac": Management,
	} {
		if got := zoneOf(m, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, o := range m.Origins {
		if o.Interface == "veth1a2b" || o.Interface == "ifb0" || o.Interface == "lo" {
			t.Errorf("%s is no origin: its packets come in elsewhere, or not at all", o.Interface)
		}
		// What is behind another interface does not come in by the default route.
		if o.Interface == "eth0" && !slices.Contains(o.Except, netip.MustParsePrefix("10.10.0.0/24")) {
			t.Errorf("external takes management addresses: %v", o.Except)
		}
	}
}

func TestCloudMachineWithOneInterface(t *testing.T) {
	s := host([]snapshot.Link{{Name: "ens5", Kind: "device", Addrs: []string{"10.0.1.7/24"}}}, defaultRoute(2))
	if got := zoneOf(Classify(s, nil), "ens5"); got != External {
		t.Errorf("ens5 is %s", got)
	}
	m := Classify(s, Config{Management: {Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")}}})
	if !slices.Contains(m.Shared, "ens5") {
		t.Error("two zones on one interface are not said")
	}
	var zones []string
	for _, o := range m.Origins {
		zones = append(zones, o.Zone)
		if o.Zone == External && !slices.Contains(o.Except, netip.MustParsePrefix("198.51.100.0/28")) {
			t.Error("the administrators' addresses are also external")
		}
	}
	slices.Sort(zones)
	if !slices.Equal(zones, []string{External, Management}) {
		t.Errorf("origins of %v", zones)
	}
}

func TestLoopbackOnly(t *testing.T) {
	if m := Classify(host(nil), nil); len(m.Origins) != 0 || len(m.Interfaces) != 1 {
		t.Errorf("origins %+v", m.Origins)
	}
}

// TestWorkloadInTheHostNamespace: loopback is no boundary for code that a model writes.
func TestWorkloadInTheHostNamespace(t *testing.T) {
	s := host(nil)
	s.Processes.Init = snapshot.NS{PID: 1, User: 2, Mnt: 3, Net: 7}
	s.Processes.List = []snapshot.Process{
		{PID: 10, Comm: "nginx", NS: snapshot.NS{PID: 1, User: 2, Mnt: 3, Net: 7}},
		{PID: 11, Comm: "claw", NS: snapshot.NS{PID: 1, User: 2, Mnt: 3, Net: 7}},
		{PID: 12, Comm: "sh", Container: "c0ffee", NS: snapshot.NS{PID: 8, User: 2, Mnt: 9, Net: 10}},
	}
	s.Agents.Instances = []snapshot.Agent{{PID: 11, Kind: "gateway", Title: "OpenClaw gateway", Config: &snapshot.OpenClawConfig{Sandbox: "off"}}}
	m := Classify(s, nil)
	if len(m.Origins) != 1 || !m.Origins[0].Local || m.Origins[0].Zone != Workload {
		t.Errorf("origins %+v", m.Origins)
	}
	s.Processes.List[2].NS.Net = 7
	s.Runtimes.Containers = []snapshot.Container{{ID: "c0ffee", Name: "web"}}
	if why := Classify(s, nil).Origins[0].Reason; !strings.Contains(why, ": claw (OpenClaw gateway runs what a model writes), container web (container c0ffee)") {
		t.Errorf("a container is not called by its name: %s", why)
	}
	s.Processes.List[2].NS.Net = 10
	s.Agents.Instances[0].Config.Sandbox = "all"
	if m := Classify(s, nil); len(m.Origins) != 0 {
		t.Errorf("an agent whose tools are sandboxed: %+v", m.Origins)
	}
	m = Classify(s, Config{Workload: {Processes: []Program{{Exe: "/usr/bin/agent"}}, Units: []string{"agent-*.service"}}})
	if z, _ := m.Process(&snapshot.Process{Exe: "/usr/bin/agent"}); z != Workload {
		t.Errorf("a configured program is %s", z)
	}
	if z, _ := m.Process(&snapshot.Process{Unit: "agent-7.service"}); z != Workload {
		t.Errorf("a configured unit is %s", z)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{"moon": {}}, {Workload: {Interfaces: []string{"["}}}} {
		if c.Validate() == nil {
			t.Errorf("%v was accepted", c)
		}
	}
}

// TestConfiguredPort: a port of a bridge has the bridge's zone, unless the configuration says another one.
func TestConfiguredPort(t *testing.T) {
	s := &snapshot.Snapshot{Network: snapshot.Network{Links: []snapshot.Link{
		{Index: 2, Name: "br0", Kind: "bridge", Up: true, Addrs: []string{"10.0.0.1/24"}},
		{Index: 3, Name: "p1", Kind: "veth", Up: true, Master: 2},
		{Index: 4, Name: "p2", Kind: "veth", Up: true, Master: 2},
	}, Routes: []snapshot.Route{{Family: 4, Table: 254, Type: "unicast", Dst: "10.0.0.0/24", Oifs: []int{2}}}}}
	m := Classify(s, Config{Management: {Interfaces: []string{"br0"}}, Workload: {Interfaces: []string{"p1"}}})
	zones := map[string]string{}
	for _, o := range m.Origins {
		if !o.Local {
			zones[o.Interface] = o.Zone
			if len(o.From) == 0 {
				t.Errorf("nothing comes from %s", o.Interface)
			}
		}
	}
	if zones["br0"] != Management || zones["p1"] != Workload || zones["p2"] != "" {
		t.Errorf("origins %v", zones)
	}
	both := Config{Management: {Interfaces: []string{"br0"}}, Workload: {Interfaces: []string{"p*"}}}
	if m := Classify(s, both); slices.ContainsFunc(m.Origins, func(o Origin) bool { return o.Interface == "br0" }) {
		t.Error("somebody is behind a bridge whose ports all have another zone")
	}
}

// TestWhoIsAWorkload: a namespace of its own makes no workload; other files and pids do, and so does an agent above.
func TestWhoIsAWorkload(t *testing.T) {
	s := &snapshot.Snapshot{}
	s.Processes.Init = snapshot.NS{User: 1, PID: 1, Mnt: 1, Net: 1}
	own := snapshot.NS{User: 2, PID: 1, Mnt: 2, Net: 1}
	pids := snapshot.NS{User: 2, PID: 2, Mnt: 2, Net: 1}
	want := map[int]string{}
	s.Agents.Instances = []snapshot.Agent{{Title: "Claude Code", Kind: "cli", PID: 50}, {Title: "Ollama", Kind: "model", PID: 60}}
	for _, c := range []struct {
		p    snapshot.Process
		want string
	}{
		{snapshot.Process{PID: 10, PPID: 1, Exe: "/usr/bin/redis-check-rdb", Unit: "redis-server.service", NS: own, HostRoot: true}, Host},
		{snapshot.Process{PID: 11, PPID: 1, Exe: "/usr/sbin/x", Unit: "x.service", NS: pids, HostRoot: true}, Host},
		{snapshot.Process{PID: 12, PPID: 1, Exe: "/usr/sbin/x", Unit: "x.service", NS: pids}, Workload},
		{snapshot.Process{PID: 13, PPID: 1, Exe: "/usr/bin/catatonit", Unit: "user@1000.service", UserUnit: "podman-pause.scope", NS: own, HostRoot: true}, Host},
		{snapshot.Process{PID: 14, PPID: 1, Exe: "/usr/bin/bwrap", Unit: "user@1000.service", UserUnit: "app.scope", NS: pids}, Host},
		{snapshot.Process{PID: 15, PPID: 14, Exe: "/usr/bin/gimp", NS: pids}, Host},
		{snapshot.Process{PID: 16, PPID: 1, Exe: "/opt/google/chrome/chrome", NS: pids}, Host},
		{snapshot.Process{PID: 17, PPID: 1, Exe: "/bin/sh", NS: pids}, Workload},
		{snapshot.Process{PID: 18, PPID: 50, Exe: "/usr/bin/bwrap", NS: pids}, Workload},
		{snapshot.Process{PID: 19, PPID: 18, Exe: "/bin/sh", NS: pids}, Workload},
		{snapshot.Process{PID: 50, PPID: 1, Exe: "/usr/bin/node", NS: s.Processes.Init}, Workload},
		{snapshot.Process{PID: 51, PPID: 60, Exe: "/bin/ollama", NS: s.Processes.Init}, Runtime},
		{snapshot.Process{PID: 60, PPID: 1, Exe: "/bin/ollama", NS: s.Processes.Init}, Runtime},
		{snapshot.Process{PID: 70, PPID: 1, Exe: "/usr/bin/nginx", Container: "c", NS: own}, Workload},
		{snapshot.Process{PID: 71, PPID: 1, Exe: "/usr/sbin/cron", Unit: "cron.service", NS: s.Processes.Init}, Host},
	} {
		s.Processes.List, want[c.p.PID] = append(s.Processes.List, c.p), c.want
	}
	m := Classify(s, nil)
	for i := range s.Processes.List {
		p := &s.Processes.List[i]
		if got, why := m.Process(p); got != want[p.PID] {
			t.Errorf("%s (%d): %s (%s), want %s", p.Exe, p.PID, got, why, want[p.PID])
		}
	}
}

// TestBridgeOfWorkloadsByItsPorts: a bridge that somebody named is one of workloads if each of its ports leads to a container or a machine. One that leads
// outside, or to a VPN, or is named for management, is not, nor is one that has no ports.
func TestBridgeOfWorkloadsByItsPorts(t *testing.T) {
	for name, c := range map[string]struct {
		ports []snapshot.Link
		want  string
	}{
		"containers":               {[]snapshot.Link{{Name: "veth1", Kind: "veth", PeerNetns: 9}, {Name: "veth2", Kind: "veth", PeerNetns: 10}}, Workload},
		"machines":                 {[]snapshot.Link{{Name: "vm1", Kind: "tun"}}, Workload},
		"containers and an uplink": {[]snapshot.Link{{Name: "veth1", Kind: "veth", PeerNetns: 9}, {Name: "enp3s0", Kind: "device"}}, Unclassified},
		"a VLAN":                   {[]snapshot.Link{{Name: "veth1", Kind: "veth", PeerNetns: 9}, {Name: "bond0.7", Kind: "vlan"}}, Unclassified},
		"the host is a container":  {[]snapshot.Link{{Name: "eth1", Kind: "veth"}}, Unclassified},
		"joined to another bridge": {[]snapshot.Link{{Name: "veth1", Kind: "veth", PeerNetns: 7}}, Unclassified},
		"named for management":     {[]snapshot.Link{{Name: "veth1", Kind: "veth", PeerNetns: 9}, {Name: "oob0", Kind: "veth", PeerNetns: 10}}, Unclassified},
		"no ports":                 {nil, Unclassified},
	} {
		for i := range c.ports {
			c.ports[i].Master = 3
		}
		s := host(append([]snapshot.Link{
			{Name: "eth0", Kind: "device", Addrs: []string{"203.0.113.1/24"}},
			{Name: "backend", Kind: "bridge", Addrs: []string{"10.5.0.1/24"}},
		}, c.ports...), defaultRoute(2))
		if got := zoneOf(Classify(s, nil), "backend"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	s := host([]snapshot.Link{
		{Name: "backend", Kind: "bridge", Addrs: []string{"10.5.0.1/24"}}, {Name: "tap0", Kind: "tun", Master: 2},
	})
	s.Processes.List = []snapshot.Process{{PID: 9, Exe: "/usr/sbin/openvpn", ExeWord: snapshot.WordOf(0), Tunnels: []string{"tap0"}, NS: snapshot.NS{Net: 7}}}
	if got := zoneOf(Classify(s, nil), "backend"); got != Unclassified {
		t.Errorf("members of a VPN are %s", got)
	}
}
