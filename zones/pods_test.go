package zones

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

func route(dst, gateway string, oif int) snapshot.Route {
	return snapshot.Route{Family: 4, Table: 254, Type: "unicast", Dst: dst, Gateway: gateway, Oifs: []int{oif}}
}

// TestPodsAreOneNetwork: pods that are routed one by one, those behind a bridge and those of other nodes are in one network; what a runtime keeps
// apart is not.
func TestPodsAreOneNetwork(t *testing.T) {
	eth0 := snapshot.Link{Name: "eth0", Kind: "device", Addrs: []string{"192.0.2.10/24"}}
	veth := func(name string, addrs ...string) snapshot.Link {
		return snapshot.Link{Name: name, Kind: "veth", PeerNetns: 9, Addrs: addrs}
	}
	for name, c := range map[string]struct {
		links  []snapshot.Link
		routes []snapshot.Route
		in     []string       // the interfaces of the network
		beyond []netip.Prefix // the pods of other nodes that come by eth0
	}{
		"Calico": {
			[]snapshot.Link{eth0, veth("cali0123456789a"), veth("cali0123456789b", "fe80::ecee:eeff:feee:eeee/64")},
			[]snapshot.Route{route("10.244.0.5/32", "", 3), route("10.244.0.6/32", "", 4), route("10.244.1.0/26", "192.0.2.11", 2)},
			[]string{"cali0123456789a", "cali0123456789b"},
			[]netip.Prefix{netip.MustParsePrefix("10.244.1.0/26")},
		},
		"flannel over VXLAN": {
			[]snapshot.Link{eth0, {Name: "cni0", Kind: "bridge", Addrs: []string{"10.244.0.1/24"}}, {Name: "flannel.1", Kind: "vxlan", Addrs: []string{"10.244.0.0/32"}}},
			[]snapshot.Route{route("10.244.1.0/24", "10.244.1.0", 4)},
			[]string{"cni0", "flannel.1"},
			nil,
		},
		"flannel through gateways": {
			[]snapshot.Link{eth0, {Name: "cni0", Kind: "bridge", Addrs: []string{"10.42.0.1/24"}}},
			[]snapshot.Route{route("10.42.1.0/24", "192.0.2.11", 2), route("10.8.0.0/24", "192.0.2.12", 2), route("10.0.0.0/8", "192.0.2.12", 2)},
			[]string{"cni0"},
			[]netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")},
		},
		"flannel through a private network": {
			[]snapshot.Link{{Name: "eth9", Kind: "device", Addrs: []string{"192.0.2.10/24"}}, {Name: "cni0", Kind: "bridge", Addrs: []string{"10.42.0.1/24"}}, {Name: "eth0", Kind: "wireguard", Addrs: []string{"10.66.0.1/24"}}},
			[]snapshot.Route{route("10.42.1.0/24", "", 4)},
			[]string{"cni0"},
			[]netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")},
		},
		"Calico with public addresses": {
			[]snapshot.Link{eth0, veth("cali0123456789a")},
			[]snapshot.Route{route("198.51.100.5/32", "", 3), {Family: 4, Table: 254, Type: "unicast", Dst: "198.51.100.64/26", Gateway: "192.0.2.11", Protocol: 12, Oifs: []int{2}}, route("198.51.100.128/26", "192.0.2.11", 2)},
			[]string{"cali0123456789a"},
			[]netip.Prefix{netip.MustParsePrefix("198.51.100.64/26")},
		},
		"ptp of CNI": {
			[]snapshot.Link{eth0, veth("veth1a2b3c4d", "10.1.1.1/32"), veth("veth2a2b3c4d", "10.1.1.1/32")},
			[]snapshot.Route{route("10.1.1.5/32", "", 3), route("10.1.1.6/32", "", 4)},
			[]string{"veth1a2b3c4d", "veth2a2b3c4d"},
			nil,
		},
		"machines that are routed one by one": {
			[]snapshot.Link{eth0, {Name: "tap0a", Kind: "tun", Addrs: []string{"fe80::1/64"}}, {Name: "tap0b", Kind: "veth"}},
			[]snapshot.Route{route("10.65.0.5/32", "", 3), route("10.65.0.6/32", "", 4)},
			[]string{"tap0a", "tap0b"},
			nil,
		},
		"two networks of Docker": {
			[]snapshot.Link{eth0, {Name: "docker0", Kind: "bridge", Addrs: []string{"172.17.0.1/16"}}, {Name: "br-0123456789ab", Kind: "bridge", Addrs: []string{"172.18.0.1/16"}}},
			[]snapshot.Route{route("172.19.0.0/16", "192.0.2.11", 2)},
			nil, nil,
		},
		"sandboxes with networks of their own": {
			[]snapshot.Link{eth0, veth("sb0", "172.16.0.1/30"), veth("sb1", "172.16.0.5/30"), {Name: "tap7", Kind: "tun", Addrs: []string{"172.16.0.9/30"}}},
			nil, nil, nil,
		},
	} {
		m := Classify(host(c.links, append(c.routes, defaultRoute(2))...), nil)
		var in []string
		for _, i := range m.Interfaces {
			if i.Network == Pods {
				in = append(in, i.Name)
			}
		}
		var beyond []netip.Prefix
		for _, o := range m.Origins {
			if o.Interface == "eth0" && o.Zone == Workload {
				beyond = append(beyond, o.From...)
				if !o.Bounded || o.Network != Pods {
					t.Errorf("%s: %+v", name, o)
				}
			}
		}
		if !slices.Equal(in, c.in) || !slices.Equal(beyond, c.beyond) {
			t.Errorf("%s: in it %v, of other nodes %v", name, in, beyond)
		}
		for _, o := range m.Origins {
			if o.Interface == "eth0" && o.Zone == External && slices.ContainsFunc(c.beyond, func(p netip.Prefix) bool { return !slices.Contains(o.Except, p) }) {
				t.Errorf("%s: pods of other nodes are also external", name)
			}
		}
		if len(m.Shared) > 0 {
			t.Errorf("%s: two zones by mistake on %v", name, m.Shared)
		}
	}
}

// TestPodsBehindAnInterfaceOfWorkloads: pods of other nodes are of the network also where the interface is of the workload zone itself.
func TestPodsBehindAnInterfaceOfWorkloads(t *testing.T) {
	m := Classify(host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"192.0.2.10/24"}}, {Name: "cali0123456789a", Kind: "veth", PeerNetns: 9}, {Name: "lan0", Kind: "veth", PeerNetns: 9, Addrs: []string{"10.20.0.1/24"}}},
		defaultRoute(2), route("10.244.0.5/32", "", 3), route("10.244.1.0/26", "10.20.0.2", 4)), nil)
	if !slices.ContainsFunc(m.Origins, func(o Origin) bool {
		return o.Interface == "lan0" && o.Network == Pods && o.Bounded && slices.Contains(o.From, netip.MustParsePrefix("10.244.1.0/26"))
	}) {
		t.Errorf("%+v", m.Origins)
	}
}

// TestMachinesAreOneNetwork: what libvirt does not keep apart is one network.
func TestMachinesAreOneNetwork(t *testing.T) {
	m := Classify(host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"192.0.2.10/24"}}, {Name: "virbr0", Kind: "bridge", Addrs: []string{"192.168.122.1/24"}}, {Name: "virbr1", Kind: "bridge", Addrs: []string{"192.168.123.1/24"}}},
		defaultRoute(2)), nil)
	for _, addr := range []string{"192.168.122.7", "192.168.123.7"} {
		if !slices.ContainsFunc(m.Network(Machines), func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(addr)) }) {
			t.Errorf("%s is not in it: %v", addr, m.Network(Machines))
		}
	}
}

// TestNetworkOfPods: the block that a node takes addresses from is of the network, so that a pod that begins later is too.
func TestNetworkOfPods(t *testing.T) {
	s := host([]snapshot.Link{{Name: "eth0", Kind: "device", Addrs: []string{"192.0.2.10/24"}}, {Name: "cali0123456789a", Kind: "veth", PeerNetns: 9}},
		defaultRoute(2), route("10.244.0.5/32", "", 3), route("10.244.1.0/26", "192.0.2.11", 2),
		snapshot.Route{Family: 4, Table: 254, Type: "blackhole", Dst: "10.244.0.0/26"}, snapshot.Route{Family: 4, Table: 254, Type: "blackhole", Dst: "10.0.0.0/8"})
	m := Classify(s, nil)
	for addr, want := range map[string]bool{"10.244.0.5": true, "10.244.0.60": true, "10.244.1.7": true, "10.244.2.1": false, "192.0.2.9": false} {
		got := slices.ContainsFunc(m.Network(Pods), func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(addr)) })
		if got != want {
			t.Errorf("%s is in it: %v", addr, got)
		}
	}
	if len(m.Network("")) != 0 {
		t.Errorf("what is no network has %v", m.Network(""))
	}
}
