//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// TestQuestionsAreAnswered: the kernel tells the same as by a socket of the library, errors included, and nobody else can answer.
func TestQuestionsAreAnswered(t *testing.T) {
	q, err := Local().Questions(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	other, err := Local().Netlink(unix.NETLINK_ROUTE, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	list := netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Dump}, Data: make([]byte, unix.SizeofIfInfomsg),
	}
	names := func(c *netlink.Conn) (got []string) {
		messages, err := c.Execute(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			got = append(got, string(m.Data[unix.SizeofIfInfomsg:unix.SizeofIfInfomsg+8]))
		}
		return got
	}
	asked, err := q.Send(list) // its answer waits, and behind it what somebody else says
	if err != nil {
		t.Fatal(err)
	}
	forge(t, asked.Header.PID)
	if messages, err := q.Receive(); err != nil || len(messages) == 0 {
		t.Errorf("%d messages: %v", len(messages), err)
	}
	if a, b := names(q), names(other); len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("%q, not %q", a, b)
	}
	_, err = q.Execute(netlink.Message{Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request}, Data: append(
		[]byte{4: 0xff, 5: 0xff, 6: 0xff, 7: 0x7f}, make([]byte, 8)...,
	)})
	if !errors.Is(err, unix.ENODEV) {
		t.Errorf("an interface that is not there: %v", err)
	}
}

// forge sends a message to another socket, as only the kernel should.
func forge(t *testing.T, pid uint32) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	m := netlink.Message{Header: netlink.Header{Length: 20, Type: unix.RTM_NEWLINK, Sequence: 1}, Data: []byte("lie!")}
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: pid}); err != nil {
		t.Fatal(err)
	}
}
