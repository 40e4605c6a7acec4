//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesetBetweenTwo: tools replace their rules in steps, between which nothing is loaded, or all that is new is dropped (firewalld). The ruleset that is judged
// is the one that they end with. One that stays as in between is what the host has, and one that never rests is read as it was last.
func TestRulesetBetweenTwo(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.NeedRoot(t)
	rules := "table inet mine { chain c { type filter hook input priority 0; policy accept; tcp dport 9 drop; }; };"
	var panicked strings.Builder
	panicked.WriteString("table inet firewalld_policy_drop {")
	for _, hook := range []string{"input", "forward", "output"} {
		panicked.WriteString(" chain filter_" + hook + " { type filter hook " + hook + " priority 9; policy drop; ct state { established, related } accept; };")
	}
	panicked.WriteString(" };")
	drop := panicked.String()
	for name, c := range map[string]struct {
		begin, steps string // of the shell
		want         []string
	}{
		"nothing changes":       {rules, "true", []string{"mine"}},
		"nothing is loaded":     {"", "true", nil},
		"flushed first":         {"", "sleep 0.1; nft '" + rules + "'", []string{"mine"}},
		"firewalld reloads":     {drop, "sleep 0.1; nft 'table inet mine'; sleep 0.9; nft 'delete table inet firewalld_policy_drop; " + rules + "'", []string{"mine"}},
		"firewalld takes long":  {drop, "sleep 2; nft 'delete table inet firewalld_policy_drop; " + rules + "'", []string{"mine"}},
		"firewalld in panic":    {drop, "true", []string{"firewalld_policy_drop"}},
		"it is changed forever": {rules, "for i in $(seq 60); do nft 'add table inet other'; sleep 0.04; nft 'delete table inet other'; sleep 0.01; done", []string{"mine"}},
	} {
		bed.Shell(t, "nft 'flush ruleset; %s'", c.begin)
		steps := make(chan struct{})
		go func() {
			defer close(steps)
			bed.Shell(t, "%s", c.steps)
		}()
		begin := time.Now()
		dumped := make(chan bool)
		go func() { // which a replica loads
			list, _ := checks.DumpRuleset(t.Context(), host.Local())
			dumped <- slices.ContainsFunc(list, func(m ruleset.Message) bool { return m.Table() == "firewalld_policy_drop" })
		}()
		s := checks.Collect(t.Context(), host.Local(), checks.Options{Deadline: time.Minute, Now: time.Now, Only: []string{"nftables"}})
		took := time.Since(begin)
		<-steps
		if got, want := <-dumped, slices.Contains(c.want, "firewalld_policy_drop"); got != want {
			t.Errorf("%s: what drops all that is new is dumped: %v", name, got)
		}
		cov := s.Section("nftables")
		if cov.Status != snapshot.OK && name != "it is changed forever" || s.NFTables.Ruleset == nil || took > 6*time.Second {
			t.Errorf("%s: %s %v in %s", name, cov.Status, cov.Reasons, took)
			continue
		}
		var got []string
		for i := range s.NFTables.Ruleset.Tables {
			if table := s.NFTables.Ruleset.Tables[i].Name; table != "other" {
				got = append(got, table)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: it has %q, want %q", name, got, c.want)
		}
	}
}
