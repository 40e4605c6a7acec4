//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
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

	"github.com/ringfence/ringfence/e2e/bed"
)

// started is a verb of fix that runs, in a process group of its own.
func (b *testbed) started(args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host", bed.Program(b.t), "fix"}, append(args, "--root", b.root())...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return cmd
}

// killAll kills what was started, with all that it started itself, and the helpers: none of them does anything after another of them is gone.
func (b *testbed) killAll(list []*exec.Cmd) {
	everybody := func(sig syscall.Signal) (n int) {
		helpers := b.helpers()
		for _, pid := range helpers {
			_ = syscall.Kill(pid, sig)
		}
		for _, cmd := range list {
			_ = syscall.Kill(-cmd.Process.Pid, sig)
		}
		return len(helpers)
	}
	for _, cmd := range list { // first nobody goes on
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP)
	}
	everybody(syscall.SIGSTOP)
	everybody(syscall.SIGKILL)
	for _, cmd := range list {
		_ = cmd.Wait()
	}
	if !bed.Until(func() bool { return everybody(syscall.SIGKILL) == 0 }) {
		b.t.Fatal("a helper does not end")
	}
}

// lastingTable is our table of a fix that was confirmed, with its id.
var lastingTable = regexp.MustCompile(`(?s)table inet ringfence \{\s*comment "ringfence fix=([0-9a-f]+) phase=confirmed"`)

// agrees wants status to say of the host what the kernel has, and the port to be open or closed by it. It returns the id of what is
// confirmed, "" where nothing is, and whether something is on trial.
func (b *testbed) agrees(when string) (id string, onTrial bool) {
	b.t.Helper()
	text, code := b.verb("status")
	rules := b.ruleset()
	if m := lastingTable.FindStringSubmatch(rules); m != nil {
		id = m[1]
	}
	onTrial = strings.Contains(text, "on trial for another") || strings.Contains(text, "was not confirmed in time")
	confirmed := strings.Contains(text, "is confirmed") && !strings.Contains(text, "not loaded now")
	switch {
	case code != 0:
		b.t.Errorf("%s: status: %d %s", when, code, text)
	case confirmed && !strings.Contains(text, "fix "+id+" is confirmed"), !confirmed && !onTrial && id != "":
		b.t.Errorf("%s: %q is confirmed, and status says %s", when, id, text)
	case !onTrial && strings.Contains(rules, "ringfence_trial"):
		b.t.Errorf("%s: something is on trial, and status says %s", when, text)
	case id != "" && b.connects("w1", "tcp4", "172.17.0.1:2375"):
		b.t.Errorf("%s: %s is confirmed, and the port is open", when, id)
	}
	return id, onTrial
}

// left are the files below the root of the bed, without the lock.
func (b *testbed) left() (names []string) {
	_ = filepath.WalkDir(b.root(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(path) != "ringfence.lock" {
			names = append(names, strings.TrimPrefix(path, b.root()))
		}
		return nil
	})
	return names
}

// killing is one kill: what is done first, what is killed, and how late at most.
type killing struct {
	name string
	// over says that a fix is confirmed before.
	over   bool
	verb   []string
	wait   string // for what of the ruleset or the disk, before the time runs
	then   []string
	within time.Duration
}

// kill does one of them, and wants the host to be as before or as confirmed, whatever was reached. It returns how the kill left it.
func (b *testbed) kill(k *killing, r *rand.Rand, before string) (found string) {
	b.t.Helper()
	first := ""
	if k.over {
		if out, code := b.verb("apply", "--confirm", "auto"); code != 0 && code != 1 {
			b.t.Fatalf("%s: before: %d %s", k.name, code, lastLines(out, 3))
		}
		first, _ = b.agrees(k.name + ", before")
	}
	cmds := []*exec.Cmd{b.started(k.verb...)}
	state := filepath.Join(b.root(), "var/lib/ringfence/state.json")
	if k.wait != "" {
		bed.Until(func() bool {
			text, err := os.ReadFile(state)
			return err == nil && bytes.Contains(text, []byte(k.wait)) || syscall.Kill(cmds[0].Process.Pid, 0) != nil
		})
	}
	if k.then != nil {
		cmds = append(cmds, b.started(k.then...))
	}
	late := time.Duration(r.Int64N(int64(k.within)))
	time.Sleep(late)
	b.killAll(cmds)
	when := fmt.Sprintf("%s, killed after %s", k.name, late.Round(time.Microsecond))

	id, trying := b.agrees(when)
	if k.over && k.verb[0] == "apply" && id == "" {
		b.t.Errorf("%s: what was confirmed before is gone", when)
	}
	b.takeOut(when)
	if over := k.over && k.verb[0] == "apply" && trying; over {
		if is, still := b.agrees(when + ", rolled back"); is != first || still {
			b.t.Errorf("%s: rolled back %q is confirmed, not %q", when, is, first)
		}
		if out, code := b.verb("verify"); code != 0 {
			b.t.Errorf("%s: rolled back: verify: %d %s", when, code, out)
		}
		b.takeOut(when)
	}
	b.becomes(when, before)
	if list := b.left(); len(list) > 0 {
		b.t.Errorf("%s: files are left: %v", when, list)
	}
	switch {
	case trying:
		return "on trial"
	case id == "":
		return "as before"
	case id == first:
		return "as confirmed before"
	}
	return "as confirmed"
}

// takeOut rolls back. That there is nothing is said by exit code 4.
func (b *testbed) takeOut(when string) {
	b.t.Helper()
	if out, code := b.verb("rollback"); code != 0 && (code != 4 || !strings.Contains(out, "there is no fix to take out")) {
		b.t.Errorf("%s: rollback: %d %s", when, code, out)
	}
}

// TestKills kills the program and its helper together at random times, and wants status and rollback to work then: the host is as before, or
// as it was confirmed. RINGFENCE_KILLS is how often.
func TestKills(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.nft("flush ruleset\n" + foreign)
	before := b.ruleset()
	n, seed := 4, uint64(20261129)
	if s := os.Getenv("RINGFENCE_KILLS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		seed = uint64(time.Now().UnixNano())
	}
	begin := time.Now()
	if out, code := b.verb("apply", "--confirm", "auto"); code != 0 && code != 1 {
		t.Fatalf("%d %s", code, lastLines(out, 3))
	}
	whole := time.Since(begin)
	b.takeOut("at first")
	auto, login := []string{"apply", "--confirm", "auto"}, []string{"apply", "--confirm", "new-session", "--confirm-timeout", "1m"}
	other := func(args []string) []string { return append(slices.Clone(args), "--allow-from", "203.0.113.77") }
	const trying, kept = `"phase": "trial"`, `"phase": "confirmed"`
	ways := []killing{
		{"whenever", false, auto, "", nil, whole},
		{"from the trial on", false, auto, trying, nil, whole / 2},
		{"while it is kept", false, auto, kept, nil, whole / 8},
		{"while it is confirmed", false, login, trying, []string{"confirm", "--console"}, whole / 2},
		{"over another, from the trial on", true, other(auto), trying, nil, whole / 2},
		{"over another, while it is confirmed", true, other(login), trying, []string{"confirm", "--console"}, whole / 2},
		{"a rollback", true, []string{"rollback"}, "", nil, whole / 8},
		{"an uninstall", true, []string{"uninstall"}, "", nil, whole / 8},
	}
	t.Logf("seed %d, a fix takes %s", seed, whole.Round(time.Millisecond))
	found := map[string]int{}
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		found[b.kill(&ways[i%len(ways)], r, before)]++
		if t.Failed() {
			t.Fatalf("kill %d of %d", i+1, n)
		}
	}
	t.Logf("%d kills in %s, which left the host %v", n, time.Since(begin).Round(time.Second), found)
}
