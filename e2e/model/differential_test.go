//go:build linux

// Package model holds the two models of packets, the tracer and reach, against the running kernel.
package model

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/e2e/oracle"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

func TestMain(m *testing.M) { bed.Main(m) }

// crossing is the host of the differential test: a management interface without link layer, an
// external one with, a bridge with two ports, and routes of every kind. The kernel takes packets for an address of IPv6 a while after
// it has been added (addrconf_dad_work).
const crossing = `
ip link set lo up
ip link add docker0 type bridge
for d in vw1 vw2; do ip link set $d master docker0; ip link set $d arp off up; done
ip link set docker0 arp off up
ip link set ext0 arp off; ip link set ext0 up; ip link set mgmt0 up; ip link set tun1 up
ip addr add 10.10.0.1/24 dev mgmt0; ip addr add fd10::1/64 dev mgmt0 nodad
ip addr add 203.0.113.1/24 dev ext0; ip addr add 203.0.113.2/24 dev ext0; ip addr add fd20::1/64 dev ext0 nodad
ip addr add 172.17.0.1/16 dev docker0; ip addr add fd17::1/64 dev docker0 nodad
ip addr add 10.99.0.1/24 dev tun1; ip addr add fd99::1/64 dev tun1 nodad
ip route add default dev ext0 via 203.0.113.9; ip -6 route add default dev ext0 via fd20::9
ip route add 192.168.0.0/16 dev mgmt0; ip route add 192.168.7.0/24 dev tun1
ip route add blackhole 198.18.0.0/24; ip route add unreachable 198.18.1.0/24; ip route add prohibit 198.18.2.0/24
ip route add throw 198.18.3.0/24; ip -6 route add blackhole fd66::/64; ip -6 route add unreachable fd67::/64
ip route add default dev mgmt0 table 100; ip -6 route add default dev mgmt0 table 100
ip rule add fwmark 0x77 table 100 priority 1000; ip -6 rule add fwmark 0x77 table 100 priority 1000
ip rule add from 192.0.2.0/24 lookup 100 priority 1001
ip rule add fwmark 0x55 table 111 priority 1002; ip -6 rule add fwmark 0x55 table 111 priority 1002
ip route add local default dev lo table 111; ip -6 route add local default dev lo table 111
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
for i in mgmt0 ext0 docker0 lo default; do sysctl -qw net.ipv4.conf.$i.rp_filter=0; done
sysctl -qw net.ipv4.conf.tun1.rp_filter=1 net.ipv4.conf.docker0.route_localnet=1
for a in fd10::1 fd20::1 fd17::1 fd99::1; do
	for n in $(seq 500); do if ip -6 route show table local | grep -q "^local $a "; then continue 2; fi; sleep 0.02; done
	echo "no local route for $a"; exit 1
done
`

// detour is the same host with other switches and rules: strict and loose source checks, an interface
// that does not forward, policy rules with every selector, several next hops, bridge filters off.
const detour = crossing + `
ip rule del from 192.0.2.0/24; ip route flush table 100
ip route add default dev mgmt0 table 100; ip route add 10.0.0.0/8 dev tun1 table 101; ip route add 8.8.0.0/16 dev tun1 table 102
ip route add default dev tun1 table 103; ip -6 route add default dev tun1 table 103
ip rule add iif tun1 lookup 102 priority 900
ip rule add ipproto udp dport 5353 lookup 103 priority 910; ip -6 rule add ipproto tcp dport 8443 lookup 103 priority 910
ip rule add to 192.168.7.0/24 lookup 100 priority 920
ip rule add not from 10.0.0.0/8 to 172.16.0.0/16 lookup 101 priority 930
ip rule add from 203.0.113.0/25 to 198.51.100.0/24 prohibit priority 940
ip rule add lookup main suppress_prefixlength 0 priority 950
ip rule add lookup 105 suppress_prefixlength 25 priority 955; ip route add unreachable 192.0.2.0/25 table 105; ip route add 8.8.8.0/24 dev docker0 table 105
ip rule add fwmark 0x10/0x10 lookup 103 priority 960
ip rule add iif ext0 goto 966 priority 962; ip rule add to 192.168.1.0/24 blackhole priority 964; ip rule add to 8.8.8.8 tos 0x10 blackhole priority 966
ip route add 192.168.7.0/24 tos 0x08 dev ext0
ip rule add sport 1000-30000 to 192.0.2.0/24 blackhole priority 970
ip route change 192.168.0.0/16 dev mgmt0 realm 5; ip route change default dev ext0 via 203.0.113.9 realm 2; ip route change 192.168.7.0/24 dev tun1 realm 6/7
ip route add 8.8.8.8 dev mgmt0 realm 5; ip route change 172.17.0.0/16 dev docker0 src 172.17.0.1 realm 9
sysctl -qw net.ipv4.conf.mgmt0.rp_filter=1 net.ipv4.conf.ext0.rp_filter=2 net.ipv4.conf.tun1.forwarding=0 net.ipv4.conf.mgmt0.accept_local=1
sysctl -qw net.ipv4.conf.mgmt0.route_localnet=1 net.ipv4.conf.docker0.route_localnet=0 net.ipv4.conf.docker0.src_valid_mark=1
sysctl -qw net.ipv6.conf.vw2.disable_ipv6=1 net.netfilter.nf_conntrack_tcp_loose=0 net.netfilter.nf_conntrack_checksum=0
`

type bedOracle struct {
	t    *testing.T
	o    *oracle.Oracle
	snap *snapshot.Snapshot
	next uint32
	used map[string]bool
	// rawRoutes says that a raw socket, by which the oracle sends the host's own packets, routes as other
	// sockets do: its look-up has no ports and another protocol, which policy rules can ask for.
	rawRoutes bool
	// mutate damages what the tracer is given of the ruleset that the kernel has.
	mutate func(*ruleset.Ruleset)
	// ask runs programs on the way; nil is none.
	ask packet.Runner
	tcp []net.Listener
	udp []net.PacketConn
}

func newCrossing(t *testing.T, script string) *bedOracle {
	t.Helper()
	o, err := oracle.Start(&oracle.Device{Name: "mgmt0"}, &oracle.Device{Name: "tun1"},
		&oracle.Device{Name: "ext0", L2: true}, &oracle.Device{Name: "vw1", L2: true}, &oracle.Device{Name: "vw2", L2: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	if err := oracle.Shell(script); err != nil {
		t.Fatal(err)
	}
	if err := o.Ready(map[string]string{"vw1": "docker0", "vw2": "docker0"}); err != nil {
		t.Fatal(err)
	}
	b := &bedOracle{t: t, o: o, next: 1000, used: map[string]bool{}}
	b.listen()
	b.see()
	return b
}

// listen opens sockets of every kind of binding.
func (b *bedOracle) listen() {
	for _, a := range []string{"0.0.0.0:22", "[::]:80", "127.0.0.1:8080", "10.10.0.1:8443", "[fd10::1]:9443"} {
		l, err := net.Listen("tcp", a)
		if err != nil {
			b.t.Fatal(err)
		}
		b.tcp = append(b.tcp, l)
		b.t.Cleanup(func() { l.Close() })
	}
	for _, a := range []string{"0.0.0.0:53", "[::]:161", "127.0.0.1:623"} {
		l, err := net.ListenPacket("udp", a)
		if err != nil {
			b.t.Fatal(err)
		}
		b.udp = append(b.udp, l)
		b.t.Cleanup(func() { l.Close() })
	}
	b.join()
	b.transparent()
}

// join makes the host a member of groups.
func (b *bedOracle) join() {
	for name, groups := range joins {
		link, err := net.InterfaceByName(name)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, g := range groups {
			l, err := net.ListenMulticastUDP("udp", link, &net.UDPAddr{IP: net.ParseIP(g), Port: 5353})
			if err != nil {
				b.t.Fatal(err)
			}
			b.udp = append(b.udp, l)
			b.t.Cleanup(func() { l.Close() })
		}
	}
}

// transparent makes the sockets that rules with tproxy look for.
func (b *bedOracle) transparent() {
	for a, opt := range map[string][2]int{"0.0.0.0:9000": {syscall.SOL_IP, unix.IP_TRANSPARENT}, "[::1]:9001": {syscall.SOL_IPV6, unix.IPV6_TRANSPARENT}} {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			if e := c.Control(func(fd uintptr) {
				if err = unix.SetsockoptInt(int(fd), opt[0], opt[1], 1); err == nil {
					err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, 0x33)
				}
			}); e != nil {
				return e
			}
			return err
		}}
		l, err := lc.Listen(b.t.Context(), "tcp", a)
		if err != nil {
			b.t.Fatal(err)
		}
		b.tcp = append(b.tcp, l)
		b.t.Cleanup(func() { l.Close() })
		p, err := lc.ListenPacket(b.t.Context(), "udp", a)
		if err != nil {
			b.t.Fatal(err)
		}
		b.udp = append(b.udp, p)
		b.t.Cleanup(func() { p.Close() })
	}
}

// see collects what the tracer needs, without the ruleset.
func (b *bedOracle) see() {
	b.snap = checks.Collect(context.Background(), host.Local(), checks.Options{
		Deadline: time.Minute, Now: time.Now, Only: []string{"network", "nftables", "listeners"},
	})
	for _, c := range b.snap.Coverage {
		if c.Status != snapshot.OK && c.Status != snapshot.Partial {
			b.t.Fatalf("%s: %s %v", c.Collector, c.Status, c.Reasons)
		}
	}
}

// tracer reads the ruleset that is loaded, without the observers.
func (b *bedOracle) tracer() *trace.Tracer {
	s := b.loaded()
	if b.mutate != nil {
		b.mutate(s.NFTables.Ruleset)
	}
	t := trace.New(s)
	if b.ask != nil {
		t.Ask(b.ask)
	}
	return t
}

func (b *bedOracle) loaded() *snapshot.Snapshot {
	rs, err := checks.ReadRuleset(context.Background(), host.Local())
	if err != nil {
		b.t.Fatal(err)
	}
	rs.Tables = slices.DeleteFunc(rs.Tables, func(t ruleset.Table) bool { return t.Name == oracle.Table })
	s := *b.snap
	s.NFTables.Ruleset = rs
	return &s
}

// tally counts the outcome of a comparison.
type tally struct {
	packets, unknown int
	told             int // unknown, with the fates that the packet has by what is not known
	wrong            []string
	causes           map[string]int
	fates            map[string]int
}

// compare asks the kernel and the tracer about each packet.
func (b *bedOracle) compare(name string, packets []*oracle.Packet, sum *tally) {
	b.t.Helper()
	tr := b.tracer()
	for _, p := range packets {
		if !b.fresh(p) || p.In == "local" && !b.rawRoutes {
			continue
		}
		want := b.fate(name, p)
		got := tr.Packet(question(p, oracle.LastData(b.next)...))
		sum.packets++
		sum.fates[want.Fate]++
		if got.Fate == trace.Unknown {
			sum.unknown++
			sum.causes[cause(got.Why)]++
			if len(got.ByTraffic) == 0 {
				continue
			}
			sum.told++
		}
		wrong := func() bool { return !agrees(p, want, &got) && !b.incomplete(tr, p, want) }
		if wrong() { // once more, without the connections of earlier packets
			if err := b.o.Forget(); err != nil {
				b.t.Fatal(err)
			}
			want = b.fate(name, p)
			got = tr.Packet(question(p, oracle.LastData(b.next)...))
		}
		switch {
		case !wrong():
		case want.Fate == "drop" && got.Fate == trace.Forward && b.ofSocket(p, got.To):
			sum.causes["a connection of an earlier packet with a socket"]++
		default:
			sum.wrong = append(sum.wrong, fmt.Sprintf("%s: in %s %s\n  kernel %s %s %s\n  trace  %s %s %s by %s", name, p.In,
				question(p), want.Fate, want.Oif, want.To, got.Fate, got.Oif, got.To, got.Rule))
		}
	}
}

// agrees says whether the kernel's fate is the tracer's, or one of those that it tells.
func agrees(p *oracle.Packet, want oracle.Fate, got *trace.Fate) bool {
	if got.Fate != trace.Unknown {
		return agree(p, want, got)
	}
	return len(got.ByTraffic) == 0 || slices.ContainsFunc(got.ByTraffic, func(c trace.Conditional) bool { return agree(p, want, &c.Fate) })
}

// ofSocket says whether a packet has, as translation left it, the ends of a connection that an earlier packet opened with a socket
// of the host: a transparent listener has them at addresses of others. The stack gives the packet that socket, and forwards none
// that has one (ip_rcv_finish, tcp_v4_early_demux, ip_forward). Emptying conntrack does not end such a connection.
func (b *bedOracle) ofSocket(p *oracle.Packet, to string) bool {
	b.t.Helper()
	local, err := netip.ParseAddrPort(to)
	if err != nil || p.Proto != 6 || !p.Src.Is4() {
		return false
	}
	mapped := func(a netip.AddrPort, before string) string { // as proc(5) has them: words of the host's byte order
		raw := a.Addr().As4()
		return fmt.Sprintf("%s%08X:%04X", before, binary.NativeEndian.Uint32(raw[:]), a.Port())
	}
	word := binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff})
	for file, before := range map[string]string{"tcp": "", "tcp6": fmt.Sprintf("%016X%08X", 0, word)} {
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			b.t.Fatal(err)
		}
		if strings.Contains(string(text), " "+mapped(local, before)+" "+mapped(netip.AddrPortFrom(p.Src, p.Sport), before)+" ") {
			return true
		}
	}
	return false
}

// incomplete says whether a fragment that the tracer lets through to the host waits there in vain,
// because the tracer has the other one end on its way.
func (b *bedOracle) incomplete(tr *trace.Tracer, p *oracle.Packet, want oracle.Fate) bool {
	if p.Frag == "" || want.Fate != "drop" && want.Fate != "reject" {
		return false
	}
	other := *p
	other.Frag = map[string]string{"first": "last", "last": "first"}[p.Frag]
	fate := tr.Packet(question(&other, oracle.LastData(b.next)...)).Fate
	return fate != trace.Local && fate != trace.Forward
}

var causeParts = regexp.MustCompile(`^[a-z0-9]+ [^ ]+: `)

func cause(why string) string { return causeParts.ReplaceAllString(why, "") }

// agree compares the kernel's fate with the tracer's. The stack tells the sender of a missing route
// too, and an answer can be lost on its way back: neither is a reject rule.
func agree(p *oracle.Packet, want oracle.Fate, got *trace.Fate) bool {
	fate := got.Fate
	switch {
	case want.Fate == "reject" && fate == trace.Drop: // also where the tracer drops it another way first
		return got.Rule == "route" || got.Rule == "forwarding-off" || got.Rule == "martian" || unrouted.MatchString(p.Dst.String())
	case want.Fate == "drop" && fate == trace.Reject:
		return true
	case want.Fate != string(fate):
		return false
	}
	switch fate {
	case trace.Forward, trace.Output:
		if p.DMAC != nil { // the kernel's last IP hook says the bridge, the tracer the port
			return want.To == "" || sameTo(want.To, got.To)
		}
		return want.Oif == got.Oif && sameTo(want.To, got.To)
	case trace.Local:
		return sameTo(want.To, got.To)
	default:
		return true
	}
}

// sameTo compares destinations; a later fragment has no port.
func sameTo(want, got string) bool {
	if a, err := netip.ParseAddr(want); err == nil {
		if ap, err := netip.ParseAddrPort(got); err == nil {
			return ap.Addr() == a
		}
	}
	return want == got
}

var errorLine = regexp.MustCompile(`/dev/stdin:(\d+):`)

// loadWhatNftTakes loads a ruleset without the lines that nft refuses, and returns what is left.
func (b *bedOracle) loadWhatNftTakes(text string) string {
	lines := strings.Split(text, "\n")
	for range 50 {
		text = strings.Join(lines, "\n")
		err := b.o.Load(text)
		if err == nil {
			return text
		}
		m := errorLine.FindStringSubmatch(err.Error())
		if m == nil {
			b.t.Fatalf("%v\n%s", err, text)
		}
		n, _ := strconv.Atoi(m[1])
		if n-2 >= len(lines) || n < 2 || strings.ContainsAny(lines[n-2], "{}") && strings.HasPrefix(strings.TrimSpace(lines[n-2]), "chain") {
			b.t.Fatalf("%v\n%s", err, text)
		}
		lines = slices.Delete(lines, n-2, n-1)
	}
	b.t.Fatalf("nothing that nft takes is left of\n%s", text)
	return ""
}

// unrouted are the destinations that the host of the test has no route for.
var unrouted = regexp.MustCompile(`^198\.18\.|^fd6[67]:`)

func newTally() *tally { return &tally{causes: map[string]int{}, fates: map[string]int{}} }

func (s *tally) report(t *testing.T) {
	t.Helper()
	t.Logf("%d packets, %d disagreements, %d unknown (%.2f%%), of %d of them the fates are told (%.2f%% are not), fates %v, causes %v", s.packets, len(s.wrong), s.unknown,
		100*float64(s.unknown)/float64(max(s.packets, 1)), s.told, 100*float64(s.unknown-s.told)/float64(max(s.packets, 1)), s.fates, s.causes)
	for i, w := range s.wrong {
		if i == 40 {
			t.Errorf("and %d more", len(s.wrong)-i)
			break
		}
		t.Error(w)
	}
}

// TestTraceAgreesWithKernel: packets at random and at the bounds of what the rules mention, over rulesets
// written for a trap each and over random ones.
func TestTraceAgreesWithKernel(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	traceAgrees(t, crossing)
}

// TestTraceAgreesWithKernelOnDetours is the same with other routes and switches.
func TestTraceAgreesWithKernelOnDetours(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	traceAgrees(t, detour)
}

// runSize is the seed and size of a run: the small one given, the same each time, or of "make differential"
// as many rulesets as RINGFENCE_DIFFERENTIAL says, each time others.
func runSize(t *testing.T, smallRulesets, smallPackets int) (seed uint64, rulesets, perRuleset int) {
	t.Helper()
	seed, rulesets, perRuleset = 20261122, smallRulesets, smallPackets
	if s := os.Getenv("RINGFENCE_DIFFERENTIAL"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rulesets, perRuleset, seed = n, 600, uint64(time.Now().UnixNano())
	}
	if s := os.Getenv("RINGFENCE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (RINGFENCE_SEED repeats it)", seed)
	return seed, rulesets, perRuleset
}

func traceAgrees(t *testing.T, script string) {
	t.Helper()
	b := newCrossing(t, script)
	b.rawRoutes = script == crossing
	seed, rulesets, perRuleset := runSize(t, 40, 60)
	sum := newTally()
	for i, trap := range traps {
		if err := b.o.Load(bed.Spread(trap.rules)); err != nil {
			t.Errorf("%s: %v", trap.name, err)
			continue
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		b.compare(trap.name, packets(r, 3*perRuleset, trap.rules), sum)
	}
	for name, text := range b.realRulesets() {
		r := rand.New(rand.NewPCG(seed, uint64(len(name))))
		b.loadReal(name, text)
		b.compare(name, packets(r, 2*perRuleset, text["nft"]+text["v4"]+text["v6"]), sum)
	}
	for i := range rulesets {
		r := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		text := b.loadWhatNftTakes(randomRuleset(r))
		before := len(sum.wrong)
		b.compare(fmt.Sprintf("random %d", i), packets(r, perRuleset, text), sum)
		if len(sum.wrong) > before && before < 3 {
			t.Logf("ruleset of random %d:\n%s", i, text)
		}
	}
	sum.report(t)
}

// realRulesets are the dumps of real tools, by name and kind, with the names of our interfaces. A long run has those of
// further kinds too.
func (b *bedOracle) realRulesets() map[string]map[string]string {
	all := b.rulesetsIn("../testdata/rulesets", 8)
	if longRun() {
		maps.Copy(all, b.rulesetsIn("../testdata/kinds", 30))
	}
	return all
}

// longRun says whether this is "make differential".
func longRun() bool { return os.Getenv("RINGFENCE_DIFFERENTIAL") != "" }

// rulesetsIn are the rulesets of a folder, at least so many.
func (b *bedOracle) rulesetsIn(folder string, least int) map[string]map[string]string {
	files, err := filepath.Glob(folder + "/*.*")
	if err != nil {
		b.t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for _, f := range files {
		name, kind, _ := strings.Cut(filepath.Base(f), ".")
		kind = strings.TrimSuffix(kind, ".iptables")
		if kind == "md" {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			b.t.Fatal(err)
		}
		if all[name] == nil {
			all[name] = map[string]string{}
		}
		all[name][kind] = strings.NewReplacer("eth0", "ext0", "virbr0", "docker0", "virbr9", "tun1").Replace(string(text))
	}
	if len(all) < least {
		b.t.Fatalf("only %d rulesets in %s", len(all), folder)
	}
	return all
}

func (b *bedOracle) loadReal(name string, text map[string]string) {
	if err := b.o.Load(text["nft"]); err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	if text["sets"] != "" { // the rules of the one before no longer hold them
		for range 20 {
			if exec.Command("ipset", "flush").Run() == nil && exec.Command("ipset", "destroy").Run() == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		cmd := exec.Command("ipset", "restore")
		cmd.Stdin = strings.NewReader(text["sets"])
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("%s: ipset: %v: %s", name, err, out)
		}
	}
	for kind, tool := range map[string]string{"v4": "iptables-nft-restore", "v6": "ip6tables-nft-restore"} {
		if text[kind] == "" {
			continue
		}
		cmd := exec.Command(tool)
		cmd.Stdin = strings.NewReader(text[kind])
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("%s: %s: %v: %s", name, tool, err, out)
		}
	}
}

// TestDifferentialNoticesMutations damages the ruleset that the tracer is given: a comparison that does
// not notice proves nothing.
func TestDifferentialNoticesMutations(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newCrossing(t, crossing)
	b.rawRoutes = true
	const rules = `table inet m {
	set s { type inet_service; flags interval; elements = { 22, 80-90 } }
	chain c { udp dport 53 accept
	}
	chain early { type filter hook input priority -10; policy accept; tcp dport 80 drop
	}
	chain i { type filter hook input priority 0; policy drop; tcp dport @s accept
	jump c; icmp type echo-request accept
	}
	chain f { type filter hook forward priority 0; policy accept; iifname "tun1" drop
	}
	}`
	if err := b.o.Load(bed.Spread(rules)); err != nil {
		t.Fatal(err)
	}
	chain := func(rs *ruleset.Ruleset, name string) *ruleset.Chain { return rs.Tables[0].Chain(name) }
	seed := uint64(0)
	for name, mutate := range map[string]func(*ruleset.Ruleset){
		"a rule is gone":    func(rs *ruleset.Ruleset) { chain(rs, "early").Rules = nil },
		"a policy is other": func(rs *ruleset.Ruleset) { chain(rs, "i").Base.Policy = ruleset.Accept },
		"a hook is other":   func(rs *ruleset.Ruleset) { chain(rs, "f").Base.Hook = "input" },
		"a set is wider": func(rs *ruleset.Ruleset) {
			for i := range rs.Tables[0].Sets {
				rs.Tables[0].Sets[i].Elements = []ruleset.Element{{Key: ruleset.Hex{0, 0}}}
			}
		},
		"a verdict is other": func(rs *ruleset.Ruleset) {
			r := &chain(rs, "c").Rules[0]
			r.Exprs[len(r.Exprs)-1].Immediate.Verdict.Kind = ruleset.Drop
		},
		"a jump is gone":     func(rs *ruleset.Ruleset) { chain(rs, "i").Rules = chain(rs, "i").Rules[:1] },
		"a table is dormant": func(rs *ruleset.Ruleset) { rs.Tables[0].Dormant = true },
	} {
		b.mutate = mutate
		sum := newTally()
		seed++
		b.compare(name, packets(rand.New(rand.NewPCG(1, seed)), 1500, rules), sum)
		if len(sum.wrong) == 0 {
			t.Errorf("%s, and %d packets did not show it", name, sum.packets)
		}
	}
	b.mutate = nil
	sum := newTally()
	b.compare("as loaded", packets(rand.New(rand.NewPCG(2, 2)), 400, rules), sum)
	if len(sum.wrong) > 0 {
		t.Errorf("as loaded: %v", sum.wrong)
	}
}
