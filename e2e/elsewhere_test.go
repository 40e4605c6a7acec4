//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// elsewhere are sockets in the namespaces of two workloads, and where else they can be asked for.
var elsewhere = []struct {
	ns, network, addr string
	port              int
}{
	{"w1", "tcp", "[::]:8080", 8080},
	{"w1", "tcp4", "0.0.0.0:9090", 9090},
	{"w1", "tcp4", "127.0.0.1:7070", 7070},
	{"w2", "tcp", "[::]:8081", 8081},
	{"w2", "udp4", "0.0.0.0:5353", 5353},
	{"w2", "tcp4", "172.17.0.3:6060", 6060},
}

// TestExposureOfOtherNamespaces holds what is said about sockets of workloads against real connections: through the
// host's filter, its translation and the filter of their own namespace.
func TestExposureOfOtherNamespaces(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	for _, l := range elsewhere {
		b.listenIn(l.ns, l.network, l.addr, "")
	}
	inside := func(ns, rules string) {
		cmd := exec.Command("ip", "netns", "exec", b.name+ns, "nft", "-f", "-")
		cmd.Stdin = strings.NewReader("flush ruleset\n" + bed.Spread(rules))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	const published = `table ip nat { chain p { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 80 dnat to 172.17.0.2:8080
	} }
	table inet f { chain f { type filter hook forward priority 0; policy drop; ct state established,related accept; ct status dnat accept
	} }`
	const picky = `table inet own { chain i { type filter hook input priority 0; policy drop; ct state established,related accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
	ip saddr 203.0.113.9 tcp dport 8080 accept; ip6 saddr fd10::9 tcp dport 8080 accept; ip saddr 10.10.0.0/24 tcp dport 9090 accept
	} }`
	for _, c := range []struct{ name, host, w1, w2 string }{
		{"no rules", "", "", ""},
		{"a port is published", published, "", ""},
		{"the workload has a filter", "", picky, "table ip own { chain i { type filter hook input priority 0; policy accept; udp dport 5353 drop; tcp dport 6060 drop\n} }"},
		{"both", published, picky, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &testbed{t, b.name}
			b.nft("flush ruleset\n" + bed.Spread(c.host))
			inside("w1", c.w1)
			inside("w2", c.w2)
			b.compareElsewhere()
		})
	}
}

func (b *testbed) compareElsewhere() {
	t := b.t
	report, _ := b.audit()
	verdicts := map[string]int{}
	for _, l := range elsewhere {
		for _, p := range peers {
			for fam, addrs := range map[string][]string{
				"ipv4": {map[string]string{"w1": "172.17.0.2", "w2": "172.17.0.3"}[l.ns], "203.0.113.1", "10.10.0.1", "172.17.0.1"},
				"ipv6": {map[string]string{"w1": "fd17::2", "w2": "fd17::3"}[l.ns], "fd20::1", "fd10::1", "fd17::1"},
			} {
				e := foreignExposure(report, b.name+l.ns, l.port, p.zone, fam)
				if e == nil {
					continue
				}
				verdicts[e.Verdict]++
				network := strings.TrimRight(l.network, "46") + map[string]string{"ipv4": "4", "ipv6": "6"}[fam]
				where := fmt.Sprintf("%s %s:%d from %s over %s", l.ns, l.network, l.port, p.ns, fam)
				switch e.Verdict {
				case "reachable":
					from, to := witness(t, e.Witness)
					ns := p.ns
					if strings.HasPrefix(e.Witness, "in vethw") { // the other workload
						ns = strings.TrimPrefix(strings.Fields(e.Witness)[1], "veth")
					}
					if !b.connectsFrom(ns, network, from, to) {
						t.Errorf("%s: the witness %q does not get through", where, e.Witness)
					}
				case "unreachable":
					for i, a := range addrs {
						port := l.port
						if i > 0 && l.port == 8080 {
							port = 80
						} else if i > 0 {
							continue
						}
						if p.ns != l.ns && b.connects(p.ns, network, net.JoinHostPort(a, fmt.Sprint(port))) {
							t.Errorf("%s: said unreachable, %s:%d answers; %v", where, a, port, e.StoppedBy)
						}
					}
				default:
					t.Logf("%s: %v", where, e.Because)
				}
			}
		}
	}
	t.Log(verdicts)
	if verdicts["reachable"] == 0 || verdicts["unreachable"] == 0 || verdicts["unknown"]*4 > verdicts["reachable"]+verdicts["unreachable"] {
		t.Errorf("verdicts %v", verdicts)
	}
}

func foreignExposure(r *finding.Report, ns string, port int, zone, family string) *finding.Exposure {
	for i := range r.Exposures {
		e := &r.Exposures[i]
		if e.Service.Port == port && strings.HasSuffix(e.Service.Namespace, ns) && e.Zone == zone && e.Family == family && e.Origin != "local" {
			return e
		}
	}
	return nil
}

// TestHostileNamespaces: what an ordinary user puts into a network namespace of its own takes nothing from the audit.
func TestHostileNamespaces(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\ntable inet f { chain i { type filter hook input priority 0; policy drop; tcp dport 22 accept\n}\n}")
	b.listen("tcp4", "0.0.0.0:22", "")
	script := `
nft add table ip t; nft add chain ip t loop; nft add chain ip t other
nft add chain ip t in '{ type filter hook input priority 0; policy accept; }'
nft add rule ip t in jump loop; nft add rule ip t loop jump other; nft add rule ip t other tcp dport 1-65535 accept comment '"\\e[31m<script>"'
python3 - <<'P'
import socket, struct, os
# A table and a chain whose user data is no list of attributes, and names with what terminals and pages take for their own.
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.bind((0, 0))
def attr(k, d): return struct.pack("HH", 4 + len(d), k) + d + b"\0" * (-len(d) %% 4)
def msg(t, fl, body, fam=2): return struct.pack("IHHII", 16 + 4 + len(body), t, fl, 0, 0) + struct.pack("BBH", fam, 0, 0) + body
begin = msg(0x10, 1, b"", 0)[:16] + struct.pack(">BBH", 0, 0, 10)
end = msg(0x11, 1, b"", 0)[:16] + struct.pack(">BBH", 0, 0, 10)
for name in (b"\x1b[2J\xff\xfe<b>", b"a" * 200):
    body = attr(1, name + b"\0") + attr(6, b"\xff" * 250)
    s.send(begin + msg(0x0a00, 0x405, body) + end)
els = "".join("add element ip t big { %%d.%%d.%%d.%%d }\n" %% (10, i >> 14 & 127, i >> 7 & 127, i & 127) for i in range(150000))
open("/tmp/rf-hostile-%%d" %% os.getpid(), "w").write("add set ip t big { type ipv4_addr; }\n" + els)
os.system("nft -f /tmp/rf-hostile-%%d; rm -f /tmp/rf-hostile-%%d" %% (os.getpid(), os.getpid()))
P
ip link set lo up
echo ready
sleep 60
`
	bed.NeedUserNamespaces(t)
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--net", "sh", "-c", strings.ReplaceAll(script, "%%", "%"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	buf := make([]byte, len("ready"))
	if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "ready" {
		t.Fatalf("the user's namespace is not ready: %q %v", buf, err)
	}
	start := time.Now()
	report, _ := b.audit()
	t.Logf("audit beside it: %v", time.Since(start).Round(time.Millisecond))
	for _, c := range report.Coverage {
		t.Log(c.Collector, c.Status, c.Reasons)
		if (c.Collector == "nftables" || c.Collector == "network") && c.Status != "ok" && c.Status != "partial" {
			t.Errorf("%s: %s %v", c.Collector, c.Status, c.Reasons)
		}
	}
	if e := exposureOf(report, 22, "external", "ipv4"); e == nil || e.Verdict != "reachable" {
		t.Errorf("the host's own answer changed: %+v", e)
	}
}
