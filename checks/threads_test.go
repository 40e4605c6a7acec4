//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// TestThreadsAreLookedAt: a thread with a table of descriptors of its own is listed, with what it holds; the others are
// their process.
func TestThreadsAreLookedAt(t *testing.T) {
	fds := make(chan int)
	done := make(chan struct{})
	tids := make(chan int)
	var own func()
	own = func() {
		runtime.LockOSThread()            // and never unlocked: the thread ends with its own table
		if unix.Gettid() == os.Getpid() { // the first thread of all, whose entry is the process itself
			go own()
			<-done
			return
		}
		if err := unix.Unshare(unix.CLONE_FILES); err != nil {
			t.Error(err)
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
		}
		tids <- unix.Gettid()
		fds <- fd
		<-done
	}
	go own()
	tid := <-tids
	<-fds
	defer close(done)
	s := newScan(host.Local())
	list := s.readProcess(os.Getpid())
	if len(list) < 2 || list[0].PID != os.Getpid() || list[0].Leader != 0 {
		t.Fatalf("%d entries", len(list))
	}
	i := slices.IndexFunc(list, func(p *process) bool { return p.PID == tid })
	if i < 0 || list[i].Leader != os.Getpid() {
		t.Fatalf("the thread %d is not listed", tid)
	}
	if len(list) > 3 {
		t.Errorf("%d entries of %d threads: those that are alike are one", len(list), runtime.NumGoroutine())
	}
}

// TestSetIDSpeaksForNobody: a program that runs as somebody else than its starter has no arguments that count.
func TestSetIDSpeaksForNobody(t *testing.T) {
	for text, want := range map[string]bool{
		"Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n":                false,
		"Uid:\t0\t102\t0\t102\nGid:\t103\t103\t103\t103\n":    false, // NRPE of Debian
		"Uid:\t1001\t0\t0\t0\nGid:\t1001\t1001\t1001\t1001\n": true,
		"Uid:\t1001\t1001\t0\t1001\nGid:\t1\t1\t1\t1\n":       true,
		"Uid:\t1001\t1001\t1001\t1001\nGid:\t1\t5\t5\t5\n":    true,
	} {
		if acts, kept := changedID([]byte(text)); (acts || kept) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	if acts, kept := changedID([]byte("Uid:\t13\t13\t0\t13\nGid:\t13\t13\t13\t13\n")); acts || !kept {
		t.Errorf("Squid: %v %v", acts, kept)
	}
	p := &process{setID: true}
	if who := p.principal(); who.UID != -1 {
		t.Errorf("it names files as uid %d", who.UID)
	}
	p.Comm = "claude"
	if why := (&pattern{Comm: []string{"claude"}}).matches(p); why != "" {
		t.Errorf("it is recognised by %s", why)
	}
}

// TestSetIDIsOfWhoStarted: a set-id program of root's that somebody else started is marked, and not one that root started.
func TestSetIDIsOfWhoStarted(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		mode os.FileMode
		uid  uint32
		want bool
	}{
		"set-uid": {0o755 | os.ModeSetuid, 1000, true}, "set-uid, by root": {0o755 | os.ModeSetuid, 0, false}, "plain": {0o755, 1000, false},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", ""))
		if err := errors.Join(os.WriteFile(file, b, 0o755), os.Chmod(file, c.mode)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(file, "100")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		list := newScan(host.Local()).readProcess(cmd.Process.Pid)
		if len(list) != 1 || list[0].SetID != c.want {
			t.Errorf("%s: %v", name, len(list) == 1 && list[0].SetID)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
