//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"runtime"
	"slices"
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
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its own table
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
	}()
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
