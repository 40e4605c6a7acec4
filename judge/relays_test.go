package judge

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// contained is a host with an agent in a container of its own network namespace, which listens at port 8080 and whose runtime has the
// default port 8000.
func contained() *snapshot.Snapshot {
	s := fixtures.Host()
	behind(s, 7001, -1, nil)
	s.Namespaces[0].Network.Links[1].Addrs = []string{"172.17.1.8/16"}
	root := snapshot.Word{By: snapshot.ByRoot}
	conmon := snapshot.Process{PID: 70, PPID: 1, Comm: "conmon", Exe: "/usr/bin/conmon", ExeWord: root, NS: s.Processes.Init}
	agent := snapshot.Process{PID: 77, PPID: 71, Comm: "python3", Exe: "/usr/bin/python3", ExeWord: root, Container: "c1", ContainerWord: root}
	agent.NS.Net = 7001
	parent := agent
	parent.PID, parent.PPID, parent.Comm = 71, 70, "tini"
	other := snapshot.Process{PID: 80, PPID: 1, Comm: "conmon", Exe: "/usr/bin/conmon", ExeWord: root, NS: s.Processes.Init}
	users := snapshot.Process{PID: 90, PPID: 1, UID: 1001, Comm: "docker-proxy", Exe: "/home/mal/docker-proxy", ExeWord: snapshot.WordOf(1001), NS: s.Processes.Init}
	proxy := snapshot.Process{PID: 60, PPID: 1, Comm: "docker-proxy", Exe: "/usr/bin/docker-proxy", ExeWord: root, NS: s.Processes.Init}
	s.Processes.List = append(s.Processes.List, conmon, parent, agent, other, users, proxy)
	s.Agents.Instances = append(s.Agents.Instances, snapshot.Agent{
		Runtime: "vllm", Title: "vLLM", Kind: "model", PID: 77, Container: "c1", DefaultAuth: "none", Ports: []int{8000}, Auth: snapshot.Fact{State: snapshot.Absent},
	})
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
		Netns: 7001, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 8080, OwnerState: "seen", Owners: []snapshot.Owner{{PID: 77, Comm: "python3"}},
	})
	return s
}

// TestWhichSocketsOfTheHostAreAnAgents: what tells where it leads is an agent's if it leads there, whatever the port. What does not tell
// is one's by the port and by who runs it.
func TestWhichSocketsOfTheHostAreAnAgents(t *testing.T) {
	for name, c := range map[string]struct {
		pid   int
		comm  string
		port  int
		relay *snapshot.Relay
		want  bool
	}{
		"a proxy that leads there":                {60, "docker-proxy", 3000, &snapshot.Relay{Program: "docker-proxy", Addr: "172.17.1.8", Port: 8080}, true},
		"a proxy to another port of it":           {60, "docker-proxy", 8000, &snapshot.Relay{Program: "docker-proxy", Addr: "172.17.1.8", Port: 8081}, false},
		"another container's proxy":               {60, "docker-proxy", 8000, &snapshot.Relay{Program: "docker-proxy", Addr: "172.17.1.9", Port: 8000}, false},
		"a proxy that does not tell":              {60, "docker-proxy", 8000, &snapshot.Relay{Program: "docker-proxy"}, true},
		"a proxy of an older snapshot":            {60, "docker-proxy", 8000, nil, true},
		"such a proxy at another port":            {60, "docker-proxy", 8001, nil, false},
		"Podman's keeper of the container":        {70, "conmon", 8000, nil, true},
		"Podman's keeper of another container":    {80, "conmon", 8000, nil, false},
		"a proxy of a user's":                     {90, "docker-proxy", 8000, nil, false},
		"a proxy of a user's that says it leads":  {90, "docker-proxy", 3000, &snapshot.Relay{Program: "docker-proxy", Addr: "172.17.1.8", Port: 8080}, false},
		"another program at the port":             {60, "nginx", 8000, nil, false},
		"RootlessKit's, which does not tell":      {60, "rootlessport", 8000, &snapshot.Relay{Program: "rootlessport"}, true},
		"RootlessKit's, at a port of another one": {60, "rootlessport", 8001, &snapshot.Relay{Program: "rootlessport"}, false},
	} {
		s := contained()
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: c.port, OwnerState: "seen",
			Owners: []snapshot.Owner{{PID: c.pid, Comm: c.comm}}, Relay: c.relay,
		})
		d := build(t.Context(), s, zones.Config{}).doc.Agents[0]
		has := func(port int, namespace string) bool {
			return slices.ContainsFunc(d.Services, func(v DocService) bool { return v.Port == port && v.Namespace == namespace })
		}
		if got := has(c.port, ""); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if !has(8080, "container c1") {
			t.Errorf("%s: the agent's own socket is not among %d", name, len(d.Services))
		}
	}
}

// TestWhatMayLeadToAnAgent: a program that does not tell where it passes connections on may lead to an agent that a program feeds, and not
// to one behind a pair of interfaces.
func TestWhatMayLeadToAnAgent(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *snapshot.Snapshot)
		want   int
	}{
		{"behind a pair", func(*snapshot.Snapshot) {}, 0},
		{"fed by a program", func(s *snapshot.Snapshot) { s.Namespaces[0].Network.Links[1].Kind = "tun" }, 1},
		{"in a namespace that was not read", func(s *snapshot.Snapshot) { s.Namespaces[0].Status = snapshot.Denied }, 1},
		{"a relay on loopback", func(s *snapshot.Snapshot) {
			s.Namespaces[0].Network.Links[1].Kind = "tun"
			s.Listeners.Sockets[len(s.Listeners.Sockets)-1].Addr = "127.0.0.1"
		}, 0},
		{"a relay of another user", func(s *snapshot.Snapshot) {
			s.Namespaces[0].Network.Links[1].Kind = "tun"
			s.Listeners.Sockets[len(s.Listeners.Sockets)-1].Owners[0].PID = 90
		}, 0},
		{"a relay that tells", func(s *snapshot.Snapshot) {
			s.Namespaces[0].Network.Links[1].Kind = "tun"
			s.Listeners.Sockets[len(s.Listeners.Sockets)-1].Relay.Addr = "172.17.1.9"
		}, 0},
	} {
		s := contained()
		s.NFTables.Ruleset.Tables[0].Chains[0].Base.Policy = "accept"
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 8026, OwnerState: "seen",
			Owners: []snapshot.Owner{{PID: 60, Comm: "slirp4netns"}}, Relay: &snapshot.Relay{Program: "slirp4netns"},
		})
		c.change(s)
		if d := build(t.Context(), s, zones.Config{}).doc.Agents[0]; len(d.Maybe) != c.want {
			t.Errorf("%s: %+v", c.name, d.Maybe)
		}
	}
}
