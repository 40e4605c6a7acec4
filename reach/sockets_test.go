package reach

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/certificate"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

var anybody = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// listening gives a host the sockets, in its own namespace, and no others.
func listening(s *snapshot.Snapshot, sockets ...snapshot.Socket) {
	for i := range sockets {
		sockets[i].Netns = s.Network.HostNetns()
	}
	s.Listeners.Sockets = sockets
}

// waysToAsk is the ways to ask about a socket that alone has its port: each walks the same way.
func waysToAsk(m *Model, o packet.Origin, sk *snapshot.Socket, v4 bool) map[string]Answer {
	family := map[bool]int{true: 4, false: 6}[v4]
	q := Question{From: []packet.Origin{o}, Proto: sk.Proto, To: Target{Host: true}, Family: family}
	byPort, bySocket := q, q
	byPort.Dport, bySocket.Sockets = sk.Port, []*snapshot.Socket{sk}
	proof := bySocket
	return map[string]Answer{
		"Socket": m.Socket(o, sk, v4), "Sweep": m.Sweep(o, sk, v4, []int{sk.Port, sk.Port + 1, 9}).Port(sk.Port),
		"Ask about the port": m.Ask(&byPort), "Ask about the socket": m.Ask(&bySocket), "Reach": m.Reach(&proof),
	}
}

// dropping is a ruleset that drops on the input hook what each of the matches is about.
func dropping(rules ...[]ruleset.Expr) *ruleset.Ruleset {
	c := ruleset.Chain{Name: "input", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Accept}}
	for _, r := range rules {
		c.Rules = append(c.Rules, fixtures.Rule(&c, r, fixtures.VerdictOf(ruleset.Drop)))
	}
	return &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{c}}}}
}

// toAddr compares the destination with an address.
func toAddr(text string) []ruleset.Expr {
	a := netip.MustParseAddr(text)
	family, off := byte(2), uint32(16)
	if a.Is6() {
		family, off = 10, 24
	}
	b := a.AsSlice()
	return []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaNfproto, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: []byte{family}}},
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: off, Len: uint32(len(b)), Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Op: ruleset.OpEq, Sreg: 1, Data: b}},
	}
}

// scene is a host and a socket of it, and what a packet shows of whether the socket is reached.
type scene struct {
	change func(*snapshot.Snapshot)
	socket snapshot.Socket
	from   string // an interface, or "local"
	v4     bool
	want   packet.Verdict
	// sent is packets to the socket, one at least of which trace delivers if the socket is reachable.
	sent []string
}

func (c *scene) check(t *testing.T) {
	t.Helper()
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	listening(s, c.socket)
	c.change(s)
	o := packet.Origin{Local: true}
	if c.from != "local" {
		o = packet.Origin{Index: s.Network.LinkNamed(c.from).Index, From: anybody}
	}
	for how, a := range waysToAsk(NewModel(s), o, &s.Listeners.Sockets[0], c.v4) {
		if a.Verdict != c.want {
			t.Errorf("%s: %s, want %s: %v %v %v", how, a.Verdict, c.want, a.Witness, a.StoppedBy, a.Because)
		}
		if how == "Reach" && c.want == packet.Unreachable && c.from != "local" {
			proven(t, how, s, &s.Listeners.Sockets[0], a.Certificate)
		}
		if a.Witness != nil && !delivered(trace.New(s), a.Witness) {
			t.Errorf("%s: the witness %s ends %+v", how, a.Witness, trace.New(s).Packet(a.Witness))
		}
	}
	arrived := false
	for _, text := range c.sent {
		p, err := packet.Parse(c.from, text)
		if err != nil {
			t.Fatal(err)
		}
		arrived = arrived || delivered(trace.New(s), p)
	}
	if arrived != (c.want == packet.Reachable) {
		t.Errorf("trace delivers %v: %v, want %s", c.sent, arrived, c.want)
	}
}

func delivered(tr *trace.Tracer, p *packet.Packet) bool {
	f := tr.Packet(p)
	return f.Fate == trace.Local && f.Socket != trace.NoSocket && f.Socket != trace.UnknownSocket
}

// proven has the proof of an unreachable answer re-checked.
func proven(t *testing.T, name string, s *snapshot.Snapshot, sk *snapshot.Socket, list []packet.Certificate) {
	t.Helper()
	if len(list) == 0 {
		t.Errorf("%s: unreachable without a certificate", name)
	}
	target := &certificate.Target{Host: true, Sockets: trace.SocketNames(sk), Ports: []int{sk.Port}}
	for i := range list {
		if err := certificate.NewChecker(s).Check(target, &list[i]); err != nil && !errors.Is(err, certificate.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ipmi is the port of a BMC's console.
var ipmi = snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 623}

// ownDropped drops what is for the host's own addresses and its broadcasts; 0.0.0.0 is none of them.
func ownDropped(s *snapshot.Snapshot) {
	var rules [][]ruleset.Expr
	for _, a := range []string{
		"10.10.0.1", "10.10.0.255", "203.0.113.1", "203.0.113.255", "172.17.0.1", "172.17.255.255", "255.255.255.255",
	} {
		rules = append(rules, toAddr(a))
	}
	s.NFTables.Ruleset = dropping(rules...)
	for i := range s.Network.Links {
		s.Network.Links[i].Groups = []snapshot.MulticastGroup{{Addr: "224.0.0.1"}}
	}
	c := &s.NFTables.Ruleset.Tables[0].Chains[0]
	c.Rules = append(c.Rules, fixtures.Rule(c, toAddr("224.0.0.1"), fixtures.VerdictOf(ruleset.Drop)))
}

// TestNobodyIsAtTheZeroAddress: 0.0.0.0 is no destination but for a sender without an address (ip_route_input_slow), so that a
// socket whose other addresses are dropped is reached by such a sender alone, if by anybody.
func TestNobodyIsAtTheZeroAddress(t *testing.T) {
	(&scene{
		change: func(s *snapshot.Snapshot) {
			ownDropped(s)
			c := &s.NFTables.Ruleset.Tables[0].Chains[0]
			zero := toAddr("0.0.0.0")
			zero[2].Payload.Offset = 12
			c.Rules = append(c.Rules, fixtures.Rule(c, zero, fixtures.VerdictOf(ruleset.Drop)))
		},
		socket: ipmi, from: "mgmt0", v4: true, want: packet.Unreachable,
		sent: []string{"udp 10.10.0.9:1 > 0.0.0.0:623", "udp 10.10.0.9:1 > 10.10.0.1:623", "udp 0.0.0.0:1 > 0.0.0.0:623"},
	}).check(t)
}

// TestSendersWithoutAddress are heard at 0.0.0.0.
func TestSendersWithoutAddress(t *testing.T) {
	(&scene{
		change: ownDropped, socket: ipmi, from: "mgmt0", v4: true, want: packet.Reachable,
		sent: []string{"udp 0.0.0.0:1 > 0.0.0.0:623"},
	}).check(t)
}

// TestLocalRoutesOfPolicyTables: a table that a policy rule leads to can have the host take packets for any address (RTN_LOCAL).
func TestLocalRoutesOfPolicyTables(t *testing.T) {
	deliver := func(s *snapshot.Snapshot) {
		s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: 100, Action: "lookup", Table: 100})
		s.Network.Routes = append(s.Network.Routes,
			snapshot.Route{Family: 4, Table: 100, Type: "local", Dst: "198.51.100.7/32", Oifs: []int{1}},
			snapshot.Route{Family: 4, Table: 77, Type: "local", Dst: "198.51.100.8/32", Oifs: []int{1}})
	}
	yes, no := true, false
	web := snapshot.Socket{Proto: "tcp", Family: 4, Addr: "198.51.100.7", Port: 80, Transparent: &yes}
	(&scene{
		change: deliver, socket: web, from: "mgmt0", v4: true, want: packet.Reachable, sent: []string{"tcp 10.10.0.9:1 > 198.51.100.7:80 syn"},
	}).check(t)
	web.Transparent = &no // it cannot answer from there
	(&scene{
		change: deliver, socket: web, from: "mgmt0", v4: true, want: packet.Unreachable, sent: []string{"tcp 10.10.0.9:1 > 198.51.100.7:80 syn"},
	}).check(t)
	web.Addr = "198.51.100.8" // of a table that no rule leads to
	(&scene{
		change: deliver, socket: web, from: "mgmt0", v4: true, want: packet.Unreachable, sent: []string{"tcp 10.10.0.9:1 > 198.51.100.8:80 syn"},
	}).check(t)
	any4 := snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 80}
	(&scene{
		change: func(s *snapshot.Snapshot) {
			ownDropped(s)
			deliver(s)
		}, socket: any4, from: "mgmt0", v4: true, want: packet.Reachable, sent: []string{"udp 10.10.0.9:1 > 198.51.100.7:80"},
	}).check(t)
}

// TestPolicyRulesBeforeTheLocalTable: the host's own address is another's where a rule sends it elsewhere first.
func TestPolicyRulesBeforeTheLocalTable(t *testing.T) {
	(&scene{
		change: func(s *snapshot.Snapshot) {
			for i := range s.Network.Rules {
				if r := &s.Network.Rules[i]; r.Family == 4 && r.Table == 255 {
					r.Priority = 50
				}
			}
			s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: 10, Action: "blackhole", Iif: "mgmt0", Dst: "10.10.0.0/24"})
		},
		socket: snapshot.Socket{Proto: "tcp", Family: 4, Addr: "10.10.0.1", Port: 22}, from: "mgmt0", v4: true, want: packet.Unreachable,
		sent: []string{"tcp 10.10.0.9:1 > 10.10.0.1:22 syn"},
	}).check(t)
}

// TestLinkLocalSockets: a link-local destination is looked up on the interface that it came in by (rt6_need_strict).
func TestLinkLocalSockets(t *testing.T) {
	none := func(*snapshot.Snapshot) {}
	own := snapshot.Socket{Proto: "tcp", Family: 6, Addr: "fe80::8cdd:c8ff:fe9f:f7be", Port: 22, Device: "mgmt0"}
	(&scene{
		change: none, socket: own, from: "mgmt0", want: packet.Reachable, sent: []string{"tcp [fe80::9]:1 > [fe80::8cdd:c8ff:fe9f:f7be]:22 syn"},
	}).check(t)
	(&scene{
		change: none, socket: own, from: "ext0", want: packet.Unreachable, sent: []string{"tcp [fe80::9]:1 > [fe80::8cdd:c8ff:fe9f:f7be]:22 syn"},
	}).check(t)
	own.Device = ""
	(&scene{
		change: none, socket: own, from: "ext0", want: packet.Unreachable, sent: []string{"tcp [fe80::9]:1 > [fe80::8cdd:c8ff:fe9f:f7be]:22 syn"},
	}).check(t)
}

// TestAnycastIsForDatagrams: what is for an address of many hosts no listener of TCP takes (tcp_v6_conn_request).
func TestAnycastIsForDatagrams(t *testing.T) {
	anycast := func(s *snapshot.Snapshot) {
		s.NFTables.Ruleset = dropping()
		base := s.NFTables.Ruleset.Tables[0].Chains[0].Base
		base.Policy = ruleset.Drop
		c := &s.NFTables.Ruleset.Tables[0].Chains[0]
		c.Rules = append(c.Rules, fixtures.Rule(c, toAddr("fd00:7::"), fixtures.VerdictOf(ruleset.Accept)))
		s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 6, Table: 255, Type: "anycast", Dst: "fd00:7::/128", Oifs: []int{2}})
	}
	sk := snapshot.Socket{Proto: "udp", Family: 6, Addr: "::", Port: 53}
	(&scene{change: anycast, socket: sk, from: "mgmt0", want: packet.Reachable, sent: []string{"udp [fd00:7::9]:1 > [fd00:7::]:53"}}).check(t)
	sk.Proto = "tcp"
	(&scene{change: anycast, socket: sk, from: "mgmt0", want: packet.Unreachable, sent: []string{"tcp [fd00:7::9]:1 > [fd00:7::]:53 syn"}}).check(t)
}

// TestOwnProcessesHaveAllAddresses: a process of the host may send from any of its addresses to any other.
func TestOwnProcessesHaveAllAddresses(t *testing.T) {
	accept := func(s *snapshot.Snapshot) { // only what the host sends itself from another address
		s.NFTables.Ruleset = dropping()
		c := &s.NFTables.Ruleset.Tables[0].Chains[0]
		c.Base.Policy = ruleset.Drop
		source := toAddr("10.10.0.1")
		source[2].Payload.Offset = 12
		c.Rules = append(c.Rules, fixtures.Rule(c, source, toAddr("203.0.113.1"), fixtures.VerdictOf(ruleset.Accept)))
	}
	sk := snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 22}
	(&scene{change: accept, socket: sk, from: "local", v4: true, want: packet.Reachable, sent: []string{"tcp 10.10.0.1:1 > 203.0.113.1:22 syn"}}).check(t)
	down := func(s *snapshot.Snapshot) { s.Network.LinkNamed("lo").Up = false }
	(&scene{change: down, socket: sk, from: "local", v4: true, want: packet.Unreachable, sent: []string{"tcp 10.10.0.1:1 > 10.10.0.1:22 syn"}}).check(t)
}

// TestLocalOriginOfSeveralPrefixes: the sources of a process are those in any of the prefixes.
func TestLocalOriginOfSeveralPrefixes(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	o := packet.Origin{Local: true, From: []netip.Prefix{netip.MustParsePrefix("10.10.0.0/24"), netip.MustParsePrefix("203.0.113.0/24")}}
	listening(s, ssh)
	for how, a := range waysToAsk(NewModel(s), o, &s.Listeners.Sockets[0], true) {
		if a.Verdict != packet.Reachable {
			t.Errorf("%s: %s by %v", how, a.Verdict, a.StoppedBy)
		}
	}
}

// TestCopiesOfOwnBroadcasts: the host gets back what a process sends to all of a link, by that link (ip_mc_output).
func TestCopiesOfOwnBroadcasts(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = dropping(fixtures.Named(ruleset.MetaIifname, "lo", ruleset.OpEq))
	listening(s, ipmi)
	for how, a := range waysToAsk(NewModel(s), packet.Origin{Local: true}, &s.Listeners.Sockets[0], true) {
		if a.Verdict != packet.Unknown {
			t.Errorf("%s: %s %v %v", how, a.Verdict, a.StoppedBy, a.Because)
		}
	}
}

// randomHost is a host with random rules at the hooks that lead to sockets, and random routing.
func randomHost(r *rand.Rand) *snapshot.Snapshot {
	s := fixtures.Networks(2, r.IntN(3))
	s.NFTables.Ruleset = randomRules(r, s)
	chains := s.NFTables.Ruleset.Tables[0].Chains
	chains[2].Base.Hook, chains[3].Base.Hook = "input", "output"
	if len(s.NFTables.Ruleset.Tables) > 1 {
		if c := s.NFTables.Ruleset.Tables[1].Chains; len(c) > 1 {
			c[1].Base.Hook = "input"
		}
	}
	for i := range s.Network.Links {
		l := &s.Network.Links[i]
		l.Groups = []snapshot.MulticastGroup{{Addr: "224.0.0.1"}, {Addr: "ff02::1"}}
		l.Addrs = append(l.Addrs, fmt.Sprintf("fe80::%x/64", l.Index))
		s.Network.Routes = append(s.Network.Routes,
			snapshot.Route{Family: 6, Table: 255, Type: "local", Dst: fmt.Sprintf("fe80::%x/128", l.Index), Oifs: []int{l.Index}},
			snapshot.Route{Family: 6, Table: 254, Type: "unicast", Dst: "fe80::/64", Oifs: []int{l.Index}})
	}
	s.Network.Rules = append(s.Network.Rules,
		snapshot.PolicyRule{Family: 4, Table: 255, Action: "lookup"}, snapshot.PolicyRule{Family: 4, Priority: 32766, Table: 254, Action: "lookup"},
		snapshot.PolicyRule{Family: 6, Table: 255, Action: "lookup"}, snapshot.PolicyRule{Family: 6, Priority: 32766, Table: 254, Action: "lookup"})
	if r.IntN(3) == 0 {
		s.Network.Rules = append(s.Network.Rules, snapshot.PolicyRule{Family: 4, Priority: 9, Action: "lookup", Table: 100, Mark: uint32(r.IntN(2) * 7), Mask: 255})
		s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 4, Table: 100, Type: "local", Dst: "198.51.100.0/24", Oifs: []int{1}})
	}
	if r.IntN(3) == 0 {
		s.Network.Sysctls["net/ipv4/conf/all/rp_filter"] = snapshot.Fact{State: snapshot.Present, Value: fmt.Sprint(r.IntN(3))}
	}
	listening(s,
		snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 44}, snapshot.Socket{Proto: "tcp", Family: 6, Addr: "::", Port: 45},
		snapshot.Socket{Proto: "udp", Family: 6, Addr: "::", Port: 46}, snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 47},
		snapshot.Socket{Proto: "tcp", Family: 4, Addr: "10.0.1.1", Port: 48}, snapshot.Socket{Proto: "udp", Family: 6, Addr: "fe80::2", Port: 43},
		snapshot.Socket{Proto: "tcp", Family: 4, Addr: "198.51.100.7", Port: 42}, snapshot.Socket{Proto: "udp", Family: 4, Addr: "0.0.0.0", Port: 41, Device: "br0"})
	return s
}

// attempts are packets to a socket from an interface, also for odd addresses.
func attempts(s *snapshot.Snapshot, in string, sk *snapshot.Socket, v4 bool) (list []*packet.Packet) {
	from := []string{"10.0.0.9", "10.0.1.9", "203.0.113.9", "192.0.2.9", "0.0.0.0"}
	to := []string{"0.0.0.0", "255.255.255.255", "224.0.0.1", "198.51.100.7", "203.0.113.255"}
	if !v4 {
		from, to = []string{"fe80::9", "fd00::9", "2001:db8::9"}, []string{"ff02::1"}
	}
	for i := range s.Network.Links {
		for _, a := range linkAddrs(&s.Network.Links[i], v4) {
			to = append(to, a.Addr().String())
			if in == "local" {
				from = append(from, a.Addr().String())
			}
		}
	}
	for _, src := range from {
		if a := netip.MustParseAddr(src); in == "local" && !s.Network.Has(a) {
			continue
		}
		for _, dst := range to {
			list = append(list, &packet.Packet{
				In: in, Proto: sk.Proto, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Sport: 40000, Dport: uint16(sk.Port),
			})
		}
	}
	return list
}

// TestSocketsAreReachedAsPacketsAre asks about sockets of random hosts by all ways, which have to agree with each other, and with
// what package trace says of witnesses and of many packets.
func TestSocketsAreReachedAsPacketsAre(t *testing.T) {
	verdicts, packets, proofs := map[packet.Verdict]int{}, 0, 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 11))
		s := randomHost(r)
		m, tr := NewModel(s), trace.New(s)
		for _, in := range []string{"ext0", "br0", "br1", "local"} {
			o := packet.Origin{Local: true}
			if in != "local" {
				o = packet.Origin{Index: s.Network.LinkNamed(in).Index, From: anybody}
			}
			for i := range s.Listeners.Sockets {
				sk := &s.Listeners.Sockets[i]
				for _, v4 := range []bool{true, false} {
					name := fmt.Sprintf("seed %d: %s %s port %d, IPv4 %v", seed, in, sk.Proto, sk.Port, v4)
					answers := waysToAsk(m, o, sk, v4)
					a := answers["Socket"]
					verdicts[a.Verdict]++
					for how, b := range answers {
						if b.Verdict != a.Verdict {
							t.Errorf("%s: Socket says %s %v %v %v, %s %s %v %v %v", name, a.Verdict, a.Witness, a.StoppedBy, a.Because, how, b.Verdict, b.Witness, b.StoppedBy, b.Because)
						}
						if b.Witness != nil && !delivered(tr, b.Witness) {
							t.Errorf("%s: %s has the witness %s, which ends %+v", name, how, b.Witness, tr.Packet(b.Witness))
						}
					}
					if in != "local" && a.Verdict == packet.Unreachable && seed%5 == 0 {
						proven(t, name, s, sk, answers["Reach"].Certificate)
						proofs++
					}
					if a.Verdict != packet.Unreachable || seed%4 != 0 {
						continue
					}
					for _, p := range attempts(s, in, sk, v4) {
						packets++
						if delivered(tr, p) {
							t.Errorf("%s: unreachable by %v, but %s arrives", name, a.StoppedBy, p)
						}
					}
				}
			}
		}
	}
	t.Logf("%v, %d packets, %d proofs", verdicts, packets, proofs)
	for _, v := range []packet.Verdict{packet.Reachable, packet.Unreachable, packet.Unknown} {
		if verdicts[v] < 100 {
			t.Errorf("%d answers are %s: too few to compare", verdicts[v], v)
		}
	}
}

// TestSocketsOfFixtures compares the ways to ask about every socket of the recorded host, from everywhere.
func TestSocketsOfFixtures(t *testing.T) {
	s := fixtures.Host()
	own := slices.DeleteFunc(slices.Clone(s.Listeners.Sockets), func(sk snapshot.Socket) bool { return sk.Netns != s.Network.HostNetns() })
	listening(s, append(own, ipmi, snapshot.Socket{Proto: "tcp", Family: 6, Addr: "::", Port: 8080})...)
	m := NewModel(s)
	for i := range s.Listeners.Sockets {
		sk := &s.Listeners.Sockets[i]
		for _, l := range s.Network.Links {
			for _, v4 := range []bool{true, false} {
				answers := waysToAsk(m, packet.Origin{Index: l.Index, From: anybody}, sk, v4)
				for how, a := range answers {
					if a.Verdict != answers["Socket"].Verdict {
						t.Errorf("%s port %d, IPv4 %v: %s says %s, Socket %s", l.Name, sk.Port, v4, how, a.Verdict, answers["Socket"].Verdict)
					}
				}
			}
		}
	}
}

// TestMPTCPListensByOneSocket: the kernel tells of a socket of MPTCP and of the one of TCP that it listens by. Both are one.
func TestMPTCPListensByOneSocket(t *testing.T) {
	m := snapshot.Socket{Proto: "mptcp", Family: 6, Addr: "::1", Port: 9001, Inode: 7}
	tcp := snapshot.Socket{Proto: "tcp", Family: 6, Addr: "::1", Port: 9001, V6Only: true, Inode: 7}
	if !alike(&m, &tcp) {
		t.Error("two sockets")
	}
	for _, other := range []snapshot.Socket{
		{Proto: "tcp", Family: 6, Addr: "::1", Port: 9001, V6Only: true, Inode: 8},
		{Proto: "tcp", Family: 6, Addr: "::1", Port: 9001, V6Only: true},
		{Proto: "tcp", Family: 6, Addr: "::1", Port: 9002, V6Only: true, Inode: 7},
	} {
		if alike(&m, &other) {
			t.Errorf("%+v is the same", other)
		}
	}
}
