package reach

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// asksForPhysdev says whether rules of iptables ask by which port of a bridge a packet came in or leaves.
func (m *Model) asksForPhysdev() bool {
	if m.physdev != nil {
		return *m.physdev
	}
	found := false
	if rs := m.snap.NFTables.Ruleset; rs != nil {
		for i := range rs.Tables {
			found = found || slices.ContainsFunc(rs.Tables[i].Chains, func(c ruleset.Chain) bool { return slices.ContainsFunc(c.Rules, hasPhysdev) })
		}
	}
	m.physdev = &found
	return found
}

func hasPhysdev(r ruleset.Rule) bool {
	return slices.ContainsFunc(r.Exprs, func(x ruleset.Expr) bool { return x.Xt != nil && x.Xt.Name == "physdev" })
}

// xtPhysdev asks for ports of bridges: of what br_netfilter took through the hooks of IP it knows that by which it came in, and of what is switched
// the other one (physdev_mt).
func (m *machine) xtPhysdev(c *cube, p *ruleset.XtPhysdev) (matches, known bool) {
	if m.bridging {
		out := m.between[1].Name
		if m.hook == packet.Prerouting {
			out = ""
		}
		return p.Matches(true, m.between[0].Name, out), true
	}
	if !c.sets[fIif].singleton() {
		return false, false
	}
	in := m.snap.Network.Link(int(c.sets[fIif][0].lo.lo))
	if m.local || in == nil || in.Kind != "bridge" {
		return p.Matches(false, "", ""), true
	}
	switch on, unread := m.callsIP(in, c.v4); {
	case unread != "":
		return false, false
	case !on:
		return p.Matches(false, "", ""), true
	case m.port != nil:
		return p.Matches(true, m.port.Name, ""), true
	case c.port != nil:
		return p.Matches(true, c.port.Name, ""), true
	}
	return false, false
}
