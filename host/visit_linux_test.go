//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestVisitStaysWithItself: a thread that goes into other network namespaces begins in our own, and nobody else is ever where it went.
func TestVisitStaysWithItself(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, to make a network namespace")
	}
	here := func() string {
		at, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		return at
	}
	own := here()
	other := make(chan *os.File)
	go func() { // the thread ends with it
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		f, oerr := os.Open("/proc/thread-self/ns/net")
		if err = errors.Join(err, oerr); err != nil {
			t.Error(err)
		}
		other <- f
	}()
	ns := <-other
	defer ns.Close()
	var visited string
	Local().Visit(func(enter func(*os.File) error) {
		if at := here(); at != own {
			t.Errorf("it begins in %s, not in %s", at, own)
		}
		if err := enter(ns); err != nil {
			t.Error(err)
		}
		visited = here()
		beside := make(chan string)
		for range 8 {
			go func() { beside <- here() }()
		}
		for range 8 {
			if at := <-beside; at != own {
				t.Errorf("something else is in %s", at)
			}
		}
		if at := here(); at != visited {
			t.Errorf("it came from %s to %s by itself", visited, at)
		}
	})
	if visited == own || here() != own {
		t.Errorf("visited %s, now in %s, own %s", visited, here(), own)
	}
}

// TestVisitThatPanics: a panic on the other thread is one of the caller, who can recover from it.
func TestVisitThatPanics(t *testing.T) {
	defer func() {
		if got := recover(); got != "too much" {
			t.Errorf("recovered %v", got)
		}
	}()
	Local().Visit(func(func(*os.File) error) { panic("too much") })
}
