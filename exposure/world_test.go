package exposure

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// The links of the host of fixtures.Networks(1, 2).
const (
	ext0  = 2
	br0   = 3
	port0 = 4
	port1 = 5
)

// hostInode is the network namespace of the host, hostUser the user namespace that owns it.
const (
	hostInode = 4026532177
	hostUser  = 4026531837
)

// The networks of the host: ext0 has the default route, br0 the containers.
var (
	outside = zones.Origin{Zone: zones.External, Interface: "ext0", Origin: packet.Origin{
		Index: ext0, From: everywhere, Except: prefixes("10.0.0.0/24", "fd00::/64"),
	}}
	bridged = zones.Origin{Zone: zones.Workload, Interface: "br0", Origin: packet.Origin{Index: br0, From: prefixes("10.0.0.0/24", "fd00::/64")}}
	onHost  = zones.Origin{Zone: zones.Workload, Origin: packet.Origin{Local: true}}
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// host is a host that forwards and has no filter, with an external interface and a bridge of two ports.
func host() *snapshot.Snapshot {
	s := fixtures.Networks(1, 2)
	s.Listeners.Sockets = nil
	for _, i := range []int{ext0, br0} {
		s.Network.Link(i).MAC = fmt.Sprintf("02:00:00:00:00:%02x", i)
	}
	for _, k := range []string{"accept_ra", "seg6_enabled"} {
		s.Network.Sysctls["net/ipv6/conf/all/"+k] = off
	}
	return s
}

var (
	on  = snapshot.Fact{State: snapshot.Present, Value: "1"}
	off = snapshot.Fact{State: snapshot.Present, Value: "0"}
)

// inside gives the host another network namespace with loopback and those interfaces, numbered from 2 on, each up. Their addresses have
// routes; the first one has the default routes. uid is whose namespace it is, below 0 the host's.
func inside(s *snapshot.Snapshot, inode uint64, uid int, links ...snapshot.Link) *snapshot.Elsewhere {
	ns := snapshot.Netns{Inode: inode, OwnerUser: hostUser}
	if uid >= 0 {
		ns.OwnerUser, ns.OwnerUID = inode+1_000_000, &uid
	}
	s.Network.Namespaces = append(s.Network.Namespaces, ns)
	e := snapshot.Elsewhere{Netns: inode, Status: snapshot.OK}
	n := &e.Network
	n.Sysctls = map[string]snapshot.Fact{"net/ipv4/ip_forward": off}
	add := func(l snapshot.Link) {
		l.Index, l.Up = len(n.Links)+1, true
		n.Links = append(n.Links, l)
		for k := range strings.FieldsSeq("ipv4/conf/%s/forwarding ipv4/conf/%s/rp_filter ipv4/conf/%s/route_localnet ipv4/conf/%s/accept_local ipv4/conf/%s/send_redirects " +
			"ipv4/conf/%s/src_valid_mark ipv4/conf/%s/mc_forwarding ipv6/conf/%s/forwarding ipv6/conf/%s/mc_forwarding ipv6/conf/%s/disable_ipv6") {
			n.Sysctls["net/"+fmt.Sprintf(k, l.Name)] = off
		}
		for _, text := range l.Addrs {
			p := netip.MustParsePrefix(text)
			fam := map[bool]int{true: 4, false: 6}[p.Addr().Is4()]
			n.Routes = append(n.Routes,
				snapshot.Route{Family: fam, Table: 255, Type: "local", Dst: netip.PrefixFrom(p.Addr(), p.Addr().BitLen()).String(), Oifs: []int{l.Index}, Protocol: 2},
				snapshot.Route{Family: fam, Table: 254, Type: "unicast", Dst: p.Masked().String(), Oifs: []int{l.Index}, Protocol: 2})
		}
	}
	add(snapshot.Link{Name: "all"})
	n.Links = nil
	add(snapshot.Link{Name: "lo", Kind: "device", Loopback: true, Addrs: []string{"127.0.0.1/8", "::1/128"}})
	for _, l := range links {
		if l.Hardware == 0 {
			l.Hardware = 1
		}
		add(l)
	}
	if len(links) > 0 {
		n.Routes = append(n.Routes,
			snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "0.0.0.0/0", Gateway: "10.0.0.1", Oifs: []int{2}},
			snapshot.Route{Family: 6, Table: 254, Type: "unicast", Dst: "::/0", Gateway: "fd00::1", Oifs: []int{2}})
	}
	e.NFTables.Legacy = map[string]snapshot.Fact{}
	e.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Namespaces = append(s.Namespaces, e)
	return &s.Namespaces[len(s.Namespaces)-1]
}

// eth0 is a container's interface.
func eth0(addrs ...string) snapshot.Link {
	return snapshot.Link{Name: "eth0", Kind: "veth", MAC: "02:00:00:00:01:02", Addrs: addrs}
}

// wire says that a link of the host has its other end at index 2 of a namespace.
func wire(s *snapshot.Snapshot, link int, inode uint64) {
	l := s.Network.Link(link)
	l.PeerNetns, l.PeerIndex = inode, 2
}

// container is a namespace at a port of br0, at 10.0.0.2 and fd00::2.
func container(s *snapshot.Snapshot, inode uint64, uid int) *snapshot.Elsewhere {
	wire(s, port0, inode)
	return inside(s, inode, uid, eth0("10.0.0.2/24", "fd00::2/64"))
}

// listen adds a socket and returns its place. IPv6 addresses are dual-stack where they can be.
func listen(s *snapshot.Snapshot, netns uint64, addr string, port int) int {
	family := 6
	if netip.MustParseAddr(addr).Is4() {
		family = 4
	}
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Netns: netns, Proto: "tcp", Family: family, Addr: addr, Port: port, OwnerState: "unknown"})
	return len(s.Listeners.Sockets) - 1
}

// only is the answer about one socket for one origin and family. Without one the test ends.
func only(t *testing.T, s *snapshot.Snapshot, i int, o zones.Origin, v4 bool) Answer {
	t.Helper()
	for _, of := range New(t.Context(), s, Limits{}, nil).Sockets([]int{i}, []zones.Origin{o})[i] {
		if of.V4 == v4 {
			return of.Answer
		}
	}
	t.Fatalf("no answer about %+v", s.Listeners.Sockets[i])
	return Answer{}
}

// want fails the test unless an answer is that, was checked where it is no unknown one, and gives a reason with that text.
func want(t *testing.T, a Answer, v packet.Verdict, why string) {
	t.Helper()
	text := reasons(a)
	if a.Verdict != v || a.Checked != (v != packet.Unknown) || !strings.Contains(text, why) {
		t.Errorf("%s, checked %v, %q; want %s, %q", a.Verdict, a.Checked, text, v, why)
	}
	if v == packet.Reachable && (a.Witness == nil || a.Fate == nil) {
		t.Errorf("reachable without a witness that was followed: %+v", a)
	}
}

// reasons is what an answer tells, in one line.
func reasons(a Answer) string {
	var out []string
	for _, list := range [][]packet.Cause{a.StoppedBy, a.Because} {
		for _, c := range list {
			out = append(out, strings.TrimSpace(c.Where.String()+" "+c.Text))
		}
	}
	return strings.Join(out, "; ")
}

// table is one base chain of the family inet with rules and a policy.
func table(hook, policy string, rules ...[]ruleset.Expr) *ruleset.Ruleset {
	c := ruleset.Chain{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: hook, Policy: policy}}
	for _, r := range rules {
		c.Rules = append(c.Rules, fixtures.Rule(&c, r))
	}
	if hook == "forward" && policy == ruleset.Drop { // answers pass, or no connection comes to be
		c.Rules = append(c.Rules, fixtures.Rule(&c, join(ofConnections, accepted)))
	}
	return &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
}

// ofConnections is the packets of connections that were seen before.
var ofConnections = []ruleset.Expr{
	{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtState, Dreg: 1}},
	{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: binary.NativeEndian.AppendUint32(nil, ruleset.CtEstablished)}},
}

func compare(e ruleset.Expr, data ...byte) []ruleset.Expr {
	return []ruleset.Expr{e, {Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: data}}}
}

func meta(key uint32, data ...byte) []ruleset.Expr {
	return compare(ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: key, Dreg: 1}}, data...)
}

func payload(base string, offset uint32, data ...byte) []ruleset.Expr {
	return compare(ruleset.Expr{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: offset, Len: uint32(len(data)), Dreg: 1}}, data...)
}

func join(parts ...[]ruleset.Expr) (out []ruleset.Expr) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// tcpTo is TCP to a port.
func tcpTo(port uint16) []ruleset.Expr {
	return join(meta(ruleset.MetaL4proto, 6), payload("transport", 2, binary.BigEndian.AppendUint16(nil, port)...))
}

// from4 is packets of one sender.
func from4(addr string) []ruleset.Expr {
	return join(meta(ruleset.MetaNfproto, 2), payload("network", 12, netip.MustParseAddr(addr).AsSlice()...))
}

var (
	accepted = fixtures.VerdictOf(ruleset.Accept)
	dropped  = fixtures.VerdictOf(ruleset.Drop)
)

// undecided is a condition that neither the packet nor the traffic before it decides.
var undecided = []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "rateest", Rev: 1}}}

// unread says of a section that it could not be read.
func unread(s *snapshot.Snapshot, section string) {
	for i := range s.Coverage {
		if c := &s.Coverage[i]; c.Collector == section {
			c.Status, c.Reasons = snapshot.Denied, []string{"operation not permitted"}
		}
	}
}
