//go:build linux

package e2e

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/snapshot"
)

// TestRoutesThatEncapsulate: what a route does with packets is read as the kernel has it, also of one hop among several.
func TestRoutesThatEncapsulate(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Shell(t, `ip -batch - <<B
link add vt0 type veth peer name vt1
link set vt0 up
link set vt1 up
addr add 10.1.1.1/24 dev vt0
addr add fd01::1/64 dev vt0 nodad
route add 10.9.9.0/24 encap ip id 5 dst 10.1.1.2 dev vt0
route add 10.9.7.0/24 nexthop dev vt1 nexthop encap ip id 5 dst 10.1.1.2 dev vt0
route add fc00:1::/64 encap seg6local action End dev vt0
route add 10.9.8.0/24 dev vt0
B`)
	out, err := exec.Command(bed.Program(t), "collect", "-q").Output()
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range s.Network.Routes {
		got[r.Dst] = r.Encap
	}
	for dst, want := range map[string]string{"10.9.9.0/24": "ip", "10.9.7.0/24": "ip", "fc00:1::/64": "seg6local", "10.9.8.0/24": ""} {
		if encap, ok := got[dst]; !ok || encap != want {
			t.Errorf("the route to %s: encap %q, want %q", dst, encap, want)
		}
	}
}
