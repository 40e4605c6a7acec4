package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// DocBrakes is where the brakes of coding agents are off. Unread says why not every place was looked at.
type DocBrakes struct {
	List   []DocBrake `json:"list"`   // each place once, sorted by key
	Unread string     `json:"unread"` // why not every place was looked at, "" where all were
}

// DocBrake is one of these places (snapshot.AgentBrake).
type DocBrake struct {
	Key       string `json:"key"`       // claude-code of uid 1000, settings of claude-code of user bob
	Title     string `json:"title"`     // what people call the agent
	Whose     string `json:"whose"`     // user bob, root, container dev
	Root      bool   `json:"root"`      // of the host
	Container string `json:"container"` // that the agent runs in, "" for none
	Running   bool   `json:"running"`   // of an agent that runs; else of a setting for those that will be started
	Off       string `json:"off"`       // approvals, sandbox or both; "" where it is not known
	How       string `json:"how"`       // the option, variable or setting that has it off
	File      string `json:"file"`      // of the setting, "" where it is none of a file
	Default   bool   `json:"default"`   // nobody set it
	Unread    string `json:"unread"`    // why it is not known how the agent was started, "" where it is
}

// DocAgentFiles is files of agents that others can use.
type DocAgentFiles struct {
	List   []snapshot.AgentFile `json:"list"`   // credentials, settings and conversations that others can read or write
	Unread string               `json:"unread"` // why not all were looked at, "" where they were
}

// DocMCP is the servers of the Model Context Protocol that agents are told of.
type DocMCP struct {
	List   []DocMCPServer        `json:"list"`   // each server of each account's settings once
	Unread string                `json:"unread"` // why not all settings were looked at, "" where they were
	Files  []snapshot.UnreadFile `json:"files"`  // of settings that could not be read
}

// DocMCPServer is one of them.
type DocMCPServer struct {
	Name   string `json:"name"`    // that the settings give it; ? for one that is no name
	Whose  string `json:"whose"`   // user bob
	Title  string `json:"runtime"` // the agent that is told of it: claude-code, cursor
	File   string `json:"file"`    // of the settings
	Host   string `json:"host"`    // of a server elsewhere; "" for a program that the agent starts, ? where it is not known
	Clear  bool   `json:"clear"`   // what is said to it goes over a network without encryption
	Secret bool   `json:"secret"`  // the settings hold a literal secret for it
}

// DocPublishers is programs that make services of this host reachable by connections that go out.
type DocPublishers struct {
	List   []DocPublisher `json:"list"`   // each program, account and targets once
	Unread string         `json:"unread"` // why not all were looked at, "" where they were
}

// DocPublisher is one of them. Agents are those that it leads to, by the ports of its targets.
type DocPublisher struct {
	Key       string   `json:"key"`       // PROGRAM of WHOSE to TARGETS, stays when it is started again
	Program   string   `json:"program"`   // what people call it: tailscale funnel
	Whose     string   `json:"whose"`     // root, uid 1000, container web
	Container string   `json:"container"` // that it runs in, "" for none
	Unit      string   `json:"unit"`      // of systemd that it is in, "" for none
	To        string   `json:"to"`        // who comes in by it: everybody, members, or server (who is on the machine at its other end)
	Shell     bool     `json:"shell"`     // it gives a shell or an editor of its user
	Targets   []string `json:"targets"`   // addresses that it leads to, ADDRESS:PORT; empty where that is not told
	Agents    []string `json:"agents"`    // what people call them; empty where none is known to listen there
}

// DocSecrets is secrets at places where other accounts read them. Unread says why not all units were looked at, Older that the snapshot is older
// than the question.
type DocSecrets struct {
	List   []DocSecret `json:"list"`   // without the secrets themselves
	Unread string      `json:"unread"` // why not all units were looked at, "" where they were
	Older  bool        `json:"older"`  // the snapshot is older than the question: nobody looked for secrets
}

// DocSecret is one of them; processes of one program and account that have it in one option are told of once.
type DocSecret struct {
	Key     string `json:"key"`     // NAME of PROGRAM of WHOSE for an argument, NAME of UNIT for others
	Kind    string `json:"kind"`    // argument, unit, environment-file
	Name    string `json:"name"`    // of the option or variable that holds it
	Program string `json:"program"` // that has it as an argument, "" for other kinds
	Whose   string `json:"whose"`   // root, uid 1000, container web; says something of an argument alone
	Unit    string `json:"unit"`    // of systemd that has it, "" for none
	File    string `json:"file"`    // where it was read, "" for an argument
}

// unread is why a list is not known to be whole.
func unread(f *snapshot.Fact) string {
	switch {
	case f == nil:
		return "the snapshot is older than the question"
	case f.State == snapshot.Present:
		return ""
	}
	return cmp.Or(f.Reason, "it could not be read")
}

// account names an account of the host, or a container.
func (b *builder) account(uid int, user, container string) string {
	switch {
	case container != "":
		return "container " + b.containerName(container)
	case uid == 0:
		return "root"
	case user != "":
		return "user " + user
	}
	return "uid " + strconv.Itoa(uid)
}

func (b *builder) agentFacts() {
	sec := &b.snap.Agents
	b.doc.AgentBrakes = DocBrakes{List: []DocBrake{}, Unread: unread(sec.BrakesRead)}
	for i := range sec.Brakes {
		k := &sec.Brakes[i]
		d := DocBrake{
			Title: k.Title, Whose: b.account(k.UID, k.User, k.Container), Root: k.UID == 0 && k.Container == "", Running: k.PID != 0,
			Container: b.containerName(k.Container), Off: k.Off, How: k.How, File: k.File, Default: k.Default, Unread: k.Unread,
		}
		d.Key = k.Runtime + " of " + d.Whose
		if !d.Running {
			d.Key = "settings of " + d.Key
		}
		if !slices.Contains(b.doc.AgentBrakes.List, d) {
			b.doc.AgentBrakes.List = append(b.doc.AgentBrakes.List, d)
		}
	}
	sortBy(b.doc.AgentBrakes.List, func(d DocBrake) string { return d.Key + d.How })
	b.doc.AgentFiles = DocAgentFiles{List: orEmpty(sec.Files), Unread: unread(sec.FilesRead)}
	b.doc.MCP = DocMCP{List: []DocMCPServer{}, Unread: unread(sec.MCPRead), Files: append([]snapshot.UnreadFile{}, sec.MCPUnread...)}
	for i := range sec.MCP {
		m := &sec.MCP[i]
		d := DocMCPServer{Name: m.Name, Whose: b.account(m.UID, m.User, ""), Title: m.Runtime, File: m.File, Host: m.Host, Clear: m.Clear, Secret: m.Secret}
		if !slices.Contains(b.doc.MCP.List, d) {
			b.doc.MCP.List = append(b.doc.MCP.List, d)
		}
	}
	b.publishers()
	b.secrets()
}

func (b *builder) publishers() {
	sec := &b.snap.Agents
	b.doc.Publishers = DocPublishers{List: []DocPublisher{}, Unread: unread(sec.PublishersRead)}
	for i := range sec.Publishers {
		k := &sec.Publishers[i]
		d := DocPublisher{
			Program: k.Program, Whose: b.account(k.UID, "", k.Container), Container: b.containerName(k.Container), Unit: k.Unit,
			To: k.To, Shell: k.Shell, Targets: orEmpty(k.Targets), Agents: b.behind(k),
		}
		d.Key = k.Program + " of " + d.Whose
		if len(d.Targets) > 0 {
			d.Key += " to " + strings.Join(d.Targets, ", ")
		}
		if !slices.ContainsFunc(b.doc.Publishers.List, func(o DocPublisher) bool { return o.Key == d.Key }) {
			b.doc.Publishers.List = append(b.doc.Publishers.List, d)
		}
	}
	sortBy(b.doc.Publishers.List, func(d DocPublisher) string { return d.Key })
}

// behind are the agents and model servers that listen where a program leads to, in its own network namespace.
func (b *builder) behind(k *snapshot.Publisher) []string {
	titles := []string{}
	p := b.byPID[k.PID]
	for _, t := range k.Targets {
		port := atoi(t[strings.LastIndexByte(t, ':')+1:])
		for j := range b.snap.Listeners.Sockets {
			sk := &b.snap.Listeners.Sockets[j]
			if sk.Proto != "tcp" || sk.Port != port || p != nil && p.NS.Net != 0 && sk.Netns != p.NS.Net {
				continue
			}
			for _, o := range sk.Owners {
				if a := b.agents[b.agentAbove(b.byPID[o.PID])]; a != nil {
					titles = append(titles, a.Title)
				}
			}
		}
	}
	slices.Sort(titles)
	return slices.Compact(titles)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func (b *builder) secrets() {
	sec := &b.snap.Processes
	b.doc.OpenSecrets = DocSecrets{List: []DocSecret{}, Unread: unread(sec.SecretsRead), Older: sec.SecretsRead == nil}
	for i := range sec.Secrets {
		k := &sec.Secrets[i]
		d := DocSecret{Kind: k.Kind, Name: k.Name, Program: k.Program, Unit: k.Unit, File: k.File, Whose: b.account(k.UID, "", k.Container)}
		switch k.Kind {
		case "argument":
			d.Key = fmt.Sprintf("%s of %s of %s", d.Name, d.Program, d.Whose)
		default:
			d.Key = fmt.Sprintf("%s of %s", d.Name, d.Unit)
		}
		if !slices.ContainsFunc(b.doc.OpenSecrets.List, func(o DocSecret) bool { return o.Key == d.Key && o.Kind == d.Kind }) {
			b.doc.OpenSecrets.List = append(b.doc.OpenSecrets.List, d)
		}
	}
	sortBy(b.doc.OpenSecrets.List, func(d DocSecret) string { return d.Kind + d.Key })
}
