package judge

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// DocSandbox is what an agent is told of a sandbox for its commands, against what was measured.
type DocSandbox struct {
	Key   string `json:"key"`   // codex of uid 1000
	Title string `json:"title"` // what people call the agent
	State string `json:"state"` // on, off, none (it has no such setting), unknown
	Why   string `json:"why"`   // why it is unknown
	From  string `json:"from"`  // the file or option that decides
	// Overridden is a file that has it on, if one of a project has it off.
	Overridden string       `json:"overridden"`
	Weak       []string     `json:"weak"`     // settings that weaken it
	Missing    []string     `json:"missing"`  // what it needs and the host lacks
	Commands   []DocCommand `json:"commands"` // processes below the agent, those first that are confined least
	Unseen     string       `json:"unseen"`   // why there can be other commands
}

// DocCommand is a process that runs a command of an agent.
type DocCommand struct {
	Program string `json:"program"` // that the process runs
	// Lacks are those of the four facts that confine it which do not hold: network, files, privileges, capabilities.
	Lacks []string `json:"lacks"`
	Facts string   `json:"facts"` // all of them, for people
	// Unclear is why they are not known, or do not decide.
	Unclear string `json:"unclear"`
}

// sandboxes adds what was measured of agents.
func (b *builder) sandboxes() {
	b.doc.Sandboxes = DocSandboxes{Measured: b.snap.Agents.Measured, List: []DocSandbox{}}
	for i := range b.snap.Agents.Sandboxes {
		a := &b.snap.Agents.Sandboxes[i]
		d := DocSandbox{
			Key: a.Runtime, Title: a.Title, State: "none", From: a.From, Overridden: a.Overridden, Weak: orEmpty(a.Weak), Missing: orEmpty(a.Missing),
			Commands: []DocCommand{}, Unseen: a.Unseen,
		}
		if a.Container != "" {
			d.Key += " in container " + b.containerName(a.Container)
		} else if a.UID > 0 {
			d.Key += " of uid " + strconv.Itoa(a.UID)
		}
		switch a.Configured.State {
		case snapshot.Present:
			d.State = a.Configured.Value
		case snapshot.Absent:
		default:
			d.State, d.Why = "unknown", a.Configured.Reason
		}
		if a.More > 0 && d.Unseen == "" {
			d.Unseen = fmt.Sprintf("%d more commands run", a.More)
		}
		for j := range a.Commands {
			d.Commands = append(d.Commands, command(a, &a.Commands[j]))
		}
		b.doc.Sandboxes.List = append(b.doc.Sandboxes.List, d)
	}
	sortBy(b.doc.Sandboxes.List, func(d DocSandbox) string { return d.Key })
}

// DocSandboxes are of all agents; they were not measured in older snapshots.
type DocSandboxes struct {
	Measured bool         `json:"measured"` // false in an older snapshot: the list says nothing then
	List     []DocSandbox `json:"list"`     // one for each agent that runs, sorted by key
}

func command(a *snapshot.AgentSandbox, c *snapshot.AgentCommand) DocCommand {
	d := DocCommand{Program: c.Program, Lacks: []string{}}
	if c.Network == "unknown" || c.Files == "unknown" || c.Capabilities == "unknown" {
		d.Unclear = "its namespaces were not read"
	}
	lack := func(name string, is bool) {
		if is {
			d.Lacks = append(d.Lacks, name)
		}
	}
	lack("network", c.Network == "shared")
	lack("files", c.Files == "shared" || c.Files == "writable")
	lack("privileges", !c.NoNewPrivs)
	lack("capabilities", c.Capabilities != "" && c.Capabilities != "unknown")
	if a.Runtime == "codex" && c.NoNewPrivs && c.Seccomp == 2 && c.Network == "shared" && c.Files == "shared" && c.Capabilities == "" {
		d.Unclear = "it has a seccomp filter and no_new_privs and no namespaces of its own, as Landlock would have it, and Landlock cannot be seen from outside"
	}
	files := c.Files
	if len(c.Writable) > 0 {
		files += ", may write " + strings.Join(c.Writable, " ")
	}
	caps := c.Capabilities
	if caps == "" {
		caps = "none"
	}
	d.Facts = fmt.Sprintf("network %s; files %s; no_new_privs %v; capabilities over the host %s; seccomp %d", c.Network, files, c.NoNewPrivs, caps, c.Seccomp)
	return d
}
