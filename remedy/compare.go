package remedy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// canonical is tables without what differs from one loading of them to the next: handles, the order of
// elements, times that run down.
func canonical(tables []ruleset.Table) []byte {
	list := slices.Clone(tables)
	for i := range list {
		unhandled(&list[i])
	}
	b, err := json.Marshal(list)
	if err != nil { // the types are our own
		panic(err)
	}
	return b
}

// unhandled takes out of a table what differs from one loading to the next.
func unhandled(c *ruleset.Table) {
	c.Name, c.Handle, c.Owner, c.Comment = "", 0, 0, ""
	c.Chains = slices.Clone(c.Chains)
	for i := range c.Chains {
		c.Chains[i].Handle = 0
		c.Chains[i].Rules = slices.Clone(c.Chains[i].Rules)
		for j := range c.Chains[i].Rules {
			c.Chains[i].Rules[j].Handle = 0
		}
	}
	c.Sets = slices.Clone(c.Sets)
	for i := range c.Sets {
		c.Sets[i].Elements = slices.Clone(c.Sets[i].Elements)
		for j := range c.Sets[i].Elements {
			c.Sets[i].Elements[j].ExpiresMs, c.Sets[i].Elements[j].TimeoutMs = 0, 0
		}
		slices.SortFunc(c.Sets[i].Elements, byKey)
	}
}

// byKey orders the elements of a set: the end of an interval before the start of the next.
func byKey(a, b ruleset.Element) int {
	if d := bytes.Compare(a.Key, b.Key); d != 0 {
		return d
	}
	if a.IntervalEnd == b.IntervalEnd {
		return 0
	}
	return map[bool]int{true: -1, false: 1}[a.IntervalEnd]
}

// ours finds the tables of ours with a name, in the order of their families.
func ours(rs *ruleset.Ruleset, name string) (list []ruleset.Table) {
	if rs == nil {
		return nil
	}
	for _, family := range families {
		for i := range rs.Tables {
			if t := &rs.Tables[i]; t.Name == name && t.Family == family {
				list = append(list, *t)
			}
		}
	}
	return list
}

// compare says in what the loaded tables differ from the wanted ones.
func compare(rs *ruleset.Ruleset, name string, want []byte) error {
	var compact bytes.Buffer // the state file is indented
	var wanted []ruleset.Table
	err := json.Compact(&compact, want)
	if err == nil {
		err = json.Unmarshal(want, &wanted)
	}
	if err != nil {
		return fmt.Errorf("what was planned is not readable: %w", err)
	}
	tables := ours(rs, name)
	find := func(list []ruleset.Table, family string) *ruleset.Table {
		if i := slices.IndexFunc(list, func(t ruleset.Table) bool { return t.Family == family }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, family := range families {
		w, t := find(wanted, family), find(tables, family)
		switch {
		case w != nil && t == nil:
			return fmt.Errorf("table %s %s is not there", family, name)
		case w == nil && t != nil:
			return fmt.Errorf("there is a table %s %s that was not planned", family, name)
		case t != nil && t.Dormant:
			return fmt.Errorf("table %s %s is dormant", family, name)
		}
	}
	got := canonical(tables)
	if bytes.Equal(got, compact.Bytes()) {
		return nil
	}
	var read []ruleset.Table
	if err := json.Unmarshal(got, &read); err != nil || len(read) != len(wanted) {
		return fmt.Errorf("table %s is not as planned", name)
	}
	for i := range read {
		if a, b := canonical(read[i:i+1]), canonical(wanted[i:i+1]); !bytes.Equal(a, b) {
			return fmt.Errorf("table %s %s is not as planned: %s", read[i].Family, name, difference(&read[i], &wanted[i]))
		}
	}
	return fmt.Errorf("table %s is not as planned", name)
}

func difference(got, want *ruleset.Table) string {
	for i := range want.Chains {
		w := &want.Chains[i]
		g := got.Chain(w.Name)
		switch {
		case g == nil:
			return "chain " + w.Name + " is missing"
		case g.Base == nil || w.Base == nil || g.Base.Policy != w.Base.Policy || g.Base.Priority != w.Base.Priority:
			return "chain " + w.Name + " has another hook, priority or policy"
		case len(g.Rules) != len(w.Rules):
			return fmt.Sprintf("chain %s has %d rules, not %d", w.Name, len(g.Rules), len(w.Rules))
		}
		for j := range w.Rules {
			a, _ := json.Marshal(g.Rules[j])
			b, _ := json.Marshal(w.Rules[j])
			if !bytes.Equal(a, b) {
				return fmt.Sprintf("rule %d of chain %s is another", j+1, w.Name)
			}
		}
	}
	if len(got.Chains) != len(want.Chains) {
		return "it has other chains"
	}
	return "its sets differ"
}
