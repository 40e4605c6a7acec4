//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestShareOfSockets: what a user opens beyond its share is counted and said, and takes nothing from root and from others.
func TestShareOfSockets(t *testing.T) {
	h := newSocketShares(1)
	kept := map[string]int{}
	open := func(name string, netns uint64, proto string, uid, n int) {
		for range n {
			if h.keep(netns, &snapshot.Socket{Proto: proto, UID: uid}) {
				kept[name]++
			}
		}
	}
	open("mal", 1, "tcp", 1001, maxAccountSockets+7)
	open("unix of mal", 1, "unix", 1001, 10)
	open("root", 1, "tcp", 0, maxAccountSockets+7)
	open("vic", 1, "tcp", 1002, 10)
	open("elsewhere", 2, "tcp", 1001, maxAccountSockets/2)
	open("elsewhere", 3, "tcp", 1001, maxAccountSockets/2+5)
	open("container", 4, "tcp", 0, maxAccountSockets+3)
	for i := range 4 { // subordinate uids of one user
		open("subordinate", 1, "tcp", firstSubUID+i, maxAccountSockets/2)
	}
	want := map[string]int{
		"mal": maxAccountSockets, "unix of mal": 10, "root": maxAccountSockets + 7, "vic": 10, "elsewhere": maxAccountSockets,
		"container": maxAccountSockets, "subordinate": maxAccountSockets,
	}
	for name, n := range want {
		if kept[name] != n {
			t.Errorf("%s: %d sockets, want %d", name, kept[name], n)
		}
	}
	out := new(Outcome)
	h.gaps(out)
	for _, reason := range []string{
		"uid 1001 has 7 more ip sockets than are listed", "uid 1001 has 5 more ip sockets in other network namespaces than are listed",
		"uid 0 has 3 more ip sockets in network namespace 4 than are listed", "uid 100000 has 20000 more ip sockets than are listed",
	} {
		if !slices.Contains(out.reasons, reason) {
			t.Errorf("not said: %s (%q)", reason, out.reasons)
		}
	}
	if !out.parts["ip"] || !out.parts["namespaces"] || out.parts["unix"] || out.whole || out.status != snapshot.Partial {
		t.Errorf("%+v", out)
	}
	for uid := range 10_000 { // any number of uids
		open("many", 1, "tcp", 2000+uid, 60)
	}
	if kept["many"] > mostSockets {
		t.Errorf("%d sockets of 10,000 uids", kept["many"])
	}
}
