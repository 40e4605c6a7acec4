package reach

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestConnectionsThatBegin: a connection that begins has carried its first packet, and has a helper and labels by a rule alone. What synproxy answers is
// not known.
func TestConnectionsThatBegin(t *testing.T) {
	bytes := func(from, to uint64) []ruleset.Expr {
		info := append(binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, from), to), 0, 0, 0, 0, 0, 0, 0, 0)
		return []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "connbytes", Info: info}}}
	}
	ct := func(key uint32) []ruleset.Expr {
		return []ruleset.Expr{
			{Name: "ct", Ct: &ruleset.Ct{Key: key, Dreg: 1}}, {Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: make([]byte, 16)}},
		}
	}
	helper := ruleset.Expr{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: ruleset.ObjectHelper, Name: "h"}}}
	accept := ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}
	for _, c := range []struct {
		name   string
		before []ruleset.Expr
		exprs  []ruleset.Expr
		want   packet.Verdict
	}{
		{"one packet", nil, bytes(1, 1), packet.Reachable},
		{"more packets", nil, bytes(2, 9), packet.Unreachable},
		{"expected by no helper", nil, []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "helper", Info: make([]byte, 36)}}}, packet.Unreachable},
		{"not expected by a helper", nil, []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "helper", Info: append([]byte{1, 0, 0, 1}, make([]byte, 32)...)}}}, packet.Reachable},
		{"no helper", nil, ct(ruleset.CtHelper), packet.Unreachable},
		{"a helper of a rule", []ruleset.Expr{helper}, ct(ruleset.CtHelper), packet.Unknown},
		{"no labels", nil, ct(ruleset.CtLabels), packet.Reachable},
		{"synproxy", nil, []ruleset.Expr{{Name: "synproxy", Extra: &ruleset.Extra{Synproxy: &ruleset.Synproxy{}}}, {Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}}}, packet.Unknown},
	} {
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		if c.before != nil {
			chain.Rules = append(chain.Rules, ruleset.Rule{Handle: 1, Exprs: c.before})
		}
		chain.Rules = append(chain.Rules, ruleset.Rule{Handle: 2, Exprs: append(c.exprs, accept)})
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{chain}}}}
		q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "tcp", Dport: 22, To: Target{Host: true}, Unbound: true, Family: 4}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s, %v %v, want %s", c.name, a.Verdict, a.Because, a.StoppedBy, c.want)
		}
	}
}
