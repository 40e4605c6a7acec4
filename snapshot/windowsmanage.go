package snapshot

// WindowsServices is the services that are installed.
type WindowsServices struct {
	Read Fact             `json:"read"`
	List []WindowsService `json:"list"`
}

// WindowsService is a service as its key has it (CurrentControlSet\Services\NAME).
type WindowsService struct {
	Name string `json:"name"`
	// Start is SERVICE_BOOT_START 0, system 1, automatic 2, on demand 3, disabled 4. Type is SERVICE_* of winnt.h: 0x10 an own process, 0x20 a shared one.
	Start   int    `json:"start"`
	Type    int    `json:"type"`
	Account string `json:"account,omitempty"` // ObjectName: LocalSystem, NT AUTHORITY\NetworkService, ...
	Image   string `json:"image,omitempty"`   // ImagePath, as it is written
	DLL     string `json:"dll,omitempty"`     // ServiceDll of a service in svchost
	// Privileges are RequiredPrivileges. SIDType is ServiceSidType: 0 none, 1 unrestricted, 3 restricted.
	Privileges []string `json:"privileges,omitempty"`
	SIDType    int      `json:"sidType,omitempty"`
	State      string   `json:"state,omitempty"` // running, stopped; empty where it was not asked
	PID        int      `json:"pid,omitempty"`
	// Security is who may control it, Binary who may change its program, Key who may change its key.
	Security WindowsACL `json:"security"`
	Binary   WindowsACL `json:"binary"`
	Key      WindowsACL `json:"key"`
}

// WindowsACL is the owner and the access list of an object. Read says whether it is known; absent says that the object has the default one.
type WindowsACL struct {
	Read    Fact            `json:"read"`
	Owner   string          `json:"owner,omitempty"` // SID
	Entries []WindowsAccess `json:"entries,omitempty"`
	// Open says that there is no access list: everybody may do everything.
	Open bool `json:"open,omitempty"`
}

// WindowsAccess is an entry of an access list, in its order.
type WindowsAccess struct {
	SID   string `json:"sid"`
	Mask  uint32 `json:"mask"` // ACCESS_MASK
	Allow bool   `json:"allow"`
	// Inherited entries come from the parent; InheritOnly ones say nothing of the object itself.
	Inherited   bool `json:"inherited,omitempty"`
	InheritOnly bool `json:"inheritOnly,omitempty"`
	// Other is the type of an entry that is not understood (object, callback, ...), which can narrow it.
	Other int `json:"other,omitempty"`
}

// WindowsSettings is settings of a server by their names in the registry; those of a policy begin with "policy.".
type WindowsSettings struct {
	Read     Fact            `json:"read"`
	Settings map[string]Fact `json:"settings,omitempty"`
}

// WindowsWinRM is the listeners of WinRM and their settings.
type WindowsWinRM struct {
	Read      Fact            `json:"read"`
	Listeners []WinRMListener `json:"listeners,omitempty"`
	// Settings are the values of WSMAN\Service by name, and with "policy." before them those of Policies\Microsoft\Windows\WinRM\Service.
	Settings map[string]Fact `json:"settings,omitempty"`
	RootSDDL WindowsACL      `json:"rootSDDL"`
}

// WinRMListener is a listener (SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener\ADDRESS+TRANSPORT).
type WinRMListener struct {
	Address   string `json:"address"`   // "*", IP:address, MAC:address
	Transport string `json:"transport"` // HTTP, HTTPS
	Port      int    `json:"port"`
	Enabled   bool   `json:"enabled"`
	Prefix    string `json:"prefix,omitempty"` // wsman
	// Policy says that a policy makes it (AllowAutoConfig).
	Policy bool `json:"policy,omitempty"`
}

// WindowsSSH is the OpenSSH server for Windows.
type WindowsSSH struct {
	// Read is absent where no server is installed.
	Read Fact `json:"read"`
	// Config is absent where it has no file: what it then does is the default.
	Config   Fact         `json:"config"`
	Contexts []SSHContext `json:"contexts,omitempty"` // as of a server on Linux (SSHConfig)
	Shell    Fact         `json:"shell"`              // DefaultShell
	// AdminKeys is who may write administrators_authorized_keys.
	AdminKeys WindowsACL `json:"adminKeys"`
}

// WindowsPipes is named pipes that give power over containers, machines or keys.
type WindowsPipes struct {
	Read Fact          `json:"read"`
	List []WindowsPipe `json:"list"`
}

// WindowsPipe is a named pipe and who may open it.
type WindowsPipe struct {
	Name string     `json:"name"` // docker_engine
	Role string     `json:"role"` // runtime, keys, agent
	ACL  WindowsACL `json:"acl"`
}

// WindowsProcesses is processes with their tokens.
type WindowsProcesses struct {
	Read Fact             `json:"read"`
	List []WindowsProcess `json:"list"`
}

// WindowsProcess is a process.
type WindowsProcess struct {
	PID  int    `json:"pid"`
	PPID int    `json:"ppid,omitempty"`
	Name string `json:"name"`
	Path string `json:"path,omitempty"`
	User string `json:"user,omitempty"` // SID
	// Integrity is the RID of its level: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system.
	Integrity  int      `json:"integrity,omitempty"`
	Privileges []string `json:"privileges,omitempty"`
	Groups     []string `json:"groups,omitempty"` // SID that are enabled
	Token      Fact     `json:"token"`
}

// WindowsGroups is local groups that are administrators, or become them.
type WindowsGroups struct {
	Read Fact           `json:"read"`
	List []WindowsGroup `json:"list"`
}

// WindowsGroup is a local group and its members, as DOMAIN\NAME or a SID.
type WindowsGroup struct {
	Name    string   `json:"name"`
	SID     string   `json:"sid,omitempty"`
	Members []string `json:"members,omitempty"`
}

// WindowsAgents is OpenClaw and other agents that were recognised.
type WindowsAgents struct {
	Read Fact           `json:"read"`
	List []WindowsAgent `json:"list"`
}

// WindowsAgent is an agent. Word is not told: what a user's task or directory says is that user's.
type WindowsAgent struct {
	Kind     string `json:"kind"` // openclaw, ...
	Form     string `json:"form"` // task, distribution, process, hub
	User     string `json:"user,omitempty"`
	Port     int    `json:"port,omitempty"`
	PID      int    `json:"pid,omitempty"`
	Evidence string `json:"evidence"`
}
