//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// filesOf makes a host of these files, by path without the first slash.
func filesOf(t *testing.T, files map[string]string) *Scan {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return newScan(host.At(root))
}

// TestPartyIsWhoeverMakesProcesses: no change of the uid, and no name of a container of one's own, makes another party.
func TestPartyIsWhoeverMakesProcesses(t *testing.T) {
	s := filesOf(t, map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nmal:x:1001:1001::/home/mal:/bin/sh\nfar:x:300000:300000::/home/far:/bin/sh\n",
		"etc/subuid": "mal:165536:65536\n1001:500000:10\nnobody:1:1\nbroken\n",
	})
	byRoot, byMal := snapshot.Word{By: snapshot.ByRoot}, snapshot.WordOf(1001)
	for _, c := range []struct {
		name string
		p    snapshot.Process
		want string
	}{
		{"root", snapshot.Process{}, "uid 0"},
		{"an account", snapshot.Process{UID: 1001}, "uid 1001"},
		{"its subordinate uids", snapshot.Process{UID: 165536 + 77}, "uid 1001"},
		{"those that are given by number", snapshot.Process{UID: 500009}, "uid 1001"},
		{"after the range", snapshot.Process{UID: 500010}, "uid 493216"},
		{"an account with a high uid", snapshot.Process{UID: 300000}, "uid 300000"},
		{"a uid without an account", snapshot.Process{UID: 2000}, "uid 2000"},
		{"a container's root", snapshot.Process{Container: "c", ContainerWord: byRoot}, "container c"},
		{"any uid of a container", snapshot.Process{UID: 1001, Container: "c", ContainerWord: byRoot}, "container c"},
		{"a container that nobody vouches for", snapshot.Process{UID: 7, Container: "d"}, "container d"},
		{"a uid's own container", snapshot.Process{UID: 0, Container: "uid1001:c", ContainerWord: byMal}, "uid 1001"},
	} {
		if got := s.party(&process{Process: c.p}); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
	if got := s.party(&process{setID: true}); ofHost(got) {
		t.Error("a set-user-id program that somebody started is the host's")
	}
}

// TestSharesAreOfParties: what one takes is nobody else's, and the host comes first.
func TestSharesAreOfParties(t *testing.T) {
	c := newShares(10)
	if c.take("a", 8) != 8 || c.take("a", 8) != 2 || c.left("a") != 0 || c.take("b", 3) != 3 || !c.over["a"] || c.over["b"] {
		t.Errorf("%+v", c)
	}
	s := filesOf(t, nil)
	var procs []*process
	for i, uid := range []int{5, 5, 5, 0, 6} {
		procs = append(procs, &process{Process: snapshot.Process{PID: i, UID: uid}})
	}
	for name, list := range map[string][]*process{"hostFirst": s.hostFirst(procs), "inTurns": s.inTurns(procs)} {
		want := map[string][]int{"hostFirst": {3, 0, 1, 2, 4}, "inTurns": {3, 0, 4, 1, 2}}[name]
		for i, p := range list {
			if p.PID != want[i] || len(list) != len(want) {
				t.Errorf("%s: %d comes at %d", name, p.PID, i)
			}
		}
	}
}

// TestTimeOfTheTableIsOfParties: a container whose processes take long to read comes to an end of its time, and nobody else does.
func TestTimeOfTheTableIsOfParties(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	s := filesOf(t, map[string]string{
		"proc/1/cgroup": "0::/\n", "proc/2/cgroup": "0::/docker/" + a + "\n", "proc/3/cgroup": "0::/docker/" + b + "\n",
	})
	turn := s.newTurn()
	turn.charge("container "+a, time.Now().Add(-time.Hour))
	if !turn.of(2) {
		t.Error("whose a process is is asked before there is any hurry")
	}
	turn.start = turn.start.Add(-time.Hour)
	if turn.of(2) || !turn.of(1) || !turn.of(3) || !turn.of(4) {
		t.Error("the time of one party is not its own")
	}
	if got := turn.gap("x"); got != "x; there was no time for all processes of container "+a {
		t.Errorf("%q", got)
	}
}

// TestNobodyIsLeftOutWithoutHurry: a slow machine is no reason to leave out a party.
func TestNobodyIsLeftOutWithoutHurry(t *testing.T) {
	c := newClock()
	c.charge("a", time.Now().Add(-partyTime-time.Minute))
	if !c.has("a") || len(c.over) > 0 {
		t.Error("left out at the start")
	}
	c.start = time.Now().Add(-hurry - time.Minute)
	if c.has("a") || !c.has("b") || !c.has(uidParty(0)) || !c.over["a"] || c.slowest() != "a" {
		t.Errorf("%+v", c)
	}
}
