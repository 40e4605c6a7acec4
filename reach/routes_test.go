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
		"a port that is not noted and not flooded": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoFlood, n.LinkNamed("vethw2").NoLearning = true, true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unknown},
		"answers to a port that is not noted and not flooded": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").NoFlood, n.LinkNamed("vethw1").NoLearning = true, true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unknown},
		"a port that is noted": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoFlood = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Reachable},
		"a port that hears no broadcasts": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoBroadcast = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unknown},
		"a port that hears no multicast": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoMulticast = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Reachable},
		"a port that opens later": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Opening = true
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unknown},
		"frames with a tag": {func(n *snapshot.Network) {
			v := []int{1}
			n.LinkNamed("docker0").VLANFiltering = true
			n.LinkNamed("vethw1").VLANs, n.LinkNamed("vethw1").PVID = v, 1
			n.LinkNamed("vethw2").VLANs, n.LinkNamed("vethw2").Tagged = v, v
		}, "vethw1", "172.17.0.2/32", "vethw2", packet.Unknown},
		"a port that is not noted, from elsewhere": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").NoFlood, n.LinkNamed("vethw1").NoLearning = true, true
		}, "mgmt0", "10.10.0.9/32", "docker0", packet.Unknown},
		"a port that is closed, from elsewhere": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Blocking = true
		}, "mgmt0", "10.10.0.9/32", "docker0", packet.Unknown},
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

// TestBridgesOwnSwitch: what the switch for all leaves out goes through the hooks of IP where the bridge says so, if br_netfilter is there.
func TestBridgesOwnSwitch(t *testing.T) {
	for _, c := range []struct {
		state snapshot.Status
		own   bool
		want  packet.Verdict
	}{
		{snapshot.Present, true, packet.Unreachable}, {snapshot.Present, false, packet.Reachable}, {snapshot.Absent, true, packet.Reachable},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{
			{Name: "f", Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: "drop"}},
		}}}}
		s.Network.Sysctls["net/bridge/bridge-nf-call-iptables"] = snapshot.Fact{State: c.state, Value: "0"}
		s.Network.LinkNamed("docker0").CallsIPTables = c.own
		a := NewModel(s).Reach(&Question{
			From:  []packet.Origin{{Index: s.Network.LinkNamed("vethw1").Index, From: []netip.Prefix{netip.MustParsePrefix("172.17.0.2/32")}}},
			Proto: "tcp", Dport: 80, To: Target{Oifs: []int{s.Network.LinkNamed("vethw2").Index}}, Family: 4,
		})
		if a.Verdict != c.want {
			t.Errorf("%s, %v: %s by %v %v, want %s", c.state, c.own, a.Verdict, a.StoppedBy, a.Because, c.want)
		}
	}
}
