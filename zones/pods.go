package zones

import (
	"net/netip"
	"regexp"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// The networks of workloads: Pods is the one that a cluster's pods are in, on this node and on others, Machines that of the virtual machines behind
// the bridges of libvirt. What libvirt keeps apart it does by rules of its own; networks that it routes talk to each other.
const (
	Pods     = "pods"
	Machines = "machines"
)

// Networks are their names.
func Networks() []string { return []string{Pods, Machines} }

// machineName is the names of the bridges of libvirt.
var machineName = regexp.MustCompile(`^virbr\d+$`)

// podName is the names of interfaces of a cluster's network, as the network plugins give them: the bridge or the veth of pods (CNI bridge, Calico,
// Cilium, Weave, kube-router, the clouds' own), what leads to other nodes (flannel, Calico, Cilium, OVN, Antrea), and what holds service addresses.
var podName = regexp.MustCompile(`^(cni\d+|cbr\d+|cali[0-9a-f]{11}|lxc[0-9a-f]{8,}|lxc_health|cilium_(host|net|vxlan|geneve|wg0)|flannel.*|` +
	`vxlan(-v6)?\.calico|wireguard\.cali|wg-v6\.cali|tunl0|weave|kube-bridge|kube-ipvs0|nodelocaldns|eni[0-9a-f]{8,}|azv[0-9a-f]{8,}|gke[0-9a-f]{8,}|` +
	`ovn-k8s-mp0|antrea-gw0|genev_sys_\d+|vxlan_sys_\d+)$`)

// pods finds the interfaces that are one network of workloads: whoever is behind one of them talks to whoever is behind another.
func (m *Map) pods() {
	for k := range m.Interfaces {
		i := &m.Interfaces[k]
		switch l := m.snap.Network.Link(i.Index); {
		case i.Zone != Workload:
		case podName.MatchString(l.Name) || m.routedPod(l):
			i.Network = Pods
		case machineName.MatchString(l.Name):
			i.Network = Machines
		}
	}
}

// routedPod says of an interface that a pod or a machine is behind it, as plugins route them that have no bridge: a veth into another network
// namespace or a TAP, single addresses that are routed to it, and no network of its own.
func (m *Map) routedPod(l *snapshot.Link) bool {
	b := m.routed[l.Index]
	if !slices.Contains([]string{"veth", "netkit", "tun"}, l.Kind) || l.PeerNetns != 0 && m.snap.Network.Here(l) || l.Master != 0 || b == nil || b.byDefault {
		return false
	}
	return m.leadsOn(l) && !slices.ContainsFunc(b.prefixes, func(p netip.Prefix) bool { return !local(p) && !p.IsSingleIP() })
}

// leadsOn says of an interface that something is routed to it, whether or not it has an address.
func (m *Map) leadsOn(l *snapshot.Link) bool {
	b := m.routed[l.Index]
	return b != nil && (b.byDefault || slices.ContainsFunc(b.prefixes, func(p netip.Prefix) bool { return !local(p) }))
}

// local says of a prefix that it is of one link, or of groups.
func local(p netip.Prefix) bool { return p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast() }

// Network are the addresses of a network of workloads: what is routed to its interfaces, what the host has of it in whole (blocks that pods
// get their addresses from, which plugins route nowhere but for the pods), and those of its pods on other nodes.
func (m *Map) Network(name string) (list []netip.Prefix) {
	add := func(p netip.Prefix) {
		if !local(p) && p.Bits() > 0 && !slices.Contains(list, p.Masked()) {
			list = append(list, p.Masked())
		}
	}
	for _, o := range m.Origins {
		if o.Network == name && name != "" {
			for _, p := range o.From {
				add(p)
			}
		}
	}
	for _, r := range m.snap.Network.Routes {
		p, err := netip.ParsePrefix(r.Dst)
		if err == nil && (r.Type == "blackhole" || r.Type == "unreachable") && podSized(p) && slices.ContainsFunc(list, func(q netip.Prefix) bool {
			return q.Bits() >= p.Bits() && p.Overlaps(q)
		}) {
			add(p)
		}
	}
	return list
}

// podSized says of a prefix that it is small enough to be one that a cluster gives to its pods.
func podSized(p netip.Prefix) bool { return p.Bits() >= clusterBits(p) }

// clusterBits is how long the prefix of a cluster's pods is at least taken to be: the usual defaults are a /16, and a /48 of IPv6.
func clusterBits(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 16
	}
	return 48
}

// otherNodes are the prefixes of pods of other nodes that are routed by an interface: by a gateway or through a tunnel, and of the cluster that a pod
// of this node is in, as Calico says itself; of others as far as their addresses are private.
func (m *Map) otherNodes(i *Interface) (list []netip.Prefix) {
	const bird = 12 // RTPROT_BIRD: Calico's routes to its blocks
	for j := range m.snap.Network.Routes {
		r := &m.snap.Network.Routes[j]
		if r.Type != "unicast" || !slices.Contains(r.Oifs, i.Index) || r.Gateway == "" && !Tunnel(m.snap.Network.Link(i.Index)) {
			continue
		}
		p, err := netip.ParsePrefix(r.Dst)
		if err != nil || !podSized(p) {
			continue
		}
		for k := range m.Interfaces {
			to := &m.Interfaces[k]
			if to.Network != Pods || m.routed[to.Index] == nil {
				continue
			}
			if r.Protocol == bird && caliName.MatchString(to.Name) || p.Addr().IsPrivate() && slices.ContainsFunc(m.routed[to.Index].prefixes, func(q netip.Prefix) bool {
				return podSized(q) && netip.PrefixFrom(q.Addr(), clusterBits(q)).Contains(p.Addr())
			}) {
				list = append(list, p)
				break
			}
		}
	}
	return list
}

// caliName is the interfaces of Calico's pods.
var caliName = regexp.MustCompile(`^cali[0-9a-f]{11}$`)

// OfWorkloads says of the name of an interface that a runtime, a hypervisor or a cluster's network gives such names.
func OfWorkloads(name string) bool {
	return workloadName.MatchString(name) || podName.MatchString(name)
}
