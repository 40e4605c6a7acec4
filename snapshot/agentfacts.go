package snapshot

// AgentBrake is a place that lets a coding agent do what its model asks for without a question to its user, or without its sandbox.
type AgentBrake struct {
	Runtime string `json:"runtime"` // short name of the agent: claude-code, codex, openclaw, ...
	Title   string `json:"title"`   // name of the agent for people
	// PID is of the running agent that was started so; 0 of a setting for those that will be started.
	PID       int    `json:"pid,omitempty"`
	UID       int    `json:"uid"`                 // of the process, or of the account that has the setting
	User      string `json:"user,omitempty"`      // name of the account; empty if the uid has none
	Container string `json:"container,omitempty"` // id of the container that the running agent is in; empty is none
	Off       string `json:"off"`                 // approvals, sandbox or both
	How       string `json:"how"`                 // the option, variable or setting
	File      string `json:"file,omitempty"`      // path of the settings; empty of a running agent
	// Default is true if nobody set it: the vendor's default is to ask for nothing.
	Default bool `json:"default,omitempty"`
	// Unread says why it is not known how the agent was started; Off and How are empty then.
	Unread string `json:"unread,omitempty"`
}

// AgentFile is a file of an agent's own that others than its user can read or write: credentials, settings, conversations.
type AgentFile struct {
	Runtime string `json:"runtime"` // short name of the agent: claude-code, codex, openclaw, ...
	User    string `json:"user"`    // account whose home it is in
	Path    string `json:"path"`    // of the file, or of the directory on the way to it that is open
	Mode    uint32 `json:"mode"`    // of what is at the path
	Secret  bool   `json:"secret"`  // it holds credentials or conversations
	Write   bool   `json:"write"`   // others can write it; else they can read it
	To      string `json:"to"`      // everybody, a group with other members, or another user
}

// UnreadFile is a file that could not be read, and why.
type UnreadFile struct {
	File   string `json:"file"`   // path of the file
	Reason string `json:"reason"` // in words
}

// MCPServer is a server that an agent gets tools from, as settings of an account have it: a program that it starts, or one elsewhere.
type MCPServer struct {
	Runtime string `json:"runtime"`        // short name of the agent that is told of it: claude-code, cursor, vscode, ...
	UID     int    `json:"uid"`            // of the account
	User    string `json:"user"`           // name of the account
	File    string `json:"file"`           // path of the settings
	Name    string `json:"name"`           // ? for one that is no name
	Host    string `json:"host,omitempty"` // of a server elsewhere; ? if it is not known
	// Clear says that what is said to it goes over a network without encryption, Secret that the settings hold a literal secret for it.
	Clear  bool `json:"clear,omitempty"`
	Secret bool `json:"secret,omitempty"` // the settings hold a literal secret for it, in a variable, a header, an argument or the address
}

// Publisher is a program that makes something of this host reachable by a connection that goes out from here: no packet filter sees who
// comes in by it.
type Publisher struct {
	Program   string `json:"program"`             // what it is and does: cloudflared, ssh -R, tailscale funnel, ...
	PID       int    `json:"pid"`                 // of the process that publishes
	UID       int    `json:"uid"`                 // that the process runs as
	Unit      string `json:"unit,omitempty"`      // unit of systemd that the process is of; empty is none
	Container string `json:"container,omitempty"` // id of the container that the process is in; empty is none
	To        string `json:"to"`                  // everybody, members, or server: who is on the machine at its other end
	// Targets are addresses of this host that it leads to, as ADDRESS:PORT; without one that is not told.
	Targets []string `json:"targets,omitempty"`
	Shell   bool     `json:"shell,omitempty"` // it gives a shell or an editor of its user
}

// OpenSecret is a secret at a place where other accounts read it. The secret itself is not kept.
type OpenSecret struct {
	Kind string `json:"kind"` // argument, unit, environment-file
	Name string `json:"name"` // of the option or variable
	// Program, UID and Unit are of the process or service that has it, File is where it was read.
	Program   string `json:"program,omitempty"`
	PID       int    `json:"pid,omitempty"`       // of the process; 0 of a secret of a unit
	UID       int    `json:"uid"`                 // that the process runs as; 0 of a secret of a unit
	Unit      string `json:"unit,omitempty"`      // that has the secret, or whose process does; empty is none
	Container string `json:"container,omitempty"` // id of the container that the process is in; empty is none
	File      string `json:"file,omitempty"`      // path of the file of variables; empty of other kinds
}
