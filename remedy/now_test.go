package remedy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
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

// TestWorkloadsComeAndGo: of an interface of workloads that ended a proof asks nothing, and one that began is told. One of another zone that is gone can
// have got another name.
func TestWorkloadsComeAndGo(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0", "cali9"}}}
	finds := func(zone string) *finding.Report {
		return &finding.Report{Results: []finding.Result{{ID: "c", Status: finding.Fail, Findings: []finding.Finding{{
			Fingerprint: "f", Remediation: []finding.Remediation{{Kind: "nft", Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: 2375}}},
		}}}}}
	}
	host := func() *snapshot.Snapshot {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		return s
	}
	without := func(name string) *snapshot.Snapshot {
		s := host()
		s.Network.Links = slices.DeleteFunc(slices.Clone(s.Network.Links), func(l snapshot.Link) bool { return l.Name == name })
		return s
	}
	workload, management := Make(finds(zones.Workload), host(), cfg, Options{}), Make(finds(zones.Management), host(), cfg, Options{})
	if asked, err := workload.Closing(host()); err != nil || len(asked) == 0 {
		t.Fatalf("%v, %d asked", err, len(asked))
	}
	if asked, err := workload.Closing(without("docker0")); err != nil || len(asked) != 0 {
		t.Errorf("ended: %v, %d asked", err, len(asked))
	}
	if _, err := management.Closing(without("mgmt0")); err == nil {
		t.Error("what is gone of the management zone is passed over")
	}
	working := []Working{{Packet: packet.Packet{In: "docker0", Proto: "udp", Src: netip.MustParseAddr("172.17.0.9"), Dst: netip.MustParseAddr("172.17.0.1"), Dport: 53}, Fate: trace.Local}}
	p := &Proof{plan: workload}
	if err := p.keepsOn(t.Context(), without("docker0"), working); err != nil {
		t.Errorf("what worked for it: %v", err)
	}
	s := host()
	if got := workload.Began(s); got != nil {
		t.Errorf("%q began", got)
	}
	s.Network.Links = append(slices.Clone(s.Network.Links), snapshot.Link{Index: 91, Name: "cali9", Kind: "veth", Up: true, Addrs: []string{"10.244.9.1/24"}})
	if got := workload.Began(s); !slices.Equal(got, []string{"cali9"}) {
		t.Errorf("%q began", got)
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

// TestBaselineSaysWhatItCuts: an interface that is new to a baseline is cut whatever its kind and zone, and told. A port of a bridge comes in by that, and
// a pod is let go by its addresses.
func TestBaselineSaysWhatItCuts(t *testing.T) {
	cfg := zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"docker0", "ve-m1", "cali*"}}}
	pods := []netip.Prefix{netip.MustParsePrefix("10.244.1.0/26")}
	p := &Plan{Mode: DefaultDeny, Known: []Known{{"mgmt0", zones.Management}, {"docker0", zones.Workload}, {"ext0", zones.External}}, Rules: []Rule{
		{Chain: chainForward, Sources: pods, NotIif: []string{"mgmt0", "ext0"}, Oif: "ext0", Accept: true},
	}}
	for name, c := range map[string]struct {
		link  snapshot.Link
		route string
		cuts  bool
	}{
		"a machine":              {snapshot.Link{Name: "ve-m1", Kind: "veth", Addrs: []string{"192.168.77.1/28"}}, "192.168.77.0/28", true},
		"another name":           {snapshot.Link{Name: "wan7", Kind: "", MAC: "02:00:00:00:00:07", Addrs: []string{"198.51.100.7/24"}}, "198.51.100.0/24", true},
		"a port of the bridge":   {snapshot.Link{Name: "ve-m1", Kind: "veth", Master: fixtures.Host().Network.LinkNamed("docker0").Index}, "", false},
		"a pod":                  {snapshot.Link{Name: "cali00000000004", Kind: "veth"}, "10.244.1.4/32", false},
		"a pod of other numbers": {snapshot.Link{Name: "cali00000000004", Kind: "veth"}, "10.245.1.4/32", true},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		c.link.Index, c.link.Up, c.link.Hardware, c.link.PeerNetns, c.link.PeerIndex = 77, true, 1, 4026539999, 2
		if c.link.Kind == "" {
			c.link.PeerNetns, c.link.PeerIndex = 0, 0
		}
		s.Network.Links = append(slices.Clone(s.Network.Links), c.link)
		if c.route != "" {
			s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Family: 4, Dst: c.route, Type: "unicast", Table: 254, Oifs: []int{77}})
		}
		err := p.cutsNew(s, zones.Classify(s, cfg))
		if (err != nil) != c.cuts || err != nil && !strings.Contains(err.Error(), "interface "+c.link.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
