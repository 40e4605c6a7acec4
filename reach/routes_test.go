package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWhatIsBesideTheRules: routes that do something with packets, IPsec policies, ports that exchange nothing, and the check of what goes back where
// it came from decide as well.
func TestWhatIsBesideTheRules(t *testing.T) {
	present := func(v string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: v} }
	for name, c := range map[string]struct {
		change     func(n *snapshot.Network)
		in, source string
		out        string
		is         packet.Verdict
	}{
		"a route that encapsulates": {func(n *snapshot.Network) {
			for i := range n.Routes {
				if n.Routes[i].Dst == "172.17.0.0/16" {
					n.Routes[i].Encap = "ip"
				}
			}
		}, "mgmt0", "10.10.0.9/32", "docker0", packet.Unknown},
		"a policy of IPsec that blocks": {func(n *snapshot.Network) {
			n.XFRM = &snapshot.XFRM{State: snapshot.Present, Policies: []snapshot.XFRMPolicy{{Dir: "fwd", Family: 4, Src: "0.0.0.0/0", Dst: "0.0.0.0/0", Block: true}}}
		}, "mgmt0", "10.10.0.9/32", "docker0", packet.Unreachable},
		"a policy of IPsec for others": {func(n *snapshot.Network) {
			n.XFRM = &snapshot.XFRM{State: snapshot.Present, Policies: []snapshot.XFRMPolicy{{Dir: "fwd", Family: 4, Src: "0.0.0.0/0", Dst: "172.18.0.0/16", Block: true}}}
		}, "mgmt0", "10.10.0.9/32", "docker0", packet.Reachable},
		"isolated ports": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Isolated, n.LinkNamed("vethw2").Isolated = true, true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unreachable},
		"one isolated port": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Isolated = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Reachable},
		"a locked port": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Locked = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unknown},
		"a locked port by which it leaves": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").Locked = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Reachable},
		"what goes back from who is nobody": {func(n *snapshot.Network) {
			n.Sysctls["net/ipv4/conf/all/send_redirects"] = present("1")
		}, "ext0", "10.10.0.255/32", "ext0", packet.Unreachable},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		for _, l := range []string{"all", "ext0", "mgmt0", "docker0"} {
			s.Network.Sysctls["net/ipv4/conf/"+l+"/send_redirects"], s.Network.Sysctls["net/ipv4/conf/"+l+"/disable_policy"] = present("0"), present("0")
			// What a port may not exchange with another the host would route back otherwise.
			s.Network.Sysctls["net/ipv4/conf/"+l+"/forwarding"] = present(map[bool]string{true: "0", false: "1"}[l == "docker0" && c.in == "vethw1"])
		}
		for i, want := range []packet.Verdict{packet.Reachable, c.is} {
			if i == 1 {
				c.change(&s.Network)
			}
			a := NewModel(s).Reach(&Question{
				From:  []packet.Origin{{Index: s.Network.LinkNamed(c.in).Index, From: []netip.Prefix{netip.MustParsePrefix(c.source)}}},
				Proto: "tcp", Dport: 80, To: Target{Oifs: []int{s.Network.LinkNamed(c.out).Index}}, Family: 4,
			})
			if a.Verdict != want {
				t.Errorf("%s, changed %v: %s by %v %v, want %s", name, i == 1, a.Verdict, a.StoppedBy, a.Because, want)
			}
		}
	}
}
