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
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/need"
	"github.com/ringfence/ringfence/snapshot"
)

// start runs a program on the host of the bed until the test ends, and returns when it is there.
func (b *testbed) start(dir string, args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host", "--"}, args...)...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	b.executes(cmd, func(exe string) bool { return exe != "nsenter" })
	return cmd
}

// executes waits until a process runs a program that is wanted, by the name of its file.
func (b *testbed) executes(cmd *exec.Cmd, wanted func(exe string) bool) {
	b.t.Helper()
	if !bed.Until(func() bool {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
		return err == nil && wanted(filepath.Base(exe))
	}) {
		b.t.Fatalf("%q does not start", cmd.Args)
	}
}

func (b *testbed) waitFor(proto, addr string) {
	b.t.Helper()
	if !bed.Until(func() bool {
		out, _ := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", "ss", "-Hln"+proto).Output()
		return strings.Contains(string(out), addr)
	}) {
		b.t.Fatalf("nothing listens on %s", addr)
	}
}

func keysOf(r *finding.Report, check string) []string {
	var keys []string
	for _, res := range r.Results {
		if res.ID == check {
			for _, f := range res.Findings {
				keys = append(keys, f.Resource.Key)
			}
		}
	}
	return keys
}

// TestRealServices audits a host with a real sshd, whose risky setting is in a Match block, and
// ipmi_sim on the RMCP port.
func TestRealServices(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	dir := t.TempDir()
	bed.Shell(t, `ssh-keygen -q -t ed25519 -N "" -f %[1]s/key; chmod 600 %[1]s/key; mkdir -p /run/sshd`, dir)
	conf := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf("Port 2222\nHostKey %s/key\nPidFile none\nUsePAM no\nStrictModes no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n"+
		"Match Address 172.17.0.0/16 User root\n  PermitRootLogin yes\n  PasswordAuthentication yes\n", dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start(dir, "/usr/sbin/sshd", "-D", "-f", conf)
	b.waitFor("t", ":2222")
	sim := need.Program(t, "ipmi_sim")
	lan := "name \"bmc\"\nset_working_mc 0x20\n startlan 1\n  addr 0.0.0.0 623\n  priv_limit admin\n" +
		"  guid a123456789abcdefa123456789abcdef\n endlan\n user 2 true \"u\" \"p\" admin 10 none md2 md5 straight\n"
	emu := "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
	for name, text := range map[string]string{"lan.conf": lan, "sim.emu": emu} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.start(dir, sim, "-c", "lan.conf", "-f", "sim.emu", "-s", dir, "-n")
	b.waitFor("u", ":623")
	report, code := b.audit()
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if k := keysOf(report, "management/ssh-reachable-from-workload"); !slices.Contains(k, "tcp 0.0.0.0:2222 (sshd)") {
		t.Errorf("the sshd on port 2222 is not found: %v", k)
	}
	match := conf + " Match Address 172.17.0.0/16 User root"
	for _, check := range []string{"ssh/root-login-with-password", "ssh/password-authentication"} {
		if k := keysOf(report, check); !slices.Contains(k, match) || slices.Contains(k, conf+" for everybody") {
			t.Errorf("%s: want the Match block alone, got %v", check, k)
		}
	}
	if k := keysOf(report, "management/ipmi-reachable"); !slices.Contains(k, "udp 0.0.0.0:623 (ipmi_sim)") {
		t.Errorf("ipmi_sim is not found: %v", k)
	}
}

// TestHostileHost: names that attack the reader, and secrets in arguments.
func TestHostileHost(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	const secret = "hunter2-9f8e7d6c5b4a"
	escape := "\x1b[2J\x1b]0;owned\x07"
	dir := t.TempDir()
	for _, name := range []string{"evil\x1b[31m", "<script>x"} {
		bed.Shell(t, "cp /bin/sleep '%s'", filepath.Join(dir, name))
		b.start(dir, filepath.Join(dir, name), "1000")
	}
	// A shell keeps the arguments that it ignores.
	shell := b.start(dir, "bash", "-c", `exec -a "$0" bash -c "sleep 1000; :" x --token `+secret, escape)
	b.start(dir, "bash", "-c", "sleep 1000; :", "x", "--api-key="+secret, "postgres://u:"+secret+"@h/d")
	bed.Shell(t, `ip -n %[1]shost link add 'e"0' type veth peer name 'e<1'; ip -n %[1]shost link set 'e"0' up
		ip -n %[1]shost addr add 10.99.0.1/24 dev 'e"0'`, b.name)
	b.nft("flush ruleset\ntable inet f {\n chain input {\n type filter hook input priority 0; policy accept;\n" +
		" tcp dport 1 drop comment \"\x1b[2J<script>\u202e\"\n }\n}")
	if !bed.Until(func() bool {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", shell.Process.Pid))
		return err == nil && bytes.HasPrefix(args, []byte(escape))
	}) {
		t.Fatal("no process has such a name")
	}
	run := func(args ...string) []byte {
		cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host", bed.Program(t)}, args...)...)
		var out bytes.Buffer
		cmd.Stdout = &out
		_ = cmd.Run()
		return out.Bytes()
	}
	snap := run("collect")
	if bytes.Contains(snap, []byte(secret)) {
		t.Error("a secret is in the snapshot")
	}
	var s snapshot.Snapshot
	if err := json.Unmarshal(snap, &s); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(snap, []byte("--api-key=")) {
		t.Error("arguments are in the snapshot")
	}
	for _, format := range []string{"table", "json", "sarif"} {
		out := run("audit", "-f", format, "--all")
		if !utf8.Valid(out) || bytes.ContainsAny(out, "\x1b\x07") || bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s: not safe to read", format)
		}
		if format != "table" && !json.Valid(out) {
			t.Errorf("%s: invalid JSON", format)
		}
	}
	if out := run("fix", "plan"); bytes.ContainsAny(out, "\x1b\x07") {
		t.Error("fix plan: not safe to read")
	}
}

// TestOrdinaryUser: it runs, judges what it can see, and says what would show the rest.
func TestOrdinaryUser(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	prog := bed.Program(t)
	bed.Shell(t, "chmod 755 %s", filepath.Dir(prog))
	cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", prog, "audit", "-f", "json", "--strict")
	out, _ := cmd.Output()
	var r finding.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var denied []string
	for _, c := range r.Coverage {
		if c.Status == "denied" {
			denied = append(denied, strings.Join(c.Reasons, " "))
		}
	}
	if len(denied) == 0 || !strings.Contains(strings.Join(denied, " "), "CAP_NET_ADMIN") {
		t.Errorf("the missing privilege is not named: %v", denied)
	}
	for _, res := range r.Results {
		if strings.HasPrefix(res.ID, "firewall/") && res.ID != "firewall/several-services" && res.Status != "unknown" { // services are no rules
			t.Errorf("%s is %s without a look at the packet filter", res.ID, res.Status)
		}
	}
}
