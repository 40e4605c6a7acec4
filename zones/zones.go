// Package zones says which trust zone an interface, an address or a process belongs to, and why.
//
// The zones are management, runtime (daemons and agents of the host), workload (containers,
// sandboxes, machines, code that agents run), external (what else arrives from a network) and host
// (loopback). Where nothing explains an interface it is unclassified and counts as external.
package zones

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/words"
)

// The zones.
const (
	Management   = "management"
	Runtime      = "runtime"
	Workload     = "workload"
	External     = "external"
	Host         = "host"
	Unclassified = "unclassified"
)

// Zone is what the configuration says of one zone.
type Zone struct {
	Interfaces []string       `json:"interfaces,omitempty"` // names; * stands for any text
	Prefixes   []netip.Prefix `json:"prefixes,omitempty"`   // networks
	Processes  []Program      `json:"processes,omitempty"`  // programs that count as of the zone
	Units      []string       `json:"units,omitempty"`      // names; * stands for any text
}

// Program selects processes by the path of their program.
type Program struct {
	Exe string `json:"exe"` // path of the program
}

// Config overrides the classification, by zone.
type Config map[string]Zone

// Validate refuses zones that do not exist and patterns that are malformed.
func (c Config) Validate() error {
	for name, z := range c {
		if list := []string{Management, Runtime, Workload, External}; !slices.Contains(list, name) {
			return fmt.Errorf("zone %q: %w", name, words.Wrong(name, list))
		}
		for _, p := range append(slices.Clone(z.Interfaces), z.Units...) {
			if _, err := path.Match(p, ""); err != nil {
				return fmt.Errorf("zone %s: pattern %q: %w", name, p, err)
			}
		}
	}
	return nil
}

// Interface is a classified interface.
type Interface struct {
	Name   string `json:"name"`   // as the system has it
	Index  int    `json:"-"`      // as the kernel numbers it
	Zone   string `json:"zone"`   // management, runtime, workload, external, host or unclassified
	Reason string `json:"reason"` // why it is of that zone, in words
	// Inert has no address, no route and no port: no packet for the host comes in here.
	Inert bool `json:"inert,omitempty"`
	// Port of a bridge: packets come in on its master. It has the zone of the bridge, unless the configuration
	// gives it another one.
	Port bool `json:"port,omitempty"`
	// Assumed says that it is of the management zone by what it is alone: nobody is seen to come in by it.
	Assumed bool `json:"assumed,omitempty"`
	// Network is the network of workloads that the interface is a part of with others, "" where it is one of its own.
	Network string `json:"network,omitempty"`
	via     int    // the bridge of a port with a zone of its own

	configured bool // the configuration names the interface
}

// Origin is a place that packets of a zone come from.
type Origin struct {
	Zone      string `json:"zone"`                // management, runtime, workload or external
	Interface string `json:"interface,omitempty"` // empty: processes on the host
	packet.Origin
	Reason string `json:"reason"` // why packets from there are of that zone, in words
	// Bounded says that the zone is only some addresses of its interface: those that the configuration names, or pods of
	// other nodes.
	Bounded bool `json:"bounded,omitempty"`
	// Assumed and Network are those of the interface.
	Assumed bool   `json:"assumed,omitempty"`
	Network string `json:"network,omitempty"` // that the packets come from, as of the interface; empty is none with a name
	// Maybe are sources that may be behind the interface besides, where its routes were not told.
	Maybe []netip.Prefix `json:"maybe,omitempty"`
}

// Whole is the origin with those sources that may be behind its interface.
func (o *Origin) Whole() packet.Origin {
	p := o.Origin
	p.From = slices.Concat(p.From, o.Maybe)
	return p
}

// Map is the classification of one host.
type Map struct {
	Interfaces []Interface
	Origins    []Origin
	// Shared names the interfaces on which only an address separates two zones.
	Shared []string

	cfg    Config
	snap   *snapshot.Snapshot
	inits  map[uint64]string // mount namespace of a container -> its id
	routed map[int]*behind

	byPID  map[int]*snapshot.Process
	agents map[int]*snapshot.Agent
}

var (
	workloadName = regexp.MustCompile(`^(docker\d+|br-[0-9a-f]{12}|docker_gwbridge|podman\d+|` +
		`cni-podman\d+|nerdctl\d+|lxcbr\d+|lxdbr\d+|incusbr\d+|virbr\d+|crio\d*|` +
		`vnet\d+|tap.*|ve-.*|vb-.*|fwbr.*|fwln.*|fwpr.*)$`)
	managementName = regexp.MustCompile(`^(mgmt|mgt|oob|ipmi|bmc|idrac|ilo)[-_.]?\d*$`)
	vpnName        = regexp.MustCompile(`^(tailscale\d+|wg\d+|zt.*|nebula.*)$`)
	usbDrivers     = []string{"cdc_ether", "rndis_host", "cdc_ncm"}
)

// Classify assigns every interface of the snapshot to a zone.
func Classify(s *snapshot.Snapshot, cfg Config) *Map {
	m := &Map{
		cfg: cfg, snap: s, inits: containerMounts(s), byPID: map[int]*snapshot.Process{}, agents: map[int]*snapshot.Agent{},
	}
	for i := range s.Processes.List {
		m.byPID[s.Processes.List[i].PID] = &s.Processes.List[i]
	}
	for i := range s.Agents.Instances {
		m.agents[s.Agents.Instances[i].PID] = &s.Agents.Instances[i]
	}
	if s.OnWindows() {
		m.windows()
		return m
	}
	m.routed = m.connected()
	for i := range s.Network.Links {
		m.Interfaces = append(m.Interfaces, m.link(&s.Network.Links[i], 0))
	}
	m.pods()
	m.origins()
	return m
}

func (m *Map) link(l *snapshot.Link, depth int) Interface {
	i := Interface{Name: l.Name, Index: l.Index}
	i.Zone, i.Reason, i.configured = m.zoneOf(l)
	if master := m.snap.Network.BridgeOf(l); master != nil && depth < 8 {
		up := m.link(master, depth+1)
		if i.configured && i.Zone != up.Zone {
			i.Reason, i.via = "port of "+master.Name+", "+i.Reason, master.Index
			return i
		}
		i.Zone, i.Reason, i.Port = up.Zone, "port of "+master.Name+": "+up.Reason, true
		i.Assumed = up.Assumed
		return i
	}
	i.Assumed = i.Zone == Management && !i.configured && !m.entered(l, anybody)
	i.Inert = !l.Loopback && !i.Port && (len(l.Addrs) == 0 && !m.leadsOn(l) || !l.Up)
	return i
}

// zoneOf applies the rules in order of decreasing trust: configuration, loopback, a name given for
// management, the default route, the kind and name, and at last the addresses.
func (m *Map) zoneOf(l *snapshot.Link) (zone, reason string, configured bool) {
	for _, name := range []string{Management, Runtime, Workload, External} {
		for _, p := range m.cfg[name].Interfaces {
			if ok, _ := path.Match(p, l.Name); ok {
				return name, "configured: " + p, true
			}
		}
	}
	zone, reason = m.recognised(l)
	return zone, reason, false
}

// recognised is the zone of an interface that the configuration does not name.
func (m *Map) recognised(l *snapshot.Link) (zone, reason string) {
	switch {
	case l.Loopback:
		return Host, "loopback"
	case slices.Contains(usbDrivers, l.Driver) && m.linkLocal(l):
		return Management, "USB network of a BMC (driver " + l.Driver + ")"
	case managementName.MatchString(l.Name):
		return Management, "named for management"
	case l.Kind == "vrf" && managementName.MatchString(strings.TrimPrefix(l.Name, "vrf-")):
		return Management, "VRF named for management"
	case OfWorkloads(l.Name) && !m.endsVPN(l):
		return Workload, "name of a container or machine network"
	case m.byTunnel(l):
		return Management, "private network by which somebody is logged in over SSH"
	case m.defaultRoute(l.Index): // also of a VPN that carries everything: the internet is behind it
		return External, "has a default route"
	case vpn(l):
		return Management, "private network (an assumption: configure it if workloads use it)"
	case (l.Kind == "veth" || l.Kind == "netkit") && l.PeerNetns != m.snap.Network.HostNetns() && !uplink(l):
		return Workload, l.Kind + " into another network namespace"
	case m.bridgesWorkloads(l):
		return Workload, "bridge of other network namespaces or machines"
	case m.global(l):
		return External, "has a public address"
	case len(l.Addrs) == 0 || !l.Up:
		return External, "no address, or down"
	}
	return Unclassified, "nothing explains it; counted as external"
}

// bridgesWorkloads says of a bridge, however it is named, that each of its ports leads to a container or a machine: a pair into another network
// namespace, or a TAP whose other end is no VPN's.
func (m *Map) bridgesWorkloads(l *snapshot.Link) bool {
	if l.Kind != "bridge" {
		return false
	}
	ports := 0
	for i := range m.snap.Network.Links {
		p := &m.snap.Network.Links[i]
		if p.Master != l.Index {
			continue
		}
		into := (p.Kind == "veth" || p.Kind == "netkit") && p.PeerNetns != m.snap.Network.HostNetns() && !nicName.MatchString(p.Name) || p.Kind == "tun" && !m.endsVPN(p)
		if !into || managementName.MatchString(p.Name) {
			return false
		}
		ports++
	}
	return ports > 0
}

func (m *Map) linkLocal(l *snapshot.Link) bool {
	for _, a := range l.Addrs {
		if p, err := netip.ParsePrefix(a); err == nil && p.Addr().Is4() {
			if p.Addr().IsLinkLocalUnicast() || strings.HasPrefix(a, "16.1.15.") {
				return true
			}
		}
	}
	return false
}

func (m *Map) defaultRoute(index int) bool {
	for _, r := range m.snap.Network.Routes {
		if (r.Dst == "0.0.0.0/0" || r.Dst == "::/0") && r.Type == "unicast" && slices.Contains(r.Oifs, index) {
			return true
		}
	}
	return false
}

func (m *Map) global(l *snapshot.Link) bool {
	for _, a := range l.Addrs {
		if p, err := netip.ParsePrefix(a); err == nil && p.Addr().IsGlobalUnicast() && !p.Addr().IsPrivate() {
			return true
		}
	}
	return false
}

// behind is the prefixes that are routed out of an interface, the default route apart.
type behind struct {
	prefixes  []netip.Prefix
	byDefault bool
}

// connected is what is behind each interface.
func (m *Map) connected() map[int]*behind {
	type at struct {
		oif    int
		prefix netip.Prefix
	}
	all, seen := map[int]*behind{}, map[at]bool{}
	for _, r := range m.snap.Network.Routes {
		if r.Type != "unicast" {
			continue
		}
		p, err := netip.ParsePrefix(r.Dst)
		if err != nil {
			continue
		}
		for _, oif := range r.Oifs {
			if seen[at{oif, p}] {
				continue
			}
			seen[at{oif, p}] = true
			b := all[oif]
			if b == nil {
				b = new(behind)
				all[oif] = b
			}
			if p.Bits() == 0 {
				b.byDefault = true
			} else {
				b.prefixes = append(b.prefixes, p)
			}
		}
	}
	return all
}

// origins lists where packets of each zone come from. A prefix that the configuration gives to a
// zone is taken out of the zone of the interface that it is behind.
func (m *Map) origins() {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	apartFrom, shared := m.ports()
	routed := m.routed
	for _, i := range m.Interfaces {
		apart := apartFrom[i.Index]
		if i.Inert || i.Port || i.Zone == Host || len(apart) > 0 && !shared[i.Index] {
			continue
		}
		zone := i.Zone
		if zone == Unclassified {
			zone = External
		}
		by := i.Index
		if i.via != 0 {
			by = i.via
		}
		own := cmp.Or(routed[by], new(behind))
		o := Origin{
			Zone: zone, Interface: i.Name, Reason: i.Reason, Assumed: i.Assumed, Network: i.Network,
			Origin: packet.Origin{Index: i.Index, From: slices.Clip(own.prefixes), Apart: apart},
		}
		if own.byDefault {
			o.From = all
			for _, other := range m.Interfaces {
				if b := routed[other.Index]; b != nil && other.Index != by && !other.Inert {
					o.Except = append(o.Except, withoutLinkLocal(b.prefixes)...)
				}
			}
		}
		for _, name := range []string{Management, Runtime, Workload, External} {
			m.split(&o, name, m.cfg[name].Prefixes, "", "configured prefixes behind "+i.Name)
		}
		if i.Network != Pods {
			m.split(&o, Workload, m.otherNodes(&i), Pods, "pods of other nodes behind "+i.Name)
		}
		m.Origins = append(m.Origins, o)
	}
	m.local()
}

// split gives those of some prefixes that are behind an interface to another zone.
func (m *Map) split(o *Origin, zone string, prefixes []netip.Prefix, network, reason string) {
	var split []netip.Prefix
	for _, p := range prefixes {
		if (zone != o.Zone || network != "") && slices.ContainsFunc(o.From, func(q netip.Prefix) bool { return q.Overlaps(p) }) &&
			!slices.ContainsFunc(o.Except, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Overlaps(p) }) {
			split = append(split, p)
		}
	}
	if len(split) == 0 {
		return
	}
	o.Except = append(o.Except, split...)
	if network == "" { // of a cluster that is how it is built
		m.Shared = append(m.Shared, o.Interface)
	}
	m.Origins = append(m.Origins, Origin{
		Zone: zone, Interface: o.Interface, Reason: reason, Bounded: true, Network: network,
		Origin: packet.Origin{Index: o.Index, From: split, Apart: o.Apart},
	})
}

// ports are by bridge the ports that have a zone of their own, and whether a port has the bridge's: who is behind the
// others is of theirs.
func (m *Map) ports() (apart map[int][]int, shared map[int]bool) {
	apart, shared = map[int][]int{}, map[int]bool{}
	for _, i := range m.Interfaces {
		if i.via != 0 {
			apart[i.via] = append(apart[i.via], i.Index)
		}
		if i.Port {
			shared[m.snap.Network.Link(i.Index).Master] = true
		}
	}
	return apart, shared
}

func withoutLinkLocal(ps []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(ps), func(p netip.Prefix) bool {
		return p.Addr().IsLinkLocalUnicast()
	})
}

// local adds the processes of the workload zone that are in the host's network namespace: they
// reach loopback.
func (m *Map) local() {
	host := m.snap.Network.HostNetns()
	var who []string
	for i := range m.snap.Processes.List {
		p := &m.snap.Processes.List[i]
		if p.NS.Net != host || host == 0 {
			continue
		}
		if zone, why := m.Process(p); zone == Workload {
			name := p.Comm
			if id := m.Container(p); id != "" {
				name = m.called(id)
			}
			who = append(who, name+" ("+why+")")
		}
	}
	if len(who) == 0 {
		return
	}
	slices.Sort(who)
	who = slices.Compact(who)
	reason := strings.Join(who[:min(len(who), 4)], ", ")
	if len(who) > 4 {
		reason += fmt.Sprintf(" and %d more", len(who)-4)
	}
	m.Origins = append(m.Origins, Origin{
		Zone: Workload, Origin: packet.Origin{Local: true}, Reason: "runs in the host's network namespace: " + reason,
	})
}

// called is a container by the name that people know it by.
func (m *Map) called(id string) string {
	name := ""
	if i := slices.IndexFunc(m.snap.Runtimes.Containers, func(c snapshot.Container) bool { return c.ID == id }); i >= 0 {
		name = m.snap.Runtimes.Containers[i].Name
	}
	return "container " + snapshot.ContainerName(id, name)
}

// Senders are the ids and cgroups of the processes of a zone, or of the whole host, in the host's own network namespace, and whether one of them can take on others.
func (m *Map) Senders(zone string) (list []packet.Sender, anybody bool) {
	return m.SendersOf(func(p *snapshot.Process) bool {
		of, _ := m.Process(p)
		return of == zone || zone == Host
	})
}

// SendersOf are the ids of the processes in the host's own network namespace that are meant, and whether one of them can take on others. Of more
// than are told apart the list is empty.
func (m *Map) SendersOf(meant func(*snapshot.Process) bool) (list []packet.Sender, anybody bool) {
	const setuid = 1 << 7 // CAP_SETUID
	host := m.snap.Network.HostNetns()
	for i := range m.snap.Processes.List {
		p := &m.snap.Processes.List[i]
		if p.NS.Net != host || host == 0 || p.UID < 0 || p.GID < 0 || !meant(p) {
			continue
		}
		caps, err := strconv.ParseUint(p.CapEff, 16, 64)
		anybody = anybody || p.UID == 0 || err != nil || caps&setuid != 0
		by := packet.Sender{UID: uint32(p.UID), GID: uint32(p.GID)}
		if m.byCgroup() {
			by.Cgroup = p.CgroupV2()
		}
		if !slices.Contains(list, by) {
			list = append(list, by)
		}
	}
	if len(list) > maxSenders {
		return nil, true
	}
	return list, anybody
}

// byCgroup says whether the cgroup of a process matters for what it sends: rules or programs go by it.
func (m *Map) byCgroup() bool {
	return m.snap.NFTables.Ruleset.AsksForCgroups() || slices.ContainsFunc(m.snap.Listeners.Cgroups, func(c snapshot.Cgroup) bool {
		return len(c.Sends)+len(c.Steers) > 0
	})
}

// Askers say by what of the process that sends it is gone: its ids, by rules of the packet filter or of routing; its cgroup, by rules, or by programs
// too.
func (m *Map) Askers() (ids, cgroup, programs bool) {
	ids = m.snap.NFTables.Ruleset.AsksForSenders() || slices.ContainsFunc(m.snap.Network.Rules, func(r snapshot.PolicyRule) bool { return r.UIDs != nil })
	return ids, m.snap.NFTables.Ruleset.AsksForCgroups(), m.byCgroup()
}

// maxSenders bounds the processes of a zone that are told apart.
const maxSenders = 32

func containerMounts(s *snapshot.Snapshot) map[uint64]string {
	byPID := map[int]*snapshot.Process{}
	for i := range s.Processes.List {
		byPID[s.Processes.List[i].PID] = &s.Processes.List[i]
	}
	m := map[uint64]string{}
	for _, c := range s.Runtimes.Containers {
		if p := byPID[c.PID]; p != nil && p.NS.Mnt != 0 && p.NS.Mnt != s.Processes.Init.Mnt {
			m[p.NS.Mnt] = c.ID
		}
	}
	return m
}

// Container is the id of the container that a process is in, "" where it is in none.
func (m *Map) Container(p *snapshot.Process) string {
	if p.Container != "" {
		return p.Container
	}
	return m.inits[p.NS.Mnt]
}

// Process says which zone a process is in. The host's own processes are in zone host; what runs in
// a container, a sandbox (another pid or user namespace) or is an agent with a shell is workload.
func (m *Map) Process(p *snapshot.Process) (zone, reason string) {
	for _, name := range []string{Management, Runtime, External, Workload} {
		for _, sel := range m.cfg[name].Processes {
			if sel.Exe == p.Exe && (name == Workload || p.ExeWord.Trusted() || p.ExeWord == (snapshot.Word{}) && p.NS.Mnt == m.snap.Processes.Init.Mnt) {
				return name, "configured: " + sel.Exe
			}
		}
		for _, u := range m.cfg[name].Units {
			if ok, _ := path.Match(u, p.Unit); ok {
				return name, "configured: " + u
			}
			// What a user calls a unit of its own can add to what it is held back from, and to nothing else.
			if ok, _ := path.Match(u, p.UserUnit); ok && name == Workload {
				return name, "configured: " + u
			}
		}
	}
	if id := m.Container(p); id != "" {
		return Workload, "container " + short(id)
	}
	if a := m.AgentOf(p); a != nil {
		what := a.Title
		if a.PID != p.PID && a.PID != p.Leader {
			what = "started by " + a.Title
		}
		if a.Kind == "cli" || a.Kind == "gateway" || a.Kind == "browser" {
			if a.Config != nil && a.Config.Sandbox == "all" && len(a.Config.WeakAgents) == 0 {
				return Runtime, what + " with a sandbox for everything"
			}
			return Workload, what + " runs what a model writes"
		}
		return Runtime, what
	}
	return m.apart(p)
}

// apart is the zone of a process that is in no container and belongs to no agent. A namespace of its own makes no workload: services are
// hardened by it (systemd.exec(5), PrivateUsers=), desktop applications and browsers have sandboxes, and the helpers of a rootless
// runtime are in its user namespace. Other files than the host's and pids of its own do.
func (m *Map) apart(p *snapshot.Process) (zone, reason string) {
	init := m.snap.Processes.Init
	service := strings.HasSuffix(p.Unit, ".service") && p.UserUnit == ""
	switch {
	case init.PID != 0 && p.NS.PID != 0 && p.NS.PID != init.PID:
		if p.HostRoot && service {
			return Host, "a service with pids of its own"
		}
		if m.application(p) {
			return Host, "an application with a sandbox of its own"
		}
		return Workload, "another pid namespace"
	case init.User != 0 && p.NS.User != 0 && p.NS.User != init.User:
		return Host, "a process of the host with a user namespace of its own"
	}
	return Host, "a process of the host"
}

// applications are programs that put themselves, or what they start, into a sandbox.
var applications = regexp.MustCompile(`^(bwrap|flatpak|flatpak-portal|firejail|snap-confine|chrom.*|google-chrome.*|msedge|brave.*|opera|vivaldi.*|` +
	`firefox.*|electron.*|code|WebKit.*|epiphany.*|steam.*|pressure-vessel.*)$`)

// maxAncestors bounds how far up the processes above one are looked at.
const maxAncestors = 8

// application says of a process that it, or one above it, is an application's.
func (m *Map) application(p *snapshot.Process) bool {
	for n := 0; p != nil && n < maxAncestors; n++ {
		if applications.MatchString(path.Base(strings.TrimSuffix(p.Exe, " (deleted)"))) {
			return true
		}
		p = m.byPID[p.PPID]
	}
	return false
}

// AgentOf is the agent that a process is or that has started it, nil if there is none.
func (m *Map) AgentOf(p *snapshot.Process) *snapshot.Agent {
	for n := 0; p != nil && n < maxAncestors; n++ {
		if a := m.agents[p.PID]; a != nil {
			return a
		}
		if p.Leader != 0 && m.agents[p.Leader] != nil {
			return m.agents[p.Leader]
		}
		p = m.byPID[p.PPID]
	}
	return nil
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
