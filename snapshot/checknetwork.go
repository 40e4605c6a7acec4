package snapshot

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

var (
	routeTypes = []string{
		"unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat",
		"", // one that has no name
	}
	elsewhereStates = []Status{OK, Denied, Error}
	legacyFilters   = []string{"iptables", "ip6tables", "arptables", "ebtables"} // the last is not of a namespace
)

func (s *Snapshot) checkNetwork() error {
	hosts, inodes := 0, map[uint64]bool{}
	for i, ns := range s.Network.Namespaces {
		if ns.Inode == 0 && !ns.Host || inodes[ns.Inode] {
			return wrong("0, or there twice", "network.namespaces[%d].inode", i)
		}
		inodes[ns.Inode] = true
		if ns.Host {
			hosts++
		}
	}
	if s.seen("network") && hosts != 1 || hosts > 1 {
		return wrong(fmt.Sprintf("%d namespaces of the host instead of one", hosts), "network.namespaces")
	}
	if s.seen("network") && len(s.Network.Rules) == 0 {
		return wrong("empty, although the network was read", "network.rules")
	}
	if s.seen("network") && len(s.Network.Sysctls) == 0 {
		return wrong("empty, although the network was read", "network.sysctls")
	}
	return s.Network.check("network", s.seen("network"))
}

// check looks at the network of one namespace. One that was seen has a link, loopback.
func (n *Network) check(path string, seen bool) error {
	if seen && len(n.Links) == 0 {
		return wrong("empty, although the network was read", "%s.links", path)
	}
	if err := n.checkLinks(path); err != nil {
		return err
	}
	for i := range n.Routes {
		if err := n.Routes[i].check(); err != nil {
			return fmt.Errorf("%s.routes[%d].%w", path, i, err)
		}
	}
	for i := range n.Rules {
		if err := n.Rules[i].check(); err != nil {
			return fmt.Errorf("%s.rules[%d].%w", path, i, err)
		}
	}
	for i, u := range n.InUse {
		if _, err := netip.ParseAddr(u.Addr); err != nil && u.Addr != "" {
			return wrong("no address", "%s.inUse[%d].addr", path, i)
		}
		if u.Port < 0 || u.Port > 0xffff {
			return wrong("not between 0 and 65535", "%s.inUse[%d].port", path, i)
		}
	}
	if err := n.XFRM.check(path + ".xfrm"); err != nil {
		return err
	}
	if err := checkPrograms(n.Programs, path+".programs"); err != nil {
		return err
	}
	return n.checkFlows(path)
}

// checkFlows looks at what connections are told.
func (n *Network) checkFlows(path string) error {
	for i, u := range n.Flows {
		for field, text := range map[string]string{"peer": u.Peer, "addr": u.Addr} {
			if _, err := netip.ParseAddr(text); err != nil {
				return wrong("no address", "%s.flows[%d].%s", path, i, field)
			}
		}
		if u.Port < 0 || u.Port > 0xffff {
			return wrong("not between 0 and 65535", "%s.flows[%d].port", path, i)
		}
	}
	return nil
}

// outward says whether anything can come into a namespace: by a link besides loopback that is up. The switches and the
// filter of one into which nothing comes are not read.
func (n *Network) outward() bool {
	return slices.ContainsFunc(n.Links, func(l Link) bool { return l.Up && !l.Loopback })
}

func (n *Network) checkLinks(path string) error {
	indexes, names := make(map[int]bool, len(n.Links)), make(map[string]bool, len(n.Links))
	for i := range n.Links {
		l := &n.Links[i]
		switch {
		case l.Index <= 0 || indexes[l.Index]:
			return wrong(fmt.Sprintf("%d is not above 0, or is there twice", l.Index), "%s.links[%d].index", path, i)
		case l.Name == "" || names[l.Name]:
			return wrong("empty, or there twice", "%s.links[%d].name", path, i)
		case l.Kind == "":
			return wrong("empty", "%s.links[%d].kind", path, i)
		case l.Master < 0 || l.Master == l.Index:
			return wrong("below 0, or the link itself", "%s.links[%d].master", path, i)
		}
		if err := checkLinkPrograms(l.Programs, fmt.Sprintf("%s.links[%d].programs", path, i)); err != nil {
			return err
		}
		indexes[l.Index], names[l.Name] = true, true
		for j, a := range l.Addrs {
			if _, err := netip.ParsePrefix(a); err != nil {
				return wrong("no address with a prefix length", "%s.links[%d].addrs[%d]", path, i, j)
			}
		}
		for j, g := range l.Groups {
			if _, err := netip.ParseAddr(g.Addr); err != nil {
				return wrong("no address", "%s.links[%d].groups[%d].addr", path, i, j)
			}
		}
	}
	return nil
}

// check looks at a route; its errors begin with the field.
func (r *Route) check() error {
	if r.Family != 4 && r.Family != 6 {
		return wrong("neither 4 nor 6", "family")
	}
	if err := oneOf(r.Type, routeTypes, "type"); err != nil {
		return err
	}
	// IPv4 inside IPv6 is written as IPv4.
	if p, err := netip.ParsePrefix(r.Dst); err != nil || r.Family == 4 && !p.Addr().Is4() {
		return wrong("no prefix of the family", "dst")
	}
	for i, oif := range r.Oifs {
		if oif < 0 {
			return wrong("below 0", "oifs[%d]", i)
		}
	}
	for name, a := range map[string]string{"gateway": r.Gateway, "source": r.Source} {
		if _, err := netip.ParseAddr(a); err != nil && a != "" {
			return wrong("no address", "%s", name)
		}
	}
	return nil
}

func (r *PolicyRule) check() error {
	switch {
	case r.Family != 4 && r.Family != 6:
		return wrong("neither 4 nor 6", "family")
	case r.Action == "":
		return wrong("empty", "action")
	case r.Priority < 0:
		return wrong("below 0", "priority")
	case r.Table < 0:
		return wrong("below 0", "table")
	}
	for name, p := range map[string]string{"src": r.Src, "dst": r.Dst} {
		if _, err := netip.ParsePrefix(p); err != nil && p != "" {
			return wrong("no prefix", "%s", name)
		}
	}
	for name, ports := range map[string][2]int{"sport": r.Sport, "dport": r.Dport} {
		if ports[0] < 0 || ports[1] > 0xffff || ports[0] > ports[1] {
			return wrong("no range of ports", "%s", name)
		}
	}
	return nil
}

func (s *Snapshot) checkNFTables() error {
	if s.seen("nftables") && s.NFTables.Ruleset == nil {
		return wrong("missing, although the packet filter was read", "nftables.ruleset")
	}
	absent := s.Section("nftables").Status == Absent
	if absent && s.NFTables.Ruleset != nil {
		return wrong("there, although the kernel has no packet filter", "nftables.ruleset")
	}
	if absent || s.seen("nftables") {
		if err := holds(s.NFTables.Legacy, legacyFilters, "nftables.legacy"); err != nil {
			return err
		}
	}
	return checkRuleset(s.NFTables.Ruleset, "nftables.ruleset")
}

func checkRuleset(rs *ruleset.Ruleset, path string) error {
	if rs == nil {
		return nil
	}
	if err := rs.Check(); err != nil {
		return fmt.Errorf("%s.%w", path, err)
	}
	return nil
}

func (s *Snapshot) checkElsewhere() error {
	found := map[uint64]bool{s.Network.HostNetns(): true}
	for i := range s.Namespaces {
		e := &s.Namespaces[i]
		if e.Netns == 0 || found[e.Netns] {
			return wrong("0, or there twice", "namespaces[%d].netns", i)
		}
		found[e.Netns] = true
		if err := oneOf(e.Status, elsewhereStates, "namespaces[%d].status", i); err != nil {
			return err
		}
		if e.Status == OK && e.Reason != "" {
			return wrong("ok, with a reason why not", "namespaces[%d]", i)
		}
		if e.Status == OK && e.Network.outward() { // who made it can have taken out its policy rules
			if len(e.Network.Sysctls) == 0 {
				return wrong("empty, although the network was read", "namespaces[%d].network.sysctls", i)
			}
			if err := holds(e.NFTables.Legacy, legacyFilters[:3], fmt.Sprintf("namespaces[%d].nftables.legacy", i)); err != nil {
				return err
			}
		}
		if err := e.Network.check(fmt.Sprintf("namespaces[%d].network", i), e.Status == OK); err != nil {
			return err
		}
		if err := checkRuleset(e.NFTables.Ruleset, fmt.Sprintf("namespaces[%d].nftables.ruleset", i)); err != nil {
			return err
		}
	}
	return nil
}
