//go:build linux

package e2e

import (
	"net"
	"os"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// linkProgram attaches a program to a target by a link, which goes with the test: more is what a type of place wants besides.
func linkProgram(t *testing.T, prog, target int, place uint32, more ...uint32) {
	t.Helper()
	t.Cleanup(bed.LinkProgram(t, prog, target, place, more...))
}

// TestProgramsOnTheWay: a program at any place where one can be is seen, and an answer that it can make another is unknown. Each drops or steers what
// the kernel would deliver without it, or delivers what nobody would get.
func TestProgramsOnTheWay(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	servedScene(t)
	bed.Shell(t, `sysctl -qw net.ipv4.ip_forward=1; ip -n m route add default via 10.10.0.1; ip -n e route add default via 203.0.113.1
ip -n m addr add 198.51.100.9/32 dev lo; ip route add table 77 198.51.100.9 via 10.10.0.9; ip rule add ipproto tcp dport 443 table 77; ip route add unreachable 198.51.100.9`)
	server := startServer(t, "m")
	defer server()
	ext, err := net.InterfaceByName("ext0")
	if err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	returns := func(n int32) []op { return []op{{0xb7, 0, 0, 0, n}, {0x95, 0, 0, 0, 0}} }
	const here, beyond = "203.0.113.1:22", "198.51.100.9:443"
	for _, to := range []string{here, beyond} {
		if !gets("e", to) || askedFor(t, to) != "reachable" {
			t.Fatalf("without a program %s is not reached", to)
		}
	}
	type place struct {
		name   string
		to     string
		attach func(t *testing.T)
	}
	places := []place{
		{"XDP", here, func(t *testing.T) { linkProgram(t, loadProgram(t, 6, 37, "drop", returns(1)), ext.Index, 37) }},
		{"tcx ingress", here, func(t *testing.T) { linkProgram(t, loadProgram(t, 3, 46, "drop", returns(2)), ext.Index, 46) }},
		{"tcx egress", here, func(t *testing.T) { linkProgram(t, loadProgram(t, 3, 47, "drop", returns(2)), ext.Index, 47) }},
		{"sk_lookup", here, func(t *testing.T) {
			linkProgram(t, loadProgram(t, 30, 36, "drop", returns(0)), int(ns.Fd()), 36)
		}},
		{"flow_dissector", beyond, func(t *testing.T) {
			linkProgram(t, loadProgram(t, 22, 17, "reads", returns(0)), int(ns.Fd()), 17)
		}},
	}
	if os.Getenv("RINGFENCE_PROGRAMS") != "" { // the kernel does not tell its namespace: it counts for every audit that runs meanwhile, also of others: make differential has it
		places = []place{{"netfilter", here, func(t *testing.T) {
			linkProgram(t, loadProgram(t, 32, 45, "drop", returns(0)), 0, 45, 2, 1, 0xffffff80, 0) // IPv4, input, -128
		}}}
	}
	for _, c := range places {
		t.Run(c.name, func(t *testing.T) {
			c.attach(t)
			open, got := gets("e", c.to), askedFor(t, c.to)
			t.Logf("connects: %v, %s", open, got)
			if got != "unknown" && (got != verdictOf(open) || c.name != "tcx egress") {
				t.Errorf("%s, in truth %v", got, open)
			}
		})
	}
}

// askedFor is the verdict for connections of the neighbour e.
func askedFor(t *testing.T, to string) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(to)
	return asked(t, "--from", "iface:ext0", "--src", "203.0.113.9/32", "--to", "addr:"+host, "--dport", port)
}
