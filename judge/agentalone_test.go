package judge

import (
	"encoding/json"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// agentHost is the host of the fixtures with an agent of root's and a socket.
func agentHost(sk snapshot.Socket) *snapshot.Snapshot {
	s := fixtures.Host()
	s.Agents.Instances = []snapshot.Agent{{Runtime: "openclaw", Title: "OpenClaw gateway", Kind: "gateway", PID: 70, Ports: []int{18789}}}
	s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 70, PPID: 1, Comm: "openclaw-gatewa", NS: snapshot.NS{User: s.Processes.Init.User}})
	sk.Netns, sk.Proto, sk.Family = s.Network.HostNetns(), "tcp", 4
	s.Listeners.Sockets = append(s.Listeners.Sockets, sk)
	return s
}

// TestAgentsWithoutThePacketFilter: what an agent runs as and where it listens needs no packet filter. A socket whose owner an ordinary user
// does not see is the agent's by its port and its uid; what gets there is unknown.
func TestAgentsWithoutThePacketFilter(t *testing.T) {
	s := agentHost(snapshot.Socket{Addr: "0.0.0.0", Port: 18789, OwnerState: snapshot.OwnersUnknown})
	for i := range s.Coverage {
		if c := &s.Coverage[i]; c.Collector == "nftables" {
			c.Status = snapshot.Denied
		}
	}
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
	b.services()
	b.agentList()
	if p := b.doc.AgentPrograms; len(p) != 1 || p[0].UID != 0 || !p[0].HostUser {
		t.Fatalf("%+v", p)
	}
	l := b.doc.AgentListeners
	if len(l) != 1 || !l[0].Guessed || l[0].Loopback || l[0].Open[zones.External] != string(packet.Unknown) {
		t.Errorf("%+v", l)
	}
	s.Listeners.Sockets[len(s.Listeners.Sockets)-1].UID = 1001
	b = newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
	b.services()
	b.agentList()
	if l := b.doc.AgentListeners; len(l) != 0 {
		t.Errorf("another user's socket is the agent's: %+v", l)
	}
}

// TestSocketsOfWhatAnAgentStarted: the socket of npx is held by the program behind its shell. What an agent for the command line starts is no
// interface of its own, and the next agent has its own sockets.
func TestSocketsOfWhatAnAgentStarted(t *testing.T) {
	for name, c := range map[string]struct {
		kind  string
		inner bool // the program behind the shell is an agent too
		want  int
	}{
		"npx":                   {"tool", false, 1},
		"the next agent":        {"tool", true, 0},
		"started by the prompt": {"cli", false, 0},
	} {
		s := agentHost(snapshot.Socket{Addr: "0.0.0.0", Port: 8931, OwnerState: snapshot.OwnersSeen, Owners: []snapshot.Owner{{PID: 72, Comm: "node"}}})
		s.Agents.Instances[0].Kind, s.Agents.Instances[0].Ports = c.kind, nil
		s.Processes.List = append(s.Processes.List, snapshot.Process{PID: 71, PPID: 70, Comm: "sh"}, snapshot.Process{PID: 72, PPID: 71, Comm: "node"})
		if c.inner {
			s.Agents.Instances = append(s.Agents.Instances, snapshot.Agent{Runtime: "mcp", Title: "MCP", Kind: "tool", PID: 72})
		}
		b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
		b.services()
		b.agentList()
		for _, a := range b.doc.Agents {
			if a.Runtime == "openclaw" && len(a.Services) != c.want {
				t.Errorf("%s: %d services, want %d", name, len(a.Services), c.want)
			}
		}
	}
}

// TestFindingNamesItsZones: of one resource there is one finding, and it names every zone that it is about, the worst first.
func TestFindingNamesItsZones(t *testing.T) {
	a := new(answer)
	text := `{"finding": [
		{"message": "is reachable from the workload zone", "zone": "workload"},
		{"message": "is reachable from the external zone", "zone": "external"},
		{"message": "is reachable from the management zone", "zone": "management"}]}`
	if err := json.Unmarshal([]byte(text), a); err != nil {
		t.Fatal(err)
	}
	got := findings(&Check{ID: "x/y", Severity: "high"}, a, "", nil)
	if len(got) != 1 || got[0].Zone != "external" || len(got[0].Zones) != 3 ||
		got[0].Message != "is reachable from the external zone (and from the workload and management zones)" {
		t.Errorf("%+v", got)
	}
}
