//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// rewrites runs a command on the host of the bed over and over until what is returned is called, which says how often it was run. What it is
// given changes each time, by a number.
func (b *testbed) rewrites(every time.Duration, text func(n int) string, args ...string) (stop func() int) {
	b.t.Helper()
	var n atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(every):
			}
			cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host"}, args...)...)
			cmd.Stdin = strings.NewReader(text(int(n.Add(1))))
			if out, err := cmd.CombinedOutput(); err != nil {
				b.t.Errorf("%q: %v\n%s", args, err, out)
				return
			}
		}
	})
	return sync.OnceValue(func() int { close(done); wg.Wait(); return int(n.Load()) })
}

// TestFixWhileServicesChange makes a fix on a node whose services get other endpoints all the while, as kube-proxy writes that in each of its modes:
// it is made at once, closes what it closes, and services go on.
func TestFixWhileServicesChange(t *testing.T) {
	for mode, c := range map[string]struct {
		load    func(b *testbed, s *services)
		rewrite func(n int) string
		args    []string
	}{
		"nft": {
			func(b *testbed, s *services) { b.nft(s.nft()) },
			func(n int) string {
				return fmt.Sprintf("flush chain ip kube-proxy endpoint-1-2\nadd rule ip kube-proxy endpoint-1-2 meta l4proto tcp dnat to 172.17.0.%d:8001\n", 2+n%50)
			},
			[]string{"nft", "-f", "-"},
		},
		"iptables": {
			func(b *testbed, s *services) { b.restore(s.iptables()) },
			func(n int) string {
				return fmt.Sprintf("*nat\n:KUBE-SEP-1-2 - [0:0]\n-A KUBE-SEP-1-2 -p tcp -m tcp -j DNAT --to-destination 172.17.0.%d:8001\nCOMMIT\n", 2+n%50)
			},
			[]string{"iptables-restore", "-w", "--noflush"},
		},
	} {
		t.Run(mode, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.listen("tcp", "[::]:2375", "")
			for _, w := range []string{"w1", "w2"} {
				b.listenIn(w, "tcp", "0.0.0.0:8000", "")
			}
			c.load(b, &services{n: 30})
			goesOn := []flow{{"ext", "tcp4", "203.0.113.1:30000", true}}
			b.flows("before", append(goesOn, flow{"ext", "tcp4", "203.0.113.1:2375", true}))
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\nchecks: {skip: [firewall/published-port-bypasses-input]}\n")
			stop := b.rewrites(time.Second, c.rewrite, c.args...)
			defer stop()
			out, code := b.verb("apply", "--config", config, "--confirm", "auto")
			if code != 0 || strings.Contains(out, "planning again") {
				t.Errorf("code %d: %s", code, lastLines(out, 12))
			}
			b.flows("after the fix", append(goesOn, flow{"ext", "tcp4", "203.0.113.1:2375", false}, flow{"w1", "tcp4", "172.17.0.1:2375", false}))
			if out, code := b.verb("verify"); code != 0 {
				t.Errorf("verify: code %d: %s", code, out)
			}
			if n := stop(); n < 3 {
				t.Errorf("only %d changes", n)
			}
		})
	}
}

// TestFixWhileRulesNeverRest makes a fix on a host whose rules change more often than connections have to be tracked before anything is dropped: it is
// loaded all the same, in a gap that is as short as its transaction.
func TestFixWhileRulesNeverRest(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.nft("table inet bans {\nset bad { type ipv4_addr; }\nchain input {\ntype filter hook input priority 0; policy accept;\nip saddr @bad drop\n}\nchain on {\ntype filter hook postrouting priority 0; policy accept;\n}\n}")
	stop := b.rewrites(150*time.Millisecond, func(n int) string {
		return fmt.Sprintf("add element inet bans bad { 198.51.%d.%d }\nadd rule inet bans on ip daddr 10.9.%[1]d.%[2]d drop\n", n/250, n%250+1)
	}, "nft", "-f", "-")
	defer stop()
	begin := time.Now()
	out, code := b.verb("apply", "--confirm", "auto")
	if code != 0 && code != 1 || strings.Contains(out, "planning again") {
		t.Errorf("code %d after %s: %s", code, time.Since(begin), lastLines(out, 8))
	}
	if n := stop(); n < 10 {
		t.Errorf("only %d changes", n)
	}
	if b.connects("ext", "tcp4", "203.0.113.1:2375") {
		t.Error("it is open")
	}
}
