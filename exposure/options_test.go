package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestDatagramsHaveNoOptionsOfTCP: a rule that asks for one is for no packet of another protocol, and one that asks for none is for all of them.
func TestDatagramsHaveNoOptionsOfTCP(t *testing.T) {
	option := func(present bool, want byte) []ruleset.Expr {
		x := ruleset.Exthdr{Op: ruleset.ExthdrTCP, Type: 2, Len: 2, Present: present, Dreg: 1}
		data := ruleset.Hex{want}
		if !present {
			data = ruleset.Hex{5, 0xb4}
		}
		return []ruleset.Expr{
			{Name: "exthdr", Extra: &ruleset.Extra{Exthdr: &x}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: data}},
		}
	}
	for name, c := range map[string]struct {
		rule []ruleset.Expr
		want packet.Verdict
	}{
		"an option is there": {option(true, 1), packet.Unreachable},
		"none is there":      {option(true, 0), packet.Reachable},
		"a segment size":     {option(false, 0), packet.Unreachable},
	} {
		s := host()
		s.Listeners.Sockets = []snapshot.Socket{{Netns: s.Network.HostNetns(), Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 53, OwnerState: "unknown"}}
		s.NFTables.Ruleset = table("input", ruleset.Drop, join(c.rule, accepted))
		a := ask(t, s, &reach.Question{From: at(ext0, "203.0.113.0/24"), Proto: "udp", Dport: 53, To: reach.Target{Host: true}, Family: 4})
		if a.Verdict != c.want {
			t.Errorf("%s: %s, %s", name, a.Verdict, reasons(a))
		}
	}
}
