package remedy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// bridged is a host with a bridge of three ports and an interface of its own, which routes.
func bridged() *snapshot.Snapshot {
	s := new(snapshot.Snapshot)
	s.Network.Links = []snapshot.Link{
		{Index: 2, Name: "br0", Kind: "bridge", Up: true, Addrs: []string{"10.0.0.1/24", "fe80::1/64"}},
		{Index: 3, Name: "p1", Master: 2, Up: true},
		{Index: 4, Name: "p2", Master: 2, Up: true},
		{Index: 5, Name: "p3", Master: 2, Up: true},
		{Index: 6, Name: "up0", Up: true, Addrs: []string{"192.0.2.1/24"}},
	}
	s.Network.Routes = []snapshot.Route{
		{Dst: "10.0.0.0/24", Type: "unicast", Oifs: []int{2}, Table: 254},
		{Dst: "10.0.0.1/32", Type: "local", Oifs: []int{2}, Table: 255},
		{Dst: "10.0.0.255/32", Type: "broadcast", Oifs: []int{2}, Table: 255},
		{Dst: "fe80::/64", Type: "unicast", Oifs: []int{2}, Table: 254},
		{Dst: "fe80::1/128", Type: "local", Oifs: []int{2}, Table: 255},
		{Dst: "192.0.2.0/24", Type: "unicast", Oifs: []int{6}, Table: 254},
		{Dst: "192.0.2.1/32", Type: "local", Oifs: []int{6}, Table: 255},
		{Dst: "0.0.0.0/0", Type: "unicast", Oifs: []int{6}, Table: 254},
	}
	s.Network.Sysctls = map[string]snapshot.Fact{
		"net/ipv4/conf/br0/forwarding": {State: snapshot.Present, Value: "1"}, "net/ipv6/conf/all/forwarding": {State: snapshot.Present, Value: "0"},
	}
	return s
}

func within(lists [][]netip.Prefix, a string) bool {
	return slices.ContainsFunc(slices.Concat(lists...), func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(a)) })
}

// TestBehind: what is routed by an interface is without the host's own addresses and what goes elsewhere.
func TestBehind(t *testing.T) {
	s := bridged()
	br, up := s.Network.LinkNamed("br0"), s.Network.LinkNamed("up0")
	for _, c := range []struct {
		in, out *snapshot.Link
		addr    string
		want    bool
	}{
		{br, br, "10.0.0.2", true},
		{br, br, "10.0.0.1", false},
		{br, br, "10.0.0.255", false},
		{br, br, "192.0.2.9", false},
		{br, br, "fe80::2", true},
		{br, br, "fe80::1", false},
		{br, up, "fe80::2", false},
		{br, up, "192.0.2.9", true},
		{br, up, "192.0.2.1", false},
		{br, up, "198.51.100.7", true},
		{br, up, "10.0.0.2", false},
		{br, up, "224.0.0.1", false},
		{br, up, "255.255.255.255", false},
		{br, up, "0.0.0.0", false},
	} {
		if got := within(behind(s, c.in, c.out), c.addr); got != c.want {
			t.Errorf("%s behind %s from %s: %v, want %v", c.addr, c.out.Name, c.in.Name, got, c.want)
		}
	}
	for _, a := range []string{"10.0.0.1", "10.0.0.255", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "255.255.255.255"} {
		if !within(hostAddresses(s), a) {
			t.Errorf("%s is not for the host", a)
		}
	}
	if within(hostAddresses(s), "10.0.0.2") {
		t.Error("a neighbour is the host")
	}
}

// TestPortsOfABridge: what one port may not open to another, and a port of the host that is closed to one of them.
func TestPortsOfABridge(t *testing.T) {
	s := bridged()
	cfg := zones.Config{
		zones.Workload: {Interfaces: []string{"br0"}}, zones.Management: {Interfaces: []string{"p2"}}, zones.External: {Interfaces: []string{"p3"}},
	}
	plan := func(d finding.Deny) *Plan {
		r := &finding.Report{Results: []finding.Result{{ID: "x", Status: finding.Fail, Findings: []finding.Finding{{
			Message: "open", Remediation: []finding.Remediation{{Kind: "nft", Deny: &d}},
		}}}}}
		return Make(r, s, cfg, Options{})
	}
	drops := func(p *Plan) (out []string) {
		for i := range p.Rules {
			if r := &p.Rules[i]; !r.Accept {
				text, _, _ := strings.Cut(r.Chain+" "+r.String(), " counter")
				out = append(out, text)
			}
		}
		return out
	}
	for _, c := range []struct {
		deny finding.Deny
		want []string // the beginning of each drop
	}{
		{finding.Deny{Zone: zones.Workload, ToZone: zones.Management}, []string{
			`bridge-input iifname "p1" ip daddr`, `bridge-input iifname "p1" ip6 daddr`, `bridge-forward iifname != "p3" oifname "p2" meta protocol != arp`,
		}},
		{finding.Deny{Zone: zones.External, ToZone: zones.Management}, []string{
			`bridge-input iifname "p3" ip daddr`, `bridge-input iifname "p3" ip6 daddr`, `bridge-forward iifname "p3" oifname "p2" meta protocol != arp`,
		}},
		{finding.Deny{Zone: zones.Management, ToZone: zones.Workload}, []string{
			`bridge-input iifname "p2" ip daddr`, `bridge-input iifname "p2" ip6 daddr`, `bridge-forward iifname "p2" oifname != "p3" meta protocol != arp`,
		}},
		{finding.Deny{Zone: zones.Workload, Proto: "tcp", Port: 22}, []string{`bridge-prerouting iifname "p1" ip daddr`, `bridge-prerouting iifname "p1" ip6 daddr`}},
	} {
		got := drops(plan(c.deny))
		same := len(got) == len(c.want)
		for i := range c.want {
			same = same && slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, c.want[i]) })
		}
		if !same {
			t.Errorf("%+v: %q, want %q", c.deny, got, c.want)
		}
	}
	if p := Make(new(finding.Report), s, cfg, Options{Mode: DefaultDeny}); p.Mode == DefaultDeny || len(p.Manual) != 1 || !strings.Contains(p.Manual[0].Text, "ports of a bridge") {
		t.Errorf("the baseline for zones that are ports: %s, %v", p.Mode, p.Manual)
	}
}
