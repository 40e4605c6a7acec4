//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestTablesTellOfTheFix: the kernel keeps what a fix is with its tables. With the state lost or damaged status tells it, and it goes out.
func TestTablesTellOfTheFix(t *testing.T) {
	breaks(t, "the state is lost", func(b *testbed, before string) {
		t := b.t
		for _, spoil := range []func(dir string) error{
			os.RemoveAll,
			func(dir string) error {
				for _, name := range []string{"state.json", "state.copy.json"} {
					if err := os.Truncate(filepath.Join(dir, name), 100); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			if out, code := b.verb("apply", "--confirm", "auto"); code != 0 && code != 1 {
				t.Fatalf("%d %s", code, lastLines(out, 3))
			}
			id := lastingTable.FindStringSubmatch(b.ruleset())
			if err := spoil(filepath.Join(b.root(), "var/lib/ringfence")); err != nil || id == nil {
				t.Fatal(err, id)
			}
			if out, code := b.verb("status"); code != 0 || !strings.Contains(out, "rules of fix "+id[1]+" are loaded as confirmed") {
				t.Errorf("status: %d %s", code, out)
			}
			if out, code := b.verb("rollback"); code != 0 {
				t.Errorf("rollback: %d %s", code, out)
			}
			b.becomes("without a state", before)
			if list := b.left(); len(list) > 0 {
				t.Errorf("files are left: %v", list)
			}
		}
	})
	breaks(t, "a table of that name is somebody else's", func(b *testbed, _ string) {
		t := b.t
		b.nft("table inet ringfence { chain c { type filter hook input priority 0; tcp dport 9 drop comment \"ringfence of the company\"; }\n}\n")
		with := b.ruleset()
		if out, code := b.verb("apply", "--confirm", "auto"); code != 4 || !strings.Contains(out, "table inet ringfence is somebody else's") {
			t.Errorf("apply: %d %s", code, lastLines(out, 2))
		}
		if out, code := b.verb("status"); code != 0 || !strings.Contains(out, "no fix is loaded\ntable inet ringfence is somebody else's") {
			t.Errorf("status: %d %q", code, out)
		}
		if out, code := b.verb("rollback"); code != 4 {
			t.Errorf("rollback: %d %s", code, out)
		}
		if out, code := b.verb("uninstall"); code != 0 || !strings.Contains(out, "is left alone") {
			t.Errorf("uninstall: %d %s", code, out)
		}
		b.becomes("a stranger", with)
	})
}

// TestVerifyFollowsTheHost: the rules are as they were confirmed, and a network that came later, or an interface with another name, is open.
func TestVerifyFollowsTheHost(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	if out, code := b.verb("apply", "--confirm", "auto"); code != 0 && code != 1 || !strings.Contains(out, "rules know interfaces by their names") {
		t.Fatalf("%d %s", code, lastLines(out, 3))
	}
	verify := func(when string, want int, words ...string) {
		t.Helper()
		out, code := b.verb("verify")
		if code != want {
			t.Errorf("%s: verify: %d %s", when, code, out)
		}
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("%s: it does not say %q: %s", when, w, out)
			}
		}
	}
	verify("as confirmed", 0)
	bed.Shell(t, `ip -n %[1]shost link set vethw2 nomaster
ip -n %[1]shost link add lab7 type bridge
ip -n %[1]shost addr add 172.19.0.1/16 dev lab7
ip -n %[1]shost link set lab7 up
ip -n %[1]shost link set vethw2 master lab7
ip -n %[1]sw2 addr add 172.19.0.2/16 dev eth0`, b.name)
	if !b.opens("w2", "tcp4", "172.19.0.1:2375") {
		t.Error("what came later is closed")
	}
	verify("a new network", 1, "tcp/2375 from lab7", "interface lab7 (workload) is new")
	if out, code := b.verb("apply", "--confirm", "auto"); code != 0 && code != 1 {
		t.Fatalf("%d %s", code, lastLines(out, 3))
	}
	verify("applied again", 0)
	if b.connects("w2", "tcp4", "172.19.0.1:2375") {
		t.Error("applied again it is open")
	}
	bed.Shell(t, `ip -n %[1]shost link set lab7 down
ip -n %[1]shost link set lab7 name lab8
ip -n %[1]shost link set lab8 up`, b.name)
	verify("renamed", 1, "tcp/2375 from lab8")
}

// TestVerifySaysWhatABaselineCuts: the interface by which the host is administered gets another name, and its baseline drops what comes in by that. Nothing is
// open, and the verification fails all the same.
func TestVerifySaysWhatABaselineCuts(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:22", "")
	bed.Shell(t, "nsenter --net=/run/netns/%[1]shost sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0", b.name)
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
	if out, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", "default-deny"); code != 0 {
		t.Fatalf("%d %s", code, lastLines(out, 3))
	}
	if out, code := b.verb("verify"); code != 0 || !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Errorf("as confirmed: %d %s", code, out)
	}
	bed.Shell(t, `ip -n %[1]shost link set mgmt0 down
ip -n %[1]shost link set mgmt0 name lan0
ip -n %[1]shost link set lan0 up`, b.name)
	if b.connects("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("what comes in by another name is let in")
	}
	if out, code := b.verb("verify"); code != 1 || !strings.Contains(out, "lan0") || !strings.Contains(out, "is dropped") {
		t.Errorf("renamed: %d %s", code, out)
	}
}

// TestLaterNetworksAreClosed: a network of Docker that begins after the fix is closed from its first packet, by its kind and name, and what it may use is
// open. A bridge of another zone that is named so is told; SSH is left to it.
func TestLaterNetworksAreClosed(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:22", "")
	b.listen("tcp", "[::]:8080", "")
	out, code := b.verb("apply", "--confirm", "auto")
	if code != 0 && code != 1 || !strings.Contains(out, "networks and pods that begin later are closed as those that are there") || !strings.Contains(out, "(br-*)") {
		t.Fatalf("%d %s", code, lastLines(out, 30))
	}
	begin := func(name string) {
		t.Helper()
		bed.Shell(t, `ip -n %[1]shost link set vethw2 nomaster
ip -n %[1]shost link add %[2]s type bridge
ip -n %[1]shost addr add 172.19.0.1/16 dev %[2]s
ip -n %[1]shost link set %[2]s up
ip -n %[1]shost link set vethw2 master %[2]s
ip -n %[1]sw2 addr replace 172.19.0.2/16 dev eth0`, b.name, name)
	}
	begin("br-ba9876543210")
	if b.connects("w2", "tcp4", "172.19.0.1:2375") {
		t.Error("the port is open to a network that began later")
	}
	for _, at := range []string{"172.19.0.1:8080", "172.19.0.1:22"} {
		if !b.opens("w2", "tcp4", at) {
			t.Errorf("%s is closed with it", at)
		}
	}
	bed.Shell(t, "ip -n %[1]shost link del br-ba9876543210", b.name)
	begin("br-lan")
	bed.Shell(t, `ip -n %[1]shost link add nic0 type veth peer name nic1
ip -n %[1]shost link set nic0 master br-lan
ip -n %[1]shost link set nic0 up
ip -n %[1]shost link set nic1 up`, b.name)
	if !b.opens("w2", "tcp4", "172.19.0.1:22") {
		t.Error("SSH is closed to a bridge of another zone")
	}
	if out, code := b.verb("verify"); code != 1 || !strings.Contains(out, "br-lan") {
		t.Errorf("verify: %d %s", code, out)
	}
}
