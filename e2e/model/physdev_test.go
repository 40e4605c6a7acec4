//go:build linux

package model

import (
	"math/rand/v2"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// portRules ask for ports of bridges in every way, each drops.
var portRules = map[string]string{
	"in and out":        "-A FORWARD -p tcp -m physdev --physdev-in vw1 --physdev-out vw2 --physdev-is-bridged -j DROP\n-A FORWARD -p udp -m physdev --physdev-out vw1 --physdev-is-out -j DROP\n",
	"by the beginning":  "-A FORWARD -p tcp -m physdev --physdev-in vw+ --physdev-is-in -j DROP\n-A INPUT -p udp -m physdev --physdev-in + -j DROP\n",
	"to the host":       "-A INPUT -p tcp -m physdev --physdev-in vw1 -j DROP\n-A INPUT -p udp -m physdev ! --physdev-in vw2 -j DROP\n",
	"what is no bridge": "-A FORWARD -p tcp -m physdev ! --physdev-is-bridged -j DROP\n-A INPUT -p udp -m physdev ! --physdev-is-in -j DROP\n-A FORWARD -p udp -m physdev ! --physdev-is-out -j DROP\n",
	"other ports":       "-A FORWARD -p tcp -m physdev ! --physdev-in vw1 -j DROP\n-A FORWARD -p udp -m physdev ! --physdev-out vw2 --physdev-is-bridged -j DROP\n",
	"before the route":  ":PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m physdev --physdev-in vw2 --physdev-is-in -j DROP\n-A PREROUTING -p udp -m physdev ! --physdev-is-bridged -j DROP\n",
	"on the way out":    ":POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -p tcp -m physdev --physdev-in vw1 -j DROP\n-A POSTROUTING -p udp -m physdev --physdev-out vw2 --physdev-is-bridged -j DROP\n",
}

// TestPortsOfBridges: what rules of iptables ask of bridge ports is known of every packet, with br_netfilter and without, in both engines.
func TestPortsOfBridges(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, bridged)
	b.o.Wire = true
	seed, _, perRuleset := runSize(t, 0, 100)
	sum, reached := newTally(), newReachTally()
	for name, rules := range portRules {
		table := "*filter\n"
		if rules[0] == ':' {
			table = "*mangle\n"
		}
		for _, calls := range []string{"1", "0"} {
			b.loadReal(name, map[string]string{"v4": table + rules + "COMMIT\n", "v6": table + rules + "COMMIT\n"})
			b.overBridge(t, name, calls, rand.New(rand.NewPCG(seed, uint64(len(name)))), perRuleset, sum, reached)
		}
	}
	sum.report(t)
	reached.report(t)
	if sum.unknown > 0 || reached.settled["unknown"] > 0 {
		t.Errorf("%d fates and %d answers are not known", sum.unknown, reached.settled["unknown"])
	}
}
