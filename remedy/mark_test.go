package remedy

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/zones"
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

// TestPlanTellsOfAStranger: the text of a plan replaces the table of our name, so it says whose that is.
func TestPlanTellsOfAStranger(t *testing.T) {
	for comment, want := range map[string]int{"": 1, "ringfence runtime/docker-api-on-tcp": 0} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{
			Family: ruleset.FamilyInet, Name: Table, Chains: []ruleset.Chain{{Name: "c", Rules: []ruleset.Rule{{Comment: comment}}}},
		}}}
		p := Make(asked(zones.External, 2375), Without(s), zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}}, Options{})
		n := 0
		for _, w := range p.Warnings {
			if strings.Contains(w, "table inet ringfence is somebody else's") {
				n++
			}
		}
		if n != want {
			t.Errorf("%q: %q", comment, p.Warnings)
		}
	}
}
