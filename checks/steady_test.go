//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	vnl "github.com/vishvananda/netlink"
)

// TestSteadyListsAskAgain: a list that was interrupted is asked for again, and one that always is stays an error.
func TestSteadyListsAskAgain(t *testing.T) {
	for _, c := range []struct {
		interrupted, asked int
		err                error
	}{{0, 1, nil}, {3, 4, nil}, {maxListings, maxListings, vnl.ErrDumpInterrupted}} {
		asked := 0
		got, err := steady(0, func() ([]int, error) {
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
	if _, err := steady(0, func() ([]int, error) { return nil, other }); !errors.Is(err, other) {
		t.Error(err)
	}
}

// TestInterruptedListsAreSeen: a list that changed while the kernel told it is not taken for a whole one.
func TestInterruptedListsAreSeen(t *testing.T) {
	asked := 0
	conn := nltest.Dial(func(req []netlink.Message) ([]netlink.Message, error) {
		if len(req) == 0 {
			return nil, io.EOF
		}
		asked++
		messages := []netlink.Message{{Data: []byte{1}}, {Data: []byte{2}}}
		if asked == 1 {
			messages = messages[:1]
			messages[0].Header.Flags = netlink.DumpInterrupted
		}
		messages = append(messages, netlink.Message{Data: make([]byte, 4)}) // the end of the list
		for i := range messages {
			messages[i].Header.Sequence, messages[i].Header.PID = req[0].Header.Sequence, nltest.PID
		}
		return nltest.Multipart(messages)
	})
	defer conn.Close()
	got, err := steady(0, func() ([]byte, error) {
		return answers(conn, netlink.Message{}, func(b []byte) (byte, error) { return b[0], nil })
	})
	if err != nil || asked != 2 || !slices.Equal(got, []byte{1, 2}) {
		t.Errorf("asked %d times: %v, %v", asked, got, err)
	}
}
