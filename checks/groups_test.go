//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestManyGroupsOfAProcess: of 65,536 groups the first are kept, and that there are others is said.
func TestManyGroupsOfAProcess(t *testing.T) {
	for _, c := range []struct {
		n, kept int
		cut     bool
	}{{0, 0, false}, {1, 1, false}, {1024, 1024, false}, {1025, 1024, true}, {65536, 1024, true}} {
		p := parseStatus([]byte("Name:\tx\nUid:\t1\t2\t3\t4\nGroups:\t" + strings.Repeat("4294967294 ", c.n) + "\nNSpid:\t7\t1\n"))
		if len(p.Groups) != c.kept || slices.Contains(p.Unread, unreadGroups) != c.cut || p.UID != 2 || p.PIDDepth != 2 {
			t.Errorf("%d groups: kept %d, unread %v, uid %d, depth %d", c.n, len(p.Groups), p.Unread, p.UID, p.PIDDepth)
		}
		if c.n > 0 && p.Groups[c.kept-1] != 4294967294 {
			t.Errorf("%d groups: the last is %d", c.n, p.Groups[c.kept-1])
		}
	}
}

// TestGroupsOfAParty: a container's processes together keep a share, and take nothing from others.
func TestGroupsOfAParty(t *testing.T) {
	s := filesOf(t, nil)
	var procs []*process
	for i := range 400 {
		p := &process{Process: snapshot.Process{PID: i + 1, Container: "c", Groups: make([]int, 1024)}}
		procs = append(procs, p)
	}
	vic := &process{Process: snapshot.Process{PID: 999, UID: 1002, Groups: []int{7}}}
	procs = append(procs, vic)
	s.shareGroups(procs)
	total, said := 0, 0
	for _, p := range procs[:400] {
		total += len(p.Groups)
		if p.lacksGroups() {
			said++
		}
	}
	if total != maxGroupsOfParty || said != 400-maxGroupsOfParty/1024 {
		t.Errorf("%d groups are kept, %d processes lack some", total, said)
	}
	if len(vic.Groups) != 1 || vic.lacksGroups() {
		t.Errorf("another party: %+v", vic)
	}
}
