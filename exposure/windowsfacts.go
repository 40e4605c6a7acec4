package exposure

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/wfp"
	"github.com/ringfence/ringfence/wfp/mpssvc"
)

// systemPID is the process of the kernel of Windows: http.sys and SMB listen in it.
const systemPID = 4

// The first of the ports that RPC and others take of the system's choice (MS-RPCE 2.1.1.1; netsh interface ipv4 show dynamicport).
const firstDynamic = 49152

// Types of interfaces (ipifcons.h, IF_TYPE_SOFTWARE_LOOPBACK and IF_TYPE_TUNNEL).
const (
	loopbackType = 24
	tunnelType   = 131
)

// The SIDs that tokens have (MS-DTYP 2.4.2.4).
const (
	everyone       = "S-1-1-0"
	authenticated  = "S-1-5-11"
	service        = "S-1-5-6"
	administrators = "S-1-5-32-544"
	localSystem    = "S-1-5-18"
	localService   = "S-1-5-19"
	networkService = "S-1-5-20"
	allServices    = "S-1-5-80-0"
	ofServices     = "S-1-5-80-"
	nobodysPackage = "S-1-0-0" // that of programs in no package
)

// served is a listener with who serves its port, where that was not told of the socket and the host says it elsewhere: http.sys serves the
// listeners of WinRM, the kernel those of SMB, and the terminal services theirs. Nobody else can have a port while they do.
func served(w *snapshot.Windows, l *snapshot.WindowsListener) *snapshot.WindowsListener {
	if l.Proto != "tcp" || l.Process != "" || l.PID != 0 || l.OwnerState == snapshot.OwnersKernel {
		return l
	}
	runs := func(service string) bool {
		return slices.ContainsFunc(w.Services.List, func(s snapshot.WindowsService) bool {
			return strings.EqualFold(s.Name, service) && s.Start != 4 && s.State != "stopped"
		})
	}
	out := *l
	rdp := cmp.Or(w.RDP.Settings["PortNumber"].Value, "3389")
	switch {
	case slices.ContainsFunc(w.WinRM.Listeners, func(x snapshot.WinRMListener) bool { return x.Enabled && x.Port == l.Port }),
		(l.Port == 445 || l.Port == 139) && runs("LanmanServer"):
		out.PID, out.Process = systemPID, "System"
	case strconv.Itoa(l.Port) == rdp && w.RDP.Settings["fDenyTSConnections"].Value == "0" && runs("TermService"):
		out.Process, out.Path, out.Services = "svchost.exe", `%SystemRoot%\System32\svchost.exe`, []string{"TermService"}
		out.OwnerState = snapshot.OwnersSeen
	default:
		return l
	}
	return &out
}

// pathOf is the program of a listener as conditions have it, "" where it is not known: on an unknown drive, by a short name.
func pathOf(w *snapshot.Windows, drive string, l *snapshot.WindowsListener) string {
	if l.PID == systemPID || l.PID == 0 && strings.EqualFold(l.Process, "system") && l.Path == "" {
		return "system"
	}
	written := writtenPath(w, l)
	path := mpssvc.ProgramOn(drive, written)
	if !mpssvc.Plain(written, path) {
		return ""
	}
	return path
}

// writtenPath is the program of a listener as it is told: of the process, or of its service.
func writtenPath(w *snapshot.Windows, l *snapshot.WindowsListener) string {
	if l.Path != "" {
		return l.Path
	}
	for _, name := range l.Services {
		for i := range w.Services.List {
			s := &w.Services.List[i]
			image := strings.ToLower(strings.Trim(s.Image, `"`))
			if at := strings.Index(image, ".exe"); at >= 0 && strings.EqualFold(s.Name, name) {
				return image[:at+4]
			}
		}
	}
	return ""
}

// listenerFacts are those of a listener, whoever asks. ByRule says that the filters are made of rules: of those of the engine it is not told
// which number of a port of the system stands for what.
func (q *windowsQuestion) listenerFacts(byRule bool) wfp.Facts {
	w, drive, l := q.w.snap, q.w.drive, q.l
	l = served(w, l)
	proto := map[string]uint64{"tcp": 6, "udp": 17}[l.Proto]
	f := wfp.Facts{
		wfp.Protocol: {Number: proto}, wfp.LocalPort: {Number: uint64(l.Port)}, wfp.LocalAddressType: {Number: 1}, // NlatUnicast
		wfp.User: token(w, l), wfp.PackageID: {Text: nobodysPackage}, wfp.PackageFamily: {},
		wfp.RemoteUser:    {Unknown: "whom IPsec authenticates is not known"},
		wfp.RemoteMachine: {Unknown: "whom IPsec authenticates is not known"},
	}
	path := pathOf(w, drive, l)
	f[wfp.App] = wfp.Fact{Text: path}
	if path == "" {
		f[wfp.App] = wfp.Fact{Unknown: "the program that listens was not read"}
		if !strings.Contains(l.Process, "~") {
			f[wfp.App] = wfp.Fact{Unknown: f[wfp.App].Unknown, Ends: strings.ToLower(l.Process)}
		}
	}
	f["ALE_ORIGINAL_APP_ID"] = f[wfp.App]
	f["ALE_SIO_FIREWALL_SOCKET_PROPERTY"] = wfp.Fact{Open: 7, OpenWhy: "what the program asked of the firewall for its socket is not told"}
	if strings.Contains(strings.ToLower(writtenPath(w, l)), `\windowsapps\`) || path == "" && l.Process == "" {
		f[wfp.PackageID] = wfp.Fact{Unknown: "whether the program is of a package was not read"}
		f[wfp.PackageFamily] = f[wfp.PackageID]
	}
	f[wfp.SystemPort] = systemPort(l, byRule, q.w.usualRPC)
	return f
}

// usualRPC says that RPC takes its ports of the usual range, as is seen by those that every Windows has. A host may be told to take others
// (Rpc\Internet in SOFTWARE, netsh interface ipv4 set dynamicport), and these have endpoints there then. Any program can have a name: the file counts.
func usualRPC(w *snapshot.Windows, drive string) bool {
	return slices.ContainsFunc(w.Listeners.List, func(l snapshot.WindowsListener) bool {
		name, system := strings.CutPrefix(pathOf(w, drive, &l), drive+`\windows\system32\`)
		return l.Proto == "tcp" && l.Port >= firstDynamic && system && slices.Contains([]string{"lsass.exe", "wininit.exe", "services.exe"}, name)
	})
}

// systemPort is what is known of whether the system has a port for a purpose of its own (FWPM_CONDITION_ALE_SIO_FIREWALL_SYSTEM_PORT): an endpoint
// of RPC or its mapper, Teredo, IP-HTTPS.
func systemPort(l *snapshot.WindowsListener, byRule, usual bool) wfp.Fact {
	kernel := l.PID == systemPID
	switch {
	case (l.Port >= firstDynamic || !usual) && !kernel && (l.Proto == "tcp" || !byRule):
		return wfp.Fact{Open: ^uint64(0), OpenWhy: "whether the port is an endpoint of RPC is not told"}
	case !byRule && (l.Port == 135 || l.Port == 443 && kernel):
		return wfp.Fact{Open: ^uint64(0), OpenWhy: "whether the system has the port for RPC or IP-HTTPS is not told"}
	}
	return wfp.Fact{}
}

// accounts are the SIDs of the accounts that services have.
var accountSIDs = map[string]string{
	"localsystem": localSystem, `nt authority\system`: localSystem, `nt authority\localservice`: localService,
	`nt authority\networkservice`: networkService, `nt authority\local service`: localService, `nt authority\network service`: networkService,
}

// mayHave are groups that tokens of the system and of services were seen to have: users, those on the host (S-1-2-0) and at its console (S-1-2-1), and
// of this organization. No document says that all do.
var mayHave = []string{"S-1-5-32-545", "S-1-2-0", "S-1-2-1", "S-1-5-15", service}

// token is what is known of the token of the process that listens.
func token(w *snapshot.Windows, l *snapshot.WindowsListener) wfp.Fact {
	if l.PID == systemPID {
		return wfp.Fact{SIDs: []string{everyone, authenticated, localSystem, administrators}, May: mayHave}
	}
	for i := range w.Processes.List {
		p := &w.Processes.List[i]
		if p.PID == l.PID && l.PID != 0 && p.Token.State == snapshot.Present && p.User != "" && len(p.Groups) > 0 {
			return wfp.Fact{SIDs: append([]string{p.User, everyone}, p.Groups...)}
		}
	}
	f := wfp.Fact{SIDs: []string{everyone, authenticated}, More: "the token of the process that listens was not read"}
	if l.OwnerState == snapshot.OwnersUnknown {
		return f
	}
	names := l.Services
	if len(names) == 0 && l.Service != "" {
		names = []string{l.Service}
	}
	for _, name := range names {
		f.SIDs = append(f.SIDs, service, allServices)
		at := slices.IndexFunc(w.Services.List, func(s snapshot.WindowsService) bool { return strings.EqualFold(s.Name, name) })
		if at < 0 {
			f.SIDs = append(f.SIDs, mpssvc.ServiceSID(name))
			continue
		}
		if s := &w.Services.List[at]; s.SIDType != 0 || s.Type == 0 {
			f.SIDs = append(f.SIDs, mpssvc.ServiceSID(name))
		}
		if sid := accountSIDs[strings.ToLower(w.Services.List[at].Account)]; sid != "" {
			f.SIDs, f.More, f.May = append(f.SIDs, sid), "", mayHave
			if sid == localSystem {
				f.SIDs = append(f.SIDs, administrators)
			}
		}
	}
	if len(names) > 0 { // of another program it is not known: it may be the child of a service, and has its token
		f.Told = ofServices
	}
	return f
}

// profileFields are those that ask for a profile of the firewall.
var profileFields = []wfp.Field{wfp.OriginalProfile, wfp.CurrentProfile, wfp.ArrivalProfile, wfp.LocalProfile, wfp.NexthopProfile}

// arrivalFacts are those of packets that come in by an interface; nil is one that was not read. Filters that were made of rules name it by its
// GUID, those of the engine by its LUID.
func arrivalFacts(a *snapshot.WindowsAdapter, epoch wfp.Fact, byRule bool) wfp.Facts {
	f := wfp.Facts{
		wfp.Flags:           {Open: wfp.FlagIPsec, OpenWhy: "whether IPsec authenticates the peer is not known"},
		wfp.QuarantineEpoch: epoch,
	}
	unknown := func(why string, fields ...wfp.Field) {
		for _, k := range fields {
			f[k] = wfp.Fact{Unknown: why}
		}
	}
	for _, k := range []wfp.Field{"REAUTHORIZE_REASON", "ALE_REAUTH_REASON"} {
		f[k] = wfp.Fact{} // the first packet of a connection is no second thought
	}
	f["COMPARTMENT_ID"] = wfp.Fact{Number: 1} // the default one
	places := []wfp.Field{wfp.Interface, wfp.ArrivalInterface, wfp.NexthopInterface, "IP_PHYSICAL_ARRIVAL_INTERFACE", "IP_PHYSICAL_NEXTHOP_INTERFACE"}
	indexes := []wfp.Field{"INTERFACE_INDEX", "LOCAL_INTERFACE_INDEX", "ARRIVAL_INTERFACE_INDEX", "NEXTHOP_INTERFACE_INDEX"}
	kinds := []wfp.Field{wfp.InterfaceType, wfp.ArrivalType, wfp.NexthopType, "LOCAL_INTERFACE_TYPE"}
	tunnels := []wfp.Field{wfp.TunnelType, wfp.ArrivalTunnel, wfp.NexthopTunnel, "LOCAL_TUNNEL_TYPE"}
	if a == nil {
		const why = "the interfaces were not read"
		unknown(why, slices.Concat(profileFields, places, indexes, kinds, tunnels, []wfp.Field{mpssvc.WiFiDirect, wfp.LocalAddress})...)
		return f
	}
	set := func(v wfp.Fact, fields ...wfp.Field) {
		for _, k := range fields {
			f[k] = v
		}
	}
	if p, known := mpssvc.ProfileOf(a); known {
		set(wfp.Fact{Number: mpssvc.ProfileID(p)}, profileFields...)
	} else {
		unknown("the profile of the interface "+a.Name+" was not read", profileFields...)
	}
	at := wfp.Fact{Number: a.LUID, Text: strings.ToLower(a.GUID)}
	if a.LUID == 0 {
		at.Open, at.OpenWhy = ^uint64(0), "the LUID of the interface "+a.Name+" was not read"
	}
	if byRule && a.GUID == "" {
		at.Unknown = "the GUID of the interface " + a.Name + " was not read"
	}
	set(at, places...)
	set(wfp.Fact{Number: uint64(max(0, a.Index))}, indexes...)
	if a.Index <= 0 {
		unknown("the index of the interface "+a.Name+" was not read", indexes...)
	}
	set(wfp.Fact{Number: uint64(max(0, a.Type))}, kinds...)
	if a.Type <= 0 {
		unknown("the type of the interface "+a.Name+" was not read", kinds...)
	}
	if byRule && a.Type > 0 && a.Type != loopbackType && !mpssvc.KindKnown(a.Type) {
		unknown(fmt.Sprintf("of which kind the interface %s is to the firewall (type %d) is not known", a.Name, a.Type), kinds...)
	}
	set(tunnelOf(a), tunnels...)
	direct := strings.Contains(strings.ToLower(a.Description), "wi-fi direct")
	f[mpssvc.WiFiDirect] = wfp.Fact{Number: map[bool]uint64{true: 1}[direct]}
	return f
}

// tunnelOf is the type of tunnel that an interface is the end of (ifdef.h, TUNNEL_TYPE): 0 is none.
func tunnelOf(a *snapshot.WindowsAdapter) wfp.Fact {
	name := strings.ToLower(a.Name + " " + a.Description)
	switch {
	case a.Type != tunnelType:
		return wfp.Fact{}
	case strings.Contains(name, "teredo"):
		return wfp.Fact{Number: 14}
	case strings.Contains(name, "6to4"):
		return wfp.Fact{Number: 11}
	case strings.Contains(name, "isatap"):
		return wfp.Fact{Number: 13}
	case strings.Contains(name, "iphttps"), strings.Contains(name, "ip-https"):
		return wfp.Fact{Number: 15}
	}
	return wfp.Fact{Unknown: "what tunnel the interface " + a.Name + " is the end of was not read"}
}

// epochOf is the epoch of interfaces that came out of quarantine: the latest that a filter asks for. Interfaces that are in no
// network yet have another one (Microsoft, "Quarantine behavior").
func epochOf(filters []wfp.Filter) wfp.Fact {
	n, any := uint64(0), false
	for i := range filters {
		for _, c := range filters[i].Conditions {
			if c.Field == wfp.QuarantineEpoch && c.Match == wfp.Equal && c.Value.Kind == wfp.Number {
				n, any = max(n, c.Value.Lo), true
			}
		}
	}
	if !any {
		return wfp.Fact{Unknown: "whether the interface is in quarantine was not read"}
	}
	return wfp.Fact{Number: n}
}

// localAddrs are the addresses of an interface of one family.
func localAddrs(a *snapshot.WindowsAdapter, v4 bool) []netip.Addr {
	var out []netip.Addr
	for _, s := range a.Addrs {
		if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is4() == v4 {
			out = append(out, p.Addr())
		}
	}
	return out
}
