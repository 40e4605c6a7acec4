package exposure

import (
	"reflect"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestForwardsRestOnProofsThatAreThere: that nothing of an origin leaves by an interface is proven once, for what listens behind it and for what is
// forwarded; the answers are the same.
func TestForwardsRestOnProofsThatAreThere(t *testing.T) {
	s := fixtures.Networks(6, 1)
	s.NFTables.Ruleset = fixtures.Isolated(6)
	for i := range s.Network.Links {
		if l := &s.Network.Links[i]; l.Master != 0 {
			l.PeerNetns, l.PeerIndex = 7000+uint64(i), 2
			s.Namespaces = append(s.Namespaces, snapshot.Elsewhere{Netns: l.PeerNetns, Status: snapshot.OK})
		}
	}
	origins := zones.Classify(s, zones.Config{}).Origins
	ask := func(socketsFirst bool) (all [][]Way, used int) {
		a := New(t.Context(), s, Limits{}, nil)
		if socketsFirst {
			for i := range origins {
				k := gateKey{&origins[i], "tcp", true}
				a.gates[k] = a.openGates(k)
			}
		}
		before := a.Effort().Left
		for i := range origins {
			var targets [][]int
			for _, oif := range a.allLinks(a.gateLinks()) {
				if oif != origins[i].Index {
					targets = append(targets, []int{oif})
				}
			}
			if !origins[i].Local {
				all = append(all, a.Forwards(&origins[i], targets, 47, true))
			}
		}
		return all, before - a.Effort().Left
	}
	alone, much := ask(false)
	after, little := ask(true)
	if little*20 > much {
		t.Errorf("%d steps, and %d after what listens was asked about", much, little)
	}
	dark := 0
	for i := range alone {
		for j := range alone[i] {
			x, y := alone[i][j].Any, after[i][j].Any
			if x.Verdict != y.Verdict || x.Checked != y.Checked || !reflect.DeepEqual(x.StoppedBy, y.StoppedBy) {
				t.Errorf("%d to %d: %s %v, and %s %v after what listens was asked about", i, j, x.Verdict, x.Checked, y.Verdict, y.Checked)
			}
			if x.Verdict == packet.Unreachable && x.Checked {
				dark++
			}
		}
	}
	if dark == 0 {
		t.Error("nothing is proven")
	}
}
