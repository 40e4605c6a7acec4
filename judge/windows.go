package judge

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// DocWindowsService is a listener of a Windows host and who reaches it.
type DocWindowsService struct {
	Key      string   `json:"key"` // stable: tcp 0.0.0.0:5985 (System)
	Proto    string   `json:"proto"`
	Addr     string   `json:"addr"`
	Port     int      `json:"port"`
	Family   int      `json:"family"`
	Owner    string   `json:"owner"` // the service, else the program
	Process  string   `json:"process"`
	Path     string   `json:"path"`
	Services []string `json:"services"`
	Class    string   `json:"class"` // winrm, rdp, smb, ssh, rpc, docker, agent, relay, other
	// RelayTo is where a listener of portproxy passes connections on.
	RelayTo  string              `json:"relayTo"`
	Loopback bool                `json:"loopback"`
	Wildcard bool                `json:"wildcard"`
	Reach    map[string]DocReach `json:"reach"` // by zone
	// Differs is where rules and settings say another thing than the filters that the engine holds.
	Differs []DocWindowsDifference `json:"differs"`
}

// DocWindowsDifference is an answer that is another one by the registry than by the engine, which is the one that counts.
type DocWindowsDifference struct {
	Zone     string         `json:"zone"`
	Origin   string         `json:"origin"`
	Registry packet.Verdict `json:"registry"`
	Engine   packet.Verdict `json:"engine"`
	// Because are the filters that decide in the engine, Rules those of the registry.
	Because []string `json:"because"`
	Rules   []string `json:"rules"`
}

// DocWindowsProfile is what counts of a profile of the firewall, of all stores together.
type DocWindowsProfile struct {
	Profile    string   `json:"profile"`
	On         bool     `json:"on"`
	Blocks     bool     `json:"blocks"` // what no rule allows
	Shielded   bool     `json:"shielded"`
	LocalRules bool     `json:"localRules"` // count
	Interfaces []string `json:"interfaces"` // that are in it and connected
	Unfiltered []string `json:"unfiltered"` // interfaces that are not filtered in it, by GUID
	Doubt      string   `json:"doubt"`      // why the settings are not known
}

// windows makes the part of the document that is about a Windows host.
func (b *builder) windows() {
	w := exposure.NewWindows(b.snap)
	b.win = w
	b.doc.WindowsFilters = orEmpty(w.Differences())
	for _, p := range w.Profiles() {
		b.doc.WindowsProfiles = append(b.doc.WindowsProfiles, DocWindowsProfile{
			Profile: string(p.Profile), On: p.On, Blocks: p.Blocks, Shielded: p.Shielded, LocalRules: p.Merge,
			Interfaces: orEmpty(p.Interfaces), Unfiltered: orEmpty(p.Disabled), Doubt: p.Doubt,
		})
	}
	list := b.snap.Windows.Listeners.List
	var all []int
	for i := range list {
		all = append(all, i)
	}
	answers := w.Listeners(all, b.zones.Origins)
	for i := range list {
		svc := b.windowsService(&list[i])
		b.exposures = append(b.exposures, b.exposeWindows(&svc, answers[i]))
		b.doc.WindowsServices = append(b.doc.WindowsServices, svc)
	}
}

func (b *builder) windowsService(l *snapshot.WindowsListener) DocWindowsService {
	addr := l.Addr
	if l.Family == 6 {
		addr = "[" + addr + "]"
	}
	svc := DocWindowsService{
		Key: fmt.Sprintf("%s %s:%d (%s)", l.Proto, addr, l.Port, exposure.Serves(l)), Proto: l.Proto, Addr: l.Addr, Port: l.Port, Family: l.Family,
		Owner: exposure.Serves(l), Process: l.Process, Path: l.Path, Services: orEmpty(l.Services), Reach: map[string]DocReach{},
		Differs: []DocWindowsDifference{},
	}
	if a, err := netip.ParseAddr(l.Addr); err == nil {
		svc.Loopback, svc.Wildcard = a.IsLoopback(), a.IsUnspecified()
	}
	svc.Class = b.windowsClass(l, &svc)
	return svc
}

// windowsClass is what listens, by its program and service, and by the port where the kernel listens for somebody.
func (b *builder) windowsClass(l *snapshot.WindowsListener, svc *DocWindowsService) string {
	w := &b.snap.Windows
	serves := func(name string) bool {
		return strings.EqualFold(l.Service, name) || slices.ContainsFunc(l.Services, func(s string) bool { return strings.EqualFold(s, name) })
	}
	process := strings.ToLower(strings.TrimSuffix(strings.ToLower(l.Process), ".exe"))
	tcp := l.Proto == "tcp"
	for _, r := range w.PortProxy.List {
		if r.Port == l.Port && tcp && serves("iphlpsvc") {
			svc.RelayTo = fmt.Sprintf("%s:%d", r.ToAddr, r.ToPort)
			return "relay"
		}
	}
	for _, a := range w.Agents.List {
		if a.PID != 0 && a.PID == l.PID || a.Port != 0 && a.Port == l.Port && tcp && process == "node" {
			return "agent"
		}
	}
	ofWinRM := func(x snapshot.WinRMListener) bool { return x.Port == l.Port && x.Enabled }
	rdp, err := strconv.Atoi(cmp.Or(w.RDP.Settings["PortNumber"].Value, "3389"))
	switch {
	case process == "sshd" || serves("sshd"), tcp && l.Port == 22:
		return "ssh"
	case serves("TermService"), err == nil && l.Port == rdp:
		return "rdp"
	case tcp && (l.PID == 4 || l.OwnerState == snapshot.OwnersUnknown) && (slices.Contains(winrmPorts, l.Port) || slices.ContainsFunc(w.WinRM.Listeners, ofWinRM)):
		return "winrm"
	case tcp && (l.Port == 445 || l.Port == 139):
		return "smb"
	case tcp && l.Port == 135:
		return "rpc"
	case slices.Contains(runtimePrograms, process), tcp && (l.Port == 2375 || l.Port == 2376):
		return "docker"
	}
	return "other"
}

// exposeWindows tells the answers about a listener in the report and in the document.
func (b *builder) exposeWindows(svc *DocWindowsService, answers []exposure.OfWindows) (list []finding.Exposure) {
	for i := range answers {
		a := &answers[i]
		o := &b.zones.Origins[a.Origin]
		origin := o.Interface
		if o.Local {
			origin = "local"
		}
		e := finding.Exposure{
			Service: finding.Service{Proto: svc.Proto, Address: svc.Addr, Port: svc.Port, Owner: svc.Owner, Namespace: "host"},
			Zone:    o.Zone, Origin: origin, Family: familyName[a.V4],
			Verdict: string(a.Verdict), StoppedBy: causes(a.StoppedBy), Because: causes(a.Because), Checked: a.Checked,
		}
		if a.Witness != nil {
			e.Witness = "in " + a.Witness.In + " " + a.Witness.String()
		}
		list = append(list, e)
		svc.Reach[e.Zone] = join(svc.Reach[e.Zone], DocReach{
			Verdict: a.Verdict, Origin: origin, Local: o.Local, Witness: e.Witness,
			Because: causeTexts(e.Because), StoppedBy: causeTexts(e.StoppedBy), Restricted: a.Restricted,
		})
		if a.Differs() {
			svc.Differs = append(svc.Differs, DocWindowsDifference{
				Zone: o.Zone, Origin: origin, Registry: a.Registry.Verdict, Engine: a.Verdict,
				Because: causeTexts(causes(slices.Concat(a.Path, a.StoppedBy))), Rules: causeTexts(causes(slices.Concat(a.Registry.Path, a.Registry.StoppedBy))),
			})
		}
	}
	return list
}

// otherSystem is why a check is not about the system that a snapshot is of; empty where it is, and of a check that reads nothing.
func (c *Check) otherSystem(s *snapshot.Snapshot) string {
	ofWindows := slices.ContainsFunc(c.Reads, func(r string) bool { return r == "windows" || strings.HasPrefix(r, "windows.") })
	switch {
	case ofWindows && !s.OnWindows():
		return "the host does not run Windows"
	case !ofWindows && s.OnWindows() && len(c.Reads) > 0:
		return "the host runs Windows"
	}
	return ""
}
