//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/need"
)

// TestConnectionsThatBegin: what conntrack knows of a connection that begins is known: what it has carried, and that it has no helper and no labels, but
// by a rule.
func TestConnectionsThatBegin(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	servedScene(t)
	check := func(rule, unknown string) {
		t.Helper()
		got, want := askedFor(t, "203.0.113.1:22"), verdictOf(gets("e", "203.0.113.1:22"))
		if got != want && (got != "unknown" || unknown == "") {
			t.Errorf("%s: %s, in truth %s", rule, got, want)
		}
	}
	for _, c := range []struct{ rule, before, unknown string }{
		{`ct helper "ftp" accept`, "", ""},
		{`ct helper != "ftp" accept`, "", ""},
		{`ct helper "ftp" accept`, `ct helper h { type "ftp" protocol tcp; }|ct helper set "h"`, "a helper that a rule gave"},
		{`ct label 5 accept`, "", ""},
		{`ct label != 5 accept`, "", ""},
		{`ct label 5 accept`, `|ct label set 5`, "labels that a rule gave"},
		{`synproxy mss 1460 wscale 7`, "", "answers in place of the server"},
	} {
		object, first, _ := strings.Cut(c.before, "|")
		rules := "flush ruleset\ntable inet f {\n" + object + "\nchain i { type filter hook input priority 0; policy drop; ct state established accept; " + first + "\n" + c.rule + "\n}\n}"
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(bed.Spread(rules))
		out, err := cmd.CombinedOutput()
		t.Run(c.rule, func(t *testing.T) {
			need.Kernel(t, c.before+c.rule, out, err)
			check(c.rule, c.unknown)
		})
	}
	bed.Shell(t, "nft flush ruleset")
	bed.Need(t, "iptables-nft-restore")
	for _, rule := range []string{`-m helper --helper ftp`, `-m helper ! --helper ftp`} {
		cmd := exec.Command("iptables-nft-restore")
		cmd.Stdin = strings.NewReader("*filter\n:INPUT DROP\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A INPUT " + rule + " -j ACCEPT\nCOMMIT\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("%s: this kernel has it not: %s", rule, out)
			continue
		}
		check(rule, "")
	}
	for _, what := range []string{
		"0:10 --connbytes-dir both --connbytes-mode packets", "1:1 --connbytes-dir original --connbytes-mode packets", "2:10 --connbytes-dir both --connbytes-mode packets",
		"1:10 --connbytes-dir reply --connbytes-mode packets", "0:0 --connbytes-dir reply --connbytes-mode bytes", "10: --connbytes-dir original --connbytes-mode bytes",
		"100000: --connbytes-dir both --connbytes-mode bytes", "10:70000 --connbytes-dir original --connbytes-mode avgpkt",
	} {
		for _, not := range []string{"", "! "} {
			rule := fmt.Sprintf("-m connbytes %s--connbytes %s", not, what)
			cmd := exec.Command("iptables-nft-restore")
			cmd.Stdin = strings.NewReader("*filter\n:INPUT DROP\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A INPUT " + rule + " -j ACCEPT\nCOMMIT\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Logf("%s: this kernel has it not: %s", rule, out)
				continue
			}
			check(rule, "")
		}
	}
}
