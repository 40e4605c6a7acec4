//go:build linux && !ringfence_portable

package checks

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// TestTranslatedFlowIsOne: a connection that rules translated is told as what was sent to, also where the socket that answers was seen.
func TestTranslatedFlowIsOne(t *testing.T) {
	at := netip.MustParseAddrPort
	client, server := at("203.0.113.9:40000"), at("203.0.113.1:8080")
	c := &flowCount{seen: map[snapshot.FlowUse]int{}, translated: map[ends]wire.Connection{
		{client, server}: {Proto: unix.IPPROTO_TCP, From: client, To: at("203.0.113.1:80"), Client: client, Server: server, Status: wire.DstNAT},
	}}
	c.socket(at("[::ffff:203.0.113.9]:40000"), at("[::ffff:203.0.113.1]:8080"), true)
	c.socket(at("203.0.113.9:40001"), server, true)
	for u, n := range c.seen {
		if translated := u.Port == 80; n != 1 || u.Translated != translated || u.Peer != "203.0.113.9" || u.Port != 80 && u.Port != 8080 || !u.Here {
			t.Errorf("%+v: %d", u, n)
		}
	}
	if len(c.seen) != 2 {
		t.Errorf("%+v", c.seen)
	}
}
