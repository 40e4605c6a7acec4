package remedy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// Flow is something that must go on working: packets from a source to a port of the host, or of a protocol that has none.
type Flow struct {
	Source netip.Prefix `json:"source,omitzero"` // none is any
	Iif    string       `json:"iif,omitempty"`   // where they come in
	Addr   netip.Addr   `json:"addr,omitzero"`   // of the host; none is any
	Proto  string       `json:"proto"`           // of the flow
	Port   int          `json:"port,omitempty"`  // of the service
	Why    string       `json:"why"`             // it has to go on working
	// Zone is where they come from, by the zone's name, until a plan knows its interfaces.
	Zone string `json:"zone,omitempty"`
}

// Why flows are kept: a login that is open, what was asked for, logins of those who administer the host.
const (
	keptSession  = "logged in over SSH"
	keptUntil    = "logged in over SSH, where no server listens any more" // nobody comes in by it again
	keptAsked    = "asked for with --keep"
	keptManaging = "logins from the management zone"
	// A port that is published for a workload is kept unless it is what a finding is about, and nobody uses it.
	keptPublished = "published port"
	// What others listen with on a port that is closed at another address stays as it is.
	keptBeside = "another service on the port"
)

// String is the flow in one line.
func (f Flow) String() string {
	from := "anywhere"
	if f.Source.IsValid() {
		from = f.Source.String()
	}
	return fmt.Sprintf("%s from %s (%s)", f.what(), from, f.Why)
}

// what is the protocol and the port.
func (f Flow) what() string {
	if f.Port == 0 {
		return f.Proto
	}
	return fmt.Sprintf("%s/%d", f.Proto, f.Port)
}

// ParseFlow reads PROTO/PORT or PROTO/PORT@SOURCE, the source an address or a prefix, and of a protocol without ports
// PROTO or PROTO@SOURCE. An address of a link can name its interface (fe80::9%eth0). The source can be the name of a zone.
func ParseFlow(text string) (Flow, error) {
	bad := func() (Flow, error) {
		return Flow{}, fmt.Errorf("flow %q: want PROTO/PORT or PROTO/PORT@SOURCE, such as tcp/8443@192.0.2.0/24, or without a port one of %s",
			text, strings.Join(portless(), ", "))
	}
	what, source, hasSource := strings.Cut(text, "@")
	proto, port, hasPort := strings.Cut(what, "/")
	n, err := uint64(0), error(nil)
	if hasPort {
		n, err = strconv.ParseUint(port, 10, 16)
	}
	if _, known := protoNumbers[proto]; !known || err != nil || hasPort != portProtos[proto] || hasPort && n == 0 {
		return bad()
	}
	f := Flow{Proto: proto, Port: int(n), Why: keptAsked}
	if !hasSource {
		return f, nil
	}
	if a, err := netip.ParseAddr(source); err == nil && (a.Zone() == "" || a.IsLinkLocalUnicast()) {
		f.Iif, a = a.Zone(), a.WithZone("").Unmap()
		f.Source = netip.PrefixFrom(a, a.BitLen())
		return f, nil
	}
	if slices.Contains([]string{zones.Management, zones.Workload, zones.External, zones.Runtime}, source) {
		f.Zone = source
		return f, nil
	}
	if f.Source, err = netip.ParsePrefix(source); err != nil {
		return bad()
	}
	f.Source = f.Source.Masked()
	return f, nil
}

// portless are the protocols without ports.
func portless() []string {
	var names []string
	for name := range protoNumbers {
		if !portProtos[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// carriers are the protocols of a tunnel by the kind of its interface (IFLA_INFO_KIND).
var carriers = map[string][]string{
	"gre": {"gre"}, "gretap": {"gre"}, "erspan": {"gre"}, "ip6erspan": {"gre"}, "ip6gre": {"gre"}, "ip6gretap": {"gre"}, "ipip": {"ipip"}, "sit": {"6in4", "ipip"},
	"ip6tnl": {"6in4", "ipip"}, "vti": {"esp"}, "vti6": {"esp"}, "xfrm": {"esp"}, "l2tpeth": {"l2tp"},
}

// underneath is the protocols without ports that are seen to be in use: those of tunnels, those that a process listens for that root answers
// for, and what IKE negotiates.
func underneath(s *snapshot.Snapshot) (list []Flow) {
	add := func(proto, why string) {
		if !slices.ContainsFunc(list, func(f Flow) bool { return f.Proto == proto }) {
			list = append(list, Flow{Proto: proto, Why: why})
		}
	}
	tunnels := func(n *snapshot.Network) {
		for i := range n.Links {
			l := &n.Links[i]
			for _, proto := range carriers[l.Kind] {
				if l.Up {
					add(proto, "tunnel "+escape.Line(l.Name))
				}
			}
		}
	}
	tunnels(&s.Network)
	for i := range s.Namespaces { // one that was moved there is carried by the host's network all the same (ip_tunnel_rcv)
		ofUser := slices.ContainsFunc(s.Network.Namespaces, func(n snapshot.Netns) bool { return n.Inode == s.Namespaces[i].Netns && n.OwnerUID != nil })
		if !ofUser {
			tunnels(&s.Namespaces[i].Network)
		}
	}
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		for _, proto := range portless() {
			if k.Proto != "raw" || k.Port != int(protoNumbers[proto]) || !onHost(s, k) || !vouched(s, k) && !rules(s, k) {
				continue
			}
			why := "a process listens"
			if len(k.Owners) > 0 {
				why = escape.Line(k.Owners[0].Comm)
			}
			add(proto, why)
		}
	}
	if serves(s, "udp", 500) || serves(s, "udp", 4500) || slices.ContainsFunc(list, func(f Flow) bool { return f.Proto == "esp" }) || negotiates(s) {
		add("esp", "IPsec")
		add("ah", "IPsec")
	}
	return list
}

// observed is what is seen to be in use and would be missed: logins over SSH, tunnels, routing and failover, and the
// ports of tunnels and of a cluster's own services that are listened on.
func observed(s *snapshot.Snapshot, m *zones.Map) []Flow {
	list := append([]Flow{}, underneath(s)...)
	for i := range s.SSH.Sessions {
		for _, f := range sessionKept(s, &s.SSH.Sessions[i]) {
			if !slices.Contains(list, f) {
				list = append(list, f)
			}
		}
	}
	list = append(list, hears(s)...)
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		why := infrastructure[fmt.Sprintf("%s/%d", k.Proto, k.Port)]
		addr, err := netip.ParseAddr(k.Addr)
		if why != "" && !vouched(s, k) {
			why = ""
		}
		if why == "" {
			why = cmp.Or(carries(s, k), joins(s, k), roams(s, k))
		}
		for _, o := range k.Owners {
			if isProgram(s, o, "docker-proxy") {
				why = keptPublished
			}
		}
		if why == "" || err != nil || addr.IsLoopback() || !onHost(s, k) || forWorkload(s, m, k) {
			continue
		}
		f := Flow{Proto: k.Proto, Port: k.Port, Why: why}
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}

// loginsBy are the interfaces that a login may come in by, "" for any. Of an address of a link the kernel tells it. Where that is not known, it is one of those
// with the address that was sent to, and of one that is no link's any: the host takes what is sent there by each.
func loginsBy(s *snapshot.Snapshot, remote netip.Addr, f *Flow) []string {
	addr := f.Source.Addr()
	if index, err := strconv.Atoi(remote.Zone()); err == nil && ofLink(addr) {
		if l := s.Network.Link(index); l != nil && l.Kind != "vrf" {
			return []string{l.Name}
		}
	}
	switch found := entries(s, addr, f.Addr, true); {
	case ofLink(addr) && !ofLink(f.Addr):
		return []string{""}
	case ofLink(addr) && len(found) > 0:
		return found
	case f.Iif == "" && len(found) > 0:
		return found[:1]
	}
	return []string{f.Iif}
}

// comesAgain is a login, and where its server listens at another port since it was started again, the next one of the same person to each that listens.
func comesAgain(s *snapshot.Snapshot, f Flow) []Flow {
	var list []Flow
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		if addr, err := netip.ParseAddr(k.Addr); k.Proto != "tcp" || !onHost(s, k) || err != nil || addr.IsLoopback() {
			continue
		}
		if k.Port == f.Port {
			return []Flow{f}
		}
		if !servesSSH(s, k) {
			continue
		}
		next := f
		next.Addr, next.Port = netip.Addr{}, k.Port
		list = append(list, next)
	}
	f.Why = keptUntil
	return append(list, f)
}

// logins are those of the management zone to the host's SSH servers.
func logins(s *snapshot.Snapshot, m *zones.Map) []Flow {
	var list []Flow
	for _, o := range m.Origins {
		if o.Local || o.Zone != zones.Management {
			continue
		}
		for i := range s.Listeners.Sockets {
			k := &s.Listeners.Sockets[i]
			from := []netip.Prefix{{}}
			if parted(m, &o) {
				from = sends(&o)
			}
			for _, x := range from {
				f := Flow{Source: x, Iif: o.Interface, Proto: "tcp", Port: k.Port, Why: keptManaging}
				if servesSSH(s, k) && !slices.Contains(list, f) {
					list = append(list, f)
				}
			}
		}
	}
	return list
}

// loginPort is the port that an SSH server of the host listens on for others, 22 where none is seen.
func loginPort(s *snapshot.Snapshot) int {
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		if at, ok := boundAt(k); ok && !at.IsLoopback() && onHost(s, k) && servesSSH(s, k) {
			return k.Port
		}
	}
	return 22
}

// servesSSH says of a listening socket that it is that of an SSH server by which the host is administered.
func servesSSH(s *snapshot.Snapshot, k *snapshot.Socket) bool {
	return k.Proto == "tcp" && (k.Port == 22 && vouched(s, k) ||
		slices.ContainsFunc(k.Owners, func(w snapshot.Owner) bool { return isProgram(s, w, "sshd", "dropbear") }))
}

// infrastructure is ports whose loss takes more with it than the service: addresses (servers answer from any port, RFC 8415, 7.2), tunnels by which a host is
// administered, and the traffic between the nodes of a cluster.
var infrastructure = map[string]string{
	"udp/546": "DHCPv6", "udp/51820": "WireGuard", "udp/41641": "Tailscale", "udp/500": "IKE", "udp/4500": "IPsec NAT traversal", "udp/1194": "OpenVPN",
	"udp/8472": "VXLAN of the cluster", "udp/4789": "VXLAN", "udp/6081": "GENEVE", "udp/8285": "flannel", "udp/51821": "WireGuard", "udp/51871": "WireGuard",
	"udp/1701": "L2TP", "tcp/1723": "PPTP", "udp/3784": "BFD", "udp/3785": "BFD", "udp/4784": "BFD", "udp/520": "RIP", "udp/521": "RIPng", "udp/6696": "Babel",
	"tcp/646": "LDP", "udp/646": "LDP", "udp/5404": "Corosync", "udp/5405": "Corosync", "tcp/6783": "Weave", "udp/6783": "Weave", "udp/6784": "Weave", "tcp/4240": "Cilium", "tcp/6443": "Kubernetes API", "tcp/2379": "etcd", "tcp/2380": "etcd",
	"tcp/10250": "kubelet", "tcp/179": "BGP", "tcp/5473": "Calico Typha", "tcp/9345": "RKE2", "tcp/7946": "Docker Swarm", "udp/7946": "Docker Swarm",
	"tcp/2377": "Docker Swarm",
}

// workloadServices are what a host does for its workloads: it resolves names, and where it listens for that gives
// them addresses and the time.
var workloadServices = []struct {
	proto  string
	port   int
	always bool
}{{"udp", 53, true}, {"tcp", 53, true}, {"udp", 67, false}, {"udp", 547, false}, {"udp", 123, false}}

// serves says whether a socket of the host listens on a port for more than the host itself, and root answers for it.
func serves(s *snapshot.Snapshot, proto string, port int) bool {
	return slices.ContainsFunc(s.Listeners.Sockets, func(k snapshot.Socket) bool {
		addr, err := netip.ParseAddr(k.Addr)
		return k.Proto == proto && k.Port == port && err == nil && !addr.IsLoopback() && vouched(s, &k)
	})
}

// arrives is the interface behind which an address is: that of its longest route.
func arrives(s *snapshot.Snapshot, a netip.Addr) string {
	best, name := -1, ""
	for i := range s.Network.Routes {
		r := &s.Network.Routes[i]
		if r.Type != "unicast" || r.Table != 254 || len(r.Oifs) == 0 {
			continue
		}
		p, err := netip.ParsePrefix(r.Dst)
		if err != nil || !p.Contains(a) || p.Bits() <= best {
			continue
		}
		if l := s.Network.Link(r.Oifs[0]); l != nil {
			best, name = p.Bits(), l.Name
		}
	}
	return name
}

// resolvers are the name servers that the host asks and that are others.
func resolvers(s *snapshot.Snapshot) (list []netip.Prefix) {
	for _, text := range s.Network.Resolvers {
		if a, err := netip.ParseAddr(text); err == nil && !a.IsLoopback() {
			a = a.Unmap().WithZone("")
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return list
}

// administered says whether somebody could still log in past the baseline: by the management zone, whoever is
// logged in, or whom --keep names for a port of an SSH server.
func (p *Plan) administered(s *snapshot.Snapshot, m *zones.Map) bool {
	return m.Entered() || slices.ContainsFunc(p.Keeps, func(f Flow) bool {
		return f.Why == keptSession && !f.ofWorkload(m) || f.asksLogin(s)
	})
}

// ofWorkload says of a flow that it comes from a workload: who is logged in from one keeps that, and is no reason to close the host to
// all others. That can be the workload itself.
func (f Flow) ofWorkload(m *zones.Map) bool {
	from := func(zone string) bool {
		return slices.ContainsFunc(m.Origins, func(o zones.Origin) bool {
			return o.Zone == zone && !o.Local && o.Interface == f.Iif && (!o.Bounded || f.Source.IsValid() && covers(o.From, f.Source.Addr()))
		})
	}
	return from(zones.Workload) && !from(zones.Management)
}

// ofLink says of an address that each link has it, whatever routes say (fe80::/10). One of IPv4 (169.254.0.0/16) is routed as others are.
func ofLink(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// onLink says of a flow that its source is an address of one link: on each other link somebody else can have it.
func (f Flow) onLink() bool {
	return f.Why != keptManaging && f.Source.IsValid() && ofLink(f.Source.Addr()) && f.Iif != ""
}

// by are those who keep access that can be who is meant behind an interface: of logins by an address of a link, those by this one.
func (p *Plan) by(keep []netip.Prefix, s *snapshot.Snapshot, iface string) (list []netip.Prefix) {
	for _, source := range keep {
		elsewhere := false
		for i := range p.Keeps {
			f := &p.Keeps[i]
			if f.Source != source || f.Why != keptSession || !f.onLink() {
				continue
			}
			if elsewhere = f.Iif != iface && !portOf(s, iface, f.Iif); !elsewhere {
				break
			}
		}
		if !elsewhere && !slices.Contains(list, source) {
			list = append(list, source)
		}
	}
	return list
}

// byAny are those of them who are behind any interface of a zone.
func (p *Plan) byAny(keep []netip.Prefix, s *snapshot.Snapshot, m *zones.Map, zone string) (list []netip.Prefix) {
	for _, source := range keep {
		if !slices.Contains(list, source) && slices.ContainsFunc(m.Origins, func(o zones.Origin) bool {
			return !o.Local && o.Zone == zone && len(p.by([]netip.Prefix{source}, s, o.Interface)) > 0
		}) {
			list = append(list, source)
		}
	}
	return list
}

// nowhere says of a flow that it comes by an interface that the host does not have.
func (f Flow) nowhere(s *snapshot.Snapshot) bool {
	return f.Iif != "" && s.Network.LinkNamed(f.Iif) == nil
}

// amiss says what is wrong with the interfaces of what was asked for, "" where nothing is.
func (f Flow) amiss(s *snapshot.Snapshot) string {
	switch {
	case f.Why != keptAsked:
	case f.nowhere(s):
		return fmt.Sprintf("%s is kept nowhere: the host has no interface %s", f.what(), escape.Line(f.Iif))
	case f.Iif == "" && f.Source.IsSingleIP() && ofLink(f.Source.Addr()):
		return fmt.Sprintf("%s is kept on every link, where others can take that address: name the interface, such as %s@%s%%eth0", f.what(), f.what(), f.Source.Addr())
	}
	return ""
}

// asksLogin says of a flow that --keep asks for logins with it.
func (f Flow) asksLogin(s *snapshot.Snapshot) bool {
	return f.Why == keptAsked && f.Proto == "tcp" && !f.nowhere(s) && slices.ContainsFunc(s.Listeners.Sockets, func(k snapshot.Socket) bool {
		return servesSSH(s, &k) && f.Port == k.Port
	})
}

// baseline adds the rules of a host that lets in only what it knows: its policy is drop. Where rules exempt packets from
// tracking, answers are also known by what they look like.
func (p *Plan) baseline(s *snapshot.Snapshot, m *zones.Map) {
	if why := p.unfit(s, m); why != "" {
		p.Manual = append(p.Manual, dropin.Manual{
			Check: DefaultDeny, What: "the baseline of a host that lets in only what it knows", Kind: "words", Text: why, Reason: dropin.ReasonBaseline,
		})
		return
	}
	accept := func(r Rule) {
		r.Accept = true
		p.rule(r)
	}
	for _, r := range slices.Clone(p.Rules) { // who keeps access to what is closed must get past the policy too
		if r.Accept && r.Chain == chainIn && len(r.Sources) > 0 {
			accept(Rule{Chain: chainInput, Iif: r.Iif, Sources: r.Sources, To: r.To, Proto: r.Proto, Port: r.Port})
		}
	}
	// Of who opened a connection each packet is asked about: what is open to a closed port does not go on.
	for _, chain := range []string{chainInput, chainForward} {
		for _, kind := range []string{"replies", "expected", "icmp", "icmpv6"} {
			accept(Rule{Chain: chain, Kind: kind})
		}
		if untracks(s) {
			accept(Rule{Chain: chain, Kind: "answers", Untracked: true})
		}
	}
	if untracks(s) {
		p.perFamily(Rule{Chain: chainInput, Kind: "resolved", Untracked: true, Accept: true}, resolvers(s))
	}
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; l.Loopback {
			accept(Rule{Chain: chainInput, Iif: l.Name})
		}
	}
	accept(Rule{Chain: chainInput, Proto: "igmp"}) // without answers to its queries routers stop sending what was joined
	accept(Rule{Chain: chainInput, Kind: "dhcp"})
	accept(Rule{Chain: chainInput, Kind: "dhcpv6"})
	for _, f := range p.Keeps {
		r := Rule{Chain: chainInput, Proto: f.Proto, Port: f.Port, Accept: true}
		if f.Source.IsValid() {
			r.Sources = []netip.Prefix{f.Source}
		}
		if !f.Source.IsValid() || f.onLink() {
			r.Iif = f.Iif
		}
		p.rule(r)
	}
	for _, f := range p.Keeps { // also of somebody behind the host
		if f.Why == keptAsked && f.Source.IsValid() && !ofLink(f.Source.Addr()) && f.Port != 0 {
			p.perFamily(Rule{Chain: chainForward, Proto: f.Proto, Port: f.Port, Accept: true}, []netip.Prefix{f.Source})
		}
	}
	for _, chain := range []string{chainInput, chainForward} { // what somebody translated is meant; the audit after it says which ports that are
		accept(Rule{Chain: chain, Kind: "published"})
	}
	for i := range m.Origins {
		p.lets(s, m, &m.Origins[i])
	}
	p.within(s, m)
	p.closesBesides(s, m)
	p.closesRoutes(s, m)
}
