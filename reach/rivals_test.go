package reach

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// TestSocketsOfOnePort: the kernel gives a packet to the socket that fits it best. Another one of the port is not reached by
// that, but by what is for many hosts, which every socket of datagrams gets. The tracer and the proof agree.
func TestSocketsOfOnePort(t *testing.T) {
	dual := snapshot.Socket{Proto: "udp", Family: 6, Addr: "::", Port: 5353}
	four := snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 5353}
	as := func(sk snapshot.Socket, proto, addr, device string) snapshot.Socket {
		sk.Proto, sk.Addr, sk.Device = proto, addr, device
		return sk
	}
	for name, c := range map[string]struct {
		socket, rival snapshot.Socket
		v4            bool
		want          packet.Verdict
		toMany        bool // the witness is a broadcast
	}{
		"of both families beside one of IPv4": {dual, four, true, packet.Reachable, true},
		"the one of IPv4":                     {four, dual, true, packet.Reachable, false},
		"over IPv6":                           {dual, four, false, packet.Reachable, false},
		"TCP":                                 {as(dual, "tcp", "::", ""), as(four, "tcp", "0.0.0.0", ""), true, packet.Unreachable, false},
		"beside one of another address":       {as(four, "tcp", "0.0.0.0", ""), as(four, "tcp", "10.10.0.1", ""), true, packet.Reachable, false},
		"beside one of the device":            {as(four, "tcp", "0.0.0.0", ""), as(four, "tcp", "0.0.0.0", "ext0"), true, packet.Unreachable, false},
		"beside one of another device":        {as(four, "tcp", "0.0.0.0", ""), as(four, "tcp", "0.0.0.0", "mgmt0"), true, packet.Reachable, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixtures.Host()
			s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
			listening(s, c.socket, c.rival)
			sk := &s.Listeners.Sockets[0]
			o := packet.Origin{Index: s.Network.LinkNamed("ext0").Index, From: anybody}
			for how, a := range waysToAsk(NewModel(s), o, sk, c.v4) {
				if how == "Ask about the port" { // it is about both
					continue
				}
				if a.Verdict != c.want {
					t.Errorf("%s: %s, want %s: %v %v %v", how, a.Verdict, c.want, a.Witness, a.StoppedBy, a.Because)
				}
				if a.Witness == nil {
					continue
				}
				f := trace.New(s).Packet(a.Witness)
				if !slices.Contains(f.Takers(), trace.SocketNames(sk)[0]) || c.toMany != (len(f.Others) > 0) {
					t.Errorf("%s: the witness %s ends %+v", how, a.Witness, f)
				}
			}
			if a := waysToAsk(NewModel(s), o, sk, c.v4)["Reach"]; c.want == packet.Unreachable {
				proven(t, name, s, sk, a.Certificate)
			}
		})
	}
}

// TestEverySocketGetsABroadcast: the tracer names all sockets of datagrams that get a packet for many hosts.
func TestEverySocketGetsABroadcast(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	listening(s, snapshot.Socket{Proto: "udp", Family: 6, Addr: "::", Port: 5353}, snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 5353})
	p, err := packet.Parse("ext0", "udp 203.0.113.9:40000 > 203.0.113.255:5353")
	if err != nil {
		t.Fatal(err)
	}
	f := trace.New(s).Packet(p)
	if want := []string{"udp 0.0.0.0:5353", "udp [::]:5353"}; !slices.Equal(f.Takers(), want) {
		t.Errorf("%v get it, want %v", f.Takers(), want)
	}
}
