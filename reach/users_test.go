package reach

import (
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRulesOfUsers: a routing rule for some users is about who sends; what comes in counts as root's, and of the host's own not everybody is known.
func TestRulesOfUsers(t *testing.T) {
	for _, c := range []struct {
		first   uint32
		by      *packet.Sender
		yes, no int
	}{{1000, root, 0, 1}, {0, root, 1, 0}, {1000, &packet.Sender{UID: 1001}, 1, 0}, {1000, &packet.Sender{UID: 2000}, 0, 1}, {1000, nil, 1, 1}} {
		r := &snapshot.PolicyRule{Action: "lookup", UIDs: &snapshot.UIDRange{First: c.first, Last: 1999}}
		if yes, no := new(fib).selects(r, cube{course: course{by: c.by}}, "lo", true); len(yes) != c.yes || len(no) != c.no {
			t.Errorf("users from %d, sent by %v: %d and %d", c.first, c.by, len(yes), len(no))
		}
	}
}
