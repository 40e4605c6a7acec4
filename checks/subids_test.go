//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestSubIDs: a line of subuid(5) is for a name or a number; what is none is left out.
func TestSubIDs(t *testing.T) {
	s := powerHost(t, "644 0:0 /etc/subuid = ann:100000:65536\n1000:0:1\nnone:0:9\nann:x:1\nann:1\n", "644 0:0 /etc/subgid = ann:42:1\n")
	out := new(Outcome)
	want := []snapshot.SubIDs{{UID: 1000, First: 100000, Count: 65536}, {UID: 1000, Count: 1}, {UID: 1000, First: 42, Count: 1, Groups: true}}
	if d := gocmp.Diff(want, s.subIDs(out)); d != "" || out.status != "" {
		t.Errorf("%s %s", out.status, d)
	}
	s = powerHost(t, "644 0:0 /etc/nsswitch.conf = subid: sss\n")
	if s.subIDs(out); out.status == "" {
		t.Error("ids from elsewhere are not told")
	}
}
