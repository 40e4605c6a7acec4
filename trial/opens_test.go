package trial

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
)

// loggedOut has a fake's host without the logins that its plans lean on, nor a network to administer it by.
func (w *fake) loggedOut() {
	host := *w.host
	host.SSH.Sessions = nil
	host.Network.Links = slices.DeleteFunc(slices.Clone(host.Network.Links), func(l snapshot.Link) bool { return l.Name == "mgmt0" })
	w.host = &host
}

// TestAppliedAgainOpensNothing: a baseline leans on who is logged in. Once nobody is it cannot be made again, and what would be made in place of it
// would let in everybody: it stays, and people are told why, and how it was made.
func TestAppliedAgainOpensNothing(t *testing.T) {
	made := Options{By: Auto, Persist: true, Again: " --mode default-deny --keep tcp/443"}
	w := baseline(t)
	if _, err, _ := w.fix(made); err != nil || w.onDisk().Plan.Mode != remedy.DefaultDeny {
		t.Fatal(err)
	}
	id := w.onDisk().ID
	for _, o := range []struct {
		mode string
		made Options
	}{{remedy.DefaultDeny, made}, {remedy.Targeted, Options{By: Auto}}} {
		w.loggedOut()
		w.options.Mode = o.mode
		_, err, _ := w.fix(o.made)
		w.wantRefused(err, "fix "+id+", which is confirmed, closes what this one would open", "ringfence fix apply --mode default-deny --keep tcp/443", "ringfence fix rollback")
		if st := w.onDisk(); st.ID != id || st.Phase != PhaseConfirmed || !w.closed() {
			t.Errorf("%s: it is no longer loaded", o.mode)
		}
	}
	w.options.Mode = remedy.Targeted
	if _, err, _ := w.fix(Options{By: Auto, Again: " --mode targeted", Targeted: true}); err != nil || w.onDisk().ID == id {
		t.Errorf("what is asked for by name is refused: %v", err)
	}
}

// TestAppliedWithoutAStateOpensNothing: the state is lost, and the rules tell themselves what they close.
func TestAppliedWithoutAStateOpensNothing(t *testing.T) {
	w := baseline(t)
	if _, err, _ := w.fix(Options{By: Auto}); err != nil {
		t.Fatal(err)
	}
	if err := w.Forget(); err != nil {
		t.Fatal(err)
	}
	w.loggedOut()
	_, err, _ := w.fix(Options{By: Auto, Again: " --mode default-deny"})
	w.wantRefused(err, "that there is no state of close what this fix would open", "ringfence fix rollback")
	if !w.closed() {
		t.Error("it is no longer loaded")
	}
	w.options.Mode = remedy.Targeted
	if _, err, _ := w.fix(Options{By: Auto, Again: " --mode targeted", Targeted: true}); err != nil {
		t.Errorf("what is asked for by name is refused: %v", err)
	}
}

// TestCommandsMakeTheSameFix: who is told to apply a fix again is told the flags that it was made by.
func TestCommandsMakeTheSameFix(t *testing.T) {
	w := newFake(t)
	if _, err, _ := w.fix(Options{By: Auto, Persist: true, Again: " --config /c.yaml --keep 'tcp/443@fd00::/8'"}); err != nil {
		t.Fatal(err)
	}
	w.foreign("iptables", false, notrack)
	if _, err := w.world().Verify(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "apply it again with ringfence fix apply --config /c.yaml --keep 'tcp/443@fd00::/8'") {
		t.Errorf("%v", err)
	}
}

// TestWhatIsLeftOpenIsNoSuccess: of a fix without a part of what it was made for, since that cannot be shown to be closed, the exit code says so.
func TestWhatIsLeftOpenIsNoSuccess(t *testing.T) {
	p := &remedy.Plan{Closes: make([]remedy.Target, 2), Manual: []dropin.Manual{
		{Check: "management/a", Reason: dropin.ReasonOpen}, {Check: "management/a", Reason: dropin.ReasonOpen}, {Check: "runtime/b"},
	}}
	if err := inPart(p); !errors.As(err, new(*PartlyError)) || !strings.HasSuffix(err.Error(), "that they would be closed: management/a") {
		t.Errorf("%v", err)
	}
	if err := inPart(&remedy.Plan{Manual: p.Manual[2:]}); err != nil {
		t.Errorf("what people do by hand: %v", err)
	}
}

// TestNoBaselineIsSaid: where a host that lets in only what it knows was asked for and is not to be made of this one, that the findings alone are
// closed is the last that people are told, and no success; where nothing is to be closed either, it is refused.
func TestNoBaselineIsSaid(t *testing.T) {
	partly := func(name string, err error) {
		t.Helper()
		if !errors.As(err, new(*PartlyError)) || !strings.Contains(err.Error(), "what no rule names is let in as before") || !strings.Contains(err.Error(), "no management zone") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := baseline(t)
	w.loggedOut()
	_, err, _ := w.fix(Options{By: Auto, DryRun: true})
	partly("a dry run", err)
	_, err, _ = w.fix(Options{By: Auto, Persist: true})
	if partly("loaded", err); !w.closed() || w.onDisk().Plan.Mode != remedy.Targeted || w.persisted == nil {
		t.Error("it is not loaded")
	}
	_, err, _ = w.fix(Options{By: Auto, Persist: true})
	partly("loaded already", err)

	w = baseline(t) // who confirms it from a new login is told too
	w.loggedOut()
	w.tty, w.answer = true, "yes"
	w.during(10*time.Second, func() {
		if err := w.world().ConfirmNow(t.Context(), "", true, Options{}); err != nil || !w.heard("what no rule names is let in as before") {
			t.Errorf("confirmed: %v", err)
		}
	})
	_, err, _ = w.fix(Options{})
	partly("confirmed", err)

	w = baseline(t)
	w.loggedOut()
	w.effect[sshFile.Path] = "closed"
	host := *w.host
	host.Network.Links = slices.DeleteFunc(slices.Clone(host.Network.Links), func(l snapshot.Link) bool { return l.Name == "ext0" })
	w.host = &host
	_, err, _ = w.fix(Options{By: Auto})
	w.wantRefused(err, "what was asked for cannot be made", "no management zone")
}
