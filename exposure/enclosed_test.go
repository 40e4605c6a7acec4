package exposure

import (
	"fmt"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// pair is an interface whose other end is at an index of a namespace.
func pair(name string, netns uint64, index int, addrs ...string) snapshot.Link {
	return snapshot.Link{Name: name, Kind: "veth", PeerNetns: netns, PeerIndex: index, Addrs: addrs, MAC: fmt.Sprintf("02:00:00:00:03:%02x", index)}
}

// TestPairWithinOneNamespace: both ends are in the namespace, and nothing leads there.
func TestPairWithinOneNamespace(t *testing.T) {
	s := host()
	inside(s, 7001, 1001, pair("va", 7001, 3, "10.5.0.1/24"), pair("vb", 7001, 2))
	i := listen(s, 7001, "0.0.0.0", 22)
	for _, o := range []zones.Origin{outside, bridged, onHost} {
		want(t, only(t, s, i, o, true), packet.Unreachable, "leads nowhere")
	}
}

// TestChainOfNamespaces: namespaces that are joined to each other, and to nothing else, are reached by nobody. One way out anywhere in the
// chain, or a namespace that was not read, leaves it open.
func TestChainOfNamespaces(t *testing.T) {
	chain := func() *snapshot.Snapshot {
		s := host()
		inside(s, 7001, 1001, pair("a", 7002, 2, "10.5.0.1/24"))
		inside(s, 7002, 1001, pair("b", 7001, 2, "10.5.0.2/24"), pair("c", 7003, 2, "10.6.0.2/24"))
		inside(s, 7003, 1001, pair("d", 7002, 3, "10.6.0.3/24"))
		listen(s, 7001, "0.0.0.0", 22)
		return s
	}
	want(t, only(t, chain(), 0, outside, true), packet.Unreachable, "leads nowhere, or only to namespaces that nothing leads to")
	for name, change := range map[string]func(s *snapshot.Snapshot){
		"the end was not read":        func(s *snapshot.Snapshot) { s.Namespaces[2].Status = snapshot.Denied },
		"the end was not found":       func(s *snapshot.Snapshot) { s.Namespaces = s.Namespaces[:2] },
		"the end leads to the host":   func(s *snapshot.Snapshot) { s.Network.Link(port0).PeerNetns, s.Network.Link(port0).PeerIndex = 7003, 2 },
		"the end has a device":        func(s *snapshot.Snapshot) { s.Namespaces[2].Network.Links[1].Kind = "device" },
		"the end has a tunnel":        func(s *snapshot.Snapshot) { s.Namespaces[2].Network.Links[1].Kind = "vxlan" },
		"a program is at the end":     func(s *snapshot.Snapshot) { s.Namespaces[2].Network.Links[1].Kind = "tun" },
		"where it leads is unknown":   func(s *snapshot.Snapshot) { s.Namespaces[2].Network.Links[1].PeerNetns = 0 },
		"it says that it is the host": func(s *snapshot.Snapshot) { s.Namespaces[2].Network.Links[1].PeerNetns = hostInode },
	} {
		s := chain()
		change(s)
		t.Run(name, func(t *testing.T) {
			want(t, only(t, s, 0, outside, true), packet.Unknown, "how packets get to a of its network namespace")
		})
	}
}

// TestNetworkWithinAContainer: a container with a network of its own inside. What it offers there is reached through its own interface
// alone, unless it forwards.
func TestNetworkWithinAContainer(t *testing.T) {
	nested := func() *snapshot.Snapshot {
		s := host()
		wire(s, port0, 7001)
		inside(s, 7001, -1, eth0("10.0.0.2/24"), snapshot.Link{Name: "docker0", Kind: "bridge", Addrs: []string{"10.9.0.1/24"}, MAC: "02:00:00:00:04:03"},
			func() snapshot.Link { l := pair("v0", 7002, 2); l.Master = 3; return l }())
		inside(s, 7002, -1, pair("in", 7001, 4, "10.9.0.2/24"))
		listen(s, 7001, "10.0.0.2", 80)
		listen(s, 7001, "10.9.0.1", 81)
		return s
	}
	s := nested()
	want(t, only(t, s, 0, outside, true), packet.Reachable, "")
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	want(t, only(t, s, 0, outside, true), packet.Unreachable, "")
	want(t, only(t, s, 1, outside, true), packet.Unreachable, "")
	forwarding := func(s *snapshot.Snapshot) {
		for _, l := range []string{"all", "eth0", "docker0", "v0"} {
			s.Namespaces[0].Network.Sysctls["net/ipv4/conf/"+l+"/forwarding"] = on
		}
		s.Namespaces[0].Network.Sysctls["net/ipv4/ip_forward"] = on
	}
	forwarding(s)
	want(t, only(t, s, 0, outside, true), packet.Unknown, "packets get to docker0 of its network namespace by way of another interface")
	s.Namespaces[0].NFTables.Ruleset = table("forward", ruleset.Drop)
	want(t, only(t, s, 0, outside, true), packet.Unreachable, "")
}

// TestBridgeWithAWayOut: a bridge of the namespace that leads to the host by one of its ports is not enclosed.
func TestBridgeWithAWayOut(t *testing.T) {
	s := host()
	wire(s, port0, 7001)
	port := eth0()
	port.Master = 3
	inside(s, 7001, -1, port, snapshot.Link{Name: "br", Kind: "bridge", Addrs: []string{"10.0.0.2/24"}})
	if got := only(t, s, listen(s, 7001, "0.0.0.0", 80), outside, true); got.Verdict == packet.Unreachable {
		t.Errorf("the port leads to the host: %s", reasons(got))
	}
}

// TestNothingComesInByADummy: an interface that drops all that is sent to it.
func TestNothingComesInByADummy(t *testing.T) {
	s := host()
	inside(s, 7001, -1, snapshot.Link{Name: "d0", Kind: "dummy", Addrs: []string{"10.5.0.1/24"}})
	want(t, only(t, s, listen(s, 7001, "0.0.0.0", 80), outside, true), packet.Unreachable, "leads nowhere")
}

// TestWhatComesBackByAPairOfItsOwn: what comes in by one end of a pair within the namespace it sent out by the other end, or by the bridge
// that the other end is a port of. A filter there is a proof, one at the end that packets come in by is none.
func TestWhatComesBackByAPairOfItsOwn(t *testing.T) {
	for name, bridge := range map[string]bool{"a pair": false, "a pair at a bridge": true} {
		s := host()
		s.NFTables.Ruleset = table("forward", ruleset.Drop)
		wire(s, port0, 7001)
		va, vb := pair("va", 7001, 4, "10.5.0.1/24"), pair("vb", 7001, 3)
		links := []snapshot.Link{eth0("10.0.0.2/24"), va, vb}
		out := byte(3) // of va
		if bridge {
			links[1].Addrs, links[1].Master, out = nil, 5, 5
			links = append(links, snapshot.Link{Name: "br", Kind: "bridge", Addrs: []string{"10.5.0.1/24"}, MAC: "02:00:00:00:04:05"})
		}
		e := inside(s, 7001, -1, links...)
		for _, k := range []string{"all/forwarding", "eth0/forwarding", "va/forwarding", "vb/forwarding", "br/forwarding"} {
			e.Network.Sysctls["net/ipv4/conf/"+k] = on
		}
		e.Network.Sysctls["net/ipv4/ip_forward"] = on
		i := listen(s, 7001, "0.0.0.0", 80)
		to := func(oif byte) []ruleset.Expr { return join(meta(ruleset.MetaOif, oif, 0, 0, 0), dropped) }
		t.Run(name, func(t *testing.T) {
			want(t, only(t, s, i, outside, true), packet.Unknown, "by way of another interface")
			s.Namespaces[0].NFTables.Ruleset = table("forward", ruleset.Accept, to(4))
			want(t, only(t, s, i, outside, true), packet.Unknown, "by way of another interface")
			s.Namespaces[0].NFTables.Ruleset = table("forward", ruleset.Accept, to(out))
			want(t, only(t, s, i, outside, true), packet.Unreachable, "")
		})
	}
}
