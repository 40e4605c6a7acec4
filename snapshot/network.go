package snapshot

import (
	"net/netip"
)

// Network is the configuration of the host's network namespace and the list of the others.
type Network struct {
	Links   []Link          `json:"links"`   // in the order of their indexes
	Routes  []Route         `json:"routes"`  // of every table of both families, by family, table, destination and metric
	Rules   []PolicyRule    `json:"rules"`   // policy rules (ip-rule(8)), those of IPv4 first
	Sysctls map[string]Fact `json:"sysctls"` // by the path below /proc/sys, as net/ipv4/ip_forward
	// those that were found, the host's among them; empty where the network is that of another namespace
	Namespaces []Netns `json:"namespaces"`
	// addresses of the name servers that the host asks (resolv.conf(5)), and of those that its own one asks
	Resolvers []string `json:"resolvers,omitempty"`
	// InUse is ports that are translated to somebody behind the host, with open connections.
	InUse []PortUse `json:"inUse,omitempty"`
	// Flows are connections that are open, by who opened them: to the host, from it, and through it.
	Flows []FlowUse `json:"flows,omitempty"`

	// XFRM is the IPsec policies; nil where nobody asked for them.
	XFRM *XFRM `json:"xfrm,omitempty"`
	// Realms says that those of routes and of policy rules were read.
	Realms bool `json:"realms,omitempty"`
	// FDBRead says that what is written into the tables of bridges was asked for, FDBUnread why it is not known, or what more.
	FDBRead   bool   `json:"fdbRead,omitempty"`
	FDBUnread string `json:"fdbUnread,omitempty"` // empty where all of it is known
	// Programs are those of the namespace that are of no interface.
	Programs []Program `json:"programs,omitempty"`

	indexed *Link       // the first of Links as they were indexed
	places  map[int]int // in them, by index
}

// PortUse is a port, as those write it who connect to it, and how many connections to it are open.
type PortUse struct {
	Proto       string `json:"proto"`       // tcp, udp, sctp
	Addr        string `json:"addr"`        // where it was sent to at first, before any translation
	Port        int    `json:"port"`        // before any translation, too
	Connections int    `json:"connections"` // those that conntrack knows as answered and not ended
}

// FlowUse is a port that somebody uses, and how many of their connections to it are open.
type FlowUse struct {
	Proto string `json:"proto"` // tcp, udp, sctp
	Peer  string `json:"peer"`  // who opened them
	Addr  string `json:"addr"`  // what they were sent to, before any translation
	Port  int    `json:"port"`  // where they were sent to, before any translation
	// Translated says that they go on to somebody else.
	Translated bool `json:"translated,omitempty"`
	// Tracked says that the host's conntrack has them: their packets come by the host. Here says that a socket of the host's network namespace answers.
	Tracked     bool `json:"tracked,omitempty"`
	Here        bool `json:"here,omitempty"` // a socket of the host's network namespace answers
	Connections int  `json:"connections"`    // how many are open; of several places where they are seen, what the one with the most tells
	// More is how many connections to the port those have who are not told apart; it is told with one of those who are.
	More int `json:"more,omitempty"`
}

// Link is a network interface.
type Link struct {
	Index    int    `json:"index"`              // as the kernel numbers it (ifindex); above 0
	Name     string `json:"name"`               // as the kernel has it; no other of the namespace has the same
	Kind     string `json:"kind"`               // IFLA_INFO_KIND; "device" for hardware
	Up       bool   `json:"up"`                 // it is switched on (IFF_UP), with or without a carrier
	Loopback bool   `json:"loopback,omitempty"` // it has the flag IFF_LOOPBACK
	Master   int    `json:"master,omitempty"`   // index of what it is a part of: a bridge, a bond, a VRF; 0 is none
	// of a pair (veth, netkit) the index of the other end, of vlan, macvlan and ipvlan that of the interface below
	PeerIndex int      `json:"peerIndex,omitempty"`
	PeerNetns uint64   `json:"peerNetns,omitempty"` // inode of the namespace the peer is in
	Mode      string   `json:"mode,omitempty"`      // of macvlan and ipvlan: bridge, private, vepa, passthru, source; l2, l3, l3s
	MAC       string   `json:"mac,omitempty"`       // its own address at the link layer, in hexadecimal with colons; empty is none
	Hardware  uint16   `json:"hardware,omitempty"`  // ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none
	Addrs     []string `json:"addrs,omitempty"`     // address/bits, in the kernel's order
	Group     uint32   `json:"group,omitempty"`     // number of the group of interfaces (ip-link(8), group); 0 is the default
	XDP       bool     `json:"xdp,omitempty"`       // a program of XDP is attached
	TC        []string `json:"tc,omitempty"`        // filters and actions that can drop or redirect
	// TCUnread says why it is not known whether there are any, or any more.
	TCUnread string `json:"tcUnread,omitempty"`
	// Programs are those of XDP and traffic control that can be asked, in the order in which packets meet them at each place.
	Programs []LinkProgram `json:"programs,omitempty"`
	Driver   string        `json:"driver,omitempty"`  // of the hardware, by /sys/class/net/NAME/device/driver; empty of other kinds
	UDPPort  int           `json:"udpPort,omitempty"` // that a VXLAN or GENEVE of the kernel listens on
	// Isolated, Hairpin, Blocking and Locked are of a port of a bridge: it exchanges no frames with other isolated ports, gets back what it
	// sends, is closed by the spanning tree, or takes frames only from addresses that are in the bridge's table (ip-link(8), bridge_slave).
	Isolated bool `json:"isolated,omitempty"`
	Hairpin  bool `json:"hairpin,omitempty"`  // a port of a bridge that gets back what it sends
	Blocking bool `json:"blocking,omitempty"` // a port of a bridge that the spanning tree has closed
	Locked   bool `json:"locked,omitempty"`   // a port of a bridge that takes frames only from addresses in the bridge's table
	// Opening is a port that the spanning tree is about to open. NoLearning, NoFlood, NoMulticast and NoBroadcast are of one for which the switch
	// of that name is off: the bridge does not note who is behind it, and gives it no frames for addresses that it does not know, or for many.
	Opening     bool `json:"opening,omitempty"`
	NoLearning  bool `json:"noLearning,omitempty"`  // the bridge does not note who is behind the port
	NoFlood     bool `json:"noFlood,omitempty"`     // the port gets no frames for addresses that the bridge does not know
	NoMulticast bool `json:"noMulticast,omitempty"` // the port gets no frames for multicast groups that the bridge does not know
	NoBroadcast bool `json:"noBroadcast,omitempty"` // the port gets no frames for everybody
	// NoCarrier is of a port that is closed because nobody is connected with it: it opens with whoever comes.
	NoCarrier bool `json:"noCarrier,omitempty"`
	// FDB is what is written into a bridge's table for a port, or for the bridge itself, and not learned.
	FDB []FDBEntry `json:"fdb,omitempty"`
	// CallsIPTables and CallsIP6Tables say of a bridge that br_netfilter takes its frames through the hooks of IP, whatever the switch for all says.
	CallsIPTables  bool `json:"callsIPTables,omitempty"`
	CallsIP6Tables bool `json:"callsIP6Tables,omitempty"` // the same for IPv6
	// VLANFiltering says of a bridge that it keeps VLANs apart; VLANs are those of each of its ports, and its own. PVID is that of frames
	// without one, 0 if they are refused.
	VLANFiltering bool `json:"vlanFiltering,omitempty"`
	// numbers of the VLANs of a port, or of the bridge itself; empty where VLANs are not kept apart
	VLANs  []int `json:"vlans,omitempty"`
	PVID   int   `json:"pvid,omitempty"`   // VLAN of the frames that come without a tag; 0: they are refused
	Tagged []int `json:"tagged,omitempty"` // those of them whose frames leave with their tag
	// Groups are the multicast groups that the host has joined on the link. Every family that is on has one: none
	// of a family is not read.
	Groups []MulticastGroup `json:"groups,omitempty"`
}

// MulticastGroup is a group that is listened to. Where it is filtered, that depends on the sender.
type MulticastGroup struct {
	Addr     string `json:"addr"`               // of the group
	Filtered bool   `json:"filtered,omitempty"` // only some senders are listened to, or all but some (/proc/net/mcfilter, mcfilter6)
}

// FDBEntry is an entry of a bridge's table (bridge(8), bridge fdb): frames for the address go by the port that has it. Local are those for the host, of an
// address that is none of the bridge's or its ports'; Sticky those that stay though the address is heard elsewhere.
type FDBEntry struct {
	MAC    string `json:"mac"`              // the address that the frames are for
	VLAN   int    `json:"vlan,omitempty"`   // that it is for; 0 is none
	Local  bool   `json:"local,omitempty"`  // frames for it are the host's own
	Sticky bool   `json:"sticky,omitempty"` // it stays though the address is heard at another port
}

// FDBGap is why it is not known what is written into the tables of bridges, or what more. An older snapshot says nothing of them.
func (n *Network) FDBGap() string {
	if !n.FDBRead && n.FDBUnread == "" {
		return "the snapshot does not say what is written into the tables of bridges"
	}
	return n.FDBUnread
}

// Text names the entry of a link.
func (e *FDBEntry) Text(l *Link) string {
	kind := "static"
	switch {
	case e.Local:
		kind = "permanent"
	case e.Sticky:
		kind = "sticky"
	}
	return "the " + kind + " entry " + e.MAC + " at " + l.Name + " in the bridge's table"
}

// Route is one entry of a routing table.
type Route struct {
	Family  int    `json:"family"`            // 4 or 6
	Table   int    `json:"table"`             // number of the table: 254 main, 255 local
	Type    string `json:"type"`              // unicast, local, broadcast, multicast, blackhole, ...
	Dst     string `json:"dst"`               // prefix
	Oifs    []int  `json:"oifs,omitempty"`    // indexes of the interfaces that it leads out by, one for each hop; empty where it leads nowhere
	Gateway string `json:"gateway,omitempty"` // address of the next hop; empty where there is none, or there are several
	Metric  int    `json:"metric,omitempty"`  // of routes to the same destination the lowest counts
	// Protocol says who made the route (RTPROT_*, 2 the kernel), Source is the preferred source.
	Protocol int    `json:"protocol,omitempty"`
	Tos      int    `json:"tos,omitempty"`    // it is for packets with this type of service alone; 0 is any
	Source   string `json:"source,omitempty"` // address that the host sends from by it, unless a program chose another (RTA_PREFSRC)
	// Flags are RTNH_F_* of the first hop: 1 dead, 16 without carrier.
	Flags int `json:"flags,omitempty"`
	// Encap is what is done with packets that take the route (LWTUNNEL_ENCAP_*): bpf, mpls, ip, ip6, seg6, seg6local, ...; empty is nothing.
	Encap string `json:"encap,omitempty"`
	// Realm is that of the route (RTA_FLOW; its upper half is that of senders), or that of each of its hops; Realms says that not all hops have the same.
	Realm  uint32 `json:"realm,omitempty"`
	Realms bool   `json:"realms,omitempty"` // not all hops have the same realm
}

// Bypasses says of a route that packets on it can go another way than by the hooks of the host from its look-up on: a program or a segment
// routing header takes them at once (lwtunnel_input).
func (r *Route) Bypasses() bool { return r.Encap != "" && r.Encap != "ip" && r.Encap != "ip6" }

// UIDRange is users, both ends included.
type UIDRange struct {
	First uint32 `json:"first"` // uid of the first
	Last  uint32 `json:"last"`  // uid of the last
}

// PolicyRule is one routing policy rule. Selectors beyond these make Other true.
type PolicyRule struct {
	Family   int    `json:"family"`           // 4 or 6
	Priority int    `json:"priority"`         // rules are asked from the lowest on
	Src      string `json:"src,omitempty"`    // prefix that the sender is in; empty is any
	Dst      string `json:"dst,omitempty"`    // prefix that the destination is in; empty is any
	Iif      string `json:"iif,omitempty"`    // name of the interface that packets come in by, lo for those of the host itself; empty is any
	Oif      string `json:"oif,omitempty"`    // name of the interface that the sending socket is bound to; empty is any
	Mark     uint32 `json:"mark,omitempty"`   // mark of packets, in the bits of mask
	Mask     uint32 `json:"mask,omitempty"`   // bits of the mark that are compared; 0: the mark is not asked for
	Table    int    `json:"table"`            // number of the routing table that is looked up
	Invert   bool   `json:"invert,omitempty"` // it is for packets that its selectors do not match
	Action   string `json:"action"`           // lookup, goto, nop, blackhole, unreachable, prohibit; action-NUMBER is another (FR_ACT_*)
	Other    bool   `json:"other,omitempty"`  // it has a selector that is not told here: whether it matches is not known
	// IPProto, Sport and Dport select by transport; ports are both bounds.
	IPProto int    `json:"ipProto,omitempty"`
	Sport   [2]int `json:"sport,omitzero"` // first and last source port; both 0 is any
	Dport   [2]int `json:"dport,omitzero"` // first and last destination port; both 0 is any
	Tos     int    `json:"tos,omitempty"`  // type of service of packets; 0 is any
	Goto    int    `json:"goto,omitempty"` // priority of the rule that goto goes on with
	// UIDs selects by the user whose socket sends. What comes in counts as root's (ip_route_input_slow, flowi4_uid).
	UIDs *UIDRange `json:"uids,omitempty"`
	// SuppressBits refuses routes with that prefix length or a shorter one, plus one: 0 is unset.
	SuppressBits int `json:"suppressBits,omitempty"`
	// Realms says that it gives packets a realm (FRA_FLOW).
	Realms bool `json:"realms,omitempty"`
}

// Netns is a network namespace that could be found.
type Netns struct {
	Inode     uint64   `json:"inode"`               // number of its file in nsfs, as /proc/PID/ns/net shows it
	Names     []string `json:"names,omitempty"`     // of files under /run/netns and the like
	Host      bool     `json:"host,omitempty"`      // the one that the snapshot takes for the host's
	OwnerUser uint64   `json:"ownerUser,omitempty"` // user namespace that owns it
	// OwnerUID is the user who made the outermost of the user namespaces around the owner, below that of the host:
	// whoever made the others in it (ioctl_ns(2)). It is nil where the host's user namespace owns it, or it was not found out.
	OwnerUID  *int `json:"ownerUid,omitempty"`
	Processes int  `json:"processes"` // how many were seen in it
}

// Index makes Link quick, for as long as Links are the same: whole hosts have thousands, and each asks for its master.
func (s *Snapshot) Index() {
	s.Network.index()
	for i := range s.Namespaces {
		s.Namespaces[i].Network.index()
	}
}

func (n *Network) index() {
	if len(n.Links) == 0 {
		return
	}
	n.indexed, n.places = &n.Links[0], make(map[int]int, len(n.Links))
	for i := len(n.Links) - 1; i >= 0; i-- {
		n.places[n.Links[i].Index] = i
	}
}

// Link returns the link of that index, or nil.
func (n *Network) Link(index int) *Link {
	if len(n.Links) > 0 && len(n.Links) == len(n.places) && &n.Links[0] == n.indexed {
		i, ok := n.places[index]
		if !ok {
			return nil
		}
		if n.Links[i].Index == index {
			return &n.Links[i]
		}
	}
	for i := range n.Links {
		if n.Links[i].Index == index {
			return &n.Links[i]
		}
	}
	return nil
}

// BridgeOf is the bridge that an interface is a port of, or nil.
func (n *Network) BridgeOf(l *Link) *Link {
	if l == nil || l.Master == 0 {
		return nil
	}
	if b := n.Link(l.Master); b != nil && b.Kind == "bridge" {
		return b
	}
	return nil
}

// Elsewhere is what was seen of a network namespace other than the host's. Where Status is not ok, Network and
// NFTables are not to be relied on.
type Elsewhere struct {
	Netns    uint64   `json:"netns"`            // its inode, as in network.namespaces
	Status   Status   `json:"status"`           // ok, denied, error
	Reason   string   `json:"reason,omitempty"` // why it could not be read; empty if it was
	Network  Network  `json:"network"`          // of what is read of the host's, without namespaces, connections and name servers
	NFTables NFTables `json:"nftables"`         // its packet filter, of nftables and of iptables-legacy
}

// Elsewhere is what was seen of the network namespace of that inode, or nil.
func (s *Snapshot) Elsewhere(netns uint64) *Elsewhere {
	for i := range s.Namespaces {
		if s.Namespaces[i].Netns == netns {
			return &s.Namespaces[i]
		}
	}
	return nil
}

// From is the snapshot as somebody in that namespace would see it.
func (s *Snapshot) From(e *Elsewhere) *Snapshot {
	v := *s
	v.Network, v.NFTables = e.Network, e.NFTables
	v.Network.Namespaces = []Netns{{Inode: e.Netns, Host: true}}
	v.Namespaces = nil
	v.Coverage = []Coverage{
		{Collector: "listeners", Status: s.Section("listeners").Status, Parts: s.Section("listeners").Parts},
		{Collector: "network", Status: e.Status, Reasons: []string{e.Reason}},
		{Collector: "nftables", Status: e.Status, Reasons: []string{e.Reason}},
	}
	return &v
}

// Here says of an interface that has another end, or one below itself, that this is in the same network namespace.
func (n *Network) Here(l *Link) bool { return l.PeerNetns == 0 || l.PeerNetns == n.HostNetns() }

// LinkNamed returns the link of that name, or nil.
func (n *Network) LinkNamed(name string) *Link {
	for i := range n.Links {
		if n.Links[i].Name == name {
			return &n.Links[i]
		}
	}
	return nil
}

// Has says whether an interface has the address.
func (n *Network) Has(a netip.Addr) bool {
	for i := range n.Links {
		for _, text := range n.Links[i].Addrs {
			if p, err := netip.ParsePrefix(text); err == nil && p.Addr() == a {
				return true
			}
		}
	}
	return false
}

// HostNetns is the inode of the namespace that the collector treats as the host's.
func (n *Network) HostNetns() uint64 {
	for _, ns := range n.Namespaces {
		if ns.Host {
			return ns.Inode
		}
	}
	return 0
}

// VerifiesChecksums says whether conntrack verifies what no device has verified; the kernel that does not have the switch yet will begin with 1.
func (n *Network) VerifiesChecksums() bool {
	f := n.Sysctls[Checksums]
	return f.State != Present || f.Value != "0"
}
