//go:build linux

// Package e2e audits hosts made of network namespaces and compares what the program says with what
// real connections do.
package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// testbed is a host of namespaces: the host with mgmt0, docker0 (a bridge with two workloads) and ext0,
// and a peer behind each.
type testbed struct {
	t    *testing.T
	name string // prefix of the namespaces
}

func TestMain(m *testing.M) { bed.Main(m) }

func newBed(t *testing.T) *testbed {
	t.Helper()
	b := &testbed{t, "rf"}
	t.Cleanup(func() {
		_ = os.RemoveAll(b.root())
		for _, n := range []string{"host", "mgmt", "ext", "w1", "w2"} { // as "ip netns del" does it
			_ = unix.Unmount("/run/netns/"+b.name+n, unix.MNT_DETACH)
			_ = os.Remove("/run/netns/" + b.name + n)
		}
	})
	bed.Shell(t, `
ip -batch - <<B
netns add %[1]shost
netns add %[1]smgmt
netns add %[1]sext
netns add %[1]sw1
netns add %[1]sw2
B
for n in host mgmt ext w1 w2; do # before there are links, which take these as theirs
	nsenter --net=/run/netns/%[1]s$n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
done
nsenter --net=/run/netns/%[1]shost sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n %[1]shost -batch - <<B
link set lo up
link add mgmt0 type veth peer name eth0 netns %[1]smgmt
link add ext0 type veth peer name eth0 netns %[1]sext
link add docker0 type bridge
link add vethw1 type veth peer name eth0 netns %[1]sw1
link set vethw1 master docker0 up
link add vethw2 type veth peer name eth0 netns %[1]sw2
link set vethw2 master docker0 up
addr add 172.17.0.1/16 dev docker0
addr add fd17::1/64 dev docker0 nodad
link set docker0 up
addr add 10.10.0.1/24 dev mgmt0
addr add fd10::1/64 dev mgmt0 nodad
link set mgmt0 up
addr add 203.0.113.1/24 dev ext0
addr add fd20::1/64 dev ext0 nodad
link set ext0 up
route add default via 203.0.113.9
B
peer() {
ip -n %[1]s$1 -batch - <<B
link set lo up
addr add $2 dev eth0
addr add $3 dev eth0 nodad
link set eth0 up
route add default via $4
route add default via $5
B
}
peer w1 172.17.0.2/16 fd17::2/64 172.17.0.1 fd17::1
peer w2 172.17.0.3/16 fd17::3/64 172.17.0.1 fd17::1
peer mgmt 10.10.0.9/24 fd10::9/64 10.10.0.1 fd10::1
peer ext 203.0.113.9/24 fd20::9/64 203.0.113.1 fd20::1
ip -n %[1]shost route add default via fd20::9
`, b.name)
	b.settle()
	return b
}

// settle waits until no address is tentative: only then the host has all its routes, and answers at all addresses.
func (b *testbed) settle() {
	b.t.Helper()
	if !bed.Until(func() bool {
		for _, n := range []string{"host", "mgmt", "ext", "w1", "w2"} {
			out, err := exec.Command("ip", "-n", b.name+n, "-6", "addr", "show", "tentative").Output()
			if err != nil {
				b.t.Fatal(err)
			}
			if len(out) > 0 {
				return false
			}
		}
		return true
	}) {
		b.t.Fatal("addresses stay tentative")
	}
}

// inNS runs f with this goroutine's thread in a namespace of the bed.
func (b *testbed) inNS(ns string, f func()) {
	b.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		fd, err := os.Open("/run/netns/" + b.name + ns)
		if err == nil {
			err = unix.Setns(int(fd.Fd()), unix.CLONE_NEWNET)
			fd.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
}

// listen opens a socket on the host of the bed until the test ends.
func (b *testbed) listen(network, addr, device string) { b.listenIn("host", network, addr, device) }

// listenIn opens a socket in any namespace of the bed.
func (b *testbed) listenIn(ns, network, addr, device string) {
	b.t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			if device != "" {
				err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device)
			}
		})
		return errors.Join(err, cerr)
	}}
	b.inNS(ns, func() {
		if strings.HasPrefix(network, "udp") {
			pc, err := lc.ListenPacket(b.t.Context(), network, addr)
			if err != nil {
				b.t.Error(err)
				return
			}
			b.t.Cleanup(func() { pc.Close() })
			go echo(pc)
			return
		}
		l, err := lc.Listen(b.t.Context(), network, addr)
		if err != nil {
			b.t.Error(err)
			return
		}
		b.serve(l, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) // open until the peer closes
	})
}

// serve handles every connection until the test ends.
func (b *testbed) serve(l net.Listener, handle func(net.Conn)) {
	b.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				handle(c)
				c.Close()
			}()
		}
	}()
}

func echo(pc net.PacketConn) {
	buf := make([]byte, 64)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = pc.WriteTo(buf[:n], from)
	}
}

// silence is how long a test waits for what must not come.
const silence = 300 * time.Millisecond

// connects tries for real whether a peer gets an answer soon. No answer is silence: dropped or refused.
func (b *testbed) connects(ns, network, addr string) bool {
	return b.dial(ns, &net.Dialer{Timeout: silence}, network, addr)
}

func (b *testbed) dial(ns string, d *net.Dialer, network, addr string) bool {
	ok := false
	b.inNS(ns, func() {
		if strings.HasPrefix(network, "udp") {
			ok = answers(d, network, addr)
			return
		}
		c, err := d.Dial(network, addr)
		if err != nil && d.LocalAddr != nil {
			b.t.Logf("%s %s: %v", ns, addr, err)
		}
		if err == nil {
			ok = true
			c.Close()
		}
	})
	return ok
}

// answers sends a datagram from an unconnected socket: a wildcard server can answer from another of
// its addresses.
func answers(d *net.Dialer, network, addr string) bool {
	from := ":0"
	if d.LocalAddr != nil {
		from = d.LocalAddr.String()
	}
	pc, err := net.ListenPacket(network, from)
	if err != nil {
		return false
	}
	defer pc.Close()
	to, err := net.ResolveUDPAddr(network, addr)
	if err != nil {
		return false
	}
	for end := time.Now().Add(d.Timeout); time.Now().Before(end); {
		// Again and again: the first datagrams can wait for neighbour discovery, and be lost there.
		if _, err := pc.WriteTo([]byte("x"), to); err != nil {
			return false
		}
		_ = pc.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
		if _, _, err = pc.ReadFrom(make([]byte, 8)); err == nil {
			return true
		}
	}
	return false
}

func (b *testbed) nft(rules string) {
	b.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", b.name+"host", "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("nft: %v\n%s", err, out)
	}
}

// audit runs the program on the host of the bed. It sees the processes of the machine too, since a
// network namespace does not hide them.
func (b *testbed) audit(args ...string) (*finding.Report, int) {
	b.t.Helper()
	cmd := exec.Command("nsenter", append([]string{
		"--net=/run/netns/" + b.name + "host", bed.Program(b.t), "audit", "-f", "json",
	}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		b.t.Fatal(err)
	}
	r := new(finding.Report)
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		b.t.Fatalf("report: %v\n%s", err, errs.Bytes())
	}
	return r, cmd.ProcessState.ExitCode()
}

// listeners are the sockets of the host whose exposure is compared.
var listeners = []struct {
	network, addr, device string
	port                  int
}{
	{"tcp4", "0.0.0.0:22", "", 22},
	{"tcp", "[::]:2375", "", 2375},
	{"tcp4", "127.0.0.1:18789", "", 18789},
	{"tcp4", "10.10.0.1:8443", "", 8443},
	{"tcp4", "0.0.0.0:5985", "", 5985},
	{"tcp4", "0.0.0.0:9000", "mgmt0", 9000},
	{"tcp6", "[::]:9001", "", 9001},
	{"tcp6", "[fd10::1]:9002", "", 9002},
	{"udp4", "0.0.0.0:623", "", 623},
	{"udp", "[::]:9003", "", 9003},
}

// peers are where real connections come from, with the host's addresses that they try.
var peers = []struct{ ns, zone, origin string }{
	{"mgmt", "management", "mgmt0"}, {"ext", "external", "ext0"}, {"w1", "workload", "docker0"},
}

var hostAddrs = map[string][]string{
	"ipv4": {"10.10.0.1", "172.17.0.1", "203.0.113.1"}, "ipv6": {"fd10::1", "fd17::1", "fd20::1"},
}

// rulesets are loaded one after the other; the verdicts must follow. All let neighbour discovery
// through: without it a peer finds no way to send its packet, whatever the rules say of it.
var rulesets = map[string]string{
	"none": ``,
	"policy drop with services": `
table inet filter {
	set admins { type ipv4_addr; flags interval; elements = { 10.10.0.0/24 } }
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		ct state established,related accept
		ct state invalid drop
		ip saddr @admins tcp dport { 22, 8443, 9000 } accept
		iifname "docker0" tcp dport { 2375, 5985 } accept
		meta l4proto ipv6-icmp accept
		iifname "mgmt0" udp dport 623 accept
		ip6 saddr fd20::/64 tcp dport 9001 accept
	}
}`,
	"ipv4 only": `
table ip filter {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established accept
		iifname "mgmt0" accept
	}
}`,
	"accept is not final": `
table inet a {
	chain c { type filter hook input priority -10; policy accept; accept; }
}
table inet b {
	chain c { type filter hook input priority 10; policy accept; iifname != { "mgmt0", "lo" } tcp dport { 22, 2375 } drop; }
}`,
	"jump, goto and return": `
table inet f {
	chain web { tcp dport 2375 return; tcp dport 22 drop; }
	chain rest { tcp dport 5985 accept; }
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		meta l4proto ipv6-icmp accept
		iifname "docker0" jump web
		tcp dport { 22, 2375 } accept
		goto rest
		accept
	}
}`,
	"verdict map": `
table inet f {
	map m { type ifname . inet_service : verdict; elements = { "ext0" . 22 : drop, "docker0" . 22 : drop, "docker0" . 2375 : accept } }
	chain input {
		type filter hook input priority 0; policy accept;
		meta l4proto tcp iifname . tcp dport vmap @m
		udp dport { 600-700 } iifname vmap { "ext0" : drop, "mgmt0" : accept }
		tcp dport 9000-9003 ip6 saddr fd17::/64 reject
	}
}`,
	"redirect": `
table ip nat {
	chain pre { type nat hook prerouting priority dstnat; policy accept; iifname "ext0" tcp dport 22 redirect to :9; iifname "docker0" tcp dport 8443 dnat to 10.10.0.1:2375; }
}`,
	"prerouting by destination type": `
table inet raw {
	chain pre { type filter hook prerouting priority -160; policy accept; iifname "ext0" fib daddr type local tcp dport { 22, 5985 } drop; ip saddr != 10.0.0.0/8 udp dport 623 drop; }
}`,
	"fragment field": `
table ip f {
	chain c { type filter hook input priority 0; policy accept; ip frag-off & 0x1fff != 0 drop; tcp dport 22 ct status and snat == snat drop; }
}`,
	"dormant": `
table inet d {
	flags dormant
	chain input { type filter hook input priority 0; policy drop; }
}`,
	"marks": `
table inet m {
	chain pre { type filter hook prerouting priority -150; policy accept; iifname "docker0" meta mark set 7; }
	chain input { type filter hook input priority 0; policy accept; meta mark 7 tcp dport 22 drop; meta mark and 0x3 == 0x3 udp dport 9003 drop; }
}`,
	"concatenations and ranges": `
table inet c {
	set s { type ipv4_addr . inet_service; flags interval; elements = { 172.17.0.0/24 . 20-30, 203.0.113.9 . 5985 } }
	chain input { type filter hook input priority 0; policy accept; ip saddr . tcp dport @s drop; tcp dport != 22 ip saddr 10.10.0.1-10.10.0.20 drop; }
}`,
}

// scripts set up what nft's syntax does not: iptables extensions inside nftables, and sysctls.
var scripts = map[string]string{
	"iptables extensions": `
iptables-nft -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables-nft -A INPUT -m conntrack --ctstate INVALID -j DROP
iptables-nft -A INPUT -i docker0 -p tcp -m multiport --dports 22,5985:5990 -j REJECT
iptables-nft -A INPUT -i ext0 -m addrtype --dst-type LOCAL -p tcp -m tcp --dport 2375 -j DROP
iptables-nft -A INPUT -m comment --comment services -p tcp -m tcp --tcp-flags SYN,RST SYN --dport 9000 -j LOG
iptables-nft -t mangle -A PREROUTING -i mgmt0 -j MARK --set-mark 5
iptables-nft -A INPUT -m mark --mark 5/7 -p udp -m udp --dport 623 -j DROP
ip6tables-nft -A INPUT -i docker0 -p tcp -m tcp --dport 9001 -j REJECT`,
	"docker style": `
iptables-nft -t nat -N DOCKER
iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables-nft -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
iptables-nft -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables-nft -P FORWARD DROP`,
	"strict reverse path": `
sysctl -qw net.ipv4.conf.all.rp_filter=1
nft add table inet f
nft 'add chain inet f c { type filter hook input priority 0; policy drop; }'
nft add rule inet f c meta l4proto ipv6-icmp accept
nft add rule inet f c ip saddr 10.10.0.0/24 accept
nft add rule inet f c ct state established accept`,
	"conntrack before its time": `
nft add table inet f
nft 'add chain inet f raw { type filter hook prerouting priority -300; policy accept; }'
nft 'add chain inet f c { type filter hook input priority 0; policy drop; }'
nft add rule inet f raw ct state new tcp dport 22 drop
nft add rule inet f raw tcp dport 5985 notrack
nft add rule inet f c meta l4proto ipv6-icmp accept
nft add rule inet f c ct state untracked iifname docker0 accept
nft add rule inet f c ct state new tcp dport 22 accept`,
	"translated": `
nft add table ip f
nft 'add chain ip f pre { type nat hook prerouting priority dstnat; policy accept; }'
nft 'add chain ip f c { type filter hook input priority 0; policy accept; }'
nft add rule ip f pre iifname ext0 tcp dport 2022 redirect to :22
nft add rule ip f c ct status dnat tcp dport 22 accept
nft add rule ip f c iifname ext0 tcp dport 22 drop
nft add rule ip f c iifname docker0 meta l4proto tcp ct original proto-dst 2375 drop`,
}

// TestExposureOfScripts is TestExposureAgainstRealConnections for the scripts.
func TestExposureOfScripts(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "iptables-nft")
	b := newBed(t)
	for _, l := range listeners {
		b.listen(l.network, l.addr, l.device)
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			b := &testbed{t, b.name}
			b.nft("flush ruleset\n")
			bed.Shell(t, "ip netns exec %shost sh -ec '%s'", b.name, strings.ReplaceAll(script, "'", "'\\''"))
			b.compare(name)
			bed.Shell(t, "ip netns exec %shost sysctl -qw net.ipv4.conf.all.rp_filter=0", b.name)
		})
	}
}

// TestExposureAgainstRealConnections holds every verdict against the kernel: a witness must get
// through when it is sent, and where nothing gets through no peer may connect to any address.
func TestExposureAgainstRealConnections(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	for _, l := range listeners {
		b.listen(l.network, l.addr, l.device)
	}
	for name, rules := range rulesets {
		t.Run(name, func(t *testing.T) {
			b := &testbed{t, b.name}
			b.nft("flush ruleset\n" + rules)
			b.compare(name)
		})
	}
}

// compare audits and holds every verdict against the kernel.
func (b *testbed) compare(name string) {
	t := b.t
	t.Helper()
	report, _ := b.audit()
	var wg sync.WaitGroup
	compared := 0
	for _, l := range listeners {
		for _, p := range peers {
			for fam, addrs := range hostAddrs {
				e := exposureOf(report, l.port, p.zone, fam)
				if e == nil {
					continue // the socket does not take this family
				}
				compared++
				network := strings.TrimRight(l.network, "46") + map[string]string{"ipv4": "4", "ipv6": "6"}[fam]
				switch e.Verdict {
				case "reachable":
					if from, to := witness(t, e.Witness); !b.connectsFrom(p.ns, network, from, to) {
						t.Errorf("%s %s from %s: the witness %q does not get through", l.network, l.addr, p.ns, e.Witness)
					}
				case "unreachable":
					for _, a := range addrs {
						wg.Go(func() {
							to := net.JoinHostPort(a, fmt.Sprint(l.port))
							if b.connects(p.ns, network, to) && !strings.HasPrefix(name, "redirect") {
								t.Errorf("%s %s from %s: said unreachable, %s answers", l.network, l.addr, p.ns, to)
							}
						})
					}
				default:
					t.Errorf("%s %s from %s over %s is %s: %v", l.network, l.addr, p.ns, fam, e.Verdict, e.Because)
				}
			}
		}
	}
	wg.Wait()
	if compared < 30 {
		t.Errorf("compared %d verdicts only", compared)
	}
}

// witness splits "in IFACE PROTO SRC > DST [syn]" into the source address and the destination.
func witness(t *testing.T, s string) (from netip.Addr, to string) {
	t.Helper()
	f := strings.Fields(s)
	if len(f) < 6 || f[0] != "in" || f[4] != ">" {
		t.Fatalf("witness %q", s)
	}
	src, err := netip.ParseAddrPort(f[3])
	if err != nil {
		t.Fatalf("witness %q: %v", s, err)
	}
	return src.Addr(), f[5]
}

// opens is connects with time for neighbour discovery, for what is expected to be open.
func (b *testbed) opens(ns, network, addr string) bool {
	return b.dial(ns, &net.Dialer{Timeout: bed.Patience}, network, addr)
}

// connectsFrom sends a witness: the peer gets its source address.
func (b *testbed) connectsFrom(ns, network string, from netip.Addr, to string) bool {
	host := fmt.Sprintf("%s/%d", from, from.BitLen())
	add := exec.Command("ip", "-n", b.name+ns, "addr", "add", host, "dev", "eth0")
	if from.Is6() {
		add.Args = append(add.Args, "nodad")
	}
	_ = add.Run() // it has the address already for the next witness, and takes it along when it goes
	scope := ""
	if from.IsLinkLocalUnicast() {
		// By number: package net remembers the names of the namespace that it looked at first.
		b.inNS(ns, func() {
			if i, err := net.InterfaceByName("eth0"); err == nil {
				scope = fmt.Sprint(i.Index)
			}
		})
	}
	var local net.Addr = &net.TCPAddr{IP: from.AsSlice(), Zone: scope}
	if strings.HasPrefix(network, "udp") {
		local = &net.UDPAddr{IP: from.AsSlice(), Zone: scope}
	}
	return b.dial(ns, &net.Dialer{Timeout: bed.Patience, LocalAddr: local}, network, to)
}

func exposureOf(r *finding.Report, port int, zone, family string) *finding.Exposure {
	var found *finding.Exposure
	for i := range r.Exposures {
		e := &r.Exposures[i]
		if e.Service.Port == port && e.Service.Namespace == "host" && e.Zone == zone && e.Family == family && e.Origin != "local" {
			found = e
		}
	}
	return found
}

// peerAt is the peer behind an interface, peerAddrs its addresses.
var (
	peerAt    = map[string]string{"mgmt0": "mgmt", "ext0": "ext", "docker0": "w1"}
	peerAddrs = map[string]map[string]string{
		"mgmt0":   {"ipv4": "10.10.0.9", "ipv6": "fd10::9"},
		"ext0":    {"ipv4": "203.0.113.9", "ipv6": "fd20::9"},
		"docker0": {"ipv4": "172.17.0.2", "ipv6": "fd17::2"},
	}
)

// TestForwardingAgainstRealPackets compares who reaches whom through the host with datagrams,
// under the switches that decide forwarding and under rules.
func TestForwardingAgainstRealPackets(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	for name, script := range map[string]string{
		"open":                      "true",
		"IPv4 of the interface off": "sysctl -qw net.ipv4.conf.docker0.forwarding=0",
		"IPv6 of the interface off": "sysctl -qw net.ipv6.conf.docker0.forwarding=0",
		"IPv6 off for all":          "sysctl -qw net.ipv6.conf.all.forwarding=0; sysctl -qw net.ipv6.conf.docker0.forwarding=1",
		"off":                       "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0",
		"rules": `nft add table inet f
nft 'add chain inet f c { type filter hook forward priority 0; policy drop; }'
nft add rule inet f c ct state established,related accept
nft add rule inet f c iifname docker0 oifname ext0 accept
nft add rule inet f c iifname mgmt0 ip daddr 172.17.0.2 accept`,
		"postrouting": `nft add table inet f
nft 'add chain inet f c { type filter hook postrouting priority 0; policy accept; }'
nft add rule inet f c oifname mgmt0 meta nfproto ipv6 meta l4proto { tcp, udp } drop`,
	} {
		t.Run(name, func(t *testing.T) {
			b := &testbed{t, b.name}
			b.nft("flush ruleset\n")
			bed.Shell(t, "ip netns exec %[1]shost sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 && "+
				"ip netns exec %[1]shost sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1", b.name)
			// Everything is open now: the neighbours get to know each other.
			for _, p := range peers {
				for oif, addrs := range peerAddrs {
					for _, addr := range addrs {
						if oif != p.origin && !b.arrives(p.ns, peerAt[oif], addr, bed.Patience) {
							t.Errorf("%s does not reach %s on an open host", p.ns, addr)
						}
					}
				}
			}
			bed.Shell(t, "ip netns exec %shost sh -ec '%s'", b.name, strings.ReplaceAll(script, "'", "'\\''"))
			report, _ := b.audit()
			compared := 0
			for _, p := range peers {
				for oif, addrs := range peerAddrs {
					if oif == p.origin {
						continue
					}
					for fam, addr := range addrs {
						for _, f := range report.Forwards {
							if f.From != p.origin || f.To != oif || f.Family != fam {
								continue
							}
							compared++
							// Where it is said to arrive, neighbour discovery gets its time.
							wait := map[bool]time.Duration{true: bed.Patience, false: silence}[f.Verdict == "reachable"]
							if real := b.arrives(p.ns, peerAt[oif], addr, wait); (f.Verdict == "reachable") != real {
								t.Errorf("%s to %s over %s: said %s (%v), is %v", p.ns, addr, fam, f.Verdict, f.StoppedBy, real)
							}
						}
					}
				}
			}
			if compared != 12 {
				t.Errorf("compared %d verdicts", compared)
			}
		})
	}
}

// arrives sends datagrams from one peer to another and looks whether one comes out there within the
// time: the answer could be stopped on its own way.
func (b *testbed) arrives(from, to, addr string, wait time.Duration) bool {
	b.t.Helper()
	var server net.PacketConn
	b.inNS(to, func() {
		var err error
		if server, err = net.ListenPacket("udp", net.JoinHostPort(addr, "0")); err != nil {
			b.t.Error(err)
		}
	})
	if server == nil {
		return false
	}
	defer server.Close()
	var client net.Conn
	b.inNS(from, func() { client, _ = net.Dial("udp", server.LocalAddr().String()) })
	if client == nil {
		return false
	}
	defer client.Close()
	for end := time.Now().Add(wait); time.Now().Before(end); {
		_, _ = client.Write([]byte("x"))
		_ = server.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, _, err := server.ReadFrom(make([]byte, 8)); err == nil {
			return true
		}
	}
	return false
}
