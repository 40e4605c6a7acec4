package judge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// flood opens n sockets of mal on loopback addresses, one on the network after them, and abstract ones.
func flood(s *snapshot.Snapshot, n int) {
	host := s.Network.HostNetns()
	for i := range n {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
			Netns: host, Proto: "tcp", Family: 4, Addr: fmt.Sprintf("127.0.%d.%d", 1+i/50_000, 1+i%200), Port: 1025 + i%50_000, UID: 1001,
			Inode: uint64(1_000_000 + i), OwnerState: "kernel",
		}, snapshot.Socket{
			Netns: host, Proto: "unix", Type: "dgram", Abstract: true, Path: fmt.Sprintf("@%d", i), UID: 1001, Inode: uint64(9_000_000 + i), OwnerState: "kernel",
		})
	}
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
		Netns: host, Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 999, UID: 1001, Inode: 7, OwnerState: "kernel",
	})
}

// TestSocketsBeyondAShare: what a user opens beyond its share is named and makes the checks about services unknown where they would
// have passed; what a network reaches is judged first, and root's is all judged.
func TestSocketsBeyondAShare(t *testing.T) {
	s := fixtures.Host()
	before := len(build(t.Context(), s, zones.Config{}).doc.Services)
	flood(s, accountSockets+100)
	b := build(t.Context(), s, zones.Config{})
	if n := len(b.doc.Services); n != before+accountSockets {
		t.Errorf("%d services, want %d more than %d", n, accountSockets, before)
	}
	wide := false
	for _, svc := range b.doc.Services {
		wide = wide || svc.Port == 999
	}
	if !wide {
		t.Error("the socket on the network was left out")
	}
	want := fmt.Sprintf("uid 1001 has 101 more listening sockets than the %d that are judged", accountSockets)
	if got := b.gaps["listeners.ip"]; len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Judge(t.Context(), s, p, new(Config), "0")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for i := range r.Results {
		res := &r.Results[i]
		c := p.Checks[i]
		for _, read := range c.Reads {
			if read == "listeners.ip" && (res.Status == finding.Pass || res.Status == finding.NotApplicable) {
				t.Errorf("%s: %s", res.ID, res.Status)
			}
		}
		if strings.Contains(res.Reason, want) {
			said++
		}
	}
	if said == 0 {
		t.Error("no check names who has more")
	}
}

// TestSharesOfMany: many accounts share a part between them, and those that have few sockets keep them.
func TestSharesOfMany(t *testing.T) {
	s := fixtures.Host()
	host := s.Network.HostNetns()
	s.Listeners.Sockets = nil
	for uid := range 10 {
		for i := range map[bool]int{true: 3, false: 5000}[uid == 0] {
			s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Netns: host, Proto: "udp", Family: 4, Addr: "127.0.0.1", Port: 1 + i, UID: 1001 + uid})
		}
	}
	b := newBuilder(t.Context(), s, zones.Config{}, exposure.Limits{})
	b.shareSockets()
	kept := map[int]int{}
	for i, left := range b.unasked {
		if !left {
			kept[s.Listeners.Sockets[i].UID]++
		}
	}
	total := 0
	for uid, n := range kept {
		total += n
		if uid == 1001 && n != 3 || uid != 1001 && n < otherSockets/10 {
			t.Errorf("uid %d: %d", uid, n)
		}
	}
	if total > otherSockets || len(b.gaps["listeners.ip"]) != 9 {
		t.Errorf("%d sockets, %q", total, b.gaps)
	}
}
