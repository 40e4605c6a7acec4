//go:build linux && !ringfence_portable

package remedy

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestRedirectedConnectionsGoOn: what rules translated to a port of the host is let in by the baseline whatever that port is, so its connections are
// not ended. A denial of the port that was sent to ends them.
func TestRedirectedConnectionsGoOn(t *testing.T) {
	s := sshOn(22)
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "203.0.113.1:22", LoggedIn: snapshot.Yes}}
	client := netip.MustParseAddrPort("203.0.113.9:40000")
	k := &socket{local: netip.MustParseAddrPort("203.0.113.1:8080"), peer: client, incoming: true}
	before := &wire.Connection{Proto: unix.IPPROTO_TCP, From: client, To: netip.MustParseAddrPort("203.0.113.1:80"), Client: client, Server: k.local, Status: wire.DstNAT}
	p := Make(new(finding.Report), s, zones.Config{zones.External: {Interfaces: []string{"ext0"}}}, Options{Mode: DefaultDeny})
	if !p.cuts(s, k, nil) || p.cuts(s, k, before) {
		t.Errorf("direct %v, redirected %v", p.cuts(s, k, nil), p.cuts(s, k, before))
	}
	for port, want := range map[int]bool{80: true, 8080: false} {
		p := Make(asked(zones.External, port), s, zones.Config{zones.External: {Interfaces: []string{"ext0"}}}, Options{})
		if got := p.cuts(s, k, before); got != want {
			t.Errorf("port %d closed: ended %v", port, got)
		}
	}
}
