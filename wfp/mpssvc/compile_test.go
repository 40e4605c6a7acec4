package mpssvc

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
)

func present(s string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: s} }

// host has a private network at 192.168.1.0/24 and that of WSL, which is public.
//
//go:fix inline
func host(rules ...string) *snapshot.Windows {
	w := &snapshot.Windows{
		System:   snapshot.WindowsSystem{Major: 10},
		Services: snapshot.WindowsServices{Read: present("registry")},
		Firewall: snapshot.WindowsFirewall{Read: present("registry")},
		Adapters: snapshot.WindowsAdapters{Read: present("registry"), List: []snapshot.WindowsAdapter{
			{Name: "Ethernet", GUID: "{a}", Type: 6, Addrs: []string{"192.168.1.5/24", "fe80::5/64"}, Gateways: []string{"192.168.1.1"}, Profile: snapshot.ProfilePrivate, ProfileRead: present("")},
			{Name: "vEthernet (WSL)", GUID: "{b}", Type: 6, Addrs: []string{"172.17.112.1/20"}, ProfileRead: snapshot.Fact{State: snapshot.Absent}},
		}},
	}
	for i := range w.Adapters.List {
		w.Adapters.List[i].RoutesTold = true
	}
	local := snapshot.FirewallStore{Store: snapshot.StoreLocal, Read: present("registry")}
	for i, r := range rules {
		local.Rules = append(local.Rules, snapshot.FirewallRule{ID: string(rune('A' + i)), Text: r})
	}
	w.Firewall.Stores = []snapshot.FirewallStore{local, {Store: snapshot.StoreGPO, Read: snapshot.Fact{State: snapshot.Absent}}}
	return w
}

// from are sources with the profile and interface that they come in by.
var from = map[string]struct {
	addr    string
	profile uint64
	guid    string
}{
	"lan": {"192.168.1.77", 2, "{a}"}, "wsl": {"172.17.120.3", 1, "{b}"}, "internet": {"198.51.100.7", 2, "{a}"}, "neighbour6": {"fe80::77", 2, "{a}"},
	"far6": {"2001:db8::7", 2, "{a}"},
}

// listeners are what is asked for.
var listeners = map[string]wfp.Facts{
	"winrm":  {wfp.Protocol: {Number: 6}, wfp.LocalPort: {Number: 5985}, wfp.App: {Text: "system"}, wfp.User: {SIDs: []string{"S-1-1-0", "S-1-5-18"}}},
	"smb":    {wfp.Protocol: {Number: 6}, wfp.LocalPort: {Number: 445}, wfp.App: {Text: "system"}, wfp.User: {SIDs: []string{"S-1-1-0", "S-1-5-18"}}},
	"rdp":    {wfp.Protocol: {Number: 6}, wfp.LocalPort: {Number: 3389}, wfp.App: {Text: `c:\windows\system32\svchost.exe`}, wfp.User: {SIDs: []string{"S-1-1-0", ServiceSID("TermService")}}},
	"node":   {wfp.Protocol: {Number: 6}, wfp.LocalPort: {Number: 18789}, wfp.App: {Text: `c:\program files\nodejs\node.exe`}, wfp.User: {SIDs: []string{"S-1-1-0"}}},
	"mdns":   {wfp.Protocol: {Number: 17}, wfp.LocalPort: {Number: 5353}, wfp.App: {Text: `c:\windows\system32\svchost.exe`}, wfp.User: {SIDs: []string{"S-1-1-0", ServiceSID("dnscache")}}},
	"rpc":    {wfp.Protocol: {Number: 6}, wfp.LocalPort: {Number: 49664}, wfp.App: {Text: `c:\windows\system32\lsass.exe`}, wfp.User: {SIDs: []string{"S-1-1-0"}}, wfp.SystemPort: {Open: 1, OpenWhy: "RPC"}},
	"https":  {wfp.Protocol: {Number: 6}, wfp.LocalPort: {Number: 443}, wfp.App: {Text: "system"}, wfp.User: {SIDs: []string{"S-1-1-0", "S-1-5-18"}}},
	"teredo": {wfp.Protocol: {Number: 17}, wfp.LocalPort: {Number: 51000}, wfp.App: {Text: `c:\windows\system32\svchost.exe`}, wfp.User: {SIDs: []string{"S-1-1-0", ServiceSID("iphlpsvc")}}},
}

func ask(w *snapshot.Windows, source, listener string) packet.Verdict {
	s := from[source]
	addr := netip.MustParseAddr(s.addr)
	facts := wfp.Facts{
		wfp.OriginalProfile: {Number: s.profile}, wfp.ArrivalInterface: {Text: s.guid}, wfp.ArrivalTunnel: {}, wfp.ArrivalType: {Number: 6},
		wfp.Flags: {Open: wfp.FlagIPsec, OpenWhy: "IPsec"}, wfp.PackageID: {Text: "S-1-0-0"}, wfp.PackageFamily: {}, WiFiDirect: {}, wfp.SystemPort: {},
		wfp.LocalAddress: {Addr: netip.MustParseAddr("192.168.1.5")}, wfp.ICMPType: {}, wfp.RemoteMachine: {Unknown: "IPsec"},
	}
	if addr.Is6() {
		facts[wfp.LocalAddress] = wfp.Fact{Addr: netip.MustParseAddr("fe80::5")}
	}
	maps.Copy(facts, listeners[listener])
	p := Compile(w)
	a := wfp.New(p.Filters, p.Sublayers).Ask(&wfp.Question{V4: addr.Is4(), Facts: facts, From: []wfp.Span{{From: addr, To: addr}}, Ports: wfp.PortSpan{From: 50000, To: 50000}})
	return a.Verdict
}

const winrm = "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5985|App=System|Name=WinRM|"

// TestRules: what rules let in, one trap each. What is not told is unreachable.
func TestRules(t *testing.T) {
	gpo := func(w *snapshot.Windows, p snapshot.FirewallProfile) *snapshot.Windows {
		w.Firewall.Stores[1].Read = present("registry")
		w.Firewall.Stores[1].Profiles = append(w.Firewall.Stores[1].Profiles, p)
		return w
	}
	local := func(w *snapshot.Windows, p snapshot.FirewallProfile) *snapshot.Windows {
		w.Firewall.Stores[0].Profiles = append(w.Firewall.Stores[0].Profiles, p)
		return w
	}
	mdm := func(w *snapshot.Windows, p snapshot.FirewallProfile) *snapshot.Windows {
		w.Firewall.Stores = append(w.Firewall.Stores, snapshot.FirewallStore{Store: snapshot.StoreMDM, Read: present("registry"), Profiles: []snapshot.FirewallProfile{p}})
		return w
	}
	static := func(w *snapshot.Windows, rules ...string) *snapshot.Windows {
		st := snapshot.FirewallStore{Store: snapshot.StoreStatic, Read: present("registry")}
		for i, r := range rules {
			st.Rules = append(st.Rules, snapshot.FirewallRule{ID: string(rune('a' + i)), Text: r})
		}
		w.Firewall.Stores = append(w.Firewall.Stores, st)
		return w
	}
	servers := func(w *snapshot.Windows, dns ...string) *snapshot.Windows {
		w.Adapters.List[0].DNS = dns
		return w
	}
	private, public := snapshot.ProfilePrivate, snapshot.ProfilePublic
	for name, c := range map[string]struct {
		w             *snapshot.Windows
		reach, unsure []string // source>listener
	}{
		"nothing is allowed":          {host(), nil, nil},
		"a rule":                      {host(winrm), []string{"lan>winrm", "wsl>winrm", "internet>winrm", "far6>winrm", "neighbour6>winrm"}, nil},
		"a rule that is not active":   {host(strings.Replace(winrm, "TRUE", "FALSE", 1)), nil, nil},
		"a rule without Active":       {host(strings.Replace(winrm, "Active=TRUE|", "", 1)), nil, nil},
		"a rule for what goes out":    {host(strings.Replace(winrm, "Dir=In", "Dir=Out", 1)), nil, nil},
		"keys in another case":        {host("v2.31|ACTION=allow|active=true|dir=IN|protocol=6|lport=5985|app=SYSTEM|ra4=192.168.1.77|"), []string{"lan>winrm"}, nil},
		"a profile":                   {host(winrm + "Profile=Private|"), []string{"lan>winrm", "internet>winrm", "far6>winrm", "neighbour6>winrm"}, nil},
		"LocalSubnet in each profile": {host(winrm + "RA4=LocalSubnet|RA6=LocalSubnet|"), []string{"lan>winrm", "wsl>winrm"}, []string{"neighbour6>winrm"}},
		"LocalSubnet of one profile":  {host(winrm + "RA4=LocalSubnet|Profile=Public|"), []string{"wsl>winrm"}, nil},
		"one family":                  {host(winrm + "RA6=fe80::/10|"), []string{"neighbour6>winrm"}, nil},
		"a mask":                      {host(winrm + "RA4=192.168.0.0/255.255.0.0|"), []string{"lan>winrm"}, nil},
		"a range":                     {host(winrm + "RA4=172.17.120.0-172.17.120.9|"), []string{"wsl>winrm"}, nil},
		"the default gateway":         {host(winrm + "RA4=DefaultGateway|"), nil, nil},
		"DNS servers that were told":  {servers(host(winrm+"RA4=DNS|Profile=Private|"), "192.168.1.77"), []string{"lan>winrm"}, nil},
		"DNS servers that were not":   {host(winrm + "RA4=DNS|Profile=Private|"), nil, []string{"lan>winrm", "internet>winrm"}},
		"DHCP servers that were not":  {host(winrm + "RA4=DHCP|RA6=DHCP|Profile=Public|"), nil, []string{"wsl>winrm"}},
		"a keyword nobody resolves":   {host(winrm + "RA4=IntrAnet|Profile=Private|"), nil, []string{"lan>winrm", "internet>winrm"}},
		"block over allow":            {host(winrm, strings.Replace(winrm, "Allow", "Block", 1)+"RA4=192.168.0.0/16|"), []string{"wsl>winrm", "internet>winrm", "far6>winrm", "neighbour6>winrm"}, nil},
		"an interface":                {host(winrm + "IF={B}|"), []string{"wsl>winrm"}, nil},
		"a type of interfaces":        {host(winrm + "IFType=Wireless|"), nil, nil},
		"a service":                   {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|App=%SystemRoot%\\system32\\svchost.exe|Svc=termservice|"), []string{"wsl>rdp"}, nil},
		"another service":             {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|App=%SystemRoot%\\system32\\svchost.exe|Svc=W32Time|"), nil, nil},
		"a program elsewhere":         {host("v2.31|Action=Allow|Active=TRUE|Dir=In|App=C:\\Program Files (x86)\\nodejs\\node.exe|"), nil, nil},
		"a program":                   {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|App=%ProgramFiles%\\nodejs\\node.exe|"), []string{"wsl>node"}, nil},
		"a port in a range":           {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort2_10=400-500|"), []string{"wsl>smb", "wsl>https"}, nil},
		"ports that run backwards": {
			host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=445|LPort2_10=3389-3380|", winrm+"Profile=Public|"), []string{"wsl>winrm"}, []string{"wsl>rdp", "wsl>smb"},
		},
		"addresses that run backwards":  {host(winrm + "RA4=172.17.255.255-172.17.0.0|"), nil, []string{"wsl>winrm"}},
		"the RPC keyword":               {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=RPC|"), nil, []string{"wsl>rpc"}},
		"IP-HTTPS":                      {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort2_10=IPTLSIn|LPort2_10=IPHTTPSIn|App=System|"), nil, []string{"wsl>https"}},
		"Teredo":                        {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=17|LPort=Teredo|App=%SystemRoot%\\system32\\svchost.exe|Svc=iphlpsvc|"), nil, []string{"wsl>teredo"}},
		"mDNS":                          {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=17|LPort2_24=mDNS|"), []string{"wsl>mdns"}, nil},
		"IPsec alone":                   {host(winrm + "Profile=Public|Security=Authenticate|"), nil, []string{"wsl>winrm"}},
		"IPsec does not block others":   {host(winrm+"Profile=Public|", strings.Replace(winrm, "Allow", "ByPass", 1)+"Profile=Public|"), []string{"wsl>winrm"}, nil},
		"a bypass without its halves":   {host(strings.Replace(winrm, "Allow", "ByPass", 1)), nil, nil},
		"a bypass over a block":         {host(strings.Replace(winrm, "Allow", "ByPass", 1)+"Security=Authenticate|RMauth=O:LSD:(A;;CC;;;WD)|Profile=Public|", strings.Replace(winrm, "Allow", "Block", 1)), nil, []string{"wsl>winrm"}},
		"peers without IPsec":           {host(winrm + "Profile=Public|RMauth=O:LSD:(A;;CC;;;WD)|"), nil, []string{"wsl>winrm"}},
		"users without IPsec":           {host(winrm + "Profile=Public|RUAuth=O:LSD:(A;;CC;;;WD)|"), nil, []string{"wsl>winrm"}},
		"a program without a name":      {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=5985|App=|"), nil, []string{"wsl>winrm"}},
		"a service without a name":      {host(winrm + "Profile=Public|Svc=|"), nil, []string{"wsl>winrm"}},
		"a pairing":                     {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=System|TTK2_27=WFDKmDriver|"), nil, nil},
		"a package":                     {host("v2.31|Action=Allow|Active=TRUE|Dir=In|AppPkgId=S-1-15-2-1|"), nil, nil},
		"another system":                {host(winrm + "Platform=2:6:1|"), nil, nil},
		"this system or a later one":    {host(winrm + "Profile=Public|Platform=2:6:1|Platform2=GTEQ|"), []string{"wsl>winrm"}, nil},
		"a part nobody knows":           {host(winrm + "Profile=Public|Moon=Full|"), nil, []string{"wsl>winrm"}},
		"an action nobody knows":        {host(strings.Replace(winrm, "Allow", "Maybe", 1) + "Profile=Public|"), nil, []string{"wsl>winrm"}},
		"and over one that allows":      {host(winrm+"Profile=Public|", "v2.31|Active=TRUE|Dir=In|Protocol=6|LPort=5985|"), nil, []string{"lan>winrm", "internet>winrm", "far6>winrm", "neighbour6>winrm", "wsl>winrm"}},
		"a variable of another program": {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|App=%LOCALAPPDATA%\\nodejs\\node.exe|"), nil, []string{"wsl>*"}},
		"a program in quotes":           {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|App=\"C:\\Program Files\\nodejs\\node.exe\"|"), nil, []string{"wsl>node"}},
		"a program with two slashes":    {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|App=C:\\\\Program Files\\\\nodejs\\\\node.exe|"), nil, []string{"wsl>node"}},
		"a program by a way up":         {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|App=C:\\Program Files\\x\\..\\nodejs\\node.exe|"), nil, []string{"wsl>node"}},
		"a program on a device":         {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|App=\\device\\harddiskvolume3\\program files\\nodejs\\node.exe|"), nil, []string{"wsl>node"}},
		"a program without a directory": {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|App=node.exe|"), nil, []string{"wsl>node"}},
		"a blocked one with a blank": {
			host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|", "v2.31|Action=Block|Active=TRUE|Dir=In|App=C:\\Program Files\\nodejs\\node.exe |"), nil, []string{"wsl>node"},
		},
		"ports without a protocol": {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|LPort=18789|"), nil, []string{"wsl>node"}},
		"all ports but some are blocked": {
			host("v2.31|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort2_10=1-444|LPort2_10=446-65535|Name=TCP|", "v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|"), []string{"wsl>smb"}, nil,
		},
		"a question that was answered": {
			host("v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Public|App=C:\\program files\\nodejs\\node.exe|Name=node|Desc=node|Defer=User|"), []string{"wsl>node"}, nil,
		},
		"a short name":                {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=18789|App=C:\\PROGRA~1\\nodejs\\node.exe|"), nil, []string{"wsl>node"}},
		"the firewall is off":         {local(host(), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(0))}), []string{"wsl>*"}, nil},
		"a policy turns it on":        {gpo(local(host(), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(0))}), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(1))}), nil, nil},
		"open by default":             {local(host(), snapshot.FirewallProfile{Profile: public, DefaultInboundAction: new(uint32(0))}), []string{"wsl>*"}, nil},
		"a policy is open by default": {gpo(local(host(), snapshot.FirewallProfile{Profile: public, DefaultInboundAction: new(uint32(1))}), snapshot.FirewallProfile{Profile: public, DefaultInboundAction: new(uint32(0))}), []string{"wsl>*"}, nil},
		"shielded":                    {local(host(winrm), snapshot.FirewallProfile{Profile: private, DoNotAllowExceptions: new(uint32(1))}), []string{"wsl>winrm"}, nil},
		"local rules do not count":    {gpo(host(winrm), snapshot.FirewallProfile{Profile: private, AllowLocalPolicyMerge: new(uint32(0))}), []string{"wsl>winrm"}, nil},
		"merging is no local setting": {local(host(winrm+"Profile=Public|"), snapshot.FirewallProfile{Profile: public, AllowLocalPolicyMerge: new(uint32(0))}), []string{"wsl>winrm"}, nil},
		"rules for ports may not count": {
			gpo(host(winrm+"Profile=Public|", winrm+"Profile=Private|RA4=192.168.1.77|"), snapshot.FirewallProfile{Profile: public, GlobalPorts: new(uint32(0))}), []string{"lan>winrm"}, []string{"wsl>winrm"},
		},
		"rules for programs may not count": {
			gpo(host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=445|", `v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|App=%ProgramFiles%\nodejs\node.exe|`), snapshot.FirewallProfile{Profile: public, AuthApps: new(uint32(0))}),
			[]string{"wsl>smb"},
			[]string{"wsl>node"},
		},
		"nor those that block": {
			gpo(host(strings.Replace(winrm, "App=System|", "", 1), "v2.31|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=5985|"), snapshot.FirewallProfile{Profile: private, GlobalPorts: new(uint32(0))}),
			nil,
			[]string{"lan>winrm", "internet>winrm", "far6>winrm", "neighbour6>winrm"},
		},
		"users who are left out": {
			host("v2.33|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|", "v2.33|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=5985|LUAuth=O:LSD:(D;;CC;;;S-1-5-21-1-2-3-1001)|"),
			[]string{"wsl>smb", "wsl>rdp", "wsl>https", "wsl>rpc", "wsl>node"},
			[]string{"wsl>winrm"},
		},
		"a service that is hardened": {
			static(host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|"), `V2.0|Action=Block|Dir=in|App=%SystemRoot%\System32\svchost.exe|Svc=TermService|Name=Block any other|`,
				`V2.0|Action=Block|Dir=In|LPort=1-553,555-8553,8555-65535|Protocol=tcp|App=%ProgramFiles%\nodejs\node.exe|`, `V2.0|Action=Block|Active=FALSE|Dir=In|LPort=445|Protocol=6|`),
			[]string{"wsl>winrm", "wsl>smb", "wsl>https", "wsl>rpc"},
			nil,
		},
		"a service that is hardened, and no firewall": {
			static(local(host(), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(0))}), `V2.0|Action=Block|Dir=in|App=%SystemRoot%\System32\svchost.exe|Svc=TermService|`),
			[]string{"wsl>winrm", "wsl>smb", "wsl>https", "wsl>rpc", "wsl>node", "wsl>mdns", "wsl>teredo"},
			[]string{"wsl>rdp"},
		},
		"what it may before what it may not": {
			static(host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=3389|"), `v2.0|Action=Allow|Dir=In|LPort=22,3380-3390|Protocol=TCP|App=%SystemRoot%\system32\svchost.exe|Svc=TermService|`,
				`V2.0|Action=Block|Dir=In|App=%SystemRoot%\system32\svchost.exe|Svc=TermService|`), []string{"wsl>rdp"}, nil,
		},
		"a list of ports in a rule of the host": {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=445,3000-4000|"), nil, []string{"wsl>smb", "wsl>rdp"}},
		"a service turns it off":                {mdm(host(), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(0))}), []string{"wsl>*"}, nil},
		"a policy and a service differ":         {mdm(gpo(host(), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(1))}), snapshot.FirewallProfile{Profile: public, EnableFirewall: new(uint32(0))}), nil, []string{"wsl>*"}},
		"they differ in merging":                {mdm(gpo(host(winrm), snapshot.FirewallProfile{Profile: public, AllowLocalPolicyMerge: new(uint32(0))}), snapshot.FirewallProfile{Profile: public, AllowLocalPolicyMerge: new(uint32(1))}), []string{"lan>winrm", "internet>winrm", "far6>winrm", "neighbour6>winrm"}, []string{"wsl>*"}},
		"a policy of an older kind": {
			host("v2.0|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|LPort=5985|OlderPolicy=TRUE|"), nil, []string{"wsl>winrm"},
		},
		"an interface is not filtered":  {local(host(), snapshot.FirewallProfile{Profile: public, DisabledInterfaces: []string{"{B}"}}), []string{"wsl>*"}, nil},
		"a setting of another type":     {local(host(), snapshot.FirewallProfile{Profile: public, Unread: []string{"EnableFirewall"}}), nil, []string{"wsl>*"}},
		"a rule that is none":           {host("nonsense"), nil, []string{"lan>*", "wsl>*", "internet>*", "far6>*", "neighbour6>*"}},
		"a protocol that is none":       {host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=six|"), nil, []string{"wsl>*"}},
		"an address that is none":       {host(winrm + "Profile=Public|RA4=10.0.0.0/99|"), nil, []string{"wsl>winrm"}},
		"edge traversal is not needed":  {host(winrm + "Profile=Public|Edge=TRUE|"), []string{"wsl>winrm"}, nil},
		"edge traversal left to others": {host(winrm + "Profile=Public|Defer=User|"), []string{"wsl>winrm"}, nil},
	} {
		for s := range from {
			for l := range listeners {
				want := packet.Unreachable
				if key := s + ">" + l; slices.Contains(c.reach, key) || slices.Contains(c.reach, s+">*") {
					want = packet.Reachable
				} else if slices.Contains(c.unsure, key) || slices.Contains(c.unsure, s+">*") {
					want = packet.Unknown
				}
				if got := ask(c.w, s, l); got != want {
					t.Errorf("%s: %s to %s: %s, want %s", name, s, l, got, want)
				}
			}
		}
	}
}

// TestOtherDrive: variables of a rule stand for the drive that Windows is on.
func TestOtherDrive(t *testing.T) {
	for drive, want := range map[string]packet.Verdict{"C": packet.Reachable, "D": packet.Unreachable} {
		w := host(`v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=%SystemRoot%\system32\svchost.exe|Svc=termservice|`)
		w.Services.List = []snapshot.WindowsService{{Name: "TermService", Image: drive + `:\Windows\System32\svchost.exe -k termsvcs`}}
		if got := ask(w, "wsl", "rdp"); got != want { // which listens from C
			t.Errorf("Windows on %s: %s, want %s", drive, got, want)
		}
		path := strings.ToLower(drive) + `:\windows\system32\svchost.exe`
		if f := Compile(w).Filters; !slices.ContainsFunc(f, func(f wfp.Filter) bool {
			return slices.ContainsFunc(f.Conditions, func(c wfp.Condition) bool { return c.Field == wfp.App && c.Value.Text == path })
		}) {
			t.Errorf("no filter is about %s", path)
		}
	}
}

// TestWideSubnet: an interface whose prefix is the whole internet makes LocalSubnet everybody.
func TestWideSubnet(t *testing.T) {
	w := host("v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=445|RA4=LocalSubnet|App=System|")
	w.Adapters.List[0].Addrs = []string{"10.8.0.2/0"}
	if got := ask(w, "internet", "smb"); got != packet.Reachable {
		t.Errorf("%s", got)
	}
}

// TestLinks: what a route to the link is for may be LocalSubnet, and anything where routes were not told.
func TestLinks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *snapshot.WindowsAdapter)
		want   map[string]packet.Verdict
	}{
		"told":           {func(*snapshot.WindowsAdapter) {}, map[string]packet.Verdict{"lan": packet.Reachable, "internet": packet.Unreachable, "wsl": packet.Unreachable, "far6": packet.Unreachable}},
		"a route to all": {func(a *snapshot.WindowsAdapter) { a.Links = []string{"0.0.0.0/0"} }, map[string]packet.Verdict{"lan": packet.Reachable, "internet": packet.Unknown, "wsl": packet.Unreachable, "far6": packet.Unreachable}},
		"one of IPv6":    {func(a *snapshot.WindowsAdapter) { a.Links = []string{"2001:db8::/32"} }, map[string]packet.Verdict{"internet": packet.Unreachable, "far6": packet.Unknown, "neighbour6": packet.Unknown}},
		"by a gateway":   {func(a *snapshot.WindowsAdapter) { a.Routes = []string{"198.51.100.0/24"} }, map[string]packet.Verdict{"internet": packet.Unreachable}},
		"not told":       {func(a *snapshot.WindowsAdapter) { a.RoutesTold = false }, map[string]packet.Verdict{"lan": packet.Reachable, "internet": packet.Unknown, "wsl": packet.Unreachable, "far6": packet.Unknown}},
		"of another one": {func(a *snapshot.WindowsAdapter) { a.Profile, a.RoutesTold = snapshot.ProfileDomain, false }, map[string]packet.Verdict{"lan": packet.Unreachable, "internet": packet.Unreachable}},
		"its profile also": {func(a *snapshot.WindowsAdapter) {
			a.ProfileRead, a.RoutesTold = snapshot.Fact{State: snapshot.Error}, false
		}, map[string]packet.Verdict{"internet": packet.Unknown}},
	} {
		w := host("v2.31|Action=Allow|Active=TRUE|Dir=In|Profile=Private|Protocol=6|LPort=445|RA4=LocalSubnet|RA6=LocalSubnet|App=System|")
		c.change(&w.Adapters.List[0])
		for source, want := range c.want {
			if got := ask(w, source, "smb"); got != want {
				t.Errorf("%s: %s: %s, want %s", name, source, got, want)
			}
		}
	}
}

// TestServiceSID: the SID of a service is known from elsewhere (sc showsid).
func TestServiceSID(t *testing.T) {
	if got := ServiceSID("TrustedInstaller"); got != "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464" {
		t.Error(got)
	}
}

// TestNotRead: what was not read is told.
func TestNotRead(t *testing.T) {
	w := host()
	w.Firewall.Stores[1].Read = snapshot.Fact{State: snapshot.Denied, Reason: "access is denied"}
	w.Services.List = []snapshot.WindowsService{{Name: "MpsSvc", Start: 4}}
	p := Compile(w)
	if len(p.Unread) != 2 || !strings.Contains(p.Unread[0], "access is denied") {
		t.Errorf("%q", p.Unread)
	}
	w = host()
	w.Services.Read = snapshot.Fact{State: snapshot.Error, Reason: "not all of it was read"}
	if p := Compile(w); len(p.Unread) != 2 || !strings.Contains(p.Unread[0], "whether the service MpsSvc runs") {
		t.Errorf("of services that were not read: %q", p.Unread)
	}
	w.Services.List = []snapshot.WindowsService{{Name: "mpssvc", State: "running"}, {Name: "bfe", Start: 2}}
	if p := Compile(w); len(p.Unread) != 0 {
		t.Errorf("of services that run: %q", p.Unread)
	}
	w = host()
	w.Services.List = []snapshot.WindowsService{{Name: "DcomLaunch", Start: 2}, {Name: "BFE", Start: 2}}
	if p := Compile(w); len(p.Unread) != 1 || !strings.Contains(p.Unread[0], "no service MpsSvc") {
		t.Errorf("of a host without the firewall: %q", p.Unread)
	}
}

// FuzzParseRule: no rule is lost without a word, and none ends the program.
func FuzzParseRule(f *testing.F) {
	f.Add(winrm)
	f.Add("v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=58|ICMP6=128:*|RA6=LocalSubnet|RA62=IntErnet|Platform=2:6:2|Platform2=GTEQ|TTK=Proximity|")
	f.Add("v2.10|LPort2_10=1-2|IF={x}|IFType=Lan|Svc=*|LUOwn=S-1-5-21-1|Security2_9=An-NoEncap|RMauth=O:LSD:(A;;CC;;;WD)|Defer=App|")
	f.Fuzz(func(t *testing.T, s string) {
		w := host(s)
		p := Compile(w)
		r, err := ParseRule(snapshot.StoreLocal, "A", s)
		if err != nil {
			if len(p.Torn) != 1 {
				t.Error("it is lost")
			}
			return
		}
		if r.Inbound && r.Active && r.Action == "allow" && len(r.platforms) == 0 && len(p.Filters) <= 10 && r.Protocol != 1 && r.Protocol != 58 &&
			!r.LocalAddrs.restrict && !r.RemoteAddrs.restrict {
			t.Errorf("no filter: %q", s)
		}
		for i := range p.Filters {
			wfp.New(p.Filters[i:i+1], nil).Ask(&wfp.Question{V4: p.Filters[i].V4, From: []wfp.Span{wfp.Every(p.Filters[i].V4)}, Ports: wfp.AllPorts})
		}
	})
}

// Users run programs on any drive that they can write to: those alone leave the drive of Windows unknown.
func TestSystemDriveIsThatOfServices(t *testing.T) {
	w := &snapshot.Windows{}
	want := func(drive, when string) {
		t.Helper()
		if d := SystemDrive(w); d != drive {
			t.Errorf("%s it is %s, want %s", when, d, drive)
		}
	}
	want("c:", "where nothing tells it")
	w.Listeners.List = []snapshot.WindowsListener{{PID: 600, Path: `C:\Windows\System32\svchost.exe`}}
	want("c:", "with a program on C")
	for pid := range 9 {
		w.Processes.List = append(w.Processes.List, snapshot.WindowsProcess{PID: 5000 + pid, Path: `D:\Windows\System32\a.exe`})
	}
	want(UnknownDrive, "with programs of users on another one")
	w.Services.List = []snapshot.WindowsService{{Name: "SamSs", Image: `%SystemRoot%\system32\lsass.exe`}}
	want(UnknownDrive, "with a service whose process was not told")
	w.Services.List[0].PID = 700
	w.Processes.List = append(w.Processes.List, snapshot.WindowsProcess{PID: 700, Path: `E:\Windows\System32\lsass.exe`})
	want("e:", "with a program of a service")
	w.Services.List = append(w.Services.List, snapshot.WindowsService{Image: `"C:\Windows\System32\a.exe"`}, snapshot.WindowsService{Image: `C:\Windows\System32\b.exe`})
	want("c:", "with two services on C")
}
