// Package snapshot is what was seen on a host, as plain data without judgement.
//
// A snapshot is one JSON document with "schema": "ringfence.snapshot/v1". It has one section for
// each collector and a coverage entry that says how well that collector could see: ok, partial,
// denied, absent or error, with the reason. A fact that can be missing says which way it is missing
// (see Fact). Text from the host is kept as it was; whoever prints it escapes it. Facts
// say whose word they are (see Word). Arguments, environments and secrets are not kept.
package snapshot

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// Schema names the format and its version.
const Schema = "ringfence.snapshot/v1"

// Status is how well something was seen: the state of a collector, of a fact, of a family of sockets.
type Status string

// The states. A fact that was seen is Present, all else that was is OK.
const (
	OK      Status = "ok"
	Partial Status = "partial" // some of it was seen: a failure can be proved, a pass cannot
	Denied  Status = "denied"  // needs a privilege that was missing
	Absent  Status = "absent"  // the host does not have it
	Error   Status = "error"
	Present Status = "present"
)

// Snapshot is everything that was seen on one host.
type Snapshot struct {
	Schema      string `json:"schema"`
	Tool        Tool   `json:"tool"`
	CollectedAt string `json:"collectedAt"` // RFC 3339, UTC
	// Nonce is what who asked for the snapshot gave, so that one of another time is not taken for it.
	Nonce    string     `json:"nonce,omitempty"`
	Host     Host       `json:"host"`
	Coverage []Coverage `json:"coverage"`
	Redacted int        `json:"redacted"` // secrets that were seen and not kept

	Network   Network   `json:"network"`
	Listeners Listeners `json:"listeners"`
	SSH       SSH       `json:"ssh"`
	WinRM     WinRM     `json:"winrm"`
	IPMI      IPMI      `json:"ipmi"`
	Runtimes  Runtimes  `json:"runtimes"`
	Agents    Agents    `json:"agents"`
	Processes Processes `json:"processes"`
	NFTables  NFTables  `json:"nftables"`
	Kernel    Kernel    `json:"kernel"`
	Powers    Powers    `json:"powers,omitzero"`
	System    System    `json:"system,omitzero"`

	Management Management `json:"management,omitzero"`

	// Windows is what was seen of a host that runs Windows; the sections above are empty there.
	Windows Windows `json:"windows,omitzero"`

	// Namespaces is the network of every other network namespace of the host.
	Namespaces []Elsewhere `json:"namespaces,omitempty"`

	Integrity *Integrity `json:"integrity,omitempty"`
}

// Integrity is what tells a snapshot that was damaged on its way. It is no signature.
type Integrity struct {
	Digest string `json:"digest"` // see Snapshot.Digest
}

// Tool is the program that collected.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Coverage says how well one collector could see.
type Coverage struct {
	Collector string   `json:"collector"`
	Status    Status   `json:"status"`
	Reasons   []string `json:"reasons,omitempty"`
	Millis    int64    `json:"millis"`
	// Parts names the parts of a partial section that have gaps. Where it is empty, the gaps are in
	// the section as a whole.
	Parts []string `json:"parts,omitempty"`
}

// Part returns the status of one part of a section: a gap elsewhere does not make it partial.
func (c Coverage) Part(part string) Status {
	if c.Status == Partial && len(c.Parts) > 0 && part != "" && !slices.Contains(c.Parts, part) {
		return OK
	}
	return c.Status
}

// Fact is a value that can be missing. State is present, absent (the kernel or program does not
// have it), denied or error; Reason says what the system answered.
type Fact struct {
	State  Status `json:"state"`
	Value  string `json:"value,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Host identifies the machine and the place that the collector ran in.
type Host struct {
	Name      string `json:"name"`
	MachineID string `json:"machineId,omitempty"` // sha256 of /etc/machine-id with our own prefix
	OS        string `json:"os"`
	OSVersion string `json:"osVersion,omitempty"`
	Kernel    string `json:"kernel"`
	Arch      string `json:"arch"`
	BootID    string `json:"bootId,omitempty"` // /proc/sys/kernel/random/boot_id
	Self      Self   `json:"self"`
}

// Self is how the collector stood to the host: where it is confined, "the host" is not the host.
type Self struct {
	UID      int      `json:"uid"`
	CapEff   string   `json:"capEff"`
	NS       NS       `json:"ns"`
	Confined []string `json:"confined,omitempty"` // signs that this is a container, not the host
	// Root is the directory by which the host's files were reached from a container: that of --host-root, or /proc/1/root.
	Root string `json:"root,omitempty"`
}

// NS holds the inode numbers of a process's namespaces; 0 is unknown.
type NS struct {
	User uint64 `json:"user"`
	Net  uint64 `json:"net"`
	PID  uint64 `json:"pid"`
	Mnt  uint64 `json:"mnt"`
	IPC  uint64 `json:"ipc"`
	UTS  uint64 `json:"uts"`
}

// Listeners is every socket that waits for somebody else.
type Listeners struct {
	Sockets  []Socket       `json:"sockets"`
	Families []SocketFamily `json:"families"` // how each family could be listed
	// Cgroups are those of the sockets, and of the processes in the host's network namespace, by their ids. CgroupsUnread says why it is not
	// known what they have.
	Cgroups       []Cgroup `json:"cgroups,omitempty"`
	CgroupsUnread string   `json:"cgroupsUnread,omitempty"`
}

// SocketFamily says whether one kind of socket could be listed in one namespace.
type SocketFamily struct {
	Netns  uint64 `json:"netns"`
	Proto  string `json:"proto"`
	State  Status `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// Socket is a listening or bound socket. Proto is tcp, udp, udplite, sctp, mptcp, raw, packet,
// unix or vsock.
type Socket struct {
	Netns  uint64 `json:"netns"`
	Proto  string `json:"proto"`
	Family int    `json:"family,omitempty"` // 4 or 6 for IP
	Addr   string `json:"addr,omitempty"`
	Port   int    `json:"port,omitempty"` // of raw: the IP protocol; of packet: the EtherType
	Device string `json:"device,omitempty"`
	V6Only bool   `json:"v6only,omitempty"`
	// Transparent is IP_TRANSPARENT of an IP socket: it takes packets for addresses that are not the
	// host's. Left out where the kernel does not tell (before 5.10).
	Transparent *bool `json:"transparent,omitempty"`
	// Mark is SO_MARK, left out where it was not told: that needs CAP_NET_ADMIN.
	Mark       *uint32    `json:"mark,omitempty"`
	Path       string     `json:"path,omitempty"`
	Abstract   bool       `json:"abstract,omitempty"`
	Type       string     `json:"type,omitempty"` // of unix: stream, dgram, seqpacket
	Inode      uint64     `json:"inode"`
	UID        int        `json:"uid"`
	Owners     []Owner    `json:"owners,omitempty"`
	OwnerState OwnerState `json:"ownerState"`
	// Cgroup is the inode of the cgroup in which the socket was made; 0 is not told.
	Cgroup uint64 `json:"cgroup,omitempty"`
	// Programs are the programs that see what the sockets of its cgroup get and send (BPF_CGROUP_INET_INGRESS and EGRESS), without those of which
	// Listeners.Cgroups says what they go by. Each can drop it.
	Programs []string `json:"programs,omitempty"`
	// Relay is where its owner passes connections on, of a program that does nothing else.
	Relay *Relay `json:"relay,omitempty"`
	// GuestPort is the port of a guest that its owner passes connections on to, by the options of that: QEMU with hostfwd, passt, pasta, gvproxy.
	GuestPort int `json:"guestPort,omitempty"`
}

// OwnerState says whether it is known who has a socket.
type OwnerState string

// Who has a socket.
const (
	// OwnersSeen is a socket of the processes that are named.
	OwnersSeen OwnerState = "seen"
	// OwnersUnknown is a socket of a process that could not be looked at, or one in a message that was not taken yet.
	OwnersUnknown OwnerState = "unknown"
	// OwnersKernel is a socket of the kernel, which says so itself.
	OwnersKernel OwnerState = "kernel"
)

// Relay is a program that passes connections on, into another network namespace or to a listener beside it, by the name of its file.
type Relay struct {
	Program string `json:"program"`
	// Addr and Port are where its arguments or files say that it leads; without them that is not told.
	Addr string `json:"addr,omitempty"`
	Port int    `json:"port,omitempty"`
	// Also are the other places that it leads to.
	Also []RelayEnd `json:"also,omitempty"`
	// Chooses says that it asks who comes, or passes on what it chooses, and that this was not worked out.
	Chooses bool `json:"chooses,omitempty"`
	// Netns is the network namespace of the program, where that is another one than its socket's: from there it passes connections on.
	Netns uint64 `json:"netns,omitempty"`
}

// RelayEnd is an address and a port that a program passes connections on to.
type RelayEnd struct {
	Addr string `json:"addr"`
	Port int    `json:"port"`
}

// Ends are all places that a relay leads to.
func (r *Relay) Ends() []RelayEnd {
	if r == nil || r.Addr == "" {
		return nil
	}
	return append([]RelayEnd{{r.Addr, r.Port}}, r.Also...)
}

// Owner is a process that holds a socket.
type Owner struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
}

// SSH is the SSH servers and how they are configured.
type SSH struct {
	Servers  []SSHServer  `json:"servers,omitempty"`
	Configs  []SSHConfig  `json:"configs,omitempty"`
	KeyFiles []KeyFile    `json:"keyFiles,omitempty"`
	Sessions []SSHSession `json:"sessions,omitempty"`
	// Accounts are those that have a shell, by each configuration of the host's own servers.
	Accounts []SSHAccount `json:"accounts,omitempty"`
}

// SSHAccount says by what an account of the host can log in over SSH.
type SSHAccount struct {
	Config string `json:"config"` // path of the configuration that it is about
	Name   string `json:"name"`
	UID    int    `json:"uid"`
	// LoggedIn says that somebody is logged in as it now, or was while the host was looked at.
	LoggedIn bool `json:"loggedIn,omitempty"`
	// Admin says that it is root, or is seen to become root: by a group, or by a rule of sudo.
	Admin bool `json:"admin,omitempty"`
	// Key is Yes where a key alone logs in, No, or empty where it cannot be told; Why is the reason of those.
	Key Login  `json:"key,omitempty"`
	Why string `json:"why,omitempty"`
	// Loose is why its keys let it in no longer, or as far as is known, once StrictModes is on, which is off.
	Loose string `json:"loose,omitempty"`
}

// SSHServer is a running or socket-activated server.
type SSHServer struct {
	Kind      string `json:"kind"` // openssh, dropbear, tinyssh
	PID       int    `json:"pid,omitempty"`
	Exe       string `json:"exe,omitempty"`
	Cmdline   string `json:"cmdline,omitempty"` // in older snapshots
	Unit      string `json:"unit,omitempty"`
	Activated bool   `json:"activated,omitempty"` // systemd holds the listening socket, or the holder does
	Holder    int    `json:"holder,omitempty"`    // pid of inetd or its like
	Config    string `json:"config,omitempty"`
	Container string `json:"container,omitempty"`
	// Mntns is the mount namespace in which the path of the configuration is meant.
	Mntns uint64 `json:"mntns,omitempty"`
	// Word is whose server it is: root's is the host's own.
	Word Word `json:"word,omitzero"`
	// Options are the settings that its command line gives, as NAME=VALUE: they count before the file.
	Options []string `json:"options,omitempty"`
	// Listen are the addresses of the socket unit that starts it, as the unit has them (systemd.socket(5), ListenStream=).
	Listen []string `json:"listen,omitempty"`
	// Unread says why it is not known how it is configured.
	Unread string `json:"unread,omitempty"`
}

// SSHConfig is the effective configuration of one OpenSSH server, in every context that its Match
// blocks make.
type SSHConfig struct {
	Path     string       `json:"path"`
	Source   string       `json:"source"` // sshd -G, sshd -T, files
	Contexts []SSHContext `json:"contexts"`
	// Mntns and Container say where the path is meant; the host's own configuration has no container.
	Mntns     uint64 `json:"mntns,omitempty"`
	Container string `json:"container,omitempty"`
	// Word is who wrote it, Server whose server reads it.
	Word   Word `json:"word,omitzero"`
	Server Word `json:"server,omitzero"`
	// DropIns says that /etc/ssh/sshd_config.d/*.conf is included for every connection.
	DropIns bool `json:"dropIns,omitempty"`
	// Earlier are the keywords that it sets for every connection before a first file of that folder (00-*.conf), in lower case: the first value counts.
	Earlier []string `json:"earlier,omitempty"`
	// Options are those of the servers that read it so (SSHServer).
	Options []string `json:"options,omitempty"`
}

// SSHContext is the settings of those connections to which the same Match blocks apply; of the empty condition none does.
type SSHContext struct {
	Match    string              `json:"match,omitempty"`
	Settings map[string][]string `json:"settings"`
	// Matched are the keywords that the Match blocks set themselves, in lower case: what the configuration says of them elsewhere counts for nothing there.
	Matched []string `json:"matched,omitempty"`
	// Logins is who logs in there by a password, as far as accounts tell; left out where they were not looked at.
	Logins *SSHLogins `json:"logins,omitempty"`
}

// SSHLogins is the accounts that the settings of a context let in, each by whether it has a password.
type SSHLogins struct {
	// Root is Yes, Locked where root is let in and has no password, Unsure where it cannot be told whether it has one, and No where the
	// context is not about root or keeps it out.
	Root Login `json:"root"`
	// Users are the others that have a password, Locked those that have none, Unsure those of whom that cannot be told, and Empty those that
	// need none.
	Users  []string `json:"users,omitempty"`
	Locked []string `json:"locked,omitempty"`
	Unsure []string `json:"unsure,omitempty"`
	Empty  []string `json:"empty,omitempty"`
	// Others says that accounts of elsewhere than the host's files can come in too (nsswitch.conf(5), pam.d(5)).
	Others bool `json:"others,omitempty"`
}

// Locked is said of an account that is let in and has no password, Unsure of one of which it cannot be told whether it has one.
const (
	Locked Login = "locked"
	Unsure Login = "unsure"
)

// KeyFile is a file by which somebody logs in, that somebody besides its user and root can write.
type KeyFile struct {
	Path     string `json:"path"`
	User     string `json:"user"`           // empty: it decides of every account
	What     string `json:"what,omitempty"` // empty: keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT); KeysOfPrincipals, KeysOfAuthorities
	Writable string `json:"writable"`       // who else, and through what
}

// What a KeyFile has besides keys: names for which a certificate logs in, and the authorities whose certificates do (sshd_config(5)).
const (
	KeysOfPrincipals  = "principals"
	KeysOfAuthorities = "authorities"
)

// SSHSession is an established connection to an SSH server: an administrator who must not be
// locked out, unless nobody has logged in by it yet.
type SSHSession struct {
	Local string `json:"local"`
	// Remote is who opened it; an address of a link has the number of the interface as its zone.
	Remote string `json:"remote"`
	// LoggedIn says whether somebody has logged in by it.
	LoggedIn Login `json:"loggedIn,omitempty"`
	// Through is the other port of the host that the same remote end is connected to, if there is one: a multiplexer of ports (sslh --transparent) sends on
	// what comes in there in its sender's name.
	Through string `json:"through,omitempty"`
}

// Login says whether somebody has logged in by a connection. The zero Login says that it cannot be told.
type Login string

// The logins that can be told.
const (
	Yes Login = "yes"
	No  Login = "no"
)

// WinRM is the WinRM and OMI servers.
type WinRM struct {
	OMIConfig  Fact `json:"omiConfig"`  // path of omiserver.conf
	HTTPPort   Fact `json:"httpPort"`   // httpport of it
	HTTPSPort  Fact `json:"httpsPort"`  // httpsport of it
	OMIVersion Fact `json:"omiVersion"` // of the installed package
}

// IPMI is the baseboard management controller as the host sees it.
type IPMI struct {
	Devices []DeviceFile `json:"devices,omitempty"`
	SysFS   Fact         `json:"sysfs"`  // /sys/class/ipmi
	SMBIOS  Fact         `json:"smbios"` // record type 38
	BMC     *BMC         `json:"bmc,omitempty"`
	BMCRead Fact         `json:"bmcRead"` // whether the controller could be asked
}

// DeviceFile is a device node and who can open it.
type DeviceFile struct {
	Path       string   `json:"path"`
	Mode       uint32   `json:"mode"`
	UID        int      `json:"uid"`
	GID        int      `json:"gid"`
	Group      string   `json:"group,omitempty"`
	Members    []string `json:"members,omitempty"`
	Containers []string `json:"containers,omitempty"` // that have a node for it
}

// BMC is what the controller answered in band. Codes as in the IPMI 2.0 specification.
type BMC struct {
	Manufacturer   uint32   `json:"manufacturer"`
	Firmware       string   `json:"firmware"`
	LANChannel     int      `json:"lanChannel"` // 0: none found
	Address        string   `json:"address,omitempty"`
	MAC            string   `json:"mac,omitempty"`
	AccessMode     string   `json:"accessMode,omitempty"` // disabled, pre-boot, always, shared
	AuthTypes      []string `json:"authTypes,omitempty"`  // enabled for administrators
	PerMessageAuth bool     `json:"perMessageAuth"`
	UserLevelAuth  bool     `json:"userLevelAuth"`
	CipherSuite0   string   `json:"cipherSuite0,omitempty"` // highest privilege; unused, callback, ...
	Anonymous      bool     `json:"anonymous"`
	NullUsers      bool     `json:"nullUsers"`
	Users          []string `json:"users,omitempty"` // id:name:privilege of enabled users
	Community      string   `json:"community,omitempty"`
	Unread         []string `json:"unread,omitempty"` // what it refused to answer
}

// Runtimes is the container and machine runtimes, and their containers.
type Runtimes struct {
	Sockets    []ControlSocket `json:"sockets,omitempty"`
	Containers []Container     `json:"containers,omitempty"`
	Groups     []Group         `json:"groups,omitempty"`
	TLS        []DaemonTLS     `json:"tls,omitempty"`
	// Daemons are the Docker daemons, Registries those without TLS. The facts say whether all of them were looked for; older snapshots have none.
	Daemons        []DockerDaemon     `json:"daemons,omitempty"`
	DaemonsRead    *Fact              `json:"daemonsRead,omitempty"`
	Registries     []InsecureRegistry `json:"registries,omitempty"`
	RegistriesRead *Fact              `json:"registriesRead,omitempty"`
	// Machines are the virtual machines of libvirt and Proxmox; MachinesRead says whether all were looked for. Older snapshots have none.
	Machines     []Machine `json:"machines,omitempty"`
	MachinesRead *Fact     `json:"machinesRead,omitempty"`
}

// ControlSocket is a runtime's unix socket; who can write it controls the runtime.
type ControlSocket struct {
	Runtime string `json:"runtime"`
	Path    string `json:"path"`
	Mode    uint32 `json:"mode"`
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
	Group   string `json:"group,omitempty"`
	Gated   bool   `json:"gated,omitempty"` // the daemon asks who connects: the mode alone gives nothing
	Asks    string `json:"asks,omitempty"`  // whom such a daemon asks: polkit, sasl; empty is not known
	Word    Word   `json:"word,omitzero"`   // who decides what is at the path
	// Closed: a directory on the way lets nobody through but root and the uid.
	Closed bool `json:"closed,omitempty"`
	// Container is the container whose daemon has it: the path is in there.
	Container string `json:"container,omitempty"`
	// ACL is whom an access control list lets write it besides: Mode has the group's own permission then.
	ACL []SocketWriter `json:"acl,omitempty"`
	// Dev and Ino are the file that was seen at the path.
	Dev    uint64  `json:"dev,omitempty"`
	Ino    uint64  `json:"ino,omitempty"`
	Mounts []Mount `json:"mounts,omitempty"`
}

// IsAt says whether a process in a container, or one of the host where that is empty, has the socket at a path.
func (s *ControlSocket) IsAt(container, file string) bool {
	same := func(at string) bool {
		run := func(p string) string { return strings.Replace(p, "/var/run/", "/run/", 1) }
		return run(at) == run(file)
	}
	return s.Container == container && same(s.Path) ||
		container != "" && slices.ContainsFunc(s.Mounts, func(m Mount) bool { return m.Container == container && same(m.Path) })
}

// SocketWriter is a user or a group that an access control list names (acl(5)).
type SocketWriter struct {
	Group bool   `json:"group,omitempty"`
	ID    int    `json:"id"`
	Name  string `json:"name,omitempty"`
}

// MayWrite says whether the permissions of a socket let a process connect to it. The ids are the
// host's, whatever the process's own user namespace calls them; root's own need no permission.
func (s *ControlSocket) MayWrite(p *Process) bool {
	switch {
	case p.UID == 0:
		return true
	case p.UID == s.UID:
		return s.Mode&0o200 != 0
	case slices.ContainsFunc(s.ACL, func(w SocketWriter) bool {
		return !w.Group && w.ID == p.UID || w.Group && (w.ID == p.GID || slices.Contains(p.Groups, w.ID))
	}):
		return true
	case p.GID == s.GID || slices.Contains(p.Groups, s.GID):
		return s.Mode&0o020 != 0
	}
	return s.Mode&0o002 != 0
}

// Mount is a place where a host object is visible in another mount namespace.
type Mount struct {
	Mntns     uint64 `json:"mntns"`
	PID       int    `json:"pid"`
	Container string `json:"container,omitempty"`
	Path      string `json:"path"`
	// Named says that the container's specification mounts it, and that it was not seen there: the file was not compared.
	Named bool `json:"named,omitempty"`
}

// Group is a group whose members control a runtime.
type Group struct {
	Name    string   `json:"name"`
	GID     int      `json:"gid"`
	Runtime string   `json:"runtime"`
	Members []string `json:"members,omitempty"`
}

// DaemonTLS says whether a daemon on TCP asks for client certificates, read from its command line
// and configuration file.
type DaemonTLS struct {
	PID    int    `json:"pid"`
	Verify Fact   `json:"verify"`
	Source string `json:"source"`
	// Word is who decides what the daemon does: its program's.
	Word Word `json:"word,omitzero"`
	// Args is the command line of dockerd with the path of its program first, if it has no other options than those
	// that name sockets, files and switches: the fix writes it again without its TCP sockets.
	Args []string `json:"args,omitempty"`
	// Runs is whether the process is what its unit runs: of another one, Args are anybody's words.
	Runs UnitFact `json:"runs,omitzero"`
	// API is where its configuration says that its interface is on TCP, as ADDRESS:PORT or :PORT; it has other sockets for other things.
	// APIRead is present where all places that say so were read; in an older snapshot nothing is known.
	API     []string `json:"api,omitempty"`
	APIRead *Fact    `json:"apiRead,omitempty"`
	// Leads is the control socket that the program passes connections on to, if it is no daemon but a proxy: without API from all of its ports.
	Leads string `json:"leads,omitempty"`
}

// Container is one container, read from its OCI specification on disk.
type Container struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Image   string `json:"image,omitempty"`
	Runtime string `json:"runtime"`
	Spec    string `json:"spec"` // the file that was read
	// Word is who wrote the specification. A uid's describes nobody else's container.
	Word Word `json:"word,omitzero"`
	// Others are further specifications of the same id that say something else.
	Others []string `json:"others,omitempty"`
	// Unread says why its specification is not known: then it is what its processes show.
	Unread      string           `json:"unread,omitempty"`
	Running     bool             `json:"running"`
	PID         int              `json:"pid,omitempty"` // of its first process
	CapEff      []string         `json:"capEff,omitempty"`
	CapBnd      []string         `json:"capBnd,omitempty"`
	HostNS      []string         `json:"hostNS,omitempty"` // namespace types that it shares with the host
	Seccomp     bool             `json:"seccomp"`
	NoNewPrivs  bool             `json:"noNewPrivs"`
	AppArmor    string           `json:"appArmor,omitempty"`
	UID         int              `json:"uid"`
	UserNS      bool             `json:"userNS"`
	MaskedPaths int              `json:"maskedPaths"`
	Devices     []string         `json:"devices,omitempty"`
	AllDevices  bool             `json:"allDevices,omitempty"` // the device cgroup allows everything
	Mounts      []ContainerMount `json:"mounts,omitempty"`
	Privileged  bool             `json:"privileged"` // all capabilities, no seccomp, all devices
	// Filter is its seccomp profile; nil if it has none, and in an older snapshot.
	Filter *SyscallFilter `json:"filter,omitempty"`
	// KernelFiles is nil of one that does not run, and in an older snapshot.
	KernelFiles *KernelFiles `json:"kernelFiles,omitempty"`
}

// ContainerMount is a bind mount of a host path.
type ContainerMount struct {
	Source string `json:"source"`
	Dest   string `json:"dest"`
	RW     bool   `json:"rw"`
}

// Agents is the agent and model runtimes that run.
type Agents struct {
	DataDate  string  `json:"dataDate"` // of the file of patterns
	Instances []Agent `json:"instances,omitempty"`
	// Brakes are places that take the brakes of coding agents off, Files those of agents that are open to others, Publishers the programs
	// that make services reachable from elsewhere. The facts say whether all of the places were looked at; older snapshots have none.
	Brakes         []AgentBrake `json:"brakes,omitempty"`
	BrakesRead     *Fact        `json:"brakesRead,omitempty"`
	Files          []AgentFile  `json:"files,omitempty"`
	FilesRead      *Fact        `json:"filesRead,omitempty"`
	Publishers     []Publisher  `json:"publishers,omitempty"`
	PublishersRead *Fact        `json:"publishersRead,omitempty"`
	// MCP are the servers of the Model Context Protocol that agents of accounts are told of; in an older snapshot MCPRead is nil.
	MCP     []MCPServer `json:"mcp,omitempty"`
	MCPRead *Fact       `json:"mcpRead,omitempty"`
	// MCPUnread are files of settings that could not be read.
	MCPUnread []UnreadFile `json:"mcpUnread,omitempty"`
	// Sandboxes are of the agents that run commands, and of runtimes of sandboxes. In an older snapshot there are none, and Measured is false.
	Sandboxes []AgentSandbox `json:"sandboxes,omitempty"`
	Measured  bool           `json:"measured,omitempty"`
	// Audits are reports of OpenClaw's own audit that were imported.
	Audits []OpenClawAudit `json:"audits,omitempty"`
}

// Agent is one running agent or model runtime.
type Agent struct {
	Runtime     string          `json:"runtime"` // name in the data file
	Title       string          `json:"title"`
	Kind        string          `json:"kind"` // gateway, model, tool, cli, browser
	PID         int             `json:"pid"`
	Unit        string          `json:"unit,omitempty"`
	UserUnit    string          `json:"userUnit,omitempty"`
	Runs        UnitFact        `json:"runs,omitzero"` // whether it is what its unit runs
	Container   string          `json:"container,omitempty"`
	Evidence    string          `json:"evidence"`
	DefaultAuth string          `json:"defaultAuth"` // none, token, password, login
	Auth        Fact            `json:"auth"`        // what this instance was seen to use
	Ports       []int           `json:"ports,omitempty"`
	Version     Fact            `json:"version"`
	Floor       string          `json:"floor,omitempty"` // lowest version without a known hole
	FloorWhy    string          `json:"floorWhy,omitempty"`
	Config      *OpenClawConfig `json:"config,omitempty"`
	ConfigRead  Fact            `json:"configRead"`
	ConfigWord  Word            `json:"configWord,omitzero"` // who wrote the configuration
	// Origins is any where pages of every site may use its interface by a browser, or the reason why that is not known; nil in an older snapshot,
	// and of a runtime of which nothing is known.
	Origins *Fact `json:"origins,omitempty"`
}

// OpenClawConfig is what of an OpenClaw configuration decides its posture.
type OpenClawConfig struct {
	Path         string   `json:"path"`
	Mode         string   `json:"mode,omitempty"`
	Bind         string   `json:"bind"`
	Port         int      `json:"port"`
	AuthMode     string   `json:"authMode"`
	SecretSet    bool     `json:"secretSet"`
	Sandbox      string   `json:"sandbox"` // off, non-main, all
	WeakAgents   []string `json:"weakAgents,omitempty"`
	ExecSecurity string   `json:"execSecurity"`
	ExecAsk      string   `json:"execAsk"`
	Elevated     bool     `json:"elevated"`
	ElevatedAny  bool     `json:"elevatedAny"` // allowFrom has "*"
	// Tailscale is serve or funnel where the gateway publishes itself by Tailscale: to its network, or to everybody.
	Tailscale string `json:"tailscale,omitempty"`
	// MDNS is discovery.mdns.mode: off, minimal or full; empty where it is not set, and in older snapshots.
	MDNS string `json:"mdns,omitempty"`
	// AnyOrigin says that pages of every site may use its page (gateway.controlUi.allowedOrigins has "*").
	AnyOrigin bool `json:"anyOrigin,omitempty"`
	// ProxyNetwork is one of gateway.trustedProxies that is more than an address: who has one of its addresses says who comes.
	ProxyNetwork string `json:"proxyNetwork,omitempty"`
}

// NFTables is the packet filter of the host's network namespace.
type NFTables struct {
	Ruleset *ruleset.Ruleset `json:"ruleset,omitempty"`
	// Legacy holds the tables of iptables-legacy, ip6tables-legacy, arptables and ebtables, which
	// netlink does not show; the value lists them, empty where there are none. Those whose rules were read are in Ruleset too.
	Legacy map[string]Fact `json:"legacy"`
	// Queues are the numbers of those on which programs listen for packets (NFQUEUE); it is read where rules hand packets to some.
	Queues *Fact `json:"queues,omitempty"`
}

// UnreadLegacy are the tables of iptables or ip6tables (the name of the program) whose rules are not in the ruleset.
func (n *NFTables) UnreadLegacy(program string) (tables []string) {
	family := map[string]string{"iptables": ruleset.FamilyIP, "ip6tables": ruleset.FamilyIP6}[program]
	for name := range strings.FieldsSeq(n.Legacy[program].Value) {
		if n.Ruleset == nil || !slices.ContainsFunc(n.Ruleset.Tables, func(t ruleset.Table) bool { return t.Legacy == name && t.Family == family }) {
			tables = append(tables, name)
		}
	}
	return tables
}

// Kernel is the evidence for or against a hardened and immutable host.
type Kernel struct {
	Facts   map[string]Fact `json:"facts"`
	Sysctls map[string]Fact `json:"sysctls"`
	Mounts  []HostMount     `json:"mounts,omitempty"` // of /, /usr, /etc, /boot and other places of the system, and what is mounted below its programs
	Vulns   map[string]Fact `json:"vulnerabilities,omitempty"`
}

// HostMount is a mount of the host's own tree.
type HostMount struct {
	Path     string `json:"path"`
	FSType   string `json:"fsType"`
	Source   string `json:"source,omitempty"`
	ReadOnly bool   `json:"readOnly"`
	// SuperReadOnly says that the file system is read-only itself, and not this mount of it alone (mount_setattr(2)).
	SuperReadOnly bool `json:"superReadOnly,omitempty"`
	Verity        bool `json:"verity,omitempty"` // a dm-verity device is mounted here
}

// Section returns the coverage of a collector; one that never ran is an error.
func (s *Snapshot) Section(name string) Coverage {
	for _, c := range s.Coverage {
		if c.Collector == name {
			return c
		}
	}
	return Coverage{Collector: name, Status: Error, Reasons: []string{"the collector did not run"}}
}
