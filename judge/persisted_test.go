package judge

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWhatIsLoadedAndWhatIsInTheFile: handles do not count, each rule does, and so does the order; tables of runtimes are in no file.
func TestWhatIsLoadedAndWhatIsInTheFile(t *testing.T) {
	copied := func(rs *ruleset.Ruleset) *ruleset.Ruleset {
		b, err := json.Marshal(rs)
		if err != nil {
			t.Fatal(err)
		}
		out := new(ruleset.Ruleset)
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	accept := ruleset.Rule{Handle: 900, Exprs: []ruleset.Expr{{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}}}
	for name, c := range map[string]struct {
		live func(*ruleset.Ruleset)
		want []DocDrift
	}{
		"alike": {func(rs *ruleset.Ruleset) { rs.Tables[0].Chains[0].Rules[0].Handle = 77 }, nil},
		"opened": {func(rs *ruleset.Ruleset) {
			rs.Tables[0].Chains[0].Rules = append([]ruleset.Rule{accept}, rs.Tables[0].Chains[0].Rules...)
		}, []DocDrift{{Table: "inet filter", Lines: []string{"+ input: accept"}}}},
		"policy":  {func(rs *ruleset.Ruleset) { rs.Tables[0].Chains[0].Base.Policy = ruleset.Accept }, []DocDrift{{Table: "inet filter", Lines: []string{"+ chain input: type filter hook input priority 0 policy accept", "- chain input: type filter hook input priority 0 policy drop"}}}},
		"flushed": {func(rs *ruleset.Ruleset) { rs.Tables = nil }, []DocDrift{{Table: "inet filter", Missing: true, Lines: []string{}}}},
		"order": {func(rs *ruleset.Ruleset) {
			r := rs.Tables[0].Chains[0].Rules
			r[0], r[1] = r[1], r[0]
		}, []DocDrift{{Table: "inet filter", Lines: []string{"the rules are in another order"}}}},
		"extra": {func(rs *ruleset.Ruleset) {
			for _, n := range []string{"mine", "docker-bridges", "ringfence"} {
				x := rs.Tables[0]
				x.Name = n
				rs.Tables = append(rs.Tables, x)
			}
		}, []DocDrift{{Table: "inet mine", Extra: true, Lines: []string{}}}},
	} {
		s := fixtures.Host()
		s.System.Persisted = snapshot.Persisted{File: "/etc/nftables.conf", Read: snapshot.Fact{State: snapshot.Present, Value: "/etc/nftables.conf"}, Ruleset: copied(s.NFTables.Ruleset)}
		c.live(s.NFTables.Ruleset)
		b := newBuilder(context.Background(), s, zones.Config{}, exposure.Limits{})
		b.persisted()
		if !slices.EqualFunc(b.doc.Persisted.Tables, c.want, func(a, b DocDrift) bool {
			return a.Table == b.Table && a.Missing == b.Missing && a.Extra == b.Extra && slices.Equal(a.Lines, b.Lines)
		}) {
			t.Errorf("%s: %+v, want %+v", name, b.doc.Persisted.Tables, c.want)
		}
	}
}
