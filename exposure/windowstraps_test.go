package exposure

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// trapSources are who asks: neighbours, the internet behind the router, the network of WSL, that of the VPN, neighbours by IPv6, the host itself.
var trapSources = map[rune]struct {
	from string
	src  []netip.Prefix
}{
	'L': {"iface:Ethernet", []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}},
	'I': {"iface:Ethernet", []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
	'S': {"iface:vEthernet (WSL)", nil},
	'V': {"iface:VPN", nil},
	'6': {"iface:Ethernet", []netip.Prefix{netip.MustParsePrefix("fe80::/64")}},
	'H': {"host", nil},
}

// trapListeners are the ports of what is asked for.
var trapListeners = map[string]int{"winrm": 5985, "rdp": 3389, "loop": 18789, "netbios": 139, "whose": 9000, "smb": 445, "rpc": 49664, "node": 8080}

// trapHost has rules, and besides what windowsHost has SMB, an endpoint of RPC and node.js on all addresses.
func trapHost(rules ...string) *snapshot.Snapshot {
	s := windowsHost()
	w := &s.Windows
	held := snapshot.OwnersSeen
	w.Listeners.List = append(w.Listeners.List,
		snapshot.WindowsListener{Proto: "tcp", Family: 6, Addr: "::", Port: 445, PID: 4, Process: "System", OwnerState: held},
		snapshot.WindowsListener{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 49664, PID: 700, Process: "lsass.exe", Path: `C:\Windows\System32\lsass.exe`, OwnerState: held},
		snapshot.WindowsListener{Proto: "tcp", Family: 6, Addr: "::", Port: 8080, PID: 5001, Process: "node.exe", Path: `C:\Program Files\nodejs\node.exe`, OwnerState: held},
	)
	addRules(s, snapshot.StoreLocal, rules...)
	return s
}

// addRules adds rules to a store.
func addRules(s *snapshot.Snapshot, name snapshot.FirewallStoreName, rules ...string) *snapshot.FirewallStore {
	f := &s.Windows.Firewall
	at := -1
	for i := range f.Stores {
		if f.Stores[i].Store == name {
			at = i
		}
	}
	if at < 0 {
		at = len(f.Stores)
		f.Stores = append(f.Stores, snapshot.FirewallStore{Store: name, Read: yes("registry")})
	}
	for i, r := range rules {
		f.Stores[at].Rules = append(f.Stores[at].Rules, snapshot.FirewallRule{ID: string(name) + string(rune('A'+i)), Text: "v2.31|" + r})
	}
	return &f.Stores[at]
}

// set adds settings of a profile to a store.
func set(s *snapshot.Snapshot, name snapshot.FirewallStoreName, p snapshot.FirewallProfile) *snapshot.Snapshot {
	st := addRules(s, name)
	st.Profiles = append(st.Profiles, p)
	return s
}

// answersOf reads what is expected: "winrm=LI?S" is that neighbours and the internet reach it, and of WSL it is not known.
func answersOf(t *testing.T, text string) map[string]packet.Verdict {
	t.Helper()
	out := map[string]packet.Verdict{}
	for word := range strings.FieldsSeq(text) {
		name, who, ok := strings.Cut(word, "=")
		if trapListeners[name] == 0 || !ok {
			t.Fatalf("%q names no listener", word)
		}
		verdict := packet.Reachable
		for _, c := range who {
			if c == '?' {
				verdict = packet.Unknown
				continue
			}
			out[name+string(c)] = verdict
		}
	}
	return out
}

// What is reached where all that is TCP is let in: by everybody, in the private profile, in the public one. Machines of WSL may be judged by the
// profile of the address that they send to; whether a packet for an address of another interface is taken is not known.
const (
	trapAll     = "winrm=LISV6 rdp=LISV netbios=LI?SV whose=LISV smb=LISV6 rpc=LISV node=LISV6 "
	trapPrivate = "winrm=LI6?S rdp=LI?S netbios=LI?S whose=LI?S smb=LI6?S rpc=LI?S node=LI6?S "
	trapPublic  = "winrm=SV rdp=SV netbios=?SV whose=SV smb=SV rpc=SV node=SV "
	trapTCP     = trapIn + "Protocol=6|"
	trapWinRM   = trapTCP + "LPort=5985|App=System|"
	trapIn      = "Action=Allow|Active=TRUE|Dir=In|"
	trapBlock   = "Action=Block|Active=TRUE|Dir=In|"
	trapSvchost = `App=%SystemRoot%\system32\svchost.exe|`
)

// TestWindowsTraps: 50 sets of rules and settings with a trap each, asked by 6 sources for 8 listeners. What is not told is unreachable; the host
// reaches all that is its own, and nobody else what listens on loopback.
func TestWindowsTraps(t *testing.T) {
	private, public, domain := snapshot.ProfilePrivate, snapshot.ProfilePublic, snapshot.ProfileDomain
	local, gpo, mdm := snapshot.StoreLocal, snapshot.StoreGPO, snapshot.StoreMDM
	off, on := new(uint32(0)), new(uint32(1))
	type profile = snapshot.FirewallProfile
	with := func(s *snapshot.Snapshot, change func(*snapshot.Windows)) *snapshot.Snapshot {
		change(&s.Windows)
		return s
	}
	merge := func(s *snapshot.Snapshot) *snapshot.Snapshot {
		for _, p := range []snapshot.WindowsProfile{private, public, domain} {
			set(s, gpo, profile{Profile: p, AllowLocalPolicyMerge: off})
		}
		return s
	}
	of := func(s *snapshot.Snapshot, name snapshot.FirewallStoreName, rules ...string) *snapshot.Snapshot {
		addRules(s, name, rules...)
		return s
	}
	secured := func(rule string) *snapshot.Snapshot {
		s := trapHost(trapTCP)
		st := addRules(s, local)
		st.Connections = append(st.Connections, snapshot.FirewallRule{ID: "auth", Text: "v2.33|" + rule})
		return s
	}
	const all = "Action=SecureServer|Name=Auth|Desc=|Active=TRUE|"
	inDoubt := strings.NewReplacer("=", "=?", "?SV", "SV").Replace(trapAll)
	torn := trapHost("")
	torn.Windows.Firewall.Stores[0].Rules[0].Text = "nonsense"
	traps := map[string]struct {
		s    *snapshot.Snapshot
		want string
	}{
		"no rule":                                 {trapHost(), ""},
		"all of TCP":                              {trapHost(trapTCP), trapAll},
		"all of UDP":                              {trapHost(trapIn + "Protocol=17|"), ""},
		"a rule that is off":                      {trapHost("Action=Allow|Active=FALSE|Dir=In|Protocol=6|"), ""},
		"a rule for what goes out":                {trapHost("Action=Allow|Active=TRUE|Dir=Out|Protocol=6|"), ""},
		"block over allow":                        {trapHost(trapTCP, trapBlock+"Protocol=6|LPort=5985|RA4=192.168.0.0/16|"), strings.Replace(trapAll, "winrm=LISV6", "winrm=ISV6", 1)},
		"a wide block over a narrow allow":        {trapHost(trapWinRM+"RA4=192.168.1.7|", trapBlock+"Protocol=6|LPort2_10=5000-6000|"), ""},
		"a block of the policy":                   {of(trapHost(trapTCP), gpo, trapBlock+"Protocol=6|LPort=3389|"), strings.Replace(trapAll, "rdp=LISV ", "", 1)},
		"a local block over the policy":           {of(trapHost(trapBlock+"Protocol=6|LPort=3389|"), gpo, trapTCP), strings.Replace(trapAll, "rdp=LISV ", "", 1)},
		"the policy blocks by default":            {set(set(trapHost(), local, profile{Profile: public, DefaultInboundAction: off}), gpo, profile{Profile: public, DefaultInboundAction: on}), ""},
		"the policy is open by default":           {set(set(trapHost(), local, profile{Profile: private, DefaultInboundAction: on}), gpo, profile{Profile: private, DefaultInboundAction: off}), trapPrivate},
		"a block where all is open":               {set(trapHost(trapBlock+"Protocol=6|LPort=445|"), local, profile{Profile: public, DefaultInboundAction: off}), strings.Replace(trapPublic, "smb=SV ", "", 1)},
		"local rules do not count":                {merge(trapHost(trapTCP)), ""},
		"those of the policy do":                  {of(merge(trapHost(trapTCP)), gpo, trapTCP+"LPort=3389|"), "rdp=LISV"},
		"local rules do not count in one profile": {set(trapHost(trapTCP), gpo, profile{Profile: public, AllowLocalPolicyMerge: off}), trapPrivate},
		"merging is no local setting":             {set(trapHost(trapTCP), local, profile{Profile: public, AllowLocalPolicyMerge: off}), trapAll},
		"shielded":                                {set(trapHost(trapTCP), local, profile{Profile: private, DoNotAllowExceptions: on}), trapPublic},
		"shielded whatever the policy says":       {set(set(trapHost(trapTCP), local, profile{Profile: public, DoNotAllowExceptions: on}), gpo, profile{Profile: public, DoNotAllowExceptions: off}), trapPrivate},
		"shielded but off":                        {set(trapHost(), local, profile{Profile: public, DoNotAllowExceptions: on, EnableFirewall: off}), trapPublic},
		"off in one profile":                      {set(trapHost(), local, profile{Profile: public, EnableFirewall: off}), trapPublic},
		"a block where it is off":                 {set(trapHost(trapBlock+"Protocol=6|"), local, profile{Profile: public, EnableFirewall: off}), trapPublic},
		"off in a profile that nobody is in":      {set(trapHost(), local, profile{Profile: domain, EnableFirewall: off}), ""},
		"the policy turns it on":                  {set(set(trapHost(), local, profile{Profile: public, EnableFirewall: off}), gpo, profile{Profile: public, EnableFirewall: on}), ""},
		"the policy turns it off":                 {set(set(trapHost(), local, profile{Profile: private, EnableFirewall: on}), gpo, profile{Profile: private, EnableFirewall: off}), trapPrivate},
		"a policy and a service differ": {
			set(set(trapHost(), gpo, profile{Profile: public, EnableFirewall: on}), mdm, profile{Profile: public, EnableFirewall: off}), "winrm=?SV rdp=?SV netbios=?SV whose=?SV smb=?SV rpc=?SV node=?SV",
		},
		"two profiles at once":           {trapHost(trapWinRM + "Profile=Public|RA4=LocalSubnet|RA6=LocalSubnet|"), "winrm=SV"},
		"LocalSubnet in each":            {trapHost(trapWinRM + "RA4=LocalSubnet|RA6=LocalSubnet|"), "winrm=LSV?6"},
		"LocalSubnet of a VPN":           {trapHost(trapTCP+"LPort=445|Profile=Public|RA4=LocalSubnet|", trapBlock+"Protocol=6|LPort=445|RA4=10.8.0.0/24|"), "smb=S"},
		"LocalSubnet of a VPN with /0":   {with(trapHost(trapTCP+"LPort=445|Profile=Public|RA4=LocalSubnet|", trapBlock+"Protocol=6|LPort=445|RA4=10.8.0.0/24|"), func(w *snapshot.Windows) { w.Adapters.List[2].Addrs = []string{"10.8.0.2/0"} }), "smb=SV"},
		"the default gateway":            {trapHost(trapWinRM + "RA4=DefaultGateway|"), "winrm=L"},
		"a keyword that nobody resolves": {trapHost(trapWinRM + "RA4=RmtIntrAnet|"), "winrm=?LISV"},
		"a service in svchost":           {trapHost(trapTCP + trapSvchost + "Svc=termservice|"), "rdp=LISV whose=?LISV"},
		"another service in svchost":     {trapHost(trapTCP + trapSvchost + "Svc=W32Time|"), "whose=?LISV"},
		"a service in another program":   {trapHost(trapTCP + `App=%SystemRoot%\system32\lsass.exe|Svc=termservice|LPort=3389|`), ""},
		"a program":                      {trapHost(trapIn + `App=%ProgramFiles%\nodejs\node.exe|`), "node=LISV6 whose=?LISV"},
		"a wrong path":                   {trapHost(trapIn + `App=C:\Program Files (x86)\nodejs\node.exe|`), "whose=?LISV"},
		"a program that is blocked":      {trapHost(trapTCP, trapBlock+`App=C:\PROGRAM FILES\NODEJS\NODE.EXE|`), strings.Replace(strings.Replace(trapAll, "node=LISV6 ", "", 1), "whose=LISV", "whose=?LISV", 1)},
		"a port that is forwarded": {with(trapHost(trapIn+`App=%ProgramFiles%\nodejs\node.exe|LPort=8080|Protocol=6|`), func(w *snapshot.Windows) {
			l := &w.Listeners.List[len(w.Listeners.List)-1]
			l.Process, l.Path, l.Services, l.Family, l.Addr = "svchost.exe", "", []string{"iphlpsvc"}, 4, "0.0.0.0"
		}), ""},
		"IPsec alone":                 {trapHost(trapWinRM + "Security=Authenticate|"), "winrm=?LISV6"},
		"IPsec beside all":            {trapHost(trapTCP, trapWinRM+"Security=Authenticate|"), strings.Replace(trapAll, "winrm=LISV6", "winrm=?LISV6", 1)},
		"a bypass without its halves": {trapHost("Action=ByPass|Active=TRUE|Dir=In|Protocol=6|"), ""},
		"a bypass over a block":       {trapHost("Action=ByPass|Active=TRUE|Dir=In|Protocol=6|LPort=3389|Security=Authenticate|RMauth=O:LSD:(A;;CC;;;WD)|", trapBlock+"Protocol=6|"), "rdp=?LISV"},
		"edge traversal":              {trapHost(trapWinRM + "Edge=TRUE|Defer=App|"), "winrm=LISV6"},
		"the keyword RPC":             {trapHost(trapTCP + `LPort=RPC|App=%SystemRoot%\system32\lsass.exe|`), "rpc=?LISV"},
		"RPC on other ports": {with(trapHost(trapTCP+"LPort=RPC|"+trapSvchost), func(w *snapshot.Windows) { // as Rpc\Internet tells it to
			w.Listeners.List[len(w.Listeners.List)-2].Port = 5001
		}), "rdp=?LISV whose=?LISV"},
		"the keyword RPC-EPMap":           {trapHost(trapTCP + "LPort=RPC-EPMap|"), ""},
		"IPv6 alone":                      {trapHost(trapWinRM + "RA6=fe80::/10|"), "winrm=6"},
		"IPv4 alone":                      {trapHost(trapTCP + "RA4=0.0.0.0-255.255.255.255|"), strings.ReplaceAll(trapAll, "6 ", " ")},
		"a mask":                          {trapHost(trapWinRM + "RA4=192.168.0.0/255.255.0.0|"), "winrm=L"},
		"a range":                         {trapHost(trapWinRM + "RA4=172.17.0.0-172.17.255.255|"), "winrm=S"},
		"an interface":                    {trapHost(trapWinRM + "IF={B}|"), "winrm=S"},
		"an interface that is down":       {trapHost(trapWinRM + "IF={d}|"), ""},
		"an interface that is disabled":   {set(trapHost(), local, profile{Profile: public, DisabledInterfaces: []string{"{C}"}}), "winrm=V rdp=V netbios=?V whose=V smb=V rpc=V node=V"},
		"disabled in another profile":     {set(trapHost(), local, profile{Profile: public, DisabledInterfaces: []string{"{A}"}}), ""},
		"a kind of interfaces":            {trapHost(trapWinRM + "IFType=Lan|"), "winrm=LIS6?V"},
		"a remote port":                   {trapHost(trapWinRM + "RPort=1024|"), "winrm=LISV6"},
		"a local address":                 {trapHost(trapWinRM + "LA4=10.8.0.2|"), "winrm=V?S"},
		"all ports but one are blocked":   {trapHost(trapTCP, trapBlock+"Protocol=6|LPort2_10=1-3388|LPort2_10=3390-65535|"), "rdp=LISV"},
		"another system":                  {trapHost(trapTCP + "Platform=2:6:1|"), ""},
		"a package":                       {trapHost(trapTCP + "LPort=5985|AppPkgId=S-1-15-2-1|"), ""},
		"a part that nobody knows":        {trapHost(trapWinRM + "Moon=Full|"), "winrm=?LISV6"},
		"a part that narrows what blocks": {trapHost(trapTCP, trapBlock+"Protocol=6|LPort=5985|Moon=Full|"), strings.Replace(trapAll, "winrm=LISV6", "winrm=?LISV6", 1)},
		"a rule that is none":             {torn, inDoubt},
		"connections demand IPsec":        {secured(all), inDoubt},
		"connections ask for IPsec":       {secured("Action=Boundary|Active=TRUE|"), trapAll},
		"connections that are exempt":     {secured("Action=DoNotSecure|Active=TRUE|"), trapAll},
		"a demand that is off":            {secured("Action=Secure|Active=FALSE|"), trapAll},
		"a demand for a port":             {secured(all + "Protocol=6|EP1Port=3389|"), strings.Replace(trapAll, "rdp=LISV", "rdp=?LISV", 1)},
		"a demand written the other way":  {secured(all + "Protocol=6|EP2Port2_10=3000-4000|EP2_4=192.168.1.5|EP1_4=192.168.1.0/24|"), strings.Replace(trapAll, "rdp=LISV", "rdp=ISV?L", 1)},
		"a demand of a profile":           {secured(all + "Profile=Public|Protocol=6|EP1Port=445|"), strings.Replace(trapAll, "smb=LISV6", "smb=LI6?SV", 1)},
		"a demand that does not count":    {set(set(secured(all), gpo, profile{Profile: private, AllowLocalIPsecPolicyMerge: off}), gpo, profile{Profile: public, AllowLocalIPsecPolicyMerge: off}), trapAll},
		"a demand where nothing is open": {func() *snapshot.Snapshot {
			s := secured(all)
			s.Windows.Firewall.Stores[0].Rules = nil
			return s
		}(), ""},
	}
	if len(traps) < 50 {
		t.Errorf("%d traps", len(traps))
	}
	for name, c := range traps {
		want := answersOf(t, c.want)
		for l, port := range trapListeners {
			if l == "rpc" && name == "RPC on other ports" {
				continue
			}
			for source, of := range trapSources {
				expected := want[l+string(source)]
				if source == 'H' {
					expected = packet.Reachable
				} else if expected == "" {
					expected = packet.Unreachable
				}
				if a := askWindows(t, c.s, of.from, port, of.src...); a.Verdict != expected {
					t.Errorf("%s: %c to %s: %s, want %s: %s", name, source, l, a.Verdict, expected, reasons(a))
				}
			}
		}
	}
}

// A program of a user has the name that the user gives it: that RPC has its usual ports, or that the kernel listens, it does not say.
func TestNamesOfProgramsProveNothing(t *testing.T) {
	const rule = trapTCP + "LPort=RPC|"
	ask := func(rule string, change func(l *snapshot.WindowsListener), port int) packet.Verdict {
		t.Helper()
		s := trapHost(rule)
		list := s.Windows.Listeners.List
		change(&list[len(list)-2])
		return askWindows(t, s, "iface:Ethernet", port).Verdict
	}
	for _, name := range []string{"lsass.exe", "wininit.exe", "services.exe"} {
		for _, path := range []string{"", `C:\Users\eve\` + name, `C:\Windows\System32\spool\` + name} {
			if v := ask(rule, func(l *snapshot.WindowsListener) { l.Process, l.Path = name, path }, 3389); v != packet.Unknown {
				t.Errorf("%s at %q says that RPC has its usual ports: %s, want unknown", name, path, v)
			}
		}
		if v := ask(rule, func(l *snapshot.WindowsListener) { l.Process, l.Path = name, `C:\WINDOWS\system32\`+name }, 3389); v != packet.Unreachable {
			t.Errorf("%s of the system: %s, want unreachable", name, v)
		}
	}
	named := func(l *snapshot.WindowsListener) { l.Process, l.Path = "System", "" }
	if v := ask(trapIn+"App=System|Protocol=6|", named, 49664); v != packet.Unknown {
		t.Errorf("a program called System is the kernel: %s, want unknown", v)
	}
}

// Where only programs tell on which drive Windows is, it is not known which program %SystemRoot% names, in rules and in filters of the engine.
func TestUnknownSystemDrive(t *testing.T) {
	for _, image := range []string{"", `D:\Windows\System32\lsass.exe`} {
		s := trapHost(trapTCP+trapSvchost, trapTCP+`App=%ProgramFiles%\nodejs\node.exe|`)
		w := &s.Windows
		w.Services.List = append(w.Services.List, snapshot.WindowsService{Name: "SamSs", Image: image})
		for i := range w.Listeners.List {
			l := &w.Listeners.List[i]
			l.Path = strings.ReplaceAll(l.Path, "C:", "D:")
			if l.Port == 3389 { // whose it is the host says elsewhere
				l.PID, l.Process, l.Services, l.OwnerState = 0, "", nil, snapshot.OwnersUnknown
			}
		}
		w.RDP.Settings = map[string]snapshot.Fact{"fDenyTSConnections": {State: snapshot.Present, Value: "0"}}
		for i := range w.Processes.List {
			p := &w.Processes.List[i]
			p.Path = strings.ReplaceAll(p.Path, "C:", "D:")
		}
		want := packet.Unknown
		if image != "" {
			want = packet.Reachable
		}
		check := func(way string) {
			t.Helper()
			for _, port := range []int{3389, 8080} {
				if v := askWindows(t, s, "iface:Ethernet", port).Verdict; v != want {
					t.Errorf("%s, with the service %q: port %d is %s, want %s", way, image, port, v, want)
				}
			}
		}
		check("by rules")
		filters := mpssvc.Compile(w).Filters
		for i := range filters {
			for j := range filters[i].Conditions {
				if c := &filters[i].Conditions[j]; c.Field == wfp.App {
					tail := map[bool]string{true: `\windows\system32\svchost.exe`, false: `\program files\nodejs\node.exe`}[strings.Contains(filters[i].Name, "localA")]
					c.Value = wfp.Value{Kind: wfp.Text, Text: `\device\harddiskvolume3` + tail}
				}
			}
		}
		w.Filters.Read, w.Filters.Filters = yes("netsh wfp show state"), asExported(t, s, filters)
		check("by filters")
	}
}

// A program that is told by a short name, or one that is not clean, may be any of a rule that ends otherwise.
func TestProgramsWithoutTheirName(t *testing.T) {
	for path, want := range map[string]packet.Verdict{
		`C:\Program Files\nodejs\node.exe`: packet.Reachable, `C:\Program Files\other\node.exe`: packet.Unreachable, `C:\PROGRA~1\nodejs\node.exe`: packet.Unknown,
		`C:\Program Files\nodejs\NODE~1.EXE`: packet.Unknown, `\??\C:\Program Files\nodejs\node.exe`: packet.Unknown, `%Of%\node.exe`: packet.Unknown,
	} {
		for _, ofService := range []bool{false, true} {
			s := trapHost(trapTCP + `App=%ProgramFiles%\nodejs\node.exe|`)
			w := &s.Windows
			l := &w.Listeners.List[len(w.Listeners.List)-1]
			l.Path, l.Process = path, path[strings.LastIndex(path, `\`)+1:]
			if ofService {
				l.Path, l.Services = "", []string{"agent"}
				w.Services.List = append(w.Services.List, snapshot.WindowsService{Name: "agent", Image: path + " -x"})
			}
			if v := askWindows(t, s, "iface:Ethernet", 8080).Verdict; v != want {
				t.Errorf("%s, of a service %v: %s, want %s", path, ofService, v, want)
			}
		}
	}
}
