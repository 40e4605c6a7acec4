package remedy

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// networked is a host with more networks of workloads behind interfaces of their own, that all are forwarded to each other.
func networked(n int) *snapshot.Snapshot {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	for i := range n {
		index := 100 + i
		name, net := fmt.Sprintf("v%d", i), fmt.Sprintf("10.77.%d.", i)
		s.Network.Links = append(s.Network.Links, snapshot.Link{Index: index, Name: name, Kind: "veth", Up: true, Hardware: 1, Addrs: []string{net + "1/24"}})
		s.Network.Routes = append(s.Network.Routes,
			snapshot.Route{Family: 4, Dst: net + "0/24", Type: "unicast", Table: 254, Oifs: []int{index}},
			snapshot.Route{Family: 4, Dst: net + "1/32", Type: "local", Table: 255, Oifs: []int{index}})
		for key, fact := range maps.Clone(s.Network.Sysctls) {
			if strings.Contains(key, "/docker0/") {
				s.Network.Sysctls[strings.Replace(key, "/docker0/", "/"+name+"/", 1)] = fact
			}
		}
	}
	return s
}

// clustered is a host with services of a cluster, as kube-proxy has them in chains of nftables.
func clustered(n int) *snapshot.Snapshot {
	s := networked(0)
	t := ruleset.Table{Family: ruleset.FamilyIP, Name: "nat", Chains: []ruleset.Chain{
		{Name: "pre", Base: &ruleset.Base{Type: "nat", Hook: "prerouting", Priority: -100, Policy: ruleset.Accept}},
	}}
	for i := range n {
		chain := fmt.Sprintf("svc%d", i)
		addr := []byte{10, 96, byte(i / 250), byte(i % 250)}
		match := []ruleset.Expr{{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 16, Len: 4, Dreg: 1}}, equals(addr)}
		match = append(append(match, l4proto(protoTCP)...), transport(2, 2), equals(network(80)))
		t.Chains[0].Rules = append(t.Chains[0].Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: append(match, ruleset.Expr{
			Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Jump, Chain: chain}},
		})})
		t.Chains = append(t.Chains, ruleset.Chain{Name: chain, Rules: []ruleset.Rule{{Handle: uint64(10000 + i), Exprs: []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: []byte{172, 17, byte(i / 250), byte(2 + i%250)}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 2, Data: network(8080)}},
			{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, PortMin: 2}},
		}}}})
	}
	s.NFTables.Ruleset.Tables = []ruleset.Table{t}
	return s
}

// mapped is a host with services of a cluster, as kube-proxy has them in a map of nftables: each leads to one of two workloads at random.
func mapped(n int) *snapshot.Snapshot {
	s := networked(0)
	goTo := func(chain string) *ruleset.Verdict { return &ruleset.Verdict{Kind: ruleset.Goto, Chain: chain} }
	t := ruleset.Table{Family: ruleset.FamilyIP, Name: "kube-proxy"}
	services := ruleset.Set{Name: "service-ips", Map: true, KeyLen: 12, DataLen: 16}
	for i := range n {
		name, spread := fmt.Sprintf("service-%d", i), fmt.Sprintf("__map%d", i)
		services.Elements = append(services.Elements, ruleset.Element{Key: []byte{10, 96, byte(i / 250), byte(i % 250), 6, 0, 0, 0, 0, 80, 0, 0}, Verdict: goTo(name)})
		ends := ruleset.Set{Name: spread, Map: true, Constant: true, Anonymous: true, KeyLen: 4, DataLen: 16}
		for k := range 2 {
			end := fmt.Sprintf("endpoint-%d-%d", i, k)
			ends.Elements = append(ends.Elements, ruleset.Element{Key: binary.NativeEndian.AppendUint32(nil, uint32(k)), Verdict: goTo(end)})
			t.Chains = append(t.Chains, ruleset.Chain{Name: end, Rules: []ruleset.Rule{{Handle: uint64(20000 + 2*i + k), Exprs: []ruleset.Expr{
				{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: []byte{172, 17, 0, byte(2 + k)}}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 2, Data: network(8080)}},
				{Name: "nat", NAT: &ruleset.NAT{Kind: "dnat", Family: 2, AddrMin: 1, PortMin: 2}},
			}}}})
		}
		t.Sets = append(t.Sets, ends)
		t.Chains = append(t.Chains, ruleset.Chain{Name: name, Rules: []ruleset.Rule{{Handle: uint64(10000 + i), Exprs: []ruleset.Expr{
			{Name: "numgen", Extra: &ruleset.Extra{Generate: &ruleset.Generate{Kind: "random", Dreg: 1, Modulus: 2}}},
			{Name: "lookup", Lookup: &ruleset.Lookup{Set: spread, Sreg: 1, HasReg: true}},
		}}}})
	}
	t.Sets = append(t.Sets, services)
	t.Chains = append(t.Chains, ruleset.Chain{Name: "pre", Base: &ruleset.Base{Type: "nat", Hook: "prerouting", Priority: -100, Policy: ruleset.Accept}, Rules: []ruleset.Rule{
		{Handle: 1, Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 16, Len: 4, Dreg: 1}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 9}},
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 10}},
			{Name: "lookup", Lookup: &ruleset.Lookup{Set: "service-ips", Sreg: 1, HasReg: true}},
		}},
	}})
	s.NFTables.Ruleset.Tables = []ruleset.Table{t}
	return s
}

// loadedTables are a plan's tables as a kernel tells them.
func loadedTables(p *Plan) (list []ruleset.Table) {
	for _, family := range p.families() {
		t := ruleset.Table{Family: family, Name: Table, Sets: p.Sets(family)}
		for _, c := range specs {
			if c.family != family || !p.uses(c.name) {
				continue
			}
			chain := ruleset.Chain{Name: c.name, Base: &ruleset.Base{Type: "filter", Hook: c.hook, Priority: c.number, Policy: p.policy(c.name)}}
			for i := range p.Rules {
				if p.Rules[i].Chain == c.name {
					chain.Rules = append(chain.Rules, ruleset.Rule{Handle: uint64(i + 1), Exprs: p.Rules[i].Exprs()})
				}
			}
			t.Chains = append(t.Chains, chain)
		}
		list = append(list, t)
	}
	return list
}

// proveOnModel judges a host, plans for it, and proves that on the model.
func proveOnModel(tb testing.TB, policies *judge.Policies, s *snapshot.Snapshot) *Plan {
	tb.Helper()
	return provenOnModel(tb, policies, s).plan
}

func provenOnModel(tb testing.TB, policies *judge.Policies, s *snapshot.Snapshot) *Proof {
	tb.Helper()
	r, err := judge.Judge(tb.Context(), s, policies, new(judge.Config), "")
	if err != nil {
		tb.Fatal(err)
	}
	p := Make(r, Without(s), zones.Config{}, Options{})
	proof := &Proof{plan: p, before: Without(s), tables: loadedTables(p)}
	if err := proof.onModel(tb.Context(), s); err != nil {
		tb.Fatal(err)
	}
	return proof
}

// BenchmarkFix is what a fix costs on a plain host, with 50 networks, and with 2,000 services of a cluster: the audit, the plan and the proof on
// the model. The replica and the trial come on top.
func BenchmarkFix(b *testing.B) {
	policies, err := judge.Load()
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]*snapshot.Snapshot{"plain": networked(0), "50-networks": networked(50), "2000-services": clustered(2000), "2000-by-map": mapped(2000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				proveOnModel(b, policies, s)
			}
		})
	}
}

// TestRulesDoNotMultiply: networks of workloads more give no rules more.
func TestRulesDoNotMultiply(t *testing.T) {
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	few, many := proveOnModel(t, policies, networked(2)), proveOnModel(t, policies, networked(12))
	if len(many.Rules) > len(few.Rules) || len(few.Rules) == 0 {
		t.Errorf("%d rules for 12 networks, %d for 2:\n%s", len(many.Rules), len(few.Rules), many.Ruleset)
	}
}

// TestServicesOfAMapAreProven: that each of many keys leads elsewhere hides nothing of the rest.
func TestServicesOfAMapAreProven(t *testing.T) {
	policies, err := judge.Load()
	if err != nil {
		t.Fatal(err)
	}
	proveOnModel(t, policies, mapped(100))
}
