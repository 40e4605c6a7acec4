package snapshot

// Management is the servers and agents by which a host or its cluster is managed, besides SSH, WinRM and the runtimes.
type Management struct {
	Servers []ManagedServer `json:"servers,omitempty"` // in the order of PIDs: those without a process come first
}

// ManagedServer is a running program that manages.
type ManagedServer struct {
	Name string `json:"name"` // cockpit, telnetd, etcd
	// cleartext, desktop, console, shell, debug, monitor, remote, cluster or data: what it is judged as
	Role Role `json:"role"`
	PID  int  `json:"pid"` // 0 where systemd starts it on demand, or the kernel has the sockets
	// systemd unit of the process, or the socket unit that starts it; empty where it has none
	Unit      string `json:"unit,omitempty"`
	Container string `json:"container,omitempty"` // id of the container that it runs in; empty on the host
	// Word is who decides what the program does: its program's.
	Word     Word   `json:"word,omitzero"`
	Evidence string `json:"evidence"` // a sentence: what it was recognised by
	// Listen are the addresses of the socket unit that starts it when somebody connects, as the unit has them; then there need be no process.
	Listen []string `json:"listen,omitempty"`
	// Ports are those of a process that are what its role says, if it can have others; empty: all that it has.
	Ports []int `json:"ports,omitempty"`
	// Kernel says that the kernel has its sockets, and no process.
	Kernel bool `json:"kernel,omitempty"`
	// Settings are those that are judged, by name, from its arguments and its configuration; one that is not known says why.
	Settings map[string]Fact `json:"settings,omitempty"`
}

// Role is what a program does for who manages.
type Role string

// The roles.
const (
	RoleCleartext Role = "cleartext" // logins and commands that are not encrypted
	RoleDesktop   Role = "desktop"   // a screen, keyboard and mouse from afar
	RoleConsole   Role = "console"   // administration by a browser
	RoleShell     Role = "shell"     // a shell in a browser
	RoleDebug     Role = "debug"     // a debugger that listens
	RoleMonitor   Role = "monitor"   // an agent of a monitoring system
	RoleRemote    Role = "remote"    // an agent that calls out and lets somebody in
	RoleCluster   Role = "cluster"   // a component of Kubernetes
	RoleData      Role = "data"      // a database, a cache, a broker of messages, files
)

// Roles are all of them.
var Roles = []Role{RoleCleartext, RoleDesktop, RoleConsole, RoleShell, RoleDebug, RoleMonitor, RoleRemote, RoleCluster, RoleData}

// ManagedSettings are the names of all settings of a managed server. What could not be read at all is read.
var ManagedSettings = []string{
	"admission", "anonymous", "audit", "authorization", "clientCertAuth", "clientURLs", "community", "encryption", "gives", "how", "login", "peerCertAuth",
	"peerURLs", "port", "read", "readOnlyPort", "remoteCommands", "sources", "tokens",
}
