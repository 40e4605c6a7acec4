package judge

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

type sweepKey struct {
	origin int
	v4     bool
	proto  string
	addr   string
	device string
	family int
	v6only bool
	uid    int // whose sockets they are: root's, or those of one who can open any number
}

// kind is the key of a socket's sweeps, whatever the origin and family.
func kind(sk *snapshot.Socket) sweepKey {
	return sweepKey{proto: sk.Proto, addr: sk.Addr, device: sk.Device, family: sk.Family, v6only: sk.V6Only, uid: accountOf(sk)}
}

// sweepFrom is how many sockets of one kind are asked about one by one before a sweep is worth it.
const sweepFrom = 16

// sweep is what is known about the sockets of one kind.
type sweep struct {
	asked map[int]reach.Answer // by port
	wide  *reach.Sweep
}

// asked is an origin of the zones as the model is asked about it.
func asked(o *zones.Origin) packet.Origin {
	return o.Origin
}

// ask asks about a socket. From some number on, sockets that differ in the port alone share one walk
// through the rules.
func (b *builder) ask(i int, sk *snapshot.Socket, v4 bool) reach.Answer {
	k := kind(sk)
	ports := b.ports[k]
	k.origin, k.v4 = i, v4
	w := b.sweeps[k]
	if w == nil {
		w = &sweep{asked: map[int]reach.Answer{}}
		b.sweeps[k] = w
	}
	if a, ok := w.asked[sk.Port]; ok {
		return a
	}
	o := asked(&b.zones.Origins[i])
	if len(w.asked) >= sweepFrom && w.wide == nil {
		w.wide = b.asker(sk).Sweep(o, sk, v4, ports)
	}
	if w.wide != nil {
		return w.wide.Port(sk.Port)
	}
	a := b.asker(sk).Socket(o, sk, v4)
	w.asked[sk.Port] = a
	return a
}

// families are those that a socket can receive: a dual-stack socket takes both.
func families(sk *snapshot.Socket) []bool {
	switch {
	case sk.Family == 4:
		return []bool{true}
	case sk.V6Only:
		return []bool{false}
	}
	if a, err := netip.ParseAddr(sk.Addr); err == nil && a.Is4In6() {
		return []bool{true}
	} else if err == nil && !a.IsUnspecified() {
		return []bool{false}
	}
	return []bool{true, false}
}

var familyName = map[bool]string{true: "ipv4", false: "ipv6"}

func (b *builder) services() {
	b.shareSockets()
	host := b.snap.Network.HostNetns()
	index := map[string]bool{}
	b.doc.Services = []DocService{}
	b.exposures = make([][]finding.Exposure, len(b.snap.Listeners.Sockets))
	var own []int
	services := map[int]*DocService{}
	for i := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[i]
		if sk.Proto != "tcp" && sk.Proto != "udp" && sk.Proto != "udplite" && sk.Proto != "sctp" || b.unasked[i] {
			continue
		}
		if sk.Netns != host {
			b.foreigners = append(b.foreigners, i)
			continue
		}
		svc := b.service(sk)
		if index[svc.Key] {
			continue // SO_REUSEPORT: one more socket of the same service
		}
		index[svc.Key] = true
		b.ports[kind(sk)] = append(b.ports[kind(sk)], sk.Port)
		own, services[i] = append(own, i), &svc
	}
	for _, i := range b.byAccount(own) {
		b.exposures[i] = b.expose(&b.snap.Listeners.Sockets[i], services[i])
	}
	for _, i := range own {
		b.doc.Services = append(b.doc.Services, *services[i])
	}
}

func (b *builder) service(sk *snapshot.Socket) DocService {
	svc := DocService{
		Proto: sk.Proto, Addr: sk.Addr, Port: sk.Port, Device: sk.Device,
		OwnerKnown: sk.OwnerState != "unknown", Class: "other", Reach: map[string]DocReach{},
		TLSVerify: "unknown", Owner: "unknown",
	}
	if a, err := netip.ParseAddr(sk.Addr); err == nil {
		svc.Loopback, svc.Wildcard = a.Unmap().IsLoopback(), a.IsUnspecified()
		if !svc.Wildcard && sk.Netns == b.snap.Network.HostNetns() {
			svc.HostAddr = a.Unmap().WithZone("").String()
		}
	}
	if list := families(sk); len(list) == 1 {
		svc.Family = map[bool]int{true: 4, false: 6}[list[0]]
	}
	if sk.OwnerState == "kernel" {
		svc.Owner = "kernel"
	}
	for _, o := range sk.Owners {
		p := b.byPID[o.PID]
		if svc.Owner == "unknown" || o.Comm != "systemd" {
			svc.Owner = o.Comm
		}
		if p == nil {
			continue
		}
		svc.Unit, svc.Container = p.Unit, b.containerName(b.zones.Container(p))
	}
	if sk.Netns != b.snap.Network.HostNetns() {
		svc.Namespace = b.netnsName(sk.Netns)
	}
	svc.Class, svc.Gives = b.class(sk, &svc), b.gives(sk, &svc)
	for _, t := range b.snap.Runtimes.TLS {
		for _, o := range sk.Owners {
			// That clients are asked for certificates clears a finding: only root's own daemon is believed.
			if o.PID == t.PID && t.Verify.State == snapshot.Present && (t.Verify.Value != "true" || b.rootsOwn(t.Word, b.byPID[o.PID])) {
				svc.TLSVerify = t.Verify.Value
			}
		}
	}
	addr := sk.Addr
	if sk.Family == 6 {
		addr = "[" + addr + "]"
	}
	svc.Key = fmt.Sprintf("%s %s:%d (%s)", sk.Proto, addr, sk.Port, svc.Owner)
	if sk.Device != "" {
		svc.Key = fmt.Sprintf("%s %s%%%s:%d (%s)", sk.Proto, addr, sk.Device, sk.Port, svc.Owner)
	}
	return svc
}

// rootsOwn says of a process that root runs it on the host, and not by a program of somebody else: its uid is the kernel's word.
func (b *builder) rootsOwn(w snapshot.Word, p *snapshot.Process) bool {
	return p != nil && p.UID == 0 && b.zones.Container(p) == "" && (w.Trusted() || w == (snapshot.Word{}))
}

// The programs and ports by which a listener is known.
var (
	runtimePrograms = []string{
		"dockerd", "containerd", "podman", "buildkitd", "crio", "kubelet", "nomad", "incusd", "lxd",
		"libvirtd", "virtproxyd", "firecracker",
	}
	runtimePorts = map[int]string{
		2375: "Docker", 2376: "Docker with TLS", 10250: "kubelet", 10255: "kubelet (read only)",
		4646: "Nomad", 16509: "libvirt", 16514: "libvirt with TLS", 1234: "",
	}
	winrmPorts = []int{5985, 5986, 1270}
	ipmiPorts  = []int{623, 664}
)

func (b *builder) class(sk *snapshot.Socket, svc *DocService) string {
	for _, o := range sk.Owners {
		for _, srv := range b.snap.SSH.Servers {
			p := b.byPID[o.PID]
			if srv.PID == o.PID || p != nil && srv.PID != 0 && p.PPID == srv.PID {
				return "ssh"
			}
		}
		for p, n := b.byPID[o.PID], 0; p != nil && n < 3; p, n = b.byPID[p.PPID], n+1 {
			if b.agents[p.PID] != nil {
				return "agent"
			}
		}
	}
	switch {
	case sk.Proto == "tcp" && sk.Port == 22: // whoever holds it: systemd, a proxy, a server of another kind
		return "ssh"
	case sk.Proto == "tcp" && slices.Contains(winrmPorts, sk.Port):
		return "winrm"
	case slices.Contains(ipmiPorts, sk.Port):
		return "ipmi"
	case sk.Proto == "tcp" && runtimePorts[sk.Port] != "":
		return "runtime-api"
	// A name is what the process likes: it adds a finding, and takes none away that the port makes.
	case sk.Proto == "tcp" && b.runs(sk, func(name string) bool { return strings.HasPrefix(name, "omi") }):
		return "winrm"
	case sk.Proto == "tcp" && slices.Contains(runtimePrograms, svc.Owner):
		return "runtime-api"
	}
	return "other"
}

// runs says whether a program of root's by such a name holds the socket. What a process calls itself counts for root's alone, and
// only where its program is not known.
func (b *builder) runs(sk *snapshot.Socket, named func(string) bool) bool {
	return slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool {
		p := b.byPID[o.PID]
		switch {
		case p == nil:
			return sk.UID == 0 && named(o.Comm)
		case p.Exe == "":
			return p.UID == 0 && named(p.Comm)
		}
		return (p.ExeWord.Trusted() || p.ExeWord == (snapshot.Word{})) && named(path.Base(programName(p)))
	})
}

// gives is what a service that starts programs for its clients gives to them: what it is itself. Of a socket whose owner is not seen
// the kernel knows the uid.
func (b *builder) gives(sk *snapshot.Socket, svc *DocService) string {
	uid := sk.UID
	if b.runs(sk, func(name string) bool { return slices.Contains(runtimePrograms, name) }) {
		for _, o := range sk.Owners {
			if p := b.byPID[o.PID]; p != nil {
				uid = min(uid, p.UID) // a daemon of root's that was handed the socket
			}
		}
	}
	switch {
	case svc.Container != "":
		return "container " + svc.Container
	case uid > 0:
		return fmt.Sprintf("uid %d", uid)
	}
	return rootOnHost
}

// expose asks for every origin and family, and joins the answers of a zone: reachable if any is,
// unknown if any is not known, else unreachable.
func (b *builder) expose(sk *snapshot.Socket, svc *DocService) (list []finding.Exposure) {
	for i, o := range b.zones.Origins {
		for _, v4 := range families(sk) {
			a := b.ask(i, sk, v4)
			origin := o.Interface
			if o.Local {
				origin = "local"
			}
			e := finding.Exposure{
				Service: b.publicService(sk, svc), Zone: o.Zone, Origin: origin, Family: familyName[v4],
				Verdict: string(a.Verdict), StoppedBy: causes(a.StoppedBy), Because: causes(a.Because),
			}
			if a.Witness != nil {
				e.Witness = "in " + a.Witness.In + " " + a.Witness.String()
			}
			list = append(list, e)
			svc.answer(&e, o.Local, a.Restricted)
		}
	}
	return list
}

// answer joins the answer for one origin and family to that of its zone.
func (d *DocService) answer(e *finding.Exposure, local, restricted bool) {
	d.Reach[e.Zone] = join(d.Reach[e.Zone], DocReach{
		Verdict: packet.Verdict(e.Verdict), Origin: e.Origin, Local: local, Witness: e.Witness,
		Because: causeTexts(e.Because), StoppedBy: causeTexts(e.StoppedBy), Restricted: restricted,
	})
}

var verdictRank = map[packet.Verdict]int{"": 0, packet.Unreachable: 1, packet.Unknown: 2, packet.Reachable: 3}

// join keeps the worse of two answers; among reachable ones, a network counts before the host.
func join(a, b DocReach) DocReach {
	ra, rb := verdictRank[a.Verdict], verdictRank[b.Verdict]
	if rb > ra || rb == ra && (a.Local && !b.Local || a.Restricted && !b.Restricted) {
		return b
	}
	return a
}

func (b *builder) publicService(sk *snapshot.Socket, svc *DocService) finding.Service {
	ns := "host"
	if sk.Netns != b.snap.Network.HostNetns() {
		ns = b.netnsName(sk.Netns)
	}
	return finding.Service{
		Proto: sk.Proto, Address: sk.Addr, Port: sk.Port, Device: sk.Device, Owner: svc.Owner, Namespace: ns,
	}
}

// netnsName names another network namespace by its container or file.
func (b *builder) netnsName(inode uint64) string {
	name, ok := b.netnsNames[inode]
	if !ok {
		name = b.findNetnsName(inode)
		b.netnsNames[inode] = name
	}
	return name
}

func (b *builder) findNetnsName(inode uint64) string {
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		if p.NS.Net == inode {
			if c := b.zones.Container(p); c != "" {
				return "container " + b.containerName(c)
			}
		}
	}
	for _, n := range b.snap.Network.Namespaces {
		if n.Inode == inode && len(n.Names) > 0 {
			return path.Base(n.Names[0])
		}
	}
	return "another network namespace"
}
