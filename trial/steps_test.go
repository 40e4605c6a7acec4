package trial

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"
)

// scene is a whole fix on a fake.
type scene struct {
	name string
	make func(t *testing.T) *fake
	o    Options
}

// scenes are the ways of a fix; each is broken at each of its steps.
func scenes() []scene {
	plain := func(t *testing.T) *fake { return newFake(t) }
	file := func(t *testing.T) *fake {
		w := newFake(t)
		w.dropFiles = append(w.dropFiles, sshFile)
		return w
	}
	confirming := func(t *testing.T) *fake {
		w := newFake(t)
		w.during(500*time.Millisecond, func() { w.foreign("dockerd", false, dockerTable) })
		w.during(1500*time.Millisecond, func() {
			w.login = w.now
			_ = w.world().ConfirmNow(t.Context(), "", false, Options{Persist: true})
		})
		return w
	}
	twice := func(t *testing.T) *fake {
		w := baseline(t)
		for _, d := range []time.Duration{time.Second, 4 * time.Second} {
			w.during(d, func() { _ = w.confirm() })
		}
		return w
	}
	return []scene{
		{"confirmed twice", twice, Options{Wait: 3 * time.Second, By: NewSession, Persist: true}},
		{"auto", plain, Options{Wait: 3 * time.Second, By: Auto, Persist: true}},
		{"by a new login", confirming, Options{Wait: 3 * time.Second, By: NewSession, Persist: true}},
		{"not confirmed", plain, Options{Wait: 3 * time.Second, By: NewSession, Persist: true}},
		{"a file", file, Options{Wait: 3 * time.Second, By: Auto, Layer: LayerService}},
		{"a file, not confirmed", file, Options{Wait: 3 * time.Second, By: NewSession, Layer: LayerService}},
	}
}

// steps are the numbers of the steps of a scene when nothing breaks; of those that are repeated while it waits, the first.
func (s *scene) steps(t *testing.T) iter.Seq[int] {
	w := s.make(t)
	_, _, _ = w.fix(s.o)
	if len(w.steps) < 10 {
		t.Fatalf("%s: %d steps", s.name, len(w.steps))
	}
	return func(yield func(int) bool) {
		seen := map[string]int{}
		for i := range w.steps {
			context := strings.Join(w.steps[max(0, i-3):i+1], ", ")
			if seen[context]++; seen[context] < 3 && !yield(i+1) {
				return
			}
		}
	}
}

// known says whether the state tells of a confirmed fix.
func (w *fake) known() bool {
	st := w.onDisk()
	return st != nil && st.Phase == PhaseConfirmed
}

// TestKilledAtEveryStep: at whatever step the program and its helper are killed, nothing that was not confirmed goes on once its time is
// over, status says which of both it is, and one command clears what is left.
func TestKilledAtEveryStep(t *testing.T) {
	for _, s := range scenes() {
		for n := range s.steps(t) {
			w := s.make(t)
			w.kill = n
			if _, err, dead := w.fix(s.o); !dead {
				t.Fatalf("%s: not killed at step %d: %v", s.name, n, err)
			}
			at := fmt.Sprintf("%s, killed at step %d, %s", s.name, n, w.steps[n-1])
			w.later, w.fail = nil, nil
			w.pass(s.o.Wait + time.Hour)
			st, text, err := w.world().Status(t.Context())
			if err != nil || w.closed() != (st != nil && st.Phase == PhaseConfirmed && st.Plan != nil) {
				t.Errorf("%s: closed %v, and status says %s (%v)", at, w.closed(), text, err)
			}
			if w.state != nil || len(w.own) > 0 {
				if err := w.world().TakeOut(t.Context(), false); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
			if w.armed { // the unit at boot does nothing where nothing is on trial, and goes with uninstall
				if err := w.world().Uninstall(t.Context()); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
			w.wantOut(at)
		}
	}
}

// TestHelperClearsWhatWasKilled: the helper alone takes out what is on trial when the program is killed.
func TestHelperClearsWhatWasKilled(t *testing.T) {
	for _, s := range scenes() {
		for n := range s.steps(t) {
			w := s.make(t)
			w.kill = n
			_, _, _ = w.fix(s.o)
			if w.helper == nil {
				continue
			}
			at := fmt.Sprintf("%s, killed at step %d, %s", s.name, n, w.steps[n-1])
			w.later = nil
			if err := w.watch(true); err != nil {
				t.Errorf("%s: %v", at, err)
			}
			if !w.known() && (w.closed() || w.state != nil || len(w.own) > 0 || len(w.files) > 0) {
				t.Errorf("%s: something is left: closed %v, %s", at, w.closed(), w.state)
			}
		}
	}
}

// TestRebootAtEveryStep: after a boot only what was confirmed is there.
func TestRebootAtEveryStep(t *testing.T) {
	for _, s := range scenes() {
		for n := range s.steps(t) {
			w := s.make(t)
			w.kill = n
			_, _, _ = w.fix(s.o)
			at := fmt.Sprintf("%s, rebooted at step %d, %s", s.name, n, w.steps[n-1])
			w.reboot()
			if !w.known() && (w.closed() || len(w.files) > 0) {
				t.Errorf("%s: something is left: closed %v, files %v", at, w.closed(), w.files)
			}
			if w.state != nil && !w.known() {
				if err := w.world().TakeOut(t.Context(), true); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
		}
	}
}

// TestEveryStepCanFail: whichever step fails once, the host is as before and that is said, or the fix is kept; and where neither can be
// told it is unclear, and the state knows of it.
func TestEveryStepCanFail(t *testing.T) {
	for _, s := range scenes() {
		for n := range s.steps(t) {
			w := s.make(t)
			w.fail = func(i int, step string) error {
				if i == n {
					return errors.New("it failed")
				}
				return nil
			}
			_, err, _ := w.fix(s.o)
			at := fmt.Sprintf("%s, step %d, %s", s.name, n, w.steps[n-1])
			switch {
			case err == nil && !w.known():
				t.Errorf("%s: no error, and nothing is kept", at)
			case isRefused(err):
				w.wantOut(at + ": " + err.Error())
			case isUnclear(err):
				if w.state == nil {
					t.Errorf("%s: nobody knows of it: %v", at, err)
				}
			case err != nil && !strings.Contains(err.Error(), "it failed"):
				t.Errorf("%s: %v", at, err)
			case err != nil: // of what was asked, before anything was begun
				w.wantOut(at)
			}
		}
	}
}

// TestEveryStepCanFailForGood: the same where the step goes on failing. What is unclear then ends with the time of the trial, or at boot.
func TestEveryStepCanFailForGood(t *testing.T) {
	for _, s := range scenes() {
		w := s.make(t)
		_, _, _ = w.fix(s.o)
		names := map[string]bool{}
		for _, step := range w.steps {
			names[step] = true
		}
		for name := range names {
			w := s.make(t)
			w.fail = func(_ int, step string) error {
				if step == name {
					return errors.New("it failed")
				}
				return nil
			}
			_, err, _ := w.fix(s.o)
			if isRefused(err) {
				w.wantOut(s.name + ", " + name)
			}
			w.fail, w.later = nil, nil
			if w.pass(s.o.Wait + time.Hour); w.closed() && !w.known() {
				t.Errorf("%s, %s: the drops go on: %v", s.name, name, err)
			}
		}
	}
}
