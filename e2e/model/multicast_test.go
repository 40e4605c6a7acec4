//go:build linux

package model

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/certificate"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/snapshot"
)

// TestSocketsGetWhatIsForMany sends datagrams for all of a link and for groups, and sees which of them a socket gets.
func TestSocketsGetWhatIsForMany(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	for network, a := range map[string]string{"udp4": "0.0.0.0:54", "udp6": "[::]:55"} {
		l, err := net.ListenPacket(network, a)
		if err != nil {
			t.Fatal(err)
		}
		b.udp = append(b.udp, l)
		t.Cleanup(func() { l.Close() })
	}
	b.see()
	for _, c := range []struct {
		in, src, dst string
		port         uint16
		want         string // unsure is of a socket of both families
	}{
		{"ext0", "203.0.113.9", "203.0.113.1", 54, "yes"},
		{"ext0", "203.0.113.9", "203.0.113.255", 54, "yes"},
		{"ext0", "203.0.113.9", "203.0.113.255", 161, "yes"},
		{"ext0", "203.0.113.9", "203.0.113.255", 55, "no"}, // of IPv6 alone
		{"ext0", "203.0.113.9", "255.255.255.255", 54, "yes"},
		{"ext0", "203.0.113.9", "239.1.2.3", 54, "yes"},   // any socket of the port, whoever joined
		{"ext0", "203.0.113.9", "239.1.2.3", 5353, "yes"}, // bound to the group
		{"ext0", "203.0.113.9", "239.1.2.3", 53, "unsure"},
		{"ext0", "203.0.113.9", "239.1.2.3", 623, "no"},  // bound to 127.0.0.1
		{"ext0", "203.0.113.9", "224.0.0.251", 54, "no"}, // joined on mgmt0 alone
		{"mgmt0", "10.10.0.9", "224.0.0.251", 5353, "yes"},
		{"mgmt0", "10.10.0.9", "239.1.2.3", 54, "no"},     // joined on ext0 alone
		{"ext0", "0.0.0.0", "255.255.255.255", 54, "yes"}, // DHCP does so
		{"ext0", "0.0.0.0", "224.0.0.1", 54, "yes"},
		{"ext0", "0.0.0.0", "239.1.2.3", 54, "no"}, // a group beyond the link
		{"ext0", "0.0.0.0", "203.0.113.255", 54, "no"},
		{"ext0", "fd20::9", "ff02::fb", 161, "yes"},
		{"ext0", "::", "ff02::fb", 55, "yes"},
		{"ext0", "fd20::9", "ff02::fb", 54, "no"},  // of IPv4 alone
		{"ext0", "fd20::9", "ff05::1:3", 55, "no"}, // joined on mgmt0 alone
		{"mgmt0", "fd10::9", "ff05::1:3", 55, "yes"},
		{"ext0", "fd20::9", "ff01::1", 55, "no"}, // joined, but of one interface
		{"ext0", "::ffff:1.2.3.4", "ff02::fb", 55, "yes"},
		{"ext0", "::ffff:127.0.0.1", "fd20::1", 161, "yes"}, // the program sees 127.0.0.1
	} {
		name := fmt.Sprintf("%s: %s > %s port %d", c.in, c.src, c.dst, c.port)
		dst := netip.MustParseAddr(c.dst)
		family := map[bool]string{true: "ip", false: "ip6"}[dst.Is4()]
		rules := fmt.Sprintf("table inet f { chain i { type filter hook input priority 0; policy drop; %s daddr %s %s saddr %s accept; }; }\n",
			family, dst, family, netip.MustParseAddr(c.src))
		if err := b.o.Load(rules); err != nil {
			t.Fatal(err)
		}
		p := &oracle.Packet{
			In: c.in, Src: netip.MustParseAddr(c.src), Dst: dst, Proto: 17, Sport: 40000, Dport: c.port, Broadcast: c.dst != "203.0.113.1",
		}
		b.fate(name, p)
		if got := b.received(c.port); got != (c.want == "yes") {
			t.Errorf("%s: a socket got it: %v, want %s", name, got, c.want)
		}
		f := b.tracer().Packet(question(p))
		socket := map[string]string{"none": "no", "unknown": "unsure", "": "no"}[f.Socket]
		if socket != c.want && (socket != "" || c.want != "yes") {
			t.Errorf("%s: trace says %+v, want %s", name, f, c.want)
		}
		b.reaches(name, c.in, int(c.port), map[string]packet.Verdict{"yes": packet.Reachable, "no": packet.Unreachable, "unsure": packet.Unknown}[c.want])
	}
}

// received says whether a socket of a port got a datagram, and takes all of them.
func (b *bedOracle) received(port uint16) bool {
	b.t.Helper()
	got := false
	for _, l := range b.udp {
		if ap, err := netip.ParseAddrPort(l.LocalAddr().String()); err != nil || ap.Port() != port {
			continue
		}
		if err := l.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			b.t.Fatal(err)
		}
		for {
			if _, _, err := l.ReadFrom(make([]byte, 100)); err != nil {
				break
			}
			got = true
		}
	}
	return got
}

// reaches asks about the sockets of a port, by Reach with its proof and by a sweep over all ports.
func (b *bedOracle) reaches(name, in string, port int, want packet.Verdict) {
	b.t.Helper()
	m, s := b.model()
	o := packet.Origin{Index: s.Network.LinkNamed(in).Index, From: everywhere}
	a := m.Reach(&reach.Question{From: []packet.Origin{o}, Proto: "udp", Dport: port, To: reach.Target{Host: true}})
	if a.Verdict != want {
		b.t.Errorf("%s: reach says %s %v %v", name, a.Verdict, a.Because, a.Witness)
	}
	if a.Verdict == packet.Unreachable {
		b.proven(name, s, &a, &certificate.Target{Host: true, Ports: []int{port}})
	}
	rank := []packet.Verdict{packet.Unreachable, packet.Unknown, packet.Reachable}
	best := 0
	for i := range s.Listeners.Sockets {
		sock := &s.Listeners.Sockets[i]
		if sock.Proto != "udp" || sock.Port != port {
			continue
		}
		for _, v4 := range []bool{true, false} {
			best = max(best, slices.Index(rank, m.Sweep(o, sock, v4, []int{port, port + 1}).Port(port).Verdict))
		}
	}
	if rank[best] != want {
		b.t.Errorf("%s: the sweep says %s, want %s", name, rank[best], want)
	}
}

func (b *bedOracle) proven(name string, s *snapshot.Snapshot, a *reach.Answer, target *certificate.Target) {
	b.t.Helper()
	list := b.certificates(a)
	for i := range list {
		if err := certificate.NewChecker(s).Check(target, &list[i]); err != nil {
			b.t.Errorf("%s: certificate: %v", name, err)
		}
	}
}
