//go:build linux && !ringfence_portable

package host

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children starts a shell that starts a program and waits for it, and returns the pids of both.
func children(t *testing.T, start func(script, file string)) (pids []int) {
	file := filepath.Join(t.TempDir(), "pids")
	start("sleep 300 & echo $$ $! > "+file+".new; mv "+file+".new "+file+"; wait", file)
	for range 500 {
		b, err := os.ReadFile(file)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		for w := range strings.FieldsSeq(string(b)) {
			n, err := strconv.Atoi(w)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
		return pids
	}
	t.Fatal("the program did not start")
	return nil
}

// running says whether a process is there, and no zombie.
func running(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !bytes.Contains(b, []byte(") Z "))
}

func wantEnd(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		for n := 0; running(pid); n++ {
			if n > 500 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				t.Errorf("process %d goes on", pid)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// TestCommandEndsWithItsChildren: the end of the context ends the program and what it started.
func TestCommandEndsWithItsChildren(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	pids := children(t, func(script, _ string) {
		go func() { ended <- Run(Command(ctx, "/bin/sh", "-c", script)) }()
	})
	cancel()
	if err := <-ended; err == nil {
		t.Error("the program was not ended")
	}
	wantEnd(t, pids)
}

// TestCommandOutlivesOtherThreads: a thread that ends, as those do that were in another network namespace, takes no
// program with it.
func TestCommandOutlivesOtherThreads(t *testing.T) {
	done := make(chan error, 1)
	go func() { done <- Run(Command(t.Context(), "/bin/sh", "-c", "sleep 1")) }()
	for range 200 {
		ended := make(chan bool)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends
			close(ended)
		}()
		<-ended
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCommandEndsWithTheProcess: a program does not go on when whoever started it was killed.
func TestCommandEndsWithTheProcess(t *testing.T) {
	if script := os.Getenv("RINGFENCE_TEST_CHILD"); script != "" {
		_ = Run(Command(context.Background(), "/bin/sh", "-c", script))
		return
	}
	var parent *exec.Cmd
	pids := children(t, func(script, _ string) {
		parent = exec.Command("/proc/self/exe", "-test.run=^TestCommandEndsWithTheProcess$")
		parent.Env = append(os.Environ(), "RINGFENCE_TEST_CHILD="+strings.Replace(script, "sleep 300 &", "true &", 1)+"; exec sleep 300")
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
	})
	if !running(pids[0]) {
		t.Fatal("the program is not there")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	wantEnd(t, pids[:1])
}
