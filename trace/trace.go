// Package trace follows one packet through a host: ingress, prerouting, the routing decision, input
// or forward, output and postrouting, with the packet filter, conntrack, translation, routes, policy
// rules, sysctls, bridges and sockets of a snapshot.
//
// It runs the rules the way the kernel's virtual machine does, over the bytes of the packet and a
// register file (net/netfilter/nf_tables_core.c). What cannot be decided, such as a limit, a random
// number, bytes that the question leaves open or an extension that is not understood, is taken both
// ways; where all ways end the same, that is the answer, else the fate is unknown and names them. If
// nothing but the traffic before decides, the fate at rest and the others are told with it.
//
// The package shares no code with package reach, so that each can check the other.
package trace

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Outcome is how a packet's way ends.
type Outcome string

// The outcomes.
const (
	Local   Outcome = "local"   // passed the input hook
	Forward Outcome = "forward" // leaves by another interface
	Output  Outcome = "output"  // of this host, leaves by an interface
	Drop    Outcome = "drop"
	Reject  Outcome = "reject" // dropped, and the sender is told
	Unknown Outcome = "unknown"
)

// What Fate.Socket says where it names no socket: that none listens there, that this was not read, and of a region that one does for
// some of its packets.
const (
	NoSocket      = "none"
	UnknownSocket = "unknown"
	SomeSocket    = "some"
)

// Fate is what becomes of a packet.
type Fate struct {
	Fate Outcome `json:"fate"`          // what becomes of it
	Oif  string  `json:"oif,omitempty"` // the interface that it leaves by
	To   string  `json:"to,omitempty"`  // the destination after translation
	// From is the source with which a packet leaves; not valid where that is not known.
	From netip.Addr `json:"-"`
	// Sources are those that a translation may take instead, by what is not known.
	Sources []netip.Addr `json:"-"`
	// Begun is the connection that the packet begins, if that is translated.
	Begun *Begun `json:"-"`
	// Socket takes it: a name, NoSocket, UnknownSocket or SomeSocket.
	Socket string `json:"socket,omitempty"`
	// Others get it too: every socket of datagrams gets what is for many hosts (__udp4_lib_mcast_deliver).
	Others []string `json:"otherSockets,omitempty"`
	// Tracked says that conntrack has the packet, and Answers in which zone it looks for the connection that the packet is an answer of, or has one.
	Tracked bool   `json:"-"`
	Answers uint16 `json:"-"`
	// TTL is a time to live with which packets end so, as it is sent, if that decides; else 0.
	TTL uint8 `json:"-"`
	// TOS is a type of service with which they do, if that decides and is not the usual one.
	TOS *uint8 `json:"-"`
	// Rule decided: "inet filter/input#12", "#policy" of a base chain, or a cause that is no rule:
	// route, rp_filter, martian, forwarding-off, ...
	Rule string `json:"rule,omitempty"`
	Why  string `json:"why,omitempty"` // what an unknown fate hangs on
	// ByTraffic are the fates of a packet whose fate hangs on nothing but the traffic before it, that of a host at rest first.
	ByTraffic []Conditional `json:"byTraffic,omitempty"`
	// Because lists what an unknown fate hangs on, Path is the way of the packet.
	Because []packet.Cause `json:"-"`
	Path    []Step         `json:"-"`
}

// Step is one station of the way: a rule that decided something, or a decision of the stack.
type Step struct {
	Hook packet.Hook `json:"hook,omitempty"` // where in the stack
	packet.Where
	Text   string `json:"text,omitempty"` // the rule as nft writes it
	Effect string `json:"effect"`         // what it does to the packet
}

// Tracer traces packets over one snapshot. It is not safe for concurrent use.
type Tracer struct {
	snap     *snapshot.Snapshot
	links    map[int]*link
	names    map[string]*link
	lo       *link
	fib4     *fib
	fib6     *fib
	tables   []*table
	hooks    map[hookKey][]hookEntry
	bridged  bool           // there are base chains of the bridge family
	general  []packet.Cause // what makes every fate unknown
	policies []ipsec
	realms   realms
	sockets  []socket
	byPort   map[portKey][]*socket
	guards   map[string]*guard // by the name of a socket
	unread   bool              // which sockets listen was not read
	marks4   []netip.Prefix    // see landmarks
	marks6   []netip.Prefix
	members  map[netip.Prefix][]*link // see joinedBy
	marks    [2]landmarks             // the same as spans: of IPv6, of IPv4
	owns     map[netip.Addr]bool      // see own
	// addresses are what setOfAddresses found.
	addresses map[*ruleset.IPSet]spans
	// ipsetChanges are the sets of ipset that rules change, once that was asked.
	ipsetChanges *ruleset.IPSetChanges
	runner       packet.Runner // see Ask
	asked        map[askKey]asked
	walk         walk
	cost         int // rules that were evaluated, of all packets
}

// landmarks are what spansOfMarks found.
type landmarks struct {
	spans spans
	ends  [][]byte
	// members are by landmark the links of a group that is a landmark for them alone; nil of others.
	members [][]*link
}

// maxWays bounds how many ways a packet with undecided points is followed.
const maxWays = 512

// maxPacketRules bounds the rules that are evaluated on all ways of a packet together.
const maxPacketRules = 4_000_000

// Evaluated is how many rules were evaluated for all packets until now: what the tracer's answers cost.
func (t *Tracer) Evaluated() int { return t.cost }

// New prepares a tracer. It never fails: what the snapshot lacks becomes the reason of unknown fates.
func New(s *snapshot.Snapshot) *Tracer {
	t := &Tracer{snap: s}
	t.general = missing(s)
	t.readLinks()
	t.fib4, t.fib6 = t.newFib(4), t.newFib(6)
	t.readSockets()
	t.readPolicies()
	t.readRealms()
	t.compile()
	t.walk.Tracer = t
	return t
}

// missing is the sections that a fate needs and that were not read.
func missing(s *snapshot.Snapshot) []packet.Cause {
	var list []packet.Cause
	for _, name := range []string{"network", "nftables"} {
		c := s.Section(name)
		links := len(s.Network.Links) > 0
		if c.Status == snapshot.OK || name == "nftables" && c.Status == snapshot.Absent && links ||
			c.Status == snapshot.Partial && links {
			continue
		}
		list = append(list, packet.Cause{Text: name + " was not read: " + strings.Join(c.Reasons, "; ")})
	}
	for _, name := range []string{"iptables", "ip6tables"} {
		if f := s.NFTables.Legacy[name]; f.State == snapshot.Denied || f.State == snapshot.Error {
			list = append(list, packet.Cause{Text: name + "-legacy was not read: " + f.Reason})
		}
	}
	return list
}

// Packet follows one packet.
func (t *Tracer) Packet(p *packet.Packet) Fate { return t.follow(p, nil) }

// follow follows a packet, or the first answer of a connection.
func (t *Tracer) follow(p *packet.Packet, answers *Begun) Fate {
	if len(t.general) > 0 {
		return unknownFate(t.general)
	}
	if err := t.check(p); err != nil {
		return unknownFate([]packet.Cause{{Text: err.Error()}})
	}
	plain := *p
	if src, dst := p.Src.Unmap(), p.Dst.Unmap(); src.Is4() && dst.Is4() {
		plain.Src, plain.Dst = src, dst // beside an address of IPv6 alone, such a one is in an IPv6 header
	}
	p = &plain
	w := &t.walk
	w.choices, w.begins = w.choices[:0], answers
	defer func() { w.begins = nil }()
	ends := outcomes{byState: map[string]int{}}
	before := t.cost
	for way := 0; ; way++ {
		w.start(p)
		f := w.run()
		t.cost += w.evaluated
		if way == 0 && w.proxied != nil {
			if f, ok := t.proxied(p); ok {
				return f
			}
			return unknownFate([]packet.Cause{{Text: synproxies}})
		}
		switch _, only := w.states(); {
		case w.stuck != nil && (way == 0 || !only):
			return unknownFate([]packet.Cause{*w.stuck})
		case w.stuck != nil:
			f = unknownFate([]packet.Cause{*w.stuck})
		case way == maxWays || t.cost-before > maxPacketRules:
			return unknownFate(append(w.blame(), packet.Cause{Text: "too many undecided expressions on the way"}))
		case way == 0:
			f.Path = w.steps()
		}
		f.TTL, f.TOS, f.Tracked, f.Answers = w.sentTTL(), w.sentService(), w.skb.ct != nil, w.zone.answers
		f.Begun = w.begun(&f)
		if ends.add(w, &f); ends.open != nil || !w.advance() {
			return ends.conclude()
		}
	}
}

// Takers are the sockets that get a packet that is delivered to the host, each by its name or as NoSocket, UnknownSocket
// and SomeSocket say.
func (f *Fate) Takers() []string { return append([]string{f.Socket}, f.Others...) }

// same says whether two fates are one for the sender and for the host.
func same(a, b *Fate) bool {
	return a.Fate == b.Fate && a.Oif == b.Oif && a.To == b.To && a.Socket == b.Socket && slices.Equal(a.Others, b.Others)
}

func unknownFate(because []packet.Cause) Fate {
	var why []string
	for _, c := range because {
		if s := c.String(); !slices.Contains(why, s) {
			why = append(why, s)
		}
	}
	return Fate{Fate: Unknown, Why: strings.Join(why, "; "), Because: because}
}

// choice is a point where the walk could go several ways.
type choice struct {
	n, taken int
	cause    packet.Cause
	rule     *rule
	states   []state // what each way says of the traffic before, where that decides
}

// choose picks one of n ways; the walk is repeated until each was taken.
func (w *walk) choose(n int, r *rule, why string) int {
	if w.at < len(w.choices) {
		c := &w.choices[w.at]
		w.at++
		return c.taken
	}
	w.choices = append(w.choices, choice{n: n, rule: r, cause: packet.Cause{Text: why}})
	w.at++
	return 0
}

// advance takes the next way at the last point that has one left.
func (w *walk) advance() bool {
	for n := len(w.choices); n > 0; n-- {
		c := &w.choices[n-1]
		if c.taken+1 < c.n {
			c.taken++
			w.choices = w.choices[:n]
			return true
		}
	}
	return false
}

// blame is the causes on the present way: the last one that changed is what made the difference.
func (w *walk) blame() []packet.Cause {
	n := min(w.at, len(w.choices))
	for n > 0 && w.choices[n-1].taken == 0 {
		n--
	}
	if n == 0 {
		return nil
	}
	return []packet.Cause{w.choices[n-1].named()}
}

func (c *choice) named() packet.Cause {
	out := c.cause
	if c.rule != nil {
		out.Family, out.Table = c.rule.chain.table.src.Family, c.rule.chain.table.src.Name
		out.Chain, out.Rule = c.rule.chain.src.Name, c.rule.src.Handle
	}
	return out
}

// abort ends the walk: what comes next cannot be followed in any way.
func (w *walk) abort(r *rule, why string) verdict {
	if w.stuck == nil {
		c := (&choice{rule: r, cause: packet.Cause{Text: why}}).named()
		w.stuck = &c
	}
	return verdict{kind: vStolen}
}

// link is an interface with what the walk asks of it.
type link struct {
	*snapshot.Link
	mac    []byte
	ether  bool
	v4, v6 []netip.Addr // in the kernel's order
	nets   []netip.Prefix
	groups []group
	ports  []*link // of a bridge or a bond
	lower  *link   // of a VLAN and the like
	bridge *link   // that it is a port of
	name   [16]byte
	conf   conf
	// filteredIn and filteredOut are what filteredPorts found.
	filteredIn, filteredOut *bool
}

// group is a multicast group that a link has joined, of some senders alone where it is filtered.
type group struct {
	addr     netip.Addr
	filtered bool
}

// stacked are the kinds of interfaces whose packets come and go by another one, IFLA_LINK.
var stacked = map[string]bool{"vlan": true, "macvlan": true, "ipvlan": true, "macsec": true}

func (t *Tracer) readLinks() {
	t.links, t.names = map[int]*link{}, map[string]*link{}
	for i := range t.snap.Network.Links {
		l := &link{Link: &t.snap.Network.Links[i]}
		copy(l.name[:15], l.Name)
		l.mac = packet.ParseMAC(l.MAC)
		l.ether = l.Hardware == 1 || l.Hardware == 772 || l.Hardware == 0 && l.Kind != "tun"
		for _, a := range l.Addrs {
			p, err := netip.ParsePrefix(a)
			if err != nil {
				continue
			}
			l.nets = append(l.nets, p)
			if p.Addr().Is4() {
				l.v4 = append(l.v4, p.Addr())
			} else {
				l.v6 = append(l.v6, p.Addr())
			}
		}
		for _, g := range l.Groups {
			if a, err := netip.ParseAddr(g.Addr); err == nil {
				l.groups = append(l.groups, group{a, g.Filtered})
			}
		}
		l.conf = t.readConf(l.Link)
		if l.Loopback {
			t.lo = l
		}
		t.links[l.Index], t.names[l.Name] = l, l
	}
	for _, l := range t.snap.Network.Links {
		if m := t.links[l.Master]; m != nil && l.Master != 0 {
			m.ports = append(m.ports, t.links[l.Index])
			if m.Kind == "bridge" {
				t.links[l.Index].bridge = m
			}
		}
		if stacked[l.Kind] && t.snap.Network.Here(&l) {
			t.links[l.Index].lower = t.links[l.PeerIndex]
		}
	}
}

// sysctl is the value of a switch and whether it was read. An absent one is off.
func (t *Tracer) sysctl(key string) (int, bool) {
	f, ok := t.snap.Network.Sysctls[key]
	switch {
	case !ok || f.State == snapshot.Absent:
		return 0, ok
	case f.State != snapshot.Present:
		return 0, false
	}
	n := 0
	if _, err := fmt.Sscan(f.Value, &n); err != nil {
		return 0, false
	}
	return n, true
}

// text is the rule in nft's syntax.
func (r *rule) text() string { return r.src.Text(r.chain.table.src) }

func (r *rule) String() string {
	return fmt.Sprintf("%s#%d", r.chain, r.src.Handle)
}

func (c *chain) String() string {
	return fmt.Sprintf("%s %s/%s", c.table.src.Family, c.table.src.Name, c.src.Name)
}
