package judge

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestNamesTakeNothingAway: the name of a process hides no port that is known, and only root's daemon is believed about certificates.
func TestNamesTakeNothingAway(t *testing.T) {
	for name, c := range map[string]struct {
		comm   string
		uid    int
		word   snapshot.Word
		port   int
		class  string
		verify string
	}{
		"dockerd":             {"dockerd", 0, snapshot.Word{By: snapshot.ByRoot}, 2376, "runtime-api", "true"},
		"a user runs it":      {"dockerd", 1001, snapshot.Word{By: snapshot.ByRoot}, 2376, "runtime-api", "unknown"},
		"a user's own":        {"dockerd", 1001, snapshot.WordOf(1001), 2376, "runtime-api", "unknown"},
		"root runs a user's":  {"dockerd", 0, snapshot.WordOf(1001), 2376, "runtime-api", "unknown"},
		"named for another":   {"omix", 1001, snapshot.WordOf(1001), 2375, "runtime-api", "unknown"},
		"a name still counts": {"dockerd", 1001, snapshot.WordOf(1001), 4243, "runtime-api", "unknown"},
	} {
		s := fixtures.Host()
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 77, Comm: c.comm, UID: c.uid, ExeWord: c.word})
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: c.port, OwnerState: "seen", Owners: []snapshot.Owner{{PID: 77, Comm: c.comm}},
		})
		s.Runtimes.TLS = []snapshot.DaemonTLS{{PID: 77, Verify: snapshot.Fact{State: snapshot.Present, Value: "true"}, Word: c.word}}
		doc := build(t.Context(), s, zones.Config{}).doc
		for _, svc := range doc.Services {
			if svc.Port == c.port && (svc.Class != c.class || svc.TLSVerify != c.verify) {
				t.Errorf("%s: %s %s", name, svc.Class, svc.TLSVerify)
			}
		}
	}
}

// TestServiceWithoutAnOwnerMayBeAnAgents: a socket that nobody has open is no reason to pass an agent.
func TestServiceWithoutAnOwnerMayBeAnAgents(t *testing.T) {
	for state, want := range map[snapshot.OwnerState]int{snapshot.OwnersUnknown: 1, snapshot.OwnersKernel: 0} {
		s := fixtures.Host()
		s.NFTables.Ruleset = new(ruleset.Ruleset)
		s.Agents.Instances = []snapshot.Agent{{Runtime: "ollama", Title: "Ollama", DefaultAuth: "none"}}
		s.Listeners.Sockets = append(s.Listeners.Sockets,
			snapshot.Socket{Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 11434, OwnerState: state},
			snapshot.Socket{Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "127.0.0.1", Port: 11435, OwnerState: state})
		doc := build(t.Context(), s, zones.Config{}).doc
		if got := doc.Agents[0].Unseen; len(got) != want {
			t.Errorf("%s: %q", state, got)
		}
	}
}
