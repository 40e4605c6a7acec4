package judge

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestWhoReachesTheMetadataService: workloads behind a bridge by what is forwarded, those in the host's own network namespace by what the host sends.
func TestWhoReachesTheMetadataService(t *testing.T) {
	for name, c := range map[string]struct {
		kind, hook string // of the agent, and the hook that drops everything
		want       map[string]packet.Verdict
	}{
		"no agent on the host": {"", "", map[string]packet.Verdict{"docker0": packet.Reachable}},
		"an agent":             {"cli", "", map[string]packet.Verdict{"docker0": packet.Reachable, ofTheHost: packet.Reachable}},
		"nothing is sent":      {"cli", "output", map[string]packet.Verdict{"docker0": packet.Reachable, ofTheHost: packet.Unreachable}},
		"nothing is forwarded": {"cli", "forward", map[string]packet.Verdict{"docker0": packet.Unreachable, ofTheHost: packet.Reachable}},
	} {
		s := fixtures.Host()
		s.System.Cloud = snapshot.Fact{State: snapshot.Present, Value: "hetzner"}
		if c.kind != "" {
			s.Agents.Instances = append(s.Agents.Instances, snapshot.Agent{PID: 77, Runtime: "claude-code", Title: "Claude Code", Kind: c.kind})
			s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 77, Comm: "claude", UID: 1001, NS: s.Processes.Init})
		}
		if c.hook != "" {
			s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, ruleset.Table{Family: ruleset.FamilyInet, Name: "x", Chains: []ruleset.Chain{
				{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: c.hook, Policy: ruleset.Drop}},
			}})
		}
		got := map[string]packet.Verdict{}
		for _, w := range build(t.Context(), s, zones.Config{}).doc.Metadata.Ways {
			got[w.From] = w.Reach.Verdict
		}
		if len(got) != len(c.want) || got["docker0"] != c.want["docker0"] || got[ofTheHost] != c.want[ofTheHost] {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestWhoReachesTheBMC: the address of the BMC is asked for as that of the metadata service is, for what a BMC serves.
func TestWhoReachesTheBMC(t *testing.T) {
	for name, c := range map[string]struct {
		bmc  *snapshot.BMC
		hook bool // drops what is forwarded
		want string
	}{
		"none":         {nil, false, ""},
		"switched off": {&snapshot.BMC{LANChannel: 1, Address: "10.9.9.9", AccessMode: "disabled"}, false, ""},
		"no address":   {&snapshot.BMC{LANChannel: 1, Address: "0.0.0.0", AccessMode: "always"}, false, ""},
		"open":         {&snapshot.BMC{LANChannel: 1, Address: "10.9.9.9", AccessMode: "always"}, false, "docker0 udp 623 reachable, docker0 tcp 443 reachable"},
		"closed":       {&snapshot.BMC{LANChannel: 1, Address: "10.9.9.9", AccessMode: "always"}, true, "docker0 udp 623 unreachable, docker0 tcp 443 unreachable"},
	} {
		s := fixtures.Host()
		s.IPMI.BMC = c.bmc
		if c.hook {
			s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, ruleset.Table{Family: ruleset.FamilyInet, Name: "x", Chains: []ruleset.Chain{
				{Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: ruleset.Drop}},
			}})
		}
		var got []string
		for _, w := range build(t.Context(), s, zones.Config{}).doc.BMCWays {
			got = append(got, w.From+" "+w.Service+" "+string(w.Reach.Verdict))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
