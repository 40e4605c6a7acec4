package remedy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// passes evaluates what a rule asks of where a packet comes in and leaves, as the kernel does.
func passes(t *testing.T, p *Plan, r *Rule, in, out string) bool {
	t.Helper()
	registers := map[uint32][]byte{}
	for _, m := range r.interfaces() {
		for _, e := range m.exprs {
			switch {
			case e.Meta != nil && e.Meta.Key == ruleset.MetaIifname:
				registers[e.Meta.Dreg] = ifname(in)
			case e.Meta != nil && e.Meta.Key == ruleset.MetaOifname:
				registers[e.Meta.Dreg] = ifname(out)
			case e.Cmp != nil:
				if bytes.Equal(registers[e.Cmp.Sreg], e.Cmp.Data) != (e.Cmp.Op == ruleset.OpEq) {
					return false
				}
			case e.Lookup != nil:
				sets := p.Sets(r.family())
				s := sets[slices.IndexFunc(sets, func(s ruleset.Set) bool { return s.Name == e.Lookup.Set })]
				key := registers[e.Lookup.Sreg]
				if int(s.KeyLen) > len(key) {
					key = slices.Concat(key, registers[e.Lookup.Sreg+1])
				}
				if slices.ContainsFunc(s.Elements, func(x ruleset.Element) bool { return bytes.Equal(x.Key, key) }) == e.Lookup.Invert {
					return false
				}
			default:
				t.Fatalf("what is %s?", e.Name)
			}
		}
	}
	return true
}

// TestFoldedRulesSayTheSame: rules by sets of interfaces are about the pairs of the single ones, no more and no less: as the kernel gets them, as
// the proof takes them apart, and as what is dropped is compared with them.
func TestFoldedRulesSayTheSame(t *testing.T) {
	r, back := rand.New(rand.NewPCG(1, 2)), 0
	for n := range 2000 {
		p, want := new(Plan), map[string]bool{}
		names, common := strings.Split("a b c d", " "), 0
		if n%20 == 0 { // many that lead to the same ones, and mostly back
			names, common = strings.Split("a b c d e f g h i j k l", " "), 1+r.IntN(1<<12)
		}
		for _, in := range names {
			for k, out := range names {
				if common == 0 && r.IntN(2) == 0 || common>>k&1 != 0 || common != 0 && in == out && r.IntN(9) > 0 {
					p.rule(Rule{Chain: chainForward, Iif: in, Oif: out})
					want[in+" "+out] = true
				}
			}
		}
		p.fold()
		kernel, apart, meant := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for i := range p.Rules {
			if p.Rules[i].Back {
				back++
			}
			for _, in := range names {
				for _, out := range names {
					if passes(t, p, &p.Rules[i], in, out) {
						kernel[in+" "+out] = true
					}
					if p.Rules[i].comesBy(in) && p.Rules[i].leavesBy(in, &snapshot.Link{Name: out}) {
						meant[in+" "+out] = true
					}
				}
			}
		}
		for _, one := range p.each() {
			apart[one.Iif+" "+one.Oif] = true
		}
		for what, got := range map[string]map[string]bool{"kernel": kernel, "proof": apart, "intent": meant} {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: %v, want %v: %+v", what, got, want, p.Rules)
			}
		}
	}
	if back < 20 {
		t.Errorf("%d rules are about what goes back: too few to compare", back)
	}
}

// TestNetworksThatGoOutAndBackAreTwoRules: many networks that each lead to the same others and back to themselves.
func TestNetworksThatGoOutAndBackAreTwoRules(t *testing.T) {
	p := new(Plan)
	for i := range 50 {
		in := fmt.Sprintf("br%d", i)
		for _, out := range []string{"ext0", "vpn0", in} {
			p.rule(Rule{Chain: chainForward, Accept: true, Iif: in, Oif: out})
		}
	}
	p.fold()
	if len(p.Rules) != 2 || len(p.each()) != 150 {
		t.Errorf("want 2 rules for 150 pairs, got %d for %d", len(p.Rules), len(p.each()))
	}
}
