package reach

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// class is the queueing class of packets (skb->priority).
type class struct {
	n      uint32
	open   bool // not known
	served bool // one of those of types of service
}

// unclassed are packets to which their process gave a class, or a VLAN.
func unclassed(in []cube) []cube {
	out := slices.Clone(in)
	for i := range out {
		out[i].class.open = true
	}
	return out
}

// givesClass says whether an interface, or a port of a bridge, can give packets a class by what their tag says (vlan_do_receive).
func givesClass(in *snapshot.Link, s *snapshot.Snapshot) bool {
	return in.Kind == "vlan" || slices.ContainsFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Master == in.Index && l.Kind == "vlan" })
}

// forwarded gives packets of IPv4 the class of their type of service, which senders choose (ip_forward).
func (c *cube) forwarded() {
	if c.v4 {
		c.class = class{open: true, served: true}
	}
}

// reclass is what targets of iptables write (classify_tg, dscp_tg, tos_tg).
func (c *cube) reclass(d *ruleset.XtDecoded) {
	if c.tos = c.tos || d.TOS; d.Classify != nil {
		c.class = class{n: *d.Classify}
	}
}
