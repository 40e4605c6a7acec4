package exposure

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestFamiliesOfASocket: which packets a socket can get follows from its family, its address and IPV6_V6ONLY.
func TestFamiliesOfASocket(t *testing.T) {
	for _, c := range []struct {
		family int
		addr   string
		v6only bool
		want   []bool
	}{
		{4, "0.0.0.0", false, []bool{true}},
		{4, "10.0.0.1", false, []bool{true}},
		{6, "::", false, []bool{true, false}},
		{6, "::", true, []bool{false}},
		{6, "2001:db8::1", false, []bool{false}},
		{6, "::ffff:10.0.0.1", false, []bool{true}},
		{6, "::ffff:10.0.0.1", true, []bool{false}},
		{6, "fe80::1%2", false, []bool{false}},
	} {
		if got := Families(&snapshot.Socket{Family: c.family, Addr: c.addr, V6Only: c.v6only}); !slices.Equal(got, c.want) {
			t.Errorf("%d %s %v: %v", c.family, c.addr, c.v6only, got)
		}
	}
}

// TestEachOriginAndFamilyIsAnswered: a dual-stack socket has one answer for each origin and family, in the order of the origins.
func TestEachOriginAndFamilyIsAnswered(t *testing.T) {
	s := host()
	both, four := listen(s, hostInode, "::", 80), listen(s, hostInode, "10.0.0.1", 81)
	got := New(t.Context(), s, Limits{}, nil).Sockets([]int{both, four}, []zones.Origin{outside, bridged, onHost})
	text := func(list []Of) (out []string) {
		for _, of := range list {
			out = append(out, fmt.Sprintf("%d %v %s", of.Origin, of.V4, of.Verdict))
		}
		return out
	}
	if g := text(got[both]); !slices.Equal(g, []string{
		"0 true reachable", "0 false reachable", "1 true reachable", "1 false reachable", "2 true reachable", "2 false reachable",
	}) {
		t.Errorf("dual stack: %v", g)
	}
	if g := text(got[four]); !slices.Equal(g, []string{"0 true reachable", "1 true reachable", "2 true reachable"}) {
		t.Errorf("IPv4: %v", g)
	}
}

// TestAddressesOfTheHost: a socket at one address is reached by packets for it, one at loopback by processes of the host alone.
func TestAddressesOfTheHost(t *testing.T) {
	s := host()
	loopback := listen(s, hostInode, "127.0.0.1", 80)
	inner := listen(s, hostInode, "10.0.0.1", 81)
	absent := listen(s, hostInode, "10.0.0.77", 82)
	want(t, only(t, s, loopback, outside, true), packet.Unreachable, "")
	want(t, only(t, s, loopback, bridged, true), packet.Unreachable, "")
	want(t, only(t, s, loopback, onHost, true), packet.Reachable, "")
	want(t, only(t, s, inner, outside, true), packet.Reachable, "")
	want(t, only(t, s, absent, outside, true), packet.Unreachable, "")
}

// many are sockets at the ports from first on.
func many(s *snapshot.Snapshot, n, first int) (list []int) {
	for i := range n {
		list = append(list, listen(s, hostInode, "0.0.0.0", first+i))
	}
	return list
}

// TestSweepSaysWhatSingleQuestionsSay: from sweepFrom sockets on one walk answers for all ports. Each answer is the one that the socket
// has alone.
func TestSweepSaysWhatSingleQuestionsSay(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Drop, join(tcpTo(1003), accepted), join(tcpTo(1020), accepted), join(tcpTo(1021), undecided, accepted))
	list := many(s, 2*sweepFrom, 1000)
	got := New(t.Context(), s, Limits{}, nil).Sockets(list, []zones.Origin{outside})
	for _, i := range list {
		port := s.Listeners.Sockets[i].Port
		verdict := packet.Unreachable
		switch port {
		case 1003, 1020:
			verdict = packet.Reachable
		case 1021:
			verdict = packet.Unknown
		}
		if len(got[i]) != 1 {
			t.Fatalf("port %d: %d answers", port, len(got[i]))
		}
		want(t, got[i][0].Answer, verdict, "")
		want(t, only(t, s, i, outside, true), verdict, "")
		if w := got[i][0].Witness; w != nil && int(w.Dport) != port {
			t.Errorf("port %d: the witness goes to %d", port, w.Dport)
		}
	}
}

// TestSocketsOfOnePortAreOneQuestion: SO_REUSEPORT makes equal sockets. They have equal answers, and a second one costs no walk.
func TestSocketsOfOnePortAreOneQuestion(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Accept)
	var list []int
	for range 300 {
		list = append(list, listen(s, hostInode, "0.0.0.0", 80))
	}
	cost := func(list []int) int {
		a := New(t.Context(), s, Limits{}, nil)
		for i, answers := range a.Sockets(list, []zones.Origin{outside}) {
			if len(answers) != 1 || answers[0].Verdict != packet.Reachable {
				t.Fatalf("socket %d: %+v", i, answers)
			}
		}
		return hostSteps - a.Effort().Left
	}
	if one, all := cost(list[:1]), cost(list); all > 300*one/4 {
		t.Errorf("%d steps for one, %d for 300", one, all)
	}
}

// TestGroupedCertificates: the sockets of one kind that nothing reaches have one certificate, which costs less than one for each.
func TestGroupedCertificates(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Drop)
	list := many(s, 64, 1000)
	a := New(t.Context(), s, Limits{}, nil)
	got := a.Sockets(list, []zones.Origin{outside})
	for _, i := range list {
		want(t, got[i][0].Answer, packet.Unreachable, "")
	}
	if n := a.Tally(); n != (Tally{Unreachable: 64}) {
		t.Errorf("tally %+v", n)
	}
	single := 0
	for _, i := range list {
		b := New(t.Context(), s, Limits{}, nil)
		b.Sockets([]int{i}, []zones.Origin{outside})
		single += hostSteps - b.Effort().Left
	}
	if together := hostSteps - a.Effort().Left; together*4 > single {
		t.Errorf("%d steps together, %d one by one", together, single)
	}
}

// TestGroupedCertificatesAreHalved: where the second engine finds one of many open, that one is unknown, and the proofs of the others hold.
func TestGroupedCertificatesAreHalved(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Drop)
	list := many(s, 9, 1000)
	a := New(t.Context(), s, Limits{}, nil)
	other := *s
	other.NFTables.Ruleset = table("input", ruleset.Drop, join(tcpTo(1004), accepted))
	a.snap = &other
	got := a.Sockets(list, []zones.Origin{outside})
	for _, i := range list {
		answer := got[i][0].Answer
		if s.Listeners.Sockets[i].Port == 1004 {
			want(t, answer, packet.Unknown, "the proof was not confirmed: ")
		} else {
			want(t, answer, packet.Unreachable, "")
		}
	}
	if n := a.Tally(); n != (Tally{Unreachable: 8, Unknown: 1, Unconfirmed: 1}) {
		t.Errorf("tally %+v", n)
	}
}

// TestGroupsWithoutEffortAreNotHalved: without effort none of the group is proven.
func TestGroupsWithoutEffortAreNotHalved(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Drop)
	list := many(s, 9, 1000)
	a := New(t.Context(), s, Limits{}, nil)
	out := make([]Answer, len(list))
	dark := make([]int, len(list))
	for j := range list {
		out[j].Verdict, dark[j] = packet.Unreachable, j
	}
	a.effort.Left = 0
	a.certifyTogether(outside.Origin, true, list, dark, out)
	for j := range out {
		want(t, out[j], packet.Unknown, "is used up")
	}
	if n := a.Tally(); n.Unconfirmed != 9 {
		t.Errorf("tally %+v", n)
	}
}

// TestDevicesAndKinds: sockets bound to a device are a kind of their own, and take packets of that device alone.
func TestDevicesAndKinds(t *testing.T) {
	s := host()
	i := listen(s, hostInode, "0.0.0.0", 80)
	s.Listeners.Sockets[i].Device = "br0"
	j := listen(s, hostInode, "0.0.0.0", 81)
	if kindOf(&s.Listeners, &s.Listeners.Sockets[i]) == kindOf(&s.Listeners, &s.Listeners.Sockets[j]) {
		t.Error("the device makes no difference")
	}
	want(t, only(t, s, i, outside, true), packet.Unreachable, "")
	want(t, only(t, s, i, bridged, true), packet.Reachable, "")
	want(t, only(t, s, j, outside, true), packet.Reachable, "")
}

// TestForwardsAreAnswered: of several targets each has its answer for any port and for one, checked.
func TestForwardsAreAnswered(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("forward", ruleset.Drop, join(tcpTo(443), accepted))
	a := New(t.Context(), s, Limits{}, nil)
	ways := a.Forwards(&outside, [][]int{{br0}, {ext0}}, 7777, true)
	want(t, ways[0].Any, packet.Reachable, "")
	want(t, ways[0].Port, packet.Unreachable, "policy")
	if ways[0].Any.Witness != nil && ways[0].Any.Witness.Dport != 443 {
		t.Errorf("the witness %+v", ways[0].Any.Witness)
	}
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	ways = New(t.Context(), s, Limits{}, nil).Forwards(&outside, [][]int{{br0}, {ext0}}, 7777, true)
	for i := range ways {
		want(t, ways[i].Any, packet.Unreachable, "policy")
		want(t, ways[i].Port, packet.Unreachable, "policy")
	}
}
