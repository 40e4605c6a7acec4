package snapshot

// WindowsServices is the services that are installed.
type WindowsServices struct {
	Read Fact             `json:"read"` // whether all of CurrentControlSet\Services could be read
	List []WindowsService `json:"list"` // in the order of the registry, or of PowerShell
}

// WindowsService is a service as its key has it (CurrentControlSet\Services\NAME).
type WindowsService struct {
	Name string `json:"name"` // of the key, not the one that is shown
	// Start is SERVICE_BOOT_START 0, system 1, automatic 2, on demand 3, disabled 4. Type is SERVICE_* of winnt.h: 0x10 an own process, 0x20 a shared one.
	Start int `json:"start"`
	// a sum of SERVICE_* of winnt.h: 0x10 an own process, 0x20 a shared one; 0 where PowerShell alone told of it
	Type    int    `json:"type"`
	Account string `json:"account,omitempty"` // ObjectName: LocalSystem, NT AUTHORITY\NetworkService, ...
	Image   string `json:"image,omitempty"`   // ImagePath, as it is written
	DLL     string `json:"dll,omitempty"`     // ServiceDll of a service in svchost
	// Privileges are RequiredPrivileges. SIDType is ServiceSidType: 0 none, 1 unrestricted, 3 restricted.
	Privileges []string `json:"privileges,omitempty"`
	// ServiceSidType: 0 none of its own, 1 its token has one, 3 its token is restricted as well
	SIDType int    `json:"sidType,omitempty"`
	State   string `json:"state,omitempty"` // running, stopped; empty where it was not asked
	PID     int    `json:"pid,omitempty"`   // 0: it does not run, or that was not asked
	// Security is who may control it, Binary who may change its program, Key who may change its key.
	Security WindowsACL `json:"security"`
	Binary   WindowsACL `json:"binary"` // who may change its program file; error where it was not asked
	Key      WindowsACL `json:"key"`    // who may change its key in the registry; error where it was not asked
}

// WindowsACL is the owner and the access list of an object. Read says whether it is known; absent says that the object has the default one.
type WindowsACL struct {
	Read  Fact   `json:"read"`            // whether the list is known; absent: the object has the default one
	Owner string `json:"owner,omitempty"` // SID
	// the first that is about a right decides it; a known list without entries, and not open, lets nobody do anything
	Entries []WindowsAccess `json:"entries,omitempty"`
	// Open says that there is no access list: everybody may do everything.
	Open bool `json:"open,omitempty"`
}

// WindowsAccess is an entry of an access list, in its order.
type WindowsAccess struct {
	// S-1-...; an alias of SDDL where the machine or domain decides the SID; empty of an entry that is not understood
	SID   string `json:"sid"`
	Mask  uint32 `json:"mask"`  // ACCESS_MASK
	Allow bool   `json:"allow"` // false: it denies, or other says what it is
	// Inherited entries come from the parent; InheritOnly ones say nothing of the object itself.
	Inherited   bool `json:"inherited,omitempty"`
	InheritOnly bool `json:"inheritOnly,omitempty"` // it counts for what is below the object, not for the object itself
	// Other is the type of an entry that is not understood (object, callback, ...), which can narrow it.
	Other int `json:"other,omitempty"`
}

// WindowsSettings is settings of a server by their names in the registry; those of a policy begin with "policy.".
type WindowsSettings struct {
	Read Fact `json:"read"` // whether the server's main key could be read
	// each is a text, numbers in decimal digits; absent: not set, so that the default of Windows counts
	Settings map[string]Fact `json:"settings,omitempty"`
}

// WindowsWinRM is the listeners of WinRM and their settings.
type WindowsWinRM struct {
	Read      Fact            `json:"read"`                // whether WSMAN and its listeners could be read
	Listeners []WinRMListener `json:"listeners,omitempty"` // of the registry, then those that policies make
	// Settings are the values of WSMAN\Service by name, and with "policy." before them those of Policies\Microsoft\Windows\WinRM\Service.
	Settings map[string]Fact `json:"settings,omitempty"`
	// who may use WinRM (WSMAN\Service, rootSDDL); absent: not set, so that the default counts
	RootSDDL WindowsACL `json:"rootSDDL"`
}

// WinRMListener is a listener (SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener\ADDRESS+TRANSPORT).
type WinRMListener struct {
	Address   string `json:"address"`   // "*", IP:address, MAC:address
	Transport string `json:"transport"` // HTTP, HTTPS
	// 5985 for HTTP and 5986 for HTTPS where none is set; 80 and 443 of the listeners for compatibility
	Port int `json:"port"`
	// false where the key says so, or the filters of the policy that makes it are empty
	Enabled bool   `json:"enabled"`
	Prefix  string `json:"prefix,omitempty"` // wsman
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
	Read Fact `json:"read"` // whether the pipes of the host were listed
	// of the open pipes those whose names are known: of container runtimes and ssh-agent
	List []WindowsPipe `json:"list"`
}

// WindowsPipe is a named pipe and who may open it.
type WindowsPipe struct {
	Name string     `json:"name"` // docker_engine
	Role string     `json:"role"` // runtime, keys, agent
	ACL  WindowsACL `json:"acl"`  // who may open it; error where it was not told
}

// WindowsProcesses is processes with their tokens.
type WindowsProcesses struct {
	Read Fact             `json:"read"` // whether they were all listed
	List []WindowsProcess `json:"list"` // by PID where they were read live, else as PowerShell told them
}

// WindowsProcess is a process.
type WindowsProcess struct {
	PID  int    `json:"pid"`            // 0 is the idle process, or not known
	PPID int    `json:"ppid,omitempty"` // of the parent; 0 is not known
	Name string `json:"name"`           // file name of the program: svchost.exe
	Path string `json:"path,omitempty"` // file of the program (C:\...); empty where it is not known
	User string `json:"user,omitempty"` // SID
	// Integrity is the RID of its level: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system.
	Integrity int `json:"integrity,omitempty"`
	// of the token, SeImpersonatePrivilege for one; empty where they were not asked
	Privileges []string `json:"privileges,omitempty"`
	Groups     []string `json:"groups,omitempty"` // SID that are enabled
	Token      Fact     `json:"token"`            // whether user and groups of the token are known
}

// WindowsGroups is local groups that are administrators, or become them.
type WindowsGroups struct {
	Read Fact           `json:"read"` // whether groups and members were told
	List []WindowsGroup `json:"list"` // empty where they were not told
}

// WindowsGroup is a local group and its members, as DOMAIN\NAME or a SID.
type WindowsGroup struct {
	Name    string   `json:"name"`              // as the machine calls it: Administrators, ...
	SID     string   `json:"sid,omitempty"`     // S-1-5-32-544 is Administrators
	Members []string `json:"members,omitempty"` // DOMAIN\NAME, or a SID
}

// WindowsAgents is OpenClaw and other agents that were recognised.
type WindowsAgents struct {
	Read Fact           `json:"read"` // whether the sockets were read, by which most are recognised
	List []WindowsAgent `json:"list"` // distributions of WSL first, then by socket
}

// WindowsAgent is an agent. Word is not told: what a user's task or directory says is that user's.
type WindowsAgent struct {
	Kind string `json:"kind"` // openclaw, ...
	Form string `json:"form"` // task, distribution, process, hub
	// whose it is, as users of WSL distributions are named; empty where it is not known
	User     string `json:"user,omitempty"`
	Port     int    `json:"port,omitempty"` // TCP port that it listens on; 0 where it was not found by one
	PID      int    `json:"pid,omitempty"`  // 0 where it was not found by a process
	Evidence string `json:"evidence"`       // a sentence: what it was recognised by
}
