package judge

import (
	"fmt"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestForwardsAreThoseOfSingleQuestions compares with asking about each pair of interfaces alone, also where ports of a
// bridge have a zone of their own.
func TestForwardsAreThoseOfSingleQuestions(t *testing.T) {
	s := fixtures.Networks(4, 3)
	s.NFTables.Ruleset = fixtures.Isolated(3) // the last network is open but for the policy
	cfg := zones.Config{zones.External: {Interfaces: []string{"ext0", "p1-2"}}, zones.Workload: {Interfaces: []string{"br*"}}}
	for name, s := range map[string]*snapshot.Snapshot{"networks": s, "the fixture": fixtures.Host()} {
		b := newBuilder(t.Context(), s, cfg, exposure.Limits{})
		b.forwards()
		got, ports := b.doc.Forwards, 0
		for i := range b.zones.Origins {
			from := &b.zones.Origins[i]
			if from.Local {
				continue
			}
			for _, to := range b.targets(from) {
				ports += len(to.oifs) - 1
				for _, v4 := range []bool{true, false} {
					f := got[0]
					got = got[1:]
					if f.From != from.Interface || f.To != to.Name || f.Family != familyName[v4] {
						t.Fatalf("%s: %s to %s, want %s to %s", name, f.From, f.To, from.Interface, to.Name)
					}
					for port, have := range map[int]DocReach{0: f.Any, unnamed: f.Default} {
						a := b.asker.Ask(&reach.Question{
							From: []packet.Origin{from.Origin}, Proto: "tcp", Dport: port, To: reach.Target{Oifs: to.oifs},
							Family: map[bool]int{true: 4, false: 6}[v4],
						})
						want := b.reach(&a, from.Interface)
						if fmt.Sprintf("%+v", have) != fmt.Sprintf("%+v", want) {
							t.Errorf("%s: %s to %s port %d %s\nalone    %+v\ntogether %+v", name, f.From, f.To, port, f.Family, want, have)
						}
					}
				}
			}
		}
		if len(got) > 0 {
			t.Errorf("%s: %d forwards more", name, len(got))
		}
		if name == "networks" && ports == 0 {
			t.Error("no port of a bridge is asked about")
		}
	}
}

// TestForwardsLeftOutAreNamed: a report that cannot list all forwards lists those that something may get through by,
// and names the others.
func TestForwardsLeftOutAreNamed(t *testing.T) {
	var all []DocForward
	for i := range 9 {
		f := DocForward{From: "a", To: fmt.Sprint("n", i), Family: "ipv4"}
		f.Any.Verdict = []packet.Verdict{packet.Unreachable, packet.Unknown, packet.Reachable}[i%3]
		all = append(all, f)
	}
	r := new(finding.Report)
	listForwards(r, all, 7)
	if len(r.Forwards) != 7 || r.Forwards[0].To != "n0" || r.Forwards[6].To != "n8" {
		t.Errorf("%+v", r.Forwards)
	}
	if l := r.ForwardsLeftOut; len(l) != 1 || l[0].From != "a" || packet.Verdict(l[0].Verdict) != packet.Unreachable || fmt.Sprint(l[0].To) != "[n3 n6]" {
		t.Errorf("%+v", l)
	}
	r = new(finding.Report)
	if listForwards(r, all, 9); len(r.Forwards) != 9 || r.ForwardsLeftOut != nil {
		t.Errorf("%+v", r)
	}
}

// BenchmarkForwards asks what isolated networks send each other: the cost grows with the networks times what one of
// them costs, not with their pairs times the rules.
func BenchmarkForwards(b *testing.B) {
	for _, n := range []int{10, 30, 100} {
		s := fixtures.Networks(n, 1)
		s.NFTables.Ruleset = fixtures.Isolated(n)
		cfg := zones.Config{zones.Workload: {Interfaces: []string{"br*"}}}
		b.Run(fmt.Sprint(n, " bridges"), func(b *testing.B) {
			for b.Loop() {
				x := newBuilder(b.Context(), s, cfg, exposure.Limits{})
				if x.forwards(); len(x.doc.Forwards) < n*n {
					b.Fatal("too few forwards")
				}
			}
		})
	}
}
