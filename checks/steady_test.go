//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"slices"
	"testing"

	vnl "github.com/vishvananda/netlink"
)

// TestSteadyListsAskAgain: a list that was interrupted is asked for again, and one that always is stays an error.
func TestSteadyListsAskAgain(t *testing.T) {
	for _, c := range []struct {
		interrupted, asked int
		err                error
	}{{0, 1, nil}, {3, 4, nil}, {maxListings, maxListings, vnl.ErrDumpInterrupted}} {
		asked := 0
		got, err := steady(func() ([]int, error) {
			if asked++; asked <= c.interrupted {
				return []int{1}, vnl.ErrDumpInterrupted
			}
			return []int{1, 2}, nil
		})
		if asked != c.asked || !errors.Is(err, c.err) || err == nil && !slices.Equal(got, []int{1, 2}) {
			t.Errorf("%d interrupted: asked %d times, %v, %v", c.interrupted, asked, got, err)
		}
	}
	other := errors.New("denied")
	if _, err := steady(func() ([]int, error) { return nil, other }); !errors.Is(err, other) {
		t.Error(err)
	}
}
