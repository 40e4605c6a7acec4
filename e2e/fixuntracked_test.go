//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixOfWhatIsNotTracked closes findings on a host whose rules exempt every packet from connection tracking: then no
// rule that asks who opened a connection matches.
func TestFixOfWhatIsNotTracked(t *testing.T) {
	for _, mode := range []string{"targeted", "default-deny"} {
		t.Run(mode, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.nft("flush ruleset\n" + foreign + `table inet raw {
	chain prerouting { type filter hook prerouting priority -300; notrack; }
	chain output { type filter hook output priority -300; notrack; }
}`)
			for _, addr := range []string{"[::]:22", "[::]:2375", "[::]:8080"} {
				b.listen("tcp", addr, "")
			}
			b.listen("udp", "[::]:623", "")
			for _, ns := range []string{"mgmt", "ext", "w1"} {
				b.listenIn(ns, "tcp", "[::]:80", "")
			}
			before := b.ruleset()
			targeted := mode == "targeted"
			changed := []flow{
				{"w1", "tcp4", "172.17.0.1:2375", true},
				{"w1", "tcp6", "[fd17::1]:2375", true},
				{"ext", "tcp6", "[fd20::1]:22", true},
				{"w1", "udp4", "172.17.0.1:623", true},
				{"w1", "tcp4", "10.10.0.9:80", true},
				{"w1", "tcp6", "[fd10::9]:80", true},
			}
			after := []flow{
				{"mgmt", "tcp4", "10.10.0.1:22", true},
				{"mgmt", "tcp6", "[fd10::1]:22", true},
				{"host", "tcp4", "203.0.113.9:80", true},
				{"host", "tcp6", "[fd17::2]:80", true},
				{"w1", "tcp4", "203.0.113.9:80", true},
				{"ext", "tcp4", "203.0.113.1:8080", targeted},
				{"mgmt", "tcp6", "[fd17::2]:80", targeted},
			}
			b.flows("before", changed)
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			out, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", mode)
			if code != 0 || !strings.Contains(out, "again at each boot") && !strings.Contains(out, "systemd is not the init") {
				t.Fatalf("code %d: %s", code, lastLines(out, 5))
			}
			for _, f := range changed {
				f.open = false
				after = append(after, f)
			}
			b.flows("after the fix", after)
			b.bootsAsConfirmed()
			if _, code := b.verb("uninstall"); code != 0 {
				t.Error("uninstall")
			}
			b.becomes("uninstalled", before)
			b.flows("uninstalled", changed)
		})
	}
}
