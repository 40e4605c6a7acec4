//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
)

// TestDefaultDenyIsConfirmedTwice: after the first confirmation over a real SSH the kernel lets the drops work for ten minutes more, also where
// no process of ours waits for the second one; that is taken from a login that is younger than the first.
func TestDefaultDenyIsConfirmedTwice(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.nft("flush ruleset\n" + foreign)
	b.listen("tcp", "[::]:2375", "")
	h := newSSHHost(t, b)
	verb := func(opts []string, args string) (string, error) {
		out, err := h.login("mgmt", opts, bed.Program(t)+" fix "+args+" --root "+b.root()).CombinedOutput()
		return string(out), err
	}
	log, cfg := filepath.Join(h.dir, "log"), b.config("zones: {management: {interfaces: [mgmt0]}}\n")
	out, err := h.login("mgmt", nil, fmt.Sprintf("nohup setsid %s fix apply --config %s --mode default-deny --confirm new-session --confirm-timeout 120s --root %s >%s 2>&1 </dev/null & echo $!",
		bed.Program(t), cfg, b.root(), log)).Output()
	pid, perr := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || perr != nil {
		t.Fatalf("%v %v %s", err, perr, out)
	}
	said := func(text string) bool {
		got, _ := os.ReadFile(log)
		return bytes.Contains(got, []byte(text))
	}
	if !bed.Until(func() bool { return said("Open a NEW login") }) {
		got, _ := os.ReadFile(log)
		t.Fatalf("not on trial: %s", lastLines(string(got), 8))
	}
	control, _ := h.master("mgmt")
	old := []string{"-S", control}
	if out, err := verb(old, "confirm"); err != nil || !strings.Contains(out, "within 10m0s open another NEW login") {
		t.Fatalf("the first confirmation: %v %s", err, out)
	}
	if !bed.Until(func() bool { return said("confirmed once") }) {
		t.Error("who waits does not say that it was confirmed once")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("end who waits: %v", err)
	}
	if left := trialLeft(t, b); left < 9*60 || left > 11*60 {
		t.Errorf("the kernel stops the drops in %d seconds", left)
	}
	if out, err := verb(old, "status"); err != nil || !strings.Contains(out, "was confirmed once, and goes out in") {
		t.Errorf("status: %v %s", err, out)
	}
	if out, err := verb(old, "confirm"); err == nil || !strings.Contains(out, "older than the first confirmation") {
		t.Errorf("the same login again: %v %s", err, out)
	}
	if b.connects("w1", "tcp4", "172.17.0.1:2375") || !b.opens("mgmt", "tcp4", "10.10.0.1:22") {
		t.Error("confirmed once, but the port is open or SSH is not")
	}
	if out, err := verb(nil, "confirm"); err != nil || !strings.Contains(out, "again at each boot") {
		t.Fatalf("the second confirmation: %v %s", err, out)
	}
	if out, err := verb(nil, "verify"); err != nil {
		t.Errorf("verify: %v %s", err, out)
	}
	if strings.Contains(b.ruleset(), "table inet ringfence_trial") {
		t.Error("confirmed twice, and the trial is still there")
	}
}

// expires is what nft says of an element that times out.
var expires = regexp.MustCompile(`expires (?:(\d+)m)?(\d+)s`)

// trialLeft is for how many seconds more the kernel lets the drops of a trial work.
func trialLeft(t *testing.T, b *testbed) int {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", b.name+"host", "nft", "list", "set", "inet", "ringfence_trial", "armed").Output()
	m := expires.FindStringSubmatch(string(out))
	if err != nil || m == nil {
		t.Errorf("the set of the trial: %v %s", err, out)
		return 0
	}
	minutes, _ := strconv.Atoi(m[1])
	seconds, _ := strconv.Atoi(m[2])
	return 60*minutes + seconds
}
