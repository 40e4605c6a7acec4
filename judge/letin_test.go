package judge

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestZonesOfThoseWhoAreLetIn: a server that lets in some addresses is open to zones that have one of them, and to all zones that reach it where
// its addresses are not known.
func TestZonesOfThoseWhoAreLetIn(t *testing.T) {
	reached := func(sources string, tables ...ruleset.Table) (map[string]packet.Verdict, DocService) {
		s := fixtures.Host()
		k := s.Listeners.Sockets[0]
		k.Proto, k.Addr, k.Family, k.Port, k.Inode, k.Owners, k.OwnerState = "tcp", "0.0.0.0", 4, 2049, 9000, nil, snapshot.OwnersKernel
		s.Listeners.Sockets = append(s.Listeners.Sockets, k)
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: tables}
		s.Management.Servers = []snapshot.ManagedServer{{
			Name: "NFS", Role: snapshot.RoleData, Kernel: true, Ports: []int{2049}, Settings: map[string]snapshot.Fact{
				"login": {State: snapshot.Present, Value: "addresses"}, "sources": {State: snapshot.Present, Value: sources},
			},
		}}
		b := build(context.Background(), s, zones.Config{})
		verdicts := map[string]packet.Verdict{}
		for zone, r := range b.doc.Managed[0].Services[0].Reach {
			verdicts[zone] = r.Verdict
		}
		for i := range b.doc.Services {
			if b.doc.Services[i].Port == 2049 {
				return verdicts, b.doc.Services[i]
			}
		}
		t.Fatal("the port is no service")
		return nil, DocService{}
	}
	all := "external management workload"
	for _, c := range []struct{ name, sources, want string }{
		{"not known", "", all},
		{"a name besides", "172.17.0.0/16, name", all},
		{"containers alone", "172.17.0.0/16", "workload"},
		{"none that a container has", "10.0.0.0/8", "external management"},
		{"one somewhere", "198.51.100.7/32", "external"},
		{"of the other family", "2001:db8::/32", ""},
		{"several", "172.17.0.0/30, 10.10.0.0/24", "management workload"},
	} {
		v, svc := reached(c.sources)
		if got := strings.Join(slices.Sorted(maps.Keys(v)), " "); got != c.want || slices.ContainsFunc(slices.Collect(maps.Values(v)), func(r packet.Verdict) bool { return r != packet.Reachable }) {
			t.Errorf("%s: %v, want %s", c.name, v, c.want)
		}
		if got := slices.Sorted(maps.Keys(svc.Reach)); strings.Join(got, " ") != all {
			t.Errorf("%s: the port itself is reached from %v", c.name, got)
		}
	}
	v, _ := reached("172.17.0.0/16", ruleset.Table{Family: ruleset.FamilyIP, Name: "nat", Chains: []ruleset.Chain{{
		Name: "in", Base: &ruleset.Base{Type: "nat", Hook: "input", Priority: 100, Policy: "accept"}, Rules: []ruleset.Rule{{Handle: 1}},
	}}})
	if len(v) != 3 {
		t.Errorf("where rules may write the source: %v", v)
	}
	v, _ = reached("172.17.0.0/16", ruleset.Table{Family: ruleset.FamilyIP, Name: "raw", Chains: []ruleset.Chain{{
		Name: "pre", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: "accept"}, Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{172, 17, 0, 5}}},
			{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 12, Len: 4, Sreg: 1, Set: true}},
		}}},
	}}})
	if len(v) != 3 {
		t.Errorf("where a rule writes the source into packets: %v", v)
	}
}
