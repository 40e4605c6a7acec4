//go:build linux

package e2e

import (
	"fmt"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestFixBesideWhatCounts proves a fix beside rules that let few packets in, by a rate, by a quota and by a set that they fill. Each try of the
// replica finds nothing counted, whatever other tables there are before and behind them.
func TestFixBesideWhatCounts(t *testing.T) {
	for name, few := range map[string]string{
		"rate":  "tcp dport 22 ct state new limit rate 1/day burst 8 packets accept\ntcp dport 22 ct state new drop",
		"quota": "tcp dport 22 ct state new quota over 700 bytes drop",
		"set":   "tcp dport 22 ct state new update @seen { ip saddr limit rate over 1/day burst 8 packets } drop",
	} {
		t.Run(name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.listen("tcp", "[::]:2375", "")
			b.listen("tcp", "[::]:22", "")
			b.nft(fmt.Sprintf(`table inet before {
	chain input { type filter hook input priority -5; policy accept; tcp dport 9 drop
	}
}
table inet counted {
	set seen { type ipv4_addr; size 1000; flags dynamic; }
	chain input { type filter hook input priority 0; policy accept; %s
	}
}
table inet behind {
	chain input { type filter hook input priority 5; policy accept; tcp dport 8 drop
	}
}
`, few))
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			if out, code := b.verb("apply", "--config", config, "--confirm", "auto"); code != 0 {
				t.Fatalf("code %d: %s", code, lastLines(out, 6))
			}
			if b.connects("w1", "tcp4", "172.17.0.1:2375") || !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
				t.Error("the port is open still, or SSH is closed")
			}
		})
	}
}
