package snapshot

import (
	"iter"
	"slices"
)

// Windows is what was seen of a host that runs Windows. Such a snapshot has the coverage of this section alone: its Parts name those parts
// that have gaps, and the Read of each part says what of it could be read. A part that was read names in Read.Value what it was read from.
//
// Names of keys, values, layers, conditions and actions are those of Microsoft's documents, in their spelling.
type Windows struct {
	System    WindowsSystem    `json:"system"`
	Adapters  WindowsAdapters  `json:"adapters"`
	Listeners WindowsListeners `json:"listeners"`
	Firewall  WindowsFirewall  `json:"firewall"`
	Filters   WindowsFilters   `json:"filters"`
	HyperV    WindowsHyperV    `json:"hyperv"`
	Services  WindowsServices  `json:"services"`
	WinRM     WindowsWinRM     `json:"winrm"`
	RDP       WindowsSettings  `json:"rdp"`
	SMB       WindowsSettings  `json:"smb"`
	SSH       WindowsSSH       `json:"ssh"`
	Pipes     WindowsPipes     `json:"pipes"`
	PortProxy WindowsPortProxy `json:"portproxy"`
	Networks  WindowsNetworks  `json:"networks"`
	Processes WindowsProcesses `json:"processes"`
	Groups    WindowsGroups    `json:"groups"`
	Agents    WindowsAgents    `json:"agents"`
}

// WindowsParts are the names of the parts of the section, as a policy reads them after "windows.".
var WindowsParts = []string{
	"adapters", "agents", "filters", "firewall", "groups", "hyperv", "listeners", "networks", "pipes", "portproxy", "processes", "rdp",
	"services", "smb", "ssh", "system", "winrm",
}

// windowsSection is its name in the coverage.
const windowsSection = "windows"

// OnWindows says that the snapshot is of a host that runs Windows: nothing of Linux was asked there.
func (s *Snapshot) OnWindows() bool {
	return slices.ContainsFunc(s.Coverage, func(c Coverage) bool { return c.Collector == windowsSection })
}

// WindowsSystem is which Windows it is.
type WindowsSystem struct {
	Read Fact `json:"read"`
	// Product and Edition are ProductName and EditionID of SOFTWARE\Microsoft\Windows NT\CurrentVersion.
	Product string `json:"product,omitempty"`
	Edition string `json:"edition,omitempty"`
	Build   int    `json:"build,omitempty"` // CurrentBuildNumber
	UBR     int    `json:"ubr,omitempty"`   // the update of it
	Major   int    `json:"major,omitempty"` // CurrentMajorVersionNumber, which a rule's Platform= asks for
	Minor   int    `json:"minor,omitempty"`
	// Type is ProductType of Control\ProductOptions: WinNT is a workstation, ServerNT a server, LanmanNT a domain controller.
	Type string `json:"type,omitempty"`
	// Domain is the DNS domain that it is a member of (Tcpip\Parameters, Domain).
	Domain string `json:"domain,omitempty"`
	// LocalAccountTokenFilterPolicy is 1 where local administrators have all their powers over the network.
	LocalAccountTokenFilterPolicy Fact `json:"localAccountTokenFilterPolicy"`
}

// WindowsProfile is a profile of the firewall, by which networks are told apart.
type WindowsProfile string

// The profiles, and no profile: an adapter whose network is not identified counts as public.
const (
	ProfileDomain  WindowsProfile = "domain"
	ProfilePrivate WindowsProfile = "private"
	ProfilePublic  WindowsProfile = "public"
)

var windowsProfiles = []WindowsProfile{ProfileDomain, ProfilePrivate, ProfilePublic}

// WindowsAdapters is the network interfaces.
type WindowsAdapters struct {
	Read Fact             `json:"read"`
	List []WindowsAdapter `json:"list"`
}

// WindowsAdapter is a network interface.
type WindowsAdapter struct {
	GUID        string `json:"guid,omitempty"` // {xxxxxxxx-xxxx-...}, lower case
	Name        string `json:"name"`           // the alias: Ethernet, vEthernet (WSL)
	Description string `json:"description,omitempty"`
	Index       int    `json:"index,omitempty"`
	LUID        uint64 `json:"luid,omitempty"` // NET_LUID, which filters ask for; 0 is not known
	Type        int    `json:"type,omitempty"` // ifType of ipifcons.h: 6 Ethernet, 23 PPP, 24 loopback, 53 virtual, 71 wireless, 131 tunnel
	// Up says that it is connected. Where that was not read, Read of the part says why.
	Up    bool     `json:"up"`
	Addrs []string `json:"addrs,omitempty"` // address/bits
	// Gateways, DNS, DHCP and WINS are those that keywords of rules stand for.
	Gateways []string `json:"gateways,omitempty"`
	DNS      []string `json:"dns,omitempty"`
	DHCP     []string `json:"dhcp,omitempty"`
	WINS     []string `json:"wins,omitempty"`
	// Links are the destinations of routes to the link itself beyond the prefixes of Addrs, and Routes those that a gateway is for, but for the
	// default one: who may be behind the adapter. RoutesTold says that these are all.
	Links      []string `json:"links,omitempty"`
	Routes     []string `json:"routes,omitempty"`
	RoutesTold bool     `json:"routesTold,omitempty"`
	// Kind is what network it is of; empty is none of those that are known.
	Kind WindowsNetworkKind `json:"kind,omitempty"`
	// Network is the name of the network profile that it is connected to, Profile that profile's category. ProfileRead says
	// whether it is known: absent where no network is identified on it.
	Network     string         `json:"network,omitempty"`
	Profile     WindowsProfile `json:"profile,omitempty"`
	ProfileRead Fact           `json:"profileRead"`
}

// WindowsNetworkKind is what a network or an adapter is for.
type WindowsNetworkKind string

// The kinds of networks.
const (
	NetworkWSL      WindowsNetworkKind = "wsl"      // the NAT network of WSL2
	NetworkHyperV   WindowsNetworkKind = "hyperv"   // a switch of Hyper-V, the default one among them
	NetworkHNS      WindowsNetworkKind = "hns"      // a network of containers (Host Networking Service)
	NetworkICS      WindowsNetworkKind = "ics"      // connection sharing and mobile hotspot
	NetworkVPN      WindowsNetworkKind = "vpn"      // a tunnel to somewhere else
	NetworkLoopback WindowsNetworkKind = "loopback" // reaches the host alone
)

var windowsNetworkKinds = []WindowsNetworkKind{NetworkWSL, NetworkHyperV, NetworkHNS, NetworkICS, NetworkVPN, NetworkLoopback}

// WindowsListeners is the sockets that wait for somebody.
type WindowsListeners struct {
	Read Fact              `json:"read"`
	List []WindowsListener `json:"list"`
	// URLs are the reservations of http.sys: who may serve a URL, which the socket of the kernel does not tell.
	URLs     []WindowsURL `json:"urls,omitempty"`
	URLsRead Fact         `json:"urlsRead"`
}

// WindowsListener is a listening TCP socket, or a bound UDP one. What serves it is Path, Services and Module as far as they are known.
type WindowsListener struct {
	Proto  string `json:"proto"` // tcp, udp
	Family int    `json:"family"`
	Addr   string `json:"addr"`
	Port   int    `json:"port"`
	PID    int    `json:"pid"` // 4 is the kernel: http.sys, SMB
	// Process is the name of the program (svchost.exe, System), Path its file in upper or lower case as Windows tells it (C:\...).
	Process string `json:"process,omitempty"`
	Path    string `json:"path,omitempty"`
	// Services are the services that run in the process. Service is the one whose socket it is, where that is told (owner module).
	Services []string `json:"services,omitempty"`
	Service  string   `json:"service,omitempty"`
	Module   string   `json:"module,omitempty"`
	// OwnerState says whether PID and Process are known.
	OwnerState OwnerState `json:"ownerState"`
}

// WindowsURL is a reservation of http.sys (Services\HTTP\Parameters\UrlAclInfo).
type WindowsURL struct {
	URL string     `json:"url"` // http://+:5985/wsman/
	ACL WindowsACL `json:"acl"` // who may serve it
}

// WindowsNetworks is the networks of virtual machines, containers and connection sharing, and the Linux systems inside.
type WindowsNetworks struct {
	Read Fact             `json:"read"`
	List []WindowsNetwork `json:"list"`
	WSL  WindowsWSL       `json:"wsl"`
	// MapsTold says that the ports of the list are all that the host translates for its machines.
	MapsTold bool `json:"mapsTold,omitempty"`
}

// WindowsNetwork is such a network.
type WindowsNetwork struct {
	Kind     WindowsNetworkKind `json:"kind"`
	ID       string             `json:"id,omitempty"`
	Name     string             `json:"name"`
	Type     string             `json:"type,omitempty"` // of HNS: NAT, ICS, Transparent, L2Bridge, Overlay, ...
	Prefixes []string           `json:"prefixes,omitempty"`
	// Ports are those of the host that lead into it without a socket (static mappings of WinNAT).
	Ports []WindowsPortMap `json:"ports,omitempty"`
}

// WindowsPortMap is a port of the host that is translated to somebody inside.
type WindowsPortMap struct {
	Proto    string `json:"proto"`
	Addr     string `json:"addr"`
	Port     int    `json:"port"`
	ToAddr   string `json:"toAddr"`
	ToPort   int    `json:"toPort"`
	Instance string `json:"instance,omitempty"` // of WinNAT
}

// WindowsWSL is the Windows Subsystem for Linux.
type WindowsWSL struct {
	Read          Fact               `json:"read"`
	Distributions []WSLDistribution  `json:"distributions,omitempty"`
	Settings      map[string]Fact    `json:"settings,omitempty"` // of .wslconfig and the policy, in lower case: networkingmode, firewall, localhostforwarding
	Users         []WSLConfiguration `json:"users,omitempty"`
}

// WSLConfiguration is the settings of .wslconfig of one user, by names in lower case.
type WSLConfiguration struct {
	User     string            `json:"user"`
	Settings map[string]string `json:"settings"`
}

// WSLDistribution is a Linux system of a user (HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss).
type WSLDistribution struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"` // 1 shares the network of the host, 2 is a virtual machine
	User    string `json:"user,omitempty"`
}

// WindowsPortProxy is what netsh interface portproxy forwards.
type WindowsPortProxy struct {
	Read Fact               `json:"read"`
	List []WindowsPortRelay `json:"list"`
}

// WindowsPortRelay is a listener of the service iphlpsvc that passes connections on (Services\PortProxy).
type WindowsPortRelay struct {
	Kind   string `json:"kind"` // v4tov4, v4tov6, v6tov4, v6tov6
	Proto  string `json:"proto"`
	Addr   string `json:"addr"` // "*" is every address, or a name
	Port   int    `json:"port"`
	ToAddr string `json:"toAddr"`
	ToPort int    `json:"toPort"`
}

// Reads is what of each part could be read, by its name, in the order of WindowsParts.
func (w *Windows) Reads() iter.Seq2[string, Fact] {
	reads := map[string]Fact{
		"adapters": w.Adapters.Read, "agents": w.Agents.Read, "filters": w.Filters.Read, "firewall": w.Firewall.Read, "groups": w.Groups.Read,
		"hyperv": w.HyperV.Read, "listeners": w.Listeners.Read, "networks": w.Networks.Read, "pipes": w.Pipes.Read, "portproxy": w.PortProxy.Read,
		"processes": w.Processes.Read, "rdp": w.RDP.Read, "services": w.Services.Read, "smb": w.SMB.Read, "ssh": w.SSH.Read, "system": w.System.Read,
		"winrm": w.WinRM.Read,
	}
	return func(yield func(string, Fact) bool) {
		for _, part := range WindowsParts {
			if !yield(part, reads[part]) {
				return
			}
		}
	}
}
