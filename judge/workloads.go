package judge

import (
	"cmp"
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// capNames are the capabilities by number (include/uapi/linux/capability.h).
var capNames = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

const netAdmin = 12

func capList(mask uint64) []string {
	list := []string{}
	for mask != 0 {
		i := bits.TrailingZeros64(mask)
		mask &= mask - 1
		if i < len(capNames) {
			list = append(list, capNames[i])
		} else {
			list = append(list, fmt.Sprintf("cap_%d", i))
		}
	}
	return list
}

// defaultCaps is what Docker and containerd give a container (moby oci/caps/defaults.go).
const defaultCaps = 0xa80425fb

// capText is a set in words, short enough to read.
func capText(mask uint64, full bool) string {
	switch {
	case full:
		return "all capabilities"
	case mask == 0:
		return "no capability"
	case mask == defaultCaps:
		return "the default capabilities"
	case mask&defaultCaps == defaultCaps:
		return "the default capabilities and " + strings.Join(capList(mask&^defaultCaps), " ")
	}
	return strings.Join(capList(mask), " ")
}

// containerName is what people call a container.
func (b *builder) containerName(id string) string {
	name := ""
	if c := b.containers[id]; c != nil {
		name = c.Name
	}
	return snapshot.ContainerName(id, name)
}

// workloads groups the processes of the workload zone: one entry for each container, sandbox
// program or agent and each set of powers in it.
func (b *builder) workloads() {
	b.doc.Workloads, b.doc.Devices = []DocWorkload{}, []DocDevice{}
	seen := map[string]bool{}
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		zone, why := b.zones.Process(p)
		if zone != zones.Workload && b.agents[p.PID] == nil {
			continue
		}
		w := b.workload(p, why)
		for _, d := range p.Devices {
			if id := w.Key + "\x00" + d; !seen[id] {
				seen[id] = true
				b.doc.Devices = append(b.doc.Devices, DocDevice{d, w.Key, w.Name, w.Process})
			}
		}
		id := fmt.Sprint(w.Key, w.UID, w.HostUser, w.HostNet, w.HostPID, w.HostIPC, w.HostUTS, w.HostMnt,
			w.Caps, w.LatentCaps, w.Seccomp, w.NoNewPrivs, w.LSM)
		if !seen[id] {
			seen[id] = true
			b.doc.Workloads = append(b.doc.Workloads, w)
		}
	}
	sortBy(b.doc.Devices, func(d DocDevice) string { return d.Key + d.Device })
	sortBy(b.doc.Workloads, func(w DocWorkload) string { return w.Key + w.Process })
}

func (b *builder) workload(p *snapshot.Process, why string) DocWorkload {
	init := b.snap.Processes.Init
	mask, latent := b.gains(p)
	full := snapshot.Caps(b.snap.Processes.CapBnd)
	same := func(a, c uint64) bool { return a != 0 && a == c }
	w := DocWorkload{
		Why: why, Container: b.containerName(b.zones.Container(p)), Process: p.Comm, UID: p.UID,
		HostUser: same(p.NS.User, init.User), HostNet: same(p.NS.Net, init.Net),
		HostPID: same(p.NS.PID, init.PID), HostIPC: same(p.NS.IPC, init.IPC),
		HostUTS: same(p.NS.UTS, init.UTS), HostMnt: same(p.NS.Mnt, init.Mnt),
		Caps: capList(mask), FullCaps: full != 0 && mask&full == full,
		CapText: capText(mask, full != 0 && mask&full == full),
		Latent:  full != 0 && latent&full == full && mask&full != full, LatentCaps: capList(latent &^ mask), GainsBy: p.SetUID,
		Seccomp: p.Seccomp, NoNewPrivs: p.NoNewPrivs, LSM: p.LSM,
	}
	if path.Base(p.Exe) == "runsc" && p.ExeWord.Trusted() && p.Seccomp == 2 { // the sentry of gVisor: system calls of the workload end in it
		w.Kernel = "gVisor"
	}
	// ns_capable(): a capability is over the network namespace only for the user namespace that owns
	// it, or one above; a user namespace inside a container shows all bits and has no power outside.
	w.NetAdminOverHost = mask&(1<<netAdmin) != 0 && w.HostNet &&
		(p.NetOwner != 0 && p.NetOwner == p.NS.User || p.NetOwner == 0 && w.HostUser)
	switch {
	case w.Container != "":
		w.Key, w.Name = "container "+w.Container, "container "+w.Container
	case b.zones.AgentOf(p) != nil: // it is one, or one has started it
		w.Agent = true
		w.Key = "agent " + b.zones.AgentOf(p).Runtime
		if p.UID > 0 {
			w.Key += fmt.Sprintf(" of uid %d", p.UID)
		}
		w.Name = b.zones.AgentOf(p).Title
	default:
		w.Key = "process " + p.Program()
		w.Name = w.Key
	}
	return w
}

// gains is the capabilities that a process has or can get, and those that it could besides, if a program is there that it was not seen to
// have (capabilities(7)). What a set-id program of root's holds it has by its file, and whoever started it does not. What is allowed or ambient is its own. Unless no_new_privs is set, root in a container gets the bounding set
// with the next program that it executes, and somebody else by one that runs as root. A process of the host is held back by such programs.
func (b *builder) gains(p *snapshot.Process) (mask, latent uint64) {
	if p.SetID && p.ExeWord.Trusted() && b.zones.Container(p) == "" {
		return 0, 0
	}
	mask = snapshot.Caps(p.CapEff) | snapshot.Caps(p.CapPrm) | snapshot.Caps(p.CapAmb)
	switch bounding := snapshot.Caps(p.CapBnd); {
	case b.zones.Container(p) == "", p.NoNewPrivs:
	case p.UID == 0, p.SetUID != "":
		mask |= bounding
	default:
		latent = bounding
	}
	return mask, latent
}

// namesOf are the workloads for which keep holds, each once.
func (b *builder) namesOf(keep func(*snapshot.Process) bool) []string {
	names := []string{}
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		if zone, why := b.zones.Process(p); zone == zones.Workload && keep(p) {
			names = append(names, b.workload(p, why).Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// runtimeAbstract are the beginnings of the abstract names that runtimes and their kin use.
var runtimeAbstract = []struct{ prefix, runtime string }{
	{"@/containerd-shim/", "containerd"},
	{"@/run/containerd/s/", "containerd"},
	{"@/run/vc/", "kata"},
	{"@runsc-sandbox.", "gvisor"},
	{"@/tmp/dbus-", "dbus"},
	{"@/org/kernel/linux/storage/multipathd", "multipathd"},
	{"@/var/run/docker", "docker"},
	{"@/run/docker", "docker"},
}

// abstract lists the abstract sockets of the host's network namespace when a workload runs in it:
// no permission bits guard them.
func (b *builder) abstract() {
	b.doc.Abstract = []DocAbstract{}
	host := b.snap.Network.HostNetns()
	inside := b.namesOf(func(p *snapshot.Process) bool { return p.NS.Net == host && host != 0 })
	if len(inside) == 0 {
		return
	}
	for i := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[i]
		if !sk.Abstract || sk.Netns != host || b.unasked[i] {
			continue
		}
		d := DocAbstract{Name: sk.Path, UID: sk.UID, Owner: "unknown", Workloads: inside}
		for _, o := range sk.Owners {
			d.Owner = o.Comm
		}
		for _, r := range runtimeAbstract {
			if strings.HasPrefix(sk.Path, r.prefix) {
				d.Runtime = r.runtime
			}
		}
		b.doc.Abstract = append(b.doc.Abstract, d)
	}
	sortBy(b.doc.Abstract, func(d DocAbstract) string { return d.Name })
}

func (b *builder) runtimes() {
	b.doc.Sockets = []DocSocket{}
	for i := range b.snap.Runtimes.Sockets {
		s := &b.snap.Runtimes.Sockets[i]
		d := DocSocket{
			Runtime: s.Runtime, Path: s.Path, Mode: fmt.Sprintf("%04o", s.Mode),
			OthersWrite: s.Mode&0o002 != 0, GroupWrite: s.Mode&0o020 != 0, Group: s.Group, UID: s.UID,
			Gated: s.Gated, Closed: s.Closed, Gives: socketGives(s), MountedIn: []DocMount{},
			PrivateToUser: strings.HasPrefix(s.Path, fmt.Sprintf("/run/user/%d/", s.UID)),
		}
		if d.Group == "" {
			d.Group = strconv.Itoa(s.GID)
		}
		d.Writers = []string{}
		for _, w := range s.ACL {
			kind := map[bool]string{false: "user ", true: "group "}[w.Group]
			if w.ID != 0 {
				d.Writers = append(d.Writers, kind+cmp.Or(w.Name, strconv.Itoa(w.ID)))
			}
		}
		if s.Container != "" {
			d.Container = b.containerName(s.Container)
			d.Path, d.Gives = s.Path+" of container "+d.Container, "container "+d.Container
			if c := b.containers[s.Container]; c != nil && c.Privileged {
				d.Gives = rootOnHost // by what it may start there
			}
		}
		for _, m := range s.Mounts {
			p := b.byPID[m.PID]
			if p == nil || !b.mayWrite(s, p, m.Container) || m.Container != "" && m.Container == s.Container {
				continue // a sandbox that sees the file and may not use it, or whose it is
			}
			if d.Closed && d.Gives != rootOnHost && m.Container == "" && m.Path == s.Path && p.UID != 0 && p.UID != s.UID {
				continue // it sees the host's directories, and the user's lets it not through
			}
			name := b.workload(p, "").Name
			if dm := (DocMount{name, m.Path, m.Named}); !slices.Contains(d.MountedIn, dm) {
				d.MountedIn = append(d.MountedIn, dm)
			}
		}
		b.doc.Sockets = append(b.doc.Sockets, d)
	}
	b.doc.Groups = []DocGroup{}
	for _, g := range b.snap.Runtimes.Groups {
		d := DocGroup{Name: g.Name, Runtime: g.Runtime, Members: orEmpty(g.Members), Agents: []string{}}
		for pid, a := range b.agents {
			if p := b.byPID[pid]; p != nil && (p.GID == g.GID || slices.Contains(p.Groups, g.GID)) {
				d.Agents = append(d.Agents, a.Title)
			}
		}
		slices.Sort(d.Agents)
		d.Agents = slices.Compact(d.Agents)
		b.doc.Groups = append(b.doc.Groups, d)
	}
}

// mayWrite says whether the permissions of a socket let a process, or another one of its container, connect to it.
func (b *builder) mayWrite(s *snapshot.ControlSocket, p *snapshot.Process, container string) bool {
	if s.MayWrite(p) {
		return true
	}
	if container == "" || p.ContainerWord.By == snapshot.ByUID {
		return false
	}
	if b.inside == nil {
		b.inside = map[string][]*snapshot.Process{}
		for i := range b.snap.Processes.List {
			if q := &b.snap.Processes.List[i]; q.Container != "" {
				b.inside[q.Container] = append(b.inside[q.Container], q)
			}
		}
	}
	return slices.ContainsFunc(b.inside[container], s.MayWrite)
}

// rootOnHost is what the runtimes of root give to those who control them.
const rootOnHost = "root on the host"

// socketGives is what a control socket gives to who writes it. A uid's can give no more than that uid, whatever it is called.
func socketGives(s *snapshot.ControlSocket) string {
	rest, users := strings.CutPrefix(s.Path, "/run/user/")
	uid, _, _ := strings.Cut(rest, "/")
	switch {
	case s.Word.By == snapshot.ByUID:
		return fmt.Sprintf("uid %d", s.Word.UID)
	case s.Word.By == snapshot.ByOthers || s.Word.By == snapshot.ByContainer:
		return ""
	case users && uid != "0":
		return "uid " + uid
	}
	return rootOnHost
}

func (b *builder) agentList() {
	b.sandboxes()
	b.audits()
	b.doc.Agents, b.doc.AgentPrograms, b.doc.AgentListeners = []DocAgent{}, []DocAgentProgram{}, []DocAgentListener{}
	held, byPort := b.sockets()
	told := map[int]int{} // services of the agents of an account
	unseen := b.unseen()
	for i := range b.snap.Agents.Instances {
		a := &b.snap.Agents.Instances[i]
		d := DocAgent{DocAgentIdentity: DocAgentIdentity{
			Key: a.Runtime, Runtime: a.Runtime, Title: a.Title, Kind: a.Kind, Evidence: a.Evidence, UID: -1,
			Unit: a.Unit, Container: b.containerName(a.Container), Auth: a.DefaultAuth, Version: a.Version.Value,
			Floor: a.Floor, Config: a.Config, ConfigState: string(a.ConfigRead.State),
		}, Services: []DocService{}, Unseen: unseen}
		switch {
		case a.Auth.State == snapshot.Present:
			d.Auth = a.Auth.Value
		case a.Auth.Reason != "" || a.Auth.State == snapshot.Error || a.Auth.State == snapshot.Denied:
			d.Auth = "unknown"
		}
		p := b.byPID[a.PID]
		if p != nil {
			d.UID = p.UID
			d.HostUser = p.NS.User != 0 && p.NS.User == b.snap.Processes.Init.User
			for _, t := range b.threads[a.PID] { // what one thread may do, the agent may
				if t.UID == 0 && t.NS.User != 0 && t.NS.User == b.snap.Processes.Init.User {
					d.UID, d.HostUser = 0, true
				}
			}
		}
		d.Key = agentKey(a.Runtime, d.Container, d.UID)
		near := slices.Clone(held[a.PID])
		for _, port := range a.Ports { // what is published for its container, or held by others in it
			if a.Container != "" {
				near = append(near, byPort[port]...)
			}
		}
		relays := b.relays(p, held[a.PID])
		near = append(near, relays...)
		slices.Sort(near)
		for _, j := range slices.Compact(near) {
			sk := &b.snap.Listeners.Sockets[j]
			if !b.serves(sk, a, p) && !slices.Contains(relays, j) {
				continue
			}
			if told[d.UID]++; told[d.UID] > accountSockets { // agents that share their sockets
				b.gap("listeners.ip", fmt.Sprintf("agents of uid %d hold more sockets than are judged", d.UID))
				break
			}
			svc := b.byService[j]
			if !slices.ContainsFunc(d.Services, func(o DocService) bool { return o.Key == svc.Key }) {
				d.Services = append(d.Services, *svc)
			}
		}
		d.Maybe = b.maybe(p, &d)
		b.doc.Agents = append(b.doc.Agents, d)
		b.agentAlone(a, &d)
	}
	sortBy(b.doc.Agents, func(d DocAgent) string { return d.Key + d.Evidence })
	sortBy(b.doc.AgentPrograms, func(d DocAgentProgram) string { return d.Key + d.Evidence })
	sortBy(b.doc.AgentListeners, func(d DocAgentListener) string { return d.Agent + d.Key })
}

// maxUnseen bounds the services without an owner that are named beside each agent.
const maxUnseen = 8

// unseen lists services of TCP that another zone reaches, or may reach, and whose owner was not seen.
func (b *builder) unseen() []string {
	keys := []string{}
	for i := range b.doc.Services {
		svc := &b.doc.Services[i]
		if svc.OwnerKnown || svc.Proto != "tcp" || svc.Loopback || len(keys) == maxUnseen {
			continue
		}
		if b.reached(svc) {
			keys = append(keys, svc.Key)
		}
	}
	return keys
}

// maxLaunchers bounds the processes between an agent and what holds its sockets: npx, a shell and an interpreter are three.
const maxLaunchers = 8

// agentAbove is the agent that a process is, or that has started it through others that are none; 0 if there is none. What an agent for
// the command line starts is not its own interface.
func (b *builder) agentAbove(p *snapshot.Process) int {
	for n := 0; p != nil && n < maxLaunchers; n++ {
		if a := b.agents[p.PID]; a != nil {
			if n > 0 && a.Kind == "cli" {
				return 0
			}
			return p.PID
		}
		p = b.byPID[p.PPID]
	}
	return 0
}

// sockets lists those of TCP by the processes that hold them and by the agents above these, and by port.
func (b *builder) sockets() (held, byPort map[int][]int) {
	held, byPort = map[int][]int{}, map[int][]int{}
	for j := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[j]
		if sk.Proto != "tcp" || b.byService[j] == nil {
			continue
		}
		byPort[sk.Port] = append(byPort[sk.Port], j)
		for _, o := range sk.Owners {
			held[o.PID] = append(held[o.PID], j)
			if a := b.agentAbove(b.byPID[o.PID]); a != 0 && a != o.PID {
				held[a] = append(held[a], j)
			}
		}
	}
	return held, byPort
}

// serves says whether a socket belongs to an agent: held by it or its child, or published for its
// container on the same port.
func (b *builder) serves(sk *snapshot.Socket, a *snapshot.Agent, p *snapshot.Process) bool {
	for _, o := range sk.Owners {
		if o.PID == a.PID {
			return true
		}
		q := b.byPID[o.PID]
		if q != nil && b.agentAbove(q) == a.PID {
			return true
		}
		if a.Container != "" && slices.Contains(a.Ports, sk.Port) && b.publishes(sk, &o, p) && speaksFor(q, p) {
			return true
		}
		if p != nil && q != nil && a.Container != "" && q.Container == a.Container && slices.Contains(a.Ports, sk.Port) {
			return true
		}
	}
	return false
}

// publishes says whether a socket's owner may publish a port for a container that a process is in. What tells where it passes connections
// on is asked for that instead (relays); conmon is above the processes of its own container.
func (b *builder) publishes(sk *snapshot.Socket, o *snapshot.Owner, p *snapshot.Process) bool {
	switch {
	case sk.Relay != nil && sk.Relay.Addr != "":
		return false
	case o.Comm == "conmon":
		return p == nil || b.byPID[o.PID] == nil || b.above(o.PID, p)
	}
	return o.Comm == "docker-proxy" || o.Comm == "rootlessport"
}

// maxAncestors bounds how far up a process is looked for.
const maxAncestors = 64

// above says whether a process is the parent of another one, or above that.
func (b *builder) above(pid int, p *snapshot.Process) bool {
	for range maxAncestors {
		if p == nil || p.PPID == pid {
			return p != nil
		}
		p = b.byPID[p.PPID]
	}
	return false
}

// speaksFor says whether a process that publishes a port can do so for a container: root's for all, a user's for that user's own.
func speaksFor(publisher, of *snapshot.Process) bool {
	return publisher == nil || publisher.UID == 0 || of == nil || of.ContainerWord == snapshot.WordOf(publisher.UID) || of.UID == publisher.UID
}

func (b *builder) memory() {
	b.doc.Memory = []DocMemory{}
	init := b.snap.Processes.Init
	sharers := b.namesOf(func(p *snapshot.Process) bool {
		return p.NS.IPC != 0 && p.NS.IPC == init.IPC && b.agents[p.PID] == nil
	})
	for _, s := range b.snap.Processes.Shared {
		d := DocMemory{
			Key: s.Kind + " " + s.Name, Kind: s.Kind, Mode: fmt.Sprintf("%04o", s.Mode),
			World: s.Mode&0o006 != 0, Zones: []string{}, Holders: []string{}, Workloads: []string{},
		}
		if s.Kind == "sysv" {
			d.Workloads = sharers
		}
		for _, pid := range s.PIDs {
			p := b.byPID[pid]
			if p == nil {
				continue
			}
			zone, why := b.zones.Process(p)
			name := p.Comm
			if zone == zones.Workload {
				name = b.workload(p, why).Name
			}
			d.Zones, d.Holders = append(d.Zones, zone), append(d.Holders, name)
		}
		slices.Sort(d.Zones)
		slices.Sort(d.Holders)
		d.Zones, d.Holders = slices.Compact(d.Zones), slices.Compact(d.Holders)
		b.doc.Memory = append(b.doc.Memory, d)
	}
}
