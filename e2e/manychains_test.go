//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
)

// TestManyChains: rules that are read of a whole table are in their chains, in order, and those of another table with chains of the same names
// are not among them.
func TestManyChains(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	const chains, rules = 200, 3
	var text strings.Builder
	for _, family := range []string{"ip", "ip6"} {
		fmt.Fprintf(&text, "table %s many {\n", family)
		for c := range chains {
			fmt.Fprintf(&text, "chain c%d {\n", c)
			for r := range rules {
				fmt.Fprintf(&text, "tcp dport %d accept comment \"%s %d %d\"\n", 1+r, family, c, r)
			}
			text.WriteString("}\n")
		}
		text.WriteString("}\n")
	}
	file := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	bed.Shell(t, "nft -f %s", file)
	rs, err := checks.ReadRuleset(t.Context(), host.Local())
	if err != nil || len(rs.Tables) != 2 {
		t.Fatalf("%v: %d tables", err, len(rs.Tables))
	}
	for _, table := range rs.Tables {
		if len(table.Chains) != chains {
			t.Errorf("%s: %d chains", table.Family, len(table.Chains))
		}
		for _, c := range table.Chains {
			if len(c.Rules) != rules {
				t.Fatalf("%s %s: %d rules", table.Family, c.Name, len(c.Rules))
			}
			for r, rule := range c.Rules {
				if want := fmt.Sprintf("%s %s %d", table.Family, strings.TrimPrefix(c.Name, "c"), r); rule.Comment != want {
					t.Fatalf("%s %s has %q at %d, want %q", table.Family, c.Name, rule.Comment, r, want)
				}
			}
		}
	}
}

// TestTablesOfOurs: of a ruleset the tables of some names are read whole, in every family, and of the others nothing.
func TestTablesOfOurs(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	const table = "table %s %s {\nset s { type inet_service; elements = { 22, 80 }\n}\nchain c {\ntype filter hook %s priority 0; policy accept;\ntcp dport @s drop comment \"%s\"\n}\n}\n"
	var text strings.Builder
	for _, family := range []string{"inet", "bridge"} {
		for _, name := range []string{"ringfence", "theirs"} {
			fmt.Fprintf(&text, table, family, name, "input", name)
		}
	}
	file := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	rs, err := checks.ReadTables(t.Context(), host.Local(), "ringfence")
	if err != nil || len(rs.Tables) != 0 {
		t.Fatalf("of none: %v, %+v", err, rs)
	}
	bed.Shell(t, "nft -f %s", file)
	all, aerr := checks.ReadRuleset(t.Context(), host.Local())
	rs, err = checks.ReadTables(t.Context(), host.Local(), "ringfence")
	if err := errors.Join(aerr, err); err != nil {
		t.Fatal(err)
	}
	all.Tables = slices.DeleteFunc(all.Tables, func(t ruleset.Table) bool { return t.Name != "ringfence" })
	if len(rs.Tables) != 2 || !rs.Stable || rs.Generation != all.Generation || !reflect.DeepEqual(rs.Tables, all.Tables) {
		t.Errorf("%+v\nnot %+v", rs, all)
	}
}
