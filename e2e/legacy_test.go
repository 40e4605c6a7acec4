//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixBesideLegacy: rules of iptables-legacy decide who reaches what as they do in the kernel, and a fix on such a host is proven in a copy that
// has them, closes what it says, and leaves them as they were.
func TestFixBesideLegacy(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	in := func(args string) string {
		out, err := exec.Command("ip", append([]string{"netns", "exec", b.name + "host"}, strings.Fields(args)...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", args, err, out)
		}
		return string(out)
	}
	if out, err := exec.Command("ip", "netns", "exec", b.name+"host", "iptables-legacy", "-L", "-n").CombinedOutput(); err != nil {
		t.Skipf("the kernel lacks: iptables-legacy (CONFIG_NETFILTER_XTABLES_LEGACY): %s", out)
	}
	for _, l := range listeners {
		b.listen(l.network, l.addr, l.device)
	}
	bed.Shell(t, "ip netns exec %shost sh -ec '%s'", b.name, strings.NewReplacer("-nft", "-legacy", "'", `'\''`).Replace(scripts["iptables extensions"]))
	in("iptables-legacy -t nat -A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 22")
	b.compare("redirect by iptables-legacy")
	before := in("iptables-legacy-save")

	if out, code := b.verb("apply", "--confirm", "auto"); code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 5))
	}
	if b.connects("w1", "tcp4", "172.17.0.1:2375") {
		t.Error("the port is still open")
	}
	if !b.connects("mgmt", "tcp4", "10.10.0.1:8080") {
		t.Error("what was open is closed")
	}
	if after := in("iptables-legacy-save"); rulesOf(after) != rulesOf(before) {
		t.Errorf("the rules of iptables-legacy are now\n%s\nand were\n%s", after, before)
	}
	if out, code := b.verb("verify"); code != 0 {
		t.Errorf("verify: %d %s", code, lastLines(out, 3))
	}
}

// rulesOf are the rules of a dump, without comments and counters.
func rulesOf(dump string) string {
	var rules []string
	for line := range strings.SplitSeq(dump, "\n") {
		if strings.HasPrefix(line, "-") || strings.HasPrefix(line, "*") {
			rules = append(rules, line)
		}
	}
	return strings.Join(rules, "\n")
}

// TestFixBesideLegacyThatCounts: rules of iptables-legacy let in so many connections, by a list that has a name. What the proof tries counts there as
// well, in the copy alone, and each try begins with nothing counted.
func TestFixBesideLegacyThatCounts(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:22", "")
	for _, rule := range []string{
		"-p tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name SSH",
		"-p tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 60 --hitcount 4 --name SSH -j DROP",
	} {
		args := append([]string{"netns", "exec", b.name + "host", "iptables-legacy", "-A", "INPUT"}, strings.Fields(rule)...)
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("the kernel lacks: recent of iptables (CONFIG_NETFILTER_XT_MATCH_RECENT): %s", out)
		}
	}
	if out, code := b.verb("apply", "--confirm", "auto"); code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 5))
	}
	if b.connects("w1", "tcp4", "172.17.0.1:2375") {
		t.Error("the port is still open")
	}
	if !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("SSH is closed")
	}
}
