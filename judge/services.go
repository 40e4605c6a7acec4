package judge

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

var familyName = map[bool]string{true: "ipv4", false: "ipv6"}

// services are those of every network namespace: policies see the sockets of containers like the host's own.
func (b *builder) services() {
	b.shareSockets()
	b.doc.Services = []DocService{}
	b.exposures = make([][]finding.Exposure, len(b.snap.Listeners.Sockets))
	index := map[string]*DocService{}
	var list []int
	for i := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[i]
		if sk.Proto != "tcp" && sk.Proto != "udp" && sk.Proto != "udplite" && sk.Proto != "sctp" || b.unasked[i] {
			continue
		}
		svc := b.service(sk)
		k := fmt.Sprintf("%d %s", sk.Netns, svc.Key)
		if index[k] != nil {
			b.byService[i] = index[k] // SO_REUSEPORT: one more socket of the same service
			continue
		}
		index[k], b.byService[i] = svc, svc
		list = append(list, i)
	}
	together := b.answersOf(list) > maxExposures
	b.asker.EachSocket(list, b.zones.Origins, func(i int, answers []exposure.Of) {
		b.exposures[i] = b.expose(&b.snap.Listeners.Sockets[i], b.byService[i], answers, together)
	})
	for _, i := range list {
		b.doc.Services = append(b.doc.Services, *b.byService[i])
		if of := b.guestBeside(&b.snap.Listeners.Sockets[i], b.byService[i]); of != nil {
			b.doc.Services = append(b.doc.Services, *of)
		}
	}
}

func (b *builder) service(sk *snapshot.Socket) *DocService {
	svc := &DocService{
		Proto: sk.Proto, Addr: sk.Addr, Port: sk.Port, Device: sk.Device,
		OwnerKnown: sk.OwnerState != snapshot.OwnersUnknown, Class: "other", Reach: map[string]DocReach{},
		TLSVerify: "unknown", Owner: "unknown",
	}
	if a, err := netip.ParseAddr(sk.Addr); err == nil {
		svc.Loopback, svc.Wildcard = a.Unmap().IsLoopback(), a.IsUnspecified()
		if !svc.Wildcard && sk.Netns == b.snap.Network.HostNetns() {
			svc.HostAddr = a.Unmap().WithZone("").String()
		}
	}
	if list := exposure.Families(sk); len(list) == 1 {
		svc.Family = map[bool]int{true: 4, false: 6}[list[0]]
	}
	if sk.OwnerState == snapshot.OwnersKernel {
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
	if svc.Class = b.class(sk, svc); svc.Class == classRuntime && b.kubelets(sk) {
		svc.Class = classKubelet
	}
	svc.Gives, svc.givesUID = b.gives(sk, svc)
	svc.TLSVerify = cmp.Or(b.asksForCertificates(sk), svc.TLSVerify)
	if t := b.proxied(sk); t != nil {
		svc.Leads = t.Leads
	}
	b.ofAGuest(sk, svc)
	svc.name(sk)
	return svc
}

// name gives a service its key.
func (d *DocService) name(sk *snapshot.Socket) {
	addr, device := sk.Addr, ""
	if sk.Family == 6 {
		addr = "[" + addr + "]"
	}
	if d.Device != "" {
		device = "%" + d.Device
	}
	d.Key = fmt.Sprintf("%s %s%s:%d (%s)", d.Proto, addr, device, d.Port, d.Owner)
	if d.Namespace != "" {
		d.Key += " in " + d.Namespace
	}
}

// asksForCertificates is what the configuration of the daemon that has a socket says of it: true, false, or empty if that is not known. What it says
// of its other interfaces counts if it has none there.
func (b *builder) asksForCertificates(sk *snapshot.Socket) (verify string) {
	there := false
	for i := range b.snap.Runtimes.TLS {
		t := &b.snap.Runtimes.TLS[i]
		for _, o := range sk.Owners {
			at := listensFor(t, sk)
			if o.PID != t.PID || !at && (there || !handed(sk) && runtimePorts[sk.Port] == "") {
				continue
			}
			if at && !there {
				there, verify = true, ""
			}
			// That clients are asked for certificates clears a finding: only root's own daemon is believed.
			if t.Verify.State == snapshot.Present && (t.Verify.Value != "true" || b.rootsOwn(t.Word, b.byPID[o.PID])) && verify != "false" {
				verify = t.Verify.Value
			}
		}
	}
	return verify
}

// proxied is what the configuration of a program says by which this socket leads to that of a runtime, nil if it does not.
func (b *builder) proxied(sk *snapshot.Socket) *snapshot.DaemonTLS {
	for i := range b.snap.Runtimes.TLS {
		t := &b.snap.Runtimes.TLS[i]
		if t.Leads == "" || len(t.API) > 0 && !listensFor(t, sk) || !slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool { return o.PID == t.PID }) {
			continue
		}
		if k, p := b.leadsTo(t), b.byPID[t.PID]; k == nil || p == nil || b.mayWrite(k, p, p.Container) { // else the socket refuses it
			return t
		}
	}
	return nil
}

// leadsTo is the control socket that a proxy leads to, nil if it was not found.
func (b *builder) leadsTo(t *snapshot.DaemonTLS) *snapshot.ControlSocket {
	container := ""
	if p := b.byPID[t.PID]; p != nil {
		container = p.Container
	}
	for i := range b.snap.Runtimes.Sockets {
		if k := &b.snap.Runtimes.Sockets[i]; k.IsAt(container, t.Leads) {
			return k
		}
	}
	return nil
}

// handed says of a socket that systemd has it too: it gave it to the daemon.
func handed(sk *snapshot.Socket) bool {
	return slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool { return o.PID == 1 })
}

// rootsOwn says of a process that root runs it on the host, and not by a program of somebody else: its uid is the kernel's word.
func (b *builder) rootsOwn(w snapshot.Word, p *snapshot.Process) bool {
	return p != nil && p.UID == 0 && b.zones.Container(p) == "" && (w.Trusted() || w == (snapshot.Word{}))
}

// The programs and ports by which a listener is known.
var (
	runtimePrograms = []string{
		"dockerd", "containerd", "podman", "buildkitd", "crio", "kubelet", "incusd", "lxd",
		"libvirtd", "virtproxyd", "firecracker",
	}
	runtimePorts = map[int]string{
		2375: "Docker", 2376: "Docker with TLS", 10250: "kubelet",
		16509: "libvirt", 16514: "libvirt with TLS", 1234: "",
	}
	winrmPorts = []int{5985, 5986, 1270}
	ipmiPorts  = []int{623, 664}
	// controllers are programs that play the BMC of virtual machines: VirtualBMC, and the simulator of OpenIPMI. They have any port.
	controllers = []string{"vbmcd", "vbmc", "ipmi_sim"}
	// controllerUnits are the units that packages have for them: where an interpreter was started with the script, it has the name of the interpreter.
	controllerUnits = regexp.MustCompile(`^(virtualbmc|vbmcd?|ipmi[-_]sim)([-@][^/]*)?\.service$`)
)

func (b *builder) class(sk *snapshot.Socket, svc *DocService) string {
	if len(sk.Owners) == 0 && sk.OwnerState == snapshot.OwnersUnknown && sk.Netns == b.snap.Network.HostNetns() &&
		slices.ContainsFunc(b.snap.SSH.Servers, func(v snapshot.SSHServer) bool {
			return (v.Holder == 0 || v.Word.Trusted()) && listens(v.Listen, sk)
		}) {
		return "ssh" // where systemd's own sockets are not seen, its units say what they are
	}
	for _, o := range sk.Owners {
		for _, srv := range b.snap.SSH.Servers {
			p := b.byPID[o.PID]
			if srv.PID == o.PID || p != nil && srv.PID != 0 && p.PPID == srv.PID {
				return "ssh"
			}
			systemds := srv.Holder == 0 && o.PID == 1 && sk.Netns == b.snap.Network.HostNetns()
			if (systemds || srv.Holder != 0 && o.PID == srv.Holder) && listens(srv.Listen, sk) {
				return "ssh"
			}
		}
		if b.agentAbove(b.byPID[o.PID]) != 0 {
			return "agent"
		}
	}
	return b.classBoth(sk, svc)
}

// classAt is what a socket is by a port, and by the names of who has it.
func (b *builder) classAt(sk *snapshot.Socket, svc *DocService, port int) string {
	another := b.another(sk)
	switch {
	case sk.Proto == "tcp" && port == 22: // whoever holds it: systemd, a proxy, a server of another kind
		return "ssh"
	case sk.Proto == "tcp" && slices.Contains(winrmPorts, port) && !another:
		return "winrm"
	case sk.Proto == "udp" && slices.Contains(ipmiPorts, port) && !another && sk.OwnerState != snapshot.OwnersKernel:
		return "ipmi"
	case sk.Proto == "tcp" && b.proxied(sk) != nil:
		return classRuntime
	case sk.Proto == "tcp" && b.heldForRuntime(sk):
		return classRuntime
	case sk.Proto == "tcp" && runtimePorts[port] == "" && b.besides(sk):
		return "other"
	case sk.Proto == "tcp" && runtimePorts[port] != "" && !another:
		return classRuntime
	// A name is what the process likes: it adds a finding, and takes none away that the port makes.
	case sk.Proto == "tcp" && b.runs(sk, func(name string) bool { return strings.HasPrefix(name, "omi") }):
		return "winrm"
	case sk.Proto == "tcp" && slices.Contains(runtimePrograms, svc.Owner):
		return classRuntime
	case sk.Proto == "udp" && (slices.Contains(controllers, svc.Owner) || controllerUnits.MatchString(svc.Unit)):
		return "ipmi"
	}
	return "other"
}

// The interfaces of runtimes, and those of a kubelet whose settings were looked at: they say what it gives, of which a check of its own tells.
const (
	classRuntime = "runtime-api"
	classKubelet = "kubelet"
)

// kubelets says of a socket that such a kubelet has it.
func (b *builder) kubelets(sk *snapshot.Socket) bool {
	return slices.ContainsFunc(b.snap.Management.Servers, func(v snapshot.ManagedServer) bool {
		return v.Name == "kubelet" && !ofPeople(&v, b.byPID[v.PID]) && slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool { return o.PID == v.PID })
	})
}

// listens says whether a socket is one that a socket unit asks for: a port alone, or an address and a port (systemd.socket(5)). Who has it
// is known then, and a unit that was changed and not read again adds no more than a port that systemd has open.
func listens(units []string, sk *snapshot.Socket) bool {
	return sk.Proto == "tcp" && slices.ContainsFunc(units, func(u string) bool {
		if u == strconv.Itoa(sk.Port) {
			return true
		}
		at, err := netip.ParseAddrPort(u)
		addr, bad := netip.ParseAddr(sk.Addr)
		return err == nil && bad == nil && int(at.Port()) == sk.Port && at.Addr().Unmap() == addr.Unmap().WithZone("")
	})
}

// A port can be anybody's: glibc gives those of 600 to 1023 to programs of root's that ask for a reserved one (bindresvport(3)).
var (
	// managers are the programs that have the ports by which management is known.
	managers = regexp.MustCompile(`(?i)ipmi|bmc|lanserv|redfish|^omi|docker|containerd|podman|buildkit|kubelet|k3s|rke2|nomad|incus|lxd|libvirt|virtproxy|firecracker|crio`)
	// carriers are the programs that run others, or pass connections on: what is behind them their names do not tell.
	carriers = regexp.MustCompile(`^(python.*|pypy.*|node|nodejs|bun|deno|java|ruby|perl.*|sh|bash|dash|busybox|php.*|systemd|systemd-socket.*|socat.*|nc.*|ncat|` +
		`haproxy|nginx|envoy|traefik|caddy|stunnel.*|ssh|sshd.*|rootlessport|slirp4netns|pasta.*|passt.*|gvproxy|qemu.*|wine.*|x?inetd|ghostunnel|autossh|rinetd)$`)
)

// installed are where packages put programs.
var installed = regexp.MustCompile(`^(/usr)?/(s?bin|lib|lib64|libexec|local/s?bin)/`)

// another says of a socket that programs of root's own have it which are known to be none of those of its port. A name that somebody else
// gave to a program takes nothing away.
func (b *builder) another(sk *snapshot.Socket) bool {
	if len(sk.Owners) == 0 || sk.Netns != b.snap.Network.HostNetns() {
		return false
	}
	for _, o := range sk.Owners {
		p := b.byPID[o.PID]
		if p == nil || !installed.MatchString(p.Exe) || !p.ExeWord.Trusted() || b.zones.Container(p) != "" {
			return false
		}
		if name := path.Base(p.Program()); managers.MatchString(name) || carriers.MatchString(name) || managers.MatchString(p.Comm) {
			return false
		}
	}
	return true
}

// besides says of a socket that a daemon of root's has it besides its interface: its configuration, which was read as a whole, has the
// interface elsewhere, and systemd did not hand it over.
func (b *builder) besides(sk *snapshot.Socket) bool {
	known := false
	for _, o := range sk.Owners {
		if o.PID == 1 {
			return false
		}
		for i := range b.snap.Runtimes.TLS {
			t := &b.snap.Runtimes.TLS[i]
			if t.PID != o.PID {
				continue
			}
			if t.APIRead == nil || t.APIRead.State != snapshot.Present || !b.rootsOwn(t.Word, b.byPID[o.PID]) || listensFor(t, sk) {
				return false
			}
			known = true
		}
	}
	return known
}

// heldForRuntime says of a socket that systemd has it to start a runtime when somebody connects.
func (b *builder) heldForRuntime(sk *snapshot.Socket) bool {
	return sk.Netns == b.snap.Network.HostNetns() && handed(sk) && slices.ContainsFunc(b.snap.Runtimes.TLS, func(t snapshot.DaemonTLS) bool {
		return t.PID == 1 && t.Leads == "" && t.APIRead != nil && listensFor(&t, sk)
	})
}

// listensFor says whether a socket is where the configuration of a daemon has its interface. One of an older snapshot does not say where.
func listensFor(t *snapshot.DaemonTLS, sk *snapshot.Socket) bool {
	if t.APIRead == nil {
		return true
	}
	return slices.ContainsFunc(t.API, func(at string) bool {
		return at == ":"+strconv.Itoa(sk.Port) || listens([]string{at}, sk)
	})
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
		return (p.ExeWord.Trusted() || p.ExeWord == (snapshot.Word{})) && named(path.Base(p.Program()))
	})
}

// inContainer is nobody on the host: what is given is inside a container.
const inContainer = -1

// gives is what a service that starts programs for its clients gives to them: what it is itself. Of a socket whose owner is not seen
// the kernel knows the uid.
func (b *builder) gives(sk *snapshot.Socket, svc *DocService) (text string, user int) {
	uid := sk.UID
	if b.runs(sk, func(name string) bool { return slices.Contains(runtimePrograms, name) }) {
		for _, o := range sk.Owners {
			if p := b.byPID[o.PID]; p != nil {
				uid = min(uid, p.UID) // a daemon of root's that was handed the socket
			}
		}
	}
	if t := b.proxied(sk); t != nil {
		if k := b.leadsTo(t); k != nil && k.Container == "" { // what is behind it is that daemon, also of a container that it is mounted into
			if text = socketGives(k); text != "" {
				user, _ = strconv.Atoi(strings.TrimPrefix(text, "uid ")) // 0 for root on the host
				return text, user
			}
		}
	}
	switch {
	case svc.Container != "":
		return "container " + svc.Container, inContainer
	case uid > 0:
		return fmt.Sprintf("uid %d", uid), uid
	case len(sk.Owners) == 0 && sk.OwnerState != snapshot.OwnersKernel && b.alone(sk.Netns) != "":
		return "container " + b.alone(sk.Netns), inContainer
	}
	return rootOnHost, 0
}

// alone names the container that all processes of a network namespace are in, if there is one: what is open there and held by nobody who
// is seen was opened by it.
func (b *builder) alone(netns uint64) string {
	if name, ok := b.netnsOf[netns]; ok || netns == b.snap.Network.HostNetns() {
		return name
	}
	only, mixed := "", false
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		if p.NS.Net != netns {
			continue
		}
		id := b.zones.Container(p)
		mixed = mixed || id == "" || only != "" && only != id
		only = id
	}
	if mixed || only == "" {
		b.netnsOf[netns] = ""
	} else {
		b.netnsOf[netns] = b.containerName(only)
	}
	return b.netnsOf[netns]
}

// by is a socket of a program that passes connections on.
func (b *builder) by(sk *snapshot.Socket) *DocBy {
	if sk == nil || sk.Relay == nil {
		return nil
	}
	svc := b.service(sk)
	return &DocBy{sk.Relay.Program, svc.Proto, svc.Port, svc.HostAddr, svc.Family, svc.Device}
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
