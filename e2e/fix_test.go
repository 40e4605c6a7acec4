//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// fix runs audit --fix on the host of the bed.
func (b *testbed) fix(args ...string) (stderr string, code int) {
	b.t.Helper()
	cmd := exec.Command("nsenter", append([]string{
		"--net=/run/netns/" + b.name + "host", bed.Program(b.t), "audit", "--fix", "-f", "json", "--root", b.root(),
	}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		b.t.Fatal(err)
	}
	return errs.String(), cmd.ProcessState.ExitCode()
}

// root is where the host of the bed keeps its state.
func (b *testbed) root() string { return filepath.Join(os.TempDir(), b.name+"root") }

func (b *testbed) ruleset() string {
	b.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", b.name+"host", "nft", "-s", "list", "ruleset").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	return string(out)
}

func (b *testbed) config(text string) string {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return file
}

const foreign = `
table ip other {
	chain input { type filter hook input priority 5; policy accept; tcp dport 9999 drop; }
}
`

// TestFixClosesAndKeeps loads a plan on a host that is open to everybody: what was found open is
// closed for real, what must work still does, and no other table changes.
func TestFixClosesAndKeeps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:22", "")
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:8080", "")
	b.nft("flush ruleset\n" + foreign)
	before := b.ruleset()
	config := b.config("zones: {management: {interfaces: [mgmt0]}}\nchecks: {skip: [management/ssh-reachable-from-external]}\n")

	if out, code := b.fix("--config", config); code != 4 || !strings.Contains(out, "no terminal to confirm on") {
		t.Errorf("without a terminal: code %d, %s", code, out)
	}
	if out, code := b.fix("--config", config, "--dry-run"); code != 1 || !strings.Contains(out, "table inet ringfence") {
		t.Errorf("dry run: code %d, %s", code, out)
	}
	if got := b.ruleset(); got != before {
		t.Fatalf("something was loaded:\n%s", got)
	}

	out, code := b.fix("--config", config, "--confirm", "auto")
	if code != 1 || !strings.Contains(out, "loaded as table inet ringfence") {
		t.Fatalf("fix: code %d\n%s", code, out)
	}
	for _, c := range []struct {
		ns, network, addr string
		open              bool
	}{
		{"w1", "tcp4", "172.17.0.1:22", false},
		{"w1", "tcp6", "[fd17::1]:22", false},
		{"w1", "tcp4", "10.10.0.1:2375", false},
		{"ext", "tcp4", "203.0.113.1:2375", false},
		{"ext", "tcp6", "[fd20::1]:2375", false},
		{"w1", "tcp4", "172.17.0.1:8080", true},
		{"mgmt", "tcp4", "10.10.0.1:22", true},
		{"mgmt", "tcp6", "[fd10::1]:22", true},
		{"ext", "tcp4", "203.0.113.1:22", true},
		{"host", "tcp4", "127.0.0.1:2375", true},
	} {
		try := b.connects
		if c.open {
			try = b.opens
		}
		if got := try(c.ns, c.network, c.addr); got != c.open {
			t.Errorf("after the fix %s reaches %s: %v, want %v", c.ns, c.addr, got, c.open)
		}
	}
	if got := b.ruleset(); !strings.Contains(got, strings.TrimSpace(strings.Split(before, "\n")[0])) ||
		strings.Contains(got, "ringfence_trial") || !strings.HasPrefix(got, before[:len(before)-2]) {
		t.Errorf("another table changed:\n%s", got)
	}

	// Twice is once: the plan holds already.
	once := b.ruleset()
	if out, _ := b.fix("--config", config, "--confirm", "auto"); !strings.Contains(out, "nothing to load") {
		t.Errorf("second run: %s", out)
	}
	if got := b.ruleset(); got != once {
		t.Errorf("second run changed the ruleset:\n%s", got)
	}
	bed.Shell(t, "ip netns exec %shost nft delete table inet ringfence", b.name)
	if got := b.ruleset(); got != before {
		t.Errorf("the inverse leaves\n%s", got)
	}
	if !b.opens("w1", "tcp4", "172.17.0.1:22") {
		t.Error("the inverse does not open again")
	}
}

// becomes waits for the host's ruleset to be a given one: whoever takes a trial out needs a moment.
func (b *testbed) becomes(name, want string) {
	b.t.Helper()
	var got string
	if !bed.Until(func() bool { got = b.ruleset(); return got == want }) {
		b.t.Errorf("%s: the ruleset is not as it should be:\n%s\nwant\n%s", name, got, want)
	}
}

// onTrial shows in a ruleset that a trial is loaded: its rules ask the set. The names of its tables and sets do not show it: the kernel lists
// them, empty, for a moment when it throws a dry run away.
const onTrial = "@armed"

// TestFixIsTakenOutAgain confirms nothing, and kills the program during the trial: the host ends as
// before.
func TestFixIsTakenOutAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		kill    os.Signal
		answer  string
		code    int
		timeout string
	}{
		{"answered otherwise", nil, "no\n", 4, "10m"},
		{"not answered", nil, "", 4, "10s"},
		{"interrupted", os.Interrupt, "", 4, "10m"},
		{"killed", os.Kill, "", -1, "10s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !bed.Alone(t) {
				return
			}
			b := newBed(t)
			b.listen("tcp", "[::]:2375", "")
			b.nft("flush ruleset\n" + foreign)
			before := b.ruleset()
			cmd := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", bed.Program(t), "audit", "--fix", "-f", "json",
				"--root", b.root(), "--confirm", "console", "--confirm-timeout", c.timeout)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if !bed.Until(func() bool { return strings.Contains(b.ruleset(), onTrial) }) {
				t.Fatalf("no trial was loaded: %s", errs.String())
			}
			if b.connects("w1", "tcp4", "172.17.0.1:2375") {
				t.Error("the trial does not close the port")
			}
			if c.kill != nil {
				_ = cmd.Process.Signal(c.kill)
			} else {
				_, _ = in.Write([]byte(c.answer))
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("code %d, want %d: %s", code, c.code, errs.String())
			}
			b.becomes(c.name, before)
			if !b.opens("w1", "tcp4", "172.17.0.1:2375") {
				t.Error("the port is still closed")
			}
		})
	}
}

// TestFixKeepsSSHPeers closes SSH to workloads and to the outside, and keeps who is logged in, but not who is only connected.
func TestFixKeepsSSHPeers(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n")
	h := newSSHHost(t, b)
	login := h.login("w1", nil, "sleep 1000")
	if err := login.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = login.Process.Kill()
		_ = login.Wait()
	}()
	for _, ns := range []string{"w2", "ext"} {
		b.inNS(ns, func() {
			c, err := net.Dial("tcp4", "10.10.0.1:22")
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { c.Close() })
			if _, err := c.Read(make([]byte, 4)); err != nil { // its banner
				t.Error(err)
			}
		})
	}
	const kept = `iifname "docker0" ip saddr 172.17.0.2/32 tcp dport 22 fib daddr type != unicast accept`
	var out []byte
	if !bed.Until(func() bool { // the login is through
		var err error
		cmd := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", bed.Program(t), "fix", "plan")
		if out, err = cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Contains(string(out), kept)
	}) {
		t.Errorf("the peer does not keep its access:\n%s", out)
	}
	for _, addr := range []string{"172.17.0.3", "203.0.113.9"} {
		if strings.Contains(string(out), "saddr "+addr) { // the plan names who uses what it closes
			t.Errorf("%s has not logged in, and keeps access:\n%s", addr, out)
		}
	}
}
