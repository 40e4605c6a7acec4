//go:build linux

package model

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestLegacyAgreesWithKernel: the rules of iptables-legacy, which the kernel keeps beside nftables, are read as they are, and mean what the kernel
// makes of them. Dumps of real tools are loaded by iptables-legacy-restore.
func TestLegacyAgreesWithKernel(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	if _, err := os.Stat("/proc/self/net/ip_tables_names"); err != nil && exec.Command("iptables-legacy", "-L", "-n").Run() != nil {
		t.Skip("the kernel lacks: iptables-legacy (CONFIG_NETFILTER_XTABLES_LEGACY)")
	}
	b := newCrossing(t, crossing)
	b.rawRoutes = true
	seed, _, perRuleset := runSize(t, 0, 30)
	sum := newTally()
	loaded := 0
	for _, folder := range []string{"../testdata/rulesets", "../testdata/kinds"} {
		for name, text := range b.rulesetsIn(folder, 8) {
			if text["v4"]+text["v6"] == "" || text["sets"] != "" || !b.loadLegacy(name, text) {
				continue
			}
			loaded++
			b.compare(name, packets(rand.New(rand.NewPCG(seed, uint64(len(name)))), 2*perRuleset, text["v4"]+text["v6"]), sum)
		}
	}
	if loaded < 12 {
		t.Errorf("only %d rulesets could be loaded", loaded)
	}
	sum.report(t)
}

// loadLegacy loads rules of iptables, and checks that reading them makes no table; false where legacy has not all that the rules ask for.
func (b *bedOracle) loadLegacy(name string, text map[string]string) bool {
	if err := b.o.Load(""); err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	for kind, program := range map[string]string{"v4": "iptables", "v6": "ip6tables"} {
		empty(b.t, program)
		if text[kind] == "" {
			continue
		}
		cmd := exec.Command(program + "-legacy-restore")
		cmd.Stdin = strings.NewReader(text[kind])
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Logf("%s: %s-legacy-restore: %v: %s", name, program, err, out)
			return false
		}
	}
	before := legacyNames(b.t)
	rs := b.loaded().NFTables.Ruleset
	if after := legacyNames(b.t); after != before {
		b.t.Errorf("%s: reading made tables: %q, before %q", name, after, before)
	}
	n := 0
	for i := range rs.Tables {
		if rs.Tables[i].Legacy != "" {
			n++
		}
	}
	if want := len(strings.Fields(before)); n != want || len(rs.LegacyUnread) > 0 {
		b.t.Errorf("%s: %d tables of %d were read: %v", name, n, want, rs.LegacyUnread)
	}
	return true
}

// empty takes all rules out of the tables that are there.
func empty(t *testing.T, program string) {
	t.Helper()
	names, err := os.ReadFile(map[string]string{"iptables": "/proc/thread-self/net/ip_tables_names", "ip6tables": "/proc/thread-self/net/ip6_tables_names"}[program])
	if err != nil {
		t.Fatal(err)
	}
	for table := range strings.FieldsSeq(string(names)) {
		var rules strings.Builder
		rules.WriteString("*" + table + "\n")
		for _, chain := range []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"} {
			if slices.Contains(chainsOf[table], chain) {
				rules.WriteString(":" + chain + " ACCEPT [0:0]\n")
			}
		}
		cmd := exec.Command(program + "-legacy-restore")
		cmd.Stdin = strings.NewReader(rules.String() + "COMMIT\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("empty %s: %v: %s", table, err, out)
		}
	}
}

var chainsOf = map[string][]string{
	"raw": {"PREROUTING", "OUTPUT"}, "mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, "nat": {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"filter": {"INPUT", "FORWARD", "OUTPUT"}, "security": {"INPUT", "FORWARD", "OUTPUT"},
}

func legacyNames(t *testing.T) string {
	t.Helper()
	var all []string
	for _, file := range []string{"ip_tables_names", "ip6_tables_names"} {
		names, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(names))...)
	}
	return strings.Join(all, " ")
}
