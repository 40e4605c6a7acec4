//go:build linux

package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// pair is an open TCP connection between two namespaces: the end that opened it and the other. Nobody listens any longer.
func (b *testbed) pair(from, to, addr string) (client, server net.Conn) {
	b.t.Helper()
	accepted := make(chan net.Conn, 1)
	var l net.Listener
	b.inNS(to, func() {
		var err error
		if l, err = net.Listen("tcp", addr); err != nil {
			b.t.Error(err)
		}
	})
	if l == nil {
		b.t.FailNow()
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	b.inNS(from, func() {
		var err error
		if client, err = net.DialTimeout("tcp", addr, bed.Patience); err != nil {
			b.t.Error(err)
		}
	})
	select {
	case server = <-accepted:
	case <-time.After(bed.Patience):
		b.t.Fatalf("%s does not connect to %s", from, addr)
	}
	// After 15 s the ends would speak by themselves. What the end that did not open sends first once connection tracking begins makes it the
	// one that opened for that: such a connection goes on.
	if err := errors.Join(client.(*net.TCPConn).SetKeepAlive(false), server.(*net.TCPConn).SetKeepAlive(false)); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// datagrams is a UDP socket of from with a peer, and the peer's end, which has heard of it.
func (b *testbed) datagrams(from, to, addr string) (client net.Conn, server net.PacketConn, back net.Addr) {
	b.t.Helper()
	b.inNS(to, func() {
		var err error
		if server, err = net.ListenPacket("udp", addr); err != nil {
			b.t.Error(err)
		}
	})
	b.inNS(from, func() {
		var err error
		if client, err = net.Dial("udp", addr); err == nil {
			_, err = client.Write([]byte("x"))
		}
		if err != nil {
			b.t.Error(err)
		}
	})
	if server == nil || client == nil {
		b.t.FailNow()
	}
	b.t.Cleanup(func() { client.Close(); server.Close() })
	_ = server.SetReadDeadline(time.Now().Add(bed.Patience))
	_, back, err := server.ReadFrom(make([]byte, 8))
	if err != nil {
		b.t.Fatal(err)
	}
	return client, server, back
}

// hears says whether what one end writes comes out of the other within a time.
func hears(write func([]byte) (int, error), to net.Conn, within time.Duration) error {
	if _, err := write([]byte("x")); err != nil {
		return err
	}
	_ = to.SetReadDeadline(time.Now().Add(within))
	_, err := io.ReadFull(to, make([]byte, 1))
	return err
}

// TestBaselineAndOpenConnections: the baseline ends what others have open to what it does not let in, and keeps what the
// host has open itself, also where it is the peer who speaks next and where no rule had connections tracked before.
func TestBaselineAndOpenConnections(t *testing.T) {
	for name, rules := range map[string]string{
		"tracked":   "table inet seen { chain input { type filter hook input priority 0; ct state established accept; }; }",
		"untracked": "",
	} {
		t.Run(name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.nft("flush ruleset\n" + foreign + rules)
			b.listen("tcp", "[::]:22", "")
			type ends struct {
				name           string
				client, server net.Conn
			}
			var own, closed []ends
			for _, addr := range []string{"203.0.113.9:7000", "[fd20::9]:7000"} {
				c, s := b.pair("host", "ext", addr)
				own = append(own, ends{"the host to " + addr, c, s})
			}
			for _, f := range [][3]string{
				{"ext", "host", "203.0.113.1:9500"},
				{"ext", "host", "[fd20::1]:9500"},
				{"w1", "host", "172.17.0.1:9500"},
				{"mgmt", "w1", "172.17.0.2:9500"},
				{"ext", "w2", "[fd17::3]:9500"},
			} {
				c, s := b.pair(f[0], f[1], f[2])
				closed = append(closed, ends{f[0] + " to " + f[2], c, s})
			}
			kept, keeps := b.pair("mgmt", "host", "10.10.0.1:9600")
			udp, udps, back := b.datagrams("host", "ext", "203.0.113.9:7001")
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			if out, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", "default-deny"); code != 0 {
				t.Fatalf("code %d: %s", code, lastLines(out, 5))
			}
			for _, e := range own {
				if err := errors.Join(hears(e.server.Write, e.client, bed.Patience), hears(e.client.Write, e.server, bed.Patience)); err != nil {
					t.Errorf("%s: %v", e.name, err)
				}
			}
			if err := hears(func(x []byte) (int, error) { return udps.WriteTo(x, back) }, udp, bed.Patience); err != nil {
				t.Errorf("the answer to datagrams of the host: %v", err)
			}
			if err := errors.Join(hears(keeps.Write, kept, bed.Patience), hears(kept.Write, keeps, bed.Patience)); err != nil {
				t.Errorf("the management zone: %v", err)
			}
			for _, e := range closed {
				if hears(e.client.Write, e.server, silence) == nil {
					t.Errorf("%s goes on", e.name)
				}
			}
			for _, e := range closed[:3] { // to the host itself: they have ended
				_ = e.client.SetReadDeadline(time.Now().Add(bed.Patience))
				if _, err := e.client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
					t.Errorf("%s stalls: %v", e.name, err)
				}
			}
		})
	}
}

// speaks has one end of a connection send, and the other only read, until it is stopped.
func speaks(from, to net.Conn) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			_ = from.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)) // what nobody takes fills up
			_, _ = from.Write([]byte("x"))
			time.Sleep(10 * time.Millisecond)
		}
		_ = from.SetWriteDeadline(time.Time{})
	})
	wg.Go(func() {
		buf := make([]byte, 1<<10)
		for quiet := false; !quiet || ctx.Err() == nil; { // what is on its way is read too
			_ = to.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			_, err := to.Read(buf)
			if quiet = err != nil; quiet && !errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// TestOpenConnectionsThroughTheHost: where no rule had connections tracked before, those through the host go on or end by
// who opened them, also where it is the other side that speaks while the fix is loaded.
func TestOpenConnectionsThroughTheHost(t *testing.T) {
	// The last one is tracked by the first fix, which has no rule about what goes through the host.
	for _, modes := range []string{"targeted", "default-deny", "input default-deny"} {
		t.Run(modes, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.nft("flush ruleset\n" + foreign)
			b.listen("tcp", "[::]:2375", "")
			links := []struct {
				from, to, addr string
				open           bool
				client, server net.Conn
			}{
				{from: "w1", to: "ext", addr: "203.0.113.9:7000", open: true},
				{from: "w2", to: "ext", addr: "[fd20::9]:7000", open: true},
				{from: "mgmt", to: "w1", addr: "172.17.0.2:7000", open: modes == "targeted"},
				{from: "w1", to: "mgmt", addr: "10.10.0.9:7000"},
				{from: "w2", to: "mgmt", addr: "[fd10::9]:7000"},
				{from: "ext", to: "w1", addr: "[fd17::2]:7000"},
			}
			var stops []func()
			for i := range links {
				l := &links[i]
				l.client, l.server = b.pair(l.from, l.to, l.addr)
				stops = append(stops, speaks(l.server, l.client))
			}
			for mode := range strings.FieldsSeq(modes) {
				skip := ""
				if mode == "input" {
					mode, skip = "targeted", "checks: {skip: [firewall/forward-accepts-by-default, firewall/workload-to-management]}\n"
				}
				config := b.config("zones: {management: {interfaces: [mgmt0]}}\n" + skip)
				out, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", mode)
				if code != 0 || strings.Contains(out, "nothing goes both ways") == (skip != "") {
					t.Errorf("%s: code %d: %s", mode, code, out)
				}
			}
			for _, stop := range stops {
				stop()
			}
			for _, l := range links {
				within := map[bool]time.Duration{true: bed.Patience, false: silence}[l.open]
				err := hears(l.client.Write, l.server, within)
				if err == nil && l.open {
					err = hears(l.server.Write, l.client, within)
				}
				if (err == nil) != l.open {
					t.Errorf("%s to %s: %v, want it to go on: %v", l.from, l.addr, err, l.open)
				}
			}
		})
	}
}

// TestBaselineBesideOtherFirewalls loads the baseline beside the rulesets of real tools: what it does not let in is closed,
// what they publish stays open, though it bypasses the baseline's filter.
func TestBaselineBesideOtherFirewalls(t *testing.T) {
	for _, name := range []string{
		"docker-published", "podman-netavark", "libvirt-isolated", "fail2ban-nft", "fail2ban-iptables", "firewalld-default", "firewalld-zones", "ufw-rules",
		"kube-proxy-nftables", "kube-proxy-iptables",
	} {
		t.Run("beside "+name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			for _, addr := range []string{"[::]:22", "[::]:2375", "[::]:9100"} {
				b.listen("tcp", addr, "")
			}
			for _, p := range places {
				b.listenIn(p.ns, "tcp", "[::]:80", "")
			}
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			b.loadDump(name)
			before := b.ruleset()
			must := []link{
				{&places[0], nil, netip.MustParseAddrPort("10.10.0.1:22")},
				{&places[0], nil, netip.MustParseAddrPort("[fd10::1]:22")},
				{&places[2], &places[1], netip.MustParseAddrPort("203.0.113.9:80")},
				{&places[1], nil, netip.MustParseAddrPort("203.0.113.1:8080")},
			}
			was := b.quickFlows(must)
			if out, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", "default-deny"); code != 0 {
				t.Fatalf("code %d: %s", code, lastLines(out, 5))
			}
			for l, open := range was {
				if open && !b.opens(l.from.ns, l.network(), l.at.String()) {
					t.Errorf("%s is closed", l)
				}
			}
			b.flows("after the fix", []flow{
				{"ext", "tcp4", "203.0.113.1:9100", false},
				{"ext", "tcp6", "[fd20::1]:22", false},
				{"w1", "tcp4", "172.17.0.1:2375", false},
				{"w1", "tcp6", "[fd10::9]:80", false},
				{"ext", "tcp6", "[fd17::2]:80", false},
			})
			if _, code := b.verb("uninstall"); code != 0 {
				t.Error("uninstall")
			}
			b.becomes("uninstalled", before)
		})
	}
}

// TestStrictTracking: nothing was tracked, and the host takes up no connection of TCP half way. What goes on and what ends is what the plan says: a workload's
// own ends under the baseline, and what is open to what is closed goes on without one.
func TestStrictTracking(t *testing.T) {
	for mode, c := range map[string]struct {
		says    string
		out, in bool
	}{
		"targeted":     {"those that are open to what is closed go on", true, true},
		"default-deny": {"all that are open end", false, false},
	} {
		t.Run(mode, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.nft("flush ruleset\n")
			bed.Shell(t, "nsenter --net=/run/netns/%[1]shost sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0", b.name)
			b.listen("tcp", "[::]:22", "")
			out, outs := b.pair("w1", "ext", "203.0.113.9:7000")
			in, ins := b.pair("ext", "w1", "172.17.0.2:9500")
			own, owns := b.pair("host", "ext", "203.0.113.9:7001")
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
			said, code := b.verb("apply", "--config", config, "--confirm", "auto", "--mode", mode)
			if code != 0 || !strings.Contains(said, c.says) {
				t.Fatalf("code %d, it does not say %q: %s", code, c.says, said)
			}
			for _, x := range []struct {
				name           string
				client, server net.Conn
				goesOn         bool
			}{{"from a workload", out, outs, c.out}, {"to a workload", in, ins, c.in}, {"of the host", own, owns, true}} {
				within := silence
				if x.goesOn {
					within = bed.Patience
				}
				err := errors.Join(hears(x.server.Write, x.client, within), hears(x.client.Write, x.server, within))
				if goes := err == nil; goes != x.goesOn {
					t.Errorf("%s: goes on %v, want %v: %v", x.name, goes, x.goesOn, err)
				}
			}
		})
	}
}
