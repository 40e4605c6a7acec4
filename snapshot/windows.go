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
	System   WindowsSystem   `json:"system"`   // which Windows it is, from SOFTWARE and SYSTEM of the registry
	Adapters WindowsAdapters `json:"adapters"` // the network interfaces; who may be behind each
	// the sockets that wait for somebody, and the URL reservations of http.sys
	Listeners WindowsListeners `json:"listeners"`
	// the rules and profiles of Windows Defender Firewall as the registry has them, by store
	Firewall WindowsFirewall `json:"firewall"`
	// what the Windows Filtering Platform holds (netsh wfp show state): what decides, whatever the registry says
	Filters WindowsFilters `json:"filters"`
	// the firewall for virtual machines and WSL in mirrored mode (Windows 11 22H2 and later)
	HyperV   WindowsHyperV   `json:"hyperv"`
	Services WindowsServices `json:"services"` // the services that are programs; drivers are left out
	WinRM    WindowsWinRM    `json:"winrm"`    // the listeners of WinRM and their settings
	// settings of Remote Desktop (Control\Terminal Server, its WinStations\RDP-Tcp and its policy)
	RDP WindowsSettings `json:"rdp"`
	// settings of the SMB server (LanmanServer), with srv, how the driver of SMB 1 starts
	SMB       WindowsSettings  `json:"smb"`
	SSH       WindowsSSH       `json:"ssh"`       // the OpenSSH server for Windows
	Pipes     WindowsPipes     `json:"pipes"`     // named pipes that give power over containers, machines or keys
	PortProxy WindowsPortProxy `json:"portproxy"` // what netsh interface portproxy forwards
	// the networks of virtual machines, containers and connection sharing, and the Linux systems of WSL
	Networks  WindowsNetworks  `json:"networks"`
	Processes WindowsProcesses `json:"processes"` // the processes with what is known of their tokens
	Groups    WindowsGroups    `json:"groups"`    // local groups that are administrators, or become them
	Agents    WindowsAgents    `json:"agents"`    // OpenClaw and other agents that were recognised
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
	Read Fact `json:"read"` // whether SOFTWARE\Microsoft\Windows NT\CurrentVersion could be read
	// Product and Edition are ProductName and EditionID of SOFTWARE\Microsoft\Windows NT\CurrentVersion.
	Product string `json:"product,omitempty"`
	Edition string `json:"edition,omitempty"` // EditionID of that key: Professional, ServerStandard, ...
	Build   int    `json:"build,omitempty"`   // CurrentBuildNumber
	UBR     int    `json:"ubr,omitempty"`     // the update of it
	Major   int    `json:"major,omitempty"`   // CurrentMajorVersionNumber, which a rule's Platform= asks for
	Minor   int    `json:"minor,omitempty"`   // CurrentMinorVersionNumber
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
	Read Fact             `json:"read"` // whether all of them are known; error where none of them has an address
	List []WindowsAdapter `json:"list"` // by index and name
}

// WindowsAdapter is a network interface.
type WindowsAdapter struct {
	GUID        string `json:"guid,omitempty"`        // {xxxxxxxx-xxxx-...}, lower case
	Name        string `json:"name"`                  // the alias: Ethernet, vEthernet (WSL)
	Description string `json:"description,omitempty"` // as its driver describes it, by which VPNs are recognised
	Index       int    `json:"index,omitempty"`       // ifIndex; 0 is not known
	LUID        uint64 `json:"luid,omitempty"`        // NET_LUID, which filters ask for; 0 is not known
	Type        int    `json:"type,omitempty"`        // ifType of ipifcons.h: 6 Ethernet, 23 PPP, 24 loopback, 53 virtual, 71 wireless, 131 tunnel
	// Up says that it is connected. Where that was not read, Read of the part says why.
	Up    bool     `json:"up"`
	Addrs []string `json:"addrs,omitempty"` // address/bits
	// Gateways, DNS, DHCP and WINS are those that keywords of rules stand for.
	Gateways []string `json:"gateways,omitempty"`
	DNS      []string `json:"dns,omitempty"`  // addresses of its DNS servers; empty where they were not told
	DHCP     []string `json:"dhcp,omitempty"` // addresses of its DHCP servers; empty where they were not told
	WINS     []string `json:"wins,omitempty"` // addresses of its WINS servers; empty where they were not told
	// Links are the destinations of routes to the link itself beyond the prefixes of Addrs, and Routes those that a gateway is for, but for the
	// default one: who may be behind the adapter. RoutesTold says that these are all.
	Links []string `json:"links,omitempty"`
	// prefixes of routes by a gateway, without the default one and those that are within the prefixes of addrs
	Routes []string `json:"routes,omitempty"`
	// links and routes are all that the host has; false: others may be missing
	RoutesTold bool `json:"routesTold,omitempty"`
	// Kind is what network it is of; empty is none of those that are known.
	Kind WindowsNetworkKind `json:"kind,omitempty"`
	// Network is the name of the network profile that it is connected to, Profile that profile's category. ProfileRead says
	// whether it is known: absent where no network is identified on it.
	Network string `json:"network,omitempty"`
	// domain, private or public; empty where it is not known, or no network was identified
	Profile WindowsProfile `json:"profile,omitempty"`
	// whether profile is known; absent: no network is identified on it, which counts as public; error: it was not told
	ProfileRead Fact `json:"profileRead"`
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
	// whether the sockets are known; error where no TCP socket was told, since every Windows has some
	Read Fact              `json:"read"`
	List []WindowsListener `json:"list"` // by protocol, port, family, address and process
	// URLs are the reservations of http.sys: who may serve a URL, which the socket of the kernel does not tell.
	URLs     []WindowsURL `json:"urls,omitempty"`
	URLsRead Fact         `json:"urlsRead"` // whether the reservations could be read
}

// WindowsListener is a listening TCP socket, or a bound UDP one. What serves it is Path, Services and Module as far as they are known.
type WindowsListener struct {
	Proto string `json:"proto"` // tcp, udp
	// 4 or 6; to a TCP socket on :: one of 4 is added where none was told, since it may take both
	Family int    `json:"family"`
	Addr   string `json:"addr"` // without a zone; 0.0.0.0 and :: are every address of the family
	Port   int    `json:"port"` // that it is bound to
	PID    int    `json:"pid"`  // 4 is the kernel: http.sys, SMB
	// Process is the name of the program (svchost.exe, System), Path its file in upper or lower case as Windows tells it (C:\...).
	Process string `json:"process,omitempty"`
	Path    string `json:"path,omitempty"` // file of the program (C:\...); empty where it is not known
	// Services are the services that run in the process. Service is the one whose socket it is, where that is told (owner module).
	Services []string `json:"services,omitempty"`
	// the one of services whose socket it is; empty where there is none, or several and it was not told which
	Service string `json:"service,omitempty"`
	Module  string `json:"module,omitempty"` // owner module of the socket; empty where it was not told
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
	Read Fact `json:"read"` // whether the adapters were read, by which most of them are found
	// by name; a network can be there twice, by its adapter and by what HNS or WinNAT told
	List []WindowsNetwork `json:"list"`
	WSL  WindowsWSL       `json:"wsl"` // the Linux systems of WSL and its settings
	// MapsTold says that the ports of the list are all that the host translates for its machines.
	MapsTold bool `json:"mapsTold,omitempty"`
}

// WindowsNetwork is such a network.
type WindowsNetwork struct {
	Kind WindowsNetworkKind `json:"kind"`           // wsl, hyperv, hns or ics; a network of WinNAT is hns with the type NAT
	ID   string             `json:"id,omitempty"`   // of HNS, in lower case; empty of other sources
	Name string             `json:"name"`           // of the adapter, or what HNS or WinNAT calls it
	Type string             `json:"type,omitempty"` // of HNS: NAT, ICS, Transparent, L2Bridge, Overlay, ...
	// of its addresses (address/bits), without those of the link where they are from an adapter
	Prefixes []string `json:"prefixes,omitempty"`
	// Ports are those of the host that lead into it without a socket (static mappings of WinNAT).
	Ports []WindowsPortMap `json:"ports,omitempty"`
}

// WindowsPortMap is a port of the host that is translated to somebody inside.
type WindowsPortMap struct {
	Proto    string `json:"proto"`              // tcp, udp
	Addr     string `json:"addr"`               // of the host, as Windows tells it; 0.0.0.0 is every one
	Port     int    `json:"port"`               // of the host; 0 is not known
	ToAddr   string `json:"toAddr"`             // of the machine or container inside
	ToPort   int    `json:"toPort"`             // of the machine or container; 0 is not known
	Instance string `json:"instance,omitempty"` // of WinNAT
}

// WindowsWSL is the Windows Subsystem for Linux.
type WindowsWSL struct {
	Read          Fact               `json:"read"`                    // whether the registry of users was read, which has the distributions
	Distributions []WSLDistribution  `json:"distributions,omitempty"` // of every user whose registry was read
	Settings      map[string]Fact    `json:"settings,omitempty"`      // of .wslconfig and the policy, in lower case: networkingmode, firewall, localhostforwarding
	Users         []WSLConfiguration `json:"users,omitempty"`         // settings by user; empty where no .wslconfig was read
}

// WSLConfiguration is the settings of .wslconfig of one user, by names in lower case.
type WSLConfiguration struct {
	User     string            `json:"user"`     // whose .wslconfig it is
	Settings map[string]string `json:"settings"` // values as the file has them
}

// WSLDistribution is a Linux system of a user (HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss).
type WSLDistribution struct {
	ID      string `json:"id"`      // GUID in braces, lower case
	Name    string `json:"name"`    // DistributionName: Ubuntu, docker-desktop, ...
	Version int    `json:"version"` // 1 shares the network of the host, 2 is a virtual machine
	// whose registry has it: a SID, the name of the hive's file without its ending, or "current" of HKEY_CURRENT_USER
	User string `json:"user,omitempty"`
}

// WindowsPortProxy is what netsh interface portproxy forwards.
type WindowsPortProxy struct {
	// whether Services\PortProxy could be read; absent where the host has no such key
	Read Fact               `json:"read"`
	List []WindowsPortRelay `json:"list"` // in the order of kinds
}

// WindowsPortRelay is a listener of the service iphlpsvc that passes connections on (Services\PortProxy).
type WindowsPortRelay struct {
	Kind   string `json:"kind"`   // v4tov4, v4tov6, v6tov4, v6tov6
	Proto  string `json:"proto"`  // tcp: the service passes on nothing else
	Addr   string `json:"addr"`   // "*" is every address, or a name
	Port   int    `json:"port"`   // that it listens on
	ToAddr string `json:"toAddr"` // address or name that connections are passed on to
	ToPort int    `json:"toPort"` // port there
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
