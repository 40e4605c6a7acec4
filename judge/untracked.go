package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/zones"
)

// untracked finds the rules that exempt packets from connection tracking, and the tables whose flowtables rules put connections into: those
// leave the hooks after ingress (Documentation/networking/nf_flowtable.rst).
func (b *builder) untracked() {
	b.doc.Untracked = []DocUntracked{}
	rs := b.snap.NFTables.Ruleset
	if rs == nil {
		return
	}
	seen := map[string]bool{}
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			for k := range c.Rules {
				kind := leaves(&c.Rules[k])
				if kind == "" || t.Dormant {
					continue
				}
				d := DocUntracked{Key: t.Family + " " + t.Name + "/" + c.Name + ": " + c.Rules[k].Text(t), Kind: kind}
				if !seen[d.Key] {
					seen[d.Key] = true
					b.doc.Untracked = append(b.doc.Untracked, d)
				}
			}
		}
	}
}

// leaves says what a rule takes packets out of: notrack, flowtable, or "" for nothing.
func leaves(r *ruleset.Rule) string {
	for i := range r.Exprs {
		switch e := &r.Exprs[i]; {
		case e.Name == "notrack" || e.Xt != nil && e.Xt.Decoded != nil && e.Xt.Decoded.Notrack:
			return "notrack"
		case e.Name == "flow_offload":
			return "flowtable"
		}
	}
	return ""
}

// lost finds the network namespaces without a name in which no process is.
func (b *builder) lost() {
	b.doc.Lost = []DocNamespace{}
	for _, n := range b.snap.Network.Namespaces {
		if n.Host || n.Processes > 0 || len(n.Names) > 0 {
			continue
		}
		d := DocNamespace{Inode: n.Inode, Links: []string{}}
		for i := range b.snap.Network.Links {
			if l := &b.snap.Network.Links[i]; l.PeerNetns == n.Inode {
				d.Links = append(d.Links, l.Name)
			}
		}
		slices.Sort(d.Links)
		d.Key = cmp.Or(strings.Join(d.Links, " "), "without interfaces on the host")
		if n.OwnerUID != nil {
			d.Key += fmt.Sprintf(" of uid %d", *n.OwnerUID)
		}
		b.doc.Lost = append(b.doc.Lost, d)
	}
	sortBy(b.doc.Lost, func(d DocNamespace) string { return d.Key })
}

// beside finds the interfaces of workloads that share one of the host's, or are hardware.
func (b *builder) beside() {
	b.doc.Beside = []DocBeside{}
	workloads := map[uint64]string{}
	for i := range b.snap.Processes.List {
		p := &b.snap.Processes.List[i]
		if zone, _ := b.zones.Process(p); zone == zones.Workload && workloads[p.NS.Net] == "" {
			workloads[p.NS.Net] = b.netnsName(p.NS.Net)
		}
	}
	zoneOf := map[int]string{}
	for _, i := range b.zones.Interfaces {
		zoneOf[i.Index] = i.Zone
	}
	for i := range b.snap.Namespaces {
		e := &b.snap.Namespaces[i]
		if workloads[e.Netns] == "" || e.Netns == b.snap.Network.HostNetns() {
			continue
		}
		for j := range e.Network.Links {
			l := &e.Network.Links[j]
			d := DocBeside{Workload: workloads[e.Netns], Link: l.Name, Kind: l.Kind}
			parent := b.snap.Network.Link(l.PeerIndex)
			switch {
			case l.Loopback, !l.Up:
				continue
			case (l.Kind == "macvlan" || l.Kind == "macvtap" || l.Kind == "ipvlan" || l.Kind == "ipvtap") && l.PeerNetns == b.snap.Network.HostNetns() && parent != nil:
				d.Parent, d.Zone = parent.Name, zoneOf[parent.Index]
			case l.Kind == "device" && l.Hardware == arphrdEther && l.Driver != "":
			default:
				continue
			}
			b.doc.Beside = append(b.doc.Beside, d)
		}
	}
	sortBy(b.doc.Beside, func(d DocBeside) string { return d.Workload + d.Link })
}

// arphrdEther is ARPHRD_ETHER of linux/if_arp.h.
const arphrdEther = 1
