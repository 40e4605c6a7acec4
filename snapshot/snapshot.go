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
	Schema      string `json:"schema"`      // ringfence.snapshot/v1: the format and its version
	Tool        Tool   `json:"tool"`        // the program that collected
	CollectedAt string `json:"collectedAt"` // RFC 3339, UTC
	// Nonce is what who asked for the snapshot gave, so that one of another time is not taken for it.
	Nonce    string     `json:"nonce,omitempty"`
	Host     Host       `json:"host"`     // the machine, and where on it the collector ran
	Coverage []Coverage `json:"coverage"` // how well each collector could see, by its name; one that is missing did not run
	Redacted int        `json:"redacted"` // secrets that were seen and not kept

	Network   Network   `json:"network"`         // interfaces, routes and rules of the host's network namespace, and the list of the others
	Listeners Listeners `json:"listeners"`       // every socket that waits for somebody else, of all network namespaces
	SSH       SSH       `json:"ssh"`             // the SSH servers, how they are configured, and who is connected to them
	WinRM     WinRM     `json:"winrm"`           // the configuration of OMI, which is WinRM on Linux
	IPMI      IPMI      `json:"ipmi"`            // the baseboard management controller, as the host sees it
	Runtimes  Runtimes  `json:"runtimes"`        // the container and machine runtimes, and their containers
	Agents    Agents    `json:"agents"`          // agents and model runtimes that run, and settings and files of agents
	Processes Processes `json:"processes"`       // every process that is not a kernel thread, and shared memory
	NFTables  NFTables  `json:"nftables"`        // the packet filter of the host's network namespace
	Kernel    Kernel    `json:"kernel"`          // the evidence for or against a hardened and immutable host
	Powers    Powers    `json:"powers,omitzero"` // by what somebody who is on the host becomes more than they are; older snapshots have none
	System    System    `json:"system,omitzero"` // secrets, accounts, consoles, the clock, what is loaded at boot; older snapshots have none

	// Management is the servers and agents that manage the host or its cluster, besides SSH, WinRM and the runtimes; older snapshots have none.
	Management Management `json:"management,omitzero"`

	// Windows is what was seen of a host that runs Windows; the sections above are empty there.
	Windows Windows `json:"windows,omitzero"`

	// Namespaces is the network of every other network namespace of the host.
	Namespaces []Elsewhere `json:"namespaces,omitempty"`

	// Integrity is what tells damage on the way, and no forgery; without it nothing is verified.
	Integrity *Integrity `json:"integrity,omitempty"`
}

// Integrity is what tells a snapshot that was damaged on its way. It is no signature.
type Integrity struct {
	Digest string `json:"digest"` // see Snapshot.Digest
}

// Tool is the program that collected.
type Tool struct {
	Name    string `json:"name"`    // ringfence
	Version string `json:"version"` // MAJOR.MINOR.PATCH of a release, or what the Go tool made of the commit
}

// Coverage says how well one collector could see.
type Coverage struct {
	// Collector is the section that it fills: agents, ipmi, kernel, listeners, management, namespaces, network, nftables, powers, processes, runtimes,
	// ssh, system or winrm; of a Windows host it is windows.
	Collector string   `json:"collector"`
	Status    Status   `json:"status"`            // ok, partial, denied, absent or error
	Reasons   []string `json:"reasons,omitempty"` // what was not seen and why, sorted; none where it is ok
	Millis    int64    `json:"millis"`            // how long the collector took, in milliseconds
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
	State  Status `json:"state"`            // present, absent, denied or error
	Value  string `json:"value,omitempty"`  // what was read or made of it, without white space around it
	Reason string `json:"reason,omitempty"` // why it is not present, in words of the system or of the collector
}

// Host identifies the machine and the place that the collector ran in.
type Host struct {
	Name      string `json:"name"`                // host name of the kernel (uname(2)), or the computer name of Windows; empty is not known
	MachineID string `json:"machineId,omitempty"` // sha256 of /etc/machine-id with our own prefix
	OS        string `json:"os"`                  // ID of os-release(5), windows, or unknown
	OSVersion string `json:"osVersion,omitempty"` // VERSION_ID of os-release(5), or the product name of Windows
	Kernel    string `json:"kernel"`              // release as uname -r has it; of Windows "build NUMBER.REVISION"
	Arch      string `json:"arch"`                // as Go names it (GOARCH): amd64, arm64, ...
	BootID    string `json:"bootId,omitempty"`    // /proc/sys/kernel/random/boot_id
	Self      Self   `json:"self"`                // how the collector stood to the host
}

// Self is how the collector stood to the host: where it is confined, "the host" is not the host.
type Self struct {
	UID      int      `json:"uid"`                // real user id of the collector; -1 on Windows
	CapEff   string   `json:"capEff"`             // its effective capabilities, 16 hexadecimal digits as in /proc/PID/status; empty is not known
	NS       NS       `json:"ns"`                 // the namespaces that it ran in
	Confined []string `json:"confined,omitempty"` // signs that this is a container, not the host
	// Root is the directory by which the host's files were reached from a container: that of --host-root, or /proc/1/root.
	Root string `json:"root,omitempty"`
}

// NS holds the inode numbers of a process's namespaces; 0 is unknown.
type NS struct {
	User uint64 `json:"user"` // inode of /proc/PID/ns/user
	Net  uint64 `json:"net"`  // inode of /proc/PID/ns/net
	PID  uint64 `json:"pid"`  // inode of /proc/PID/ns/pid
	Mnt  uint64 `json:"mnt"`  // inode of /proc/PID/ns/mnt
	IPC  uint64 `json:"ipc"`  // inode of /proc/PID/ns/ipc
	UTS  uint64 `json:"uts"`  // inode of /proc/PID/ns/uts
}

// Listeners is every socket that waits for somebody else.
type Listeners struct {
	Sockets  []Socket       `json:"sockets"`  // those that listen, and bound ones that have no peer
	Families []SocketFamily `json:"families"` // how each family could be listed
	// Cgroups are those of the sockets, and of the processes in the host's network namespace, by their ids. CgroupsUnread says why it is not
	// known what they have.
	Cgroups       []Cgroup `json:"cgroups,omitempty"`
	CgroupsUnread string   `json:"cgroupsUnread,omitempty"` // why it is not known what cgroups have; empty: it is known
}

// SocketFamily says whether one kind of socket could be listed in one namespace.
type SocketFamily struct {
	Netns  uint64 `json:"netns"`            // inode of the network namespace
	Proto  string `json:"proto"`            // as of sockets, with a 6 behind it for IPv6: tcp, tcp6, udp, unix, ...
	State  Status `json:"state"`            // ok, absent (the kernel has none), denied or error
	Reason string `json:"reason,omitempty"` // why it is not ok, in words of the kernel or of the collector
}

// Socket is a listening or bound socket. Proto is tcp, udp, udplite, sctp, mptcp, raw, packet,
// unix or vsock.
type Socket struct {
	Netns  uint64 `json:"netns"`            // inode of its network namespace
	Proto  string `json:"proto"`            // tcp, udp, udplite, sctp, mptcp, raw, packet, unix or vsock
	Family int    `json:"family,omitempty"` // 4 or 6 for IP
	Addr   string `json:"addr,omitempty"`   // local IP address, 0.0.0.0 or :: for all; of vsock: the context id (CID)
	Port   int    `json:"port,omitempty"`   // of raw: the IP protocol; of packet: the EtherType
	Device string `json:"device,omitempty"` // interface that it is bound to, or "index N" where that has no name; empty is none
	V6Only bool   `json:"v6only,omitempty"` // of IPv6: it takes nothing of IPv4 (IPV6_V6ONLY), or the kernel does not tell
	// Transparent is IP_TRANSPARENT of an IP socket: it takes packets for addresses that are not the
	// host's. Left out where the kernel does not tell (before 5.10).
	Transparent *bool `json:"transparent,omitempty"`
	// Mark is SO_MARK, left out where it was not told: that needs CAP_NET_ADMIN.
	Mark       *uint32    `json:"mark,omitempty"`
	Path       string     `json:"path,omitempty"`     // of unix: the file, or the abstract name with @ before it
	Abstract   bool       `json:"abstract,omitempty"` // of unix: its name is no file (unix(7))
	Type       string     `json:"type,omitempty"`     // of unix: stream, dgram, seqpacket
	Inode      uint64     `json:"inode"`              // of the socket itself, as in the links of /proc/PID/fd
	UID        int        `json:"uid"`                // user whose it is, as the kernel says; -1 is not told
	Owners     []Owner    `json:"owners,omitempty"`   // the processes that have it open
	OwnerState OwnerState `json:"ownerState"`         // seen, unknown or kernel: whether it is known who has it
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
	Program string `json:"program"` // its name, such as socat, nginx or docker-proxy
	// Addr and Port are where its arguments or files say that it leads; without them that is not told.
	Addr string `json:"addr,omitempty"`
	Port int    `json:"port,omitempty"` // port at the address; 0 is not told
	// Also are the other places that it leads to.
	Also []RelayEnd `json:"also,omitempty"`
	// Chooses says that it asks who comes, or passes on what it chooses, and that this was not worked out.
	Chooses bool `json:"chooses,omitempty"`
	// Netns is the network namespace of the program, where that is another one than its socket's: from there it passes connections on.
	Netns uint64 `json:"netns,omitempty"`
}

// RelayEnd is an address and a port that a program passes connections on to.
type RelayEnd struct {
	Addr string `json:"addr"` // IP address, without a zone
	Port int    `json:"port"` // port at the address, never 0
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
	PID  int    `json:"pid"`  // its number in /proc, as the collector sees it
	Comm string `json:"comm"` // Name of /proc/PID/status, which the process chooses; empty is not known
}

// SSH is the SSH servers and how they are configured.
type SSH struct {
	Servers  []SSHServer  `json:"servers,omitempty"`  // that run, or that systemd or inetd starts when somebody connects
	Configs  []SSHConfig  `json:"configs,omitempty"`  // each configuration once that servers read, or are started with
	KeyFiles []KeyFile    `json:"keyFiles,omitempty"` // files by which somebody logs in, where others can write them
	Sessions []SSHSession `json:"sessions,omitempty"` // the established connections to SSH servers
	// Accounts are those that have a shell, by each configuration of the host's own servers.
	Accounts []SSHAccount `json:"accounts,omitempty"`
}

// SSHAccount says by what an account of the host can log in over SSH.
type SSHAccount struct {
	Config string `json:"config"` // path of the configuration that it is about
	Name   string `json:"name"`   // of the account in passwd(5)
	UID    int    `json:"uid"`    // of the account in passwd(5)
	// LoggedIn says that somebody is logged in as it now, or was while the host was looked at.
	LoggedIn bool `json:"loggedIn,omitempty"`
	// Admin says that it is root, or is seen to become root: by a group, or by a rule of sudo.
	Admin bool `json:"admin,omitempty"`
	// Key is Yes where a key alone logs in, No, or empty where it cannot be told; Why is the reason of those.
	Key Login  `json:"key,omitempty"`
	Why string `json:"why,omitempty"` // why a key alone does not let it in, or why that is not known; empty where one does
	// Loose is why its keys let it in no longer, or as far as is known, once StrictModes is on, which is off.
	Loose string `json:"loose,omitempty"`
}

// SSHServer is a running or socket-activated server.
type SSHServer struct {
	Kind      string `json:"kind"`                // openssh, dropbear, tinyssh
	PID       int    `json:"pid,omitempty"`       // 0 of one that is started when somebody connects
	Exe       string `json:"exe,omitempty"`       // file of its program, as /proc/PID/exe names it; empty where it does not run or that was not read
	Cmdline   string `json:"cmdline,omitempty"`   // in older snapshots
	Unit      string `json:"unit,omitempty"`      // unit of systemd that it runs in, or the socket unit that starts it
	Activated bool   `json:"activated,omitempty"` // systemd holds the listening socket, or the holder does
	Holder    int    `json:"holder,omitempty"`    // pid of inetd or its like
	// Config is the path of its configuration (sshd_config(5)), "none" without one, or "KIND command line" of a server that has no such file.
	Config    string `json:"config,omitempty"`
	Container string `json:"container,omitempty"` // id of the container that it runs in; empty: of the host
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
	Path     string       `json:"path"`     // as in SSHServer.config: of the file, none, or "KIND command line"
	Source   string       `json:"source"`   // sshd -G, sshd -T, files
	Contexts []SSHContext `json:"contexts"` // one for each set of Match blocks that apply together, the shortest condition first
	// Mntns and Container say where the path is meant; the host's own configuration has no container.
	Mntns     uint64 `json:"mntns,omitempty"`
	Container string `json:"container,omitempty"` // id of the container in which the path is meant; empty: of the host
	// Word is who wrote it, Server whose server reads it.
	Word   Word `json:"word,omitzero"`
	Server Word `json:"server,omitzero"` // whose server reads it: root's is the host's own
	// DropIns says that /etc/ssh/sshd_config.d/*.conf is included for every connection.
	DropIns bool `json:"dropIns,omitempty"`
	// Earlier are the keywords that it sets for every connection before a first file of that folder (00-*.conf), in lower case: the first value counts.
	Earlier []string `json:"earlier,omitempty"`
	// Options are those of the servers that read it so (SSHServer).
	Options []string `json:"options,omitempty"`
}

// SSHContext is the settings of those connections to which the same Match blocks apply; of the empty condition none does.
type SSHContext struct {
	Match    string              `json:"match,omitempty"` // criteria of the Match blocks that apply, with " + " between them
	Settings map[string][]string `json:"settings"`        // effective values by keyword of sshd_config(5) in lower case; several where it can be given several times
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
	Locked []string `json:"locked,omitempty"` // names of accounts that are let in and have no password
	Unsure []string `json:"unsure,omitempty"` // names of accounts that are let in and of which it is not known whether they have one
	Empty  []string `json:"empty,omitempty"`  // names of accounts whose password is empty, and is taken
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
	Path     string `json:"path"`           // in the host's own mount namespace
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
	Local string `json:"local"` // end of the host, as ADDRESS:PORT
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
	Devices []DeviceFile `json:"devices,omitempty"` // device files of the kernel's driver (/dev/ipmi*)
	SysFS   Fact         `json:"sysfs"`             // /sys/class/ipmi
	SMBIOS  Fact         `json:"smbios"`            // record type 38
	BMC     *BMC         `json:"bmc,omitempty"`     // what the controller answered; left out where it was not asked or did not answer
	BMCRead Fact         `json:"bmcRead"`           // whether the controller could be asked
}

// DeviceFile is a device node and who can open it.
type DeviceFile struct {
	Path       string   `json:"path"`                 // below /dev
	Mode       uint32   `json:"mode"`                 // permission bits as a decimal number (chmod(2)): 384 is 0600
	UID        int      `json:"uid"`                  // its owner
	GID        int      `json:"gid"`                  // its group
	Group      string   `json:"group,omitempty"`      // name of the group in group(5); empty: it has none there
	Members    []string `json:"members,omitempty"`    // accounts in the group, also by their primary one, where the mode lets it read or write
	Containers []string `json:"containers,omitempty"` // that have a node for it
}

// BMC is what the controller answered in band. Codes as in the IPMI 2.0 specification.
type BMC struct {
	Manufacturer   uint32   `json:"manufacturer"`           // IANA enterprise number (Get Device ID)
	Firmware       string   `json:"firmware"`               // MAJOR.MINOR of its revision (Get Device ID)
	LANChannel     int      `json:"lanChannel"`             // 0: none found
	Address        string   `json:"address,omitempty"`      // IPv4 address of the LAN channel
	MAC            string   `json:"mac,omitempty"`          // of the LAN channel
	AccessMode     string   `json:"accessMode,omitempty"`   // disabled, pre-boot, always, shared
	AuthTypes      []string `json:"authTypes,omitempty"`    // enabled for administrators
	PerMessageAuth bool     `json:"perMessageAuth"`         // each packet of a session is authenticated; false also where that was not read
	UserLevelAuth  bool     `json:"userLevelAuth"`          // commands of user level are authenticated; false also where that was not read
	CipherSuite0   string   `json:"cipherSuite0,omitempty"` // highest privilege; unused, callback, ...
	Anonymous      bool     `json:"anonymous"`              // logins without a name are enabled, or user 1 is, which has none
	NullUsers      bool     `json:"nullUsers"`              // users without a name that have a password are enabled
	Users          []string `json:"users,omitempty"`        // id:name:privilege of enabled users
	Community      string   `json:"community,omitempty"`    // SNMP community of the LAN channel: public, private, or other for any other; empty is none or not read
	Unread         []string `json:"unread,omitempty"`       // what it refused to answer
}

// Runtimes is the container and machine runtimes, and their containers.
type Runtimes struct {
	Sockets    []ControlSocket `json:"sockets,omitempty"`    // unix sockets by which a runtime is controlled
	Containers []Container     `json:"containers,omitempty"` // those that have a specification on disk, and those that have processes
	Groups     []Group         `json:"groups,omitempty"`     // groups whose members control a runtime
	TLS        []DaemonTLS     `json:"tls,omitempty"`        // daemons that can be asked over TCP, and whether they ask for certificates
	// Daemons are the Docker daemons, Registries those without TLS. The facts say whether all of them were looked for; older snapshots have none.
	Daemons        []DockerDaemon     `json:"daemons,omitempty"`
	DaemonsRead    *Fact              `json:"daemonsRead,omitempty"`    // present where all Docker daemons were looked for
	Registries     []InsecureRegistry `json:"registries,omitempty"`     // registries of images that are asked without TLS, or whose certificate is not looked at
	RegistriesRead *Fact              `json:"registriesRead,omitempty"` // present where all places that name registries were read
	// Machines are the virtual machines of libvirt and Proxmox; MachinesRead says whether all were looked for. Older snapshots have none.
	Machines     []Machine `json:"machines,omitempty"`
	MachinesRead *Fact     `json:"machinesRead,omitempty"` // present where all virtual machines were looked for
}

// ControlSocket is a runtime's unix socket; who can write it controls the runtime.
type ControlSocket struct {
	Runtime string `json:"runtime"`         // docker, containerd, cri-o, podman, libvirt, lxd, ...
	Path    string `json:"path"`            // of the host, or in the container that has it
	Mode    uint32 `json:"mode"`            // permission bits as a decimal number (chmod(2)): 432 is 0660
	UID     int    `json:"uid"`             // its owner
	GID     int    `json:"gid"`             // its group
	Group   string `json:"group,omitempty"` // name of the group in group(5); empty: it has none there
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
	Ino    uint64  `json:"ino,omitempty"`    // inode number of the file
	Mounts []Mount `json:"mounts,omitempty"` // where else it is visible: in other mount namespaces, and in containers
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
	Group bool   `json:"group,omitempty"` // it is a group, else a user
	ID    int    `json:"id"`              // user or group id
	Name  string `json:"name,omitempty"`  // of the user in passwd(5) or the group in group(5); empty: it has none there
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
	Mntns     uint64 `json:"mntns"`               // inode of the mount namespace
	PID       int    `json:"pid"`                 // a process in there
	Container string `json:"container,omitempty"` // id of the container of that process; empty: it is in none
	Path      string `json:"path"`                // where the object is visible in there
	// Named says that the container's specification mounts it, and that it was not seen there: the file was not compared.
	Named bool `json:"named,omitempty"`
}

// Group is a group whose members control a runtime.
type Group struct {
	Name    string   `json:"name"`              // docker, lxd, incus, incus-admin, libvirt or podman
	GID     int      `json:"gid"`               // group id in group(5)
	Runtime string   `json:"runtime"`           // docker, lxd, incus, libvirt or podman
	Members []string `json:"members,omitempty"` // accounts in the group, also by their primary one, sorted
}

// DaemonTLS says whether a daemon on TCP asks for client certificates, read from its command line
// and configuration file.
type DaemonTLS struct {
	PID    int    `json:"pid"`    // of the daemon; 1 where systemd holds its port until somebody connects
	Verify Fact   `json:"verify"` // true or false: whether it asks for certificates, or for something else such as SASL
	Source string `json:"source"` // where that was read: a file, a socket unit or "arguments"; or why it is known without
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
	APIRead *Fact    `json:"apiRead,omitempty"` // present where all places that name its addresses were read; left out in older snapshots
	// Leads is the control socket that the program passes connections on to, if it is no daemon but a proxy: without API from all of its ports.
	Leads string `json:"leads,omitempty"`
}

// Container is one container, read from its OCI specification on disk.
type Container struct {
	// ID is as the runtime or the cgroup has it, with uidN: before it where that user named it; * stands for all of a user's that were not read.
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`  // what people call it, NAMESPACE/POD/CONTAINER in a cluster; empty is not known
	Image   string `json:"image,omitempty"` // as Docker's own file of it has it; empty for other runtimes
	Runtime string `json:"runtime"`         // that made it: docker, containerd, podman, cri-o, runc, crun, lxc, ...
	Spec    string `json:"spec"`            // the file that was read
	// Word is who wrote the specification. A uid's describes nobody else's container.
	Word Word `json:"word,omitzero"`
	// Others are further specifications of the same id that say something else.
	Others []string `json:"others,omitempty"`
	// Unread says why its specification is not known: then it is what its processes show.
	Unread      string           `json:"unread,omitempty"`
	Running     bool             `json:"running"`              // it has processes
	PID         int              `json:"pid,omitempty"`        // of its first process
	CapEff      []string         `json:"capEff,omitempty"`     // effective capabilities of its specification, in lower case and without CAP_
	CapBnd      []string         `json:"capBnd,omitempty"`     // bounding set of its specification, spelled likewise
	HostNS      []string         `json:"hostNS,omitempty"`     // namespace types that it shares with the host
	Seccomp     bool             `json:"seccomp"`              // it has a seccomp profile; without a specification, all of its processes have a filter
	NoNewPrivs  bool             `json:"noNewPrivs"`           // its processes get no powers from files (PR_SET_NO_NEW_PRIVS, prctl(2))
	AppArmor    string           `json:"appArmor,omitempty"`   // profile of its specification; without one, the label of its first process
	UID         int              `json:"uid"`                  // user of its first process, in its user namespace; without a specification as the host sees it
	UserNS      bool             `json:"userNS"`               // it has a user namespace of its own
	MaskedPaths int              `json:"maskedPaths"`          // how many paths its specification hides (linux.maskedPaths)
	Devices     []string         `json:"devices,omitempty"`    // device files that it has by which the host, its hardware or other tenants are reached
	AllDevices  bool             `json:"allDevices,omitempty"` // the device cgroup allows everything
	Mounts      []ContainerMount `json:"mounts,omitempty"`     // the bind mounts of its specification
	Privileged  bool             `json:"privileged"`           // all capabilities, no seccomp, all devices
	// Filter is its seccomp profile; nil if it has none, and in an older snapshot.
	Filter *SyscallFilter `json:"filter,omitempty"`
	// KernelFiles is nil of one that does not run, and in an older snapshot.
	KernelFiles *KernelFiles `json:"kernelFiles,omitempty"`
}

// ContainerMount is a bind mount of a host path.
type ContainerMount struct {
	Source string `json:"source"` // path on the host
	Dest   string `json:"dest"`   // path in the container
	RW     bool   `json:"rw"`     // it is not mounted read-only
}

// Agents is the agent and model runtimes that run.
type Agents struct {
	DataDate  string  `json:"dataDate"`            // of the file of patterns
	Instances []Agent `json:"instances,omitempty"` // sorted by their process ids
	// Brakes are places that take the brakes of coding agents off, Files those of agents that are open to others, Publishers the programs
	// that make services reachable from elsewhere. The facts say whether all of the places were looked at; older snapshots have none.
	Brakes         []AgentBrake `json:"brakes,omitempty"`
	BrakesRead     *Fact        `json:"brakesRead,omitempty"`     // present, or why not all places were looked at; older snapshots have none
	Files          []AgentFile  `json:"files,omitempty"`          // files of agents that others than their user can read or write
	FilesRead      *Fact        `json:"filesRead,omitempty"`      // present, or why not all places were looked at; older snapshots have none
	Publishers     []Publisher  `json:"publishers,omitempty"`     // programs that make services of the host reachable by connections that go out
	PublishersRead *Fact        `json:"publishersRead,omitempty"` // present, or why not all places were looked at; older snapshots have none
	// MCP are the servers of the Model Context Protocol that agents of accounts are told of; in an older snapshot MCPRead is nil.
	MCP     []MCPServer `json:"mcp,omitempty"`
	MCPRead *Fact       `json:"mcpRead,omitempty"` // present, or why not all places were looked at; older snapshots have none
	// MCPUnread are files of settings that could not be read.
	MCPUnread []UnreadFile `json:"mcpUnread,omitempty"`
	// Sandboxes are of the agents that run commands, and of runtimes of sandboxes. In an older snapshot there are none, and Measured is false.
	Sandboxes []AgentSandbox `json:"sandboxes,omitempty"`
	Measured  bool           `json:"measured,omitempty"` // sandboxes were looked at
	// Audits are reports of OpenClaw's own audit that were imported.
	Audits []OpenClawAudit `json:"audits,omitempty"`
}

// Agent is one running agent or model runtime.
type Agent struct {
	Runtime     string          `json:"runtime"`             // name in the data file
	Title       string          `json:"title"`               // what people call the runtime
	Kind        string          `json:"kind"`                // gateway, model, tool, cli, browser
	PID         int             `json:"pid"`                 // of the process that was recognised
	Unit        string          `json:"unit,omitempty"`      // unit of the system's manager that it runs in; empty is none
	UserUnit    string          `json:"userUnit,omitempty"`  // unit that a user named, as of systemd --user; empty is none
	Runs        UnitFact        `json:"runs,omitzero"`       // whether it is what its unit runs
	Container   string          `json:"container,omitempty"` // id of the container that it runs in; empty: of the host
	Evidence    string          `json:"evidence"`            // what it was recognised by: process name, program, arguments or a variable
	DefaultAuth string          `json:"defaultAuth"`         // none, token, password, login
	Auth        Fact            `json:"auth"`                // what this instance was seen to use
	Ports       []int           `json:"ports,omitempty"`     // that the runtime listens on by default; of OpenClaw the one that it is configured to
	Version     Fact            `json:"version"`             // by its package, its environment or the path of its program; absent or error where none tells
	Floor       string          `json:"floor,omitempty"`     // lowest version without a known hole
	FloorWhy    string          `json:"floorWhy,omitempty"`  // the advisories that the floor is for
	Config      *OpenClawConfig `json:"config,omitempty"`    // of OpenClaw alone
	ConfigRead  Fact            `json:"configRead"`          // present with the path of OpenClaw's configuration; absent without one, and of other runtimes
	ConfigWord  Word            `json:"configWord,omitzero"` // who wrote the configuration
	// Origins is any where pages of every site may use its interface by a browser, or the reason why that is not known; nil in an older snapshot,
	// and of a runtime of which nothing is known.
	Origins *Fact `json:"origins,omitempty"`
}

// OpenClawConfig is what of an OpenClaw configuration decides its posture.
type OpenClawConfig struct {
	Path string `json:"path"`           // of openclaw.json, as the gateway sees its files
	Mode string `json:"mode,omitempty"` // gateway.mode of the file; empty is not set
	// Bind is loopback, lan or custom by the sockets of the gateway; where these were not seen, gateway.bind or --bind. Empty is not known.
	Bind         string   `json:"bind"`
	Port         int      `json:"port"`                 // of the gateway: by an option, the file or the environment, else the default
	AuthMode     string   `json:"authMode"`             // none, token, password, trusted-proxy or unknown
	SecretSet    bool     `json:"secretSet"`            // a token or password is given, in the file or otherwise; it is not kept
	Sandbox      string   `json:"sandbox"`              // off, non-main, all
	WeakAgents   []string `json:"weakAgents,omitempty"` // agents without a sandbox, or with commands past it, where sandbox is not off
	ExecSecurity string   `json:"execSecurity"`         // tools.exec.security of the agent without a sandbox that may run most: deny, allowlist or full
	ExecAsk      string   `json:"execAsk"`              // tools.exec.ask of the same: whether somebody is asked before a command runs (off, on-miss, ...)
	Elevated     bool     `json:"elevated"`             // tools.elevated is switched on, or has a list of whom it is for
	ElevatedAny  bool     `json:"elevatedAny"`          // allowFrom has "*"
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
	Ruleset *ruleset.Ruleset `json:"ruleset,omitempty"` // tables, chains, rules and sets; left out where they could not be read
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
	// Facts have the names lockdown, lsm, ima, apparmor, selinux, cmdline, moduleSignatures, modules, swaps, smt, ksm, secureBoot, ostree and audit.
	Facts   map[string]Fact `json:"facts"`
	Sysctls map[string]Fact `json:"sysctls"`                   // by their paths below /proc/sys, such as kernel/kptr_restrict
	Mounts  []HostMount     `json:"mounts,omitempty"`          // of /, /usr, /etc, /boot and other places of the system, and what is mounted below its programs
	Vulns   map[string]Fact `json:"vulnerabilities,omitempty"` // by the names of files in /sys/devices/system/cpu/vulnerabilities; left out without them
}

// HostMount is a mount of the host's own tree.
type HostMount struct {
	Path     string `json:"path"`             // where it is mounted
	FSType   string `json:"fsType"`           // as ext4 or overlay (proc_pid_mountinfo(5))
	Source   string `json:"source,omitempty"` // device or other source, as the kernel names it (proc_pid_mountinfo(5))
	ReadOnly bool   `json:"readOnly"`         // nothing can be written by this mount: it is read-only, or its file system is
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
