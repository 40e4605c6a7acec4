//go:build linux && !ringfence_portable

package checks

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestSessionThatIsSentOn: sslh --transparent has both connections in the name of who logs in.
func TestSessionThatIsSentOn(t *testing.T) {
	at := netip.MustParseAddrPort
	connected := map[netip.AddrPort][]netip.AddrPort{
		at("203.0.113.9:57738"): {at("127.0.0.1:22"), at("203.0.113.1:443")},
		at("203.0.113.8:40000"): {at("203.0.113.1:22")},
		at("127.0.0.1:50000"):   {at("127.0.0.1:22"), at("203.0.113.1:443")},
	}
	for _, c := range []struct{ local, remote, want string }{
		{"127.0.0.1:22", "203.0.113.9:57738", "203.0.113.1:443"},
		{"203.0.113.1:22", "203.0.113.8:40000", ""},
		{"127.0.0.1:22", "127.0.0.1:50000", ""},
		{"203.0.113.1:22", "203.0.113.7:1", ""},
	} {
		list := []snapshot.SSHSession{{Local: c.local, Remote: c.remote}}
		if relayed(list, connected); list[0].Through != c.want {
			t.Errorf("%+v: %q", c, list[0].Through)
		}
	}
}
