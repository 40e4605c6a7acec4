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
	if got := r.SentOn(6, 22); !slices.Equal(got, []int{443, 2049}) {
		t.Error(got)
	}
	if got := (*Ruleset)(nil).SentOn(6, 22); got != nil {
		t.Error(got)
	}
}
