package ruleset

import (
	"net/netip"
	"testing"
)

// TestRedirectsTo: what is translated to others, or to another port, brings nothing to a port of the host; what is not known may.
func TestRedirectsTo(t *testing.T) {
	here := func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") }
	imm := func(reg uint32, data ...byte) Expr {
		return Expr{Name: "immediate", Immediate: &Immediate{Dreg: reg, Data: data}}
	}
	nat := func(n NAT) Expr { return Expr{Name: "nat", NAT: &n} }
	xt := func(n *XtNAT) Expr {
		return Expr{Name: "target", Xt: &Xt{Target: true, Name: "DNAT", Decoded: &XtDecoded{NAT: n}}}
	}
	both := Redirects{true, true}
	for name, c := range map[string]struct {
		exprs []Expr
		want  Redirects
	}{
		"to another host":                 {[]Expr{imm(1, 10, 0, 0, 2), imm(2, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, Redirects{}},
		"to the host, another port":       {[]Expr{imm(1, 10, 0, 0, 1), imm(2, 0, 23), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, Redirects{}},
		"to the host, the port":           {[]Expr{imm(1, 10, 0, 0, 1), imm(2, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, both},
		"to the host, ports around":       {[]Expr{imm(1, 10, 0, 0, 1), imm(2, 0, 20), imm(3, 0, 30), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2, PortMax: 3})}, both},
		"to the host as it is":            {[]Expr{imm(1, 10, 0, 0, 1), nat(NAT{Kind: "dnat", AddrMin: 1})}, Redirects{OtherAddrs: true}},
		"to hosts around":                 {[]Expr{imm(1, 10, 0, 0, 0), imm(2, 10, 0, 0, 9), imm(3, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, AddrMax: 2, PortMin: 3})}, both},
		"to what a map says":              {[]Expr{{Name: "lookup", Lookup: &Lookup{HasReg: true, Dreg: 1}}, imm(2, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, both},
		"to a constant that is changed":   {[]Expr{imm(1, 10, 0, 0, 2), {Name: "bitwise", Bitwise: &Bitwise{Dreg: 1}}, imm(2, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, both},
		"to a constant written over":      {[]Expr{imm(1, 10, 0, 0, 2), imm(2, 0, 22), imm(8, 10, 0, 0, 1), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, both},
		"to a constant beside another":    {[]Expr{imm(1, 10, 0, 0, 2), imm(9, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 9})}, Redirects{}},
		"to no address":                   {[]Expr{imm(1, 0, 0, 0, 0), imm(2, 0, 22), nat(NAT{Kind: "dnat", AddrMin: 1, PortMin: 2})}, both},
		"redirected":                      {[]Expr{imm(2, 0, 22), nat(NAT{Kind: "redirect", PortMin: 2})}, both},
		"redirected to another port":      {[]Expr{imm(2, 0, 23), nat(NAT{Kind: "redirect", PortMin: 2})}, Redirects{}},
		"redirected as it is":             {[]Expr{nat(NAT{Kind: "redirect"})}, Redirects{OtherAddrs: true}},
		"another source":                  {[]Expr{nat(NAT{Kind: "masquerade"})}, Redirects{}},
		"tproxy":                          {[]Expr{nat(NAT{Kind: "tproxy"})}, both},
		"a payload":                       {[]Expr{{Name: "payload", Payload: &Payload{Set: true}}}, both},
		"unknown":                         {[]Expr{{Name: "teleport", Raw: Hex{1}}}, both},
		"of iptables, to another host":    {[]Expr{xt(&XtNAT{Kind: "dnat", AddrMin: append(Hex{10, 0, 0, 2}, make(Hex, 12)...), AddrMax: append(Hex{10, 0, 0, 2}, make(Hex, 12)...), PortMin: 22, PortMax: 22})}, Redirects{}},
		"of iptables, to the host":        {[]Expr{xt(&XtNAT{Kind: "dnat", AddrMin: append(Hex{10, 0, 0, 1}, make(Hex, 12)...), AddrMax: append(Hex{10, 0, 0, 1}, make(Hex, 12)...), PortMin: 22, PortMax: 22})}, both},
		"of iptables, not understood":     {[]Expr{{Name: "target", Xt: &Xt{Target: true, Name: "DNAT"}}}, both},
		"of iptables, redirected to more": {[]Expr{xt(&XtNAT{Kind: "redirect", PortMin: 20, PortMax: 30})}, both},
	} {
		rs := &Ruleset{Tables: []Table{{Chains: []Chain{{Rules: []Rule{{Exprs: c.exprs}}}}}}}
		if got := rs.RedirectsTo([]int{22}, here); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
