//go:build linux

package e2e

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// flow is a connection between namespaces of the bed, and whether it is open after a fix.
type flow struct {
	ns, network, addr string
	open              bool
}

// flows compares connections with what they have to be.
func (b *testbed) flows(when string, list []flow) {
	b.t.Helper()
	for _, c := range list {
		try := b.connects
		if c.open {
			try = b.opens
		}
		if got := try(c.ns, c.network, c.addr); got != c.open {
			b.t.Errorf("%s: %s reaches %s %s: %v, want %v", when, c.ns, c.network, c.addr, got, c.open)
		}
	}
}

// echoes serves a port that sends back what it gets, until the test ends.
func (b *testbed) echoes(ns, addr string) {
	b.t.Helper()
	b.inNS(ns, func() {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			b.t.Error(err)
			return
		}
		b.serve(l, func(c net.Conn) { _, _ = io.Copy(c, c) })
	})
}

// connected is an open connection that echoes.
func (b *testbed) connected(ns, addr string) net.Conn {
	b.t.Helper()
	var c net.Conn
	b.inNS(ns, func() {
		var err error
		if c, err = net.DialTimeout("tcp", addr, bed.Patience); err != nil {
			b.t.Error(err)
		}
	})
	if c == nil {
		b.t.FailNow()
	}
	b.t.Cleanup(func() { c.Close() })
	if !alive(c, bed.Patience) {
		b.t.Fatal("the connection does not work")
	}
	return c
}

// alive says whether a connection echoes.
func alive(c net.Conn, wait time.Duration) bool {
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte("x")); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}

// TestFixBetweenPortsOfABridge: what goes from port to port of a bridge is closed by a table of family bridge, one way.
// It is proven, loaded, loaded at boot, told from a changed one and taken out like the other table.
func TestFixBetweenPortsOfABridge(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	for _, ns := range []string{"w1", "w2"} {
		b.listenIn(ns, "tcp", "[::]:80", "")
		b.listenIn(ns, "udp", "[::]:80", "")
		b.echoes(ns, "[::]:81")
	}
	b.listenIn("mgmt", "tcp", "[::]:80", "")
	b.listenIn("ext", "tcp", "[::]:80", "")
	b.listen("tcp", "[::]:8080", "")
	b.listen("udp", "[::]:8080", "")
	b.nft("flush ruleset\n" + foreign)
	before := b.ruleset()
	config := b.config("zones: {management: {interfaces: [vethw2]}, workload: {interfaces: [docker0]}}\n")
	opened := []flow{
		{"w2", "tcp4", "172.17.0.2:80", true},
		{"w2", "tcp6", "[fd17::2]:80", true},
		{"w1", "tcp4", "172.17.0.1:8080", true},
		{"w1", "tcp6", "[fd17::1]:8080", true},
		{"w1", "udp4", "172.17.0.1:8080", true},
		{"w1", "udp6", "[fd17::1]:8080", true},
		{"w1", "tcp4", "203.0.113.1:8080", true},
		{"w2", "tcp4", "172.17.0.1:8080", true},
		{"mgmt", "tcp4", "172.17.0.2:80", true},
		{"mgmt", "tcp6", "[fd17::2]:80", true},
		{"w2", "tcp4", "10.10.0.9:80", true},
		{"w1", "tcp4", "203.0.113.9:80", true},
		{"w1", "tcp6", "[fd20::9]:80", true},
	}
	between := []flow{
		{"w1", "tcp4", "10.10.0.9:80", true},
		{"w1", "tcp6", "[fd10::9]:80", true},
		{"w1", "tcp4", "172.17.0.3:80", true},
		{"w1", "tcp6", "[fd17::3]:80", true},
		{"w1", "udp4", "172.17.0.3:80", true},
		{"w1", "udp6", "[fd17::3]:80", true},
	}
	b.flows("before", append(opened, between...))
	managing := []net.Conn{b.connected("w2", "172.17.0.2:81"), b.connected("w2", "[fd17::2]:81")}

	out, code := b.verb("apply", "--config", config, "--confirm", "auto")
	if code != 0 || !strings.Contains(out, "table bridge ringfence, and again at each boot") {
		t.Fatalf("code %d\n%s", code, out)
	}
	planned := out
	for i := range between {
		between[i].open = false
	}
	b.flows("after the fix", append(opened, between...))
	for _, c := range managing {
		if !alive(c, bed.Patience) {
			t.Error("a connection that was opened the other way does not live on")
		}
	}
	// Past the switching: by way of the host, which would route them back.
	bed.Shell(t, "ip -n %[1]sw1 route add 172.17.0.3/32 via 172.17.0.1; ip -n %[1]sw1 route add fd17::3/128 via fd17::1", b.name)
	b.flows("by way of the host", between)

	if out, code := b.verb("apply", "--config", config, "--confirm", "auto"); code != 0 || !strings.Contains(out, "nothing to load") {
		t.Errorf("second run: code %d, %s\nfirst\n%s", code, out, planned)
	}
	b.bootsAsConfirmed()
	bed.Shell(t, "ip netns exec %shost nft delete table bridge ringfence", b.name)
	if out, code := b.verb("verify"); code != 1 || !strings.Contains(out, "table bridge ringfence is not there") {
		t.Errorf("verify without the table: code %d, %s", code, out)
	}
	if out, code := b.verb("load"); code != 0 {
		t.Errorf("load: code %d, %s", code, out)
	}
	if out, code := b.verb("verify"); code != 0 {
		t.Errorf("verify: code %d, %s", code, out)
	}
	b.nft("add rule bridge ringfence bridge-forward counter")
	if out, code := b.verb("verify"); code != 1 || !strings.Contains(out, "table bridge ringfence is not as planned") {
		t.Errorf("verify of another table: code %d, %s", code, out)
	}
	if out, code := b.verb("uninstall"); code != 0 {
		t.Errorf("uninstall: code %d, %s", code, out)
	}
	b.becomes("uninstalled", before)
}

// TestFixForAPortOfABridge closes a port of the host to who is behind one port of a bridge, whether the host routes for
// them or not. Who is behind another port keeps it.
func TestFixForAPortOfABridge(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.echoes("host", "[::]:2375")
	b.listenIn("ext", "tcp", "[::]:2375", "")
	b.nft("flush ruleset\n" + foreign)
	before := b.ruleset()
	config := b.config("zones: {external: {interfaces: [vethw1]}, management: {interfaces: [docker0, mgmt0]}}\n")
	for forwarding, routed := range map[string]bool{"1": true, "0": false} {
		t.Run("forwarding "+forwarding, func(t *testing.T) {
			b := &testbed{t, b.name}
			bed.Shell(t, "ip netns exec %shost sysctl -qw net.ipv4.ip_forward=%[2]s net.ipv6.conf.all.forwarding=%[2]s", b.name, forwarding)
			kept := b.connected("w2", "172.17.0.1:2375")
			cut := []net.Conn{b.connected("w1", "172.17.0.1:2375"), b.connected("w1", "[fd17::1]:2375")}
			out, code := b.verb("apply", "--config", config, "--confirm", "auto")
			if code != 0 || !strings.Contains(out, "table bridge ringfence") {
				t.Fatalf("code %d\n%s", code, out)
			}
			b.flows("after the fix", []flow{
				{"w1", "tcp4", "172.17.0.1:2375", false},
				{"w1", "tcp6", "[fd17::1]:2375", false},
				{"w1", "tcp4", "203.0.113.1:2375", false},
				{"w1", "tcp4", "10.10.0.1:2375", false},
				{"w2", "tcp4", "172.17.0.1:2375", true},
				{"w2", "tcp6", "[fd17::1]:2375", true},
				{"w1", "tcp4", "203.0.113.9:2375", routed},
				{"w1", "tcp6", "[fd20::9]:2375", routed},
				{"mgmt", "tcp4", "10.10.0.1:2375", true},
				{"ext", "tcp4", "203.0.113.1:2375", false},
			})
			if !alive(kept, bed.Patience) {
				t.Error("a connection from another port was cut")
			}
			for _, c := range cut {
				if alive(c, bed.Patience) {
					t.Error("the open connection works")
				}
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
					t.Errorf("the open connection stalls: %v", err)
				}
			}
			b.bootsAsConfirmed()
			if out, code := b.verb("uninstall"); code != 0 {
				t.Errorf("uninstall: code %d, %s", code, out)
			}
			b.becomes("uninstalled", before)
		})
	}
}
