package judge

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/declared"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWindowsDocument: a listener of Windows has a class, its reach by zone and an exposure each; a check of the other system is not applicable.
func TestWindowsDocument(t *testing.T) {
	present := snapshot.Fact{State: snapshot.Present}
	s := &snapshot.Snapshot{Coverage: []snapshot.Coverage{{Collector: "windows", Status: snapshot.OK}}}
	w := &s.Windows
	w.Adapters = snapshot.WindowsAdapters{Read: present, List: []snapshot.WindowsAdapter{
		{Name: "Ethernet", Type: 6, Up: true, Addrs: []string{"192.168.1.5/24"}, Gateways: []string{"192.168.1.1"}, Profile: snapshot.ProfilePrivate, ProfileRead: present},
		{Name: "vEthernet (WSL)", Type: 6, Up: true, Kind: snapshot.NetworkWSL, Addrs: []string{"172.17.112.1/20"}, Profile: snapshot.ProfilePublic, ProfileRead: present},
	}}
	w.Firewall = snapshot.WindowsFirewall{Read: present, Stores: []snapshot.FirewallStore{{Store: snapshot.StoreLocal, Read: present, Rules: []snapshot.FirewallRule{
		{ID: "WINRM-HTTP-In-TCP-PUBLIC", Text: "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|LPort=5985|RA4=LocalSubnet|App=System|"},
	}}}}
	w.Services.Read = present
	w.PortProxy.List = []snapshot.WindowsPortRelay{{Kind: "v4tov4", Proto: "tcp", Addr: "*", Port: 2222, ToAddr: "172.17.120.3", ToPort: 22}}
	w.Listeners = snapshot.WindowsListeners{Read: present, List: []snapshot.WindowsListener{
		{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 5985, PID: 4, Process: "System", OwnerState: snapshot.OwnersSeen},
		{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 2222, PID: 9, Process: "svchost.exe", Services: []string{"iphlpsvc"}, OwnerState: snapshot.OwnersSeen},
		{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 3389, PID: 10, Process: "svchost.exe", Services: []string{"TermService"}, OwnerState: snapshot.OwnersSeen},
	}}
	b := build(t.Context(), s, zones.Config{})
	var got []string
	for _, x := range b.doc.WindowsListeners {
		got = append(got, x.Class+" "+x.To+" "+string(x.Reach["external"].Verdict)+" "+string(x.Reach["workload"].Verdict))
	}
	if strings.Join(got, ", ") != "winrm  unreachable reachable, relay 172.17.120.3:22 unreachable unreachable, rdp  unreachable unreachable" {
		t.Errorf("%q", got)
	}
	if wit := b.doc.WindowsListeners[0].Reach["workload"].Witness; !strings.HasPrefix(wit, "in vEthernet (WSL) tcp 172.17.112.") {
		t.Errorf("the witness is %s", wit)
	}
	if n := len(b.exposures[0]); n != 2 || !b.exposures[0][0].Checked {
		t.Errorf("%d exposures", n)
	}
	var on []string
	for _, p := range b.doc.WindowsProfiles {
		on = append(on, p.Profile+" "+strings.Join(p.Active, ","))
	}
	if strings.Join(on, "; ") != "domain ; private Ethernet; public vEthernet (WSL)" {
		t.Errorf("%q", on)
	}
	if n := b.win.Tally(); n.Reachable != 1 || n.Unreachable != 5 {
		t.Errorf("%+v", n)
	}
	for _, c := range []struct {
		reads []string
		s     *snapshot.Snapshot
		want  bool
	}{
		{[]string{"windows.firewall"}, s, false},
		{[]string{"ssh"}, s, true},
		{nil, s, false},
		{[]string{"windows.firewall"}, new(snapshot.Snapshot), true},
		{[]string{"ssh"}, new(snapshot.Snapshot), false},
	} {
		if got := (&Check{Reads: c.reads}).otherSystem(c.s) != ""; got != c.want {
			t.Errorf("%v: %v", c.reads, got)
		}
	}
}

// TestWindowsFirewallThatDoesNotRun: a firewall that is on, and whose service is disabled or taken out, is not known to stop anything; one that is off is off.
func TestWindowsFirewallThatDoesNotRun(t *testing.T) {
	for name, c := range map[string]struct {
		services []snapshot.WindowsService
		off      bool
		want     string
	}{
		"it runs":               {[]snapshot.WindowsService{{Name: "DcomLaunch", Start: 2}, {Name: "MpsSvc", Start: 2}, {Name: "BFE", Start: 2}}, false, finding.Pass},
		"it is disabled":        {[]snapshot.WindowsService{{Name: "DcomLaunch", Start: 2}, {Name: "MpsSvc", Start: 4}, {Name: "BFE", Start: 2}}, false, finding.Unknown},
		"it was taken out":      {[]snapshot.WindowsService{{Name: "DcomLaunch", Start: 2}, {Name: "BFE", Start: 2}}, false, finding.Unknown},
		"its engine is stopped": {[]snapshot.WindowsService{{Name: "MpsSvc", Start: 2}, {Name: "BFE", Start: 2, State: "stopped"}}, false, finding.Unknown},
		"it is off besides":     {[]snapshot.WindowsService{{Name: "DcomLaunch", Start: 2}, {Name: "MpsSvc", Start: 4}, {Name: "BFE", Start: 2}}, true, finding.Fail},
	} {
		s := fixtures.WindowsHost()
		s.Windows.Services.List, s.Windows.Filters.Read = c.services, snapshot.Fact{State: snapshot.Absent}
		if c.off {
			for i := range s.Windows.Firewall.Stores[0].Profiles {
				s.Windows.Firewall.Stores[0].Profiles[i].EnableFirewall = new(uint32(0))
			}
		}
		p, err := loadedOnce()
		if err != nil {
			t.Fatal(err)
		}
		r, err := Judge(t.Context(), s, p, &Config{}, "0")
		if err != nil {
			t.Fatal(err)
		}
		if res := resultOf(t, r, "windows/firewall-off"); res.Status != c.want {
			t.Errorf("%s: %s, %s", name, res.Status, res.Reason)
		}
	}
}

// TestWindowsProfilesThatAreAlike: which profile an interface is of does not matter where the firewall is on in each, and does where it is off in one.
func TestWindowsProfilesThatAreAlike(t *testing.T) {
	p, err := loadedOnce()
	if err != nil {
		t.Fatal(err)
	}
	for off, want := range map[bool]string{false: finding.Pass, true: finding.Unknown} {
		s := fixtures.WindowsHost()
		for i := range s.Windows.Adapters.List {
			s.Windows.Adapters.List[i].ProfileRead = snapshot.Fact{State: snapshot.Error, Reason: "it was not told"}
		}
		if off {
			s.Windows.Firewall.Stores[0].Profiles = append(s.Windows.Firewall.Stores[0].Profiles[:0:0], snapshot.FirewallProfile{Profile: snapshot.ProfileDomain, EnableFirewall: new(uint32(0))})
		}
		r, err := Judge(t.Context(), s, p, &Config{}, "0")
		if err != nil {
			t.Fatal(err)
		}
		if res := resultOf(t, r, "windows/firewall-off"); res.Status != want {
			t.Errorf("off in one %v: %s, %s", off, res.Status, res.Reason)
		}
	}
}

// TestModelOfWindows: the zones of a model are held against the adapters of Windows, and flows are not known not to be: what it forwards is not asked.
func TestModelOfWindows(t *testing.T) {
	p, err := loadedOnce()
	if err != nil {
		t.Fatal(err)
	}
	m, err := declared.Parse("f", []byte("version: 1\nzones:\n- {name: external, interfaces: [Ethernet]}\n- {name: workload, interfaces: ['vEthernet (WSL)']}\nflows: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Judge(t.Context(), fixtures.WindowsHost(), p, &Config{Model: m}, "0")
	if err != nil {
		t.Fatal(err)
	}
	if res := resultOf(t, r, "model/zone-differs"); res.Status != finding.Pass {
		t.Errorf("%+v", res)
	}
	if res := resultOf(t, r, "model/undeclared-flow"); res.Status != finding.Unknown || !strings.Contains(res.Reason, "forwards is not asked") {
		t.Errorf("%+v", res)
	}
}

// TestWindowsSharedPort: of two programs of one name that share a port each is asked for.
func TestWindowsSharedPort(t *testing.T) {
	s := fixtures.WindowsHost()
	w := &s.Windows
	for _, path := range []string{`C:\Windows\System32\node.exe`, `C:\Users\agent\node.exe`} {
		w.Listeners.List = append(w.Listeners.List, snapshot.WindowsListener{
			Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 5353, PID: 70 + len(path), Process: "node.exe", Path: path, OwnerState: snapshot.OwnersSeen,
		})
	}
	st := &w.Firewall.Stores[0]
	st.Rules = append(st.Rules, snapshot.FirewallRule{ID: "a", Text: `v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=17|App=C:\Users\agent\node.exe|`})
	b := build(t.Context(), s, zones.Config{})
	n := 0
	for _, x := range b.doc.WindowsListeners {
		if x.Port == 5353 {
			n++
			if x.Reach["external"].Verdict != "reachable" {
				t.Errorf("%+v", x.Reach)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d listeners", n)
	}
}
