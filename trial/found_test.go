package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/ruleset"
)

// status is what people are told.
func (w *fake) status() string {
	w.t.Helper()
	_, text, err := w.world().Status(w.t.Context())
	if err != nil {
		w.t.Errorf("status: %v", err)
	}
	return text
}

// wantStatus wants status to say this.
func (w *fake) wantStatus(when string, words ...string) {
	w.t.Helper()
	text := w.status()
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("%s: status says %q, not %q", when, text, word)
		}
	}
}

// TestStateIsLost: without a state, or with one that is cut short, the tables say what they are, and every way out works.
func TestStateIsLost(t *testing.T) {
	onTrial := func(t *testing.T) *fake {
		w := newFake(t)
		w.dieWaiting()
		return w
	}
	damage := map[string]func(*fake){
		"lost":           func(w *fake) { w.state = nil },
		"cut short":      func(w *fake) { w.state = w.state[:100] },
		"empty":          func(w *fake) { w.state = []byte{} },
		"something else": func(w *fake) { w.state = []byte("\x00\x00\x00") },
	}
	for name, do := range damage {
		for phase, make := range map[string]func(*testing.T) *fake{"on trial": onTrial, "loaded as confirmed": confirmed} {
			w := make(t)
			id := w.onDisk().ID
			do(w)
			w.wantStatus(name, "rules of fix "+id+" are "+phase, "there is no state", "ringfence fix rollback")
			if st, _, _ := w.world().Status(t.Context()); st == nil || st.ID != id || (st.Phase == PhaseTrial) != (phase == "on trial") {
				t.Errorf("%s, %s: %+v", name, phase, st)
			}
			if err := w.world().TakeOut(t.Context(), false); err != nil {
				t.Errorf("%s, %s: rollback: %v", name, phase, err)
			}
			if w.closed() || len(w.own) > 0 || w.persisted != nil || phase != "on trial" && w.state != nil {
				t.Errorf("%s, %s: something is left: %s", name, phase, w.status())
			}
			w = make(t)
			do(w)
			if err := w.world().Uninstall(t.Context()); err != nil {
				t.Errorf("%s, %s: uninstall: %v", name, phase, err)
			}
			w.wantOut(name + ", " + phase + ", uninstalled")
		}
	}
}

// TestFileWithoutAState: the helper knows the file that is on trial, also once nothing tells of it any more. One that was taken back or kept
// it leaves alone. At boot somebody is told that it cannot be known.
func TestFileWithoutAState(t *testing.T) {
	onTrial := func() *fake {
		w := newFake(t)
		w.dropFiles = []dropin.File{sshFile}
		w.during(10*time.Second, func() { panic(killed{}) })
		if _, _, dead := w.fix(Options{By: NewSession, Layer: LayerService}); !dead || w.files[sshFile.Path] == "" {
			t.Fatal("it was not killed while it waited")
		}
		return w
	}
	for name, c := range map[string]struct {
		do   func(w *fake)
		left bool
	}{
		"lost":      {func(w *fake) { w.state = nil }, false},
		"cut short": {func(w *fake) { w.state = w.state[:100] }, false},
		"kept": {func(w *fake) {
			if err := w.confirm(); err != nil {
				t.Error(err)
			}
		}, true},
		"taken back, and put there by somebody": {func(w *fake) {
			if err := w.world().TakeOut(t.Context(), false); err != nil {
				t.Error(err)
			}
			w.files[sshFile.Path] = "theirs"
		}, true},
	} {
		w := onTrial()
		w.during(20*time.Second, func() { c.do(w) })
		if err := w.watch(false); err != nil || (w.files[sshFile.Path] != "") != c.left || w.armed {
			t.Errorf("%s: %v, files %v, armed %v", name, err, w.files, w.armed)
		}
	}
	w := onTrial() // it cannot be taken back
	w.during(20*time.Second, func() {
		w.state = nil
		w.fail = func(_ int, s string) error {
			if s == "take file back" {
				return errors.New("EROFS")
			}
			return nil
		}
	})
	if err := w.watch(false); err == nil || len(w.alarms) != 1 || !strings.Contains(w.alarms[0], sshFile.Path) {
		t.Errorf("%v, alarms %q", err, w.alarms)
	}
	w = onTrial()
	w.state = w.state[:100]
	if err := w.world().TakeOut(t.Context(), true); !isUnclear(err) || !w.heard("00-ringfence.conf") {
		t.Errorf("at boot: %v", err)
	}
}

// TestTrialWithoutAState: what was confirmed before is not what a rollback of a trial takes out, and its helper does not leave it.
func TestTrialWithoutAState(t *testing.T) {
	second := func() *fake {
		w := confirmed(t)
		w.options.AllowFrom = prefixes("203.0.113.77/32")
		w.dieWaiting()
		w.state = nil
		return w
	}
	w := second()
	first := w.own[0].Comment
	if err := w.world().TakeOut(t.Context(), false); err != nil || len(w.own) != 1 || w.own[0].Comment != first {
		t.Errorf("rollback: %v, %d tables", err, len(w.own))
	}
	w = second()
	if err := w.watch(false); err != nil || len(w.own) != 1 {
		t.Errorf("the helper: %v, %d tables", err, len(w.own))
	}
	w = second() // the next fix does not build on it
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil || len(w.own) != 1 || !w.closed() {
		t.Errorf("the next fix: %v, %d tables", err, len(w.own))
	}
	w = confirmed(t)
	w.state = w.state[:10]
	_, err, _ := w.fix(Options{By: Auto})
	w.wantRefused(err, "ringfence fix rollback")
	w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "ringfence fix rollback")
	w.wantRefused(w.world().LoadAgain(t.Context()), "ringfence fix rollback")
	if !w.closed() {
		t.Error("a refusal took the rules out")
	}
}

// TestKilledBeforeItIsWritten: the kernel has the rules as confirmed ones, and nobody could write so down. They say it themselves.
func TestKilledBeforeItIsWritten(t *testing.T) {
	half := func(w *fake) {
		once(w, "save "+PhaseConfirmed, func() { panic(killed{}) })
		if _, err, dead := w.fix(Options{By: Auto, Persist: true}); !dead {
			t.Fatalf("it was not killed: %v", err)
		}
		if w.onDisk().Phase != PhaseTrial {
			t.Fatal("it is written down")
		}
	}
	w := newFake(t)
	half(w)
	w.wantStatus("killed", "is confirmed", "until the next boot")
	w.pass(time.Hour)
	w.wantStatus("an hour later", "is confirmed")
	if err := w.watch(true); err != nil || !w.closed() || !w.known() {
		t.Errorf("the helper: %v, closed %v, known %v", err, w.closed(), w.known())
	}
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil || w.persisted == nil {
		t.Errorf("applied again: %v, at boot %v", err, w.persisted != nil)
	}
	w = newFake(t)
	half(w)
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("rolled back")

	w = confirmed(t) // on top of another
	first := w.onDisk().ID
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	half(w)
	w.wantStatus("the second", "is confirmed", "until the next boot")
	w.reboot()
	w.wantStatus("booted", "fix "+first+" is confirmed", "also after a boot")
	if _, err := w.world().Verify(t.Context()); err != nil || !w.closed() {
		t.Errorf("booted: %v", err)
	}
	for _, left := range []bool{true, false} { // the trial, then what was confirmed before it
		if err := w.world().TakeOut(t.Context(), false); err != nil || w.closed() != left {
			t.Errorf("rolled back: %v, closed %v", err, w.closed())
		}
	}
	w.wantOut("rolled back after the boot")
}

// TestBootWithoutThePersistedPlan: a fix that was not persisted yet is gone with the boot, and what a boot loads is what it was before: also
// where this program loads it.
func TestBootWithoutThePersistedPlan(t *testing.T) {
	w := confirmed(t)
	first := w.onDisk().ID
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	once(w, "persist", func() { panic(killed{}) })
	if _, err, dead := w.fix(Options{By: Auto, Persist: true}); !dead {
		t.Fatal(err)
	}
	if st := w.onDisk(); st.ID == first || st.Phase != PhaseConfirmed || st.Persisted {
		t.Fatalf("%+v", st)
	}
	plan, id := w.persisted, w.persistedID
	w.persisted = nil // this program loads it, not nft
	w.reboot()
	w.persisted, w.persistedID = plan, id
	if err := w.world().LoadAgain(t.Context()); err != nil || !w.closed() || w.onDisk().ID != first {
		t.Errorf("%v, closed %v", err, w.closed())
	}
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStateIsOld: the state of an earlier fix came back from a backup. What is loaded is told, and goes out.
func TestStateIsOld(t *testing.T) {
	w := confirmed(t)
	old := slices.Clone(w.state)
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil {
		t.Fatal(err)
	}
	id := w.onDisk().ID
	w.state = old
	w.wantStatus("old", "what is loaded are rules of fix "+id)
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("old")
	w = confirmed(t)
	w.own = nil
	w.wantStatus("flushed", "not loaded now", "ringfence fix load")
}

// stranger is a table of somebody else's that has one of our names.
func stranger(name string) ruleset.Table {
	t := chain("", ruleset.Base{Type: "filter", Hook: "input", Policy: "accept"}, ruleset.Rule{})
	t.Name = name
	return t
}

// TestAppliedAgainIsPersisted: what is loaded already is loaded at boot too, if that failed, was not asked for, or was undone; also where
// its state is lost.
func TestAppliedAgainIsPersisted(t *testing.T) {
	full := func(w *fake) {
		w.fail = func(_ int, s string) error {
			if s == "persist" {
				return errors.New("no space left on device")
			}
			return nil
		}
		if _, err, _ := w.fix(Options{By: Auto, Persist: true}); !isUnclear(err) {
			t.Fatal(err)
		}
		if _, err, _ := w.fix(Options{By: Auto, Persist: true}); !isUnclear(err) {
			t.Errorf("still full: %v", err)
		}
		w.fail = nil
	}
	loaded := func(o Options) func(*fake) {
		return func(w *fake) {
			if _, err, _ := w.fix(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, before := range map[string]func(*fake){
		"the disk was full":    full,
		"it was not asked for": loaded(Options{By: Auto}),
		"it was undone": func(w *fake) {
			loaded(Options{By: Auto, Persist: true})(w)
			w.persisted = nil
		},
		"the state is lost": func(w *fake) {
			loaded(Options{By: Auto})(w)
			w.state = nil
		},
	} {
		w := newFake(t)
		before(w)
		w.steps = nil
		id := strings.Fields(w.own[0].Comment)[1]
		if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil || count(w.steps, "try") > 0 || w.persisted == nil {
			t.Errorf("%s: %v, loaded %d times, at boot %v", name, err, count(w.steps, "try"), w.persisted != nil)
		}
		w.wantStatus(name, "is confirmed", "also after a boot")
		if st := w.onDisk(); st == nil || "fix="+st.ID != id || !st.Persisted {
			t.Errorf("%s: the state is of another fix than %s: %+v", name, id, st)
		}
		w.reboot()
		if _, err := w.world().Verify(t.Context()); err != nil || !w.closed() {
			t.Errorf("%s, booted: %v", name, err)
		}
	}
	w := newFake(t)
	loaded(Options{By: Auto})(w)
	loaded(Options{By: Auto, Persist: true, DryRun: true})(w)
	if w.persisted != nil {
		t.Error("a dry run persists")
	}
}

// TestKilledWhileItIsTakenOut: at whatever step a rollback is killed, the next one ends it, and status tells no lie before.
func TestKilledWhileItIsTakenOut(t *testing.T) {
	takeOut := func(w *fake) bool {
		return w.dies(func() {
			if err := w.world().TakeOut(context.WithoutCancel(t.Context()), false); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 1; ; n++ {
		w := confirmed(t)
		w.kill = len(w.steps) + n
		if !takeOut(w) {
			w.wantOut("not killed")
			break
		}
		at := w.steps[len(w.steps)-1]
		if text := w.status(); w.closed() != strings.Contains(text, "is confirmed: 1 rules, also after a boot") || w.closed() == strings.Contains(text, "not loaded") {
			if w.closed() || !strings.Contains(text, "not loaded now") && text != "no fix is loaded" {
				t.Errorf("killed at %s: closed %v, status says %s", at, w.closed(), text)
			}
		}
		if w.state != nil && takeOut(w) {
			t.Fatal("killed twice")
		}
		w.wantOut("killed at " + at)
	}
}

// overAnother kills a second fix at each of its steps, on a host that has one that was confirmed.
func overAnother(t *testing.T, each func(w *fake, first, at string)) {
	second := func(w *fake) { w.options.AllowFrom = prefixes("203.0.113.77/32") }
	for _, s := range []scene{
		{"auto", nil, Options{Wait: 3 * time.Second, By: Auto, Persist: true}},
		{"by a new login", nil, Options{Wait: 3 * time.Second, By: NewSession, Persist: true}},
	} {
		s.make = func(t *testing.T) *fake {
			w := confirmed(t)
			second(w)
			w.steps = nil
			if s.o.By == NewSession {
				w.during(1500*time.Millisecond, func() {
					w.login = w.now
					_ = w.world().ConfirmNow(t.Context(), "", false, Options{Persist: true})
				})
			}
			return w
		}
		for n := range s.steps(t) {
			w := s.make(t)
			first := w.onDisk().ID
			w.kill = n
			if _, err, dead := w.fix(s.o); !dead {
				t.Fatalf("%s: not killed at step %d: %v", s.name, n, err)
			}
			w.later, w.helper = nil, nil
			each(w, first, fmt.Sprintf("%s, killed at step %d, %s", s.name, n, w.steps[n-1]))
		}
	}
}

// TestKilledOverAnother: at whatever step a later fix and its helper are killed, what was confirmed before stays closed, also over a boot,
// until one rollback ends what the later one left, and one more the first.
func TestKilledOverAnother(t *testing.T) {
	overAnother(t, func(w *fake, first, at string) {
		if w.pass(time.Hour); !w.closed() {
			t.Errorf("%s: it is open", at)
		}
		st, text, err := w.world().Status(t.Context())
		later := st != nil && st.Phase == PhaseConfirmed && st.ID != first
		if err != nil || st == nil || later != (len(w.own) == 1 && strings.Contains(w.own[0].Comment, st.ID) && st.ID != first) {
			t.Errorf("%s: status says %s (%v)", at, text, err)
		}
		trying := st != nil && st.Phase == PhaseTrial
		if err := w.world().TakeOut(t.Context(), false); err != nil || w.closed() != trying || trying && w.onDisk().ID != first {
			t.Errorf("%s: rolled back: %v, closed %v", at, err, w.closed())
		}
		if trying {
			if err := w.world().TakeOut(t.Context(), false); err != nil {
				t.Errorf("%s: the first: %v", at, err)
			}
		}
		w.wantOut(at)
	})
}

// TestBootOverAnother: a boot at whatever step of a later fix loads one of the two, verify is content with it, and one rollback or two take
// everything out.
func TestBootOverAnother(t *testing.T) {
	for _, program := range []bool{false, true} { // what a boot runs is nft, or this program
		overAnother(t, func(w *fake, first, at string) {
			plan, id := w.persisted, w.persistedID
			if w.loads = program; program {
				w.persisted = nil
			}
			w.reboot()
			w.persisted, w.persistedID = plan, id
			if program {
				if err := w.world().LoadAgain(t.Context()); err != nil {
					t.Errorf("%s: at boot: %v", at, err)
				}
			}
			if _, err := w.world().Verify(t.Context()); err != nil || !w.closed() {
				t.Errorf("%s: closed %v, verify: %v", at, w.closed(), err)
			}
			w.wantStatus(at, "is confirmed", "also after a boot")
			for range 2 {
				if w.state != nil {
					if err := w.world().TakeOut(t.Context(), false); err != nil {
						t.Errorf("%s: %v", at, err)
					}
				}
			}
			w.wantOut(at)
		})
	}
}

// TestRehearsalFails: what the next boot loads stays what it was before.
func TestRehearsalFails(t *testing.T) {
	w := confirmed(t)
	first := w.persistedID
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	w.fail = func(_ int, s string) error {
		if s == "rehearse" {
			return errors.New("nft makes another table of it")
		}
		return nil
	}
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); !isUnclear(err) || w.persistedID != first {
		t.Errorf("%v, a boot loads %s", err, w.persistedID)
	}
	w.wantStatus("not persisted", "until the next boot")
	w.fail = nil
	w.reboot()
	w.wantStatus("booted", "fix "+first+" is confirmed", "also after a boot")
}

// TestNamespaceIsGone: the network namespace that a fix was made in is gone with its container. That is like a boot: nobody has to go there.
func TestNamespaceIsGone(t *testing.T) {
	moved := func(w *fake) {
		st := w.onDisk()
		st.Netns = "net:[3]"
		if err := w.Save(st); err != nil {
			t.Fatal(err)
		}
		w.own = nil
	}
	w := confirmed(t)
	moved(w)
	w.wantStatus("gone", "is confirmed", "not loaded now")
	if err := w.world().LoadAgain(t.Context()); err != nil || !w.closed() {
		t.Errorf("loaded again: %v", err)
	}
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("gone")
	w = newFake(t)
	w.dieWaiting()
	moved(w)
	w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "no trial is waiting")
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || !w.closed() {
		t.Errorf("the next fix: %v", err)
	}
}

// TestCommandsAreWhole: what people are told to type has the program and what it ends with.
func TestCommandsAreWhole(t *testing.T) {
	w := confirmed(t)
	w.own = nil
	world := w.world()
	world.Program, world.Suffix = "/opt/ringfence", " --root /x"
	_, text, err := world.Status(t.Context())
	if err != nil || !strings.Contains(text, "/opt/ringfence fix load --root /x") {
		t.Errorf("%q %v", text, err)
	}
	if _, err := world.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "/opt/ringfence fix load --root /x") {
		t.Error(err)
	}
	w.state = []byte("{")
	if err := world.LoadAgain(t.Context()); err == nil || !strings.Contains(err.Error(), "/opt/ringfence fix rollback --root /x") {
		t.Error(err)
	}
}
