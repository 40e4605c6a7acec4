package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
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
		want   Outcome
	}{
		"nothing":                     {func(*snapshot.Network) {}, Forward},
		"for the host, at his port":   {entry("vethw2", snapshot.FDBEntry{MAC: mac, Local: true}), Unknown},
		"for the host, at the bridge": {entry("docker0", snapshot.FDBEntry{MAC: mac, Local: true}), Unknown},
		"static at his port":          {entry("vethw2", snapshot.FDBEntry{MAC: mac}), Forward},
		"static at another port":      {entry("vethw1", snapshot.FDBEntry{MAC: mac}), Forward},
		"sticky at another port":      {entry("vethw1", snapshot.FDBEntry{MAC: mac, Sticky: true}), Unknown},
		"he is not learned": {func(n *snapshot.Network) {
			entry("vethw1", snapshot.FDBEntry{MAC: mac})(n)
			n.LinkNamed("vethw2").NoLearning = true
		}, Unknown},
		"it was not read":              {func(n *snapshot.Network) { n.FDBUnread = "denied" }, Unknown},
		"an older snapshot":            {func(n *snapshot.Network) { n.FDBRead = false }, Unknown},
		"nobody is connected with it":  {func(n *snapshot.Network) { n.LinkNamed("vethw2").NoCarrier = true }, Unknown},
		"nobody is connected with his": {func(n *snapshot.Network) { n.LinkNamed("vethw1").NoCarrier = true }, Forward},
	} {
		s := fixtures.Host()
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		s.Network.Sysctls["net/ipv4/conf/docker0/forwarding"] = snapshot.Fact{State: snapshot.Present, Value: "0"}
		c.change(&s.Network)
		f := New(s).Packet(parsed(t, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2"))
		if f.Fate != c.want {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}
