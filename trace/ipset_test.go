package trace

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
)

// TestListsInEachOther: lists of ipset that have each other, which the kernel never has and a file may, end in an unknown fate.
func TestListsInEachOther(t *testing.T) {
	s := fixtures.Host()
	chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	match := ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "set", Decoded: &ruleset.XtDecoded{Set: &ruleset.XtSet{Index: 3, Dim: 1}}}}
	chain.Rules = []ruleset.Rule{{Exprs: []ruleset.Expr{match, drop}}}
	s.NFTables.Ruleset = &ruleset.Ruleset{
		Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}},
		IPSets: []ruleset.IPSet{
			{Index: 3, Name: "a", Type: "list:set", Elements: []ruleset.IPSetElement{{Set: "b"}}},
			{Index: -1, Name: "b", Type: "list:set", Elements: []ruleset.IPSetElement{{Set: "a"}}},
		},
	}
	if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown {
		t.Errorf("%+v", f)
	}
}

// TestElementsOfIPSet: the narrowest network decides, also where the interface is another; types of ICMP are ports, and what has none is port 0.
func TestElementsOfIPSet(t *testing.T) {
	el := func(net string, proto uint8, port uint16) ruleset.IPSetElement {
		return ruleset.IPSetElement{Net: netip.MustParsePrefix(net), Proto: proto, Port: port}
	}
	on := func(net, iface string, wild bool) ruleset.IPSetElement {
		return ruleset.IPSetElement{Net: netip.MustParsePrefix(net), Iface: iface, Wildcard: wild}
	}
	ifaces := []ruleset.IPSetElement{on("10.0.0.0/8", "mgmt0", false), on("10.10.0.0/24", "ext0", false), on("192.0.2.0/24", "mgmt", true)}
	types := []ruleset.IPSetElement{el("10.10.0.1/32", 1, 8<<8), el("10.10.0.1/32", packet.DCCP, 0), el("10.10.0.1/32", 47, 0)}
	bits := ruleset.IPSet{Type: "hash:ip", Mask: netip.MustParseAddr("255.0.255.0"), Elements: []ruleset.IPSetElement{el("10.0.0.0/32", 0, 0)}}
	for name, c := range map[string]struct {
		set    ruleset.IPSet
		packet string
		want   Outcome
	}{
		"on the interface":             {ruleset.IPSet{Type: "hash:net,iface", Elements: ifaces}, "tcp 10.11.0.9:40000 > 10.10.0.1:22 syn", Drop},
		"a smaller network of another": {ruleset.IPSet{Type: "hash:net,iface", Elements: ifaces}, "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn", Local},
		"a name that begins so":        {ruleset.IPSet{Type: "hash:net,iface", Elements: ifaces}, "tcp 192.0.2.9:40000 > 10.10.0.1:22 syn", Drop},
		"a type of ICMP":               {ruleset.IPSet{Type: "hash:ip,port", Elements: types}, "icmp 10.10.0.9 > 10.10.0.1 type 8", Drop},
		"another type":                 {ruleset.IPSet{Type: "hash:ip,port", Elements: types}, "icmp 10.10.0.9 > 10.10.0.1 type 13", Local},
		"no port":                      {ruleset.IPSet{Type: "hash:ip,port", Elements: types}, "47 10.10.0.9 > 10.10.0.1", Drop},
		"ports alone have no ICMP":     {ruleset.IPSet{Type: "bitmap:port", Elements: []ruleset.IPSetElement{{Port: 8 << 8}}}, "icmp 10.10.0.9 > 10.10.0.1 type 8", Local},
		"under a mask":                 {bits, "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn", Drop},
		"beside a mask":                {bits, "tcp 10.10.7.9:40000 > 10.10.0.1:22 syn", Local},
	} {
		if f := withIPSets(t, []ruleset.IPSet{c.set}).Packet(parsed(t, "mgmt0", c.packet)); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}

// TestHardwareAddressesOfIPSet: what kernels take for the destination's hardware address, and one that an element takes from a packet, are not known.
func TestHardwareAddressesOfIPSet(t *testing.T) {
	at := netip.MustParsePrefix("10.10.0.9/32")
	const mac = "02:00:00:00:00:09"
	for name, c := range map[string]struct {
		kind   string
		el     ruleset.IPSetElement
		source bool
		want   Outcome
	}{
		"the sender's":         {"bitmap:ip,mac", ruleset.IPSetElement{Net: at, MAC: mac}, true, Drop},
		"another one":          {"bitmap:ip,mac", ruleset.IPSetElement{Net: at, MAC: "02:00:00:00:00:08"}, true, Local},
		"the destination's":    {"bitmap:ip,mac", ruleset.IPSetElement{Net: at, MAC: "02:00:00:00:00:01"}, false, Unknown},
		"that alone":           {"hash:mac", ruleset.IPSetElement{MAC: "02:00:00:00:00:01"}, false, Unknown},
		"the first packet's":   {"bitmap:ip,mac", ruleset.IPSetElement{Net: at}, true, Unknown},
		"of another's address": {"bitmap:ip,mac", ruleset.IPSetElement{Net: netip.MustParsePrefix("10.10.0.8/32")}, true, Local},
	} {
		tr := withIPSets(t, []ruleset.IPSet{{Type: c.kind, Elements: []ruleset.IPSetElement{c.el}}})
		x := tr.snap.NFTables.Ruleset.Tables[0].Chains[0].Rules[0].Exprs[0].Xt.Decoded.Set
		if x.Source = [3]bool{true, c.source}; c.kind == "hash:mac" {
			x.Source[0] = c.source
			tr.snap.NFTables.Ruleset.IPSets[0].Family = 0
		}
		tr.snap.Network.LinkNamed("mgmt0").MAC = "02:00:00:00:00:01"
		p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
		p.SMAC = mac
		if f := New(tr.snap).Packet(p); f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}

// TestKnocking: what rules put into a set of ipset, or take out, is a condition of the packets that they do not have now.
func TestKnocking(t *testing.T) {
	for name, c := range map[string]struct {
		put, taken byte // numbers of sets
		el         string
		fates      map[Outcome]packet.Traffic
	}{
		"put in, and not in it":  {3, 0xff, "10.10.0.8/32", map[Outcome]packet.Traffic{Local: packet.AtRest, Drop: packet.Entered}},
		"put in, and in it":      {3, 0xff, "10.10.0.9/32", nil},
		"taken out, and in it":   {0xff, 3, "10.10.0.9/32", map[Outcome]packet.Traffic{Drop: packet.AtRest, Local: packet.Entered}},
		"of another set":         {4, 0xff, "10.10.0.8/32", nil},
		"put in, and it is none": {3, 0xff, "", map[Outcome]packet.Traffic{Local: packet.AtRest, Drop: packet.Entered}},
	} {
		set := ruleset.IPSet{Type: "hash:ip"}
		if c.el != "" {
			set.Elements = []ruleset.IPSetElement{{Net: netip.MustParsePrefix(c.el)}}
		}
		tr := withIPSets(t, []ruleset.IPSet{set, {Index: 4, Name: "other", Type: "hash:ip", Family: 2}})
		info := make(ruleset.Hex, 16)
		for at, n := range map[int]byte{0: c.put, 4: c.taken} {
			if info[at] = n; n == 0xff {
				info[at+1] = n
			}
		}
		tab := &tr.snap.NFTables.Ruleset.Tables[0]
		tab.Chains = append(tab.Chains, ruleset.Chain{Name: "k", Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Name: "SET", Target: true, Rev: 2, Info: info}}}}}})
		f := New(tr.snap).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
		if len(f.ByTraffic) != len(c.fates) {
			t.Errorf("%s: %+v, want %v", name, f, c.fates)
		}
		for _, told := range f.ByTraffic {
			if told.If[0].State != c.fates[told.Fate.Fate] {
				t.Errorf("%s: %s if %s", name, told.Fate.Fate, told.If[0].State)
			}
		}
	}
}

// TestEmptyIPSet: nobody of a region is in a set that is empty.
func TestEmptyIPSet(t *testing.T) {
	tr := withIPSets(t, []ruleset.IPSet{{Type: "hash:net"}})
	p := parsed(t, "mgmt0", "tcp 10.10.0.0:40000 > 10.10.0.1:22 syn")
	r := &Region{Packet: *p, Src: netip.PrefixFrom(p.Src, 24), Dst: netip.PrefixFrom(p.Dst, 32), Sport: Ports{First: p.Sport}, Dport: Ports{First: p.Dport}}
	tr.Region(r, func(e *End) bool {
		if e.Rule == "ip t/i#0" {
			t.Errorf("%+v: the set has nobody", e)
		}
		return true
	})
}

// TestTranslatedInIPSet: the source that a translation takes of many, and its port, is not known to be in a set or not.
func TestTranslatedInIPSet(t *testing.T) {
	for name, c := range map[string]struct {
		kind, el string
		port     uint16
	}{"an address": {"hash:ip", "203.0.113.9/32", 0}, "a port": {"hash:ip,port", "203.0.113.9/32", 1500}} {
		tr := withIPSets(t, []ruleset.IPSet{{Type: c.kind, Elements: []ruleset.IPSetElement{{Net: netip.MustParsePrefix(c.el), Port: c.port, Proto: 6}}}})
		tab := &tr.snap.NFTables.Ruleset.Tables[0]
		tab.Chains[0].Rules[0].Exprs[0].Xt.Decoded.Set.Source = [3]bool{true, true}
		nat := ruleset.Chain{Name: "n", Base: &ruleset.Base{Type: "nat", Hook: "postrouting", Priority: 100, Policy: ruleset.Accept}}
		x := &ruleset.XtNAT{Kind: "snat", AddrMin: ruleset.Hex{203, 0, 113, 9}, AddrMax: ruleset.Hex{203, 0, 113, 9}, PortMin: 1000, PortMax: 2000}
		if c.port == 0 {
			x.AddrMin, x.AddrMax = ruleset.Hex{203, 0, 113, 2}, ruleset.Hex{203, 0, 113, 200}
		}
		nat.Rules = []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Name: "SNAT", Target: true, Decoded: &ruleset.XtDecoded{NAT: x}}}}}}
		tab.Chains = append(tab.Chains, nat)
		if f := New(tr.snap).Packet(parsed(t, "local", "tcp 10.10.0.1:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown {
			t.Errorf("%s: %+v, want %s", name, f, Unknown)
		}
	}
}

// TestRegionOfList: a region whose ports a member of a list asks for has more than one end.
func TestRegionOfList(t *testing.T) {
	tr := withIPSets(t, []ruleset.IPSet{
		{Type: "list:set", Elements: []ruleset.IPSetElement{{Set: "m"}}},
		{Index: -1, Name: "m", Type: "bitmap:port", Elements: []ruleset.IPSetElement{{Port: 22}}},
	})
	p := parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")
	r := &Region{Packet: *p, Src: netip.PrefixFrom(p.Src, 32), Dst: netip.PrefixFrom(p.Dst, 32), Sport: Ports{First: p.Sport}, Dport: Ports{First: 16, Free: 3}}
	tr.Region(r, func(e *End) bool {
		if e.Split != 'q' {
			t.Errorf("%+v is no end of ports 16 and 22 both", e)
		}
		return true
	})
}

// withIPSets is a host that drops what the first set has, by source, and the interface that it came in by, or the destination's port.
func withIPSets(t *testing.T, sets []ruleset.IPSet) *Tracer {
	t.Helper()
	s := fixtures.Host()
	chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	x := &ruleset.XtSet{Index: 3, Dim: 2, Source: [3]bool{true, true}}
	if strings.Contains(sets[0].Type, "port") || sets[0].Type == "list:set" {
		x.Source = [3]bool{}
	}
	chain.Rules = []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "set", Decoded: &ruleset.XtDecoded{Set: x}}}, drop}}}
	sets[0].Index, sets[0].Name = 3, "s"
	if strings.HasPrefix(sets[0].Type, "hash") {
		sets[0].Family = 2
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, IPSets: sets, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
	return New(s)
}
