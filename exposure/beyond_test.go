package exposure

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestOtherWaysToASocket: a socket of another namespace is asked about at every address and port that lead to it there, not at those of the
// interface alone: at an address of loopback or of another interface, at a whole network that is local, at a port that is translated.
func TestOtherWaysToASocket(t *testing.T) {
	ip := meta(ruleset.MetaNfproto, 2)
	straight := join(ip, payload(ruleset.BaseNetwork, 16, 10, 0, 0, 2), dropped) // what is for the container's own address
	local := func(e *snapshot.Elsewhere, dst string) {
		e.Network.Routes = append(e.Network.Routes, snapshot.Route{Family: 4, Table: 255, Type: "local", Dst: dst, Oifs: []int{1}})
	}
	// A chain of the type that the kernel translates in.
	translating := func(e *snapshot.Elsewhere, nat ruleset.NAT, regs ...ruleset.Expr) {
		rs := table("prerouting", ruleset.Accept, join(tcpTo(443), regs, []ruleset.Expr{{Name: strings.TrimSuffix(nat.Kind, "ect"), NAT: &nat}}))
		rs.Tables[0].Family, rs.Tables[0].Chains[0].Base.Type, rs.Tables[0].Chains[0].Base.Priority = "ip", "nat", -100
		e.NFTables.Ruleset = rs
	}
	imm := func(reg uint32, data ...byte) ruleset.Expr {
		return ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: reg, Data: data}}
	}
	for name, c := range map[string]struct {
		listens string
		inside  func(e *snapshot.Elsewhere)
		routed  string // by the host, to the container
		rules   [][]ruleset.Expr
		want    packet.Verdict
		dst     string // of the witness
	}{
		"at an address of loopback": {
			"10.99.0.1", func(e *snapshot.Elsewhere) {
				e.Network.Links[0].Addrs = append(e.Network.Links[0].Addrs, "10.99.0.1/32")
				local(e, "10.99.0.1/32")
			}, "10.99.0.0/24", nil, packet.Reachable, "10.99.0.1:80",
		},
		"the same, and no route leads there": {
			"10.99.0.1", func(e *snapshot.Elsewhere) {
				e.Network.Links[0].Addrs = append(e.Network.Links[0].Addrs, "10.99.0.1/32")
				local(e, "10.99.0.1/32")
			}, "", nil, packet.Unreachable, "",
		},
		"at all of a local network": {"0.0.0.0", func(e *snapshot.Elsewhere) { local(e, "10.88.0.0/24") }, "10.88.0.0/24", nil, packet.Reachable, ""},
		"the same, and it is dropped": {
			"0.0.0.0", func(e *snapshot.Elsewhere) { local(e, "10.88.0.0/24") }, "10.88.0.0/24",
			[][]ruleset.Expr{join(ip, payload(ruleset.BaseNetwork, 16, 10, 88, 0), dropped)},
			packet.Unreachable, "",
		},
		"by another port": {
			"0.0.0.0", func(e *snapshot.Elsewhere) {
				translating(e, ruleset.NAT{Kind: "redirect", PortMin: 1, PortMax: 1}, imm(1, 0, 80))
			}, "", [][]ruleset.Expr{join(tcpTo(80), dropped)}, packet.Reachable, "10.0.0.2:443",
		},
		"the same, and it is dropped too": {
			"0.0.0.0", func(e *snapshot.Elsewhere) {
				translating(e, ruleset.NAT{Kind: "redirect", PortMin: 1, PortMax: 1}, imm(1, 0, 80))
			}, "", [][]ruleset.Expr{join(tcpTo(80), dropped), join(tcpTo(443), dropped)}, packet.Unreachable, "",
		},
		"on loopback, translated to": {
			"127.0.0.1", func(e *snapshot.Elsewhere) {
				e.Network.Sysctls["net/ipv4/conf/eth0/route_localnet"] = on
				translating(e, ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, AddrMax: 1, PortMin: 2, PortMax: 2}, imm(1, 127, 0, 0, 1), imm(2, 0, 80))
			}, "", [][]ruleset.Expr{join(tcpTo(80), dropped)}, packet.Reachable, "10.0.0.2:443",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			e := container(s, 7001, -1)
			c.inside(e)
			rules := c.rules
			if rules == nil || c.routed != "" {
				rules = append(rules, straight)
			}
			s.NFTables.Ruleset = table("forward", ruleset.Accept, rules...)
			if c.routed != "" {
				s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: c.routed, Gateway: "10.0.0.2", Oifs: []int{br0}})
			}
			got := only(t, s, listen(s, 7001, c.listens, 80), outside, true)
			want(t, got, c.want, "")
			if c.dst != "" && got.Witness != nil && netip.AddrPortFrom(got.Witness.Dst, got.Witness.Dport).String() != c.dst {
				t.Errorf("the witness is %+v", got.Witness)
			}
		})
	}
}

// TestNeighboursSendToOtherAddresses: who is on a bridge with a container sends it what is for an address of its other interface, whatever
// is between the two networks.
func TestNeighboursSendToOtherAddresses(t *testing.T) {
	s := host()
	wire(s, port0, 7001)
	inside(s, 7001, -1, eth0("10.0.0.2/24", "fd00::2/64"), snapshot.Link{Name: "eth1", Kind: "veth", MAC: "02:00:00:00:01:03", Addrs: []string{"10.1.0.2/24", "fd01::2/64"}})
	wire(s, port1, 7002)
	inside(s, 7002, -1, eth0("10.0.0.3/24", "fd00::3/64"))
	for _, k := range []string{"iptables", "ip6tables"} {
		s.Network.Sysctls["net/bridge/bridge-nf-call-"+k] = off
	}
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	// Its other end is a port of a bridge that nothing is forwarded to.
	other := snapshot.Link{Index: 20, Name: "p9", Kind: "veth", Up: true, Hardware: 1, Master: 21, PeerNetns: 7001, PeerIndex: 3}
	s.Network.Links = append(s.Network.Links, other, snapshot.Link{Index: 21, Name: "br9", Kind: "bridge", Up: true, Hardware: 1, MAC: "02:00:00:00:00:21"})
	s.Index()
	for _, at := range []string{"10.1.0.2", "fd01::2"} {
		got := only(t, s, listen(s, 7001, at, 80), bridged, netip.MustParseAddr(at).Is4())
		want(t, got, packet.Reachable, "")
		if got.Witness != nil && got.Witness.Dst.String() != at {
			t.Errorf("%s: the witness is %+v", at, got.Witness)
		}
		if got := only(t, s, listen(s, 7001, at, 80), outside, netip.MustParseAddr(at).Is4()); got.Verdict == packet.Reachable {
			t.Errorf("%s: from outside: %+v", at, got.Witness)
		}
	}
}
