package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWrittenEntries: entries of a bridge's table, and a port without carrier, leave it open whether frames get to a neighbour.
func TestWrittenEntries(t *testing.T) {
	entry := func(port string, e snapshot.FDBEntry) func(*snapshot.Network) {
		return func(n *snapshot.Network) { n.LinkNamed(port).FDB = []snapshot.FDBEntry{e} }
	}
	const mac = "02:00:00:00:00:0b"
	for name, c := range map[string]struct {
		change func(*snapshot.Network)
		want   packet.Verdict
	}{
		"nothing":                     {func(*snapshot.Network) {}, packet.Reachable},
		"for the host, at his port":   {entry("vethw2", snapshot.FDBEntry{MAC: mac, Local: true}), packet.Unknown},
		"for the host, at the bridge": {entry("docker0", snapshot.FDBEntry{MAC: mac, Local: true}), packet.Unknown},
		"static at his port":          {entry("vethw2", snapshot.FDBEntry{MAC: mac}), packet.Reachable},
		"static at another port":      {entry("vethw1", snapshot.FDBEntry{MAC: mac}), packet.Reachable},
		"sticky at another port":      {entry("vethw1", snapshot.FDBEntry{MAC: mac, Sticky: true}), packet.Unknown},
		"he is not learned": {func(n *snapshot.Network) {
			entry("vethw1", snapshot.FDBEntry{MAC: mac})(n)
			n.LinkNamed("vethw2").NoLearning = true
		}, packet.Unknown},
		"it was not read":              {func(n *snapshot.Network) { n.FDBUnread = "denied" }, packet.Unknown},
		"an older snapshot":            {func(n *snapshot.Network) { n.FDBRead = false }, packet.Unknown},
		"nobody is connected with it":  {func(n *snapshot.Network) { n.LinkNamed("vethw2").NoCarrier = true }, packet.Unknown},
		"nobody is connected with his": {func(n *snapshot.Network) { n.LinkNamed("vethw1").NoCarrier = true }, packet.Reachable},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		s.Network.Sysctls["net/ipv4/conf/docker0/forwarding"] = snapshot.Fact{State: snapshot.Present, Value: "0"}
		c.change(&s.Network)
		a := NewModel(s).Reach(&Question{
			From:  []packet.Origin{{Index: s.Network.LinkNamed("vethw1").Index, From: []netip.Prefix{netip.MustParsePrefix("172.17.0.2/32")}}},
			Proto: "tcp", Dport: 80, To: Target{Oifs: []int{s.Network.LinkNamed("vethw2").Index}}, Family: 4,
		})
		if a.Verdict != c.want {
			t.Errorf("%s: %s by %v %v, want %s", name, a.Verdict, a.StoppedBy, a.Because, c.want)
		}
	}
}
