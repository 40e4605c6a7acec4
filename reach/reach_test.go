package reach

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

func TestSetsArePartitioned(t *testing.T) {
	a := set{{num(1), num(10)}, {num(20), num(30)}}
	b := set{{num(5), num(22)}, {num(30), num(40)}}
	for n := range uint64(50) {
		in, out := a.intersect(b), a.subtract(b)
		inA, inB := a.contains(num(n)), b.contains(num(n))
		if in.contains(num(n)) != (inA && inB) || out.contains(num(n)) != (inA && !inB) {
			t.Errorf("%d: intersect %v, subtract %v", n, in, out)
		}
	}
	all := span(num(0), ones(128))
	if r := all.subtract(single(ones(128))); r.contains(ones(128)) || !r.contains(num(7)) {
		t.Error("the highest number")
	}
}

var ssh = snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 22}

func from(s *snapshot.Snapshot, name string) packet.Origin {
	return packet.Origin{Index: s.Network.LinkNamed(name).Index, From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
}

// TestWhatIsNotModelledIsUnknown: each of these can change the answer, and none may be skipped.
func TestWhatIsNotModelledIsUnknown(t *testing.T) {
	for name, change := range map[string]func(*snapshot.Snapshot){
		"XDP program": func(s *snapshot.Snapshot) { s.Network.LinkNamed("mgmt0").XDP = true },
		"an XDP program below a VLAN, as the collector tells it": func(s *snapshot.Snapshot) {
			l := s.Network.LinkNamed("mgmt0")
			l.Kind, l.PeerIndex, l.PeerNetns = "vlan", s.Network.LinkNamed("ext0").Index, s.Network.HostNetns()
			s.Network.LinkNamed("ext0").XDP = true
		},
		"traffic control": func(s *snapshot.Snapshot) { s.Network.LinkNamed("mgmt0").TC = []string{"clsact bpf"} },
		"iptables-legacy": func(s *snapshot.Snapshot) {
			s.NFTables.Legacy["iptables"] = snapshot.Fact{State: "present", Value: "filter"}
		},
		"nftables not read":      func(s *snapshot.Snapshot) { section(s, "nftables").Status = snapshot.Denied },
		"a ruleset that changes": func(s *snapshot.Snapshot) { section(s, "nftables").Status = snapshot.Error },
		"rp_filter not read": func(s *snapshot.Snapshot) {
			s.Network.Sysctls["net/ipv4/conf/mgmt0/rp_filter"] = snapshot.Fact{State: "denied"}
		},
		"an opaque expression": func(s *snapshot.Snapshot) {
			first(s).Exprs = append([]ruleset.Expr{{Name: "teleport", Raw: ruleset.Hex{1}}}, first(s).Exprs...)
		},
		"a jump to nowhere":  func(s *snapshot.Snapshot) { *first(s) = verdict(ruleset.Verdict{Kind: ruleset.Jump, Chain: "none"}) },
		"a jump in a circle": func(s *snapshot.Snapshot) { *first(s) = verdict(ruleset.Verdict{Kind: ruleset.Jump, Chain: "input"}) },
		"an unknown verdict": func(s *snapshot.Snapshot) { *first(s) = verdict(ruleset.Verdict{Kind: "verdict-77"}) },
		"the don't fragment bit": func(s *snapshot.Snapshot) {
			first(s).Exprs = []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 6, Len: 2, Dreg: 1}},
				{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 2, Op: "mask", Mask: ruleset.Hex{0x40, 0}, Xor: ruleset.Hex{0, 0}}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "!=", Data: ruleset.Hex{0, 0}}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
			}
		},
		"a missing set": func(s *snapshot.Snapshot) {
			first(s).Exprs = []ruleset.Expr{{Name: "lookup", Lookup: &ruleset.Lookup{Set: "x", Sreg: 1}}, accept}
		},
		"equal priority and marks": func(s *snapshot.Snapshot) {
			s.NFTables.Ruleset.Tables = append(s.NFTables.Ruleset.Tables, ruleset.Table{
				Family: "inet", Name: "m", Chains: []ruleset.Chain{{
					Name: "c", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: "accept"},
					Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}}}}},
				}},
			})
		},
	} {
		s := fixtures.Host()
		change(s)
		if a := NewModel(s).Socket(from(s, "mgmt0"), &ssh, true); a.Verdict != packet.Unknown || len(a.Because) == 0 {
			t.Errorf("%s: %s, want unknown with a reason", name, a.Verdict)
		}
	}
}

var accept = ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}}

func verdict(v ruleset.Verdict) ruleset.Rule {
	return ruleset.Rule{Exprs: []ruleset.Expr{{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &v}}}}
}

func section(s *snapshot.Snapshot, name string) *snapshot.Coverage {
	for i := range s.Coverage {
		if s.Coverage[i].Collector == name {
			return &s.Coverage[i]
		}
	}
	return nil
}

func first(s *snapshot.Snapshot) *ruleset.Rule {
	return &s.NFTables.Ruleset.Tables[0].Chain("input").Rules[0]
}

func TestAnswersNameTheirReasons(t *testing.T) {
	s := fixtures.Host()
	m := NewModel(s)
	if a := m.Socket(from(s, "mgmt0"), &ssh, true); a.Verdict != packet.Reachable || a.Witness == nil || len(a.Path) == 0 {
		t.Errorf("from mgmt0: %+v", a)
	}
	if a := m.Socket(from(s, "ext0"), &ssh, true); a.Verdict != packet.Unreachable || len(a.StoppedBy) == 0 {
		t.Errorf("from ext0: %+v", a)
	}
}

// TestSweepIsTheSameAnswer compares the walk for all ports with the question about each.
func TestSweepIsTheSameAnswer(t *testing.T) {
	s := fixtures.Host()
	m := NewModel(s)
	for _, name := range []string{"mgmt0", "docker0", "ext0"} {
		ports := []int{1, 21, 22, 23, 2375, 65535}
		w := m.Sweep(from(s, name), &ssh, true, ports)
		for _, port := range append(ports, 80) { // 80 was not asked for
			sk := ssh
			sk.Port = port
			one, all := m.Socket(from(s, name), &sk, true), w.Port(port)
			if one.Verdict != all.Verdict || fmt.Sprint(one.Witness) != fmt.Sprint(all.Witness) || fmt.Sprint(one.StoppedBy) != fmt.Sprint(all.StoppedBy) {
				t.Errorf("%s port %d: %+v alone, %+v in the sweep", name, port, one, all)
			}
		}
	}
}

// FuzzModel puts a rule that no kernel made before the others: the answer may be anything but a
// crash.
func FuzzModel(f *testing.F) {
	base := fixtures.Host()
	for _, c := range base.NFTables.Ruleset.Tables[0].Chains {
		for _, r := range c.Rules {
			b, err := json.Marshal(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	chain := base.NFTables.Ruleset.Tables[0].Chain("input")
	rules := chain.Rules
	o := packet.Origin{
		Index: base.Network.LinkNamed("mgmt0").Index,
		From:  []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		var r ruleset.Rule
		if json.Unmarshal(b, &r) != nil {
			return
		}
		chain.Rules = append([]ruleset.Rule{r}, rules...)
		m := NewModel(base)
		for _, v4 := range []bool{true, false} {
			m.Socket(o, &ssh, v4)
		}
	})
}

func BenchmarkSocketLinearRules(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := fixtures.Host()
			c := s.NFTables.Ruleset.Tables[0].Chain("input")
			var rules []ruleset.Rule
			for i := range n {
				rules = append(rules, ruleset.Rule{Handle: uint64(i), Exprs: []ruleset.Expr{
					{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 12, Len: 4, Dreg: 1}},
					{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{198, 51, byte(i >> 8), byte(i)}}},
					{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
				}})
			}
			c.Rules = append(rules, c.Rules...)
			for b.Loop() {
				NewModel(s).Socket(from(s, "mgmt0"), &ssh, true)
			}
		})
	}
}

// branchingRules is a host with 5,500 rules as large sites have them: many chains, each behind a test of the source,
// with rules on source, destination and port, that part the question by one field after the other.
func branchingRules() *snapshot.Snapshot {
	s := fixtures.Host()
	t := &s.NFTables.Ruleset.Tables[0]
	rnd := rand.New(rand.NewPCG(1, 2))
	addr := func(bits int) []ruleset.Expr {
		off := []uint32{12, 16}[rnd.IntN(2)]
		key := ruleset.Hex{10, byte(rnd.IntN(256)), byte(rnd.IntN(256)), byte(rnd.IntN(256))}[:bits/8]
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: off, Len: uint32(bits / 8), Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: key}},
		}
	}
	port := func() []ruleset.Expr {
		n := []uint16{22, 80, 443, uint16(rnd.IntN(65536))}[rnd.IntN(4)]
		return []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: "transport", Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{byte(n >> 8), byte(n)}}},
		}
	}
	verdict := func(kind, chain string) ruleset.Expr {
		return ruleset.Expr{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: kind, Chain: chain}}}
	}
	var jumps []ruleset.Rule
	for i := range 180 {
		c := ruleset.Chain{Name: fmt.Sprint("c", i)}
		for j := range 30 {
			r := ruleset.Rule{Handle: uint64(1000*i + j), Exprs: append(addr(32), addr(24)...)}
			if rnd.IntN(4) > 0 {
				r.Exprs = append(r.Exprs, port()...)
			}
			r.Exprs = append(r.Exprs, verdict([]string{ruleset.Accept, ruleset.Drop, ruleset.Return}[rnd.IntN(3)], ""))
			c.Rules = append(c.Rules, r)
		}
		t.Chains = append(t.Chains, c)
		jump := ruleset.Rule{Handle: uint64(i), Exprs: []ruleset.Expr{verdict(ruleset.Jump, c.Name)}}
		if i%3 > 0 {
			jump.Exprs = append(addr(16), jump.Exprs...)
		}
		jumps = append(jumps, jump)
	}
	c := t.Chain("input")
	c.Rules = append(jumps, c.Rules...)
	return s
}

func BenchmarkBranchingRules(b *testing.B) {
	s := branchingRules()
	for b.Loop() {
		NewModel(s).Socket(from(s, "mgmt0"), &ssh, true)
	}
}

// TestSweepsOfBranchingRules: many ports are asked about in one walk, also where rules part the question often.
func TestSweepsOfBranchingRules(t *testing.T) {
	s := branchingRules()
	var ports []int
	for i := range 64 {
		ports = append(ports, 1000+i)
	}
	m := NewModel(s)
	for _, o := range []packet.Origin{from(s, "mgmt0"), {Local: true}} {
		for _, v4 := range []bool{true, false} {
			sweep := m.Sweep(o, &snapshot.Socket{Proto: "tcp", Family: 6, Addr: "::"}, v4, ports)
			if sweep.tooComplex() || sweep.Port(1001).Verdict == "" || sweep.halves != nil {
				t.Errorf("local %v, IPv4 %v: %v", o.Local, v4, sweep.err)
			}
		}
	}
}

// BenchmarkManySocketsOfBranchingRules asks as an audit does: 64 sockets, from each of three interfaces and as an own
// process, in both families.
func BenchmarkManySocketsOfBranchingRules(b *testing.B) {
	s := branchingRules()
	var ports []int
	for i := range 64 {
		ports = append(ports, 1000+i)
	}
	for b.Loop() {
		m := NewModel(s)
		for _, o := range []packet.Origin{from(s, "mgmt0"), from(s, "ext0"), from(s, "docker0"), {Local: true}} {
			for _, v4 := range []bool{true, false} {
				sweep := m.Sweep(o, &snapshot.Socket{Proto: "tcp", Family: 6, Addr: "::"}, v4, ports)
				for i := range 64 {
					sweep.Port(1000 + i)
				}
			}
		}
	}
}

// BenchmarkSocketLargeSet asks about a chain with a set of 100,000 addresses.
func BenchmarkSocketLargeSet(b *testing.B) {
	s := fixtures.Host()
	set := ruleset.Set{Name: "blocked", KeyLen: 4}
	for i := range 100_000 {
		set.Elements = append(set.Elements, ruleset.Element{Key: ruleset.Hex{100, byte(i >> 15), byte(i >> 7), byte(i << 1)}})
	}
	t := &s.NFTables.Ruleset.Tables[0]
	t.Sets = append(t.Sets, set)
	c := t.Chain("input")
	c.Rules = append([]ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: "network", Offset: 12, Len: 4, Dreg: 1}},
		{Name: "lookup", Lookup: &ruleset.Lookup{Set: "blocked", Sreg: 1}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
	}}}, c.Rules...)
	for b.Loop() {
		NewModel(s).Socket(from(s, "mgmt0"), &ssh, true)
	}
}

// TestLoadsThatAreNotFollowed: what a register held before an expression that loads something unknown is gone from it.
func TestLoadsThatAreNotFollowed(t *testing.T) {
	for name, load := range map[string]ruleset.Expr{
		"socket": {Name: "socket", Extra: &ruleset.Extra{Socket: &ruleset.SocketKey{Dreg: 1}}},
		"rt":     {Name: "rt", Extra: &ruleset.Extra{Rt: &ruleset.Rt{Dreg: 1}}}, // of IPv4, and the realms of its routes were not read
		"other":  {Name: "tomorrow", Raw: ruleset.Hex{1}},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{{
			Name: "input", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: ruleset.Drop},
			Rules: []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{
				{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}},
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{0, 22}}},
				load,
				{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{1, 0}}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
			}}},
		}}}}}
		q := &Question{From: []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: anybody}}, Proto: "tcp", Dport: 22, To: Target{Host: true}, Unbound: true}
		if a := NewModel(s).Reach(q); a.Verdict != packet.Unknown {
			t.Errorf("%s: %s, though it can have loaded what is compared", name, a.Verdict)
		}
	}
}

// TestRegistersOverlap: a value is gone from the words that another one was put into.
func TestRegistersOverlap(t *testing.T) {
	r := regs{}.set(1, constant(make([]byte, 16))).set(10, constant([]byte{1, 2, 3, 4}))
	if _, ok := r.read(1, 16); ok {
		t.Error("a value is whole whose third word was written")
	}
	if v, ok := r.read(10, 4); !ok || !bytes.Equal(v[0][0].data, []byte{1, 2, 3, 4}) {
		t.Errorf("got %v", v)
	}
	if r = r.set(1, constant(make([]byte, 2))).set(2, constant([]byte{5})); len(r) != 3 {
		t.Errorf("%d values, want 3 side by side", len(r))
	}
}
