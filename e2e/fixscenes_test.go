//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// flowTable is which connections to the host open, by where they come from.
func (b *testbed) flowTable(ports ...int) map[string]bool {
	b.t.Helper()
	out := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range peers {
		for fam, addrs := range hostAddrs {
			for _, a := range addrs {
				for _, port := range ports {
					wg.Go(func() {
						network, addr := "tcp4", fmt.Sprintf("%s:%d", a, port)
						if fam == "ipv6" {
							network, addr = "tcp6", fmt.Sprintf("[%s]:%d", a, port)
						}
						open := b.dial(p.ns, &net.Dialer{Timeout: 4 * time.Second}, network, addr) // with time for neighbour discovery
						mu.Lock()
						defer mu.Unlock()
						out[fmt.Sprintf("%s %s", p.origin, addr)] = open
					})
				}
			}
		}
	}
	wg.Wait()
	return out
}

// loadDump loads what a real tool generated.
func (b *testbed) loadDump(name string) {
	b.t.Helper()
	b.nft("flush ruleset")
	for suffix, args := range map[string][]string{
		".nft": {"nft", "-f", "-"}, ".v4.iptables": {"iptables-nft-restore"}, ".v6.iptables": {"ip6tables-nft-restore"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "rulesets", name+suffix))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			b.t.Fatal(err)
		}
		cmd := exec.Command("ip", append([]string{"netns", "exec", b.name + "host"}, args...)...)
		cmd.Stdin = bytes.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestFixBesideOtherFirewalls closes findings on hosts with the rulesets of real tools: what the plan closes
// is closed, every other connection is as before, and the other tools' tables do not change.
func TestFixBesideOtherFirewalls(t *testing.T) {
	for _, name := range []string{"", "docker-published", "podman-netavark", "libvirt-isolated", "fail2ban-nft", "fail2ban-iptables", "firewalld-zones", "ufw-rules", "kube-proxy-nftables", "kube-proxy-iptables"} {
		t.Run("beside "+name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.listen("tcp", "[::]:22", "")
			b.listen("tcp", "[::]:2375", "")
			b.listen("tcp", "[::]:8080", "")
			b.listenIn("w1", "tcp4", "172.17.0.2:80", "") // what Docker publishes as 8080
			config := b.config("zones: {management: {interfaces: [mgmt0]}}\nchecks: {skip: [management/ssh-reachable-from-external]}\n")
			b.loadDump(name)
			ports := []int{22, 2375, 8080}
			if name == "ufw-rules" {
				ports = ports[1:] // 22 is limited in its rate there
			}
			toHost := slices.DeleteFunc(links(ports), func(l link) bool { return l.to != nil })
			before, was := b.ruleset(), b.quickFlows(toHost)
			out, code := b.fix("--config", config, "--confirm", "auto")
			if code == 4 || code == 5 {
				t.Fatalf("code %d: %s", code, lastLines(out, 12))
			}
			is := b.quickFlows(toHost)
			closed := 0
			for l, open := range was {
				targeted := l.from.link != "mgmt0" && l.at.Port() == 2375 || l.from.link == "docker0" && l.at.Port() == 22
				if open && targeted {
					closed++
				}
				switch want := open && !targeted; {
				case is[l] == want, want && b.opens(l.from.ns, l.network(), l.at.String()):
				case !open && !targeted: // a slow answer before, or opened by the fix, which only drops
				default:
					t.Errorf("%s: open %v, before %v, want %v", l, is[l], open, want)
				}
			}
			t.Logf("%d open connections were closed", closed)
			bed.Shell(t, "nsenter --net=/run/netns/%shost %s fix uninstall --root %s", b.name, bed.Program(t), b.root())
			if got := b.ruleset(); got != before {
				t.Errorf("uninstalled, but the rulesets differ:\n%s\nbefore\n%s", got, before)
			}
			if left, _ := filepath.Glob(b.root() + "/*/*/*"); len(left) > 0 {
				for _, l := range left {
					if st, err := os.Stat(l); err == nil && !st.IsDir() {
						t.Errorf("uninstall leaves %s", l)
					}
				}
			}
		})
	}
}

func lastLines(s string, n int) string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(l[max(0, len(l)-n):], "\n")
}

// sshHost runs a real sshd on the host of the bed, for root with a key.
type sshHost struct {
	*testbed
	dir string
	pid int
}

func newSSHHost(t *testing.T, b *testbed) *sshHost {
	t.Helper()
	h := &sshHost{b, t.TempDir(), 0}
	bed.Shell(t, `mkdir -p /run/sshd; cd %s; chmod 755 .; ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user; cp user.pub authorized`, h.dir)
	config := fmt.Sprintf("Include %[1]s/conf.d/*.conf\nPort 22\nHostKey %[1]s/host\nAuthorizedKeysFile %[1]s/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n", h.dir)
	if err := os.WriteFile(filepath.Join(h.dir, "sshd_config"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(h.dir, "sshd_config"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if !bed.Until(func() bool { return b.connects("mgmt", "tcp4", "10.10.0.1:22") }) {
		t.Fatal("sshd does not listen")
	}
	return h
}

// login is an ssh command from a peer.
func (h *sshHost) login(ns string, opts []string, command string) *exec.Cmd {
	args := append([]string{
		"netns", "exec", h.name + ns, "ssh", "-i", filepath.Join(h.dir, "user"), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60",
	}, opts...)
	return exec.Command("ip", append(args, "root@10.10.0.1", command)...)
}

// master is a login from a peer that others go through by its control socket, until it is cut.
func (h *sshHost) master(ns string, opts ...string) (control string, cut func()) {
	h.t.Helper()
	control = filepath.Join(h.dir, "control")
	login := h.login(ns, append(opts, "-M", "-S", control), "sleep 300")
	if err := login.Start(); err != nil {
		h.t.Fatal(err)
	}
	cut = sync.OnceFunc(func() {
		_ = login.Process.Kill()
		_ = login.Wait()
	})
	h.t.Cleanup(cut)
	if !bed.Until(func() bool { _, err := os.Stat(control); return err == nil }) {
		h.t.Fatalf("no login from %s comes through", ns)
	}
	return control, cut
}

// TestFixIsConfirmedByANewLogin drives a fix over real SSH: a session that is older than it cannot confirm,
// the one that started it may be cut, and a new one keeps it.
func TestFixIsConfirmedByANewLogin(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	b.listen("tcp", "[::]:2375", "")
	h := newSSHHost(t, b)
	before := b.ruleset()
	control, cut := h.master("mgmt")
	old := []string{"-S", control}
	verb := func(opts []string, args string) (string, error) {
		out, err := h.login("mgmt", opts, bed.Program(t)+" fix "+args+" --root "+b.root()).CombinedOutput()
		return string(out), err
	}
	start := func() {
		t.Helper()
		cmd := h.login("mgmt", old, fmt.Sprintf("nohup setsid %s fix apply --confirm new-session --confirm-timeout 120s --root %s >%s/log 2>&1 </dev/null &", bed.Program(t), b.root(), h.dir))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var log []byte
		if !bed.Until(func() bool {
			log, _ = os.ReadFile(filepath.Join(h.dir, "log"))
			return bytes.Contains(log, []byte("Open a NEW login"))
		}) {
			t.Fatalf("no trial: %s", lastLines(string(log), 8))
		}
	}

	start()
	if b.connects("w1", "tcp4", "172.17.0.1:2375") {
		t.Error("the trial does not close the port")
	}
	if log, _ := os.ReadFile(filepath.Join(h.dir, "log")); len(log) > 0 {
		t.Log(lastLines(string(log), 9))
	}
	if out, err := verb(old, "confirm"); err == nil || !strings.Contains(out, "older than the fix") {
		t.Errorf("an old session confirms: %v %s", err, out)
	}
	if out, err := verb(nil, "confirm 00000000"); err == nil || !strings.Contains(out, "not 00000000") {
		t.Errorf("another fix's name: %v %s", err, out)
	}
	if out, err := verb(nil, "status"); err != nil || !strings.Contains(out, "is on trial") {
		t.Errorf("status: %v %s", err, out)
	}
	if out, _ := b.fix("--confirm", "auto"); !strings.Contains(out, "waits for its confirmation") {
		t.Errorf("a second fix during the trial: %s", lastLines(out, 3))
	}
	if out, err := verb(nil, "rollback"); err != nil {
		t.Errorf("rollback: %v %s", err, out)
	}
	b.becomes("rolled back", before)

	start()
	cut() // the admin's session
	if out, err := verb(nil, "confirm"); err != nil || !strings.Contains(out, "again at each boot") {
		t.Fatalf("a new login cannot confirm: %v %s", err, out)
	}
	if out, err := verb(nil, "verify"); err != nil {
		t.Errorf("verify: %v %s", err, out)
	}
	if b.connects("w1", "tcp4", "172.17.0.1:2375") || !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("confirmed, but the port is open or SSH is not")
	}
	unit, err := os.ReadFile(filepath.Join(b.root(), "etc/systemd/system/ringfence-ruleset.service"))
	if err != nil || !strings.Contains(string(unit), "ringfence.nft") {
		t.Errorf("unit: %v %s", err, unit)
	}

	// Somebody flushes everything: that is seen, and what the unit does at boot mends it.
	loaded := b.ruleset()
	watcher := exec.Command("ip", "netns", "exec", b.name+"host", bed.Program(t), "fix", "verify", "--watch", "--root", b.root())
	var said bytes.Buffer
	watcher.Stdout, watcher.Stderr = &said, &said
	if err := watcher.Start(); err != nil {
		t.Fatal(err)
	}
	if !bed.Until(func() bool { return listensToRules(watcher.Process.Pid) }) {
		t.Fatalf("the watcher does not begin: %s", said.String())
	}
	b.nft("flush ruleset\n" + foreign)
	if err := watcher.Wait(); err == nil || !strings.Contains(said.String(), "(nft)") || !strings.Contains(said.String(), "is not there") {
		t.Errorf("the watcher: %v %s", err, said.String())
	}
	if out, err := verb(nil, "verify"); err == nil || !strings.Contains(out, "is not there") {
		t.Errorf("drift: %v %s", err, out)
	}
	bed.Shell(t, "ip netns exec %shost nft -f %s/etc/ringfence/ringfence.nft", b.name, b.root())
	if got := b.ruleset(); got != loaded {
		t.Errorf("the boot file loads\n%s\nwant\n%s", got, loaded)
	}
	b.nft("flush ruleset\n" + foreign)
	if out, err := verb(nil, "load"); err != nil {
		t.Errorf("load: %v %s", err, out)
	}
	if got := b.ruleset(); got != loaded {
		t.Errorf("load loads\n%s\nwant\n%s", got, loaded)
	}
	if out, err := verb(nil, "uninstall"); err != nil {
		t.Errorf("uninstall: %v %s", err, out)
	}
	b.becomes("uninstalled", before)
}

// listensToRules says whether a process has subscribed to changes of the rules (a netlink socket of NETLINK_NETFILTER, 12, with groups).
func listensToRules(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		// sk Eth Pid Groups ...
		if f := strings.Fields(line); len(f) > 3 && f[1] == "12" && strings.Trim(f[3], "0") != "" {
			return true
		}
	}
	return false
}

// hears opens a socket on the host for an IP protocol, and returns whether a packet of it from a namespace gets there within a time.
func (b *testbed) hears(proto int) func(ns, to string, within time.Duration) bool {
	b.t.Helper()
	var c net.PacketConn
	b.inNS("host", func() {
		var err error
		if c, err = net.ListenPacket(fmt.Sprintf("ip4:%d", proto), "0.0.0.0"); err != nil {
			b.t.Error(err)
		}
	})
	if c == nil {
		b.t.FailNow()
	}
	b.t.Cleanup(func() { c.Close() })
	return func(ns, to string, within time.Duration) bool {
		b.inNS(ns, func() {
			d, err := net.Dial(fmt.Sprintf("ip4:%d", proto), to)
			if err != nil {
				b.t.Error(err)
				return
			}
			defer d.Close()
			if _, err := d.Write([]byte("ringfence")); err != nil {
				b.t.Error(err)
			}
		})
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, _, err := c.ReadFrom(make([]byte, 64))
		return err == nil
	}
}

// TestDefaultDeny loads the baseline: the management zone comes in, workloads go out, what was asked for and
// what is established goes on, and nothing else, in both families and with forgotten neighbours.
func TestDefaultDeny(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	for _, port := range []int{22, 2375, 8080, 8443} {
		b.listen("tcp", fmt.Sprintf("[::]:%d", port), "")
	}
	outside := b.config("zones: {external: {interfaces: [mgmt0]}}\n")
	out, code := b.verb("apply", "--config", outside, "--confirm", "auto", "--mode", "default-deny")
	if code != 1 || !strings.Contains(lastLines(out, 1), "no baseline") || !strings.Contains(lastLines(out, 1), "would lock everybody out") || strings.Contains(b.ruleset(), "policy drop") {
		t.Errorf("nobody would keep access: code %d %s", code, lastLines(out, 4))
	}
	if _, code := b.verb("uninstall"); code != 0 {
		t.Error("uninstall")
	}
	before := b.ruleset()
	// VRRP is heard by a process, GRE is asked for, and 253 is what nobody knows (RFC 3692).
	kept := map[string]func(ns, to string, within time.Duration) bool{"vrrp": b.hears(112), "gre": b.hears(47)}
	other := b.hears(253)
	if !other("ext", "203.0.113.1", bed.Patience) {
		t.Error("packets of protocol 253 do not arrive before")
	}
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\n")
	out, code = b.verb("apply", "--config", config, "--confirm", "auto", "--mode", "default-deny", "--keep", "tcp/8443", "--keep", "gre")
	if code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 12))
	}
	if loaded := b.ruleset(); !strings.Contains(loaded, `elements = { "lo"`) {
		t.Errorf("nft does not list the interfaces of a set by their names:\n%s", loaded)
	}
	bed.Shell(t, "for n in host mgmt ext w1; do ip -n %[1]s$n neigh flush all; ip -n %[1]s$n -6 neigh flush all; done", b.name)
	for name, arrives := range kept {
		if !arrives("ext", "203.0.113.1", bed.Patience) {
			t.Errorf("%s is no longer heard", name)
		}
	}
	if other("w1", "172.17.0.1", silence) {
		t.Error("protocol 253 is let in")
	}
	for flow, open := range b.flowTable(22, 2375, 8080, 8443) {
		port := flow[strings.LastIndex(flow, ":")+1:]
		want := port == "8443" || strings.HasPrefix(flow, "mgmt0")
		if open != want {
			t.Errorf("%s is open %v, want %v", flow, open, want)
		}
	}
	for _, to := range []string{"203.0.113.9", "fd20::9"} {
		if !b.arrives("w1", "ext", to, bed.Patience) {
			t.Errorf("a workload does not get out to %s", to)
		}
	}
	for _, c := range [][3]string{{"w1", "mgmt", "10.10.0.9"}, {"ext", "w1", "172.17.0.2"}, {"mgmt", "w1", "fd17::2"}} {
		if b.arrives(c[0], c[1], c[2], silence) {
			t.Errorf("%s reaches %s", c[0], c[1])
		}
	}
	b.bootsAsConfirmed()
	if _, code := b.verb("uninstall"); code != 0 {
		t.Error("uninstall")
	}
	b.becomes("uninstalled", before)
}

// bootsAsConfirmed loads what a boot would, and wants that to be what was confirmed.
func (b *testbed) bootsAsConfirmed() {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.root(), "etc/ringfence/ringfence.nft"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.nft(string(text))
	if out, code := b.verb("verify"); code != 0 {
		b.t.Errorf("loaded as at boot: code %d: %s", code, out)
	}
}

// TestManyDeniedAddresses closes a port to ten thousand addresses in one transaction.
func TestManyDeniedAddresses(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	b.listen("tcp", "[::]:2375", "")
	before := b.ruleset()
	var list []string
	for i := range 10_000 { // every other address, so that none can be joined
		list = append(list, fmt.Sprintf("203.0.%d.%d/32", 100+i/127, 1+2*(i%127)))
	}
	config := b.config("zones: {management: {interfaces: [mgmt0]}, workload: {prefixes: [" + strings.Join(list, ", ") + "]}}\n" +
		"checks: {skip: [firewall/forward-accepts-by-default, firewall/workload-to-management]}\n")
	begin := time.Now()
	out, code := b.verb("apply", "--config", config, "--confirm", "auto")
	if code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 6))
	}
	t.Logf("planned, proven, loaded and verified in %s", time.Since(begin).Round(time.Millisecond))
	if got := b.ruleset(); !strings.Contains(got, "203.0.113.9") {
		t.Error("the addresses are not loaded")
	}
	if b.connects("ext", "tcp4", "203.0.113.1:2375") {
		t.Error("a denied address gets through")
	}
	if out, code := b.verb("verify"); code != 0 {
		t.Errorf("verify: %d %s", code, out)
	}
	b.bootsAsConfirmed()
	if _, code := b.verb("uninstall"); code != 0 {
		t.Error("uninstall")
	}
	b.becomes("uninstalled", before)
}

// TestEstablishedConnections cuts what is open to a closed port, or lets it end by itself.
func TestEstablishedConnections(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	b.echoes("host", "[::]:2375")
	for mode, lives := range map[string]bool{"cut": false, "drain": true} {
		for _, to := range []string{"172.17.0.1:2375", "[fd17::1]:2375"} {
			t.Run(mode+" "+to, func(t *testing.T) {
				b := &testbed{t, b.name}
				c := b.connected("w1", to)
				if out, code := b.verb("apply", "--confirm", "auto", "--established", mode); code != 0 {
					t.Fatalf("code %d: %s", code, lastLines(out, 3))
				}
				if got := alive(c, bed.Patience); got != lives {
					t.Errorf("the open connection works: %v, want %v", got, lives)
				}
				if !lives {
					if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
						t.Errorf("the open connection stalls: %v", err)
					}
				}
				if b.connects("w1", "tcp", to) {
					t.Error("a new connection opens")
				}
				if _, code := b.verb("uninstall"); code != 0 {
					t.Error("uninstall")
				}
			})
		}
	}
}

// TestFixBesideIPSets closes a port where rules of iptables look up sets of ipset, as those that ban do. The numbers of
// the sets have a gap.
func TestFixBesideIPSets(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset")
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:8080", "")
	b.listen("tcp", "[::]:9100", "")
	bed.Shell(t, `ip netns exec %shost sh -ec '
ipset create gone hash:ip; ipset create banned hash:ip; ipset create nets hash:net family inet6; ipset create open hash:ip,port
ipset create more hash:net; ipset create ports bitmap:port range 9000-9999; ipset create lists list:set; ipset add lists banned; ipset add lists more
ipset destroy gone; ipset add banned 172.17.0.3; ipset add nets fd20::/64; ipset add open 203.0.113.1,tcp:8080
ipset add more 10.10.0.0/24; ipset add more 10.10.0.9/32 nomatch; ipset add ports 9100; ipset add ports 9101
iptables-nft -A INPUT -m set --match-set lists src -j DROP; iptables-nft -A INPUT -p tcp -m set --match-set ports dst -j DROP; ip6tables-nft -A INPUT -p tcp -m set --match-set nets src -j DROP
iptables-nft -A INPUT -m set --match-set open dst,dst -j ACCEPT'`, b.name)
	before := b.ruleset()
	was := []flow{
		{"w2", "tcp4", "172.17.0.1:8080", false},
		{"w1", "tcp4", "172.17.0.1:8080", true},
		{"ext", "tcp4", "203.0.113.1:8080", true},
		{"mgmt", "tcp4", "10.10.0.1:8080", true},
		{"ext", "tcp4", "203.0.113.1:9100", false},
		{"ext", "tcp6", "[fd20::1]:8080", false},
		{"w2", "tcp6", "[fd17::1]:8080", true},
	}
	b.flows("before", append(was, flow{"ext", "tcp4", "203.0.113.1:2375", true}))
	out, code := b.verb("apply", "--confirm", "auto")
	if code != 0 {
		t.Fatalf("code %d: %s", code, lastLines(out, 6))
	}
	b.flows("after the fix", append(was, flow{"ext", "tcp4", "203.0.113.1:2375", false}, flow{"w2", "tcp6", "[fd17::1]:2375", false}))
	if _, code := b.verb("uninstall"); code != 0 {
		t.Error("uninstall")
	}
	b.becomes("uninstalled", before)
}
