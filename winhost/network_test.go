package winhost

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// TestManyListeners: more sockets than are kept are a gap, those on ports that the system gives out are left out first, and no snapshot is refused for them.
func TestManyListeners(t *testing.T) {
	s := &Source{}
	list := make([]snapshot.WindowsListener, 0, maxListeners+3)
	for i := range maxListeners {
		list = append(list, snapshot.WindowsListener{Proto: "udp", Port: firstGiven + i%1000})
	}
	list = append(list, snapshot.WindowsListener{Proto: "tcp", Port: 5985}, snapshot.WindowsListener{Proto: "tcp", Port: 445}, snapshot.WindowsListener{Proto: "udp", Port: 623})
	kept := s.bounded(list)
	if len(kept) != maxListeners || kept[0].Port != 5985 || kept[2].Port != 623 {
		t.Errorf("%d, %+v", len(kept), kept[:3])
	}
	if notes := strings.Join(s.Notes["listeners"], " "); !strings.Contains(notes, "of which 20000 are kept") {
		t.Errorf("%q", notes)
	}
	s = &Source{}
	if kept := s.bounded(list[:10]); len(kept) != 10 || len(s.Notes) != 0 {
		t.Errorf("%d, %v", len(kept), s.Notes)
	}
}

// TestNothingIsNoReading: a Windows without an address, or without a socket of TCP, was not read, whoever says so.
func TestNothingIsNoReading(t *testing.T) {
	failed := snapshot.Fact{State: snapshot.Error, Reason: "the service did not answer"}
	adapters := []snapshot.WindowsAdapter{{Name: "lo", Type: typeLoopback, Addrs: []string{"127.0.0.1/8"}}}
	tcp, udp := snapshot.WindowsListener{Proto: "tcp", Port: 135, Addr: "0.0.0.0"}, snapshot.WindowsListener{Proto: "udp", Port: 53, Addr: "0.0.0.0"}
	for name, c := range map[string]struct {
		live Live
		gaps string
	}{
		"all was read":    {Live{Adapters: adapters, AdaptersRead: present, Listeners: []snapshot.WindowsListener{tcp}, ListenersRead: present}, ""},
		"neither was":     {Live{AdaptersRead: failed, ListenersRead: failed}, "adapters listeners"},
		"nothing is told": {Live{AdaptersRead: present, ListenersRead: present}, "adapters listeners"},
		"no address":      {Live{Adapters: []snapshot.WindowsAdapter{{Name: "eth0"}}, AdaptersRead: present, Listeners: []snapshot.WindowsListener{tcp}, ListenersRead: present}, "adapters"},
		"UDP alone":       {Live{Adapters: adapters, AdaptersRead: present, Listeners: []snapshot.WindowsListener{udp}, ListenersRead: present}, "listeners"},
	} {
		s := &Source{Machine: new(registry.Tree), Whole: []string{""}, Live: &c.live}
		out := s.Snapshot(snapshot.Tool{}, time.Time{})
		var gaps []string
		for _, part := range []string{"adapters", "listeners"} {
			if slices.Contains(out.Coverage[0].Parts, part) {
				gaps = append(gaps, part)
			}
		}
		if got := strings.Join(gaps, " "); got != c.gaps {
			t.Errorf("%s: gaps in %q, want %q: %v", name, got, c.gaps, out.Coverage[0].Reasons)
		}
	}
	if w := snapshotOf(t, text("tcp.json", "[]")).Windows.Listeners; w.Read.State != snapshot.Error {
		t.Errorf("no socket in a file: %+v", w.Read)
	}
	if w := snapshotOf(t, text("a.reg", "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SYSTEM]\n\n")).Windows.Adapters; w.Read.State != snapshot.Error {
		t.Errorf("no interface in a registry: %+v", w.Read)
	}
}

// TestManyAddresses: addresses of one interface, and routes to them, are joined in less than the square of their number.
func TestManyAddresses(t *testing.T) {
	const many = 40_000
	var addresses, routes []string
	for i := range many {
		addresses = append(addresses, fmt.Sprintf(`{"InterfaceIndex": 7, "InterfaceAlias": "e", "IPAddress": "10.%d.%d.1", "PrefixLength": 24}`, i>>8, i&255))
		routes = append(routes, fmt.Sprintf(`{"InterfaceIndex": 7, "InterfaceAlias": "e", "DestinationPrefix": "10.%d.%d.0/24", "NextHop": "0.0.0.0"}`, i>>8, i&255))
	}
	routes = append(routes, `{"InterfaceIndex": 7, "InterfaceAlias": "e", "DestinationPrefix": "10.0.0.0/8", "NextHop": "0.0.0.0"}`)
	start := time.Now()
	list := snapshotOf(t, text("a.json", "["+strings.Join(addresses, ",")+"]"), text("r.json", "["+strings.Join(routes, ",")+"]")).Windows.Adapters.List
	if took := time.Since(start); took > 40*time.Second {
		t.Error(took)
	}
	if len(list) != 1 || len(list[0].Addrs) != many || !list[0].RoutesTold || !slices.Equal(list[0].Links, []string{"10.0.0.0/8"}) {
		t.Errorf("%d interfaces", len(list))
	}
}

// TestProgramsOfServices: where processes were not told, the program of a service's process is that of the service; one that Windows may have read another
// way is not known.
func TestProgramsOfServices(t *testing.T) {
	const (
		tcp      = `[{"LocalAddress": "0.0.0.0", "LocalPort": 3389, "RemotePort": 0, "State": 2, "OwningProcess": 9}, {"LocalAddress": "0.0.0.0", "LocalPort": 80, "RemotePort": 0, "State": 2, "OwningProcess": 10}, {"LocalAddress": "0.0.0.0", "LocalPort": 81, "RemotePort": 0, "State": 2, "OwningProcess": 11}]`
		services = `[{"Name": "TermService", "PathName": "C:\\Windows\\System32\\svchost.exe -k NetworkService", "StartName": "LocalSystem", "State": "Running", "StartMode": "Manual", "ProcessId": 9},
			{"Name": "Web", "PathName": "\"C:\\Program Files\\Web\\web.exe\" -x", "StartName": "LocalSystem", "State": "Running", "StartMode": "Auto", "ProcessId": 10},
			{"Name": "Loose", "PathName": "C:\\Program Files\\Loose\\loose.exe -x", "StartName": "LocalSystem", "State": "Running", "StartMode": "Auto", "ProcessId": 11}]`
		processes = `[{"ProcessId": 9, "ParentProcessId": 1, "Name": "other.exe", "ExecutablePath": "C:\\other.exe"}]`
	)
	want := map[int]string{3389: `C:\Windows\System32\svchost.exe`, 80: `C:\Program Files\Web\web.exe`, 81: ""}
	for _, l := range snapshotOf(t, text("tcp.json", tcp), text("services.json", services)).Windows.Listeners.List {
		if l.Path != want[l.Port] || (l.OwnerState == snapshot.OwnersSeen) != (l.Path != "") {
			t.Errorf("%+v", l)
		}
	}
	for _, l := range snapshotOf(t, text("tcp.json", tcp), text("services.json", services), text("processes.json", processes)).Windows.Listeners.List {
		if l.Port == 3389 && l.Path != `C:\other.exe` {
			t.Errorf("%+v", l)
		}
	}
}
