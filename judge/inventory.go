package judge

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// inventory tells who and what is on the host, for the threat model. Its lists are in the order of their keys, so that two hosts that differ in one thing
// have inventories that do.
func (b *builder) inventory() *finding.Inventory {
	t := &teller{b: b, inv: &finding.Inventory{Parts: []finding.Part{}, Listeners: []finding.Listener{}, Uses: []finding.Use{}}, at: map[string]int{}, used: map[string]bool{}}
	t.workloads()
	t.agents()
	t.servers()
	t.sockets()
	t.mounts()
	t.powers()
	t.listeners()
	sortBy(t.inv.Parts, func(p finding.Part) string { return p.Key })
	sortBy(t.inv.Listeners, func(l finding.Listener) string { return l.Key })
	sortBy(t.inv.Uses, func(u finding.Use) string {
		return strings.Join([]string{u.From, u.Kind, u.To, u.Goal, u.Object}, "\x00")
	})
	return t.inv
}

// teller makes an inventory.
type teller struct {
	b   *builder
	inv *finding.Inventory
	at  map[string]int // parts by key

	used map[string]bool
}

// has says whether there is a part of a key.
func (t *teller) has(key string) bool {
	_, ok := t.at[key]
	return ok
}

// add adds a part, or what a known one lacks.
func (t *teller) add(p finding.Part) {
	at, ok := t.at[p.Key]
	if !ok {
		t.at[p.Key] = len(t.inv.Parts)
		t.inv.Parts = append(t.inv.Parts, p)
		return
	}
	known := &t.inv.Parts[at]
	known.Detail = cmp.Or(known.Detail, p.Detail)
	for _, n := range p.Networks {
		if !slices.Contains(known.Networks, n) {
			known.Networks = append(known.Networks, n)
		}
	}
}

func (t *teller) workloads() {
	b := t.b
	for i := range b.doc.Workloads {
		w := &b.doc.Workloads[i]
		p := finding.Part{Key: w.Key, Kind: finding.PartProcess, Name: w.Name, Zone: zones.Workload, Detail: w.Why}
		switch {
		case w.Container != "":
			p.Kind, p.Detail = finding.PartContainer, ""
		case w.Agent:
			continue // told with the agents
		}
		t.add(p)
	}
	for i := range b.snap.Runtimes.Containers {
		c := &b.snap.Runtimes.Containers[i]
		p := finding.Part{Key: "container " + b.containerName(c.ID), Kind: finding.PartContainer, Zone: zones.Workload, Detail: c.Image}
		p.Name = p.Key
		if !c.Running {
			p.Detail = strings.TrimPrefix(p.Detail+", not running", ", ")
		}
		t.add(p)
	}
	t.networks()
}

// networks tells of each container by which interfaces of the host its own network is reached.
func (t *teller) networks() {
	b := t.b
	by := map[uint64][]string{}
	for i := range b.snap.Network.Links {
		l := &b.snap.Network.Links[i]
		if l.PeerNetns == 0 || l.PeerNetns == b.snap.Network.HostNetns() {
			continue
		}
		name := l.Name
		if bridge := b.snap.Network.BridgeOf(l); bridge != nil {
			name = bridge.Name
		}
		if !slices.Contains(by[l.PeerNetns], name) {
			by[l.PeerNetns] = append(by[l.PeerNetns], name)
		}
	}
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		id := b.zones.Container(p)
		if id == "" || len(by[p.NS.Net]) == 0 {
			continue
		}
		if at, ok := t.at["container "+b.containerName(id)]; ok {
			known := &t.inv.Parts[at]
			for _, n := range by[p.NS.Net] {
				if !slices.Contains(known.Networks, n) {
					known.Networks = append(known.Networks, n)
				}
			}
		}
	}
}

// agents of the workload zone are those that run what a model writes (package zones).
func (t *teller) agents() {
	zone := map[string]string{}
	for i := range t.b.snap.Agents.Instances {
		a := &t.b.snap.Agents.Instances[i]
		if p := t.b.byPID[a.PID]; p != nil {
			key := agentKey(a.Runtime, t.b.containerName(a.Container), p.UID)
			if z, _ := t.b.zones.Process(p); zone[key] != zones.Workload {
				zone[key] = z
			}
		}
	}
	for i := range t.b.doc.AgentPrograms {
		a := &t.b.doc.AgentPrograms[i]
		p := finding.Part{
			Key: "agent " + a.Key, Kind: finding.PartAgent, Name: a.Title, Zone: cmp.Or(zone[a.Key], zones.Runtime),
			Detail: strings.TrimSpace(a.Kind + " " + a.Version),
		}
		if a.Auth != "unknown" && a.Auth != "" {
			p.Auth = []string{a.Auth}
		}
		if a.Container != "" {
			p.In = "container " + a.Container
		}
		t.add(p)
	}
}

func (t *teller) servers() {
	for i := range t.b.doc.SSH.Servers {
		v := &t.b.doc.SSH.Servers[i]
		t.add(finding.Part{Key: "server " + v.Key, Kind: finding.PartServer, Name: v.Key, Zone: zones.Host, Detail: v.Config, Auth: t.logins(v)})
	}
	for i := range t.b.doc.Managed {
		m := &t.b.doc.Managed[i]
		p := finding.Part{Key: "server " + m.Key, Kind: finding.PartServer, Name: m.Key, Zone: zones.Host, Detail: m.Role}
		if strings.HasSuffix(m.Key, ofWorkload) {
			p.Zone = zones.Workload
		}
		if m.Container != "" {
			p.Zone, p.In = zones.Workload, "container "+m.Container
		}
		t.add(p)
	}
}

// methods are the settings of sshd that let somebody in, and by what (sshd_config(5)).
var methods = []struct{ setting, method string }{
	{"pubkeyauthentication", finding.AuthKey},
	{"passwordauthentication", finding.AuthPassword},
	{"kbdinteractiveauthentication", finding.AuthPassword},
	{"hostbasedauthentication", finding.AuthKey},
	{"gssapiauthentication", finding.AuthLogin},
}

// logins are the ways by which a server of SSH lets somebody in, under any condition; none if its configuration was not read.
func (t *teller) logins(v *DocSSHServer) (list []string) {
	for i := range t.b.doc.SSH.Contexts {
		ctx := &t.b.doc.SSH.Contexts[i]
		if ctx.Config != v.Config || ctx.Of != v.Of {
			continue
		}
		for _, m := range methods {
			if slices.Contains(ctx.Values[m.setting], "yes") && !slices.Contains(list, m.method) {
				list = append(list, m.method)
			}
		}
	}
	slices.Sort(list)
	return list
}

// daemonKey is the key of the daemon that has a control socket.
func daemonKey(s *DocSocket) string {
	if s.Container != "" {
		return "daemon " + s.Runtime + " in container " + s.Container
	}
	return "daemon " + s.Runtime
}

// sockets tells the daemons, and who may write their control sockets.
func (t *teller) sockets() {
	for i := range t.b.doc.Sockets {
		s := &t.b.doc.Sockets[i]
		p := finding.Part{Key: daemonKey(s), Kind: finding.PartDaemon, Name: s.Runtime, Zone: zones.Runtime, Detail: "gives " + cmp.Or(s.Gives, "what it runs as")}
		if s.Container != "" {
			p.Zone, p.In = zones.Workload, "container "+s.Container
		}
		t.add(p)
		for _, m := range s.MountedIn {
			from := m.Workload
			if !t.has(from) {
				from = t.agentNamed(m.Workload)
			}
			if from == "" { // a process that is no workload, and has mounts of its own
				from = m.Workload
				t.add(finding.Part{Key: from, Kind: finding.PartProcess, Name: from, Zone: zones.Host})
			}
			u := finding.Use{From: from, Kind: finding.UseSocket, To: p.Key, Object: s.Path, Write: true, Verdict: string(power.Yes)}
			switch {
			case m.Named:
				u.Verdict, u.Because = string(power.Unknown), []string{"its specification mounts it, and it was not seen there"}
			case s.Gated:
				u.Verdict, u.Because = string(power.Unknown), []string{"the daemon asks who connects, and what it lets them do was not looked at"}
			}
			t.use(u)
		}
	}
}

// agentNamed is the key of an agent that is called so, "" if there is none.
func (t *teller) agentNamed(title string) string {
	for i := range t.inv.Parts {
		if p := &t.inv.Parts[i]; p.Kind == finding.PartAgent && p.Name == title {
			return p.Key
		}
	}
	return ""
}

// use adds a use, once.
func (t *teller) use(u finding.Use) {
	id := strings.Join([]string{u.From, u.Kind, u.To, u.Goal, u.Object}, "\x00")
	if !t.used[id] {
		t.used[id] = true
		t.inv.Uses = append(t.inv.Uses, u)
	}
}

// ofRuntime are the places in a container that its runtime mounts a file of its own at.
var ofRuntime = []string{"/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/dev/shm", "/dev/termination-log", "/run/.containerenv"}

// mounts tells the files and directories of the host that containers see. What nobody but whose a container is says of it was not seen.
func (t *teller) mounts() {
	for i := range t.b.snap.Runtimes.Containers {
		c := &t.b.snap.Runtimes.Containers[i]
		for _, m := range c.Mounts {
			if slices.Contains(ofRuntime, m.Dest) || strings.HasSuffix(m.Source, ".sock") {
				continue
			}
			key := "store " + m.Source
			t.add(finding.Part{Key: key, Kind: finding.PartStore, Name: m.Source, Zone: zones.Host})
			u := finding.Use{From: "container " + t.b.containerName(c.ID), Kind: finding.UseMount, To: key, Object: m.Dest, Write: m.RW, Verdict: string(power.Yes)}
			if !c.Word.Trusted() && (c.KernelFiles == nil || c.KernelFiles.Read.State != snapshot.Present) {
				u.Verdict, u.Because = string(power.Unknown), []string{"its specification mounts it, which is not known to be root's, and it was not seen there"}
			}
			t.use(u)
		}
	}
}

// partOf are the kinds of parts that principals are.
var partOf = map[string]string{
	string(power.Workload): finding.PartProcess, string(power.Agent): finding.PartAgent, string(power.Service): finding.PartService,
	string(power.Account): finding.PartAccount,
}

// powers tells who gets to which goal. Of several principals of one key the worst answer counts.
func (t *teller) powers() {
	worst := map[string]int{}
	for i := range t.b.doc.Paths {
		d := &t.b.doc.Paths[i]
		zone := zones.Host
		if d.Kind == string(power.Workload) || d.Kind == string(power.Agent) {
			zone = zones.Workload
		}
		key, name := d.Key, d.Name
		if short := strings.TrimSuffix(key, " of uid "+strconv.Itoa(d.UID)); d.Kind == string(power.Workload) && t.has(short) {
			key, name = short, short // workloads are told by their program alone
		}
		t.add(finding.Part{Key: key, Kind: partOf[d.Kind], Name: name, Zone: zone, Meant: d.Meant})
		u := finding.Use{
			From: key, Kind: finding.UsePower, Goal: d.Goal, Verdict: d.Verdict, Steps: d.Steps, Because: d.Because, Trigger: d.Trigger, Cut: d.Cut,
			WithRoot: d.WithRoot,
		}
		id := key + "\x00" + d.Goal
		if at, ok := worst[id]; !ok {
			worst[id] = len(t.inv.Uses)
			t.inv.Uses = append(t.inv.Uses, u)
		} else if openness(u.Verdict) > openness(t.inv.Uses[at].Verdict) {
			t.inv.Uses[at] = u
		}
	}
}

// openness orders the verdicts of powers.
func openness(verdict string) int {
	return slices.Index([]string{string(power.No), string(power.Unknown), string(power.Yes)}, verdict)
}

// listeners tells of each service what it is, and of whom.
func (t *teller) listeners() {
	of, class := map[string]string{}, map[string]string{}
	for i := range t.b.doc.Managed {
		for j := range t.b.doc.Managed[i].Services {
			key := t.b.doc.Managed[i].Services[j].Key
			of[key], class[key] = "server "+t.b.doc.Managed[i].Key, "managed"
		}
	}
	for i := range t.b.doc.Agents {
		for j := range t.b.doc.Agents[i].Services {
			of[t.b.doc.Agents[i].Services[j].Key] = "agent " + t.b.doc.Agents[i].Key
		}
	}
	seen := map[string]bool{}
	for i := range t.b.doc.Services {
		s := &t.b.doc.Services[i]
		if seen[s.Key] {
			continue
		}
		seen[s.Key] = true
		l := finding.Listener{Key: s.Key, Class: s.Class, Name: s.Owner, Part: of[s.Key]}
		if s.TLSVerify != "unknown" {
			l.TLS = s.TLSVerify
		}
		if l.Class == "other" {
			l.Class = cmp.Or(class[s.Key], "other")
		}
		if l.Part == "" {
			l.Part = t.ownerOf(s)
		}
		t.inv.Listeners = append(t.inv.Listeners, l)
	}
}

// ownerOf is the part that a service is of, by the container that has it, its network, or the runtime whose interface it is.
func (t *teller) ownerOf(s *DocService) string {
	for _, key := range []string{"container " + s.Container, s.Namespace} {
		if t.has(key) {
			return key
		}
	}
	if s.Class == "ssh" && s.Namespace == "" && t.has("server openssh") {
		return "server openssh"
	}
	runtime := strings.TrimSuffix(s.Owner, "d") // dockerd is the daemon of docker
	for _, key := range []string{"daemon " + s.Owner, "daemon " + runtime} {
		if (s.Class == classRuntime || s.Class == classKubelet) && s.Namespace == "" && t.has(key) {
			return key
		}
	}
	return ""
}

// agentKey names an agent so that it stays the same when it is started again.
func agentKey(runtime, container string, uid int) string {
	switch {
	case container != "":
		return runtime + " in container " + container
	case uid > 0:
		return runtime + " of uid " + strconv.Itoa(uid)
	}
	return runtime
}
