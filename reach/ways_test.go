package reach

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// randomRules is a ruleset of what decides about forwarded packets, with all that parts them.
func randomRules(r *rand.Rand, s *snapshot.Snapshot) *ruleset.Ruleset {
	link := func() string { return s.Network.Links[r.IntN(len(s.Network.Links))].Name }
	word := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	part := func() []ruleset.Expr {
		op := []string{ruleset.OpEq, ruleset.OpNeq}[r.IntN(2)]
		switch r.IntN(9) {
		case 0, 1:
			return fixtures.Named(ruleset.MetaIifname, link(), op)
		case 2, 3:
			return fixtures.Named(ruleset.MetaOifname, link(), op)
		case 4: // an IPv4 destination or source
			return []ruleset.Expr{
				{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaNfproto, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{2}}},
				{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: []uint32{12, 16}[r.IntN(2)], Len: 3, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Op: op, Sreg: 1, Data: []byte{10, 0, byte(r.IntN(4))}}},
			}
		case 5:
			return []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Op: []string{ruleset.OpEq, ruleset.OpGte}[r.IntN(2)], Sreg: 1, Data: []byte{0, byte(40 + r.IntN(10))}}},
			}
		case 6:
			return []ruleset.Expr{{Name: "limit", Limit: &ruleset.Limit{Rate: 1}}}
		case 7:
			return []ruleset.Expr{
				{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Op: op, Sreg: 1, Data: word(7)}},
			}
		}
		return nil
	}
	chain := func(name, hook string, prio int32) ruleset.Chain {
		c := ruleset.Chain{Name: name}
		if hook != "" {
			c.Base = &ruleset.Base{Type: "filter", Hook: hook, Priority: prio, Policy: []string{ruleset.Accept, ruleset.Drop}[r.IntN(2)]}
		}
		for range r.IntN(7) {
			end := fixtures.VerdictOf([]string{ruleset.Accept, ruleset.Drop, ruleset.Return}[r.IntN(3)])
			switch {
			case hook == "forward" && r.IntN(4) == 0:
				end = []ruleset.Expr{{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Jump, Chain: "sub"}}}}
			case r.IntN(5) == 0:
				end = []ruleset.Expr{
					{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: word(7)}},
					{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
				}
			}
			c.Rules = append(c.Rules, fixtures.Rule(&c, part(), part(), end))
		}
		return c
	}
	rs := &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{
		chain("sub", "", 0), chain("p", "prerouting", -150), chain("f", "forward", 0), chain("q", "postrouting", 0),
	}}}}
	rs.Tables[0].Chains[1].Base.Policy = ruleset.Accept
	if r.IntN(3) == 0 {
		rs.Tables = append(rs.Tables, ruleset.Table{Family: "inet", Name: "u", Chains: []ruleset.Chain{chain("sub", "", 0), chain("f", "forward", 0)}})
	}
	if r.IntN(4) == 0 {
		rs.Tables = append(rs.Tables, ruleset.Table{Family: "bridge", Name: "b", Chains: []ruleset.Chain{chain("sub", "", 0), chain("f", "forward", 0)}})
	}
	if r.IntN(3) == 0 { // a published port
		c := ruleset.Chain{Name: "n", Base: &ruleset.Base{Type: "nat", Hook: "prerouting", Priority: -100, Policy: ruleset.Accept}}
		c.Rules = append(c.Rules, fixtures.Rule(&c, fixtures.Named(ruleset.MetaIifname, "ext0", ruleset.OpEq), []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{0x1f, 0x90}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: []byte{10, 0, 1, 7}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 2, Data: []byte{0, 47}}},
			{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, PortMin: 2}},
		}))
		rs.Tables = append(rs.Tables, ruleset.Table{Family: "ip", Name: "n", Chains: []ruleset.Chain{c}})
	}
	return rs
}

// TestWaysAreTheSameAnswers compares the answers that are read from one walk with those of questions that are asked
// alone, for random rules and networks, also ports of bridges, policy routing and switches that were not read.
func TestWaysAreTheSameAnswers(t *testing.T) {
	verdicts, witnesses, alone, proofs := map[packet.Verdict]int{}, 0, 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := fixtures.Networks(2+r.IntN(3), r.IntN(3))
		s.NFTables.Ruleset = randomRules(r, s)
		switch r.IntN(6) {
		case 0:
			delete(s.Network.Sysctls, "net/ipv4/conf/br0/forwarding")
		case 1:
			s.Network.LinkNamed("br1").XDP = true
		case 2:
			s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: 5, Action: "lookup", Table: 254, Mark: 7, Mask: 255},
				snapshot.PolicyRule{Family: 4, Priority: 9, Action: "lookup", Table: 255}, snapshot.PolicyRule{Family: 4, Priority: 10, Action: "lookup", Table: 254})
		}
		m := NewModel(s)
		var all []int
		for _, l := range s.Network.Links {
			if l.Master == 0 && !l.Loopback {
				all = append(all, l.Index)
			}
		}
		for _, l := range s.Network.Links {
			o := packet.Origin{Index: l.Index, From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
			known := append([]int{}, all...)
			for _, p := range s.Network.Links {
				if p.Master != 0 && p.Master == l.Master {
					known = append(known, p.Index)
				}
			}
			for _, v4 := range []bool{true, false} {
				w := m.Ways(o, "tcp", v4, known)
				for _, to := range all {
					oifs := []int{to}
					if l.Master == to {
						oifs = append(oifs, known[len(all):]...)
					}
					for _, port := range []int{0, 47} {
						what := fmt.Sprintf("seed %d: %s to %d port %d, IPv4 %v", seed, l.Name, to, port, v4)
						want, got := m.Forward(o, oifs, "tcp", port, v4), w.Forward(oifs, port)
						verdicts[want.Verdict]++
						if _, ok := w.answer(w.Question(oifs, port)); !ok {
							alone++
						}
						same := want.Verdict == got.Verdict && fmt.Sprint(want.StoppedBy) == fmt.Sprint(got.StoppedBy) &&
							fmt.Sprint(want.Because) == fmt.Sprint(got.Because) && want.Restricted == got.Restricted &&
							fmt.Sprint(want.Ports) == fmt.Sprint(got.Ports) && (want.Witness == nil) == (got.Witness == nil)
						if !same {
							t.Fatalf("%s\nalone    %+v\ntogether %+v", what, want, got)
						}
						if q := w.Question(oifs, port); w.knows(q) {
							if proof, ok := w.runs[0].prove(w, q); ok {
								proofs++
								if want := m.forwarded(q, o, v4, true); fmt.Sprint(want.Certificate) != fmt.Sprint(proof.Certificate) {
									t.Fatalf("%s\nthe proof alone  %v\nof the ways      %v", what, want.Certificate, proof.Certificate)
								}
							}
						}
						if got.Witness != nil && (got.Witness.In != want.Witness.In || got.Witness.String() != want.Witness.String()) {
							witnesses++
						}
					}
				}
			}
		}
	}
	t.Logf("%v, %d asked alone, %d proofs, %d with another witness", verdicts, alone, proofs, witnesses)
	for _, v := range []packet.Verdict{packet.Reachable, packet.Unreachable, packet.Unknown} {
		if verdicts[v] < 100 {
			t.Errorf("%d answers are %s: too few to compare", verdicts[v], v)
		}
	}
	if proofs < 50 {
		t.Errorf("%d proofs are read from the ways: too few to compare", proofs)
	}
	if total := verdicts[packet.Reachable] + verdicts[packet.Unreachable]; alone > total/2 {
		t.Errorf("%d of %d were asked alone", alone, total)
	}
}

// TestWaysCostOneWalk: twice as many targets do not cost twice as many steps for each origin.
func TestWaysCostOneWalk(t *testing.T) {
	cost := func(n int) int {
		s := fixtures.Networks(n, 0)
		s.NFTables.Ruleset = fixtures.Isolated(n)
		e := &Effort{Whose: "x", Left: 1 << 30}
		m := NewModel(s).Within(e)
		var all []int
		for i := range n {
			all = append(all, 3+i)
		}
		w := m.Ways(from(s, "br0"), "tcp", true, all[1:])
		for _, to := range all[1:] {
			if a := w.Forward([]int{to}, 0); a.Verdict != packet.Unreachable {
				t.Fatalf("%+v", a)
			}
		}
		return 1<<30 - e.Left
	}
	if few, many := cost(10), cost(40); many > 40*few {
		t.Errorf("%d steps for 10 networks, %d for 40", few, many)
	}
}
