package remedy

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/snapshot"
)

// leads are the interfaces by which the host sends what goes from one address to another, as its routing rules say in their order (ip-rule(8)). Of
// a rule that asks for what is not known of a flow, a mark or a user, what it leads to is told, and what those after it do. The interface is that which the
// packets come in by, "" where the host sends them.
func leads(s *snapshot.Snapshot, from, to netip.Addr, iif string) (list []string) {
	rules := rulesFor(s, to)
	for i := range rules {
		r := &rules[i]
		takes, known := selects(r, from, to, iif)
		if known && !takes {
			continue
		}
		oifs, found := lookUp(s, r, to)
		for _, name := range oifs {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
		if found && known {
			return list
		}
	}
	return list
}

// rulesFor are the rules of an address's family by priority. Where none were read there are those that the kernel begins with, for the table main alone.
func rulesFor(s *snapshot.Snapshot, to netip.Addr) (list []snapshot.PolicyRule) {
	for _, r := range s.Network.Rules {
		if (r.Family == 4) == to.Is4() {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return []snapshot.PolicyRule{{Table: mainTable, Action: "lookup"}}
	}
	slices.SortStableFunc(list, func(a, b snapshot.PolicyRule) int { return a.Priority - b.Priority })
	return list
}

// mainTable is RT_TABLE_MAIN.
const mainTable = 254

// selects says whether a rule is about packets from one address to another, and whether that can be said.
func selects(r *snapshot.PolicyRule, from, to netip.Addr, iif string) (takes, known bool) {
	within := func(text string, a netip.Addr) bool {
		p, err := netip.ParsePrefix(text)
		return text == "" || err == nil && p.Contains(a)
	}
	switch {
	case !within(r.Src, from) || !within(r.Dst, to) || r.Iif != "" && r.Iif != iif && (iif != "" || r.Iif != "lo"): // what the host sends comes from lo
		return r.Invert, true
	case r.Mark != 0 || r.Mask != 0 || r.Oif != "" || r.IPProto != 0 || r.Sport != [2]int{} || r.Dport != [2]int{} || r.Tos != 0 || r.UIDs != nil || r.Other || r.Action == "goto":
		return false, false
	}
	return !r.Invert, true
}

// lookUp are the interfaces of the longest route to an address in the table of a rule, and whether that decides.
func lookUp(s *snapshot.Snapshot, r *snapshot.PolicyRule, to netip.Addr) (oifs []string, found bool) {
	if r.Action != "lookup" {
		return nil, slices.Contains([]string{"blackhole", "unreachable", "prohibit"}, r.Action)
	}
	var best *snapshot.Route
	bits := -1
	for i := range s.Network.Routes {
		x := &s.Network.Routes[i]
		if x.Table != r.Table {
			continue
		}
		p, err := netip.ParsePrefix(x.Dst)
		if err == nil && p.Contains(to) && (p.Bits() > bits || p.Bits() == bits && x.Metric < best.Metric) {
			best, bits = x, p.Bits()
		}
	}
	if best == nil || best.Type == "throw" || r.SuppressBits > 0 && bits < r.SuppressBits {
		return nil, false
	}
	if best.Type != "unicast" {
		return nil, true
	}
	for _, i := range best.Oifs {
		if l := s.Network.Link(i); l != nil {
			oifs = append(oifs, l.Name)
		}
	}
	return oifs, true
}

// delivered says of an address that what is sent to it is the host's own: it has it, or routes say so (AnyIP).
func delivered(s *snapshot.Snapshot, a netip.Addr) bool {
	return s.Network.Has(a) || slices.ContainsFunc(s.Network.Routes, func(r snapshot.Route) bool {
		if r.Type != "local" || r.Table != 255 {
			return false
		}
		p, err := netip.ParsePrefix(r.Dst)
		return err == nil && p.Contains(a)
	})
}
