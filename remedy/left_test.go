package remedy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWhatCannotBeClosedIsLeftOut: the others are closed, and what shares a rule with it is left out too.
func TestWhatCannotBeClosedIsLeftOut(t *testing.T) {
	p := &Plan{Mode: Targeted, Rules: []Rule{
		{Chain: chainIn, Iif: "e", Proto: "tcp", Port: 1, Closes: "a"},
		{Chain: chainIn, Iif: "e", Proto: "tcp", Port: 2, Closes: "b"},
		{Chain: chainIn, Iif: "e", Proto: "tcp", Port: 3, Closes: "c"},
	}, Closes: []Target{{Check: "a"}, {Check: "b"}, {Check: "c"}}, Shared: [][]string{{"b", "c"}}}
	left := p.leave(&OpenError{Why: map[string]string{"b": "who knows"}})
	if left == nil || len(left.Rules) != 1 || len(left.Closes) != 1 || left.Closes[0].Check != "a" || len(left.Manual) != 2 || !strings.Contains(left.Manual[0].Text, "who knows") ||
		strings.Contains(left.Ruleset, "dport 2 ") || len(left.leftOut(p)) != 2 || !slices.Equal(left.LeftOpen(), []string{"b", "c"}) || len(p.LeftOpen()) != 0 {
		t.Errorf("%+v", left)
	}
	if left := p.leave(&OpenError{Why: map[string]string{"a": "x", "b": "y"}}); left != nil {
		t.Errorf("nothing is left: %+v", left)
	}
	baseline := *p
	baseline.Mode = DefaultDeny
	baseline.Rules = append(slices.Clone(p.Rules), Rule{Chain: chainInput, Kind: "replies", Accept: true})
	left = baseline.leave(&OpenError{Why: map[string]string{"a": "x", "b": "y"}})
	if left == nil || left.Mode != DefaultDeny || len(left.Rules) != 1 || !strings.Contains(left.Ruleset, "policy drop") || len(left.Manual) != 3 {
		t.Errorf("a baseline without what it cannot close: %+v", left)
	}
	if left := baseline.leave(&OpenError{map[string]string{"a": "x"}, true}); left != nil {
		t.Errorf("a baseline of a host that is not known: %+v", left)
	}
}

// TestGatewayOfABridge: who is behind a gateway is behind the port that the gateway is.
func TestGatewayOfABridge(t *testing.T) {
	s := bridged()
	s.Network.Routes = append(s.Network.Routes, snapshot.Route{Dst: "198.51.100.0/24", Gateway: "10.0.0.9", Type: "unicast", Oifs: []int{2}, Table: 254})
	ps := &probeSet{snap: s, behind: map[at]string{}}
	if port := ps.homeOf("p1", netip.MustParseAddr("198.51.100.7")); port != "p1" {
		t.Errorf("somebody is behind %s", port)
	}
	for _, a := range []string{"10.0.0.9", "198.51.100.8"} {
		if port := ps.homeOf("p3", netip.MustParseAddr(a)); port != "p1" {
			t.Errorf("%s is behind %s", a, port)
		}
	}
	if ps.homes()["10.0.0.9"] != "p1" {
		t.Errorf("%v", ps.homes())
	}
}

// TestFold: rules that differ in their interfaces alone are one, for pairs too, and say what the many said.
func TestFold(t *testing.T) {
	var all []Rule
	names := []string{"a", "b", "c", "d"}
	for _, in := range append([]string{"up"}, names...) {
		for _, out := range names {
			if in != out {
				all = append(all, Rule{Chain: chainForward, Iif: in, Oif: out})
			}
		}
		all = append(all, Rule{Chain: chainIn, Iif: in, Proto: "tcp", Port: 22})
	}
	all = append(all, Rule{Chain: chainForward, Iif: "x", Oif: "x"}, Rule{Chain: chainForward, Iif: "x", Oif: "a"}, Rule{Chain: chainForward, Iif: "y", Oif: "z"})
	p := &Plan{Mode: Targeted, Rules: slices.Clone(all)}
	p.fold()
	if len(p.Rules) != 4 {
		t.Errorf("%d rules: %+v", len(p.Rules), p.Rules)
	}
	texts := func(list []Rule) (out []string) {
		for i := range list {
			out = append(out, list[i].Chain+" "+list[i].String())
		}
		slices.Sort(out)
		return out
	}
	if got, want := texts(p.each()), texts(all); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	ins, outs := map[string]bool{}, map[string]bool{}
	for _, r := range p.samples() {
		if r.Chain == chainForward {
			ins[r.Iif], outs[r.Oif] = true, true
			if !slices.Contains(texts(all), r.Chain+" "+r.String()) {
				t.Errorf("%s is none of them", &r)
			}
		}
	}
	if len(ins) != 7 || len(outs) != 6 {
		t.Errorf("tried are %v and %v", ins, outs)
	}
}
