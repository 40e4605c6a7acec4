package zones

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWindowsElsewhere: who is in the network of another interface comes in by that one, but for those that a narrower route is for.
func TestWindowsElsewhere(t *testing.T) {
	has := func(o *packet.Origin, addr string) bool {
		in := func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(addr)) }
		return slices.ContainsFunc(o.From, in) && !slices.ContainsFunc(o.Except, in)
	}
	lan := snapshot.WindowsAdapter{Name: "LAN", Up: true, Addrs: []string{"192.168.1.5/24"}, Gateways: []string{"192.168.1.1"}, Routes: []string{"10.1.0.0/16", "10.2.0.0/16"}}
	for name, c := range map[string]struct {
		other   snapshot.WindowsAdapter
		in, out []string // addresses that come in by the LAN, and those that do not
	}{
		"a narrower network": {snapshot.WindowsAdapter{Addrs: []string{"172.16.0.1/16"}}, []string{"192.168.1.7", "10.1.0.1", "8.8.8.8"}, []string{"172.16.9.9"}},
		"one with routes in it": {
			snapshot.WindowsAdapter{Addrs: []string{"10.8.0.2/8"}}, []string{"192.168.1.7", "10.1.0.1", "10.2.255.255", "8.8.8.8"}, []string{"10.8.0.3", "10.0.0.1", "10.3.0.0"},
		},
		"the same network":   {snapshot.WindowsAdapter{Addrs: []string{"192.168.1.6/24"}}, []string{"192.168.1.7"}, nil},
		"everything":         {snapshot.WindowsAdapter{Addrs: []string{"10.8.0.2/0"}}, []string{"192.168.1.7", "10.1.0.1", "8.8.8.8"}, nil},
		"one in the network": {snapshot.WindowsAdapter{Addrs: []string{"192.168.1.9/32"}}, []string{"192.168.1.7"}, []string{"192.168.1.9"}},
	} {
		c.other.Name, c.other.Up = "other", true
		s := &snapshot.Snapshot{Coverage: []snapshot.Coverage{{Collector: "windows"}}}
		s.Windows.Adapters = snapshot.WindowsAdapters{Read: snapshot.Fact{State: snapshot.Present}, List: []snapshot.WindowsAdapter{lan, c.other}}
		m := Classify(s, nil)
		for _, addr := range c.in {
			if !has(&m.Origins[0].Origin, addr) {
				t.Errorf("%s: %s does not come in: %+v", name, addr, m.Origins[0])
			}
		}
		for _, addr := range c.out {
			if has(&m.Origins[0].Origin, addr) {
				t.Errorf("%s: %s comes in: %+v", name, addr, m.Origins[0])
			}
		}
	}
}
