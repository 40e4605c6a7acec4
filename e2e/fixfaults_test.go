//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/trial"
)

// lasting shows in a ruleset that a fix was confirmed: with --confirm auto that can come between two looks at it.
var lasting = regexp.MustCompile(`(?s)table inet ringfence \{.*comment "ringfence `)

// trial starts a fix on the host of the bed and waits until its rules are on trial, or confirmed already.
func (b *testbed) trial(args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	b.t.Helper()
	cmd = exec.Command("nsenter", append([]string{
		"--net=/run/netns/" + b.name + "host", bed.Program(b.t), "fix", "apply", "--root", b.root(),
	}, args...)...)
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe() // stays open: the question waits for an answer
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = in.Close() })
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	if !bed.Until(func() bool {
		rules := b.ruleset()
		return strings.Contains(rules, onTrial) || lasting.MatchString(rules)
	}) {
		b.t.Fatalf("no trial: %s", lastLines(stderr.String(), 5))
	}
	return cmd, stderr
}

func (b *testbed) verb(args ...string) (string, int) {
	b.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host", bed.Program(b.t), "fix"}, append(args, "--root", b.root())...)...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// waiting returns when a trial was audited and waits for a new login.
func (b *testbed) waiting() {
	b.t.Helper()
	if !bed.Until(func() bool {
		unlock, err := trial.Disk{Root: b.root()}.Lock()
		if err == nil {
			unlock()
		}
		return err == nil
	}) {
		b.t.Fatal("the trial does not come to wait")
	}
}

// helpers are the processes that would take the bed's trial out.
func (b *testbed) helpers() []int {
	var list []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil && bytes.Contains(text, []byte("\x00watch\x00")) && bytes.Contains(text, []byte(b.root())) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
				list = append(list, pid)
			}
		}
	}
	return list
}

// breaks runs a part of TestFixFaults in a bed of its own: a port is open, and rules of another are loaded.
func breaks(t *testing.T, name string, run func(b *testbed, before string)) {
	t.Run(name, func(t *testing.T) {
		if !bed.Alone(t) {
			return
		}
		b := newBed(t)
		b.listen("tcp", "[::]:2375", "")
		b.nft("flush ruleset\n" + foreign)
		t.Cleanup(func() { _ = exec.Command("umount", "-lR", b.root()).Run() })
		run(b, b.ruleset())
	})
}

// TestFixFaults breaks a fix at its phases: the host ends as before or as confirmed, and the exit code says
// which.
func TestFixFaults(t *testing.T) {
	breaks(t, "everything of ours is killed", func(b *testbed, before string) {
		t := b.t
		cmd, _ := b.trial("--confirm", "console", "--confirm-timeout", "10s")
		if b.connects("w1", "tcp4", "172.17.0.1:2375") {
			t.Error("the trial does not close the port")
		}
		for _, pid := range append(b.helpers(), cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = cmd.Wait()
		if !bed.Until(func() bool { return b.connects("w1", "tcp4", "172.17.0.1:2375") }) {
			t.Fatal("nobody is left, and the port is still closed")
		}
		if out, _ := b.verb("status"); !strings.Contains(out, "was not confirmed in time") {
			t.Errorf("status: %s", out)
		}
		if out, code := b.verb("rollback"); code != 0 {
			t.Errorf("rollback: %d %s", code, out)
		}
		b.becomes(t.Name(), before)
	})

	breaks(t, "the terminal closes while a new login is awaited", func(b *testbed, before string) {
		t := b.t
		cmd, errs := b.trial("--confirm", "new-session", "--confirm-timeout", "15s")
		_ = cmd.Process.Signal(syscall.SIGHUP)
		time.Sleep(time.Second)
		if !strings.Contains(b.ruleset(), onTrial) {
			t.Error("the hangup took the trial out")
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 4 || !strings.Contains(errs.String(), "were taken out again") {
			t.Errorf("code %d: %s", code, lastLines(errs.String(), 2))
		}
		b.becomes(t.Name(), before)
	})

	breaks(t, "somebody flushes everything during the trial", func(b *testbed, before string) {
		t := b.t
		cmd, errs := b.trial("--confirm", "new-session", "--confirm-timeout", "10m")
		b.waiting()
		b.nft("flush ruleset\n" + foreign)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 4 || !strings.Contains(errs.String(), "were changed by process") || !strings.Contains(errs.String(), "(nft)") {
			t.Errorf("code %d: %s", code, lastLines(errs.String(), 2))
		}
		if out, code := b.verb("confirm", "--console"); code != 4 || !strings.Contains(out, "no trial is waiting") {
			t.Errorf("confirm: %d %s", code, out)
		}
		b.becomes(t.Name(), before)
		if !b.opens("w1", "tcp4", "172.17.0.1:2375") {
			t.Error("the port is closed")
		}
	})

	breaks(t, "the rules are changed during the trial", func(b *testbed, before string) {
		t := b.t
		cmd, errs := b.trial("--confirm", "new-session", "--confirm-timeout", "10m")
		b.waiting()
		bed.Shell(t, "ip netns exec %shost nft insert rule inet ringfence_trial prerouting accept", b.name)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 4 || !strings.Contains(errs.String(), "were changed by process") {
			t.Errorf("code %d: %s", code, lastLines(errs.String(), 2))
		}
		b.becomes(t.Name(), before)
	})

	breaks(t, "another tool drops during the trial", func(b *testbed, before string) {
		t := b.t
		cmd, _ := b.trial("--confirm", "new-session", "--confirm-timeout", "10m")
		b.waiting()
		b.nft("table ip angry { chain i { type filter hook input priority 50; policy drop; }\n}\n")
		if out, code := b.verb("rollback"); code != 0 {
			t.Errorf("rollback: %d %s", code, out)
		}
		_ = cmd.Wait()
		bed.Shell(t, "ip netns exec %shost nft delete table ip angry", b.name)
		b.becomes(t.Name(), before)
	})

	breaks(t, "two at once", func(b *testbed, before string) {
		t := b.t
		cmd, _ := b.trial("--confirm", "console", "--confirm-timeout", "10m")
		out, code := b.verb("apply", "--confirm", "auto")
		if code != 4 || !strings.Contains(out, "at work") && !strings.Contains(out, "waits for its confirmation") {
			t.Errorf("the second: %d %s", code, lastLines(out, 2))
		}
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		b.becomes(t.Name(), before)
	})

	breaks(t, "the ruleset changes all the time", func(b *testbed, before string) {
		t := b.t
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("ip", "netns", "exec", b.name+"host", "nft", "add table ip busy; add chain ip busy c; delete table ip busy").Run()
				time.Sleep(100 * time.Millisecond)
			}
		})
		out, code := b.verb("apply", "--confirm", "auto")
		stop()
		wg.Wait()
		switch {
		case code == 4 && strings.Contains(out, "changed"):
		case code == 0 && strings.Contains(b.ruleset(), "table inet ringfence "): // a busy machine leaves gaps between the changes
			if out, code := b.verb("rollback"); code != 0 {
				t.Errorf("rollback: %d %s", code, out)
			}
		default:
			t.Errorf("code %d: %s", code, lastLines(out, 3))
		}
		b.becomes(t.Name(), before)
	})

	for name, c := range map[string]struct {
		mount string
		code  int
		want  string
		live  bool
	}{
		"the disk for the state is full": {"mount -t tmpfs -o size=16k none %[1]s && mkdir -p %[1]s/run && head -c 20000 /dev/zero >%[1]s/fill 2>/dev/null || true", 4, "no space", false},
		"the state cannot be written":    {"mount -t tmpfs -o ro none %[1]s", 4, "read-only", false},
		"the boot files cannot be written": {
			"mount -t tmpfs none %[1]s && mkdir %[1]s/etc && mount -t tmpfs -o ro none %[1]s/etc", 5, "only until the next boot", true,
		},
	} {
		breaks(t, name, func(b *testbed, before string) {
			t := b.t
			bed.Shell(t, "mkdir -p %[1]s; "+strings.ReplaceAll(c.mount, "%[1]s", b.root()), b.root())
			out, code := b.verb("apply", "--confirm", "auto")
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("code %d: %s", code, lastLines(out, 3))
			}
			if live := strings.Contains(b.ruleset(), "table inet ringfence "); live != c.live {
				t.Errorf("loaded: %v", live)
			}
			if c.live {
				if out, code := b.verb("rollback"); code != 0 && code != 5 {
					t.Errorf("rollback: %d %s", code, out)
				}
			}
			b.becomes(name, before)
		})
	}

	breaks(t, "the state can no longer be written when it is confirmed", func(b *testbed, before string) {
		t := b.t
		bed.Shell(t, "mkdir -p %[1]s && mount -t tmpfs none %[1]s", b.root())
		cmd, _ := b.trial("--confirm", "new-session", "--confirm-timeout", "10m")
		b.waiting()
		bed.Shell(t, "mount -o remount,ro %s", b.root())
		if out, code := b.verb("confirm", "--console"); code != 4 && code != 5 || !strings.Contains(out, "read-only") {
			t.Errorf("confirm: %d %s", code, out)
		}
		bed.Shell(t, "mount -o remount,rw %s", b.root())
		if out, code := b.verb("rollback"); code != 0 {
			t.Errorf("rollback: %d %s", code, out)
		}
		_ = cmd.Wait()
		b.becomes(t.Name(), before)
	})

	breaks(t, "nft is not installed", func(b *testbed, before string) {
		t := b.t
		cmd := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c", fmt.Sprintf(
			"mount --bind /dev/null $(readlink -f /usr/sbin/nft) && exec nsenter --net=/run/netns/%shost %s fix apply --confirm auto --root %s", b.name, bed.Program(t), b.root(),
		))
		out, err := cmd.CombinedOutput()
		unit, _ := os.ReadFile(filepath.Join(b.root(), "etc/systemd/system/ringfence-ruleset.service"))
		if err != nil || !strings.Contains(string(unit), " fix load --root ") {
			t.Errorf("%v %s\n%s", err, lastLines(string(out), 3), unit)
		}
		if out, code := b.verb("uninstall"); code != 0 {
			t.Errorf("uninstall: %d %s", code, out)
		}
		b.becomes(t.Name(), before)
	})
}

// repeated says whether a packet of a connection had to be sent twice: the first was lost.
func repeated(c net.Conn) bool {
	again := true
	if raw, err := c.(*net.TCPConn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			again = err != nil || info.Total_retrans > 0
		})
	}
	return again
}

// TestNoGapUnderLoad keeps connecting while a fix is loaded, made lasting and taken out: once it is on trial
// no connection that it closes gets through, and none of the others is lost or waits for a second attempt.
func TestNoGapUnderLoad(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	b.listen("tcp", "[::]:2375", "")
	b.listen("tcp", "[::]:8080", "")
	b.nft("flush ruleset\n" + foreign)
	b.opens("w1", "tcp4", "172.17.0.1:8080") // the neighbour is known
	var armed atomic.Bool
	var denied, leaked, kept, slow atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b.inNS("w1", func() {
				for ctx.Err() == nil {
					was := armed.Load()
					c, err := net.DialTimeout("tcp4", "172.17.0.1:2375", 40*time.Millisecond)
					if err == nil {
						c.Close()
					}
					if was && armed.Load() {
						denied.Add(1)
						if err == nil {
							leaked.Add(1)
						}
					}
				}
			})
		})
		wg.Go(func() {
			b.inNS("w1", func() {
				for ctx.Err() == nil {
					c, err := net.DialTimeout("tcp4", "172.17.0.1:8080", bed.Patience)
					kept.Add(1)
					if err != nil || repeated(c) {
						slow.Add(1)
					}
					if err == nil {
						_ = c.(*net.TCPConn).SetLinger(0)
						c.Close()
					}
					time.Sleep(2 * time.Millisecond)
				}
			})
		})
	}
	cmd, errs := b.trial("--confirm", "auto")
	armed.Store(true)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, lastLines(errs.String(), 3))
	}
	before := kept.Load()
	if !bed.Until(func() bool { return denied.Load() > 100 && kept.Load() > before+100 }) {
		t.Error("too few connections")
	}
	armed.Store(false)
	if out, code := b.verb("rollback"); code != 0 {
		t.Errorf("rollback: %d %s", code, out)
	}
	stop()
	wg.Wait()
	t.Logf("%d connections to what is closed, %d got through; %d others, %d lost", denied.Load(), leaked.Load(), kept.Load(), slow.Load())
	if denied.Load() == 0 || leaked.Load() > 0 || kept.Load() == 0 || slow.Load() > 0 {
		t.Error("there is a gap")
	}
}
