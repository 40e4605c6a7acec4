package reach

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesOfUsers: a routing rule for some users is not about what comes in, which counts as root's; of what the host sends nobody knows.
func TestRulesOfUsers(t *testing.T) {
	for _, c := range []struct {
		first   uint32
		iif     string
		yes, no int
	}{{1000, "eth0", 0, 1}, {0, "eth0", 1, 0}, {1000, "lo", 1, 1}} {
		r := &snapshot.PolicyRule{Action: "lookup", UIDs: &snapshot.UIDRange{First: c.first, Last: 1999}}
		if yes, no := new(fib).selects(r, cube{}, c.iif, true); len(yes) != c.yes || len(no) != c.no {
			t.Errorf("users from %d, in by %s: %d and %d", c.first, c.iif, len(yes), len(no))
		}
	}
}
