//go:build linux && !ringfence_portable

package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
)

// maxMemory bounds the data of the process that judges (RLIMIT_DATA); softMemory is where it collects its garbage
// more often.
const (
	maxMemory  = 4 << 30
	softMemory = 7 << 29
)

// Command is the hidden command of this program that serves.
const Command = "judge"

// Serve is the process that judges. It gives up what it can still do before it reads anything.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	held := host.CloseIn(maxMemory)
	debug.SetMemoryLimit(softMemory)
	debug.SetGCPercent(startGC)
	return serve(ctx, in, out, finding.Confinement(held))
}

// startChild starts this program as the process that judges. Where that cannot be, the same is done in this
// process, and the report says so.
func startChild() *child {
	in, toChild, err := os.Pipe()
	if err != nil {
		return ownChild(err)
	}
	fromChild, out, err := os.Pipe()
	if err != nil {
		in.Close()
		toChild.Close()
		return ownChild(err)
	}
	cmd := host.Again(Command)
	errs := new(headWriter)
	cmd.Env = []string{fmt.Sprintf("GOMAXPROCS=%d", runtime.GOMAXPROCS(0))} // it cannot read its cgroup
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	wait, err := host.StartConfined(cmd)
	in.Close()
	out.Close()
	if err != nil {
		toChild.Close()
		fromChild.Close()
		return ownChild(err)
	}
	host.EndFirst(cmd.Process.Pid)
	return &child{
		in: toChild, out: fromChild,
		kill: func() { _ = cmd.Process.Kill() },
		end: sync.OnceValue(func() string {
			err := wait()
			text, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n")
			switch {
			case text != "":
				return strings.TrimPrefix(strings.TrimPrefix(text, "ringfence: "), "judge: ")
			case err != nil:
				return err.Error()
			}
			return "the process that judges left without an answer"
		}),
	}
}

// headWriter keeps the first 4 KiB of what is written.
type headWriter struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *headWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p[:min(len(p), max(0, 4096-w.b.Len()))])
	return len(p), nil
}

func (w *headWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
