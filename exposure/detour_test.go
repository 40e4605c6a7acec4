package exposure

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestContainersThatForward: what the host forwards to nobody on a bridge, a container that is on it and on another one does, if its switch is on
// and its rules let it. That the packets do not come by the host is then no proof.
func TestContainersThatForward(t *testing.T) {
	const br1, port2, port3 = 20, 21, 22
	for name, c := range map[string]struct {
		on      bool
		rules   *ruleset.Ruleset // of the container
		routed  bool             // the host sends what is for the other network to the container
		beside  bool             // the container is beside the target alone
		unread  bool             // nothing was read of the container
		inside  packet.Verdict   // from its other network
		outside packet.Verdict
	}{
		"it forwards":                       {on: true, inside: packet.Unknown, outside: packet.Unreachable},
		"its switch is off":                 {inside: packet.Unreachable, outside: packet.Unreachable},
		"it drops that":                     {on: true, rules: table("forward", ruleset.Drop), inside: packet.Unreachable, outside: packet.Unreachable},
		"it forwards, and the host leads":   {on: true, routed: true, inside: packet.Unknown, outside: packet.Unknown},
		"it is off, and the host leads":     {routed: true, inside: packet.Unreachable, outside: packet.Unreachable},
		"it forwards, in that network only": {on: true, beside: true, inside: packet.Unreachable, outside: packet.Unreachable},
		"it was not read":                   {unread: true, inside: packet.Unknown, outside: packet.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			// br1 has the router at port2 and the target at port1; br0 the router at port0 and somebody at port3.
			s.Network.Link(port1).Master = br1
			s.Network.Links = append(s.Network.Links,
				snapshot.Link{Name: "br1", Index: br1, Kind: "bridge", Up: true, Hardware: 1, MAC: "02:00:00:00:00:20", Addrs: []string{"10.1.0.1/24"}},
				snapshot.Link{Name: "p2", Index: port2, Kind: "veth", Up: true, Hardware: 1, Master: br1, PeerNetns: 7001, PeerIndex: 3},
				snapshot.Link{Name: "p3", Index: port3, Kind: "tun", Up: true, Hardware: 1, Master: br0})
			s.Network.Routes = append(s.Network.Routes,
				snapshot.Route{Family: 4, Table: 255, Type: "local", Dst: "10.1.0.1/32", Oifs: []int{br1}, Protocol: 2},
				snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.1.0.0/24", Oifs: []int{br1}, Protocol: 2})
			if c.routed {
				s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: "10.1.0.3/32", Gateway: "10.0.0.2", Oifs: []int{br0}})
			}
			for k, f := range s.Network.Sysctls {
				if f.State == snapshot.Present && len(k) > 19 && k[:19] == "net/ipv4/conf/br0/" {
					s.Network.Sysctls["net/ipv4/conf/br1/"+k[19:]] = f
				}
			}
			for _, k := range []string{"iptables", "ip6tables"} {
				s.Network.Sysctls["net/bridge/bridge-nf-call-"+k] = off
			}
			s.Index()
			links := []snapshot.Link{eth0("10.0.0.2/24"), {Name: "eth1", Kind: "veth", MAC: "02:00:00:00:01:03", Addrs: []string{"10.1.0.2/24"}}}
			wire(s, port0, 7001)
			if c.beside {
				s.Network.Link(port0).Up = false
			}
			router := inside(s, 7001, -1, links...)
			if c.on {
				for _, l := range []string{"eth0", "eth1"} {
					router.Network.Sysctls["net/ipv4/conf/"+l+"/forwarding"] = on
				}
			}
			router.NFTables.Ruleset = c.rules
			if c.rules == nil {
				router.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
			}
			if c.unread {
				router.Status, router.Network, router.NFTables = snapshot.Denied, snapshot.Network{}, snapshot.NFTables{}
			}
			wire(s, port1, 7002)
			inside(s, 7002, -1, eth0("10.1.0.3/24"))
			// Nothing is forwarded to br1.
			to := []ruleset.Expr{{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaOif, Dreg: 1}}, {Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{br1, 0, 0, 0}}}}
			s.NFTables.Ruleset = table("forward", ruleset.Accept, slices.Concat(to, dropped))
			i := listen(s, 7002, "0.0.0.0", 80)
			want(t, only(t, s, i, bridged, true), c.inside, "")
			want(t, only(t, s, i, outside, true), c.outside, "")
		})
	}
}
