package exposure

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
)

// TestPoliciesOfIPsec: what a policy blocks is unreachable, what it wants protected is not known to pass, and the first that matches decides.
func TestPoliciesOfIPsec(t *testing.T) {
	policy := func(dir, src, dst string, required int, block bool) snapshot.XFRMPolicy {
		return snapshot.XFRMPolicy{Dir: dir, Family: 4, Src: src, Dst: dst, Templates: required, Required: required, Block: block}
	}
	any4 := "0.0.0.0/0"
	ssh := policy("in", "203.0.113.0/24", any4, 0, false)
	ssh.Proto, ssh.Dport, ssh.DportMask = 6, 22, 0xffff
	optional := policy("in", any4, any4, 0, false)
	optional.Templates = 1
	marked, six, other := policy("in", any4, any4, 0, true), policy("in", "::/0", "::/0", 0, true), policy("in", any4, any4, 0, true)
	marked.Mark, marked.Mask, six.Family, other.IfID = 7, 0xff, 6, 42
	block := policy("in", any4, any4, 0, true)
	for name, c := range map[string]struct {
		policies []snapshot.XFRMPolicy
		blocked  []string
		to       string
		want     packet.Verdict
	}{
		"no policy":                     {nil, nil, "203.0.113.1", packet.Reachable},
		"block":                         {[]snapshot.XFRMPolicy{block}, nil, "203.0.113.1", packet.Unreachable},
		"protected":                     {[]snapshot.XFRMPolicy{policy("in", "203.0.113.0/24", "203.0.113.1/32", 1, false)}, nil, "203.0.113.1", packet.Unknown},
		"of others":                     {[]snapshot.XFRMPolicy{policy("in", "198.51.100.0/24", any4, 0, true)}, nil, "203.0.113.1", packet.Reachable},
		"optional":                      {[]snapshot.XFRMPolicy{optional}, nil, "203.0.113.1", packet.Reachable},
		"allowed first":                 {[]snapshot.XFRMPolicy{ssh, block}, nil, "203.0.113.1", packet.Reachable},
		"blocked first":                 {[]snapshot.XFRMPolicy{block, ssh}, nil, "203.0.113.1", packet.Unreachable},
		"of a mark":                     {[]snapshot.XFRMPolicy{marked}, nil, "203.0.113.1", packet.Reachable},
		"of the other family":           {[]snapshot.XFRMPolicy{six}, nil, "203.0.113.1", packet.Reachable},
		"of an interface of IPsec":      {[]snapshot.XFRMPolicy{other}, nil, "203.0.113.1", packet.Reachable},
		"the default":                   {nil, []string{"in"}, "203.0.113.1", packet.Unreachable},
		"the default, with a policy":    {[]snapshot.XFRMPolicy{ssh}, []string{"in"}, "203.0.113.1", packet.Reachable},
		"what is forwarded, in":         {[]snapshot.XFRMPolicy{block}, nil, "10.0.0.2", packet.Reachable},
		"what is forwarded, fwd":        {[]snapshot.XFRMPolicy{policy("fwd", any4, "10.0.0.0/24", 0, true)}, nil, "10.0.0.2", packet.Unreachable},
		"what is forwarded, out":        {[]snapshot.XFRMPolicy{policy("out", any4, "10.0.0.0/24", 0, true)}, nil, "10.0.0.2", packet.Unreachable},
		"what is forwarded into tunnel": {[]snapshot.XFRMPolicy{policy("out", any4, "10.0.0.0/24", 1, false)}, nil, "10.0.0.2", packet.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			for _, k := range []string{"all", "ext0"} {
				s.Network.Sysctls["net/ipv4/conf/"+k+"/disable_policy"] = off
			}
			s.Network.XFRM = &snapshot.XFRM{State: snapshot.Present, Policies: c.policies, Blocked: c.blocked}
			q := &reach.Question{From: at(ext0, "203.0.113.9/32"), Proto: "tcp", Dport: 22, Unbound: true, To: toAddr(c.to)}
			if a := ask(t, s, q); a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
			s.Network.Sysctls["net/ipv4/conf/ext0/disable_policy"] = on
			if a := ask(t, s, q); c.to == "203.0.113.1" && a.Verdict != packet.Reachable {
				t.Errorf("with the policies of the interface off: %s, %s", a.Verdict, reasons(a))
			}
			s.Network.XFRM = &snapshot.XFRM{State: snapshot.Denied, Reason: "not permitted"}
			if a := ask(t, s, q); a.Verdict != packet.Unknown {
				t.Errorf("with policies that were not read: %s", a.Verdict)
			}
		})
	}
}

// TestPoliciesThatAreOff: a switch for all interfaces turns IPsec policies off, and what IPv6 delivers goes by the interface with the address.
func TestPoliciesThatAreOff(t *testing.T) {
	for name, c := range map[string]struct {
		off  string // the interface with the switch
		dir  string
		to   string
		want packet.Verdict
	}{
		"none":                               {"", "in", "2001:db8::1", packet.Unreachable},
		"all":                                {"all", "in", "2001:db8::1", packet.Unknown},
		"that with the address":              {"br0", "in", "fd00::1", packet.Unknown},
		"all, of what is forwarded":          {"all", "fwd", "fd00::2", packet.Reachable},
		"its own, of what is forwarded":      {"ext0", "fwd", "fd00::2", packet.Reachable},
		"that it leaves by, of the same":     {"br0", "fwd", "fd00::2", packet.Unreachable},
		"all, of what is forwarded, of IPv4": {"all", "fwd", "10.0.0.2", packet.Reachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			for _, l := range append([]snapshot.Link{{Name: "all"}}, s.Network.Links...) {
				for _, family := range []string{"ipv4", "ipv6"} {
					s.Network.Sysctls["net/"+family+"/conf/"+l.Name+"/disable_policy"] = map[bool]snapshot.Fact{true: on, false: off}[l.Name == c.off]
				}
			}
			from, all, family := "203.0.113.9/32", "0.0.0.0/0", 4
			if strings.Contains(c.to, ":") {
				from, all, family = "2001:db8::9/128", "::/0", 6
			}
			s.Network.XFRM = &snapshot.XFRM{State: snapshot.Present, Policies: []snapshot.XFRMPolicy{{Dir: c.dir, Family: family, Src: all, Dst: all, Block: true}}}
			a := ask(t, s, &reach.Question{From: at(ext0, from), Proto: "udp", Dport: 22, Unbound: true, To: toAddr(c.to)})
			if a.Verdict != c.want || a.Checked != (c.want != packet.Unknown) {
				t.Errorf("%s, checked %v, %s", a.Verdict, a.Checked, reasons(a))
			}
		})
	}
}
