package trial

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// The tests of this file are the rows of the table of failures (docs/architecture.md), each by its name.

// wantOut wants the host to be as it was before the fix.
func (w *fake) wantOut(when string) {
	w.t.Helper()
	if w.closed() || len(w.own) > 0 || w.state != nil || w.armed || w.persisted != nil || len(w.files) > 0 {
		w.t.Errorf("%s: something is left: closed %v, tables %d, state %s, armed %v, persisted %v, files %v",
			when, w.closed(), len(w.own), w.state, w.armed, w.persisted != nil, w.files)
	}
}

// wantRefused wants a fix to be refused with these words.
func (w *fake) wantRefused(err error, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !isRefused(err) || !strings.Contains(err.Error(), word) {
			w.t.Errorf("want it refused with %q, got %v", word, err)
		}
	}
}

// dieWaiting has the program be killed while it waits for a new login.
func (w *fake) dieWaiting() {
	w.t.Helper()
	w.during(10*time.Second, func() { panic(killed{}) })
	if _, err, dead := w.fix(Options{By: NewSession, Persist: true}); !dead || !w.closed() {
		w.t.Fatalf("it was not killed while it waited: %v", err)
	}
}

// TestSessionLost: the terminal is closed and takes the program with it. The trial goes on, and who logs in anew confirms it.
func TestSessionLost(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	old := w.now - int64(time.Hour)
	w.login = old
	confirm := func() error { return w.world().ConfirmNow(t.Context(), "", false, Options{Persist: true}) }
	w.wantRefused(confirm(), "older than the fix")
	w.login = 0
	w.wantRefused(confirm(), "belongs to no login")
	w.login = w.now
	w.wantRefused(w.world().ConfirmNow(t.Context(), "another", false, Options{}), "not another")
	if err := confirm(); err != nil || !w.closed() || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("a new login: %v", err)
	}
	if err := w.watch(true); err != nil || !w.closed() {
		t.Errorf("the helper took out what was confirmed: %v", err)
	}
	w = newFake(t) // nobody comes back: the helper
	w.dieWaiting()
	if err := w.watch(true); err != nil {
		t.Error(err)
	}
	w.wantOut("the helper alone")
}

// TestConfirmationLooks: a ruleset and a network that are as they were audited need no more of the host to be seen.
func TestConfirmationLooks(t *testing.T) {
	for _, changed := range []bool{false, true} {
		w := newFake(t)
		w.dieWaiting()
		if w.steps = nil; changed {
			w.host.Network.Links = slices.Concat(w.host.Network.Links, []snapshot.Link{{Name: "veth9", Index: 99}})
		}
		if err := w.world().ConfirmNow(t.Context(), "", true, Options{}); err != nil {
			t.Fatal(err)
		}
		if parts, whole := count(w.steps, "see network nftables"), count(w.steps, "see"); parts != 1 || whole > 0 != changed {
			t.Errorf("changed %v: parts were seen %d times, the whole %d times", changed, parts, whole)
		}
	}
}

// TestEverythingKilled: no process of ours is left. The kernel stops the drops by itself, and the next run clears what is left.
func TestEverythingKilled(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	w.helper = nil
	w.pass(2*time.Minute + grace)
	if w.closed() {
		t.Error("nobody is left, and the port is still closed")
	}
	if got := w.onDisk().Text(mustHere(w), w.world().command); !strings.Contains(got, "was not confirmed in time") {
		t.Errorf("status: %s", got)
	}
	w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "no trial is waiting")
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || !w.closed() {
		t.Errorf("the next fix: %v", err)
	}
	w = newFake(t)
	w.dieWaiting()
	w.pass(time.Hour)
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("taken out later")
}

func mustHere(w *fake) Moment {
	here, _ := w.Here()
	return here
}

// TestRebootWhilePending: nothing of a trial is loaded at boot, its state belongs to no boot any more, and a file is taken back by
// the unit that was armed before it was put in place.
func TestRebootWhilePending(t *testing.T) {
	w := newFake(t)
	w.dieWaiting()
	w.reboot()
	if w.closed() {
		t.Error("the trial is loaded after a boot")
	}
	if _, pending := w.onDisk().Pending(mustHere(w)); pending {
		t.Error("a trial of another boot is pending")
	}
	w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "no trial is waiting")
	if err := w.world().TakeOut(t.Context(), true); err != nil {
		t.Error(err)
	}
	w.wantOut("after the boot")

	w = newFake(t)
	w.dropFiles = append(w.dropFiles, sshFile)
	w.effect[sshFile.Path] = ""
	w.during(10*time.Second, func() { panic(killed{}) })
	if _, err, dead := w.fix(Options{Layer: LayerService, By: NewSession}); !dead || w.files[sshFile.Path] == "" || !w.armed {
		t.Fatalf("the file is not on trial: %v", err)
	}
	w.reboot()
	w.wantOut("a file after the boot")
}

// TestConfirmedSurvivesASecondTrial: what was confirmed before is loaded again after a boot that ended a later trial, and is what a
// rollback of that leaves.
func TestConfirmedSurvivesASecondTrial(t *testing.T) {
	w := newFake(t)
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil {
		t.Fatal(err)
	}
	first := w.onDisk().ID
	w.options.AllowFrom = prefixes("203.0.113.77/32")
	w.dieWaiting()
	w.persisted = nil // this program loads it, not nft
	w.reboot()
	if err := w.world().LoadAgain(t.Context()); err != nil || !w.closed() || w.onDisk().ID != first {
		t.Errorf("at boot: %v, closed %v", err, w.closed())
	}
	w.dieWaiting()
	if err := w.world().TakeOut(t.Context(), false); err != nil || !w.closed() || w.onDisk().ID != first {
		t.Errorf("rolled back: %v, closed %v", err, w.closed())
	}
}

// TestAuditCannotRun: without an audit the fix is not kept.
func TestAuditCannotRun(t *testing.T) {
	for _, step := range []string{"see", "judge"} {
		w := newFake(t)
		w.fail = func(_ int, s string) error {
			if s == step {
				return errors.New("no evidence")
			}
			return nil
		}
		_, err, _ := w.fix(Options{By: Auto})
		w.wantRefused(err, "no evidence", "taken out again")
		w.wantOut(step)
	}
	w := newFake(t) // an audit that can judge less
	w.at["try"] = func() { w.unknown(apiCheck) }
	_, err, _ := w.fix(Options{By: Auto})
	w.wantRefused(err, "incomplete", apiCheck)
	w.wantOut("incomplete")
	w = newFake(t) // in what the fix is not about
	w.at["try"] = func() { w.unknown(otherCheck) }
	if _, err, _ := w.fix(Options{By: Auto}); err != nil {
		t.Errorf("a process ended while it was read: %v", err)
	}
	w = newFake(t)
	once(w, "try", func() { w.unreadable = true })
	_, err, _ = w.fix(Options{By: Auto})
	w.wantRefused(err, "could not be read back")
	w.unreadable = false
	w.wantOut("unreadable")
}

// TestFindingStaysOpen: the rules are there, and the audit still finds what they are about.
func TestFindingStaysOpen(t *testing.T) {
	w := newFake(t)
	w.found = []extra{{apiCheck, finding.Finding{Message: "by a proxy", Severity: "critical"}, func(*snapshot.Snapshot) bool { return w.closed() }}}
	_, err, _ := w.fix(Options{By: Auto})
	w.wantRefused(err, "is still open after the fix: the API is open")
	w.wantOut("still open")
	w = newFake(t) // what is left is open to the host's own processes alone
	w.found = []extra{{apiCheck, finding.Finding{Message: "by local processes", Severity: "high"}, func(*snapshot.Snapshot) bool { return w.closed() }}}
	if _, err, _ := w.fix(Options{By: Auto}); err != nil {
		t.Errorf("less severe: %v", err)
	}
}

// TestLoadingHangs: the helper is there before anything is loaded, and the drops end with the time that was given, however long loading takes.
func TestLoadingHangs(t *testing.T) {
	w := newFake(t)
	w.at["try"] = func() { w.pass(10 * time.Minute) }
	_, err, _ := w.fix(Options{By: NewSession})
	w.wantRefused(err, "not confirmed")
	w.wantOut("it hung")
	if h, l := slices.Index(w.steps, "start helper"), slices.Index(w.steps, "try"); h < 0 || h > l || slices.Index(w.steps, "save "+PhaseTrial) > h {
		t.Errorf("the order is %v", w.steps)
	}
	w = newFake(t)
	w.at["start helper"] = func() { w.now += int64(time.Minute) } // of two
	w.at["listen"] = func() { panic(killed{}) }
	if _, _, dead := w.fix(Options{By: NewSession}); !dead {
		t.Error("it was not killed")
	}
	if left := time.Duration(w.expires - w.now); left > time.Minute+grace {
		t.Errorf("the drops go on for %s", left)
	}
}

// TestRollbackFails: it is tried again, then switched off, and told loudly. The kernel stops the drops in any case.
func TestRollbackFails(t *testing.T) {
	broken := func(w *fake, steps ...string) {
		w.fail = func(_ int, s string) error {
			if slices.Contains(steps, s) || s == "judge" {
				return errors.New("EBUSY")
			}
			return nil
		}
	}
	w := newFake(t)
	broken(w, "withdraw")
	_, err, _ := w.fix(Options{By: Auto})
	if !isUnclear(err) || !strings.Contains(err.Error(), "switched off") || w.closed() || count(w.steps, "withdraw") != 3 {
		t.Errorf("%v, closed %v, %d times", err, w.closed(), count(w.steps, "withdraw"))
	}
	if st := w.onDisk(); st == nil || st.Phase != PhaseTrial {
		t.Error("nobody knows of what is left")
	}
	w.fail = nil
	if err := w.world().TakeOut(t.Context(), false); err != nil {
		t.Error(err)
	}
	w.wantOut("at last")

	w = newFake(t)
	broken(w, "withdraw", "silence")
	if _, err, _ = w.fix(Options{By: Auto}); !isUnclear(err) || !w.closed() {
		t.Errorf("%v", err)
	}
	if w.pass(2*time.Minute + grace); w.closed() {
		t.Error("the drops go on")
	}
	w = newFake(t)
	n := 0
	w.fail = func(_ int, s string) error {
		if s == "judge" {
			return errors.New("no evidence")
		}
		if n++; s == "withdraw" && count(w.steps, s) == 1 {
			return errors.New("EBUSY")
		}
		return nil
	}
	_, err, _ = w.fix(Options{By: Auto})
	w.wantRefused(err, "no evidence")
	w.wantOut("the second time")
}

// TestServiceBreaks: the service refuses the file, ends with it, or another file comes first. It gets back what it had.
func TestServiceBreaks(t *testing.T) {
	for _, step := range []string{"place file", "reload service", "ask service", "see", "judge"} {
		w := newFake(t)
		w.dropFiles = append(w.dropFiles, sshFile)
		w.fail = func(_ int, s string) error {
			if s == step {
				return errors.New("it broke")
			}
			return nil
		}
		_, err, _ := w.fix(Options{Layer: LayerService, By: Auto})
		w.wantRefused(err)
		if step == "place file" || step == "reload service" {
			w.wantRefused(err, sshFile.Path)
		}
		if w.effect[sshFile.Path] != "" {
			t.Errorf("%s: it runs with the file", step)
		}
		w.wantOut(step)
	}
	w := newFake(t)
	w.dropFiles = append(w.dropFiles, sshFile)
	w.fail = func(_ int, s string) error {
		if s == "reload service" || s == "take file back" {
			return errors.New("it broke")
		}
		return nil
	}
	if _, err, _ := w.fix(Options{Layer: LayerService, By: Auto}); !isUnclear(err) || !w.armed || w.state == nil {
		t.Errorf("it cannot be taken back: %v, at the next boot %v", err, w.armed)
	}
	w.fail = nil
	w.reboot()
	w.wantOut("taken back at boot")
}

// TestDiskIsFull: nothing is loaded where the state cannot be written. Where what the next boot does cannot be, the fix stays
// loaded and that is told.
func TestDiskIsFull(t *testing.T) {
	full := func(w *fake, step string) {
		w.fail = func(_ int, s string) error {
			if s == step {
				return errors.New("no space left on device")
			}
			return nil
		}
	}
	for _, o := range []Options{{By: Auto}, {By: Auto, Layer: LayerService}} {
		w := newFake(t)
		w.dropFiles = append(w.dropFiles, sshFile)
		full(w, "save "+PhaseTrial)
		_, err, _ := w.fix(o)
		w.wantRefused(err, "no space left", "nothing was")
		if count(w.steps, "try")+count(w.steps, "place file") > 0 {
			t.Error("it was loaded before the state was written")
		}
		w.wantOut("no state")
	}
	w := newFake(t)
	full(w, "persist")
	_, err, _ := w.fix(Options{By: Auto, Persist: true})
	if !isUnclear(err) || !strings.Contains(err.Error(), "only until the next boot") || !w.closed() || w.onDisk().Phase != PhaseConfirmed {
		t.Errorf("%v, closed %v", err, w.closed())
	}
	w = newFake(t) // what nobody could know of is not to stay
	full(w, "save "+PhaseConfirmed)
	_, err, _ = w.fix(Options{By: Auto, Persist: true})
	w.wantRefused(err, "no space left")
	w.wantOut("not written down")
}

// TestKernelLacksSomething: it refuses the rules, or the replica could not be built. Nothing is loaded.
func TestKernelLacksSomething(t *testing.T) {
	for _, step := range []string{"try", "prove", "ready", "start helper"} {
		w := newFake(t)
		w.fail = func(_ int, s string) error {
			if s == step {
				return errors.New("operation not supported")
			}
			return nil
		}
		_, err, _ := w.fix(Options{By: Auto})
		w.wantRefused(err, "operation not supported")
		w.wantOut(step)
	}
	w := newFake(t)
	w.unreadable = true
	_, err, _ := w.fix(Options{By: Auto})
	w.wantRefused(err, "could not be read")
	w.wantOut("unreadable")
}

// TestClockSteps: the files that decide know no other clock than that of the World.
func TestClockSteps(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "_linux.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					seen++
					if !slices.Contains([]string{"Duration", "Second", "Millisecond", "Minute"}, s.Sel.Name) {
						t.Errorf("%s: time.%s", file, s.Sel.Name)
					}
				}
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("no file was read")
	}
	w := newFake(t) // the host sleeps: CLOCK_BOOTTIME goes on
	w.dieWaiting()
	w.pass(8 * time.Hour)
	if w.closed() {
		t.Error("the trial outlives the sleep")
	}
}

// TestTwoAtOnce: one holds the lock, or waits for its confirmation; and a ruleset that changed is planned for again.
func TestTwoAtOnce(t *testing.T) {
	w := newFake(t)
	w.locked = true
	x := &Fix{World: w.world(), Options: Options{By: Auto}, Before: w.report(w.seen()), Snapshot: w.seen()}
	_, err := x.Run(t.Context())
	w.wantRefused(err, "another fix is at work")
	w.locked = false
	w.wantOut("the second")

	w.dieWaiting()
	_, err, _ = w.fix(Options{By: Auto})
	w.wantRefused(err, "waits for its confirmation")
	if !w.closed() {
		t.Error("the second took the first out")
	}

	w = newFake(t) // a change of what changes packets, at each try
	w.at["try"] = func() {
		w.others = []ruleset.Table{untracking(int32(-400 + len(w.steps)%2))}
		w.generation++
	}
	_, err, _ = w.fix(Options{By: Auto})
	w.wantRefused(err, "changed 3 times")
	if count(w.steps, "prove") != 3 || !w.heard("planning again") {
		t.Errorf("proven %d times", count(w.steps, "prove"))
	}
	w.wantOut("it changes all the time")

	w = newFake(t) // in another namespace
	w.dieWaiting()
	st := w.onDisk()
	st.Netns = "net:[2]"
	if err := w.Save(st); err != nil {
		t.Fatal(err)
	}
	w.wantRefused(w.world().TakeOut(t.Context(), false), "another network namespace")
}

// TestBaselineIsKept: a host that lets in only what it knows goes the same way, and its policy is a rule that expires.
func TestBaselineIsKept(t *testing.T) {
	w := newFake(t)
	w.options.Mode = remedy.DefaultDeny
	w.at["try"] = func() { // by it there is a filter that a published port bypasses
		w.found = []extra{{pubCheck, finding.Finding{Message: "a published port", Severity: "medium", Remediation: deny(zones.External, 8080)}, nil}}
	}
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || w.onDisk().Plan.Mode != remedy.DefaultDeny {
		t.Errorf("%v", err)
	}
}
