//go:build linux && !ringfence_portable

package checks

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// TestTranslatedFlowIsOne: a connection that rules translated is told as what was sent to, also where the socket that answers was seen.
func TestTranslatedFlowIsOne(t *testing.T) {
	at := netip.MustParseAddrPort
	client, server := at("203.0.113.9:40000"), at("203.0.113.1:8080")
	c := newFlowCount(nil, map[ends]wire.Connection{
		{unix.IPPROTO_TCP, client, server}: {Proto: unix.IPPROTO_TCP, From: client, To: at("203.0.113.1:80"), Client: client, Server: server, Status: wire.DstNAT},
	})
	c.socket(unix.IPPROTO_TCP, at("[::ffff:203.0.113.9]:40000"), at("[::ffff:203.0.113.1]:8080"), true)
	c.socket(unix.IPPROTO_TCP, at("203.0.113.9:40001"), server, true)
	for u, n := range c.seen {
		if translated := u.Port == 80; n != 1 || u.Translated != translated || u.Peer != "203.0.113.9" || u.Port != 80 && u.Port != 8080 || !u.Here {
			t.Errorf("%+v: %d", u, n)
		}
	}
	if len(c.seen) != 2 {
		t.Errorf("%+v", c.seen)
	}
}

// TestCrowdsHideNobody: thousands of clients of one port, or connections of the host's own, leave room for who else uses what, and it is told how many
// are not told apart.
func TestCrowdsHideNobody(t *testing.T) {
	own := netip.MustParseAddr("203.0.113.1")
	c := newFlowCount(map[netip.Addr]bool{own: true}, nil)
	add := func(from, to netip.Addr, port uint16) {
		c.add(unix.IPPROTO_TCP, netip.AddrPortFrom(from, 40000), netip.AddrPortFrom(to, port), snapshot.FlowUse{Tracked: true})
	}
	peer := netip.MustParseAddr("198.18.0.1")
	const crowd = 2 * maxFlows
	for range crowd {
		peer = peer.Next()
		add(own, peer, 443)
		add(peer, own, 443)
	}
	add(netip.MustParseAddr("192.0.2.7"), own, 5432)
	list := (&Scan{Host: host.At(t.TempDir())}).flows(t.Context(), nil, c)
	mine, clients, more, last := 0, 0, 0, false
	for _, u := range list {
		switch {
		case u.Peer == own.String():
			mine++
		case u.Port == 443:
			clients++
			more += u.More
		default:
			last = u.Peer == "192.0.2.7" && u.Port == 5432
		}
	}
	if mine != maxOwnFlows || clients != maxPortFlows || more != crowd-maxPortFlows || !last {
		t.Errorf("%d of the host's own, %d clients and %d more, the other one %v", mine, clients, more, last)
	}
}
