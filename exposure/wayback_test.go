package exposure

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestAnswersThatAreStopped: where the host lets no answer of TCP out to a sender it is not said to be reached; of UDP one packet is enough.
func TestAnswersThatAreStopped(t *testing.T) {
	for name, c := range map[string]struct {
		hook   string
		policy string
		from   string
		to     string
		proto  string
		want   packet.Verdict
	}{
		"answers pass":            {"output", ruleset.Accept, "203.0.113.9/32", "203.0.113.1", "tcp", packet.Reachable},
		"answers of the host":     {"output", ruleset.Drop, "203.0.113.9/32", "203.0.113.1", "tcp", packet.Unknown},
		"many senders":            {"output", ruleset.Drop, "203.0.113.0/24", "203.0.113.1", "tcp", packet.Unknown},
		"one packet is enough":    {"output", ruleset.Drop, "203.0.113.9/32", "203.0.113.1", "udp", packet.Reachable},
		"answers to be forwarded": {"prerouting", ruleset.Accept, "203.0.113.9/32", "10.0.0.2", "tcp", packet.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.NFTables.Ruleset = table(c.hook, c.policy)
			if c.hook == "prerouting" {
				s.NFTables.Ruleset = table(c.hook, c.policy, join(from4("10.0.0.2"), dropped))
			}
			a := ask(t, s, &reach.Question{From: at(ext0, c.from), Proto: c.proto, Dport: 22, Unbound: true, To: toAddr(c.to)})
			if a.Verdict != c.want {
				t.Errorf("%s, %s", a.Verdict, reasons(a))
			}
		})
	}
}

// TestSendersThatAreAnswered: a sender for whom there is no way back is no proof that another one is not answered.
func TestSendersThatAreAnswered(t *testing.T) {
	s := host()
	s.Network.Routes = append(s.Network.Routes[:0:0], s.Network.Routes...)
	for i := range s.Network.Routes {
		if r := &s.Network.Routes[i]; r.Dst == "0.0.0.0/0" {
			r.Type, r.Oifs, r.Gateway = "blackhole", nil, ""
		}
	}
	a := ask(t, s, &reach.Question{From: at(ext0, "0.0.0.0/0"), Family: 4, Proto: "tcp", Dport: 22, Unbound: true, To: toAddr("203.0.113.1")})
	if a.Verdict != packet.Reachable || a.Witness == nil || !prefixes("203.0.113.0/24")[0].Contains(a.Witness.Src) {
		t.Errorf("%s by %v, %s", a.Verdict, a.Witness, reasons(a))
	}
}

// TestPortsThatAreLed: a socket that is bound to an interface leads the answers of its port of TCP, and one with a mark where rules ask for marks. Sockets are
// gone through once for all questions.
func TestPortsThatAreLed(t *testing.T) {
	for name, c := range map[string]struct {
		socket snapshot.Socket
		rule   snapshot.PolicyRule
		want   bool
	}{
		"of no interface":       {snapshot.Socket{Proto: "tcp", Port: 80, Mark: new(uint32(0))}, snapshot.PolicyRule{}, false},
		"of an interface":       {snapshot.Socket{Proto: "tcp", Port: 80, Device: "ext0", Mark: new(uint32(0))}, snapshot.PolicyRule{}, true},
		"of UDP":                {snapshot.Socket{Proto: "udp", Port: 80, Device: "ext0", Mark: new(uint32(0))}, snapshot.PolicyRule{}, false},
		"of another port":       {snapshot.Socket{Proto: "tcp", Port: 81, Device: "ext0", Mark: new(uint32(0))}, snapshot.PolicyRule{}, false},
		"marked, nobody asks":   {snapshot.Socket{Proto: "tcp", Port: 80, Mark: new(uint32(7))}, snapshot.PolicyRule{}, false},
		"marked, a rule asks":   {snapshot.Socket{Proto: "tcp", Port: 80, Mark: new(uint32(7))}, snapshot.PolicyRule{Mark: 7}, true},
		"unmarked, a rule asks": {snapshot.Socket{Proto: "tcp", Port: 80, Mark: new(uint32(0))}, snapshot.PolicyRule{Mark: 7}, false},
		"unread, a rule asks":   {snapshot.Socket{Proto: "tcp", Port: 80}, snapshot.PolicyRule{Mark: 7}, true},
	} {
		s := host()
		s.NFTables.Ruleset = table("input", ruleset.Accept)
		s.Listeners.Sockets, s.Network.Rules = []snapshot.Socket{c.socket}, []snapshot.PolicyRule{c.rule}
		p := &party{side: &side{snap: s}}
		if got := p.led(80); got != c.want {
			t.Errorf("%s: led is %v, want %v", name, got, c.want)
		}
		if s.Listeners.Sockets = nil; p.led(80) != c.want {
			t.Errorf("%s: sockets are gone through again", name)
		}
	}
}
