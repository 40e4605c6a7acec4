package trial

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// TestTableOfSomebodyElse: a table of our name that bears no mark of ours is asked about, and never replaced or removed unasked.
func TestTableOfSomebodyElse(t *testing.T) {
	for _, name := range []string{remedy.Table, trialName} {
		there := func(w *fake) bool {
			return slices.ContainsFunc(w.own, func(t ruleset.Table) bool { return t.Name == name && t.Comment == "" })
		}
		w := newFake(t)
		w.own = []ruleset.Table{stranger(name)}
		w.wantStatus(name, "no fix is loaded", "table inet "+name+" is somebody else's")
		_, err, _ := w.fix(Options{By: Auto})
		w.wantRefused(err, "table inet "+name+" is somebody else's")
		w.wantRefused(w.world().TakeOut(t.Context(), false), "no fix to take out")
		if err := w.world().Uninstall(t.Context()); err != nil {
			t.Error(err)
		}
		if !there(w) || count(w.steps, "try") > 0 {
			t.Errorf("%s: it was replaced or removed", name)
		}
		w.tty, w.answer = true, "no"
		if err := w.world().Uninstall(t.Context()); err != nil || !there(w) {
			t.Errorf("%s: not asked for: %v", name, err)
		}
		w.answer = "yes"
		if err := w.world().Uninstall(t.Context()); err != nil || there(w) {
			t.Errorf("%s: asked for: %v", name, err)
		}
		w = confirmed(t) // it came after ours
		w.own = append(without(w.own, name), stranger(name))
		if err := w.world().TakeOut(t.Context(), false); err != nil || !there(w) || len(w.own) != 1 {
			t.Errorf("%s: beside ours: %v, %d tables", name, err, len(w.own))
		}
		w = confirmed(t)
		w.own = []ruleset.Table{stranger(name)}
		w.wantRefused(w.world().LoadAgain(t.Context()), "somebody else's")
		if !there(w) {
			t.Errorf("%s: replaced by what was confirmed", name)
		}
	}
	w := newFake(t)
	w.own = []ruleset.Table{stranger(remedy.Table)}
	w.tty, w.answer = true, "yes"
	w.at["ask keep"] = func() { w.answer = "keep" }
	if _, err, _ := w.fix(Options{By: Console}); err != nil || !w.closed() || len(w.own) != 1 || w.own[0].Comment == "" {
		t.Errorf("asked for: %v", err)
	}
}

// TestStrangerComesMeanwhile: a table of our name that somebody loads while a fix is planned, or on trial, is not replaced.
func TestStrangerComesMeanwhile(t *testing.T) {
	for _, step := range []string{"start helper", "listen", "ask keep"} {
		w := newFake(t)
		w.tty, w.answer = true, "keep"
		once(w, step, func() { w.commit(append(slices.Clone(w.own), stranger(remedy.Table))) })
		o := Options{By: Console, Persist: true}
		if step == "listen" {
			o.By = NewSession
			w.during(10*time.Second, func() {
				w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "table inet ringfence is somebody else's")
			})
		}
		_, err, _ := w.fix(o)
		if !isRefused(err) || len(w.own) != 1 || w.own[0].Comment != "" || w.state != nil {
			t.Errorf("%s: %v, %d tables", step, err, len(w.own))
		}
	}
	w := confirmed(t) // nor by what was confirmed before, which comes back
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	theirs := stranger(remedy.Table)
	theirs.Family = "bridge"
	once(w, "save "+PhaseConfirmed, func() { w.own = append(w.own, theirs) })
	w.fail = func(_ int, s string) error {
		if s == "save "+PhaseConfirmed {
			return errors.New("no space left on device")
		}
		return nil
	}
	if _, err, _ := w.fix(Options{By: Auto}); !isUnclear(err) || !slices.ContainsFunc(w.own, func(t ruleset.Table) bool { return t.Family == "bridge" }) {
		t.Errorf("coming back: %v, %d tables", err, len(w.own))
	}
	if len(w.alarms) != 1 || !strings.Contains(w.alarms[0], "do not stop by themselves") || strings.Contains(w.alarms[0], "the kernel stops") {
		t.Errorf("alarms %q", w.alarms)
	}
	w = newFake(t) // a dry run tells of it
	w.own = []ruleset.Table{stranger(remedy.Table)}
	if _, err, _ := w.fix(Options{By: Auto, DryRun: true}); err != nil || !w.heard("is somebody else's") {
		t.Errorf("a dry run: %v", err)
	}
}

// TestWhoseTablesCannotBeTold: without knowing whose they are no lasting table is removed; what is on trial goes.
func TestWhoseTablesCannotBeTold(t *testing.T) {
	unread := func(w *fake) {
		w.fail = func(_ int, s string) error {
			if s == "read ruleset" {
				return errors.New("interrupted")
			}
			return nil
		}
	}
	w := confirmed(t)
	unread(w)
	if err := w.world().TakeOut(t.Context(), false); !isUnclear(err) || !w.closed() || w.state == nil {
		t.Errorf("confirmed: %v", err)
	}
	w.wantStatus("unread", "is confirmed", "what is loaded could not be read")
	w.fail = nil
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("read")
	w = newFake(t)
	w.dieWaiting()
	unread(w)
	_ = w.world().TakeOut(t.Context(), false)
	if w.closed() {
		t.Error("the trial stays")
	}
}

// TestNoFixIsNoGuess: without a state, and where what is loaded cannot be read, status does not say that there is none.
func TestNoFixIsNoGuess(t *testing.T) {
	w := newFake(t)
	w.wantStatus("nothing", "no fix is loaded")
	w.fail = func(_ int, s string) error {
		if s == "read ruleset" {
			return errors.New("operation not permitted")
		}
		return nil
	}
	if _, text, err := w.world().Status(t.Context()); !isUnclear(err) || text != "" || !strings.Contains(err.Error(), "whether one is loaded is not known") {
		t.Errorf("%q %v", text, err)
	}
}
