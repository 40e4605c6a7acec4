//go:build linux

package e2e

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/packet"
)

// TestRelaysPublishLoopback: what listens on loopback alone is reached through two programs that pass connections on, by a peer of the
// real network and in the audit; through one that asks who comes the audit does not know; without one it is out of reach.
func TestRelaysPublishLoopback(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "socat")
	b := newBed(t)
	const hello, answer = "hello", "SYSTEM:printf hello"
	for _, args := range [][]string{
		{"TCP-LISTEN:2375,bind=127.0.0.1,fork", answer},
		{"TCP-LISTEN:9002,bind=127.0.0.1,fork", answer},
		{"TCP-LISTEN:9003,bind=127.0.0.1,fork", answer},
		{"TCP-LISTEN:8001,fork", "TCP:127.0.0.1:8101"},
		{"TCP-LISTEN:8101,bind=127.0.0.1,fork", "TCP:localhost:2375"},
		{"TCP-LISTEN:8002,fork,range=198.18.0.0/24", "TCP4:127.0.0.1:9002"},
	} {
		b.start("/", append([]string{"socat"}, args...)...)
	}
	for _, port := range []string{":2375", ":9002", ":9003", ":8001", ":8101", ":8002"} {
		b.waitFor("t", port)
	}
	r, _ := b.audit()
	got := map[int]packet.Verdict{}
	for i := range r.Exposures {
		e := &r.Exposures[i]
		if e.Zone == "external" && e.Family == "ipv4" && e.Origin == "ext0" {
			got[e.Service.Port] = packet.Verdict(e.Verdict)
		}
	}
	for port, verdict := range map[int]packet.Verdict{2375: packet.Reachable, 9002: packet.Unknown, 9003: packet.Unreachable, 8101: packet.Reachable} {
		if got[port] != verdict {
			t.Errorf("port %d: %q, want %s", port, got[port], verdict)
		}
	}
	closes := 0
	for _, res := range r.Results {
		for _, f := range res.Findings {
			for _, rem := range f.Remediation {
				if res.ID == "runtime/docker-api-on-tcp" && rem.Deny != nil {
					closes = rem.Deny.Port
				}
			}
		}
	}
	if closes != 8001 {
		t.Errorf("what closes the interface of a runtime on loopback: port %d", closes)
	}
	hears := map[string]bool{}
	b.inNS("ext", func() {
		for _, port := range []string{"8001", "8002"} {
			c, err := net.DialTimeout("tcp", "203.0.113.1:"+port, bed.Patience)
			if err != nil {
				t.Error(err)
				continue
			}
			_ = c.SetDeadline(time.Now().Add(bed.Patience))
			text := make([]byte, len(hello))
			_, _ = io.ReadFull(c, text)
			hears[port] = string(text) == hello
			c.Close()
		}
	})
	if !hears["8001"] || hears["8002"] {
		t.Errorf("what a peer hears: %v", hears)
	}
}
