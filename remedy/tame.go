package remedy

import (
	"context"
	"math"
	"net/netip"
	"reflect"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Services of a cluster, and containers with published ports, are translated by thousands of rules, which come and go every second. What a plan
// closes does not depend on them if its drops need nobody's help, and nothing is translated to what they close:
//
//   - what is closed at the host is dropped before any translation, by the port that was sent. Something else gets there only if it is translated
//     to an address of the host;
//   - what is closed through the host is dropped by the interfaces of its way alone, wherever a translation sends it.

// manyRules is from how many rules of others, once for each interface, on this is asked first: the packet model follows each of their translations
// from each interface.
const manyRules = 1000

// many says of the rules of others that there are so many of them.
func many(s *snapshot.Snapshot, rs *ruleset.Ruleset) bool {
	return countRules(rs)*max(1, len(s.Network.Links)) >= manyRules
}

// closes proves for each drop that nothing of what it is about gets through any more, with the rules of others.
func (p *Proof) closes(ctx context.Context, s *snapshot.Snapshot) (*closedBy, error) {
	if rs := p.before.NFTables.Ruleset; many(s, rs) && leadNowhere(s, rs, math.MinInt64) {
		if by := p.standsAlone(ctx, s); by != nil {
			return by, nil
		}
	}
	return p.plan.closesOn(ctx, p.with(s))
}

func countRules(rs *ruleset.Ruleset) (n int) {
	if rs == nil {
		return 0
	}
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			n += len(rs.Tables[i].Chains[j].Rules)
		}
	}
	return n
}

// standsAlone is what closes all that the plan is about on a host with no other rules, nil if something is open there, or the drops are not such
// that translations to other addresses than the host's get nothing past them.
func (p *Proof) standsAlone(ctx context.Context, s *snapshot.Snapshot) *closedBy {
	if p.plan.Mode != Targeted || !plainDrops(p.plan.Rules) || ledByMarks(s) {
		return nil
	}
	alone := p.alone(s)
	list, err := p.plan.Closing(alone)
	if err != nil {
		return nil
	}
	by := &closedBy{leans: map[string]bool{}}
	for _, a := range answersTo(ctx, list, alone) {
		if a.Verdict != packet.Unreachable {
			return nil
		}
		by.add(a.Certificate)
	}
	return by
}

// plainDrops says of rules that they drop before any translation, or by nothing but interfaces and sources.
func plainDrops(list []Rule) bool {
	return !slices.ContainsFunc(list, func(r Rule) bool {
		return !r.Accept && r.Chain != chainIn && (r.Chain != chainForward || r.Port != 0 || len(r.To) > 0) || r.family() != ruleset.FamilyInet
	})
}

// ledByMarks says whether a mark of a packet can lead it elsewhere.
func ledByMarks(s *snapshot.Snapshot) bool {
	n := &s.Network
	return n.XFRM != nil && (len(n.XFRM.Policies) > 0 || n.XFRM.State != snapshot.Present && n.XFRM.State != snapshot.Absent) ||
		slices.ContainsFunc(n.Rules, func(r snapshot.PolicyRule) bool { return r.Mark != 0 || r.Mask != 0 || r.Other })
}

// outlives says whether a proof that needs no rules of others holds for other ones of them: they only judge, mark, and translate to addresses that
// are not the host's. What else they do may stay as it is before the plan's drops and before what is not as it was, if the proof leans on no
// others: packets get to the drops as they did.
func (p *Proof) outlives(now *ruleset.Ruleset) bool {
	if !p.sufficient {
		return false
	}
	old := p.ground.rules
	ids, ipsets := tableIDs(old, now), !reflect.DeepEqual(old.IPSets, now.IPSets)
	from := int64(numberIn) // of the priorities in prerouting
	for _, id := range ids {
		a, b := tableOf(old, id), tableOf(now, id)
		if a.Dormant != b.Dormant || !slices.Equal(a.Flowtables, b.Flowtables) {
			return false
		}
		d := differing(a, b, ipsets)
		if d != nil && !slices.Contains([]string{ruleset.FamilyInet, ruleset.FamilyIP, ruleset.FamilyIP6}, id.family) {
			return false
		}
		for _, c := range changedBases(a, b, d) {
			switch c.Base.Hook {
			case "ingress":
				from = math.MinInt64
			case "prerouting":
				from = min(from, int64(c.Base.Priority))
			}
		}
		if p.ground.leans[id.family+" "+id.name] {
			from = math.MinInt64
		}
	}
	return leadNowhere(p.before, now, from) && (from == math.MinInt64 || leadNowhere(p.before, old, from))
}

// leadNowhere says of rules of others, but for those that come before a priority in prerouting, that they only judge, mark, and translate to
// addresses that are not the host's.
func leadNowhere(s *snapshot.Snapshot, rs *ruleset.Ruleset, from int64) bool {
	here := leadsHere(s)
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			if c.Base == nil || c.Base.Hook == "output" || c.Base.Hook == "postrouting" || c.Base.Hook == "prerouting" && int64(c.Base.Priority) < from {
				continue
			}
			if !tame(t, leadsTo(t, c), here) {
				return false
			}
		}
	}
	return true
}

// changedBases are the base chains of a table, in either state, by which packets get to what is not the same.
func changedBases(a, b *ruleset.Table, d *delta) (list []*ruleset.Chain) {
	if d == nil {
		return nil
	}
	for _, side := range []struct{ t, other *ruleset.Table }{{a, b}, {b, a}} {
		for i := range side.t.Chains {
			c := &side.t.Chains[i]
			if c.Base == nil {
				continue
			}
			if same := side.other.Chain(c.Name); same == nil || !reflect.DeepEqual(same.Base, c.Base) || d.on(leadsTo(side.t, c)) {
				list = append(list, c)
			}
		}
	}
	return list
}

// tame says of chains that they let nothing get to the host that was not sent to it as it is.
func tame(t *ruleset.Table, chains []*ruleset.Chain, here func(netip.Addr) bool) bool {
	return !slices.ContainsFunc(chains, func(c *ruleset.Chain) bool {
		return slices.ContainsFunc(c.Rules, func(r ruleset.Rule) bool {
			for i := range r.Exprs {
				e := &r.Exprs[i]
				of := t.Set(setOf(e))
				if of != nil && slices.ContainsFunc(of.Elements, func(el ruleset.Element) bool { return !judgeVerdict(el.Verdict) }) {
					return true
				}
				if !judges(e) && !marks(e) && !t.LeadsAway(r.Exprs[:i], e, here) {
					return true
				}
			}
			return false
		})
	})
}

// marks says of an expression that it at most marks the packet or its connection, which nothing of the host is led by.
func marks(e *ruleset.Expr) bool {
	switch {
	case e.Meta != nil:
		return e.Meta.Key == ruleset.MetaMark
	case e.Ct != nil:
		return e.Ct.Key == ruleset.CtMark
	case e.Xt != nil:
		return e.Xt.Target && (e.Xt.Name == "MARK" || e.Xt.Name == "CONNMARK")
	}
	return false
}

// leadsHere tells of an address whether who sends to it may reach somebody on the host: it is one of the host's, or one of many.
func leadsHere(s *snapshot.Snapshot) func(netip.Addr) bool {
	own, all := slices.Concat(toMany, ownAddresses(s, nil)), false
	for i := range s.Network.Routes {
		if r := &s.Network.Routes[i]; r.Type != "unicast" {
			to, err := netip.ParsePrefix(r.Dst)
			own, all = append(own, to), all || err != nil
		}
	}
	return func(a netip.Addr) bool {
		a = a.Unmap()
		return all || a.IsLoopback() || a.IsLinkLocalUnicast() || covers(own, a)
	}
}
