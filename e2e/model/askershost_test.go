//go:build linux

package model

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
	"github.com/ringfence/ringfence/zones"
)

var unreachable = reach.Answer{Verdict: packet.Unreachable}

// containerNetns is the namespace of a container that is not there but in the snapshot: no packet of the test needs it.
const containerNetns = 4_000_000_001

// withContainer is the host with a container behind the port vw1 of its bridge.
func withContainer(old *snapshot.Snapshot) *snapshot.Snapshot {
	s := *old
	s.Network.Links = slices.Clone(s.Network.Links)
	port := s.Network.LinkNamed("vw1")
	port.Kind, port.PeerIndex, port.PeerNetns = "veth", 2, containerNetns
	inside := snapshot.Network{
		Links: []snapshot.Link{
			{Index: 1, Name: "lo", Up: true, Loopback: true, Hardware: 772, Addrs: []string{"127.0.0.1/8", "::1/128"}},
			{
				Index: 2, Name: "eth0", Kind: "veth", Up: true, Hardware: 1, MAC: "02:42:ac:11:00:02", PeerIndex: port.Index,
				PeerNetns: s.Network.HostNetns(), Addrs: []string{"172.17.0.2/16", "fd17::2/64"},
			},
		},
		Sysctls: map[string]snapshot.Fact{},
	}
	for k, f := range s.Network.Sysctls {
		inside.Sysctls[k] = f
		if strings.Contains(k, "/mgmt0/") {
			inside.Sysctls[strings.Replace(k, "/mgmt0/", "/eth0/", 1)] = f
		}
	}
	inside.Routes = []snapshot.Route{
		{Family: 4, Table: 255, Type: "local", Dst: "127.0.0.0/8", Oifs: []int{1}},
		{Family: 4, Table: 255, Type: "local", Dst: "172.17.0.2/32", Oifs: []int{2}},
		{Family: 4, Table: 255, Type: "broadcast", Dst: "172.17.255.255/32", Oifs: []int{2}},
		{Family: 4, Table: 254, Type: "unicast", Dst: "172.17.0.0/16", Oifs: []int{2}},
		{Family: 4, Table: 254, Type: "unicast", Dst: "0.0.0.0/0", Oifs: []int{2}, Gateway: "172.17.0.1"},
		{Family: 6, Table: 255, Type: "local", Dst: "::1/128", Oifs: []int{1}},
		{Family: 6, Table: 255, Type: "local", Dst: "fd17::2/128", Oifs: []int{2}},
		{Family: 6, Table: 254, Type: "unicast", Dst: "fd17::/64", Oifs: []int{2}},
		{Family: 6, Table: 254, Type: "unicast", Dst: "::/0", Oifs: []int{2}, Gateway: "fd17::1"},
	}
	for _, family := range []int{4, 6} {
		for prio, table := range map[int]int{0: 255, 32766: 254} {
			inside.Rules = append(inside.Rules, snapshot.PolicyRule{Family: family, Priority: prio, Table: table, Action: "lookup"})
		}
	}
	s.Namespaces = []snapshot.Elsewhere{{Netns: containerNetns, Status: snapshot.OK, Network: inside, NFTables: snapshot.NFTables{Ruleset: &ruleset.Ruleset{Stable: true}}}}
	s.Listeners.Sockets = append(slices.Clone(s.Listeners.Sockets),
		snapshot.Socket{Netns: containerNetns, Proto: "tcp", Family: 6, Addr: "::", Port: 8080, Inode: 1 << 40, OwnerState: "unknown"},
		snapshot.Socket{Netns: containerNetns, Proto: "udp", Family: 4, Addr: "172.17.0.2", Port: 53, Inode: 1<<40 + 1, OwnerState: "unknown"})
	return &s
}

// inContainer follows a packet that left the host on into the container. Where it is switched to the container, or goes
// elsewhere, the fate says so.
func (h *askedHost) inContainer(f *trace.Fate, witness string) trace.Fate {
	h.t.Helper()
	to, err := netip.ParseAddrPort(f.To)
	if err != nil || f.Fate != trace.Forward && f.Fate != trace.Output || f.Oif != "docker0" && f.Oif != "vw1" {
		return *f
	}
	p, err := packet.Parse("eth0", strings.SplitN(witness, " ", 3)[2])
	if err != nil {
		h.t.Fatalf("%s: witness %q: %v", h.name, witness, err)
	}
	p.Src, p.Dst, p.Dport, p.SMAC, p.DMAC, p.Out = f.From, to.Addr(), to.Port(), "", "", ""
	inside := exposure.New(h.t.Context(), h.snap.From(&h.snap.Namespaces[0]), exposure.Limits{}, nil)
	return inside.Tracer().Packet(p)
}

// packetsAgainstAll follows packets, and holds the answers of the audit and of reach to what arrives.
func (h *askedHost) packetsAgainstAll() {
	tr := h.asker.Tracer()
	narrow := 0
	for _, p := range h.packets {
		if p.Frag != "" || p.DMAC != nil || p.In == "local" || p.Proto == 6 && p.Flags != 2 {
			continue
		}
		f := tr.Packet(question(p))
		h.counts["packets in trace"]++
		if f.Fate == trace.Unknown || f.Fate == trace.Local && (f.Socket == trace.NoSocket || f.Socket == trace.UnknownSocket) {
			continue
		}
		arrives := f.Fate == trace.Local || f.Fate == trace.Forward
		if arrives {
			h.arrived(p, &f)
		}
		if (arrives && narrow < 25 || narrow < 12) && h.due() {
			narrow++
			h.narrow(p, &f, arrives)
		}
	}
}

// originsOf are the audit's origins that a packet is of.
func (h *askedHost) originsOf(p *oracle.Packet) (list []*zones.Origin) {
	in := p.In
	if in == "vw1" || in == "vw2" {
		in = "docker0"
	}
	holds := func(x netip.Prefix) bool { return x.Contains(p.Src) }
	for i := range h.zones.Origins {
		o := &h.zones.Origins[i]
		if o.Interface == in && slices.ContainsFunc(o.From, holds) && !slices.ContainsFunc(o.Except, holds) {
			list = append(list, o)
		}
	}
	return list
}

// arrived holds the audit to a packet that arrives in trace.
func (h *askedHost) arrived(p *oracle.Packet, f *trace.Fate) {
	family := map[bool]string{true: "ipv4", false: "ipv6"}[p.Src.Is4()]
	for _, o := range h.originsOf(p) {
		for i := range h.report.Exposures {
			e := &h.report.Exposures[i]
			sk := snapshot.Socket{Proto: e.Service.Proto, Addr: e.Service.Address, Port: e.Service.Port, Device: e.Service.Device}
			if f.Fate == trace.Local && e.Origin == o.Interface && e.Family == family && e.Service.Namespace == "host" &&
				f.Socket == trace.SocketNames(&sk)[0] {
				h.counts["packets to sockets against the audit"]++
				h.notRefuted(packet.Verdict(e.Verdict), p, f, "the audit of "+f.Socket, told(e.StoppedBy), told(e.Because))
			}
		}
		for i := range h.report.Forwards {
			e := &h.report.Forwards[i]
			if f.Fate == trace.Forward && p.Proto == 6 && e.From == o.Interface && e.To == f.Oif && e.Family == family {
				h.counts["packets through the host against the audit"]++
				h.notRefuted(packet.Verdict(e.Verdict), p, f, "the audit of "+e.From+" to "+e.To, told(e.StoppedBy), told(e.Because))
			}
		}
	}
}

// notRefuted notes where a packet arrives and its way is called unreachable, or unknown without need.
func (h *askedHost) notRefuted(v packet.Verdict, p *oracle.Packet, f *trace.Fate, who, stopped, because string) {
	switch {
	case v == packet.Unreachable:
		h.differ("%s: %s says unreachable (%s), but in %s %s ends %+v", h.name, who, stopped, p.In, question(p), *f)
	case v == packet.Unknown && overBudget(because):
		h.counts["arrived in trace, out of effort elsewhere"]++
	case v == packet.Unknown && p.Proto == 6 && unanswered(because):
		h.counts["arrived in trace, whose answer is stopped"]++
	case v == packet.Unknown:
		h.differ("%s: %s says unknown (%s), but in %s %s ends %+v", h.name, who, because, p.In, question(p), *f)
	}
}

// narrow asks reach for packets of the one sender to the one address and port.
func (h *askedHost) narrow(p *oracle.Packet, f *trace.Fate, arrives bool) {
	in := p.In
	if in == "vw1" || in == "vw2" {
		in = "docker0"
	}
	proto := map[uint8]string{6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}[p.Proto]
	if proto == "" || proto == "icmp" && p.Type != 8 && p.Type != 128 {
		return
	}
	w := exposure.Words{From: "iface:" + in, To: "addr:" + p.Dst.String(), Src: []netip.Prefix{netip.PrefixFrom(p.Src, p.Src.BitLen())}, Proto: proto, Dport: int(p.Dport)}
	a := h.ask(w)
	h.counts["packets against reach: "+string(a.Verdict)]++
	if arrives {
		h.notRefuted(a.Verdict, p, f, fmt.Sprintf("reach %+v", w), text(a.StoppedBy), text(a.Because))
	}
	if a.Verdict == packet.Reachable {
		g := h.followed(h.asker.Tracer(), "in "+a.Witness.In+" "+a.Witness.String())
		if g.Fate != trace.Local && g.Fate != trace.Forward {
			h.differ("%s: reach %+v: the witness in %s %s ends %+v", h.name, w, a.Witness.In, a.Witness, g)
		}
	}
}

// fix plans what closes the findings, loads its tables and asks what its proof asks, and all others again.
func (h *askedHost) fix() {
	plan := remedy.Make(h.report, h.snap, askedZones, remedy.Options{})
	if len(plan.Rules) == 0 {
		return
	}
	h.counts["plans of a fix"]++
	before := h.snap
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(plan.Ruleset)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: the plan: %v: %s\n%s", h.name, err, out, plan.Ruleset)
	}
	rs, err := checks.ReadRuleset(h.t.Context(), host.Local())
	if err != nil {
		h.t.Fatal(err)
	}
	rs.Tables = slices.DeleteFunc(rs.Tables, func(t ruleset.Table) bool { return t.Name == oracle.Table })
	after := *before
	after.NFTables.Ruleset = rs
	h.see(&after)
	list, err := plan.Closing(&after)
	if err != nil {
		h.differ("%s: fix: %v", h.name, err)
		return
	}
	for _, c := range list {
		h.closed(&c)
	}
	was, is := trace.New(before), h.asker.Tracer()
	for _, k := range plan.Kept(before) {
		h.counts["packets that a fix keeps"]++
		if a, b := was.Packet(k.Packet), is.Packet(k.Packet); (a.Fate == trace.Local || a.Fate == trace.Forward) && (b.Fate != a.Fate || b.Oif != a.Oif) {
			h.differ("%s: fix: %s: %s ended %+v, ends %+v", h.name, k.Flow, k.Packet, a, b)
		}
	}
	h.auditAgainstTrace()
}

// closed holds the others to what the proof of a fix says of one of its drops.
func (h *askedHost) closed(c *remedy.Closed) {
	h.counts["questions of a fix"]++
	q := c.Question
	a := h.asker.Ask(q)
	if a.Verdict != packet.Unreachable {
		h.counts["questions of a fix that are not proven: "+string(a.Verdict)]++
		if a.Verdict == packet.Unknown && (overBudget(text(a.Because)) || h.doubted(c)) {
			return
		}
		h.differ("%s: fix: %s: what it closes is %s: %v %s", h.name, c.Rule, a.Verdict, a.Witness, text(a.Because))
		return
	}
	for _, in := range h.origins(q) {
		if !q.To.Host || len(c.Rule.Sources)+len(c.Rule.To)+len(q.To.But)+len(q.From[0].Except) > 0 {
			break
		}
		w := exposure.Words{From: "iface:" + in, To: zones.Host, Proto: q.Proto, Dport: q.Dport, Unbound: true}
		b := h.ask(w)
		h.same("fix against reach", fmt.Sprintf("%+v", w), a.Verdict, b.Verdict, text(b.Because))
		for i := range h.report.Exposures {
			if e := &h.report.Exposures[i]; e.Origin == in && e.Service.Proto == q.Proto && e.Service.Port == q.Dport && e.Service.Namespace == "host" {
				h.same("fix against the audit", fmt.Sprintf("%+v", *e), a.Verdict, packet.Verdict(e.Verdict), told(e.Because))
			}
		}
	}
	tr := h.asker.Tracer()
	for _, p := range h.packets {
		if p.Frag != "" || p.DMAC != nil || p.Proto == 6 && p.Flags != 2 || !asksFor(h.snap, q, p) {
			continue
		}
		h.counts["packets of what a fix closes"]++
		f := tr.Packet(question(p))
		to, port := f.To, 0
		if ap, err := netip.ParseAddrPort(f.To); err == nil {
			to, port = ap.Addr().String(), int(ap.Port())
		}
		if q.To.Host && f.Fate == trace.Local && (q.Dport == 0 || port == q.Dport) && !slices.ContainsFunc(q.To.But, func(x netip.Prefix) bool { return x.Contains(netip.MustParseAddr(to)) }) && len(q.To.At) == 0 {
			h.differ("%s: fix: %s is proven, but in %s %s ends %+v", h.name, c.Rule, p.In, question(p), f)
		}
	}
}

// doubted says whether the others do not know either what a rule closes: the fix then refuses the plan.
func (h *askedHost) doubted(c *remedy.Closed) bool {
	from, to := h.origins(c.Question), h.names(c.Question.To.Oifs)
	for i := range h.report.Forwards {
		if f := &h.report.Forwards[i]; slices.Contains(from, f.From) && slices.Contains(to, f.To) && f.Verdict == string(packet.Unknown) {
			return true
		}
	}
	return slices.ContainsFunc(from, func(in string) bool {
		w := exposure.Words{From: "iface:" + in, To: zones.Host, Proto: c.Question.Proto, Dport: c.Question.Dport, Unbound: true}
		return h.ask(w).Verdict == packet.Unknown
	})
}

// origins are the interfaces that a question's packets come in by.
func (h *askedHost) origins(q *reach.Question) (list []string) {
	for i := range q.From {
		if !q.From[i].Local {
			list = append(list, h.names([]int{q.From[i].Index})...)
		}
	}
	return list
}

// names are those of interfaces.
func (h *askedHost) names(indices []int) (list []string) {
	for _, i := range indices {
		if l := h.snap.Network.Link(i); l != nil {
			list = append(list, l.Name)
		}
	}
	return list
}

// asksFor says whether a packet is of a question's origins and protocol.
func asksFor(s *snapshot.Snapshot, q *reach.Question, p *oracle.Packet) bool {
	if number := map[string]uint8{"tcp": 6, "udp": 17}[q.Proto]; number != p.Proto {
		return false
	}
	l := s.Network.LinkNamed(p.In)
	if l == nil {
		return false
	}
	holds := func(x netip.Prefix) bool { return x.Contains(p.Src) }
	return slices.ContainsFunc(q.From, func(o packet.Origin) bool {
		return !o.Local && (o.Index == l.Index || l.Master != 0 && o.Index == l.Master) && slices.ContainsFunc(o.From, holds) && !slices.ContainsFunc(o.Except, holds)
	})
}
