//go:build linux && ringfence_bench

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

// measure runs a command some times and gives what the cheapest run used.
func measure(t *testing.T, times int, args ...string) (best cost) {
	t.Helper()
	for i := range times {
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
// on this machine, then in a bed with 10,000 processes and 10,000 listening sockets. It prints;
// timings gate nothing.
func TestBesideOtherTools(t *testing.T) {
	bed.NeedRoot(t)
	t.Run("plain", func(t *testing.T) { beside(t, []string{"lynis", "audit", "system", "--quick", "--quiet"}) })
	t.Run("10,000", func(t *testing.T) {
		if !bed.Alone(t) {
			return
		}
		load := exec.Command("bash", "load.sh", "10000")
		load.Stderr = os.Stderr
		out, err := load.StdoutPipe()
		if err == nil {
			err = load.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 8)); err != nil { // it says when all are up
			t.Fatal(err)
		}
		beside(t)
	})
}

// beside prints what each of the tools costs here.
func beside(t *testing.T, more ...[]string) {
	t.Helper()
	prog := bed.Program(t)
	t.Logf("%-28s %10s %10s %8s", "command", "CPU", "wall", "MB")
	for _, tool := range append([][]string{
		{prog, "version"},
		{prog, "audit", "-f", "json"},
		{prog, "collect"},
		{"ss", "-lntup"},
		{"pscap", "-a"},
		{"nft", "-j", "list", "ruleset"},
	}, more...) {
		if _, err := exec.LookPath(tool[0]); err != nil {
			t.Logf("%-28s not installed", tool[0])
			continue
		}
		c := measure(t, 3, tool...)
		t.Logf("%-28s %10s %10s %8d", filepath.Base(tool[0])+" "+strings.Join(tool[1:], " "), c.cpu.Round(time.Millisecond), c.wall.Round(time.Millisecond), c.rss/1024)
	}
}
