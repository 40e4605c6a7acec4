package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestSetsOfIPSet: sets with exceptions, of ports, and of several parts are followed, so that neither a way past them nor a proof is in doubt.
func TestSetsOfIPSet(t *testing.T) {
	el := func(net string, more ...string) ruleset.IPSetElement {
		e := ruleset.IPSetElement{Net: netip.MustParsePrefix(net)}
		if len(more) > 0 {
			e.Net2 = netip.MustParsePrefix(more[0])
		}
		return e
	}
	port := func(e ruleset.IPSetElement, proto uint8, n uint16) ruleset.IPSetElement {
		e.Proto, e.Port = proto, n
		return e
	}
	except := func(e ruleset.IPSetElement) ruleset.IPSetElement {
		e.NoMatch = true
		return e
	}
	nets := []ruleset.IPSetElement{el("10.10.0.0/16"), except(el("10.10.0.0/24")), el("10.10.0.9/32")}
	flow := port(el("10.10.0.9/32", "10.10.0.1/32"), packet.TCP, 22)
	pairs := []ruleset.IPSetElement{port(el("10.10.0.0/16"), packet.TCP, 22), except(port(el("10.10.0.0/24"), packet.TCP, 22))}
	on := []ruleset.IPSetElement{{Net: el("10.10.0.0/16").Net, Iface: "mgm", Wildcard: true}, {Net: el("10.10.0.0/24").Net, Iface: "ext0"}}
	for name, c := range map[string]struct {
		typ      string
		elements []ruleset.IPSetElement
		x        ruleset.XtSet // what it matches is dropped
		src      string
		want     packet.Verdict
	}{
		"in a network":                      {"hash:net", nets, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.1.7/32", packet.Unreachable},
		"in an exception":                   {"hash:net", nets, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.0.7/32", packet.Reachable},
		"in a network inside an exception":  {"hash:net", nets, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.0.9/32", packet.Unreachable},
		"exceptions are asked for":          {"hash:net", nets, ruleset.XtSet{Dim: 1, Source: [3]bool{true}, ReturnNoMatch: true}, "10.10.0.7/32", packet.Unreachable},
		"another, where they are asked for": {"hash:net", nets, ruleset.XtSet{Dim: 1, Source: [3]bool{true}, ReturnNoMatch: true}, "10.10.0.9/32", packet.Reachable},
		"a port":                            {"bitmap:port", []ruleset.IPSetElement{{Port: 22}}, ruleset.XtSet{Dim: 1}, "10.10.0.9/32", packet.Unreachable},
		"another port":                      {"bitmap:port", []ruleset.IPSetElement{{Port: 23}}, ruleset.XtSet{Dim: 1}, "10.10.0.9/32", packet.Reachable},
		"both addresses and a port":         {"hash:ip,port,ip", []ruleset.IPSetElement{flow}, ruleset.XtSet{Dim: 3, Source: [3]bool{true}}, "10.10.0.9/32", packet.Unreachable},
		"another sender":                    {"hash:ip,port,ip", []ruleset.IPSetElement{flow}, ruleset.XtSet{Dim: 3, Source: [3]bool{true}}, "10.10.0.8/32", packet.Reachable},
		"another second address":            {"hash:ip,port,net", []ruleset.IPSetElement{port(el("10.10.0.9/32", "10.10.0.2/32"), packet.TCP, 22)}, ruleset.XtSet{Dim: 3, Source: [3]bool{true}}, "10.10.0.9/32", packet.Reachable},
		"another protocol":                  {"hash:ip,port,ip", []ruleset.IPSetElement{port(flow, packet.UDP, 22)}, ruleset.XtSet{Dim: 3, Source: [3]bool{true}}, "10.10.0.9/32", packet.Reachable},
		"two networks":                      {"hash:net,net", []ruleset.IPSetElement{el("10.10.0.0/24", "10.10.0.0/30")}, ruleset.XtSet{Dim: 2, Source: [3]bool{true}}, "10.10.0.9/32", packet.Unreachable},
		"in a member of a list":             {"list:set", []ruleset.IPSetElement{{Set: "m"}}, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.0.7/32", packet.Unreachable},
		"in none":                           {"list:set", []ruleset.IPSetElement{{Set: "m"}}, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.0.9/32", packet.Reachable},
		"a list that has itself":            {"list:set", []ruleset.IPSetElement{{Set: "l"}}, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.0.9/32", packet.Unknown},
		"a member that was not read":        {"list:set", []ruleset.IPSetElement{{Set: "x"}}, ruleset.XtSet{Dim: 1, Source: [3]bool{true}}, "10.10.0.9/32", packet.Unknown},
		"pairs with an exception":           {"hash:net,port", pairs, ruleset.XtSet{Dim: 2, Source: [3]bool{true}}, "10.10.0.9/32", packet.Reachable},
		"pairs beside the exception":        {"hash:net,port", pairs, ruleset.XtSet{Dim: 2, Source: [3]bool{true}}, "10.10.1.9/32", packet.Unreachable},
		"on an interface":                   {"hash:net,iface", on, ruleset.XtSet{Dim: 2, Source: [3]bool{true, true}}, "10.10.1.9/32", packet.Unreachable},
		"on the way out":                    {"hash:net,iface", on, ruleset.XtSet{Dim: 2, Source: [3]bool{true, false}}, "10.10.1.9/32", packet.Reachable},
		"a smaller network of another":      {"hash:net,iface", on, ruleset.XtSet{Dim: 2, Source: [3]bool{true, true}}, "10.10.0.9/32", packet.Reachable},
		"a port of a bridge":                {"hash:net,iface", []ruleset.IPSetElement{{Net: el("10.0.0.0/8").Net, Iface: "mgmt0", PhysDev: true}}, ruleset.XtSet{Dim: 2, Source: [3]bool{true, true}}, "10.10.0.9/32", packet.Unknown},
		"a hardware address":                {"hash:ip,mac", []ruleset.IPSetElement{el("10.10.0.9/32")}, ruleset.XtSet{Dim: 2, Source: [3]bool{true, true}}, "10.10.0.9/32", packet.Unknown},
	} {
		s := fixtures.Host()
		family := 2
		if c.typ == "bitmap:port" || c.typ == "list:set" {
			family = 0
		}
		c.x.Index = 3
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
		chain.Rules = []ruleset.Rule{fixtures.Rule(&chain, []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "set", Decoded: &ruleset.XtDecoded{Set: &c.x}}}}, fixtures.VerdictOf(ruleset.Drop))}
		s.NFTables.Ruleset = &ruleset.Ruleset{
			Stable: true, IPSets: []ruleset.IPSet{
				{Index: 3, Name: "s", Type: c.typ, Family: family, Elements: c.elements},
				{Index: -1, Name: "m", Type: "hash:ip", Family: 2, Elements: []ruleset.IPSetElement{el("10.10.0.7/32")}},
				{Index: -2, Name: "l", Type: "list:set", Elements: []ruleset.IPSetElement{{Set: "s"}}},
			},
			Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}},
		}
		o := packet.Origin{Index: s.Network.LinkNamed("mgmt0").Index, From: []netip.Prefix{netip.MustParsePrefix(c.src)}}
		q := &Question{From: []packet.Origin{o}, Proto: "tcp", Dport: 22, To: Target{Addr: netip.MustParseAddr("10.10.0.1")}, Unbound: true, Family: 4}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s %+v, want %s", name, a.Verdict, a.Because, c.want)
		}
	}
}

// TestSetsThatKnockingOpens: what a set of ipset does not have now, a rule can have put there before, and then neither answer is proven.
func TestSetsThatKnockingOpens(t *testing.T) {
	for name, c := range map[string]struct {
		number byte // of the set that packets are put into
		want   packet.Verdict
	}{"that set": {3, packet.Unknown}, "another": {4, packet.Unreachable}} {
		s := fixtures.Host()
		in := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop}}
		match := []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "set", Decoded: &ruleset.XtDecoded{Set: &ruleset.XtSet{Index: 3, Dim: 1, Source: [3]bool{true}}}}}}
		in.Rules = []ruleset.Rule{fixtures.Rule(&in, match, fixtures.VerdictOf(ruleset.Accept))}
		knock := ruleset.Chain{Name: "k"}
		info := ruleset.Hex{c.number, 0, 1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		knock.Rules = []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Name: "SET", Target: true, Rev: 2, Info: info}}}}}
		s.NFTables.Ruleset = &ruleset.Ruleset{
			Stable: true, IPSets: []ruleset.IPSet{{Index: 3, Name: "s", Type: "hash:ip", Family: 2}, {Index: 4, Name: "o", Type: "hash:ip", Family: 2}},
			Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{in, knock}}},
		}
		o := packet.Origin{Index: s.Network.LinkNamed("mgmt0").Index, From: []netip.Prefix{netip.MustParsePrefix("10.10.0.0/24")}}
		q := &Question{From: []packet.Origin{o}, Proto: "tcp", Dport: 22, To: Target{Addr: netip.MustParseAddr("10.10.0.1")}, Unbound: true, Family: 4}
		if a := NewModel(s).Reach(q); a.Verdict != c.want {
			t.Errorf("%s: %s %+v, want %s", name, a.Verdict, a.Because, c.want)
		}
	}
}
