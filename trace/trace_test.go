package trace

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

func parsed(t testing.TB, in, text string) *packet.Packet {
	t.Helper()
	p, err := packet.Parse(in, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFatesOfTheBase follows packets over the recorded host.
func TestFatesOfTheBase(t *testing.T) {
	tr := New(fixtures.Host())
	for _, c := range []struct {
		in, text string
		fate     Outcome
	}{
		{"mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn", Local},
		{"ext0", "tcp 203.0.113.9:40000 > 203.0.113.1:22 syn", Drop},
		{"ext0", "tcp 203.0.113.1:40000 > 203.0.113.1:22 syn", Drop},
	} {
		if f := tr.Packet(parsed(t, c.in, c.text)); f.Fate != c.fate {
			t.Errorf("%s: %+v, want %s", c.text, f, c.fate)
		}
	}
	if f := tr.Packet(parsed(t, "nowhere", "tcp 10.10.0.9 > 10.10.0.1:22")); f.Fate != Unknown || !strings.Contains(f.Why, "does not exist") {
		t.Errorf("%+v", f)
	}
}

// TestWhatIsNotReadIsUnknown: none of these may be taken for a fate.
func TestWhatIsNotReadIsUnknown(t *testing.T) {
	for name, change := range map[string]func(*snapshot.Snapshot){
		"nftables denied": func(s *snapshot.Snapshot) { section(s, "nftables").Status = snapshot.Denied },
		"XDP program":     func(s *snapshot.Snapshot) { s.Network.LinkNamed("mgmt0").XDP = true },
		"traffic control": func(s *snapshot.Snapshot) { s.Network.LinkNamed("mgmt0").TC = []string{"clsact bpf"} },
		"legacy filter": func(s *snapshot.Snapshot) {
			s.NFTables.Legacy["iptables"] = snapshot.Fact{State: "present", Value: "filter"}
		},
		"a rule nobody knows": func(s *snapshot.Snapshot) { first(s, ruleset.Expr{Name: "teleport", Raw: ruleset.Hex{1}}) },
		"a limit": func(s *snapshot.Snapshot) {
			first(s, ruleset.Expr{Name: "limit", Limit: &ruleset.Limit{Rate: 1}}, drop)
		},
		"a missing chain": func(s *snapshot.Snapshot) {
			first(s, ruleset.Expr{Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "jump", Chain: "gone"}}})
		},
		"an unknown verdict": func(s *snapshot.Snapshot) {
			first(s, ruleset.Expr{Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "verdict-77"}}})
		},
		"chains that call each other": func(s *snapshot.Snapshot) {
			first(s, ruleset.Expr{Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "goto", Chain: "input"}}})
		},
		"a set of another length": func(s *snapshot.Snapshot) {
			tab := &s.NFTables.Ruleset.Tables[0]
			tab.Sets = append(tab.Sets, ruleset.Set{Name: "odd", KeyLen: 400, Elements: []ruleset.Element{{Key: ruleset.Hex{1}}}})
			first(s, ruleset.Expr{Name: "lookup", Lookup: &ruleset.Lookup{Set: "odd", Sreg: 1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixtures.Host()
			change(s)
			if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown || f.Why == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

var drop = ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "drop"}}}

// first puts a rule before the others of the input chain.
func first(s *snapshot.Snapshot, exprs ...ruleset.Expr) {
	c := s.NFTables.Ruleset.Tables[0].Chain("input")
	c.Rules = append([]ruleset.Rule{{Handle: 1000, Exprs: exprs}}, c.Rules...)
}

func section(s *snapshot.Snapshot, name string) *snapshot.Coverage {
	for i := range s.Coverage {
		if s.Coverage[i].Collector == name {
			return &s.Coverage[i]
		}
	}
	return nil
}

// FuzzPacket reads packets as text and as JSON.
func FuzzPacket(f *testing.F) {
	f.Add("tcp 172.17.0.2:40000 > 10.0.0.1:22 syn")
	f.Add(`{"id":1,"in":"ext0","src":"198.51.100.5","dst":"203.0.113.1","proto":"tcp","sport":40000,"dport":22,"flags":"S"}`)
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := packet.Parse("eth0", s); err == nil {
			if q, err := packet.Parse("eth0", p.String()); err != nil || q.Src != p.Src || q.Dst != p.Dst {
				t.Errorf("%q became %q: %v", s, p, err)
			}
		}
		var p packet.Packet
		if json.Unmarshal([]byte(s), &p) == nil && p.Check() == nil {
			_ = p.String()
		}
	})
}

// FuzzTracer puts a rule that no kernel made before the others: the fate may be anything but a crash
// or an endless walk.
func FuzzTracer(f *testing.F) {
	s := fixtures.Host()
	for _, c := range s.NFTables.Ruleset.Tables[0].Chains {
		for _, r := range c.Rules {
			b, err := json.Marshal(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	chain := s.NFTables.Ruleset.Tables[0].Chain("input")
	rules := chain.Rules
	p := &packet.Packet{In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: "tcp", Sport: 1, Dport: 22}
	f.Fuzz(func(_ *testing.T, b []byte) {
		var r ruleset.Rule
		if json.Unmarshal(b, &r) != nil {
			return
		}
		chain.Rules = append([]ruleset.Rule{r}, rules...)
		New(s).Packet(p)
	})
}

// TestAnycastAndLoopback: an anycast address is for many hosts, so that no listener of TCP takes what is for it, and the host does
// not hear itself while loopback is down.
func TestAnycastAndLoopback(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Network.Routes = append(s.Network.Routes, snapshot.Route{Family: 6, Table: 255, Type: "anycast", Dst: "fd00:7::/128", Oifs: []int{2}})
	s.Listeners.Sockets = nil
	for _, proto := range []string{"tcp", "udp"} {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Netns: s.Network.HostNetns(), Proto: proto, Family: 6, Addr: "::", Port: 53})
	}
	for text, want := range map[string]string{
		"tcp [fd00:7::9]:1 > [fd00:7::]:53 syn": NoSocket, "udp [fd00:7::9]:1 > [fd00:7::]:53": "udp [::]:53",
	} {
		if f := New(s).Packet(parsed(t, "mgmt0", text)); f.Fate != Local || f.Socket != want {
			t.Errorf("%s: %+v, want socket %s", text, f, want)
		}
	}
	s.Network.LinkNamed("lo").Up = false
	if f := New(s).Packet(parsed(t, "local", "tcp 10.10.0.1:1 > 10.10.0.1:53 syn")); f.Fate != Drop || f.Rule != "interface-down" {
		t.Errorf("%+v", f)
	}
}

// TestPortOfTheNeighbour: what is routed out by a bridge leaves by the port that the question names, if it names one.
func TestPortOfTheNeighbour(t *testing.T) {
	s := fixtures.Host()
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{dropAll("netdev", "egress", "vethw1")}}
	for out, want := range map[string]Outcome{"": Unknown, " out vethw1": Drop, " out vethw2": Forward} {
		if f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 172.17.0.2:80 syn"+out)); f.Fate != want {
			t.Errorf("%q: %+v, want %s", out, f, want)
		}
	}
}
