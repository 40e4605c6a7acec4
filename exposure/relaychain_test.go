package exposure

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// onLoopback adds a listener of the host at 127.0.0.1 that passes connections on to another port there; to 0 for none.
func onLoopback(s *snapshot.Snapshot, uid, port, to int) int {
	j := relay(s, uid, port, "127.0.0.1", to)
	sk := &s.Listeners.Sockets[j]
	sk.Addr = "127.0.0.1"
	if to == 0 {
		sk.Relay = nil
	}
	return j
}

// TestRelaysInARow: what gets to the first of three programs that pass connections on gets to where the last one leads, in whatever order they are listed.
func TestRelaysInARow(t *testing.T) {
	s, _ := published(-1)
	end := onLoopback(s, 0, 9000, 0)
	last := onLoopback(s, 0, 9001, 9000)
	between := onLoopback(s, 0, 9002, 9001)
	first := relay(s, 0, 3000, "127.0.0.1", 9002)
	loop := onLoopback(s, 0, 9003, 9003)
	got := New(t.Context(), s, Limits{}, nil).Sockets([]int{end, last, between, first, loop}, []zones.Origin{outside})
	for i, verdict := range map[int]packet.Verdict{end: packet.Reachable, last: packet.Reachable, between: packet.Reachable, first: packet.Reachable, loop: packet.Unreachable} {
		want(t, got[i][0].Answer, verdict, "")
		if verdict == packet.Reachable && got[i][0].Witness.Dport != 3000 {
			t.Errorf("%d: %s", i, got[i][0].Witness)
		}
	}
}

// TestRelayThatChooses: what a proxy passes on by rules that were not worked out makes an answer unknown, and so does the word of a user about a socket
// that is not the user's. Neither takes anything from what is reachable anyway.
func TestRelayThatChooses(t *testing.T) {
	for _, c := range []struct {
		relay, owner int
		chooses      bool
		verdict      packet.Verdict
		why          string
	}{
		{0, 0, false, packet.Reachable, ""},
		{0, 0, true, packet.Unknown, "passes on to it what it chooses"},
		{1001, 1001, true, packet.Unknown, "passes on to it what it chooses"},
		{1001, 1001, false, packet.Reachable, ""},
		{1001, 0, false, packet.Unknown, "is not root's"},
	} {
		s, _ := published(-1)
		end := onLoopback(s, c.owner, 9000, 0)
		first := relay(s, c.relay, 3000, "10.0.0.7", 1)
		s.Listeners.Sockets[first].Relay.Also = []snapshot.RelayEnd{{Addr: "127.0.0.1", Port: 9000}}
		s.Listeners.Sockets[first].Relay.Chooses = c.chooses
		got, _ := both(t, s, end, first, outside)
		if want(t, got, c.verdict, ""); got.Verdict == packet.Unknown && !strings.Contains(got.Because[0].Text, c.why) {
			t.Errorf("%+v: %+v", c, got.Because)
		}
		if got, _ := both(t, s, first, end, outside); got.Verdict != packet.Reachable {
			t.Errorf("%+v: the program itself is %s", c, got.Verdict)
		}
	}
}
