package snapshot

// AgentBrake is a place that lets a coding agent do what its model asks for without a question to its user, or without its sandbox.
type AgentBrake struct {
	Runtime string `json:"runtime"`
	Title   string `json:"title"`
	// PID is of the running agent that was started so; 0 of a setting for those that will be started.
	PID       int    `json:"pid,omitempty"`
	UID       int    `json:"uid"`
	User      string `json:"user,omitempty"`
	Container string `json:"container,omitempty"`
	Off       string `json:"off"` // approvals, sandbox or both
	How       string `json:"how"` // the option, variable or setting
	File      string `json:"file,omitempty"`
	// Default is true if nobody set it: the vendor's default is to ask for nothing.
	Default bool `json:"default,omitempty"`
	// Unread says why it is not known how the agent was started; Off and How are empty then.
	Unread string `json:"unread,omitempty"`
}

// AgentFile is a file of an agent's own that others than its user can read or write: credentials, settings, conversations.
type AgentFile struct {
	Runtime string `json:"runtime"`
	User    string `json:"user"`
	Path    string `json:"path"`   // of the file, or of the directory on the way to it that is open
	Mode    uint32 `json:"mode"`   // of what is at the path
	Secret  bool   `json:"secret"` // it holds credentials or conversations
	Write   bool   `json:"write"`  // others can write it; else they can read it
	To      string `json:"to"`     // everybody, a group with other members, or another user
}

// UnreadFile is a file that could not be read, and why.
type UnreadFile struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// MCPServer is a server that an agent gets tools from, as settings of an account have it: a program that it starts, or one elsewhere.
type MCPServer struct {
	Runtime string `json:"runtime"`
	UID     int    `json:"uid"`
	User    string `json:"user"`
	File    string `json:"file"`
	Name    string `json:"name"`           // ? for one that is no name
	Host    string `json:"host,omitempty"` // of a server elsewhere; ? if it is not known
	// Clear says that what is said to it goes over a network without encryption, Secret that the settings hold a literal secret for it.
	Clear  bool `json:"clear,omitempty"`
	Secret bool `json:"secret,omitempty"`
}

// Publisher is a program that makes something of this host reachable by a connection that goes out from here: no packet filter sees who
// comes in by it.
type Publisher struct {
	Program   string `json:"program"`
	PID       int    `json:"pid"`
	UID       int    `json:"uid"`
	Unit      string `json:"unit,omitempty"`
	Container string `json:"container,omitempty"`
	To        string `json:"to"` // everybody, members, or server: who is on the machine at its other end
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
	PID       int    `json:"pid,omitempty"`
	UID       int    `json:"uid"`
	Unit      string `json:"unit,omitempty"`
	Container string `json:"container,omitempty"`
	File      string `json:"file,omitempty"`
}
