package remedy

import (
	"testing"

	"github.com/ringfence/ringfence/ruleset"
)

// TestWhoseTable: a table is ours by its mark, or where none can be kept by the comments of all its rules; whatever else has our name is not.
func TestWhoseTable(t *testing.T) {
	table := func(mark string, comments ...string) ruleset.Table {
		var rules []ruleset.Rule
		for _, c := range comments {
			rules = append(rules, ruleset.Rule{Comment: c})
		}
		return ruleset.Table{Family: ruleset.FamilyInet, Name: Table, Comment: mark, Chains: []ruleset.Chain{{Name: "c", Rules: rules}}}
	}
	for _, c := range []struct {
		table ruleset.Table
		ours  bool
		id    string
	}{
		{table(mark("0badcafe", MarkConfirmed), "changed by hand"), true, "0badcafe"},
		{table(mark("0badcafe", MarkTrial)), true, "0badcafe"},
		{table("", "ringfence runtime/docker-api-on-tcp", "ringfence", commentPolicy, "ringfence drain"), true, ""},
		{table("", "ringfence runtime/docker-api-on-tcp", ""), false, ""},
		{table("", "ringfence of the company"), false, ""},
		{table("", "ringfence: ours"), false, ""},
		{table(""), false, ""},
		{table("ringfence"), false, ""},
		{table("ringfence fix=UPPER phase=trial"), false, ""},
		{table("ringfence fix=0badcafe phase=trial and more"), false, ""},
		{table("firewall fix=0badcafe phase=trial"), false, ""},
	} {
		rs := &ruleset.Ruleset{Tables: []ruleset.Table{c.table}}
		list := Find(rs)
		if len(list) != 1 || list[0].Ours != c.ours || list[0].ID != c.id {
			t.Errorf("%q %+v: %+v", c.table.Comment, c.table.Chains[0].Rules, list)
		}
		if strangers := Strangers(rs); len(strangers) == 0 != c.ours {
			t.Errorf("%q: %v", c.table.Comment, strangers)
		}
	}
}
