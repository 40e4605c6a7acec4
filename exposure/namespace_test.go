package exposure

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestContainerBehindABridge: what the host forwards to the bridge gets to a listener of the namespace behind a port of it. The witness is
// followed through both.
func TestContainerBehindABridge(t *testing.T) {
	for _, v4 := range []bool{true, false} {
		s := host()
		container(s, 7001, -1)
		i := listen(s, 7001, "::", 80)
		for _, o := range []zones.Origin{outside, bridged, onHost} {
			got := only(t, s, i, o, v4)
			want(t, got, packet.Reachable, "")
			if got.Fate != nil && o.Index == ext0 && got.Fate.Oif != "br0" {
				t.Errorf("%+v", got.Fate)
			}
		}
	}
}

// TestTheHostsFilterStopsForwarding: what the host drops does not get to a container, whoever listens there. What is between ports of the
// bridge is switched, and no filter of forwarding is before it.
func TestTheHostsFilterStopsForwarding(t *testing.T) {
	s := host()
	container(s, 7001, -1)
	wire(s, port1, 7002)
	inside(s, 7002, -1, eth0("10.0.0.3/24"))
	i := listen(s, 7001, "0.0.0.0", 80)
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	for _, k := range []string{"iptables", "ip6tables"} {
		s.Network.Sysctls["net/bridge/bridge-nf-call-"+k] = off
	}
	want(t, only(t, s, i, outside, true), packet.Unreachable, "inet t/c#policy")
	want(t, only(t, s, i, bridged, true), packet.Reachable, "")
	want(t, only(t, s, i, onHost, true), packet.Reachable, "")
	s.NFTables.Ruleset = table("output", ruleset.Drop)
	if got := only(t, s, i, onHost, true); got.Verdict == packet.Reachable {
		t.Errorf("past the host's output: %+v", got.Witness)
	}
}

// TestSwitchedFromAnotherPort: the witness between two containers comes in by the port of the other one, not by that of the container
// itself. Where there is no other one yet, the next one sends by the host.
func TestSwitchedFromAnotherPort(t *testing.T) {
	s := host()
	container(s, 7001, -1)
	wire(s, port1, 7002)
	inside(s, 7002, -1, eth0("10.0.0.3/24"))
	got := only(t, s, listen(s, 7001, "0.0.0.0", 80), bridged, true)
	want(t, got, packet.Reachable, "")
	if got.Witness != nil && got.Witness.In != "p0-1" {
		t.Errorf("the witness comes in by %s", got.Witness.In)
	}
	s.Network.Link(port1).Up = false // nobody else is on the bridge
	got = only(t, s, 0, bridged, true)
	want(t, got, packet.Reachable, "")
	if got.Witness != nil && (got.Witness.In != "br0" || got.Witness.Src == got.Witness.Dst) {
		t.Errorf("from a port that is down: %+v", got.Witness)
	}
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	if got := only(t, s, 0, bridged, true); got.Verdict == packet.Reachable {
		t.Errorf("past the host's filter: %+v", got.Witness)
	}
}

// TestAPortWithAZoneOfItsOwn: a port that counts for another origin is not where a bridge's packets come from.
func TestAPortWithAZoneOfItsOwn(t *testing.T) {
	s := host()
	container(s, 7001, -1)
	i := listen(s, 7001, "0.0.0.0", 80)
	apart := bridged
	apart.Apart = []int{port1}
	if got := only(t, s, i, apart, true); got.Witness != nil && got.Witness.In != "br0" {
		t.Errorf("the witness %+v is another origin's", got.Witness)
	}
	port := zones.Origin{Zone: zones.External, Interface: "p0-1", Origin: packet.Origin{Index: port1, From: prefixes("10.0.0.0/24")}}
	got := only(t, s, i, port, true)
	want(t, got, packet.Reachable, "")
	if got.Witness != nil && got.Witness.In != "p0-1" {
		t.Errorf("the witness comes in by %s", got.Witness.In)
	}
}

// TestPairWithoutABridge: an interface of the host leads straight to the namespace.
func TestPairWithoutABridge(t *testing.T) {
	s := host()
	br := s.Network.Link(port0)
	br.Master, br.Name = 0, "veth0"
	s.Network.Link(br0).Up, s.Network.Link(br0).Addrs = false, nil
	br.Addrs, br.MAC = []string{"10.0.0.1/24"}, "02:00:00:00:00:99"
	for i := range s.Network.Routes {
		if r := &s.Network.Routes[i]; len(r.Oifs) == 1 && r.Oifs[0] == br0 {
			r.Oifs = []int{port0}
		}
	}
	for _, k := range []string{"ipv4/conf/%s/forwarding"} {
		s.Network.Sysctls["net/"+k[:10]+"veth0"+k[12:]] = on
	}
	for _, k := range []string{"rp_filter", "route_localnet", "accept_local", "send_redirects", "src_valid_mark", "mc_forwarding"} {
		s.Network.Sysctls["net/ipv4/conf/veth0/"+k] = off
	}
	container(s, 7001, -1)
	i := listen(s, 7001, "0.0.0.0", 80)
	want(t, only(t, s, i, outside, true), packet.Reachable, "")
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	want(t, only(t, s, i, outside, true), packet.Unreachable, "inet t/c#policy")
}

// TestAFilterOfItsOwn: the filter of the namespace counts. One that lets a single sender in is open for whoever has that address, and
// closed for the others.
func TestAFilterOfItsOwn(t *testing.T) {
	s := host()
	own := container(s, 7001, -1)
	own.NFTables.Ruleset = table("input", ruleset.Drop)
	i := listen(s, 7001, "0.0.0.0", 80)
	for _, o := range []zones.Origin{outside, bridged, onHost} {
		want(t, only(t, s, i, o, true), packet.Unreachable, "inet t/c#policy")
	}
	s.Namespaces[0].NFTables.Ruleset = table("input", ruleset.Drop, join(from4("198.51.100.7"), tcpTo(80), accepted))
	got := only(t, s, i, outside, true)
	want(t, got, packet.Reachable, "")
	if got.Witness != nil && got.Witness.Src != netip.MustParseAddr("198.51.100.7") {
		t.Errorf("the witness is from %s", got.Witness.Src)
	}
	want(t, only(t, s, i, bridged, true), packet.Unreachable, "inet t/c#policy")
	want(t, only(t, s, i, onHost, true), packet.Unreachable, "inet t/c#policy")
	s.Namespaces[0].NFTables.Ruleset = table("input", ruleset.Drop, join(undecided, tcpTo(80), accepted))
	if got := only(t, s, i, outside, true); got.Verdict != packet.Unknown {
		t.Errorf("a filter that no packet decides: %s", got.Verdict)
	}
}

// TestBothFiltersTogether: the host lets one sender through, the namespace another one. Nobody passes both, and that is not called
// reachable.
func TestBothFiltersTogether(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("forward", ruleset.Drop, join(from4("198.51.100.7"), accepted))
	own := container(s, 7001, -1)
	own.NFTables.Ruleset = table("input", ruleset.Drop, join(from4("198.51.100.8"), tcpTo(80), accepted))
	i := listen(s, 7001, "0.0.0.0", 80)
	if got := only(t, s, i, outside, true); got.Verdict == packet.Reachable {
		t.Errorf("the witness %+v", got.Witness)
	}
	s.Namespaces[0].NFTables.Ruleset = table("input", ruleset.Drop, join(from4("198.51.100.7"), tcpTo(80), accepted))
	want(t, only(t, s, i, outside, true), packet.Reachable, "")
}

// TestLoopbackOfANamespace: a listener on loopback of a namespace is reached by nobody outside of it, one at an address that it does not
// have neither.
func TestLoopbackOfANamespace(t *testing.T) {
	s := host()
	container(s, 7001, -1)
	for _, addr := range []string{"127.0.0.1", "10.0.0.9"} {
		i := listen(s, 7001, addr, 80)
		for _, o := range []zones.Origin{outside, bridged, onHost} {
			want(t, only(t, s, i, o, true), packet.Unreachable, "")
		}
	}
}

// TestNamespaceWithoutInterfaces: with loopback alone nothing gets in.
func TestNamespaceWithoutInterfaces(t *testing.T) {
	s := host()
	e := inside(s, 7001, -1)
	i := listen(s, 7001, "0.0.0.0", 80)
	want(t, only(t, s, i, outside, true), packet.Unreachable, "no interface but loopback")
	e.Network.Links = append(e.Network.Links, snapshot.Link{Index: 2, Name: "eth0", Kind: "device", Addrs: []string{"198.51.100.1/24"}})
	want(t, only(t, s, i, outside, true), packet.Unreachable, "no interface but loopback that is up")
	e.Network.Links[1].Up = true
	want(t, only(t, s, i, outside, true), packet.Unknown, "how packets get to eth0 of its network namespace is not known")
}

// TestNamespaceThatWasNotRead: no proof and no witness without it.
func TestNamespaceThatWasNotRead(t *testing.T) {
	s := host()
	i := listen(s, 7001, "0.0.0.0", 80)
	want(t, only(t, s, i, outside, true), packet.Unknown, "its network namespace was not read")
	e := container(s, 7001, -1)
	e.Status, e.Reason = snapshot.Denied, "operation not permitted"
	want(t, only(t, s, i, outside, true), packet.Unknown, "its network namespace was not read: operation not permitted")
}

// TestTwoInterfaces: a namespace is as open as its most open interface; what stops packets is told of all of them.
func TestTwoInterfaces(t *testing.T) {
	s := host()
	wire(s, port0, 7001)
	s.Network.Link(port1).PeerNetns, s.Network.Link(port1).PeerIndex = 7001, 3
	own := inside(s, 7001, -1, eth0("10.0.0.2/24"), snapshot.Link{Name: "eth1", Kind: "veth", MAC: "02:00:00:00:01:03", Addrs: []string{"10.0.0.3/24"}})
	i := listen(s, 7001, "0.0.0.0", 80)
	name := func(n byte) []ruleset.Expr { return meta(ruleset.MetaIif, n, 0, 0, 0) }
	own.NFTables.Ruleset = table("input", ruleset.Accept, join(name(2), dropped))
	want(t, only(t, s, i, outside, true), packet.Reachable, "")
	s.Namespaces[0].NFTables.Ruleset = table("input", ruleset.Accept, join(name(2), dropped), join(name(3), dropped))
	got := only(t, s, i, outside, true)
	want(t, got, packet.Unreachable, "inet t/c#10")
	want(t, got, packet.Unreachable, "inet t/c#20")
}

// TestTwoInterfacesOneUnknown: an interface of which it is not known where it leads leaves no proof, and takes no witness.
func TestTwoInterfacesOneUnknown(t *testing.T) {
	s := host()
	wire(s, port0, 7001)
	inside(s, 7001, -1, eth0("10.0.0.2/24"), snapshot.Link{Name: "eth1", Kind: "device", Addrs: []string{"198.51.100.1/24"}})
	i := listen(s, 7001, "0.0.0.0", 80)
	want(t, only(t, s, i, outside, true), packet.Reachable, "")
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	want(t, only(t, s, i, outside, true), packet.Unknown, "eth1")
}

// TestIPv6Only: a socket and a namespace of IPv6 alone have no answer, or no way, over IPv4.
func TestIPv6Only(t *testing.T) {
	s := host()
	wire(s, port0, 7001)
	inside(s, 7001, -1, eth0("fd00::2/64"))
	i := listen(s, 7001, "::", 80)
	want(t, only(t, s, i, outside, false), packet.Reachable, "")
	want(t, only(t, s, i, outside, true), packet.Unreachable, "")
	s.Listeners.Sockets[i].V6Only = true
	if got := New(t.Context(), s, Limits{}, nil).Sockets([]int{i}, []zones.Origin{outside})[i]; len(got) != 1 || got[0].V4 {
		t.Errorf("%d answers", len(got))
	}
}

// TestLinkLocalNeighbour: link-local addresses are not routed. Who is on the same link reaches a listener there, others do not.
func TestLinkLocalNeighbour(t *testing.T) {
	s := host()
	wire(s, port0, 7001)
	wire(s, port1, 7002)
	inside(s, 7001, -1, eth0("fe80::2/64"))
	inside(s, 7002, -1, eth0("fe80::3/64"))
	i := listen(s, 7001, "fe80::2", 80)
	want(t, only(t, s, i, outside, false), packet.Unreachable, "")
	near := bridged
	near.From = prefixes("fd00::/64", "fe80::/64")
	if got := only(t, s, i, near, false); got.Verdict == packet.Unreachable {
		t.Errorf("a neighbour is said not to reach it: %s", reasons(got))
	}
}

// TestProgramsHoldTheOtherEnd: with a tun device a program passes on what it likes, also to loopback. That is never a proof.
func TestProgramsHoldTheOtherEnd(t *testing.T) {
	s := host()
	own := inside(s, 7001, 1001, snapshot.Link{Name: "tap0", Kind: "tun", Addrs: []string{"10.0.2.100/24"}})
	wide, loopback := listen(s, 7001, "0.0.0.0", 80), listen(s, 7001, "127.0.0.1", 81)
	for _, o := range []zones.Origin{outside, bridged, onHost} {
		want(t, only(t, s, wide, o, true), packet.Unknown, "a program holds the other end of tap0")
		want(t, only(t, s, loopback, o, true), packet.Unknown, "a program holds the other end of tap0")
	}
	own.NFTables.Ruleset = table("input", ruleset.Drop)
	want(t, only(t, s, wide, outside, true), packet.Unknown, "a program holds the other end of tap0")
}

// TestTranslatedOnTheWay: what the host sends on with another source comes as that one to the filter of the namespace.
func TestTranslatedOnTheWay(t *testing.T) {
	s := host()
	own := container(s, 7001, -1)
	own.NFTables.Ruleset = table("input", ruleset.Drop, join(from4("10.0.0.1"), accepted))
	i := listen(s, 7001, "0.0.0.0", 80)
	want(t, only(t, s, i, outside, true), packet.Unreachable, "")
	masquerade := table("postrouting", ruleset.Accept, []ruleset.Expr{{Name: "masq", NAT: &ruleset.NAT{Kind: "masquerade"}}})
	masquerade.Tables[0].Chains[0].Base.Type, masquerade.Tables[0].Chains[0].Base.Priority = "nat", 100
	s.NFTables.Ruleset = masquerade
	if got := only(t, s, i, outside, true); got.Verdict == packet.Unreachable {
		t.Errorf("the host sends it as 10.0.0.1: %s", reasons(got))
	}
}
