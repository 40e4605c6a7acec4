package snapshot

// AgentSandbox is what an agent is told of a sandbox for the commands that it runs, and what the processes of these are confined by.
type AgentSandbox struct {
	Runtime   string `json:"runtime"`             // short name of the agent: claude-code, codex, openclaw, ...; sandbox-runtime for Anthropic's srt
	Title     string `json:"title"`               // name of the agent for people
	PID       int    `json:"pid"`                 // of the agent
	UID       int    `json:"uid"`                 // that the agent runs as
	Container string `json:"container,omitempty"` // id of the container that the agent is in; empty is none
	// Configured is on or off; absent if the agent has no such setting that is known, else an error if it was not read.
	Configured Fact   `json:"configured"`
	From       string `json:"from,omitempty"` // the file or option that decides
	// Overridden is a file that has it on, if one of a project, which anybody can have written, has it off.
	Overridden string   `json:"overridden,omitempty"`
	Weak       []string `json:"weak,omitempty"`    // settings that weaken it
	Missing    []string `json:"missing,omitempty"` // what it needs and the host lacks
	// Commands are processes below the agent, those first that are confined least, and More is how many were left out.
	Commands []AgentCommand `json:"commands,omitempty"`
	More     int            `json:"more,omitempty"` // how many commands were left out
	// Servers counts scripts that the agent started without a shell: tools that it talks to, which its sandbox is not for.
	Servers int    `json:"servers,omitempty"`
	Unseen  string `json:"unseen,omitempty"` // why not all processes were looked at
}

// AgentCommand is four facts about a process, and others that tell how.
type AgentCommand struct {
	PID     int    `json:"pid"`     // of the process, as the host counts
	Program string `json:"program"` // name of its executable, without the directory
	Network string `json:"network"` // own, shared with the agent, unknown
	// Files are own (none of the home of the agent's user), read-only or writable (that home, in a mount namespace of its own), shared
	// with the agent, or unknown.
	Files      string   `json:"files"`
	Writable   []string `json:"writable,omitempty"` // mounts of the agent's disks that it can write
	NoNewPrivs bool     `json:"noNewPrivs"`         // no program gives it more privileges (prctl(2), PR_SET_NO_NEW_PRIVS)
	// Capabilities are those that it has over the user namespace of the host; "" for none, or unknown.
	Capabilities string `json:"capabilities,omitempty"`
	Seccomp      int    `json:"seccomp"` // 0 off, 1 strict, 2 filter
}
