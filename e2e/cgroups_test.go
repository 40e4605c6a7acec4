//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// systemdFilter writes what systemd does of IPAddressAllow= and IPAddressDeny= (bpf-firewall.c): lists are looked up in the order that it has, deny
// of IPv4 and IPv6 before allow of both.
func systemdFilter(t *testing.T, ingress, counts bool, deny, allow []string) []op {
	code := []op{{0xbf, 6, 1, 0, 0}, {0x61, 7, 6, 16, 0}, {0xb4, 8, 0, 0, 0}}
	any := func(list []string) bool { return slices.Contains(list, "any") }
	for _, l := range []struct {
		list    []string
		verdict int32
	}{{deny, 2}, {allow, 1}} {
		for _, v6 := range []bool{false, true} {
			var mine []string
			for _, p := range l.list {
				if p != "any" && strings.Contains(p, ":") == v6 {
					mine = append(mine, p)
				}
			}
			if len(mine) == 0 || any(l.list) {
				continue
			}
			proto, size, at := int32(8), int32(4), int32(16)
			if ingress {
				at = 12
			}
			if v6 {
				if proto, size, at = 0xdd86, 16, 24; ingress {
					at = 8
				}
			}
			code = append(code, []op{
				{0x55, 7, 0, 14, proto},
				{0xbf, 1, 6, 0, 0},
				{0xb4, 2, 0, 0, at},
				{0xbf, 3, 10, 0, 0},
				{0x07, 3, 0, 0, -size},
				{0xb4, 4, 0, 0, size},
				{0x85, 0, 0, 0, 26},
				{0x18, 1, 1, 0, int32(prefixMap(t, mine...))},
				{},
				{0xbf, 2, 10, 0, 0},
				{0x07, 2, 0, 0, -size - 4},
				{0x62, 2, 0, 0, size * 8},
				{0x85, 0, 0, 0, 1},
				{0x15, 0, 0, 1, 0},
				{0x44, 8, 0, 0, l.verdict},
			}...)
		}
	}
	for _, l := range []struct {
		list    []string
		verdict int32
	}{{allow, 1}, {deny, 2}} {
		if any(l.list) {
			code = append(code, op{0x44, 8, 0, 0, l.verdict})
		}
	}
	code = append(code, op{0xb7, 0, 0, 0, 1}, op{0x55, 8, 0, 1, 2}, op{0xb7, 0, 0, 0, 0})
	if counts {
		m := int32(arrayMap(t, 2))
		count := func(key int32) []op {
			return []op{{0xb7, 0, 0, 0, key}, {0x63, 10, 0, -4, 0}, {0xbf, 2, 10, 0, 0}, {0x07, 2, 0, 0, -4}, {0x18, 1, 1, 0, m}, {}, {0x85, 0, 0, 0, 1}, {0x15, 0, 0, 2, 0}}
		}
		code = append(append(append(code, op{0x15, 0, 0, 21, 0}), count(0)...), op{0xb7, 1, 0, 0, 1}, op{0xdb, 0, 1, 0, 0})
		code = append(append(code, count(1)...), op{0x61, 1, 6, 0, 0}, op{0xdb, 0, 1, 0, 0}, op{0xb7, 0, 0, 0, 1})
	}
	return append(code, op{0x95, 0, 0, 0, 0})
}

// filtered attaches the programs of a unit to its cgroup.
func filtered(t *testing.T, cgroup string, counts bool, deny, allow []string) {
	onCgroup(t, cgroup, 0, loadProgram(t, 8, 0, "sd_fw_ingress", systemdFilter(t, true, counts, deny, allow)))
	onCgroup(t, cgroup, 1, loadProgram(t, 8, 1, "sd_fw_egress", systemdFilter(t, false, counts, deny, allow)))
}

// servedScene is that host with somebody who listens on port 22.
func servedScene(t *testing.T) net.Listener {
	cgroupScene(t)
	l, err := net.Listen("tcp", "0.0.0.0:22")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// cgroupScene is a host with two neighbours.
func cgroupScene(t *testing.T) {
	bed.Shell(t, `for n in e m; do ip netns add $n; ip -n $n link set lo up; done
ip link set lo up
ip link add ext0 type veth peer name eth0 netns e
ip link add mgmt0 type veth peer name eth0 netns m
ip addr add 203.0.113.1/24 dev ext0; ip addr add 10.10.0.1/24 dev mgmt0; ip addr add fd20::1/64 dev ext0 nodad; ip addr add fd10::1/64 dev mgmt0 nodad
ip link set ext0 up; ip link set mgmt0 up
ip -n e addr add 203.0.113.9/24 dev eth0; ip -n e addr add fd20::9/64 dev eth0 nodad; ip -n e link set eth0 up
ip -n m addr add 10.10.0.9/24 dev eth0; ip -n m addr add fd10::9/64 dev eth0 nodad; ip -n m link set eth0 up`)
}

// asked is the verdict of reach.
func asked(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(bed.Program(t), append([]string{"reach", "-q", "-f", "json"}, args...)...).Output()
	var answer struct {
		Verdict string
		Because []struct{ Why string }
	}
	if jerr := json.Unmarshal(out, &answer); jerr != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	if answer.Verdict == "unknown" {
		t.Logf("%v: %v", args, answer.Because)
	}
	return answer.Verdict
}

// startServer serves port 443 of both families in a network namespace, until what it returns is called.
func startServer(t *testing.T, ns string) (end func()) {
	t.Helper()
	const code = "import socket; s=socket.create_server(('::', 443), family=socket.AF_INET6, dualstack_ipv6=True)\nwhile 1: s.accept()[0].close()"
	server := exec.Command("ip", "netns", "exec", ns, "python3", "-c", code)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if !bed.Until(func() bool { return gets(ns, "127.0.0.1:443") }) {
		t.Fatal("the server does not start")
	}
	return func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
}

// gets says whether a connection from a network namespace comes to be.
func gets(ns, to string) bool {
	host, port, _ := net.SplitHostPort(to)
	return exec.Command("ip", "netns", "exec", ns, "python3", "-c", "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5)", host, port).Run() == nil
}

// TestAddressesOfUnits: what systemd makes of IPAddressAllow= and IPAddressDeny= is decided as the kernel decides it, for what a socket of the unit
// gets and for what its processes send.
func TestAddressesOfUnits(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	cgroupScene(t)
	for _, ns := range []string{"e", "m"} {
		defer startServer(t, ns)()
	}
	const any = "any"
	top := unified(t)
	for i, c := range []struct {
		name        string
		counts      bool
		slice       []string // IPAddressDeny= of the slice
		deny, allow []string
	}{
		{name: "no list", counts: true},
		{name: "deny any", deny: []string{any}},
		{name: "deny any, allow one network", deny: []string{any}, allow: []string{"10.10.0.0/24"}},
		{name: "deny any, allow networks of both families", counts: true, deny: []string{any}, allow: []string{"203.0.113.0/24", "fd10::/64"}},
		{name: "deny one", deny: []string{"203.0.113.0/24"}},
		{name: "deny of both families, allow a part", deny: []string{"203.0.0.0/8", "fd00::/8"}, allow: []string{"203.0.113.9/32"}},
		{name: "the slice denies", slice: []string{"10.10.0.0/16"}, allow: []string{"10.10.0.0/24"}},
		{name: "allow any", deny: []string{"203.0.113.0/24"}, allow: []string{any}},
	} {
		t.Run(c.name, func(t *testing.T) {
			slice := newCgroup(t, top, fmt.Sprintf("rf%d-%d.slice", time.Now().UnixNano(), i))
			unit := newCgroup(t, slice, "a.service")
			if c.slice != nil {
				filtered(t, slice, false, c.slice, nil)
			}
			filtered(t, unit, c.counts, c.deny, c.allow)
			var l net.Listener
			within(t, unit, func() {
				var err error
				if l, err = net.Listen("tcp", "[::]:22"); err != nil {
					t.Fatal(err)
				}
			})
			defer l.Close()
			sleep := exec.Command("sleep", "600")
			within(t, unit, func() {
				if err := sleep.Start(); err != nil {
					t.Fatal(err)
				}
			})
			defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait(); time.Sleep(50 * time.Millisecond) }()
			path := strings.TrimPrefix(unit, top)
			for _, p := range []struct{ ns, iface, peer, own string }{
				{"e", "ext0", "203.0.113.9", "203.0.113.1"}, {"m", "mgmt0", "10.10.0.9", "10.10.0.1"}, {"e", "ext0", "fd20::9", "fd20::1"}, {"m", "mgmt0", "fd10::9", "fd10::1"},
			} {
				bits := "/32"
				if strings.Contains(p.peer, ":") {
					bits = "/128"
				}
				want := verdictOf(gets(p.ns, net.JoinHostPort(p.own, "22")))
				if got := asked(t, "--from", "iface:"+p.iface, "--src", p.peer+bits, "--to", "addr:"+p.own, "--dport", "22"); got != want {
					t.Errorf("from %s: %s, in truth %s", p.peer, got, want)
				}
				var err error
				within(t, unit, func() {
					var conn net.Conn
					if conn, err = net.DialTimeout("tcp", net.JoinHostPort(p.peer, "443"), time.Second/2); err == nil {
						conn.Close()
					}
				})
				want = verdictOf(err == nil)
				if got := asked(t, "--from", "host", "--cgroup", path, "--to", "addr:"+p.peer, "--dport", "443"); got != want {
					t.Errorf("to %s: %s, in truth %s (%v)", p.peer, got, want, err)
				}
			}
		})
	}
}

func verdictOf(connects bool) string {
	if connects {
		return "reachable"
	}
	return "unreachable"
}

// TestCgroupsInRules: a rule that asks for the cgroup of a socket is answered for the process that sends, and for the socket that gets.
func TestCgroupsInRules(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	cgroupScene(t)
	top := unified(t)
	bed.Shell(t, "mount --bind %s /sys/fs/cgroup", top) // where nft looks for it
	slice := newCgroup(t, "/sys/fs/cgroup", fmt.Sprintf("rfr%d.slice", time.Now().UnixNano()))
	unit, other := newCgroup(t, slice, "a.service"), newCgroup(t, slice, "b.service")
	name := strings.TrimPrefix(slice, "/sys/fs/cgroup/")
	defer startServer(t, "e")()
	for port, cgroup := range map[string]string{"21": unit, "22": other} {
		within(t, cgroup, func() {
			l, err := net.Listen("tcp", "0.0.0.0:"+port)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			sleep := exec.Command("sleep", "600")
			if err := sleep.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sleep.Process.Kill(); _ = sleep.Wait(); time.Sleep(50 * time.Millisecond) })
		})
	}
	for _, rule := range []string{
		`socket cgroupv2 level 1 "` + name + `" accept`,
		`socket cgroupv2 level 2 "` + name + `/a.service" accept`,
		`socket cgroupv2 level 2 "` + name + `/b.service" accept`,
		`socket cgroupv2 level 2 != "` + name + `/a.service" accept`,
		`socket cgroupv2 level 3 != "` + name + `/a.service" accept`,
		`socket cgroupv2 level 2 { "` + name + `/a.service", "` + name + `/b.service" } accept`,
	} {
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(bed.Spread("flush ruleset\ntable inet f { chain o { type filter hook output priority 0; policy drop; ct state established accept; " + rule + "\n} chain i { type filter hook input priority 0; policy drop; ct state established accept; " + rule + "\n}\n}"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", rule, err, out)
			continue
		}
		for port, cgroup := range map[string]string{"21": unit, "22": other} {
			want := verdictOf(gets("e", "203.0.113.1:"+port))
			if got := asked(t, "--from", "iface:ext0", "--to", "addr:203.0.113.1", "--dport", port); got != want {
				t.Errorf("%s: to port %s: %s, in truth %s", rule, port, got, want)
			}
			var err error
			within(t, cgroup, func() {
				var conn net.Conn
				if conn, err = net.DialTimeout("tcp", "203.0.113.9:443", time.Second/2); err == nil {
					conn.Close()
				}
			})
			want = verdictOf(err == nil)
			if got := asked(t, "--from", "host", "--cgroup", strings.TrimPrefix(cgroup, "/sys/fs/cgroup"), "--to", "addr:203.0.113.9", "--dport", "443"); got != want {
				t.Errorf("%s: from %s: %s, in truth %s", rule, cgroup, got, want)
			}
		}
	}
}

// TestProgramsOfCgroupsThatAreNotKnown: of a program that is asked where a process connects to, and of one on a cgroup that is gone, the answer is
// unknown. The kernel goes by both.
func TestProgramsOfCgroupsThatAreNotKnown(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	cgroupScene(t)
	top := unified(t)
	defer startServer(t, "e")()
	refuse := []op{{0xb7, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}}
	steered := newCgroup(t, top, fmt.Sprintf("rf%d.slice", time.Now().UnixNano()))
	onCgroup(t, steered, 10, loadProgram(t, 18, 10, "refuse", refuse))
	sleep := exec.Command("sleep", "600")
	within(t, steered, func() {
		if err := sleep.Start(); err != nil {
			t.Fatal(err)
		}
		if conn, err := net.DialTimeout("tcp", "203.0.113.9:443", time.Second/2); err == nil {
			conn.Close()
			t.Error("a program that refuses lets a process connect")
		}
	})
	path := strings.TrimPrefix(steered, top)
	if got := asked(t, "--from", "host", "--cgroup", path, "--to", "addr:203.0.113.9", "--dport", "443"); got != "unknown" {
		t.Errorf("a program is asked where the process connects to: %s", got)
	}
	if got := asked(t, "--from", "host", "--to", "addr:203.0.113.9", "--dport", "443"); got != "reachable" {
		t.Errorf("a program on one cgroup, of any process: %s", got)
	}
	_ = sleep.Process.Kill()
	_ = sleep.Wait()
	gone := newCgroup(t, top, fmt.Sprintf("rf%d-gone.slice", time.Now().UnixNano()))
	filtered(t, gone, false, []string{"any"}, nil)
	var l net.Listener
	within(t, gone, func() {
		var err error
		if l, err = net.Listen("tcp", "0.0.0.0:22"); err != nil {
			t.Fatal(err)
		}
	})
	defer l.Close()
	bed.Shell(t, "rmdir %s", gone)
	defer bed.Shell(t, "mkdir %s", gone) // which newCgroup takes away
	got, open := asked(t, "--from", "iface:ext0", "--src", "203.0.113.9/32", "--to", "addr:203.0.113.1", "--dport", "22"), gets("e", "203.0.113.1:22")
	t.Logf("the cgroup of a socket is gone: %s, it connects: %v", got, open)
	if got != "unknown" && got != verdictOf(open) {
		t.Errorf("the cgroup of a socket is gone: %s, it connects: %v", got, open)
	}
}
