package judge

import (
	"context"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestRulesThatLeaveTracking: rules of nft and of iptables that exempt packets are told once each, those of a dormant table not at all.
func TestRulesThatLeaveTracking(t *testing.T) {
	s := fixtures.Host()
	raw := ruleset.Chain{Name: "prerouting", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: ruleset.Accept}, Rules: []ruleset.Rule{
		{Handle: 1, Exprs: []ruleset.Expr{{Name: "notrack", Plain: true}}},
		{Handle: 2, Exprs: []ruleset.Expr{{Name: "notrack", Plain: true}}},
		{Handle: 3, Exprs: []ruleset.Expr{{Name: "target", Xt: &ruleset.Xt{Name: "CT", Decoded: &ruleset.XtDecoded{Notrack: true}}}}},
		{Handle: 4, Exprs: []ruleset.Expr{{Name: "counter", Plain: true}}},
	}}
	s.NFTables.Ruleset.Tables = append(
		s.NFTables.Ruleset.Tables,
		ruleset.Table{Family: ruleset.FamilyInet, Name: "raw", Chains: []ruleset.Chain{raw}},
		ruleset.Table{Family: ruleset.FamilyInet, Name: "asleep", Dormant: true, Chains: []ruleset.Chain{raw}},
	)
	b := build(context.Background(), s, zones.Config{})
	if len(b.doc.Untracked) != 2 || b.doc.Untracked[0].Kind != "notrack" {
		t.Errorf("%+v", b.doc.Untracked)
	}
}

// TestNamespacesThatNothingNames: one with a process or a name is somebody's; one without either is told with what leads there.
func TestNamespacesThatNothingNames(t *testing.T) {
	s := fixtures.Host()
	s.Network.Namespaces = append(s.Network.Namespaces, snapshot.Netns{Inode: 77}, snapshot.Netns{Inode: 78, Processes: 1}, snapshot.Netns{Inode: 79, Names: []string{"/run/netns/x"}})
	s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 99, Name: "veth9", Kind: "veth", PeerNetns: 77})
	b := build(context.Background(), s, zones.Config{})
	if len(b.doc.Lost) != 1 || b.doc.Lost[0].Inode != 77 || b.doc.Lost[0].Key != "veth9" {
		t.Errorf("%+v", b.doc.Lost)
	}
}
