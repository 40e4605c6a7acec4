package trial

import (
	"context"
	"encoding/json"
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
	"github.com/ringfence/ringfence/zones"
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

// TestVerify: a change of what was confirmed is drift, and a boot that loads the same in other words is none.
func TestVerify(t *testing.T) {
	w := newFake(t)
	_, err := w.world().Verify(t.Context())
	w.wantRefused(err, "no confirmed fix")
	w = confirmed(t)
	if id, err := w.world().Verify(t.Context()); err != nil || id != w.onDisk().ID {
		t.Errorf("%q %v", id, err)
	}
	w.own = nil
	if _, err := w.world().Verify(t.Context()); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("%v", err)
	}
	if err := w.world().LoadAgain(t.Context()); err != nil || !w.closed() {
		t.Errorf("loaded again: %v", err)
	}
	w.persisted = nil
	if _, err := w.world().Verify(t.Context()); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "the next boot does not load it") {
		t.Errorf("not at boot: %v", err)
	}
	w.persisted, w.persistedID = w.onDisk().Plan, w.onDisk().ID
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWatchDrift: it ends with the first change that leaves the tables others, and names the process.
func TestWatchDrift(t *testing.T) {
	w := confirmed(t)
	n := 0
	w.during(time.Second, func() { w.changes = append(w.changes, remedy.Change{Table: remedy.Table, PID: 8, Program: "same"}) })
	w.during(2*time.Second, func() { w.foreign("dockerd", false, dockerTable) })
	w.during(3*time.Second, func() { w.foreign("nft", true) })
	err := w.world().WatchDrift(t.Context(), func(string) error { n++; return nil })
	if !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "changed by process 99 (nft)") || n != 2 {
		t.Errorf("%v, told %d times", err, n)
	}
	ctx, stop := context.WithCancel(t.Context())
	w = confirmed(t)
	w.during(time.Second, stop)
	if err := w.world().WatchDrift(ctx, func(string) error { return nil }); err != nil {
		t.Errorf("interrupted: %v", err)
	}
	broken := errors.New("nobody reads")
	if err := w.world().WatchDrift(t.Context(), func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestDriftWhileItIsRead: who changed our tables while they are read at first is named, also behind changes of others; that
// others never cease hides no drift.
func TestDriftWhileItIsRead(t *testing.T) {
	others := slices.Repeat([]remedy.Change{{PID: 7, Program: "dockerd"}}, 2*mostOthers)
	for name, c := range map[string]struct {
		changes []remedy.Change
		want    string
	}{
		"named":    {append(others[:5:5], remedy.Change{Table: remedy.Table, PID: 99, Program: "nft"}), "changed by process 99 (nft)"},
		"not told": {others, "no longer as confirmed"},
	} {
		w := confirmed(t)
		w.own = nil
		live := &changing{Ruleset: w.world().Live, fake: w, list: c.changes}
		world := w.world()
		world.Live = live
		err := world.WatchDrift(t.Context(), func(string) error { return nil })
		if !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "dockerd") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "not told" && len(w.changes) < mostOthers {
			t.Errorf("%d changes of others are left", len(w.changes))
		}
	}
}

// changing is a ruleset with changes that happened since somebody listens.
type changing struct {
	Ruleset
	fake *fake
	list []remedy.Change
}

func (c *changing) Changes() (Changes, error) {
	c.fake.changes = c.list
	return c.fake, nil
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
	if st, err := w.world().Begin(proof, time.Minute, nil); err != nil || st.Before != nil {
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

// TestVerifyAsksTheHost: the table is as it was loaded, and what it closed is open again: by an interface that is new or has another name, or
// by rules of others.
func TestVerifyAsksTheHost(t *testing.T) {
	link := func(w *fake, do func(list []snapshot.Link) []snapshot.Link) {
		host := *w.host
		host.Network.Links = do(slices.Clone(host.Network.Links))
		w.host = &host
	}
	for name, c := range map[string]struct {
		change func(w *fake)
		want   []string
	}{
		"nothing": {func(*fake) {}, nil},
		"renamed": {func(w *fake) {
			link(w, func(list []snapshot.Link) []snapshot.Link {
				for i := range list {
					if list[i].Name == "ext0" {
						list[i].Name = "wan7"
					}
				}
				return list
			})
		}, []string{apiCheck, "tcp/2375 from wan7", "interface wan7", "ringfence fix apply"}},
		"a second uplink": {func(w *fake) {
			link(w, func(list []snapshot.Link) []snapshot.Link {
				return append(list, snapshot.Link{Index: 90, Name: "wan8", Up: true, Addrs: []string{"198.51.100.2/24"}})
			})
		}, []string{"tcp/2375 from wan8", "interface wan8 (external) is new"}},
		"one of management more": {func(w *fake) {
			link(w, func(list []snapshot.Link) []snapshot.Link {
				return append(list, snapshot.Link{Index: 90, Name: "mgmt8", Up: true, Addrs: []string{"10.80.0.2/24"}})
			})
		}, nil},
		"others exempt it from tracking": {func(w *fake) { w.foreign("iptables", false, notrack) }, []string{"tcp/2375 from ext0"}},
		"a proxy leads to it": {func(w *fake) {
			w.found = append(w.found, extra{apiCheck, finding.Finding{Message: "by a proxy", Severity: "critical"}, nil})
		}, []string{apiCheck, "still open after the fix"}},
		"what is left of it": {func(w *fake) {
			w.found = append(w.found, extra{apiCheck, finding.Finding{Message: "by local processes", Severity: "high"}, nil})
		}, nil},
		"another finding": {func(w *fake) {
			w.found = append(w.found, extra{agentCheck, finding.Finding{Message: "new", Severity: "critical"}, nil})
		}, nil},
		"others drop more":     {func(w *fake) { w.foreign("iptables", false, drops) }, nil},
		"it cannot be seen":    {func(w *fake) { w.unreadable = true }, []string{"could not be read"}},
		"it cannot be judged":  {func(w *fake) { w.unknown(apiCheck) }, []string{apiCheck, "a process ended"}},
		"another check cannot": {func(w *fake) { w.unknown(agentCheck) }, nil},
	} {
		w := confirmed(t)
		c.change(w)
		_, err := w.world().Verify(t.Context())
		if len(c.want) == 0 && err != nil || len(c.want) > 0 && !errors.As(err, new(*DriftError)) {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range c.want {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%s: it does not say %q: %v", name, word, err)
			}
		}
	}
	w := confirmed(t) // once only
	w.unknown(apiCheck)
	once(w, "audit", func() { w.at["audit"] = func() { w.blind = nil } })
	if _, err := w.world().Verify(t.Context()); err != nil || count(w.steps, "audit") != 2 {
		t.Errorf("%v after %d audits", err, count(w.steps, "audit"))
	}
	w = newFake(t) // it could not be told either when it was kept
	for i := range w.host.Coverage {
		if c := &w.host.Coverage[i]; c.Collector == "listeners" {
			c.Status, c.Reasons = snapshot.Partial, []string{"a namespace"}
		}
	}
	once(w, "try", func() { w.unknown(apiCheck) })
	if _, err, _ := w.fix(Options{By: Auto}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
	w = confirmed(t) // while somebody watches
	w.during(10*time.Second, func() { w.foreign("iptables", false, notrack) })
	begin := w.now
	if err := w.world().WatchDrift(t.Context(), func(string) error { return nil }); !errors.As(err, new(*DriftError)) || w.now-begin > int64(2*time.Minute) {
		t.Errorf("%v after %s", err, time.Duration(w.now-begin))
	}
	w = confirmed(t) // a plan of an earlier version has not what to ask
	st := w.onDisk()
	st.Plan.Closes[0].Denies, st.Plan.Known, st.Plan.Zones = nil, nil, nil
	if err := w.Save(st); err != nil {
		t.Fatal(err)
	}
	if _, err := w.world().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestVerifyKnowsWhoKeepsAccess: what was asked to go on is open by the plan, and verify does not call that open.
func TestVerifyKnowsWhoKeepsAccess(t *testing.T) {
	through := extra{agentCheck, finding.Finding{Message: "it is forwarded", Severity: "medium", Remediation: []finding.Remediation{
		{Kind: "nft", Text: "w", Deny: &finding.Deny{Zone: zones.Workload, ToZone: zones.Management}},
		{Kind: "nft", Text: "f", Deny: &finding.Deny{Zone: zones.External, ToZone: zones.Management}},
	}}, func(s *snapshot.Snapshot) bool { return !closed(s.NFTables.Ruleset) }}
	for _, text := range []string{"tcp/2375@203.0.113.9", "tcp/8443@203.0.113.9"} {
		flow, err := remedy.ParseFlow(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []remedy.Options{{Keep: []remedy.Flow{flow}}, {AllowPorts: []remedy.Flow{flow}}, {AllowFrom: prefixes("203.0.113.0/28")}, {Keep: []remedy.Flow{flow}, Mode: remedy.DefaultDeny}} {
			w := newFake(t)
			w.found, w.options = []extra{through}, o
			if _, err, _ := w.fix(Options{By: Auto, Persist: true}); err != nil {
				t.Fatalf("%+v: %v", o, err)
			}
			if _, err := w.world().Verify(t.Context()); err != nil {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
}

// flushed is the sight of a host whose rules went after they were read.
type flushed struct{ Sight }

func (f *flushed) See(ctx context.Context) (*snapshot.Snapshot, error) {
	s, err := f.Sight.See(ctx)
	if err != nil {
		return nil, err
	}
	now := *s
	now.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	return &now, nil
}

// TestRulesThatGoWhileVerified: rules that went between two looks are not said to be loaded and to leave something open.
func TestRulesThatGoWhileVerified(t *testing.T) {
	world := confirmed(t).world()
	world.Sight = &flushed{world.Sight}
	if _, err := world.Verify(t.Context()); !errors.As(err, new(*DriftError)) || !strings.Contains(err.Error(), "no longer as confirmed") {
		t.Errorf("%v", err)
	}
}
