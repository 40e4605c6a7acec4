//go:build linux && !ringfence_portable

package remedy

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// everyRule is a rule of each kind, chain and shape of addresses.
func everyRule() (list []Rule) {
	for i := range specs {
		for _, kind := range []string{
			"", "replies", "expected", "established", "midstream", "published", "icmp", "icmpv6", "dhcp", "dhcpv6",
			"answers", "icmp-answers", "icmpv6-answers", "resolved", "opening",
		} {
			for _, sources := range [][]netip.Prefix{nil, prefixes("10.1.2.0/24"), prefixes("10.1.2.0/27", "192.0.2.1/32"), prefixes("fd00::/17")} {
				for _, proto := range []string{"tcp", "udp", "vrrp"} {
					list = append(list,
						Rule{Chain: specs[i].name, Iif: "eth0", Sources: sources, Proto: proto, Port: 22, Kind: kind, Comment: "x"},
						Rule{Chain: specs[i].name, Iifs: []string{"a", "b"}, Oifs: []string{"b", "c"}, Apart: true, Proto: proto, Port: 22, Kind: kind, Comment: "x"},
						Rule{Chain: specs[i].name, NotOif: []string{"p1"}, Sources: sources, Proto: proto, Port: 22, Kind: kind, Untracked: true, Accept: true, Comment: "x"},
						Rule{Chain: specs[i].name, Sources: sources, Proto: proto, Port: 22, Kind: kind, Direct: true, Comment: "x"})
				}
			}
		}
	}
	return list
}

// TestRulesAreSentAsPlanned: what the kernel gets is what the rule is made of, read by the decoder of live rulesets.
func TestRulesAreSentAsPlanned(t *testing.T) {
	rules := everyRule()
	for i := range rules {
		r := &rules[i]
		p := &Plan{Rules: []Rule{*r}}
		for _, gate := range []time.Duration{0, time.Hour} {
			messages, err := encode(func(conn *nftables.Conn) error { return p.build(conn, Table, gate) })
			if err != nil {
				t.Fatalf("%s: %v", r, err)
			}
			want := [][]ruleset.Expr{r.Exprs()}
			if gate > 0 {
				want = append([][]ruleset.Expr{{meta(ruleset.MetaNfproto), lookup(setArmed, true), verdict(ruleset.Accept)}}, want...)
			}
			for _, m := range messages {
				if m.Header.Type != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWRULE {
					continue
				}
				_, _, got, err := ruleset.DecodeRule(m.Data[4:])
				if err != nil || len(want) == 0 {
					t.Fatalf("%s: %v, or a rule too many", r, err)
				}
				if !reflect.DeepEqual(got.Exprs, want[0]) {
					t.Errorf("%s: sent as %+v, want %+v", r, got.Exprs, want[0])
				}
				want = want[1:]
			}
			if len(want) > 0 {
				t.Errorf("%s: %d rules were not sent", r, len(want))
			}
		}
	}
}

// TestForeignExpressionsAreNotSent: what the encoder does not know is an error, and never a rule without it.
func TestForeignExpressionsAreNotSent(t *testing.T) {
	for _, e := range []ruleset.Expr{
		{Name: "teleport", Raw: ruleset.Hex{1}},
		{Name: "notrack", Plain: true},
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		{Name: "ct", Ct: &ruleset.Ct{Key: ruleset.CtSrcIP, Dir: "original", Dreg: 1}},
		{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpLt, Data: ruleset.Hex{1}}},
		{Name: "lookup", Lookup: &ruleset.Lookup{Set: "s", Sreg: 1, Dreg: 1, HasReg: true}},
		{Name: "immediate", Immediate: &ruleset.Immediate{Dreg: 1, Data: ruleset.Hex{1}}},
		{Name: "fib", Fib: &ruleset.Fib{Dreg: 1, Result: ruleset.FibOif, Flags: ruleset.FibDaddr}},
	} {
		got, err := encoded([]ruleset.Expr{counter(), e}, nil)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", e.Name)) {
			t.Errorf("%s: %v, %v", e.Name, got, err)
		}
	}
}

// TestEverythingHasNoEnd: behind the last address there is none that an interval could end at.
func TestEverythingHasNoEnd(t *testing.T) {
	if es := encodedElements(prefixesSet(prefixes("128.0.0.0/1", "0.0.0.0/1"))); len(es) != 1 || es[0].IntervalEnd {
		t.Errorf("everything has no end: %v", es)
	}
}
