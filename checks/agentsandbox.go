//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what is measured: the processes below one agent that are looked at, and the commands of one that are kept.
const (
	maxBelowAgent = 2000
	maxCommands   = 20
	maxWritable   = 10
)

var (
	// sandboxers put what they start into a sandbox or a container, or carry its packets; they are outside of it themselves.
	sandboxers = []string{"bwrap", "firejail", "nsjail", "socat", "docker", "podman", "nerdctl", "ssh", "openshell", "pasta", "slirp4netns"}
	shells     = []string{"sh", "bash", "dash", "ash", "zsh", "fish", "ksh", "mksh"}
	// sandboxRuntime is Anthropic's program that runs one command in a sandbox.
	sandboxRuntime = lazily(`(^|/)srt( |$)|@anthropic-ai/sandbox-runtime/`)
)

// measured are the agents and sandbox runtimes that run commands: what they are told of a sandbox, and what the processes of their commands are
// confined by. What has left its parents is nobody's below.
func (s *Scan) measured(ctx context.Context, agents []snapshot.Agent, out *Outcome) []snapshot.AgentSandbox {
	procs, err := s.processes()
	if err != nil {
		return nil // it was said
	}
	below, is := map[int][]*process{}, map[int]*snapshot.Agent{}
	for _, p := range procs {
		if p.Leader == 0 {
			below[p.PPID] = append(below[p.PPID], p)
		}
	}
	for i := range agents {
		is[agents[i].PID] = &agents[i]
	}
	var list []snapshot.AgentSandbox
	for _, p := range procs {
		if ctx.Err() != nil {
			out.partial("there was no time to look at the commands of all agents")
			break
		}
		if p.Leader != 0 {
			continue
		}
		b := s.sandboxOf(p, is[p.PID])
		if b == nil {
			continue
		}
		m := &measuring{s: s, agent: p, below: below, is: is, out: b}
		for _, c := range below[p.PID] {
			m.look(c, false)
		}
		if m.again && len(b.Commands) == 0 {
			continue // it starts the agent, and is none itself
		}
		slices.SortStableFunc(b.Commands, func(x, y snapshot.AgentCommand) int { return cmp.Compare(confinement(&x), confinement(&y)) })
		if n := len(b.Commands) - maxCommands; n > 0 {
			b.Commands, b.More = b.Commands[:maxCommands], n
		}
		list = append(list, *b)
	}
	return list
}

// confinement counts what confines a command: those that nothing does come first.
func confinement(c *snapshot.AgentCommand) (n int) {
	for _, is := range []bool{c.Network == "own", c.Files == "own" || c.Files == "read-only", c.NoNewPrivs, c.Capabilities == ""} {
		if is {
			n++
		}
	}
	return n
}

// sandboxOf is what an agent, or a runtime of sandboxes, is told; nil of everything else.
func (s *Scan) sandboxOf(p *process, a *snapshot.Agent) *snapshot.AgentSandbox {
	b := &snapshot.AgentSandbox{PID: p.PID, UID: p.UID, Container: p.Container, Configured: snapshot.Fact{State: snapshot.Absent}}
	switch {
	case a == nil && isSandboxRuntime(p):
		b.Runtime, b.Title = "sandbox-runtime", "sandbox runtime (srt)"
		b.Configured, b.From = present("on"), "it runs each command in a sandbox"
		s.srtSettings(p, b)
	case a == nil || a.Kind != "cli" && a.Runtime != "openclaw" && a.Runtime != "codex":
		return nil
	default:
		b.Runtime, b.Title = a.Runtime, a.Title
		switch a.Runtime {
		case "claude-code":
			s.claudeSandbox(p, b)
		case "codex":
			s.codexSandbox(p, b)
		case "openclaw":
			openClawSandbox(a, b)
		}
	}
	if b.Configured.Value == "on" && b.Runtime != "openclaw" {
		b.Missing = s.lacksForSandbox(p, b.Runtime)
	}
	return b
}

// isSandboxRuntime says of a process that it is a script which runs commands in sandboxes.
func isSandboxRuntime(p *process) bool {
	if p.setID || p.Leader != 0 || !slices.Contains([]string{"node", "nodejs", "bun", "deno"}, p.exeBase()) {
		return false
	}
	first, _, _ := strings.Cut(p.command(), " ")
	return sandboxRuntime.MatchString(first)
}

// measuring walks what an agent has started.
type measuring struct {
	s      *Scan
	agent  *process
	below  map[int][]*process
	is     map[int]*snapshot.Agent
	out    *snapshot.AgentSandbox
	looked int
	again  bool // an agent of the same kind is below it
	tools  []agentTool
}

// look measures a process and what is below it. Programs that make a sandbox are outside of it, and so is a shell that only waits for
// one. A tool server that the agent talks to (a script of an interpreter without a shell above it) is no command, nor is what the agent starts
// by its own settings.
func (m *measuring) look(p *process, command bool) {
	if m.looked++; m.looked > maxBelowAgent {
		m.out.Unseen = fmt.Sprintf("it has more than %d processes", maxBelowAgent)
		return
	}
	exe := p.exeBase()
	shell := slices.Contains(shells, exe)
	var is, may bool
	if !command && m.shares(p) {
		is, may = m.tool(p)
		may = may || !is && interpreters.MatchString(exe) && !shell
	}
	switch {
	case m.is[p.PID] != nil || isSandboxRuntime(p):
		m.again = m.again || m.is[p.PID] != nil && m.is[p.PID].Runtime == m.out.Runtime || m.is[p.PID] == nil && m.out.Runtime == "sandbox-runtime"
		return // another agent, which has its own
	case exe == "runsc" && p.ExeWord.Trusted():
		m.gvisor(p)
		return
	case is:
		m.out.Servers++
		return
	case m.makes(p):
		// not judged itself
	case shell && len(m.below[p.PID]) > 0 && !slices.ContainsFunc(m.below[p.PID], func(c *process) bool { return !m.makes(c) }):
		command = true
	case may:
		if m.out.Servers++; m.out.Unseen == "" {
			m.out.Unseen = fmt.Sprintf("whether %s (process %d) is a command or a tool server does not show in the settings", exe, p.PID)
		}
		return
	default:
		command = true
		m.out.Commands = append(m.out.Commands, m.measure(p, exe))
	}
	for _, c := range m.below[p.PID] {
		m.look(c, command)
	}
}

// makes says of a process that it makes a sandbox: a known program that root alone can write. Its name alone is anybody's.
func (m *measuring) makes(p *process) bool {
	return slices.Contains(sandboxers, p.exeBase()) && p.ExeWord.Trusted() && (p.exeBase() == "socat" && m.shares(p) || len(m.below[p.PID]) > 0 ||
		slices.Contains([]string{"docker", "podman", "nerdctl", "ssh", "openshell"}, p.exeBase()))
}

// shares says of a process that it is in the namespaces of the agent.
func (m *measuring) shares(p *process) bool {
	return p.NS.Net == m.agent.NS.Net && p.NS.Mnt == m.agent.NS.Mnt
}

// measure is what confines one process.
func (m *measuring) measure(p *process, exe string) snapshot.AgentCommand {
	one := m.s.initNS()
	c := snapshot.AgentCommand{PID: p.PID, Program: exe, NoNewPrivs: p.NoNewPrivs, Seccomp: p.Seccomp, Network: "shared", Files: "shared"}
	inside := m.agent.Container != "" && p.Container == m.agent.Container
	// A container, and an agent that is in a user namespace of its own, are apart from the host; what they start is too.
	apart := inside || m.agent.NS.User != one.User
	switch {
	case p.NS.Net == 0 || p.NS.Mnt == 0 || m.agent.NS.Net == 0 || m.agent.NS.Mnt == 0:
		c.Network, c.Files = "unknown", "unknown"
	default:
		if p.NS.Net != m.agent.NS.Net || apart && p.NS.Net != one.Net {
			c.Network = "own"
		}
		switch {
		case inside && p.NS.Mnt != one.Mnt:
			c.Files = "own"
		case apart && p.NS.Mnt != one.Mnt:
			c.Files, c.Writable = m.files(p, 1)
		case p.NS.Mnt != m.agent.NS.Mnt:
			c.Files, c.Writable = m.files(p, m.agent.PID)
		}
	}
	if caps := p.CapPrm; p.NS.User == one.User && strings.Trim(caps, "0") != "" {
		c.Capabilities = caps
	}
	if p.NS.User == 0 || one.User == 0 {
		c.Capabilities = "unknown"
	}
	return c
}

// files compares what a process in a mount namespace of its own can write with what another has: the home of the agent's user, and other
// mounts of the same disks.
func (m *measuring) files(p *process, other int) (how string, writable []string) {
	theirs, err := m.s.Host.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/mountinfo")
	own, oerr := m.s.Host.ReadFile("/proc/" + strconv.Itoa(other) + "/mountinfo")
	if err != nil || oerr != nil {
		return "unknown", nil
	}
	home := "/"
	for _, u := range m.s.users() {
		if u.uid == m.agent.UID && path.IsAbs(u.home) {
			home = path.Clean(u.home)
		}
	}
	inside, outside := parseMountinfo(theirs), parseMountinfo(own)
	disks := map[uint64]bool{}
	for i := range outside {
		if !slices.Contains(kernelFilesystems, outside[i].fs) {
			disks[outside[i].dev] = true
		}
	}
	for i := range inside {
		e := &inside[i]
		if disks[e.dev] && !e.readOnly() && !slices.Contains(writable, e.point) && covering(inside, e.point) == e {
			writable = append(writable, e.point)
		}
	}
	slices.Sort(writable)
	if len(writable) > maxWritable {
		writable = append(writable[:maxWritable], "and others")
	}
	return homeInside(inside, outside, disks, home), writable
}

// homeInside says of a directory whether somebody in other mounts has it, or another of the same disks, and can write there. It can be in memory.
func homeInside(inside, outside []mountEntry, disks map[uint64]bool, home string) string {
	at, out := covering(inside, home), covering(outside, home)
	switch {
	case at == nil || !disks[at.dev] && (out == nil || out.dev != at.dev):
		return "own"
	case at.readOnly():
		return "read-only"
	}
	return "writable"
}

// kernelFilesystems hold no files of a disk.
var kernelFilesystems = []string{
	"proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf", "nsfs", "pstore",
	"configfs", "fusectl", "hugetlbfs", "binfmt_misc", "ramfs", "autofs", "efivarfs", "rpc_pipefs",
}
