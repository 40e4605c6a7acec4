package certificate

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// guarded is a host whose input chain drops all but one port.
func guarded(t testing.TB) (*snapshot.Snapshot, *reach.Question, *Target) {
	s := fixtures.Host()
	drop := func(port byte) ruleset.Rule {
		return ruleset.Rule{Handle: uint64(port), Exprs: []ruleset.Expr{
			{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}},
			{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{0, port}}},
			{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "drop"}}},
		}}
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{{
		Name: "input", Base: &ruleset.Base{Type: "filter", Hook: "input", Policy: "drop"}, Rules: []ruleset.Rule{drop(22), drop(80)},
	}}}}}
	in := s.Network.LinkNamed("mgmt0")
	q := &reach.Question{
		From: []packet.Origin{{Index: in.Index, From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}}, Proto: "tcp",
		To: reach.Target{Host: true}, Unbound: true,
	}
	return s, q, &Target{Host: true, Unbound: true}
}

func certificates(t testing.TB, s *snapshot.Snapshot, q *reach.Question) []packet.Certificate {
	t.Helper()
	a := reach.NewModel(s).Reach(q)
	if a.Verdict != packet.Unreachable {
		t.Fatalf("%s: %v %v", a.Verdict, a.Witness, a.Because)
	}
	b, err := json.Marshal(a.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	var list []packet.Certificate
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestGoodCertificateIsConfirmed(t *testing.T) {
	s, q, target := guarded(t)
	for _, c := range certificates(t, s, q) {
		if err := NewChecker(s).Check(target, &c); err != nil {
			t.Error(err)
		}
	}
}

// TestSourceTranslatedBeforeAFilter: rules after a masquerade see a source that is not known here. They part packets
// that were sent alike, and a source that a packet was sent with stops nothing.
func TestSourceTranslatedBeforeAFilter(t *testing.T) {
	bySport := ruleset.Rule{Handle: 1, Exprs: []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Len: 2, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{0, 161}}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "drop"}}},
	}}
	bySource := ruleset.Rule{Handle: 2, Exprs: []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseNetwork, Offset: 12, Len: 4, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{203, 0, 113, 1}}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "accept"}}},
	}}
	for name, masquerade := range map[string]ruleset.Expr{
		"nft": {Name: "masq", NAT: &ruleset.NAT{Kind: "masquerade"}},
		"xt": {Name: "target", Xt: &ruleset.Xt{
			Target: true, Name: "MASQUERADE", Decoded: &ruleset.XtDecoded{NAT: &ruleset.XtNAT{Kind: "masquerade"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixtures.Host()
			after := ruleset.Chain{Name: "after", Base: &ruleset.Base{Type: "filter", Hook: "postrouting", Priority: 200, Policy: "drop"}}
			after.Rules = []ruleset.Rule{bySport}
			s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{{
				Name: "nat", Base: &ruleset.Base{Type: "nat", Hook: "postrouting", Priority: 100, Policy: "accept"},
				Rules: []ruleset.Rule{{Handle: 3, Exprs: []ruleset.Expr{masquerade}}},
			}, after}}}}
			q := &reach.Question{
				From:  []packet.Origin{{Index: s.Network.LinkNamed("mgmt0").Index, From: []netip.Prefix{netip.MustParsePrefix("10.10.0.0/24")}}},
				Proto: "tcp", To: reach.Target{Oifs: []int{s.Network.LinkNamed("ext0").Index}}, Unbound: true,
			}
			for _, c := range certificates(t, s, q) {
				if err := NewChecker(s).Check(&Target{Oifs: []string{"ext0"}, Unbound: true}, &c); err != nil {
					t.Error(err)
				}
			}
			s.NFTables.Ruleset.Tables[0].Chains[1].Rules = []ruleset.Rule{bySource}
			if a := reach.NewModel(s).Reach(q); a.Verdict == packet.Unreachable {
				t.Errorf("%s, though the new source may be the one that is accepted", a.Verdict)
			}
		})
	}
}

// TestBadCertificatesAreRefused: each of these would let something through.
func TestBadCertificatesAreRefused(t *testing.T) {
	s, q, target := guarded(t)
	for name, c := range map[string]struct {
		damage func(*packet.Certificate)
		want   string
	}{
		"a cube is missing":    {func(c *packet.Certificate) { c.Cubes = c.Cubes[1:] }, "leave a part of the question out"},
		"a cube is twice":      {func(c *packet.Certificate) { c.Cubes = append(c.Cubes, c.Cubes[0]) }, "overlap"},
		"a cube goes further":  {func(c *packet.Certificate) { c.Cubes[0].Sport = []string{"0-65535"} }, "goes beyond"},
		"another interface":    {func(c *packet.Certificate) { c.Cubes[0].In = "lo" }, "other packets"},
		"ranges that overlap":  {func(c *packet.Certificate) { c.Cubes[0].Sport = []string{"1-10", "5-65535"} }, "not in order"},
		"a range that is none": {func(c *packet.Certificate) { c.Cubes[0].Dport = []string{"x"} }, "want first-last"},
	} {
		t.Run(name, func(t *testing.T) {
			list := certificates(t, s, q)
			i := slices.IndexFunc(list, func(c packet.Certificate) bool { return len(c.Cubes) > 1 && len(c.Cubes[0].Sport) > 0 })
			c.damage(&list[i])
			if err := NewChecker(s).Check(target, &list[i]); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestCertificateOfAnotherRulesetIsRefused: the checker looks at the host, not at what the
// certificate says stopped a cube.
func TestCertificateOfAnotherRulesetIsRefused(t *testing.T) {
	s, q, target := guarded(t)
	list := certificates(t, s, q)
	s.NFTables.Ruleset.Tables[0].Chains[0].Base.Policy = "accept"
	refused := false
	for i := range list {
		refused = refused || NewChecker(s).Check(target, &list[i]) != nil
	}
	if !refused {
		t.Error("the policy accepts now, and the proof still holds")
	}
}

// TestCertificatesAnswerWhatWasAsked: a proof about less than the question, or about nothing, is none.
func TestCertificatesAnswerWhatWasAsked(t *testing.T) {
	s, q, target := guarded(t)
	asked := &Question{Target: *target, From: []Origin{{In: "mgmt0", From: q.From[0].From}}, Proto4: 6, Proto6: 6}
	if err := NewChecker(s).CheckAll(asked, certificates(t, s, q)); err != nil {
		t.Fatalf("the whole answer is refused: %v", err)
	}
	for name, c := range map[string]struct {
		damage func(*Question, []packet.Certificate) []packet.Certificate
		want   string
	}{
		"a family is missing": {func(_ *Question, l []packet.Certificate) []packet.Certificate { return l[:1] }, "1 certificates for 2 parts"},
		"another origin": {func(q *Question, l []packet.Certificate) []packet.Certificate {
			q.From[0].In = "ext0"
			return l
		}, "another origin"},
		"another protocol": {func(q *Question, l []packet.Certificate) []packet.Certificate {
			q.Proto4, q.Proto6 = 17, 17
			return l
		}, "about protocol 6"},
		"another address": {func(q *Question, _ []packet.Certificate) []packet.Certificate {
			c := packet.Certificate{Question: packet.Region{In: "mgmt0", V4: true, Proto: 6, Src: []string{"1.1.1.1-1.1.1.1"}, Dst: []string{"10.10.0.2-10.10.0.2"}}}
			q.Addr = netip.MustParseAddr("10.10.0.1")
			return []packet.Certificate{c}
		}, "leaves destinations out"},
		"fewer ports": {func(_ *Question, l []packet.Certificate) []packet.Certificate {
			l[0].Question.Dport = []string{"0-79"}
			return l
		}, "leaves ports out"},
		"no packets at all": {func(q *Question, l []packet.Certificate) []packet.Certificate {
			s.NFTables.Ruleset.Tables = nil
			l[0] = packet.Certificate{Question: packet.Region{In: "mgmt0", V4: true, Empty: true}}
			return l
		}, "says that there are no packets"},
	} {
		t.Run(name, func(t *testing.T) {
			s, q, target = guarded(t)
			asked := &Question{Target: *target, From: []Origin{{In: "mgmt0", From: q.From[0].From}}, Proto4: 6, Proto6: 6}
			list := c.damage(asked, certificates(t, s, q))
			if err := NewChecker(s).CheckAll(asked, list); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestBlockHoldsBoth: the block of two numbers is the smallest one, as calculated with numbers in place of bytes.
func TestBlockHoldsBoth(t *testing.T) {
	for _, texts := range [][2]string{
		{"10.0.0.0", "10.0.0.255"},
		{"10.0.0.7", "10.0.0.7"},
		{"0.0.0.0", "255.255.255.255"},
		{"10.0.0.255", "10.0.1.0"},
		{"127.255.255.255", "128.0.0.0"},
		{"fe80::1", "fe80::ffff:1"},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:db8::", "2001:db8:8000::7"},
	} {
		lo, hi := netip.MustParseAddr(texts[0]).AsSlice(), netip.MustParseAddr(texts[1]).AsSlice()
		a, b := new(big.Int).SetBytes(lo), new(big.Int).SetBytes(hi)
		free := new(big.Int).Xor(a, b).BitLen()
		want := new(big.Int).Lsh(new(big.Int).Rsh(a, uint(free)), uint(free)).FillBytes(make([]byte, len(lo)))
		if first, n := block(lo, hi); n != free || !slices.Equal(first[:len(lo)], want) {
			t.Errorf("%v: %x with %d bits open, not %x with %d", texts, first[:len(lo)], n, want, free)
		}
	}
}

// TestHandedPacketsAreNotLeftOut: that a transparent socket is reached by packets for other ports than its own, refutes a proof.
func TestHandedPacketsAreNotLeftOut(t *testing.T) {
	s, q, _ := guarded(t)
	transparent := false
	s.Listeners.Sockets = []snapshot.Socket{{
		Netns: s.Network.HostNetns(), Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 9000, OwnerState: "unknown", Transparent: &transparent,
	}}
	s.NFTables.Ruleset.Tables[0].Chains[0].Rules = append(s.NFTables.Ruleset.Tables[0].Chains[0].Rules, ruleset.Rule{Handle: 90, Exprs: []ruleset.Expr{
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: "==", Data: ruleset.Hex{0, 90}}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: "accept"}}},
	}})
	s.NFTables.Ruleset.Tables[0].Chains = append(s.NFTables.Ruleset.Tables[0].Chains, ruleset.Chain{
		Name: "p", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -150, Policy: "accept"}, Rules: []ruleset.Rule{{Handle: 91, Exprs: []ruleset.Expr{
			{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{9000 >> 8, 9000 & 0xff}}},
			{Name: "tproxy", NAT: &ruleset.NAT{Kind: "tproxy", PortMin: 1}},
		}}},
	})
	q.Family, q.Unbound, q.Sockets = 4, false, []*snapshot.Socket{&s.Listeners.Sockets[0]}
	list := certificates(t, s, q)
	target := &Target{Host: true, Ports: []int{9000}, Sockets: []string{"tcp 0.0.0.0:9000"}}
	if err := NewChecker(s).Check(target, &list[0]); err != nil {
		t.Fatal(err)
	}
	transparent = true
	if err := NewChecker(s).Check(target, &list[0]); err == nil || !strings.Contains(err.Error(), "is not stopped: local") {
		t.Errorf("the socket takes them now: %v", err)
	}
}
