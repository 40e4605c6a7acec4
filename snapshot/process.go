package snapshot

import (
	"path"
	"strconv"
	"strings"
)

// Processes is every process that is not a kernel thread.
type Processes struct {
	LastCap int             `json:"lastCap"`          // /proc/sys/kernel/cap_last_cap
	CapBnd  string          `json:"capBnd"`           // bounding set of PID 1, or of the collector
	Init    NS              `json:"init"`             // namespaces of PID 1
	List    []Process       `json:"list"`             // processes, and those of their threads that differ from the first
	Shared  []SharedSegment `json:"shared,omitempty"` // System V segments, and files of POSIX shared memory
	// Secrets are secrets in arguments and units; SecretsRead says whether all places were looked at, and is nil in an older snapshot.
	Secrets     []OpenSecret `json:"secrets,omitempty"`
	SecretsRead *Fact        `json:"secretsRead,omitempty"` // present, or why not all places were looked at; older snapshots have none
}

// Process is one process. Capability sets are 16 hexadecimal digits as in /proc/PID/status.
type Process struct {
	PID  int `json:"pid"`  // its number in /proc, as the collector sees it; of a thread the thread's
	PPID int `json:"ppid"` // of its parent; 0: that is none, or in an outer pid namespace
	// Leader is the process whose thread this is: one that has other powers, files or places than the first.
	Leader int    `json:"leader,omitempty"`
	Comm   string `json:"comm"` // Name of /proc/PID/status, which the process chooses
	// Cmdline is in older snapshots alone: arguments hold secrets, and nothing that judges reads them.
	Cmdline []string `json:"cmdline,omitempty"`
	// Exe is the file of its program by its own mount namespace, " (deleted)" behind it if that was removed (/proc/PID/exe); empty was not read.
	Exe string `json:"exe,omitempty"`
	// ExeWord is who decides what the program does. It is the host's own only by the file: the same device and inode
	// at that path in the host's mount namespace.
	ExeWord Word `json:"exeWord,omitzero"`
	UID     int  `json:"uid"` // effective
	// RealRoot is a process whose real user is root and whose effective one is not: it can be root again when it likes (credentials(7)).
	RealRoot bool `json:"realRoot,omitempty"`
	// SetID says that its program's file gives whoever starts it another user or group, and that somebody else than root did (execve(2)).
	SetID      bool   `json:"setId,omitempty"`
	GID        int    `json:"gid"`              // effective group
	Groups     []int  `json:"groups,omitempty"` // supplementary ones; more were not kept where unread has groups
	CapInh     string `json:"capInh"`           // inheritable set (capabilities(7))
	CapPrm     string `json:"capPrm"`           // permitted set
	CapEff     string `json:"capEff"`           // effective set
	CapBnd     string `json:"capBnd"`           // bounding set
	CapAmb     string `json:"capAmb"`           // ambient set
	NoNewPrivs bool   `json:"noNewPrivs"`       // programs that it starts get no powers from files (PR_SET_NO_NEW_PRIVS, prctl(2))
	Seccomp    int    `json:"seccomp"`          // 0 off, 1 strict, 2 filter
	NS         NS     `json:"ns"`               // its namespaces; the number of one that was not read is 0
	// NetOwner is the user namespace that owns the network namespace; 0 is unknown.
	NetOwner uint64 `json:"netOwner"`
	PIDDepth int    `json:"pidDepth"`         // how many pid namespaces it has a number in, from the collector's on (NSpid of /proc/PID/status)
	LSM      string `json:"lsm,omitempty"`    // label of its security module (/proc/PID/attr/current): an AppArmor profile, an SELinux context
	Cgroup   string `json:"cgroup,omitempty"` // path in the hierarchy of the system's manager: the unified one, or systemd's (cgroups(7))
	// Unified is its cgroup in the unified hierarchy, where that is another one.
	Unified string `json:"unified,omitempty"`
	// Unit is of the system's manager; UserUnit is what a user calls a unit of its own, or a cgroup.
	Unit     string `json:"unit,omitempty"`
	UserUnit string `json:"userUnit,omitempty"` // what a user calls a unit or a cgroup of its own; empty is none
	// Container is an id. That of a container that a uid named for itself begins with that uid, so that it is never another's.
	Container     string   `json:"container,omitempty"`
	ContainerWord Word     `json:"containerWord,omitzero"` // who named the cgroup by which it is in the container
	Runtime       string   `json:"runtime,omitempty"`      // that made the container
	Pod           string   `json:"pod,omitempty"`          // uid of its pod of Kubernetes, by the name of its cgroup; empty is none
	Devices       []string `json:"devices,omitempty"`      // sensitive device files that it holds open
	// SetUID is a program of root's that a process in a container can execute as root: it gets the bounding set with it.
	SetUID string `json:"setuid,omitempty"`
	// HostRoot says of a process in a pid or user namespace of its own that its root directory is that of the host.
	HostRoot bool `json:"hostRoot,omitempty"`
	// Undumpable says that the kernel lets nobody else of its user look into it: it has changed its user since its program began, or has asked for it
	// (PR_SET_DUMPABLE).
	Undumpable bool     `json:"undumpable,omitempty"`
	Unread     []string `json:"unread,omitempty"` // what we were refused
	// Tunnels are the TUN and TAP interfaces whose other end it is, by their names in its own network namespace, as the kernel says.
	Tunnels []string `json:"tunnels,omitempty"`
	// Peers are its UDP sockets that are connected to one other end, if it is the end of a tunnel: a client of a VPN hears its server by them.
	Peers []Peer `json:"peers,omitempty"`
}

// Peer is both ends of a connected UDP socket.
type Peer struct {
	Local  string `json:"local"`         // end of the process, as ADDRESS:PORT
	Remote string `json:"remote"`        // the other end, as ADDRESS:PORT; an address of a link has the number of the interface as its zone
	UID    int    `json:"uid,omitempty"` // of who opened it
}

// Program is the file that a process runs, or its own name where that was not seen.
func (p *Process) Program() string {
	if p.Exe != "" {
		return path.Clean(strings.TrimSuffix(p.Exe, " (deleted)"))
	}
	return p.Comm
}

// CgroupV2 is its cgroup in the unified hierarchy.
func (p *Process) CgroupV2() string { return or(p.Unified, p.Cgroup) }

// Caps is a set of capabilities, as bits, from the digits of /proc/PID/status.
func Caps(hex string) uint64 {
	n, _ := strconv.ParseUint(hex, 16, 64)
	return n
}

// SharedSegment is shared memory and who maps it.
type SharedSegment struct {
	Kind string `json:"kind"`           // sysv, posix
	Name string `json:"name"`           // of sysv: the segment's id (shmid); of posix: the path
	Mode uint32 `json:"mode"`           // permission bits as a decimal number: 384 is 0600
	UID  int    `json:"uid"`            // its owner
	PIDs []int  `json:"pids,omitempty"` // the processes that map it, sorted
}
