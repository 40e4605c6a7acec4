//go:build linux

package model

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/trace"
)

// besideTables is routes by which the host takes other addresses than its own, and of its own one less.
const besideTables = `
ip rule add lookup 121 priority 1100; ip route add local 198.51.100.7 dev lo table 121; ip route add local 198.51.100.8 dev lo table 122
ip rule add lookup local priority 500; ip rule del priority 0
ip rule add to 203.0.113.2 blackhole priority 400
ip -6 route add anycast fd10:: dev mgmt0 table local
`

// TestSocketsBesideTheLocalTable sends packets to sockets for addresses that the host has by other tables, has no longer, or shares
// with others, and for 0.0.0.0: the kernel, trace and every way to ask reach agree on which arrive.
func TestSocketsBesideTheLocalTable(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing+besideTables)
	for network, a := range map[string]string{"udp4": "0.0.0.0:54", "udp6": "[::]:55"} {
		l, err := net.ListenPacket(network, a)
		if err != nil {
			t.Fatal(err)
		}
		b.udp = append(b.udp, l)
		t.Cleanup(func() { l.Close() })
	}
	b.see()
	for i, c := range []struct {
		in, proto, src, dst string
		port                uint16
		want                bool
	}{
		{"mgmt0", "udp", "10.10.0.9", "0.0.0.0", 54, false},
		{"mgmt0", "udp", "0.0.0.0", "0.0.0.0", 54, true},
		{"mgmt0", "udp", "10.10.0.9", "198.51.100.7", 54, true},
		{"mgmt0", "tcp", "10.10.0.9", "198.51.100.7", 22, false},  // no answer can come from there
		{"mgmt0", "tcp", "10.10.0.9", "198.51.100.7", 9000, true}, // but from a transparent socket
		{"mgmt0", "udp", "10.10.0.9", "198.51.100.8", 54, false},  // no rule leads to that table
		{"ext0", "udp", "203.0.113.9", "203.0.113.1", 54, true},
		{"ext0", "udp", "203.0.113.9", "203.0.113.2", 54, false},
		{"ext0", "tcp", "203.0.113.9", "203.0.113.2", 22, false},
		{"mgmt0", "udp", "fd10::9", "fd10::", 55, true},
		{"mgmt0", "tcp", "fd10::9", "fd10::", 80, false}, // a listener takes nothing for an anycast address
		{"mgmt0", "tcp", "fd10::9", "fd10::1", 80, true},
	} {
		name := fmt.Sprintf("%s: %s %s > %s port %d", c.in, c.proto, c.src, c.dst, c.port)
		src, dst := netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)
		family := map[bool]string{true: "ip", false: "ip6"}[dst.Is4()]
		if err := b.o.Load(fmt.Sprintf("table inet f { chain i { type filter hook input priority 0; policy drop; %s daddr %s %s saddr %s accept; }; }\n",
			family, dst, family, src)); err != nil {
			t.Fatal(err)
		}
		p := &oracle.Packet{In: c.in, Src: src, Dst: dst, Proto: map[string]uint8{"tcp": 6, "udp": 17}[c.proto], Flags: 2, Sport: uint16(41000 + i), Dport: c.port}
		b.fate(name, p)
		got := c.proto == "udp" && b.received(c.port) || c.proto == "tcp" && answered(t, p.Sport)
		if got != c.want {
			t.Errorf("%s: a socket got it: %v, want %v", name, got, c.want)
		}
		f := b.tracer().Packet(question(p))
		if told := f.Fate == trace.Local && f.Socket != trace.NoSocket; told != c.want {
			t.Errorf("%s: trace says %+v, want %v", name, f, c.want)
		}
		b.askedAlike(name, c.in, c.proto, src, int(c.port), c.want)
	}
}

// askedAlike asks for packets of one sender to the socket of a port in every way.
func (b *bedOracle) askedAlike(name, in, proto string, src netip.Addr, port int, want bool) {
	b.t.Helper()
	m, s := b.model()
	o := packet.Origin{Index: s.Network.LinkNamed(in).Index, From: []netip.Prefix{netip.PrefixFrom(src, src.BitLen())}}
	verdict := map[bool]packet.Verdict{true: packet.Reachable, false: packet.Unreachable}[want]
	for i := range s.Listeners.Sockets {
		sk := &s.Listeners.Sockets[i]
		if sk.Proto != proto || sk.Port != port {
			continue
		}
		answers := map[string]reach.Answer{
			"Socket": m.Socket(o, sk, src.Is4()), "Sweep": m.Sweep(o, sk, src.Is4(), []int{port, port + 1}).Port(port),
			"Reach": m.Reach(&reach.Question{From: []packet.Origin{o}, Proto: proto, Dport: port, To: reach.Target{Host: true}}),
		}
		for how, a := range answers {
			if a.Verdict != verdict {
				b.t.Errorf("%s: %s says %s, want %s: %v %v %v", name, how, a.Verdict, verdict, a.Witness, a.StoppedBy, a.Because)
			}
		}
	}
}

// answered says whether a listener of TCP has answered a connection attempt from a port: it is then in the state SYN_RECV
// (proc(5), /proc/net/tcp).
func answered(t *testing.T, port uint16) bool {
	t.Helper()
	for wait := time.Now().Add(300 * time.Millisecond); ; time.Sleep(10 * time.Millisecond) {
		for _, file := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				f := strings.Fields(line)
				if len(f) > 3 && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", port)) && f[3] == "03" {
					return true
				}
			}
		}
		if time.Now().After(wait) {
			return false
		}
	}
}
