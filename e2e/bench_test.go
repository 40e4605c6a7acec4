//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// cost is what a command used.
type cost struct {
	wall, cpu time.Duration
	rss       int64 // KiB
}

func measure(t *testing.T, args ...string) (best cost) {
	t.Helper()
	for i := range 3 {
		cmd := exec.Command(args[0], args[1:]...)
		start := time.Now()
		err := cmd.Run()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		c := cost{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
		if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			c.rss = ru.Maxrss
		}
		if i == 0 || c.cpu < best.cpu {
			best = c
		}
	}
	return best
}

// TestBesideOtherTools measures the program beside the tools that read the same facts, in one run:
// on this machine, then in a namespace with 10,000 processes and 10,000 listening sockets. It prints;
// timings gate nothing.
func TestBesideOtherTools(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") == "" {
		t.Skip("runs by make bench")
	}
	bed.NeedRoot(t)
	prog := bed.Program(t)
	show := func(where string, prefix []string, tools [][]string) {
		t.Logf("%-8s %-28s %10s %10s %8s", where, "command", "CPU", "wall", "MB")
		for _, tool := range tools {
			if _, err := exec.LookPath(tool[0]); err != nil {
				t.Logf("%-8s %-28s not installed", where, tool[0])
				continue
			}
			c := measure(t, append(prefix[:len(prefix):len(prefix)], tool...)...)
			t.Logf("%-8s %-28s %10s %10s %8d", where, filepath.Base(tool[0])+" "+strings.Join(tool[1:], " "),
				c.cpu.Round(time.Millisecond), c.wall.Round(time.Millisecond), c.rss/1024)
		}
	}
	tools := [][]string{
		{prog, "version"},
		{prog, "audit", "-f", "json"},
		{prog, "collect"},
		{"ss", "-lntup"},
		{"pscap", "-a"},
		{"nft", "-j", "list", "ruleset"},
	}
	show("plain", nil, append(tools, []string{"lynis", "audit", "system", "--quick", "--quiet"}))

	ns := "rfld"
	bed.Shell(t, "ip netns add %s", ns)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	load := exec.Command("nsenter", "--net=/run/netns/"+ns, "unshare", "-pf", "--kill-child", "--mount-proc",
		"bash", "load.sh", "10000")
	load.Stderr = os.Stderr
	out, err := load.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = load.Process.Kill()
		_ = load.Wait()
	})
	buf := make([]byte, 64)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	// The pid of the loaded namespace's first process, as we see it.
	pid := strings.TrimSpace(string(buf[:n]))
	inside := []string{"nsenter", "-t", childOf(t, load.Process.Pid), "-n", "-m", "-p", "--"}
	t.Logf("load is up (%s)", pid)
	show("10,000", inside, tools)
}

// childOf finds the process that unshare made, which is the first of its pid namespace.
func childOf(t *testing.T, pid int) string {
	t.Helper()
	out := bed.Shell(t, "pgrep -P %d | head -1", pid)
	return strings.TrimSpace(out)
}
