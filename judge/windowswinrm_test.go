package judge

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWinRMAtItsAddresses: the kernel has the port of WinRM on all addresses, and WinRM serves those of its listeners. Who reaches the port by another
// address does not reach WinRM for certain; the connection opens all the same.
func TestWinRMAtItsAddresses(t *testing.T) {
	present := func(s string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: s} }
	host := func() *snapshot.Snapshot {
		s := &snapshot.Snapshot{Coverage: []snapshot.Coverage{{Collector: "windows", Status: snapshot.OK}}}
		w := &s.Windows
		w.Adapters = snapshot.WindowsAdapters{Read: present(""), List: []snapshot.WindowsAdapter{
			{Name: "Ethernet", Type: 6, Up: true, Addrs: []string{"192.168.1.5/24"}, Gateways: []string{"192.168.1.1"}, Profile: snapshot.ProfilePrivate, ProfileRead: present(""), RoutesTold: true},
			{Name: "vEthernet (WSL)", Type: 6, Up: true, Kind: snapshot.NetworkWSL, Addrs: []string{"172.17.112.1/20"}, Profile: snapshot.ProfilePublic, ProfileRead: present(""), RoutesTold: true},
		}}
		w.Firewall = snapshot.WindowsFirewall{Read: present(""), Stores: []snapshot.FirewallStore{{Store: snapshot.StoreLocal, Read: present(""), Rules: []snapshot.FirewallRule{
			{ID: "WINRM", Text: "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5985|App=System|"},
		}}}}
		w.Services.Read, w.WinRM.Read, w.WinRM.Settings = present(""), present(""), map[string]snapshot.Fact{}
		w.Listeners = snapshot.WindowsListeners{Read: present(""), List: []snapshot.WindowsListener{
			{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 5985, PID: 4, Process: "System", OwnerState: snapshot.OwnersSeen},
		}}
		return s
	}
	at := func(addresses ...string) (list []snapshot.WinRMListener) {
		for _, a := range addresses {
			list = append(list, snapshot.WinRMListener{Address: a, Transport: "HTTP", Port: 5985, Enabled: true})
		}
		return list
	}
	policy := []snapshot.WinRMListener{{Address: "*", Transport: "HTTP", Port: 5985, Enabled: true, Policy: true}}
	filter := func(s string) map[string]snapshot.Fact {
		return map[string]snapshot.Fact{"policy.AllowAutoConfig": present("1"), "policy.IPv4Filter": present(s)}
	}
	for name, c := range map[string]struct {
		listeners          []snapshot.WinRMListener
		settings           map[string]snapshot.Fact
		external, workload string
	}{
		"none that was told":         {nil, nil, "reachable", "reachable"},
		"everywhere":                 {at("*"), nil, "reachable", "reachable"},
		"at one address":             {at("IP:192.168.1.5"), nil, "reachable", "unknown"},
		"at that of WSL":             {at("IP:172.17.112.1"), nil, "unknown", "reachable"},
		"on loopback":                {at("IP:127.0.0.1", "IP:::1"), nil, "unknown", "unknown"},
		"on loopback and everywhere": {at("IP:127.0.0.1", "*"), nil, "reachable", "reachable"},
		"by an address of a card":    {at("MAC:00-15-5D-00-00-01"), nil, "unknown", "unknown"},
		"a policy, everywhere":       {policy, filter("*"), "reachable", "reachable"},
		"a policy, in a range":       {policy, filter("10.0.0.1-10.0.0.9, 192.168.1.1-192.168.1.254"), "reachable", "unknown"},
		"a policy, IPv6 alone":       {policy, filter(""), "unknown", "unknown"},
		"a policy against it":        {at("*"), map[string]snapshot.Fact{"policy.AllowAutoConfig": present("0")}, "unknown", "unknown"},
	} {
		s := host()
		s.Windows.WinRM.Listeners = c.listeners
		if c.settings != nil {
			s.Windows.WinRM.Settings = c.settings
		}
		b := build(t.Context(), s, zones.Config{})
		svc := b.doc.WindowsListeners[0]
		if e, w := string(svc.Reach["external"].Verdict), string(svc.Reach["workload"].Verdict); e != c.external || w != c.workload {
			t.Errorf("%s: external %s, workload %s", name, e, w)
		}
		for _, e := range b.exposures[0] {
			if e.Verdict != "reachable" {
				t.Errorf("%s: the connection from %s is %s", name, e.Zone, e.Verdict)
			}
		}
	}
}
