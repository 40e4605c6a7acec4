//go:build linux

package model

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/trace"
)

// TestPacketsPutIntoSets: a target that puts who sends a packet into a set of ipset lets it go on. Only rules after it that ask for the same set, for a
// list that has it, or for a member of it, then depend on it.
func TestPacketsPutIntoSets(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	const sets = "ipset create seen hash:ip; ipset create other hash:ip; ipset create all list:set; ipset add all seen"
	if err := oracle.Shell(sets); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rules, kernel string
		trace         trace.Outcome
		reach         packet.Verdict
	}{
		"nobody asks":          {"-A INPUT -j SET --add-set seen src\n", "local", trace.Local, packet.Reachable},
		"dropped after it":     {"-A INPUT -j SET --add-set seen src\n-A INPUT -j DROP\n", "drop", trace.Drop, packet.Unreachable},
		"taken out":            {"-A INPUT -j SET --del-set seen src\n-A INPUT -p udp --dport 7 -j ACCEPT\n-A INPUT -j DROP\n", "local", trace.Local, packet.Reachable},
		"asked for another":    {"-A INPUT -j SET --add-set seen src\n-A INPUT -m set --match-set other src -j DROP\n", "local", trace.Local, packet.Reachable},
		"asked for after it":   {"-A INPUT -j SET --add-set seen src\n-A INPUT -m set --match-set seen src -j DROP\n", "drop", trace.Unknown, packet.Unknown},
		"asked for by a list":  {"-A INPUT -j SET --add-set seen src\n-A INPUT -m set --match-set all src -j DROP\n", "drop", trace.Unknown, packet.Unknown},
		"asked for by no list": {"-A INPUT -j SET --add-set all src\n-A INPUT -m set ! --match-set seen src -j DROP\n", "local", trace.Unknown, packet.Unknown},
	} {
		if err := oracle.Shell("ipset flush seen; ipset flush other"); err != nil {
			t.Fatal(err)
		}
		if err := b.o.Load("table inet f { }\n"); err != nil {
			t.Fatal(err)
		}
		b.restore(t, "*filter\n-F INPUT\n"+c.rules+"COMMIT\n")
		if err := b.o.Forget(); err != nil {
			t.Fatal(err)
		}
		p := &oracle.Packet{In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: 17, Sport: 4000, Dport: 7}
		got := b.tracer().Packet(question(p)) // before the sets change
		a := b.reached("udp", reach.Target{Host: true, Addr: p.Dst})
		if kernel := b.fate(name, p); kernel.Fate != c.kernel || got.Fate != c.trace || a.Verdict != c.reach {
			t.Errorf("%s: kernel %s, trace %s %s, reach %s %v; want %s, %s, %s", name, kernel.Fate, got.Fate, got.Why, a.Verdict, a.Because, c.kernel, c.trace, c.reach)
		}
	}
}
