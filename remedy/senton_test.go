package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestPortsThatAreSentOnAreClosedToo: a port that rules redirect to one that is closed is closed with it, unless that could end something else.
func TestPortsThatAreSentOnAreClosedToo(t *testing.T) {
	host := func(destination bool, forwarding string) *snapshot.Snapshot {
		exprs := []ruleset.Expr{
			{Xt: &ruleset.Xt{Name: "tcp", Decoded: &ruleset.XtDecoded{Ports: &ruleset.XtPorts{Dport: [2]uint16{2222, 2222}}}}},
			{Xt: &ruleset.Xt{Name: "REDIRECT", Target: true, Decoded: &ruleset.XtDecoded{NAT: &ruleset.XtNAT{Kind: "redirect", PortMin: 22, PortMax: 22}}}},
		}
		if destination {
			exprs = slices.Insert(exprs, 0, ruleset.Expr{Fib: &ruleset.Fib{Dreg: 1, Result: ruleset.FibAddrtype, Flags: ruleset.FibDaddr}})
		}
		s := &snapshot.Snapshot{}
		s.NFTables.Ruleset = &ruleset.Ruleset{Tables: []ruleset.Table{{Chains: []ruleset.Chain{{Rules: []ruleset.Rule{{Exprs: exprs}}}}}}}
		s.Network.Links = []snapshot.Link{{Index: 2, Name: "eth0", Up: true}}
		s.Network.Sysctls = map[string]snapshot.Fact{
			"net/ipv6/conf/all/forwarding":  {State: snapshot.Present, Value: "0"},
			"net/ipv4/conf/eth0/forwarding": {State: snapshot.Present, Value: forwarding},
		}
		return s
	}
	d := &finding.Deny{Zone: "external", Proto: "tcp", Port: 22}
	p := &Plan{}
	for name, c := range map[string]struct {
		s      *snapshot.Snapshot
		closed bool
	}{
		"what is sent to the host":                     {host(true, "1"), true},
		"what is sent anywhere, to a host alone":       {host(false, "0"), true},
		"what is sent anywhere, also through a router": {host(false, "1"), false},
	} {
		if closed, stay := p.closesToo(c.s, d, nil); slices.Contains(closed, 2222) != c.closed || slices.Contains(stay, 2222) == c.closed {
			t.Errorf("%s: closed %v, stay %v", name, closed, stay)
		}
	}
	s := host(true, "1")
	s.Listeners.Sockets = []snapshot.Socket{{Proto: "tcp", Addr: "0.0.0.0", Port: 22}}
	if !p.administers(&finding.Deny{Proto: "tcp", Port: 2222}, s) || p.administers(&finding.Deny{Proto: "tcp", Port: 2223}, s) {
		t.Error("a port that leads to the SSH server is one by which the host is administered")
	}
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "tcp", Addr: "203.0.113.1", Port: 2222})
	if closed, _ := p.closesToo(s, d, nil); len(closed) > 0 {
		t.Error("what else listens there is closed", closed)
	}
	if closed, stay := p.closesToo(host(true, "1"), &finding.Deny{Proto: "tcp", Port: 22, ToZone: "workload"}, nil); len(closed)+len(stay) > 0 {
		t.Error("what goes through the host is no port of it")
	}
}

// TestRulesAboutWhatIsDiverted ask for no destination.
func TestRulesAboutWhatIsDiverted(t *testing.T) {
	r := Rule{Chain: chainIn, Iif: "eth0", Proto: "tcp", Port: 2222, Comment: "x"}
	other := r
	other.Diverted = true
	if got := other.String(); got != `iifname "eth0" tcp dport 2222 ct direction original counter drop comment "x"` || other.key() == r.key() {
		t.Error(got)
	}
}
