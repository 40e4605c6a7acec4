//go:build linux && !ringfence_portable

package trial

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// TestLockLeavesNothing: where no fix is kept, the lock leaves a directory as it was; where one is, its file stays. A file that was taken away while
// somebody waited for it is no lock.
func TestLockLeavesNothing(t *testing.T) {
	asRoot(t)
	root := t.TempDir()
	s := Disk{Root: root}
	unlock, err := s.Lock()
	must(t, err)
	if _, err := s.Lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	if list, err := os.ReadDir(root); err != nil || len(list) > 0 {
		t.Errorf("it left %v %v", list, err)
	}
	gone := Disk{Root: filepath.Join(root, "nosuch")}
	unlock, err = gone.Lock()
	must(t, err)
	unlock()
	if list, err := os.ReadDir(root); err != nil || len(list) > 0 {
		t.Errorf("a directory was made: %v %v", list, err)
	}
	must(t, os.Mkdir(filepath.Join(root, "run"), 0o755))
	unlock, err = s.Lock()
	must(t, err)
	unlock()
	if list, err := os.ReadDir(root); err != nil || len(list) != 1 {
		t.Errorf("the directory that was there is gone: %v %v", list, err)
	}
	must(t, s.Save(&State{ID: "x", Phase: PhaseConfirmed}))
	unlock, err = s.Lock()
	must(t, err)
	unlock()
	if _, err := os.Lstat(s.path(lockFile)); err != nil {
		t.Errorf("beside a state: %v", err)
	}
}

// TestOneLockAtATime: with its file coming and going, two never have the lock.
func TestOneLockAtATime(t *testing.T) {
	asRoot(t)
	s := Disk{Root: t.TempDir()}
	var held, got atomic.Int32
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 2000 {
				unlock, err := s.Lock()
				if err != nil {
					continue // busy, or the directory went
				}
				if held.Add(1) != 1 {
					t.Error("two have it")
				}
				got.Add(1)
				held.Add(-1)
				unlock()
			}
		}()
	}
	for range 4 {
		<-done
	}
	if got.Load() < 100 {
		t.Errorf("locked %d times", got.Load())
	}
}
