package ruleset

import (
	"slices"
	"testing"
)

// TestPortsThatAreSentOn: of rules of nft and of iptables that redirect one port.
func TestPortsThatAreSentOn(t *testing.T) {
	tcp := []Expr{{Meta: &Meta{Key: MetaL4proto, Dreg: 1}}, {Cmp: &Cmp{Sreg: 1, Op: OpEq, Data: Hex{6}}}}
	rule := func(port byte, to ...byte) Rule {
		return Rule{Exprs: append(slices.Clone(tcp),
			Expr{Payload: &Payload{Base: BaseTransport, Offset: 2, Len: 2, Dreg: 1}}, Expr{Cmp: &Cmp{Sreg: 1, Op: OpEq, Data: Hex{8, port}}},
			Expr{Immediate: &Immediate{Dreg: 1, Data: to}}, Expr{NAT: &NAT{Kind: "redirect", PortMin: 1}})}
	}
	xt := func(proto string, from [2]uint16, to uint16) Rule {
		return Rule{Exprs: []Expr{
			{Xt: &Xt{Name: proto, Decoded: &XtDecoded{Ports: &XtPorts{Dport: from}}}},
			{Xt: &Xt{Name: "REDIRECT", Target: true, Decoded: &XtDecoded{NAT: &XtNAT{Kind: "redirect", PortMin: to, PortMax: to}}}},
		}}
	}
	r := &Ruleset{Tables: []Table{{Chains: []Chain{{Rules: []Rule{
		rule(1, 0, 22), rule(2, 0, 23), xt("tcp", [2]uint16{443, 443}, 22), xt("tcp", [2]uint16{444, 445}, 22), xt("udp", [2]uint16{446, 446}, 22), xt("tcp", [2]uint16{22, 22}, 22),
		{Exprs: slices.Clone(tcp)},
	}}}}}}
	if got := r.SentOn(6, 22); !slices.Equal(got, []SentOn{{443, false, true}, {2049, false, true}}) {
		t.Error(got)
	}
	both := func(first, second bool) []SentOn { return []SentOn{{443, first, true}, {2049, second, true}} }
	rules := &r.Tables[0].Chains[0].Rules
	for name, more := range map[string]struct {
		rule Rule
		want []SentOn
	}{
		"the same port elsewhere":    {rule(1, 0, 80), both(false, true)},
		"another port elsewhere":     {rule(9, 0, 80), both(false, false)},
		"the other protocol":         {xt("udp", [2]uint16{443, 443}, 80), both(false, false)},
		"any port of the protocol":   {Rule{Exprs: append(slices.Clone(tcp), Expr{NAT: &NAT{Kind: "dnat", AddrMin: 1}})}, both(true, true)},
		"ports that are not read":    {xt("tcp", [2]uint16{400, 500}, 80), both(true, true)},
		"the source of what goes":    {Rule{Exprs: append(slices.Clone(tcp), Expr{NAT: &NAT{Kind: "masquerade"}})}, both(false, false)},
		"an expression not known":    {Rule{Exprs: []Expr{{Xt: &Xt{Name: "X", Target: true}}}}, both(true, true)},
		"a socket that takes it all": {Rule{Exprs: append(slices.Clone(tcp), Expr{NAT: &NAT{Kind: "tproxy"}})}, both(true, true)},
	} {
		old := len(*rules)
		*rules = append(*rules, more.rule)
		if got := r.SentOn(6, 22); !slices.Equal(got, more.want) {
			t.Errorf("%s: %v", name, got)
		}
		*rules = (*rules)[:old]
	}
	fib := Expr{Fib: &Fib{Dreg: 1, Result: FibAddrtype, Flags: FibDaddr}}
	for i := range *rules {
		(*rules)[i].Exprs = slices.Insert((*rules)[i].Exprs, 0, fib)
	}
	if got := r.SentOn(6, 22); !slices.Equal(got, []SentOn{{Port: 443}, {Port: 2049}}) {
		t.Error("of what is sent to the host", got)
	}
	if got := (*Ruleset)(nil).SentOn(6, 22); got != nil {
		t.Error(got)
	}
	several := []Expr{{Payload: &Payload{Base: BaseTransport, Offset: 2, Len: 2, Dreg: 1}}, {Lookup: &Lookup{Set: "ports", Sreg: 1}}}
	set := Set{Name: "ports", Elements: []Element{{Key: Hex{8, 1, 0, 0}}, {Key: Hex{8, 2}}}}
	multi := func(ranges ...[2]uint16) []Expr {
		return []Expr{{Xt: &Xt{Name: "multiport", Decoded: &XtDecoded{Multiport: &XtMultiport{Which: "destination", Ranges: ranges}}}}}
	}
	to := []Expr{{Immediate: &Immediate{Dreg: 1, Data: Hex{0, 22}}}, {NAT: &NAT{Kind: "redirect", PortMin: 1}}}
	change := func(f func(*Set)) Set { s := set; f(&s); return s }
	for name, c := range map[string]struct {
		asks []Expr
		set  Set
		want int
	}{
		"a set":                 {several, set, 2},
		"a set of ranges":       {several, change(func(s *Set) { s.Interval = true }), 0},
		"a set packets add to":  {several, change(func(s *Set) { s.Dynamic = true }), 0},
		"several ports":         {multi([2]uint16{2049, 2049}, [2]uint16{2050, 2050}), set, 2},
		"several with a range":  {multi([2]uint16{2049, 2049}, [2]uint16{2050, 2060}), set, 0},
		"another set than that": {several, change(func(s *Set) { s.Name = "x" }), 0},
	} {
		r := &Ruleset{Tables: []Table{{Sets: []Set{c.set}, Chains: []Chain{{Rules: []Rule{{Exprs: slices.Concat(tcp, c.asks, to)}}}}}}}
		if got := r.SentOn(6, 22); len(got) != c.want || c.want > 0 && (got[0].Port != 2049 || got[1].Port != 2050 || got[0].Elsewhere) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
