package judge

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// builder makes the document of one snapshot.
type builder struct {
	bridgePorts map[int][]int // see portsOf

	snap       *snapshot.Snapshot
	zones      *zones.Map
	asker      *exposure.Asker
	win        *exposure.Windows // of a Windows host
	byPID      map[int]*snapshot.Process
	agents     map[int]*snapshot.Agent
	containers map[string]*snapshot.Container // by id
	threads    map[int][]*snapshot.Process    // that are listed apart, by their process
	doc        *Document

	exposures  [][]finding.Exposure // of each socket
	byService  map[int]*DocService  // of each socket that is asked about
	netnsNames map[uint64]string
	netnsOf    map[uint64]string              // containers that have network namespaces to themselves, see alone
	inside     map[string][]*snapshot.Process // by container, once somebody asked
	owners     map[uint64]string              // of network namespaces
	unasked    []bool                         // of each socket: it is beyond the share of whose it is
	gaps       map[string][]string            // by part of a section, why it is not judged as a whole
}

// build asks everything. What it does not get to before ctx ends is unknown.
func build(ctx context.Context, s *snapshot.Snapshot, cfg zones.Config) *builder {
	b := newBuilder(ctx, s, cfg, exposure.Limits{})
	if s.OnWindows() {
		b.windows()
		return b
	}
	b.services()
	b.interfaces()
	b.forwards()
	b.firewall()
	b.published()
	b.shadowed()
	b.bridges()
	b.untracked()
	b.lost()
	b.ssh()
	b.runtimes()
	b.workloads()
	b.beside()
	b.abstract()
	b.agentList()
	b.memory()
	b.paths()
	b.programs()
	b.agentFacts()
	b.daemons()
	b.sysctls()
	b.system()
	b.floors()
	b.persisted()
	b.metadata()
	b.bmcWays()
	b.managed()
	return b
}

func newBuilder(ctx context.Context, s *snapshot.Snapshot, cfg zones.Config, limits exposure.Limits) *builder {
	b := &builder{
		snap: s, zones: zones.Classify(s, cfg), byService: map[int]*DocService{},
		byPID: map[int]*snapshot.Process{}, agents: map[int]*snapshot.Agent{}, containers: map[string]*snapshot.Container{}, threads: map[int][]*snapshot.Process{},
		owners: map[uint64]string{}, gaps: map[string][]string{}, netnsNames: map[uint64]string{}, netnsOf: map[uint64]string{},
	}
	b.asker = exposure.New(ctx, s, limits, b.netnsName)
	for i := range s.Processes.List {
		b.byPID[s.Processes.List[i].PID] = &s.Processes.List[i]
	}
	for i := range s.Runtimes.Containers {
		b.containers[s.Runtimes.Containers[i].ID] = &s.Runtimes.Containers[i]
	}
	for i := range s.Agents.Instances {
		b.agents[s.Agents.Instances[i].PID] = &s.Agents.Instances[i]
	}
	for i := range s.Processes.List {
		p := &s.Processes.List[i]
		if p.Leader != 0 {
			b.threads[p.Leader] = append(b.threads[p.Leader], p)
		}
		if p.Leader != 0 && b.agents[p.Leader] != nil {
			b.agents[p.PID] = b.agents[p.Leader]
		}
	}
	b.doc = &Document{
		Host: s.Host, Coverage: s.Coverage, IPMI: s.IPMI, WinRM: s.WinRM,
		Containers: orEmpty(s.Runtimes.Containers), Kernel: s.Kernel,
	}
	return b
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func where(c packet.Cause) finding.Cause {
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

// conditions are those of an answer.
func conditions(list []packet.Condition) []finding.Condition {
	var out []finding.Condition
	for _, c := range list {
		out = append(out, finding.Condition{Where: where(packet.Cause{Where: c.Where}).Where, Text: c.Text, State: string(c.State)})
	}
	return out
}

// causes keeps the first few: a list of hundreds of rules tells nobody anything.
func causes(list []packet.Cause) []finding.Cause {
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
			if !s.Loopback && s.Namespace == "" {
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

func (b *builder) reach(a *exposure.Answer, origin string) DocReach {
	r := DocReach{
		Verdict: a.Verdict, Origin: origin, Because: causeTexts(causes(a.Because)),
		StoppedBy: causeTexts(causes(a.StoppedBy)), Restricted: a.Restricted,
	}
	if a.Witness != nil {
		r.Witness = "in " + a.Witness.In + " " + a.Witness.String()
		b.doc.condition(r.Witness, conditions(a.If))
	}
	return r
}

func (b *builder) firewall() {
	f := DocFirewall{
		InputChains: []string{}, Families: []string{}, Input: []DocInput{}, Legacy: []string{}, Programs: []string{}, Beside: []string{},
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
		v := b.snap.NFTables.Legacy[k].Value
		if k == "iptables" || k == "ip6tables" {
			v = strings.Join(b.snap.NFTables.UnreadLegacy(k), " ")
		}
		if v != "" {
			f.Legacy = append(f.Legacy, k+": "+v)
		}
	}
	for i := range b.snap.Network.Programs {
		if p := &b.snap.Network.Programs[i]; p.Kind == snapshot.ProgramNetfilter && p.Unread == "" {
			f.Beside = append(f.Beside, fmt.Sprintf("the program %s at %s", p, cmp.Or(p.Hook, "a hook of netfilter")))
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
	for _, o := range b.zones.Origins {
		if o.Local {
			continue
		}
		for _, v4 := range []bool{true, false} {
			a := b.asker.Ask(&reach.Question{
				From: []packet.Origin{o.Origin}, Proto: "tcp", Dport: unnamed, To: reach.Target{Host: true}, Unbound: true,
				Family: map[bool]int{true: 4, false: 6}[v4],
			})
			f.Input = append(f.Input, DocInput{Zone: o.Zone, Origin: o.Interface, Family: familyName[v4], Reach: b.reach(&a, o.Interface)})
		}
	}
	b.doc.Firewall = f
}

func (b *builder) sysctls() {
	b.doc.CommandLine, b.doc.Processor = b.snap.Kernel.Facts["cmdline"], b.snap.Kernel.Vulns
	b.doc.Sysctls = map[string]DocSetting{}
	for _, set := range []map[string]snapshot.Fact{b.snap.Kernel.Sysctls, b.snap.Network.Sysctls} {
		for k, f := range set {
			b.doc.Sysctls[strings.ReplaceAll(k, "/", ".")] = DocSetting{string(f.State), f.Value}
		}
	}
}

// system hands on what was seen of secrets, accounts, consoles, the clock and the boot.
func (b *builder) system() {
	sys := &b.snap.System
	b.doc.Secrets, b.doc.Open, b.doc.Consoles = orEmpty(sys.Readable), orEmpty(sys.Accounts), orEmpty(sys.Consoles)
	b.doc.Clock = DocClock{State: string(sys.Clock.Synchronised.State), Right: sys.Clock.Synchronised.Value == "yes", Services: orEmpty(sys.Clock.Services)}
	b.doc.Firewalls = DocBoot{State: string(sys.FirewallsRead.State), Enabled: []string{}, Off: []string{}}
	for _, f := range sys.Firewalls {
		if f.Enabled {
			b.doc.Firewalls.Enabled = append(b.doc.Firewalls.Enabled, f.Name)
		} else {
			b.doc.Firewalls.Off = append(b.doc.Firewalls.Off, f.Name)
		}
	}
}

func sortBy[T any](list []T, key func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}
