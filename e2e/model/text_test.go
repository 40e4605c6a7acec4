//go:build linux

package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
)

// printedIn is what the rules of testdata/rules.txt refer to, and the chains that they stand in.
const printedIn = `table inet t {
	set s4 { type ipv4_addr; }
	set c3 { type ipv4_addr . ipv4_addr . inet_service; }
	set ports { type inet_service; }
	set dyn { type ipv4_addr; flags dynamic,timeout; size 100; }
	map dynmap { type ipv4_addr : mark; flags dynamic; size 100; }
	map vm { type ipv4_addr : verdict; }
	map nm { type inet_service : ipv4_addr . inet_service; }
	counter cnt { packets 0 bytes 0 }
	quota qu { 100 mbytes }
	limit li { rate 5/second }
	ct helper hf { type "ftp" protocol tcp; }
	chain other { }
	chain c { }
	chain r { type filter hook prerouting priority -300; }
	chain pr { type nat hook prerouting priority -100; }
	chain po { type nat hook postrouting priority 100; }
}
table netdev nd { chain i { type filter hook ingress device lo priority 0; }
}
table bridge br { chain c { }
}
`

var setNames = regexp.MustCompile("\"set\":\"__(set|map)[0-9]+\"")

// TestTextLoadsAgain prints every rule of testdata/rules.txt as text, has nft load that, and compares the
// expressions. A line is a rule of chain c in table inet t, or FAMILY TABLE|CHAIN|RULE.
func TestTextLoadsAgain(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	list, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(list)) {
		table, chain, rule := "inet t", "c", strings.TrimSpace(line)
		if f := strings.SplitN(rule, "|", 3); len(f) == 3 && !strings.Contains(f[0], "(") {
			table, chain, rule = f[0], f[1], f[2]
		}
		first, err := oneRule(t, table, chain, rule)
		if err != nil {
			t.Logf("this nft or kernel has no %s: %v", rule, err)
			continue
		}
		text := first.Chain(chain).Rules[0].Text(first)
		want := form(t, first, chain)
		second, err := oneRule(t, table, chain, text)
		if err != nil {
			t.Errorf("%s was printed as %s, which nft refuses: %v", rule, text, err)
			continue
		}
		compared++
		if got := form(t, second, chain); got != want {
			t.Errorf("%s was printed as %s\n  was %s\n  is  %s", rule, text, want, got)
		}
	}
	t.Logf("%d rules", compared)
	if compared < 150 {
		t.Errorf("only %d rules were compared", compared)
	}
}

// oneRule loads a rule and reads its table.
func oneRule(t *testing.T, table, chain, rule string) (*ruleset.Table, error) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("flush ruleset\n" + printedIn + "add rule " + table + " " + chain + " " + rule + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.SplitN(string(out), "\n", 2)[0])
	}
	rs, err := checks.ReadRuleset(t.Context(), host.Local())
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs.Tables {
		if rs.Tables[i].Family+" "+rs.Tables[i].Name == table {
			return &rs.Tables[i], nil
		}
	}
	t.Fatalf("no table %s", table)
	return nil, nil
}

// form is the expressions of the chain's rule, without the numbers of anonymous sets.
func form(t *testing.T, tab *ruleset.Table, chain string) string {
	t.Helper()
	r := tab.Chain(chain).Rules[0]
	b, err := json.Marshal(r.Exprs)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Exprs { // an anonymous set is what is in it
		if e.Lookup == nil {
			continue
		}
		els := tab.Set(e.Lookup.Set).Elements // in the order of the kernel's hash
		slices.SortFunc(els, func(a, b ruleset.Element) int {
			return cmp.Compare(fmt.Sprint(a.Key, a.IntervalEnd), fmt.Sprint(b.Key, b.IntervalEnd))
		})
		list, err := json.Marshal(els)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, list...)
	}
	return setNames.ReplaceAllString(string(b), `"set":"__"`) + r.Comment
}
