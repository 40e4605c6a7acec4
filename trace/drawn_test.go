package trace

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// u32 is a match of one word of the packet.
func u32(invert bool, at uint32, steps []ruleset.U32Step, from, to uint32) ruleset.Expr {
	b := make(ruleset.Hex, 1984)
	binary.NativeEndian.PutUint32(b, at)
	for i, s := range steps {
		binary.NativeEndian.PutUint32(b[8*i+8:], s.Number)
		b[8*i+12] = s.Op
	}
	binary.NativeEndian.PutUint32(b[88:], from)
	binary.NativeEndian.PutUint32(b[92:], to)
	b[176], b[177], b[1980] = byte(1+len(steps)), 1, 1
	if invert {
		b[1981] = 1
	}
	return ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "u32", Info: b}}
}

// TestRulesThatDependOnMore: words of the packet are compared where they are known, a connection has the labels that rules gave it, and a program that
// does not run lets pass or drops by the rule. What nobody knows before is so for all rules that ask the same.
func TestRulesThatDependOnMore(t *testing.T) {
	xt := func(target bool, name string, rev uint32, info ...byte) ruleset.Expr {
		x := &ruleset.Xt{Target: target, Name: name, Rev: rev, Info: info}
		if name == "NFQUEUE" {
			x.Decoded = &ruleset.XtDecoded{Queue: true}
		}
		return ruleset.Expr{Name: "match", Xt: x}
	}
	and, at := func(n uint32) ruleset.U32Step { return ruleset.U32Step{Op: ruleset.U32And, Number: n} }, func(n uint32) ruleset.U32Step { return ruleset.U32Step{Op: ruleset.U32At, Number: n} }
	right := func(n uint32) ruleset.U32Step { return ruleset.U32Step{Op: ruleset.U32Right, Number: n} }
	ports := []ruleset.U32Step{right(22), and(0x3c), at(0), and(0xffff)}
	label, set := []byte{5, 0, 0, 0}, []byte{5, 0, 2, 0}
	for _, c := range []struct {
		name   string
		exprs  []ruleset.Expr
		queues snapshot.Fact
		want   Outcome // of a packet that is dropped where the rule matches
	}{
		{name: "the protocol", exprs: []ruleset.Expr{u32(false, 6, []ruleset.U32Step{and(0xff)}, 6, 6)}, want: Drop},
		{name: "another protocol", exprs: []ruleset.Expr{u32(false, 6, []ruleset.U32Step{and(0xff)}, 17, 17)}, want: Local},
		{name: "not another protocol", exprs: []ruleset.Expr{u32(true, 6, []ruleset.U32Step{and(0xff)}, 17, 17)}, want: Drop},
		{name: "the port", exprs: []ruleset.Expr{u32(false, 0, ports, 20, 22)}, want: Drop},
		{name: "another port", exprs: []ruleset.Expr{u32(false, 0, ports, 23, 99)}, want: Local},
		{name: "the data", exprs: []ruleset.Expr{u32(false, 60, nil, 1, 2)}, want: Unknown},
		{name: "no label", exprs: []ruleset.Expr{xt(false, "connlabel", 0, label...)}, want: Local},
		{name: "a label that is set", exprs: []ruleset.Expr{xt(false, "connlabel", 0, set...), xt(false, "connlabel", 0, label...)}, want: Drop},
		{name: "a processor, twice", exprs: []ruleset.Expr{xt(false, "cpu", 0, 1, 0, 0, 0, 0, 0, 0, 0), xt(false, "cpu", 0, 1, 0, 0, 0, 0, 0, 0, 0)}, want: Unknown},
		{name: "no program", exprs: []ruleset.Expr{xt(true, "NFQUEUE", 0, 3, 0)}, queues: snapshot.Fact{State: snapshot.Present, Value: "2"}, want: Drop},
		{name: "no program, bypass", exprs: []ruleset.Expr{xt(true, "NFQUEUE", 2, 3, 0, 1, 0, 1, 0)}, queues: snapshot.Fact{State: snapshot.Absent}, want: Local},
		{name: "a program of several", exprs: []ruleset.Expr{xt(true, "NFQUEUE", 1, 3, 0, 4, 0)}, queues: snapshot.Fact{State: snapshot.Present, Value: "2 6"}, want: Unknown},
		{name: "queues that are not known", exprs: []ruleset.Expr{xt(true, "NFQUEUE", 0, 3, 0)}, queues: snapshot.Fact{State: snapshot.Denied}, want: Unknown},
	} {
		s := fixtures.Host()
		s.NFTables.Queues = &c.queues
		first(s, append(c.exprs, drop)...)
		f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
		if f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", c.name, f, c.want)
		}
		if c.name == "a processor, twice" && len(f.ByTraffic) != 2 {
			t.Errorf("%s: %+v, want two fates", c.name, f.ByTraffic)
		}
	}
}
