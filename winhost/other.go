package winhost

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// Live is what was asked of the running system besides its registry; nil in a Source of files.
type Live struct {
	Adapters      []snapshot.WindowsAdapter // nil where they were not told
	AdaptersRead  snapshot.Fact
	Routes        []object // in the words of Get-NetRoute
	Listeners     []snapshot.WindowsListener
	ListenersRead snapshot.Fact
	Processes     []snapshot.WindowsProcess
	ProcessesRead snapshot.Fact
	Pipes         []snapshot.WindowsPipe
	PipesRead     snapshot.Fact
	// File is who may change a file.
	File func(path string) snapshot.WindowsACL
	// AdminKeys is who may write administrators_authorized_keys; absent where there is none.
	AdminKeys snapshot.WindowsACL
}

func untold(what string) snapshot.Fact {
	return snapshot.Fact{State: snapshot.Error, Reason: "it was not told (" + what + ")"}
}

// firstHyperVFirewall is the build that has the firewall for virtual machines first: Windows 11 22H2.
const firstHyperVFirewall = 22621

func (s *Source) hyperv() snapshot.WindowsHyperV {
	out := snapshot.WindowsHyperV{}
	list, asked := s.Shell.of(shellHyperV)
	build, err := strconv.Atoi(s.text(version, "CurrentBuildNumber"))
	switch {
	case asked:
		out.Read = present
	case err == nil && build < firstHyperVFirewall:
		out.Read = snapshot.Fact{State: snapshot.Absent}
	default:
		out.Read = untold("Get-NetFirewallHyperVVMSetting -PolicyStore ActiveStore | ConvertTo-Json")
	}
	for _, o := range list {
		h := snapshot.HyperVFirewall{Creator: strings.ToLower(o.text("name", "instanceid"))}
		h.EnableFirewall, h.EnableLoopback, h.AllowHostPolicyMerge = boolean(o, "enabled"), boolean(o, "loopbackenabled"), boolean(o, "allowhostpolicymerge")
		h.DefaultInboundAction, h.DefaultOutboundAction = action(o, "defaultinboundaction"), action(o, "defaultoutboundaction")
		out.Settings = append(out.Settings, h)
	}
	return out
}

// boolean is a GpoBoolean: 0 false, 1 true, 2 not configured; nil where it is not set.
func boolean(o object, name string) *uint32 {
	var n uint32
	switch {
	case o.yes(name):
		n = 1
	case o.is(name, 0, "false") || o[name] == false:
	default:
		return nil
	}
	return &n
}

// action is 0 for allow and 1 for block, as the registry has it; nil where it is not set.
func action(o object, name string) *uint32 {
	var n uint32
	switch {
	case o.is(name, 2, "allow"):
	case o.is(name, 4, "block"):
		n = 1
	default:
		return nil
	}
	return &n
}

func (s *Source) filters() snapshot.WindowsFilters {
	if s.Filters != nil {
		out := *s.Filters
		out.Read = present
		return out
	}
	if s.FiltersRead.State != "" {
		return snapshot.WindowsFilters{Read: s.FiltersRead}
	}
	return snapshot.WindowsFilters{Read: untold("netsh wfp show state")}
}

// networks are those of virtual machines, containers and connection sharing.
func (s *Source) networks(w *snapshot.Windows) snapshot.WindowsNetworks {
	out := snapshot.WindowsNetworks{Read: present, List: []snapshot.WindowsNetwork{}, WSL: s.wsl()}
	if w.Adapters.Read.State != snapshot.Present {
		out.Read = snapshot.Fact{State: snapshot.Error, Reason: w.Adapters.Read.Reason}
	}
	for i := range w.Adapters.List {
		a := &w.Adapters.List[i]
		switch a.Kind {
		case snapshot.NetworkWSL, snapshot.NetworkHyperV, snapshot.NetworkHNS, snapshot.NetworkICS:
			n := snapshot.WindowsNetwork{Kind: a.Kind, Name: a.Name}
			for _, text := range a.Addrs {
				if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().IsLinkLocalUnicast() {
					n.Prefixes = append(n.Prefixes, p.Masked().String())
				}
			}
			out.List = append(out.List, n)
		default:
		}
	}
	hns, _ := s.Shell.of(shellHNS)
	for _, o := range hns {
		n := snapshot.WindowsNetwork{Kind: snapshot.NetworkHNS, ID: strings.ToLower(o.text("id")), Name: o.text("name"), Type: o.text("type")}
		if strings.HasPrefix(n.Name, "WSL") {
			n.Kind = snapshot.NetworkWSL
		}
		list, _ := o["subnets"].([]any)
		for _, e := range list {
			m, _ := e.(map[string]any)
			if text, ok := m["AddressPrefix"].(string); ok {
				if p, err := netip.ParsePrefix(text); err == nil {
					n.Prefixes = append(n.Prefixes, p.Masked().String())
				}
			}
		}
		out.List = append(out.List, n)
	}
	out.List = append(out.List, s.nat()...)
	_, out.MapsTold = s.Shell.of(shellNATMap)
	slices.SortStableFunc(out.List, func(a, b snapshot.WindowsNetwork) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// nat are the networks of WinNAT, and the ports that it translates without a socket.
func (s *Source) nat() (list []snapshot.WindowsNetwork) {
	nets, _ := s.Shell.of(shellNAT)
	for _, o := range nets {
		n := snapshot.WindowsNetwork{Kind: snapshot.NetworkHNS, Name: o.text("name"), Type: "NAT"}
		if p, err := netip.ParsePrefix(o.text("internalipinterfaceaddressprefix")); err == nil {
			n.Prefixes = []string{p.Masked().String()}
		}
		list = append(list, n)
	}
	maps, _ := s.Shell.of(shellNATMap)
	for _, o := range maps {
		m := snapshot.WindowsPortMap{
			Proto: "tcp", Addr: o.text("externalipaddress", "externaladdress"), Port: max(o.number("externalport"), 0), ToAddr: o.text("internalipaddress", "internaladdress"),
			ToPort: max(o.number("internalport"), 0), Instance: o.text("natname"),
		}
		if o.is("protocol", 17, "udp") {
			m.Proto = "udp"
		}
		i := slices.IndexFunc(list, func(n snapshot.WindowsNetwork) bool { return n.Name == m.Instance })
		if i < 0 {
			list = append(list, snapshot.WindowsNetwork{Kind: snapshot.NetworkHNS, Name: m.Instance, Type: "NAT"})
			i = len(list) - 1
		}
		list[i].Ports = append(list[i].Ports, m)
	}
	return list
}

// wsl are the distributions of each user whose registry was read.
func (s *Source) wsl() snapshot.WindowsWSL {
	out := snapshot.WindowsWSL{Read: present}
	if len(s.Users) == 0 {
		out.Read = untold("the registry of its users: NTUSER.DAT")
	}
	for _, user := range sortedKeys(s.Users) {
		k, err := registry.Open(s.Users[user], `Software\Microsoft\Windows\CurrentVersion\Lxss`)
		if err != nil {
			continue
		}
		names, err := k.Keys()
		if err != nil {
			out.Read = snapshot.Fact{State: snapshot.Error, Reason: short(err)}
			continue
		}
		for _, id := range names {
			c, err := k.Key(id)
			if err != nil {
				continue
			}
			d := snapshot.WSLDistribution{ID: strings.ToLower(id), User: user}
			if v, err := registry.Get(c, "DistributionName"); err == nil {
				d.Name, _ = v.Text()
			}
			if v, err := registry.Get(c, "Version"); err == nil {
				n, _ := v.Number()
				d.Version = int(min(n, 9))
			}
			out.Distributions = append(out.Distributions, d)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// pipeRoles are the pipes by which somebody gets power over containers, machines and keys.
var pipeRoles = map[string]string{
	"docker_engine": "runtime", "dockerdesktoplinuxengine": "runtime", "docker_engine_windows": "runtime", "containerd-containerd": "runtime",
	"podman-machine-default": "runtime", "openssh-ssh-agent": "keys", "kubelet": "runtime",
}

func (s *Source) pipes() snapshot.WindowsPipes {
	if s.Live != nil && s.Live.PipesRead.State != "" {
		return snapshot.WindowsPipes{Read: s.Live.PipesRead, List: append([]snapshot.WindowsPipe{}, s.Live.Pipes...)}
	}
	list, asked := s.Shell.of(shellPipe)
	out := snapshot.WindowsPipes{Read: present, List: []snapshot.WindowsPipe{}}
	if !asked {
		out.Read = untold(`Get-ChildItem \\.\pipe\ | Select-Object Name, FullName | ConvertTo-Json`)
	}
	for _, o := range list {
		name := o.text("name")
		if role := pipeRoles[strings.ToLower(name)]; role != "" {
			p := snapshot.WindowsPipe{Name: name, Role: role, ACL: snapshot.WindowsACL{Read: untold("its access list")}}
			if text := o.text("sddl"); text != "" {
				p.ACL = sddl(text)
			}
			out.List = append(out.List, p)
		}
	}
	return out
}

func (s *Source) processes() snapshot.WindowsProcesses {
	if s.Live != nil && s.Live.ProcessesRead.State != "" {
		return snapshot.WindowsProcesses{Read: s.Live.ProcessesRead, List: append([]snapshot.WindowsProcess{}, s.Live.Processes...)}
	}
	list, asked := s.Shell.of(shellProcess)
	out := snapshot.WindowsProcesses{Read: present, List: []snapshot.WindowsProcess{}}
	if !asked {
		out.Read = untold("Get-CimInstance Win32_Process | Select-Object ProcessId, ParentProcessId, Name, ExecutablePath | ConvertTo-Json")
	}
	for _, o := range list {
		out.List = append(out.List, snapshot.WindowsProcess{
			PID: max(o.number("processid", "id"), 0), PPID: max(o.number("parentprocessid"), 0), Name: o.text("name", "processname"), Path: o.text("executablepath", "path"),
			Token: untold("its token"),
		})
	}
	return out
}

func (s *Source) groups() snapshot.WindowsGroups {
	return snapshot.WindowsGroups{Read: untold("members of local groups"), List: []snapshot.WindowsGroup{}}
}

// agents are what is recognised of OpenClaw: its own distribution of WSL, its port, and programs of its name.
func (s *Source) agents(w *snapshot.Windows) snapshot.WindowsAgents {
	out := snapshot.WindowsAgents{Read: present, List: []snapshot.WindowsAgent{}}
	if w.Listeners.Read.State != snapshot.Present {
		out.Read = snapshot.Fact{State: snapshot.Error, Reason: "sockets were not read: " + w.Listeners.Read.Reason}
	}
	for _, d := range w.Networks.WSL.Distributions {
		if strings.EqualFold(d.Name, "OpenClawGateway") {
			out.List = append(out.List, snapshot.WindowsAgent{Kind: "openclaw", Form: "distribution", User: d.User, Evidence: "a distribution of WSL has the name " + d.Name})
		}
	}
	const gateway = 18789
	for i := range w.Listeners.List {
		l := &w.Listeners.List[i]
		name := strings.ToLower(l.Process)
		switch {
		case l.Proto == "tcp" && l.Port == gateway && strings.HasPrefix(name, "node"):
			out.List = append(out.List, snapshot.WindowsAgent{Kind: "openclaw", Form: "process", Port: l.Port, PID: l.PID, Evidence: "node listens on the port of its gateway"})
		case l.Proto == "tcp" && (strings.HasPrefix(name, "openclaw") || strings.Contains(strings.ToLower(path.Base(strings.ReplaceAll(l.Path, `\`, "/"))), "openclaw")):
			out.List = append(out.List, snapshot.WindowsAgent{Kind: "openclaw", Form: "hub", Port: l.Port, PID: l.PID, Evidence: "a program of its name listens"})
		}
	}
	return out
}

// services are those that commands told: how they start, and what runs. Who may change them is not told.
func (s *Shell) services() []snapshot.WindowsService {
	list := []snapshot.WindowsService{}
	all, _ := s.of(shellService)
	for _, o := range all {
		unread := snapshot.WindowsACL{Read: untold("its access list")}
		sv := snapshot.WindowsService{Name: o.text("name"), Start: 3, Account: o.text("startname"), Image: o.text("pathname"), Security: unread, Binary: unread, Key: unread}
		switch {
		case o.is("startmode", 2, "auto"), o.is("starttype", 2, "automatic"):
			sv.Start = 2
		case o.is("startmode", 4, "disabled"), o.is("starttype", 4, "disabled"):
			sv.Start = 4
		default:
		}
		if len(list) < maxServices {
			list = append(list, sv)
		}
	}
	s.completeServices(list)
	return list
}

// completeServices adds to services which process they run in.
func (s *Shell) completeServices(list []snapshot.WindowsService) {
	byName := map[string]object{}
	all, _ := s.of(shellService)
	for _, o := range all {
		byName[strings.ToLower(o.text("name"))] = o
	}
	for i := range list {
		o := byName[strings.ToLower(list[i].Name)]
		if o == nil {
			continue
		}
		list[i].PID = max(o.number("processid"), 0)
		switch {
		case o.is("state", 4, "running") || o.is("status", 4, "running"):
			list[i].State = "running"
		case o.is("state", 1, "stopped") || o.is("status", 1, "stopped"):
			list[i].State = "stopped"
		default: // on its way, or not told
		}
	}
}
