package judge

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// containersNamed are the containers that run as keys of findings name them, with what stays if one is made again.
func (b *builder) containersNamed() (list []finding.Container) {
	for i := range b.snap.Runtimes.Containers {
		c := &b.snap.Runtimes.Containers[i]
		if !c.Running {
			continue
		}
		f := finding.Container{Name: b.containerName(c.ID), Image: c.Image}
		if p := b.byPID[c.PID]; p != nil {
			f.Command, f.Network = p.Comm, b.networkOf(p)
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(x, y finding.Container) int { return strings.Compare(x.Name, y.Name) })
	return slices.CompactFunc(list, func(x, y finding.Container) bool { return x.Name == y.Name })
}

// networkOf is what stays of the network that a process is in: the host's, the prefixes of the bridge that it is behind, or none. Names of bridges are
// made anew with them.
func (b *builder) networkOf(p *snapshot.Process) string {
	n := &b.snap.Network
	if p.NS.Net == n.HostNetns() {
		return "host"
	}
	for i := range n.Links {
		l := &n.Links[i]
		if l.PeerNetns != p.NS.Net || p.NS.Net == 0 {
			continue
		}
		at := l
		if bridge := n.BridgeOf(l); bridge != nil {
			at = bridge
		}
		var prefixes []string
		for _, a := range at.Addrs {
			if prefix, err := netip.ParsePrefix(a); err == nil && !prefix.Addr().IsLinkLocalUnicast() {
				prefixes = append(prefixes, prefix.Masked().String())
			}
		}
		slices.Sort(prefixes)
		return strings.Join(prefixes, " ")
	}
	return "none"
}
