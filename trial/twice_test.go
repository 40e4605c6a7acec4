package trial

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// baseline is a fake whose fix lets in only what is known.
func baseline(t *testing.T) *fake {
	t.Helper()
	w := newFake(t)
	w.options.Mode = remedy.DefaultDeny
	return w
}

// confirm is what somebody does who logged in just now.
func (w *fake) confirm() error {
	w.login = w.now
	return w.world().ConfirmNow(w.t.Context(), "", false, Options{Persist: true, Suffix: " --root /x"})
}

// confirmIn has somebody confirm a time after now, who must succeed.
func (w *fake) confirmIn(d time.Duration) {
	w.during(d, func() {
		if err := w.confirm(); err != nil {
			w.t.Errorf("confirm after %s: %v", d, err)
		}
	})
}

// TestBaselineIsConfirmedTwice: the first confirmation leaves it on trial for ten minutes more, and says so; the second one, from a login that
// is younger than the first, keeps it.
func TestBaselineIsConfirmedTwice(t *testing.T) {
	w := baseline(t)
	w.confirmIn(100 * time.Second)
	w.during(101*time.Second, func() {
		st := w.onDisk()
		if st.Phase != PhaseTrial || w.persisted != nil || remedy.OnTrial(w.loaded(), st.Trial) != nil {
			t.Errorf("after one confirmation it is %s, loaded at boot %v", st.Phase, w.persisted != nil)
		}
		if left := time.Duration(w.expires - w.now); left < 9*time.Minute || left > secondWait+grace {
			t.Errorf("the drops go on for %s", left)
		}
		text := st.Text(mustHere(w), w.world().command)
		if !strings.Contains(text, "was confirmed once, and goes out in 9m59s without a second confirmation") {
			t.Errorf("status: %s", text)
		}
		if !w.heard("within 10m0s open another NEW login") || !w.heard("ringfence fix confirm "+st.ID+" --root /x") || !w.heard("neighbours") {
			t.Errorf("told: %q", w.said)
		}
		w.wantRefused(w.world().ConfirmNow(t.Context(), "", false, Options{}), "older than the first confirmation")
		if !w.closed() {
			t.Error("a login that is too old took it out")
		}
	})
	w.confirmIn(8 * time.Minute)
	if _, err, _ := w.fix(Options{By: NewSession, Persist: true}); err != nil || w.onDisk().Phase != PhaseConfirmed || w.persisted == nil {
		t.Fatalf("%v", err)
	}
	if w.pass(24 * time.Hour); !w.closed() {
		t.Error("it went out by itself")
	}
	if err := w.watch(true); err != nil || !w.closed() {
		t.Errorf("the helper took it out: %v", err)
	}
}

// TestSecondConfirmationIsMissing: it goes out ten minutes after the first: by who waits, by the helper, by the kernel alone, or with a boot.
func TestSecondConfirmationIsMissing(t *testing.T) {
	w := baseline(t)
	w.confirmIn(10 * time.Second)
	begin := w.now
	_, err, _ := w.fix(Options{By: NewSession, Persist: true})
	w.wantRefused(err, "not confirmed", "taken out again")
	if took := time.Duration(w.now - begin); took < secondWait || took > secondWait+time.Minute {
		t.Errorf("it went out after %s", took)
	}
	w.wantOut("who waits")
	once := func() *fake {
		w := baseline(t)
		w.dieWaiting()
		if err := w.confirm(); err != nil || !w.closed() {
			t.Fatalf("the first: %v", err)
		}
		return w
	}
	w = once()
	begin = w.now
	if err := w.watch(true); err != nil || time.Duration(w.now-begin) < secondWait {
		t.Errorf("the helper: %v after %s", err, time.Duration(w.now-begin))
	}
	w.wantOut("the helper")
	w = once()
	w.helper = nil
	if w.pass(secondWait + grace); w.closed() {
		t.Error("nobody is left, and the drops go on")
	}
	w.wantRefused(w.confirm(), "no trial is waiting")
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("the kernel alone")
	w = once()
	if w.reboot(); w.closed() {
		t.Error("it is loaded after a boot")
	}
	w = once() // it can be kept without any process that waits
	w.helper = nil
	w.pass(9 * time.Minute)
	if err := w.confirm(); err != nil || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("the second: %v", err)
	}
	if w.pass(time.Hour); !w.closed() {
		t.Error("it went out although it was confirmed twice")
	}
}

// TestWhoIsNotAskedTwice: a pipeline, a fix that closes findings alone, and a file.
func TestWhoIsNotAskedTwice(t *testing.T) {
	w := baseline(t)
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil || w.onDisk().Phase != PhaseConfirmed || count(w.steps, "prolong") > 0 {
		t.Errorf("a pipeline: %v", err)
	}
	w = newFake(t)
	w.confirmIn(time.Second)
	if _, err, _ := w.fix(Options{By: NewSession}); err != nil || w.onDisk().Phase != PhaseConfirmed || count(w.steps, "prolong") > 0 {
		t.Errorf("targeted: %v", err)
	}
	if (&State{Phase: PhaseTrial}).AsksAgain() {
		t.Error("a file asks again")
	}
}

// TestConsoleIsAskedTwice: the question is put again, and whoever goes away meanwhile can still confirm from elsewhere.
func TestConsoleIsAskedTwice(t *testing.T) {
	w := baseline(t)
	w.tty, w.answer = true, "keep"
	if _, err, _ := w.fix(Options{By: Console, Persist: true}); err != nil || count(w.steps, "ask keep") != 2 || !w.heard("confirmed once") || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("%v, asked %d times", err, count(w.steps, "ask keep"))
	}
	w = baseline(t)
	w.tty, w.answer = true, "keep"
	once(w, "ask keep", func() { w.at["ask keep"] = func() { w.answer = "no" } })
	_, err, _ := w.fix(Options{By: Console})
	w.wantRefused(err, "not confirmed", "taken out again")
	w.wantOut("no at the second question")
	w = baseline(t)
	w.tty, w.answer = true, "keep"
	once(w, "ask keep", func() { w.at["ask keep"] = func() { panic(killed{}) } })
	if _, _, dead := w.fix(Options{By: Console}); !dead || !w.closed() {
		t.Fatal("it was not killed at the second question")
	}
	w.during(time.Minute, func() {
		if err := w.world().ConfirmNow(t.Context(), "", true, Options{}); err != nil {
			t.Error(err)
		}
	})
	if err := w.watch(true); err != nil || !w.closed() || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("the helper took out what was confirmed once: %v", err)
	}
}

// TestFirstConfirmationAtTheLastMoment: whoever just saw that the time is over, and waits for the lock, goes on waiting.
func TestFirstConfirmationAtTheLastMoment(t *testing.T) {
	w := baseline(t)
	var at []int
	w.during(2*time.Minute-600*time.Millisecond, func() { // the last time that it looks is half a second before the end
		w.at["lock"] = func() {
			w.at["lock"] = nil
			at = append(at, len(w.steps))
			if err := w.confirm(); err != nil {
				t.Error(err)
			}
		}
	})
	w.during(5*time.Minute, func() { _ = w.confirm() })
	if _, err, _ := w.fix(Options{By: NewSession}); err != nil || len(at) != 1 || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("%v, confirmed in between %d times", err, len(at))
	}
	w = baseline(t)
	w.dieWaiting()
	once(w, "lock", func() { // the helper saw that the time is over, and who confirmed in time had the lock before it
		st := w.onDisk()
		st.Confirmed, st.Deadline, w.expires = w.now, w.now+int64(secondWait), w.now+int64(secondWait+grace)
		if err := w.Save(st); err != nil {
			t.Error(err)
		}
	})
	w.during(6*time.Minute, func() {
		if err := w.confirm(); err != nil {
			t.Error(err)
		}
	})
	if err := w.watch(false); err != nil || !w.closed() || w.onDisk() == nil || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("the helper: %v", err)
	}
}

// TestConfirmWantsAnAudit: what was killed before the audit with it was over is not kept by who confirms it: rules, and a file.
func TestConfirmWantsAnAudit(t *testing.T) {
	for name, o := range map[string]Options{"rules": {By: NewSession}, "a file": {By: NewSession, Layer: LayerService}} {
		w := newFake(t)
		w.dropFiles = []dropin.File{sshFile}
		w.at["judge"] = func() { panic(killed{}) }
		if _, _, dead := w.fix(o); !dead || !w.closed() && w.files[sshFile.Path] == "" {
			t.Fatalf("%s: not killed in the audit", name)
		}
		w.at = map[string]func(){}
		w.pass(time.Second)
		w.wantRefused(w.confirm(), "was not audited")
		w.wantOut(name)
	}
}

// TestConfirmProvesAgain: nobody waits any more who would have seen what others loaded. Whoever confirms asks the model of the host as it is.
func TestConfirmProvesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		table ruleset.Table
		want  string // "" keeps it
		seen  int
	}{
		"it no longer closes": {notrack, "what it closes is", 1},
		"it no longer keeps":  {drops, "would stop working", 1},
		"another container":   {dockerTable, "", 1},
	} {
		w := newFake(t)
		w.dieWaiting()
		w.steps = nil
		w.foreign("firewalld", false, c.table)
		err := w.confirm()
		if n := count(w.steps, "see"); n != c.seen || count(w.steps, "proven") != c.seen {
			t.Errorf("%s: seen %d times", name, n)
		}
		if c.want == "" {
			if err != nil || w.onDisk().Phase != PhaseConfirmed {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		w.wantRefused(err, c.want, "taken out again")
		w.wantOut(name)
	}
	w := newFake(t) // nothing changed since the audit
	w.dieWaiting()
	w.steps = nil
	if err := w.confirm(); err != nil || count(w.steps, "proven") > 0 {
		t.Errorf("unchanged: %v, proven %d times", err, count(w.steps, "proven"))
	}
	w = newFake(t)
	w.dieWaiting()
	w.foreign("dockerd", false, dockerTable)
	w.unreadable = true
	w.wantRefused(w.confirm(), "could not be read", "taken out again")
	w.unreadable = false
	w.wantOut("unreadable")
	for _, step := range []string{"see", "proven"} {
		w = newFake(t)
		w.dieWaiting()
		w.foreign("dockerd", false, dockerTable)
		w.fail = func(_ int, s string) error {
			if s == step {
				return errors.New("no evidence")
			}
			return nil
		}
		w.wantRefused(w.confirm(), "no evidence", "taken out again")
		w.fail = nil
		w.wantOut(step)
	}
	w = baseline(t) // before the first confirmation, and before the second
	w.dieWaiting()
	w.foreign("firewalld", false, drops)
	w.wantRefused(w.confirm(), "would stop working")
	w.wantOut("the first")
	w = baseline(t)
	w.others = nil
	w.dieWaiting()
	if err := w.confirm(); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.foreign("firewalld", false, drops)
	w.wantRefused(w.confirm(), "would stop working")
	w.wantOut("the second")
}

// TestAlarm: that a trial could not be taken out is told to everybody, once, by whoever tried: also by the helper, whose output nobody sees.
func TestAlarm(t *testing.T) {
	broken := func(w *fake, steps ...string) {
		w.fail = func(_ int, s string) error {
			if slices.Contains(steps, s) {
				return errors.New("EBUSY\nx")
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		o      Options
		broken []string
		want   string
	}{
		"a trial that fails":   {Options{By: Auto}, []string{"judge", "withdraw"}, "could not be taken out; the kernel stops them"},
		"nobody confirms":      {Options{By: NewSession}, []string{"withdraw"}, "could not be taken out; the kernel stops them"},
		"loading fails":        {Options{By: Auto}, []string{"try", "withdraw"}, "could not be taken out"},
		"no helper":            {Options{By: Auto}, []string{"start helper", "withdraw"}, "could not be taken out"},
		"it cannot be kept":    {Options{By: Auto}, []string{"promote", "withdraw"}, "could not be taken out"},
		"a file":               {Options{By: Auto, Layer: LayerService}, []string{"reload service", "take file back"}, sshFile.Path + " of fix "},
		"a file is not kept":   {Options{By: Auto, Layer: LayerService}, []string{"ask service", "take file back"}, "could not be taken back; the next boot does it"},
		"a file, none answers": {Options{By: NewSession, Layer: LayerService}, []string{"take file back"}, "could not be taken back"},
	} {
		w := newFake(t)
		w.dropFiles = append(w.dropFiles, sshFile)
		broken(w, c.broken...)
		_, err, _ := w.fix(c.o)
		if len(w.alarms) != 1 || !strings.Contains(w.alarms[0], c.want) || !strings.Contains(w.alarms[0], "EBUSY") || strings.Contains(w.alarms[0], "\n") || err == nil {
			t.Errorf("%s: %v, alarms %q", name, err, w.alarms)
		}
	}
	w := newFake(t) // the helper cannot, for a while
	w.dieWaiting()
	broken(w, "withdraw")
	w.during(20*time.Minute, func() { w.fail = nil })
	if err := w.watch(false); err != nil || len(w.alarms) != 1 || !strings.Contains(w.alarms[0], "could not be taken out") {
		t.Errorf("the helper: %v, alarms %q", err, w.alarms)
	}
	if n := count(w.steps, "withdraw"); n > 200 {
		t.Errorf("it tried %d times in 20 minutes", n)
	}
	w.wantOut("the helper, at last")
	w = newFake(t) // for good
	w.dieWaiting()
	broken(w, "withdraw")
	if err := w.watch(false); !isUnclear(err) || len(w.alarms) != 1 {
		t.Errorf("the helper for good: %v, alarms %q", err, w.alarms)
	}
	w = newFake(t) // somebody else has the lock first
	w.dieWaiting()
	w.locked = true
	w.during(3*time.Minute, func() { w.locked = false; broken(w, "withdraw") })
	w.during(30*time.Minute, func() { w.fail = nil })
	if err := w.watch(false); err != nil || len(w.alarms) != 1 {
		t.Errorf("the helper, late: %v, alarms %q", err, w.alarms)
	}
	w = newFake(t) // what can be taken out raises none
	_, err, _ := w.fix(Options{By: NewSession})
	if w.wantRefused(err, "not confirmed"); len(w.alarms) > 0 {
		t.Errorf("alarms %q", w.alarms)
	}
}

// TestOnlyWhatTheTrialMakesWorse: a finding of before that the trial alone keeps is no reason for one that began beside it.
func TestOnlyWhatTheTrialMakesWorse(t *testing.T) {
	w := newFake(t)
	onTrial := func(s *snapshot.Snapshot) bool {
		return slices.ContainsFunc(s.NFTables.Ruleset.Tables, func(t ruleset.Table) bool { return t.Name == trialName })
	}
	loaded := false
	w.found = append(w.found, extra{
		pubCheck,
		finding.Finding{Message: "of before", Severity: "low", Resource: finding.Resource{Key: "old"}},
		func(s *snapshot.Snapshot) bool { return !loaded || onTrial(s) },
	})
	w.since(extra{pubCheck, finding.Finding{Message: name1, Severity: "low", Resource: finding.Resource{Key: "new"}}, nil})
	was := w.at["try"]
	w.at["try"] = func() { loaded = true; was() }
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || !w.closed() {
		t.Errorf("%v", err)
	}
}
