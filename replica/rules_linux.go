//go:build linux && !ringfence_portable

package replica

import (
	"fmt"
	"net"
	"net/netip"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// actions are what a policy rule does (FR_ACT_*).
var actions = map[string]uint8{"lookup": 1, "goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}

// standing are the rules that every network namespace has from its beginning, by priority.
var standing = map[int]int{0: unix.RT_TABLE_LOCAL, 32766: unix.RT_TABLE_MAIN, 32767: unix.RT_TABLE_DEFAULT}

// rules copies the routing policy. What has a selector that was not read is left out, and said.
func (r *Replica) rules() error {
	for i := range r.host.Network.Rules {
		p := &r.host.Network.Rules[i]
		if table, ok := standing[p.Priority]; ok && table == p.Table {
			continue
		}
		rule, err := toRule(p)
		if err == nil {
			err = vnl.RuleAdd(rule)
		}
		if err != nil {
			r.Omitted = append(r.Omitted, fmt.Sprintf("policy rule %d: %v", p.Priority, err))
		}
	}
	return nil
}

func toRule(p *snapshot.PolicyRule) (*vnl.Rule, error) {
	action, ok := actions[p.Action]
	if !ok || p.Other {
		return nil, fmt.Errorf("it has a part that is not known (%s)", p.Action)
	}
	rule := vnl.NewRule()
	rule.Family = map[int]int{4: unix.AF_INET, 6: unix.AF_INET6}[p.Family]
	rule.Priority, rule.Type, rule.Invert = p.Priority, action, p.Invert
	rule.IifName, rule.OifName, rule.IPProto, rule.Tos = p.Iif, p.Oif, p.IPProto, uint(p.Tos)
	if p.Action == "lookup" {
		rule.Table = p.Table
	}
	if p.Action == "goto" {
		rule.Goto = p.Goto
	}
	if p.Mark != 0 || p.Mask != 0 {
		mask := p.Mask
		rule.Mark, rule.Mask = p.Mark, &mask
	}
	if p.UIDs != nil {
		rule.UIDRange = vnl.NewRuleUIDRange(p.UIDs.First, p.UIDs.Last)
	}
	if p.SuppressBits > 0 {
		rule.SuppressPrefixlen = p.SuppressBits - 1
	}
	for _, side := range []struct {
		text string
		to   **net.IPNet
	}{{p.Src, &rule.Src}, {p.Dst, &rule.Dst}} {
		if side.text == "" {
			continue
		}
		n, err := netip.ParsePrefix(side.text)
		if err != nil {
			return nil, err
		}
		*side.to = &net.IPNet{IP: n.Masked().Addr().AsSlice(), Mask: net.CIDRMask(n.Bits(), n.Addr().BitLen())}
	}
	for _, side := range []struct {
		span [2]int
		to   **vnl.RulePortRange
	}{{p.Sport, &rule.Sport}, {p.Dport, &rule.Dport}} {
		if side.span != [2]int{} {
			*side.to = vnl.NewRulePortRange(uint16(side.span[0]), uint16(side.span[1]))
		}
	}
	return rule, nil
}

// nowhere are the kinds of routes that lead out by no interface, and those of other tables to the host itself.
var nowhere = map[string]int{
	"blackhole": unix.RTN_BLACKHOLE, "unreachable": unix.RTN_UNREACHABLE, "prohibit": unix.RTN_PROHIBIT, "throw": unix.RTN_THROW, "local": unix.RTN_LOCAL,
}

// ends copies a route that leads nowhere.
func (r *Replica) ends(rt *snapshot.Route) error {
	n, err := netip.ParsePrefix(rt.Dst)
	if err != nil {
		return err
	}
	route := &vnl.Route{
		Type: nowhere[rt.Type], Table: rt.Table, Priority: rt.Metric,
		Dst: &net.IPNet{IP: n.Addr().AsSlice(), Mask: net.CIDRMask(n.Bits(), n.Addr().BitLen())},
	}
	if rt.Type == "local" {
		if len(rt.Oifs) == 0 {
			return fmt.Errorf("no interface")
		}
		route.LinkIndex, route.Scope = rt.Oifs[0], vnl.SCOPE_HOST
	}
	return vnl.RouteAdd(route)
}
