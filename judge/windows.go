package judge

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp/mpssvc"
	"github.com/ringfence/ringfence/zones"
)

// DocWindowsService is a listener of a Windows host. Its classes are winrm, rdp, smb, ssh, rpc, runtime-api, agent, relay and other; a relay is a
// port that netsh interface portproxy passes on.
type DocWindowsService struct {
	Key      string              `json:"key"`      // stable: tcp 0.0.0.0:3389 (TermService)
	Proto    string              `json:"proto"`    // tcp, udp
	Addr     string              `json:"addr"`     // that it is bound to; 0.0.0.0 or :: for all
	Port     int                 `json:"port"`     // that it is bound to
	Family   int                 `json:"family"`   // 4 or 6
	Loopback bool                `json:"loopback"` // its address is a loopback one
	Owner    string              `json:"owner"`    // the service whose socket it is, else the program: System for the kernel, or unknown
	Class    string              `json:"class"`    // winrm, rdp, smb, ssh, rpc, runtime-api, agent, relay, other
	Reach    map[string]DocReach `json:"reach"`    // by zone
	// Registry are the verdicts by zone that rules and settings alone make, where the engine holds other filters than those.
	Registry map[string]string `json:"registry"`
	// To is where a relay leads, as ADDRESS:PORT, and ToZone the zone of that.
	To     string `json:"to"`
	ToZone string `json:"toZone"` // of the address that a relay leads to; "" where that is in none of the host's networks
}

// DocWindowsProfile is a profile of the firewall. Active are the adapters on which it is.
type DocWindowsProfile struct {
	Profile  string   `json:"profile"`  // domain, private, public
	Active   []string `json:"active"`   // names of the adapters on which it is
	Zones    []string `json:"zones"`    // of these
	On       bool     `json:"on"`       // the firewall is on (EnableFirewall)
	Blocks   bool     `json:"blocks"`   // what no rule allows is blocked (DefaultInboundAction)
	Shielded bool     `json:"shielded"` // rules allow nothing (DoNotAllowExceptions)
	Merge    bool     `json:"merge"`    // rules of the local store count
	Disabled []string `json:"disabled"` // adapters that it does not filter, though it is on
	Doubt    string   `json:"doubt"`    // why it is not known
	Local    int      `json:"local"`    // active rules of the local store that allow and have the profile
	Policy   []string `json:"policy"`   // settings that a policy sets: EnableFirewall, DefaultInboundAction, DisabledInterfaces
}

// DocWindowsNetwork is an adapter of a Windows host.
type DocWindowsNetwork struct {
	Name    string   `json:"name"`    // the alias: Ethernet, vEthernet (WSL)
	Zone    string   `json:"zone"`    // management, runtime, workload, external, host, unclassified
	Kind    string   `json:"kind"`    // wsl, hyperv, hns, ics, vpn, loopback; "" for none of these
	Profile string   `json:"profile"` // domain, private, public, which is also that of a network that is not identified; "" where it is not known
	Known   bool     `json:"known"`   // the profile
	Addrs   []string `json:"addrs"`   // address/bits
	// Widest is the least bits of its prefixes of IPv4, 32 where it has none; Linked those of routes to its link, which it may have besides. Told says
	// that all of these were told.
	Widest int  `json:"widest"`
	Linked int  `json:"linked"` // least bits of IPv4 of the routes to its link, 32 where there is none
	Told   bool `json:"told"`   // all routes to its link were told
}

// DocWindowsRule is an active rule that lets a port in for the addresses that LocalSubnet stands for.
type DocWindowsRule struct {
	ID       string   `json:"id"`       // the name of its registry value
	Name     string   `json:"name"`     // in upper case, as the rule has it
	Ports    []string `json:"ports"`    // LPort of the rule, in upper case: a port, a range or a keyword; empty for every port
	Profiles []string `json:"profiles"` // that it counts for: domain, private, public
}

// DocWindowsSetting is a setting that counts: of a policy, or else the local one. State is present, absent, why it is not known, or default: absent
// where that is not known to be safe.
type DocWindowsSetting struct {
	State  string `json:"state"`  // present, absent, denied, error or default
	Value  string `json:"value"`  // of the registry; "" unless it is present
	Policy bool   `json:"policy"` // a policy sets it: the local one does not count
}

// DocWindowsWinRM is WinRM.
type DocWindowsWinRM struct {
	Listeners []snapshot.WinRMListener     `json:"listeners"` // as the registry has them
	Settings  map[string]DocWindowsSetting `json:"settings"`  // by name: auth_basic, allow_unencrypted, auth_credssp, cbt_hardening_level, ...
	Open      []string                     `json:"open"`      // SIDs besides administrators that its own access list lets in
}

// DocWindowsSSH is the settings of the OpenSSH server, one entry for each context.
type DocWindowsSSH struct {
	State    string                 `json:"state"`    // present, absent where it has the defaults, or why it is not known
	Contexts []DocWindowsSSHContext `json:"contexts"` // empty where its settings were not told
}

// DocWindowsSSHContext is the settings under one Match condition.
type DocWindowsSSHContext struct {
	Match    string         `json:"match"`    // the condition; empty for connections that no Match block applies to
	Settings DocSSHSettings `json:"settings"` // those that the built-in checks read
}

// DocWindowsAccess is an object and who besides administrators and the system may do with it what gives more than they have.
type DocWindowsAccess struct {
	Key   string   `json:"key"`   // name of the service or pipe
	Role  string   `json:"role"`  // of a pipe: runtime, keys, agent; "" of a service
	As    string   `json:"as"`    // the account that a service runs as
	What  string   `json:"what"`  // control, program, key, pipe; keys of the SSH server for administrators
	Who   []string `json:"who"`   // SIDs
	Read  string   `json:"read"`  // state of the access list
	Start int      `json:"start"` // of a service
	// Before is a program that Windows looks for before that of a service, whose path has blanks and no quotes.
	Before string `json:"before"`
}

// DocWindowsProvider is a program besides Windows that has filters where connections that come in are decided.
type DocWindowsProvider struct {
	Key      string `json:"key"`      // of the provider, else of the sublayer: a GUID in braces, lower case
	Name     string `json:"name"`     // as the provider tells it, "" where it has none
	Filters  int    `json:"filters"`  // how many, of those that are not disabled
	Callouts int    `json:"callouts"` // filters that ask a driver
}

// windows is the document of a Windows host: nothing of Linux is asked.
func (b *builder) windows() {
	w := &b.snap.Windows
	b.windowsListeners(w)
	b.windowsProfiles(w, b.win.Profiles())
	b.doc.WindowsNetworks = []DocWindowsNetwork{}
	for i := range w.Adapters.List {
		b.doc.WindowsNetworks = append(b.doc.WindowsNetworks, b.windowsNetwork(&w.Adapters.List[i]))
	}
	b.doc.WindowsRelays, b.doc.WindowsAgents = orEmpty(w.PortProxy.List), orEmpty(w.Agents.List)
	b.doc.WindowsRules = localSubnetRules(&w.Firewall)
	b.doc.WindowsWinRM = windowsWinRM(&w.WinRM)
	b.doc.WindowsSSH = windowsSSH(&w.SSH)
	b.doc.WindowsRDP = settingsOf(w.RDP.Settings, map[string]string{}, askedRDP)
	b.doc.WindowsSMB = windowsSMB(w)
	b.doc.WindowsPipes = windowsPipes(w)
	b.doc.WindowsServices = windowsControl(w)
	b.doc.WindowsProviders = windowsProviders(&w.Filters)
	b.doc.WindowsEngine = windowsEngine(w)
	b.doc.WindowsHyperV = orEmpty(w.HyperV.Settings)
	b.doc.WindowsTokens = settingFact(w.System.LocalAccountTokenFilterPolicy)
}

// windowsListeners asks who reaches each listener.
func (b *builder) windowsListeners(w *snapshot.Windows) {
	b.doc.WindowsListeners = []DocWindowsService{}
	if w.Filters.Read.State != snapshot.Present && w.Firewall.Read.State != snapshot.Present {
		b.gaps["windows.reach"] = []string{"neither the filters of the engine nor the rules of the firewall were read whole: " + w.Firewall.Read.Reason}
	}
	asker := exposure.NewWindows(b.snap)
	b.win = asker
	b.doc.WindowsFilters = orEmpty(asker.Differences())
	index, more := map[string]int{}, map[int][]int{} // more are others of the same key: programs of one name can share a port
	var list, all []int
	for i := range w.Listeners.List {
		svc := b.windowsService(w, &w.Listeners.List[i])
		all = append(all, i)
		if first, ok := index[svc.Key]; ok {
			more[first] = append(more[first], i)
			continue
		}
		index[svc.Key] = i
		list = append(list, i)
	}
	answers := asker.Listeners(all, b.zones.Origins)
	for _, i := range list {
		l := &w.Listeners.List[i]
		svc := b.windowsService(w, l)
		for _, other := range more[i] {
			answers[i] = openest(answers[i], answers[other])
		}
		b.exposures = append(b.exposures, b.exposeWindows(l, &svc, answers[i]))
		b.doc.WindowsListeners = append(b.doc.WindowsListeners, svc)
	}
}

// openest are the answers of two listeners, of each origin and family that which lets most in.
func openest(list, others []exposure.OfWindows) []exposure.OfWindows {
	for _, o := range others {
		i := slices.IndexFunc(list, func(x exposure.OfWindows) bool { return x.Origin == o.Origin && x.V4 == o.V4 })
		switch {
		case i < 0:
			list = append(list, o)
		case verdictRank[o.Verdict] > verdictRank[list[i].Verdict]:
			list[i] = o
		}
	}
	return list
}

// exposeWindows joins the answers for a zone, as expose does.
func (b *builder) exposeWindows(l *snapshot.WindowsListener, svc *DocWindowsService, answers []exposure.OfWindows) (list []finding.Exposure) {
	joined, ruled := DocService{Reach: svc.Reach}, map[string]packet.Verdict{}
	for i := range answers {
		a := &answers[i]
		o := &b.zones.Origins[a.Origin]
		origin := o.Interface
		switch {
		case o.Local:
			origin = "local"
		case origin == "":
			origin = "any"
		}
		e := finding.Exposure{
			Service: finding.Service{Proto: l.Proto, Address: l.Addr, Port: l.Port, Owner: svc.Owner, Namespace: "host"},
			Zone:    o.Zone, Origin: origin, Family: familyName[a.V4], Verdict: string(a.Verdict),
			StoppedBy: causes(a.StoppedBy), Because: causes(a.Because), Checked: a.Checked,
		}
		if a.Witness != nil {
			e.Witness = "in " + a.Witness.In + " " + a.Witness.String()
		}
		list = append(list, e)
		if why := b.unserved(svc, o, a.V4); why != "" && a.Verdict == packet.Reachable { // the connection opens, which the exposure says
			e.Verdict, e.Because = string(packet.Unknown), []finding.Cause{{Text: why}}
		}
		joined.answer(&e, o.Local, a.Restricted, nil)
		v := a.Verdict
		if a.Registry != nil {
			v = a.Registry.Verdict
		}
		if verdictRank[v] > verdictRank[ruled[o.Zone]] {
			ruled[o.Zone] = v
		}
	}
	for zone, v := range ruled {
		if held := svc.Reach[zone].Verdict; v != held && v != packet.Unknown && held != packet.Unknown {
			svc.Registry[zone] = string(v)
		}
	}
	return list
}

func (b *builder) windowsService(w *snapshot.Windows, l *snapshot.WindowsListener) DocWindowsService {
	addr, _ := netip.ParseAddr(l.Addr)
	svc := DocWindowsService{
		Proto: l.Proto, Addr: l.Addr, Port: l.Port, Family: l.Family, Loopback: addr.IsLoopback(), Owner: exposure.Serves(l), Reach: map[string]DocReach{},
		Registry: map[string]string{},
	}
	svc.Key = fmt.Sprintf("%s %s (%s)", l.Proto, netip.AddrPortFrom(addr, uint16(l.Port)), svc.Owner)
	svc.Class = windowsClass(w, l)
	if r := relayOf(w, l); r != nil {
		svc.Class = "relay"
		svc.To = net.JoinHostPort(r.ToAddr, strconv.Itoa(r.ToPort))
		svc.ToZone = b.windowsZone(w, r.ToAddr)
	}
	return svc
}

// windowsZone is the zone of the network that an address is in, "" where it is none of the host's.
func (b *builder) windowsZone(w *snapshot.Windows, text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	if a.IsLoopback() {
		return zones.Host
	}
	for _, i := range b.zones.Interfaces {
		if i.Index < 1 || i.Index > len(w.Adapters.List) {
			continue
		}
		for _, p := range zones.OnLink(&w.Adapters.List[i.Index-1]) {
			if p.Contains(a) {
				return i.Zone
			}
		}
	}
	return ""
}

// relayOf is what netsh interface portproxy makes of a listener.
func relayOf(w *snapshot.Windows, l *snapshot.WindowsListener) *snapshot.WindowsPortRelay {
	for i := range w.PortProxy.List {
		r := &w.PortProxy.List[i]
		v4 := strings.HasPrefix(r.Kind, "v4")
		if r.Proto == l.Proto && r.Port == l.Port && v4 == (l.Family == 4) && (r.Addr == "*" || r.Addr == l.Addr) {
			return r
		}
	}
	return nil
}

// windowsClass is what a listener is for, by the service and the settings of its server, else by the port that is known for it.
func windowsClass(w *snapshot.Windows, l *snapshot.WindowsListener) string {
	serves := func(name string) bool {
		return strings.EqualFold(l.Service, name) || slices.ContainsFunc(l.Services, func(s string) bool { return strings.EqualFold(s, name) })
	}
	kernel := l.PID == 4 || l.OwnerState == snapshot.OwnersKernel || l.OwnerState == snapshot.OwnersUnknown
	winrm := func(r snapshot.WinRMListener) bool { return r.Port == l.Port }
	rdp := w.RDP.Settings["PortNumber"].Value
	name := strings.ToLower(l.Process)
	switch {
	case slices.ContainsFunc(w.Agents.List, func(a snapshot.WindowsAgent) bool { return a.Port == l.Port && a.PID == l.PID && l.Proto == "tcp" }):
		return "agent"
	case l.Proto == "tcp" && kernel && (l.Port == 5985 || l.Port == 5986 || slices.ContainsFunc(w.WinRM.Listeners, winrm)):
		return "winrm"
	case serves("TermService") || strconv.Itoa(l.Port) == rdp && l.Proto == "tcp" || l.Port == 3389:
		return "rdp"
	case l.Proto == "tcp" && kernel && (l.Port == 445 || l.Port == 139):
		return "smb"
	case serves("sshd") || name == "sshd.exe" || l.Proto == "tcp" && l.Port == 22:
		return "ssh"
	case l.Proto == "tcp" && (l.Port == 135 || serves("RpcEptMapper") || serves("RpcSs")):
		return "rpc"
	case l.Proto == "tcp" && (l.Port == 2375 || l.Port == 2376 || name == "dockerd.exe" || name == "containerd.exe"):
		return "runtime-api"
	}
	return "other"
}

// windowsProfiles are what counts of each profile, and where it is.
func (b *builder) windowsProfiles(w *snapshot.Windows, list []exposure.WindowsProfile) {
	b.doc.WindowsProfiles = []DocWindowsProfile{}
	stopped := mpssvc.NotRunning(w)
	for _, s := range list {
		whose := !s.On || !s.Blocks || !s.Merge || len(s.Disabled) > 0 // there is something to say of who is in the profile
		p := DocWindowsProfile{
			Profile: string(s.Profile), Active: []string{}, Zones: []string{}, On: s.On, Blocks: s.Blocks, Shielded: s.Shielded, Merge: s.Merge, Disabled: []string{},
			Doubt: s.Doubt, Local: localRules(&w.Firewall, s.Profile), Policy: orEmpty(s.ByPolicy),
		}
		if s.On && len(stopped) > 0 && p.Doubt == "" && w.Filters.Read.State != snapshot.Present { // what is off is so in any case; the engine's filters are judged themselves
			p.Doubt = stopped[0]
		}
		for _, i := range b.zones.Interfaces {
			if i.Index < 1 || i.Index > len(w.Adapters.List) || i.Inert || i.Zone == zones.Host {
				continue
			}
			a := &w.Adapters.List[i.Index-1]
			if _, known := mpssvc.ProfileOf(a); !known && whose && p.Doubt == "" {
				p.Doubt = "the profile of " + a.Name + " was not read"
			}
			if !slices.Contains(s.Interfaces, a.Name) {
				continue
			}
			if a.GUID == "" && len(s.Disabled) > 0 && p.Doubt == "" {
				p.Doubt = "interfaces are left out by their GUID, and that of " + a.Name + " was not read"
			}
			p.Active, p.Zones = append(p.Active, a.Name), append(p.Zones, i.Zone)
			if slices.Contains(s.Disabled, strings.ToLower(a.GUID)) && a.GUID != "" {
				p.Disabled = append(p.Disabled, a.Name)
			}
		}
		slices.Sort(p.Zones)
		p.Zones = slices.Compact(p.Zones)
		b.doc.WindowsProfiles = append(b.doc.WindowsProfiles, p)
	}
}

func (b *builder) windowsNetwork(a *snapshot.WindowsAdapter) DocWindowsNetwork {
	n := DocWindowsNetwork{Name: a.Name, Kind: string(a.Kind), Addrs: orEmpty(a.Addrs), Widest: widest(a.Addrs), Linked: widest(a.Links), Told: a.RoutesTold}
	for _, i := range b.zones.Interfaces {
		if i.Name == a.Name {
			n.Zone = i.Zone
		}
	}
	p, known := mpssvc.ProfileOf(a)
	n.Profile, n.Known = string(p), known
	return n
}

// widest is the least bits of prefixes of IPv4, 32 where there is none.
func widest(list []string) int {
	bits := 32
	for _, text := range list {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() {
			bits = min(bits, p.Bits())
		}
	}
	return bits
}

func settingFact(f snapshot.Fact) DocWindowsSetting {
	return DocWindowsSetting{State: string(f.State), Value: f.Value}
}

// The settings that checks ask for: one that a snapshot does not have was not asked, and is neither set nor unset.
var (
	askedRDP   = []string{"fDenyTSConnections", "UserAuthentication", "SecurityLayer", "MinEncryptionLevel", "Shadow"}
	askedSMB   = []string{"start", "SMB1", "RestrictNullSessAccess", "RequireSecuritySignature"}
	askedWinRM = []string{"auth_basic", "allow_unencrypted", "auth_credssp", "cbt_hardening_level", snapshot.WinRMTrusted}
)

// settingsOf are the settings that count: those of a policy, by their names or others, win over the local ones. What is asked for is among them;
// where there is a policy for them (policy is not nil) it has to have been asked too.
func settingsOf(all map[string]snapshot.Fact, policy map[string]string, asked []string) map[string]DocWindowsSetting {
	out := map[string]DocWindowsSetting{}
	for _, name := range asked {
		out[name] = DocWindowsSetting{State: string(snapshot.Error)}
	}
	for name, f := range all {
		if strings.HasPrefix(name, "policy.") {
			continue
		}
		other, ok := policy[name]
		if !ok {
			other = name
		}
		p, known := all["policy."+other]
		switch {
		case !known && policy != nil && slices.Contains(asked, name): // which would win
		case !known || p.State == snapshot.Absent:
			out[name] = settingFact(f)
		default:
			out[name] = DocWindowsSetting{State: string(p.State), Value: p.Value, Policy: true}
		}
	}
	return out
}

// windowsSMB are the settings of SMB. The state is default of one that is set nowhere, where the default of the system is not known to be safe.
func windowsSMB(w *snapshot.Windows) map[string]DocWindowsSetting {
	out := settingsOf(w.SMB.Settings, nil, askedSMB)
	for name, safe := range map[string]bool{"SMB1": withoutSMB1(w), "RequireSecuritySignature": signsByDefault(&w.System)} {
		if s := out[name]; s.State == string(snapshot.Absent) && !safe {
			s.State = "default"
			out[name] = s
		}
	}
	return out
}

// withoutSMB1 says that SMB 1 is not on where it is set nowhere: its driver is not installed or not started. From Windows 10 1709 on new systems do not
// have it, while those that were upgraded keep it, and anybody can install it again.
func withoutSMB1(w *snapshot.Windows) bool {
	driver := w.SMB.Settings[snapshot.SMB1Driver]
	return driver.State == snapshot.Absent || driver.State == snapshot.Present && driver.Value == "4"
}

// signsByDefault says of a system that it requires signatures where nothing is set: Windows 11 24H2 without its Home edition. Windows Server 2025, which has
// the same build, requires them of what it connects to alone.
func signsByDefault(sys *snapshot.WindowsSystem) bool {
	const windows11v24H2 = 26100
	return sys.Build >= windows11v24H2 && sys.Type == "WinNT" && sys.Edition != "" && !strings.HasPrefix(sys.Edition, "Core")
}

// winrmPolicies are the names that policies have for settings of WinRM.
var winrmPolicies = map[string]string{ //nolint:gosec // names
	"auth_basic": "AllowBasic", "allow_unencrypted": "AllowUnencryptedTraffic", "auth_credssp": "AllowCredSSP", "cbt_hardening_level": "CBTHardeningLevel",
	snapshot.WinRMTrusted: "TrustedHostsList",
}

// windowsSSH is the settings of the OpenSSH server.
func windowsSSH(w *snapshot.WindowsSSH) DocWindowsSSH {
	d := DocWindowsSSH{State: string(w.Config.State), Contexts: []DocWindowsSSHContext{}}
	switch {
	case w.Read.State == snapshot.Absent:
		d.State = "it is another server than the service sshd, which is not installed"
	case w.Read.State != snapshot.Present:
		d.State = w.Read.Reason
	case w.Config.State != snapshot.Present && w.Config.State != snapshot.Absent:
		d.State = w.Config.Reason
	case len(w.Contexts) == 0: // of an older collector
		d.State = "its settings were not told"
	}
	for i := range w.Contexts {
		d.Contexts = append(d.Contexts, DocWindowsSSHContext{w.Contexts[i].Match, docSettings(w.Contexts[i].Settings)})
	}
	return d
}

// windowsWinRM is WinRM with what its policy says.
func windowsWinRM(w *snapshot.WindowsWinRM) DocWindowsWinRM {
	d := DocWindowsWinRM{Listeners: orEmpty(w.Listeners), Open: []string{}}
	d.Settings = settingsOf(w.Settings, winrmPolicies, askedWinRM)
	if w.RootSDDL.Read.State == snapshot.Present {
		d.Open = others(&w.RootSDDL, 0x10000000|0x40000000|0x20000000) // GENERIC_ALL, GENERIC_WRITE, GENERIC_EXECUTE
	}
	return d
}

// flowsMissed is why the flows of the host were not seen whole, "" if they were.
func (b *builder) flowsMissed() string {
	if !b.snap.OnWindows() {
		return lacking(b.snap, b.gaps, fieldReads()["services"])
	}
	return cmp.Or(lacking(b.snap, b.gaps, fieldReads()["windowsListeners"]), "what a Windows host forwards is not asked")
}

// linksMissed is why its interfaces were not.
func (b *builder) linksMissed() string {
	field := map[bool]string{false: "interfaces", true: "windowsNetworks"}[b.snap.OnWindows()]
	return lacking(b.snap, b.gaps, fieldReads()[field])
}

// otherSystem is why a check is not about the system that a snapshot is of; empty where it is, and of a check that reads nothing.
func (c *Check) otherSystem(s *snapshot.Snapshot) string {
	ofWindows := slices.ContainsFunc(c.Reads, func(r string) bool { return r == "windows" || strings.HasPrefix(r, "windows.") })
	switch {
	case ofWindows && !s.OnWindows():
		return "the host does not run Windows"
	case !ofWindows && s.OnWindows() && len(c.Reads) > 0:
		return "the host runs Windows"
	}
	return ""
}
