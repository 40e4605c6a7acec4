//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// machine is a Debian system whose init is systemd, in namespaces of its own, with a neighbour that connects to it.
type machine struct {
	t    *testing.T
	root string
	host string // network namespaces
	peer string
	cmd  *exec.Cmd
	init string // pid of its init
}

const (
	stranger = "203.0.113.9"
	admin    = "203.0.113.10"
	guard    = "ringfence fix apply --allow-from " + admin
)

// TestUnderSystemd runs the fix where systemd is the init: it outlives a boot, other firewalls and its own session, and
// what nobody confirmed does not.
func TestUnderSystemd(t *testing.T) {
	tar := os.Getenv("RINGFENCE_SYSTEMD_ROOT")
	if tar == "" {
		t.Skip("the machine lacks: the system that make test-systemd boots")
	}
	bed.NeedRoot(t)
	m := newMachine(t, tar)
	m.boot()
	for _, c := range []struct {
		name string
		run  func(*machine)
	}{
		{"as it is installed", (*machine).asInstalled},
		{"the session is killed", (*machine).sessionKilled},
		{"a boot during the trial", (*machine).bootDuringTrial},
		{"a boot with a file on trial", (*machine).bootWithFile},
		{"confirmed", (*machine).confirmed},
		{"a boot during a later trial", (*machine).bootDuringLaterTrial},
		{"a renamed interface", (*machine).renamed},
		{"nftables.service", (*machine).besideNftables},
		{"firewalld", (*machine).besideFirewalld},
		{"ufw", (*machine).besideUFW},
		{"uninstalled", (*machine).uninstalled},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.t = t
			c.run(m)
		})
	}
	m.t = t
}

func newMachine(t *testing.T, tar string) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), host: fmt.Sprintf("rfs%d", os.Getpid()), peer: fmt.Sprintf("rfp%d", os.Getpid())}
	m.must("tar", "xf", tar, "-C", m.root)
	m.must("cp", bed.Program(t), filepath.Join(m.root, "usr/local/bin/ringfence"))
	m.must("ip", "netns", "add", m.host)
	t.Cleanup(func() { m.must("ip", "netns", "del", m.host) })
	m.must("ip", "netns", "add", m.peer)
	t.Cleanup(func() { m.must("ip", "netns", "del", m.peer) })
	m.must("ip", "link", "add", "ext0", "netns", m.host, "type", "veth", "peer", "name", "c0", "netns", m.peer)
	for _, line := range []string{
		m.host + " link set lo up", m.host + " addr add 203.0.113.1/24 dev ext0", m.host + " link set ext0 up",
		m.peer + " addr add " + stranger + "/24 dev c0", m.peer + " addr add " + admin + "/24 dev c0", m.peer + " link set c0 up",
		m.host + " route add default via " + stranger,
	} {
		m.must("ip", append([]string{"-n"}, strings.Fields(line)...)...)
	}
	t.Cleanup(m.down)
	return m
}

func (m *machine) must(name string, args ...string) string {
	m.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// boot starts the system and waits until it is up.
func (m *machine) boot() {
	m.t.Helper()
	m.cmd = exec.Command("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--capability=all",
		"--system-call-filter=bpf open_by_handle_at", // to see which programs are beside the rules: without them what gets through is unknown
		"--network-namespace-path=/run/netns/"+m.host, "--machine="+m.host, "-D", m.root, "-b", "--console=passive")
	m.cmd.Env = append(os.Environ(), "SYSTEMD_SECCOMP=0", // that filters of system calls are those of services
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1") // systemd 256 and later start on no other
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.within(30*time.Second, "the system is up", func() bool {
		out, _ := exec.Command("pgrep", "-P", strconv.Itoa(m.cmd.Process.Pid)).Output()
		m.init = strings.TrimSpace(string(out))
		state, _ := m.try("systemctl is-system-running")
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	})
	if failed, _ := m.try("systemctl --failed --no-legend"); failed != "" {
		m.t.Errorf("units failed:\n%s", failed)
	}
}

// down shuts the system down and takes with it what only lives as long as the kernel.
func (m *machine) down() {
	if m.cmd == nil {
		return
	}
	_, _ = m.try("systemctl poweroff")
	ended := make(chan error, 1)
	go func() { ended <- m.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = m.cmd.Process.Kill()
		<-ended
	}
	m.cmd = nil
	m.must("ip", "netns", "exec", m.host, "nft", "flush", "ruleset")
}

func (m *machine) reboot() {
	m.t.Helper()
	m.down()
	m.boot()
}

// try runs a command line in the system.
func (m *machine) try(line string) (string, error) {
	cmd := exec.Command("nsenter", "-t", m.init, "-m", "-p", "-n", "-u", "-i", "-C", "sh", "-c", line)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (m *machine) run(line string) string {
	m.t.Helper()
	out, err := m.try(line)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

func (m *machine) within(limit time.Duration, what string, is func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("not after %v: %s", limit, what)
		}
	}
}

func (m *machine) tables() string { return m.run("nft list tables") }

// opens says whether the neighbour gets to the SSH server from an address.
func (m *machine) opens(from string) bool {
	m.t.Helper()
	const script = `import socket,sys
s = socket.socket(); s.settimeout(1); s.bind((sys.argv[1], 0))
s.connect(("203.0.113.1", 22)); sys.exit(0 if s.recv(4) == b"SSH-" else 1)`
	return exec.Command("ip", "netns", "exec", m.peer, "python3", "-c", script, from).Run() == nil
}

// guarded wants the fix to be in force, and to be what was confirmed.
func (m *machine) guarded(when string) {
	m.t.Helper()
	if m.opens(stranger) || !m.opens(admin) {
		m.t.Errorf("%s: open to the stranger: %v, to the administrator: %v\n%s", when, m.opens(stranger), m.opens(admin), m.tables())
	}
	if out, err := m.try("ringfence fix verify"); err != nil {
		m.t.Errorf("%s: %v: %s", when, err, out)
	}
}

// trial starts a fix in a unit as a login is one, and waits until it is on trial.
func (m *machine) trial(command, timeout string) {
	m.t.Helper()
	m.run("systemd-run --quiet --unit=login --collect /usr/local/bin/" + command + " --confirm new-session --confirm-timeout " + timeout)
}

// asInstalled audits the system as its packages set it up: what is of low weight is little, each loader of a packet filter has loaded what its files say,
// and what is opened by hand shows.
func (m *machine) asInstalled() {
	report := m.audit()
	low := 0
	for i := range report.Results {
		for _, f := range report.Results[i].Findings {
			if f.Severity == "low" || f.Severity == "info" {
				low++
				m.t.Logf("%s: %s", report.Results[i].ID, f.Message)
			}
		}
	}
	if low > 3 {
		m.t.Errorf("%d findings of low weight on a host as it is installed", low)
	}
	const differs = "firewall/live-differs-from-file"
	for _, c := range []struct{ name, before, open, after string }{
		{"firewalld", "systemctl restart firewalld", "firewall-cmd -q --zone=public --add-port=8081/tcp", "firewall-cmd -q --reload"},
		{"ufw", "systemctl disable -q --now firewalld; ufw --force enable", "iptables -I ufw-user-input -p tcp --dport 8081 -j ACCEPT", "ufw --force disable; systemctl enable -q --now firewalld"},
	} {
		m.run(c.before)
		if r := m.said(differs); r.Status != "pass" {
			m.t.Errorf("%s, as it was loaded: %s %s %+v", c.name, r.Status, r.Reason, r.Findings)
		}
		m.run(c.open)
		if r := m.said(differs); r.Status != "fail" {
			m.t.Errorf("%s, opened by hand: %s %s", c.name, r.Status, r.Reason)
		}
		m.run(c.after)
	}
}

// said is what one check says of the system.
func (m *machine) said(id string) *finding.Result {
	m.t.Helper()
	report := m.audit()
	i := slices.IndexFunc(report.Results, func(r finding.Result) bool { return r.ID == id })
	if i < 0 {
		m.t.Fatalf("there is no check %s", id)
	}
	return &report.Results[i]
}

// audit is what the program says of the system.
func (m *machine) audit() *finding.Report {
	m.t.Helper()
	report := new(finding.Report)
	if err := json.Unmarshal([]byte(m.run("ringfence audit -q -f json --fail-on none")), report); err != nil {
		m.t.Fatal(err)
	}
	return report
}

func (m *machine) sessionKilled() {
	m.trial(guard, "6s")
	m.within(20*time.Second, "the rules are on trial", func() bool { return strings.Contains(m.run("nft list ruleset"), onTrial) })
	if m.opens(stranger) {
		m.t.Error("open on trial")
	}
	m.run("systemctl kill -s KILL login.service")
	m.within(15*time.Second, "the helper takes the rules out", func() bool { return !strings.Contains(m.tables(), "ringfence") })
	if !m.opens(stranger) {
		m.t.Error("still closed")
	}
	if out := m.run("ringfence fix status"); !strings.Contains(out, "no fix is loaded") {
		m.t.Error(out)
	}
}

func (m *machine) bootDuringTrial() {
	m.trial(guard, "90s")
	m.within(20*time.Second, "the rules are on trial", func() bool { return strings.Contains(m.run("nft list ruleset"), onTrial) })
	m.reboot()
	if strings.Contains(m.tables(), "ringfence") || !m.opens(stranger) {
		m.t.Errorf("the trial outlived the boot: %s", m.tables())
	}
}

func (m *machine) bootWithFile() {
	const file = "etc/ssh/sshd_config.d/00-ringfence.conf"
	// There is a password to switch off, and a key to log in with.
	m.run("useradd -m someone; echo someone:secret | chpasswd; mkdir -p -m 700 /root/.ssh")
	m.run("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/key && mv /root/.ssh/key.pub /root/.ssh/authorized_keys")
	m.trial("ringfence fix apply --layer service", "90s")
	on := func() bool {
		_, err := os.Stat(filepath.Join(m.root, file))
		return err == nil
	}
	m.within(30*time.Second, "the file is on trial", on)
	m.reboot()
	if on() {
		m.t.Error("the file outlived the boot")
	}
	if out := m.run("sshd -T"); !strings.Contains(out, "passwordauthentication yes") {
		m.t.Error("the setting outlived the boot")
	}
}

func (m *machine) confirmed() {
	out := m.run(guard + " --confirm auto")
	if !strings.Contains(out, "again at each boot") {
		m.t.Error(out)
	}
	m.guarded("confirmed")
	m.reboot()
	m.guarded("after a boot")
}

// bootDuringLaterTrial boots while something else than what was confirmed is on trial: during the trial neither lets in whom the other does not,
// and after the boot what was confirmed is loaded.
func (m *machine) bootDuringLaterTrial() {
	m.trial("ringfence fix apply --allow-from "+stranger, "90s")
	m.within(30*time.Second, "the later rules are on trial", func() bool { return strings.Contains(m.run("nft list ruleset"), onTrial) })
	if m.opens(stranger) || m.opens(admin) {
		m.t.Errorf("on a later trial: open to the stranger: %v, to the administrator: %v", m.opens(stranger), m.opens(admin))
	}
	m.reboot()
	m.guarded("after a boot during a later trial")
}

// renamed gives the way out another name: it is closed as before, or the fix says that it is not.
func (m *machine) renamed() {
	rename := func(from, to string) {
		m.run("ip link set " + from + " down; ip link set " + from + " name " + to + "; ip link set " + to + " up; ip route add default via " + stranger)
	}
	rename("ext0", "wan0")
	out, err := m.try("ringfence fix verify")
	if m.opens(stranger) && err == nil {
		m.t.Errorf("open by another name, and verified: %s", out)
	}
	m.t.Logf("by another name open: %v, verify: %v", m.opens(stranger), err)
	rename("wan0", "ext0")
	m.guarded("by its name again")
}

// besideNftables starts the service that begins by flushing everything.
func (m *machine) besideNftables() {
	for _, verb := range []string{"start", "reload", "restart"} {
		m.run("systemctl " + verb + " nftables")
		m.guarded("after " + verb)
	}
	m.run("systemctl enable -q nftables")
	m.reboot()
	m.guarded("after a boot")
	m.run("systemctl disable -q --now nftables")
	m.run("ringfence fix load")
}

func (m *machine) besideFirewalld() {
	m.run("systemctl restart firewalld")
	m.run("firewall-cmd -q --state")
	m.guarded("after a restart")
	m.run("firewall-cmd -q --reload")
	m.guarded("after a reload")
	m.run("firewall-cmd -q --complete-reload")
	m.guarded("after a complete reload")
	m.run("systemctl disable -q --now firewalld")
	m.guarded("without it")
}

func (m *machine) besideUFW() {
	m.run("ufw allow 22/tcp")
	m.run("ufw --force enable")
	m.guarded("enabled")
	m.run("ufw reload")
	m.guarded("after a reload")
	m.run("systemctl enable -q ufw")
	m.reboot()
	m.guarded("after a boot")
	m.run("ufw --force disable")
	m.guarded("without it")
}

func (m *machine) uninstalled() {
	m.run("ringfence fix uninstall")
	if !m.opens(stranger) {
		m.t.Error("still closed")
	}
	left := m.run("find / -xdev -name '*ringfence*' ! -path '/proc/*' ! -path /usr/local/bin/ringfence; systemctl list-units --all --no-legend | grep ringfence || true")
	if left += m.run("nft list tables | grep ringfence || true"); left != "" {
		m.t.Errorf("left behind:\n%s", left)
	}
	m.reboot()
	if strings.Contains(m.tables(), "ringfence") {
		m.t.Error(m.tables())
	}
}
