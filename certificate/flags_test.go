package certificate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// synAlone drops what has a SYN and none of the other flags of a mask.
func synAlone(mask byte) ruleset.Rule {
	return ruleset.Rule{Handle: 7, Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaL4proto, Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{packet.TCP}}},
		{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 13, Len: 1, Dreg: 1}},
		{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 1, Op: "mask", Mask: ruleset.Hex{mask}, Xor: ruleset.Hex{0}}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: ruleset.Hex{flagSYN}}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Drop}}},
	}}
}

// TestCertificatesOfAttemptsWithOtherFlags: a proof is about all flags with which a connection can begin. What stops a SYN alone and what stops the others are
// parts of it, and one that is about a SYN alone, or says that the others are stopped, is none.
func TestCertificatesOfAttemptsWithOtherFlags(t *testing.T) {
	itself := func(s *snapshot.Snapshot) *snapshot.Snapshot { return s }
	intact := func([]packet.Certificate) {}
	for name, c := range map[string]struct {
		mask   byte
		policy string
		proven func(*snapshot.Snapshot) *snapshot.Snapshot // the host of the certificates
		damage func([]packet.Certificate)
		want   string
	}{
		"the policy drops the others":      {0xff, "drop", itself, intact, ""},
		"only ECN is told apart":           {0xd7, "drop", itself, intact, ""},
		"none is told apart":               {0x17, "accept", itself, intact, ""},
		"a part is left out":               {0xff, "drop", itself, func(l []packet.Certificate) { l[0].Cubes = l[0].Cubes[1:] }, "leave a part of the question out"},
		"a part is there twice":            {0xff, "drop", itself, func(l []packet.Certificate) { l[0].Cubes = append(l[0].Cubes, l[0].Cubes[0]) }, "overlap"},
		"it is about a SYN alone":          {0xff, "drop", itself, func(l []packet.Certificate) { l[0].Question.FlagSets = []int{flagSYN} }, "leaves attempts with other flags out"},
		"flags are none":                   {0xff, "drop", itself, func(l []packet.Certificate) { l[0].Cubes[0].FlagSets = []int{256} }, "flags 256"},
		"the same twice":                   {0xff, "drop", itself, func(l []packet.Certificate) { l[0].Cubes[0].FlagSets = []int{2, 2} }, "twice"},
		"the policy lets the others in":    {0xff, "accept", dropping, intact, "is not stopped"},
		"PSH is told apart, and accepted":  {0x1f, "accept", dropping, intact, "is not stopped"},
		"only CWR is told apart, accepted": {0x97, "accept", dropping, intact, "is not stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			s, q, target := guarded(t)
			chain := &s.NFTables.Ruleset.Tables[0].Chains[0]
			chain.Base.Policy, chain.Rules = c.policy, []ruleset.Rule{synAlone(c.mask)}
			asked := &Question{Target: *target, From: []Origin{{In: "mgmt0", From: q.From[0].From}}, Proto4: 6, Proto6: 6}
			list := certificates(t, c.proven(s), q)
			c.damage(list)
			switch err := NewChecker(s).CheckAll(asked, list); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// dropping is the same host with a policy that drops.
func dropping(s *snapshot.Snapshot) *snapshot.Snapshot {
	other := *s
	chain := s.NFTables.Ruleset.Tables[0].Chains[0]
	chain.Base = &ruleset.Base{Type: "filter", Hook: "input", Policy: "drop"}
	other.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "inet", Name: "t", Chains: []ruleset.Chain{chain}}}}
	return &other
}

// TestFlagsAreRanked: each number of flags has one rank, and those of connection attempts are the first ones.
func TestFlagsAreRanked(t *testing.T) {
	var ranks []int64
	for flags := range 256 {
		n := rank(flags)
		if flagsOf(n) != flags || (n < attempts) != (flags&^besides == flagSYN) {
			t.Errorf("%#x has rank %d, which is %#x", flags, n, flagsOf(n))
		}
		ranks = append(ranks, n)
	}
	slices.Sort(ranks)
	if len(slices.Compact(ranks)) != 256 {
		t.Error("two flags have one rank")
	}
	if spans, err := flagSpans(flagSYN, []int{0x0a, 0x82, 0x02}); err != nil || fmt.Sprint(spans[0].lo, spans[0].hi, spans[1].lo, len(spans)) != "0 1 8 2" {
		t.Errorf("%v, %v", spans, err)
	}
}

// TestFlagsThatRulesAskFor: what reads the byte of the flags is known by whatever header it is read from, and a mask says which of them count.
func TestFlagsThatRulesAskFor(t *testing.T) {
	read := func(base string, offset, size uint32) []ruleset.Expr {
		return []ruleset.Expr{{Name: "payload", Payload: &ruleset.Payload{Base: base, Offset: offset, Len: size, Dreg: 1}}}
	}
	xt := func(d *ruleset.XtDecoded) []ruleset.Expr {
		return []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Decoded: d}}}
	}
	for name, c := range map[string]struct {
		exprs []ruleset.Expr
		want  int
	}{
		"a mask":                     {synAlone(0x1f).Exprs, flagPSH},
		"a mask of the usual ones":   {synAlone(0x17).Exprs, 0},
		"the byte alone":             {read(ruleset.BaseTransport, 13, 1), besides},
		"the ports":                  {read(ruleset.BaseTransport, 0, 4), 0},
		"the window":                 {read(ruleset.BaseTransport, 14, 2), 0},
		"more of the header":         {read(ruleset.BaseTransport, 12, 2), besides},
		"an address":                 {read(ruleset.BaseNetwork, 16, 4), 0},
		"an address of IPv6":         {read(ruleset.BaseNetwork, 24, 16), 0},
		"beyond the header of IPv4":  {read(ruleset.BaseNetwork, 33, 1), besides},
		"beyond that of Ethernet":    {read(ruleset.BaseLink, 47, 1), besides},
		"an address of Ethernet":     {read(ruleset.BaseLink, 6, 6), 0},
		"a header in another":        {read(ruleset.BaseInner, 0, 1), besides},
		"--tcp-flags":                {xt(&ruleset.XtDecoded{Ports: &ruleset.XtPorts{FlagMask: 0x3f}}), flagPSH | flagURG},
		"ports of iptables":          {xt(&ruleset.XtDecoded{Ports: &ruleset.XtPorts{}}), 0},
		"what takes ECN away":        {xt(&ruleset.XtDecoded{TCPFlags: &ruleset.XtService{Mask: flagECE}}), besides},
		"what is not decoded":        {xt(nil), 0},
		"a match of something else":  {xt(&ruleset.XtDecoded{Mark: &ruleset.XtMark{}}), 0},
		"what writes, and reads not": {[]ruleset.Expr{{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 13, Len: 1, Sreg: 1, Set: true}}}, 0},
	} {
		rs := &ruleset.Ruleset{Tables: []ruleset.Table{{Chains: []ruleset.Chain{{Rules: []ruleset.Rule{{Exprs: c.exprs}}}}}}}
		if got := askedFlags(rs); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}
