package exposure

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

func yes(s string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: s} }

// windowsHost has a private network, those of WSL and of a VPN, which are public, and what usually listens.
func windowsHost(rules ...string) *snapshot.Snapshot {
	s := &snapshot.Snapshot{Coverage: []snapshot.Coverage{{Collector: "windows", Status: snapshot.OK}}}
	w := &s.Windows
	w.System.Major = 10
	w.Adapters = snapshot.WindowsAdapters{Read: yes("registry"), List: []snapshot.WindowsAdapter{
		{Name: "Ethernet", GUID: "{a}", LUID: 1, Type: 6, Up: true, Addrs: []string{"192.168.1.5/24", "fe80::5/64"}, Gateways: []string{"192.168.1.1"}, Profile: snapshot.ProfilePrivate, ProfileRead: yes("")},
		{Name: "vEthernet (WSL)", GUID: "{b}", LUID: 2, Type: 6, Up: true, Kind: snapshot.NetworkWSL, Addrs: []string{"172.17.112.1/20"}, ProfileRead: snapshot.Fact{State: snapshot.Absent}},
		{Name: "VPN", GUID: "{c}", LUID: 3, Type: 53, Up: true, Kind: snapshot.NetworkVPN, Addrs: []string{"10.8.0.2/24"}, Profile: snapshot.ProfilePublic, ProfileRead: yes("")},
		{Name: "Loopback", Type: 24, Up: true, Addrs: []string{"127.0.0.1/8"}, ProfileRead: snapshot.Fact{State: snapshot.Absent}},
		{Name: "Old", GUID: "{d}", Type: 6, Addrs: []string{"10.9.0.2/24"}, ProfileRead: snapshot.Fact{State: snapshot.Absent}},
	}}
	for i := range w.Adapters.List {
		w.Adapters.List[i].RoutesTold = true
	}
	w.Networks.MapsTold = true
	w.Services = snapshot.WindowsServices{Read: yes("registry"), List: []snapshot.WindowsService{
		{Name: "TermService", SIDType: 1, Type: 0x20, Account: `NT Authority\NetworkService`, Image: `%SystemRoot%\System32\svchost.exe -k termsvcs`},
	}}
	held := snapshot.OwnersSeen
	w.Listeners = snapshot.WindowsListeners{Read: yes("live"), List: []snapshot.WindowsListener{
		{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 5985, PID: 4, Process: "System", OwnerState: held},
		{Proto: "tcp", Family: 6, Addr: "::", Port: 5985, PID: 4, Process: "System", OwnerState: held},
		{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 3389, PID: 900, Process: "svchost.exe", Services: []string{"TermService"}, OwnerState: held},
		{Proto: "tcp", Family: 4, Addr: "127.0.0.1", Port: 18789, PID: 5000, Process: "node.exe", Path: `C:\Program Files\nodejs\node.exe`, OwnerState: held},
		{Proto: "tcp", Family: 4, Addr: "192.168.1.5", Port: 139, PID: 4, Process: "System", OwnerState: held},
		{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 9000, OwnerState: snapshot.OwnersUnknown},
	}}
	local := snapshot.FirewallStore{Store: snapshot.StoreLocal, Read: yes("registry")}
	for i, r := range rules {
		local.Rules = append(local.Rules, snapshot.FirewallRule{ID: string(rune('A' + i)), Text: "v2.31|Action=Allow|Active=TRUE|Dir=In|" + r})
	}
	w.Firewall = snapshot.WindowsFirewall{Read: yes("registry"), Stores: []snapshot.FirewallStore{local}}
	return s
}

// askWindows answers for an origin by its interface.
func askWindows(t *testing.T, s *snapshot.Snapshot, from string, port int, src ...netip.Prefix) Answer {
	t.Helper()
	a, err := AskWindows(t.Context(), s, zones.Classify(s, nil), &Words{From: from, To: "host", Proto: "tcp", Dport: port, Src: src})
	if err != nil {
		t.Fatal(err)
	}
	if a.Verdict != packet.Unknown && !a.Checked {
		t.Errorf("%s to %d: %s was not checked", from, port, a.Verdict)
	}
	return a
}

const winrmRule = "Protocol=6|LPort=5985|App=System|"

// TestWindows: who reaches what by rules of the registry alone.
func TestWindows(t *testing.T) {
	lan, wsl, vpn := "iface:Ethernet", "iface:vEthernet (WSL)", "iface:VPN"
	for name, c := range map[string]struct {
		rule string
		from string
		port int
		want packet.Verdict
		why  string
	}{
		"no rule":                             {"", lan, 5985, packet.Unreachable, "default inbound action (private profile)"},
		"WinRM open to the network of WSL":    {winrmRule + "Profile=Public|RA4=LocalSubnet|RA6=LocalSubnet|", zones.Workload, 5985, packet.Reachable, "172.17.112.2"},
		"and to no other":                     {winrmRule + "Profile=Public|RA4=LocalSubnet|RA6=LocalSubnet|", zones.External, 5985, packet.Unreachable, ""},
		"and to the VPN, which is public too": {winrmRule + "Profile=Public|RA4=LocalSubnet|", vpn, 5985, packet.Reachable, "10.8.0.2"},
		"one neighbour":                       {winrmRule + "RA4=192.168.1.7|", lan, 5985, packet.Reachable, "192.168.1.7"},
		"a service in svchost":                {"Protocol=6|LPort=3389|App=%SystemRoot%\\system32\\svchost.exe|Svc=termservice|", wsl, 3389, packet.Reachable, ""},
		"another service in svchost":          {"Protocol=6|LPort=3389|App=%SystemRoot%\\system32\\svchost.exe|Svc=other|", wsl, 3389, packet.Unreachable, ""},
		"loopback":                            {"Protocol=6|", lan, 18789, packet.Unreachable, "loopback address alone"},
		"the host's own":                      {"", "host", 18789, packet.Reachable, ""},
		"an address of its own":               {"Protocol=6|LPort=139|", lan, 139, packet.Reachable, "> 192.168.1.5:139"},
		"an address of another interface":     {"Protocol=6|LPort=139|", wsl, 139, packet.Unknown, "weak host"},
		"one that is blocked anyway":          {"Protocol=6|LPort=139|Profile=Private|RA4=192.168.1.0/24|", wsl, 139, packet.Unreachable, "public profile"},
		"by the rules of another profile":     {"Protocol=6|LPort=139|Profile=Private|", wsl, 139, packet.Unknown, "the rules for Ethernet may count"},
		"and by any address":                  {winrmRule + "Profile=Private|", wsl, 5985, packet.Unknown, "192.168.1.5"},
		"which does not let them in":          {winrmRule + "Profile=Private|RA4=LocalSubnet|", wsl, 5985, packet.Unreachable, "public profile"},
		"nor another interface of its own":    {winrmRule + "Profile=Private|", vpn, 5985, packet.Unreachable, "public profile"},
		"a program that is not known":         {"App=C:\\x\\y.exe|", lan, 9000, packet.Unknown, "the program that listens was not read"},
		"a kind that a VPN may be":            {winrmRule + "IFType=RemoteAccess|", vpn, 5985, packet.Unknown, "of which kind the interface VPN is to the firewall (type 53)"},
		"and one that Ethernet is not":        {winrmRule + "IFType=RemoteAccess|", lan, 5985, packet.Unreachable, ""},
		"a kind that Ethernet is":             {winrmRule + "IFType=Lan|", lan, 5985, packet.Reachable, ""},
		"no listener":                         {"", lan, 1, packet.Unreachable, "nothing listens"},
	} {
		s := windowsHost()
		if c.rule != "" {
			s = windowsHost(c.rule)
		}
		a := askWindows(t, s, c.from, c.port)
		all := reasons(a)
		if a.Witness != nil {
			all += " " + a.Witness.String()
		}
		if a.Verdict != c.want || !strings.Contains(all, c.why) {
			t.Errorf("%s: %s, %s", name, a.Verdict, all)
		}
	}
}

// TestWindowsProof: the proof is ranges of sources, each with the filter that stops it.
func TestWindowsProof(t *testing.T) {
	a := askWindows(t, windowsHost(winrmRule+"RA4=10.0.0.0/8|"), "iface:Ethernet", 5985, netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fe80::/64"))
	if a.Verdict != packet.Unreachable || len(a.Certificate) != 2 || len(a.Certificate[0].Cubes) != 1 || a.Certificate[0].Cubes[0].Src[0] != "192.168.1.0-192.168.1.255" ||
		a.Certificate[0].Cubes[0].By.Table != "MPSSVC_WF" {
		t.Errorf("%s %+v", a.Verdict, a.Certificate)
	}
}

// engineFilters are what an engine holds: the default block of a profile, and a filter for a port besides.
func engineFilters(s *snapshot.Snapshot, more ...snapshot.WFPFilter) {
	number := func(field string, n uint64) snapshot.WFPCondition {
		return snapshot.WFPCondition{Field: "FWPM_CONDITION_" + field, Match: "FWP_MATCH_EQUAL", Kind: snapshot.WFPNumber, Low: n, High: n}
	}
	f := &s.Windows.Filters
	f.Read = yes("netsh wfp show state")
	f.Sublayers = []snapshot.WFPSublayer{{Key: "FWPM_SUBLAYER_MPSSVC_WF", Weight: 2}, {Key: "{vpn}", Name: "some VPN", Weight: 1000}}
	add := func(x snapshot.WFPFilter) {
		x.Layer = "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
		f.Filters = append(f.Filters, x)
	}
	for p := range uint64(3) {
		add(snapshot.WFPFilter{ID: 100 + p, Name: "Default", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", EffectiveWeight: 8 << 60, Action: "FWP_ACTION_BLOCK", Conditions: []snapshot.WFPCondition{number("ORIGINAL_PROFILE_ID", p+1)}})
	}
	app := func(path string) snapshot.WFPCondition {
		return snapshot.WFPCondition{Field: "FWPM_CONDITION_ALE_APP_ID", Match: "FWP_MATCH_EQUAL", Kind: snapshot.WFPText, Text: path}
	}
	add(snapshot.WFPFilter{ID: 7, Name: "rdp", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", EffectiveWeight: 9 << 60, Action: "FWP_ACTION_PERMIT", Conditions: []snapshot.WFPCondition{
		number("IP_LOCAL_PORT", 3389), number("IP_PROTOCOL", 6), app(`\device\harddiskvolume3\windows\system32\svchost.exe`), number("ORIGINAL_PROFILE_ID", 1),
	}})
	for _, x := range more {
		add(x)
	}
}

// TestWindowsEngine: what the engine holds decides, whatever the registry says, and both are told where they differ.
func TestWindowsEngine(t *testing.T) {
	vpnBlocks := snapshot.WFPFilter{ID: 50, Name: "leak protection", Sublayer: "{vpn}", Action: "FWP_ACTION_BLOCK"}
	vpnCallout := snapshot.WFPFilter{ID: 51, Name: "inspection", Sublayer: "{vpn}", Action: "FWP_ACTION_CALLOUT_TERMINATING", Callout: "some driver"}
	vpnLets := snapshot.WFPFilter{ID: 52, Name: "remote help", Sublayer: "{vpn}", Action: "FWP_ACTION_PERMIT", Flags: []string{"FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT"}}
	callout := func(key string, flags ...string) snapshot.WFPFilter {
		return snapshot.WFPFilter{ID: 53, Name: "n", Sublayer: "{vpn}", Action: "FWP_ACTION_CALLOUT_TERMINATING", Callout: key, Flags: flags}
	}
	for name, c := range map[string]struct {
		more []snapshot.WFPFilter
		from string
		want packet.Verdict
		why  string
	}{
		"a callout by its name":             {[]snapshot.WFPFilter{callout("{there}")}, "iface:vEthernet (WSL)", packet.Unknown, "a driver"},
		"a callout that nobody registered":  {[]snapshot.WFPFilter{callout("{gone}")}, "iface:vEthernet (WSL)", packet.Unreachable, "some VPN"},
		"one that lets through without it":  {[]snapshot.WFPFilter{callout("{gone}", "FWPM_FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED")}, "iface:vEthernet (WSL)", packet.Reachable, ""},
		"a callout of Windows for options":  {[]snapshot.WFPFilter{callout("FWPM_CALLOUT_SET_OPTIONS_AUTH_RECV_ACCEPT_LAYER_V4")}, "iface:vEthernet (WSL)", packet.Reachable, ""},
		"permitted":                         {nil, "iface:vEthernet (WSL)", packet.Reachable, ""},
		"blocked":                           {nil, "iface:Ethernet", packet.Unreachable, "MPSSVC_WF/ALE_AUTH_RECV_ACCEPT#101"},
		"a sublayer of somebody blocks":     {[]snapshot.WFPFilter{vpnBlocks}, "iface:vEthernet (WSL)", packet.Unreachable, "some VPN"},
		"a callout of somebody decides":     {[]snapshot.WFPFilter{vpnCallout}, "iface:vEthernet (WSL)", packet.Unknown, "some driver"},
		"a callout takes away alone":        {[]snapshot.WFPFilter{vpnCallout}, "iface:Ethernet", packet.Unknown, ""},
		"a permit that nobody takes back":   {[]snapshot.WFPFilter{vpnLets}, "iface:Ethernet", packet.Reachable, ""},
		"a filter whose weight is not read": {[]snapshot.WFPFilter{{ID: 9, Name: "odd", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", Action: "FWP_ACTION_BLOCK", EffectiveWeight: 15 << 60, EffectiveUnread: true}}, "iface:vEthernet (WSL)", packet.Unknown, "weight"},
	} {
		s := windowsHost()
		engineFilters(s, c.more...)
		s.Windows.Filters.Callouts = []snapshot.WFPCallout{{Key: "{there}", Name: "a driver", Flags: []string{"FWPM_CALLOUT_FLAG_REGISTERED"}}, {Key: "{gone}"}}
		a := askWindows(t, s, c.from, 3389)
		all := reasons(a)
		if a.Verdict != c.want || !strings.Contains(all, c.why) {
			t.Errorf("%s: %s, %s", name, a.Verdict, all)
		}
	}
}

// TestWindowsDiffers: the registry says blocked, the engine permits.
func TestWindowsDiffers(t *testing.T) {
	s := windowsHost()
	engineFilters(s)
	m := zones.Classify(s, nil)
	differ := 0
	for _, o := range NewWindows(s).Listeners([]int{2}, m.Origins)[2] {
		if o.Differs() {
			differ++
			if o.Registry.Verdict != packet.Unreachable || o.Verdict != packet.Reachable {
				t.Errorf("%s and %s", o.Registry.Verdict, o.Verdict)
			}
		}
	}
	if differ != 2 { // of WSL and the VPN, which are public
		t.Errorf("%d differ", differ)
	}
}

// TestWindowsLink: what is sent to an address of the link comes from the link.
func TestWindowsLink(t *testing.T) {
	s := windowsHost(winrmRule)
	s.Windows.Listeners.List = s.Windows.Listeners.List[1:2] // of IPv6
	a := askWindows(t, s, "iface:Ethernet", 5985)
	if a.Verdict != packet.Reachable || a.Witness.Src.String() == "2001:db8::7" || !a.Witness.Src.IsLinkLocalUnicast() {
		t.Errorf("%s by %s", a.Verdict, a.Witness)
	}
	if a := askWindows(t, s, "iface:Ethernet", 5985, netip.MustParsePrefix("2001:db8::/32")); a.Verdict != packet.Unreachable {
		t.Errorf("from afar it is %s", a.Verdict)
	}
	s.Windows.Adapters.List[0].Addrs = append(s.Windows.Adapters.List[0].Addrs, "2001:db8:1::5/64")
	if a := askWindows(t, s, "iface:Ethernet", 5985); a.Verdict != packet.Reachable || a.Witness.Src.String() != "2001:db8::7" {
		t.Errorf("%s by %s", a.Verdict, a.Witness)
	}
}

// TestWindowsServed: whose a socket is can be known from what the host is set up to serve.
func TestWindowsServed(t *testing.T) {
	s := windowsHost(winrmRule+"Profile=Public|", "Protocol=6|LPort=3389|Profile=Public|App=%SystemRoot%\\system32\\svchost.exe|Svc=termservice|",
		"Protocol=6|LPort=445|Profile=Public|App=System|")
	l := &s.Windows.Listeners.List
	*l = nil
	for _, port := range []int{5985, 3389, 445} {
		*l = append(*l, snapshot.WindowsListener{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: port, OwnerState: snapshot.OwnersUnknown})
	}
	for _, port := range []int{5985, 3389, 445} {
		if a := askWindows(t, s, "workload", port); a.Verdict != packet.Unknown {
			t.Errorf("%d: %s", port, a.Verdict)
		}
	}
	s.Windows.WinRM.Listeners = []snapshot.WinRMListener{{Address: "*", Transport: "HTTP", Port: 5985, Enabled: true}}
	s.Windows.RDP.Settings = map[string]snapshot.Fact{"fDenyTSConnections": yes("0")}
	s.Windows.Services.List = append(s.Windows.Services.List, snapshot.WindowsService{Name: "LanmanServer", Start: 2})
	for _, port := range []int{5985, 3389, 445} {
		if a := askWindows(t, s, "workload", port); a.Verdict != packet.Reachable {
			t.Errorf("%d: %s, %s", port, a.Verdict, reasons(a))
		}
	}
}

// TestWindowsNotRead: where rules, listeners or interfaces were not read nothing is proven.
func TestWindowsNotRead(t *testing.T) {
	s := windowsHost()
	s.Windows.Firewall.Stores[0].Read = snapshot.Fact{State: snapshot.Denied, Reason: "access is denied"}
	if a := askWindows(t, s, "external", 5985); a.Verdict != packet.Unknown || !strings.Contains(reasons(a), "access is denied") {
		t.Errorf("rules: %s, %s", a.Verdict, reasons(a))
	}
	s = windowsHost()
	s.Windows.Listeners = snapshot.WindowsListeners{Read: snapshot.Fact{State: snapshot.Denied, Reason: "access is denied"}}
	if a := askWindows(t, s, "external", 5985); a.Verdict != packet.Unknown {
		t.Errorf("listeners: %s", a.Verdict)
	}
	s = windowsHost(winrmRule + "RA4=LocalSubnet|")
	s.Windows.Adapters = snapshot.WindowsAdapters{Read: snapshot.Fact{State: snapshot.Denied, Reason: "access is denied"}}
	if a := askWindows(t, s, "external", 5985); a.Verdict != packet.Unknown {
		t.Errorf("interfaces: %s", a.Verdict)
	}
}

// TestWindowsOrderOfSublayers: a hard permit and a block decide by the order of their sublayers; where that is not known neither does, whatever their keys.
func TestWindowsOrderOfSublayers(t *testing.T) {
	sub := func(key string, weight uint16) snapshot.WFPSublayer {
		return snapshot.WFPSublayer{Key: key, Weight: weight}
	}
	for name, c := range map[string]struct {
		subs      []snapshot.WFPSublayer
		wide      packet.Verdict // of who is blocked and let in
		elsewhere packet.Verdict // of who is blocked alone
	}{
		"a tie with a third":     {[]snapshot.WFPSublayer{sub("{a}", 9), sub("{b}", 5), sub("{c}", 9)}, packet.Unknown, packet.Unreachable},
		"all in order":           {[]snapshot.WFPSublayer{sub("{a}", 9), sub("{b}", 5), sub("{c}", 2)}, packet.Reachable, packet.Unreachable},
		"the block first":        {[]snapshot.WFPSublayer{sub("{a}", 5), sub("{b}", 9), sub("{c}", 2)}, packet.Unreachable, packet.Unreachable},
		"one weight":             {[]snapshot.WFPSublayer{sub("{a}", 5), sub("{b}", 5), sub("{c}", 2)}, packet.Unknown, packet.Unknown},
		"that of the permit":     {[]snapshot.WFPSublayer{sub("{b}", 5), sub("{c}", 2)}, packet.Unknown, packet.Unreachable},
		"that of the block":      {[]snapshot.WFPSublayer{sub("{a}", 5), sub("{c}", 2)}, packet.Unknown, packet.Unknown},
		"no sublayers were told": {nil, packet.Unknown, packet.Unreachable},
	} {
		for _, swap := range []bool{false, true} {
			s := windowsHost()
			permit, block := "{a}", "{b}"
			subs := append([]snapshot.WFPSublayer{}, c.subs...)
			if swap { // keys are no order
				permit, block = "{b}", "{a}"
				for i := range subs {
					if at := map[string]string{"{a}": "{b}", "{b}": "{a}"}[subs[i].Key]; at != "" {
						subs[i].Key = at
					}
				}
			}
			filter := func(id uint64, key, action string, from ...string) snapshot.WFPFilter {
				f := snapshot.WFPFilter{ID: id, Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: key, Action: "FWP_ACTION_" + action}
				if len(from) > 0 {
					f.Conditions = []snapshot.WFPCondition{{Field: "FWPM_CONDITION_IP_REMOTE_ADDRESS", Match: "FWP_MATCH_RANGE", Kind: snapshot.WFPAddress, First: from[0], Last: from[1]}}
					f.Flags = []string{"FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT"}
				}
				return f
			}
			s.Windows.Filters = snapshot.WindowsFilters{Read: yes("netsh wfp show state"), Sublayers: subs, Filters: []snapshot.WFPFilter{
				filter(1, permit, "PERMIT", "198.51.100.0", "198.51.100.255"), filter(2, block, "BLOCK"), filter(3, "{c}", "PERMIT"),
			}}
			for i, want := range map[string]packet.Verdict{"198.51.100.0/24": c.wide, "203.0.113.0/24": c.elsewhere} {
				if a := askWindows(t, s, "external", 5985, netip.MustParsePrefix(i)); a.Verdict != want {
					t.Errorf("%s, keys swapped %v, from %s: %s, want %s: %s", name, swap, i, a.Verdict, want, reasons(a))
				}
			}
		}
	}
}

// TestWindowsInspectsFTP: the callout by which the firewall follows FTP stops nothing, and opens nothing where no server of it listens.
func TestWindowsInspectsFTP(t *testing.T) {
	for _, c := range []struct {
		ftp, block bool
		callout    string
		want       packet.Verdict
	}{
		{false, false, "{c3dbed20-0bb6-4bf3-828d-96732e1e022c}", packet.Reachable},
		{false, true, "{c3dbed20-0bb6-4bf3-828d-96732e1e022c}", packet.Unreachable},
		{true, true, "{c3dbed20-0bb6-4bf3-828d-96732e1e022c}", packet.Unknown},
		{false, true, "{c3dbed20-0bb6-4bf3-828d-96732e1e022e}", packet.Unreachable},
		{false, false, "{c3dbed20-0bb6-4bf3-828d-96732e1e022d}", packet.Unknown},
	} {
		s := windowsHost()
		if c.ftp {
			s.Windows.Listeners.List = append(s.Windows.Listeners.List, snapshot.WindowsListener{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 21})
		}
		s.Windows.Filters = snapshot.WindowsFilters{Read: yes("netsh wfp show state"), Sublayers: []snapshot.WFPSublayer{{Key: "FWPM_SUBLAYER_MPSSVC_WF", Weight: 2}}}
		for i, action := range []string{"CALLOUT_UNKNOWN", map[bool]string{true: "BLOCK", false: "PERMIT"}[c.block]} {
			f := snapshot.WFPFilter{
				ID: uint64(i), Provider: "FWPM_PROVIDER_MPSSVC_WF", Layer: "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4", Sublayer: "FWPM_SUBLAYER_MPSSVC_WF", Action: "FWP_ACTION_" + action,
				EffectiveWeight: uint64(9 - i),
			}
			if i == 0 {
				f.Callout = c.callout
			}
			s.Windows.Filters.Filters = append(s.Windows.Filters.Filters, f)
		}
		if a := askWindows(t, s, "external", 5985); a.Verdict != c.want {
			t.Errorf("%+v: %s, %s", c, a.Verdict, reasons(a))
		}
	}
}

// TestWindowsUnseen: that nothing listens is said only of sockets that were told.
func TestWindowsUnseen(t *testing.T) {
	ask := func(s *snapshot.Snapshot, proto string, port int) Answer {
		a, err := AskWindows(t.Context(), s, zones.Classify(s, nil), &Words{From: "external", To: "host", Proto: proto, Dport: port})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	s := windowsHost()
	if a := ask(s, "udp", 161); a.Verdict != packet.Unknown || !strings.Contains(reasons(a), "Get-NetUDPEndpoint") {
		t.Errorf("no UDP was told: %s, %s", a.Verdict, reasons(a))
	}
	s.Windows.Listeners.List = append(s.Windows.Listeners.List, snapshot.WindowsListener{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 123})
	if a := ask(s, "udp", 161); a.Verdict != packet.Unreachable {
		t.Errorf("UDP was told: %s, %s", a.Verdict, reasons(a))
	}
	s.Windows.Networks.List = []snapshot.WindowsNetwork{{Name: "nat", Ports: []snapshot.WindowsPortMap{{Proto: "tcp", Port: 2222, ToAddr: "172.20.0.5", ToPort: 22}}}}
	if a := ask(s, "tcp", 2222); a.Verdict != packet.Unknown || !strings.Contains(reasons(a), "172.20.0.5:22") {
		t.Errorf("a port that WinNAT translates: %s, %s", a.Verdict, reasons(a))
	}
	if a := ask(s, "udp", 2222); a.Verdict != packet.Unreachable {
		t.Errorf("one of another protocol: %s, %s", a.Verdict, reasons(a))
	}
	s.Windows.Listeners.Read = snapshot.Fact{State: snapshot.Error, Reason: "the table of UDP"}
	if a := ask(s, "tcp", 5985); a.Verdict != packet.Unknown || !strings.Contains(reasons(a), "the table of UDP") {
		t.Errorf("a part of the sockets: %s, %s", a.Verdict, reasons(a))
	}
}

// TestWindowsRoutes: whom routes lead to is behind an interface too, and may be what LocalSubnet stands for.
func TestWindowsRoutes(t *testing.T) {
	host := func(rule string, links, routes []string) *snapshot.Snapshot {
		s := windowsHost(winrmRule + rule)
		a := &s.Windows.Adapters.List[2]
		a.Addrs, a.Links, a.Routes, a.RoutesTold = []string{"10.8.0.2/32"}, links, routes, len(links)+len(routes) > 0
		return s
	}
	vpn := "iface:VPN"
	for name, c := range map[string]struct {
		rule, from    string
		links, routes []string
		want          packet.Verdict
		why           string
	}{
		"an address alone":                      {"RA4=10.9.0.0/16|", vpn, nil, nil, packet.Unknown, "who is behind the interface VPN"},
		"which is stopped whoever is behind it": {"Profile=Private|", vpn, nil, nil, packet.Unreachable, "public profile"},
		"a route to who is let in":              {"Profile=Public|RA4=10.9.0.0/16|", vpn, nil, []string{"10.9.0.0/24"}, packet.Reachable, ""},
		"a route to others":                     {"Profile=Public|RA4=10.9.0.0/16|", vpn, nil, []string{"10.10.0.0/24"}, packet.Unreachable, "public profile"},
		"everybody is of the link":              {"Profile=Public|RA4=LocalSubnet|", zones.External, []string{"0.0.0.0/0"}, nil, packet.Unknown, "routed to the link of VPN"},
		"but of another profile":                {"Profile=Private|RA4=LocalSubnet|", vpn, []string{"0.0.0.0/0"}, nil, packet.Unreachable, "public profile"},
	} {
		if a := askWindows(t, host(c.rule, c.links, c.routes), c.from, 5985); a.Verdict != c.want || !strings.Contains(reasons(a), c.why) {
			t.Errorf("%s: %s, %s", name, a.Verdict, reasons(a))
		}
	}
	s := host("Profile=Public|RA4=LocalSubnet|", []string{"10.9.0.0/16"}, nil)
	if a := askWindows(t, s, vpn, 5985, netip.MustParsePrefix("10.10.0.0/16")); a.Verdict != packet.Unreachable {
		t.Errorf("whom the routes of the link do not lead to: %s, %s", a.Verdict, reasons(a))
	}
	for _, half := range []string{"0.0.0.0/1", "10.0.0.0/8"} {
		m := zones.Classify(host("", nil, []string{half}), nil)
		want := map[bool]string{true: zones.External, false: zones.Management}[half == "0.0.0.0/1"]
		if got := m.Interfaces[2].Zone; got != want {
			t.Errorf("a VPN with a route to %s is %s", half, got)
		}
	}
}

// TestWindowsUntold: who is behind an interface whose routes were not told may be anybody, but not who is behind another one.
func TestWindowsUntold(t *testing.T) {
	wsl := "iface:vEthernet (WSL)"
	for name, c := range map[string]struct {
		rule, from string
		src        string
		want       packet.Verdict
		why        string
	}{
		"nobody of its network":       {"RA4=10.9.0.0/16|", zones.Workload, "", packet.Unknown, "besides its own network"},
		"nor of a network":            {"RA4=10.9.0.0/16|", zones.Workload, "10.0.0.0/8", packet.Unknown, "besides its own network"},
		"but of another interface":    {"RA4=10.8.0.7|", zones.Workload, "", packet.Unreachable, "public profile"},
		"one of its network":          {"RA4=172.17.112.0/20|", zones.Workload, "", packet.Reachable, ""},
		"nobody at all":               {"Profile=Private|RA4=LocalSubnet|", wsl, "", packet.Unreachable, "public profile"},
		"sources that were asked for": {"RA4=10.9.0.0/16|", wsl, "10.10.0.0/16", packet.Unreachable, "public profile"},
	} {
		s := windowsHost(winrmRule + c.rule)
		s.Windows.Adapters.List[1].RoutesTold = false
		var src []netip.Prefix
		if c.src != "" {
			src = append(src, netip.MustParsePrefix(c.src))
		}
		if a := askWindows(t, s, c.from, 5985, src...); a.Verdict != c.want || !strings.Contains(reasons(a), c.why) {
			t.Errorf("%s: %s, %s", name, a.Verdict, reasons(a))
		}
	}
}

// TestWindowsChildren: a program that is not known to be a service may be the child of one, and has its token then.
func TestWindowsChildren(t *testing.T) {
	s := windowsHost("Protocol=6|LPort=8080|Svc=gateway|")
	w := &s.Windows
	w.Services.List = append(w.Services.List, snapshot.WindowsService{Name: "gateway", SIDType: 1, Type: 0x10, Image: `C:\tools\nssm.exe`})
	w.Listeners.List = append(w.Listeners.List, snapshot.WindowsListener{
		Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 8080, PID: 77, Process: "node.exe", Path: `C:\Program Files\nodejs\node.exe`, OwnerState: snapshot.OwnersSeen,
	})
	if a := askWindows(t, s, zones.External, 8080); a.Verdict != packet.Unknown || !strings.Contains(reasons(a), "token") {
		t.Errorf("%s, %s", a.Verdict, reasons(a))
	}
	w.Processes.List = []snapshot.WindowsProcess{{PID: 77, Token: yes(""), User: "S-1-5-21-1-1001", Groups: []string{"S-1-5-11"}}}
	if a := askWindows(t, s, zones.External, 8080); a.Verdict != packet.Unreachable {
		t.Errorf("whose token was read: %s, %s", a.Verdict, reasons(a))
	}
}

// TestWindowsGaps: nothing is proven by what was not read whole.
func TestWindowsGaps(t *testing.T) {
	const public, lan = winrmRule + "Profile=Public|", "iface:Ethernet"
	for name, c := range map[string]struct {
		change func(*snapshot.Snapshot)
		from   string
		port   int
		want   packet.Verdict
		why    string
	}{
		"whole":                     {func(*snapshot.Snapshot) {}, lan, 5985, packet.Unreachable, "private profile"},
		"a hive not written":        {gap("firewall"), lan, 5985, packet.Unknown, "the rules of the firewall were not read whole"},
		"which lets somebody in":    {gap("firewall"), "iface:VPN", 5985, packet.Reachable, ""},
		"loopback is never open":    {gap("firewall"), lan, 18789, packet.Unreachable, "loopback"},
		"a socket that was not":     {gap("listeners"), lan, 1, packet.Unknown, "not all that listens was read"},
		"nor by the host":           {gap("listeners"), zones.Host, 1, packet.Unknown, "not all that listens was read"},
		"an interface that was not": {gap("adapters"), lan, 5985, packet.Unknown, "not all interfaces were read"},
		"those of the registry": {func(s *snapshot.Snapshot) {
			s.Windows.Adapters.Read = snapshot.Fact{State: snapshot.Error, Reason: "no addresses of IPv6"}
		}, lan, 5985, packet.Unknown, "no addresses of IPv6"},
		"ports of machines": {func(s *snapshot.Snapshot) { s.Windows.Networks.MapsTold = false }, lan, 1, packet.Unknown, "Get-NetNatStaticMapping"},
		"where there can be none": {func(s *snapshot.Snapshot) {
			s.Windows.Networks.MapsTold, s.Windows.Adapters.List = false, s.Windows.Adapters.List[:1]
		}, lan, 1, packet.Unreachable, "nothing listens"},
	} {
		s := windowsHost(public)
		c.change(s)
		if a := askWindows(t, s, c.from, c.port); a.Verdict != c.want || !strings.Contains(reasons(a), c.why) {
			t.Errorf("%s: %s, %s", name, a.Verdict, reasons(a))
		}
	}
}

// gap makes a part of the host one that was not read whole.
func gap(part string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		s.Coverage[0] = snapshot.Coverage{Collector: "windows", Status: snapshot.Partial, Parts: []string{part}, Reasons: []string{part + ": SYSTEM was not written to its end"}}
	}
}

// TestWindowsTwice: neighbours in a network that two interfaces are in are asked for at both.
func TestWindowsTwice(t *testing.T) {
	s := windowsHost(winrmRule + "Profile=Private|RA4=LocalSubnet|")
	list := &s.Windows.Adapters.List
	wifi := (*list)[0]
	wifi.Name, wifi.GUID, wifi.LUID, wifi.Type, wifi.Addrs = "Wi-Fi", "{e}", 9, 71, []string{"192.168.1.6/24"}
	*list = append(*list, wifi)
	if a := askWindows(t, s, zones.External, 5985); a.Verdict != packet.Reachable {
		t.Errorf("%s, %s", a.Verdict, reasons(a))
	}
}

// TestWindowsFamilies: a socket of one address of IPv4 says nothing of one that takes both families.
func TestWindowsFamilies(t *testing.T) {
	s := windowsHost("Protocol=6|LPort=8080|RA4=10.8.0.0/24|")
	l := &s.Windows.Listeners.List
	*l = []snapshot.WindowsListener{
		{Proto: "tcp", Family: 4, Addr: "127.0.0.1", Port: 8080, PID: 7, OwnerState: snapshot.OwnersUnknown},
		{Proto: "tcp", Family: 6, Addr: "::", Port: 8080, PID: 8, OwnerState: snapshot.OwnersUnknown},
	}
	if a := askWindows(t, s, "iface:VPN", 8080); a.Verdict != packet.Reachable {
		t.Errorf("beside one of loopback: %s, %s", a.Verdict, reasons(a))
	}
	w := NewWindows(s)
	if both := w.families(&(*l)[1]); len(both) != 2 {
		t.Errorf("families %v", both)
	}
	if (*l)[0].Addr = "0.0.0.0"; len(NewWindows(s).families(&(*l)[1])) != 1 {
		t.Error("one that has its own half takes both families")
	}
}

// TestWindowsBounded: rules and listeners without end use up an effort, and leave the rest unknown.
func TestWindowsBounded(t *testing.T) {
	s := windowsHost()
	w := NewWindows(s)
	w.left = 200
	seen := map[packet.Verdict]int{}
	for _, list := range w.Listeners([]int{0, 1, 2, 4, 5}, zones.Classify(s, nil).Origins) {
		for _, a := range list {
			if seen[a.Verdict]++; a.Verdict == packet.Unknown && !strings.Contains(reasons(a.Answer), "used up") {
				t.Error(reasons(a.Answer))
			}
		}
	}
	if seen[packet.Unreachable] == 0 || seen[packet.Unknown] == 0 {
		t.Errorf("%v", seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, a := range NewWindows(s).Within(ctx).Listeners([]int{0}, zones.Classify(s, nil).Origins)[0] {
		if a.Verdict != packet.Unknown || !strings.Contains(reasons(a.Answer), "no time left") {
			t.Errorf("%s, %s", a.Verdict, reasons(a.Answer))
		}
	}
}
