//go:build linux && !ringfence_portable

package checks

import (
	"net"
	"os"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestConnectedUDP: a socket that is connected has no port for others in the list of what listens, and its peer sends to it all the same.
func TestConnectedUDP(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := net.Dial("udp4", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	out := new(Outcome)
	got := newScan(host.Local()).connectedUDP(out)[os.Getpid()]
	want := snapshot.Peer{Local: client.LocalAddr().String(), Remote: server.LocalAddr().String(), UID: os.Getuid()}
	if !slices.Contains(got, want) || len(out.reasons) > 0 {
		t.Errorf("%+v, want %+v; %v", got, want, out.reasons)
	}
}
