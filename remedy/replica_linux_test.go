//go:build linux && !ringfence_portable

package remedy

import (
	"testing"

	"github.com/ringfence/ringfence/replica"
)

// TestWhatNobodyAnsweredIsNotWaitedFor: a host whose filter keeps its own connections in makes each round as long as the patience with them.
func TestWhatNobodyAnsweredIsNotWaitedFor(t *testing.T) {
	list := []replica.Probe{{ID: 0, Answered: true}, {ID: 1, Answered: true}, {ID: 2}}
	got := worthWaiting(list, map[int]string{0: replica.Open, 1: replica.Silent, 2: replica.Open})
	if !got[0].Answered || got[1].Answered || got[2].Answered || !list[1].Answered {
		t.Errorf("%+v", got)
	}
}
