package remedy

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// counting are the tables with rules that decide by what went through before: limits, quotas, counts of connections, turns, sets that rules fill.
// What decides by chance alone counts nothing.
func counting(rs *ruleset.Ruleset) (list []*ruleset.Table) {
	if rs == nil {
		return nil
	}
	for i := range rs.Tables {
		if countsIn(&rs.Tables[i]) {
			list = append(list, &rs.Tables[i])
		}
	}
	return list
}

// countsIn says of a table whether a rule of it counts, or an element that a rule asks for.
func countsIn(t *ruleset.Table) bool {
	some := func(list []ruleset.Expr) bool { return slices.ContainsFunc(list, countsBefore) }
	return slices.ContainsFunc(t.Chains, func(c ruleset.Chain) bool {
		return slices.ContainsFunc(c.Rules, func(r ruleset.Rule) bool { return some(r.Exprs) })
	}) || slices.ContainsFunc(t.Sets, func(s ruleset.Set) bool {
		return slices.ContainsFunc(s.Elements, func(e ruleset.Element) bool { return some(e.Exprs) })
	})
}

// countsBefore says of an expression that what it does depends on the packets before.
func countsBefore(e ruleset.Expr) bool {
	x := e.More()
	switch {
	case e.Limit != nil, x.Quota != nil, x.Connlimit != nil, x.Dynset != nil:
		return true
	case x.Objref != nil:
		return x.Objref.Type != ruleset.ObjectCounter
	case x.Generate != nil:
		return x.Generate.Kind == "inc"
	case e.Xt == nil:
		return false
	case e.Xt.Name == "statistic":
		t := e.Xt.Traffic()
		return t == nil || t.Nth
	}
	return slices.Contains([]string{"limit", "hashlimit", "recent", "connlimit", "connbytes", "quota"}, e.Xt.Name)
}

// renewed are the tables that are loaded anew where those that count begin again: these, and each that is after one of them at the same place of a
// hook, so that they run in the order that they ran in.
func renewed(rs *ruleset.Ruleset) (list []*ruleset.Table) {
	type place struct {
		hook string
		at   int32
	}
	taken, counts := map[place]bool{}, counting(rs)
	for i := range rs.Tables {
		t := &rs.Tables[i]
		var places []place
		for j := range t.Chains {
			if b := t.Chains[j].Base; b != nil {
				places = append(places, place{b.Hook, b.Priority})
			}
		}
		if !slices.Contains(counts, t) && !slices.ContainsFunc(places, func(p place) bool { return taken[p] }) {
			continue
		}
		list = append(list, t)
		for _, p := range places {
			taken[p] = true
		}
	}
	return list
}
