package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/remedy"
)

const (
	tick = 200 * time.Millisecond
	// calm is how long after an audit the next one is, however often others change their tables.
	calm = 5 * time.Second
)

// waiting is a trial that waits for its confirmation.
type waiting struct {
	*Fix
	st *State
	// others is a change of somebody else's table since the last audit, and audited when that was.
	others  *remedy.Change
	audited int64
}

// await watches until a new login has confirmed, somebody took the trial out, or the time is over. What others change
// meanwhile is audited: their tables are part of what the proof is about.
func (x *Fix) await(ctx context.Context, st *State) error {
	changes, err := x.Live.Changes()
	if err != nil {
		return x.lockedOut(ctx, st, err)
	}
	defer changes.Close()
	w := &waiting{Fix: x, st: st}
	if st.File == nil && x.changed(ctx) { // since the audit, when nobody listened
		w.others = &remedy.Change{}
	}
	for {
		now, err := x.Store.Load()
		here, herr := x.Clock.Here()
		if err == nil {
			x.noteProlonged(st, now)
		}
		left, pending := st.Pending(here)
		switch {
		case err == nil && st.Kept(now):
			x.People.Say("fix: confirmed\n")
			return nil
		case err == nil && (now == nil || now.ID != st.ID):
			return refused("the rules were taken out again by somebody else")
		case ctx.Err() != nil:
			return x.lockedOut(ctx, st, errors.New("interrupted"))
		case herr != nil || !pending || left < 500*time.Millisecond:
			if err := x.lockedOut(ctx, st, errNotConfirmed); !errors.Is(err, errProlonged) {
				return err
			}
			continue
		}
		c, ok := changes.Next(ctx, tick)
		if why := w.heard(ctx, c, ok, here.Now); why != nil {
			return x.lockedOut(ctx, st, why)
		}
	}
}

// noteProlonged takes over what the state says of a first confirmation.
func (x *Fix) noteProlonged(st, now *State) {
	if now == nil || now.ID != st.ID || now.Confirmed <= st.Confirmed {
		return
	}
	st.Confirmed, st.Deadline = now.Confirmed, now.Deadline
	x.People.Say("fix: confirmed once; without a second confirmation from another new login the rules go out again in %s\n", secondWait)
}

var (
	errNotConfirmed = errors.New("not confirmed")
	// errProlonged says that a trial waits for its second confirmation: the first one came at its last moment.
	errProlonged = errors.New("confirmed once")
)

// patience is how often the lock is tried for that whoever confirms has: with what others loaded meanwhile that takes an audit's time.
const patience = 600

// heard says why a change takes the trial out: it is no longer what was loaded, or with what others changed it no longer does what
// was proven. Others are left to finish first.
func (w *waiting) heard(ctx context.Context, c remedy.Change, ok bool, now int64) error {
	if ok && w.altered(ctx) {
		if c.Table == "" {
			return errors.New("the rules on trial were changed")
		}
		return fmt.Errorf("the rules on trial were changed %s", c)
	}
	if ok && c.Table == "" && w.st.File == nil {
		w.others = &c
		return nil
	}
	if ok || w.others == nil || w.audited != 0 && now-w.audited < int64(calm) {
		return nil
	}
	by := *w.others
	w.others = nil
	err := w.verifyAgain(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if here, herr := w.Clock.Here(); herr == nil {
		w.audited = here.Now
	}
	if err != nil && by.Program != "" {
		err = fmt.Errorf("after a change of other tables %s: %w", by, err)
	}
	return err
}

// altered says whether the trial is no longer what was loaded.
func (w *waiting) altered(ctx context.Context) bool {
	rs, err := w.Live.Ours(ctx)
	return err == nil && w.st.Altered(rs) != nil
}

// changed says whether the ruleset is another than the one that was audited last, or cannot be read.
func (x *Fix) changed(ctx context.Context) bool {
	rs, err := x.Live.Ours(ctx)
	return err != nil || rs.Generation != x.generation
}

// current audits again where the ruleset was changed since the last audit: what is kept is what was proven.
func (x *Fix) current(ctx context.Context) error {
	if !x.changed(ctx) {
		return nil
	}
	return x.verifyAgain(ctx)
}

// settledNow is the state, as the kernel completes it, written down.
func (x *Fix) settledNow(ctx context.Context) (*State, error) {
	at, err := x.look(ctx)
	switch {
	case err != nil:
		return nil, err
	case at.damaged != nil:
		return nil, at.damaged
	case at.unwritten:
		err = x.Store.Save(at.st)
	}
	return at.st, err
}

// lockedOut takes the trial out under the lock, unless somebody confirmed it in the last moment.
func (x *Fix) lockedOut(ctx context.Context, st *State, why error) error {
	for i := range patience {
		unlock, err := x.Store.Lock()
		if err != nil {
			x.Clock.Sleep(100 * time.Millisecond)
			continue
		}
		now, err := x.settledNow(ctx)
		if err != nil && i < patience-1 { // it may say that it was confirmed
			unlock()
			x.Clock.Sleep(100 * time.Millisecond)
			continue
		}
		defer unlock()
		switch {
		case err == nil && st.Kept(now):
			x.People.Say("fix: confirmed\n")
			return nil
		case err == nil && (now == nil || now.ID != st.ID): // also of another fix that was begun since
			return refused("%w; the rules were taken out again by somebody else", why)
		case err == nil && errors.Is(why, errNotConfirmed) && now.Confirmed > st.Confirmed:
			return errProlonged
		}
		return x.endFor(ctx, st, why)
	}
	return unclear("%w, and another fix has the lock; the helper takes the rules out", why)
}
