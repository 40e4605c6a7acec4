//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// etc makes a host of these files below /etc.
func etc(t *testing.T, files map[string]string) *Scan {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return newScan(host.At(root))
}

// TestPartyIsWhoeverMakesProcesses: no change of the uid, and no name of a container of one's own, makes another party.
func TestPartyIsWhoeverMakesProcesses(t *testing.T) {
	s := etc(t, map[string]string{
		"passwd": "root:x:0:0::/root:/bin/sh\nmal:x:1001:1001::/home/mal:/bin/sh\nfar:x:300000:300000::/home/far:/bin/sh\n",
		"subuid": "mal:165536:65536\n1001:500000:10\nnobody:1:1\nbroken\n",
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
}

// TestSharesAreOfParties: what one takes is nobody else's, and the host comes first.
func TestSharesAreOfParties(t *testing.T) {
	c := newShares(10)
	if c.take("a", 8) != 8 || c.take("a", 8) != 2 || c.left("a") != 0 || c.take("b", 3) != 3 || !c.over["a"] || c.over["b"] {
		t.Errorf("%+v", c)
	}
	s := etc(t, nil)
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
