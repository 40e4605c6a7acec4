package trace

import (
	"testing"

	"github.com/ringfence/ringfence/fixtures"
)

// TestWrittenEntries: entries of a bridge's table, and a port without carrier, leave it open whether frames get to a neighbour.
func TestWrittenEntries(t *testing.T) {
	for name, host := range fixtures.BridgeTables() {
		want := Unknown
		if host.Reached {
			want = Forward
		}
		f := New(host.Snapshot).Packet(parsed(t, "vethw1", "tcp 172.17.0.2:40000 > 172.17.0.3:80 syn dmac 02:00:00:00:00:03 out vethw2"))
		if f.Fate != want {
			t.Errorf("%s: %+v, want %s", name, f, want)
		}
	}
}
