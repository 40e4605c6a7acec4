package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// relay adds a socket of the host whose owner passes connections on to an address and port.
func relay(s *snapshot.Snapshot, uid, listen int, addr string, port int) int {
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
		Netns: hostInode, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: listen, UID: uid, OwnerState: "seen",
		Relay: &snapshot.Relay{Program: "docker-proxy", Addr: addr, Port: port},
	})
	return len(s.Listeners.Sockets) - 1
}

// published is a container that the host does not forward to, with a listener at port 8080.
func published(uid int) (s *snapshot.Snapshot, socket int) {
	s = host()
	inside(s, 7000, -1) // another one, which is read first
	container(s, 7001, uid)
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	return s, listen(s, 7001, "0.0.0.0", 8080)
}

// both are the answers about a socket of a namespace and those about a relay.
func both(t *testing.T, s *snapshot.Snapshot, socket, relay int, o zones.Origin) (of, by Answer) {
	t.Helper()
	got := New(t.Context(), s, Limits{}, nil).Sockets([]int{socket, relay}, []zones.Origin{o})
	return got[socket][0].Answer, got[relay][0].Answer
}

// TestProxyWithAnotherPort: who reaches the port of Docker's proxy reaches the container, whatever the port there is.
func TestProxyWithAnotherPort(t *testing.T) {
	s, i := published(-1)
	want(t, only(t, s, i, outside, true), packet.Unreachable, "inet t/c#policy")
	j := relay(s, 0, 3000, "10.0.0.2", 8080)
	got, by := both(t, s, i, j, outside)
	want(t, by, packet.Reachable, "")
	want(t, got, packet.Reachable, "")
	if got.Witness != nil && got.Witness.Dport != 3000 {
		t.Errorf("the witness goes to %d", got.Witness.Dport)
	}
}

// TestProxyThatNobodyReaches: a relay that is closed opens nothing, one whose answer is not known leaves the container's open.
func TestProxyThatNobodyReaches(t *testing.T) {
	s, i := published(-1)
	j := relay(s, 0, 3000, "10.0.0.2", 8080)
	closed := table("input", ruleset.Drop)
	s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, closed.Tables...)
	s.NFTables.Ruleset.Tables[1].Name = "in"
	got, _ := both(t, s, i, j, outside)
	want(t, got, packet.Unreachable, "inet t/c#policy")
	s.NFTables.Ruleset.Tables[1].Chains[0].Rules = []ruleset.Rule{{Handle: 1, Exprs: join(undecided, accepted)}}
	got, by := both(t, s, i, j, outside)
	if got.Verdict != packet.Unknown || by.Verdict != packet.Unknown {
		t.Errorf("%s by a relay that is %s", got.Verdict, by.Verdict)
	}
}

// TestRelayOfOneFamily: a relay of IPv4 says nothing about IPv6.
func TestRelayOfOneFamily(t *testing.T) {
	s, i := published(-1)
	s.Listeners.Sockets[i].Family, s.Listeners.Sockets[i].Addr = 6, "::"
	j := relay(s, 0, 3000, "10.0.0.2", 8080)
	for _, of := range New(t.Context(), s, Limits{}, nil).Sockets([]int{i, j}, []zones.Origin{outside})[i] {
		if verdict := map[bool]packet.Verdict{true: packet.Reachable, false: packet.Unreachable}[of.V4]; of.Verdict != verdict {
			t.Errorf("IPv4 %v: %s", of.V4, of.Verdict)
		}
	}
}

// TestWhereARelayLeads: the address has to be one at which the socket takes packets, the port its own, the protocol the same.
func TestWhereARelayLeads(t *testing.T) {
	s, i := published(-1)
	sk := &s.Listeners.Sockets[i]
	for name, c := range map[string]struct {
		r    snapshot.Relay
		want bool
	}{
		"to the socket":          {snapshot.Relay{Addr: "10.0.0.2", Port: 8080}, true},
		"to another port":        {snapshot.Relay{Addr: "10.0.0.2", Port: 8081}, false},
		"to another address":     {snapshot.Relay{Addr: "10.0.0.3", Port: 8080}, false},
		"to another family":      {snapshot.Relay{Addr: "fd00::2", Port: 8080}, false}, // the socket is one of IPv4
		"to where it tells not":  {snapshot.Relay{Program: "rootlessport"}, false},
		"to what is no address":  {snapshot.Relay{Addr: "x", Port: 8080}, false},
		"to the host's loopback": {snapshot.Relay{Addr: "127.0.0.2", Port: 8080}, false},
	} {
		from := &snapshot.Socket{Proto: "tcp", Relay: &c.r}
		if got := LeadsTo(s, from, sk); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if LeadsTo(s, &snapshot.Socket{Proto: "udp", Relay: &snapshot.Relay{Addr: "10.0.0.2", Port: 8080}}, sk) {
		t.Error("another protocol")
	}
	if LeadsTo(s, &snapshot.Socket{Proto: "tcp"}, sk) {
		t.Error("a program that passes nothing on")
	}
	sk.Addr = "127.0.0.1"
	if LeadsTo(s, &snapshot.Socket{Proto: "tcp", Relay: &snapshot.Relay{Addr: "10.0.0.2", Port: 8080}}, sk) {
		t.Error("a socket at another address of the namespace")
	}
}

// TestAUsersRelaySpeaksForItsOwn: the arguments of a user's program say nothing about a container of root's, or of another user. Root's
// speak for all.
func TestAUsersRelaySpeaksForItsOwn(t *testing.T) {
	for _, c := range []struct {
		relay, owner int
		want         packet.Verdict
	}{
		{0, -1, packet.Reachable},
		{0, 1001, packet.Reachable},
		{1001, 1001, packet.Reachable},
		{1001, -1, packet.Unreachable},
		{1001, 1002, packet.Unreachable},
	} {
		s, i := published(c.owner)
		j := relay(s, c.relay, 3000, "10.0.0.2", 8080)
		got, by := both(t, s, i, j, outside)
		want(t, by, packet.Reachable, "")
		if got.Verdict != c.want {
			t.Errorf("uid %d for a container of %d: %s, want %s", c.relay, c.owner, got.Verdict, c.want)
		}
	}
}

// TestRelayInAnotherNamespace: what passes on in a namespace of its own has no port of the host.
func TestRelayInAnotherNamespace(t *testing.T) {
	s, i := published(-1)
	j := relay(s, 0, 3000, "10.0.0.2", 8080)
	wire(s, port1, 7002)
	inside(s, 7002, -1, eth0("10.0.0.3/24"))
	s.Listeners.Sockets[j].Netns = 7002
	got, _ := both(t, s, i, j, outside)
	want(t, got, packet.Unreachable, "inet t/c#policy")
}

// TestRelayBesideTheSocket: a program that passes connections on connects from its own network namespace: to a listener on loopback beside it,
// of a namespace without a network as of the host, and to no other loopback. One that does not tell where leaves open what is there.
func TestRelayBesideTheSocket(t *testing.T) {
	for name, c := range map[string]struct {
		program, socket uint64 // whose namespaces
		addr            string
		want            packet.Verdict
	}{
		"into its own namespace":        {7001, 7001, "127.0.0.1", packet.Reachable},
		"into another one":              {7000, 7001, "127.0.0.1", packet.Unreachable},
		"from the host's":               {0, 7001, "127.0.0.1", packet.Unreachable},
		"on the host":                   {0, hostInode, "127.0.0.1", packet.Reachable},
		"not on the host":               {7001, hostInode, "127.0.0.1", packet.Unreachable},
		"to where it does not tell":     {7001, 7001, "", packet.Unknown},
		"elsewhere, and does not tell":  {7000, 7001, "", packet.Unreachable},
		"to another address that it is": {7001, 7001, "127.0.0.2", packet.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			inside(s, 7000, -1)
			inside(s, 7001, -1)
			i := listen(s, c.socket, "127.0.0.1", 8080)
			port := 8080
			if c.addr == "" {
				port = 0
			}
			j := relay(s, 0, 3000, c.addr, port)
			s.Listeners.Sockets[j].Relay.Netns = c.program
			got, by := both(t, s, i, j, outside)
			want(t, by, packet.Reachable, "")
			want(t, got, c.want, "")
		})
	}
}

// TestRelayOfAnotherFamily: what comes in over IPv6 gets to a socket of IPv4 by a program that takes both.
func TestRelayOfAnotherFamily(t *testing.T) {
	s, i := published(-1)
	j := relay(s, 0, 3000, "10.0.0.2", 8080)
	s.Listeners.Sockets[j].Family, s.Listeners.Sockets[j].Addr = 6, "::"
	list := New(t.Context(), s, Limits{}, nil).Sockets([]int{i, j}, []zones.Origin{outside})[i]
	if len(list) != 2 || list[0].V4 == list[1].V4 {
		t.Fatalf("%+v", list)
	}
	for _, of := range list {
		if of.Verdict != packet.Reachable || of.Witness.Dst.Is4() != of.V4 {
			t.Errorf("IPv4 %v: %s %+v", of.V4, of.Verdict, of.Witness)
		}
	}
}
