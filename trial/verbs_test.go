package trial

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
)

// confirmed is a fake with a fix that was confirmed.
func confirmed(t *testing.T) *fake {
	t.Helper()
	w := newFake(t)
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestText: what status says, of each phase.
func TestText(t *testing.T) {
	here := Moment{"b", "n", int64(time.Minute)}
	on := func(phase, boot string) *State {
		return &State{ID: "a1", Phase: phase, BootID: boot, Netns: "n", Deadline: int64(90 * time.Second), Plan: &remedy.Plan{Rules: make([]remedy.Rule, 2)}}
	}
	kept := on(PhaseConfirmed, "b")
	kept.Persisted, kept.Files = true, []dropin.Applied{{File: sshFile}}
	for want, st := range map[string]*State{
		"no fix is loaded": nil,
		"fix a1 is on trial for another 30s: 2 rules; keep it with ringfence fix confirm":                                       on(PhaseTrial, "b"),
		"fix a1 was not confirmed in time; ringfence fix rollback clears what is left of it":                                    on(PhaseTrial, "another"),
		"fix a1 is confirmed: 2 rules, until the next boot":                                                                     on(PhaseConfirmed, "b"),
		"fix a1 is confirmed: 2 rules, file /etc/ssh/sshd_config.d/00-ringfence.conf, also after a boot":                        kept,
		"fix a1 is confirmed: file /etc/ssh/sshd_config.d/00-ringfence.conf, also after a boot":                                 {ID: "a1", Phase: PhaseConfirmed, Files: kept.Files},
		"fix a1 is on trial for another 30s: file /etc/ssh/sshd_config.d/00-ringfence.conf; keep it with ringfence fix confirm": {ID: "a1", Phase: PhaseTrial, BootID: "b", Netns: "n", Deadline: int64(90 * time.Second), File: &dropin.Applied{File: sshFile}},
	} {
		if got := st.Text(here, new(World).command); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// TestStateOfEarlierVersions: what earlier programs wrote is read, with the names of the fields that it had.
func TestStateOfEarlierVersions(t *testing.T) {
	const old = `{"id":"0badcafe","phase":"trial","bootId":"b","netns":"net:[1]","applied":5,"deadline":9,"persisted":false,
 "file":{"id":"0badcafe","file":{"service":"sshd","path":"/etc/x","content":"y","want":{"A":"b"},"reload":"r","inverse":"i","disruption":"none","closes":["c"],"pids":[7]},"old":"z","values":{"k":"v"}},
 "before":{"id":"1","phase":"confirmed","bootId":"b","netns":"net:[1]","applied":1,"deadline":2,"persisted":true,
  "plan":{"schema":"ringfence.plan/v1","mode":"targeted","drain":false,"rules":[{"chain":"prerouting","iif":"e","proto":"tcp","port":22,"closes":"c","comment":"d"}],"closes":[],"manual":[],"files":[],"keeps":[],"ruleset":"r","diff":"","inverse":"i","disruption":"none","warnings":[]},
  "trial":[],"lasting":[],"booted":[],"evidence":["e"]}}`
	st := new(State)
	if err := json.Unmarshal([]byte(old), st); err != nil {
		t.Fatal(err)
	}
	if st.ID != "0badcafe" || st.Phase != PhaseTrial || st.Applied != 5 || st.Deadline != 9 || st.File == nil || *st.File.Old != "z" ||
		st.File.File.PIDs[0] != 7 || st.File.Values["k"] != "v" || st.Before == nil || !st.Before.Persisted || st.Before.Plan.Rules[0].Port != 22 {
		t.Errorf("%+v", st)
	}
	b, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var again, was map[string]any
	if err := errors.Join(json.Unmarshal(b, &again), json.Unmarshal([]byte(old), &was)); err != nil {
		t.Fatal(err)
	}
	for name := range was {
		if _, ok := again[name]; !ok {
			t.Errorf("%s is no longer written", name)
		}
	}
}

// TestTakeOut: each phase, and none.
func TestTakeOut(t *testing.T) {
	w := newFake(t)
	w.wantRefused(w.world().TakeOut(t.Context(), false), "no fix to take out")
	w = confirmed(t)
	if err := w.world().TakeOut(t.Context(), true); err != nil || !w.closed() {
		t.Errorf("only what is on trial: %v", err)
	}
	w.fail = func(_ int, s string) error {
		if s == "remove" {
			return errors.New("EPERM")
		}
		return nil
	}
	if err := w.world().TakeOut(t.Context(), false); !isUnclear(err) || w.state == nil {
		t.Errorf("it cannot be removed: %v", err)
	}
	w.fail = nil
	if err := w.world().TakeOut(t.Context(), false); err != nil || !w.heard("was taken out") {
		t.Error(err)
	}
	w.wantOut("confirmed")
	w = confirmed(t)
	if err := w.world().Uninstall(t.Context()); err != nil || count(w.steps, "clear") != 1 {
		t.Error(err)
	}
	w.wantOut("uninstalled")
}

// TestVerbWaitsForTheLock: a fix that was just loaded is still being audited.
func TestVerbWaitsForTheLock(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	w.locked = true
	w.during(3*time.Second, func() { w.locked = false })
	if err := w.world().ConfirmNow(t.Context(), "", true, Options{}); err != nil || !w.closed() {
		t.Errorf("%v", err)
	}
	w.locked = true
	w.wantRefused(w.world().TakeOut(t.Context(), false), "another fix is at work")
}

// TestLoadAgainWithoutAFix: nothing is loaded that was not confirmed.
func TestLoadAgainWithoutAFix(t *testing.T) {
	w := newFake(t)
	w.wantRefused(w.world().LoadAgain(t.Context()), "there is no confirmed fix")
	w.dieWaiting()
	w.wantRefused(w.world().LoadAgain(t.Context()), "the last fix is not confirmed")
	w.reboot()
	w.wantRefused(w.world().LoadAgain(t.Context()), "the last fix is not confirmed")
	if w.closed() {
		t.Error("a trial was loaded at boot")
	}
}

// TestNobodyAnswers: without a terminal nothing is begun, and without a yes nothing is loaded, or kept.
func TestNobodyAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		by, answer string
		tty        bool
		want       string
	}{
		"no terminal":        {"", "", false, "no terminal to confirm on"},
		"not loaded":         {"", "no", true, "not loaded"},
		"silence":            {"", "", true, "not loaded"},
		"loaded, not kept":   {Console, "no", true, "not confirmed"},
		"silence, not kept":  {Console, "", true, "not confirmed"},
		"loaded, nobody new": {"", "yes", true, "not confirmed"},
	} {
		w := newFake(t)
		w.tty, w.answer = c.tty, c.answer
		_, err, _ := w.fix(Options{By: c.by})
		if w.wantRefused(err, c.want); err == nil {
			t.Errorf("%s: it was kept", name)
		}
		w.wantOut(name)
	}
}

// TestInterrupted: a signal ends the wait, and takes the trial out although its context is over.
func TestInterrupted(t *testing.T) {
	for _, by := range []string{NewSession, Console, Auto} {
		w := newFake(t)
		w.tty = true
		ctx, stop := context.WithCancel(t.Context())
		w.during(5*time.Second, stop)
		if by == Auto {
			w.at["judge"] = stop
		}
		x := &Fix{World: w.world(), Options: Options{By: by, Wait: time.Minute}, Snapshot: w.seen(), Before: w.report(w.seen())}
		_, err := x.Run(ctx)
		w.wantRefused(err, "taken out again")
		w.wantOut(by)
	}
	w := newFake(t)
	w.dropFiles = []dropin.File{sshFile}
	ctx, stop := context.WithCancel(t.Context())
	w.during(5*time.Second, stop)
	x := &Fix{World: w.world(), Options: Options{By: NewSession, Layer: LayerService, Wait: time.Minute}, Snapshot: w.seen(), Before: w.report(w.seen())}
	_, err := x.Run(ctx)
	w.wantRefused(err, "interrupted", "as before")
	w.wantOut("a file")
}

// TestConfirmComparesTheTrial: nobody waits any more, and somebody changed the rules on trial.
func TestConfirmComparesTheTrial(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	w.own[0].Chains[0].Rules = w.own[0].Chains[0].Rules[1:]
	w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "the trial was changed", "taken out again")
	w.wantOut("changed")
}

// TestNextFixClearsATrialFirst: what was confirmed before a trial that nobody ended is what the next trial goes back to.
func TestNextFixClearsATrialFirst(t *testing.T) {
	w := confirmed(t)
	first := w.onDisk().ID
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	w.dieWaiting()
	w.pass(time.Hour)
	w.dieWaiting()
	if err := w.world().TakeOut(t.Context(), false); err != nil || w.onDisk() == nil || w.onDisk().ID != first || !w.closed() {
		t.Errorf("%v: %s", err, w.state)
	}
}

// TestNothingGoesBackToATrial: what a trial goes back to was confirmed.
func TestNothingGoesBackToATrial(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	plan, err := w.Plan(t.Context(), w.seen())
	if err != nil {
		t.Fatal(err)
	}
	proof, err := w.Prove(t.Context(), plan, w.seen())
	if err != nil {
		t.Fatal(err)
	}
	if st, err := w.world().Begin(proof, &Options{Wait: time.Minute}); err != nil || st.Before != nil {
		t.Errorf("%v, it would go back to something: %v", err, st.Before != nil)
	}
}

// TestHelperEndsWithTheProgram: a trial that only this program could confirm does not outlive it.
func TestHelperEndsWithTheProgram(t *testing.T) {
	w := newFake(t)
	w.tty, w.answer = true, "keep"
	w.at["ask keep"] = func() { panic(killed{}) }
	if _, _, dead := w.fix(Options{By: Console}); !dead || !w.closed() {
		t.Fatal("it was not killed")
	}
	begin := w.now
	if err := w.watch(true); err != nil || w.now-begin > int64(time.Second) {
		t.Errorf("%v after %s", err, time.Duration(w.now-begin))
	}
	w.wantOut("the program is gone")
}

// TestNothingToDo: a dry run changes nothing; what is loaded already is not loaded again; and without findings there is nothing to load.
func TestNothingToDo(t *testing.T) {
	w := newFake(t)
	if report, err, _ := w.fix(Options{By: Auto, DryRun: true}); err != nil || report.Worst() != "critical" || count(w.steps, "save "+PhaseTrial) > 0 || count(w.steps, "ready") > 0 {
		t.Errorf("dry run: %v", err)
	}
	w.wantOut("dry run")
	w = confirmed(t)
	w.steps = nil
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || !w.heard("it is loaded already") || count(w.steps, "try") > 0 {
		t.Errorf("twice: %v", err)
	}
	if w.pass(time.Hour); !w.closed() {
		t.Error("the second run took the first out")
	}
}

// TestHelperWithoutAState: a state that nobody can read is one that nobody can confirm.
func TestHelperWithoutAState(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	w.fail = func(_ int, s string) error {
		if s == "load state" {
			return errors.New("input/output error")
		}
		return nil
	}
	if err := w.watch(false); err != nil || w.closed() || len(w.own) > 0 {
		t.Errorf("%v, closed %v", err, w.closed())
	}
}

// TestInitThatIsNotSystemd: people are told which file to load.
func TestInitThatIsNotSystemd(t *testing.T) {
	w := newFake(t)
	w.byHand = "/etc/ringfence/ringfence.nft"
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil || !w.heard("have yours load /etc/ringfence/ringfence.nft") || w.onDisk().Persisted {
		t.Errorf("%v", err)
	}
}

// TestServicesOneByOne: a file that does not do is taken back, what is by hand is told, and the report is about the host at the end.
func TestServicesOneByOne(t *testing.T) {
	w := newFake(t)
	hand := sshFile
	hand.Path, hand.ByHand = "/etc/docker/daemon.json", "it is the administrator's"
	w.dropFiles = []dropin.File{hand, sshFile}
	report, err, _ := w.fix(Options{Layer: LayerService, By: Auto})
	if err != nil || w.files[sshFile.Path] == "" || len(w.files) != 1 || w.armed || !w.heard("by hand: it is the administrator's") {
		t.Fatalf("%v %v", err, w.files)
	}
	if len(report.Results[4].Findings) > 0 {
		t.Error("the report is about the host before")
	}
	st := w.onDisk()
	if st.Phase != PhaseConfirmed || len(st.Files) != 1 || st.File != nil {
		t.Errorf("%+v", st)
	}
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || len(w.onDisk().Files) != 1 {
		t.Errorf("a firewall's fix after it: %v, %d files", err, len(w.onDisk().Files))
	}
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("all taken out")

	w = newFake(t) // it is confirmed by a new login
	w.dropFiles = []dropin.File{sshFile}
	w.during(time.Second, func() {
		w.login = w.now
		if err := w.world().ConfirmNow(t.Context(), "", false, Options{}); err != nil {
			t.Error(err)
		}
	})
	if _, err, _ := w.fix(Options{Layer: LayerService, By: NewSession}); err != nil || w.files[sshFile.Path] == "" || w.armed {
		t.Errorf("%v", err)
	}
	w = newFake(t) // it makes the host worse, in what it is about
	w.dropFiles = []dropin.File{sshFile}
	w.at["place file"] = func() { w.found = append(w.found, failingSSH) }
	_, err, _ = w.fix(Options{Layer: LayerService, By: Auto})
	w.wantRefused(err, "not put in place")
	if !w.heard("the audit is worse after the fix: passwords") {
		t.Errorf("%q", w.said)
	}
	w.wantOut("worse")
	w = newFake(t) // a container started meanwhile
	w.dropFiles = []dropin.File{sshFile}
	other := failingSSH
	other.check = otherCheck
	w.at["place file"] = func() { w.found = append(w.found, other) }
	if _, err, _ = w.fix(Options{Layer: LayerService, By: Auto}); err != nil {
		t.Error(err)
	}
}

// failingSSH is a finding of a check that reads what a file of sshd changes.
var failingSSH = extra{sshCheck, finding.Finding{Message: "passwords", Severity: "low", Resource: finding.Resource{Key: "p"}}, nil}
