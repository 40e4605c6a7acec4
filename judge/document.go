package judge

import (
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// Document is what policies see as input: the snapshot with everything joined that a policy would
// otherwise have to search for. The tag "reads" of a field names the sections of the snapshot that
// it is made from; a policy that uses the field must list them in its metadata.
type Document struct {
	// Host is the machine, and the place that the collector ran in.
	Host snapshot.Host `json:"host"`
	// Coverage is how well each collector could see, one entry for each section of the snapshot.
	Coverage []snapshot.Coverage `json:"coverage"`
	// Services are the listening IP sockets of all network namespaces, by what is reached of each from which zone.
	Services []DocService `json:"services" reads:"listeners.ip listeners.namespaces network nftables processes.power agents runtimes"`
	// Interfaces are those of the host's network namespace, each with its zone.
	Interfaces []DocInterface `json:"interfaces" reads:"network"`
	// Shared are the interfaces on which packets of two zones arrive.
	Shared []DocShared `json:"sharedInterfaces" reads:"network listeners.ip"`
	// Forwards are what becomes of packets from each origin to each other network behind the host, by family.
	Forwards []DocForward `json:"forwards" reads:"network nftables"`
	// Firewall is the packet filter of the host's network namespace as a whole, and what it does with a port that nothing names.
	Firewall DocFirewall `json:"firewall" reads:"network nftables"`
	// Published are ports of the host's addresses that are rewritten and forwarded: they pass by the input filter.
	Published []DocPublished `json:"published" reads:"network nftables"`
	// Shadowed are the rules of the packet filter that no packet reaches, for one before them decides.
	Shadowed []DocShadow `json:"shadowedRules" reads:"nftables"`
	// Uncompared are the chains of which not all rules were compared, and why: shadowed rules may be among them.
	Uncompared []DocUncompared `json:"uncomparedRules" reads:"nftables"`
	// Bridges are those of the host, and whether a filter sees what goes from port to port.
	Bridges []DocBridge `json:"bridges" reads:"network nftables"`
	// Untracked are the rules and tables by which packets leave connection tracking or the hooks after ingress.
	Untracked []DocUntracked `json:"untracked" reads:"nftables"`
	// Lost are the network namespaces that nothing leads to but a descriptor or a socket, Beside the interfaces in namespaces of workloads
	// whose frames never meet the host's packet filter.
	Lost []DocNamespace `json:"lostNamespaces" reads:"network"`
	// Beside are interfaces in namespaces of workloads whose frames never meet the host's packet filter: macvlan, ipvlan, hardware.
	Beside []DocBeside `json:"besideHost" reads:"network namespaces.processes processes.power runtimes agents"`

	// SSH is the SSH servers and their settings.
	SSH DocSSH `json:"ssh" reads:"ssh.configs ssh.servers"`
	// KeyFiles are files by which somebody logs in and that somebody besides their user and root can write.
	KeyFiles []snapshot.KeyFile `json:"keyFiles" reads:"ssh.keys"`
	// IPMI is the baseboard management controller as the host sees it.
	IPMI snapshot.IPMI `json:"ipmi" reads:"ipmi"`
	// WinRM is the WinRM and OMI servers of a Linux host; for Windows see windowsWinRM.
	WinRM snapshot.WinRM `json:"winrm" reads:"winrm"`
	// Sockets are the control sockets of container runtimes and their kin in the file system, and who can use them.
	Sockets []DocSocket `json:"runtimeSockets" reads:"runtimes processes.power processes.groups"`
	// Groups are those whose members control a runtime.
	Groups []DocGroup `json:"runtimeGroups" reads:"runtimes agents processes.power processes.groups"`
	// Containers are those of the runtimes, each by its OCI specification where one was found.
	Containers []snapshot.Container `json:"containers" reads:"runtimes"`
	// Daemons are the Docker daemons of the host with their settings.
	Daemons DocDaemons `json:"dockerDaemons" reads:"runtimes"`
	// Registries are those that runtimes ask without TLS, or without a look at its certificate.
	Registries DocRegistries `json:"insecureRegistries" reads:"runtimes"`
	// Workloads are containers, sandboxes and agents with the power that they have, one entry for each set of powers in it.
	Workloads []DocWorkload `json:"workloads" reads:"processes.power runtimes agents"`
	// Devices are sensitive device files that processes of workloads hold open.
	Devices []DocDevice `json:"openDevices" reads:"processes.devices processes.power runtimes agents"`
	// Abstract are the abstract unix sockets of the host's network namespace; empty where no workload runs in it.
	Abstract []DocAbstract `json:"abstractSockets" reads:"listeners.unix processes.power runtimes agents"`
	// Agents are AI agents and model runtimes that run, with the services that they listen on.
	Agents []DocAgent `json:"agents" reads:"agents listeners.ip listeners.namespaces network nftables processes.power"`
	// AgentPrograms are the agents without what the packet model says of them, and AgentListeners the sockets that are theirs.
	AgentPrograms []DocAgentProgram `json:"agentPrograms" reads:"agents processes.power"`
	// AgentListeners are the sockets of agents, one entry for each.
	AgentListeners []DocAgentListener `json:"agentListeners" reads:"agents processes.power listeners.ip listeners.namespaces"`
	// Sandboxes are what agents are told of a sandbox for their commands, against what was measured.
	Sandboxes DocSandboxes `json:"agentSandboxes" reads:"agents runtimes"`
	// AgentAudits are reports of OpenClaw's own audit that were imported.
	AgentAudits []DocAudit `json:"agentAudits" reads:"agents"`
	// Memory is the segments of shared memory, System V and POSIX, and who maps them.
	Memory []DocMemory `json:"sharedMemory" reads:"processes.memory processes.power runtimes agents"`
	// Paths are whether workloads, agents, services and accounts become root, rewrite the packet filter or read secrets.
	Paths []DocPath `json:"paths" reads:"powers processes.power processes.groups runtimes agents listeners.ip listeners.namespaces network nftables"`
	// Kernel is facts, mounts and settings of the kernel: the evidence for or against a hardened and immutable host.
	Kernel snapshot.Kernel `json:"kernel" reads:"kernel.facts"`
	// CommandLine and Processor are facts of the kernel that need no more than /proc and /sys.
	CommandLine snapshot.Fact `json:"commandLine" reads:"kernel.boot"`
	// Processor are the files of /sys/devices/system/cpu/vulnerabilities by name; null where there are none or they were not read.
	Processor map[string]snapshot.Fact `json:"processor" reads:"kernel.boot"`
	// Sysctls are by name with dots (net.ipv4.ip_forward), those of the kernel and of the network together.
	Sysctls map[string]DocSetting `json:"sysctls" reads:"kernel.sysctls network"`

	// Managed are the servers and agents by which the host or its cluster is managed, besides SSH, WinRM and the runtimes.
	Managed []DocManaged `json:"managed" reads:"management listeners.ip listeners.namespaces network nftables processes.power agents runtimes"`

	// Secrets are files with secrets of root's or of a cluster that somebody else can read.
	Secrets []snapshot.Readable `json:"readableSecrets" reads:"system.readable"`
	// Open are accounts that are root besides root, or that need no password.
	Open []snapshot.OpenAccount `json:"openAccounts" reads:"system.accounts"`
	// Consoles are terminals on which a getty logs somebody in by itself (agetty(8), --autologin).
	Consoles []snapshot.Console `json:"openConsoles" reads:"system.consoles"`
	// Clock is whether the kernel says that its clock is right, and what keeps it so.
	Clock DocClock `json:"clock" reads:"system.clock"`
	// Firewalls are the services that load a packet filter, by whether they are started at boot.
	Firewalls DocBoot `json:"bootFirewalls" reads:"system.boot"`
	// Persisted is the packet filter that nftables loads at boot beside the one that is loaded now.
	Persisted DocPersisted `json:"persisted" reads:"system.boot nftables"`
	// PersistedMore is that of iptables-persistent, ufw and firewalld, if one of them is started at boot.
	PersistedMore []DocPersisted `json:"persistedMore" reads:"system.boot nftables"`
	// Metadata is the metadata service of the cloud that the host is a machine of, and which workloads are let through to it.
	Metadata DocMetadata `json:"metadata" reads:"system.cloud network nftables processes.power agents runtimes"`
	// BMCWays are what becomes of packets from networks of workloads to the address of the BMC; empty where that has none that is known.
	BMCWays []DocBMCWay `json:"bmcWays" reads:"ipmi network nftables processes.power agents runtimes"`
	// Floors are installed packages of components with a known hole, each with whether its version is below the one that mends it.
	Floors []DocFloor `json:"floors" reads:"system.packages"`
	// Programs are processes whose program has no file any more, is a machine monitor, or has ambient capabilities.
	Programs []DocProgram `json:"programs" reads:"processes.power processes.programs runtimes agents"`
	// AgentBrakes are the places where coding agents ask for no approval, or run without their sandbox.
	AgentBrakes DocBrakes `json:"agentBrakes" reads:"agents runtimes"`
	// AgentFiles are files of agents that others than their user can read or write.
	AgentFiles DocAgentFiles `json:"agentFiles" reads:"agents"`
	// MCP is the servers of the Model Context Protocol that agents are told of.
	MCP DocMCP `json:"mcp" reads:"agents"`
	// Publishers are programs that make services of this host reachable by connections that go out: tunnels and their kin.
	Publishers DocPublishers `json:"publishers" reads:"agents processes.power listeners.ip runtimes"`
	// OpenSecrets are secrets in arguments, units and their files where other accounts read them. The secrets themselves are not kept.
	OpenSecrets DocSecrets `json:"openSecrets" reads:"processes.secrets runtimes"`

	// Those of a Windows host. What decides who reaches a listener are the filters, or the rules where these were not read.
	WindowsListeners []DocWindowsService `json:"windowsListeners" reads:"windows.listeners windows.adapters windows.reach"`
	// WindowsRelays are what netsh interface portproxy forwards.
	WindowsRelays []snapshot.WindowsPortRelay `json:"windowsRelays" reads:"windows.portproxy"`
	// WindowsAgents are the agents that were found on a Windows host.
	WindowsAgents []snapshot.WindowsAgent `json:"windowsAgents" reads:"windows.agents"`
	// WindowsProfiles are the profiles of the firewall with the settings that count: domain, private and public.
	WindowsProfiles []DocWindowsProfile `json:"windowsProfiles" reads:"windows.firewall windows.adapters"`
	// WindowsNetworks are the adapters, each with its zone and profile.
	WindowsNetworks []DocWindowsNetwork `json:"windowsNetworks" reads:"windows.adapters"`
	// WindowsRules are the active rules of the firewall that let in the addresses that LocalSubnet stands for.
	WindowsRules []DocWindowsRule `json:"windowsRules" reads:"windows.firewall"`
	// WindowsWinRM is WinRM of a Windows host: its listeners, its settings and who is let in.
	WindowsWinRM DocWindowsWinRM `json:"windowsWinRM" reads:"windows.winrm"`
	// WindowsSSH is the settings of the OpenSSH server for Windows.
	WindowsSSH DocWindowsSSH `json:"windowsSSH" reads:"windows.ssh"`
	// WindowsRDP are the settings of Remote Desktop by the names of their registry values (fDenyTSConnections, UserAuthentication).
	WindowsRDP map[string]DocWindowsSetting `json:"windowsRDP" reads:"windows.rdp"`
	// WindowsSMB are the settings of the SMB server by the names of their registry values (SMB1, RequireSecuritySignature); start is that of LanmanServer.
	WindowsSMB map[string]DocWindowsSetting `json:"windowsSMB" reads:"windows.smb windows.system"`
	// WindowsPipes are named pipes of runtimes and agents, and who may use them.
	WindowsPipes []DocWindowsAccess `json:"windowsPipes" reads:"windows.pipes"`
	// WindowsServices are the services and who can change them, several entries for each: one for each object that decides what it runs.
	WindowsServices []DocWindowsAccess `json:"windowsServices" reads:"windows.services"`
	// WindowsProviders are programs besides Windows that have filters where connections that come in are decided.
	WindowsProviders []DocWindowsProvider `json:"windowsProviders" reads:"windows.filters"`
	// WindowsEngine is what the filters of the firewall do, as far as they tell it themselves.
	WindowsEngine DocWindowsEngine `json:"windowsEngine" reads:"windows.filters windows.adapters"`
	// WindowsHyperV are the settings of the Hyper-V firewall, for the machines of each creator.
	WindowsHyperV []snapshot.HyperVFirewall `json:"windowsHyperV" reads:"windows.hyperv"`
	// WindowsTokens is LocalAccountTokenFilterPolicy: 1 where local administrators have all their powers over the network.
	WindowsTokens DocWindowsSetting `json:"windowsTokens" reads:"windows.system"`
	// WindowsFilters are where the filters of the engine are other ones than rules and settings make.
	WindowsFilters []exposure.FilterDifference `json:"windowsFilters" reads:"windows.firewall windows.filters windows.adapters"`

	conditions map[string][]finding.Condition // for witnesses to arrive
}

// condition notes what a witness hangs on. One that arrives anyway in one answer has none.
func (d *Document) condition(witness string, list []finding.Condition) {
	if d.conditions == nil {
		d.conditions = map[string][]finding.Condition{}
	}
	if known, ok := d.conditions[witness]; !ok || len(known) > 0 {
		d.conditions[witness] = list
	}
}

// DocSetting is a sysctl; both sections that have some are joined.
type DocSetting struct {
	State string `json:"state"` // present, absent, denied or error
	Value string `json:"value"` // as the kernel has it below /proc/sys; empty unless the state is present
}

// DocService is a listening IP socket, of the host's network namespace or of another one. Reach has one entry for each
// zone that has an origin.
type DocService struct {
	Key      string `json:"key"`      // stable: tcp 0.0.0.0:22 (sshd), tcp 0.0.0.0:22 (sshd) in container web
	Proto    string `json:"proto"`    // tcp, udp, udplite, sctp
	Addr     string `json:"addr"`     // that it is bound to; 0.0.0.0 or :: for all
	Port     int    `json:"port"`     // that it is bound to, in its own network namespace
	Device   string `json:"device"`   // the interface that it is bound to (SO_BINDTODEVICE), "" for none
	Loopback bool   `json:"loopback"` // its address is a loopback one
	Wildcard bool   `json:"wildcard"` // its address is the unspecified one
	// HostAddr is the address of the host that a packet filter can close alone: "" for all of them, and in another namespace. Family
	// is 4 or 6 where it takes one alone.
	HostAddr   string `json:"hostAddr"`
	Family     int    `json:"family"`     // 4 or 6 where it takes one family alone, 0 for both
	Owner      string `json:"owner"`      // the name of the process that holds it; kernel, or unknown
	OwnerKnown bool   `json:"ownerKnown"` // false where who holds it could not be seen
	Unit       string `json:"unit"`       // of systemd that the owner is in, "" for none
	Container  string `json:"container"`  // that the owner is in, "" for none
	// Namespace names the network namespace of a socket that is not in the host's: what closes it is not a port of the host.
	Namespace string `json:"namespace"`
	Class     string `json:"class"` // ssh, winrm, ipmi, runtime-api, kubelet, agent, other
	// Gives is what whoever holds the socket is, and no more is got by it: root on the host, uid 1001, container web.
	Gives     string `json:"gives"`
	givesUID  int    // the same as a user of the host, or inContainer
	TLSVerify string `json:"tlsVerify"` // whether it asks for client certificates, by the daemon's settings: true, false, unknown
	Leads     string `json:"leads"`     // the control socket that it passes connections on to, of a proxy
	// GuestPort is the port of a guest that the socket leads to, where that and not its own tells what it is: whether the guest serves it is not seen.
	GuestPort int                 `json:"guestPort,omitempty"`
	leads     int                 // the port of a guest that its owner says it leads to
	Reach     map[string]DocReach `json:"reach"` // by zone
	// By is what passes connections on to it, for a zone whose packets go there.
	By map[string]DocBy `json:"by,omitempty"`
}

// DocReach is whether a zone reaches a service, over all of its origins and both families.
type DocReach struct {
	Verdict    packet.Verdict `json:"verdict"`    // of the packet model: reachable if any origin is, else unknown if any is, else unreachable
	Origin     string         `json:"origin"`     // interface, or local
	Local      bool           `json:"local"`      // only from processes on the host
	Witness    string         `json:"witness"`    // a packet that arrives, with the interface that it comes in by; "" unless it is reachable
	Because    []string       `json:"because"`    // why it is unknown
	StoppedBy  []string       `json:"stoppedBy"`  // what stops the packets, if it is unreachable: rules, policies and other places; the first five
	Restricted bool           `json:"restricted"` // reachable, and for a small part of the origin's addresses alone: rules have a list of who may
}

// DocBy is a port of a program that passes connections on to a service, as what is to be closed.
type DocBy struct {
	Program string `json:"program"` // that passes the connections on
	Proto   string `json:"proto"`   // of its own socket
	Port    int    `json:"port"`    // of the host, that it listens on
	// HostAddr, Family and Device are as those of a service.
	HostAddr string `json:"hostAddr"`
	Family   int    `json:"family"` // 4 or 6 where its socket takes one family alone, 0 for both
	Device   string `json:"device"` // the interface that its socket is bound to, "" for none
}

// DocInterface is a classified interface.
type DocInterface struct {
	Name   string   `json:"name"`   // as the kernel names it
	Zone   string   `json:"zone"`   // management, runtime, workload, external, host, unclassified
	Reason string   `json:"reason"` // why it is of that zone
	Inert  bool     `json:"inert"`  // no packet for the host comes in by it: it has no address, no route and no port, or is a port of a bridge
	Addrs  []string `json:"addrs"`  // address/bits, in the kernel's order
	XDP    bool     `json:"xdp"`    // a program of XDP is attached
	TC     []string `json:"tc"`     // filters and actions of traffic control that can drop or redirect packets
}

// DocShared is an interface on which two zones arrive.
type DocShared struct {
	Name     string   `json:"name"`     // as the kernel names it
	Zones    []string `json:"zones"`    // that arrive on it, sorted
	Services []string `json:"services"` // management services that it leads to
}

// DocForward is whether packets of one interface are forwarded to another. Any is about some port;
// Default about a port that nothing names.
type DocForward struct {
	From     string   `json:"from"`             // the interface that the packets come in by
	FromZone string   `json:"fromZone"`         // of the origin
	To       string   `json:"to"`               // the interface that they leave by
	ToZone   string   `json:"toZone"`           // of that; external where it is unclassified
	Within   string   `json:"within,omitempty"` // the network of workloads that both are parts of
	Family   string   `json:"family"`           // ipv4, ipv6
	Any      DocReach `json:"any"`              // whether packets to some port get through
	Default  DocReach `json:"default"`          // whether packets to a port that nothing names get through
}

// DocFirewall is the packet filter as a whole.
type DocFirewall struct {
	InputChains []string   `json:"inputChains"` // base chains of type filter on input
	Families    []string   `json:"families"`    // that they cover: ipv4, ipv6
	Input       []DocInput `json:"input"`       // of each origin and family, what becomes of a packet to a port that no rule names
	Legacy      []string   `json:"legacy"`      // tables of iptables-legacy and its kin whose rules were not read
	Programs    []string   `json:"programs"`    // of XDP and traffic control at interfaces, in words
	Beside      []string   `json:"beside"`      // programs at hooks of netfilter: of which network namespace they are is not told
	IPv6        bool       `json:"ipv6"`        // the host has IPv6 addresses besides loopback
}

// DocPublished is ports of an address of the host that are rewritten and forwarded to somebody behind
// it. Reach is about them; Input about a port of the same address that is not: whether the input
// filter stops it.
type DocPublished struct {
	Zone    string   `json:"zone"`    // of the origin
	Origin  string   `json:"origin"`  // the interface that the packets come in by
	Address string   `json:"address"` // of the host, that they are sent to
	Proto   string   `json:"proto"`   // tcp, udp
	Ports   []string `json:"ports"`   // as the sender writes them: a port or a range
	Reach   DocReach `json:"reach"`   // what becomes of packets to them
	Input   DocReach `json:"input"`   // what becomes of packets over the same way to a port that nothing names
}

// DocUncompared is rules of a chain that were not compared with those before them.
type DocUncompared struct {
	Chain  string `json:"chain"`  // FAMILY TABLE/CHAIN, as in ip filter/INPUT
	Reason string `json:"reason"` // how many rules were left, and why
}

// DocShadow is a rule that no packet reaches, and the one before it that decides.
type DocShadow struct {
	Key      string `json:"key"`      // chain and text, without the handle
	Rule     string `json:"rule"`     // its place (FAMILY TABLE/CHAIN#HANDLE) and its text
	By       string `json:"by"`       // the place and the text of the one before it
	Contrary bool   `json:"contrary"` // it would have decided otherwise
}

// DocBridge is a bridge, and whether what goes from port to port meets a filter: Ports are those of its zone that are
// up, Calls the switches of br_netfilter by family (on, off, absent or unknown), Between whether anything is stopped there
// (filtered, open or unknown).
type DocBridge struct {
	Name    string            `json:"name"`    // as the kernel names it
	Zone    string            `json:"zone"`    // of the bridge; a port has it too unless the configuration says otherwise
	Ports   []string          `json:"ports"`   // interfaces that are up and of its zone
	Calls   map[string]string `json:"calls"`   // net.bridge.bridge-nf-call-iptables and -ip6tables, by family (ipv4, ipv6): on, off, absent, unknown
	Between map[string]string `json:"between"` // by family (ipv4, ipv6): filtered, open, unknown
}

// DocInput is what becomes of a packet to a port of the host that no rule names.
type DocInput struct {
	Zone   string   `json:"zone"`   // of the origin
	Origin string   `json:"origin"` // the interface that the packet comes in by
	Family string   `json:"family"` // ipv4, ipv6
	Reach  DocReach `json:"reach"`  // of TCP, whether or not a socket listens there
}

// DocSSH is the servers and their settings, one entry for each context.
type DocSSH struct {
	Servers  []DocSSHServer  `json:"servers"`  // those that run, or that systemd or inetd starts
	Contexts []DocSSHContext `json:"contexts"` // a configuration of which it is not known whether its servers have it is left out
}

// DocSSHServer is a server. State is read where what it reads is known, and by the word of somebody who may say so; else why
// it is not.
type DocSSHServer struct {
	Key    string `json:"key"`    // openssh, openssh in container web
	Kind   string `json:"kind"`   // openssh, dropbear, tinyssh
	Config string `json:"config"` // path of its configuration, in its own mount namespace
	Of     string `json:"of"`     // whose it is besides the host's own: container web, uid 1001
	State  string `json:"state"`  // read, or why it is not known how it is configured
}

// DocSSHContext is the settings under one Match condition.
type DocSSHContext struct {
	Config   string         `json:"config"`   // path of the configuration
	Of       string         `json:"of"`       // whose server reads it besides the host's own: container web, uid 1001
	Source   string         `json:"source"`   // sshd -G, sshd -T, files
	Match    string         `json:"match"`    // the condition; empty for connections that no Match block applies to
	Settings DocSSHSettings `json:"settings"` // those that the built-in checks read
	// Values are all settings that the source tells, each with its lines, by their names in lower case.
	Values  map[string][]string `json:"values"`
	Options []string            `json:"options"` // of the command line, which count before the file
	Logins  DocSSHLogins        `json:"logins"`  // who gets in by a password there
	// Matched are the keywords that the Match blocks set themselves, in lower case.
	Matched []string `json:"matched"`
}

// DocSSHLogins is who is let in under the condition by a password (snapshot.SSHLogins).
type DocSSHLogins struct {
	Root   string   `json:"root"`   // yes, locked, unsure, no
	Users  []string `json:"users"`  // accounts besides root that have a password
	Locked []string `json:"locked"` // that are let in and have none
	Unsure []string `json:"unsure"` // of which it cannot be told whether they have one
	Empty  []string `json:"empty"`  // that need none
	Others bool     `json:"others"` // accounts of elsewhere than the host's files can come in too (nsswitch.conf(5), pam.d(5))
}

// DocClock is whether the kernel says that its clock is right, and what keeps it so.
type DocClock struct {
	State    string   `json:"state"`    // of the fact
	Right    bool     `json:"right"`    // it is synchronised (adjtimex(2), STA_UNSYNC); false also where the state is not present
	Services []string `json:"services"` // programs that run and keep the time
}

// DocBoot is the services that load a packet filter. State is present where systemd's directories were read.
type DocBoot struct {
	State   string   `json:"state"`   // present, absent, denied or error
	Enabled []string `json:"enabled"` // started at boot
	Off     []string `json:"off"`     // installed, and not started at boot
}

// DocUntracked is a rule or a flowtable by which packets leave connection tracking, or the hooks after ingress.
type DocUntracked struct {
	Key  string `json:"key"`  // chain and text of a rule, table and name of a flowtable
	Kind string `json:"kind"` // notrack, flowtable
}

// DocNamespace is a network namespace in which no process is and that has no name.
type DocNamespace struct {
	Key   string   `json:"key"`   // its interfaces, which are stabler than its number
	Inode uint64   `json:"inode"` // its number
	Links []string `json:"links"` // on the host, that lead to it
}

// DocBeside is an interface in a namespace of a workload that shares one of the host's below the host's stack: macvlan, ipvlan, or the
// hardware itself.
type DocBeside struct {
	Workload string `json:"workload"` // the network namespace, by its container or file: container web
	Link     string `json:"link"`     // the name of the interface in there
	Kind     string `json:"kind"`     // macvlan, macvtap, ipvlan, ipvtap, or device for hardware
	Parent   string `json:"parent"`   // of the host, "" for hardware
	Zone     string `json:"zone"`     // of the parent
}

// DocSSHSettings are the values that the checks read, in lower case; empty where the source did not
// say.
type DocSSHSettings struct {
	PermitRootLogin string `json:"permitrootlogin"`              // yes, prohibit-password or its older name without-password, forced-commands-only, no
	Password        string `json:"passwordauthentication"`       // yes, no
	Keyboard        string `json:"kbdinteractiveauthentication"` // yes, no
	Empty           string `json:"permitemptypasswords"`         // yes, no
	UsePAM          string `json:"usepam"`                       // yes, no
	Methods         string `json:"authenticationmethods"`        // as sshd_config(5) has them, blanks between lists; any: one is enough
}

// DocSocket is a runtime's control socket.
type DocSocket struct {
	Runtime       string     `json:"runtime"`       // that it controls: docker, containerd, ...
	Path          string     `json:"path"`          // in the file system of the host; of a container's daemon that in there, with "of container NAME"
	Mode          string     `json:"mode"`          // octal
	OthersWrite   bool       `json:"othersWrite"`   // everybody may write it, by its mode
	GroupWrite    bool       `json:"groupWrite"`    // its group may write it, by its mode
	Group         string     `json:"group"`         // name of its group, or the number of one without a name
	UID           int        `json:"uid"`           // its owner
	Gated         bool       `json:"gated"`         // the daemon asks who connects: the mode alone gives nothing
	Closed        bool       `json:"closed"`        // a directory on the way lets nobody else through
	Gives         string     `json:"gives"`         // to who writes it: root on the host, uid 1001; "" where that is not known
	MountedIn     []DocMount `json:"mountedIn"`     // the workloads that see it and may write it
	PrivateToUser bool       `json:"privateToUser"` // below /run/user/UID of its owner
	Container     string     `json:"container"`     // whose daemon has it: the path is in there
	Writers       []string   `json:"writers"`       // that an access control list names: user agent, group ops
}

// DocMount is a workload that sees a control socket.
type DocMount struct {
	Workload string `json:"workload"` // its name: container web
	Path     string `json:"path"`     // in the workload
	Named    bool   `json:"named"`    // by its specification: it was not seen there
}

// DocGroup is a group that controls a runtime.
type DocGroup struct {
	Name    string   `json:"name"`    // as in group(5)
	Runtime string   `json:"runtime"` // that its members control
	Members []string `json:"members"` // accounts that are in it
	Agents  []string `json:"agents"`  // agents whose user or groups include it
}

// DocWorkload is the processes of one container or sandbox, or of one agent, that have the same
// power.
type DocWorkload struct {
	Key              string   `json:"key"`              // container web, process /usr/bin/agent
	Name             string   `json:"name"`             // what people call it: container web, the title of an agent
	Why              string   `json:"why"`              // why it is of its zone
	Container        string   `json:"container"`        // its name, or the first digits of its id; "" for none
	Agent            bool     `json:"agent"`            // an agent that runs as a process of the host
	Process          string   `json:"process"`          // an example
	UID              int      `json:"uid"`              // effective, on the host
	HostUser         bool     `json:"hostUser"`         // in the initial user namespace
	HostNet          bool     `json:"hostNet"`          // in the host's network namespace
	HostPID          bool     `json:"hostPID"`          // in the host's pid namespace
	HostIPC          bool     `json:"hostIPC"`          // in the host's IPC namespace
	HostUTS          bool     `json:"hostUTS"`          // in the host's UTS namespace
	HostMnt          bool     `json:"hostMnt"`          // in the host's mount namespace
	Caps             []string `json:"caps"`             // that it has or can get
	CapText          string   `json:"capText"`          // the same in words
	FullCaps         bool     `json:"fullCaps"`         // it has all capabilities that PID 1 can have (its bounding set), or can get them
	Latent           bool     `json:"latent"`           // it would have all of them by a program that runs as root, and none was seen
	LatentCaps       []string `json:"latentCaps"`       // that it would have by such a program
	GainsBy          string   `json:"gainsBy"`          // the program by which it gets more than it has, "" if it has it
	NetAdminOverHost bool     `json:"netAdminOverHost"` // it has CAP_NET_ADMIN over the network namespace of the host
	Kernel           string   `json:"kernel"`           // the program that is the kernel of what runs in it (gVisor): its capabilities are not the workload's
	Seccomp          int      `json:"seccomp"`          // 0 off, 1 strict, 2 filter
	NoNewPrivs       bool     `json:"noNewPrivs"`       // no program that it executes gets it more (PR_SET_NO_NEW_PRIVS)
	LSM              string   `json:"lsm"`              // its label of the security module (/proc/PID/attr/current), "" where none is known
}

// DocDevice is a sensitive device that a process of a workload holds open.
type DocDevice struct {
	Device   string `json:"device"`   // path of the device file: /dev/kvm
	Key      string `json:"key"`      // of the workload
	Workload string `json:"workload"` // its name: container web
	Process  string `json:"process"`  // an example
}

// DocAbstract is an abstract unix socket in the host's network namespace, where a workload runs too.
type DocAbstract struct {
	Name      string   `json:"name"`      // with @ for the byte 0 that it begins with: @/containerd-shim/...
	Runtime   string   `json:"runtime"`   // that it belongs to, "" for none that is known
	Owner     string   `json:"owner"`     // the name of the process that holds it, or unknown
	UID       int      `json:"uid"`       // of who opened it, -1 where that was not told
	Workloads []string `json:"workloads"` // that run in the host's network namespace, and so can connect to it
}

// DocAgentIdentity is an agent or model runtime by its process and its configuration.
type DocAgentIdentity struct {
	Key         string                   `json:"key"`              // openclaw of uid 1000, ollama in container llm; stays when it is started again
	Runtime     string                   `json:"runtime"`          // its name in the data file of agents: openclaw, ollama
	Title       string                   `json:"title"`            // what people call it: OpenClaw gateway, Ollama
	Kind        string                   `json:"kind"`             // gateway, model, tool, cli, browser
	Evidence    string                   `json:"evidence"`         // by what it was recognised
	UID         int                      `json:"uid"`              // effective, on the host; -1 where its process was not seen
	HostUser    bool                     `json:"hostUser"`         // in the initial user namespace
	Unit        string                   `json:"unit"`             // of systemd that it is in, "" for none
	Container   string                   `json:"container"`        // that it is in, "" for none
	Auth        string                   `json:"auth"`             // none, token, ..., or unknown
	Version     string                   `json:"version"`          // "" where it is not known
	Floor       string                   `json:"floor"`            // the lowest version without a known hole, "" where none is known
	Config      *snapshot.OpenClawConfig `json:"config,omitempty"` // what of an OpenClaw configuration decides its posture; left out where none was read
	ConfigState string                   `json:"configState"`      // of that configuration: present, absent, denied or error
}

// DocAgent is an agent or model runtime with the services that it listens on.
type DocAgent struct {
	DocAgentIdentity
	Services []DocService `json:"services"` // those that it, or what it started, holds, and those that lead to it
	// Maybe are services by which it may be reached, and why that is not known.
	Maybe []DocMaybe `json:"maybe"`
	// Unseen are keys of reachable services of TCP whose owner was not seen: one of them may be its own.
	Unseen []string `json:"unseen"`
}

// DocAgentProgram is an agent or model runtime without what the packet model says of it.
type DocAgentProgram struct {
	DocAgentIdentity
	AuthWhy    string `json:"authWhy"`    // why it is unknown
	ConfigWhy  string `json:"configWhy"`  // why it was not read
	FloorState string `json:"floorState"` // of its version: below the floor, fixed or unknown
	FloorWhy   string `json:"floorWhy"`   // the hole that the floor closes
	VersionWhy string `json:"versionWhy"` // why its version is not known
	Origins    string `json:"origins"`    // any, where pages of every site may use it; unknown; or ""
	OriginsWhy string `json:"originsWhy"` // why it is unknown
}

// DocAgentListener is a socket of an agent. Inside is one in the network namespace of its container, where a wide address is normal: then
// only who gets there from outside counts. Open is the verdict of each zone; it is unknown where the packet filter was not read.
type DocAgentListener struct {
	Agent     string            `json:"agent"`       // key of the agent
	Title     string            `json:"title"`       // what people call the agent
	Kind      string            `json:"kind"`        // gateway, model, tool, cli, browser
	Evidence  string            `json:"evidence"`    // by what the agent was recognised
	Key       string            `json:"key"`         // of the service: tcp 0.0.0.0:11434 (ollama)
	Port      int               `json:"port"`        // that it is bound to; 0 where it is unclear
	Loopback  bool              `json:"loopback"`    // its address is a loopback one
	Inside    bool              `json:"inside"`      // it is in the network namespace of the agent's container
	Advice    bool              `json:"inContainer"` // the agent runs in a container
	Unclear   string            `json:"unclear"`     // why it is not known whether the socket leads to the agent
	Guessed   bool              `json:"guessed"`     // its owner was not seen: the port and the uid are the agent's
	Open      map[string]string `json:"open"`        // by zone (external, management, workload): reachable, unreachable, unknown; empty where it is unclear
	Because   []string          `json:"because"`     // why a verdict is not known
	Evidences []string          `json:"evidences"`   // of what is reachable
}

// DocMaybe is a service that may lead to an agent.
type DocMaybe struct {
	Key    string `json:"key"`    // of the service: tcp 0.0.0.0:8080 (gvproxy)
	Reason string `json:"reason"` // why it is not known where that leads
}

// DocMemory is shared memory that processes of the host and of workloads map.
type DocMemory struct {
	Key       string   `json:"key"`       // kind and name: the shmid of sysv (/proc/sysvipc/shm), the path of posix
	Kind      string   `json:"kind"`      // sysv, posix
	Mode      string   `json:"mode"`      // octal
	World     bool     `json:"world"`     // everybody may read or write it
	Zones     []string `json:"zones"`     // of those that map it
	Holders   []string `json:"holders"`   // that map it: names of workloads, or of processes of the host
	Workloads []string `json:"workloads"` // that share the namespace it is in
}
