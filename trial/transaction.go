package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/remedy"
)

// grace is how much longer than the time for the confirmation the drops work: the helper takes the trial
// out first, and the kernel only where nobody is left to do it.
const grace = 15 * time.Second

// secondWait is how long a trial waits for its second confirmation: longer than neighbours are remembered, and than a name or a lease of a
// short time holds.
const secondWait = 10 * time.Minute

func newID() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// Begin writes down that a proven plan is going to be loaded on trial, before it is: whatever happens then,
// the next run knows.
func (w *World) Begin(p *remedy.Proof, o *Options) (*State, error) {
	here, err := w.Clock.Here()
	if err != nil {
		return nil, err
	}
	st := &State{
		ID: newID(), Phase: PhaseTrial, BootID: here.Boot, Netns: here.Netns, Applied: here.Now,
		Deadline: here.Now + int64(o.Wait), Plan: p.Plan(), Evidence: p.Evidence, Judged: o.Judged, Again: o.Again,
	}
	st.Trial, st.Lasting = p.Tables()
	st.Working = p.Claim().Working
	if old, err := w.Store.Load(); err == nil && old != nil && old.Phase == PhaseConfirmed {
		st.Before = old
	}
	return st, w.Store.Save(st)
}

// persistLoaded has what is loaded already loaded at boot too, where that was not done or is undone. What there is no state of gets one: it
// is as was proven just now, and bears the mark of a fix that was confirmed.
func (x *Fix) persistLoaded(ctx context.Context) error {
	at, err := x.look(ctx)
	switch {
	case err != nil:
		return refused("%w", err)
	case at.unread != nil:
		return refused("%w", at.unread)
	}
	st := at.st
	id, there := at.found.id(false)
	switch {
	case !there || st != nil && st.Phase != PhaseConfirmed:
		return nil
	case st == nil || st.Plan == nil || id != "" && id != st.ID:
		st = x.adopted(at, id)
		if err := x.Store.Save(st); err != nil {
			return unclear("it is loaded, and there is no state of it: %w", err)
		}
	}
	if _, lacks := x.Boot.Persists(st.Plan, st.ID); st.Persisted && lacks == "" {
		return nil
	}
	return x.persist(ctx, st, x.Options)
}

// adopted is the state of what is loaded as a fix of that id, and was just proven.
func (x *Fix) adopted(at *where, id string) *State {
	if id == "" {
		id = newID()
	}
	st := &State{
		ID: id, Phase: PhaseConfirmed, BootID: at.here.Boot, Netns: at.here.Netns, Applied: at.here.Now, Deadline: at.here.Now,
		Plan: x.proof.Plan(), Evidence: x.proof.Evidence, Judged: x.Judged, Again: x.Again, Undecided: slices.Sorted(maps.Keys(undecided(x.proof.Plan(), x.Before))),
	}
	st.Trial, st.Lasting = x.proof.Tables()
	if at.st != nil {
		st.Files = at.st.Files
	}
	return st
}

// BeginFile writes down that a drop-in is going to be put in place on trial, and what takes it back.
func (w *World) BeginFile(ctx context.Context, f *dropin.File, wait time.Duration) (*State, error) {
	a, err := w.Files.Record(f)
	if err != nil {
		return nil, err
	}
	here, err := w.Clock.Here()
	if err != nil {
		return nil, err
	}
	a.ID = newID()
	st := &State{
		ID: a.ID, Phase: PhaseTrial, BootID: here.Boot, Netns: here.Netns, Applied: here.Now, Deadline: here.Now + int64(wait), File: a,
	}
	if st.Before, err = w.Store.Load(); err != nil {
		return nil, err
	}
	if err := w.mayReplace(ctx, st.Before, a); err != nil {
		return nil, err
	}
	return st, w.Store.Save(st)
}

// Load puts the plan of a transaction on trial. The drops end by themselves after its deadline, however long loading takes.
func (w *World) Load(st *State, p *remedy.Proof, generation uint32) error {
	here, err := w.Clock.Here()
	if err != nil || here.Boot != st.BootID {
		return errors.Join(err, errors.New("not of this boot"))
	}
	return w.Tables.Try(p, generation, time.Duration(st.Deadline-here.Now)+grace, st.ID)
}

// onTrial wants a trial to be still what was loaded, and in time. It says when that is.
func (w *World) onTrial(ctx context.Context, st *State) (Moment, error) {
	rs, err := w.Live.Ours(ctx)
	if err != nil {
		return Moment{}, err
	}
	here, err := w.Clock.Here()
	if err != nil {
		return here, err
	}
	if _, ok := st.Pending(here); !ok {
		return here, ErrNotPending
	}
	if err := st.Altered(rs); err != nil {
		return here, fmt.Errorf("the trial was changed: %w", err)
	}
	return here, nil
}

// Prolong has a trial that was confirmed wait for its second confirmation. No process has to live for that: it stays on trial, for longer,
// and the kernel stops its drops where nobody confirms again.
func (w *World) Prolong(ctx context.Context, st *State) error {
	here, err := w.onTrial(ctx, st)
	if err != nil {
		return err
	}
	next := *st
	next.Confirmed, next.Deadline = here.Now, here.Now+int64(secondWait)
	if err := w.Store.Save(&next); err != nil {
		return err
	}
	*st = next
	return w.Tables.Prolong(st.Plan, secondWait+grace, st.ID)
}

// Confirm makes the trial lasting. It must still be what was loaded, and in time.
func (w *World) Confirm(ctx context.Context, st *State) error {
	if _, err := w.onTrial(ctx, st); err != nil {
		return err
	}
	if err := w.alone(ctx); err != nil {
		return err
	}
	if err := w.Tables.Promote(st.Plan, st.ID); err != nil {
		return err
	}
	kept := st.confirmed()
	if err := w.Store.Save(kept); err != nil { // what nobody knows of is not to stay
		return errors.Join(err, w.restore(ctx, st))
	}
	*st = *kept
	return nil
}

// ConfirmFile keeps the drop-in that is on trial.
func (w *World) ConfirmFile(ctx context.Context, st *State) error {
	here, err := w.Clock.Here()
	if err != nil {
		return err
	}
	if _, ok := st.Pending(here); !ok || st.File == nil {
		return ErrNotPending
	}
	if w.Files.Changed(st.File) {
		return errors.New("the file on trial was changed")
	}
	if err := w.Files.Holds(ctx, st.File); err != nil {
		return err
	}
	next := st.Before
	if next == nil {
		next = &State{ID: st.ID, Phase: PhaseConfirmed, BootID: st.BootID, Netns: st.Netns}
	}
	next.Files = append(next.Files, *st.File)
	if err := w.Store.Save(next); err != nil {
		return err
	}
	return w.Boot.Disarm()
}

// restore loads what was confirmed before, or nothing.
func (w *World) restore(ctx context.Context, st *State) error {
	if st.Before != nil && st.Before.Plan != nil {
		return w.Reload(ctx, st.Before)
	}
	return w.remove(ctx)
}

// Rollback takes a trial out: the host is then as before it. The end of ctx does not stop it.
func (w *World) Rollback(ctx context.Context, st *State) error {
	ctx = context.WithoutCancel(ctx)
	if st.File != nil {
		if err := w.takeBack(ctx, st.File); err != nil {
			return err
		}
	} else if err := errors.Join(w.withdraw(ctx), w.unpromote(ctx, st)); err != nil {
		return err
	}
	if st.Before != nil {
		return w.Store.Save(st.Before)
	}
	return w.Store.Forget()
}

// end takes a trial out at its end. That it could not is told to everybody.
func (w *World) end(ctx context.Context, st *State) error {
	err := w.Rollback(ctx, st)
	if err == nil {
		return nil
	}
	what := "the rules of fix " + st.ID + " could not be taken out" + stops(err)
	if st.File != nil {
		what = "the file " + escape.Line(st.File.File.Path) + " of fix " + st.ID + " could not be taken back; the next boot does it"
	}
	w.Alarm.Raise(fmt.Sprintf("%s. Try again: ringfence fix rollback. %s", what, escape.Line(err.Error())))
	return err
}

// errLasting says that rules were made lasting before they could not be taken out.
var errLasting = errors.New("the rules are lasting already, and do not stop by themselves")

// stops says what becomes of rules that could not be taken out for a reason, to be put after that they could not.
func stops(err error) string {
	if errors.Is(err, errLasting) {
		return ""
	}
	return "; the kernel stops them when their time is over"
}

// unpromote takes the lasting tables of a trial out that was kept while nobody could write so down.
func (w *World) unpromote(ctx context.Context, st *State) error {
	now, err := w.Store.Load()
	if err != nil || now == nil || now.ID != st.ID || now.Phase != PhaseTrial {
		return nil //nolint:nilerr // a state that cannot be read is told of by who completes it from the kernel
	}
	rs, err := w.Live.Ours(ctx)
	if err != nil {
		return fmt.Errorf("whether it was kept cannot be told: %w", err)
	}
	if !st.promoted(rs) {
		return nil
	}
	if err := w.restore(ctx, st); err != nil {
		return fmt.Errorf("%w: %w", errLasting, err)
	}
	return nil
}

// takeBack takes a file back, and only then has the next boot no longer do so.
func (w *World) takeBack(ctx context.Context, a *dropin.Applied) error {
	changed := w.Files.Changed(a)
	if err := w.Files.TakeBack(ctx, a); err != nil {
		return err
	}
	if changed {
		w.People.Say("fix: %s was changed while it was on trial: what it was is beside it, as %s\n", a.File.Path, a.Aside())
	}
	return w.Boot.Disarm()
}

// withdraw removes what is on trial, and tries that again before it switches it off.
func (w *World) withdraw(ctx context.Context) error {
	var err error
	spare, _ := w.spare(ctx) // what is on trial has to go all the same
	for i := range 3 {
		if i > 0 {
			w.Clock.Sleep(200 * time.Millisecond)
		}
		if err = w.Tables.Withdraw(spare...); err == nil {
			return nil
		}
	}
	if serr := w.Tables.Silence(spare...); serr != nil {
		return errors.Join(err, serr)
	}
	return fmt.Errorf("%w (it is switched off)", err)
}

// Undo takes everything that was confirmed out again, and has it no longer loaded at boot.
func (w *World) Undo(ctx context.Context, st *State) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for ; st != nil; st = st.Before {
		if st.File != nil {
			errs = append(errs, w.takeBack(ctx, st.File))
		}
		errs = append(errs, w.takeBackKept(ctx, st.Files))
	}
	if err := errors.Join(append(errs, w.remove(ctx), w.Boot.Disarm(), w.Boot.Unpersist(ctx))...); err != nil {
		return err
	}
	return w.Store.Forget()
}

// Reload loads a confirmed plan again, at boot or after somebody removed it.
func (w *World) Reload(ctx context.Context, st *State) error {
	if st.Phase != PhaseConfirmed || st.Plan == nil {
		return errors.New("the last fix is not confirmed")
	}
	if err := w.alone(ctx); err != nil {
		return err
	}
	return w.Tables.Reload(st.Plan, st.ID)
}
