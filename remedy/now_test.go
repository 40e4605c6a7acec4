package remedy

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWhatNoRuleSaysIsNotClosed: a plan closes a way whose end became a port of a bridge, which no rule for the host sees. Nothing that can be
// asked is open, and that is no proof. A way whose end is gone is.
func TestWhatNoRuleSaysIsNotClosed(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0"}}}
	p := &Plan{Mode: Targeted, Zones: cfg, Closes: []Target{{Check: "c", Denies: []finding.Deny{{Zone: zones.Workload, ToZone: zones.Management}}}}}
	at := slices.IndexFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Name == "mgmt0" })
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 90, Name: "br0", Kind: "bridge", Up: true, Addrs: s.Network.Links[at].Addrs})
	s.Network.Links[at].Master, s.Network.Links[at].Addrs = 90, nil
	if err := p.StillCloses(t.Context(), s); err == nil || !strings.Contains(err.Error(), "cannot be shown") {
		t.Errorf("behind a port of a bridge: %v", err)
	}
	s = fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Network.Links = slices.DeleteFunc(slices.Clone(s.Network.Links), func(l snapshot.Link) bool { return l.Name == "mgmt0" })
	if err := p.StillCloses(t.Context(), s); err != nil {
		t.Errorf("gone: %v", err)
	}
}

// TestUnreadNetworkIsNotClosed: of interfaces that were not read nothing is asked, and nothing shown.
func TestUnreadNetworkIsNotClosed(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Network = snapshot.Network{}
	p := &Plan{Mode: Targeted, Closes: []Target{{Check: "c", Denies: []finding.Deny{{Zone: zones.Workload, ToZone: zones.Management}}}}}
	if err := p.StillCloses(t.Context(), s); err == nil {
		t.Error("without a network all is closed")
	}
}
