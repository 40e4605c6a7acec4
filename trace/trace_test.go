package trace

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

func packet(t testing.TB, in, text string) *Packet {
	t.Helper()
	p, err := ParsePacket(in, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPacketText(t *testing.T) {
	for text, want := range map[string]string{
		"tcp 172.17.0.2:40000 > 10.0.0.1:22 syn":        "tcp 172.17.0.2:40000 > 10.0.0.1:22 syn",
		"tcp 172.17.0.2 > 10.0.0.1:22":                  "tcp 172.17.0.2:40000 > 10.0.0.1:22 syn",
		"tcp [fd00::1]:1 > [fd00::2]:2 syn,ack":         "tcp [fd00::1]:1 > [fd00::2]:2 SA",
		"udp 10.0.0.1:1 > 10.0.0.2:53 mark 0x77 ct new": "udp 10.0.0.1:1 > 10.0.0.2:53",
		"icmp 10.0.0.1 > 10.0.0.2 type 3 code 1":        "icmp 10.0.0.1 > 10.0.0.2 type 3 code 1",
		"47 10.0.0.1 > 10.0.0.2":                        "47 10.0.0.1 > 10.0.0.2",
		"udp 10.0.0.1:1 > 10.0.0.2:53 frag last":        "udp 10.0.0.1:1 > 10.0.0.2:53 frag last",
	} {
		p, err := ParsePacket("eth0", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if p.String() != want {
			t.Errorf("%s: got %s", text, p)
		}
	}
	for _, bad := range []string{
		"", "tcp", "tcp 10.0.0.1 10.0.0.2", "tcp 10.0.0.1 > ::1", "xyz 10.0.0.1 > 10.0.0.2", "tcp 10.0.0.1:70000 > 10.0.0.2",
		"tcp 10.0.0.1 > 10.0.0.2 sin", "icmp 10.0.0.1 > 10.0.0.2 type", "icmp 10.0.0.1 > 10.0.0.2 type 300", "tcp 10.0.0.1 > 10.0.0.2 ct odd",
		"tcp 10.0.0.1 > 10.0.0.2 smac 00:11", "tcp 10.0.0.1 > 10.0.0.2 frag", "tcp 10.0.0.1 > 10.0.0.2 frag second",
	} {
		if p, err := ParsePacket("eth0", bad); err == nil {
			t.Errorf("%q: read as %v", bad, p)
		}
	}
}

// TestFatesOfTheBase follows packets over the recorded host.
func TestFatesOfTheBase(t *testing.T) {
	tr := New(fixtures.Host())
	for _, c := range []struct{ in, text, fate string }{
		{"mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn", Local},
		{"ext0", "tcp 203.0.113.9:40000 > 203.0.113.1:22 syn", Drop},
		{"ext0", "tcp 203.0.113.1:40000 > 203.0.113.1:22 syn", Drop},
	} {
		if f := tr.Packet(packet(t, c.in, c.text)); f.Fate != c.fate {
			t.Errorf("%s: %+v, want %s", c.text, f, c.fate)
		}
	}
	if f := tr.Packet(packet(t, "nowhere", "tcp 10.10.0.9 > 10.10.0.1:22")); f.Fate != Unknown || !strings.Contains(f.Why, "does not exist") {
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
			if f := New(s).Packet(packet(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn")); f.Fate != Unknown || f.Why == "" {
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
		if p, err := ParsePacket("eth0", s); err == nil {
			if q, err := ParsePacket("eth0", p.String()); err != nil || q.Src != p.Src || q.Dst != p.Dst {
				t.Errorf("%q became %q: %v", s, p, err)
			}
		}
		var p Packet
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
	p := &Packet{In: "mgmt0", Src: netip.MustParseAddr("10.10.0.9"), Dst: netip.MustParseAddr("10.10.0.1"), Proto: "tcp", Sport: 1, Dport: 22}
	f.Fuzz(func(_ *testing.T, b []byte) {
		var r ruleset.Rule
		if json.Unmarshal(b, &r) != nil {
			return
		}
		chain.Rules = append([]ruleset.Rule{r}, rules...)
		New(s).Packet(p)
	})
}
