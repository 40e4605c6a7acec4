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
	Host       snapshot.Host       `json:"host"`
	Coverage   []snapshot.Coverage `json:"coverage"`
	Services   []DocService        `json:"services" reads:"listeners.ip listeners.namespaces network nftables processes.power agents runtimes"`
	Interfaces []DocInterface      `json:"interfaces" reads:"network"`
	Shared     []DocShared         `json:"sharedInterfaces" reads:"network listeners.ip"`
	Forwards   []DocForward        `json:"forwards" reads:"network nftables"`
	Firewall   DocFirewall         `json:"firewall" reads:"network nftables"`
	Published  []DocPublished      `json:"published" reads:"network nftables"`
	Shadowed   []DocShadow         `json:"shadowedRules" reads:"nftables"`
	Uncompared []DocUncompared     `json:"uncomparedRules" reads:"nftables"`
	Bridges    []DocBridge         `json:"bridges" reads:"network nftables"`
	// Untracked are the rules and tables by which packets leave connection tracking or the hooks after ingress.
	Untracked []DocUntracked `json:"untracked" reads:"nftables"`
	// Lost are the network namespaces that nothing leads to but a descriptor or a socket, Beside the interfaces in namespaces of workloads
	// whose frames never meet the host's packet filter.
	Lost   []DocNamespace `json:"lostNamespaces" reads:"network"`
	Beside []DocBeside    `json:"besideHost" reads:"network namespaces.processes processes.power runtimes agents"`

	SSH        DocSSH               `json:"ssh" reads:"ssh.configs ssh.servers"`
	KeyFiles   []snapshot.KeyFile   `json:"keyFiles" reads:"ssh.keys"`
	IPMI       snapshot.IPMI        `json:"ipmi" reads:"ipmi"`
	WinRM      snapshot.WinRM       `json:"winrm" reads:"winrm"`
	Sockets    []DocSocket          `json:"runtimeSockets" reads:"runtimes processes.power processes.groups"`
	Groups     []DocGroup           `json:"runtimeGroups" reads:"runtimes agents processes.power processes.groups"`
	Containers []snapshot.Container `json:"containers" reads:"runtimes"`
	Daemons    DocDaemons           `json:"dockerDaemons" reads:"runtimes"`
	Registries DocRegistries        `json:"insecureRegistries" reads:"runtimes"`
	Workloads  []DocWorkload        `json:"workloads" reads:"processes.power runtimes agents"`
	Devices    []DocDevice          `json:"openDevices" reads:"processes.devices processes.power runtimes agents"`
	Abstract   []DocAbstract        `json:"abstractSockets" reads:"listeners.unix processes.power runtimes agents"`
	Agents     []DocAgent           `json:"agents" reads:"agents listeners.ip listeners.namespaces network nftables processes.power"`
	// AgentPrograms are the agents without what the packet model says of them, and AgentListeners the sockets that are theirs.
	AgentPrograms  []DocAgentProgram  `json:"agentPrograms" reads:"agents processes.power"`
	AgentListeners []DocAgentListener `json:"agentListeners" reads:"agents processes.power listeners.ip listeners.namespaces"`
	Sandboxes      DocSandboxes       `json:"agentSandboxes" reads:"agents runtimes"`
	AgentAudits    []DocAudit         `json:"agentAudits" reads:"agents"`
	Memory         []DocMemory        `json:"sharedMemory" reads:"processes.memory processes.power runtimes agents"`
	// Paths are whether workloads, agents, services and accounts become root, rewrite the packet filter or read secrets.
	Paths  []DocPath       `json:"paths" reads:"powers processes.power processes.groups runtimes agents listeners.ip listeners.namespaces network nftables"`
	Kernel snapshot.Kernel `json:"kernel" reads:"kernel.facts"`
	// CommandLine and Processor are facts of the kernel that need no more than /proc and /sys.
	CommandLine snapshot.Fact            `json:"commandLine" reads:"kernel.boot"`
	Processor   map[string]snapshot.Fact `json:"processor" reads:"kernel.boot"`
	Sysctls     map[string]DocSetting    `json:"sysctls" reads:"kernel.sysctls network"`

	Managed []DocManaged `json:"managed" reads:"management listeners.ip listeners.namespaces network nftables processes.power agents runtimes"`

	Secrets   []snapshot.Readable    `json:"readableSecrets" reads:"system.readable"`
	Open      []snapshot.OpenAccount `json:"openAccounts" reads:"system.accounts"`
	Consoles  []snapshot.Console     `json:"openConsoles" reads:"system.consoles"`
	Clock     DocClock               `json:"clock" reads:"system.clock"`
	Firewalls DocBoot                `json:"bootFirewalls" reads:"system.boot"`
	Persisted DocPersisted           `json:"persisted" reads:"system.boot nftables"`
	// PersistedMore is that of iptables-persistent, ufw and firewalld, if one of them is started at boot.
	PersistedMore []DocPersisted `json:"persistedMore" reads:"system.boot nftables"`
	Metadata      DocMetadata    `json:"metadata" reads:"system.cloud network nftables processes.power agents runtimes"`
	BMCWays       []DocBMCWay    `json:"bmcWays" reads:"ipmi network nftables processes.power agents runtimes"`
	Floors        []DocFloor     `json:"floors" reads:"system.packages"`
	Programs      []DocProgram   `json:"programs" reads:"processes.power processes.programs runtimes agents"`
	AgentBrakes   DocBrakes      `json:"agentBrakes" reads:"agents runtimes"`
	AgentFiles    DocAgentFiles  `json:"agentFiles" reads:"agents"`
	MCP           DocMCP         `json:"mcp" reads:"agents"`
	Publishers    DocPublishers  `json:"publishers" reads:"agents processes.power listeners.ip runtimes"`
	OpenSecrets   DocSecrets     `json:"openSecrets" reads:"processes.secrets runtimes"`

	// Those of a Windows host. What decides who reaches a listener are the filters, or the rules where these were not read.
	WindowsListeners []DocWindowsService          `json:"windowsListeners" reads:"windows.listeners windows.adapters windows.reach"`
	WindowsRelays    []snapshot.WindowsPortRelay  `json:"windowsRelays" reads:"windows.portproxy"`
	WindowsAgents    []snapshot.WindowsAgent      `json:"windowsAgents" reads:"windows.agents"`
	WindowsProfiles  []DocWindowsProfile          `json:"windowsProfiles" reads:"windows.firewall windows.adapters"`
	WindowsNetworks  []DocWindowsNetwork          `json:"windowsNetworks" reads:"windows.adapters"`
	WindowsRules     []DocWindowsRule             `json:"windowsRules" reads:"windows.firewall"`
	WindowsWinRM     DocWindowsWinRM              `json:"windowsWinRM" reads:"windows.winrm"`
	WindowsSSH       DocWindowsSSH                `json:"windowsSSH" reads:"windows.ssh"`
	WindowsRDP       map[string]DocWindowsSetting `json:"windowsRDP" reads:"windows.rdp"`
	WindowsSMB       map[string]DocWindowsSetting `json:"windowsSMB" reads:"windows.smb windows.system"`
	WindowsPipes     []DocWindowsAccess           `json:"windowsPipes" reads:"windows.pipes"`
	WindowsServices  []DocWindowsAccess           `json:"windowsServices" reads:"windows.services"`
	WindowsProviders []DocWindowsProvider         `json:"windowsProviders" reads:"windows.filters"`
	WindowsEngine    DocWindowsEngine             `json:"windowsEngine" reads:"windows.filters windows.adapters"`
	WindowsHyperV    []snapshot.HyperVFirewall    `json:"windowsHyperV" reads:"windows.hyperv"`
	WindowsTokens    DocWindowsSetting            `json:"windowsTokens" reads:"windows.system"`
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
	State string `json:"state"`
	Value string `json:"value"`
}

// DocService is a listening IP socket, of the host's network namespace or of another one. Reach has one entry for each
// zone that has an origin.
type DocService struct {
	Key      string `json:"key"` // stable: tcp 0.0.0.0:22 (sshd), tcp 0.0.0.0:22 (sshd) in container web
	Proto    string `json:"proto"`
	Addr     string `json:"addr"`
	Port     int    `json:"port"`
	Device   string `json:"device"`
	Loopback bool   `json:"loopback"`
	Wildcard bool   `json:"wildcard"`
	// HostAddr is the address of the host that a packet filter can close alone: "" for all of them, and in another namespace. Family
	// is 4 or 6 where it takes one alone.
	HostAddr   string `json:"hostAddr"`
	Family     int    `json:"family"`
	Owner      string `json:"owner"`
	OwnerKnown bool   `json:"ownerKnown"`
	Unit       string `json:"unit"`
	Container  string `json:"container"`
	// Namespace names the network namespace of a socket that is not in the host's: what closes it is not a port of the host.
	Namespace string `json:"namespace"`
	Class     string `json:"class"` // ssh, winrm, ipmi, runtime-api, kubelet, agent, other
	// Gives is what whoever holds the socket is, and no more is got by it: root on the host, uid 1001, container web.
	Gives     string `json:"gives"`
	givesUID  int    // the same as a user of the host, or inContainer
	TLSVerify string `json:"tlsVerify"`
	Leads     string `json:"leads"` // the control socket that it passes connections on to, of a proxy
	// GuestPort is the port of a guest that the socket leads to, where that and not its own tells what it is: whether the guest serves it is not seen.
	GuestPort int                 `json:"guestPort,omitempty"`
	leads     int                 // the port of a guest that its owner says it leads to
	Reach     map[string]DocReach `json:"reach"`
	// By is what passes connections on to it, for a zone whose packets go there.
	By map[string]DocBy `json:"by,omitempty"`
}

// DocReach is whether a zone reaches a service, over all of its origins and both families.
type DocReach struct {
	Verdict    packet.Verdict `json:"verdict"`
	Origin     string         `json:"origin"` // interface, or local
	Local      bool           `json:"local"`  // only from processes on the host
	Witness    string         `json:"witness"`
	Because    []string       `json:"because"`
	StoppedBy  []string       `json:"stoppedBy"`
	Restricted bool           `json:"restricted"`
}

// DocBy is a port of a program that passes connections on to a service, as what is to be closed.
type DocBy struct {
	Program string `json:"program"`
	Proto   string `json:"proto"`
	Port    int    `json:"port"`
	// HostAddr, Family and Device are as those of a service.
	HostAddr string `json:"hostAddr"`
	Family   int    `json:"family"`
	Device   string `json:"device"`
}

// DocInterface is a classified interface.
type DocInterface struct {
	Name   string   `json:"name"`
	Zone   string   `json:"zone"`
	Reason string   `json:"reason"`
	Inert  bool     `json:"inert"`
	Addrs  []string `json:"addrs"`
	XDP    bool     `json:"xdp"`
	TC     []string `json:"tc"`
}

// DocShared is an interface on which two zones arrive.
type DocShared struct {
	Name     string   `json:"name"`
	Zones    []string `json:"zones"`
	Services []string `json:"services"` // management services that it leads to
}

// DocForward is whether packets of one interface are forwarded to another. Any is about some port;
// Default about a port that nothing names.
type DocForward struct {
	From     string   `json:"from"`
	FromZone string   `json:"fromZone"`
	To       string   `json:"to"`
	ToZone   string   `json:"toZone"`
	Within   string   `json:"within,omitempty"` // the network of workloads that both are parts of
	Family   string   `json:"family"`
	Any      DocReach `json:"any"`
	Default  DocReach `json:"default"`
}

// DocFirewall is the packet filter as a whole.
type DocFirewall struct {
	InputChains []string   `json:"inputChains"` // base chains of type filter on input
	Families    []string   `json:"families"`    // that they cover: ipv4, ipv6
	Input       []DocInput `json:"input"`
	Legacy      []string   `json:"legacy"` // tables of iptables-legacy and its kin whose rules were not read
	Programs    []string   `json:"programs"`
	Beside      []string   `json:"beside"` // programs at hooks of netfilter: of which network namespace they are is not told
	IPv6        bool       `json:"ipv6"`   // the host has IPv6 addresses besides loopback
}

// DocPublished is ports of an address of the host that are rewritten and forwarded to somebody behind
// it. Reach is about them; Input about a port of the same address that is not: whether the input
// filter stops it.
type DocPublished struct {
	Zone    string   `json:"zone"`
	Origin  string   `json:"origin"`
	Address string   `json:"address"`
	Proto   string   `json:"proto"`
	Ports   []string `json:"ports"`
	Reach   DocReach `json:"reach"`
	Input   DocReach `json:"input"`
}

// DocUncompared is rules of a chain that were not compared with those before them.
type DocUncompared struct {
	Chain  string `json:"chain"`
	Reason string `json:"reason"`
}

// DocShadow is a rule that no packet reaches, and the one before it that decides.
type DocShadow struct {
	Key      string `json:"key"` // chain and text, without the handle
	Rule     string `json:"rule"`
	By       string `json:"by"`
	Contrary bool   `json:"contrary"` // it would have decided otherwise
}

// DocBridge is a bridge, and whether what goes from port to port meets a filter: Ports are those of its zone that are
// up, Calls the switches of br_netfilter by family (on, off, absent or unknown), Between whether anything is stopped there
// (filtered, open or unknown).
type DocBridge struct {
	Name    string            `json:"name"`
	Zone    string            `json:"zone"`
	Ports   []string          `json:"ports"`
	Calls   map[string]string `json:"calls"`
	Between map[string]string `json:"between"`
}

// DocInput is what becomes of a packet to a port of the host that no rule names.
type DocInput struct {
	Zone   string   `json:"zone"`
	Origin string   `json:"origin"`
	Family string   `json:"family"`
	Reach  DocReach `json:"reach"`
}

// DocSSH is the servers and their settings, one entry for each context.
type DocSSH struct {
	Servers  []DocSSHServer  `json:"servers"`
	Contexts []DocSSHContext `json:"contexts"`
}

// DocSSHServer is a server. State is read where what it reads is known, and by the word of somebody who may say so; else why
// it is not.
type DocSSHServer struct {
	Key    string `json:"key"` // openssh, openssh in container web
	Kind   string `json:"kind"`
	Config string `json:"config"`
	Of     string `json:"of"` // whose it is besides the host's own: container web, uid 1001
	State  string `json:"state"`
}

// DocSSHContext is the settings under one Match condition.
type DocSSHContext struct {
	Config   string         `json:"config"`
	Of       string         `json:"of"`
	Source   string         `json:"source"`
	Match    string         `json:"match"`
	Settings DocSSHSettings `json:"settings"`
	// Values are all settings that the source tells, each with its lines, by their names in lower case.
	Values  map[string][]string `json:"values"`
	Options []string            `json:"options"` // of the command line, which count before the file
	Logins  DocSSHLogins        `json:"logins"`
	// Matched are the keywords that the Match blocks set themselves, in lower case.
	Matched []string `json:"matched"`
}

// DocSSHLogins is who is let in under the condition by a password (snapshot.SSHLogins).
type DocSSHLogins struct {
	Root   string   `json:"root"` // yes, locked, unsure, no
	Users  []string `json:"users"`
	Locked []string `json:"locked"`
	Unsure []string `json:"unsure"`
	Empty  []string `json:"empty"`
	Others bool     `json:"others"`
}

// DocClock is whether the kernel says that its clock is right, and what keeps it so.
type DocClock struct {
	State    string   `json:"state"` // of the fact
	Right    bool     `json:"right"`
	Services []string `json:"services"`
}

// DocBoot is the services that load a packet filter. State is present where systemd's directories were read.
type DocBoot struct {
	State   string   `json:"state"`
	Enabled []string `json:"enabled"`
	Off     []string `json:"off"` // installed, and not started at boot
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
	Workload string `json:"workload"`
	Link     string `json:"link"`
	Kind     string `json:"kind"`
	Parent   string `json:"parent"` // of the host, "" for hardware
	Zone     string `json:"zone"`   // of the parent
}

// DocSSHSettings are the values that the checks read, in lower case; empty where the source did not
// say.
type DocSSHSettings struct {
	PermitRootLogin string `json:"permitrootlogin"`
	Password        string `json:"passwordauthentication"`
	Keyboard        string `json:"kbdinteractiveauthentication"`
	Empty           string `json:"permitemptypasswords"`
	UsePAM          string `json:"usepam"`
	Methods         string `json:"authenticationmethods"`
}

// DocSocket is a runtime's control socket.
type DocSocket struct {
	Runtime       string     `json:"runtime"`
	Path          string     `json:"path"`
	Mode          string     `json:"mode"` // octal
	OthersWrite   bool       `json:"othersWrite"`
	GroupWrite    bool       `json:"groupWrite"`
	Group         string     `json:"group"`
	UID           int        `json:"uid"`
	Gated         bool       `json:"gated"`
	Closed        bool       `json:"closed"` // a directory on the way lets nobody else through
	Gives         string     `json:"gives"`  // to who writes it: root on the host, uid 1001; "" where that is not known
	MountedIn     []DocMount `json:"mountedIn"`
	PrivateToUser bool       `json:"privateToUser"` // below /run/user/UID of its owner
	Container     string     `json:"container"`     // whose daemon has it: the path is in there
	Writers       []string   `json:"writers"`       // that an access control list names: user agent, group ops
}

// DocMount is a workload that sees a control socket.
type DocMount struct {
	Workload string `json:"workload"`
	Path     string `json:"path"`
	Named    bool   `json:"named"` // by its specification: it was not seen there
}

// DocGroup is a group that controls a runtime.
type DocGroup struct {
	Name    string   `json:"name"`
	Runtime string   `json:"runtime"`
	Members []string `json:"members"`
	Agents  []string `json:"agents"` // agents whose user or groups include it
}

// DocWorkload is the processes of one container or sandbox, or of one agent, that have the same
// power.
type DocWorkload struct {
	Key              string   `json:"key"` // container web, process /usr/bin/agent
	Name             string   `json:"name"`
	Why              string   `json:"why"`
	Container        string   `json:"container"`
	Agent            bool     `json:"agent"`   // an agent that runs as a process of the host
	Process          string   `json:"process"` // an example
	UID              int      `json:"uid"`
	HostUser         bool     `json:"hostUser"` // in the initial user namespace
	HostNet          bool     `json:"hostNet"`
	HostPID          bool     `json:"hostPID"`
	HostIPC          bool     `json:"hostIPC"`
	HostUTS          bool     `json:"hostUTS"`
	HostMnt          bool     `json:"hostMnt"`
	Caps             []string `json:"caps"`    // that it has or can get
	CapText          string   `json:"capText"` // the same in words
	FullCaps         bool     `json:"fullCaps"`
	Latent           bool     `json:"latent"`     // it would have all of them by a program that runs as root, and none was seen
	LatentCaps       []string `json:"latentCaps"` // that it would have by such a program
	GainsBy          string   `json:"gainsBy"`    // the program by which it gets more than it has, "" if it has it
	NetAdminOverHost bool     `json:"netAdminOverHost"`
	Kernel           string   `json:"kernel"` // the program that is the kernel of what runs in it (gVisor): its capabilities are not the workload's
	Seccomp          int      `json:"seccomp"`
	NoNewPrivs       bool     `json:"noNewPrivs"`
	LSM              string   `json:"lsm"`
}

// DocDevice is a sensitive device that a process of a workload holds open.
type DocDevice struct {
	Device   string `json:"device"`
	Key      string `json:"key"` // of the workload
	Workload string `json:"workload"`
	Process  string `json:"process"` // an example
}

// DocAbstract is an abstract unix socket in the host's network namespace, where a workload runs too.
type DocAbstract struct {
	Name      string   `json:"name"`
	Runtime   string   `json:"runtime"` // that it belongs to, "" for none that is known
	Owner     string   `json:"owner"`
	UID       int      `json:"uid"`
	Workloads []string `json:"workloads"`
}

// DocAgentIdentity is an agent or model runtime by its process and its configuration.
type DocAgentIdentity struct {
	Key         string                   `json:"key"`
	Runtime     string                   `json:"runtime"`
	Title       string                   `json:"title"`
	Kind        string                   `json:"kind"`
	Evidence    string                   `json:"evidence"`
	UID         int                      `json:"uid"`
	HostUser    bool                     `json:"hostUser"`
	Unit        string                   `json:"unit"`
	Container   string                   `json:"container"`
	Auth        string                   `json:"auth"` // none, token, ..., or unknown
	Version     string                   `json:"version"`
	Floor       string                   `json:"floor"`
	Config      *snapshot.OpenClawConfig `json:"config,omitempty"`
	ConfigState string                   `json:"configState"`
}

// DocAgent is an agent or model runtime with the services that it listens on.
type DocAgent struct {
	DocAgentIdentity
	Services []DocService `json:"services"`
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
	FloorWhy   string `json:"floorWhy"`
	VersionWhy string `json:"versionWhy"` // why its version is not known
	Origins    string `json:"origins"`    // any, where pages of every site may use it; unknown; or ""
	OriginsWhy string `json:"originsWhy"`
}

// DocAgentListener is a socket of an agent. Inside is one in the network namespace of its container, where a wide address is normal: then
// only who gets there from outside counts. Open is the verdict of each zone; it is unknown where the packet filter was not read.
type DocAgentListener struct {
	Agent     string            `json:"agent"` // key of the agent
	Title     string            `json:"title"`
	Kind      string            `json:"kind"`
	Evidence  string            `json:"evidence"`
	Key       string            `json:"key"`
	Port      int               `json:"port"`
	Loopback  bool              `json:"loopback"`
	Inside    bool              `json:"inside"`
	Advice    bool              `json:"inContainer"` // the agent runs in a container
	Unclear   string            `json:"unclear"`     // why it is not known whether the socket leads to the agent
	Guessed   bool              `json:"guessed"`     // its owner was not seen: the port and the uid are the agent's
	Open      map[string]string `json:"open"`
	Because   []string          `json:"because"`   // why a verdict is not known
	Evidences []string          `json:"evidences"` // of what is reachable
}

// DocMaybe is a service that may lead to an agent.
type DocMaybe struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// DocMemory is shared memory that processes of the host and of workloads map.
type DocMemory struct {
	Key       string   `json:"key"`
	Kind      string   `json:"kind"`
	Mode      string   `json:"mode"`
	World     bool     `json:"world"` // everybody may read or write it
	Zones     []string `json:"zones"` // of those that map it
	Holders   []string `json:"holders"`
	Workloads []string `json:"workloads"` // that share the namespace it is in
}
