package exposure

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestShare: an owner gets the same part however many namespaces it has, and leaves over what it does not use.
func TestShare(t *testing.T) {
	crowd := &owner{name: "uid 1"}
	for i := range 100 {
		crowd.netns = append(crowd.netns, uint64(1000+i))
	}
	list := []*owner{{name: "host", netns: []uint64{1, 2}}, crowd, {name: "uid 2", netns: []uint64{9}}}
	got := map[uint64]int{}
	share(list, 3_000_000, func(ns uint64, steps int) int {
		got[ns] = steps
		if ns < 3 {
			return 0 // the host's use nothing
		}
		return steps
	})
	if got[1] != 500_000 || got[2] != 1_000_000 || got[1000] != 15_000 || got[9] != 1_500_000 {
		t.Errorf("got %d %d %d %d", got[1], got[2], got[1000], got[9])
	}
}

// TestNoNamespaceHasMoreThanItsBound: one that is alone does not get all of the effort.
func TestNoNamespaceHasMoreThanItsBound(t *testing.T) {
	share([]*owner{{name: "host", netns: []uint64{1}}}, 100*namespaceSteps, func(_ uint64, steps int) int {
		if steps != namespaceSteps {
			t.Errorf("%d steps", steps)
		}
		return steps
	})
}

// TestEqualSocketsAreAskedOnce: a thousand sockets of one address and port in a namespace cost the questions of one.
func TestEqualSocketsAreAskedOnce(t *testing.T) {
	cost := func(n int) int {
		s := host()
		container(s, 7001, -1)
		for range n {
			listen(s, 7001, "0.0.0.0", 8080)
		}
		a := New(t.Context(), s, Limits{}, nil)
		v := a.view(7001, &reach.Effort{Whose: "x", Left: 1 << 30})
		list, out := make([]int, len(s.Listeners.Sockets)), map[int][]Of{}
		for i := range list {
			list[i] = i
		}
		v.sockets(list, []zones.Origin{outside}, out)
		for i := range list {
			if got := out[i][0].Answer; got.Verdict != packet.Reachable {
				t.Fatalf("%s %s", got.Verdict, reasons(got))
			}
		}
		return 1<<30 - v.effort.Left
	}
	if one, all := cost(1), cost(1000); one != all || one == 0 {
		t.Errorf("%d steps for one, %d for a thousand", one, all)
	}
}

// TestAccounts: the sockets of root come first and are paid by the host. Every other account has a part of its own, a user's subordinate
// ids are one account.
func TestAccounts(t *testing.T) {
	s := host()
	var list []int
	for _, uid := range []int{100_001, 1002, 0, 165_536, 100_000, -1, 1002} {
		i := listen(s, hostInode, "0.0.0.0", 80)
		s.Listeners.Sockets[i].UID = uid
		list = append(list, i)
	}
	a := New(t.Context(), s, Limits{Accounts: 900}, nil)
	var got []string
	for _, c := range a.accounts(list) {
		got = append(got, fmt.Sprint(c.effort.Whose, " ", c.effort.Left, " ", c.sockets))
		if own := c.effort == a.effort; own != (c.effort.Whose == "the host") {
			t.Errorf("%s: paid by the host: %v", c.effort.Whose, own)
		}
	}
	if !slices.Equal(got, []string{
		"the host 200000000 [2 5]", "the sockets of uid 1002 300 [1 6]", "the sockets of uid 100000 300 [0 4]", "the sockets of uid 165536 300 [3]",
	}) {
		t.Errorf("%q", got)
	}
}

// TestOneAccountTakesNothingFromOthers: who opens thousands of sockets that are all questions of their own uses up its own effort.
func TestOneAccountTakesNothingFromOthers(t *testing.T) {
	s := host()
	s.NFTables.Ruleset = table("input", ruleset.Accept)
	add := func(uid, port int, addr string) int {
		i := listen(s, hostInode, addr, port)
		s.Listeners.Sockets[i].UID = uid
		return i
	}
	var list []int
	for i := range 1000 {
		list = append(list, add(1001, 23, fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250)))
	}
	victim, root := add(1002, 8002, "0.0.0.0"), add(0, 8000, "0.0.0.0")
	got := New(t.Context(), s, Limits{Accounts: 20_000}, nil).Sockets(append(list, victim, root), []zones.Origin{outside})
	want(t, got[victim][0].Answer, packet.Reachable, "")
	want(t, got[root][0].Answer, packet.Reachable, "")
	starved := 0
	for _, i := range list {
		if a := got[i][0].Answer; a.Verdict == packet.Unknown && strings.Contains(reasons(a), "the sockets of uid 1001") {
			starved++
		}
	}
	if starved < 500 {
		t.Errorf("%d of the user's own are unknown", starved)
	}
}

// TestOwners: namespaces are grouped by who owns them, those of the host first, each once.
func TestOwners(t *testing.T) {
	s := host()
	for _, c := range []struct {
		inode uint64
		uid   int
	}{{7003, 1002}, {7001, 1001}, {7002, 1001}, {7009, -1}} {
		inside(s, c.inode, c.uid)
	}
	s.Network.Namespaces = append(s.Network.Namespaces, snapshot.Netns{Inode: 7020, OwnerUser: 55}) // of a user namespace whose maker is not known
	var list []int
	for _, inode := range []uint64{7003, 7002, 7001, 7002, 7099, 7009, 7020} { // nobody has seen 7099
		list = append(list, listen(s, inode, "0.0.0.0", 80))
	}
	var got []string
	for _, o := range owners(s, list) {
		got = append(got, fmt.Sprint(o.name, " ", o.common, " ", o.netns))
	}
	if !slices.Equal(got, []string{
		"host true [7009]", "uid 1001 false [7001 7002]", "uid 1002 false [7003]", "unknown false [7099]", "user namespace 55 false [7020]",
	}) {
		t.Errorf("%q", got)
	}
}

// forks are rules that split packets into 2^n cases: each changes a bit of the mark or does not.
func forks(n int) (rules [][]ruleset.Expr) {
	word := func(v uint32) ruleset.Hex { return binary.NativeEndian.AppendUint32(nil, v) }
	mark := ruleset.Expr{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Dreg: 1}}
	for i := range n {
		rules = append(rules, join(undecided, []ruleset.Expr{
			mark,
			{Name: "bitwise", Bitwise: &ruleset.Bitwise{Sreg: 1, Dreg: 1, Len: 4, Op: "mask", Mask: word(^uint32(1 << i)), Xor: word(1 << i)}},
			{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaMark, Sreg: 1, Set: true}},
		}))
	}
	return append(rules, join(compare(mark, word(0xdeadbeef)...), accepted))
}

// TestNamespacesOfOneOwnerTakeNothingFromOthers: a namespace whose rules cost more than its part is unknown by name, and one of another
// owner is answered after it.
func TestNamespacesOfOneOwnerTakeNothingFromOthers(t *testing.T) {
	s := host()
	costly := container(s, 7001, 1001)
	costly.NFTables.Ruleset = table("input", ruleset.Drop, forks(20)...)
	wire(s, port1, 7002)
	inside(s, 7002, 1002, eth0("10.0.0.3/24"))
	mine, theirs := listen(s, 7001, "0.0.0.0", 80), listen(s, 7002, "0.0.0.0", 80)
	a := New(t.Context(), s, Limits{Elsewhere: 60_000}, func(ns uint64) string { return fmt.Sprint("box ", ns-7000) })
	got := a.Sockets([]int{mine, theirs}, []zones.Origin{outside})
	want(t, got[mine][0].Answer, packet.Unknown, "network namespace 7001 (box 1) is used up")
	want(t, got[theirs][0].Answer, packet.Reachable, "")
}

// TestDefaultEfforts: what is not bounded has the bounds of an audit.
func TestDefaultEfforts(t *testing.T) {
	a := New(t.Context(), host(), Limits{Accounts: 7}, nil)
	if a.limits != (Limits{hostSteps, 7, elsewhereSteps}) || a.Effort().Left != hostSteps {
		t.Errorf("%+v, %d left", a.limits, a.Effort().Left)
	}
}

// TestWaysToNamespacesAreFollowedOnce: what the host forwards nothing to is proven once for all that is behind it, at the host's cost, so that
// many sockets there cost their namespace next to nothing.
func TestWaysToNamespacesAreFollowedOnce(t *testing.T) {
	s := host()
	container(s, 7001, -1)
	s.NFTables.Ruleset = table("forward", ruleset.Drop)
	var sockets []int
	for port := range 300 {
		sockets = append(sockets, listen(s, 7001, "0.0.0.0", 1000+port))
	}
	a := New(t.Context(), s, Limits{Elsewhere: 600_000}, nil)
	got := a.Sockets(sockets, []zones.Origin{outside})
	for _, i := range sockets {
		if x := got[i][0]; x.Verdict != packet.Unreachable || !x.Checked {
			t.Fatalf("port %d: %s, checked %v, %v", s.Listeners.Sockets[i].Port, x.Verdict, x.Checked, x.Because)
		}
	}
	if len(a.gates) != 1 {
		t.Errorf("packets of the origin were followed %d times", len(a.gates))
	}
}

// TestManyNetworksFitIntoTheEffort: the part that each of 1,000 network namespaces has is enough for an answer for each of 400 origins.
func TestManyNetworksFitIntoTheEffort(t *testing.T) {
	s := host()
	container(s, 7001, -1)
	i := listen(s, 7001, "0.0.0.0", 80)
	var origins []zones.Origin
	for range 400 {
		origins = append(origins, outside)
	}
	got := New(t.Context(), s, Limits{Elsewhere: elsewhereSteps / 1000}, nil).Sockets([]int{i}, origins)[i]
	if len(got) != len(origins) {
		t.Fatalf("%d answers", len(got))
	}
	for n := range got {
		want(t, got[n].Answer, packet.Reachable, "")
	}
}
