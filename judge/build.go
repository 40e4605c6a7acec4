package judge

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// builder makes the document of one snapshot.
type builder struct {
	snap   *snapshot.Snapshot
	zones  *zones.Map
	model  *reach.Model
	byPID  map[int]*snapshot.Process
	agents map[int]*snapshot.Agent
	doc    *Document

	exposures []finding.Exposure
	sweeps    map[sweepKey]*sweep
}

type sweepKey struct {
	origin int
	v4     bool
	proto  string
	addr   string
	device string
	family int
	v6only bool
}

func build(s *snapshot.Snapshot, cfg zones.Config) *builder {
	b := &builder{
		snap: s, zones: zones.Classify(s, cfg), model: reach.NewModel(s),
		byPID: map[int]*snapshot.Process{}, agents: map[int]*snapshot.Agent{},
		sweeps: map[sweepKey]*sweep{},
	}
	for i := range s.Processes.List {
		b.byPID[s.Processes.List[i].PID] = &s.Processes.List[i]
	}
	for i := range s.Agents.Instances {
		b.agents[s.Agents.Instances[i].PID] = &s.Agents.Instances[i]
	}
	b.doc = &Document{
		Host: s.Host, Coverage: s.Coverage, IPMI: s.IPMI, WinRM: s.WinRM,
		Containers: orEmpty(s.Runtimes.Containers), Kernel: s.Kernel,
	}
	b.services()
	b.interfaces()
	b.forwards()
	b.firewall()
	b.ssh()
	b.runtimes()
	b.workloads()
	b.abstract()
	b.agentList()
	b.memory()
	b.sysctls()
	return b
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func where(c reach.Cause) finding.Cause {
	w := ""
	if c.Table != "" {
		w = fmt.Sprintf("%s %s/%s", c.Family, c.Table, c.Chain)
		if c.Rule != 0 {
			w += "#" + strconv.FormatUint(c.Rule, 10)
		} else if c.Policy {
			w += "#policy"
		}
	}
	return finding.Cause{Where: w, Text: c.Text}
}

// causes keeps the first few: a list of hundreds of rules tells nobody anything.
func causes(list []reach.Cause) []finding.Cause {
	var out []finding.Cause
	for i, c := range list {
		if i == 5 {
			out = append(out, finding.Cause{Text: fmt.Sprintf("and %d more", len(list)-5)})
			break
		}
		out = append(out, where(c))
	}
	return out
}

func causeTexts(list []finding.Cause) []string {
	out := []string{}
	for _, c := range list {
		out = append(out, strings.TrimSpace(c.Where+" "+c.Text))
	}
	return out
}

// sweepFrom is how many sockets of one kind are asked about one by one before a sweep is worth it.
const sweepFrom = 16

// sweep is what is known about the sockets of one kind.
type sweep struct {
	asked map[int]reach.Answer // by port
	wide  *reach.Sweep
}

// ask asks about a socket. From some number on, sockets that differ in the port alone share one walk
// through the rules.
func (b *builder) ask(i int, sk *snapshot.Socket, v4 bool) reach.Answer {
	k := sweepKey{i, v4, sk.Proto, sk.Addr, sk.Device, sk.Family, sk.V6Only}
	w := b.sweeps[k]
	if w == nil {
		w = &sweep{asked: map[int]reach.Answer{}}
		b.sweeps[k] = w
	}
	if a, ok := w.asked[sk.Port]; ok {
		return a
	}
	z := b.zones.Origins[i]
	o := reach.Origin{Iif: z.Index, Local: z.Local, From: z.From, Except: z.Except}
	if len(w.asked) >= sweepFrom && w.wide == nil {
		w.wide = b.model.Sweep(o, sk, v4)
	}
	if w.wide != nil {
		return w.wide.Port(sk.Port)
	}
	a := b.model.Socket(o, sk, v4)
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
	host := b.snap.Network.HostNetns()
	index := map[string]int{}
	b.doc.Services = []DocService{}
	for i := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[i]
		if sk.Proto != "tcp" && sk.Proto != "udp" && sk.Proto != "udplite" && sk.Proto != "sctp" {
			continue
		}
		svc := b.service(sk)
		if sk.Netns != host {
			b.exposeForeign(sk, &svc)
			continue
		}
		if _, ok := index[svc.Key]; ok {
			continue // SO_REUSEPORT: one more socket of the same service
		}
		index[svc.Key] = len(b.doc.Services)
		b.expose(sk, &svc)
		b.doc.Services = append(b.doc.Services, svc)
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
	svc.Class = b.class(sk, &svc)
	for _, t := range b.snap.Runtimes.TLS {
		for _, o := range sk.Owners {
			if o.PID == t.PID && t.Verify.State == snapshot.Present {
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
	case sk.Proto == "tcp" && (slices.Contains(winrmPorts, sk.Port) || strings.HasPrefix(svc.Owner, "omi")):
		return "winrm"
	case slices.Contains(ipmiPorts, sk.Port):
		return "ipmi"
	case sk.Proto == "tcp" && (slices.Contains(runtimePrograms, svc.Owner) || runtimePorts[sk.Port] != ""):
		return "runtime-api"
	}
	return "other"
}

// expose asks for every origin and family, and joins the answers of a zone: reachable if any is,
// unknown if any is not known, else unreachable.
func (b *builder) expose(sk *snapshot.Socket, svc *DocService) {
	for i, o := range b.zones.Origins {
		for _, v4 := range families(sk) {
			a := b.ask(i, sk, v4)
			origin := o.Interface
			if o.Local {
				origin = "local"
			}
			e := finding.Exposure{
				Service: b.publicService(sk, svc), Zone: o.Zone, Origin: origin, Family: familyName[v4],
				Verdict: a.Verdict, StoppedBy: causes(a.StoppedBy), Because: causes(a.Because),
			}
			if a.Witness != nil {
				e.Witness = "in " + a.Witness.In + " " + a.Witness.String()
			}
			b.exposures = append(b.exposures, e)
			svc.Reach[o.Zone] = join(svc.Reach[o.Zone], DocReach{
				Verdict: e.Verdict, Origin: origin, Local: o.Local, Witness: e.Witness,
				Because: causeTexts(e.Because), StoppedBy: causeTexts(e.StoppedBy), Restricted: a.Restricted,
			})
		}
	}
}

var verdictRank = map[string]int{"": 0, reach.Unreachable: 1, reach.Unknown: 2, reach.Reachable: 3}

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

func (b *builder) netnsName(inode uint64) string {
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

// exposeForeign is for a socket of another network namespace: on loopback there it is out of reach
// from outside; else its own filter and routes decide, and those are not read.
func (b *builder) exposeForeign(sk *snapshot.Socket, svc *DocService) {
	verdict, text := reach.Unknown, "the packet filter of its network namespace is not read"
	if svc.Loopback {
		verdict, text = reach.Unreachable, "loopback of another network namespace"
	}
	for _, o := range b.zones.Origins {
		origin := o.Interface
		if o.Local {
			origin = "local"
		}
		e := finding.Exposure{
			Service: b.publicService(sk, svc), Zone: o.Zone, Origin: origin, Family: "ipv4", Verdict: verdict,
		}
		if sk.Family == 6 {
			e.Family = "ipv6"
		}
		if verdict == reach.Unknown {
			e.Because = []finding.Cause{{Text: text}}
		} else {
			e.StoppedBy = []finding.Cause{{Text: text}}
		}
		b.exposures = append(b.exposures, e)
		svc.Reach[o.Zone] = join(svc.Reach[o.Zone], DocReach{
			Verdict: verdict, Origin: origin, Local: o.Local, Because: causeTexts(e.Because),
			StoppedBy: causeTexts(e.StoppedBy),
		})
	}
}

func (b *builder) interfaces() {
	b.doc.Interfaces = []DocInterface{}
	for _, i := range b.zones.Interfaces {
		l := b.snap.Network.Link(i.Index)
		b.doc.Interfaces = append(b.doc.Interfaces, DocInterface{
			Name: i.Name, Zone: i.Zone, Reason: i.Reason, Inert: i.Inert || i.Port,
			Addrs: orEmpty(l.Addrs), XDP: l.XDP, TC: orEmpty(l.TC),
		})
	}
	b.doc.Shared = []DocShared{}
	var management []string
	for i := range b.doc.Services {
		s := &b.doc.Services[i]
		if s.Class == "ssh" || s.Class == "winrm" || s.Class == "ipmi" {
			if !s.Loopback {
				management = append(management, s.Key)
			}
		}
	}
	for _, name := range b.zones.Shared {
		d := DocShared{Name: name, Zones: []string{}, Services: orEmpty(management)}
		for _, o := range b.zones.Origins {
			if o.Interface == name && !slices.Contains(d.Zones, o.Zone) {
				d.Zones = append(d.Zones, o.Zone)
			}
		}
		slices.Sort(d.Zones)
		b.doc.Shared = append(b.doc.Shared, d)
	}
	// A cloud machine with one network card: its administrators come in with everybody else.
	hasManagement := slices.ContainsFunc(b.zones.Origins, func(o zones.Origin) bool {
		return o.Zone == zones.Management
	})
	if hasManagement || len(management) == 0 {
		return
	}
	for _, o := range b.zones.Origins {
		if o.Zone == zones.External && !o.Local {
			b.doc.Shared = append(b.doc.Shared, DocShared{
				Name: o.Interface, Zones: []string{zones.External, zones.Management}, Services: management,
			})
			return
		}
	}
}

// unnamed is a port that no service uses (IANA: 47 is reserved): what becomes of it is what becomes
// of packets that no rule names.
const unnamed = 47

func (b *builder) forwards() {
	b.doc.Forwards = []DocForward{}
	for _, from := range b.zones.Origins {
		if from.Local {
			continue
		}
		for _, to := range b.zones.Interfaces {
			if to.Inert || to.Port || to.Zone == zones.Host || to.Index == from.Index {
				continue
			}
			toZone := to.Zone
			if toZone == zones.Unclassified {
				toZone = zones.External
			}
			for _, v4 := range []bool{true, false} {
				o := reach.Origin{Iif: from.Index, From: from.From, Except: from.Except}
				any := b.model.Forward(o, to.Index, "tcp", 0, v4)
				f := DocForward{
					From: from.Interface, FromZone: from.Zone, To: to.Name, ToZone: toZone,
					Family: familyName[v4], Any: docReach(any, from.Interface),
					Default: docReach(b.model.Forward(o, to.Index, "tcp", unnamed, v4), from.Interface),
				}
				b.doc.Forwards = append(b.doc.Forwards, f)
			}
		}
	}
}

func docReach(a reach.Answer, origin string) DocReach {
	r := DocReach{
		Verdict: a.Verdict, Origin: origin, Because: causeTexts(causes(a.Because)),
		StoppedBy: causeTexts(causes(a.StoppedBy)), Restricted: a.Restricted,
	}
	if a.Witness != nil {
		r.Witness = "in " + a.Witness.In + " " + a.Witness.String()
	}
	return r
}

func (b *builder) firewall() {
	f := DocFirewall{
		InputChains: []string{}, Families: []string{}, Input: []DocInput{}, Legacy: []string{}, Programs: []string{},
	}
	if rs := b.snap.NFTables.Ruleset; rs != nil {
		covers := map[string]bool{}
		for i := range rs.Tables {
			t := &rs.Tables[i]
			for _, c := range t.Chains {
				if t.Dormant || c.Base == nil || c.Base.Hook != "input" || c.Base.Type != "filter" ||
					c.Base.Policy == ruleset.Accept && len(c.Rules) == 0 {
					continue
				}
				f.InputChains = append(f.InputChains, t.Family+" "+t.Name+"/"+c.Name)
				covers["ipv4"] = covers["ipv4"] || t.Family == ruleset.FamilyIP || t.Family == ruleset.FamilyInet
				covers["ipv6"] = covers["ipv6"] || t.Family == ruleset.FamilyIP6 || t.Family == ruleset.FamilyInet
			}
		}
		for _, fam := range []string{"ipv4", "ipv6"} {
			if covers[fam] {
				f.Families = append(f.Families, fam)
			}
		}
	}
	for _, k := range []string{"iptables", "ip6tables", "arptables", "ebtables"} {
		if v := b.snap.NFTables.Legacy[k].Value; v != "" {
			f.Legacy = append(f.Legacy, k+": "+v)
		}
	}
	for _, l := range b.snap.Network.Links {
		if l.XDP {
			f.Programs = append(f.Programs, "XDP program on "+l.Name)
		}
		if len(l.TC) > 0 {
			f.Programs = append(f.Programs, "traffic control on "+l.Name+": "+strings.Join(l.TC, ", "))
		}
		for _, a := range l.Addrs {
			p, err := netip.ParsePrefix(a)
			f.IPv6 = f.IPv6 || err == nil && p.Addr().Is6() && !l.Loopback && l.Up
		}
	}
	for i, o := range b.zones.Origins {
		if o.Local {
			continue
		}
		for _, sk := range []snapshot.Socket{
			{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: unnamed},
			{Proto: "tcp", Family: 6, Addr: "::", Port: unnamed, V6Only: true},
		} {
			a := b.ask(i, &sk, sk.Family == 4)
			f.Input = append(f.Input, DocInput{
				Zone: o.Zone, Origin: o.Interface, Family: familyName[sk.Family == 4],
				Reach: docReach(a, o.Interface),
			})
		}
	}
	b.doc.Firewall = f
}

func (b *builder) ssh() {
	b.doc.SSH = DocSSH{Servers: orEmpty(b.snap.SSH.Servers), Contexts: []DocSSHContext{}}
	for _, c := range b.snap.SSH.Configs {
		for _, ctx := range c.Contexts {
			get := func(k string) string { return strings.ToLower(strings.Join(ctx.Settings[k], " ")) }
			b.doc.SSH.Contexts = append(b.doc.SSH.Contexts, DocSSHContext{
				Config: c.Path, Source: c.Source, Match: ctx.Match,
				Settings: DocSSHSettings{
					PermitRootLogin: get("permitrootlogin"), Password: get("passwordauthentication"),
					Keyboard: get("kbdinteractiveauthentication"), Empty: get("permitemptypasswords"),
					UsePAM: get("usepam"), Methods: get("authenticationmethods"),
				},
			})
		}
	}
}

func (b *builder) sysctls() {
	b.doc.Sysctls = map[string]DocSetting{}
	for _, set := range []map[string]snapshot.Fact{b.snap.Kernel.Sysctls, b.snap.Network.Sysctls} {
		for k, f := range set {
			b.doc.Sysctls[strings.ReplaceAll(k, "/", ".")] = DocSetting{f.State, f.Value}
		}
	}
}

func sortBy[T any](list []T, key func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}
