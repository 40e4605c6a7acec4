package snapshot

import "testing"

func TestGaps(t *testing.T) {
	for _, c := range []struct {
		list    []Status
		refused int
		whole   bool
	}{
		{nil, 0, true}, {[]Status{OK, Absent}, 0, true}, {[]Status{OK, Partial}, 0, false}, {[]Status{Denied, "error", "other", OK}, 3, false},
	} {
		s := new(Snapshot)
		for _, st := range c.list {
			s.Coverage = append(s.Coverage, Coverage{Status: st})
		}
		if refused, whole := s.Gaps(); len(refused) != c.refused || whole != c.whole {
			t.Errorf("%v: %d %v", c.list, len(refused), whole)
		}
	}
}
