//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestSwitchesOfOtherNamespaces: of another namespace some of the host's switches are read, those of bridges where it has one.
func TestSwitchesOfOtherNamespaces(t *testing.T) {
	links := []snapshot.Link{{Name: "lo", Loopback: true}, {Name: "eth0", Kind: "veth"}}
	for _, c := range []struct {
		links []snapshot.Link
		whole int
	}{{links, 0}, {append(slices.Clone(links), snapshot.Link{Name: "br0", Kind: "bridge"}), 2}} {
		sw := elsewhereSwitches(c.links)
		if len(sw.whole) != c.whole {
			t.Errorf("%v of %v", sw.whole, c.links)
		}
		for _, k := range sw.whole {
			if !slices.Contains(hostSwitches.whole, k) {
				t.Errorf("%s is not read of the host", k)
			}
		}
		for family, list := range sw.links {
			for _, k := range list {
				if !slices.Contains(hostSwitches.links[family], k) {
					t.Errorf("%s of %s is not read of the host", k, family)
				}
			}
		}
	}
	for _, k := range []string{snapshot.LoosePickup, snapshot.Checksums} {
		if !slices.Contains(hostSwitches.whole, k) {
			t.Errorf("%s is not read of the host", k)
		}
	}
}
