package judge

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// DocManaged is a program that manages the host or its cluster, and the sockets that are its own. One that is known by its port alone, because
// systemd or inetd holds the socket for it, has that socket.
type DocManaged struct {
	Key       string                   `json:"key"`       // Cockpit, etcd in container etcd
	Name      string                   `json:"name"`      // what people call it: Cockpit, etcd
	Role      string                   `json:"role"`      // cleartext, desktop, console, shell, debug, monitor, remote, cluster, data
	Container string                   `json:"container"` // that it runs in, "" for none
	Evidence  string                   `json:"evidence"`  // by what it was recognised
	Settings  map[string]snapshot.Fact `json:"settings"`  // those that are judged, by name (anonymous, authorization, login, ...); one that is not known says why
	Services  []DocService             `json:"services"`  // its own sockets, by what is reached of them from those whom its settings let in
	// Host says that it runs on the host and as root there: what it gives is the host.
	Host bool `json:"host"`
	// Lesser says that it is of an account of people or agents, or of a container of theirs: what it gives is theirs.
	Lesser bool `json:"lesser"`
}

// ofWorkload ends the key of a server that a workload runs.
const ofWorkload = " of a workload"

// byPort are the services that are known by their port where who holds it runs others.
var byPort = map[string]struct{ name, role string }{
	"tcp 23": {"telnet", "cleartext"}, "tcp 512": {"rexec", "cleartext"}, "tcp 513": {"rlogin", "cleartext"}, "tcp 514": {"rsh", "cleartext"},
	"udp 69": {"TFTP", "cleartext"}, "tcp 5900": {"VNC", "desktop"}, "tcp 5901": {"VNC", "desktop"}, "tcp 3389": {"RDP", "desktop"},
}

// managed joins the programs that manage with their sockets.
func (b *builder) managed() {
	b.doc.Managed = []DocManaged{}
	index, taken := map[string]int{}, map[string]bool{}
	held := map[int][]int{} // sockets by who holds them, those of the kernel by none
	for i := range b.snap.Listeners.Sockets {
		if b.byService[i] == nil {
			continue
		}
		if sk := &b.snap.Listeners.Sockets[i]; sk.OwnerState == snapshot.OwnersKernel && sk.Netns == b.snap.Network.HostNetns() {
			held[0] = append(held[0], i)
		}
		for _, o := range b.snap.Listeners.Sockets[i].Owners {
			held[o.PID] = append(held[o.PID], i)
		}
	}
	for i := range b.snap.Management.Servers {
		v := &b.snap.Management.Servers[i]
		p := b.byPID[v.PID]
		d := DocManaged{
			Key: v.Name, Name: v.Name, Role: string(v.Role), Evidence: v.Evidence, Settings: map[string]snapshot.Fact{}, Services: []DocService{},
			Container: b.containerName(v.Container), Host: v.Kernel || b.rootsOwn(v.Word, p), Lesser: ofPeople(v, p),
		}
		if v.Container == "" {
			d.Container = ""
		}
		switch zone, _ := zoneOf(b, p); {
		case d.Container != "":
			d.Key += " in container " + d.Container
		case zone == zones.Workload:
			d.Key += ofWorkload
		}
		maps.Copy(d.Settings, v.Settings)
		own := held[v.PID]
		if v.PID == 0 && !v.Kernel {
			own = nil
		}
		if len(v.Ports) > 0 {
			own = slices.DeleteFunc(slices.Clone(own), func(i int) bool { return !slices.Contains(v.Ports, b.snap.Listeners.Sockets[i].Port) })
		}
		if len(v.Listen) > 0 {
			d.Host, own = true, nil
			for _, i := range held[1] {
				if sk := &b.snap.Listeners.Sockets[i]; sk.Netns == b.snap.Network.HostNetns() && listens(v.Listen, sk) {
					own = append(own, i)
				}
			}
		}
		if at, ok := index[d.Key]; ok && maps.Equal(b.doc.Managed[at].Settings, d.Settings) {
			b.serveManaged(&b.doc.Managed[at], own, taken)
			b.letIn(&b.doc.Managed[at], own)
			continue
		}
		index[d.Key] = len(b.doc.Managed)
		b.serveManaged(&d, own, taken)
		b.letIn(&d, own)
		b.doc.Managed = append(b.doc.Managed, d)
	}
	b.managedByPort(taken)
}

// firstOfPeople is the first uid that systems give to people and what they run (login.defs(5), UID_MIN). Those of services that systemd makes up, and
// nobody, are above them (systemd's UIDS-GIDS.md).
const (
	firstOfPeople = 1000
	firstMadeUp   = 61184
	nobody        = 65534
)

// ofPeople says of a program that its user decides what it is: it runs as an account of people, from a file that is not root's, or in a
// container of theirs.
func ofPeople(v *snapshot.ManagedServer, p *snapshot.Process) bool {
	switch {
	case p == nil:
		return false
	case v.Container != "":
		return p.ContainerWord.By == snapshot.ByUID
	}
	people := p.UID >= firstOfPeople && (p.UID < firstMadeUp || p.UID > nobody)
	return people || v.Word.By == snapshot.ByUID || v.Word.By == snapshot.ByOthers
}

func zoneOf(b *builder, p *snapshot.Process) (zone, why string) {
	if p == nil {
		return "", ""
	}
	return b.zones.Process(p)
}

func (b *builder) serveManaged(d *DocManaged, sockets []int, taken map[string]bool) {
	for _, i := range sockets {
		svc := b.byService[i]
		if !slices.ContainsFunc(d.Services, func(o DocService) bool { return o.Key == svc.Key }) {
			d.Services = append(d.Services, *svc)
			taken[svc.Key] = true
		}
	}
}

// inspector says of a socket that Node has it for a debugger: it is on the port and the address of the inspector.
func inspector(svc *DocService) bool {
	return svc.Proto == "tcp" && svc.Port == 9229 && svc.Loopback && slices.Contains([]string{"node", "nodejs"}, path.Base(svc.Owner))
}

// managedByPort adds the services that are known by the port, where who holds the socket starts others, or is not seen; and Cockpit, whose
// socket systemd holds.
func (b *builder) managedByPort(taken map[string]bool) {
	for i := range b.doc.Services {
		svc := &b.doc.Services[i]
		known := byPort[svc.Proto+" "+strconv.Itoa(svc.Port)]
		if !taken[svc.Key] && inspector(svc) {
			b.doc.Managed = append(b.doc.Managed, DocManaged{
				Key: "Node inspector", Name: "Node inspector", Role: string(snapshot.RoleDebug), Settings: map[string]snapshot.Fact{},
				Evidence: "node listens on the port of its inspector, which a signal (USR1) starts as well", Services: []DocService{*svc},
			})
			continue
		}
		if of := byPort[svc.Proto+" "+strconv.Itoa(svc.leads)]; of.name != "" && !taken[svc.Key] {
			b.doc.Managed = append(b.doc.Managed, DocManaged{
				Key: of.name + " of a guest", Name: of.name, Role: of.role, Settings: map[string]snapshot.Fact{},
				Evidence: fmt.Sprintf("it leads to port %d of a guest, if the guest serves it", svc.leads), Services: []DocService{*svc},
			})
		}
		if taken[svc.Key] || svc.Namespace != "" || known.name == "" && svc.Unit != "cockpit.socket" && svc.Port != 9090 {
			continue
		}
		carried := svc.Owner == "systemd" || strings.HasSuffix(path.Base(svc.Owner), "inetd") || !svc.OwnerKnown
		switch {
		case !carried:
			continue
		case svc.Port == 9090 && svc.Owner == "systemd":
			known = struct{ name, role string }{"Cockpit", "console"}
		case known.name == "":
			continue
		}
		b.doc.Managed = append(b.doc.Managed, DocManaged{
			Key: known.name, Name: known.name, Role: known.role, Evidence: "port " + strconv.Itoa(svc.Port) + " is held by " + svc.Owner,
			Settings: map[string]snapshot.Fact{}, Services: []DocService{*svc}, Host: true,
		})
	}
}
