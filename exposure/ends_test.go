package exposure

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
)

// TestEndsAreFoundByAddress: of relays and sockets in many network namespaces the same are found as by holding each against each.
func TestEndsAreFoundByAddress(t *testing.T) {
	s := fixtures.Host()
	own := s.Network.HostNetns()
	s.Listeners.Sockets = nil
	add := func(ns uint64, addr string, family, port int, r *snapshot.Relay) {
		s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{Proto: "tcp", Family: family, Addr: addr, Port: port, Netns: ns, Relay: r})
	}
	for i := range 12 {
		ns := uint64(7000 + i)
		addr := fmt.Sprintf("172.30.%d.2", i)
		s.Namespaces = append(s.Namespaces, snapshot.Elsewhere{Netns: ns, Status: snapshot.OK, Network: snapshot.Network{Links: []snapshot.Link{
			{Index: 1, Name: "lo", Loopback: true, Up: true, Addrs: []string{"127.0.0.1/8", "::1/128"}},
			{Index: 2, Name: "eth0", Up: true, Addrs: []string{addr + "/24", "172.30.99.9/16", fmt.Sprintf("fd00::%x/64", i)}},
		}}})
		add(ns, "0.0.0.0", 4, 80, nil)
		add(ns, "::", 6, 81, nil)
		add(ns, "127.0.0.1", 4, 82, nil)
		add(ns, addr, 4, 83, nil)
		for n, end := range []string{addr, "127.0.0.1", fmt.Sprintf("fd00::%x", i), "172.30.99.9", "10.9.9.9", ""} {
			for port := 80; port < 84; port++ {
				add(own, "0.0.0.0", 4, 20_000+100*i+10*n+port-80, &snapshot.Relay{Program: "docker-proxy", Addr: end, Port: port, Netns: []uint64{0, ns}[i%2]})
			}
		}
	}
	a, found := New(t.Context(), s, Limits{}, nil), 0
	var all []int
	for i := range s.Listeners.Sockets {
		all = append(all, i)
	}
	got := a.ends(all)
	for j := range all {
		var want []int
		for i := range all {
			relay, to := &s.Listeners.Sockets[j], &s.Listeners.Sockets[i]
			if relay.Relay != nil && (leads(s, relay, to) || mayLeadTo(relay, to)) {
				want = append(want, i)
				if !got.led[i] {
					t.Errorf("%d is not known to be led to", i)
				}
			}
		}
		if found += len(want); !slices.Equal(got.of[j], want) {
			t.Errorf("%d (%+v): %v, want %v", j, s.Listeners.Sockets[j].Relay, got.of[j], want)
		}
	}
	if found < 100 {
		t.Errorf("only %d lead anywhere", found)
	}
}
