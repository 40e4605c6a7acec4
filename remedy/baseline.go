package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// unfit says why a host gets no baseline, "" where it does.
func (p *Plan) unfit(s *snapshot.Snapshot, m *zones.Map) string {
	switch {
	case !p.administered(s, m):
		return "no management zone is configured or in use, and nobody is logged in over SSH from outside of workloads: the baseline would lock everybody out; " +
			fmt.Sprintf("configure the zone, or say who keeps access with --keep tcp/%d@ADDRESS", loginPort(s))
	case s.Network.LinkNamed("kube-ipvs0") != nil:
		return "IPVS takes what is sent to services of the cluster out of the way of packets where the baseline would drop it: use the mode nftables of kube-proxy"
	}
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; !plainInterface(l.Name) {
			return fmt.Sprintf("interface %s has a name that a ruleset cannot hold: rename it", escape.Line(l.Name))
		}
		if vrf := s.Network.Link(s.Network.Links[i].Master); vrf != nil && vrf.Kind == "vrf" && s.Network.Links[i].Up { // vrf_l3_rcv: the packet's device is the VRF's
			return fmt.Sprintf("interface %s belongs to the VRF %s, under whose name the rules of the host see what comes in by it: who that is the baseline could not tell",
				escape.Line(s.Network.Links[i].Name), escape.Line(vrf.Name))
		}
	}
	for i := range m.Origins {
		if o := &m.Origins[i]; !o.Local && framesOf(s, o) != nil {
			return fmt.Sprintf("zones are told apart by ports of a bridge (%s), which rules for the host do not see: give each zone a bridge of its own", o.Interface)
		}
	}
	return ""
}

// parted says of an origin that others are behind its interface: only addresses tell them apart.
func parted(m *zones.Map, o *zones.Origin) bool {
	return slices.ContainsFunc(m.Origins, func(x zones.Origin) bool { return x.Bounded && x.Interface == o.Interface && !x.Local })
}

// of adds a rule about what an origin sends: by its interface, and by its addresses where others are behind that too.
func (p *Plan) of(m *zones.Map, o *zones.Origin, r Rule) {
	r.Accept, r.Iif = true, o.Interface
	if parted(m, o) {
		p.perFamily(r, sends(o))
		return
	}
	p.rule(r)
}

// lets adds what the baseline lets an origin do.
func (p *Plan) lets(s *snapshot.Snapshot, m *zones.Map, o *zones.Origin) {
	switch {
	case o.Local:
	case o.Zone == zones.Management && o.Assumed: // nobody is seen to come in by it: logins alone, which are kept as such
	case o.Zone == zones.Management:
		p.of(m, o, Rule{Chain: chainInput})
	case o.Zone == zones.Workload || o.Zone == zones.Runtime:
		for _, to := range outward(m) {
			if to != o.Interface {
				p.of(m, o, Rule{Chain: chainForward, Oif: to})
			}
		}
		if !o.Bounded {
			p.of(m, o, Rule{Chain: chainForward, Oif: o.Interface})
		}
		for _, k := range workloadServices {
			if k.always || serves(s, k.proto, k.port) {
				p.of(m, o, Rule{Chain: chainInput, Proto: k.proto, Port: k.port})
			}
		}
	}
}

// within lets pass what stays inside a network of workloads: between the pods of a cluster by their addresses, so that those are meant too
// that begin later, from port to port of a bridge, which rules for the host see where bridges call them (br_netfilter), and from one member of a
// private network to another. An address is what its sender writes: what comes in by an interface that is known to lead to others is not of the network.
func (p *Plan) within(s *snapshot.Snapshot, m *zones.Map) {
	for _, network := range zones.Networks() {
		members, others := membersOf(m, network)
		for _, v4 := range []bool{true, false} {
			of := slices.DeleteFunc(m.Network(network), func(x netip.Prefix) bool { return x.Addr().Is4() != v4 })
			if len(of) == 0 {
				continue
			}
			r := Rule{Chain: chainForward, Sources: of, To: of, Accept: true}
			if network == zones.Pods { // one that begins later has an interface of its own
				r.NotIif = others
				p.rule(r)
				p.podsBegin(s, m, of, others)
				continue
			}
			for _, r.Iif = range members {
				p.rule(r)
			}
		}
	}
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; l.Kind == "bridge" && len(portsOf(s, l, nil)) > 1 || zones.Tunnel(l) {
			p.rule(Rule{Chain: chainForward, Iif: l.Name, Oif: l.Name, Accept: true})
		}
	}
}

// podsBegin lets pods that begin later do what those do that are there: go out, and ask what the host has for workloads.
func (p *Plan) podsBegin(s *snapshot.Snapshot, m *zones.Map, of []netip.Prefix, others []string) {
	pods := Rule{Sources: of, NotIif: others, Accept: true}
	for _, to := range outward(m) {
		r := pods
		r.Chain, r.Oif = chainForward, to
		p.rule(r)
	}
	for _, k := range workloadServices {
		if k.always || serves(s, k.proto, k.port) {
			r := pods
			r.Chain, r.Proto, r.Port = chainInput, k.proto, k.port
			p.rule(r)
		}
	}
}

// outward are the interfaces by which workloads go out: not to where the host is administered.
func outward(m *zones.Map) (list []string) {
	for _, to := range m.Origins {
		if !to.Local && (to.Zone == zones.External || to.Zone == zones.Unclassified) && !slices.Contains(list, to.Interface) {
			list = append(list, to.Interface)
		}
	}
	return list
}

// membersOf are the interfaces by which a network of workloads comes in, and the others.
func membersOf(m *zones.Map, network string) (members, others []string) {
	for i := range m.Origins {
		if o := &m.Origins[i]; !o.Local && o.Network == network && !slices.Contains(members, o.Interface) {
			members = append(members, o.Interface)
		}
	}
	for i := range m.Origins {
		if o := &m.Origins[i]; !o.Local && !slices.Contains(members, o.Interface) && !slices.Contains(others, o.Interface) {
			others = append(others, o.Interface)
		}
	}
	slices.Sort(others)
	return members, others
}

// maxListed bounds how many ports a warning names.
const maxListed = 24

// closesBesides says what listens for others and is closed by the baseline, so that nothing that was meant ends unsaid: what the plan closes for
// a finding, or keeps, is told there. A name server's socket can be one that it asks by, and one that it serves by.
func (p *Plan) closesBesides(s *snapshot.Snapshot, m *zones.Map) {
	var list, bare, maybe []string
	add := func(to *[]string, text string) {
		if !slices.Contains(*to, text) {
			*to = append(*to, text)
		}
	}
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		addr, err := netip.ParseAddr(k.Addr)
		if err != nil || addr.IsLoopback() || !onHost(s, k) {
			continue
		}
		who := ""
		if len(k.Owners) > 0 {
			who = " (" + escape.Line(k.Owners[0].Comm) + ")"
		}
		text := fmt.Sprintf("%s/%d%s", k.Proto, k.Port, who)
		switch {
		case k.Proto == "raw":
			if p.closesProtocol(k.Port) {
				add(&bare, fmt.Sprintf("protocol %d%s", k.Port, who))
			}
		case !portProtos[k.Proto] || k.Port == 0 || p.keepsPort(k) || p.closesPort(m, k) || p.letsInTo(s, k) || onlyAsks(s, k):
		case mayAsk(s, k):
			add(&maybe, text)
		default:
			add(&list, text)
		}
	}
	if len(bare) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the baseline closes what listens for protocols without ports: %s", listed(bare)))
	}
	if len(list) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the baseline closes what else listens: %s. What others use of it is kept with --keep, such as --keep %s",
			listed(list), strings.Fields(list[0])[0]))
	}
	if len(maybe) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the baseline closes what a name server listens at by UDP, or only asks by: %s. Answers to what it asks are let in; where others "+
			"ask it there, that is kept with --keep, such as --keep %s", listed(maybe), strings.Fields(maybe[0])[0]))
	}
}

// letsInTo says of a socket at an interface, or at an address of one alone, that the baseline lets in to its port all who come by that: a name server of a
// network of workloads. By others nobody is expected there.
func (p *Plan) letsInTo(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	name := k.Device
	if at, ok := boundAt(k); name == "" && ok && at.IsValid() {
		for i := range s.Network.Links {
			if l := &s.Network.Links[i]; slices.ContainsFunc(l.Addrs, func(text string) bool {
				x, err := netip.ParsePrefix(text)
				return err == nil && x.Addr() == at
			}) {
				if name != "" {
					return false
				}
				name = l.Name
			}
		}
	}
	return name != "" && slices.ContainsFunc(p.each(), func(r Rule) bool {
		return r.Accept && r.Chain == chainInput && r.Kind == "" && r.Iif == name && len(r.Sources) == 0 && len(r.To) == 0 && r.Proto == k.Proto && r.Port == k.Port
	})
}

// keepsPort says that a flow to the port of a socket is kept, from wherever.
func (p *Plan) keepsPort(k *snapshot.Socket) bool {
	return slices.ContainsFunc(p.Keeps, func(f Flow) bool { return f.Proto == k.Proto && f.Port == k.Port })
}

// closesPort says that denials close the port of a socket to all whom the baseline does not let in anyway: that is told as what the plan closes.
func (p *Plan) closesPort(m *zones.Map, k *snapshot.Socket) bool {
	at, _ := boundAt(k)
	return !slices.ContainsFunc(m.Origins, func(o zones.Origin) bool {
		return !o.Local && (o.Zone != zones.Management || o.Assumed) && !slices.ContainsFunc(p.closings, func(c closing) bool {
			return c.proto == k.Proto && c.port == k.Port && (!c.at.IsValid() || c.at == at) && slices.Contains(c.iifs, o.Interface)
		})
	})
}

// closesProtocol says of a protocol of IP that a socket listens for that the baseline drops it. Those of ICMP and IGMP, and answers, it lets pass; a
// socket for all of them (IPPROTO_RAW) receives none (raw(7)).
func (p *Plan) closesProtocol(number int) bool {
	const all = 255
	if slices.Contains([]int{0, protoICMP, int(protoNumbers["igmp"]), protoTCP, protoUDP, protoICMPv6, all}, number) {
		return false
	}
	return !slices.ContainsFunc(p.Keeps, func(f Flow) bool { return !portProtos[f.Proto] && int(protoNumbers[f.Proto]) == number })
}

// listed is the first ones of a list, in order, and how many more there are.
func listed(list []string) string {
	slices.Sort(list)
	more := ""
	if len(list) > maxListed {
		more, list = fmt.Sprintf(" and %d more", len(list)-maxListed), list[:maxListed]
	}
	return strings.Join(list, ", ") + more
}

// closesRoutes says between which interfaces the host routes and the baseline drops, for those whose router it may be: behind a VPN, a LAN or what is for
// management. Who uses it can be idle, and then no flow of his is seen. Workloads go out, and what is published for them is let pass.
func (p *Plan) closesRoutes(s *snapshot.Snapshot, m *zones.Map) {
	var list []string
	for i := range m.Origins {
		o := &m.Origins[i]
		l := s.Network.Link(o.Index)
		if o.Local || o.Bounded || l == nil || o.Zone == zones.Workload || o.Zone == zones.Runtime || !forwards(s, l) {
			continue
		}
		internet := slices.ContainsFunc(o.From, func(x netip.Prefix) bool { return x.Bits() == 0 })
		for j := range m.Origins {
			to := &m.Origins[j]
			if to.Local || to.Bounded || to.Interface == o.Interface || internet && (to.Zone == zones.Workload || to.Zone == zones.Runtime) {
				continue
			}
			text := o.Interface + " to " + to.Interface
			if !slices.Contains(list, text) && !slices.ContainsFunc(p.Rules, func(r Rule) bool {
				return r.Accept && r.Chain == chainForward && r.Kind == "" && r.Iif == o.Interface && r.Oif == to.Interface && len(r.Sources) == 0
			}) {
				list = append(list, text)
			}
		}
	}
	if len(list) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the baseline drops what the host routes, but for published ports, from %s. What others use of it is kept with --keep and who "+
			"they are, such as --keep tcp/443@192.0.2.0/24", listed(list)))
	}
}

// halfWay says what becomes of connections through the host that it meets half way, since none were tracked so far. Where conntrack takes up no connection of TCP
// but from its beginning (tcp_new of nf_conntrack_proto_tcp.c), their packets belong to none: no drop knows who opened it, and no policy that it is one.
func (p *Plan) halfWay(s *snapshot.Snapshot) string {
	text := "; connections through the host were not tracked so far: of those in which nothing goes both ways while it is loaded, who sends first counts as who opened them, and which of them end cannot be told before"
	switch f := s.Network.Sysctls[snapshot.LoosePickup]; {
	case f.State != snapshot.Present || f.Value != "0":
	case p.Mode == DefaultDeny:
		text += "; of TCP all that are open end, but inside a network of workloads, since the host takes up none half way (net.netfilter.nf_conntrack_tcp_loose is 0)"
	default:
		text += "; of TCP those that are open to what is closed go on until they end by themselves, since the host takes up none half way (net.netfilter.nf_conntrack_tcp_loose is 0)"
	}
	return text
}

// closesNames says which workloads could no longer ask the name servers that the host asks: those are asked for a moment at a time, so that no flow shows it.
func (p *Plan) closesNames(s *snapshot.Snapshot, m *zones.Map) {
	for i := range m.Origins {
		o := &m.Origins[i]
		if o.Local || o.Zone != zones.Workload && o.Zone != zones.Runtime {
			continue
		}
		var who netip.Prefix
		var asked []string
		for _, server := range resolvers(s) {
			at := slices.IndexFunc(o.From, func(x netip.Prefix) bool {
				return x.Addr().Is4() == server.Addr().Is4() && x.Bits() > 0 && !x.Addr().IsLinkLocalUnicast()
			})
			if at < 0 || delivered(s, server.Addr()) {
				continue
			}
			k := use{proto: "udp", port: 53, peer: o.From[at].Masked().Addr(), addr: server.Addr(), iif: o.Interface}
			if o.From[at].Bits() < k.peer.BitLen()-1 {
				k.peer = k.peer.Next().Next() // one of those behind it: the first address is mostly the host's
			}
			if p.dropsThrough(s, &k) {
				who, asked = o.From[at].Masked(), append(asked, server.Addr().String())
			}
		}
		if len(asked) > 0 {
			p.Warnings = append(p.Warnings, fmt.Sprintf("what is behind %s cannot ask the name servers of the host any more (%s). Who resolves names by them keeps that with "+
				"--keep udp/53@%s --keep tcp/53@%s", o.Interface, listed(asked), who, who))
		}
	}
}
