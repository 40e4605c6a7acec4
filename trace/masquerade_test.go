package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
)

// TestMasqueradeOutOfAnUnnumberedLink: an interface without an address of its own lends one of another (inet_select_addr), of which it is not known
// which comes first, and loopback lends none. Without any the packet is dropped.
func TestMasqueradeOutOfAnUnnumberedLink(t *testing.T) {
	for name, want := range map[string]struct {
		numbered []string
		fate     Outcome
		from     string
	}{
		"one other":   {[]string{"mgmt0"}, Forward, "10.10.0.1"},
		"two others":  {[]string{"mgmt0", "docker0"}, Forward, "invalid IP"},
		"none at all": {nil, Drop, "invalid IP"},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "n", Chains: []ruleset.Chain{{
			Name: "s", Base: &ruleset.Base{Type: "nat", Hook: "postrouting", Priority: 100, Policy: ruleset.Accept},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{{Name: "masq", NAT: &ruleset.NAT{Kind: "masquerade"}}}}},
		}}}}}
		for i := range s.Network.Links {
			l := &s.Network.Links[i]
			l.Addrs = nil
			for _, n := range want.numbered {
				if l.Name == n {
					l.Addrs = map[string][]string{"mgmt0": {"10.10.0.1/24"}, "docker0": {"172.17.0.1/16"}}[n]
				}
			}
			if l.Loopback {
				l.Addrs = []string{"127.0.0.1/8"}
			}
		}
		f := New(s).Packet(parsed(t, "mgmt0", "udp 10.10.0.9:4000 > 203.0.113.9:53"))
		if f.Fate != want.fate || f.From.String() != want.from {
			t.Errorf("%s: %+v, want %s from %s", name, f, want.fate, want.from)
		}
	}
}
