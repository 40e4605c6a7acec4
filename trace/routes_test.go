package trace

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWhatIsBesideTheRules: routes that do something with packets, IPsec policies, routing rules for users, ports that exchange nothing, and the check
// of what goes back where it came from decide as well.
func TestWhatIsBesideTheRules(t *testing.T) {
	const toContainer = "tcp 10.10.0.9:40000 > 172.17.0.2:80 syn out vethw1"
	present := func(v string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: v} }
	for name, c := range map[string]struct {
		change     func(n *snapshot.Network)
		in, packet string
		was, is    Outcome
		why        string
	}{
		"a route that encapsulates": {func(n *snapshot.Network) {
			for i := range n.Routes {
				if n.Routes[i].Dst == "172.17.0.0/16" {
					n.Routes[i].Encap = "ip"
				}
			}
		}, "mgmt0", toContainer, Forward, Unknown, "encap ip"},
		"a policy of IPsec that blocks": {func(n *snapshot.Network) {
			n.XFRM = &snapshot.XFRM{State: snapshot.Present, Policies: []snapshot.XFRMPolicy{{Dir: "fwd", Family: 4, Src: "0.0.0.0/0", Dst: "172.17.0.0/16", Block: true}}}
		}, "mgmt0", toContainer, Forward, Drop, "ipsec"},
		"a policy of IPsec for others": {func(n *snapshot.Network) {
			n.XFRM = &snapshot.XFRM{State: snapshot.Present, Policies: []snapshot.XFRMPolicy{{Dir: "fwd", Family: 4, Src: "0.0.0.0/0", Dst: "172.18.0.0/16", Block: true}}}
		}, "mgmt0", toContainer, Forward, Forward, ""},
		"isolated ports": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Isolated, n.LinkNamed("vethw2").Isolated = true, true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Drop, ""},
		"one isolated port": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Isolated = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Forward, ""},
		"a locked port": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Locked = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Unknown, "vethw1 is a locked port"},
		"a locked port by which it leaves": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").Locked = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Forward, ""},
		"a port that is not noted and not flooded": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoFlood, n.LinkNamed("vethw2").NoLearning = true, true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Unknown, "who is behind vethw2"},
		"answers to a port that is not noted and not flooded": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").NoFlood, n.LinkNamed("vethw1").NoLearning = true, true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Unknown, "who is behind vethw1"},
		"a port that is noted": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoFlood = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Forward, ""},
		"a port that hears no broadcasts": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoBroadcast = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Unknown, "nobody behind vethw2"},
		"a port that hears no multicast": {func(n *snapshot.Network) {
			n.LinkNamed("vethw2").NoMulticast = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Forward, ""},
		"a port that opens later": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Opening = true
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Unknown, "about to open"},
		"frames with a tag": {func(n *snapshot.Network) {
			v := []int{1}
			n.LinkNamed("docker0").VLANFiltering = true
			n.LinkNamed("vethw1").VLANs, n.LinkNamed("vethw1").PVID = v, 1
			n.LinkNamed("vethw2").VLANs, n.LinkNamed("vethw2").Tagged = v, v
		}, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2", Forward, Unknown, "with a tag"},
		"a port that is not noted, from elsewhere": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").NoFlood, n.LinkNamed("vethw1").NoLearning = true, true
		}, "mgmt0", toContainer, Forward, Unknown, "who is behind vethw1"},
		"a port that is closed, from elsewhere": {func(n *snapshot.Network) {
			n.LinkNamed("vethw1").Blocking = true
		}, "mgmt0", toContainer, Forward, Unknown, "closed vethw1"},
		"what goes back from who is nobody": {func(n *snapshot.Network) {
			n.Sysctls["net/ipv4/conf/all/send_redirects"] = present("1")
		}, "ext0", "tcp 10.10.0.255:40000 > 198.51.100.1:80 syn", Forward, Drop, "martian"},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		for _, l := range []string{"all", "ext0", "mgmt0", "docker0"} {
			s.Network.Sysctls["net/ipv4/conf/"+l+"/send_redirects"], s.Network.Sysctls["net/ipv4/conf/"+l+"/disable_policy"] = present("0"), present("0")
			s.Network.Sysctls["net/ipv4/conf/"+l+"/forwarding"] = present("1")
		}
		for i, want := range []Outcome{c.was, c.is} {
			if i == 1 {
				c.change(&s.Network)
			}
			f := New(s).Packet(parsed(t, c.in, c.packet))
			if f.Fate != want || i == 1 && !strings.Contains(f.Rule+f.Why, c.why) {
				t.Errorf("%s, changed %v: %+v, want %s", name, i == 1, f, want)
			}
		}
	}
}

// TestRulesOfUsers: a routing rule for some users is about who sends; what comes in counts as root's.
func TestRulesOfUsers(t *testing.T) {
	some := &snapshot.UIDRange{First: 1000, Last: 1999}
	for uid, want := range map[uint32]bool{0: false, 1000: true, 1999: true, 2000: false} {
		if got := (&flow{ours: true}).by(&packet.Sender{UID: uid}, some); got != want {
			t.Errorf("uid %d: %v", uid, got)
		}
	}
	if (&flow{}).by(nil, some) {
		t.Error("what comes in counts as a user's")
	}
	if !(&flow{}).by(nil, &snapshot.UIDRange{First: 0, Last: 10}) {
		t.Error("what comes in does not count as root's")
	}
}

// TestBridgesOwnSwitch: what the switch for all leaves out goes through the hooks of IP where the bridge says so, if br_netfilter is there.
func TestBridgesOwnSwitch(t *testing.T) {
	for _, c := range []struct {
		state snapshot.Status
		own   bool
		want  Outcome
	}{{snapshot.Present, true, Drop}, {snapshot.Present, false, Forward}, {snapshot.Absent, true, Forward}} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{
			{Name: "f", Base: &ruleset.Base{Type: "filter", Hook: "forward", Policy: "drop"}},
		}}}}
		s.Network.Sysctls["net/bridge/bridge-nf-call-iptables"] = snapshot.Fact{State: c.state, Value: "0"}
		s.Network.LinkNamed("docker0").CallsIPTables = c.own
		if f := New(s).Packet(parsed(t, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2")); f.Fate != c.want {
			t.Errorf("%s, %v: %+v, want %s", c.state, c.own, f, c.want)
		}
	}
}
