package reach

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
)

// TestWrittenEntries: entries of a bridge's table, and a port without carrier, leave it open whether frames get to a neighbour.
func TestWrittenEntries(t *testing.T) {
	for name, host := range fixtures.BridgeTables() {
		want, n := packet.Unknown, &host.Snapshot.Network
		if host.Reached {
			want = packet.Reachable
		}
		a := NewModel(host.Snapshot).Reach(&Question{
			From:  []packet.Origin{{Index: n.LinkNamed("vethw1").Index, From: []netip.Prefix{netip.MustParsePrefix("172.17.0.2/32")}}},
			Proto: "tcp", Dport: 80, To: Target{Oifs: []int{n.LinkNamed("vethw2").Index}}, Family: 4,
		})
		if a.Verdict != want {
			t.Errorf("%s: %s by %v %v, want %s", name, a.Verdict, a.StoppedBy, a.Because, want)
		}
	}
}
