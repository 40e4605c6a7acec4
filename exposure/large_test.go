package exposure

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// geoip is a host that marks packets by a map of n networks to some marks, and lets those of one mark in to SSH.
func geoip(n, marks int) *snapshot.Snapshot {
	s := host()
	listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
	big := binary.BigEndian
	m := ruleset.Set{Name: "m", KeyLen: 4, DataLen: 4, FieldLens: []uint32{4}, Map: true, Interval: true}
	add := func(net, mark uint32) {
		m.Elements = append(m.Elements,
			ruleset.Element{Key: big.AppendUint32(nil, net<<8), Data: binary.NativeEndian.AppendUint32(nil, mark)},
			ruleset.Element{Key: big.AppendUint32(nil, (net+1)<<8), IntervalEnd: true})
	}
	add(203<<16|113, 7)
	r, seen := rand.New(rand.NewPCG(1, 2)), map[uint32]bool{}
	for len(seen) < n {
		if x := uint32(r.IntN(0xdfff00)) + 1<<16; !seen[x] && x>>16 != 127 && x>>16 != 203 {
			seen[x] = true
			add(x, 8+uint32(len(seen)%marks))
		}
	}
	mark := join([]ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 12, Len: 4, Dreg: 1}},
		{Name: "lookup", Lookup: &ruleset.Lookup{Set: "m", Sreg: 1, Dreg: 1, HasReg: true}},
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
	})
	rs := table("input", ruleset.Drop, join(meta(ruleset.MetaMark, binary.NativeEndian.AppendUint32(nil, 7)...), tcpTo(22), accepted))
	pre := ruleset.Chain{Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -150, Policy: "accept"}}
	pre.Rules = []ruleset.Rule{{Handle: 1, Exprs: join(meta(ruleset.MetaNfproto, 2), mark)}}
	rs.Tables[0].Chains = append(rs.Tables[0].Chains, pre)
	rs.Tables[0].Sets = []ruleset.Set{m}
	s.NFTables.Ruleset = rs
	return s
}

// pairs is a host whose input lets in, or judges by a map, what a concatenation of addresses and ports with n elements has.
func pairs(n int, vmap bool) *snapshot.Snapshot {
	s := host()
	listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
	set := ruleset.Set{Name: "c", KeyLen: 8, FieldLens: []uint32{4, 2}, Map: vmap}
	r, seen := rand.New(rand.NewPCG(1, 2)), map[uint32]bool{}
	for len(seen) < n {
		x, port := r.Uint32(), []int{22, 80, 443, r.IntN(65536)}[r.IntN(4)]
		if x>>29 == 7 || seen[x] {
			continue
		}
		seen[x] = true
		el := ruleset.Element{Key: append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(nil, x), uint16(port)), 0, 0)}
		if vmap {
			el.Verdict = &ruleset.Verdict{Kind: []string{ruleset.Accept, ruleset.Drop}[r.IntN(2)]}
		}
		set.Elements = append(set.Elements, el)
	}
	rule := join(meta(ruleset.MetaNfproto, 2), meta(ruleset.MetaL4proto, 6), []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 12, Len: 4, Dreg: 1}},
		{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 9}},
		{Name: "lookup", Lookup: &ruleset.Lookup{Set: "c", Sreg: 1, HasReg: vmap}},
	})
	if !vmap {
		rule = join(rule, accepted)
	}
	s.NFTables.Ruleset = table("input", ruleset.Drop, rule)
	s.NFTables.Ruleset.Tables[0].Sets = []ruleset.Set{set}
	return s
}

// listed is a host that lets in to SSH whom a set of ipset with n addresses has.
func listed(n int) *snapshot.Snapshot {
	s := host()
	listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
	set := ruleset.IPSet{Index: 1, Name: "allowed", Type: "hash:net", Family: 2}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		x := r.Uint32()
		set.Elements = append(set.Elements, ruleset.IPSetElement{Net: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)}), 32)})
	}
	match := ruleset.Expr{Name: "match", Xt: &ruleset.Xt{Name: "set", Rev: 4, Decoded: &ruleset.XtDecoded{Set: &ruleset.XtSet{Index: 1, Dim: 1, Source: [3]bool{true}}}}}
	s.NFTables.Ruleset = table("input", ruleset.Drop, join(meta(ruleset.MetaNfproto, 2), []ruleset.Expr{match}, tcpTo(22), accepted))
	s.NFTables.Ruleset.IPSets = []ruleset.IPSet{set}
	return s
}

// cluster is a host with n services of a cluster, as kube-proxy writes them: one verdict map to chains that translate to one of two ends each.
func cluster(n int) *snapshot.Snapshot {
	s := host()
	listen(s, s.Network.HostNetns(), "0.0.0.0", 22)
	rs := table("input", ruleset.Drop, join(tcpTo(22), accepted))
	t := &rs.Tables[0]
	ips := ruleset.Set{Name: "ips", KeyLen: 12, FieldLens: []uint32{4, 1, 2}, Map: true}
	for i := range n {
		svc := fmt.Sprint("svc", i)
		key := append(binary.BigEndian.AppendUint32(nil, 0x0a600000+uint32(i)), 6, 0, 0, 0, 0, 80, 0, 0)
		ips.Elements = append(ips.Elements, ruleset.Element{Key: key, Verdict: &ruleset.Verdict{Kind: ruleset.Goto, Chain: svc}})
		to := []byte{10, 0, 0, byte(2 + i%200)}
		t.Chains = append(t.Chains, ruleset.Chain{Name: svc, Rules: []ruleset.Rule{{Handle: uint64(i + 10), Exprs: []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: to}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 2, Data: ruleset.Hex{0x1f, 0x90}}},
			{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, PortMin: 2}},
		}}}})
	}
	s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 255, Type: "local", Dst: "127.0.0.0/8", Oifs: []int{1}})
	t.Sets = []ruleset.Set{ips}
	t.Chains = append(t.Chains, ruleset.Chain{
		Name: "p", Base: &ruleset.Base{Type: "nat", Hook: "prerouting", Priority: -100, Policy: ruleset.Accept},
		Rules: []ruleset.Rule{{Handle: 1, Exprs: join(meta(ruleset.MetaNfproto, 2), []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 16, Len: 4, Dreg: 1}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 9}},
			{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 10}},
			{Name: "lookup", Lookup: &ruleset.Lookup{Set: "ips", Sreg: 1, HasReg: true}},
		})}},
	})
	s.NFTables.Ruleset = rs
	return s
}

func sshFrom(source string, port int) *reach.Question {
	return &reach.Question{From: at(ext0, source), Proto: "tcp", Dport: port, Unbound: true, To: reach.Target{Host: true}, Family: 4}
}

// TestLargeSets: what is looked up in a large map or concatenation is answered, both ways.
func TestLargeSets(t *testing.T) {
	for name, c := range map[string]struct {
		s    *snapshot.Snapshot
		port int
		want packet.Verdict
	}{
		"a map":                      {geoip(5_000, 200), 22, packet.Reachable},
		"a map, another port":        {geoip(5_000, 200), 23, packet.Unreachable},
		"a map of distinct marks":    {geoip(20_000, 20_000), 22, packet.Unknown},
		"pairs":                      {pairs(10_000, false), 22, packet.Reachable},
		"pairs, another port":        {pairs(2_000, false), 23, packet.Unreachable},
		"an ipset":                   {listed(5_000), 22, packet.Reachable},
		"an ipset, another port":     {listed(5_000), 23, packet.Unreachable},
		"services of a cluster":      {cluster(2_000), 22, packet.Reachable},
		"services, another port":     {cluster(2_000), 23, packet.Unreachable},
		"a verdict map":              {pairs(10_000, true), 22, packet.Reachable},
		"a verdict map, other ports": {pairs(2_000, true), 23, packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			if a := ask(t, c.s, sshFrom("0.0.0.0/0", c.port)); a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}

// BenchmarkLarge asks about what is looked up in large sets, where something gets through and where a proof is due.
func BenchmarkLarge(b *testing.B) {
	for _, c := range []struct {
		name string
		s    *snapshot.Snapshot
		port int
	}{
		{"map", geoip(100_000, 250), 22},
		{"map, a proof", geoip(100_000, 250), 23},
		{"distinct marks", geoip(100_000, 100_000), 22},
		{"distinct marks, a proof", geoip(100_000, 100_000), 23},
		{"concatenation", pairs(10_000, false), 22},
		{"concatenation, a proof", pairs(10_000, false), 23},
		{"verdict map", pairs(10_000, true), 22},
		{"ipset", listed(500_000), 22},
		{"ipset, a proof", listed(500_000), 23},
		{"services", cluster(20_000), 22},
		{"services, a proof", cluster(20_000), 23},
		{"verdict map, a proof", pairs(10_000, true), 23},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				New(b.Context(), c.s, Limits{}, nil).Ask(sshFrom("0.0.0.0/0", c.port))
			}
		})
	}
}
