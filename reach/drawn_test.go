package reach

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesThatDependOnMore: a connection that begins has no labels but by a rule, and has carried one packet, whose length has a bound; a program that
// does not run lets pass or drops by the rule.
func TestRulesThatDependOnMore(t *testing.T) {
	xt := func(name string, rev uint32, info ...byte) []ruleset.Expr {
		x := &ruleset.Xt{Target: name == "NFQUEUE", Name: name, Rev: rev, Info: info}
		if x.Target {
			x.Decoded = &ruleset.XtDecoded{Queue: true}
		}
		return []ruleset.Expr{{Name: "match", Xt: x}}
	}
	more := func(key uint32, than uint64) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "ct", Ct: &ruleset.Ct{Key: key, Dreg: 1}},
			{Name: "byteorder", Byteorder: &ruleset.Byteorder{Sreg: 1, Dreg: 1, Hton: true, Len: 8, Size: 8}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ">", Data: binary.BigEndian.AppendUint64(nil, than)}},
		}
	}
	nobody := snapshot.Fact{State: snapshot.Absent}
	for _, c := range []struct {
		name   string
		exprs  []ruleset.Expr
		queues snapshot.Fact
		want   packet.Verdict
	}{
		{"no label", xt("connlabel", 0, 5, 0, 0, 0), nobody, packet.Unreachable},
		{"not a label", xt("connlabel", 0, 5, 0, 1, 0), nobody, packet.Reachable},
		{"a label that is set", xt("connlabel", 0, 5, 0, 2, 0), nobody, packet.Reachable},
		{"a processor", xt("cpu", 0, 1, 0, 0, 0, 0, 0, 0, 0), nobody, packet.Unknown},
		{"more packets", more(ruleset.CtPkts, 1), nobody, packet.Unreachable},
		{"a packet", more(ruleset.CtPkts, 0), nobody, packet.Reachable},
		{"more bytes than a packet has", more(ruleset.CtBytes, 1<<16), nobody, packet.Unreachable},
		{"more bytes", more(ruleset.CtBytes, 100), nobody, packet.Unknown},
		{"no program", xt("NFQUEUE", 0, 3, 0), nobody, packet.Unreachable},
		{"no program, bypass", xt("NFQUEUE", 2, 3, 0, 1, 0, 1, 0), snapshot.Fact{State: snapshot.Present, Value: "2"}, packet.Reachable},
		{"a program", xt("NFQUEUE", 2, 3, 0, 4, 0, 1, 0), snapshot.Fact{State: snapshot.Present, Value: "6"}, packet.Unknown},
		{"queues that are not known", xt("NFQUEUE", 0, 3, 0), snapshot.Fact{State: snapshot.Denied}, packet.Unknown},
	} {
		s := fixtures.Host()
		s.NFTables.Queues = &c.queues
		accept := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		chain.Rules = []ruleset.Rule{{Handle: 2, Exprs: append(c.exprs, accept)}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{chain}}}}
		q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "tcp", Dport: 22, To: Target{Host: true}, Unbound: true, Family: 4}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s, %v %v, want %s", c.name, a.Verdict, a.Because, a.StoppedBy, c.want)
		}
	}
}
