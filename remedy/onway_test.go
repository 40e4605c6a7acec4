package remedy

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesOnTheWay: rules are found by the interface that a flow comes in by, with those of any; what has another one is not gone through, and the answer is that of
// all rules.
func TestRulesOnTheWay(t *testing.T) {
	drop := func(iif, oif string) Rule { return Rule{Chain: chainForward, Iif: iif, Oif: oif} }
	p := &Plan{Rules: []Rule{
		drop("a", "b"), drop("a", "c"), drop("b", "c"), drop("", "d"),
		{Chain: chainForward, Iif: "c", Oif: "a", Accept: true},
		{Chain: chainIn, Iif: "a", Proto: "tcp", Port: 22},
		{Chain: chainForward, Iifs: []string{"c", "d"}, Oif: "e"},
		{Chain: chainUp, Iif: "e", Behind: "f"},
	}}
	s := new(snapshot.Snapshot)
	stopped := 0
	for _, in := range []string{"a", "b", "c", "d", "e", "x"} {
		for _, out := range []string{"a", "b", "c", "d", "e", "f"} {
			k := use{proto: "tcp", port: 80, peer: netip.MustParseAddr("192.0.2.1"), addr: netip.MustParseAddr("192.0.2.2"), iif: in, tracked: true}
			want := false
			for _, r := range p.each() {
				want = want || r.Chain == chainForward && !r.Accept && (r.Iif == "" || r.Iif == in) && r.Oif == out
			}
			p.onWay = nil
			before := p.dropsBetween(s, &k, out)
			p.onWay = byEntry(p.each())
			if got := p.dropsBetween(s, &k, out); got != want || before != want {
				t.Errorf("from %s to %s: %v by all rules, %v by those of the way, want %v", in, out, before, got, want)
			}
			if want {
				stopped++
			}
		}
	}
	if n := len(p.passed("a")); stopped != 11 || n != 4 {
		t.Errorf("%d ways are stopped, and %d rules are gone through for a", stopped, n)
	}
}
