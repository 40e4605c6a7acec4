package trace

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestConnectionsThatBegin: a connection that begins has carried its first packet, and has a helper by a rule alone.
func TestConnectionsThatBegin(t *testing.T) {
	info := func(from, to uint64) ruleset.Hex {
		return append(binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, from), to), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	helper := []ruleset.Expr{{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtHelper, Dreg: 1}}}
	set := ruleset.Expr{Name: "objref", Extra: &ruleset.Extra{Objref: &ruleset.Objref{Type: ruleset.ObjectHelper, Name: "h"}}}
	for _, c := range []struct {
		name   string
		before []ruleset.Expr
		exprs  []ruleset.Expr
		want   Outcome
	}{
		{name: "one packet", exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "connbytes", Info: info(1, 1)}}}, want: Drop},
		{name: "more packets", exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "connbytes", Info: info(2, 9)}}}, want: Local},
		{name: "expected by no helper", exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "helper", Info: make([]byte, 36)}}}, want: Local},
		{name: "not expected by a helper", exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "helper", Info: append([]byte{1, 0, 0, 1}, make([]byte, 32)...)}}}, want: Drop},
		{name: "no helper", exprs: helper, want: Local},
		{name: "a helper of a rule", before: []ruleset.Expr{set}, exprs: append(helper, ruleset.Expr{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: make([]byte, 16)}}), want: Unknown},
	} {
		s := fixtures.Host()
		first(s, append(c.exprs, drop)...)
		if c.before != nil {
			first(s, c.before...)
		}
		if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", c.name, f, c.want)
		}
	}
}
